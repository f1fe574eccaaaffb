//! The set-up conversations of the central systems that are common in homes, evcc and Home
//! Assistant's integration, step by step, between real daemons and a central system that is
//! not ours. Each must be through within ten seconds of the opening of the socket, measured at
//! the central system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use hil_tests::{Bench, LATER, PythonCentralSystem, SOON, Settings, trace_directory};
use serde_json::{Value, json};

const PWM: &str = "port0/ci/charge/pwm/status";
const SESSION: &str = "port0/session/state";
/// The first set-up takes no longer, from the opening of the socket on.
const SET_UP_S: f64 = 10.0;

/// The station meets its central system last, with all of its daemons at work.
fn start(options: &[&str]) -> (PythonCentralSystem, Bench) {
    let central = PythonCentralSystem::start(&trace_directory(), options);
    let settings = Settings::default()
        .with_central_system(&central.uri())
        .with("ocpp/MeterValueSampleInterval", 300);
    let mut bench = Bench::prepare(&settings);
    for daemon in ["evsed", "meteringd", "configd"] {
        bench.start_daemon(daemon);
    }
    bench.expect(SESSION, "idle", SOON);
    bench.expect("port0/metering/meter/available", "1", SOON);
    bench.expect("ci/global/daemon/configd/available", "1", SOON);
    bench.start_daemon("ocppd");
    (central, bench)
}

fn assert_quick(connected: &Value, done: &Value) {
    let at = |event: &Value| event["at"].as_f64().unwrap();
    let took = at(done) - at(connected);
    assert!(took < SET_UP_S, "the set-up took {took} s");
}

/// The status in the answer to a call.
fn status(central: &mut PythonCentralSystem, action: &str, payload: Value) -> String {
    let answer = central.call(action, payload, SOON);
    answer["status"].as_str().unwrap().to_owned()
}

fn accepted(central: &mut PythonCentralSystem, action: &str, payload: Value) {
    let shown = payload.to_string();
    assert_eq!(status(central, action, payload), "Accepted", "{shown}");
}

fn change(central: &mut PythonCentralSystem, key: &str, value: &str) -> String {
    let payload = json!({ "key": key, "value": value });
    status(central, "ChangeConfiguration", payload)
}

/// Trigger a message; the event that tells of it.
fn triggered(central: &mut PythonCentralSystem, message: &str, event: &str) -> Value {
    trigger(central, json!({ "requestedMessage": message }), event)
}

/// As [`triggered`], of connector 1.
fn triggered_of_connector(central: &mut PythonCentralSystem, message: &str, event: &str) -> Value {
    let payload = json!({ "requestedMessage": message, "connectorId": 1 });
    trigger(central, payload, event)
}

fn trigger(central: &mut PythonCentralSystem, payload: Value, event: &str) -> Value {
    central.mark();
    accepted(central, "TriggerMessage", payload);
    central.expect(event, |event| event["refused"].is_null(), SOON)
}

/// The value of one key, as a central system reads it that trusts the first entry.
fn value(central: &mut PythonCentralSystem, key: &str) -> String {
    let answer = central.call("GetConfiguration", json!({ "key": [key] }), SOON);
    answer["configurationKey"][0]["value"]
        .as_str()
        .unwrap_or_else(|| panic!("{key}: {answer}"))
        .to_owned()
}

fn told(central: &PythonCentralSystem, expected: &str) -> Value {
    let fits = |event: &Value| {
        event["payload"]["connectorId"] == 1 && event["payload"]["status"] == expected
    };
    central.expect("status", fits, LATER)
}

/// The meter values show this current on each phase, in A.
fn drawn(central: &PythonCentralSystem, amperes: f64) {
    let is_it = |value: &Value| {
        let number: f64 = value["value"].as_str().unwrap().parse().unwrap();
        (number - amperes).abs() < 0.3
    };
    let fits = |event: &Value| {
        let sampled = event["payload"]["meterValue"][0]["sampledValue"].as_array();
        let mut currents = sampled
            .unwrap()
            .iter()
            .filter(|value| value["measurand"] == "Current.Import" && value["phase"].is_string())
            .peekable();
        currents.peek().is_some() && currents.all(is_it)
    };
    central.expect("meter", fits, LATER);
}

