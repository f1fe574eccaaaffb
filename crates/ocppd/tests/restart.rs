//! ocppd dies and comes back while its EVSE goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use serde_json::json;
use support::{Bench, SOON, central};

// covers: OO-014, BOOT-010
#[test]
fn a_running_transaction_goes_on_after_a_kill() {
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let mut bench = Bench::start(&uri, json!({"MeterValueSampleInterval": 10}));
    let id = bench.charge(&central);
    bench.kill();
    bench.mqtt.forget();
    central.mark();
    bench.run();
    central
        .wait_for(
            "StatusNotification",
            |status| status["status"] == "Charging",
            SOON,
        )
        .unwrap();
    bench.mqtt.meter(1_500.0);
    // MeterValueSampleInterval after the restart, which a busy machine delays.
    let values = central.wait_for("MeterValues", |_| true, SOON * 4).unwrap();
    assert_eq!(values["transactionId"], json!(id));
    assert_eq!(
        bench.mqtt.history("port0/session/authorization_status"),
        ["1"],
        "the permission was never withdrawn"
    );
    assert!(central.calls("StopTransaction").is_empty());
    bench.mqtt.station("idle", "A");
    bench.mqtt.meter(2_000.0);
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(
        (&stop["transactionId"], &stop["reason"], &stop["meterStop"]),
        (&json!(id), &json!("EVDisconnected"), &json!(2_000))
    );
    let transactions = central.transactions();
    assert_eq!(transactions.len(), 1);
    assert_eq!(
        (transactions[0].starts.len(), transactions[0].stops.len()),
        (1, 1)
    );
}

// covers: OC-041
#[test]
fn a_transaction_whose_ev_left_meanwhile_is_closed() {
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let mut bench = Bench::start(&uri, json!({}));
    let id = bench.charge(&central);
    bench.kill();
    bench.mqtt.station("idle", "A");
    bench.mqtt.meter(1_700.0);
    bench.mqtt.forget();
    bench.run();
    let stop = central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    assert_eq!(
        (&stop["transactionId"], &stop["reason"], &stop["meterStop"]),
        (&json!(id), &json!("PowerLoss"), &json!(1_700))
    );
    bench.mqtt.wait("port0/session/authorization_status", "0");
}
