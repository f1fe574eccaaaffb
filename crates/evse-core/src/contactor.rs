//! A relay and its contactor: throttles, feedback and weld detection (guide 8.13,
//! 14.1 table 47, 15.13; timings of guide 3.4 table 14).

use sense::Sense;

use crate::step::Deadline;
use crate::{Inputs, Millis, SensorFault};

mod sense;

/// The feedback must follow the command within this time.
const REACTION_MS: u64 = 250;
/// A feedback that could not be read must be readable and open for this long, without
/// a break, before the contactor is trusted again.
const RECOVERY_MS: u64 = 10_000;
/// From opening to closing (guide 3.4, table 14).
const REST_MS: u64 = 6_000;
/// From closing to closing: the slowest relay type bears six cycles per minute.
const PERIOD_MS: u64 = 10_000;

/// How the contactor's auxiliary contact is wired (`contactor/feedback_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Feedback {
    /// An active sense input means closed.
    #[default]
    NormallyOpen,
    /// An active sense input means open.
    NormallyClosed,
    /// Not wired: nothing can be checked.
    None,
}

/// Where a contactor is, as sensed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactorPosition {
    /// No voltage at the outlet.
    Opened,
    /// The outlet is live.
    Closed,
    /// There is no feedback, or it can't be read.
    Unknown,
}

/// Why the contactor can't be trusted any more; latched until restart, but for
/// [`Self::FeedbackUnreadable`], because a welded contact may look well again for a
/// while (guide 3.3.4.1, 15.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactorFault {
    /// Feedback still says closed after the command to open (also at start).
    Welded,
    /// Feedback still says open after the command to close.
    NotClosed,
    /// Feedback says open although the contactor was closed and not commanded.
    OpenedByItself,
    /// Feedback says closed although the contactor was open and not commanded.
    ClosedByItself,
    /// Feedback is wired, but the input can't be read, or it flutters. Ends when it says
    /// open again for 10 s; if it says closed, the contactor is welded.
    FeedbackUnreadable,
}

/// Which relay, and with it which sense input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relay {
    One,
    Two,
}

