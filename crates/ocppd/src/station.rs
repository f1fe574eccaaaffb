//! The topics of the other daemons as levels of the station.

use daemon_kit::{Bus, Message};
use ocpp16::{
    CiString, DeciAmperes, EvseSession, Fault, Input, Moment, Reading, RecloserRefusal,
    RecloserState, SignedRequest, Station, StopReason, UnlockStatus,
};
use topic_map as topics;
use topics::{
    CpState, MeterIdentity, MeterValues, Payload, PerPhase, PhaseActual, SessionFault,
    SessionState, Topic,
};

/// What is known from the broker.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    session: Option<EvseSession>,
    ev_present: Option<bool>,
    offered: u32,
    physical: Option<u32>,
    phases: Option<u8>,
    meter_gone: bool,
    /// Why, where meteringd says so.
    meter_error: Option<Fault>,
    /// The last word of the recloser, which is old when it or its daemon is silent.
    recloser: Option<RecloserState>,
    recloser_daemon: bool,
    /// Conditions in the order in which they came.
    conditions: Vec<(Source, Fault)>,
    /// What the station doesn't have, and so can't fail.
    absent: Vec<Source>,
}

/// Which devices customer.json enables. The broker may keep an error of one that was
/// disabled since (guide 3.3.4.11: "applies only when RFID is enabled").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peripherals {
    pub meter: bool,
    pub reader: bool,
    pub recloser: bool,
}

/// Where a fault comes from: each source tells one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Contactor,
    PlugLock,
    Meter,
    MeterDaemon,
    Reader,
    ReaderDaemon,
    Rcd,
    Emergency,
    Recloser,
    RecloserDaemon,
    Proximity,
    Session,
    EvseDaemon,
}

/// Daemons whose states are worthless once they are gone.
const EVSE_DAEMON: &str = "evsed";
const METER_DAEMON: &str = "meteringd";
const READER_DAEMON: &str = "rfidd";
const RECLOSER_DAEMON: &str = "recloserd";