/// What evcc reads from all keys, and what it must find there.
const EVCC_READS: [(&str, &str); 7] = [
    ("ChargeProfileMaxStackLevel", "8"),
    ("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
    ("ConnectorSwitch3to1PhaseSupported", "false"),
    ("MaxChargingProfilesInstalled", "20"),
    ("MeterValuesSampledData", "Energy.Active.Import.Register"),
    ("MeterValuesSampledDataMaxLength", "27"),
    ("NumberOfConnectors", "1"),
];

/// The measurands that evcc asks for one by one, and whether this meter has them.
const EVCC_WANTS: [(&str, &str); 7] = [
    ("Power.Active.Import", "Accepted"),
    ("Energy.Active.Import.Register", "Accepted"),
    ("Current.Import", "Accepted"),
    ("Voltage", "Accepted"),
    ("Current.Offered", "Accepted"),
    ("Power.Offered", "Accepted"),
    ("SoC", "Rejected"),
];

/// A charging profile of evcc by what it has read in the keys.
fn evcc_profile(kind: &str, unit: &str, period: Value) -> Value {
    json!({ "connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": 20, "stackLevel": 8, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": kind,
        "chargingSchedule": { "chargingRateUnit": unit, "chargingSchedulePeriod": [period] }
    } })
}

fn evcc_limit(central: &mut PythonCentralSystem, amperes: u32) {
    let read = json!({ "chargingProfileId": 20, "stackLevel": 8 });
    let answer = central.limit_current_by(read, amperes, SOON);
    assert_eq!(answer["status"], "Accepted", "{amperes} A");
}

/// Steps 1 and 2: an unknown station is kept waiting, and asked to come in once it is known.
fn evcc_registers(central: &mut PythonCentralSystem) {
    central.expect("boot", |_| true, LATER);
    // CALLs are answered meanwhile, and nothing is told.
    assert_eq!(value(central, "NumberOfConnectors"), "1");
    assert_eq!(central.events("status"), Vec::<Value>::new());
    triggered(central, "BootNotification", "boot");
    told(central, "Available");
}

/// Steps 3 to 8; the last event of the set-up.
fn evcc_sets_up(central: &mut PythonCentralSystem) -> Value {
    let availability = json!({ "connectorId": 0, "type": "Operative" });
    accepted(central, "ChangeAvailability", availability);
    let all = central.call("GetConfiguration", json!({}), SOON);
    let keys = all["configurationKey"].as_array().unwrap();
    let find = |name: &str| keys.iter().find(|entry| entry["key"] == name);
    for (key, expected) in EVCC_READS {
        let entry = find(key).unwrap_or_else(|| panic!("no {key}"));
        assert_eq!(entry["value"], expected, "{key}");
    }
    let profiles = find("SupportedFeatureProfiles").unwrap()["value"].as_str();
    for profile in ["SmartCharging", "RemoteTrigger"] {
        assert!(profiles.unwrap().split(',').any(|one| one == profile));
    }
    let measurands = find("MeterValuesSampledData").unwrap();
    assert_eq!(measurands["readonly"], false, "it would not ask for others");

    for (measurand, expected) in EVCC_WANTS {
        let answer = change(central, "MeterValuesSampledData", measurand);
        assert_eq!(answer, expected, "{measurand}");
    }
    let had: Vec<&str> = EVCC_WANTS
        .iter()
        .filter(|(_, answer)| *answer == "Accepted")
        .map(|(measurand, _)| *measurand)
        .collect();
    let had = had.join(",");
    assert_eq!(change(central, "MeterValuesSampledData", &had), "Accepted");
    let values = triggered(central, "MeterValues", "meter");
    let sampled = &values["payload"]["meterValue"][0]["sampledValue"];
    for measurand in had.split(',') {
        let is_there = |value: &Value| value["measurand"] == measurand;
        assert!(sampled.as_array().unwrap().iter().any(is_there), "{values}");
    }
    for (key, text) in [
        ("MeterValueSampleInterval", "10"),
        ("WebSocketPingInterval", "30"),
    ] {
        assert_eq!(change(central, key, text), "Accepted", "{key}");
    }
    triggered(central, "StatusNotification", "status");
    triggered_of_connector(central, "StatusNotification", "status")
}

