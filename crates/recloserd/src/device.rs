//! The task that watches the recloser and carries out changes.

use std::time::Duration;

use rs485::{Bus, Error};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use topic_map::RecloserState;

use crate::profile::Profile;
use crate::setup::Setup;
use crate::watch::UNAVAILABLE_AFTER;

/// From one look to the next.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The same while something should move, and after a failure.
const SHORT_INTERVAL: Duration = Duration::from_millis(200);
/// From one failed search to the next: others share the bus.
const SEARCH_PAUSE: Duration = Duration::from_secs(2);
/// How long nothing is asked after a lost answer. Every answer of the recloser has the
/// same form, and a late one tells what the contacts were.
const QUIET: Duration = Duration::from_secs(2);
/// No command later than this after its request: a switch that moves when nobody
/// expects it any more is worse than a request that failed.
const COMMAND_LIMIT: Duration = Duration::from_secs(4);

/// A change that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Tells this order from earlier ones.
    pub number: u64,
    /// When it was asked for.
    pub asked: Instant,
    /// The state to reach.
    pub target: RecloserState,
}

/// What the recloser said.
#[derive(Debug)]
pub enum Finding {
    /// Its state; `None` when neither open nor closed.
    State(Option<RecloserState>),
    /// It did not answer.
    Failed(Error),
    /// The order of this number is done: the target was read back.
    Reached(u64),
    /// The order of this number won't be carried out.
    GaveUp(u64, &'static str),
}

/// The recloser on its line.
#[derive(Debug)]
pub struct Device {
    bus: Bus,
    setup: Setup,
    /// The order under way, and whether its command was sent: at most once, for a
    /// second closing might follow a trip in between.
    order: Option<(Order, Command)>,
    /// No look before this, after a lost answer.
    quiet_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    NotSent,
    Sent,
}

impl Device {
    /// Nothing is sent yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            bus: Bus::new(setup.line.clone()),
            setup,
            order: None,
            quiet_until: None,
        }
    }

    /// Look and carry out the latest of `orders` until nobody listens.
    pub async fn run(
        mut self,
        mut orders: watch::Receiver<Option<Order>>,
        findings: mpsc::Sender<Finding>,
    ) {
        let mut last_answer = Instant::now();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                changed = orders.changed() => if changed.is_err() { return },
                () = sleep_until(next) => {}
            }
            let latest = *orders.borrow_and_update();
            if latest.map(|order| order.number) != self.order.map(|(order, _)| order.number) {
                self.order = latest.map(|order| (order, Command::NotSent));
            }
            let started = Instant::now();
            let (finding, read) = match self.state().await {
                Ok(state) => {
                    last_answer = Instant::now();
                    (Finding::State(state), Some(state))
                }
                Err(error) => (Finding::Failed(error), None),
            };
            if findings.send(finding).await.is_err() {
                return;
            }
            // A newer order, or none, while the bus was busy?
            if let Some(state) = read
                && !orders.has_changed().unwrap_or(true)
                && let Some(end) = self.pursue(state).await
                && findings.send(end).await.is_err()
            {
                return;
            }
            next = if last_answer.elapsed() >= UNAVAILABLE_AFTER {
                Instant::now() + SEARCH_PAUSE
            } else if self.order.is_some() || read.is_none() {
                started + SHORT_INTERVAL
            } else {
                started + LOOK_INTERVAL
            };
        }
    }

    /// One step towards the order's target, from `state` which was read just now.
    async fn pursue(&mut self, state: Option<RecloserState>) -> Option<Finding> {
        let (order, command) = self.order?;
        if state == Some(order.target) {
            self.order = None;
            return Some(Finding::Reached(order.number));
        }
        let refusal = match command {
            Command::Sent => return None,
            Command::NotSent if state.is_none() => "it is neither open nor closed",
            Command::NotSent if order.asked.elapsed() > COMMAND_LIMIT => {
                "the bus was busy too long"
            }
            Command::NotSent => return self.command(order).await,
        };
        self.order = None;
        Some(Finding::GaveUp(order.number, refusal))
    }

    async fn command(&mut self, order: Order) -> Option<Finding> {
        self.order = Some((order, Command::Sent));
        let command = self.profile().command(order.target);
        let device = self.setup.device;
        let written = self
            .bus
            .write_register(device, command.register, command.value)
            .await;
        match written {
            Ok(()) => tracing::info!(target = %order.target, "command sent"),
            // Nothing has left the port.
            Err(Error::Open { .. } | Error::Busy { .. } | Error::NeverSilent) => {
                self.order = Some((order, Command::NotSent));
            }
            Err(Error::Refused { .. } | Error::Unwritable { .. }) => {
                self.order = None;
                return Some(Finding::GaveUp(order.number, "it refuses the command"));
            }
            // It may have heard the command: what it does now is read back.
            Err(
                error @ (Error::NoEcho { .. }
                | Error::Collision { .. }
                | Error::NoAnswer { .. }
                | Error::Unanswered { .. }
                | Error::ForeignAnswer { .. }
                | Error::Line(_)),
            ) => tracing::warn!(%error, target = %order.target, "command not confirmed"),
        }
        None
    }

    async fn state(&mut self) -> Result<Option<RecloserState>, Error> {
        let (function, register) = {
            let state = &self.profile().state;
            (state.function(), state.register)
        };
        if let Some(quiet) = self.quiet_until.take() {
            sleep_until(quiet).await;
        }
        let device = self.setup.device;
        let answer = self.bus.read(device, function, register, 1).await;
        if matches!(&answer, Err(error) if error.leaves_the_line_doubtful()) {
            self.quiet_until = Some(Instant::now() + QUIET);
        }
        Ok(answer?
            .first()
            .and_then(|word| self.profile().state.state(*word)))
    }

    const fn profile(&self) -> &Profile {
        &self.setup.profile
    }
}
