//! The slave's side of Modbus RTU, as far as meters need it.
//!
//! Written anew on purpose: a simulated meter that shared its codec with the
//! product would share its mistakes.

/// "Illegal function".
pub(crate) const ILLEGAL_FUNCTION: u8 = 1;
/// "Illegal data address".
pub(crate) const ILLEGAL_ADDRESS: u8 = 2;
/// "Illegal data value": here, more registers than the meter gives at once.
pub(crate) const ILLEGAL_VALUE: u8 = 3;

/// A request as it came over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub slave: u8,
    pub function: u8,
    pub start: u16,
    /// Number of registers for a read, the new content for a write.
    pub operand: u16,
}

/// What the bytes received so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Incomplete,
    /// Not a request, or damaged: to be ignored until the line is quiet.
    Rubbish,
    Request(Request),
    /// A write of several registers: its operand is their number, and then what they are
    /// to hold.
    Write(Request, Vec<u16>),
}

/// Requests of the functions 1 to 6 have the same eight bytes.
pub(crate) const REQUEST_LENGTH: usize = 8;
/// "Write multiple registers", whose requests have a length of their own.
const WRITE_SEVERAL: u8 = 16;
/// What such a request has before the registers' content.
const WRITE_HEAD: usize = 7;

pub(crate) fn receive(bytes: &[u8]) -> Received {
    if bytes.len() < REQUEST_LENGTH {
        return Received::Incomplete;
    }
    if bytes[1] == WRITE_SEVERAL {
        return receive_write(bytes);
    }
    let &[
        slave,
        function,
        start_high,
        start_low,
        operand_high,
        operand_low,
        crc_low,
        crc_high,
    ] = bytes
    else {
        return Received::Rubbish;
    };
    if crc(&bytes[..REQUEST_LENGTH - 2]) != u16::from_le_bytes([crc_low, crc_high]) {
        return Received::Rubbish;
    }
    Received::Request(Request {
        slave,
        function,
        start: u16::from_be_bytes([start_high, start_low]),
        operand: u16::from_be_bytes([operand_high, operand_low]),
    })
}

fn receive_write(bytes: &[u8]) -> Received {
    let length = WRITE_HEAD + usize::from(bytes[6]) + 2;
    if bytes.len() < length {
        return Received::Incomplete;
    }
    let (frame, checksum) = bytes.split_at(length - 2);
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let request = Request {
        slave: frame[0],
        function: frame[1],
        start: word(2),
        operand: word(4),
    };
    let is_whole = bytes.len() == length && checksum == crc(frame).to_le_bytes();
    if !is_whole || usize::from(request.operand) * 2 != usize::from(frame[6]) {
        return Received::Rubbish;
    }
    let words = (WRITE_HEAD..frame.len()).step_by(2).map(word).collect();
    Received::Write(request, words)
}

/// The answer to a read.
pub(crate) fn registers(request: Request, words: &[u16]) -> Vec<u8> {
    let byte_count = (words.len() * 2) as u8;
    let mut frame = vec![request.slave, request.function, byte_count];
    frame.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    sealed(frame)
}

/// The answer to a write: function, address and content or count again.
pub(crate) fn written(request: Request) -> Vec<u8> {
    let mut frame = vec![request.slave, request.function];
    frame.extend(request.start.to_be_bytes());
    frame.extend(request.operand.to_be_bytes());
    sealed(frame)
}

/// A refusal.
pub(crate) fn exception(request: Request, code: u8) -> Vec<u8> {
    sealed(vec![request.slave, request.function | 0x80, code])
}

/// The frame with its checksum, low byte first.
pub(crate) fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

/// CRC-16 of the Modbus serial line specification, 6.2.2.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xA001
            } else {
                crc >> 1
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Frames printed in the Eastron manual and in public field reports.
    #[test]
    fn known_requests_are_understood() {
        let meter_code = [0x01, 0x03, 0xFC, 0x02, 0x00, 0x01, 0x15, 0x9A];
        let request = Request {
            slave: 1,
            function: 3,
            start: 0xFC02,
            operand: 1,
        };
        assert_eq!(receive(&meter_code), Received::Request(request));
        let voltage = [0x01, 0x04, 0x00, 0x00, 0x00, 0x02, 0x71, 0xCB];
        let request = Request {
            slave: 1,
            function: 4,
            start: 0,
            operand: 2,
        };
        assert_eq!(receive(&voltage), Received::Request(request));
        assert_eq!(
            registers(request, &[0x4366, 0x0000]),
            [0x01, 0x04, 0x04, 0x43, 0x66, 0x00, 0x00, 0x0E, 0x1F]
        );
    }

    // A frame of the Eastron manual: set the speed to 9600 baud.
    #[test]
    fn a_write_of_several_registers_is_understood() {
        let frame = [
            0x01, 0x10, 0x00, 0x1C, 0x00, 0x02, 0x04, 0x40, 0x00, 0x00, 0x00, 0xE7, 0x36,
        ];
        let request = Request {
            slave: 1,
            function: 16,
            start: 0x001C,
            operand: 2,
        };
        assert_eq!(
            receive(&frame),
            Received::Write(request, vec![0x4000, 0x0000])
        );
        assert_eq!(receive(&frame[..12]), Received::Incomplete);
        let mut damaged = frame;
        damaged[8] ^= 1;
        assert_eq!(receive(&damaged), Received::Rubbish);
    }

    #[test]
    fn a_flipped_bit_makes_rubbish() {
        let good = [0x01, 0x04, 0x00, 0x00, 0x00, 0x02, 0x71, 0xCB];
        for bit in 0..64 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(receive(&bad), Received::Rubbish, "bit {bit}");
        }
        assert_eq!(receive(&good[..7]), Received::Incomplete);
    }
}
