//! A session from the broker to the central system and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use simulator::central_system::Answer;
use support::{Bench, SOON, central, until, until_within};

fn status(central: &simulator::central_system::CentralSystem, expected: &str) -> Value {
    let fits = |status: &Value| status["connectorId"] == 1 && status["status"] == expected;
    central.wait_for("StatusNotification", fits, SOON).unwrap()
}

fn uri(central: &simulator::central_system::CentralSystem) -> String {
    format!("{}/CP1", central.uri())
}

// covers: OC-001, OC-011, OC-057, OS-011, OS-012, AUTH-002
#[test]
fn a_session_by_tag() {
    let central = central();
    let bench = Bench::start(
        &uri(&central),
        json!({"MeterValueSampleInterval": 10, "chargePointSerialNumber": "SN-1"}),
    );
    let boot = central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    assert_eq!(
        (&boot["chargePointVendor"], &boot["chargePointModel"]),
        (&json!("mode3"), &json!("test"))
    );
    assert_eq!(boot["chargePointSerialNumber"], json!("SN-1"));
    assert!(boot["firmwareVersion"].is_string());
    assert_eq!(central.handshakes()[0].station, "CP1");
    assert_eq!(central.handshakes()[0].subprotocols, "ocpp1.6");
    bench.mqtt.wait("ocpp/online", "1");
    status(&central, "Available");

    bench.mqtt.station("connected", "B");
    status(&central, "Preparing");
    bench.mqtt.tag("04A1B2C3D4");
    assert_eq!(
        central.wait_for("Authorize", |_| true, SOON).unwrap(),
        json!({"idTag": "04A1B2C3D4"})
    );
    bench.mqtt.wait("port0/session/authorization_status", "1");
    let start = central
        .wait_for("StartTransaction", |_| true, SOON)
        .unwrap();
    assert_eq!(
        (&start["meterStart"], &start["idTag"]),
        (&json!(1000), &json!("04A1B2C3D4"))
    );

    bench.mqtt.station("charging", "C");
    status(&central, "Charging");
    bench.mqtt.meter(1_234.5);
    let fits = |values: &Value| values["meterValue"][0]["sampledValue"][0]["value"] == "1234";
    let values = central.wait_for("MeterValues", fits, SOON).unwrap();
    assert_eq!(values["transactionId"], json!(1));
    for (state, pilot, expected) in [
        ("suspended_ev", "B", "SuspendedEV"),
        ("suspended_evse", "C", "SuspendedEVSE"),
    ] {
        bench.mqtt.station(state, pilot);
        status(&central, expected);
    }

    bench.mqtt.station("idle", "A");
    bench.mqtt.meter(2_000.0);
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(
        (&stop["meterStop"], &stop["reason"]),
        (&json!(2000), &json!("EVDisconnected"))
    );
    bench.mqtt.wait("port0/session/authorization_status", "0");
    central.mark();
    let transactions = central.transactions();
    assert_eq!(
        (
            transactions.len(),
            transactions[0].starts.len(),
            transactions[0].stops.len()
        ),
        (1, 1, 1)
    );
}

