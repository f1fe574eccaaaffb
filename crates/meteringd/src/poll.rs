//! The task that keeps reading the meter.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use rs485::Bus;

use crate::desk::{Answer, Desk};
use crate::maps::Model;
use crate::meter::{Error, Identity, Meter, Progress};
use crate::protocol::Detection;
use crate::reading::{Judge, Reading};
use crate::scan::{self, Pace};
use crate::setup::Setup;
use crate::signing::{Job, Labels, Refused, Step};

/// From one reading of a meter that answers to the next.
const READING_INTERVAL: Duration = Duration::from_secs(1);
/// From one attempt to reach a silent meter to the next: its requests without an answer
/// keep the bus busy for more than a second, and an RFID reader may share it.
const SEARCH_PAUSE: Duration = Duration::from_secs(2);
/// From one failed attempt to read the public key to the next: each costs a reading.
const KEY_PAUSE: Duration = Duration::from_secs(10);
/// From one attempt to read a serial number that was not told to the next.
const SERIAL_PAUSE: Duration = Duration::from_secs(5);
/// So often it is asked for again: old firmware is silent about it, and each attempt
/// delays a reading.
const SERIAL_ATTEMPTS: u32 = 3;

/// What the meter said.
#[derive(Debug)]
pub enum Finding {
    /// A meter was found; again after each outage, and when it tells its serial number
    /// late.
    Identified(Identity),
    /// A reading that can be believed.
    Read(Reading),
    /// No reading.
    Failed(Error),
    /// The key of the meter that was found; `None` when it doesn't sign.
    PublicKey(Option<String>),
    /// It answers, but to other questions: it is signing.
    Busy,
    /// A signed record, or why there is none.
    Signed(Answer),
}

/// Find the meter's address where it isn't known, then read it until nobody listens.
pub async fn run(setup: Setup, progress: Progress, findings: mpsc::Sender<Finding>, desk: Desk) {
    let patience = setup.protocol.unavailable_after;
    let mut bus = Bus::new(setup.line);
    let device = match (setup.device, &setup.protocol.detection) {
        (None, Detection::Configured(model)) => {
            scan::find(&mut bus, model, Pace::USUAL, &progress).await
        }
        (device, _) => device,
    };
    let Some(device) = device else {
        return rest_unfound(&progress, &findings).await;
    };
    let meter = Meter::new(bus, device, setup.protocol).with_progress(progress);
    Poller::new(meter, patience)
        .with_labels(setup.labels)
        .run(findings, desk)
        .await;
}

/// The guide wants one search only (guide 7.3.6.2): it keeps the bus busy for a minute.
async fn rest_unfound(progress: &Progress, findings: &mpsc::Sender<Finding>) {
    while findings
        .send(Finding::Failed(Error::NotFound))
        .await
        .is_ok()
    {
        progress.note();
        sleep_until(Instant::now() + SEARCH_PAUSE).await;
    }
}

/// Reads a meter for ever.
#[derive(Debug)]
pub struct Poller {
    meter: Meter,
    unavailable_after: Duration,
    /// The meter that gave the last good reading; `None` after an outage, for it may
    /// have been exchanged.
    identity: Option<Identity>,
    known_serial: Option<String>,
    last_good: Instant,
    judge: Judge,
    has_told_export: bool,
    labels: Labels,
    /// When the public key is to be read; `None` when there is none, or it is known.
    key_due: Option<Instant>,
    /// When the serial number is to be asked for again, and how often still; `None` when
    /// it is known, or given up.
    serial_due: Option<(Instant, u32)>,
}

impl Poller {
    /// Nothing is sent yet. After `unavailable_after` without a good reading the
    /// meter is identified afresh.
    pub fn new(meter: Meter, unavailable_after: Duration) -> Self {
        Self {
            meter,
            unavailable_after,
            identity: None,
            known_serial: None,
            last_good: Instant::now(),
            judge: Judge::default(),
            has_told_export: false,
            labels: Labels::default(),
            key_due: None,
            serial_due: None,
        }
    }

    /// The same, and signed records say this about the station.
    #[must_use]
    pub fn with_labels(self, labels: Labels) -> Self {
        Self { labels, ..self }
    }

    /// Report each finding until nobody listens, and make the records that are ordered.
    pub async fn run(mut self, findings: mpsc::Sender<Finding>, mut desk: Desk) {
        while !findings.is_closed() {
            let started = Instant::now();
            let finding = match self.look(&findings).await {
                Ok(reading) => {
                    self.last_good = Instant::now();
                    Finding::Read(reading)
                }
                Err(error) => Finding::Failed(error),
            };
            let next = if self.last_good.elapsed() >= self.unavailable_after {
                self.identity = None;
                Instant::now() + SEARCH_PAUSE
            } else {
                started + READING_INTERVAL
            };
            let is_read = matches!(finding, Finding::Read(_));
            // A closed channel ends the loop.
            let _ = findings.send(finding).await;
            if is_read {
                self.ask_serial(&findings).await;
            }
            self.sign(&mut desk, &findings).await;
            desk.wait(next).await;
            self.sign(&mut desk, &findings).await;
        }
    }

