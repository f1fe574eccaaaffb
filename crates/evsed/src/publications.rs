//! The machine's status as topics: every change once, all of it at start.

use chrono::{SecondsFormat, Utc};
use daemon_kit::Publisher;
use evse_core::{
    Amperes, Availability, Config, ContactorPosition, CpState, DutyCycle, LockFailure,
    LockPosition, PhaseCount, PilotFault, PilotOutput, ProximityError, RcdError, SessionState,
    Status, StopReason, UnlockResult,
};
use topic_map as topics;
use topic_map::{
    ContactorStatus, DutyPercent, OfferedCurrent, PhaseActual, PlugLockFailure, PlugStatus,
    SessionFault, Timestamp, Topic, UnlockAnswer, WholeAmperes, WholeCurrentLimit,
};

use crate::control::Happened;

/// Publishes what has changed since the last status.
pub(crate) struct Publications {
    bus: Publisher,
    last: Option<(Status, Happened)>,
    unlocks: u64,
}

impl Publications {
    /// Publishes what never changes: ratings, equipment.
    pub(crate) fn new(bus: Publisher, config: &Config) -> Self {
        bus.publish(
            &topics::EVSE_GRID_CURRENT_LIMIT_ACTUAL,
            &whole(config.grid_limit),
        );
        bus.publish(
            &topics::EVSE_EVSE_CURRENT_LIMIT_ACTUAL,
            &whole(config.evse_limit),
        );
        bus.publish(
            &topics::CHARGE_INIT_PROTOCOL,
            &topics::ChargeProtocol::Iec61851,
        );
        let is_tested = config.rcd.is_some_and(|rcd| rcd.test.is_some());
        bus.publish(&topics::RCD_FEEDBACK_AVAILABLE, &config.rcd.is_some());
        bus.publish(&topics::RCD_TEST_AVAILABLE, &is_tested);
        Self {
            bus,
            last: None,
            unlocks: 0,
        }
    }

    /// The answer to requests to unlock, when there is a new one.
    pub(crate) fn unlock_answered(&mut self, happened: Happened) -> Option<UnlockResult> {
        let is_new = std::mem::replace(&mut self.unlocks, happened.unlocks) != happened.unlocks;
        happened.unlock.filter(|_| is_new)
    }

    /// Answers the requests to unlock with these identifications.
    pub(crate) fn answer_unlock(&self, ids: Vec<String>, result: UnlockResult) {
        let result = match result {
            UnlockResult::Unlocked => topics::UnlockResult::Unlocked,
            UnlockResult::Failed => topics::UnlockResult::Failed,
            UnlockResult::NotSupported => topics::UnlockResult::NotSupported,
        };
        for id in ids {
            let answer = UnlockAnswer { id, result };
            self.bus.publish(&topics::PLUG_LOCK_UNLOCK_RESULT, &answer);
        }
    }

