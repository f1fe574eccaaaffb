//! A transaction of the WM3M4C.
//!
//! ```text
//!   look at the measurement ──▶ clock, dataset ──▶ command ──▶ measurement changed
//!      │        ▲ failure,                                          │
//!      │        │ old one ended                                     ▼
//!      └────────┴───────── read record and signature ◀────────── signed
//! ```
//!
//! A measurement that runs at a begin, and is not this transaction's, is ended first; one
//! that the begin itself has begun never is. After a failure of the supply the meter has
//! lost clock and dataset, and wants both before it ends a measurement.

use std::time::Instant;

use super::record::{self, Labels};
use super::{
    Action, LOOK_INTERVAL, MOST_FAILURES, Order, RETRY_PAUSE, Refused, SIGNING_LIMIT, Step, piece,
};
use crate::maps::TransactionMap;

const IDLE: u16 = 0;
const ACTIVE: u16 = 1;

const IN_PROGRESS: u16 = 2;
const SIGNED: u16 = 15;
const FIRST_ERROR: u16 = 128;

const SYNCHRONISED: u16 = 2;
const PLAIN_FORMAT: u16 = 0;
const BEGIN: u16 = 0x4200;
const END_WITH_BEGIN: u16 = 0x7200;

/// See the module.
#[derive(Debug)]
pub struct TransactionJob {
    map: &'static TransactionMap,
    order: Order,
    dataset: String,
    stage: Stage,
    plan: Plan,
    /// The meter measured nothing when this begin was looked at: what it measures
    /// afterwards was begun by it.
    was_idle: bool,
    failures: u32,
    wait: Option<Instant>,
    output: Vec<u16>,
    /// In bytes.
    output_length: usize,
    signature_length: usize,
}

/// What the job is about right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// See whether the record is there already.
    Find,
    /// End a measurement that nobody has ended.
    EndOld,
    Begin,
    End,
}

#[derive(Debug)]
enum Stage {
    Measurement,
    Time,
    UtcOffset,
    Synchronise,
    Format,
    Dataset {
        written: usize,
    },
    ReadBack {
        read: Vec<u16>,
    },
    DatasetLength,
    Command,
    /// The measurement is about to change.
    Changing {
        by: Instant,
    },
    /// It hasn't yet: has the command been refused?
    Refusal {
        by: Instant,
    },
    Signing {
        by: Instant,
    },
    Lengths,
    Output,
    Signature {
        read: Vec<u16>,
    },
    Finished(Result<String, Refused>),
}

impl TransactionJob {
    pub(super) fn new(map: &'static TransactionMap, labels: &Labels, order: Order) -> Self {
        Self {
            map,
            dataset: record::dataset(labels, &order.id_tag),
            order,
            stage: Stage::Measurement,
            plan: Plan::Find,
            was_idle: false,
            failures: 0,
            wait: None,
            output: Vec::new(),
            output_length: 0,
            signature_length: 0,
        }
    }

    pub(super) fn step(&self, now: Instant) -> Step {
        if let Some(wait) = self.wait.filter(|wait| *wait > now) {
            return Step::Wait(wait);
        }
        let map = self.map;
        let command = |field: crate::maps::Field, word| Step::Command {
            register: field.address,
            word,
        };
        let whole = |field: crate::maps::Field| Step::Read {
            start: field.address,
            count: field.words,
        };
        match &self.stage {
            Stage::Measurement | Stage::Changing { .. } => whole(map.measurement),
            Stage::Time => {
                let time = self.order.time_at(now);
                Step::Write {
                    start: map.time.address,
                    words: vec![(time >> 16) as u16, time as u16],
                }
            }
            // The record's times are UTC.
            Stage::UtcOffset => command(map.utc_offset, 0),
            Stage::Synchronise => command(map.synchronised, SYNCHRONISED),
            Stage::Format => command(map.format, PLAIN_FORMAT),
            Stage::Dataset { written } => {
                let words = record::words(&self.dataset);
                let end = words.len().min(written + usize::from(map.longest));
                Step::Write {
                    start: map.dataset.address + *written as u16,
                    words: words.get(*written..end).unwrap_or_default().to_vec(),
                }
            }
            Stage::ReadBack { read } => {
                let need = self.dataset.len().div_ceil(2);
                piece(map.dataset, read.len(), need, map.longest)
            }
            Stage::DatasetLength => command(map.dataset_length, self.dataset.len() as u16),
            Stage::Command => command(
                map.command,
                match self.plan {
                    Plan::Begin => BEGIN,
                    Plan::Find | Plan::EndOld | Plan::End => END_WITH_BEGIN,
                },
            ),
            Stage::Refusal { .. } | Stage::Signing { .. } => whole(map.command_status),
            Stage::Lengths => whole(map.lengths),
            Stage::Output => {
                let need = self.output_length.div_ceil(2);
                piece(map.output, self.output.len(), need, map.longest)
            }
            Stage::Signature { read } => {
                let need = self.signature_length.div_ceil(2);
                piece(map.signature, read.len(), need, map.longest)
            }
            Stage::Finished(result) => Step::Finished(result.clone()),
        }
    }

