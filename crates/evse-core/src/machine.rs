//! The machine: everything that is known, and one entry point.
//!
//! All times in the state are deadlines that only ever ask "is it past?", so two
//! machines that differ only in deadlines long past behave the same.

use crate::authorization::Authorization;
use crate::availability::Wishes;
use crate::contactor::Contactor;
use crate::limits::Limits;
use crate::lock::PlugLock;
use crate::pilot::Pilot;
use crate::proximity::Proximity;
use crate::session::{Ev, Facts, Finish, Plug, Session};
use crate::step::Deadline;
use crate::{
    Actuation, Amperes, Availability, Config, Connection, CpState, DigitalOutputs, DutyCycle,
    Event, Events, Grant, Input, LockDrive, LockPosition, Millis, PilotOutput, ProximityError,
    Request, Sample, SessionState, Status, Step, StopReason, UnlockResult,
};

/// A request to unlock is answered in time for the 20 s of guide 3.4 table 14.
const UNLOCK_ANSWER_MS: u64 = 19_000;

/// Socket or attached cable, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outlet {
    Socket {
        lock: PlugLock,
        proximity: Proximity,
    },
    FixedCable {
        limit: Amperes,
    },
}

/// The charge-state supervisor of one EVSE.
///
/// RCD monitor and test, emergency input, ventilation, phase switching, wake-up
/// pulses and LEDs join as further fields: those that forbid charging in
/// [`Machine::inhibition`], those that drive outputs in [`Machine::actuation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    config: Config,
    pilot: Pilot,
    outlet: Outlet,
    contactor: Contactor,
    limits: Limits,
    authorization: Authorization,
    wishes: Wishes,
    session: Session,
    stop_reason: Option<StopReason>,
    /// A request to unlock waits for its answer, at the latest until then.
    unlock_by: Option<Millis>,
    /// What the last step put on the pilot, hence what the next round measures.
    driven: PilotOutput,
}

impl Machine {
    /// The machine at process start, when [`Actuation::SAFE`] is on the outputs.
    pub const fn new(config: Config, now: Millis) -> Self {
        Self {
            config,
            pilot: Pilot::new(now, config.always_accept_state_d),
            outlet: match config.connection {
                Connection::Socket { lock } => Outlet::Socket {
                    lock: PlugLock::new(now, lock),
                    proximity: Proximity::new(),
                },
                Connection::FixedCable { limit } => Outlet::FixedCable { limit },
            },
            contactor: Contactor::new(now, config.contactor_feedback),
            limits: Limits::new(config.evse_limit, config.grid_limit, config.failsafe),
            authorization: Authorization::new(config.authentication),
            wishes: Wishes::new(),
            session: Session::Starting,
            stop_reason: None,
            unlock_by: None,
            driven: Actuation::SAFE.pilot,
        }
    }

    /// Takes one input and says what the outputs are from now on.
    ///
    /// `now` never runs backwards. Samples come at least every 100 ms, better
    /// every 10 ms; the machine takes their absence for a fault.
    pub fn step(&mut self, now: Millis, input: Input) -> Step {
        let mut events = Events::default();
        self.pilot.expire(now);
        self.contactor.expire(now);
        self.limits.expire(now);
        let measured_now = match input {
            Input::Sample(sample) => {
                self.observe(now, &sample);
                true
            }
            Input::Request(request) => {
                self.request(now, request, &mut events);
                false
            }
            Input::Tick => false,
        };
        self.settle(now, measured_now, &mut events);
        self.move_lock(now);
        self.settle(now, measured_now, &mut events);
        self.answer_unlock(now, &mut events);
        let actuation = self.actuation();
        self.driven = actuation.pilot;
        Step {
            actuation,
            deadline: self.deadline(now),
            events,
        }
    }

