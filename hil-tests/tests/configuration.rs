//! A key of another daemon, changed by a central system that is not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::time::Instant;

use hil_tests::{Bench, LATER, PythonCentralSystem, SOON, Settings, trace_directory};
use serde_json::{Value, json};
use simulator::central_system::{CentralSystem, Options};

const PWM: &str = "port0/ci/charge/pwm/status";
const KEY: &str = "ports[0]/evse_current_limit";

// covers: CFG-001, CFG-011, CFG-017, OC-026, OC-027
#[test]
fn the_rating_of_the_wiring_is_changed_from_afar() {
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let settings = Settings::default().with_central_system(&central.uri());
    let mut bench = Bench::prepare(&settings);
    let customer_json = bench.path("config/customer.json");
    let written = std::fs::read_to_string(&customer_json).unwrap();
    let commented = format!(
        "// by the installer\n{}",
        written.replace(
            "\"evse_current_limit\":32",
            "/* 6 mm2 */ \"evse_current_limit\": 32"
        )
    );
    assert_ne!(
        commented.len(),
        written.len() + "// by the installer\n".len()
    );
    bench.write_file("config/customer.json", &commented);
    for daemon in ["evsed", "meteringd", "configd", "ocppd"] {
        bench.start_daemon(daemon);
    }
    central.expect(
        "status",
        |event| event["payload"]["connectorId"] == 1,
        LATER,
    );

    for (value, expected) in [("99", "Rejected"), ("10", "RebootRequired")] {
        // A busy machine may take longer than the station waits, which then refuses.
        let deadline = Instant::now() + LATER;
        loop {
            let payload = json!({ "key": KEY, "value": value });
            let answer = central.call("ChangeConfiguration", payload, SOON);
            if answer["status"] == expected {
                break;
            }
            assert_eq!(answer["status"], "Rejected", "{value} A");
            assert!(Instant::now() < deadline, "{value} A: {answer}");
        }
    }
    let told = central.call("GetConfiguration", json!({ "key": [KEY] }), SOON);
    assert_eq!(
        told["configurationKey"],
        json!([{ "key": KEY, "readonly": false, "value": "10" }])
    );
    let changed = std::fs::read_to_string(&customer_json).unwrap();
    assert_eq!(
        changed,
        commented.replace("\"evse_current_limit\": 32", "\"evse_current_limit\": 10")
    );

    bench.stop_daemon("evsed");
    bench.start_daemon("evsed");
    bench.expect("port0/session/state", "idle", SOON);
    bench.plug_in();
    bench.expect("port0/session/state", "connected", SOON);
    bench.swipe("04A1B2C3D4");
    bench.expect("port0/session/state", "charging", LATER);
    bench.expect(PWM, "16.67", SOON);
    assert_eq!(central.complaints(), Vec::<String>::new());
}

/// They decide how the station connects, and have tests of their own.
const ACCESS: [&str; 3] = ["AuthorizationKey", "CentralSystemURI", "SecurityProfile"];

/// HeartbeatInterval comes with each BootNotification.conf; the others have one value.
const NOT_KEPT: [&str; 5] = [
    "AlignedDataSignReadings",
    "HeartbeatInterval",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "UnlockConnectorOnEVSideDisconnect",
];

fn all_keys(central: &CentralSystem) -> Vec<Value> {
    let all = central.call("GetConfiguration", json!({}), LATER).unwrap();
    all["configurationKey"].as_array().unwrap().clone()
}

/// Only the value that they have is taken, or its members are keys of their own: it is
/// written once more.
const UNCHANGED: [&str; 8] = [
    "AlignedDataSignReadings",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "UnlockConnectorOnEVSideDisconnect",
    "fake_highlevel_dc_vendors",
    "ports[0]/highlevel_authentication_mode",
    "ports[0]/hlc_protocols",
    "ports[0]/recloser/protocol",
];

/// Another value, where none can be guessed.
const OTHERS: [(&str, &str); 41] = [
    ("ConnectorPhaseRotation", "0.RST,1.RST"),
    ("CpoName", "mode3"),
    ("MeterValuesAlignedData", "Voltage.L1-N"),
    ("MeterValuesSampledData", "Voltage.L1-N,Current.Import"),
    ("PublicKeyWithSignedMeterValue", "Never"),
    ("StopTxnAlignedData", "Energy.Active.Import.Register"),
    ("StopTxnSampledData", "Energy.Active.Import.Register"),
    ("calibrationLawFormat", "ocmf,hex"),
    ("fake_highlevel_dc_vendors/Tesla/oui", "98:ED:5C"),
    ("fake_highlevel_dc_vendors/Tesla/switch_method", "2"),
    ("fake_highlevel_dc_vendors/Volkswagen/oui", "00:7D:FA"),
    ("fake_highlevel_dc_vendors/Volkswagen/switch_method", "2"),
    ("network/ipv4/dns", "192.0.2.53"),
    ("network/ipv4/gateway", "192.0.2.1"),
    ("network/ntp", "ntp.example.org"),
    ("ports[0]/charging_type", "highlevel"),
    ("ports[0]/contactor/feedback_type", "nc"),
    ("ports[0]/emergency_alarm/gpio", "124"),
    ("ports[0]/emergency_alarm/polarity", "active_low"),
    ("ports[0]/evse_id", "DE*INT*ECH1234567891"),
    ("ports[0]/failsafe_current_limit", "6"),
    ("ports[0]/key_switch/polarity", "active_low"),
    ("ports[0]/meter/parity", "even"),
    ("ports[0]/meter/port", "/dev/ttymxc1"),
    ("ports[0]/meter/protocol", "eastron"),
    ("ports[0]/plug_lock/type", "KUESTER-02S"),
    ("ports[0]/rcd_monitor/gpio", "123"),
    ("ports[0]/rcd_monitor/polarity", "active_low"),
    ("ports[0]/rcd_monitor/test_gpio", "88"),
    ("ports[0]/rcd_monitor/test_gpio_polarity", "active_low"),
    ("ports[0]/recloser/parity", "even"),
    ("ports[0]/recloser/port", "/dev/ttymxc1"),
    ("ports[0]/rfid/parity", "even"),
    ("ports[0]/rfid/port", "/dev/ttymxc1"),
    ("ports[0]/rfid/protocol", "mqtt"),
    (
        "ports[0]/rfid/remote_ports",
        "[{\"uri\":\"mqtt://192.0.2.7\"}]",
    ),
    ("ports[0]/tls_security", "allow"),
    ("ports[0]/user_authentication", "free"),
    ("ports[0]/ventilation/control", "external"),
    ("ports[0]/ventilation/feedback_type", "nc"),
    ("uplink/apn_name", "internet"),
];

