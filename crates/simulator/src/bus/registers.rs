//! A Modbus device that is nothing but its registers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Device;
use crate::meter::modbus::{self, Received, Request};

const WRITE_SINGLE: u8 = 6;

/// Registers by function (3 holding, 4 input) and address.
#[derive(Debug)]
pub struct Registers {
    address: u8,
    content: Content,
    received: Vec<u8>,
}

/// What the registers hold; clones look at the same ones.
#[derive(Clone, Debug, Default)]
pub struct Content {
    words: Arc<Mutex<BTreeMap<(u8, u16), u16>>>,
    reads: Arc<Mutex<BTreeMap<(u8, u16), usize>>>,
}

impl Content {
    /// Set the words from `start` on.
    pub fn set(&self, function: u8, start: u16, words: &[u16]) {
        let places = (start..).zip(words);
        self.lock()
            .extend(places.map(|(address, word)| ((function, address), *word)));
    }

    /// Set floating point values, high word first, from `start` on, all at once.
    pub fn set_floats(&self, function: u8, start: u16, values: &[f32]) {
        let words: Vec<u16> = values
            .iter()
            .flat_map(|value| [(value.to_bits() >> 16) as u16, value.to_bits() as u16])
            .collect();
        self.set(function, start, &words);
    }

    /// How many reads have started at this register.
    pub fn reads_from(&self, function: u8, start: u16) -> usize {
        let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.get(&(function, start)).copied().unwrap_or_default()
    }

    fn count(&self, function: u8, start: u16) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        *reads.entry((function, start)).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u8, u16), u16>> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registers {
    /// A device with no registers yet.
    pub fn new(address: u8) -> Self {
        Self {
            address,
            content: Content::default(),
            received: Vec::new(),
        }
    }

    /// With words from `start` on.
    #[must_use]
    pub fn with(self, function: u8, start: u16, words: &[u16]) -> Self {
        self.content.set(function, start, words);
        self
    }

    /// With floating point values, high word first, from `start` on.
    #[must_use]
    pub fn with_floats(self, function: u8, start: u16, values: &[f32]) -> Self {
        self.content.set_floats(function, start, values);
        self
    }

    /// What the registers hold, to be changed while the device is on the line.
    pub fn content(&self) -> Content {
        self.content.clone()
    }

    /// An SDM630 with 230 V, 16 A, 11.04 kW, 50 Hz, 1000 kWh and the serial number
    /// 12345678.
    pub fn sdm630(address: u8) -> Self {
        let blank = [0; 0x50];
        Self::new(address)
            .with(4, 0, &blank)
            .with_floats(4, 0x00, &[230.0, 230.0, 230.0])
            .with_floats(4, 0x06, &[16.0, 16.0, 16.0])
            .with_floats(4, 0x0C, &[3680.0, 3680.0, 3680.0])
            .with_floats(4, 0x30, &[48.0])
            .with_floats(4, 0x34, &[11_040.0])
            .with_floats(4, 0x46, &[50.0, 1000.0, 0.0])
            .with(3, 0xFC00, &[0x00BC, 0x614E, 0x0070])
    }

    /// The request that `bytes` complete, when it is for this device.
    ///
    /// Where it begins is told by its checksum: the gap between two frames, 4 ms at
    /// 9600 bit/s, is shorter than a loaded machine's idea of time.
    pub(crate) fn request(&mut self, bytes: &[u8]) -> Option<Request> {
        let mut complete = None;
        for byte in bytes {
            if self.received.len() == modbus::REQUEST_LENGTH {
                self.received.remove(0);
            }
            self.received.push(*byte);
            if let Received::Request(request) = modbus::receive(&self.received) {
                self.received.clear();
                complete = Some(request);
            }
        }
        complete.filter(|request| request.slave == self.address)
    }

    pub(crate) fn answer(&self, request: Request) -> Vec<u8> {
        let Request {
            function,
            start,
            operand,
            ..
        } = request;
        self.content.count(function, start);
        let mut content = self.content.lock();
        match function {
            WRITE_SINGLE => match content.get_mut(&(3, start)) {
                Some(word) => {
                    *word = operand;
                    modbus::written(request)
                }
                None => modbus::exception(request, modbus::ILLEGAL_ADDRESS),
            },
            3 | 4 => {
                let words: Option<Vec<u16>> = (0..operand)
                    .map(|offset| {
                        let address = start.checked_add(offset)?;
                        content.get(&(function, address)).copied()
                    })
                    .collect();
                match words {
                    Some(words) => modbus::registers(request, &words),
                    None => modbus::exception(request, modbus::ILLEGAL_ADDRESS),
                }
            }
            _ => modbus::exception(request, modbus::ILLEGAL_FUNCTION),
        }
    }
}

impl Device for Registers {
    fn hear(&mut self, bytes: &[u8], _after_silence: bool) -> Option<Vec<u8>> {
        let request = self.request(bytes)?;
        Some(self.answer(request))
    }

    fn refuse(&mut self, bytes: &[u8], _after_silence: bool, code: u8) -> Option<Vec<u8>> {
        let request = self.request(bytes)?;
        Some(modbus::exception(request, code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Voltage of L1 from meter 1, as field reports print it.
    const REQUEST: [u8; 8] = [0x01, 0x04, 0x00, 0x00, 0x00, 0x02, 0x71, 0xCB];
    const ANSWER: [u8; 9] = [0x01, 0x04, 0x04, 0x43, 0x66, 0x00, 0x00, 0x0E, 0x1F];

    #[test]
    fn a_request_is_heard_right_after_others_talk_and_in_pieces() {
        let mut meter = Registers::sdm630(1);
        assert_eq!(meter.hear(&[0x55; 5], false), None);
        assert_eq!(meter.hear(&REQUEST[..3], false), None);
        assert_eq!(meter.hear(&REQUEST[3..], false), Some(ANSWER.to_vec()));
        let mut other = Registers::sdm630(2);
        assert_eq!(other.hear(&REQUEST, false), None);
    }
}
