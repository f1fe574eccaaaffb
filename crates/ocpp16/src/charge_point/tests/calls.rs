use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{EvseSession, Fault, Input, Output, Reading};

fn trigger(bench: &mut Bench, message: &str, connector: Option<i64>) -> String {
    let mut payload = json!({"requestedMessage": message});
    if let Some(connector) = connector {
        payload["connectorId"] = json!(connector);
    }
    bench.status("TriggerMessage", payload)
}

// The set-up of evcc tries each measurand alone.
#[test]
fn only_measurands_that_the_meter_delivers_are_accepted() {
    let mut bench = Bench::online();
    bench.input(Input::Reading(Reading {
        power_w: Some(0.0),
        voltage_v: [Some(230.0); 3],
        ..meter(1_000)
    }));
    for (measurand, expected) in [
        ("Power.Active.Import", "Accepted"),
        ("Energy.Active.Import.Register", "Accepted"),
        ("Current.Import", "Accepted"),
        ("Voltage", "Accepted"),
        ("Current.Offered", "Accepted"),
        ("Power.Offered", "Accepted"),
        ("SoC", "Rejected"),
        ("Frequency", "Rejected"),
    ] {
        let payload = json!({"key": "MeterValuesSampledData", "value": measurand});
        assert_eq!(
            bench.status("ChangeConfiguration", payload),
            expected,
            "{measurand}"
        );
    }
}

#[test]
fn messages_without_effect_have_their_proper_status() {
    let mut bench = Bench::online();
    assert_eq!(
        bench.status("DataTransfer", json!({"vendorId": "x", "data": {"y": 1}})),
        "UnknownVendorId"
    );
}

// covers: OC-053
#[test]
fn trigger_message_sends_or_says_why_not() {
    let mut bench = Bench::online();
    for (message, connector, expected, actions) in [
        ("Heartbeat", None, "Accepted", vec!["Heartbeat"]),
        (
            "StatusNotification",
            None,
            "Accepted",
            vec!["StatusNotification", "StatusNotification"],
        ),
        (
            "StatusNotification",
            Some(1),
            "Accepted",
            vec!["StatusNotification"],
        ),
        ("StatusNotification", Some(2), "Rejected", vec![]),
        ("MeterValues", None, "Accepted", vec!["MeterValues"]),
        ("MeterValues", Some(1), "Accepted", vec!["MeterValues"]),
        ("MeterValues", Some(2), "Rejected", vec![]),
        (
            "FirmwareStatusNotification",
            None,
            "Accepted",
            vec!["FirmwareStatusNotification"],
        ),
        (
            "DiagnosticsStatusNotification",
            None,
            "Accepted",
            vec!["DiagnosticsStatusNotification"],
        ),
        ("LogStatusNotification", None, "NotImplemented", vec![]),
        ("Foo", None, "NotImplemented", vec![]),
    ] {
        assert_eq!(
            trigger(&mut bench, message, connector),
            expected,
            "{message} {connector:?}"
        );
        let sent: Vec<String> = bench
            .drain()
            .into_iter()
            .map(|(action, _)| action)
            .collect();
        assert_eq!(sent, actions, "{message} {connector:?}");
    }
}

#[test]
fn triggered_meter_values_are_one_instant_without_transaction_id() {
    let mut bench = Bench::online();
    bench.status(
        "ChangeConfiguration",
        json!({"key": "MeterValuesSampledData", "value": "Current.Import,Current.Offered"}),
    );
    trigger(&mut bench, "MeterValues", None);
    let values = bench.answer("MeterValues", json!({}));
    assert_eq!(
        values,
        json!({"connectorId": 1, "meterValue": [{"timestamp": "2026-03-01T12:00:01.000Z", "sampledValue": [
            {"value": "16.00", "context": "Trigger", "measurand": "Current.Import", "unit": "A"},
            {"value": "16.0", "context": "Trigger", "measurand": "Current.Offered", "unit": "A"},
        ]}]})
    );
}

