//! Waking an EV that sleeps: 0 V on the pilot for a moment looks to it like a plug
//! pulled and put in again (guide 14.1 table 48).

use crate::step::Deadline;
use crate::{CpState, Millis};

/// How long an EV may stay in B although current is offered.
const PATIENCE_MS: u64 = 30_000;
/// Length of the pulse.
const PULSE_MS: u64 = 4_000;

/// When an EV is woken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WakeUp {
    /// After each authorisation (`force_wake_up`).
    pub after_authorization: bool,
    /// When 30 s have passed without a reaction (`wake_up_after_timeout`).
    pub after_timeout: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// No offer, so nothing to react to.
    Unoffered,
    /// The session has just been authorised.
    Authorized,
    /// The EV has time to react until `by`.
    Waiting { by: Millis },
    /// `again`: another pulse may follow after a time without reaction.
    Pulse { until: Millis, again: bool },
    /// It has reacted, or it won't.
    Done,
}

/// What the EV is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Nothing, or the session isn't ready for it.
    None,
    /// The number of phases changes: the EV is not woken afterwards (guide 15.20).
    Switching,
    /// Current, and the EV hasn't taken it.
    Open,
    /// Current, and the EV takes it.
    Taken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WakeUpCall {
    wake_up: WakeUp,
    stage: Stage,
}

impl WakeUpCall {
    pub(crate) const fn new(wake_up: WakeUp) -> Self {
        Self {
            wake_up,
            stage: Stage::Unoffered,
        }
    }

    /// The EV of a session that begins is authorised.
    pub(crate) fn authorize(&mut self) {
        self.stage = Stage::Authorized;
    }

    pub(crate) fn advance(&mut self, now: Millis, offer: Offer, state: Option<CpState>) {
        let sleeps = state == Some(CpState::B);
        self.stage = match (self.stage, offer) {
            (Stage::Authorized, Offer::None) => Stage::Authorized,
            (_, Offer::None) => Stage::Unoffered,
            (_, Offer::Switching | Offer::Taken) => Stage::Done,
            (Stage::Authorized, Offer::Open) if self.wake_up.after_authorization && sleeps => {
                Stage::Pulse {
                    until: now.after(PULSE_MS),
                    again: true,
                }
            }
            (Stage::Unoffered | Stage::Authorized, Offer::Open) => self.wait(now),
            (Stage::Waiting { .. }, Offer::Open) if !sleeps => Stage::Done,
            (Stage::Waiting { by }, Offer::Open) if now >= by => Stage::Pulse {
                until: now.after(PULSE_MS),
                again: false,
            },
            (Stage::Pulse { until, again }, Offer::Open) if now >= until => {
                if again {
                    self.wait(now)
                } else {
                    Stage::Done
                }
            }
            (Stage::Waiting { .. } | Stage::Pulse { .. } | Stage::Done, Offer::Open) => self.stage,
        };
    }

    const fn wait(&self, now: Millis) -> Stage {
        if self.wake_up.after_timeout {
            Stage::Waiting {
                by: now.after(PATIENCE_MS),
            }
        } else {
            Stage::Done
        }
    }

    /// The pilot's output stage is to be released.
    pub(crate) const fn is_calling(&self) -> bool {
        matches!(self.stage, Stage::Pulse { .. })
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        match self.stage {
            Stage::Waiting { by } => Some((by, "EV asleep")),
            Stage::Pulse { until, .. } => Some((until, "wake-up pulse")),
            Stage::Unoffered | Stage::Authorized | Stage::Done => None,
        }
    }
}
