//! The format between [`crate::remote`] and a simulated board: raw electrics in
//! frames of fixed size over a Unix stream socket.
//!
//! The client sends a request and reads one reply to it. Every frame has
//! [`FRAME_LEN`] bytes, integers are little endian, unused bytes are zero:
//!
//! | bytes | content |
//! |---|---|
//! | 0..2 | `m3` |
//! | 2 | version, 1 |
//! | 3 | kind |
//! | 4..6 | sequence number of the request, repeated in its reply |
//! | 6..24 | payload |
//!
//! | kind | payload |
//! |---|---|
//! | 1 set lines | mask (2), levels (2): one bit per [`OutputLine`](crate::lines::OutputLine) |
//! | 2 set pilot PWM | active time in ns (4), 0 to 1 000 000; enabled (1), 0 or 1 |
//! | 3 read | |
//! | 129 done | |
//! | 130 readings | lock sense, pilot positive, pilot negative, capacitor, proximity (2 each): 0 to 4095, 65535 is a failed conversion; input levels (2): one bit per [`InputLine`](crate::lines::InputLine), 65535 is a failed read |
//! | 131 refused | the write was not carried out |
//!
//! Decoding is strict: anything else is an error and ends the connection.

use evse_core::SensorFault;

use crate::conversion::{AdcRaw, PILOT_PERIOD_NS};
use crate::electrics::AdcCounts;
use crate::lines::{InputLevels, OutputLevels};

/// Size of every frame in bytes.
pub const FRAME_LEN: usize = 24;
/// One frame.
pub type Frame = [u8; FRAME_LEN];

const MAGIC: [u8; 2] = *b"m3";
const VERSION: u8 = 1;
const HEADER_LEN: usize = 6;
const PAYLOAD_LEN: usize = FRAME_LEN - HEADER_LEN;
const FAILED: u16 = u16::MAX;

const SET_LINES: u8 = 1;
const SET_PILOT_PWM: u8 = 2;
const READ: u8 = 3;
const DONE: u8 = 129;
const READINGS: u8 = 130;
const REFUSED: u8 = 131;

/// What the board is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Set some output lines at once.
    SetLines(OutputLevels),
    /// Set the control pilot's generator.
    SetPilotPwm {
        /// Active time, 0 to [`PILOT_PERIOD_NS`].
        duty_ns: u32,
        /// Whether the generator runs.
        enabled: bool,
    },
    /// Convert all ADC channels and read all input lines.
    Read,
}

/// What the board answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The write was carried out.
    Done,
    /// The write was not carried out.
    Refused,
    /// All inputs.
    Readings {
        /// ADC channels.
        adc: AdcCounts,
        /// Input lines.
        lines: Result<InputLevels, SensorFault>,
    },
}

/// A frame that isn't one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The frame doesn't start with `m3`.
    #[error("not a board frame: starts with {0:?}")]
    Magic([u8; 2]),
    /// The peer speaks another version.
    #[error("version {0} of the board's wire format, expected {VERSION}")]
    Version(u8),
    /// No such request or reply.
    #[error("unknown kind {0}")]
    Kind(u8),
    /// A field is out of its range.
    #[error("{field} out of range: {value}")]
    Range {
        /// The field's name.
        field: &'static str,
        /// What it held.
        value: u32,
    },
    /// A byte that must be zero isn't.
    #[error("unused byte {0} is not zero")]
    Unused(usize),
}

impl Request {
    /// The frame of this request.
    pub fn encode(self, sequence: u16) -> Frame {
        match self {
            Self::SetLines(levels) => {
                let (mask, high) = levels.bits();
                Writer::new(SET_LINES, sequence).u16(mask).u16(high).frame
            }
            Self::SetPilotPwm { duty_ns, enabled } => {
                Writer::new(SET_PILOT_PWM, sequence)
                    .u32(duty_ns)
                    .u8(u8::from(enabled))
                    .frame
            }
            Self::Read => Writer::new(READ, sequence).frame,
        }
    }

    /// Sequence number and request of a frame.
    ///
    /// # Errors
    /// When the frame isn't exactly a request of this version.
    pub fn decode(frame: &Frame) -> Result<(u16, Self), WireError> {
        let (kind, sequence, mut payload) = Reader::open(frame)?;
        let request = match kind {
            SET_LINES => {
                let (mask, high) = (payload.u16(), payload.u16());
                let value = u32::from(mask) << 16 | u32::from(high);
                Self::SetLines(OutputLevels::from_bits(mask, high).ok_or(WireError::Range {
                    field: "output lines",
                    value,
                })?)
            }
            SET_PILOT_PWM => Self::SetPilotPwm {
                duty_ns: payload.duty_ns()?,
                enabled: payload.flag("enabled")?,
            },
            READ => Self::Read,
            other => return Err(WireError::Kind(other)),
        };
        payload.finish()?;
        Ok((sequence, request))
    }
}