    fn observe(&mut self, now: Millis, sample: &Sample) {
        self.pilot.observe(now, sample.pilot, self.driven);
        self.contactor.observe(now, sample.inputs);
        self.authorization.observe(now, sample.inputs);
        match &mut self.outlet {
            Outlet::Socket { lock, proximity } => {
                lock.observe(sample);
                proximity.observe(now, sample.proximity);
            }
            Outlet::FixedCable { .. } => {}
        }
    }

    fn request(&mut self, now: Millis, request: Request, events: &mut Events) {
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
            }
            Request::BrokerLost => {
                self.limits.broker_lost(now);
                self.authorization.broker_lost(self.session.is_running());
            }
            Request::Unlock => self.unlock(now, events),
        }
    }

    fn grant(&mut self, grant: Grant) {
        let granted_before = self.authorization.is_granted();
        self.authorization.set(grant);
        // A new grant is a new attempt with the plug as it is now; a permanent one
        // that the broker merely repeats is not new.
        let is_new = match grant {
            Grant::OneSession => self.authorization.is_granted(),
            Grant::Permanent => self.authorization.is_granted() && !granted_before,
            Grant::Revoked => false,
        };
        match self.session {
            Session::Finished(_) if is_new => self.session = Session::Connected,
            Session::Finished(_)
            | Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. }
            | Session::Failed(_) => {}
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
            Session::Connected | Session::Finished(_) => {
                self.session = Session::Finished(Finish::UnlockRequested);
                lock.retry(now, LockPosition::Unlocked);
            }
            Session::Starting | Session::Vacant | Session::Failed(_) => {
                lock.retry(now, LockPosition::Unlocked);
            }
            // Ends first, see Session::next.
            Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. } => {}
        }
    }

    /// Moves the session on until nothing changes any more.
    fn settle(&mut self, now: Millis, measured_now: bool, events: &mut Events) {
        // The longest chain has four links; the bound only guards against a mistake.
        for _ in 0..8 {
            self.judge_cable();
            self.wishes.combine(self.session == Session::Vacant);
            let Some((next, reason)) = self.session.next(now, &self.facts(now, measured_now))
            else {
                return;
            };
            self.enter(now, next, reason, events);
        }
    }

    /// The proximity pilot counts while the control pilot says that an EV is there.
    fn judge_cable(&mut self) {
        let (ev, held) = (self.ev(), self.session.is_running());
        match (&mut self.outlet, ev) {
            (Outlet::Socket { proximity, .. }, Ev::Present) => proximity.judge(true, held),
            (Outlet::Socket { proximity, .. }, Ev::Absent) => proximity.judge(false, held),
            (Outlet::Socket { .. }, Ev::Unclear) | (Outlet::FixedCable { .. }, _) => {}
        }
    }

    fn enter(
        &mut self,
        now: Millis,
        next: Session,
        reason: Option<StopReason>,
        events: &mut Events,
    ) {
        let before = self.session;
        self.session = next;
        self.stop_reason = reason.or(self.stop_reason);
        if next.closes_contactor() {
            if !self.contactor.is_commanded_closed() {
                self.contactor.close(now);
            }
        } else {
            self.contactor.open(now);
        }
        if next == Session::Charging {
            self.stop_reason = None;
            events.push(Event::ChargingStarted);
        }
        if let (Session::Charging, Some(reason)) = (before, reason) {
            events.push(Event::ChargingStopped(reason));
        }
        match (before.is_running(), next.is_running(), self.stop_reason) {
            (false, true, _) => {
                self.stop_reason = None;
                events.push(Event::SessionStarted);
            }
            (true, false, Some(reason)) => events.push(Event::SessionEnded(reason)),
            (true, false, None) | (true, true, _) | (false, false, _) => {}
        }
        if next == Session::Vacant && before != Session::Starting {
            self.authorization.use_up();
        }
    }

    fn move_lock(&mut self, now: Millis) {
        let target = self.lock_target();
        let may_unlock = self.contactor.is_proven_open();
        match &mut self.outlet {
            Outlet::Socket { lock, .. } => lock.advance(now, target, may_unlock),
            Outlet::FixedCable { .. } => {}
        }
    }

    fn answer_unlock(&mut self, now: Millis, events: &mut Events) {
        let (Some(by), Outlet::Socket { lock, .. }) = (self.unlock_by, &self.outlet) else {
            return;
        };
        let releasing = !self.session.locks_plug();
        let result = if releasing && lock.is_at_rest(LockPosition::Unlocked) {
            UnlockResult::Unlocked
        } else if now >= by || (releasing && lock.is_stuck()) {
            UnlockResult::Failed
        } else {
            return;
        };
        self.unlock_by = None;
        events.push(Event::Unlock(result));
    }

    fn facts(&self, now: Millis, measured_now: bool) -> Facts {
        Facts {
            ev: self.ev(),
            pilot_known: self.pilot.state().is_some() || self.pilot.fault().is_some(),
            cp_state: self.pilot.state(),
            energy_requested: self.pilot.energy_requested(),
            offer_answered: self.pilot.answers_offer(),
            measured_now,
            current_available: self.current_available(),
            granted: self.authorization.is_granted(),
            may_start: self.authorization.may_start()
                && self.wishes.result() == Availability::Operative
                && self.cable_is_valid(),
            unlock_requested: self.unlock_by.is_some(),
            plug: self.plug(),
            inhibition: self.inhibition(),
            contactor_fault: self.contactor.fault(),
            contactor_open: self.contactor.is_proven_open(),
            contactor_may_close: self.contactor.may_close(now),
        }
    }

    fn ev(&self) -> Ev {
        match self.pilot.state() {
            Some(CpState::A) => Ev::Absent,
            Some(CpState::B | CpState::C | CpState::D) => Ev::Present,
            Some(CpState::E | CpState::F) | None => Ev::Unclear,
        }
    }

    fn plug(&self) -> Plug {
        match &self.outlet {
            Outlet::FixedCable { .. } => Plug::Secured,
            Outlet::Socket { lock, .. } => match lock.failure() {
                Some(failure) if lock.is_stuck() => Plug::Stuck(failure),
                Some(_) => Plug::Moving,
                None if !lock.is_at_rest(LockPosition::Locked) => Plug::Moving,
                None if lock.shows_locked() => Plug::Secured,
                None => Plug::Doubtful,
            },
        }
    }

    fn cable_is_valid(&self) -> bool {
        match &self.outlet {
            Outlet::FixedCable { .. } => true,
            Outlet::Socket { proximity, .. } => proximity.is_valid(),
        }
    }

    /// What forbids charging but can go away by itself: the recoverable safe
    /// state (guide 15.13). RCD and emergency input belong here.
    fn inhibition(&self) -> Option<StopReason> {
        if let Some(fault) = self.pilot.fault() {
            return Some(StopReason::PilotFault(fault));
        }
        match self.pilot.state() {
            Some(CpState::E) => return Some(StopReason::PilotShort),
            Some(CpState::F) => return Some(StopReason::PilotNegative),
            Some(CpState::A | CpState::B | CpState::C | CpState::D) | None => {}
        }
        let Outlet::Socket { lock, proximity } = &self.outlet else {
            return None;
        };
        if let Some(failure) = lock.failure() {
            return Some(StopReason::LockFailure(failure));
        }
        match proximity.error() {
            Some(error @ (ProximityError::NoCable | ProximityError::Invalid)) => {
                Some(StopReason::ProximityError(error))
            }
            Some(ProximityError::Changed) | None => None,
        }
    }

    /// The cable's part in the minimum of all limits.
    fn cable_limit(&self) -> Option<Amperes> {
        match &self.outlet {
            Outlet::FixedCable { limit } => Some(*limit),
            Outlet::Socket { proximity, .. } => proximity.limit(),
        }
    }

    fn offered_limit(&self) -> Amperes {
        self.limits.offered(self.cable_limit())
    }

    fn current_available(&self) -> bool {
        self.offered_limit() >= Amperes::MINIMUM_OFFER
    }

    fn lock_target(&self) -> LockPosition {
        match &self.outlet {
            Outlet::Socket { .. } if self.session.locks_plug() => LockPosition::Locked,
            Outlet::Socket { .. } | Outlet::FixedCable { .. } => LockPosition::Unlocked,
        }
    }

    /// The levels that follow from the state. Relay 2 belongs to ventilation and
    /// phase switching, the push-pull outputs to the RCD test and the LEDs.
    fn actuation(&self) -> Actuation {
        Actuation {
            pilot: PilotOutput::Duty(self.duty_cycle()),
            relay_1: self.contactor.is_commanded_closed(),
            relay_2: false,
            lock_drive: match &self.outlet {
                Outlet::Socket { lock, .. } => lock.drive(),
                Outlet::FixedCable { .. } => LockDrive::Coast,
            },
            outputs: DigitalOutputs(0),
        }
    }

    fn duty_cycle(&self) -> DutyCycle {
        match self.session {
            // Unrecoverable safe state (guide 15.13, table 70).
            Session::Failed(_) => DutyCycle::ZERO,
            Session::Ready | Session::Charging => {
                if self.inhibition().is_some() || self.ventilation_is_refused() {
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

    /// Guide 15.19, table 80: refused with 100 %, the plug stays locked.
    fn ventilation_is_refused(&self) -> bool {
        self.pilot.state() == Some(CpState::D) && !self.config.always_accept_state_d
    }

    fn deadline(&self, now: Millis) -> Option<Deadline> {
        let withdrawal = match self.session {
            Session::Withdrawing { open_by, .. } => Some((open_by, "offer withdrawn")),
            Session::Starting
            | Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Finished(_)
            | Session::Failed(_) => None,
        };
        let lock = match &self.outlet {
            Outlet::Socket { lock, .. } => lock.deadline(),
            Outlet::FixedCable { .. } => None,
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
            ])
            .flatten()
            .filter(|(at, _)| *at > now)
            .min_by_key(|(at, _)| *at)
    }

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
            contactor_fault: self.contactor.fault(),
            lock_target: self.lock_target(),
            lock,
            lock_failure: match self.session {
                // A plug that could not be locked is released; the report stays.
                Session::Finished(Finish::LockFailed(failed)) => failure.or(Some(failed)),
                Session::Finished(Finish::UnlockRequested)
                | Session::Starting
                | Session::Vacant
                | Session::Connected
                | Session::Securing
                | Session::Ready
                | Session::Charging
                | Session::Withdrawing { .. }
                | Session::Failed(_) => failure,
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
            Session::Failed(_) | Session::Finished(Finish::LockFailed(_)) => SessionState::Faulted,
            Session::Vacant
            | Session::Connected
            | Session::Securing
            | Session::Ready
            | Session::Charging
            | Session::Withdrawing { .. }
            | Session::Finished(Finish::UnlockRequested)
                if self.inhibition().is_some() =>
            {
                SessionState::Faulted
            }
            Session::Vacant | Session::Connected if inoperative => SessionState::Inoperative,
            Session::Vacant if self.authorization.awaits_ev() => SessionState::Authorized,
            Session::Vacant => SessionState::Idle,
            Session::Connected | Session::Securing | Session::Finished(Finish::UnlockRequested) => {
                SessionState::Connected
            }
            Session::Ready => {
                let offers = self.current_available() && !self.ventilation_is_refused();
                if offers && !self.pilot.energy_requested() {
                    SessionState::SuspendedEv
                } else {
                    SessionState::SuspendedEvse
                }
            }
            Session::Charging | Session::Withdrawing { .. } => SessionState::Charging,
        }
    }
}
