//! A relay and its contactor: throttles, feedback and weld detection (guide 8.13,
//! 14.1 table 47, 15.13; timings of guide 3.4 table 14).

use crate::step::Deadline;
use crate::{Inputs, Millis, SensorFault};

/// The feedback contact bounces for less than this.
const DEBOUNCE_MS: u64 = 10;
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
    /// Feedback is wired, but the input can't be read. Ends when it says open again for
    /// 10 s; if it says closed, the contactor is welded.
    FeedbackUnreadable,
}

/// Which relay, and with it which sense input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relay {
    One,
    Two,
}

/// The sense input after debouncing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sense {
    /// Not read yet.
    Unread,
    /// The same for long enough.
    Settled(ContactorPosition),
    /// `from` was settled, the input has changed and is believed at `at`.
    Bouncing {
        from: ContactorPosition,
        to: ContactorPosition,
        at: Millis,
    },
    /// Reading fails since at most `REACTION_MS` before `give_up`.
    Failing { give_up: Millis },
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
    /// Commanded open because the feedback can't be read; `trusted_at` while it can.
    Blind {
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
            may_close_at: now.after(REST_MS),
        }
    }

    /// Without feedback a motion is over when its time is.
    pub(crate) fn expire(&mut self, now: Millis) {
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
        let position = match (self.feedback, inputs) {
            (Feedback::None, _) => return,
            (Feedback::NormallyOpen, Ok(inputs)) => Ok(position(self.sense_input(inputs))),
            (Feedback::NormallyClosed, Ok(inputs)) => Ok(position(!self.sense_input(inputs))),
            (Feedback::NormallyOpen | Feedback::NormallyClosed, Err(fault)) => Err(fault),
        };
        self.sense = match (self.sense, position) {
            (Sense::Failing { give_up }, Err(SensorFault)) => Sense::Failing { give_up },
            (Sense::Unread | Sense::Settled(_) | Sense::Bouncing { .. }, Err(SensorFault)) => {
                Sense::Failing {
                    give_up: now.after(REACTION_MS),
                }
            }
            // After a failure the first reading is as good as any.
            (Sense::Unread | Sense::Failing { .. }, Ok(position)) => Sense::Settled(position),
            (Sense::Settled(from), Ok(to)) if from != to => Sense::Bouncing {
                from,
                to,
                at: now.after(DEBOUNCE_MS),
            },
            (Sense::Settled(_), Ok(position)) => Sense::Settled(position),
            (Sense::Bouncing { from, to, at }, Ok(position)) if position == to && now < at => {
                Sense::Bouncing { from, to, at }
            }
            (Sense::Bouncing { .. }, Ok(position)) => Sense::Settled(position),
        };
        self.judge(now);
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

    fn judge(&mut self, now: Millis) {
        let sensed = match self.sense {
            Sense::Settled(sensed) => sensed,
            Sense::Failing { give_up } if now >= give_up => {
                if self.fault().is_none() {
                    self.motion = Motion::Blind { trusted_at: None };
                }
                return;
            }
            Sense::Unread | Sense::Bouncing { .. } | Sense::Failing { .. } => {
                if let Motion::Blind { .. } = self.motion {
                    self.motion = Motion::Blind { trusted_at: None };
                }
                return;
            }
        };
        let (open, closed) = (
            sensed == ContactorPosition::Opened,
            sensed == ContactorPosition::Closed,
        );
        self.motion = match self.motion {
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
            Motion::Blind { .. } if closed => Motion::Failed(ContactorFault::Welded),
            Motion::Blind { trusted_at } => {
                let at = trusted_at.unwrap_or(now.after(RECOVERY_MS));
                if now < at {
                    Motion::Blind {
                        trusted_at: Some(at),
                    }
                } else {
                    Motion::Open
                }
            }
            Motion::Failed(fault) => Motion::Failed(fault),
        };
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
    /// plug is unlocked. A bouncing or unreadable feedback is no proof.
    pub(crate) fn is_proven_open(&self) -> bool {
        let at_rest = match self.motion {
            Motion::Open | Motion::Blind { .. } | Motion::Failed(_) => true,
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
        match self.sense {
            Sense::Settled(position) => position,
            Sense::Bouncing { from, .. } => from,
            Sense::Unread | Sense::Failing { .. } => ContactorPosition::Unknown,
        }
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
            Motion::Blind { trusted_at } => match trusted_at {
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
mod tests {
    use super::*;

    fn inputs(active: bool) -> Result<Inputs, SensorFault> {
        Ok(Inputs {
            relay_1_sense: active,
            ..Inputs::default()
        })
    }

    /// A contactor, normally open feedback, that rests open at 7 s.
    fn rested() -> Contactor {
        let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::NormallyOpen);
        contactor.observe(Millis(7_000), inputs(false));
        assert!(contactor.may_close(Millis(7_000)));
        contactor
    }

    fn closed() -> Contactor {
        let mut contactor = rested();
        contactor.close(Millis(7_000));
        contactor.observe(Millis(7_030), inputs(true));
        contactor.observe(Millis(7_040), inputs(true));
        assert_eq!(contactor.motion, Motion::Closed);
        contactor
    }

    // covers: CON-003, CON-004, CON-006, CON-007
    #[test]
    fn feedback_types_read_the_sense_input_their_way() {
        use ContactorPosition::{Closed, Opened, Unknown};
        for (feedback, active, position) in [
            (Feedback::NormallyOpen, true, Closed),
            (Feedback::NormallyOpen, false, Opened),
            (Feedback::NormallyClosed, true, Opened),
            (Feedback::NormallyClosed, false, Closed),
            (Feedback::None, true, Unknown),
            (Feedback::None, false, Unknown),
        ] {
            let mut contactor = Contactor::new(Millis(0), Relay::One, feedback);
            contactor.observe(Millis(10), inputs(active));
            assert_eq!(contactor.position(), position, "{feedback:?} {active}");
        }
        assert_eq!(Feedback::default(), Feedback::NormallyOpen);
    }

    // covers: CON-008, CON-019
    #[test]
    fn a_contactor_that_does_not_close_in_250_ms_is_a_fault() {
        let mut contactor = rested();
        contactor.close(Millis(7_000));
        contactor.observe(Millis(7_249), inputs(false));
        assert!(contactor.is_commanded_closed());
        contactor.observe(Millis(7_250), inputs(false));
        assert_eq!(contactor.fault(), Some(ContactorFault::NotClosed));
        assert!(!contactor.is_commanded_closed());
    }

    // covers: CON-012, CON-014
    #[test]
    fn a_contactor_that_does_not_open_in_250_ms_is_welded_for_good() {
        let mut contactor = closed();
        contactor.open(Millis(8_000));
        contactor.observe(Millis(8_249), inputs(true));
        assert_eq!(contactor.fault(), None);
        contactor.observe(Millis(8_250), inputs(true));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
        assert!(!contactor.is_proven_open());
        contactor.observe(Millis(9_000), inputs(false));
        contactor.observe(Millis(9_010), inputs(false));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
        assert!(contactor.is_proven_open(), "the plug may be released now");
        assert!(!contactor.may_close(Millis(100_000)));
    }

    #[test]
    fn a_contactor_that_is_closed_at_start_is_welded() {
        let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::NormallyOpen);
        contactor.observe(Millis(10), inputs(true));
        assert_eq!(
            (contactor.fault(), contactor.is_proven_open()),
            (None, false)
        );
        contactor.observe(Millis(250), inputs(true));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    }

    #[test]
    fn unexpected_edges_are_faults_after_10_ms() {
        let mut contactor = closed();
        contactor.observe(Millis(8_000), inputs(false));
        contactor.observe(Millis(8_009), inputs(false));
        assert_eq!(contactor.fault(), None);
        contactor.observe(Millis(8_010), inputs(false));
        assert_eq!(contactor.fault(), Some(ContactorFault::OpenedByItself));

        let mut contactor = rested();
        contactor.observe(Millis(8_000), inputs(true));
        assert!(
            !contactor.is_proven_open(),
            "doubt is enough to keep the plug locked"
        );
        contactor.observe(Millis(8_010), inputs(true));
        assert_eq!(contactor.fault(), Some(ContactorFault::ClosedByItself));
    }

    #[test]
    fn a_glitch_shorter_than_10_ms_is_not_an_edge() {
        let mut contactor = closed();
        for now in (8_000..9_000).step_by(10) {
            contactor.observe(Millis(now), inputs(now % 20 == 0));
        }
        assert_eq!(
            (contactor.fault(), contactor.motion),
            (None, Motion::Closed)
        );
    }

    #[test]
    fn a_closing_that_is_broken_off_may_twitch() {
        let mut contactor = rested();
        contactor.close(Millis(7_000));
        contactor.observe(Millis(7_010), inputs(false));
        contactor.open(Millis(7_010));
        for (now, active) in [(7_020, false), (7_030, true), (7_040, true), (7_050, false)] {
            contactor.observe(Millis(now), inputs(active));
            assert!(!contactor.is_proven_open());
        }
        contactor.observe(Millis(7_060), inputs(false));
        contactor.observe(Millis(7_260), inputs(false));
        assert_eq!(
            (contactor.fault(), contactor.is_proven_open()),
            (None, true)
        );
        contactor.close(Millis(17_000));
        contactor.open(Millis(17_010));
        contactor.observe(Millis(17_020), inputs(true));
        contactor.observe(Millis(17_260), inputs(true));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    }

    #[test]
    fn an_unreadable_feedback_is_a_fault_after_250_ms() {
        let mut contactor = closed();
        contactor.observe(Millis(8_000), Err(SensorFault));
        assert_eq!(contactor.position(), ContactorPosition::Unknown);
        contactor.observe(Millis(8_249), Err(SensorFault));
        assert_eq!(contactor.fault(), None);
        contactor.observe(Millis(8_250), Err(SensorFault));
        assert_eq!(contactor.fault(), Some(ContactorFault::FeedbackUnreadable));
    }

    #[test]
    fn an_unreadable_feedback_is_trusted_again_after_10_s_of_open() {
        let blind = || {
            let mut contactor = closed();
            contactor.observe(Millis(8_000), Err(SensorFault));
            contactor.observe(Millis(8_250), Err(SensorFault));
            assert!(!contactor.is_proven_open() && !contactor.is_commanded_closed());
            contactor
        };
        let fault = Some(ContactorFault::FeedbackUnreadable);
        let mut contactor = blind();
        contactor.observe(Millis(20_000), inputs(false));
        assert_eq!(
            contactor.deadline(),
            Some((Millis(30_000), "contactor feedback is back"))
        );
        assert!(contactor.is_proven_open(), "the plug may be released");
        // A gap begins the time anew.
        contactor.observe(Millis(29_000), Err(SensorFault));
        assert_eq!((contactor.fault(), contactor.deadline()), (fault, None));
        contactor.observe(Millis(29_010), inputs(false));
        contactor.observe(Millis(39_009), inputs(false));
        assert_eq!(contactor.fault(), fault);
        assert!(!contactor.may_close(Millis(39_009)));
        contactor.observe(Millis(39_010), inputs(false));
        assert_eq!(contactor.fault(), None);
        assert!(contactor.may_close(Millis(39_010)));

        // What reads closed was welded meanwhile, and stays so.
        let mut contactor = blind();
        contactor.observe(Millis(20_000), inputs(true));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
        let mut contactor = blind();
        contactor.observe(Millis(20_000), inputs(false));
        contactor.observe(Millis(25_000), inputs(true));
        contactor.observe(Millis(25_010), inputs(true));
        contactor.observe(Millis(25_020), inputs(false));
        contactor.observe(Millis(60_000), inputs(false));
        assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    }

    // covers: CON-015
    #[test]
    fn closing_waits_6_s_from_opening_and_10_s_from_closing() {
        let mut contactor = closed();
        contactor.open(Millis(7_500));
        contactor.observe(Millis(7_520), inputs(false));
        contactor.observe(Millis(7_530), inputs(false));
        assert!(!contactor.may_close(Millis(16_999)) && contactor.may_close(Millis(17_000)));

        let mut contactor = closed();
        contactor.open(Millis(60_000));
        contactor.observe(Millis(60_020), inputs(false));
        contactor.observe(Millis(60_030), inputs(false));
        assert!(!contactor.may_close(Millis(65_999)) && contactor.may_close(Millis(66_000)));
    }

    // covers: CON-005
    #[test]
    fn without_feedback_a_motion_takes_its_time_and_nothing_is_a_fault() {
        let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::None);
        contactor.expire(Millis(249));
        assert!(!contactor.is_proven_open());
        contactor.expire(Millis(250));
        assert!(contactor.is_proven_open() && contactor.may_close(Millis(6_000)));
        contactor.close(Millis(6_000));
        for now in 6_000..7_000 {
            contactor.expire(Millis(now));
            contactor.observe(Millis(now), inputs(now % 7 == 0));
        }
        assert_eq!(
            (contactor.fault(), contactor.motion),
            (None, Motion::Closed)
        );
        contactor.open(Millis(7_000));
        assert!(!contactor.is_proven_open());
        contactor.expire(Millis(7_250));
        assert!(contactor.is_proven_open());
    }
}