    /// Make the record that is wanted. No other reading meanwhile: the meter is slow then,
    /// and so would be the record.
    async fn sign(&mut self, desk: &mut Desk, findings: &mpsc::Sender<Finding>) {
        let Some(identity) = &self.identity else {
            return;
        };
        let Some(request) = desk.wanted(std::time::Instant::now()).cloned() else {
            return;
        };
        let Some(signing) = identity.signing() else {
            desk.answered(&request);
            let answer = request.answer(Err(Refused::NotASigner));
            let _ = findings.send(Finding::Signed(answer)).await;
            return;
        };
        let mut job = Job::new(signing, &self.labels, request.order.clone());
        loop {
            let now = std::time::Instant::now();
            if !desk.wants(now, &request) || findings.is_closed() {
                return;
            }
            let step = job.step(now);
            tracing::debug!(?step, "signing");
            let finding = match step {
                Step::Wait(until) => {
                    sleep_until(until.into()).await;
                    continue;
                }
                Step::Finished(result) => {
                    desk.answered(&request);
                    let _ = findings.send(Finding::Signed(request.answer(result))).await;
                    return;
                }
                Step::Read { .. } | Step::Write { .. } | Step::Command { .. } => {
                    self.take_step(&mut job, &step).await
                }
            };
            let _ = findings.send(finding).await;
        }
    }

    async fn take_step(&mut self, job: &mut Job, step: &Step) -> Finding {
        let result = self.meter.carry_out(step).await;
        let now = std::time::Instant::now();
        match result {
            Ok(words) => {
                self.last_good = Instant::now();
                job.done(now, &words);
                Finding::Busy
            }
            Err(rs485::Error::Refused { code, .. }) => {
                self.last_good = Instant::now();
                job.refused(now, code);
                Finding::Busy
            }
            Err(error) => {
                job.failed(now);
                Finding::Failed(error.into())
            }
        }
    }

    async fn look(&mut self, findings: &mpsc::Sender<Finding>) -> Result<Reading, Error> {
        if let Some(identity) = &self.identity {
            let model = identity.model;
            let reading = self.read(model).await?;
            self.read_key(findings).await;
            return Ok(reading);
        }
        let identity = self.meter.identify().await?;
        if is_another(self.known_serial.as_deref(), identity.serial.as_deref()) {
            self.judge.meter_exchanged();
        } else {
            self.judge.meter_lost();
        }
        // A configured model without a serial number has not said a word so far.
        let reading = self.read(identity.model).await?;
        if identity.serial.is_some() {
            self.known_serial.clone_from(&identity.serial);
        }
        let is_silent = identity.serial.is_none() && identity.model.serial.is_some();
        self.serial_due = is_silent.then(|| (Instant::now() + SERIAL_PAUSE, SERIAL_ATTEMPTS));
        self.identity = Some(identity.clone());
        self.key_due = identity.signing().map(|_| Instant::now());
        let _ = findings.send(Finding::Identified(identity)).await;
        if self.key_due.is_none() {
            let _ = findings.send(Finding::PublicKey(None)).await;
        }
        self.read_key(findings).await;
        Ok(reading)
    }

    /// The public key, when it is due; empty while it can't be read.
    async fn read_key(&mut self, findings: &mpsc::Sender<Finding>) {
        let is_due = self.key_due.is_some_and(|due| Instant::now() >= due);
        let signing = self.identity.as_ref().and_then(Identity::signing);
        let Some(signing) = signing.filter(|_| is_due) else {
            return;
        };
        let key = match self.meter.public_key(signing).await {
            Ok(key) => {
                self.key_due = None;
                key
            }
            Err(error) => {
                tracing::warn!("public key: {error}");
                self.key_due = Some(Instant::now() + KEY_PAUSE);
                String::new()
            }
        };
        let _ = findings.send(Finding::PublicKey(Some(key))).await;
    }

    /// The serial number, when it is due: two lost frames are no reason to do without it
    /// until the next outage.
    async fn ask_serial(&mut self, findings: &mpsc::Sender<Finding>) {
        let (Some(identity), Some((due, attempts))) = (&mut self.identity, self.serial_due) else {
            return;
        };
        if Instant::now() < due {
            return;
        }
        let result = self.meter.serial(identity.model).await;
        let is_last = attempts <= 1;
        self.serial_due = match result {
            Err(_) if !is_last => Some((Instant::now() + SERIAL_PAUSE, attempts - 1)),
            Ok(_) | Err(_) => None,
        };
        if let Ok(Some(serial)) = result {
            self.known_serial = Some(serial.clone());
            identity.serial = Some(serial);
            let _ = findings.send(Finding::Identified(identity.clone())).await;
        }
    }

    async fn read(&mut self, model: &'static Model) -> Result<Reading, Error> {
        let reading = self.meter.read(model).await?;
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

/// Only two different numbers tell two meters: a meter that starts up may hide its own.
fn is_another(before: Option<&str>, now: Option<&str>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if before != now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_another_one_only_by_its_number() {
        assert!(is_another(Some("1"), Some("2")));
        assert!(!is_another(Some("1"), Some("1")));
        assert!(!is_another(Some("1"), None));
        assert!(!is_another(None, Some("1")));
    }
}