impl Reply {
    /// The frame of this reply.
    pub fn encode(self, sequence: u16) -> Frame {
        match self {
            Self::Done => Writer::new(DONE, sequence).frame,
            Self::Refused => Writer::new(REFUSED, sequence).frame,
            Self::Readings { adc, lines } => {
                let word = |count: Result<AdcRaw, SensorFault>| count.map_or(FAILED, AdcRaw::get);
                Writer::new(READINGS, sequence)
                    .u16(word(adc.lock_sense))
                    .u16(word(adc.pilot_positive))
                    .u16(word(adc.pilot_negative))
                    .u16(word(adc.lock_capacitor))
                    .u16(word(adc.proximity))
                    .u16(lines.map_or(FAILED, InputLevels::bits))
                    .frame
            }
        }
    }

    /// Sequence number and reply of a frame.
    ///
    /// # Errors
    /// When the frame isn't exactly a reply of this version.
    pub fn decode(frame: &Frame) -> Result<(u16, Self), WireError> {
        let (kind, sequence, mut payload) = Reader::open(frame)?;
        let reply = match kind {
            DONE => Self::Done,
            REFUSED => Self::Refused,
            READINGS => Self::Readings {
                adc: AdcCounts {
                    lock_sense: payload.count("lock sense")?,
                    pilot_positive: payload.count("pilot positive")?,
                    pilot_negative: payload.count("pilot negative")?,
                    lock_capacitor: payload.count("capacitor")?,
                    proximity: payload.count("proximity")?,
                },
                lines: payload.input_levels()?,
            },
            other => return Err(WireError::Kind(other)),
        };
        payload.finish()?;
        Ok((sequence, reply))
    }
}

/// Fills a frame from the front.
struct Writer {
    frame: Frame,
    position: usize,
}

impl Writer {
    fn new(kind: u8, sequence: u16) -> Self {
        let blank = Self {
            frame: [0; FRAME_LEN],
            position: 0,
        };
        blank.bytes(&MAGIC).u8(VERSION).u8(kind).u16(sequence)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        for (slot, byte) in self.frame.iter_mut().skip(self.position).zip(bytes) {
            *slot = *byte;
        }
        self.position += bytes.len();
        self
    }

