//! Watches the recloser of the residual current device and opens or closes it on
//! request.
//!
//! One task speaks to the recloser ([`device`]); the main loop judges ([`watch`]) and
//! publishes. It never switches by itself, never blindly, and a change counts only
//! when it was read back.

pub mod device;
pub mod profile;
pub mod setup;
pub mod watch;

use std::time::{Duration, Instant};

use daemon_kit::{Context, DaemonOption, Error, Event, Message};
use rs485::LocalEcho;
use tokio::sync::{mpsc, watch as latest};
use tokio::time::{sleep_until, timeout};
use topic_map::{
    RCD_RECLOSER_ERROR, RCD_RECLOSER_STATE_ACTUAL, RCD_RECLOSER_STATE_CONFIRM,
    RCD_RECLOSER_STATE_TARGET, RecloserAnswer, RecloserState,
};

use device::{Device, Finding, Order};
use setup::Setup;
use watch::{Told, Watch};

const NO_LOCAL_ECHO: &str = "no-local-echo";
/// How long a daemon that can't work waits for the broker, to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The daemon's own options.
pub const OPTIONS: &[DaemonOption] = &[DaemonOption {
    name: NO_LOCAL_ECHO,
    value: None,
    help: "the EIA-485 adapter does not hear itself, other than the board's",
}];

/// Watch and switch until asked to stop.
///
/// # Errors
/// When the configuration can't be used; the recloser then counts as failed.
pub async fn run(mut ctx: Context) -> Result<(), Error> {
    let echo = match ctx.arguments.option(NO_LOCAL_ECHO) {
        Some(_) => LocalEcho::Absent,
        None => LocalEcho::Present,
    };
    let customer = ctx.customer()?;
    let configured = &customer.port().recloser;
    match Setup::new(configured, &ctx.arguments.config_dir, echo) {
        Ok(Some(setup)) => {
            tracing::info!(
                port = %setup.line.port.display(),
                baud_rate = setup.line.baud_rate.bits_per_second(),
                parity = ?setup.line.parity,
                address = setup.device.number(),
                device = setup.profile.device,
                source = setup.profile.source,
                "watching the recloser"
            );
            Daemon::new(ctx).run(setup).await;
            Ok(())
        }
        Ok(None) => {
            tracing::info!("ports[0]/recloser/enable is false: there is no recloser");
            rest(ctx).await;
            Ok(())
        }
        Err(error) => {
            say_failed(&mut ctx).await;
            Err(Error::Configuration(error.to_string()))
        }
    }
}

/// Without a recloser there is nothing to do but to say so.
async fn rest(mut ctx: Context) {
    ctx.bus.subscribe(&RCD_RECLOSER_STATE_TARGET);
    ctx.supervisor.ready();
    loop {
        let heartbeat = Instant::now() + ctx.supervisor.heartbeat();
        tokio::select! {
            () = ctx.shutdown.requested() => return,
            event = ctx.bus.recv() => if let Event::Message(message) = event
                && !message.retained
                && message.on(&RCD_RECLOSER_STATE_TARGET).is_some()
            {
                ctx.bus.publish(&RCD_RECLOSER_STATE_CONFIRM, &RecloserAnswer::NotPresent);
            },
            () = sleep_until(heartbeat.into()) => {}
        }
        ctx.supervisor.alive();
    }
}

/// A station whose recloser is misconfigured should not look well (guide 3.3.4.16).
async fn say_failed(ctx: &mut Context) {
    ctx.bus.publish(&RCD_RECLOSER_ERROR, &true);
    let connected = async { while !matches!(ctx.bus.recv().await, Event::Connected) {} };
    if timeout(LAST_WORDS, connected).await.is_err() {
        tracing::warn!("no broker to tell that the recloser is not available");
    }
}

struct Daemon {
    ctx: Context,
    watch: Watch,
    orders: latest::Sender<Option<Order>>,
    is_ready: bool,
    /// The last trouble told, so that it is told once and not every second.
    complaint: Option<String>,
}

