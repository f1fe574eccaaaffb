//! The state as others see it.

use super::{Machine, Outlet, Second};
use crate::session::{Finish, Session};
use crate::{Availability, ContactorPosition, PhaseCount, SessionState, Status, VentilationStatus};

impl Machine {
    /// A snapshot of everything that gets published.
    pub fn status(&self) -> Status {
        let (lock, failure, proximity_error, cable_limit) = match &self.outlet {
            Outlet::Socket { lock, proximity } => (
                lock.position(),
                lock.failure(),
                proximity.error(),
                proximity.limit(),
            ),
            Outlet::FixedCable { .. } => (None, None, None, None),
        };
        Status {
            cp_state: self.pilot.state(),
            pilot: self.driven,
            pilot_fault: self.pilot.fault(),
            contactor_target: self.contactor.is_commanded_closed(),
            contactor: self.contactor.position(),
            contactor_fault: self.contactor_fault(),
            relay_2: self.relay_2(),
            ventilation_refused: self.ventilation_is_refused(),
            ventilation: match &self.second {
                Second::Fan(fan) => fan.status(),
                Second::Phases(_) => VentilationStatus {
                    available: Some(false),
                    ..VentilationStatus::default()
                },
            },
            phases: self.phases_through(),
            rcd_error: self.rcd.and_then(|rcd| rcd.error()),
            emergency: self.emergency_holds(),
            lock_target: self.lock_target(),
            lock,
            lock_failure: match self.session {
                // A plug that could not be locked is released; the report stays.
                Session::Finished(Finish::LockFailed(failed))
                | Session::Failed {
                    then: Some(Finish::LockFailed(failed)),
                    ..
                } => failure.or(Some(failed)),
                Session::Finished(Finish::UnlockRequested { .. } | Finish::Emergency)
                | Session::Starting
                | Session::Vacant
                | Session::Connected
                | Session::Securing
                | Session::Ready
                | Session::Charging
                | Session::Withdrawing { .. }
                | Session::Failed { .. } => failure,
            },
            proximity_error,
            cable_limit,
            physical_limit: self.limits.physical(self.cable_limit()),
            offered_limit: self.offered_limit(),
            availability: self.wishes.result(),
            authorized: self.authorization.is_granted(),
            session: self.session_state(),
            stop_reason: self.stop_reason,
        }
    }

    fn session_state(&self) -> SessionState {
        let inoperative = self.wishes.result() == Availability::Inoperative;
        match self.session {
            Session::Starting => SessionState::Inoperative,
            Session::Failed { .. }
            | Session::Finished(Finish::LockFailed(_) | Finish::Emergency) => SessionState::Faulted,
            Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. }
            | Session::Finished(Finish::UnlockRequested { .. })
                if self.inhibition().is_some() =>
            {
                SessionState::Faulted
            }
            Session::Vacant | Session::Connected if inoperative => SessionState::Inoperative,
            Session::Vacant if self.authorization.awaits_ev() => SessionState::Authorized,
            Session::Vacant => SessionState::Idle,
            Session::Connected
            | Session::Securing
            | Session::Finished(Finish::UnlockRequested { .. }) => SessionState::Connected,
            Session::Ready => {
                let offers = self.offers_current() && !self.ventilation_is_refused();
                if offers && !self.pilot.energy_requested() {
                    SessionState::SuspendedEv
                } else {
                    SessionState::SuspendedEvse
                }
            }
            Session::Charging | Session::Withdrawing { .. } => SessionState::Charging,
        }
    }

    /// Both contactors as sensed: the first one carries L1, the second one the rest.
    fn phases_through(&self) -> Option<Option<PhaseCount>> {
        let Second::Phases(phases) = &self.second else {
            return None;
        };
        let live = match self.contactor.position() {
            ContactorPosition::Closed => true,
            ContactorPosition::Opened => false,
            ContactorPosition::Unknown => self.contactor.is_commanded_closed(),
        };
        Some(live.then_some(phases.count()))
    }

    fn emergency_holds(&self) -> bool {
        let waits = match self.session {
            Session::Finished(finish)
            | Session::Failed {
                then: Some(finish), ..
            } => finish == Finish::Emergency,
            Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. }
            | Session::Failed { then: None, .. } => false,
        };
        self.emergency_is_active() || waits
    }
}
