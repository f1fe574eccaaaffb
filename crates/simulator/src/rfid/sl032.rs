//! The SL032's own protocol, as its manual prints it.
//!
//! Written anew on purpose: a simulated reader that shared its codec with the
//! product would share its mistakes.

use super::Field;
use crate::bus::Device;

const SELECT: u8 = 0x01;
const FIRMWARE: u8 = 0xF0;

const OK: u8 = 0x00;
const NO_TAG: u8 = 0x01;
const COLLISION: u8 = 0x0A;
const CHECKSUM_ERROR: u8 = 0xF0;
const INVALID_COMMAND: u8 = 0xF1;

/// The reader.
#[derive(Debug)]
pub struct Sl032 {
    field: Field,
    received: Vec<u8>,
}

impl Sl032 {
    /// A reader of the cards in `field`.
    pub const fn new(field: Field) -> Self {
        Self {
            field,
            received: Vec::new(),
        }
    }

    fn answer(&self, command: u8) -> Vec<u8> {
        match command {
            SELECT => match self.field.look().as_slice() {
                [] => frame(command, NO_TAG, &[]),
                [uid] => frame(command, OK, &[uid.as_slice(), &[card_type(uid)]].concat()),
                [..] => frame(command, COLLISION, &[]),
            },
            FIRMWARE => frame(command, OK, b"SL032-simulated"),
            _ => frame(command, INVALID_COMMAND, &[]),
        }
    }

    /// The command that `bytes` complete, and whether it is intact.
    fn command(&mut self, bytes: &[u8], after_silence: bool) -> Option<(u8, bool)> {
        if after_silence {
            self.received.clear();
        }
        self.received.extend_from_slice(bytes);
        while let Some((&first, rest)) = self.received.split_first() {
            let (0xBA, [length, ..]) = (first, rest) else {
                if rest.is_empty() {
                    return None;
                }
                self.received.remove(0);
                continue;
            };
            let total = usize::from(*length) + 2;
            if self.received.len() < total {
                return None;
            }
            let request: Vec<u8> = self.received.drain(..total).collect();
            let command = request.get(2).copied().unwrap_or_default();
            let is_intact = request.iter().fold(0, |sum, byte| sum ^ byte) == 0;
            return Some((command, is_intact));
        }
        None
    }
}

impl Device for Sl032 {
    fn hear(&mut self, bytes: &[u8], after_silence: bool) -> Option<Vec<u8>> {
        let (command, is_intact) = self.command(bytes, after_silence)?;
        Some(if is_intact {
            self.answer(command)
        } else {
            frame(command, CHECKSUM_ERROR, &[])
        })
    }

    fn refuse(&mut self, bytes: &[u8], after_silence: bool, code: u8) -> Option<Vec<u8>> {
        let (command, _) = self.command(bytes, after_silence)?;
        Some(frame(command, 0xF0 | code, &[]))
    }
}

/// 1K cards have four bytes, DESFire cards seven.
fn card_type(uid: &[u8]) -> u8 {
    if uid.len() == 4 { 0x03 } else { 0x09 }
}

fn frame(command: u8, status: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xBD, data.len() as u8 + 3, command, status];
    frame.extend(data);
    let checksum = frame.iter().fold(0, |sum, byte| sum ^ byte);
    frame.push(checksum);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_the_manual() {
        let field = Field::default();
        let mut reader = Sl032::new(field.clone());
        let select = [0xBA, 0x02, 0x01, 0xB9];
        let mut ask = || reader.hear(&select, true).unwrap();
        assert_eq!(ask(), [0xBD, 0x03, 0x01, 0x01, 0xBE]);
        field.hold(&[0xDE, 0xAD, 0xBE, 0xEF]);
        assert_eq!(
            ask(),
            [0xBD, 0x08, 0x01, 0x00, 0xDE, 0xAD, 0xBE, 0xEF, 0x03, 0x95]
        );
        field.hold(&[1, 2, 3, 4]);
        assert_eq!(ask(), [0xBD, 0x03, 0x01, 0x0A, 0xB5]);
    }
}
