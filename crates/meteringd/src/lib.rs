//! Reads the electricity meter over EIA-485 and publishes its values.
//!
//! One task reads ([`poll`]), the main loop judges when ([`watch`]) and publishes.

pub mod desk;
pub mod maps;
pub mod meter;
pub mod poll;
pub mod protocol;
mod publish;
pub mod reading;
mod reference;
pub mod scan;
pub mod setup;
pub mod signing;
mod trouble;
mod watch;

pub use reference::reference_page;

use std::time::Instant;

use chrono::Utc;
use daemon_kit::{Context, DaemonOption, Error, Event, Message};
use rs485::LocalEcho;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use topic_map::{
    METERING_METER_AVAILABLE, METERING_METER_ERROR, METERING_METER_IDENTITY, METERING_METER_VALUES,
    METERING_SIGNED_ANSWER, METERING_SIGNED_PUBLIC_KEY, METERING_SIGNED_REQUEST, MeterError,
    MeterPublicKey, SESSION_STATE, SessionState,
};

use desk::{Answer, Desk, Request};
use meter::{Error as NoReading, Progress};
use poll::Finding;
use reading::Reading;
use setup::Setup;
use watch::Watch;

const NO_LOCAL_ECHO: &str = "no-local-echo";

/// The daemon's own options.
pub const OPTIONS: &[DaemonOption] = &[DaemonOption {
    name: NO_LOCAL_ECHO,
    value: None,
    help: "the EIA-485 adapter does not hear itself, other than the board's",
}];

/// Read and publish until asked to stop.
///
/// # Errors
/// When the configuration can't be used.
pub async fn run(ctx: Context) -> Result<(), Error> {
    let echo = match ctx.arguments.option(NO_LOCAL_ECHO) {
        Some(_) => LocalEcho::Absent,
        None => LocalEcho::Present,
    };
    let customer = ctx.customer()?;
    let configured = &customer.port().meter;
    if !configured.enable {
        tracing::info!("ports[0]/meter/enable is false: there is no meter to read");
        return rest(ctx).await;
    }
    let setup =
        Setup::new(configured, echo).map_err(|error| Error::Configuration(error.to_string()))?;
    let setup = setup.with_labels_of(&customer);
    tracing::info!(
        port = %setup.line.port.display(),
        baud_rate = setup.line.baud_rate.bits_per_second(),
        parity = ?setup.line.parity,
        address = setup.device.map_or(String::from("to be found"), |device| device.to_string()),
        protocol = setup.protocol.key,
        "reading the meter"
    );
    for device in setup.at_odds(&customer) {
        tracing::warn!(
            "ports[0]/{device} has the meter's port, but another baudrate or parity: \
             on one line all have the same"
        );
    }
    Daemon::new(ctx, &setup).run(setup).await;
    Ok(())
}

/// Without a meter there is nothing to do but to be well.
async fn rest(mut ctx: Context) -> Result<(), Error> {
    ctx.supervisor.ready();
    loop {
        tokio::select! {
            () = ctx.shutdown.requested() => return Ok(()),
            () = sleep_until((Instant::now() + ctx.supervisor.heartbeat()).into()) => {
                ctx.supervisor.alive();
            }
        }
    }
}

struct Daemon {
    ctx: Context,
    watch: Watch,
    progress: Progress,
    session_runs: bool,
    is_ready: bool,
    /// What went wrong last since the last good reading; silence where nothing did.
    trouble: MeterError,
    /// The last trouble told, so that it is told once and not every second.
    complaint: Option<String>,
    /// Of the meter that was found.
    public_key: Option<String>,
}

/// Requests for signed records that may wait; they are repeated anyway.
const WAITING_REQUESTS: usize = 4;

impl Daemon {
    fn new(ctx: Context, setup: &Setup) -> Self {
        let patience = setup.protocol.unavailable_after;
        Self {
            ctx,
            watch: Watch::new(Instant::now(), patience, setup.interval),
            progress: Progress::default(),
            session_runs: false,
            is_ready: false,
            trouble: MeterError::CommunicationError,
            complaint: None,
            public_key: None,
        }
    }

    async fn run(mut self, setup: Setup) {
        let (sender, mut findings) = mpsc::channel(1);
        let (requests, wanted) = mpsc::channel(WAITING_REQUESTS);
        let desk = Desk::new(wanted);
        tokio::spawn(poll::run(setup, self.progress.clone(), sender, desk));
        self.ctx.bus.subscribe(&SESSION_STATE);
        self.ctx.bus.subscribe(&METERING_SIGNED_REQUEST);
        let mut heartbeat = tokio::time::interval(self.ctx.supervisor.heartbeat());
        loop {
            let deadline = self.watch.deadline();
            tokio::select! {
                () = self.ctx.shutdown.requested() => break,
                event = self.ctx.bus.recv() => self.hear(&event, &requests),
                Some(finding) = findings.recv() => self.found(finding),
                () = until(deadline) => self.overdue(),
                _ = heartbeat.tick() => self.beat(),
            }
        }
        // Nobody reads the meter any more.
        self.ctx.bus.publish(&METERING_METER_AVAILABLE, &false);
    }

