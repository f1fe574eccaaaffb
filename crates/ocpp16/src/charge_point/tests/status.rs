use serde_json::{Value, json};

use super::bench::{Bench, settings};
use crate::{Configuration, DeciAmperes, EvseSession, Fault, Input, Output, Stored};

/// Status and error of connector 1 as last reported.
fn last(bench: &mut Bench) -> (String, String, Value) {
    let ours = |(_, payload): &(String, Value)| {
        payload["connectorId"] == json!(1) && !payload["status"].is_null()
    };
    let (_, payload) = bench
        .drain()
        .into_iter()
        .rfind(ours)
        .expect("nothing was reported");
    let text = |name: &str| payload[name].as_str().unwrap().to_owned();
    (
        text("status"),
        text("errorCode"),
        payload["vendorErrorCode"].clone(),
    )
}

// covers: OS-020
#[test]
fn connector_0_and_1_are_reported_after_acceptance() {
    let mut bench = Bench::new();
    bench.open();
    bench.accept_boot();
    let expected = |connector: i64| json!({"connectorId": connector, "errorCode": "NoError", "status": "Available", "timestamp": "2026-03-01T12:00:01.000Z"});
    assert_eq!(bench.answer("StatusNotification", json!({})), expected(0));
    assert_eq!(bench.answer("StatusNotification", json!({})), expected(1));
}

#[test]
fn a_station_without_evse_is_unavailable_after_a_while() {
    let mut bench = Bench::new().new_process();
    bench.open();
    bench.accept_boot();
    bench.pass(4);
    bench.expect_silence();
    bench.pass(1);
    assert_eq!(bench.reported(), ["Unavailable"]);
    bench.evse(EvseSession::Idle);
    assert_eq!(bench.reported(), ["Available"]);
}

// covers: OS-011, OS-012, OS-013, OS-014
#[test]
fn suspended_states_are_told_apart() {
    let mut bench = Bench::online();
    bench.charge();
    for (session, expected) in [
        (EvseSession::SuspendedEv, "SuspendedEV"),
        (EvseSession::Charging, "Charging"),
        (EvseSession::SuspendedEvse, "SuspendedEVSE"),
        (EvseSession::SuspendedEv, "SuspendedEV"),
        (EvseSession::Charging, "Charging"),
    ] {
        bench.evse(session);
        assert_eq!(bench.reported(), [expected]);
    }
    bench.evse(EvseSession::Idle);
    assert_eq!(bench.reported(), ["Finishing"]);
    bench.pass(3);
    assert_eq!(bench.reported(), ["Available"]);
}

#[test]
fn an_ev_that_comes_before_the_last_transaction_is_closed_is_a_new_one() {
    let mut bench = Bench::online();
    bench.charge();
    bench.evse(EvseSession::Idle);
    bench.evse(EvseSession::Connected);
    assert_eq!(bench.reported(), ["Finishing"], "the register settles");
    bench.pass(3);
    assert_eq!(bench.reported(), ["Preparing"]);
    bench.tag("driver");
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.reported(), ["Charging"]);
}

#[test]
fn an_ev_that_stays_after_its_transaction_is_no_new_one() {
    let mut bench = Bench::online();
    bench.charge();
    bench.status("RemoteStopTransaction", json!({"transactionId": 7}));
    bench.evse(EvseSession::Connected);
    bench.pass(3);
    assert_eq!(bench.reported(), ["Finishing"]);
    bench.evse(EvseSession::Idle);
    assert_eq!(bench.reported(), ["Available"]);
}

// covers: OS-004, OS-006, OS-007, OS-015, OS-017
#[test]
fn the_most_important_error_is_reported_and_the_next_one_after_it() {
    let mut bench = Bench::online();
    for (faults, expected) in [
        (
            vec![Fault::Reader],
            ("Available", "ReaderFailure", Value::Null),
        ),
        (
            vec![Fault::Reader, Fault::RcdGroundFailure],
            ("Faulted", "ReaderFailure", Value::Null),
        ),
        (
            vec![Fault::RcdGroundFailure, Fault::ProximityInvalid],
            ("Faulted", "GroundFailure", json!("RcdGroundFailure")),
        ),
        (
            vec![Fault::ProximityInvalid],
            ("Faulted", "OtherError", json!("ProximityInvalid")),
        ),
        (
            vec![Fault::Contactor, Fault::PlugLockCannotLock],
            ("Faulted", "PowerSwitchFailure", Value::Null),
        ),
        (
            vec![Fault::PlugLockCannotLock],
            (
                "Faulted",
                "ConnectorLockFailure",
                json!("PlugLockCannotLock"),
            ),
        ),
        (
            vec![Fault::MeterCommunication],
            ("Faulted", "PowerMeterFailure", json!("CommunicationError")),
        ),
        (vec![], ("Available", "NoError", Value::Null)),
    ] {
        bench.faults(&faults);
        let (status, code, vendor) = last(&mut bench);
        assert_eq!(
            (status.as_str(), code.as_str(), vendor),
            expected,
            "{faults:?}"
        );
    }
}