// covers: OSM-005
#[test]
fn limits_of_the_field_report_reach_the_broker_at_once() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    assert_eq!(
        bench.mqtt.history("ci/evse/basic/maxcurrentlimit"),
        Vec::<String>::new(),
        "it would end the failsafe limit"
    );
    for (limit, start, expected) in [
        (6, "2025-10-01T13:11:42Z", "6.0"),
        (7, "2025-10-01T13:14:28Z", "7.0"),
        (11, "2025-10-01T13:16:01Z", "11.0"),
        (0, "2025-10-01T13:18:09Z", "0.0"),
        (11, "2025-10-01T13:19:09Z", "11.0"),
    ] {
        let profile = json!({"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 0, "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute",
            "chargingSchedule": {"startSchedule": start, "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}}});
        let answer = central.call("SetChargingProfile", profile, SOON).unwrap();
        assert_eq!(answer, json!({"status": "Accepted"}));
        bench.mqtt.wait("ci/evse/basic/maxcurrentlimit", expected);
    }
    assert_eq!(
        central
            .call("ClearChargingProfile", json!({}), SOON)
            .unwrap(),
        json!({"status": "Accepted"})
    );
    bench.mqtt.wait("ci/evse/basic/maxcurrentlimit", "-1");
}

#[test]
fn a_limit_of_a_former_process_does_not_outlive_its_profile() {
    let central = central();
    let mut bench = Bench::prepare(&uri(&central), json!({}));
    bench
        .mqtt
        .publish("ci/evse/basic/maxcurrentlimit", "7.0", true);
    bench.mqtt.wait("ci/evse/basic/maxcurrentlimit", "7.0");
    bench.run();
    bench.mqtt.wait("ci/evse/basic/maxcurrentlimit", "-1");
}

// covers: OC-043, OC-044
#[test]
fn a_central_system_that_refuses_every_optional_message() {
    let central = central();
    for action in ["StatusNotification", "MeterValues", "Heartbeat"] {
        central.answer(action, Answer::call_error("NotSupported", "no"));
    }
    central.before_boot_answer(vec![
        (
            "GetConfiguration",
            json!({"key": ["SupportedFeatureProfiles"]}),
        ),
        (
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Operative"}),
        ),
    ]);
    let bench = Bench::start(
        &uri(&central),
        json!({"MeterValueSampleInterval": 10, "chargePointSerialNumber": "SN-1"}),
    );
    bench.charge(&central);
    central.wait_for("MeterValues", |_| true, SOON).unwrap();
    let trigger = json!({"requestedMessage": "Heartbeat"});
    central.call("TriggerMessage", trigger, SOON).unwrap();
    central.wait_for("Heartbeat", |_| true, SOON).unwrap();
    bench.mqtt.station("idle", "A");
    central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(central.handshakes().len(), 1, "the connection stayed");
    assert!(
        central.calls("StatusNotification").len() < 12,
        "nothing is repeated in a loop"
    );
}

// covers: AV-008
#[test]
fn what_the_central_system_set_survives_a_crash() {
    let central = central();
    let mut bench = Bench::start(&uri(&central), json!({}));
    status(&central, "Available");
    let change = json!({"key": "MeterValueSampleInterval", "value": "20"});
    assert_eq!(
        central.call("ChangeConfiguration", change, SOON).unwrap(),
        json!({"status": "Accepted"})
    );
    let inoperative = json!({"connectorId": 1, "type": "Inoperative"});
    assert_eq!(
        central
            .call("ChangeAvailability", inoperative, SOON)
            .unwrap(),
        json!({"status": "Accepted"})
    );
    bench.mqtt.wait("ocpp/availability/target", "inoperative");
    bench.kill();
    central.mark();
    bench.run();
    status(&central, "Unavailable");
    let report = central
        .call(
            "GetConfiguration",
            json!({"key": ["MeterValueSampleInterval"]}),
            SOON,
        )
        .unwrap();
    assert_eq!(report["configurationKey"][0]["value"], json!("20"));
}

// covers: OC-039
#[test]
fn a_reset_runs_the_command_after_the_transaction_ended() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    assert_eq!(
        central
            .call("Reset", json!({"type": "Soft"}), SOON)
            .unwrap(),
        json!({"status": "Accepted"})
    );
    bench.mqtt.wait("port0/session/authorization_status", "0");
    bench.mqtt.station("connected", "B");
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(stop["reason"], json!("SoftReset"));
    until("the command ran", || bench.path("rebooted").exists());
}

#[test]
fn the_broker_may_restart_in_a_session() {
    let central = central();
    let mut bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    let profile = json!({"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 0, "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative", "chargingSchedule":
        {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}}});
    central.call("SetChargingProfile", profile, SOON).unwrap();
    bench.mqtt.wait("ci/evse/basic/maxcurrentlimit", "10.0");
    bench.mqtt.forget();
    bench.broker.restart();
    for (topic, payload) in [
        ("ocpp/online", "1"),
        ("ci/evse/basic/maxcurrentlimit", "10.0"),
        ("port0/session/authorization_status", "1"),
    ] {
        bench.mqtt.wait(topic, payload);
    }
    assert!(central.transactions()[0].is_running());
}

#[test]
fn a_restarted_evsed_learns_the_permission_again() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    bench
        .mqtt
        .publish("ci/global/daemon/evsed/available", "0", true);
    status(&central, "Faulted");
    bench.mqtt.forget();
    bench
        .mqtt
        .publish("ci/global/daemon/evsed/available", "1", true);
    bench.mqtt.wait("port0/session/authorization_status", "1");
}

#[test]
fn an_orderly_end_withdraws_the_permission_and_closes_the_transaction() {
    let central = central();
    let mut bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    assert!(bench.terminate().success());
    bench.mqtt.wait("port0/session/authorization_status", "0");
    bench.mqtt.wait("ocpp/online", "0");
    bench.mqtt.station("connected", "B");
    bench.run();
    let stop = central
        .wait_for("StopTransaction", |_| true, Duration::from_secs(30))
        .unwrap();
    assert_eq!(stop["reason"], json!("Reboot"));
}

// covers: OC-059
#[test]
fn disabled_it_makes_no_connection() {
    let central = central();
    let mut bench = Bench::prepare(&uri(&central), json!({"enable": false}));
    bench.run();
    bench.mqtt.wait("ocpp/online", "0");
    until("it says so", || bench.log().contains("no connection"));
    assert!(bench.terminate().success());
    assert_eq!(central.handshakes(), []);
}

// covers: OC-002
#[test]
fn an_unusable_uri_is_bad_configuration() {
    for uri in ["", "http://host/CP1", "WS://host/CP1"] {
        let mut bench = Bench::start(uri, json!({}));
        assert_eq!(bench.exit_code(), Some(78), "{uri}");
        assert!(bench.log().contains("ocpp/uri"), "{}", bench.log());
    }
}

