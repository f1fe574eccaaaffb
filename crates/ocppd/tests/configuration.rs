//! Configuration keys from the central system to customer.json and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::time::Instant;

use serde_json::{Value, json};
use simulator::central_system::CentralSystem;
use support::{Bench, SOON, USUAL_ANSWER, central, until};

fn start(central: &CentralSystem) -> Bench {
    let bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    bench
}

fn change(central: &CentralSystem, key: &str, value: &str) -> Value {
    central
        .call(
            "ChangeConfiguration",
            json!({"key": key, "value": value}),
            SOON,
        )
        .unwrap()["status"]
        .clone()
}

/// Changes a key. A busy machine may take longer than the station waits for the file, which then
/// refuses the change; who wants it asks again.
fn changed(central: &CentralSystem, key: &str, value: &str, expected: &str) {
    until(&format!("{key}={value} is {expected}"), || {
        let answer = change(central, key, value);
        let is_expected = answer == expected;
        assert!(
            is_expected || answer == "Rejected",
            "{key}={value}: {answer}"
        );
        is_expected
    });
}

fn told(central: &CentralSystem, key: &str) -> Value {
    central
        .call("GetConfiguration", json!({"key": [key]}), SOON)
        .unwrap()["configurationKey"][0]["value"]
        .clone()
}

#[test]
fn a_station_without_a_vendor_is_told_with_one() {
    let central = central();
    let nameless = json!({"chargePointVendor": "", "chargePointModel": " "});
    let _bench = Bench::start(&format!("{}/CP1", central.uri()), nameless);
    let boot = central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    assert_eq!(boot["chargePointVendor"], "mode3");
    assert_eq!(boot["chargePointModel"], "mode3");
    assert_eq!(told(&central, "vendorId"), "mode3");
}

/// `guide_keys.csv` holds the guide's table 6 and what else the overview of OCPP lists, and beside
/// that what this station tells, with the reason where it differs. `-`: no such key.
// covers: OC-021
#[test]
fn every_key_of_the_guide_is_told_with_access_and_value() {
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let as_shipped = json!({"AllowOfflineTxForUnknownId": false});
    let _bench = Bench::start(&uri, as_shipped);
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    // Its answer sets HeartbeatInterval.
    until("the boot is answered", || {
        told(&central, "HeartbeatInterval") == "300"
    });
    let all = central.call("GetConfiguration", json!({}), SOON).unwrap();
    let all = all["configurationKey"].as_array().unwrap();
    let mut guide = 0;
    for row in include_str!("data/guide_keys.csv").lines().skip(1) {
        let columns: Vec<&str> = row.split(';').collect();
        let [key, source, access, default, our_access, ours, why] = columns[..] else {
            panic!("seven columns: {row}")
        };
        guide += usize::from(source == "guide");
        let differs = (access, default) != (our_access, ours);
        assert_eq!(differs, !why.is_empty(), "{row}");
        let mut entries = all.iter().filter(|entry| entry["key"] == key);
        let expected = (our_access != "-").then(|| {
            let value = if ours == "*" { &uri } else { ours };
            json!({"key": key, "readonly": our_access == "R", "value": value})
        });
        assert_eq!(entries.next(), expected.as_ref(), "{row}");
        assert_eq!(entries.next(), None, "{key} twice");
    }
    assert_eq!(guide, 47);
}

// covers: OC-026, OC-027, CFG-011, CFG-017
#[test]
fn keys_are_kept_in_customer_json() {
    let central = central();
    let mut bench = start(&central);
    for (key, value, expected) in [
        ("ConnectionTimeOut", "90", "Accepted"),
        (
            "MeterValuesSampledData",
            "Voltage.L1-N,Current.Import",
            "Accepted",
        ),
        ("ports[0]/evse_current_limit", "16", "RebootRequired"),
        ("ports[0]/evse_current_limit", "99", "Rejected"),
        ("uplink/apn_name", "internet", "RebootRequired"),
        ("ocpp/uri", "ws://h/x", "NotSupported"),
        ("ports[0]/switch3to1phase/enable", "true", "NotSupported"),
    ] {
        changed(&central, key, value, expected);
    }
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(bench.path("customer.json")).unwrap())
            .unwrap();
    assert_eq!(file["ocpp"]["ConnectionTimeOut"], 90);
    assert_eq!(
        file["ocpp"]["MeterValuesSampledData"],
        json!(["Voltage.L1-N", "Current.Import"])
    );
    assert_eq!(file["ports"][0]["evse_current_limit"], 16);
    assert_eq!(file["uplink"]["apn_name"], "internet");

    bench.kill();
    central.mark();
    bench.run();
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    for (key, value) in [
        ("ConnectionTimeOut", "90"),
        ("MeterValuesSampledData", "Voltage.L1-N,Current.Import"),
        ("ports[0]/evse_current_limit", "16"),
    ] {
        assert_eq!(told(&central, key), value, "{key}");
    }
}