// covers: OC-052, OC-055, OSM-010
#[test]
fn evcc() {
    let (mut central, bench) = start(&["--pending", "1", "--interval", "60"]);
    let connected = central.expect("connected", |_| true, LATER);
    evcc_registers(&mut central);
    let done = evcc_sets_up(&mut central);
    assert_quick(&connected, &done);

    // It looks at an idle station too, and pauses it before anybody charges.
    let values = triggered_of_connector(&mut central, "MeterValues", "meter");
    assert!(values["payload"].get("transactionId").is_none(), "{values}");
    evcc_limit(&mut central, 0);
    central.mark();
    bench.plug_in();
    told(&central, "Preparing");
    let remote = json!({ "connectorId": 1, "idTag": "evcc" });
    accepted(&mut central, "RemoteStartTransaction", remote);
    let transaction = central.expect("start", |_| true, LATER)["transactionId"].clone();
    told(&central, "SuspendedEVSE");

    central.mark();
    evcc_limit(&mut central, 16);
    told(&central, "Charging");
    bench.expect(PWM, "26.67", SOON);
    let schedule = json!({ "connectorId": 1, "duration": 60 });
    let schedule = central.call("GetCompositeSchedule", schedule, SOON);
    let first = &schedule["chargingSchedule"]["chargingSchedulePeriod"][0];
    assert_eq!(first["limit"].as_f64(), Some(16.0), "{schedule}");
    let values = triggered_of_connector(&mut central, "MeterValues", "meter");
    assert_eq!(values["payload"]["transactionId"], transaction);
    drawn(&central, 16.0);

    // What its templates for other makes send: Relative, a number of phases, whole watts; the
    // same once more; and a pause.
    for (kind, unit, period, duty) in [
        (
            "Relative",
            "A",
            json!({ "startPeriod": 0, "limit": 7 }),
            "11.67",
        ),
        (
            "Relative",
            "A",
            json!({ "startPeriod": 0, "limit": 11, "numberPhases": 3 }),
            "18.33",
        ),
        (
            "Relative",
            "A",
            json!({ "startPeriod": 0, "limit": 11, "numberPhases": 3 }),
            "18.33",
        ),
        (
            "Relative",
            "A",
            json!({ "startPeriod": 0, "limit": 8.1, "numberPhases": 1 }),
            "13.50",
        ),
        (
            "Relative",
            "W",
            json!({ "startPeriod": 0, "limit": 6900 }),
            "16.67",
        ),
        (
            "Relative",
            "A",
            json!({ "startPeriod": 0, "limit": 0 }),
            "100.00",
        ),
    ] {
        let profile = evcc_profile(kind, unit, period);
        accepted(&mut central, "SetChargingProfile", profile);
        bench.expect(PWM, duty, SOON);
    }
    told(&central, "SuspendedEVSE");
    assert_eq!(central.events("stop"), Vec::<Value>::new());
    central.mark();
    drawn(&central, 0.0);
    assert_eq!(central.events("stop"), Vec::<Value>::new());
    assert_eq!(central.complaints(), Vec::<String>::new());
}

