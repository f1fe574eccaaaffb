//! A snapshot of the BSM-WS36A: clock and texts are written, the snapshot is ordered, and
//! then read as text. One that was made since the transaction began is taken as it is.

use std::time::Instant;

use super::record::{self, Labels};
use super::{
    Action, LOOK_INTERVAL, MOST_FAILURES, Order, RETRY_PAUSE, Refused, SIGNING_LIMIT, Step, piece,
};
use crate::maps::{Field, Snapshot, SnapshotMap};

const VALID: u16 = 0;
const UPDATING: u16 = 2;
/// A clock that is off by less, in s, is left alone: the meter counts how often it is set,
/// and wants that to be rare.
const CLOCK_ERROR_S: u32 = 10;

/// See the module.
#[derive(Debug)]
pub struct SnapshotJob {
    map: &'static SnapshotMap,
    order: Order,
    labels: Labels,
    stage: Stage,
    failures: u32,
    wait: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    /// Is there a snapshot of this transaction?
    Epoch,
    Clock,
    SetClock,
    Contract,
    Evse,
    Software,
    Order,
    /// `ordered`: by us, and not found.
    Making {
        by: Instant,
        ordered: bool,
    },
    Text {
        read: Vec<u16>,
    },
    Finished(Result<String, Refused>),
}

impl SnapshotJob {
    pub(super) fn new(map: &'static SnapshotMap, labels: &Labels, order: Order) -> Self {
        Self {
            map,
            order,
            labels: labels.clone(),
            stage: Stage::Epoch,
            failures: 0,
            wait: None,
        }
    }

    pub(super) fn step(&self, now: Instant) -> Step {
        if let Some(wait) = self.wait.filter(|wait| *wait > now) {
            return Step::Wait(wait);
        }
        let whole = |field: Field| Step::Read {
            start: field.address,
            count: field.words,
        };
        match &self.stage {
            Stage::Epoch => whole(self.snapshot().epoch),
            Stage::Clock => whole(self.map.time),
            Stage::SetClock => {
                let time = self.order.time_at(now);
                Step::Write {
                    start: self.map.time.address,
                    words: vec![(time >> 16) as u16, time as u16, 0],
                }
            }
            Stage::Contract => padded(self.map.contract, "contract-id: ", &self.order.id_tag),
            Stage::Evse => padded(self.map.evse, "evse-id: ", &self.labels.evse),
            Stage::Software => padded(
                self.map.software,
                "csc-sw-version: mode3 ",
                env!("CARGO_PKG_VERSION"),
            ),
            Stage::Order => Step::Write {
                start: self.snapshot().status.address,
                words: vec![UPDATING],
            },
            Stage::Making { .. } => whole(self.snapshot().status),
            Stage::Text { read } => {
                let field = self.snapshot().text;
                piece(field, read.len(), field.words.into(), self.map.longest)
            }
            Stage::Finished(result) => Step::Finished(result.clone()),
        }
    }

    pub(super) fn done(&mut self, now: Instant, words: &[u16]) {
        self.wait = None;
        let stage = std::mem::replace(&mut self.stage, Stage::Epoch);
        self.stage = match stage {
            Stage::Epoch if self.order.includes(i64::from(number(words))) => Stage::Making {
                by: now + SIGNING_LIMIT,
                ordered: false,
            },
            Stage::Epoch => Stage::Clock,
            Stage::Clock => {
                let error = number(words).abs_diff(self.order.time_at(now));
                if error > CLOCK_ERROR_S {
                    Stage::SetClock
                } else {
                    Stage::Contract
                }
            }
            Stage::SetClock => Stage::Contract,
            Stage::Contract => Stage::Evse,
            Stage::Evse => Stage::Software,
            Stage::Software => Stage::Order,
            Stage::Order => Stage::Making {
                by: now + SIGNING_LIMIT,
                ordered: true,
            },
            Stage::Making { by, ordered } => match words.first().copied() {
                Some(VALID) => Stage::Text { read: Vec::new() },
                Some(UPDATING) | None if now < by => {
                    self.wait = Some(now + LOOK_INTERVAL);
                    Stage::Making { by, ordered }
                }
                Some(_) | None if !ordered => Stage::Clock,
                Some(UPDATING) | None => return self.meter_failed(now, Refused::Unfinished),
                Some(status) => return self.meter_failed(now, Refused::Status(status)),
            },
            Stage::Text { mut read } => {
                read.extend(words);
                if read.len() < self.snapshot().text.words.into() && !words.contains(&0) {
                    Stage::Text { read }
                } else {
                    return self.judge(now, &read);
                }
            }
            Stage::Finished(result) => Stage::Finished(result),
        };
    }

    /// Nobody knows what has happened: see whether the snapshot was made.
    pub(super) fn start_again(&mut self, now: Instant) {
        self.wait = Some(now + RETRY_PAUSE);
        self.stage = Stage::Epoch;
    }

    fn snapshot(&self) -> &'static Snapshot {
        match self.order.action {
            Action::Begin => &self.map.begin,
            Action::End => &self.map.end,
        }
    }

    fn judge(&mut self, now: Instant, words: &[u16]) {
        let text = record::text(words, 2 * words.len())
            .map(|text| text.trim_end_matches('\0').to_owned())
            .filter(|text| text.starts_with("OCMF|") && text.ends_with('}'))
            .filter(|text| record::began(text).is_some_and(|began| self.order.includes(began)));
        match text {
            Some(text) => self.stage = Stage::Finished(Ok(text)),
            None => self.meter_failed(now, Refused::Unintelligible),
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

/// A whole field is written, or the rest of an older text would stay.
fn padded(field: Field, name: &str, text: &str) -> Step {
    let longest = 2 * usize::from(field.words);
    let mut words = record::words(&record::label(&format!("{name}{text}"), longest));
    words.resize(field.words.into(), 0);
    Step::Write {
        start: field.address,
        words,
    }
}

/// The first two registers as one number.
fn number(words: &[u16]) -> u32 {
    match words {
        [high, low, ..] => u32::from(*high) << 16 | u32::from(*low),
        _ => 0,
    }
}