#[test]
fn keys_without_a_place_in_customer_json_outlive_a_kill_or_are_refused() {
    let central = central();
    let mut bench = start(&central);
    let keys = [
        ("MaxEnergyOnInvalidId", "500"),
        ("StopTransactionMaxMeterValues", "50"),
    ];
    for (key, value) in keys {
        assert_eq!(change(&central, key, value), "Accepted", "{key}");
    }
    // Whoever runs the test, no file can be made where a directory is.
    let fresh = bench.path("ocpp_data.json.new");
    std::fs::create_dir(&fresh).unwrap();
    let secret = "000102030405060708090a0b0c0d0e0f";
    for (key, value) in [("AuthorizationKey", secret), ("MessageTimeout", "45")] {
        assert_eq!(change(&central, key, value), "Rejected", "{key}");
    }
    assert_eq!(told(&central, "MessageTimeout"), "30");
    bench.kill();
    std::fs::remove_dir(&fresh).unwrap();
    central.mark();
    bench.run();
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    for (key, value) in keys {
        assert_eq!(told(&central, key), value, "{key}");
    }
}

// covers: OC-028
#[test]
fn without_configd_a_change_is_rejected() {
    let central = central();
    let bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    bench.mqtt.write_nothing();
    let mut bench = bench;
    bench.run();
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
    let took = [(); 3].map(|()| {
        let asked = Instant::now();
        assert_eq!(change(&central, "ConnectionTimeOut", "90"), "Rejected");
        asked.elapsed()
    });
    // A loaded machine may hold up one or the other; a station that waits too long does each time.
    assert!(took.iter().min() < Some(&USUAL_ANSWER), "{took:?}");
    assert_eq!(told(&central, "ConnectionTimeOut"), "60");
}

// covers: CFG-017
#[test]
fn what_others_change_takes_effect_too() {
    let central = central();
    let bench = start(&central);
    let changed = json!({"path": "ocpp/WebSocketPingInterval", "value": "77"});
    until("the change is known", || {
        // What comes before ocppd listens is lost.
        bench.mqtt.publish(
            "ci/global/configuration/changed",
            &changed.to_string(),
            false,
        );
        told(&central, "WebSocketPingInterval") == "77"
    });
}

// covers: OC-056
#[test]
fn another_central_system_starts_without_the_old_transactions() {
    let (first, second) = (central(), central());
    let mut bench = start(&first);
    bench.charge(&first);
    assert_eq!(
        change(&first, "CentralSystemURI", "wss://"),
        "Rejected",
        "a station must not lock itself out"
    );
    let uri = format!("{}/CP2", second.uri());
    changed(&first, "CentralSystemURI", &uri, "RebootRequired");
    first.mark();
    first
        .call(
            "TriggerMessage",
            json!({"requestedMessage": "Heartbeat"}),
            SOON,
        )
        .unwrap();
    first.wait_for("Heartbeat", |_| true, SOON).unwrap();
    assert!(
        second.handshakes().is_empty(),
        "it changed before the reboot"
    );

    bench.kill();
    bench.mqtt.station("idle", "A");
    bench.run();
    second
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
    second
        .call(
            "TriggerMessage",
            json!({"requestedMessage": "Heartbeat"}),
            SOON,
        )
        .unwrap();
    second.wait_for("Heartbeat", |_| true, SOON).unwrap();
    assert_eq!(second.handshakes()[0].station, "CP2");
    assert!(
        second.calls("StopTransaction").is_empty(),
        "of the other central system"
    );
    assert!(
        bench.log().contains("stored transactions are erased"),
        "without a word"
    );
}