    fn u8(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    fn u16(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn u32(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }
}

/// Takes a payload apart from the front.
struct Reader {
    payload: [u8; PAYLOAD_LEN],
    position: usize,
}

impl Reader {
    /// Kind, sequence number and payload.
    fn open(frame: &Frame) -> Result<(u8, u16, Self), WireError> {
        let [m0, m1, version, kind, s0, s1, payload @ ..] = *frame;
        if [m0, m1] != MAGIC {
            return Err(WireError::Magic([m0, m1]));
        }
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        Ok((
            kind,
            u16::from_le_bytes([s0, s1]),
            Self {
                payload,
                position: 0,
            },
        ))
    }

    fn u8(&mut self) -> u8 {
        let byte = self.payload.get(self.position).copied().unwrap_or_default();
        self.position += 1;
        byte
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    fn duty_ns(&mut self) -> Result<u32, WireError> {
        let value = u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()]);
        if value > PILOT_PERIOD_NS {
            return Err(WireError::Range {
                field: "duty cycle in ns",
                value,
            });
        }
        Ok(value)
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, WireError> {
        match self.u8() {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::Range {
                field,
                value: other.into(),
            }),
        }
    }

    fn count(&mut self, field: &'static str) -> Result<Result<AdcRaw, SensorFault>, WireError> {
        match self.u16() {
            FAILED => Ok(Err(SensorFault)),
            raw => {
                let count = AdcRaw::new(raw).ok_or(WireError::Range {
                    field,
                    value: raw.into(),
                })?;
                Ok(Ok(count))
            }
        }
    }

    fn input_levels(&mut self) -> Result<Result<InputLevels, SensorFault>, WireError> {
        match self.u16() {
            FAILED => Ok(Err(SensorFault)),
            bits => {
                let field = "input lines";
                let levels = InputLevels::from_bits(bits).ok_or(WireError::Range {
                    field,
                    value: bits.into(),
                })?;
                Ok(Ok(levels))
            }
        }
    }

    /// The rest must be zero.
    fn finish(self) -> Result<(), WireError> {
        let rest = self.payload.iter().enumerate().skip(self.position);
        match rest.into_iter().find(|(_, byte)| **byte != 0) {
            Some((index, _)) => Err(WireError::Unused(HEADER_LEN + index)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::{InputLine, OutputLine};

    fn requests() -> Vec<Request> {
        vec![
            Request::SetLines(OutputLevels::NONE),
            Request::SetLines(
                OutputLevels::NONE
                    .with(OutputLine::Relay1Enable, true)
                    .with(OutputLine::DigitalOut6, true)
                    .with(OutputLine::Motor1In1N, false),
            ),
            Request::SetPilotPwm {
                duty_ns: 0,
                enabled: false,
            },
            Request::SetPilotPwm {
                duty_ns: 1_000_000,
                enabled: true,
            },
            Request::Read,
        ]
    }

    fn replies() -> Vec<Reply> {
        let raw = |value| AdcRaw::new(value).ok_or(SensorFault);
        let adc = AdcCounts {
            lock_sense: raw(0),
            pilot_positive: raw(4095),
            pilot_negative: Err(SensorFault),
            lock_capacitor: raw(258),
            proximity: raw(1030),
        };
        vec![
            Reply::Done,
            Reply::Refused,
            Reply::Readings {
                adc,
                lines: Ok(InputLevels::default().with(InputLine::Rotary8N, true)),
            },
            Reply::Readings {
                adc: AdcCounts::FAILED,
                lines: Err(SensorFault),
            },
        ]
    }

    #[test]
    fn requests_and_replies_survive_the_wire() {
        for request in requests() {
            assert_eq!(
                Request::decode(&request.encode(0xBEEF)),
                Ok((0xBEEF, request))
            );
        }
        for reply in replies() {
            assert_eq!(Reply::decode(&reply.encode(7)), Ok((7, reply)));
        }
    }

    #[test]
    fn each_bad_field_has_its_error() {
        let pwm = Request::SetPilotPwm {
            duty_ns: 1_000_000,
            enabled: true,
        }
        .encode(1);
        let with = |index: usize, byte: u8| {
            let mut frame = pwm;
            frame[index] = byte;
            Request::decode(&frame)
        };
        assert_eq!(with(0, b'x'), Err(WireError::Magic(*b"x3")));
        assert_eq!(with(2, 2), Err(WireError::Version(2)));
        assert_eq!(with(3, 99), Err(WireError::Kind(99)));
        assert!(matches!(
            with(6, 0x41),
            Err(WireError::Range {
                field: "duty cycle in ns",
                ..
            })
        ));
        assert!(matches!(
            with(10, 2),
            Err(WireError::Range {
                field: "enabled",
                value: 2
            })
        ));
        assert_eq!(with(23, 1), Err(WireError::Unused(23)));

        let mut readings = replies()[2].encode(1);
        readings[7] = 0x10;
        assert!(matches!(
            Reply::decode(&readings),
            Err(WireError::Range {
                field: "lock sense",
                ..
            })
        ));
        let mut lines = Request::SetLines(OutputLevels::NONE).encode(1);
        lines[8] = 1;
        assert!(matches!(
            Request::decode(&lines),
            Err(WireError::Range {
                field: "output lines",
                ..
            })
        ));
    }

    #[test]
    fn a_request_is_no_reply() {
        for request in requests() {
            assert!(matches!(
                Reply::decode(&request.encode(1)),
                Err(WireError::Kind(_))
            ));
        }
        for reply in replies() {
            assert!(matches!(
                Request::decode(&reply.encode(1)),
                Err(WireError::Kind(_))
            ));
        }
    }

    /// Whatever decodes must encode to the very same bytes: no two frames mean
    /// the same, and nothing is read out of garbage.
    #[test]
    fn decoding_of_damaged_frames_is_strict() {
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let mut frames: Vec<Frame> = requests().into_iter().map(|r| r.encode(3)).collect();
        frames.extend(replies().into_iter().map(|r| r.encode(4)));
        let mut accepted = 0_u32;
        for round in 0..200_000_usize {
            let mut frame = frames[round % frames.len()];
            for _ in 0..=next() % 4 {
                frame[(next() % FRAME_LEN as u64) as usize] = next() as u8;
            }
            if let Ok((sequence, request)) = Request::decode(&frame) {
                assert_eq!(request.encode(sequence), frame);
                accepted += 1;
            }
            if let Ok((sequence, reply)) = Reply::decode(&frame) {
                assert_eq!(reply.encode(sequence), frame);
                accepted += 1;
            }
        }
        assert!(accepted > 0, "the damage must sometimes hit a free field");
    }
}
