//! A recloser beside a charging session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use hil_tests::{Bench, LATER, SOON, Settings};
use serde_json::json;
use simulator::bus::{Fault, SharedLine};
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
