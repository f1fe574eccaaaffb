//! A recloser beside a charging session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::time::Instant;

use hil_tests::{Bench, LATER, SOON, Settings, trace_directory};
use serde_json::{Value, json};
use simulator::bus::{Fault, SharedLine};
use simulator::central_system::{CentralSystem, Options};
use simulator::recloser::Recloser;

const SESSION: &str = "port0/session/state";
const ERROR: &str = "port0/rcd/recloser/error";

/// The simulator's own register map.
const PROFILE: &str = r#"{"device": "simulated recloser", "source": "simulator",
    "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
    "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

// covers: REC-004
#[test]
fn a_lost_recloser_is_an_error_that_interrupts_no_charge() {
    let recloser = Recloser::default();
    let line = SharedLine::start(vec![Box::new(recloser.at(3))]).unwrap();
    let configured = json!({ "enable": true, "port": line.path() });
    let settings = Settings::default().with("ports[0]/recloser", configured);
    let mut bench = Bench::start(&settings);
    bench.write_file("config/profiles/geya.json", PROFILE);
    bench.start_daemon("recloserd");
    bench.expect(ERROR, "0", SOON);
    bench.expect("port0/rcd/recloser/state/actual", "close", SOON);
    bench.charge();
    line.inject(0, Fault::Silence);
    bench.expect(ERROR, "1", SOON);
    // A loaded machine may stall the control thread meanwhile: what counts is that the
    // session stands and energy flows while the recloser is lost.
    bench.expect(SESSION, "charging", LATER);
    let energy = bench.station().plant().readings().energy_wh;
    bench.station().plant().energy_factor = 60.0;
    bench.wait_for("energy is counted", LATER, |plant| {
        plant.readings().energy_wh > energy + 50.0
    });
    bench.expect(SESSION, "charging", LATER);
    bench.expect(ERROR, "1", SOON);
    line.repair(0);
    bench.expect(ERROR, "0", SOON);
    assert_eq!(recloser.commands(), 0);
}

// covers: REC-005, REC-006, REC-008
#[test]
fn the_central_system_sees_and_moves_the_contacts() {
    let recloser = Recloser::default();
    let line = SharedLine::start(vec![Box::new(recloser.at(3))]).unwrap();
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    let central = CentralSystem::start(options).unwrap();
    let configured = json!({ "enable": true, "port": line.path() });
    let settings = Settings::default()
        .with_central_system(central.uri())
        .with("ports[0]/recloser", configured);
    let mut bench = Bench::start(&settings);
    bench.write_file("config/profiles/geya.json", PROFILE);
    let ask = |message: &str, data: &str| {
        let payload = json!({
            "vendorId": "com.in-tech.smartcharging", "messageId": message, "data": data
        });
        central.call("DataTransfer", payload, LATER).unwrap()
    };
    let accepted = |state: &str| json!({ "status": "Accepted", "data": state });
    let not_available = json!({ "status": "Rejected", "data": "notAvailable" });
    let until = |expected: &Value| {
        let deadline = Instant::now() + LATER;
        while ask("rcdRecloserGetState", "1") != *expected {
            assert!(Instant::now() < deadline, "it never is {expected}");
        }
    };
    bench.expect("ocpp/online", "1", LATER);
    assert_eq!(
        ask("rcdRecloserGetState", "1"),
        not_available,
        "nobody knows"
    );
    bench.start_daemon("recloserd");
    until(&accepted("close"));
    for state in ["open", "close"] {
        let change = ask("rcdRecloserChangeState", &format!("1, {state}"));
        assert_eq!(change, accepted(state));
        assert_eq!(recloser.is_closed(), state == "close");
        until(&accepted(state));
    }
    recloser.trip();
    until(&accepted("open"));
    line.inject(0, Fault::Silence);
    let change = ask("rcdRecloserChangeState", "1, close");
    assert_eq!(change, not_available);
    until(&not_available);
    line.repair(0);
    until(&accepted("open"));
    assert_eq!(recloser.commands(), 2);
}
