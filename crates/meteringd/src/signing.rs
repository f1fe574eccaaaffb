//! Signed metering: what to do to make a meter sign, and what to make of its registers.
//!
//! Pure: a job says its next [`Step`] and is told what came of it; time comes in. After
//! every failure on the bus it begins by looking at the meter again, which remembers more
//! than anybody else: so nothing is ended twice, and no record is lost because its answer
//! was.

mod record;
mod snapshot;
mod transaction;

#[cfg(test)]
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the steps that it wants; every other one fails it"
)]
mod tests;

use std::time::{Duration, Instant};

pub use record::{Labels, public_key};
use snapshot::SnapshotJob;
use transaction::TransactionJob;

use crate::maps::{Field, Signing};

/// How long the meter may take for a signature; a WM3M4C needs about one second, and a
/// BSM's manual allows 15.
const SIGNING_LIMIT: Duration = Duration::from_secs(15);
/// From one look at an unfinished signature to the next: others use the line, too.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// From a failure to the next attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// So many times a meter may fail to sign; then it is told.
const MOST_FAILURES: u32 = 3;
/// A record's time may be this much before the transaction's, in s: clocks count whole
/// seconds.
const CLOCK_TOLERANCE_S: i64 = 2;

/// A record that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which end of the transaction.
    pub action: Action,
    /// Who charges.
    pub id_tag: String,
    /// When the transaction began, Unix time in s.
    pub started: i64,
    /// What time it was at `received`, Unix time in s.
    pub time: i64,
    /// When the order came.
    pub received: Instant,
}

/// Which end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its begin.
    Begin,
    /// Its end.
    End,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read holding registers.
    Read {
        /// First register.
        start: u16,
        /// Number of registers.
        count: u16,
    },
    /// Write holding registers, all with one request (function 16).
    Write {
        /// First register.
        start: u16,
        /// What they shall hold.
        words: Vec<u16>,
    },
    /// Write one holding register (function 6).
    Command {
        /// The register.
        register: u16,
        /// What it shall hold.
        word: u16,
    },
    /// Nothing before then.
    Wait(Instant),
    /// It is over: the record's text, or why there is none.
    Finished(Result<String, Refused>),
}

/// Why there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The meter has no way of signing.
    #[error("the meter doesn't sign")]
    NotASigner,
    /// The meter says why.
    #[error("the meter reports status {0} instead of a signature")]
    Status(u16),
    /// It never gets done.
    #[error("the meter doesn't finish its signature")]
    Unfinished,
    /// It has no such registers.
    #[error("the meter refuses with exception {0}")]
    Exception(u8),
    /// There is nothing to end.
    #[error("the meter has no record of this transaction")]
    NoTransaction,
    /// What it gives can't be a record.
    #[error("what the meter gives is no record")]
    Unintelligible,
}

/// A record under way.
#[derive(Debug)]
pub enum Job {
    /// With a meter that has transactions.
    Transaction(TransactionJob),
    /// With a meter that makes snapshots.
    Snapshot(SnapshotJob),
}

impl Job {
    /// Carry out `order` with a meter that signs like `signing`.
    pub fn new(signing: &'static Signing, labels: &Labels, order: Order) -> Self {
        match signing {
            Signing::Transaction(map) => Self::Transaction(TransactionJob::new(map, labels, order)),
            Signing::Snapshot(map) => Self::Snapshot(SnapshotJob::new(map, labels, order)),
        }
    }

    /// What to do now.
    pub fn step(&self, now: Instant) -> Step {
        match self {
            Self::Transaction(job) => job.step(now),
            Self::Snapshot(job) => job.step(now),
        }
    }

    /// The step was done, and these registers were read, if any.
    pub fn done(&mut self, now: Instant, words: &[u16]) {
        match self {
            Self::Transaction(job) => job.done(now, words),
            Self::Snapshot(job) => job.done(now, words),
        }
    }

    /// The meter refused the step with this exception.
    pub fn refused(&mut self, now: Instant, code: u8) {
        match self {
            Self::Transaction(job) => job.meter_failed(now, Refused::Exception(code)),
            Self::Snapshot(job) => job.meter_failed(now, Refused::Exception(code)),
        }
    }

    /// The step was not done, or nobody knows.
    pub fn failed(&mut self, now: Instant) {
        match self {
            Self::Transaction(job) => job.start_again(now),
            Self::Snapshot(job) => job.start_again(now),
        }
    }
}

impl Order {
    /// What time it is, Unix time in s.
    fn time_at(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.received).as_secs();
        u32::try_from(self.time.saturating_add_unsigned(since)).unwrap_or(0)
    }

    /// Whether a record that began at this Unix time is of this transaction.
    fn includes(&self, began: i64) -> bool {
        began + CLOCK_TOLERANCE_S >= self.started
    }
}

/// The next piece of `field`, of which `have` registers are known and `need` wanted.
fn piece(field: Field, have: usize, need: usize, longest: u16) -> Step {
    let missing = need.saturating_sub(have).min(usize::from(longest));
    Step::Read {
        start: field.address + have as u16,
        count: missing as u16,
    }
}