    /// The task that reads is the one whose health matters; a slow meter may take ten
    /// seconds for one request.
    fn beat(&self) {
        if self.progress.take() {
            self.ctx.supervisor.alive();
        }
    }

    fn hear(&mut self, event: &Event, requests: &mpsc::Sender<Request>) {
        match event {
            Event::Connected | Event::Disconnected => {}
            Event::Message(message) => {
                self.hear_session(message);
                if let Some(request) = publish::request(message, Instant::now())
                    && requests.try_send(request).is_err()
                {
                    tracing::debug!("too many requests for signed records");
                }
            }
        }
    }

    fn hear_session(&mut self, message: &Message) {
        match message.on(&SESSION_STATE) {
            Some(Ok(state)) => {
                self.session_runs = is_session(state);
                self.watch.session(Instant::now(), self.session_runs);
            }
            Some(Err(error)) => tracing::warn!(topic = message.topic, %error, "ignored"),
            None => {}
        }
    }

    fn found(&mut self, finding: Finding) {
        match finding {
            Finding::Identified(identity) => {
                tracing::info!(
                    name = identity.name,
                    model = identity.model.name,
                    address = identity.address.number(),
                    serial = identity.serial.as_deref().unwrap_or("unknown"),
                    "meter found"
                );
                let identity = publish::identity(identity);
                self.ctx.bus.publish(&METERING_METER_IDENTITY, &identity);
            }
            Finding::Read(reading) => self.read(reading),
            Finding::Failed(error) => self.failed(&error),
            Finding::PublicKey(key) => {
                self.public_key = key.clone();
                let key = key.map(|public_key| MeterPublicKey { public_key });
                self.ctx.bus.publish(&METERING_SIGNED_PUBLIC_KEY, &key);
            }
            Finding::Busy => self.watch.busy(Instant::now()),
            Finding::Signed(answer) => self.signed(answer),
        }
    }

    fn signed(&mut self, answer: Answer) {
        match &answer.result {
            Ok(_) => tracing::info!(reference = answer.reference, "signed by the meter"),
            Err(error) => tracing::error!(reference = answer.reference, "no record: {error}"),
        }
        let key = self.public_key.clone().unwrap_or_default();
        let answer = publish::answer(answer, key);
        self.ctx.bus.publish(&METERING_SIGNED_ANSWER, &answer);
    }

    fn read(&mut self, reading: Reading) {
        self.complaint = None;
        self.trouble = MeterError::CommunicationError;
        let verdict = self.watch.good(Instant::now(), &reading);
        if verdict.publish
            && let Some(values) = publish::values(reading, Utc::now())
        {
            self.ctx.bus.publish(&METERING_METER_VALUES, &values);
        }
        if verdict.became_available {
            tracing::info!("the meter answers");
            self.ctx.bus.publish(&METERING_METER_ERROR, &None);
            self.publish_available(true);
        }
    }

    fn overdue(&mut self) {
        if self.watch.overdue(Instant::now()) {
            tracing::error!("no good reading of the meter: it counts as unavailable");
            self.ctx
                .bus
                .publish(&METERING_METER_ERROR, &Some(self.trouble));
            self.publish_available(false);
        }
    }

    fn publish_available(&mut self, available: bool) {
        self.ctx.bus.publish(&METERING_METER_AVAILABLE, &available);
        if !self.is_ready {
            self.is_ready = true;
            self.ctx.supervisor.ready();
        }
    }

    fn failed(&mut self, error: &NoReading) {
        let trouble = trouble::class(error, self.session_runs);
        if self.trouble != trouble && self.watch.is_unavailable() {
            self.ctx.bus.publish(&METERING_METER_ERROR, &Some(trouble));
        }
        self.trouble = trouble;
        self.complain(error.to_string());
    }

    fn complain(&mut self, trouble: String) {
        if self.complaint.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.complaint = Some(trouble);
        }
    }
}

/// Whether a vehicle may draw energy now or soon.
const fn is_session(state: SessionState) -> bool {
    match state {
        SessionState::Idle | SessionState::Inoperative => false,
        SessionState::Authorized
        | SessionState::Connected
        | SessionState::SuspendedEv
        | SessionState::SuspendedEvse
        | SessionState::Charging
        | SessionState::Faulted => true,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