    /// Publish a status and what has `happened` so far.
    /// False while the machine is still starting and there is nothing to tell.
    pub(crate) fn publish(&mut self, status: &Status, happened: Happened) -> bool {
        if self.last.is_none() && is_starting(status) {
            return false;
        }
        let last = self.last.replace((*status, happened));
        let happened_before = last.map_or(Happened::default(), |(_, happened)| happened);
        let before = last.as_ref().map(|(status, _)| status);
        // A condition that begins is told before the session's state, one that ends after it:
        // who sees a faulted session finds its cause, and the rest up to date.
        let tested = happened.rcd_tests != happened_before.rcd_tests;
        self.publish_causes(Turn::Begins, before, status, tested);
        self.condition(Turn::Begins, before, status, &topics::EVSE_FAULT, fault);
        self.change(before, status, &topics::AVAILABILITY_ACTUAL, |s| {
            availability(s.availability)
        });
        self.change(before, status, &topics::CABLE_CURRENT_LIMIT, |s| {
            cable(s.cable_limit)
        });
        self.change(
            before,
            status,
            &topics::EVSE_BASIC_PHYSICAL_CURRENT_LIMIT,
            |s| whole(s.physical_limit),
        );
        if happened.limits != happened_before.limits {
            // Also the acknowledgement of a limit that changes nothing (guide 15.16).
            self.bus
                .publish(&topics::EVSE_BASIC_OFFERED_CURRENT_LIMIT, &offered(status));
        } else {
            self.change(
                before,
                status,
                &topics::EVSE_BASIC_OFFERED_CURRENT_LIMIT,
                offered,
            );
        }
        self.change_some(before, status, &topics::VENTILATION_AVAILABLE, |s| {
            s.ventilation.available
        });
        self.change_some(before, status, &topics::VENTILATION_STATE_TARGET, |s| {
            s.ventilation.target
        });
        self.change_some(before, status, &topics::VENTILATION_STATE_ACTUAL, |s| {
            s.ventilation.actual
        });
        self.change_some(before, status, &topics::EVSE_PHASE_ACTUAL, |s| {
            s.phases.map(phases)
        });
        self.change(before, status, &topics::CHARGE_CP_STATUS, |s| {
            cp_state(s.cp_state)
        });
        self.change(before, status, &topics::CHARGE_PWM_STATUS, |s| {
            duty(s.pilot)
        });
        self.change(before, status, &topics::CP_DUTY_CYCLE, |s| duty(s.pilot));
        self.change(before, status, &topics::PLUG_LOCK, |s| {
            s.lock_target == LockPosition::Locked
        });
        self.change(before, status, &topics::CHARGE_PLUG_STATUS, |s| {
            plug(s.lock)
        });
        self.change(before, status, &topics::CONTACTOR_STATE_TARGET, |s| {
            s.contactor_target
        });
        // It knows no word for unknown: the last that was sensed stays.
        self.change_some(
            before,
            status,
            &topics::CONTACTOR_STATE_ACTUAL,
            |s| match s.contactor {
                ContactorPosition::Closed => Some(true),
                ContactorPosition::Opened => Some(false),
                ContactorPosition::Unknown => None,
            },
        );
        self.change(before, status, &topics::CHARGE_CONTACTOR_STATUS, |s| {
            contactor(s.contactor)
        });
        self.change(before, status, &topics::CHARGING, |s| s.contactor_target);
        self.change(before, status, &topics::SESSION_STOP_REASON, |s| {
            stop_reason(s.stop_reason)
        });
        self.change(before, status, &topics::SESSION_STATE, |s| {
            session(s.session)
        });
        self.condition(Turn::Ends, before, status, &topics::EVSE_FAULT, fault);
        self.publish_causes(Turn::Ends, before, status, tested);
        if before.is_none() {
            // The guide's sign that the charging software is operational (15.5.2).
            let version = env!("CARGO_PKG_VERSION").to_owned();
            self.bus
                .publish(&topics::GLOBAL_VERSION_CHARGING_SOFTWARE, &version);
        }
        log_change(before, status);
        true
    }

    /// The conditions of guide 3.3.4, those of this `turn` only.
    fn publish_causes(&self, turn: Turn, before: Option<&Status>, status: &Status, tested: bool) {
        self.condition(turn, before, status, &topics::CONTACTOR_ERROR, |s| {
            s.contactor_fault.is_some()
        });
        self.condition(turn, before, status, &topics::EMERGENCY_SHUTDOWN, |s| {
            s.emergency
        });
        if turn == Turn::of(status.rcd_error.is_some()) {
            self.publish_rcd(before, status, tested);
        }
        let lock = &topics::PLUG_LOCK_PERMANENT_FAILURE;
        self.condition(turn, before, status, lock, |s| {
            s.lock_failure.map(lock_failure)
        });
        let proximity = &topics::SESSION_PROXIMITY_ERROR;
        self.condition(turn, before, status, proximity, |s| {
            s.proximity_error.map(proximity_error)
        });
    }

