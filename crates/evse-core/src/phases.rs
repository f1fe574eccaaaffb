//! Switching between one and three phases: a second contactor behind relay 2
//! carries L2 and L3 (guide 15.20).
//!
//! Power on: second contactor, then the first. Power off: first contactor, then
//! the second. The number of phases changes only with both proven open, and the
//! offer returns when the switch delay is over.

use crate::contactor::{Contactor, Relay};
use crate::step::Deadline;
use crate::{ContactorFault, Feedback, Inputs, Millis, PhaseCount, SensorFault};

/// The second contactor's time to pull in before the first one follows.
const PULL_IN_MS: u64 = 100;

/// The second contactor as configured (`switch3to1phase`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PhaseSwitch {
    /// Its auxiliary contact; it must have one.
    pub feedback: Feedback,
    /// From the first contactor's opening to the new offer, 10 000 to 300 000 ms.
    pub delay_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Phases {
    second: Contactor,
    delay_ms: u32,
    /// With how many phases the next offer is made, or this one was.
    count: PhaseCount,
    target: PhaseCount,
    /// The offer is withheld until then, and until both contactors are open.
    switching: Option<Millis>,
    /// The second contactor has pulled in by then.
    pulled_in_at: Millis,
}

/// What the second contactor has to know of the rest of the station.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub first: &'a Contactor,
    /// The first contactor is closed, or nothing but the second one is missing to close it.
    pub power_wanted: bool,
    /// The input is a round of measurements: nothing else may close a contactor (S9).
    pub measured_now: bool,
    pub session_runs: bool,
}

impl Phases {
    pub(crate) const fn new(now: Millis, switch: PhaseSwitch) -> Self {
        Self {
            second: Contactor::new(now, Relay::Two, switch.feedback),
            delay_ms: switch.delay_ms,
            count: PhaseCount::Three,
            target: PhaseCount::Three,
            switching: None,
            pulled_in_at: now,
        }
    }

    /// Looks at one round of inputs. The second contactor may hang on the first
    /// one's output, so that its feedback follows only while that is closed.
    pub(crate) fn observe(
        &mut self,
        now: Millis,
        inputs: Result<Inputs, SensorFault>,
        first: &Contactor,
    ) {
        if !first.is_closed() {
            self.second.excuse(now);
        }
        self.second.observe(now, inputs);
    }

    pub(crate) fn set_target(&mut self, target: PhaseCount) {
        self.target = target;
    }

    /// Counts from the next opening on.
    pub(crate) fn set_delay(&mut self, delay_ms: u32) {
        self.delay_ms = delay_ms;
    }

    pub(crate) fn advance(&mut self, now: Millis, around: &Surroundings<'_>) {
        self.second.expire(now);
        let first_open = !around.first.is_commanded_closed();
        // A welded first contactor doesn't keep the second one closed.
        let first_is_off =
            first_open && (around.first.is_proven_open() || around.first.fault().is_some());
        let closes = around.power_wanted && self.count == PhaseCount::Three;
        if closes && self.switching.is_none() {
            if around.measured_now && self.second.may_close(now) {
                self.second.close(now);
                self.pulled_in_at = now.after(PULL_IN_MS);
            }
        } else if first_is_off {
            self.second.open(now);
        }
        self.switch(now, around);
    }

    fn switch(&mut self, now: Millis, around: &Surroundings<'_>) {
        let until = now.after(u64::from(self.delay_ms));
        let all_open = around.first.is_proven_open() && self.second.is_proven_open();
        self.switching = match self.switching {
            None if self.target == self.count => None,
            None if around.session_runs || !all_open => Some(until),
            // Nobody is there to be protected from the change.
            None => {
                self.count = self.target;
                None
            }
            // Taken back before anything has opened.
            Some(_) if around.first.is_commanded_closed() && self.target == self.count => None,
            // The delay counts from the first contactor's opening.
            Some(_) if around.first.is_commanded_closed() => Some(until),
            Some(until) if now >= until && all_open => {
                self.count = self.target;
                None
            }
            Some(until) => Some(until),
        };
    }

    /// The first contactor may close: the second one is where it has to be.
    pub(crate) fn is_ready(&self, now: Millis) -> bool {
        self.switching.is_none()
            && match self.count {
                PhaseCount::One => self.second.is_proven_open(),
                PhaseCount::Three => self.second.is_commanded_closed() && now >= self.pulled_in_at,
            }
    }

    pub(crate) const fn is_switching(&self) -> bool {
        self.switching.is_some()
    }

    pub(crate) const fn count(&self) -> PhaseCount {
        self.count
    }

    /// The level of relay 2.
    pub(crate) const fn is_commanded_closed(&self) -> bool {
        self.second.is_commanded_closed()
    }

    pub(crate) fn is_proven_open(&self) -> bool {
        self.second.is_proven_open()
    }

    pub(crate) const fn fault(&self) -> Option<ContactorFault> {
        self.second.fault()
    }

    /// When time alone changes something.
    pub(crate) const fn deadlines(&self) -> [Option<Deadline>; 2] {
        let switched = match self.switching {
            Some(until) => Some((until, "phases switched")),
            None => None,
        };
        [switched, self.second.deadline()]
    }
}
