//! A meter on the bus: read it.

mod identify;
mod sign;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rs485::{Bus, DeviceAddress};
use tokio::time::{Instant, sleep_until};

use crate::maps::{Model, PAUSE, Read, Signing, signing_of};
use crate::protocol::Protocol;
use crate::reading::{Implausible, Reading};

/// Exception codes of a read that reaches beyond what the meter has or gives.
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// How long an answer may still come after its request failed: no meter answers later.
const QUIET: Duration = Duration::from_secs(2);

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transaction failed.
    #[error(transparent)]
    Bus(#[from] rs485::Error),
    /// A meter answers, but not as any of the models does.
    #[error(
        "the meter's model can't be told (Meter Code {code}, no voltage at L1): \
         set ports[0]/meter/protocol to eastron,sdm230, eastron,sdm630, \
         eastron,sdm72dm-v1 or eastron,sdm72dm-v2"
    )]
    UnknownModel {
        /// What its Meter Code register says.
        code: String,
    },
    /// A device answers that is none of the protocol's meters.
    #[error("device {device} is no meter of ports[0]/meter/protocol {protocol:?}: {finding}")]
    NotThisProtocol {
        /// Its address.
        device: DeviceAddress,
        /// The configured protocol.
        protocol: &'static str,
        /// What was seen.
        finding: String,
    },
    /// No address had a meter when the bus was searched.
    #[error(
        "no meter was found when the bus was searched for it: check the wiring and \
         ports[0]/meter/parity, or set ports[0]/meter/address, then restart meteringd"
    )]
    NotFound,
    /// The answer can't be believed.
    #[error(transparent)]
    Implausible(#[from] Implausible),
}

/// Which meter answers.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its model.
    pub model: &'static Model,
    /// Its name as it tells it, else that of the model.
    pub name: String,
    /// Its serial number, where it tells it.
    pub serial: Option<String>,
    /// Its Modbus address.
    pub address: DeviceAddress,
}

impl Identity {
    /// How it signs what it measures; `None` where it doesn't.
    pub fn signing(&self) -> Option<&'static Signing> {
        signing_of(self.model.protocol, &self.name)
    }
}

/// Tells whether somebody still works.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicBool>);

/// A device at an address that speaks a protocol.
#[derive(Debug)]
pub struct Meter {
    bus: Bus,
    device: DeviceAddress,
    protocol: &'static Protocol,
    progress: Progress,
    last_request: Option<Instant>,
    /// Rest between two requests.
    pause: Duration,
    /// Where the model's table starts: 0 but for SunSpec.
    base: u16,
    /// Where name and serial number start: 0 but for SunSpec.
    identity_base: u16,
    /// The meter refuses reads with gaps: ask for each value alone.
    one_by_one: bool,
    /// A request that is refused; see [`Model::fence`].
    fence: Option<Read>,
    /// The last request failed: its answer may still come.
    is_doubtful: bool,
    /// No request before this: answers to several requests may still come.
    quiet_until: Option<Instant>,
    /// Reads whose own answer may still come, and until when.
    strays: Vec<(Read, Instant)>,
}

impl Progress {
    /// Something was done.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether something was done since this was last asked.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Meter {
    /// Nothing is sent yet.
    pub fn new(bus: Bus, device: DeviceAddress, protocol: &'static Protocol) -> Self {
        Self {
            bus: bus.with_answer_limit(protocol.answer_limit),
            device,
            protocol,
            progress: Progress::default(),
            last_request: None,
            pause: PAUSE,
            base: 0,
            identity_base: 0,
            one_by_one: false,
            fence: None,
            is_doubtful: false,
            quiet_until: None,
            strays: Vec::new(),
        }
    }

