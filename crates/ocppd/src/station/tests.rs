use super::*;

fn message(topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: payload.as_bytes().to_vec(),
        retained: false,
    }
}

fn faults(levels: &Levels) -> Vec<Fault> {
    levels
        .station()
        .map(|station| station.faults)
        .unwrap_or_default()
}

fn known() -> Levels {
    let mut levels = Levels::default();
    levels.take(&message(topics::SESSION_STATE.name(), "idle"));
    levels
}

// covers: OS-005
#[test]
fn each_condition_is_its_fault_while_it_lasts() {
    for (topic, raised, cleared, fault) in [
        (topics::CONTACTOR_ERROR.name(), "1", "0", Fault::Contactor),
        (
            topics::PLUG_LOCK_PERMANENT_FAILURE.name(),
            "PlugLockMotorCapNotCharged",
            "",
            Fault::PlugLockMotorCapNotCharged,
        ),
        (
            topics::PLUG_LOCK_PERMANENT_FAILURE.name(),
            "PlugLockMotorUnexpectedOpen",
            "",
            Fault::PlugLockMotorUnexpectedOpen,
        ),
        (
            topics::PLUG_LOCK_PERMANENT_FAILURE.name(),
            "PlugLockMotorUnexpectedClose",
            "",
            Fault::PlugLockMotorUnexpectedClose,
        ),
        (
            topics::PLUG_LOCK_PERMANENT_FAILURE.name(),
            "PlugLockCannotLock",
            "",
            Fault::PlugLockCannotLock,
        ),
        (
            topics::PLUG_LOCK_PERMANENT_FAILURE.name(),
            "PlugLockCannotUnlock",
            "",
            Fault::PlugLockCannotUnlock,
        ),
        (
            topics::METERING_METER_AVAILABLE.name(),
            "0",
            "1",
            Fault::MeterCommunication,
        ),
        (topics::RFID_AVAILABLE.name(), "0", "1", Fault::Reader),
        (
            topics::RCD_ERROR.name(),
            "SpuriousRcdError",
            "",
            Fault::SpuriousRcdError,
        ),
        (
            topics::RCD_ERROR.name(),
            "RcdTestError",
            "",
            Fault::RcdTestError,
        ),
        (
            topics::RCD_ERROR.name(),
            "RcdGroundFailure",
            "",
            Fault::RcdGroundFailure,
        ),
        (
            topics::EMERGENCY_SHUTDOWN.name(),
            "1",
            "0",
            Fault::EmergencyShutdown,
        ),
        (
            topics::RCD_RECLOSER_ERROR.name(),
            "1",
            "0",
            Fault::RcdRecloserFailure,
        ),
        (
            topics::SESSION_PROXIMITY_ERROR.name(),
            "ProximityNoCable",
            "",
            Fault::ProximityNoCable,
        ),
        (
            topics::SESSION_PROXIMITY_ERROR.name(),
            "ProximityInvalid",
            "",
            Fault::ProximityInvalid,
        ),
        (
            topics::SESSION_PROXIMITY_ERROR.name(),
            "ProximityChanged",
            "",
            Fault::ProximityChanged,
        ),
        (topics::EVSE_FAULT.name(), "pilot_short", "", Fault::Evse),
        (
            topics::EVSE_FAULT.name(),
            "ventilation_unavailable",
            "",
            Fault::Ventilation,
        ),
        ("ci/global/daemon/evsed/available", "0", "1", Fault::Evse),
        (
            "ci/global/daemon/meteringd/available",
            "0",
            "1",
            Fault::MeterCommunication,
        ),
        ("ci/global/daemon/rfidd/available", "0", "1", Fault::Reader),
        (
            "ci/global/daemon/recloserd/available",
            "0",
            "1",
            Fault::RcdRecloserFailure,
        ),
    ] {
        let mut levels = known();
        levels.take(&message(topic, raised));
        assert_eq!(faults(&levels), [fault], "{topic} {raised}");
        levels.take(&message(topic, "garbage"));
        assert_eq!(faults(&levels), [fault], "garbage leaves the last level");
        levels.take(&message(topic, cleared));
        assert_eq!(faults(&levels), [], "{topic} {cleared}");
    }
}

// covers: OS-005
#[test]
fn a_meter_that_can_not_be_used_says_why() {
    let mut levels = known();
    for (word, fault) in [
        ("CommunicationError", Fault::MeterCommunication),
        ("InternalError", Fault::MeterInternal),
        ("IdleMeterError", Fault::MeterIdle),
        ("ActiveMeterError", Fault::MeterActive),
        ("", Fault::MeterCommunication),
    ] {
        levels.take(&message(topics::METERING_METER_ERROR.name(), word));
        levels.take(&message(topics::METERING_METER_AVAILABLE.name(), "0"));
        assert_eq!(faults(&levels), [fault], "{word}");
        levels.take(&message(topics::METERING_METER_AVAILABLE.name(), "1"));
        assert_eq!(faults(&levels), [], "{word}");
    }
}

