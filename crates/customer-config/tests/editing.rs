//! Changing one key: nothing else moves.

use customer_config::{ConfigError, Customer, Kind, edit, keys, write_atomically};
use serde_json::{Value, json};

const SHIPPED: &str = include_str!("../../../config/customer.json.shipped");

/// The lines that differ, as (before, after).
fn changed<'t>(before: &'t str, after: &'t str) -> Vec<(&'t str, &'t str)> {
    assert_eq!(
        before.lines().count(),
        after.lines().count(),
        "lines were added or removed"
    );
    before
        .lines()
        .zip(after.lines())
        .filter(|(before, after)| before != after)
        .collect()
}

// covers: CFG-001
#[test]
fn an_edit_changes_the_value_and_no_other_byte() {
    let after = edit(SHIPPED, "ocpp/MeterValueSampleInterval", &json!(300)).unwrap();
    assert_eq!(
        changed(SHIPPED, &after),
        [(
            r#"        "MeterValueSampleInterval": 60,"#,
            r#"        "MeterValueSampleInterval": 300,"#
        )]
    );
    let back = edit(&after, "ocpp/MeterValueSampleInterval", &json!(60)).unwrap();
    assert_eq!(back, SHIPPED);
}

#[test]
fn every_simple_key_of_the_shipped_file_can_be_edited_back_and_forth() {
    let (customer, _) = Customer::parse(SHIPPED).unwrap();
    let mut edited = 0;
    for key in keys::customer() {
        let path = key.path.replace('*', "Tesla");
        let Some(value) = customer.value(&path) else {
            continue;
        };
        let Some(other) = other_value(key.kind, &value) else {
            continue;
        };
        let there = edit(SHIPPED, &path, &other).unwrap();
        assert_eq!(changed(SHIPPED, &there).len(), 1, "{path}");
        assert_eq!(
            Customer::parse(&there).unwrap().0.value(&path),
            Some(other),
            "{path}"
        );
        assert_eq!(edit(&there, &path, &value).unwrap(), SHIPPED, "{path}");
        edited += 1;
    }
    assert!(edited > 60, "{edited}");
}

/// A valid value unlike the given one.
fn other_value(kind: Kind, value: &Value) -> Option<Value> {
    match kind {
        Kind::Boolean => value.as_bool().map(|boolean| json!(!boolean)),
        // A little off: the times of the RCD test have to go together.
        Kind::Integer { max, .. } => {
            let number = value.as_i64()?;
            Some(json!(if number >= 10 && number < max {
                number + 1
            } else {
                max
            }))
        }
        Kind::Choice { words, .. } => words
            .iter()
            .map(|word| json!(word))
            .find(|word| word != value),
        Kind::Text { .. }
        | Kind::List(_)
        | Kind::OneOrMany(_)
        | Kind::OrNull(_)
        | Kind::Items { .. }
        | Kind::Object => None,
    }
}

#[test]
fn a_missing_key_is_added_with_the_files_indentation() {
    let text =
        "{\n    // uplink\n    \"uplink\": {\n        \"apn_name\": \"a\" // why\n    }\n}\n";
    let after = edit(text, "uplink/apn_username", &json!("me")).unwrap();
    assert_eq!(
        after,
        text.replace("// why", "// why\n        \"apn_username\": \"me\"")
            .replace("\"a\"", "\"a\",")
    );
}

#[test]
fn missing_objects_are_added_with_the_key() {
    for text in [
        "{}",
        "{\n}\n",
        "{\"ports\": []}",
        "{\"ports\": [{}]}",
        "{ /* c */ \"io\": {} }",
    ] {
        let after = edit(text, "ports[0]/meter/publish_settings/timer", &json!(10)).unwrap();
        let (customer, warnings) = Customer::parse(&after).unwrap();
        assert_eq!(
            (customer.port().meter.publish_settings.timer, warnings.len()),
            (10, 0)
        );
        assert!(after.contains("/* c */") || !text.contains("/* c */"));
    }
}

#[test]
fn line_ends_and_order_stay() {
    let text = "{\r\n\t\"z\": 1,\r\n\t\"io\": {\"digital_input_threshold_voltage\" : 6000},\r\n\t\"a\": 2\r\n}";
    let after = edit(text, "io/digital_input_threshold_voltage", &json!(5000)).unwrap();
    assert_eq!(after, text.replace("6000", "5000"));
}

#[test]
fn texts_are_escaped() {
    let nasty = "a\"b\\c/d é // no comment";
    let after = edit(SHIPPED, "uplink/apn_password", &json!(nasty)).unwrap();
    let (customer, _) = Customer::parse(&after).unwrap();
    assert_eq!(customer.uplink.apn_password.as_deref(), Some(nasty));
    assert_eq!(changed(SHIPPED, &after).len(), 1);
}