    /// The same meter, which notes each request.
    #[must_use]
    pub fn with_progress(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// Its Modbus address.
    pub const fn address(&self) -> DeviceAddress {
        self.device
    }

    /// All values of the meter, as it tells them.
    ///
    /// # Errors
    /// When a request fails twice.
    pub async fn read(&mut self, model: &'static Model) -> Result<Reading, Error> {
        if !self.one_by_one {
            match self.read_blocks(model).await {
                Err((
                    refused,
                    rs485::Error::Refused {
                        code: code @ (ILLEGAL_ADDRESS | ILLEGAL_VALUE),
                        ..
                    },
                )) if model.fence.is_none() => {
                    tracing::warn!(
                        model = model.name,
                        code,
                        "the meter refuses reads of several values: they are read one by one"
                    );
                    self.one_by_one = true;
                    // Single values all look alike; this refusal doesn't.
                    self.fence = Some(refused);
                }
                Err((_, error)) => return Err(error.into()),
                Ok(reading) => return Ok(reading),
            }
        }
        self.read_one_by_one(model).await
    }

    async fn read_blocks(
        &mut self,
        model: &'static Model,
    ) -> Result<Reading, (Read, rs485::Error)> {
        let mut reading = Reading::default();
        for read in model.reads {
            let request = read.from_base(self.base);
            let words = self
                .request_twice(request)
                .await
                .map_err(|error| (request, error))?;
            for register in model.registers {
                if let Some(value) = register.value(read, &words) {
                    reading.set(register.quantity, register.phase, value);
                }
            }
        }
        Ok(reading)
    }

    async fn read_one_by_one(&mut self, model: &'static Model) -> Result<Reading, Error> {
        let mut reading = Reading::default();
        for register in model.registers {
            let alone = register.alone();
            let words = self.request_twice(alone.from_base(self.base)).await?;
            if let Some(value) = register.value(&alone, &words) {
                reading.set(register.quantity, register.phase, value);
            }
        }
        Ok(reading)
    }

    /// Once more after a disturbance: one lost frame is no outage.
    async fn request_twice(&mut self, read: Read) -> Result<Vec<u16>, rs485::Error> {
        match self.request(read).await {
            Ok(words) => Ok(words),
            Err(error @ rs485::Error::Refused { .. }) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "asked once more");
                self.request(read).await
            }
        }
    }

    async fn request(&mut self, read: Read) -> Result<Vec<u16>, rs485::Error> {
        if self.is_doubtful {
            self.pass_fence().await?;
        }
        self.await_strays(read).await;
        self.send(read).await
    }

    /// Make sure that the answer to an earlier request is not taken for the next one,
    /// where it could be.
    ///
    /// The meter answers in turn. So the refusal of the only fence on the way shows that
    /// nothing else is; where the fence is lost as well, only time helps.
    async fn pass_fence(&mut self) -> Result<(), rs485::Error> {
        let Some(fence) = self.fence else {
            return Ok(());
        };
        let result = self.send(fence).await;
        if matches!(result, Err(rs485::Error::Refused { .. })) {
            self.is_doubtful = false;
            self.strays.clear();
            return Ok(());
        }
        self.is_doubtful = true;
        self.quiet_until = Some(Instant::now() + QUIET);
        match result {
            Err(error) => Err(error),
            Ok(_) => {
                if self.one_by_one {
                    // It takes reads of several values after all.
                    self.one_by_one = false;
                    self.fence = None;
                }
                Err(rs485::Error::ForeignAnswer {
                    device: self.device,
                    detail: "it answers a request before".into(),
                })
            }
        }
    }

    /// The rest that the meter wants before the next request.
    async fn rest(&mut self) {
        if let Some(quiet) = self.quiet_until.take() {
            sleep_until(quiet).await;
        }
        if let Some(last) = self.last_request {
            sleep_until(last + self.pause).await;
        }
    }

    async fn send(&mut self, read: Read) -> Result<Vec<u16>, rs485::Error> {
        self.rest().await;
        let Read {
            function,
            start,
            count,
        } = read;
        // What is heard may answer an earlier request; then its own answer is still to come.
        let may_be_earlier = self.strays_like(read).next().is_some();
        let result = self.bus.read(self.device, function, start, count).await;
        self.note(&result);
        if self.is_doubtful || may_be_earlier {
            let now = Instant::now();
            self.strays.retain(|(_, until)| now < *until);
            self.strays.push((read, now + QUIET));
        }
        result
    }

    /// The strays that could pass for the answer to `read`.
    fn strays_like(&self, read: Read) -> impl Iterator<Item = (Read, Instant)> {
        let now = Instant::now();
        let strays = self.strays.iter().copied();
        strays.filter(move |(lost, until)| {
            now < *until && (lost.function, lost.count) == (read.function, read.count)
        })
    }

    /// Wait for as long as the answer to an earlier read could pass for that to `read`.
    ///
    /// A read that failed may be repeated at once, for either answer says the same; but
    /// then the second one may be under way as well, when other registers are asked for.
    async fn await_strays(&mut self, read: Read) {
        let others = self
            .strays_like(read)
            .filter(|(lost, _)| lost.start != read.start);
        if let Some(last) = others.map(|(_, until)| until).max() {
            sleep_until(last).await;
        }
    }

    fn note<A>(&mut self, result: &Result<A, rs485::Error>) {
        self.progress.note();
        self.last_request = Some(Instant::now());
        self.is_doubtful = match result {
            Ok(_) => false,
            // It may be that of a fence.
            Err(rs485::Error::Refused { .. }) => self.fence.is_some(),
            Err(error) => error.leaves_the_line_doubtful(),
        };
    }
}