#[test]
fn an_error_tells_what_it_means_and_whose_code_it_has() {
    let mut bench = Bench::online();
    for (fault, expected) in [
        (
            Fault::RcdTestError,
            json!(["RcdTestError", "RCD self-test failed", "mode3"]),
        ),
        (
            Fault::Reader,
            json!([null, "RFID reader does not answer", null]),
        ),
    ] {
        bench.faults(&[fault]);
        let told = bench.answer("StatusNotification", json!({}));
        let told = ["vendorErrorCode", "info", "vendorId"].map(|name| told[name].clone());
        assert_eq!(json!(told), expected);
    }
}

#[test]
fn a_fault_without_a_name_is_an_internal_error() {
    let mut bench = Bench::online();
    bench.evse(EvseSession::Faulted);
    bench.pass(1);
    let (status, code, _) = last(&mut bench);
    assert_eq!(
        (status.as_str(), code.as_str()),
        ("Faulted", "InternalError")
    );
    bench.faults(&[Fault::Evse]);
    bench.expect_silence();
}

#[test]
fn a_fault_that_gets_its_name_in_time_is_never_an_internal_error() {
    let mut bench = Bench::online();
    bench.evse(EvseSession::Faulted);
    bench.pass_ms(299);
    bench.expect_silence();
    bench.faults(&[Fault::Evse, Fault::RcdTestError]);
    assert_eq!(last(&mut bench).1, "GroundFailure");
    // The name may go first, too.
    bench.faults(&[]);
    bench.expect_silence();
    bench.evse(EvseSession::Idle);
    assert_eq!(last(&mut bench).0, "Available");
    // Each fault has its own time.
    bench.evse(EvseSession::Faulted);
    bench.pass_ms(299);
    bench.expect_silence();
    bench.pass_ms(1);
    assert_eq!(last(&mut bench).1, "InternalError");
}

// covers: OS-010
#[test]
fn a_silent_reader_does_not_fault_a_running_charge() {
    let mut bench = Bench::online();
    bench.charge();
    bench.faults(&[Fault::Reader, Fault::RcdRecloserFailure]);
    assert_eq!(last(&mut bench).0, "Charging");
    assert_eq!(bench.permit, Some(true));
}

// covers: OS-007
#[test]
fn a_charge_that_goes_on_is_not_reported_as_impossible() {
    let mut bench = Bench::online();
    bench.charge();
    let states = |bench: &mut Bench| -> Vec<(Value, Value, Value)> {
        let state = |(_, told): (String, Value)| {
            let [connector, status, error] =
                ["connectorId", "status", "errorCode"].map(|name| told[name].clone());
            (connector, status, error)
        };
        bench.drain().into_iter().map(state).collect()
    };
    let told =
        |connector: u8, status: &str, error: &str| (json!(connector), json!(status), json!(error));
    bench.faults(&[Fault::MeterActive]);
    assert_eq!(
        states(&mut bench),
        [told(1, "Charging", "PowerMeterFailure")]
    );
    bench.evse(EvseSession::SuspendedEv);
    assert_eq!(
        states(&mut bench),
        [told(1, "SuspendedEV", "PowerMeterFailure")]
    );
    bench.evse(EvseSession::Charging);
    bench.faults(&[Fault::PersistenceReadOnly]);
    let expected = [
        told(0, "Available", "OtherError"),
        told(1, "Charging", "OtherError"),
    ];
    assert!(states(&mut bench).ends_with(&expected));
    // What interrupts it is told at once, before the EVSE says so.
    bench.faults(&[Fault::RcdGroundFailure]);
    let expected = [
        told(0, "Available", "NoError"),
        told(1, "Faulted", "GroundFailure"),
    ];
    assert_eq!(states(&mut bench), expected);
    bench.faults(&[Fault::MeterActive]);
    bench.drain();
    bench.evse(EvseSession::Idle);
    let last = states(&mut bench).pop().unwrap();
    assert_eq!(last, told(1, "Faulted", "PowerMeterFailure"));
}

// covers: OS-009
#[test]
fn emergency_and_persistence_errors_concern_the_station() {
    let mut bench = Bench::online();
    bench.faults(&[Fault::EmergencyShutdown]);
    let shown: Vec<Value> = bench
        .drain()
        .into_iter()
        .map(|(_, payload)| payload["vendorErrorCode"].clone())
        .collect();
    assert_eq!(shown, ["EmergencyShutdown", "EmergencyShutdown"]);
    bench.faults(&[]);
    bench.drain();
    bench.input(Input::StoreFault(Some(Fault::PersistenceReadOnly)));
    let shown: Vec<Value> = bench
        .drain()
        .into_iter()
        .map(|(_, payload)| payload["vendorErrorCode"].clone())
        .collect();
    assert_eq!(shown, ["PersistenceReadOnly", "PersistenceReadOnly"]);
    bench.input(Input::StoreFault(None));
    assert_eq!(bench.reported(), ["Available"]);
}