    pub(super) fn done(&mut self, now: Instant, words: &[u16]) {
        self.wait = None;
        let first = words.first().copied();
        let stage = std::mem::replace(&mut self.stage, Stage::Measurement);
        self.stage = match stage {
            Stage::Measurement => return self.measured(now, first),
            Stage::Time => Stage::UtcOffset,
            Stage::UtcOffset => Stage::Synchronise,
            Stage::Synchronise => Stage::Format,
            Stage::Format => Stage::Dataset { written: 0 },
            Stage::Dataset { written } => {
                let written = written + usize::from(self.map.longest);
                if written < self.dataset.len().div_ceil(2) {
                    Stage::Dataset { written }
                } else {
                    Stage::ReadBack { read: Vec::new() }
                }
            }
            Stage::ReadBack { mut read } => {
                read.extend(words);
                let wanted = record::words(&self.dataset);
                if read.len() < wanted.len() {
                    Stage::ReadBack { read }
                } else if read == wanted {
                    Stage::DatasetLength
                } else {
                    return self.meter_failed(now, Refused::Unintelligible);
                }
            }
            Stage::DatasetLength => Stage::Command,
            Stage::Command => Stage::Changing {
                by: now + SIGNING_LIMIT,
            },
            Stage::Changing { by } => {
                let wanted = match self.plan {
                    Plan::Begin => ACTIVE,
                    Plan::Find | Plan::EndOld | Plan::End => IDLE,
                };
                if first == Some(wanted) {
                    Stage::Signing { by }
                } else {
                    Stage::Refusal { by }
                }
            }
            Stage::Refusal { by } => match first {
                Some(status @ FIRST_ERROR..) => {
                    return self.meter_failed(now, Refused::Status(status));
                }
                Some(_) | None if now >= by => {
                    return self.meter_failed(now, Refused::Unfinished);
                }
                Some(_) | None => {
                    self.wait = Some(now + LOOK_INTERVAL);
                    Stage::Changing { by }
                }
            },
            Stage::Signing { by } => return self.signed(now, by, first),
            Stage::Lengths => return self.lengths_known(now, words),
            Stage::Output => {
                self.output.extend(words);
                if self.output.len() < self.output_length.div_ceil(2) {
                    Stage::Output
                } else {
                    Stage::Signature { read: Vec::new() }
                }
            }
            Stage::Signature { mut read } => {
                read.extend(words);
                if read.len() < self.signature_length.div_ceil(2) {
                    Stage::Signature { read }
                } else {
                    return self.judge(now, &read);
                }
            }
            Stage::Finished(result) => Stage::Finished(result),
        };
    }

    /// Nobody knows what has happened: ask the meter.
    pub(super) fn start_again(&mut self, now: Instant) {
        self.wait = Some(now + RETRY_PAUSE);
        self.plan = Plan::Find;
        self.stage = Stage::Measurement;
    }

