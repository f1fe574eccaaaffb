//! The Iskra WM3M4C's signed transactions, after the maker's manual: a measurement is
//! begun and ended by a command, and what was measured is signed as OCMF.

use std::ops::Range;
use std::time::Instant;

use super::modbus::{ILLEGAL_ADDRESS, ILLEGAL_VALUE};
use super::signing::{Clock, Key, SIGNING_TIME, Signing, bytes, words};
use crate::readings::Readings;

const MEASUREMENT_STATUS: u16 = 7000;
const COMMAND: u16 = 7051;
const COMMAND_STATUS: u16 = 7052;
const UTC_OFFSET: u16 = 7053;
const TIME_HIGH: u16 = 7054;
const TIME_LOW: u16 = 7055;
const DATASET_LENGTH: u16 = 7056;
const OUTPUT_LENGTH: u16 = 7057;
const SIGNATURE_LENGTH: u16 = 7058;
const TIME_SYNC: u16 = 7071;
const SETTINGS: Range<u16> = 7051..7072;
const DATASET: Range<u16> = 7100..7612;
const OUTPUT: Range<u16> = 7612..8124;
const PUBLIC_KEY: Range<u16> = 8124..8156;
const SIGNATURE: Range<u16> = 8188..8316;

const IDLE: u16 = 0;
const ACTIVE: u16 = 1;
const ACTIVE_AFTER_POWER_FAILURE: u16 = 2;

const STATUS_IDLE: u16 = 1;
const IN_PROGRESS: u16 = 2;
const SIGNED: u16 = 15;
const INVALID_TIME: u16 = 128;
const INVALID_COMMAND: u16 = 130;
const INVALID_STATE: u16 = 131;
const INVALID_MESSAGE: u16 = 252;

const SYNCHRONISED: u16 = 2;
const SERIAL: &str = "12345678";

pub(super) struct Wm3m4c {
    key: Key,
    measurement: u16,
    command_status: u16,
    settings: [u16; 21],
    clock: Option<Clock>,
    dataset: Vec<u16>,
    /// What a command leads to, and when.
    pending: Option<(Instant, Command)>,
    /// The reading at the begin, kept through power failures.
    begin: Option<String>,
    page: u32,
    output: Vec<u16>,
    signature: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Begin,
    /// With the reading of the begin in the same record.
    EndWithBegin,
}

impl Wm3m4c {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            measurement: IDLE,
            command_status: STATUS_IDLE,
            settings: [0; 21],
            clock: None,
            dataset: vec![0; DATASET.len()],
            pending: None,
            begin: None,
            page: 240,
            output: Vec::new(),
            signature: Vec::new(),
        }
    }

    fn setting(&self, address: u16) -> u16 {
        self.settings[usize::from(address - SETTINGS.start)]
    }

    fn set(&mut self, now: Instant, address: u16, word: u16) -> Result<(), u8> {
        match address {
            COMMAND => self.command(now, word),
            COMMAND_STATUS | OUTPUT_LENGTH | SIGNATURE_LENGTH => return Err(ILLEGAL_ADDRESS),
            _ => {
                self.settings[usize::from(address - SETTINGS.start)] = word;
                if address == TIME_SYNC && word == SYNCHRONISED {
                    self.set_clock(now);
                }
            }
        }
        Ok(())
    }

    fn set_clock(&mut self, now: Instant) {
        let [high, low] = [TIME_HIGH, TIME_LOW].map(|at| u32::from(self.setting(at)));
        self.clock = Some(Clock {
            epoch: high << 16 | low,
            offset: self.setting(UTC_OFFSET) as i16,
            set_at: now,
        });
    }

    fn command(&mut self, now: Instant, word: u16) {
        self.command_status = match (word, self.measurement) {
            (0x4200, IDLE) => self.accept(now, Command::Begin),
            (0x7200, ACTIVE | ACTIVE_AFTER_POWER_FAILURE) => {
                self.accept(now, Command::EndWithBegin)
            }
            (0x4200 | 0x7200, _) => INVALID_STATE,
            _ => INVALID_COMMAND,
        };
    }

    fn accept(&mut self, now: Instant, command: Command) -> u16 {
        if self.clock.is_none() {
            return INVALID_TIME;
        }
        if self.message("").is_none() {
            return INVALID_MESSAGE;
        }
        self.pending = Some((now + SIGNING_TIME, command));
        IN_PROGRESS
    }

    /// The record with `readings`: the meter fills in the empty fields of the dataset.
    fn message(&self, readings: &str) -> Option<String> {
        let mut text = bytes(&self.dataset);
        text.truncate(usize::from(self.setting(DATASET_LENGTH)));
        let text = String::from_utf8(text).ok()?;
        let is_in_order = text.starts_with("{\"FV\":\"1.0\",\"GI\":\"")
            && text.ends_with("\",\"RD\":[]}")
            && text
                .contains("\",\"PG\":\"\",\"MV\":\"\",\"MM\":\"\",\"MS\":\"\",\"MF\":\"\",\"IS\":")
            && !text.contains('|');
        is_in_order.then(|| {
            let own = format!(
                "\"PG\":\"T{}\",\"MV\":\"Iskra\",\"MM\":\"WM3M4C\",\"MS\":\"{SERIAL}\",\"MF\":\"2.05\"",
                self.page
            );
            text.replace("\"PG\":\"\",\"MV\":\"\",\"MM\":\"\",\"MS\":\"\",\"MF\":\"\"", &own)
                .replace("\"RD\":[]", &format!("\"RD\":[{readings}]"))
        })
    }

    fn reading(&self, now: Instant, kind: char, line: &Readings) -> String {
        let time = self.clock.map(|clock| clock.ocmf(now)).unwrap_or_default();
        format!(
            "{{\"TM\":\"{time}\",\"TX\":\"{kind}\",\"RV\":{:.2},\"RI\":\"1-b:1.8.0\",\"RU\":\"kWh\",\"RT\":\"AC\",\"EF\":\"\",\"ST\":\"G\"}}",
            line.energy_wh / 1000.0
        )
    }

    fn finish(&mut self, now: Instant, command: Command, line: &Readings) {
        self.page += 1;
        let readings = match command {
            Command::Begin => {
                let begin = self.reading(now, 'B', line);
                self.begin = Some(begin.clone());
                self.measurement = ACTIVE;
                begin
            }
            Command::EndWithBegin => {
                self.measurement = IDLE;
                let begin = self.begin.take().unwrap_or_default();
                format!("{begin},{}", self.reading(now, 'E', line))
            }
        };
        let message = self.message(&readings).unwrap_or_default();
        let signature = self.key.sign(&message);
        self.output = words(message.as_bytes());
        self.signature = words(&signature);
        self.settings[usize::from(OUTPUT_LENGTH - SETTINGS.start)] = message.len() as u16;
        self.settings[usize::from(SIGNATURE_LENGTH - SETTINGS.start)] = signature.len() as u16;
        self.command_status = SIGNED;
    }
}

