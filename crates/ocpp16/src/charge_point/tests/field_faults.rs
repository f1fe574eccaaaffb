//! Defects of other charge points that no other test names (docs/explanation/field-faults.md).

use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{DeciAmperes, EvseSession, Fault, Input, Output, Reading, StopReason};

fn profile(id: i64, purpose: &str, limit: u32) -> Value {
    json!({"connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": id, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}}})
}

#[test]
fn nothing_of_a_transaction_follows_its_stop() {
    let mut bench = Bench::configured(&[
        ("MeterValueSampleInterval", "10"),
        ("ClockAlignedDataInterval", "10"),
        ("MeterValuesAlignedData", "Energy.Active.Import.Register"),
    ]);
    bench.connect();
    bench.charge();
    bench.pass(9);
    bench.evse(EvseSession::Idle);
    bench.pass(30);
    let sent = bench.drain();
    let stop = sent
        .iter()
        .position(|(action, _)| action == "StopTransaction")
        .unwrap();
    for (action, payload) in sent.iter().skip(stop + 1) {
        assert!(payload.get("transactionId").is_none(), "{action} {payload}");
    }
}

#[test]
fn a_tx_profile_can_be_replaced_and_cleared_after_a_fault() {
    let mut bench = Bench::online();
    bench.charge();
    let set = |bench: &mut Bench, limit| {
        bench.status("SetChargingProfile", profile(3, "TxProfile", limit))
    };
    assert_eq!(set(&mut bench, 10), "Accepted");
    bench.faults(&[Fault::Contactor]);
    bench.evse(EvseSession::Faulted);
    bench.drain();
    bench.faults(&[]);
    bench.evse(EvseSession::Charging);
    bench.drain();
    assert_eq!(set(&mut bench, 8), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(80)));
    let clear = bench.status("ClearChargingProfile", json!({"id": 3}));
    assert_eq!((clear.as_str(), bench.limit), ("Accepted", None));
}

#[test]
fn a_replaced_or_cleared_profile_does_not_come_back_after_a_restart() {
    let mut bench = Bench::online();
    bench.status("SetChargingProfile", profile(1, "TxDefaultProfile", 16));
    bench.pass(60);
    bench.status("SetChargingProfile", profile(2, "TxDefaultProfile", 8));
    bench.pass(60);
    bench.drain();
    assert_eq!(bench.restart().limit, Some(DeciAmperes(80)));
    bench.status("ClearChargingProfile", json!({}));
    bench.pass(60);
    assert_eq!(bench.restart().limit, None);
}

/// Power loss may cost the last minute; an orderly end costs nothing.
#[test]
fn the_newest_profile_outlives_every_restart_that_was_asked_for() {
    for ending in ["Hard", "Soft", "terminated"] {
        let mut bench = Bench::online();
        bench.status("SetChargingProfile", profile(1, "TxDefaultProfile", 16));
        bench.pass(60);
        bench.status("ClearChargingProfile", json!({}));
        bench.status("SetChargingProfile", profile(2, "TxDefaultProfile", 8));
        if ending == "terminated" {
            bench.input(Input::StopRequested(StopReason::Reboot));
        } else {
            bench.status("Reset", json!({"type": ending}));
            bench.drain();
            assert!(bench.others.contains(&Output::Reboot), "{ending}");
        }
        assert_eq!(bench.restart().limit, Some(DeciAmperes(80)), "{ending}");
    }
}

#[test]
fn a_default_profile_limits_an_offline_session() {
    let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
    bench.connect();
    bench.status("SetChargingProfile", profile(1, "TxDefaultProfile", 8));
    bench.input(Input::SocketClosed);
    bench.tag("driver");
    bench.evse(EvseSession::Charging);
    assert_eq!(
        (bench.permit, bench.limit),
        (Some(true), Some(DeciAmperes(80)))
    );
}

