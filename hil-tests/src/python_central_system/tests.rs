//! The Python central system and the judge of frames, against a station without a mind.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use super::*;

const SOON: Duration = Duration::from_secs(20);

struct Station(WebSocket<TcpStream>);

impl Station {
    fn connect(central: &str) -> Self {
        let uri = format!("{central}/A");
        let stream = TcpStream::connect(uri.split('/').nth(2).unwrap()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut request = uri.into_client_request().unwrap();
        let subprotocol = HeaderValue::from_static("ocpp1.6");
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", subprotocol);
        Self(client(request, stream).unwrap().0)
    }

    fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    }

    fn call(&mut self, id: &str, action: &str, payload: Value) -> Value {
        self.send(json!([2, id, action, payload]));
        self.receive()
    }

    fn boot(&mut self) -> Value {
        let payload = json!({ "chargePointModel": "m", "chargePointVendor": "v" });
        self.call("boot", "BootNotification", payload)
    }
}

fn status(status: &str) -> Value {
    json!({ "connectorId": 1, "errorCode": "NoError", "status": status })
}

fn judge(traces: &Path) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/judges/frames.py");
    let mut command = Command::new(judges());
    command.arg(script).arg(traces).output().unwrap()
}

#[test]
fn it_takes_part_in_a_whole_session() {
    let traces = tempfile::tempdir().unwrap();
    let mut central = PythonCentralSystem::start(traces.path(), &["--transaction-id", "40"]);
    let mut station = Station::connect(&central.uri());
    assert_eq!(station.boot()[2]["status"], "Accepted");
    let boot = central.expect("boot", |_| true, SOON);
    assert_eq!(boot["payload"]["chargePointModel"], "m");
    let start = json!({
        "connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z",
    });
    for id in ["s1", "s2"] {
        let started = station.call(id, "StartTransaction", start.clone());
        assert_eq!(started[2]["transactionId"], 40);
    }
    assert_eq!(central.expect("start", |_| true, SOON)["transactionId"], 40);

    central.mark();
    station.call("st", "StatusNotification", status("Charging"));
    let charging = |event: &Value| event["payload"]["status"] == "Charging";
    central.expect("status", charging, SOON);
    let values = json!([{
        "timestamp": "2026-01-01T00:00:01Z",
        "sampledValue": [{ "value": "6.0", "measurand": "Current.Import", "phase": "L1" }],
    }]);
    let meter = json!({ "connectorId": 1, "transactionId": 40, "meterValue": values });
    station.call("m", "MeterValues", meter.clone());
    assert_eq!(central.expect("meter", |_| true, SOON)["payload"], meter);
    let stop = json!({ "transactionId": 40, "meterStop": 9, "timestamp": "2026-01-01T00:00:09Z" });
    station.call("e", "StopTransaction", stop);
    central.expect("stop", |_| true, SOON);
    // After the stop the same words begin another transaction.
    let again = station.call("s3", "StartTransaction", start);
    assert_eq!(again[2]["transactionId"], 41);
    assert!(
        central.complaints().is_empty(),
        "{:?}",
        central.complaints()
    );
    drop(central);
    let verdict = judge(traces.path());
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(
        verdict.status.success() && text.starts_with("14 OCPP frames of 1 traces"),
        "{text}"
    );
}

#[test]
fn it_limits_the_current_with_the_frames_of_evcc() {
    let traces = tempfile::tempdir().unwrap();
    let mut central = PythonCentralSystem::start(traces.path(), &[]);
    let mut station = Station::connect(&central.uri());
    station.boot();
    let answering = std::thread::spawn(move || {
        let limit = station.receive();
        station.send(json!([3, limit[1], { "status": "Accepted" }]));
        let reset = station.receive();
        station.send(json!([4, reset[1], "NotSupported", "never", {}]));
        limit
    });
    assert_eq!(
        central.limit_current(11, SOON),
        json!({ "status": "Accepted" })
    );
    let refusal = central.try_call("Reset", json!({ "type": "Soft" }), SOON);
    assert_eq!(refusal.unwrap_err()["code"], "NotSupported");

    let mut frame = answering.join().unwrap();
    let start = frame[3]["csChargingProfiles"]["chargingSchedule"]["startSchedule"].take();
    assert_eq!(
        start.as_str().map(str::len),
        Some("2025-10-01T13:16:01Z".len())
    );
    assert!(
        frame[1]
            .as_str()
            .unwrap()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    );
    frame[1].take();
    let evcc = json!([2, null, "SetChargingProfile", {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 0,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": null,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 11 }],
            },
        },
    }]);
    assert_eq!(frame, evcc);
}

