//! The task that keeps reading the meter.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::meter::{Error, Identity, Meter};
use crate::reading::{Judge, Reading};

/// From one reading of a meter that answers to the next.
const READING_INTERVAL: Duration = Duration::from_secs(1);
/// From a failed search to the next: each holds the bus for up to a second and a
/// half, and an RFID reader may share it.
const SEARCH_PAUSE: Duration = Duration::from_secs(2);

/// What the meter said.
#[derive(Debug)]
pub enum Finding {
    /// A meter was found; again after each outage.
    Identified(Identity),
    /// A reading that can be believed.
    Read(Reading),
    /// No reading.
    Failed(Error),
}

/// Reads a meter for ever.
#[derive(Debug)]
pub struct Poller {
    meter: Meter,
    unavailable_after: Duration,
    identity: Option<Identity>,
    /// The meter is to be identified afresh: it may have been exchanged.
    is_lost: bool,
    last_good: Instant,
    judge: Judge,
    has_told_export: bool,
}

impl Poller {
    /// Nothing is sent yet. After `unavailable_after` without a good reading the
    /// meter is identified afresh.
    pub fn new(meter: Meter, unavailable_after: Duration) -> Self {
        Self {
            meter,
            unavailable_after,
            identity: None,
            is_lost: true,
            last_good: Instant::now(),
            judge: Judge::default(),
            has_told_export: false,
        }
    }

    /// Report each finding until nobody listens.
    pub async fn run(mut self, findings: mpsc::Sender<Finding>) {
        while !findings.is_closed() {
            let started = Instant::now();
            let result = match self.identified(&findings).await {
                Ok(identity) => self.read(&identity).await,
                Err(error) => Err(error),
            };
            let finding = match result {
                Ok(reading) => {
                    self.last_good = Instant::now();
                    Finding::Read(reading)
                }
                Err(error) => Finding::Failed(error),
            };
            let is_overdue = self.last_good.elapsed() >= self.unavailable_after;
            self.is_lost |= is_overdue;
            let next = if is_overdue {
                Instant::now() + SEARCH_PAUSE
            } else {
                started + READING_INTERVAL
            };
            // A closed channel ends the loop.
            let _ = findings.send(finding).await;
            sleep_until(next).await;
        }
    }

    async fn identified(&mut self, findings: &mpsc::Sender<Finding>) -> Result<Identity, Error> {
        if let (Some(identity), false) = (&self.identity, self.is_lost) {
            return Ok(identity.clone());
        }
        let identity = self.meter.identify().await?;
        if self
            .identity
            .as_ref()
            .is_some_and(|before| *before != identity)
        {
            self.judge.meter_exchanged();
        } else {
            self.judge.meter_lost();
        }
        self.identity = Some(identity.clone());
        self.is_lost = false;
        let _ = findings.send(Finding::Identified(identity.clone())).await;
        Ok(identity)
    }

    async fn read(&mut self, identity: &Identity) -> Result<Reading, Error> {
        let reading = self.meter.read(identity.model).await?;
        if reading.shows_export() && !self.has_told_export {
            tracing::warn!(
                ?reading,
                "power flows backwards: is the meter installed reversed?"
            );
            self.has_told_export = true;
        }
        Ok(self.judge.judge(reading)?)
    }
}