/// What the contactor was last told and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Motion {
    /// Commanded open; the feedback must agree at `by`.
    Opening {
        by: Millis,
    },
    /// Commanded open before the feedback had followed the command to close: it
    /// may still twitch, so it is believed at `by` and not before.
    Aborting {
        by: Millis,
    },
    Open,
    /// Commanded closed; the feedback must agree at `by`.
    Closing {
        by: Millis,
    },
    Closed,
    /// Commanded open because the feedback can't be read; `trusted_at` while it says
    /// open. What says closed at `by` has welded.
    Blind {
        by: Millis,
        trusted_at: Option<Millis>,
    },
    /// Commanded open for good.
    Failed(ContactorFault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contactor {
    relay: Relay,
    feedback: Feedback,
    sense: Sense,
    motion: Motion,
    /// After a fault the feedback is no proof of an open contactor until then: it has
    /// contradicted the command, and the contactor may still be about to open.
    distrusted_until: Option<Millis>,
    /// The first instant at which it may be closed again.
    may_close_at: Millis,
}

impl Contactor {
    /// Start counts as an opening: what was commanded before is unknown, so the
    /// feedback is given its time to agree and closing has to wait.
    pub(crate) const fn new(now: Millis, relay: Relay, feedback: Feedback) -> Self {
        Self {
            relay,
            feedback,
            sense: Sense::Unread,
            motion: Motion::Opening {
                by: now.after(REACTION_MS),
            },
            distrusted_until: None,
            may_close_at: now.after(REST_MS),
        }
    }

    /// Distrust ends with its time, and without feedback a motion does.
    pub(crate) fn expire(&mut self, now: Millis) {
        self.distrusted_until = self.distrusted_until.filter(|until| now < *until);
        if self.feedback == Feedback::None {
            self.motion = match self.motion {
                Motion::Opening { by } | Motion::Aborting { by } if now >= by => Motion::Open,
                Motion::Closing { by } if now >= by => Motion::Closed,
                Motion::Opening { .. }
                | Motion::Aborting { .. }
                | Motion::Open
                | Motion::Closing { .. }
                | Motion::Closed
                | Motion::Blind { .. }
                | Motion::Failed(_) => self.motion,
            };
        }
    }

    /// Looks at one round of inputs and judges the motion by it.
    pub(crate) fn observe(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>) {
        let read = match (self.feedback, inputs) {
            (Feedback::None, _) => return,
            (Feedback::NormallyOpen, Ok(inputs)) => position(self.sense_input(inputs)),
            (Feedback::NormallyClosed, Ok(inputs)) => position(!self.sense_input(inputs)),
            (Feedback::NormallyOpen | Feedback::NormallyClosed, Err(SensorFault)) => {
                ContactorPosition::Unknown
            }
        };
        self.sense = self.sense.after(now, read);
        let fault = self.fault();
        self.motion = self.judge(now);
        let says_open = self.sense == Sense::Settled(ContactorPosition::Opened);
        if self.fault().is_some() && (fault.is_none() || !says_open) {
            self.distrusted_until = Some(now.after(REACTION_MS));
        }
    }

    const fn sense_input(&self, inputs: Inputs) -> bool {
        match self.relay {
            Relay::One => inputs.relay_1_sense,
            Relay::Two => inputs.relay_2_sense,
        }
    }

    /// Gives the feedback of a contactor that is commanded closed its time anew:
    /// another contactor keeps it without voltage.
    pub(crate) fn excuse(&mut self, now: Millis) {
        self.motion = match self.motion {
            Motion::Closing { .. } | Motion::Closed => Motion::Closing {
                by: now.after(REACTION_MS),
            },
            Motion::Opening { .. }
            | Motion::Aborting { .. }
            | Motion::Open
            | Motion::Blind { .. }
            | Motion::Failed(_) => self.motion,
        };
    }

    /// What the feedback makes of the motion.
    fn judge(&self, now: Millis) -> Motion {
        let sensed = match (self.sense, self.motion) {
            (Sense::Settled(sensed), _) => sensed,
            (Sense::Unread | Sense::Doubtful { .. }, Motion::Blind { by, .. }) => {
                let trusted_at = None;
                return Motion::Blind { by, trusted_at };
            }
            (Sense::Doubtful { give_up, .. }, _) if now >= give_up && self.fault().is_none() => {
                return Motion::Blind {
                    by: now.after(REACTION_MS),
                    trusted_at: None,
                };
            }
            (Sense::Unread | Sense::Doubtful { .. }, motion) => return motion,
        };
        let (open, closed) = (
            sensed == ContactorPosition::Opened,
            sensed == ContactorPosition::Closed,
        );
        match self.motion {
            Motion::Opening { .. } if open => Motion::Open,
            Motion::Opening { by } if now >= by => Motion::Failed(ContactorFault::Welded),
            Motion::Opening { by } => Motion::Opening { by },
            Motion::Aborting { by } if now < by => Motion::Aborting { by },
            Motion::Aborting { .. } if open => Motion::Open,
            Motion::Aborting { .. } => Motion::Failed(ContactorFault::Welded),
            Motion::Open if closed => Motion::Failed(ContactorFault::ClosedByItself),
            Motion::Open => Motion::Open,
            Motion::Closing { .. } if closed => Motion::Closed,
            Motion::Closing { by } if now >= by => Motion::Failed(ContactorFault::NotClosed),
            Motion::Closing { by } => Motion::Closing { by },
            Motion::Closed if open => Motion::Failed(ContactorFault::OpenedByItself),
            Motion::Closed => Motion::Closed,
            Motion::Blind { by, .. } if closed && now < by => Motion::Blind {
                by,
                trusted_at: None,
            },
            Motion::Blind { .. } if closed => Motion::Failed(ContactorFault::Welded),
            Motion::Blind { by, trusted_at } => {
                let at = trusted_at.unwrap_or(now.after(RECOVERY_MS));
                if now < at {
                    Motion::Blind {
                        by,
                        trusted_at: Some(at),
                    }
                } else {
                    Motion::Open
                }
            }
            Motion::Failed(fault) => Motion::Failed(fault),
        }
    }

    /// `true` when a command to close would be carried out now: it is proven
    /// open, has rested, and feedback and command agree.
    pub(crate) fn may_close(&self, now: Millis) -> bool {
        self.motion == Motion::Open && self.is_proven_open() && now >= self.may_close_at
    }

    /// Closes; only after [`Self::may_close`].
    pub(crate) fn close(&mut self, now: Millis) {
        self.motion = Motion::Closing {
            by: now.after(REACTION_MS),
        };
        self.may_close_at = now.after(PERIOD_MS);
    }

    /// Opens; never delayed.
    pub(crate) fn open(&mut self, now: Millis) {
        let by = now.after(REACTION_MS);
        self.motion = match self.motion {
            Motion::Closing { .. } => Motion::Aborting { by },
            Motion::Closed => Motion::Opening { by },
            Motion::Opening { .. }
            | Motion::Aborting { .. }
            | Motion::Open
            | Motion::Blind { .. }
            | Motion::Failed(_) => return,
        };
        self.may_close_at = self.may_close_at.max(now.after(REST_MS));
    }

    /// Commanded closed, and the feedback has followed.
    pub(crate) fn is_closed(&self) -> bool {
        self.motion == Motion::Closed
    }

    /// The level of the relay.
    pub(crate) const fn is_commanded_closed(&self) -> bool {
        match self.motion {
            Motion::Closing { .. } | Motion::Closed => true,
            Motion::Opening { .. }
            | Motion::Aborting { .. }
            | Motion::Open
            | Motion::Blind { .. }
            | Motion::Failed(_) => false,
        }
    }

    /// Commanded open, and nothing says that it isn't: what S4 asks before the
    /// plug is unlocked. A bouncing or unreadable feedback is no proof, nor after a fault
    /// one that hasn't said open for 250 ms without a break.
    pub(crate) fn is_proven_open(&self) -> bool {
        let at_rest = match self.motion {
            Motion::Open => true,
            Motion::Blind { .. } | Motion::Failed(_) => self.distrusted_until.is_none(),
            Motion::Opening { .. }
            | Motion::Aborting { .. }
            | Motion::Closing { .. }
            | Motion::Closed => false,
        };
        at_rest
            && (self.feedback == Feedback::None
                || self.sense == Sense::Settled(ContactorPosition::Opened))
    }

    /// As sensed; [`ContactorPosition::Unknown`] without feedback.
    pub(crate) const fn position(&self) -> ContactorPosition {
        self.sense.position()
    }

    pub(crate) const fn fault(&self) -> Option<ContactorFault> {
        match self.motion {
            Motion::Failed(fault) => Some(fault),
            Motion::Blind { .. } => Some(ContactorFault::FeedbackUnreadable),
            Motion::Opening { .. }
            | Motion::Aborting { .. }
            | Motion::Open
            | Motion::Closing { .. }
            | Motion::Closed => None,
        }
    }

    /// When a motion is over. Feedback is judged with the next round, and closing
    /// needs one anyway.
    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        match self.motion {
            Motion::Opening { by } | Motion::Aborting { by } | Motion::Closing { by } => {
                Some((by, "contactor reaction"))
            }
            Motion::Blind { trusted_at, .. } => match trusted_at {
                Some(at) => Some((at, "contactor feedback is back")),
                None => None,
            },
            Motion::Open | Motion::Closed | Motion::Failed(_) => None,
        }
    }
}

const fn position(closed: bool) -> ContactorPosition {
    if closed {
        ContactorPosition::Closed
    } else {
        ContactorPosition::Opened
    }
}

#[cfg(test)]
mod tests;
