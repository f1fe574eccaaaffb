//! What follows from the state: the levels of all outputs, and when to step again.

use super::{Machine, Outlet, Second};
use crate::session::Session;
use crate::step::Deadline;
use crate::{
    Actuation, CpState, DigitalOutputs, DutyCycle, LockDrive, LockPosition, Millis, Pace,
    PilotOutput,
};

impl Machine {
    /// The levels that follow from the state.
    pub(super) fn actuation(&self) -> Actuation {
        Actuation {
            pilot: if self.wake_up.is_calling() {
                PilotOutput::Released
            } else {
                PilotOutput::Duty(self.duty_cycle())
            },
            relay_1: self.contactor.is_commanded_closed(),
            relay_2: self.relay_2(),
            lock_drive: match &self.outlet {
                Outlet::Socket { lock, .. } => lock.drive(),
                Outlet::FixedCable { .. } => LockDrive::Coast,
            },
            outputs: match self.rcd.and_then(|rcd| rcd.trigger()) {
                Some((trigger, on)) => trigger.level(on),
                None => DigitalOutputs(0),
            },
        }
    }

    fn duty_cycle(&self) -> DutyCycle {
        match self.session {
            // Unrecoverable safe state (guide 15.13, table 70).
            Session::Failed { .. } => DutyCycle::ZERO,
            Session::Ready | Session::Charging => {
                if self.inhibition().is_some()
                    || self.ventilation_is_refused()
                    || !self.offers_current()
                {
                    DutyCycle::FULL
                } else {
                    DutyCycle::offering(self.offered_limit())
                }
            }
            Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Withdrawing { .. }
            | Session::Finished(_) => DutyCycle::FULL,
        }
    }

    /// Guide 15.19, table 80: refused with 100 %, the plug stays locked. While a fan
    /// starts the offer stays, or the EV would no longer want it.
    pub(super) fn ventilation_is_refused(&self) -> bool {
        let available = match &self.second {
            Second::Fan(fan) => fan.is_available(),
            Second::Phases(_) => false,
        };
        self.pilot.state() == Some(CpState::D) && !self.config.always_accept_state_d && !available
    }

    pub(super) fn deadline(&self, now: Millis) -> Option<Deadline> {
        let withdrawal = match self.session {
            Session::Withdrawing { open_by, .. } => Some((open_by, "offer withdrawn")),
            Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Finished(_)
            | Session::Failed { .. } => None,
        };
        let lock = match &self.outlet {
            Outlet::Socket { lock, .. } => lock.deadline(),
            Outlet::FixedCable { .. } => None,
        };
        let (second, third) = match &self.second {
            Second::Fan(fan) => (fan.deadline(), None),
            Second::Phases(phases) => {
                let [switched, moved] = phases.deadlines();
                (switched, moved)
            }
        };
        let unlock = self.unlock_by.map(|by| (by, "unlock request"));
        self.pilot
            .deadlines()
            .into_iter()
            .chain([
                self.contactor.deadline(),
                self.limits.deadline(),
                withdrawal,
                lock,
                unlock,
                second,
                third,
                self.wake_up.deadline(),
                self.rcd.and_then(|rcd| rcd.deadline()),
                Some(self.wishes.deadline()),
            ])
            .flatten()
            .filter(|(at, _)| *at > now)
            .min_by_key(|(at, _)| *at)
    }

    /// Nothing has to be seen within milliseconds: no EV, and everything at rest. The
    /// first round that shows anything else ends it.
    pub(super) fn pace(&self, now: Millis) -> Pace {
        let lock_rests = match &self.outlet {
            Outlet::Socket { lock, .. } => lock.is_at_rest(LockPosition::Unlocked),
            Outlet::FixedCable { .. } => true,
        };
        let rests = self.session == Session::Vacant
            && self.pilot.shows_no_ev()
            && self.inhibition().is_none()
            && self.outlet_is_dead()
            && !self.relay_2()
            && lock_rests
            && self.rcd.is_none_or(|rcd| rcd.is_ready(now))
            && self.unlock_by.is_none();
        if rests { Pace::Relaxed } else { Pace::Brisk }
    }
}
