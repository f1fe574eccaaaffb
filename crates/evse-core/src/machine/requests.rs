//! What others ask for.

use super::{Machine, Outlet, Second};
use crate::phases::Phases;
use crate::session::{Finish, Session};
use crate::ventilation::Fan;
use crate::{Event, Events, Grant, LockPosition, Millis, Request, UnlockResult};

/// A request to unlock is answered in time for the 20 s of guide 3.4 table 14.
const UNLOCK_ANSWER_MS: u64 = 19_000;

impl Machine {
    pub(super) fn request(&mut self, now: Millis, request: Request, events: &mut Events) {
        match request {
            Request::DynamicLimit(slot, limit) => {
                self.limits.set_dynamic(slot, limit);
                events.push(Event::LimitReceived);
            }
            Request::RemoveDynamicLimit(slot) => {
                self.limits.remove_dynamic(slot);
                events.push(Event::LimitReceived);
            }
            Request::OcppLimit(limit) => {
                self.limits.set_ocpp(limit);
                events.push(Event::LimitReceived);
            }
            Request::Authorization(grant) => self.grant(grant),
            Request::CustomerOperation(wish) => self.wishes.set_customer(wish),
            Request::BackendOperation(wish) => self.wishes.set_backend(wish),
            Request::BrokerConnected => {
                self.limits.broker_connected();
                self.authorization.broker_connected();
                self.wishes.broker_connected(now);
            }
            Request::BrokerLost => {
                self.fan(Fan::broker_lost);
                self.limits.broker_lost(now);
                self.authorization.broker_lost(self.session.is_running());
            }
            Request::Unlock => self.unlock(now, events),
            Request::Phases(count) => self.phases(|phases| phases.set_target(count)),
            Request::PhaseSwitchDelay(delay_ms) => {
                self.phases(|phases| phases.set_delay(delay_ms));
            }
            Request::VentilationAvailable(available) => {
                self.fan(|fan| fan.announce_available(available));
            }
            Request::VentilationActual(runs) => self.fan(|fan| fan.announce_running(runs)),
            Request::VentilationTarget(on) => self.fan(|fan| fan.set_target(on)),
            Request::TestRcd => {
                if let Some(rcd) = &mut self.rcd {
                    rcd.request_test(now);
                }
            }
        }
    }

    fn fan(&mut self, tell: impl FnOnce(&mut Fan)) {
        match &mut self.second {
            Second::Fan(fan) => tell(fan),
            Second::Phases(_) => {}
        }
    }

    fn phases(&mut self, tell: impl FnOnce(&mut Phases)) {
        match &mut self.second {
            Second::Phases(phases) => tell(phases),
            Second::Fan(_) => {}
        }
    }

    fn grant(&mut self, grant: Grant) {
        let granted_before = self.authorization.is_granted();
        self.authorization.set(grant);
        let is_granted = self.authorization.is_granted();
        // A new grant is a new attempt with the plug as it is now; a permanent one
        // that the broker merely repeats is not new.
        let is_new = match grant {
            Grant::OneSession => is_granted,
            Grant::Permanent => is_granted && !granted_before,
            Grant::Revoked => false,
        };
        match self.session {
            Session::Finished(Finish::LockFailed(_)) if is_new => {
                self.session = Session::Connected;
            }
            // The driver is to have the plug: a grant that is merely said again, by a
            // broker or an application that repeats itself, does not take it back.
            Session::Finished(Finish::UnlockRequested { grant_ended: true }) if is_granted => {
                self.session = Session::Connected;
            }
            Session::Finished(Finish::UnlockRequested { .. }) if grant == Grant::Revoked => {
                let grant_ended = true;
                self.session = Session::Finished(Finish::UnlockRequested { grant_ended });
            }
            Session::Finished(_)
            | Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. }
            | Session::Failed { .. } => {}
        }
    }

    fn unlock(&mut self, now: Millis, events: &mut Events) {
        let Outlet::Socket { lock, .. } = &mut self.outlet else {
            events.push(Event::Unlock(UnlockResult::NotSupported));
            return;
        };
        if self.unlock_by.is_none() {
            self.unlock_by = Some(now.after(UNLOCK_ANSWER_MS));
        }
        match self.session {
            // Who unlocks doesn't want it locked again by the next step.
            Session::Connected
            | Session::Finished(Finish::UnlockRequested { .. } | Finish::LockFailed(_)) => {
                let grant_ended = !self.authorization.is_granted();
                self.session = Session::Finished(Finish::UnlockRequested { grant_ended });
                lock.retry(now, LockPosition::Unlocked);
            }
            Session::Finished(Finish::Emergency)
            | Session::Starting
            | Session::Vacant
            | Session::Failed { .. } => {
                lock.retry(now, LockPosition::Unlocked);
            }
            // Ends first, see Session::next.
            Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. } => {}
        }
    }
}