// covers: OS-001, OS-002
#[test]
fn the_least_delay_holds_and_the_latest_state_wins() {
    let mut settings = settings("first");
    settings.status_delay_ms = 10_000;
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    for session in [
        EvseSession::Connected,
        EvseSession::Idle,
        EvseSession::Connected,
    ] {
        bench.evse(session);
        bench.pass(1);
    }
    assert_eq!(bench.reported(), Vec::<String>::new());
    bench.pass(7);
    assert_eq!(bench.reported(), ["Preparing"]);
    bench.evse(EvseSession::Idle);
    bench.status(
        "TriggerMessage",
        json!({"requestedMessage": "StatusNotification", "connectorId": 1}),
    );
    assert_eq!(bench.reported(), ["Available"], "a trigger does not wait");
}

#[test]
fn a_status_is_told_once_it_has_been_stable() {
    let mut bench = Bench::configured(&[("MinimumStatusDuration", "10")]);
    bench.connect();
    bench.pass(3_600);
    // However long ago the last one was told.
    bench.evse(EvseSession::Connected);
    bench.pass(9);
    bench.evse(EvseSession::Idle);
    bench.pass(60);
    assert_eq!(bench.reported(), Vec::<String>::new(), "it did not last");
    bench.evse(EvseSession::Connected);
    bench.pass(9);
    bench.faults(&[Fault::Evse]);
    bench.pass(9);
    bench.faults(&[]);
    bench.pass_ms(9_999);
    assert_eq!(bench.reported(), Vec::<String>::new(), "each counts anew");
    bench.pass_ms(1);
    assert_eq!(bench.reported(), ["Preparing"]);
    bench.evse(EvseSession::Idle);
    let trigger = json!({"requestedMessage": "StatusNotification", "connectorId": 1});
    bench.status("TriggerMessage", trigger);
    assert_eq!(bench.reported(), ["Available"], "a trigger does not wait");
    bench.pass(60);
    bench.expect_silence();
    bench.evse(EvseSession::Connected);
    let change = json!({"key": "MinimumStatusDuration", "value": "0"});
    assert_eq!(bench.status("ChangeConfiguration", change), "Accepted");
    assert_eq!(bench.reported(), ["Preparing"]);
}

#[test]
fn time_without_a_connection_counts_for_a_stable_status() {
    let mut bench = Bench::configured(&[("MinimumStatusDuration", "10")]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench.evse(EvseSession::Connected);
    bench.pass(10);
    bench.open();
    assert_eq!(bench.reported(), ["Preparing"]);
}

// covers: OS-003
#[test]
fn without_valid_time_there_is_no_timestamp() {
    let mut bench = Bench::configured(&[("useAsTimeSource", "false")]);
    bench.wall_at_zero = None;
    bench.open();
    bench.accept_boot();
    assert_eq!(
        bench.answer("StatusNotification", json!({}))["timestamp"],
        Value::Null
    );
}

// covers: OO-011, OO-012, OO-014
#[test]
fn after_a_reconnect_only_what_changed_is_reported() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::SocketClosed);
    bench.faults(&[Fault::Contactor]);
    bench.faults(&[]);
    bench.evse(EvseSession::SuspendedEv);
    bench.open();
    assert_eq!(bench.reported(), ["SuspendedEV"]);
    assert_eq!(bench.permit, Some(true), "the charge went on");
    bench.input(Input::SocketClosed);
    bench.open();
    bench.expect_silence();
}

#[test]
fn a_status_lost_with_the_connection_is_told_again() {
    let mut bench = Bench::online();
    bench.evse(EvseSession::Connected);
    bench.expect_call("StatusNotification");
    bench.input(Input::SocketClosed);
    bench.open();
    assert_eq!(bench.reported(), ["Preparing"]);
}

#[test]
fn a_limit_of_0_is_no_end_of_the_transaction() {
    let mut bench = Bench::online();
    bench.charge();
    bench.station(|station| {
        station.session = EvseSession::SuspendedEvse;
        station.offered = DeciAmperes(0);
    });
    bench.pass(3_600);
    assert_eq!(bench.stored.transactions.len(), 1);
    assert!(
        !bench
            .others
            .iter()
            .any(|output| matches!(output, Output::Reboot))
    );
    bench.evse(EvseSession::Charging);
    assert_eq!(
        bench
            .drain()
            .into_iter()
            .filter(|(action, _)| action == "StopTransaction")
            .count(),
        0
    );
}
