use serde_json::json;

use super::bench::Bench;
use crate::{CiString, Configuration, Input, Output, Stored, Timestamp};

fn boot(status: &str, interval: i64) -> serde_json::Value {
    json!({"status": status, "currentTime": "2026-03-01T12:00:01Z", "interval": interval})
}

// covers: OC-015
#[test]
fn pending_and_rejected_repeat_after_the_interval_and_nothing_else_is_sent() {
    for status in ["Pending", "Rejected"] {
        let mut bench = Bench::new();
        bench.open();
        bench.answer("BootNotification", boot(status, 5));
        bench.evse(crate::EvseSession::Connected);
        bench.tag("driver");
        bench.pass(4);
        bench.expect_silence();
        bench.pass(1);
        let (id, _) = bench.expect_call("BootNotification");
        bench.result(&id, boot("Accepted", 60));
        assert_eq!(bench.reported(), ["Preparing"], "{status}");
    }
}

// covers: OC-016
#[test]
fn an_accepted_boot_notification_is_not_repeated() {
    let mut bench = Bench::online();
    bench.pass(3_600);
    bench.expect_silence();
    bench.input(Input::SocketClosed);
    bench.open();
    bench.expect_silence();
}

// covers: OC-013, OC-014
#[test]
fn a_reconnect_boots_only_where_configured() {
    let mut bench = Bench::configured(&[("bootNotificationOnReconnect", "true")]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench.connect();
}

#[test]
fn without_an_answer_the_next_boot_notification_has_a_fresh_id() {
    let mut bench = Bench::new();
    bench.open();
    let refused = bench.answer_error("BootNotification", "InternalError");
    bench.pass(30);
    let (unanswered, _) = bench.expect_call("BootNotification");
    bench.input(Input::SocketClosed);
    bench.open();
    let (third, _) = bench.expect_call("BootNotification");
    assert!(refused != unanswered && unanswered != third && refused != third);
}

// covers: OC-017, OC-018, OC-070
#[test]
fn the_heartbeat_interval_comes_from_the_answer() {
    for (interval, expected) in [(60, 60), (0, 600), (1, 10), (-5, 600)] {
        let mut bench = Bench::new();
        bench.open();
        bench.answer("BootNotification", boot("Accepted", interval));
        bench.reported();
        bench.pass(expected - 1);
        bench.expect_silence();
        bench.pass(1);
        bench.expect_call("Heartbeat");
    }
    let mut bench = Bench::online();
    assert_eq!(
        bench.status(
            "ChangeConfiguration",
            json!({"key": "HeartbeatInterval", "value": "20"})
        ),
        "Accepted"
    );
    assert_eq!(bench.configured, [], "it is not stored");
    bench.pass(20);
    bench.expect_call("Heartbeat");
}

// covers: OC-011
#[test]
fn the_meter_is_named_once_it_is_known() {
    let mut bench = Bench::configured(&[("bootNotificationOnReconnect", "true")]);
    bench.open();
    let (_, first) = bench.expect_call("BootNotification");
    assert_eq!(
        first,
        json!({"chargePointVendor": "mode3", "chargePointModel": "bench"})
    );
    let model = CiString::truncated("Eastron SDM630");
    bench.input(Input::MeterIdentified {
        model,
        serial: Some(CiString::truncated("4711")),
    });
    bench.input(Input::SocketClosed);
    bench.open();
    let (_, second) = bench.expect_call("BootNotification");
    assert_eq!(
        (&second["meterType"], &second["meterSerialNumber"]),
        (&json!("Eastron SDM630"), &json!("4711"))
    );
}

#[test]
fn calls_are_answered_before_the_boot_notification_is() {
    let mut bench = Bench::new();
    bench.open();
    let answer = bench.call(
        "GetConfiguration",
        json!({"key": ["SupportedFeatureProfiles"]}),
    );
    let profiles = answer["configurationKey"][0]["value"].as_str().unwrap();
    assert!(profiles.starts_with("Core,"), "{profiles}");
    assert_eq!(
        bench.status(
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Operative"})
        ),
        "Accepted"
    );
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
        "Rejected"
    );
    bench.accept_boot();
}

// covers: OC-053
#[test]
fn a_trigger_works_while_pending() {
    let mut bench = Bench::new();
    bench.open();
    bench.answer("BootNotification", boot("Pending", 3_600));
    for (message, actions) in [
        (
            "StatusNotification",
            vec!["StatusNotification", "StatusNotification"],
        ),
        ("Heartbeat", vec!["Heartbeat"]),
        ("MeterValues", vec!["MeterValues"]),
        ("BootNotification", vec!["BootNotification"]),
    ] {
        assert_eq!(
            bench.status("TriggerMessage", json!({"requestedMessage": message})),
            "Accepted"
        );
        for action in actions {
            bench.answer(action, json!({}));
        }
    }
}

#[test]
fn a_boot_notification_can_be_triggered_once_for_each_connection() {
    let mut bench = Bench::online();
    let trigger = json!({"requestedMessage": "BootNotification"});
    assert_eq!(bench.status("TriggerMessage", trigger.clone()), "Rejected");
    bench.input(Input::SocketClosed);
    bench.open();
    assert_eq!(bench.status("TriggerMessage", trigger.clone()), "Accepted");
    bench.accept_boot();
    bench.drain();
    assert_eq!(bench.status("TriggerMessage", trigger), "Rejected");
}

// covers: OC-019, OC-020
#[test]
fn the_central_system_is_the_time_source_where_configured() {
    let mut bench = Bench::new();
    bench.wall_at_zero = None;
    bench.open();
    bench.answer("BootNotification", boot("Accepted", 0));
    let expected = Timestamp::parse("2026-03-01T12:00:01Z").unwrap();
    assert!(bench.others.contains(&Output::SetClock(expected)));
    bench.pass(5);
    assert_eq!(
        bench.point.wall(),
        Some(expected.plus_seconds(5)),
        "right even if the clock could not be set"
    );

    let mut configuration = Configuration::default();
    configuration.set("useAsTimeSource", "false").unwrap();
    let mut bench = Bench::with(
        super::bench::settings("first"),
        configuration,
        Stored::default(),
    );
    bench.wall_at_zero = None;
    bench.open();
    bench.answer("BootNotification", boot("Accepted", 0));
    assert!(
        !bench
            .others
            .iter()
            .any(|output| matches!(output, Output::SetClock(_)))
    );
    assert_eq!(bench.point.wall(), None);
}

#[test]
fn a_silent_central_system_is_left() {
    let mut bench = Bench::new();
    bench.open();
    bench.pass(300);
    assert!(bench.others.contains(&Output::Disconnect));
}
