use super::*;
use crate::identifiers::LONGEST_LOCAL_LIST;
use crate::profile::{MAX_INSTALLED, MAX_PERIODS, MAX_STACK_LEVEL};

#[test]
fn the_table_is_indexed_by_key_and_sorted_for_readers() {
    for (index, specification) in SPECIFICATIONS.iter().enumerate() {
        assert_eq!(specification.key as usize, index, "{}", specification.name);
        assert!(specification.name.chars().count() <= 50);
        if specification.form != Form::ReadOnly && !specification.default.is_empty() {
            assert_eq!(
                specification
                    .canonical(specification.default, None)
                    .as_deref(),
                Ok(specification.default)
            );
        }
    }
}

#[test]
fn advertised_capacities_are_the_enforced_ones() {
    let configuration = Configuration::default();
    for (key, capacity) in [
        (Key::ChargeProfileMaxStackLevel, MAX_STACK_LEVEL as usize),
        (Key::ChargingScheduleMaxPeriods, MAX_PERIODS),
        (Key::LocalAuthListMaxLength, LONGEST_LOCAL_LIST),
        (Key::SendLocalListMaxLength, LONGEST_LOCAL_LIST),
        (Key::MaxChargingProfilesInstalled, MAX_INSTALLED),
        (Key::GetConfigurationMaxKeys, MAX_REQUESTED_KEYS),
        (Key::MeterValuesSampledDataMaxLength, LONGEST_LIST),
        (Key::MeterValuesAlignedDataMaxLength, LONGEST_LIST),
        (Key::StopTxnSampledDataMaxLength, LONGEST_LIST),
        (Key::StopTxnAlignedDataMaxLength, LONGEST_LIST),
    ] {
        assert_eq!(
            configuration.value(key),
            capacity.to_string(),
            "{}",
            key.name()
        );
    }
}

// covers: OC-007, OC-025, OC-029, OC-066, OC-068, OC-071, AUTH-011
#[test]
fn each_form_has_its_range() {
    for (name, value, accepted) in [
        ("ConnectionTimeOut", "0", true),
        ("ConnectionTimeOut", "9", false),
        ("ConnectionTimeOut", "10", true),
        ("connectiontimeout", "3600", true),
        ("ConnectionTimeOut", "-1", false),
        ("ConnectionTimeOut", "", false),
        ("MeterValueSampleInterval", "3", false),
        ("MeterValueSampleInterval", "10", true),
        ("MeterValueSampleInterval", "86400", true),
        ("MeterValueSampleInterval", "86401", false),
        ("ClockAlignedDataInterval", "900", true),
        ("ClockAlignedDataInterval", "1", false),
        ("WebSocketPingInterval", "-1", false),
        ("WebSocketPingInterval", "0", true),
        ("webSocketPingTimeout", "0", false),
        ("HeartbeatInterval", "1", true),
        ("HeartbeatInterval", "1.5", false),
        ("AuthorizeRemoteTxRequests", "TRUE", true),
        ("AuthorizeRemoteTxRequests", "1", false),
        (
            "MeterValuesSampledData",
            "Voltage,Current.Import.L1, Frequency",
            true,
        ),
        ("MeterValuesSampledData", "", true),
        ("MeterValuesSampledData", "Foo", false),
        ("MeterValuesSampledData", "SoC", false),
        ("ConnectorPhaseRotation", "0.RST,1.RTS", true),
        ("ConnectorPhaseRotation", "2.RST", false),
        ("ConnectorPhaseRotation", "RST", false),
        ("TransactionMessageAttempts", "0", false),
        ("NumberOfConnectors", "2", false),
        ("SupportedFeatureProfiles", "Core", false),
        ("ResetRetries", "0", true),
        ("ResetRetries", "1", false),
        ("StopTransactionOnEVSideDisconnect", "True", true),
        ("StopTransactionOnEVSideDisconnect", "false", false),
        ("CentralSystemURI", "wss://central.example/CP1", true),
        ("CentralSystemURI", "WSS://central.example/CP1", false),
        ("CentralSystemURI", "", false),
        ("Foo", "1", false),
    ] {
        let mut configuration = Configuration::default();
        let before = configuration.clone().values;
        let result = configuration.set(name, value);
        assert_eq!(result.is_ok(), accepted, "{name}={value}: {result:?}");
        assert!(
            accepted || configuration.values == before,
            "a refused change leaves all as it was"
        );
    }
}

// covers: OC-067
#[test]
fn a_list_is_as_long_as_advertised_and_no_longer() {
    let list = |length: usize| vec!["Voltage"; length].join(",");
    assert!(
        Configuration::default()
            .set("MeterValuesSampledData", &list(LONGEST_LIST))
            .is_ok()
    );
    assert!(
        Configuration::default()
            .set("MeterValuesSampledData", &list(LONGEST_LIST + 1))
            .is_err()
    );
}

#[test]
fn what_the_meter_does_not_deliver_is_refused() {
    let meter = Reading {
        energy_wh: Some(1),
        voltage_v: [Some(230.0), None, None],
        ..Reading::default()
    };
    let configuration = Configuration::default();
    assert!(
        configuration
            .check("MeterValuesSampledData", "Voltage", Some(&meter))
            .is_ok()
    );
    assert!(
        configuration
            .check("MeterValuesSampledData", "Voltage,Frequency", Some(&meter))
            .is_err()
    );
}

#[test]
fn refusals_name_key_value_and_range() {
    let mut configuration = Configuration::default();
    let error = configuration
        .set("meterValueSampleInterval", "3")
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "MeterValueSampleInterval: \"3\" is not 0, or 10 to 86400"
    );
}
