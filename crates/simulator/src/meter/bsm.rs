//! The BSM-WS36A's signed snapshots, after the register tables and examples that its
//! seller has published. The OCMF text is signed; the snapshot's own signature is not
//! simulated.

use std::ops::Range;
use std::time::Instant;

use super::modbus::{ILLEGAL_ADDRESS, ILLEGAL_VALUE};
use super::signing::{Clock, Key, SIGNING_TIME, Signing, bytes, words};
use crate::readings::Readings;

const EPOCH: u16 = 40260;
const TIME: Range<u16> = 40260..40263;
const META: Range<u16> = 40279..40449;
const META1_WORDS: usize = 70;
const KEY: Range<u16> = 40449..40501;
const SNAPSHOT_LENGTH: u16 = 252;
const TEXT_LENGTH: u16 = 498;
const TEXT_WORDS: usize = 496;

const STATUS_VALID: u16 = 0;
const STATUS_INVALID: u16 = 1;
const STATUS_UPDATING: u16 = 2;
const STATUS_FAILED: u16 = 3;

/// What stands before the X and Y of a public key on secp256r1.
const KEY_HEAD: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A,
    0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const SERIAL: &str = "001BZR1521070006";
const MODEL: &str = "BSM-WS36A-H01-1311-0000";

pub(super) struct Bsm {
    key: Key,
    clock: Option<Clock>,
    meta: Vec<u16>,
    /// Start and end.
    snapshots: [Snapshot; 2],
    /// The register at the start.
    reference_wh: f64,
    counter: u32,
}

struct Snapshot {
    /// Where model 64901 stands.
    at: u16,
    /// Where model 64903 stands.
    text_at: u16,
    kind: u16,
    reading: char,
    status: u16,
    pending: Option<Instant>,
    energy_wh: u32,
    epoch: u32,
    offset: i16,
    text: Vec<u16>,
}

impl Snapshot {
    fn new(at: u16, text_at: u16, kind: u16, reading: char) -> Self {
        Self {
            at,
            text_at,
            kind,
            reading,
            status: STATUS_INVALID,
            pending: None,
            energy_wh: 0,
            epoch: 0,
            offset: 0,
            text: Vec::new(),
        }
    }

    fn read(&self, address: u16) -> Option<u16> {
        if (self.at..self.at + 2 + SNAPSHOT_LENGTH).contains(&address) {
            return Some(match address - self.at {
                0 => 64901,
                1 => SNAPSHOT_LENGTH,
                2 => self.kind,
                3 => self.status,
                6 => (self.energy_wh >> 16) as u16,
                7 => self.energy_wh as u16,
                23 => (self.epoch >> 16) as u16,
                24 => self.epoch as u16,
                25 => self.offset as u16,
                _ => 0,
            });
        }
        if (self.text_at..self.text_at + 2 + TEXT_LENGTH).contains(&address) {
            return Some(match address - self.text_at {
                0 => 64903,
                1 => TEXT_LENGTH,
                2 => self.kind,
                3 => self.status,
                place => self.text.get(usize::from(place) - 4).copied().unwrap_or(0),
            });
        }
        None
    }
}

impl Bsm {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            clock: None,
            meta: vec![0; META.len()],
            snapshots: [
                Snapshot::new(41283, 43291, 3, 'B'),
                Snapshot::new(41537, 43791, 4, 'E'),
            ],
            reference_wh: 0.0,
            counter: 22_977,
        }
    }

    fn text(&self, now: Instant, snapshot: &Snapshot, line: &Readings) -> Vec<u16> {
        let identification = bytes(&self.meta[..META1_WORDS]);
        let identification: String = String::from_utf8_lossy(&identification)
            .trim_end_matches('\0')
            .to_owned();
        let time = self.clock.map(|clock| clock.ocmf(now)).unwrap_or_default();
        let message = format!(
            "{{\"FV\":\"1.0\",\"GI\":\"BAUER Electronic {MODEL}\",\"GS\":\"{SERIAL}\",\"GV\":\"1.9:32CA:AFF4, 6d1dd3c\",\
             \"PG\":\"T{}\",\"MV\":\"BAUER Electronic\",\"MM\":\"{MODEL}\",\"MS\":\"{SERIAL}\",\"IS\":true,\
             \"IT\":\"UNDEFINED\",\"ID\":\"{identification}\",\"RD\":[{{\"TM\":\"{time}\",\"TX\":\"{}\",\"RV\":{:.0},\
             \"RI\":\"1-0:1.8.0*198\",\"RU\":\"Wh\",\"XV\":{:.0},\"XI\":\"1-0:1.8.0*255\",\"XU\":\"Wh\",\"XT\":{},\
             \"RT\":\"AC\",\"EF\":\"\",\"ST\":\"G\"}}]}}",
            self.counter,
            snapshot.reading,
            line.energy_wh - self.reference_wh,
            line.energy_wh,
            snapshot.kind,
        );
        let signature: String = self
            .key
            .sign(&message)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let text =
            format!("OCMF|{message}|{{\"SA\":\"ECDSA-secp256r1-SHA256\",\"SD\":\"{signature}\"}}");
        let mut text = words(text.as_bytes());
        text.resize(TEXT_WORDS, 0);
        text
    }

    fn key_words(&self) -> Vec<u16> {
        let key = [&KEY_HEAD[..], self.key.point()].concat();
        let mut content = vec![48, key.len() as u16];
        content.extend(words(&key));
        content.resize(KEY.len(), 0);
        content
    }
}