    fn measured(&mut self, now: Instant, measurement: Option<u16>) {
        let find = Stage::Signing {
            by: now + SIGNING_LIMIT,
        };
        self.was_idle |= measurement == Some(IDLE);
        (self.plan, self.stage) = match (self.order.action, measurement) {
            (Action::Begin, Some(IDLE)) => (Plan::Begin, Stage::Time),
            // Not to be ended, whatever its record looks like.
            (Action::Begin, Some(ACTIVE)) if self.was_idle => (Plan::Begin, find),
            (Action::Begin, Some(ACTIVE)) | (Action::End, Some(IDLE)) => (Plan::Find, find),
            (Action::End, Some(ACTIVE)) => (Plan::End, Stage::Command),
            // After a failure of its supply, or a reset.
            (Action::Begin, _) => (Plan::EndOld, Stage::Time),
            (Action::End, _) => (Plan::End, Stage::Time),
        };
    }

    fn signed(&mut self, now: Instant, by: Instant, status: Option<u16>) {
        match status {
            Some(SIGNED) => self.stage = Stage::Lengths,
            Some(status @ FIRST_ERROR..) if self.plan != Plan::Find => {
                self.meter_failed(now, Refused::Status(status));
            }
            Some(IN_PROGRESS) if now < by => self.look_again(now, by),
            _ if self.plan == Plan::Find => self.not_found(),
            _ if now < by => self.look_again(now, by),
            _ => self.meter_failed(now, Refused::Unfinished),
        }
    }

    fn look_again(&mut self, now: Instant, by: Instant) {
        self.wait = Some(now + LOOK_INTERVAL);
        self.stage = Stage::Signing { by };
    }

    /// There is no record of this transaction yet.
    fn not_found(&mut self) {
        self.stage = match self.order.action {
            Action::Begin => {
                self.plan = Plan::EndOld;
                Stage::Command
            }
            Action::End => Stage::Finished(Err(Refused::NoTransaction)),
        };
    }

    fn lengths_known(&mut self, now: Instant, words: &[u16]) {
        let &[_, output, signature] = words else {
            return self.meter_failed(now, Refused::Unintelligible);
        };
        self.output.clear();
        self.output_length = usize::from(output);
        self.signature_length = usize::from(signature);
        let fits = |length: usize, words: u16| (1..=2 * usize::from(words)).contains(&length);
        let usable = fits(self.output_length, self.map.output.words)
            && fits(self.signature_length, self.map.signature.words);
        match (usable, self.plan) {
            (true, _) => self.stage = Stage::Output,
            (false, Plan::Find) => self.not_found(),
            (false, Plan::EndOld) => self.stage = Stage::Measurement,
            (false, Plan::Begin | Plan::End) => self.meter_failed(now, Refused::Unintelligible),
        }
    }

    /// Record and signature are read: whose are they?
    fn judge(&mut self, now: Instant, signature: &[u16]) {
        let Some(message) = record::text(&self.output, self.output_length)
            .filter(|text| text.starts_with('{') && text.ends_with('}') && !text.contains('|'))
        else {
            return self.meter_failed(now, Refused::Unintelligible);
        };
        let ours = record::began(&message).is_some_and(|began| self.order.includes(began));
        let complete = self.order.action == Action::Begin || record::has_ended(&message);
        let mut signature = record::bytes(signature);
        signature.truncate(self.signature_length);
        let text = record::ocmf(&message, &signature);
        match self.plan {
            Plan::EndOld => {
                tracing::warn!(record = text, "a measurement that nobody had ended");
                self.stage = Stage::Measurement;
            }
            Plan::Find if !(ours && complete) => self.not_found(),
            Plan::End | Plan::Begin if !ours => {
                tracing::warn!(record = text, "the record of another transaction");
                // Or ours, misread: a second look harms nothing.
                self.meter_failed(now, Refused::NoTransaction);
            }
            Plan::Find | Plan::Begin | Plan::End => self.stage = Stage::Finished(Ok(text)),
        }
    }

    pub(super) fn meter_failed(&mut self, now: Instant, why: Refused) {
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            self.stage = Stage::Finished(Err(why));
        } else {
            tracing::warn!("{why}");
            self.start_again(now);
        }
    }
}