#[test]
fn every_measurand_that_is_accepted_is_sent() {
    let mut bench = Bench::new();
    bench.input(Input::Reading(Reading {
        power_w: Some(11_000.0),
        current_phase_a: [Some(16.0); 3],
        voltage_v: [Some(230.0); 3],
        frequency_hz: Some(50.0),
        ..meter(1_000)
    }));
    bench.connect();
    for measurand in [
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Import.Register",
        "Frequency",
        "Power.Active.Import",
        "Power.Offered",
        "Voltage",
        "Voltage.L2-N",
        "Current.Import.L3",
    ] {
        let change = json!({"key": "MeterValuesSampledData", "value": measurand});
        assert_eq!(bench.status("ChangeConfiguration", change), "Accepted");
        bench.status("TriggerMessage", json!({"requestedMessage": "MeterValues"}));
        let values = bench.answer("MeterValues", json!({}))["meterValue"].clone();
        let sampled = values[0]["sampledValue"].as_array().unwrap().clone();
        assert!(!sampled.is_empty(), "{measurand}");
        for one in sampled {
            let name = one["measurand"].as_str().unwrap();
            assert!(measurand.starts_with(name), "{measurand}: {one}");
        }
    }
}

/// Connected, with a heartbeat each minute.
fn beating() -> Bench {
    let mut bench = Bench::new();
    bench.open();
    let time = bench.wall().to_string();
    bench.answer(
        "BootNotification",
        json!({"status": "Accepted", "currentTime": time, "interval": 60}),
    );
    bench.drain();
    bench
}

#[test]
fn after_a_week_of_heartbeats_calls_are_answered_as_on_the_first_day() {
    const MINUTES: u32 = 7 * 24 * 60;
    let mut bench = beating();
    for minute in 0..MINUTES {
        bench.pass(60);
        let sent = bench.drain();
        let actions: Vec<&str> = sent.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, ["Heartbeat"], "minute {minute}");
    }
    let key = json!({"key": ["HeartbeatInterval"]});
    let answer = bench.call("GetConfiguration", key);
    assert_eq!(answer["configurationKey"][0]["value"], "60");
    bench.charge();
}

#[test]
fn a_connection_that_falls_silent_after_long_idle_is_given_up_and_the_next_one_serves() {
    let mut bench = beating();
    for _ in 0..24 * 60 {
        bench.pass(60);
        bench.drain();
    }
    let given_up = |bench: &Bench| bench.others.iter().any(|o| matches!(o, Output::Disconnect));
    // The peer's frames don't arrive any more, and ours are not answered.
    bench.pass(150);
    assert!(!given_up(&bench), "one lost answer is no dead connection");
    bench.pass(150);
    assert!(given_up(&bench));
    bench.sent.clear();
    bench.input(Input::SocketClosed);
    bench.open();
    bench.charge();
}

#[test]
fn a_switch_of_phases_leaves_each_limit_a_limit_per_phase() {
    let mut bench = Bench::online();
    let set = |bench: &mut Bench, connector: u8, purpose: &str, unit: &str, period: Value| {
        let profile = json!({"connectorId": connector, "csChargingProfiles": {
            "chargingProfileId": connector, "stackLevel": 0, "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": unit,
            "chargingSchedulePeriod": [period]}}});
        assert_eq!(bench.status("SetChargingProfile", profile), "Accepted");
    };
    // The fuse: 13 A in each phase.
    let fuse = json!({"startPeriod": 0, "limit": 13});
    set(&mut bench, 0, "ChargePointMaxProfile", "A", fuse);
    bench.charge();
    for (watts, number, deci) in [
        // Without a number three are meant, also while one is used (erratum 3.69).
        (6_900, None, 100),
        (6_900, Some(3), 100),
        (2_300, Some(1), 100),
        // Never above the fuse, however few phases are named.
        (6_900, Some(1), 130),
    ] {
        let mut period = json!({"startPeriod": 0, "limit": watts});
        if let Some(number) = number {
            period["numberPhases"] = number.into();
        }
        set(&mut bench, 1, "TxDefaultProfile", "W", period);
        for phases in [3, 1, 3] {
            bench.station(|station| station.phases = Some(phases));
            let what = format!("{watts} W on {number:?}, {phases} in use");
            assert_eq!(bench.limit, Some(DeciAmperes(deci)), "{what}");
        }
    }
}