#[test]
fn it_refuses_what_it_is_told_to_refuse_without_complaint() {
    let traces = tempfile::tempdir().unwrap();
    let options = ["--reply", "StatusNotification=NotSupported"];
    let central = PythonCentralSystem::start(traces.path(), &options);
    let mut station = Station::connect(&central.uri());
    let answer = station.call("1", "StatusNotification", status("Available"));
    assert_eq!(
        (&answer[0], &answer[2]),
        (&json!(4), &json!("NotSupported"))
    );
    let told = central.expect("status", |_| true, SOON);
    assert_eq!(told["refused"], "NotSupported");
    assert_eq!(station.boot()[0], 3);
    assert!(
        central.complaints().is_empty(),
        "{:?}",
        central.complaints()
    );
}

#[test]
fn it_calls_before_it_answers_the_boot() {
    let traces = tempfile::tempdir().unwrap();
    let central = PythonCentralSystem::start(traces.path(), &["--calls-before-boot"]);
    let mut station = Station::connect(&central.uri());
    let first = station.boot();
    assert_eq!(first[2], "GetConfiguration");
    station.send(json!([3, first[1], { "configurationKey": [] }]));
    let second = station.receive();
    assert_eq!(second[2], "ChangeAvailability");
    station.send(json!([3, second[1], { "status": "Accepted" }]));
    assert_eq!(station.receive()[1], "boot");
    let early = |event: &Value| event["id"] == "early-1";
    central.expect("result", early, SOON);
    assert!(
        central.complaints().is_empty(),
        "{:?}",
        central.complaints()
    );
}

#[test]
fn it_complains_about_every_breach_of_the_rules() {
    let traces = tempfile::tempdir().unwrap();
    let mut central = PythonCentralSystem::start(traces.path(), &[]);
    let mut station = Station::connect(&central.uri());
    let no_model = json!({ "chargePointVendor": "v" });
    assert_eq!(station.call("1", "BootNotification", no_model)[0], 4);
    central.expect("complaint", |_| true, SOON);
    central.mark();
    station.0.send(Message::text("[2,\"cut")).unwrap();
    central.expect("complaint", |_| true, SOON);
    central.mark();
    let answering = std::thread::spawn(move || {
        let reset = station.receive();
        station.send(json!([3, reset[1], { "status": "" }]));
    });
    let call = std::panic::AssertUnwindSafe(|| {
        central.call("Reset", json!({ "type": "Soft" }), SOON);
    });
    let panicked = std::panic::catch_unwind(call).unwrap_err();
    let text = panicked.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("breaks the rules") && text.contains("status"),
        "{text}"
    );
    answering.join().unwrap();
    assert_eq!(central.complaints().len(), 3);
}