    /// As [`Self::change`], of a condition that is its type's default while all is well.
    fn condition<T: topic_map::Payload + PartialEq + Default>(
        &self,
        turn: Turn,
        before: Option<&Status>,
        now: &Status,
        topic: &Topic<T>,
        value: impl Fn(&Status) -> T,
    ) {
        if turn == Turn::of(value(now) != T::default()) {
            self.change(before, now, topic, value);
        }
    }

    /// The end of a test is told even if it changes nothing (guide 15.15.5 table 73).
    fn publish_rcd(&self, before: Option<&Status>, status: &Status, test_ended: bool) {
        self.change(before, status, &topics::RCD_STATE_ACTUAL, |s| {
            match s.rcd_error {
                Some(RcdError::GroundFailure | RcdError::Spurious) => false,
                Some(RcdError::TestFailed) | None => true,
            }
        });
        if !test_ended {
            self.change(before, status, &topics::RCD_ERROR, |s| {
                s.rcd_error.map(rcd_error)
            });
            return;
        }
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        if let Some(now) = Timestamp::new(&now) {
            self.bus.publish(&topics::RCD_TEST_TIMESTAMP, &now);
        }
        let error = status.rcd_error.map(rcd_error);
        self.bus.publish(&topics::RCD_ERROR, &error);
    }

    /// What holds once the process is gone (guide 15.13 table 70). Nobody measures then: what
    /// was sensed last would read like a welded contactor until the next start. It stays where
    /// it may be one: after a contactor error, and where the board refused the safe outputs.
    pub(crate) fn publish_safe(&self, outputs_are_safe: bool) {
        if let Some((last, _)) = &self.last {
            if last.ventilation.target.is_some() {
                self.bus.publish(&topics::VENTILATION_STATE_TARGET, &false);
            }
            if outputs_are_safe && last.contactor_fault.is_none() {
                self.publish_at_rest(last);
            }
        }
        self.bus.publish(&topics::CHARGE_PLUG_STATUS, &plug(None));
        self.bus.publish(
            &topics::CHARGE_CONTACTOR_STATUS,
            &contactor(ContactorPosition::Unknown),
        );
        self.bus.publish(&topics::PLUG_LOCK, &false);
        let zero = duty(PilotOutput::Duty(DutyCycle::ZERO));
        self.bus.publish(&topics::CONTACTOR_STATE_TARGET, &false);
        self.bus.publish(&topics::CHARGING, &false);
        self.bus.publish(&topics::CP_DUTY_CYCLE, &zero);
        self.bus.publish(&topics::CHARGE_PWM_STATUS, &zero);
        self.bus
            .publish(&topics::SESSION_STOP_REASON, &topics::StopReason::Restart);
        self.bus
            .publish(&topics::SESSION_STATE, &topics::SessionState::Inoperative);
    }

    /// What follows from relays that are off and a pilot that rests at -12 V.
    fn publish_at_rest(&self, last: &Status) {
        self.bus
            .publish(&topics::CHARGE_CP_STATUS, &topics::CpState::F);
        if last.contactor != ContactorPosition::Unknown {
            self.bus.publish(&topics::CONTACTOR_STATE_ACTUAL, &false);
        }
        if last.ventilation.actual.is_some() {
            self.bus.publish(&topics::VENTILATION_STATE_ACTUAL, &false);
        }
        if last.phases.is_some() {
            self.bus.publish(&topics::EVSE_PHASE_ACTUAL, &phases(None));
        }
    }

    /// As [`Self::change`], for what may be another party's to publish.
    fn change_some<T: topic_map::Payload + PartialEq>(
        &self,
        before: Option<&Status>,
        now: &Status,
        topic: &Topic<T>,
        value: impl Fn(&Status) -> Option<T>,
    ) {
        let value_now = value(now);
        if let Some(told) = &value_now
            && before.and_then(value).as_ref() != Some(told)
        {
            self.bus.publish(topic, told);
        }
    }

    fn change<T: topic_map::Payload + PartialEq>(
        &self,
        before: Option<&Status>,
        now: &Status,
        topic: &Topic<T>,
        value: impl Fn(&Status) -> T,
    ) {
        let value_now = value(now);
        if before.map(value).as_ref() != Some(&value_now) {
            self.bus.publish(topic, &value_now);
        }
    }
}