impl Signing for Bsm {
    fn advance(&mut self, now: Instant, line: &Readings, fault: Option<u16>) {
        for place in 0..self.snapshots.len() {
            if self.snapshots[place].pending.is_none_or(|due| now < due) {
                continue;
            }
            match fault {
                Some(STATUS_UPDATING) => continue,
                Some(_) => self.snapshots[place].status = STATUS_FAILED,
                None => {
                    self.counter += 1;
                    if self.snapshots[place].reading == 'B' {
                        self.reference_wh = line.energy_wh;
                    }
                    let text = self.text(now, &self.snapshots[place], line);
                    let clock = self.clock;
                    let snapshot = &mut self.snapshots[place];
                    snapshot.energy_wh = line.energy_wh as u32;
                    snapshot.epoch = clock.map_or(0, |clock| clock.seconds(now));
                    snapshot.offset = clock.map_or(0, |clock| clock.offset);
                    snapshot.text = text;
                    snapshot.status = STATUS_VALID;
                }
            }
            self.snapshots[place].pending = None;
        }
    }

    fn read(&self, address: u16) -> Option<u16> {
        if TIME.contains(&address) {
            let now = Instant::now();
            let epoch = self.clock.map_or(0, |clock| clock.seconds(now));
            let offset = self.clock.map_or(0, |clock| clock.offset);
            return Some(match address - EPOCH {
                0 => (epoch >> 16) as u16,
                1 => epoch as u16,
                _ => offset as u16,
            });
        }
        if META.contains(&address) {
            return Some(self.meta[usize::from(address - META.start)]);
        }
        if KEY.contains(&address) {
            let place = usize::from(address - KEY.start);
            return self.key_words().get(place).copied();
        }
        self.snapshots
            .iter()
            .find_map(|snapshot| snapshot.read(address))
    }

    fn write(&mut self, now: Instant, start: u16, words: &[u16]) -> Option<Result<(), u8>> {
        let end = start.checked_add(words.len() as u16)?;
        if META.contains(&start) && end <= META.end {
            let first = usize::from(start - META.start);
            self.meta[first..first + words.len()].copy_from_slice(words);
            return Some(Ok(()));
        }
        if TIME.contains(&start) {
            // Epoch and offset belong together.
            let &[high, low, offset] = words else {
                return Some(Err(ILLEGAL_VALUE));
            };
            self.clock = Some(Clock {
                epoch: u32::from(high) << 16 | u32::from(low),
                offset: offset as i16,
                set_at: now,
            });
            return Some(Ok(()));
        }
        let snapshot = self
            .snapshots
            .iter_mut()
            .find(|snapshot| snapshot.at + 3 == start)?;
        if words != [STATUS_UPDATING] {
            return Some(Err(ILLEGAL_ADDRESS));
        }
        snapshot.status = STATUS_UPDATING;
        snapshot.pending = Some(now + SIGNING_TIME);
        Some(Ok(()))
    }

    fn knows(&self, function: u8) -> bool {
        matches!(function, 3 | 16)
    }

    fn power_cycled(&mut self) {
        // It keeps its snapshots, but not the time (published example: EpochSetCnt).
        self.clock = None;
        for snapshot in &mut self.snapshots {
            if snapshot.pending.take().is_some() {
                snapshot.status = STATUS_FAILED;
            }
        }
    }
}