impl Signing for Wm3m4c {
    fn advance(&mut self, now: Instant, line: &Readings, fault: Option<u16>) {
        let Some((due, command)) = self.pending else {
            return;
        };
        match fault {
            Some(IN_PROGRESS) => {}
            Some(status) => {
                self.command_status = status;
                self.pending = None;
            }
            None if now >= due => {
                self.pending = None;
                self.finish(now, command, line);
            }
            None => {}
        }
    }

    fn read(&self, address: u16) -> Option<u16> {
        let at = |range: &Range<u16>, words: &[u16]| {
            let place = usize::from(address - range.start);
            Some(words.get(place).copied().unwrap_or(0))
        };
        match address {
            MEASUREMENT_STATUS => Some(self.measurement),
            COMMAND_STATUS => Some(self.command_status),
            _ if SETTINGS.contains(&address) => Some(self.setting(address)),
            _ if DATASET.contains(&address) => at(&DATASET, &self.dataset),
            _ if OUTPUT.contains(&address) => at(&OUTPUT, &self.output),
            _ if PUBLIC_KEY.contains(&address) => at(&PUBLIC_KEY, &words(self.key.point())),
            _ if SIGNATURE.contains(&address) => at(&SIGNATURE, &self.signature),
            _ => None,
        }
    }

    fn write(&mut self, now: Instant, start: u16, words: &[u16]) -> Option<Result<(), u8>> {
        let end = start.checked_add(words.len() as u16)?;
        if words.len() > 120 {
            return Some(Err(ILLEGAL_VALUE));
        }
        if DATASET.contains(&start) && end <= DATASET.end {
            let first = usize::from(start - DATASET.start);
            self.dataset[first..first + words.len()].copy_from_slice(words);
            return Some(Ok(()));
        }
        if !SETTINGS.contains(&start) || end > SETTINGS.end {
            return None;
        }
        Some(
            (start..)
                .zip(words)
                .try_for_each(|(at, word)| self.set(now, at, *word)),
        )
    }

    fn power_cycled(&mut self) {
        if self.measurement == ACTIVE {
            self.measurement = ACTIVE_AFTER_POWER_FAILURE;
        }
        self.command_status = STATUS_IDLE;
        self.settings = [0; 21];
        self.clock = None;
        self.dataset = vec![0; DATASET.len()];
        self.pending = None;
        self.output.clear();
        self.signature.clear();
    }
}