/// What to write to `key`, which has `value`: one of these.
fn candidates(key: &str, value: Option<&str>) -> Vec<String> {
    let Some(value) = value else {
        return ["1", "9600", "even", "192.0.2.1/24"]
            .map(str::to_owned)
            .into();
    };
    let named = OTHERS.iter().find(|(named, _)| *named == key);
    let written = match (named, value, value.parse::<u32>()) {
        _ if UNCHANGED.contains(&key) => value.to_owned(),
        (Some((_, other)), _, _) => (*other).to_owned(),
        (None, "true", _) => "false".to_owned(),
        (None, "false", _) => "true".to_owned(),
        (None, _, Ok(number)) => (number + 10).to_string(),
        (None, _, Err(_)) => panic!("another value for {key} than {value:?}?"),
    };
    vec![written]
}

/// What a file holds, as a configuration key tells it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map_or_else(|| value.to_string(), |texts| texts.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The value at `path`, such as `ports[0]/evse_current_limit`.
fn at<'a>(file: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/')
        .try_fold(file, |value, step| match step.strip_suffix("[0]") {
            Some(array) => value.get(array)?.get(0),
            None => value.get(step),
        })
}

// covers: OC-026, OC-027
#[test]
fn every_writable_key_can_be_written_and_is_there_after_a_kill() {
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    let central = CentralSystem::start(options).unwrap();
    let settings = Settings::default().with_central_system(central.uri());
    let mut bench = Bench::prepare(&settings);
    for daemon in ["configd", "ocppd"] {
        bench.start_daemon(daemon);
    }
    central
        .wait_for("BootNotification", |_| true, LATER)
        .unwrap();
    let mut written = Vec::new();
    let writable = all_keys(&central).into_iter().filter(|entry| {
        entry["readonly"] == false && !ACCESS.iter().any(|access| entry["key"] == *access)
    });
    for entry in writable {
        let key = entry["key"].as_str().unwrap();
        let candidates = candidates(key, entry["value"].as_str());
        let deadline = Instant::now() + LATER;
        // A busy machine may take longer than the station waits, which then refuses.
        let (value, answer) = candidates
            .iter()
            .cycle()
            .take_while(|_| Instant::now() < deadline)
            .find_map(|value| {
                let payload = json!({"key": key, "value": value});
                let answer = central.call("ChangeConfiguration", payload, LATER).unwrap();
                (answer["status"] != "Rejected").then(|| (value.clone(), answer["status"].clone()))
            })
            .unwrap_or_else(|| panic!("{key} takes none of {candidates:?}"));
        let file = |name: &str| {
            let text = std::fs::read_to_string(bench.path(name)).unwrap_or_default();
            serde_json::from_str::<Value>(&text).unwrap_or_default()
        };
        let customer = file("config/customer.json");
        let data = file("state/ocppd/ocpp_data.json");
        let in_ocpp = at(&customer, &format!("ocpp/{key}")).or_else(|| data.get(key));
        let own = in_ocpp.is_some() || key.starts_with("ocpp/") || NOT_KEPT.contains(&key);
        if !NOT_KEPT.contains(&key) {
            let kept = in_ocpp.or_else(|| at(&customer, key)).map(text);
            assert_eq!(kept.as_ref(), Some(&value), "{key} in its file");
        }
        let expected = if own { "Accepted" } else { "RebootRequired" };
        assert_eq!(answer, expected, "{key}={value}");
        written.push((key.to_owned(), value));
    }
    assert!(written.len() > 100, "{} keys", written.len());
    for name in OTHERS.iter().map(|(key, _)| *key).chain(UNCHANGED) {
        let is_key = written.iter().any(|(key, _)| key == name);
        assert!(is_key, "there is no key {name}");
    }
    bench.kill_daemon("ocppd");
    central.mark();
    bench.start_daemon("ocppd");
    central
        .wait_for("BootNotification", |_| true, LATER)
        .unwrap();
    let after = all_keys(&central);
    for (key, value) in written {
        // A boot sets the one, and the other's members were written after it.
        if key == "HeartbeatInterval" || key == "fake_highlevel_dc_vendors" {
            continue;
        }
        let entry = after.iter().find(|entry| entry["key"] == key.as_str());
        let told = entry.and_then(|entry| entry["value"].as_str());
        assert_eq!(told, Some(value.as_str()), "{key}");
    }
}