#[test]
fn a_commented_key_stays_commented_beside_the_new_one() {
    let after = edit(SHIPPED, "ports[0]/meter/address", &json!(7)).unwrap();
    assert!(after.contains("// \"address\": 1,"));
    assert_eq!(
        Customer::parse(&after).unwrap().0.port().meter.address,
        Some(7)
    );
}

#[test]
fn the_misprinted_object_is_edited_where_it_stands() {
    let text = r#"{"ports": [{"rzd_monitor": {"gpio": 1}}]}"#;
    let after = edit(text, "ports[0]/rcd_monitor/gpio", &json!(2)).unwrap();
    assert_eq!(after, text.replace('1', "2"));
}

#[test]
fn lists_and_objects_are_replaced_as_a_whole() {
    let list = json!(["Voltage", "Current.Import"]);
    let after = edit(SHIPPED, "ocpp/MeterValuesSampledData", &list).unwrap();
    let (customer, _) = Customer::parse(&after).unwrap();
    assert_eq!(customer.value("ocpp/MeterValuesSampledData"), Some(list));

    let transfers = json!([{"vendorId": "v", "confirmTimeout": 5}]);
    let after = edit(SHIPPED, "ocpp/csDataTransfers", &transfers).unwrap();
    assert_eq!(
        Customer::parse(&after).unwrap().0.ocpp.cs_data_transfers[0].confirm_timeout,
        5
    );

    let uri = json!("mqtt://192.168.0.7");
    let after = edit(SHIPPED, "ports[0]/rfid/remote_ports[0]/uri", &uri).unwrap();
    assert_eq!(
        Customer::parse(&after)
            .unwrap()
            .0
            .value("ports[0]/rfid/remote_ports[0]/uri"),
        Some(uri)
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |path: &str, value: Value| edit(SHIPPED, path, &value).unwrap_err().to_string();
    assert_eq!(
        refuse("ocpp/MeterValueSampleInterval", json!(5)),
        "ocpp/MeterValueSampleInterval is 5, but must be 0 or an integer from 10 to 86400"
    );
    assert!(refuse("nonsense", json!(1)).contains("not a key"));
    assert!(refuse("ports[1]/pluggable", json!(true)).contains("not a key"));
    assert!(refuse("ports[0]", json!({})).contains("not a key"));
    assert!(refuse("ocpp/chargePointModel", json!("x".repeat(21))).contains("20 characters"));
    assert!(refuse("ports[0]/meter/port", json!("/dev/ttymx0")).contains("/dev/"));
    assert!(refuse("ocpp/csDataTransfers", json!([{"vendorId": 5}])).contains("vendorId"));
    let remote = refuse("ports[0]/rfid/remote_ports[2]/uri", json!("mqtt://h"));
    assert!(remote.contains("next after the last"), "{remote}");
    // 810 ms, the time of the check for tripped, must stay before the check for normal.
    let enabled = edit(SHIPPED, "ports[0]/rcd_monitor/enable", &json!(true)).unwrap();
    let error = edit(
        &enabled,
        "ports[0]/rcd_monitor/test_trigger_time",
        &json!(100),
    )
    .unwrap_err();
    assert!(error.to_string().contains("test_check_tripped_time"));
    // evsed would not start with the residual current device on the relay's line.
    let error = edit(&enabled, "ports[0]/rcd_monitor/gpio", &json!(76)).unwrap_err();
    assert!(error.to_string().contains("a digital input"), "{error}");
    assert!(matches!(
        edit("{", "ocpp/uri", &json!("")),
        Err(ConfigError::Syntax { .. })
    ));
    assert!(matches!(
        edit("", "ocpp/uri", &json!("")),
        Err(ConfigError::Empty)
    ));
    assert!(edit("{\"ocpp\": 5}", "ocpp/uri", &json!("")).is_err());
    assert!(edit("[]", "ocpp/uri", &json!("")).is_err());
}

#[test]
fn a_broken_value_can_be_repaired() {
    let text =
        r#"{"ports": [{"rcd_monitor": {"enable": "yes"}, "emergency_alarm": {"enable": "no"}}]}"#;
    let half = edit(text, "ports[0]/rcd_monitor/enable", &json!(true)).unwrap();
    let whole = edit(&half, "ports[0]/emergency_alarm/enable", &json!(false)).unwrap();
    assert!(Customer::parse(&half).is_err());
    assert!(Customer::parse(&whole).unwrap().0.port().rcd_monitor.enable);
}

#[test]
fn an_edited_file_is_loaded_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("customer.json");
    let text = edit(SHIPPED, "ocpp/uri", &json!("ws://host/CP1")).unwrap();
    write_atomically(&path, &text).unwrap();
    let (customer, warnings) = Customer::load(&path).unwrap();
    assert_eq!(
        (customer.ocpp.uri.as_str(), warnings.len()),
        ("ws://host/CP1", 0)
    );
    let missing = Customer::load(&directory.path().join("none.json")).unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
}
