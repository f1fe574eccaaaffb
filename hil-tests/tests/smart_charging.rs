//! Seed 002 replayed: what an independent central system commands is what the car
//! gets. And a whole session driven by a central system that is not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, PythonCentralSystem, SOON, Settings, trace_directory};
use serde_json::{Value, json};

const PWM: &str = "port0/ci/charge/pwm/status";
const SESSION: &str = "port0/session/state";
const TAG: &str = "04A1B2C3D4";
/// From the command to the duty cycle (LIM-028).
const TARGET: Duration = Duration::from_secs(2);

fn bench_with(central: &PythonCentralSystem) -> Bench {
    let settings = Settings::default()
        .with_central_system(&central.uri())
        .with("ocpp/MeterValueSampleInterval", 10)
        .with(
            "ocpp/MeterValuesSampledData",
            json!(["Energy.Active.Import.Register", "Current.Import"]),
        );
    Bench::start(&settings)
}

fn status(central: &PythonCentralSystem, expected: &str) {
    central.expect(
        "status",
        |event| event["payload"]["connectorId"] == 1 && event["payload"]["status"] == expected,
        LATER,
    );
}

/// Swipe, plug in, and wait until the car charges in a transaction.
fn start_by_card(bench: &Bench, central: &PythonCentralSystem) {
    bench.plug_in();
    bench.expect(SESSION, "connected", SOON);
    bench.swipe(TAG);
    bench.expect(SESSION, "charging", LATER);
    central.expect("start", |_| true, LATER);
    status(central, "Charging");
}

/// Limits the current and waits for the duty cycle; how long that took.
fn carried_out(
    central: &mut PythonCentralSystem,
    bench: &Bench,
    amperes: u32,
    duty: &str,
) -> Duration {
    let commanded = Instant::now();
    let answer = central.limit_current(amperes, SOON);
    assert_eq!(answer["status"], "Accepted");
    bench.expect(PWM, duty, SOON);
    commanded.elapsed()
}

// covers: OSM-004, OSM-005, OSM-006, OSM-007, OSM-008, OSM-009, OSM-011, OSM-013
// covers: LIM-013, LIM-028, OS-013, OSM-014
#[test]
fn the_limits_of_seed_002_are_carried_out() {
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let bench = bench_with(&central);
    start_by_card(&bench, &central);
    let draws = |amperes: f64| {
        bench.wait_for(&format!("the car draws {amperes} A"), SOON, |plant| {
            plant
                .line_currents()
                .iter()
                .all(|current| (current - amperes).abs() < 0.3)
        });
    };
    let mut took = Vec::new();
    for (amperes, duty) in [(6, "10.00"), (7, "11.67"), (11, "18.33")] {
        took.push(carried_out(&mut central, &bench, amperes, duty));
        draws(f64::from(amperes));
        bench.expect(
            "ci/evse/basic/maxcurrentlimit",
            &format!("{amperes}.0"),
            SOON,
        );
    }

    central.mark();
    let commanded = Instant::now();
    let stopped = carried_out(&mut central, &bench, 0, "100.00");
    draws(0.0);
    assert!(
        commanded.elapsed() < Duration::from_secs(10),
        "energy flowed for 10 s"
    );
    status(&central, "SuspendedEVSE");
    assert!(
        central.events("stop").is_empty(),
        "the transaction was stopped"
    );

    took.push(carried_out(&mut central, &bench, 11, "18.33"));
    // A loaded machine may hold up one or the other, but not the end of a charge.
    took.sort();
    assert!(took[took.len() / 2] < TARGET, "{took:?}");
    assert!(stopped < TARGET, "{stopped:?}");
    bench.expect(SESSION, "charging", LATER);
    draws(11.0);
    status(&central, "Charging");
    assert!(
        central.events("start").is_empty(),
        "a second transaction was started"
    );
    assert_eq!(central.complaints(), Vec::<String>::new());
}