/// All measurands of the standard, which no meter has.
const ALL_MEASURANDS: &str = "Current.Export,Current.Import,Current.Offered,\
    Energy.Active.Export.Interval,Energy.Active.Export.Register,Energy.Active.Import.Interval,\
    Energy.Active.Import.Register,Energy.Reactive.Export.Interval,\
    Energy.Reactive.Export.Register,Energy.Reactive.Import.Interval,\
    Energy.Reactive.Import.Register,Frequency,Power.Active.Export,Power.Active.Import,\
    Power.Factor,Power.Offered,Power.Reactive.Export,Power.Reactive.Import,RPM,SoC,Temperature,\
    Voltage";

/// One step of Home Assistant: a key that it reads, or one that it sets, with the answer.
enum Step {
    Reads(&'static str, &'static str),
    Sets(&'static str, &'static str, &'static str),
}

const HOME_ASSISTANT: [Step; 8] = [
    Step::Reads("NumberOfConnectors", "1"),
    Step::Reads("HeartbeatInterval", "3600"),
    Step::Sets("MeterValuesSampledData", ALL_MEASURANDS, "Rejected"),
    Step::Reads("MeterValuesSampledData", "Energy.Active.Import.Register"),
    Step::Reads("MeterValueSampleInterval", "300"),
    Step::Sets("MeterValueSampleInterval", "60", "Accepted"),
    Step::Reads("ClockAlignedDataInterval", "0"),
    Step::Sets("ClockAlignedDataInterval", "900", "Accepted"),
];

// covers: OC-016, OC-052, OC-055, OC-068
#[test]
fn home_assistant() {
    let (mut central, bench) = start(&["--calls-before-boot", "--interval", "3600"]);
    let connected = central.expect("connected", |_| true, LATER);
    // It asks for the feature profiles before it answers the BootNotification.
    let early = central.expect("result", |event| event["id"] == "early-0", LATER);
    let entry = &early["payload"]["configurationKey"][0];
    assert_eq!(entry["key"], "SupportedFeatureProfiles");
    let profiles = entry["value"].as_str().unwrap();
    for profile in ["Core", "SmartCharging", "RemoteTrigger"] {
        assert!(profiles.split(',').any(|one| one == profile), "{early}");
    }
    central.expect("boot", |_| true, LATER);
    for step in HOME_ASSISTANT {
        match step {
            Step::Reads(key, expected) => assert_eq!(value(&mut central, key), expected, "{key}"),
            Step::Sets(key, text, expected) => {
                assert_eq!(change(&mut central, key, text), expected, "{key}");
            }
        }
    }
    // Connector 1 is what it falls back to where a station refuses 0.
    for connector in [0, 1] {
        let availability = json!({ "connectorId": connector, "type": "Operative" });
        accepted(&mut central, "ChangeAvailability", availability);
    }
    // It asks for a BootNotification only where none came; a second one is refused.
    let boot = json!({ "requestedMessage": "BootNotification" });
    assert_eq!(status(&mut central, "TriggerMessage", boot), "Rejected");
    assert_eq!(central.events("boot").len(), 1);
    let done = triggered_of_connector(&mut central, "StatusNotification", "status");
    assert_eq!(done["payload"]["status"], "Available");
    assert_quick(&connected, &done);

    let unit = value(&mut central, "ChargingScheduleAllowedChargingRateUnit");
    assert_eq!(unit, "Current,Power");
    assert_eq!(value(&mut central, "ChargeProfileMaxStackLevel"), "8");
    let charge_rate = json!({ "connectorId": 0, "csChargingProfiles": {
        "chargingProfileId": 1000, "stackLevel": 8, "chargingProfileKind": "Relative",
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 10 }]
        }
    } });
    accepted(&mut central, "SetChargingProfile", charge_rate);
    bench.plug_in();
    told(&central, "Preparing");
    let remote = json!({ "connectorId": 1, "idTag": "home" });
    accepted(&mut central, "RemoteStartTransaction", remote);
    central.expect("start", |_| true, LATER);
    told(&central, "Charging");
    bench.expect(PWM, "16.67", SOON);
    assert_eq!(central.events("boot"), Vec::<Value>::new());
    assert_eq!(central.complaints(), Vec::<String>::new());
}
