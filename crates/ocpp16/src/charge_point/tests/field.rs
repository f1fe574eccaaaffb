//! The set-up conversations of central systems that are common in homes, step by step.

use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{DeciAmperes, EvseSession, Input, Reading};

fn three_phase(energy_wh: i64) -> Reading {
    Reading {
        power_w: Some(0.0),
        current_phase_a: [Some(0.0); 3],
        voltage_v: [Some(230.0); 3],
        current_a: None,
        ..meter(energy_wh)
    }
}

fn change(bench: &mut Bench, key: &str, value: &str) -> String {
    bench.status("ChangeConfiguration", json!({"key": key, "value": value}))
}

fn limit(bench: &mut Bench, amperes: f64) -> String {
    let start = bench.wall().plus_seconds(-60).to_string();
    let profile = json!({"chargingProfileId": 20, "stackLevel": 8, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": {"startSchedule": start, "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amperes}]}});
    bench.status(
        "SetChargingProfile",
        json!({"connectorId": 1, "csChargingProfiles": profile}),
    )
}

// covers: OC-022, OC-052, OSM-005
#[test]
fn evcc() {
    let mut bench = Bench::new();
    bench.input(Input::Reading(three_phase(1_000)));
    bench.connect();
    assert_eq!(
        bench.status(
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Operative"})
        ),
        "Accepted"
    );
    let all = bench.call("GetConfiguration", json!({}));
    let value = |key: &str| {
        let entry = all["configurationKey"]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["key"] == json!(key));
        entry.unwrap_or_else(|| panic!("{key}"))["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(value("ChargeProfileMaxStackLevel"), "8");
    assert_eq!(value("MaxChargingProfilesInstalled"), "20");
    assert_eq!(value("NumberOfConnectors"), "1");
    assert_ne!(value("ChargingScheduleAllowedChargingRateUnit"), "Power");
    assert!(value("SupportedFeatureProfiles").contains("SmartCharging"));

    let wanted = [
        "Power.Active.Import",
        "Energy.Active.Import.Register",
        "Current.Import",
        "Voltage",
        "Current.Offered",
        "Power.Offered",
        "SoC",
    ];
    let accepted: Vec<&str> = wanted
        .into_iter()
        .filter(|one| change(&mut bench, "MeterValuesSampledData", one) == "Accepted")
        .collect();
    assert_eq!(accepted, wanted[..6]);
    assert_eq!(
        change(&mut bench, "MeterValuesSampledData", &accepted.join(",")),
        "Accepted"
    );
    assert_eq!(
        bench.status("TriggerMessage", json!({"requestedMessage": "MeterValues"})),
        "Accepted"
    );
    let values = bench.answer("MeterValues", json!({}));
    assert_eq!(values["meterValue"].as_array().unwrap().len(), 1);
    assert_eq!(
        change(&mut bench, "MeterValueSampleInterval", "10"),
        "Accepted"
    );
    assert_eq!(
        change(&mut bench, "WebSocketPingInterval", "30"),
        "Accepted"
    );
    assert_eq!(bench.point.ping().0, 30);
    assert_eq!(
        bench.status(
            "TriggerMessage",
            json!({"requestedMessage": "StatusNotification"})
        ),
        "Accepted"
    );
    bench.drain();

    // It pauses before anybody charges, starts a transaction for the EV, and lets it charge.
    assert_eq!(limit(&mut bench, 0.0), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(0)));
    bench.evse(EvseSession::Connected);
    assert_eq!(bench.reported(), ["Preparing"]);
    assert_eq!(
        bench.status(
            "RemoteStartTransaction",
            json!({"connectorId": 1, "idTag": "evcc"})
        ),
        "Accepted"
    );
    bench.evse(EvseSession::SuspendedEvse);
    assert_eq!(bench.reported().last().unwrap(), "SuspendedEVSE");
    assert_eq!(limit(&mut bench, 16.0), "Accepted");
    assert_eq!(bench.limit, Some(DeciAmperes(160)));
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.reported(), ["Charging"]);
    bench.pass(10);
    let periodic = bench.answer("MeterValues", json!({}));
    assert_eq!(
        periodic["transactionId"],
        json!(7),
        "it finds the transaction again by this"
    );
}