impl Levels {
    /// Nothing is known yet of a station with these devices.
    pub(crate) fn new(peripherals: Peripherals) -> Self {
        let Peripherals {
            meter,
            reader,
            recloser,
        } = peripherals;
        let sources = [
            (meter, Source::Meter),
            (meter, Source::MeterDaemon),
            (reader, Source::Reader),
            (reader, Source::ReaderDaemon),
            (recloser, Source::Recloser),
            (recloser, Source::RecloserDaemon),
        ];
        let absent = sources.into_iter().filter(|(is_there, _)| !is_there);
        Self {
            absent: absent.map(|(_, source)| source).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn subscribe(bus: &Bus) {
        // First: the retained state of a daemon that is gone means nothing.
        bus.subscribe_family(&topics::DAEMON_AVAILABLE);
        bus.subscribe(&topics::SESSION_STATE);
        bus.subscribe(&topics::SESSION_STOP_REASON);
        bus.subscribe(&topics::EVSE_FAULT);
        bus.subscribe(&topics::CHARGE_CP_STATUS);
        bus.subscribe(&topics::EVSE_BASIC_OFFERED_CURRENT_LIMIT);
        bus.subscribe(&topics::EVSE_BASIC_PHYSICAL_CURRENT_LIMIT);
        bus.subscribe(&topics::EVSE_PHASE_ACTUAL);
        bus.subscribe(&topics::METERING_METER_VALUES);
        bus.subscribe(&topics::METERING_METER_IDENTITY);
        bus.subscribe(&topics::METERING_SIGNED_PUBLIC_KEY);
        bus.subscribe(&topics::METERING_SIGNED_ANSWER);
        bus.subscribe(&topics::METERING_METER_AVAILABLE);
        bus.subscribe(&topics::METERING_METER_ERROR);
        bus.subscribe(&topics::RFID_AUTHORIZATION_REQUEST);
        bus.subscribe(&topics::RFID_AVAILABLE);
        bus.subscribe(&topics::V2G_MAC);
        bus.subscribe(&topics::CONTACTOR_ERROR);
        bus.subscribe(&topics::PLUG_LOCK_PERMANENT_FAILURE);
        bus.subscribe(&topics::RCD_ERROR);
        bus.subscribe(&topics::RCD_RECLOSER_ERROR);
        bus.subscribe(&topics::RCD_RECLOSER_STATE_ACTUAL);
        bus.subscribe(&topics::RCD_RECLOSER_STATE_CONFIRM);
        bus.subscribe(&topics::PLUG_LOCK_UNLOCK_RESULT);
        bus.subscribe(&topics::EMERGENCY_SHUTDOWN);
        bus.subscribe(&topics::SESSION_PROXIMITY_ERROR);
    }

    /// What `message` means to the charge point.
    pub(crate) fn take(&mut self, message: &Message) -> Option<Input> {
        if let Some(input) = event(message) {
            return Some(input);
        }
        let before = self.station();
        self.learn(message);
        let after = self.station();
        (after != before)
            .then_some(after)
            .flatten()
            .map(Input::Station)
    }

    /// All levels; `None` until the EVSE's session is known.
    fn station(&self) -> Option<Station> {
        let raised = |source| self.conditions.iter().any(|(from, _)| *from == source);
        let session = if raised(Source::EvseDaemon) {
            EvseSession::Faulted
        } else {
            self.session?
        };
        let mut faults: Vec<Fault> = Vec::new();
        for (_, fault) in &self.conditions {
            if !faults.contains(fault) {
                faults.push(*fault);
            }
        }
        let recloser_answers = self.recloser_daemon && !raised(Source::Recloser);
        Some(Station {
            session,
            ev_present: self.ev_present,
            offered: DeciAmperes(self.offered),
            physical: self.physical.map(DeciAmperes),
            phases: self.phases,
            recloser: self.recloser.filter(|_| recloser_answers),
            faults,
        })
    }

    fn learn(&mut self, message: &Message) {
        if let Some(state) = value(message, &topics::SESSION_STATE) {
            self.session = Some(session(state));
        } else if let Some(state) = value(message, &topics::CHARGE_CP_STATUS) {
            // E and F tell nothing about the vehicle: what was known stays.
            self.ev_present = match state {
                CpState::A => Some(false),
                CpState::B | CpState::C | CpState::D => Some(true),
                CpState::E | CpState::F => self.ev_present,
            };
        } else if let Some(offered) = value(message, &topics::EVSE_BASIC_OFFERED_CURRENT_LIMIT) {
            self.offered = offered.deciamperes;
        } else if let Some(limit) = value(message, &topics::EVSE_BASIC_PHYSICAL_CURRENT_LIMIT) {
            // Without a cable there is nothing to foresee.
            self.physical = Some(u32::from(limit.amperes()) * 10).filter(|limit| *limit > 0);
        } else if let Some(phases) = value(message, &topics::EVSE_PHASE_ACTUAL) {
            self.phases = match phases {
                PhaseActual::None => None,
                PhaseActual::One => Some(1),
                PhaseActual::Three => Some(3),
            };
        } else if let Some(state) = value(message, &topics::RCD_RECLOSER_STATE_ACTUAL) {
            self.recloser = state.map(recloser);
        } else {
            self.learn_fault(message);
        }
    }

    fn learn_fault(&mut self, message: &Message) {
        let raised = |is_raised: bool, fault: Fault| is_raised.then_some(fault);
        if let Some(error) = value(message, &topics::CONTACTOR_ERROR) {
            self.set(Source::Contactor, raised(error, Fault::Contactor));
        } else if let Some(failure) = value(message, &topics::PLUG_LOCK_PERMANENT_FAILURE) {
            self.set(Source::PlugLock, failure.map(plug_lock));
        } else if let Some(available) = value(message, &topics::METERING_METER_AVAILABLE) {
            self.meter_gone = !available;
            self.judge_meter();
        } else if let Some(error) = value(message, &topics::METERING_METER_ERROR) {
            self.meter_error = error.map(meter);
            self.judge_meter();
        } else if let Some(available) = value(message, &topics::RFID_AVAILABLE) {
            self.set(Source::Reader, raised(!available, Fault::Reader));
        } else if let Some(error) = value(message, &topics::RCD_ERROR) {
            self.set(Source::Rcd, error.map(rcd));
        } else if let Some(error) = value(message, &topics::RCD_RECLOSER_ERROR) {
            self.set(Source::Recloser, raised(error, Fault::RcdRecloserFailure));
        } else if let Some(emergency) = value(message, &topics::EMERGENCY_SHUTDOWN) {
            self.set(
                Source::Emergency,
                raised(emergency, Fault::EmergencyShutdown),
            );
        } else if let Some(error) = value(message, &topics::SESSION_PROXIMITY_ERROR) {
            self.set(Source::Proximity, error.map(proximity));
        } else if let Some(fault) = value(message, &topics::EVSE_FAULT) {
            self.set(Source::Session, fault.map(session_fault));
        } else if let Some((daemon, Ok(available))) = message.in_family(&topics::DAEMON_AVAILABLE) {
            match daemon {
                EVSE_DAEMON => self.set(Source::EvseDaemon, raised(!available, Fault::Evse)),
                METER_DAEMON => self.set(
                    Source::MeterDaemon,
                    raised(!available, Fault::MeterCommunication),
                ),
                READER_DAEMON => self.set(Source::ReaderDaemon, raised(!available, Fault::Reader)),
                RECLOSER_DAEMON => {
                    self.recloser_daemon = available;
                    let fault = raised(!available, Fault::RcdRecloserFailure);
                    self.set(Source::RecloserDaemon, fault);
                }
                _ => {}
            }
        }
    }

    fn judge_meter(&mut self) {
        let why = self.meter_error.unwrap_or(Fault::MeterCommunication);
        self.set(Source::Meter, self.meter_gone.then_some(why));
    }

    fn set(&mut self, source: Source, fault: Option<Fault>) {
        if self.absent.contains(&source) {
            return;
        }
        let known = self
            .conditions
            .iter()
            .find(|(from, _)| *from == source)
            .map(|(_, fault)| *fault);
        if known != fault {
            self.conditions.retain(|(from, _)| *from != source);
            self.conditions.extend(fault.map(|fault| (source, fault)));
        }
    }
}

/// Whether `message` says that evsed has (re)started: it knows nothing of a permission then.
pub(crate) fn evse_started(message: &Message) -> bool {
    matches!(
        message.in_family(&topics::DAEMON_AVAILABLE),
        Some((EVSE_DAEMON, Ok(true)))
    )
}

/// Messages that are not levels.
fn event(message: &Message) -> Option<Input> {
    if let Some(values) = value(message, &topics::METERING_METER_VALUES) {
        return Some(Input::Reading(reading(&values)));
    }
    if let Some(MeterIdentity { model, serial, .. }) =
        value(message, &topics::METERING_METER_IDENTITY)
    {
        let serial = serial.map(|serial| CiString::truncated(&serial));
        return Some(Input::MeterIdentified {
            model: CiString::truncated(&model),
            serial,
        });
    }
    if let Some(key) = value(message, &topics::METERING_SIGNED_PUBLIC_KEY) {
        return Some(Input::MeterPublicKey(key.map(|key| key.public_key)));
    }
    // Also an old one: it may have come while nobody listened.
    if let Some(answer) = value(message, &topics::METERING_SIGNED_ANSWER) {
        return Some(signed_answer(answer));
    }
    // An old event is no event.
    if message.retained {
        return None;
    }
    if let Some(tag) = value(message, &topics::RFID_AUTHORIZATION_REQUEST) {
        return Some(Input::IdTagPresented(tag.uid));
    }
    if let Some(mac) = value(message, &topics::V2G_MAC) {
        return Some(Input::VehicleIdentified(mac.as_str().replace(':', "")));
    }
    if let Some(answer) = value(message, &topics::PLUG_LOCK_UNLOCK_RESULT) {
        return Some(Input::UnlockAnswered {
            request: answer.id,
            outcome: match answer.result {
                topics::UnlockResult::Unlocked => UnlockStatus::Unlocked,
                topics::UnlockResult::Failed => UnlockStatus::UnlockFailed,
                topics::UnlockResult::NotSupported => UnlockStatus::NotSupported,
            },
        });
    }
    if let Some(answer) = value(message, &topics::RCD_RECLOSER_STATE_CONFIRM) {
        return Some(Input::RecloserAnswered(recloser_answer(answer)));
    }
    match value(message, &topics::SESSION_STOP_REASON)? {
        topics::StopReason::Emergency => Some(Input::StopRequested(StopReason::EmergencyStop)),
        topics::StopReason::Restart => Some(Input::StopRequested(StopReason::Reboot)),
        // A pause, what the EV does, and what this daemon itself asked for.
        topics::StopReason::None
        | topics::StopReason::EvDisconnected
        | topics::StopReason::EvPaused
        | topics::StopReason::AuthorizationWithdrawn
        | topics::StopReason::LimitBelowMinimum
        | topics::StopReason::Rcd
        | topics::StopReason::Fault
        | topics::StopReason::Inoperative => None,
    }
}

/// The value when `message` is on `topic`; garbage is logged and leaves the last level.
pub(crate) fn value<T: Payload>(message: &Message, topic: &Topic<T>) -> Option<T> {
    match message.on(topic)? {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(topic = message.topic, "{error}; ignored");
            None
        }
    }
}

fn session(state: SessionState) -> EvseSession {
    match state {
        SessionState::Idle => EvseSession::Idle,
        SessionState::Authorized => EvseSession::Authorized,
        SessionState::Connected => EvseSession::Connected,
        SessionState::SuspendedEv => EvseSession::SuspendedEv,
        SessionState::SuspendedEvse => EvseSession::SuspendedEvse,
        SessionState::Charging => EvseSession::Charging,
        SessionState::Faulted => EvseSession::Faulted,
        SessionState::Inoperative => EvseSession::Inoperative,
    }
}

fn plug_lock(failure: topics::PlugLockFailure) -> Fault {
    match failure {
        topics::PlugLockFailure::MotorCapNotCharged => Fault::PlugLockMotorCapNotCharged,
        topics::PlugLockFailure::MotorUnexpectedOpen => Fault::PlugLockMotorUnexpectedOpen,
        topics::PlugLockFailure::MotorUnexpectedClose => Fault::PlugLockMotorUnexpectedClose,
        topics::PlugLockFailure::CannotLock => Fault::PlugLockCannotLock,
        topics::PlugLockFailure::CannotUnlock => Fault::PlugLockCannotUnlock,
    }
}

fn meter(error: topics::MeterError) -> Fault {
    match error {
        topics::MeterError::CommunicationError => Fault::MeterCommunication,
        topics::MeterError::InternalError => Fault::MeterInternal,
        topics::MeterError::IdleMeterError => Fault::MeterIdle,
        topics::MeterError::ActiveMeterError => Fault::MeterActive,
    }
}

fn rcd(error: topics::RcdError) -> Fault {
    match error {
        topics::RcdError::GroundFailure => Fault::RcdGroundFailure,
        topics::RcdError::Spurious => Fault::SpuriousRcdError,
        topics::RcdError::Test => Fault::RcdTestError,
    }
}

fn proximity(error: topics::ProximityError) -> Fault {
    match error {
        topics::ProximityError::NoCable => Fault::ProximityNoCable,
        topics::ProximityError::Invalid => Fault::ProximityInvalid,
        topics::ProximityError::Changed => Fault::ProximityChanged,
    }
}

fn recloser(state: topics::RecloserState) -> RecloserState {
    match state {
        topics::RecloserState::Open => RecloserState::Open,
        topics::RecloserState::Close => RecloserState::Close,
    }
}

fn recloser_answer(answer: topics::RecloserAnswer) -> Result<RecloserState, RecloserRefusal> {
    match answer {
        topics::RecloserAnswer::Open => Ok(RecloserState::Open),
        topics::RecloserAnswer::Close => Ok(RecloserState::Close),
        topics::RecloserAnswer::NotPresent => Err(RecloserRefusal::NotPresent),
        topics::RecloserAnswer::NotAvailable => Err(RecloserRefusal::NotAvailable),
        topics::RecloserAnswer::InvalidRequestData => Err(RecloserRefusal::InvalidRequestData),
    }
}

fn signed_answer(answer: topics::SignedAnswer) -> Input {
    let why = answer.error.unwrap_or_default();
    Input::SignedAnswer {
        moment: match answer.action {
            topics::SignedAction::Begin => Moment::Begin,
            topics::SignedAction::End => Moment::End,
        },
        reference: answer.reference,
        result: answer.record.map(|record| record.text).ok_or(why),
    }
}

/// The request as a message; `None` for a time that has no text.
pub(crate) fn signed_request(request: &SignedRequest) -> Option<topics::SignedRequest> {
    let time = |time: ocpp16::Timestamp| topics::Timestamp::new(&time.to_string());
    Some(topics::SignedRequest {
        action: match request.moment {
            Moment::Begin => topics::SignedAction::Begin,
            Moment::End => topics::SignedAction::End,
        },
        reference: request.reference.clone(),
        id_tag: request.id_tag.as_str().to_owned(),
        started: time(request.started)?,
        time: time(request.time)?,
    })
}

/// The session's first cause. Where the guide has a topic with more detail, that one ranks higher.
fn session_fault(fault: SessionFault) -> Fault {
    match fault {
        SessionFault::ContactorError => Fault::Contactor,
        SessionFault::EmergencyShutdown => Fault::EmergencyShutdown,
        SessionFault::VentilationUnavailable => Fault::Ventilation,
        SessionFault::PlugLockFailure
        | SessionFault::PilotShort
        | SessionFault::PilotDiode
        | SessionFault::PilotFault
        | SessionFault::ProximityError
        | SessionFault::RcdError
        | SessionFault::SensorFailure
        | SessionFault::ControlStalled => Fault::Evse,
    }
}

fn reading(values: &MeterValues) -> Reading {
    let phases = |values: &PerPhase| [values.l1, values.l2, values.l3];
    Reading {
        energy_wh: values.energy_wh.and_then(watt_hours),
        power_w: values.power_w.total,
        power_phase_w: phases(&values.power_w),
        current_a: values.current_a.total,
        current_phase_a: phases(&values.current_a),
        voltage_v: phases(&values.voltage_v),
        frequency_hz: values.frequency_hz,
    }
}

/// Whole Wh, rounded down: never more than was delivered. `None` for what is no register value.
fn watt_hours(energy: f64) -> Option<i64> {
    const LARGEST: f64 = 1e15;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "checked to be within 0 and 1e15"
    )]
    (0.0..=LARGEST).contains(&energy).then_some(energy as i64)
}

#[cfg(test)]
mod tests;