// covers: OC-047
#[test]
fn broken_frames_are_survived() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    status(&central, "Available");
    for text in [
        r#"[2,"half","Reset",{"ty"#,
        "",
        "null",
        "[]",
        r#"[2,"x","Reset"]"#,
        r#"[3,"nobody",{}]"#,
        r#"[4,"nobody","x","",{}]"#,
    ] {
        central.send_raw(text).unwrap();
    }
    bench.mqtt.publish("port0/session/state", "garbage", false);
    assert_eq!(
        central.call("ClearCache", json!({}), SOON).unwrap(),
        json!({"status": "Accepted"})
    );
    central.send_raw(r#"[2,"unknown","Foo",{}]"#).unwrap();
    let unknown = central
        .wait_for_reply("unknown", SOON)
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("NotImplemented"), "{unknown}");
    until_within(SOON, "the half frame is named in the log", || {
        bench.log().contains("not JSON")
    });
}

/// Calls `action`, and meanwhile plays the other daemon.
fn call_with_help(
    central: &simulator::central_system::CentralSystem,
    action: &str,
    payload: Value,
    help: impl FnOnce(),
) -> Value {
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| central.call(action, payload, SOON).unwrap());
        help();
        answer.join().unwrap()
    })
}

// covers: PL-021
#[test]
fn unlocking_ends_the_transaction_and_asks_the_evse() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    let request = "port0/plug_lock/unlock/request";
    let answer = call_with_help(
        &central,
        "UnlockConnector",
        json!({"connectorId": 1}),
        || {
            until("the EVSE is asked", || {
                !bench.mqtt.history(request).is_empty()
            });
            bench.mqtt.wait("port0/session/authorization_status", "0");
            bench.mqtt.station("connected", "B");
            bench.mqtt.meter(2_000.0);
            let id = bench.mqtt.history(request).remove(0);
            for (id, result) in [("another", "failed"), (id.as_str(), "unlocked")] {
                let result = json!({"id": id, "result": result}).to_string();
                bench
                    .mqtt
                    .publish("port0/plug_lock/unlock/result", &result, false);
            }
        },
    );
    assert_eq!(answer, json!({"status": "Unlocked"}));
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(
        (&stop["reason"], &stop["meterStop"]),
        (&json!("UnlockCommand"), &json!(2_000))
    );
    assert_eq!(bench.mqtt.history(request).len(), 1);
}

// covers: REC-005, REC-006, REC-008
#[test]
fn the_recloser_is_asked_and_switched() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.mqtt.wait("ocpp/online", "1");
    let payload = |message: &str, data: &str| json!({"vendorId": "com.in-tech.smartcharging", "messageId": message, "data": data});
    let state = || {
        central
            .call("DataTransfer", payload("rcdRecloserGetState", "1"), SOON)
            .unwrap()
    };
    assert_eq!(
        state(),
        json!({"status": "Rejected", "data": "notAvailable"})
    );
    bench
        .mqtt
        .publish("ci/global/daemon/recloserd/available", "1", true);
    bench
        .mqtt
        .publish("port0/rcd/recloser/state/actual", "open", true);
    until("the state is known", || {
        state() == json!({"status": "Accepted", "data": "open"})
    });
    let target = "port0/rcd/recloser/state/target";
    let change = payload("rcdRecloserChangeState", "1, close");
    let answer = call_with_help(&central, "DataTransfer", change, || {
        bench.mqtt.wait(target, "close");
        bench
            .mqtt
            .publish("port0/rcd/recloser/state/confirm", "close", false);
    });
    assert_eq!(answer, json!({"status": "Accepted", "data": "close"}));
    assert_eq!(bench.mqtt.history(target), ["close"]);
}

#[test]
fn a_user_sees_what_became_of_the_tag() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    status(&central, "Available");
    for (verdict, expected) in [("Blocked", "rejected"), ("Accepted", "accepted")] {
        central.answer(
            "Authorize",
            Answer::Payload(json!({"idTagInfo": {"status": verdict}})),
        );
        bench.mqtt.tag("04A1B2C3D4");
        bench
            .mqtt
            .wait("port0/session/authorization_result", expected);
    }
}

// covers: EMG-009, OS-005
#[test]
fn an_emergency_ends_the_transaction_and_is_reported() {
    let central = central();
    let bench = Bench::start(&uri(&central), json!({}));
    bench.charge(&central);
    bench.mqtt.publish("port0/emergency_shutdown", "1", true);
    bench.mqtt.station("faulted", "C");
    bench.mqtt.meter(1_900.0);
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(stop["reason"], json!("EmergencyStop"));
    assert_eq!(
        status(&central, "Faulted")["vendorErrorCode"],
        json!("EmergencyShutdown")
    );
    bench.mqtt.wait("port0/session/authorization_status", "0");
}