#[test]
fn the_simulated_central_system_answers_by_the_schemas() {
    let traces = tempfile::tempdir().unwrap();
    let options = simulator::central_system::Options {
        trace_dir: Some(traces.path().to_owned()),
        ..Default::default()
    };
    let central = simulator::central_system::CentralSystem::start(options).unwrap();
    let mut station = Station::connect(central.uri());
    station.boot();
    let at = "2026-01-01T00:00:00Z";
    let values = json!([{ "timestamp": at, "sampledValue": [{ "value": "1" }] }]);
    let start = json!({ "connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": at });
    let stop = json!({ "transactionId": 1, "idTag": "T", "meterStop": 1, "timestamp": at });
    let calls = [
        ("Heartbeat", json!({})),
        ("StatusNotification", status("Available")),
        ("Authorize", json!({ "idTag": "T" })),
        ("StartTransaction", start),
        (
            "MeterValues",
            json!({ "connectorId": 1, "transactionId": 1, "meterValue": values }),
        ),
        ("StopTransaction", stop),
        ("DataTransfer", json!({ "vendorId": "v" })),
        ("DiagnosticsStatusNotification", json!({ "status": "Idle" })),
        ("FirmwareStatusNotification", json!({ "status": "Idle" })),
        (
            "SignedFirmwareStatusNotification",
            json!({ "status": "Idle" }),
        ),
        ("LogStatusNotification", json!({ "status": "Idle" })),
        (
            "SecurityEventNotification",
            json!({ "type": "StartupOfTheDevice", "timestamp": at }),
        ),
        ("SignCertificate", json!({ "csr": "c" })),
    ];
    for (index, (action, payload)) in calls.into_iter().enumerate() {
        let answer = station.call(&index.to_string(), action, payload);
        assert_eq!(answer[0], 3, "{action}");
    }
    drop(central);
    let verdict = judge(traces.path());
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(
        verdict.status.success() && text.starts_with("28 OCPP frames of 1 traces"),
        "{text}"
    );
}

#[test]
fn the_judge_of_frames_finds_each_broken_frame() {
    let station = |message: Value| json!({ "direction": "CS_TO_CSMS", "message": message });
    let central = |message: Value| json!({ "direction": "CSMS_TO_CS", "message": message });
    let hostile =
        |message: Value| json!({ "direction": "CSMS_TO_CS", "message": message, "hostile": true });
    let good = [
        station(json!([2, "1", "Heartbeat", {}])),
        central(json!([3, "1", { "currentTime": "2026-01-01T00:00:00Z" }])),
        // Both sides may use the same id.
        central(json!([2, "1", "Reset", { "type": "Soft" }])),
        station(json!([3, "1", { "status": "Accepted" }])),
        hostile(json!([2, "2", "Reset", {}])),
        station(json!([4, "2", "OccurenceConstraintViolation", "type", {}])),
        hostile(json!("[2,\"cut")),
        station(json!([4, "-1", "FormationViolation", "", {}])),
    ];
    let bad = [
        station(json!([2, "3", "BootNotification", { "chargePointVendor": "v" }])),
        station(json!([2, "4", "Invented", {}])),
        station(json!([2, "", "Heartbeat", {}])),
        station(json!([2, "5", "Heartbeat"])),
        station(json!("[2,")),
        station(json!([3, "1", { "status": "" }])),
        station(json!([3, "unasked", {}])),
        station(json!([4, "1", "FormatViolation", "", {}])),
        station(json!([4, "unasked", "GenericError", "", {}])),
        station(json!([5, "1", {}])),
    ];
    let write = |directory: &Path, lines: &mut dyn Iterator<Item = &Value>| {
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        std::fs::write(directory.join("trace.jsonl"), text).unwrap();
    };
    let traces = tempfile::tempdir().unwrap();
    assert!(
        !judge(traces.path()).status.success(),
        "nothing judged is no good verdict"
    );
    write(traces.path(), &mut good.iter());
    let verdict = judge(traces.path());
    assert!(verdict.status.success(), "{verdict:?}");
    write(traces.path(), &mut good.iter().chain(&bad));
    let verdict = judge(traces.path());
    assert!(!verdict.status.success());
    let text = String::from_utf8_lossy(&verdict.stdout);
    for (index, frame) in bad.iter().enumerate() {
        let line = format!("trace.jsonl:{}: ", good.len() + index + 1);
        assert!(text.contains(&line), "{frame} passed:\n{text}");
    }
    assert!(
        text.contains(&format!("{} complaints", bad.len())),
        "{text}"
    );
}
