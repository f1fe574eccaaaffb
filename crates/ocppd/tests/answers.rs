//! Nearly every CALL is answered within a second, and each within ten, whatever else goes on;
//! measured at the central system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::central_system::{Answer, CentralSystem};
use support::{Bench, SOON, assert_in_time, central, until};

/// Transactions that wait for the central system, with two messages each.
const WAITING: usize = 60;
/// How long the central system takes for each of them while it asks: the queue outlasts that.
const THINKING: Duration = Duration::from_millis(200);

/// One CALL of each kind whose answer depends on the station alone, and on who writes its file.
fn calls() -> Vec<(&'static str, Value)> {
    let key = |key: &str, value: &str| json!({"key": key, "value": value});
    let profile = json!({"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 1,
        "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}}});
    let list = json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [
        {"idTag": "A", "idTagInfo": {"status": "Accepted"}}]});
    vec![
        ("GetConfiguration", json!({})),
        ("ChangeConfiguration", key("HeartbeatInterval", "400")),
        ("ChangeConfiguration", key("MeterValueSampleInterval", "20")),
        ("ChangeConfiguration", key("NoSuchKey", "1")),
        (
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Operative"}),
        ),
        ("SendLocalList", list),
        ("GetLocalListVersion", json!({})),
        ("ClearCache", json!({})),
        ("SetChargingProfile", profile),
        (
            "GetCompositeSchedule",
            json!({"connectorId": 1, "duration": 60}),
        ),
        ("ClearChargingProfile", json!({})),
        ("DataTransfer", json!({"vendorId": "nobody"})),
        ("CancelReservation", json!({"reservationId": 1})),
        ("RemoteStopTransaction", json!({"transactionId": 999})),
        (
            "TriggerMessage",
            json!({"requestedMessage": "StatusNotification", "connectorId": 1}),
        ),
        (
            "TriggerMessage",
            json!({"requestedMessage": "MeterValues", "connectorId": 1}),
        ),
        (
            "GetInstalledCertificateIds",
            json!({"certificateType": "CentralSystemRootCertificate"}),
        ),
    ]
}

/// Three times: what is always late is late more often than a loaded machine may excuse.
fn ask_everything(central: &CentralSystem) {
    for _ in 0..3 {
        for (action, payload) in calls() {
            central.call(action, payload, SOON).unwrap();
        }
    }
}

fn start(central: &CentralSystem, ocpp: Value) -> Bench {
    Bench::start(&format!("{}/CP1", central.uri()), ocpp)
}

fn connected(central: &CentralSystem) {
    let known = |status: &Value| status["connectorId"] == 1;
    central.wait_for("StatusNotification", known, SOON).unwrap();
}

/// A transaction by tag, as the other daemons tell it.
fn transaction(bench: &Bench, number: u32) {
    let permit = "port0/session/authorization_status";
    bench.mqtt.meter(f64::from(number) * 10.0);
    bench.mqtt.station("connected", "B");
    bench.mqtt.tag(&format!("{number:08X}"));
    bench.mqtt.wait(permit, "1");
    bench.mqtt.station("charging", "C");
    bench.mqtt.station("idle", "A");
    bench.mqtt.wait(permit, "0");
}

// covers: OC-049
#[test]
fn while_a_long_queue_is_delivered() {
    let central = central();
    let mut bench = start(&central, json!({"MeterValueSampleInterval": 0}));
    connected(&central);
    central.stop().unwrap();
    bench.mqtt.wait("ocpp/online", "0");
    for number in 1..=u32::try_from(WAITING).unwrap() {
        transaction(&bench, number);
    }
    let answer = |answer: &Answer| {
        for action in ["StartTransaction", "StopTransaction"] {
            central.answer(action, answer.clone());
        }
    };
    answer(&Answer::delayed(THINKING, Answer::Default));
    // A new process does not wait until it is time for the next attempt.
    bench.kill();
    central.mark();
    central.restart_on_same_port().unwrap();
    bench.run();
    central
        .wait_for("StartTransaction", |_| true, SOON)
        .unwrap();
    ask_everything(&central);
    let delivered = central.calls("StopTransaction").len();
    assert!(delivered < WAITING, "the queue was empty before the end");
    answer(&Answer::Default);
    until("the queue is delivered", || {
        central.calls("StopTransaction").len() == WAITING
    });
    assert_in_time(&central);
}

// covers: OC-049
#[test]
fn while_an_upload_makes_no_progress() {
    let central = central();
    let _bench = start(&central, json!({}));
    connected(&central);
    // Takes the connection, and is silent.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("http://{}/", server.local_addr().unwrap());
    central.mark();
    let answer = central.call("GetDiagnostics", json!({"location": location}), SOON);
    assert!(answer.unwrap()["fileName"].is_string());
    let (_connection, _) = server.accept().unwrap();
    ask_everything(&central);
    let statuses = central.calls("DiagnosticsStatusNotification");
    assert_eq!(statuses, [json!({"status": "Uploading"})]);
    assert_in_time(&central);
}

// covers: OC-049
#[test]
fn while_the_registration_is_pending() {
    let central = central();
    let pending = json!({"status": "Pending", "currentTime": "2026-03-01T12:00:00Z",
        "interval": 300});
    central.answer("BootNotification", Answer::Payload(pending));
    let _bench = start(&central, json!({}));
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    ask_everything(&central);
    assert_eq!(central.calls("BootNotification").len(), 1);
    assert_in_time(&central);
}

// covers: OC-049
#[test]
fn while_the_meter_is_dead() {
    let central = central();
    let bench = start(&central, json!({}));
    // It signs, and will never again.
    let key = "port0/metering/meter/signed/public_key";
    bench.mqtt.publish(key, "00", true);
    let transaction = bench.charge(&central);
    bench
        .mqtt
        .publish("port0/metering/meter/available", "0", true);
    let meter_fails = |status: &Value| status["errorCode"] == "PowerMeterFailure";
    central
        .wait_for("StatusNotification", meter_fails, SOON)
        .unwrap();
    ask_everything(&central);
    let stop = json!({"transactionId": transaction});
    let answer = central.call("RemoteStopTransaction", stop, SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    ask_everything(&central);
    let stops = central.calls("StopTransaction");
    assert_eq!(stops, Vec::<Value>::new(), "it waits for a signed value");
    assert_in_time(&central);
}