/// Which way a condition has turned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Begins,
    Ends,
}

impl Turn {
    const fn of(is_raised: bool) -> Self {
        if is_raised { Self::Begins } else { Self::Ends }
    }
}

fn log_change(before: Option<&Status>, now: &Status) {
    let shown = |s: &Status| (s.session, s.cp_state, s.pilot, s.stop_reason, s.pilot_fault);
    if before.map(shown) != Some(shown(now)) {
        tracing::info!(
            session = now.session.as_str(),
            cp = ?now.cp_state,
            pilot = ?now.pilot,
            offered = now.offered_limit.deci() as f32 / 10.0,
            reason = ?now.stop_reason,
            fault = ?now.pilot_fault,
            "status"
        );
    }
}

fn whole(current: Amperes) -> WholeAmperes {
    let amperes = u16::try_from(current.deci() / 10).unwrap_or(u16::MAX);
    // The configuration admits at most 10000 A, the topic's range.
    WholeAmperes::new(amperes).unwrap_or(WholeAmperes::MAX)
}

const fn phases(through: Option<PhaseCount>) -> PhaseActual {
    match through {
        None => PhaseActual::None,
        Some(PhaseCount::One) => PhaseActual::One,
        Some(PhaseCount::Three) => PhaseActual::Three,
    }
}

fn cable(limit: Option<Amperes>) -> WholeCurrentLimit {
    limit.map_or(WholeCurrentLimit::NoLimit, |limit| {
        WholeCurrentLimit::Limit(whole(limit))
    })
}

/// A limit below 6 A is a limit of 0 (guide 15.16 table 74).
fn offered(status: &Status) -> OfferedCurrent {
    let limit = status.offered_limit;
    let is_offered = limit >= Amperes::MINIMUM_OFFER;
    OfferedCurrent {
        deciamperes: if is_offered { limit.deci() } else { 0 },
    }
}

fn duty(pilot: PilotOutput) -> DutyPercent {
    let hundredths = match pilot {
        PilotOutput::Duty(duty) => duty.hundredths(),
        PilotOutput::Released => 0,
    };
    DutyPercent::from_hundredths(hundredths).unwrap_or(DutyPercent::ZERO)
}

/// A pilot that can't be trusted is published as E, never as the state before.
fn cp_state(state: Option<CpState>) -> topics::CpState {
    match state {
        Some(CpState::A) => topics::CpState::A,
        Some(CpState::B) => topics::CpState::B,
        Some(CpState::C) => topics::CpState::C,
        Some(CpState::D) => topics::CpState::D,
        Some(CpState::E) | None => topics::CpState::E,
        Some(CpState::F) => topics::CpState::F,
    }
}

/// The first rounds: the machine knows neither pilot nor contactor.
fn is_starting(status: &Status) -> bool {
    status.session == SessionState::Inoperative && status.availability != Availability::Inoperative
}

fn plug(lock: Option<LockPosition>) -> PlugStatus {
    match lock {
        Some(LockPosition::Locked) => PlugStatus::Locked,
        Some(LockPosition::Unlocked) => PlugStatus::Unlocked,
        None => PlugStatus::Unknown,
    }
}

fn contactor(position: ContactorPosition) -> ContactorStatus {
    match position {
        ContactorPosition::Closed => ContactorStatus::Closed,
        ContactorPosition::Opened => ContactorStatus::Opened,
        ContactorPosition::Unknown => ContactorStatus::Unknown,
    }
}

fn availability(availability: Availability) -> topics::Availability {
    match availability {
        // Scheduled takes effect when the EV leaves (guide 3.3.5).
        Availability::Operative | Availability::Scheduled => topics::Availability::Operative,
        Availability::Inoperative => topics::Availability::Inoperative,
    }
}