impl Daemon {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            watch: Watch::new(Instant::now()),
            orders: latest::Sender::new(None),
            is_ready: false,
            complaint: None,
        }
    }

    async fn run(mut self, setup: Setup) {
        let (sender, mut findings) = mpsc::channel(1);
        tokio::spawn(Device::new(setup).run(self.orders.subscribe(), sender));
        self.ctx.bus.subscribe(&RCD_RECLOSER_STATE_TARGET);
        loop {
            let deadline = self.watch.deadline();
            tokio::select! {
                () = self.ctx.shutdown.requested() => break,
                event = self.ctx.bus.recv() => self.hear(&event),
                Some(finding) = findings.recv() => self.found(finding),
                () = until(deadline) => self.overdue(),
            }
        }
        // Nobody watches the recloser any more.
        self.tell(Told::State(None));
        self.tell(Told::Error(true));
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Connected | Event::Disconnected => {}
            Event::Message(message) => self.hear_target(message),
        }
    }

    fn hear_target(&mut self, message: &Message) {
        match message.on(&RCD_RECLOSER_STATE_TARGET) {
            Some(_) if message.retained => {
                tracing::warn!(topic = message.topic, "retained; ignored");
            }
            Some(Ok(target)) => self.change(target),
            Some(Err(error)) => {
                tracing::warn!(topic = message.topic, %error, "refused");
                let refusal = RecloserAnswer::InvalidRequestData;
                self.ctx.bus.publish(&RCD_RECLOSER_STATE_CONFIRM, &refusal);
            }
            None => {}
        }
    }

    fn change(&mut self, target: RecloserState) {
        tracing::info!(%target, "change requested");
        let now = Instant::now();
        match self.watch.request(now) {
            Ok(number) => {
                let asked = now.into();
                self.orders.send_replace(Some(Order {
                    number,
                    asked,
                    target,
                }));
            }
            Err(refusal) => {
                self.cancel();
                self.tell(Told::Answer(refusal));
            }
        }
    }

    /// Nothing is to be done any more.
    fn cancel(&self) {
        self.orders.send_replace(None);
    }

    fn found(&mut self, finding: Finding) {
        // The findings come from the task whose health matters.
        self.ctx.supervisor.alive();
        let told = match finding {
            Finding::State(state) => {
                self.complaint = None;
                self.watch.seen(Instant::now(), state)
            }
            Finding::Reached(number) => self.watch.reached(number).into_iter().collect(),
            Finding::GaveUp(number, reason) => {
                tracing::warn!("change given up: {reason}");
                self.watch.gave_up(number).into_iter().collect()
            }
            Finding::Failed(error) => {
                self.complain(error.to_string());
                Vec::new()
            }
        };
        told.into_iter().for_each(|told| self.tell(told));
    }

    fn overdue(&mut self) {
        for told in self.watch.overdue(Instant::now()) {
            self.tell(told);
        }
    }

    fn tell(&mut self, told: Told) {
        match told {
            Told::Error(failed) => {
                if failed {
                    tracing::error!("the recloser is not available");
                } else {
                    tracing::info!("the recloser answers");
                }
                self.ctx.bus.publish(&RCD_RECLOSER_ERROR, &failed);
                if !self.is_ready {
                    self.is_ready = true;
                    self.ctx.supervisor.ready();
                }
            }
            Told::State(state) => {
                tracing::info!(
                    state = state.map_or("unknown", RecloserState::as_str),
                    "recloser"
                );
                self.ctx.bus.publish(&RCD_RECLOSER_STATE_ACTUAL, &state);
            }
            Told::Answer(answer) => {
                tracing::info!(%answer, "change answered");
                // Whatever the answer, the change is over.
                self.cancel();
                self.ctx.bus.publish(&RCD_RECLOSER_STATE_CONFIRM, &answer);
            }
        }
    }

    fn complain(&mut self, trouble: String) {
        if self.complaint.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.complaint = Some(trouble);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
