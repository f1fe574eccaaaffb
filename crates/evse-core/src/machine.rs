//! The machine: everything that is known, and one entry point.
//!
//! All times in the state are deadlines that only ever ask "is it past?", so two
//! machines that differ only in deadlines long past behave the same.

use crate::alarm_input::AlarmInput;
use crate::authorization::Authorization;
use crate::availability::Wishes;
use crate::contactor::{Contactor, Relay};
use crate::limits::Limits;
use crate::lock::PlugLock;
use crate::phases::{Phases, Surroundings};
use crate::pilot::Pilot;
use crate::proximity::Proximity;
use crate::rcd::Rcd;
use crate::session::{Ev, Facts, Failure, Plug, Session};
use crate::ventilation::Fan;
use crate::wake_up::{Offer, WakeUpCall};
use crate::{
    Actuation, Amperes, Config, Connection, ContactorFault, CpState, Event, Events, Input, Inputs,
    LockPosition, Millis, PilotOutput, ProximityError, Sample, SecondRelay, SensorFault, Step,
    StopReason, UnlockResult,
};

mod outputs;
mod requests;
mod snapshot;

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

/// What hangs on relay 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Second {
    Fan(Fan),
    Phases(Phases),
}

/// The charge-state supervisor of one EVSE.
///
/// What forbids charging stands in [`Machine::inhibition`] and [`Machine::failure`],
/// what drives outputs in [`Machine::actuation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    config: Config,
    pilot: Pilot,
    outlet: Outlet,
    contactor: Contactor,
    second: Second,
    wake_up: WakeUpCall,
    rcd: Option<Rcd>,
    emergency: Option<AlarmInput>,
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
            contactor: Contactor::new(now, Relay::One, config.contactor_feedback),
            second: match config.relay_2 {
                SecondRelay::Ventilation(ventilation) => Second::Fan(Fan::new(ventilation)),
                SecondRelay::PhaseSwitch(switch) => Second::Phases(Phases::new(now, switch)),
            },
            wake_up: WakeUpCall::new(config.wake_up),
            rcd: match config.rcd {
                Some(monitor) => Some(Rcd::new(now, monitor)),
                None => None,
            },
            emergency: match config.emergency {
                Some(input) => Some(AlarmInput::new(now, input)),
                None => None,
            },
            limits: Limits::new(config.evse_limit, config.grid_limit, config.failsafe),
            authorization: Authorization::new(config.authentication),
            wishes: Wishes::new(now),
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
                self.look(now, sample.inputs, &mut events);
                true
            }
            Input::Inputs(inputs) => {
                self.look(now, inputs, &mut events);
                false
            }
            Input::Request(request) => {
                self.request(now, request, &mut events);
                false
            }
            Input::Tick => false,
        };
        self.watch_rcd(now);
        self.move_second(now, measured_now);
        self.settle(now, measured_now, &mut events);
        self.move_lock(now);
        self.settle(now, measured_now, &mut events);
        self.call_ev(now);
        self.answer_unlock(now, &mut events);
        let actuation = self.actuation();
        self.driven = actuation.pilot;
        Step {
            actuation,
            deadline: self.deadline(now),
            pace: self.pace(now),
            events,
        }
    }

    fn observe(&mut self, now: Millis, sample: &Sample) {
        self.contactor.observe(now, sample.inputs);
        match &mut self.second {
            Second::Fan(fan) => {
                fan.observe(sample.inputs);
                let accepts = self.config.always_accept_state_d || fan.serves();
                self.pilot.accept_state_d(accepts);
            }
            Second::Phases(phases) => phases.observe(now, sample.inputs, &self.contactor),
        }
        self.pilot.observe(now, sample, self.driven);
        self.authorization.observe(now, sample.inputs);
        match &mut self.outlet {
            Outlet::Socket { lock, proximity } => {
                lock.observe(sample);
                proximity.observe(now, sample.proximity);
            }
            Outlet::FixedCable { .. } => {}
        }
    }

    /// The inputs that can't wait for the next round.
    fn look(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>, events: &mut Events) {
        if let Some(emergency) = &mut self.emergency {
            emergency.observe(now, inputs);
        }
        if let Some(rcd) = &mut self.rcd {
            rcd.observe(now, inputs, events);
        }
    }

    /// A trip is judged by whether an EV is connected: not in E and F, and where
    /// the pilot can't be trusted as it was before.
    fn watch_rcd(&mut self, now: Millis) {
        let ev = match self.pilot.state() {
            None if self.session.has_ev() => Ev::Present,
            Some(_) | None => self.ev(),
        };
        let contactor_open = self.outlet_is_dead();
        if let Some(rcd) = &mut self.rcd {
            rcd.advance(now, ev, contactor_open);
        }
    }

    fn move_second(&mut self, now: Millis, measured_now: bool) {
        let facts = self.facts(now, measured_now);
        let failed = matches!(self.session, Session::Failed { .. });
        let ventilates = self.pilot.state() == Some(CpState::D)
            && facts.inhibition.is_none()
            && self.session.offers();
        match &mut self.second {
            Second::Fan(fan) => {
                fan.want(now, ventilates);
                if failed {
                    fan.shut_down();
                }
            }
            Second::Phases(phases) => {
                let around = Surroundings {
                    first: &self.contactor,
                    power_wanted: self.session.wants_power(&facts),
                    measured_now,
                    session_runs: self.session.is_running(),
                };
                phases.advance(now, &around);
            }
        }
    }

    /// Wakes an EV that sleeps through an offer.
    fn call_ev(&mut self, now: Millis) {
        let offer = if self.session.closes_contactor() {
            Offer::Taken
        } else if self.phases_switching() {
            Offer::Switching
        } else if self.session == Session::Ready
            && self.inhibition().is_none()
            && self.offers_current()
        {
            Offer::Open
        } else {
            Offer::None
        };
        self.wake_up.advance(now, offer, self.pilot.state());
    }

    /// Both contactors are commanded open and proven so: the plug may be unlocked
    /// (S4), the residual current device tested.
    fn outlet_is_dead(&self) -> bool {
        self.contactor.is_proven_open()
            && match &self.second {
                Second::Fan(_) => true,
                Second::Phases(phases) => phases.is_proven_open(),
            }
    }

    /// The level of relay 2: no fan in the unrecoverable safe state, and a second
    /// contactor only after the first one.
    fn relay_2(&self) -> bool {
        match &self.second {
            Second::Fan(fan) => fan.is_on() && !matches!(self.session, Session::Failed { .. }),
            Second::Phases(phases) => phases.is_commanded_closed(),
        }
    }

    fn contactor_fault(&self) -> Option<ContactorFault> {
        self.contactor.fault().or(match &self.second {
            Second::Fan(_) => None,
            Second::Phases(phases) => phases.fault(),
        })
    }

    fn phases_switching(&self) -> bool {
        match &self.second {
            Second::Fan(_) => false,
            Second::Phases(phases) => phases.is_switching(),
        }
    }

    /// Moves the session on until nothing changes any more.
    fn settle(&mut self, now: Millis, measured_now: bool, events: &mut Events) {
        // The longest chain has four links; the bound only guards against a mistake.
        for _ in 0..8 {
            self.judge_cable();
            self.wishes.combine(now, self.session == Session::Vacant);
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
        if (before, next) == (Session::Securing, Session::Ready) {
            self.wake_up.authorize();
        }
        // Guide 15.15.3: before each session.
        if let (Session::Vacant, Session::Connected, Some(rcd)) = (before, next, &mut self.rcd) {
            rcd.request_test(now);
        }
    }

    fn move_lock(&mut self, now: Millis) {
        let target = self.lock_target();
        let may_unlock = self.outlet_is_dead();
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
            current_available: self.offers_current(),
            granted: self.authorization.is_granted() && !self.wishes.forbid_running(now),
            may_start: self.authorization.may_start()
                && self.wishes.allow_start(now)
                && self.cable_is_valid(),
            unlock_requested: self.unlock_by.is_some(),
            plug: self.plug(),
            inhibition: self.inhibition(),
            failure: self.failure(),
            emergency: self.emergency_is_active(),
            rcd_ready: self.rcd.is_none_or(|rcd| rcd.is_ready(now)),
            ventilation_refused: self.ventilation_is_refused(),
            phases_switching: self.phases_switching(),
            contactor_open: self.outlet_is_dead(),
            contactor_may_close: self.contactor.may_close(now),
            second_contactor_ready: match &self.second {
                Second::Fan(_) => true,
                Second::Phases(phases) => phases.is_ready(now),
            },
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

    /// What is unrecoverable, the strongest first (guide 15.13).
    fn failure(&self) -> Option<Failure> {
        if let Some(fault) = self.contactor_fault() {
            return Some(Failure::Contactor(fault));
        }
        if let Some(error) = self.rcd.and_then(|rcd| rcd.failure(self.ev())) {
            return Some(Failure::Rcd(error));
        }
        self.emergency_is_active().then_some(Failure::Emergency)
    }

    fn emergency_is_active(&self) -> bool {
        self.emergency.is_some_and(|input| input.is_active())
    }

    /// What forbids charging but can go away by itself: the recoverable safe
    /// state (guide 15.13), and what one look at an input makes suspicious.
    fn inhibition(&self) -> Option<StopReason> {
        if self.emergency.is_some_and(|input| input.is_suspicious()) {
            return Some(StopReason::EmergencyShutdown);
        }
        if let Some(error) = self.rcd.and_then(|rcd| rcd.inhibition()) {
            return Some(StopReason::RcdError(error));
        }
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

    /// The limits allow it, and nothing that is over soon speaks against it.
    fn offers_current(&self) -> bool {
        let is_testing = self.rcd.is_some_and(|rcd| rcd.is_testing());
        self.current_available() && !is_testing && !self.phases_switching()
    }

    fn lock_target(&self) -> LockPosition {
        match &self.outlet {
            Outlet::Socket { .. } if self.session.locks_plug() => LockPosition::Locked,
            Outlet::Socket { .. } | Outlet::FixedCable { .. } => LockPosition::Unlocked,
        }
    }
}