// covers: OS-011, OC-001, OC-015, OC-034, OC-063, AUTH-002, CP-019
#[test]
fn a_central_system_of_others_drives_a_whole_session() {
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let bench = bench_with(&central);
    central.expect(
        "boot",
        |event| event["payload"]["chargePointVendor"] == "mode3",
        LATER,
    );
    status(&central, "Available");
    bench.expect("ocpp/online", "1", SOON);
    bench.plug_in();
    status(&central, "Preparing");
    bench.expect(PWM, "100.00", SOON);

    let payload = json!({ "connectorId": 1, "idTag": TAG });
    let answer = central.call("RemoteStartTransaction", payload, SOON);
    assert_eq!(answer["status"], "Accepted");
    let start = central.expect("start", |event| event["payload"]["idTag"] == TAG, LATER);
    bench.expect(SESSION, "charging", LATER);
    status(&central, "Charging");
    bench.station().plant().energy_factor = 60.0;
    central.expect(
        "meter",
        |event| event["payload"]["transactionId"] == start["transactionId"],
        LATER,
    );

    let payload = json!({ "transactionId": start["transactionId"] });
    let answer = central.call("RemoteStopTransaction", payload, SOON);
    assert_eq!(answer["status"], "Accepted");
    let stop = central.expect("stop", |_| true, LATER);
    assert_eq!(stop["payload"]["transactionId"], start["transactionId"]);
    assert_eq!(stop["payload"]["reason"], "Remote");
    assert!(stop["payload"]["meterStop"].as_i64() > start["payload"]["meterStart"].as_i64());
    status(&central, "Finishing");
    bench.wait_for("no current", LATER, |plant| {
        plant.line_currents() == [0.0; 3]
    });
    bench.unplug();
    status(&central, "Available");
    assert_eq!(central.complaints(), Vec::<String>::new());
}

// Seed 000: a CALLERROR to an optional message neither closes nor repeats anything.
// covers: OC-043, OC-044, OC-045, OC-016
#[test]
fn refused_optional_messages_change_nothing() {
    let refused = [
        "Authorize",
        "Heartbeat",
        "StatusNotification",
        "MeterValues",
        "FirmwareStatusNotification",
    ];
    let options: Vec<String> = refused[1..]
        .iter()
        .flat_map(|action| ["--reply".into(), format!("{action}=NotSupported")])
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let central = PythonCentralSystem::start(&trace_directory(), &options);
    let bench = bench_with(&central);
    bench.plug_in();
    bench.swipe(TAG);
    central.expect("start", |_| true, LATER);
    bench.expect(SESSION, "charging", LATER);
    // Two sample intervals: a loop would show, a closed connection too.
    let first = central.expect("meter", |_| true, LATER);
    central.expect("meter", |event| *event != first, LATER);
    // On a loaded machine the state may change meanwhile; none may be told again.
    let statuses = central.events("status");
    for connector in [0, 1] {
        let of_it = |event: &&Value| event["payload"]["connectorId"] == connector;
        let told =
            |event: &Value| ["status", "errorCode"].map(|name| event["payload"][name].clone());
        let told: Vec<_> = statuses.iter().filter(of_it).map(told).collect();
        assert!(!told.is_empty(), "nothing of connector {connector}");
        let is_repeated = told.windows(2).any(|two| two[0] == two[1]);
        assert!(!is_repeated, "connector {connector}: {told:?}");
    }
    assert_eq!(central.events("disconnected").len(), 0);
    assert_eq!(central.events("boot").len(), 1, "booted again");
    assert_eq!(central.events("firmware").len(), 0);
    bench.swipe(TAG);
    central.expect("stop", |_| true, LATER);
    assert_eq!(central.complaints(), Vec::<String>::new());
}

// Seed 000, issue 1503 of a well-known integration: CALLs before the boot answer.
// covers: OC-052
#[test]
fn calls_before_the_boot_answer_are_answered() {
    let central = PythonCentralSystem::start(&trace_directory(), &["--calls-before-boot"]);
    let bench = bench_with(&central);
    central.expect("result", |event| event["id"] == "early-0", LATER);
    central.expect("result", |event| event["id"] == "early-1", LATER);
    start_by_card(&bench, &central);
    assert_eq!(central.complaints(), Vec::<String>::new());
}

