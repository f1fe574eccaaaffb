//! A key of another daemon, changed by a central system that is not ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use hil_tests::{Bench, LATER, PythonCentralSystem, SOON, Settings, trace_directory};
use serde_json::json;

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
        let payload = json!({ "key": KEY, "value": value });
        let answer = central.call("ChangeConfiguration", payload, SOON);
        assert_eq!(answer["status"], expected, "{value} A");
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
