use serde_json::{Value, json};

use super::bench::{Bench, settings};
use crate::feature::Feature;
use crate::message::incoming::actions;
use crate::{Configuration, Input, Output, Stored};

fn change(bench: &mut Bench, key: &str, value: &str) -> String {
    bench.status("ChangeConfiguration", json!({"key": key, "value": value}))
}

fn value(bench: &mut Bench, key: &str) -> Value {
    bench.call("GetConfiguration", json!({"key": [key]}))["configurationKey"][0]["value"].clone()
}

/// With keys that belong to other daemons of the station.
fn bench_with_others() -> Bench {
    let mut configuration = Configuration::default();
    for (name, readonly, value) in [
        ("ports[0]/evse_current_limit", false, Some("32")),
        ("ports[0]/meter/address", false, None),
        ("ports[0]/fixed", true, Some("1")),
    ] {
        configuration.load(name, readonly, value).unwrap();
    }
    let mut bench = Bench::with(settings("first"), configuration, Stored::default());
    bench.connect();
    bench
}

// covers: OC-022, OC-023, OC-024
#[test]
fn get_configuration_answers_all_some_and_unknown_keys() {
    let mut bench = Bench::online();
    for payload in [json!({}), json!({"key": []}), json!({"key": null})] {
        let all = bench.call("GetConfiguration", payload)["configurationKey"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(all.len(), 67);
        for entry in &all {
            assert!(
                entry["key"].is_string()
                    && entry["readonly"].is_boolean()
                    && (entry["value"].is_string() || entry["key"] == "AuthorizationKey"),
                "{entry}"
            );
        }
    }
    let some = bench.call(
        "GetConfiguration",
        json!({"key": ["heartbeatinterval", "Foo"]}),
    );
    assert_eq!(
        some["configurationKey"][0],
        json!({"key": "HeartbeatInterval", "readonly": false, "value": "86400"})
    );
    assert_eq!(some["unknownKey"], json!(["Foo"]));

    let keys = |count: usize| json!({"key": vec!["HeartbeatInterval"; count]}).to_string();
    let frame = |payload: String| format!(r#"[2,"a","GetConfiguration",{payload}]"#);
    assert_eq!(bench.call_frame(&frame(keys(50)))[0], json!(3));
    assert_eq!(
        bench.call_frame(&frame(keys(51)))[2],
        json!("OccurenceConstraintViolation")
    );
}

// covers: OC-058
#[test]
fn what_identifies_the_station_is_no_configuration_key() {
    let mut bench = Bench::online();
    for key in [
        "ocpp/uri",
        "ocpp/enable",
        "ocpp/verifyCert",
        "ocpp/chargePointModel",
    ] {
        assert_eq!(
            bench.call("GetConfiguration", json!({"key": [key]}))["unknownKey"],
            json!([key])
        );
        assert_eq!(
            bench.status("ChangeConfiguration", json!({"key": key, "value": "1"})),
            "NotSupported"
        );
    }
}

// covers: OC-025, OC-029
#[test]
fn change_configuration_answers_by_key_and_value() {
    let mut bench = Bench::online();
    for (key, value, expected) in [
        ("MeterValueSampleInterval", json!("10"), "Accepted"),
        ("MeterValueSampleInterval", json!(20), "Accepted"),
        ("meterValueSampleInterval", json!("9"), "Rejected"),
        ("NumberOfConnectors", json!("1"), "Rejected"),
        ("Foo", json!("1"), "NotSupported"),
    ] {
        assert_eq!(
            bench.status("ChangeConfiguration", json!({"key": key, "value": value})),
            expected,
            "{key}"
        );
    }
    let stored = [
        ("MeterValueSampleInterval", "10".to_owned()),
        ("MeterValueSampleInterval", "20".to_owned()),
    ];
    assert_eq!(bench.configured, stored);
}

// covers: OC-026, OC-027
#[test]
fn keys_of_other_daemons_are_written_and_need_a_reboot() {
    let mut bench = bench_with_others();
    let entry = |bench: &mut Bench, key: &str| {
        bench.call("GetConfiguration", json!({"key": [key]}))["configurationKey"][0].clone()
    };
    assert_eq!(
        entry(&mut bench, "ports[0]/EVSE_current_limit"),
        json!({"key": "ports[0]/evse_current_limit", "readonly": false, "value": "32"})
    );
    assert_eq!(
        entry(&mut bench, "ports[0]/meter/address"),
        json!({"key": "ports[0]/meter/address", "readonly": false}),
        "without a value there is none"
    );
    assert_eq!(
        change(&mut bench, "ports[0]/evse_current_limit", "16"),
        "RebootRequired"
    );
    assert_eq!(
        bench.configured,
        [("ports[0]/evse_current_limit", "16".to_owned())]
    );
    assert_eq!(value(&mut bench, "ports[0]/evse_current_limit"), "16");
    assert_eq!(change(&mut bench, "ports[0]/fixed", "2"), "Rejected");
    assert_eq!(change(&mut bench, "ports[0]/foo", "2"), "NotSupported");
}

#[test]
fn a_value_that_the_file_does_not_take_changes_nothing() {
    let mut bench = bench_with_others();
    bench.writer = Some(false);
    for key in ["ports[0]/evse_current_limit", "ConnectionTimeOut"] {
        let before = value(&mut bench, key);
        assert_eq!(change(&mut bench, key, "99"), "Rejected");
        assert_eq!(value(&mut bench, key), before);
    }
}

// covers: OC-028
#[test]
fn a_change_is_answered_within_a_second_whatever_the_writer_does() {
    let mut bench = Bench::online();
    bench.writer = None;
    let started = bench.now;
    bench.input(Input::Frame(
        json!([2, "a", "ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "99"}])
            .to_string(),
    ));
    bench.expect_silence();
    assert_eq!(
        bench.call("GetConfiguration", json!({"key": ["ConnectionTimeOut"]}))["configurationKey"]
            [0]["value"],
        "60",
        "other requests don't wait"
    );
    bench.pass(1);
    assert!(bench.now.since(started) <= 1_000);
    assert_eq!(
        bench.sent.pop_front().unwrap(),
        json!([3, "a", {"status": "Rejected"}])
    );
}

// covers: OC-028
#[test]
fn what_was_rejected_does_not_hold_though_it_was_written_late() {
    let mut bench = bench_with_others();
    for (key, by_somebody, taken_back) in [
        ("ConnectionTimeOut", None, Some("60")),
        ("ports[0]/evse_current_limit", None, Some("32")),
        ("ports[0]/meter/address", None, None),
        ("ConnectionTimeOut", Some("120"), None),
    ] {
        bench.writer = None;
        bench.configured.clear();
        let call = json!([2, "a", "ChangeConfiguration", {"key": key, "value": "16"}]);
        bench.input(Input::Frame(call.to_string()));
        let request = bench.requested.pop().unwrap();
        bench.pass(1);
        assert_eq!(
            bench.sent.pop_front().unwrap(),
            json!([3, "a", {"status": "Rejected"}])
        );
        for value in [Some("16"), by_somebody].into_iter().flatten() {
            bench.input(Input::ConfigurationChanged {
                name: key.to_owned(),
                value: value.to_owned(),
            });
        }
        bench.writer = Some(true);
        bench.input(Input::Configured {
            request,
            accepted: true,
        });
        let expected = taken_back.map(|value| (key, value.to_owned()));
        assert_eq!(bench.configured, Vec::from_iter(expected), "{key}");
        bench.expect_silence();
    }
}

#[test]
fn a_value_that_can_not_be_taken_back_is_told_of() {
    for (writer, told) in [(true, 0), (false, 1)] {
        let mut bench = Bench::online();
        bench.writer = None;
        let call =
            json!([2, "a", "ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "16"}]);
        bench.input(Input::Frame(call.to_string()));
        let request = bench.requested.pop().unwrap();
        bench.pass(1);
        // Written late; then the writer takes the value of before, or does not.
        bench.writer = Some(writer);
        bench.input(Input::Configured {
            request,
            accepted: true,
        });
        let line = "ConnectionTimeOut could not be taken back: the rejected value holds";
        let line = Output::Log(true, line.to_owned());
        let lines = bench.others.iter().filter(|output| **output == line);
        assert_eq!(lines.count(), told, "{writer}");
    }
}

/// A central system that asks again at once: the writer takes the requests in their order.
#[test]
fn a_late_write_is_not_taken_back_from_under_a_newer_one() {
    let mut bench = Bench::online();
    bench.writer = None;
    let call = json!([2, "a", "ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "90"}]);
    bench.input(Input::Frame(call.to_string()));
    bench.pass(1);
    bench.input(Input::Frame(call.to_string()));
    bench.writer = Some(true);
    for request in std::mem::take(&mut bench.requested) {
        bench.input(Input::Configured {
            request,
            accepted: true,
        });
    }
    let answers = ["Rejected", "Accepted"].map(|status| json!([3, "a", {"status": status}]));
    assert_eq!(bench.sent, answers);
    assert_eq!(bench.configured, [], "nothing but what was asked for");
    assert_eq!(value(&mut bench, "ConnectionTimeOut"), "90");
}

#[test]
fn a_lost_connection_forgets_who_asked() {
    let mut bench = Bench::online();
    bench.writer = None;
    bench.input(Input::Frame(
        json!([2, "a", "ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "99"}])
            .to_string(),
    ));
    bench.input(Input::SocketClosed);
    bench.open();
    bench.pass(2);
    bench.expect_silence();
}

// covers: OC-019
#[test]
fn the_time_of_the_central_system_is_forgotten_only_when_it_is_no_source() {
    let mut bench = Bench::new();
    bench.wall_at_zero = None;
    bench.connect();
    for (wanted, known) in [("true", true), ("false", false), ("true", false)] {
        assert_eq!(change(&mut bench, "useAsTimeSource", wanted), "Accepted");
        assert_eq!(bench.point.wall().is_some(), known, "{wanted}");
    }
}

// covers: OC-056
#[test]
fn another_central_system_needs_a_reboot() {
    let mut bench = Bench::online();
    for (uri, expected) in [
        ("wss://other.example/CP1", "RebootRequired"),
        ("http://other.example/CP1", "Rejected"),
        ("", "Rejected"),
    ] {
        assert_eq!(change(&mut bench, "CentralSystemURI", uri), expected);
    }
    assert!(!bench.others.contains(&Output::Disconnect));
    assert_eq!(
        bench.configured,
        [("CentralSystemURI", "wss://other.example/CP1".to_owned())]
    );
}

#[test]
fn what_is_accepted_is_durable() {
    for (key, value) in [
        ("MessageTimeout", "45"),
        ("ConnectorPhaseRotation", "0.RST,1.RST"),
        ("MaxEnergyOnInvalidId", "500"),
        ("AuthorizationKey", "000102030405060708090a0b0c0d0e0f"),
    ] {
        let mut bench = Bench::online();
        bench.writer = Some(false);
        assert_eq!(change(&mut bench, key, value), "Rejected", "{key}");
        assert_eq!(bench.configured, []);
        bench.writer = Some(true);
        assert_eq!(change(&mut bench, key, value), "Accepted", "{key}");
        assert_eq!(bench.configured, [(key, value.to_owned())]);
    }
    let mut bench = Bench::online();
    assert_eq!(change(&mut bench, "ResetRetries", "0"), "Accepted");
    assert_eq!(bench.configured, [], "there is nothing to keep");
}

// covers: OC-046, OC-055, OC-072, OC-073
#[test]
fn what_is_advertised_is_carried_out_and_nothing_else() {
    let at = "2026-03-01T12:00:00Z";
    let hash = json!({"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "1"});
    let profile = json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}});
    let samples = json!({
        "CancelReservation": {"reservationId": 1},
        "CertificateSigned": {"certificateChain": "x"},
        "ChangeAvailability": {"connectorId": 1, "type": "Operative"},
        "ChangeConfiguration": {"key": "ConnectionTimeOut", "value": "60"},
        "ClearCache": {},
        "ClearChargingProfile": {},
        "DataTransfer": {"vendorId": "x"},
        "DeleteCertificate": {"certificateHashData": hash},
        "ExtendedTriggerMessage": {"requestedMessage": "Heartbeat"},
        "GetCompositeSchedule": {"connectorId": 1, "duration": 60},
        "GetConfiguration": {},
        "GetDiagnostics": {"location": "ftp://h/"},
        "GetInstalledCertificateIds": {"certificateType": "ManufacturerRootCertificate"},
        "GetLocalListVersion": {},
        "GetLog": {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "ftp://h/"}},
        "InstallCertificate": {"certificateType": "CentralSystemRootCertificate", "certificate": "x"},
        "RemoteStartTransaction": {"idTag": "x"},
        "RemoteStopTransaction": {"transactionId": 1},
        "ReserveNow": {"reservationId": 1, "connectorId": 1, "idTag": "x", "expiryDate": at},
        "Reset": {"type": "Soft"},
        "SendLocalList": {"listVersion": 1, "updateType": "Full",
            "localAuthorizationList": [{"idTag": "x", "idTagInfo": {"status": "Accepted"}}]},
        "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": profile},
        "SignedUpdateFirmware": {"requestId": 1, "firmware": {"location": "ftp://h/",
            "retrieveDateTime": at, "signingCertificate": "x", "signature": "y"}},
        "TriggerMessage": {"requestedMessage": "Heartbeat"},
        "UnlockConnector": {"connectorId": 1},
        "UpdateFirmware": {"location": "ftp://h/", "retrieveDate": at},
    });
    for (feature, action) in actions() {
        let mut bench = Bench::online();
        let sample = &samples[action];
        assert!(sample.is_object(), "no sample of {action}");
        bench.input(Input::Frame(json!([2, "a", action, sample]).to_string()));
        let refused = bench
            .sent
            .iter()
            .any(|frame| frame[0] == json!(4) && frame[1] == json!("a"));
        assert_eq!(
            refused,
            !feature.carried_out(),
            "{action}: {:?}",
            bench.sent
        );
    }
    let advertised = value(&mut Bench::online(), "SupportedFeatureProfiles");
    for (feature, name) in Feature::PROFILES {
        let is_named = advertised
            .as_str()
            .unwrap()
            .split(',')
            .any(|one| one == name);
        assert_eq!(is_named, feature.carried_out(), "{name}");
    }
}
