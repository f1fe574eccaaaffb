//! systemd: readiness, watchdog, and the signal to stop.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

/// Tells systemd how the daemon is; silent where no systemd listens.
#[derive(Clone, Debug)]
pub struct Supervisor {
    watchdog: Option<Duration>,
}

impl Supervisor {
    pub(crate) fn from_environment() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
        }
    }

    /// The daemon does its work: sent once, after the first good state is published.
    pub fn ready(&self) {
        notify(NotifyState::Ready);
    }

    /// How often [`Supervisor::alive`] must be called: half of `WatchdogSec`, at
    /// most every second, and once a second where no watchdog runs.
    pub fn heartbeat(&self) -> Duration {
        self.watchdog.map_or(Duration::from_secs(1), |limit| {
            (limit / 2).min(Duration::from_secs(1))
        })
    }

    /// The daemon is healthy. Call it only from the loop whose health it vouches for.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            notify(NotifyState::Watchdog);
        }
    }
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}

/// SIGTERM or SIGINT.
#[derive(Debug)]
pub struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
}

impl Shutdown {
    pub(crate) fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::failed("listen for signals", error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Completes when the daemon is asked to stop. Cancel safe.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
