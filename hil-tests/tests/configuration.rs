//! A key of another daemon, changed by a central system that is not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
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

/// Another value where one can be guessed, and the same one, which is written as well.
fn candidates(value: Option<&str>) -> Vec<String> {
    let Some(value) = value else {
        return ["1", "9600", "even", "192.0.2.1/24"]
            .map(str::to_owned)
            .into();
    };
    let other = match (value, value.parse::<u32>()) {
        ("true", _) => Some("false".to_owned()),
        ("false", _) => Some("true".to_owned()),
        (_, Ok(number)) => Some((number + 10).to_string()),
        (_, Err(_)) => None,
    };
    other.into_iter().chain([value.to_owned()]).collect()
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
        let candidates = candidates(entry["value"].as_str());
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
        let own = at(&customer, &format!("ocpp/{key}")).is_some()
            || key.starts_with("ocpp/")
            || file("state/ocppd/ocpp_data.json")[key].is_string()
            || NOT_KEPT.contains(&key);
        assert!(own || at(&customer, key).is_some(), "{key} is in no file");
        let expected = if own { "Accepted" } else { "RebootRequired" };
        assert_eq!(answer, expected, "{key}={value}");
        written.push((key.to_owned(), value));
    }
    assert!(written.len() > 100, "{} keys", written.len());
    bench.kill_daemon("ocppd");
    central.mark();
    bench.start_daemon("ocppd");
    central
        .wait_for("BootNotification", |_| true, LATER)
        .unwrap();
    let after = all_keys(&central);
    for (key, value) in written {
        if key == "HeartbeatInterval" {
            continue;
        }
        let entry = after.iter().find(|entry| entry["key"] == key.as_str());
        let told = entry.and_then(|entry| entry["value"].as_str());
        assert_eq!(told, Some(value.as_str()), "{key}");
    }
}