// covers: AV-008, AV-009, AV-010, AV-011, OC-052, OS-016
#[test]
fn an_inoperative_connector_waits_for_the_ev_and_survives_a_restart() {
    let mut bench = Bench::online();
    let change = |bench: &mut Bench, connector: i64, kind: &str| {
        bench.status(
            "ChangeAvailability",
            json!({"connectorId": connector, "type": kind}),
        )
    };
    assert_eq!(change(&mut bench, 0, "Operative"), "Accepted");
    assert_eq!(change(&mut bench, 2, "Operative"), "Rejected");
    bench.evse(EvseSession::Connected);
    bench.drain();
    assert_eq!(change(&mut bench, 1, "Inoperative"), "Scheduled");
    assert_eq!((bench.operative, bench.reported()), (Some(true), vec![]));
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
        "Rejected"
    );
    bench.evse(EvseSession::Idle);
    assert_eq!(
        (bench.operative, bench.reported()),
        (Some(false), vec!["Unavailable".to_owned()])
    );

    let mut bench = bench.restart();
    assert_eq!(bench.operative, Some(false));
    bench.connect();
    assert_eq!(change(&mut bench, 1, "Operative"), "Accepted");
    assert_eq!(
        (bench.operative, bench.reported()),
        (Some(true), vec!["Available".to_owned()])
    );
}

#[test]
fn connector_0_makes_the_whole_station_unavailable() {
    let mut bench = Bench::online();
    assert_eq!(
        bench.status(
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Inoperative"})
        ),
        "Accepted"
    );
    let states: Vec<Value> = bench
        .drain()
        .into_iter()
        .map(|(_, payload)| payload["status"].clone())
        .collect();
    assert_eq!(states, ["Unavailable", "Unavailable"]);
}

// covers: OC-039, OC-040
#[test]
fn a_reset_ends_the_transaction_first() {
    for (kind, reason) in [("Soft", "SoftReset"), ("Hard", "HardReset")] {
        let mut bench = Bench::online();
        bench.charge();
        assert_eq!(bench.status("Reset", json!({"type": kind})), "Accepted");
        assert_eq!(bench.permit, Some(false));
        bench.evse(EvseSession::Connected);
        bench.pass(1);
        bench.input(Input::Reading(meter(1_500)));
        let stop = bench
            .drain()
            .into_iter()
            .find(|(action, _)| action == "StopTransaction")
            .unwrap()
            .1;
        assert_eq!(
            (&stop["reason"], &stop["transactionId"]),
            (&json!(reason), &json!(7))
        );
        bench.pass(1);
        assert!(bench.others.contains(&Output::Reboot), "{kind}");
        assert!(bench.stored.messages.is_empty() && bench.stored.transactions.is_empty());
    }
}

#[test]
fn a_reset_without_delivery_keeps_the_messages() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::SocketClosed);
    bench.open();
    assert_eq!(bench.status("Reset", json!({"type": "Hard"})), "Accepted");
    bench.pass(2);
    assert!(bench.others.contains(&Output::Reboot));
    assert_eq!(bench.stored.messages.len(), 1);
}

// covers: OC-031, OC-032, OC-035
#[test]
fn remote_start_depends_on_the_connector() {
    type Prepare = fn(&mut Bench);
    let cases: [(&str, Prepare, Value, &str); 9] = [
        ("available", |_| {}, json!({"idTag": "x"}), "Accepted"),
        (
            "preparing",
            |bench| bench.evse(EvseSession::Connected),
            json!({"idTag": "x", "connectorId": 1}),
            "Accepted",
        ),
        (
            "connector 0",
            |_| {},
            json!({"idTag": "x", "connectorId": 0}),
            "Rejected",
        ),
        (
            "connector 2",
            |_| {},
            json!({"idTag": "x", "connectorId": 2}),
            "Rejected",
        ),
        ("empty tag", |_| {}, json!({"idTag": ""}), "Rejected"),
        (
            "faulted",
            |bench| bench.faults(&[Fault::Contactor]),
            json!({"idTag": "x"}),
            "Rejected",
        ),
        (
            "evse faulted",
            |bench| bench.evse(EvseSession::Faulted),
            json!({"idTag": "x"}),
            "Rejected",
        ),
        (
            "busy",
            |bench| bench.charge(),
            json!({"idTag": "x"}),
            "Rejected",
        ),
        (
            "unavailable",
            |bench| {
                drop(bench.status(
                    "ChangeAvailability",
                    json!({"connectorId": 1, "type": "Inoperative"}),
                ))
            },
            json!({"idTag": "x"}),
            "Rejected",
        ),
    ];
    for (name, prepare, payload, expected) in cases {
        let mut bench = Bench::online();
        prepare(&mut bench);
        bench.drain();
        assert_eq!(
            bench.status("RemoteStartTransaction", payload),
            expected,
            "{name}"
        );
    }
}
