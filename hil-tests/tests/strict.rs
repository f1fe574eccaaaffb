//! One full conversation with a central system that takes no frame which breaks the
//! schemas: every call of OCPP 1.6 and its security extension, and two sessions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

#[path = "strict/administration.rs"]
mod administration;
#[path = "strict/judge.rs"]
mod judge;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use hil_tests::{Bench, LATER, SOON, Settings, StrictCentralSystem, judges, trace_directory};
use serde_json::{Value, json};

const PWM: &str = "port0/ci/charge/pwm/status";
const SESSION: &str = "port0/session/state";
const TAG: &str = "04A1B2C3D4";

fn start() -> (StrictCentralSystem, Bench) {
    let central = StrictCentralSystem::start(&trace_directory());
    let settings = Settings::default()
        .with_central_system(&central.uri())
        .with(
            "ocpp/csDataTransfers",
            json!([{ "vendorId": administration::VENDOR, "confirmTimeout": 10 }]),
        )
        .with(
            "ocpp/MeterValuesSampledData",
            json!(["Energy.Active.Import.Register", "Current.Import", "Voltage"]),
        );
    let bench = Bench::start(&settings);
    central.expect("boot", |_| true, LATER);
    status(&central, "Available");
    (central, bench)
}

fn status(central: &StrictCentralSystem, expected: &str) {
    let fits = |event: &Value| {
        event["payload"]["connectorId"] == 1 && event["payload"]["status"] == expected
    };
    central.expect("status", fits, LATER);
}

fn accepted(central: &mut StrictCentralSystem, action: &str, payload: Value) {
    let answer = central.call(action, payload.clone(), SOON);
    assert_eq!(answer["status"], "Accepted", "{action} {payload}");
}

fn limit(amperes: u32, purpose: &str) -> Value {
    json!({
        "chargingProfileId": 7, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": amperes }]
        }
    })
}

fn set_up(central: &mut StrictCentralSystem) {
    central.call("GetConfiguration", json!({}), SOON);
    let keys = json!({ "key": ["HeartbeatInterval", "NoSuchKey"] });
    let answer = central.call("GetConfiguration", keys, SOON);
    assert_eq!(answer["unknownKey"], json!(["NoSuchKey"]));
    let key = json!({ "key": "MeterValueSampleInterval", "value": "10" });
    accepted(central, "ChangeConfiguration", key);
    let key = json!({ "key": "NoSuchKey", "value": "10" });
    let answer = central.call("ChangeConfiguration", key, SOON);
    assert_eq!(answer["status"], "NotSupported");

    for (message, event) in [
        ("StatusNotification", "status"),
        ("Heartbeat", "heartbeat"),
        ("MeterValues", "meter"),
    ] {
        central.mark();
        let trigger = json!({ "requestedMessage": message, "connectorId": 1 });
        accepted(central, "TriggerMessage", trigger);
        central.expect(event, |_| true, SOON);
    }
    for (availability, expected) in [("Inoperative", "Unavailable"), ("Operative", "Available")] {
        central.mark();
        let change = json!({ "connectorId": 1, "type": availability });
        accepted(central, "ChangeAvailability", change);
        status(central, expected);
    }
}

/// The local list with its two kinds of update, the cache, and a reservation that is withdrawn.
fn who_may_charge(central: &mut StrictCentralSystem) {
    let entry =
        |tag: &str, status: &str| json!({ "idTag": tag, "idTagInfo": { "status": status } });
    for (version, kind, list) in [
        (
            1,
            "Full",
            json!([entry("A", "Blocked"), entry("B", "Accepted")]),
        ),
        // Without idTagInfo it is taken off the list.
        (2, "Differential", json!([{ "idTag": "A" }])),
    ] {
        let list = json!({
            "listVersion": version, "updateType": kind, "localAuthorizationList": list
        });
        accepted(central, "SendLocalList", list);
        let answer = central.call("GetLocalListVersion", json!({}), SOON);
        assert_eq!(answer["listVersion"], version);
    }
    accepted(central, "ClearCache", json!({}));
    central.mark();
    let reservation = json!({
        "connectorId": 1, "expiryDate": "2037-01-01T00:00:00Z", "idTag": TAG, "reservationId": 3
    });
    accepted(central, "ReserveNow", reservation);
    status(central, "Reserved");
    accepted(central, "CancelReservation", json!({ "reservationId": 3 }));
    status(central, "Available");
}