/// evcc was restarted: the station comes back without a BootNotification, idle, with a status that
/// evcc does not know.
#[test]
fn evcc_after_its_own_restart() {
    let mut bench = Bench::online();
    bench.input(Input::Reading(three_phase(1_000)));
    bench.input(Input::SocketClosed);
    bench.open();
    bench.expect_silence();
    let trigger = |bench: &mut Bench, payload: Value| {
        assert_eq!(bench.status("TriggerMessage", payload), "Accepted");
    };
    trigger(&mut bench, json!({"requestedMessage": "BootNotification"}));
    bench.accept_boot();
    bench.drain();
    for key in [
        "ConnectorSwitch3to1PhaseSupported",
        "MeterValuesSampledDataMaxLength",
    ] {
        let answer = bench.call("GetConfiguration", json!({"key": [key]}));
        // evcc would believe in one phase where three go on.
        let expected = if key.ends_with("Supported") {
            "false"
        } else {
            "27"
        };
        assert_eq!(answer["configurationKey"][0]["value"], json!(expected));
    }
    let answer = bench.call(
        "GetConfiguration",
        json!({"key": ["MeterValuesSampledData"]}),
    );
    assert_eq!(answer["configurationKey"][0]["readonly"], json!(false));
    for payload in [
        json!({"requestedMessage": "StatusNotification"}),
        json!({"requestedMessage": "StatusNotification", "connectorId": 1}),
    ] {
        trigger(&mut bench, payload.clone());
        assert_eq!(bench.reported(), ["Available"], "{payload}");
    }
    // Each time the values are older than its interval, whether somebody charges or not.
    for _ in 0..3 {
        let values = json!({"requestedMessage": "MeterValues", "connectorId": 1});
        trigger(&mut bench, values);
        let values = bench.answer("MeterValues", json!({}));
        assert_eq!(values["connectorId"], 1);
    }
    // The same limit again and again, and what it reads from it.
    for (amperes, offered) in [(0.0, 0.0), (0.0, 0.0), (11.5, 11.5), (11.5, 11.5)] {
        assert_eq!(limit(&mut bench, amperes), "Accepted");
        let asked = json!({"connectorId": 1, "duration": 60});
        let schedule = bench.call("GetCompositeSchedule", asked);
        let first = &schedule["chargingSchedule"]["chargingSchedulePeriod"][0];
        assert_eq!(first["limit"].as_f64(), Some(offered), "{schedule}");
    }
}

// covers: OC-023
#[test]
fn home_assistant() {
    let mut bench = Bench::new();
    bench.input(Input::Reading(three_phase(1_000)));
    bench.open();
    // Asked before BootNotification.conf.
    let asked = |bench: &mut Bench, key: &str| {
        let report = bench.call("GetConfiguration", json!({"key": [key]}));
        report["configurationKey"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    asked(&mut bench, "SupportedFeatureProfiles");
    let time = bench.wall().to_string();
    bench.answer(
        "BootNotification",
        json!({"status": "Accepted", "currentTime": time, "interval": 3600}),
    );
    bench.drain();
    assert_eq!(asked(&mut bench, "NumberOfConnectors"), "1");
    assert_eq!(asked(&mut bench, "HeartbeatInterval"), "3600");
    let all = "Current.Export,Current.Import,Current.Offered,Energy.Active.Export.Interval,Energy.Active.Export.Register,Energy.Active.Import.Interval,Energy.Active.Import.Register,Energy.Reactive.Export.Interval,Energy.Reactive.Export.Register,Energy.Reactive.Import.Interval,Energy.Reactive.Import.Register,Frequency,Power.Active.Export,Power.Active.Import,Power.Factor,Power.Offered,Power.Reactive.Export,Power.Reactive.Import,RPM,SoC,Temperature,Voltage";
    assert_eq!(
        change(&mut bench, "MeterValuesSampledData", all),
        "Rejected"
    );
    assert_eq!(
        asked(&mut bench, "MeterValuesSampledData"),
        "Energy.Active.Import.Register"
    );
    asked(&mut bench, "MeterValueSampleInterval");
    assert_eq!(
        change(&mut bench, "MeterValueSampleInterval", "60"),
        "Accepted"
    );
    asked(&mut bench, "ClockAlignedDataInterval");
    assert_eq!(
        change(&mut bench, "ClockAlignedDataInterval", "900"),
        "Accepted"
    );
    assert_eq!(
        bench.status(
            "ChangeAvailability",
            json!({"connectorId": 0, "type": "Operative"})
        ),
        "Accepted"
    );
    // Comes only once the BootNotification was seen; once more is refused.
    assert_eq!(
        bench.status(
            "TriggerMessage",
            json!({"requestedMessage": "BootNotification"})
        ),
        "Rejected"
    );
    let status = json!({"requestedMessage": "StatusNotification", "connectorId": 1});
    assert_eq!(bench.status("TriggerMessage", status), "Accepted");
    bench.answer("StatusNotification", json!({}));

    asked(&mut bench, "ChargingScheduleAllowedChargingRateUnit");
    assert_eq!(asked(&mut bench, "ChargeProfileMaxStackLevel"), "8");
    // Its charge rate: the highest stack level, Relative, for the whole station.
    let profile = json!({"chargingProfileId": 1000, "stackLevel": 8, "chargingProfileKind": "Relative",
        "chargingProfilePurpose": "ChargePointMaxProfile", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]}});
    assert_eq!(
        bench.status(
            "SetChargingProfile",
            json!({"connectorId": 0, "csChargingProfiles": profile})
        ),
        "Accepted"
    );
    assert_eq!(bench.limit, Some(DeciAmperes(100)));

    // It answers a refused start with transaction 0: that is no running transaction.
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.evse(EvseSession::Connected);
    bench.answer("StatusNotification", json!({}));
    let refused: Value = json!({"transactionId": 0, "idTagInfo": {"status": "Invalid"}});
    bench.answer("StartTransaction", refused);
    assert_eq!(bench.permit, Some(false));
    bench.status("TriggerMessage", json!({"requestedMessage": "MeterValues"}));
    let sent = bench.drain();
    let values = sent
        .iter()
        .find(|(action, _)| action == "MeterValues")
        .unwrap();
    assert_eq!(values.1["transactionId"], Value::Null);
}