// covers: RFID-007
#[test]
fn an_error_that_the_broker_kept_of_a_disabled_device_is_none() {
    let errors = [
        (topics::RFID_AVAILABLE.name(), "0"),
        (topics::RCD_RECLOSER_ERROR.name(), "1"),
        (topics::METERING_METER_ERROR.name(), "InternalError"),
        (topics::METERING_METER_AVAILABLE.name(), "0"),
        ("ci/global/daemon/meteringd/available", "0"),
        ("ci/global/daemon/rfidd/available", "0"),
        ("ci/global/daemon/recloserd/available", "0"),
    ];
    let with = |meter, reader, recloser| {
        let mut levels = Levels::new(Peripherals {
            meter,
            reader,
            recloser,
        });
        levels.take(&message(topics::SESSION_STATE.name(), "idle"));
        for (topic, error) in errors {
            levels.take(&message(topic, error));
        }
        faults(&levels)
    };
    assert_eq!(with(false, false, false), []);
    assert_eq!(with(false, true, false), [Fault::Reader]);
    assert_eq!(with(false, false, true), [Fault::RcdRecloserFailure]);
    assert_eq!(
        with(true, false, false),
        [Fault::MeterInternal, Fault::MeterCommunication]
    );
}

#[test]
fn faults_keep_the_order_in_which_they_came() {
    let mut levels = known();
    levels.take(&message(topics::RCD_ERROR.name(), "RcdTestError"));
    levels.take(&message(topics::CONTACTOR_ERROR.name(), "1"));
    levels.take(&message(topics::EVSE_FAULT.name(), "contactor_error"));
    assert_eq!(faults(&levels), [Fault::RcdTestError, Fault::Contactor]);
}

#[test]
fn a_pilot_fault_tells_nothing_about_the_vehicle() {
    let mut levels = known();
    for (state, expected) in [
        ("A", Some(false)),
        ("E", Some(false)),
        ("B", Some(true)),
        ("F", Some(true)),
        ("C", Some(true)),
    ] {
        levels.take(&message(topics::CHARGE_CP_STATUS.name(), state));
        assert_eq!(levels.ev_present, expected, "{state}");
    }
}

#[test]
fn without_evsed_the_station_is_faulted() {
    let mut levels = known();
    levels.take(&message(topics::SESSION_STATE.name(), "charging"));
    let input = levels.take(&message("ci/global/daemon/evsed/available", "0"));
    assert!(matches!(
        input,
        Some(Input::Station(Station {
            session: EvseSession::Faulted,
            ..
        }))
    ));
}

// covers: REC-012
#[test]
fn the_state_of_a_recloser_that_does_not_answer_is_unknown() {
    let mut levels = known();
    let recloser = |levels: &Levels| levels.station().and_then(|station| station.recloser);
    levels.take(&message(topics::RCD_RECLOSER_STATE_ACTUAL.name(), "open"));
    assert_eq!(recloser(&levels), None, "its daemon is not there");
    levels.take(&message("ci/global/daemon/recloserd/available", "1"));
    assert_eq!(recloser(&levels), Some(RecloserState::Open));
    for (topic, silent, answers) in [
        (topics::RCD_RECLOSER_ERROR.name(), "1", "0"),
        ("ci/global/daemon/recloserd/available", "0", "1"),
        (topics::RCD_RECLOSER_STATE_ACTUAL.name(), "", "open"),
    ] {
        levels.take(&message(topic, silent));
        assert_eq!(recloser(&levels), None, "{topic}");
        levels.take(&message(topic, answers));
        assert_eq!(recloser(&levels), Some(RecloserState::Open), "{topic}");
    }
}

#[test]
fn answers_that_were_kept_are_old() {
    let mut levels = known();
    for (topic, payload) in [
        (
            topics::PLUG_LOCK_UNLOCK_RESULT.name(),
            r#"{"id":"x","result":"unlocked"}"#,
        ),
        (topics::RCD_RECLOSER_STATE_CONFIRM.name(), "open"),
    ] {
        let mut answer = message(topic, payload);
        assert!(levels.take(&answer).is_some(), "{topic}");
        answer.retained = true;
        assert!(levels.take(&answer).is_none(), "{topic}");
    }
}

// covers: RFID-005
#[test]
fn retained_tags_and_reasons_are_old() {
    let mut levels = known();
    let mut tag = message(
        topics::RFID_AUTHORIZATION_REQUEST.name(),
        r#"["ISO14443","04A1B2C3"]"#,
    );
    assert!(matches!(levels.take(&tag), Some(Input::IdTagPresented(text)) if text == "04A1B2C3"));
    tag.retained = true;
    assert!(levels.take(&tag).is_none());
}

#[test]
fn a_register_is_whole_and_never_negative() {
    let cases = [
        (0.0, Some(0)),
        (1234.9, Some(1234)),
        (-1.0, None),
        (f64::NAN, None),
        (1e300, None),
    ];
    for (energy, expected) in cases {
        assert_eq!(watt_hours(energy), expected, "{energy}");
    }
}

// covers: PH-022
#[test]
fn what_can_be_offered_is_a_level() {
    let mut levels = known();
    let shown = |levels: &Levels| {
        let station = levels.station().unwrap();
        (station.physical.map(|limit| limit.0), station.phases)
    };
    assert_eq!(shown(&levels), (None, None));
    let physical = topics::EVSE_BASIC_PHYSICAL_CURRENT_LIMIT.name();
    let phases = topics::EVSE_PHASE_ACTUAL.name();
    for (limit, actual, expected) in [
        ("20", "1", (Some(200), Some(1))),
        ("0", "0", (None, None)),
        ("32", "3", (Some(320), Some(3))),
    ] {
        levels.take(&message(physical, limit));
        levels.take(&message(phases, actual));
        assert_eq!(shown(&levels), expected);
    }
}