/// A server that takes files, written by others; killed when dropped.
struct FileServer {
    process: Child,
    location: String,
    /// It tells of each file, and ends when nobody listens.
    _told: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl FileServer {
    fn start() -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/ocppd/tests/support/file_server.py"
        );
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(judges());
        command.args([script, "http"]).arg(folder.path());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        told.read_line(&mut port).unwrap();
        Self {
            process,
            location: format!("http://user:se%2Bcret@localhost:{}/", port.trim()),
            _told: told,
            _folder: folder,
        }
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Both kinds of upload.
fn uploads(central: &mut StrictCentralSystem) {
    let server = FileServer::start();
    let told = |status: &'static str| move |event: &Value| event["payload"]["status"] == status;
    central.mark();
    let diagnostics = json!({ "location": server.location, "retries": 1 });
    let answer = central.call("GetDiagnostics", diagnostics, SOON);
    assert!(answer["fileName"].is_string(), "{answer}");
    central.expect("diagnostics", told("Uploaded"), LATER);
    let log = json!({
        "logType": "SecurityLog", "requestId": 5, "retries": 1,
        "log": { "remoteLocation": server.location }
    });
    accepted(central, "GetLog", log);
    central.expect("log", told("Uploaded"), LATER);
}

/// Calls for which this station has nothing, or next to nothing, to do.
fn everything_else(central: &mut StrictCentralSystem) {
    let far = "2037-01-01T00:00:00Z";
    let hash = json!({
        "hashAlgorithm": "SHA256", "issuerNameHash": "00", "issuerKeyHash": "00",
        "serialNumber": "00"
    });
    for (action, payload, expected) in [
        (
            "DataTransfer",
            json!({ "vendorId": "nobody", "messageId": "x" }),
            "UnknownVendorId",
        ),
        ("UnlockConnector", json!({ "connectorId": 1 }), "Unlocked"),
        (
            "GetCompositeSchedule",
            json!({ "connectorId": 1, "duration": 60, "chargingRateUnit": "A" }),
            "Accepted",
        ),
        (
            "InstallCertificate",
            json!({ "certificateType": "CentralSystemRootCertificate", "certificate": "none" }),
            "Rejected",
        ),
        (
            "GetInstalledCertificateIds",
            json!({ "certificateType": "CentralSystemRootCertificate" }),
            "NotFound",
        ),
        (
            "DeleteCertificate",
            json!({ "certificateHashData": hash }),
            "NotFound",
        ),
        (
            "CertificateSigned",
            json!({ "certificateChain": "none" }),
            "Rejected",
        ),
        (
            "ExtendedTriggerMessage",
            json!({ "requestedMessage": "FirmwareStatusNotification", "connectorId": 1 }),
            "Accepted",
        ),
        (
            "SignedUpdateFirmware",
            json!({ "requestId": 4, "firmware": {
                "location": "http://127.0.0.1:1/none", "retrieveDateTime": far,
                "signingCertificate": "none", "signature": "none"
            } }),
            "InvalidCertificate",
        ),
    ] {
        let answer = central.call(action, payload, SOON);
        assert_eq!(answer["status"], expected, "{action}");
    }
    let update = json!({ "location": "http://127.0.0.1:1/none", "retrieveDate": far });
    assert_eq!(central.call("UpdateFirmware", update, SOON), json!({}));
}

fn session_by_tag(central: &mut StrictCentralSystem, bench: &Bench) {
    central.mark();
    bench.plug_in();
    status(central, "Preparing");
    bench.swipe(TAG);
    central.expect("authorize", |_| true, LATER);
    let start = central.expect("start", |_| true, LATER);
    let transaction = start["transactionId"].clone();
    status(central, "Charging");
    let profile = json!({ "connectorId": 1, "csChargingProfiles": limit(10, "TxProfile") });
    accepted(central, "SetChargingProfile", profile);
    bench.expect(PWM, "16.67", SOON);
    let schedule = json!({ "connectorId": 1, "duration": 600 });
    let answer = central.call("GetCompositeSchedule", schedule, SOON);
    assert_eq!(
        answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"],
        10.0
    );
    central.mark();
    let profile = json!({ "connectorId": 1, "csChargingProfiles": limit(0, "TxDefaultProfile") });
    accepted(central, "SetChargingProfile", profile);
    accepted(central, "ClearChargingProfile", json!({ "connectorId": 1 }));
    let trigger = json!({ "requestedMessage": "MeterValues", "connectorId": 1 });
    accepted(central, "TriggerMessage", trigger);
    central.expect("meter", |_| true, SOON);
    let stop = json!({ "transactionId": transaction });
    accepted(central, "RemoteStopTransaction", stop);
    let stop = central.expect("stop", |_| true, LATER);
    assert_eq!(stop["payload"]["transactionId"], transaction);
    assert_eq!(stop["payload"]["reason"], "Remote");
    bench.unplug();
    status(central, "Available");
}

fn session_by_remote_start(central: &mut StrictCentralSystem, bench: &Bench) {
    central.mark();
    let start = json!({ "connectorId": 1, "idTag": TAG, "chargingProfile": limit(8, "TxProfile") });
    accepted(central, "RemoteStartTransaction", start);
    bench.plug_in();
    bench.expect(SESSION, "charging", LATER);
    bench.expect(PWM, "13.33", SOON);
    central.expect("start", |_| true, LATER);
    central.expect("meter", |_| true, LATER);
    bench.unplug();
    let stop = central.expect("stop", |_| true, LATER);
    assert_eq!(stop["payload"]["reason"], "EVDisconnected");
    status(central, "Available");
}

fn reset(central: &mut StrictCentralSystem, bench: &mut Bench) {
    central.mark();
    accepted(central, "Reset", json!({ "type": "Soft" }));
    central.expect("disconnected", |_| true, LATER);
    bench.stop_daemon("ocppd");
    bench.start_daemon("ocppd");
    central.expect("boot", |_| true, LATER);
    status(central, "Available");
}

// covers: OC-015
#[test]
fn a_strict_central_system_takes_every_frame() {
    let (mut central, mut bench) = start();
    set_up(&mut central);
    everything_else(&mut central);
    who_may_charge(&mut central);
    uploads(&mut central);
    administration::security(&mut central);
    administration::data_transfers(&mut central, &bench);
    administration::firmware(&mut central, &mut bench);
    session_by_tag(&mut central, &bench);
    session_by_remote_start(&mut central, &bench);
    reset(&mut central, &mut bench);
    assert_eq!(central.complaints(), Vec::<String>::new());
}