// covers: OSM-029, OSM-030
#[test]
fn the_lower_of_the_central_systems_and_the_local_limit_is_offered() {
    const OFFERED: &str = "port0/ci/evse/basic/offered_current_limit";
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let settings = Settings::default()
        .with_central_system(&central.uri())
        .with("ports[0]/failsafe_current_limit", 10);
    let bench = Bench::start(&settings);
    status(&central, "Available");
    bench.expect(OFFERED, "10.0", SOON);
    let mut limit = |amperes: u32| {
        assert_eq!(central.limit_current(amperes, SOON)["status"], "Accepted");
        let text = format!("{amperes}.0");
        bench.expect("ci/evse/basic/maxcurrentlimit", &text, SOON);
    };
    limit(13);
    bench.expect(OFFERED, "13.0", SOON);
    let local = |amperes: &str| {
        let topic = "ci/global/dyn_current_limit/me";
        bench.observer.publish_raw(topic, amperes, true);
    };
    local("8");
    bench.expect(OFFERED, "8.0", SOON);
    limit(6);
    bench.expect(OFFERED, "6.0", SOON);
    local("20");
    limit(16);
    bench.expect(OFFERED, "16.0", SOON);
    limit(0);
    bench.expect(OFFERED, "0.0", SOON);
}

/// A TxDefaultProfile in W, over so many phases.
fn power(watts: u32, phases: Option<u8>) -> Value {
    let mut period = json!({ "startPeriod": 0, "limit": watts });
    if let Some(phases) = phases {
        period["numberPhases"] = phases.into();
    }
    json!({
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 5, "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "W", "chargingSchedulePeriod": [period]
            }
        }
    })
}

// covers: OSM-021
#[test]
fn limits_in_watts_stay_limits_for_each_phase_when_phases_are_switched() {
    const ACTUAL: &str = "port0/ci/evse/phase/actual";
    let mut central = PythonCentralSystem::start(&trace_directory(), &[]);
    let settings = Settings::default()
        .with_central_system(&central.uri())
        .with(
            "ports[0]/switch3to1phase",
            json!({ "enable": true, "switch_delay": 10 }),
        );
    let bench = Bench::start(&settings);
    bench.station().plant().relay_2_switches_l2_l3 = true;
    start_by_card(&bench, &central);
    bench.expect(ACTUAL, "3", SOON);
    let mut set = |watts: u32, phases: Option<u8>| {
        let answer = central.call("SetChargingProfile", power(watts, phases), SOON);
        assert_eq!(answer["status"], "Accepted", "{watts} W");
    };
    let draws = |currents: [f64; 3]| {
        bench.wait_for(&format!("the car draws {currents:?} A"), LATER, |plant| {
            let pairs = plant.line_currents().into_iter().zip(currents);
            pairs
                .map(|(is, right)| (is - right).abs())
                .all(|difference| difference < 0.3)
        });
    };
    // Three phases are meant where none are named.
    set(6_900, None);
    draws([10.0; 3]);

    let switch = |phases: &str| {
        let target = "port0/ci/evse/phase/target";
        bench.observer.publish_raw(target, phases, true);
        bench.expect(ACTUAL, phases, LATER);
    };
    switch("1");
    draws([10.0, 0.0, 0.0]);
    bench.expect("ci/evse/basic/maxcurrentlimit", "10.0", SOON);
    set(2_760, Some(1));
    draws([12.0, 0.0, 0.0]);
    // One phase never gets more than its fuse bears, whatever the power would allow.
    let fuse = "ci/global/dyn_current_limit/fuse";
    bench.observer.publish_raw(fuse, "13", true);
    set(6_900, Some(1));
    draws([13.0, 0.0, 0.0]);

    switch("3");
    draws([13.0; 3]);
    set(6_900, Some(3));
    draws([10.0; 3]);
}