fn lock_failure(failure: LockFailure) -> PlugLockFailure {
    match failure {
        LockFailure::CapacitorNotCharged => PlugLockFailure::MotorCapNotCharged,
        LockFailure::UnexpectedOpen => PlugLockFailure::MotorUnexpectedOpen,
        LockFailure::UnexpectedClose => PlugLockFailure::MotorUnexpectedClose,
        LockFailure::CannotLock => PlugLockFailure::CannotLock,
        LockFailure::CannotUnlock => PlugLockFailure::CannotUnlock,
    }
}

fn rcd_error(error: RcdError) -> topics::RcdError {
    match error {
        RcdError::GroundFailure => topics::RcdError::GroundFailure,
        RcdError::Spurious => topics::RcdError::Spurious,
        RcdError::TestFailed => topics::RcdError::Test,
    }
}

fn proximity_error(error: ProximityError) -> topics::ProximityError {
    match error {
        ProximityError::NoCable => topics::ProximityError::NoCable,
        ProximityError::Invalid => topics::ProximityError::Invalid,
        ProximityError::Changed => topics::ProximityError::Changed,
    }
}

/// The first cause, the most dangerous one first.
pub(crate) fn fault(status: &Status) -> Option<SessionFault> {
    if status.contactor_fault.is_some() {
        return Some(SessionFault::ContactorError);
    }
    if status.rcd_error.is_some() {
        return Some(SessionFault::RcdError);
    }
    if status.emergency {
        return Some(SessionFault::EmergencyShutdown);
    }
    if let Some(fault) = status.pilot_fault {
        return Some(match fault {
            PilotFault::Sensor | PilotFault::Frozen => SessionFault::SensorFailure,
            PilotFault::Stale => SessionFault::ControlStalled,
            PilotFault::Diode => SessionFault::PilotDiode,
            PilotFault::Unsteady | PilotFault::OutOfRange | PilotFault::Output => {
                SessionFault::PilotFault
            }
        });
    }
    if status.cp_state == Some(CpState::E) {
        return Some(SessionFault::PilotShort);
    }
    if status.lock_failure.is_some() {
        return Some(SessionFault::PlugLockFailure);
    }
    match status.proximity_error {
        Some(ProximityError::NoCable | ProximityError::Invalid) => {
            Some(SessionFault::ProximityError)
        }
        Some(ProximityError::Changed) | None => {
            let refused = status.ventilation_refused;
            refused.then_some(SessionFault::VentilationUnavailable)
        }
    }
}

fn session(state: SessionState) -> topics::SessionState {
    match state {
        SessionState::Idle => topics::SessionState::Idle,
        SessionState::Authorized => topics::SessionState::Authorized,
        SessionState::Connected => topics::SessionState::Connected,
        SessionState::SuspendedEv => topics::SessionState::SuspendedEv,
        SessionState::SuspendedEvse => topics::SessionState::SuspendedEvse,
        SessionState::Charging => topics::SessionState::Charging,
        SessionState::Faulted => topics::SessionState::Faulted,
        SessionState::Inoperative => topics::SessionState::Inoperative,
    }
}

fn stop_reason(reason: Option<StopReason>) -> topics::StopReason {
    match reason {
        None => topics::StopReason::None,
        Some(StopReason::EvDisconnected) => topics::StopReason::EvDisconnected,
        Some(StopReason::EvPaused) => topics::StopReason::EvPaused,
        // Nothing is offered for a while, and the session goes on.
        Some(StopReason::NoCurrentAvailable | StopReason::PhaseSwitch) => {
            topics::StopReason::LimitBelowMinimum
        }
        Some(StopReason::AuthorizationRevoked | StopReason::UnlockRequested) => {
            topics::StopReason::AuthorizationWithdrawn
        }
        Some(StopReason::RcdError(_)) => topics::StopReason::Rcd,
        Some(StopReason::EmergencyShutdown) => topics::StopReason::Emergency,
        Some(
            StopReason::VentilationUnavailable
            | StopReason::PilotShort
            | StopReason::PilotNegative
            | StopReason::PilotFault(_)
            | StopReason::ProximityError(_)
            | StopReason::LockFailure(_)
            | StopReason::ContactorFault(_),
        ) => topics::StopReason::Fault,
    }
}
