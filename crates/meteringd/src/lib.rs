//! Reads the electricity meter over EIA-485 and publishes its values.
//!
//! One task reads ([`poll`]), the main loop judges when ([`watch`]) and publishes.

pub mod maps;
pub mod meter;
pub mod poll;
pub mod protocol;
mod publish;
pub mod reading;
mod reference;
pub mod setup;
mod watch;

pub use reference::reference_page;

use std::time::Instant;

use chrono::Utc;
use daemon_kit::{Context, DaemonOption, Error, Event, Message};
use rs485::{Bus, LocalEcho};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use topic_map::{
    METERING_METER_AVAILABLE, METERING_METER_IDENTITY, METERING_METER_VALUES, SESSION_STATE,
    SessionState,
};

use meter::Meter;
use poll::{Finding, Poller};
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
    tracing::info!(
        port = %setup.line.port.display(),
        baud_rate = setup.line.baud_rate.bits_per_second(),
        parity = ?setup.line.parity,
        address = setup.device.number(),
        protocol = setup.protocol.key,
        "reading the meter"
    );
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
    address: u8,
    is_ready: bool,
    /// The last trouble told, so that it is told once and not every second.
    complaint: Option<String>,
}

impl Daemon {
    fn new(ctx: Context, setup: &Setup) -> Self {
        let patience = setup.protocol.unavailable_after;
        Self {
            ctx,
            watch: Watch::new(Instant::now(), patience, setup.interval),
            address: setup.device.number(),
            is_ready: false,
            complaint: None,
        }
    }

    async fn run(mut self, setup: Setup) {
        let patience = setup.protocol.unavailable_after;
        let meter = Meter::new(Bus::new(setup.line), setup.device, setup.protocol);
        let (sender, mut findings) = mpsc::channel(1);
        tokio::spawn(Poller::new(meter, patience).run(sender));
        self.ctx.bus.subscribe(&SESSION_STATE);
        loop {
            let deadline = self.watch.deadline();
            tokio::select! {
                () = self.ctx.shutdown.requested() => break,
                event = self.ctx.bus.recv() => self.hear(&event),
                Some(finding) = findings.recv() => self.found(finding),
                () = until(deadline) => self.overdue(),
            }
        }
        // Nobody reads the meter any more.
        self.ctx.bus.publish(&METERING_METER_AVAILABLE, &false);
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Connected | Event::Disconnected => {}
            Event::Message(message) => self.hear_session(message),
        }
    }

    fn hear_session(&mut self, message: &Message) {
        match message.on(&SESSION_STATE) {
            Some(Ok(state)) => self.watch.session(is_session(state)),
            Some(Err(error)) => tracing::warn!(topic = message.topic, %error, "ignored"),
            None => {}
        }
    }

    fn found(&mut self, finding: Finding) {
        // The findings come from the task whose health matters.
        self.ctx.supervisor.alive();
        match finding {
            Finding::Identified(identity) => {
                tracing::info!(
                    model = identity.model.name,
                    serial = identity.serial.as_deref().unwrap_or("unknown"),
                    "meter found"
                );
                let identity = publish::identity(identity, self.address);
                self.ctx.bus.publish(&METERING_METER_IDENTITY, &identity);
            }
            Finding::Read(reading) => self.read(reading),
            Finding::Failed(error) => self.complain(error.to_string()),
        }
    }

    fn read(&mut self, reading: Reading) {
        self.complaint = None;
        let verdict = self.watch.good(Instant::now(), &reading);
        if verdict.publish
            && let Some(values) = publish::values(reading, Utc::now())
        {
            self.ctx.bus.publish(&METERING_METER_VALUES, &values);
        }
        if verdict.became_available {
            tracing::info!("the meter answers");
            self.publish_available(true);
        }
    }

    fn overdue(&mut self) {
        if self.watch.overdue(Instant::now()) {
            tracing::error!("no good reading of the meter: it counts as unavailable");
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
