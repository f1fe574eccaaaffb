//! Reading customer.json, leds.json and rotaryencd.json: what is taken, put right and refused.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test's ways to fail")]

use customer_config::*;
use serde_json::{Value, json};

/// A file with one key, given by its path.
fn file_with(path: &str, value: &Value) -> String {
    let nest = |inner: Value, step: &str| match step.split_once('[') {
        Some((name, _)) => json!({ name: [inner] }),
        None => json!({ step: inner }),
    };
    path.split('/').rev().fold(value.clone(), nest).to_string()
}

fn read(text: &str) -> (Customer, Vec<Warning>) {
    Customer::parse(text).unwrap()
}

fn refusal(text: &str) -> String {
    Customer::parse(text).unwrap_err().to_string()
}

/// The path of each key with `[]` and `*` made concrete.
fn concrete(path: &str) -> String {
    path.replace("[]", "[0]").replace('*', "MyCar")
}

/// Values that no key of the kind takes.
fn wrong_values(kind: Kind) -> Vec<Value> {
    let mut wrong = match kind {
        Kind::Boolean => vec![json!("true"), json!(1), json!([]), json!({})],
        Kind::Integer { min, max, or } => {
            let outside = [min.checked_sub(1), max.checked_add(1)]
                .into_iter()
                .flatten();
            let outside = outside
                .filter(|number| Some(*number) != or)
                .map(Value::from);
            outside
                .chain([json!("10"), json!(10.5), json!(true), json!(u64::MAX)])
                .collect()
        }
        Kind::Text { .. } | Kind::Choice { .. } => vec![json!(1), json!(true), json!(["x"])],
        Kind::List(_) => vec![json!("x"), json!([1]), json!({}), json!(["nonsense"])],
        Kind::OneOrMany(_) => vec![json!(1), json!([1]), json!("no blanks allowed")],
        Kind::OrNull(_) => return vec![json!(1), json!([null])],
        Kind::Items { .. } => vec![json!("x"), json!({}), json!(7)],
        Kind::Object => vec![json!("x"), json!([]), json!(7)],
    };
    wrong.push(Value::Null);
    wrong
}

// covers: CFG-004, RCD-007
#[test]
fn a_wrong_value_is_reported_with_key_value_and_range() {
    for key in keys::customer() {
        let path = concrete(key.path);
        for value in wrong_values(key.kind) {
            let text = file_with(&path, &value);
            match (key.when_wrong, Customer::parse(&text)) {
                (WhenWrong::Refuse, Err(error)) => {
                    let message = error.to_string();
                    assert!(message.contains(&path), "{message}");
                    assert!(message.contains(&key.kind.allowed()), "{message}");
                }
                (WhenWrong::UseDefault, Ok((customer, warnings))) => {
                    let reported = warnings.iter().any(|warning| {
                        matches!(warning, Warning::WrongValue { path: p, .. } if *p == path)
                    });
                    assert!(reported, "{path} = {value}: {warnings:?}");
                    let default = Customer::parse("{}").unwrap().0;
                    if !key.path.contains("[]") && !key.path.contains('*') {
                        assert_eq!(
                            customer.value(&path),
                            default.value(&path),
                            "{path} = {value}"
                        );
                    }
                }
                (when_wrong, result) => {
                    let outcome = result.map(|(_, warnings)| warnings);
                    panic!("{path} = {value}: {when_wrong:?}, {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn a_message_names_key_value_and_range() {
    let (_, warnings) = read(r#"{"ocpp": {"MeterValueSampleInterval": 5}}"#);
    assert_eq!(
        warnings[0].to_string(),
        "ocpp/MeterValueSampleInterval is 5, but must be 0 or an integer from 10 to 86400; \
         60 is used"
    );
}

// covers: CFG-016, PL-001, MET-002, RFID-008, HLC-020
#[test]
fn words_are_compared_exactly_as_printed() {
    for key in keys::customer() {
        let Kind::Choice { words, also } = key.kind else {
            continue;
        };
        let path = concrete(key.path);
        for word in words {
            let (_, warnings) = read(&file_with(&path, &json!(word)));
            assert_eq!(warnings, [], "{path} = {word}");
        }
        for word in words
            .iter()
            .flat_map(|word| [word.to_uppercase(), format!("{word} ")])
        {
            if words.contains(&word.as_str()) || also.iter().any(|(other, _)| *other == word) {
                continue;
            }
            match Customer::parse(&file_with(&path, &json!(word))) {
                Ok((_, warnings)) => assert_eq!(warnings.len(), 1, "{path} = {word}"),
                Err(error) => assert!(error.to_string().contains(&path), "{path} = {word}"),
            }
        }
    }
    let (customer, _) = read(r#"{"ports":[{"plug_lock":{"type":"KUESTER-02S"}}]}"#);
    assert_eq!(customer.port().plug_lock.motor, PlugLockType::Kuester02S);
    assert!(refusal(r#"{"ports":[{"plug_lock":{"type":"KUESTER"}}]}"#).contains("KUESTER-02S"));
}

// covers: CFG-015, PH-009, FDC-017
#[test]
fn ranges_include_their_ends() {
    for key in keys::customer() {
        let Kind::Integer { min, max, or } = key.kind else {
            continue;
        };
        let path = concrete(key.path);
        for number in [Some(min), Some(max), or].into_iter().flatten() {
            let text = file_with(&path, &json!(number));
            // A lonely RCD time may contradict the others' defaults; with monitoring off it may.
            let (_, warnings) = read(&text);
            assert_eq!(warnings, [], "{path} = {number}");
        }
    }
}

// covers: CFG-001
#[test]
fn comments_of_both_kinds_are_read_over() {
    let text = "// a\n{ /* b */ \"ports\": [ // c\n { \"pluggable\": /* d */ false } ] /* e */ }";
    let (customer, warnings) = read(text);
    assert!(!customer.port().pluggable);
    assert_eq!(warnings, []);
}

// covers: CFG-003
#[test]
fn a_key_that_is_commented_out_is_missing() {
    let text = "{\"ports\": [{\"rcd_monitor\": {\n // \"test_gpio\": 12\n}}]}";
    assert_eq!(read(text).0.port().rcd_monitor.test_gpio, 87);
}

// covers: CFG-013
#[test]
fn an_unknown_key_is_reported_with_its_path_and_ignored() {
    let (customer, warnings) = read(r#"{"foo": 1, "ports": [{"meter": {"bar": {"deep": 2}}}]}"#);
    assert_eq!(
        warnings,
        [
            Warning::UnknownKey {
                path: "ports[0]/meter/bar".to_owned()
            },
            Warning::UnknownKey {
                path: "foo".to_owned()
            },
        ]
    );
    assert_eq!(customer, read("{}").0);
}

// covers: CFG-008
#[test]
fn only_the_first_port_is_used() {
    let (customer, warnings) = read(r#"{"ports": [{}, {"pluggable": false, "foo": 1}]}"#);
    assert!(customer.port().pluggable);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().starts_with("ports[1] is ignored"));
}

#[test]
fn duplicates_and_empty_files_are_refused() {
    assert!(refusal("").contains("empty"));
    assert!(refusal("{\"io\": {},\n \"io\": {}}").contains("line 2, column 2: io is there twice"));
    assert!(refusal("[]").contains("an object"));
    assert!(refusal("null").contains("an object"));
}

// covers: CFG-007, OC-012
#[test]
fn texts_that_are_too_long_are_cut() {
    let long = "ä".repeat(50);
    let text = json!({
        "ports": [{"evse_id": long}],
        "ocpp": {"chargePointModel": long, "chargePointVendor": long, "chargePointSerialNumber": long}
    });
    let (customer, warnings) = read(&text.to_string());
    assert_eq!(warnings.len(), 4);
    assert_eq!(customer.port().evse_id.chars().count(), 37);
    let lengths = [
        customer.ocpp.charge_point_model.chars().count(),
        customer.ocpp.charge_point_vendor.chars().count(),
        customer.ocpp.charge_point_serial_number.chars().count(),
    ];
    assert_eq!(lengths, [20, 20, 25]);
}

// covers: OC-002
#[test]
fn the_central_system_is_reached_by_ws_or_wss_in_lower_case() {
    let uri = |uri: &str| {
        let (customer, warnings) = read(&file_with("ocpp/uri", &json!(uri)));
        (customer.ocpp.uri, warnings.len())
    };
    for right in ["", "ws://host:8180/ocpp/CP1", "wss://user:pw@host/a?b=c"] {
        assert_eq!(uri(right), (right.to_owned(), 0));
    }
    for wrong in [
        "WS://host",
        "http://host",
        "ws:/host",
        "ws://",
        "ws:///x",
        "ws://a b",
        "host",
    ] {
        assert_eq!(uri(wrong), (String::new(), 1), "{wrong}");
    }
}

#[test]
fn misprints_of_the_guide_are_read_with_a_warning() {
    let text = r#"{"ports": [{
        "meter": {"port": "/dev/ttymx4"},
        "rzd_monitor": {"enable": true, "gpio": 124},
        "rcd_monitor": {"gpio": 123, "test_trigger_time": 900}
    }]}"#;
    let (customer, warnings) = read(text);
    assert_eq!(customer.port().meter.port, "/dev/ttymxc4");
    let rcd = &customer.port().rcd_monitor;
    assert_eq!(
        (rcd.enable, rcd.gpio, rcd.test_trigger_time),
        (true, 123, 900)
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn a_device_stays_below_dev() {
    for wrong in [
        "/dev/",
        "/dev/../etc/passwd",
        "ttymxc0",
        "/tmp/x",
        "/dev/a b",
        "/dev//x",
    ] {
        let (customer, warnings) = read(&file_with("ports[0]/meter/port", &json!(wrong)));
        assert_eq!(
            (customer.port().meter.port.as_str(), warnings.len()),
            ("/dev/ttymxc0", 1)
        );
    }
    let (customer, _) = read(&file_with("ports[0]/meter/port", &json!("/dev/pts/7")));
    assert_eq!(customer.port().meter.port, "/dev/pts/7");
}

// covers: RCD-008
#[test]
fn an_rcd_test_that_proves_nothing_is_refused() {
    let times = |enable: bool, trigger, tripped, normal| {
        json!({"ports": [{"rcd_monitor": {"enable": enable, "test_trigger_time": trigger,
            "test_check_tripped_time": tripped, "test_check_normal_time": normal}}]})
        .to_string()
    };
    assert!(refusal(&times(true, 400, 810, 410)).contains("test_check_tripped_time is 810"));
    assert!(Customer::parse(&times(true, 401, 810, 410)).is_ok());
    // The Bender RCD-121 (guide 15.15.4 table 72).
    assert!(Customer::parse(&times(true, 50, 750, 2000)).is_ok());
    assert!(Customer::parse(&times(false, 400, 810, 410)).is_ok());
}

// covers: EMG-010
#[test]
fn a_function_in_use_has_a_digital_line_of_its_own() {
    let file = |port: Value| json!({ "ports": [port] }).to_string();
    let emergency = |gpio| json!({ "enable": true, "gpio": gpio });
    for gpio in DIGITAL_INPUTS {
        let port = json!({ "emergency_alarm": emergency(gpio) });
        assert_eq!(read(&file(port)).0.port().emergency_alarm.gpio, gpio);
    }
    for (port, named) in [
        (
            json!({ "emergency_alarm": emergency(84) }),
            "emergency_alarm/gpio is 84, but must be a digital input: 116, 119, 121, 122, 123, 124",
        ),
        (
            json!({ "rcd_monitor": { "enable": true, "gpio": 0 } }),
            "rcd_monitor/gpio is 0",
        ),
        (
            json!({ "rcd_monitor": { "enable": true, "test_gpio": 76 } }),
            "rcd_monitor/test_gpio is 76, but must be a digital output: 84, 85, 86, 87, 88, 89",
        ),
        (
            json!({ "user_authentication": "key-switch", "key_switch": { "gpio": 87 } }),
            "key_switch/gpio is 87",
        ),
        (
            json!({ "emergency_alarm": emergency(122), "rcd_monitor": { "enable": true } }),
            "rcd_monitor/gpio is 122, but must be another line than that of \
             ports[0]/emergency_alarm/gpio",
        ),
        (
            json!({ "emergency_alarm": emergency(124), "user_authentication": "key-switch" }),
            "key_switch/gpio is 124, but must be another line than that of \
             ports[0]/emergency_alarm/gpio",
        ),
    ] {
        let refusal = refusal(&file(port));
        assert!(refusal.contains(named), "{refusal}");
    }
    // A function that is off has no line.
    for port in [
        json!({ "emergency_alarm": { "gpio": 0 }, "rcd_monitor": { "gpio": 0, "test_gpio": 0 },
                "key_switch": { "gpio": 0 } }),
        json!({ "rcd_monitor": { "enable": true, "test_gpio": -1 } }),
    ] {
        read(&file(port));
    }
}

#[test]
fn a_protection_is_never_switched_off_by_a_wrong_value() {
    for wrong in [
        r#"{"ports": [{"rcd_monitor": {"enable": "true"}}]}"#,
        r#"{"ports": [{"rcd_monitor": true}]}"#,
        r#"{"ports": [{"rzd_monitor": {"enable": 1}}]}"#,
        r#"{"ports": [{"emergency_alarm": {"enable": "yes"}}]}"#,
        r#"{"ports": {"rcd_monitor": {"enable": true}}}"#,
        r#"{"ports": [[]]}"#,
        r#"{"ports": [{"user_authentication": "OCPP"}]}"#,
        r#"{"ports": [{"failsafe_current_limit": "6"}]}"#,
    ] {
        assert!(Customer::parse(wrong).is_err(), "{wrong}");
    }
}

// covers: CFG-022, VENT-016
#[test]
fn ventilation_gives_way_to_phase_switching() {
    let text =
        r#"{"ports": [{"ventilation": {"enable": true}, "switch3to1phase": {"enable": true}}]}"#;
    let (customer, warnings) = read(text);
    assert!(customer.port().switch3to1phase.enable);
    assert!(!customer.port().ventilation.enable);
    assert!(
        warnings[0]
            .to_string()
            .contains("ports[0]/ventilation/enable is ignored")
    );
}

// covers: MET-045
#[test]
fn a_reader_with_its_own_protocol_must_not_share_the_meters_interface() {
    let with = |protocol: &str, port: &str| {
        let text = json!({"ports": [{
            "meter": {"enable": true, "protocol": "iskra"},
            "rfid": {"enable": true, "protocol": protocol, "port": port}
        }]});
        read(&text.to_string()).1.len()
    };
    assert_eq!(with("Stronglink", "/dev/ttymxc0"), 1);
    assert_eq!(with("Stronglink", "/dev/ttymxc4"), 0);
    assert_eq!(with("stronglink-modbus", "/dev/ttymxc0"), 0);
}

// covers: RFID-017, RFID-018, RFID-019
#[test]
fn remote_readers_are_at_most_three_mqtt_uris() {
    let (customer, warnings) = read(
        r#"{"ports": [{"rfid": {"enable": true, "remote_ports":
            [{}, {"uri": "mqtt://192.168.0.1:9001"}, {"uri": "http://x"}, {"uri": "mqtt://h"}]}}],
            "ocpp": {"rfidStopTransaction": false, "rfidRequiresEvPresent": true}}"#,
    );
    let uris: Vec<_> = customer
        .port()
        .rfid
        .remote_ports
        .iter()
        .map(|remote| remote.uri.as_deref())
        .collect();
    assert_eq!(uris, [None, Some("mqtt://192.168.0.1:9001"), None]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    let (_, warnings) =
        read(r#"{"ports": [{"rfid": {"enable": true, "remote_ports": [{"uri": "mqtt://h"}]}}]}"#);
    assert!(warnings[0].to_string().contains("rfidStopTransaction"));
    for wrong in [
        "mqtt://",
        "mqtt://h:0",
        "mqtt://h:x",
        "mqtts://h",
        "mqtt://h/path",
        "h",
    ] {
        let text = json!({"ports": [{"rfid": {"remote_ports": [{"uri": wrong}]}}]});
        assert_eq!(read(&text.to_string()).1.len(), 1, "{wrong}");
    }
}

// covers: CFG-005, CFG-006
#[test]
fn the_network_keeps_safe_defaults() {
    let network = |text: &str| read(text).0.network;
    assert!(!network(r#"{"network": {"skip_configuration": "true"}}"#).skip_configuration);
    assert!(
        network(r#"{"network": {"ipv4": {"dhcp": null}}}"#)
            .ipv4
            .dhcp
    );
    let fixed = network(
        r#"{"network": {"ipv4": {"dhcp": false, "address": "192.168.178.2/24",
            "gateway": "192.168.178.1", "dns": ["9.9.9.9", "1.1.1.1"]}, "ntp": "pool.ntp.org"}}"#,
    );
    assert_eq!(fixed.ipv4.address.as_deref(), Some("192.168.178.2/24"));
    assert_eq!(fixed.ipv4.gateway, ["192.168.178.1"]);
    assert_eq!(fixed.ipv4.dns, ["9.9.9.9", "1.1.1.1"]);
    assert_eq!(fixed.ntp, ["pool.ntp.org"]);
    let (customer, warnings) = read(r#"{"network": {"ipv4": {"address": "192.168.178.2/33"}}}"#);
    assert_eq!((customer.network.ipv4.address, warnings.len()), (None, 1));
}

#[test]
fn customer_services_need_a_vendor_but_no_message() {
    let (customer, warnings) = read(r#"{"ocpp": {"csDataTransfers": [{"vendorId": "v"}]}}"#);
    assert_eq!(warnings, []);
    let transfer = &customer.ocpp.cs_data_transfers[0];
    assert_eq!(
        (transfer.message_id.as_deref(), transfer.confirm_timeout),
        (None, 1)
    );
}

#[test]
fn vendors_are_freely_named() {
    let (customer, warnings) = read(
        r#"{"fake_highlevel_dc_vendors": {"MyCar": {"oui": ["98:ED:5C", "DC:44:27:1"], "switch_method": 4}}}"#,
    );
    assert_eq!(warnings, []);
    let vendor = &customer.fake_highlevel_dc_vendors["MyCar"];
    assert_eq!(
        (vendor.switch_method, vendor.hlc_terminates_after),
        (4, VendorEnd::SoC)
    );
    for wrong in [
        "98ED5C",
        "98:ED:5",
        "9:ED:5C:1:1",
        "GG",
        "",
        "00:11:22:33:44:55:66",
    ] {
        let text = json!({"fake_highlevel_dc_vendors": {"MyCar": {"oui": [wrong]}}});
        let count = read(&text.to_string()).1.len();
        assert_eq!(count, usize::from(wrong != "98:ED:5"), "{wrong}");
    }
}

#[test]
fn the_value_in_force_is_found_by_path() {
    let (customer, _) = read(r#"{"ocpp": {"uri": "ws://host"}}"#);
    assert_eq!(customer.value("ocpp/uri"), Some(json!("ws://host")));
    assert_eq!(
        customer.value("ports[0]/meter/protocol"),
        Some(json!("dzg"))
    );
    assert_eq!(customer.value("ports[0]/meter/parity"), None);
    assert_eq!(customer.value("ports[1]/meter/protocol"), None);
    assert_eq!(customer.value("nonsense"), None);
}

#[test]
fn garbage_is_an_error_and_never_a_panic() {
    let shipped = include_str!("../../../config/customer.json.shipped");
    for cut in (0..shipped.len()).step_by(97) {
        let text = shipped.get(..cut).unwrap_or_default();
        assert!(Customer::parse(text).is_err(), "cut at {cut}");
    }
    for position in (0..shipped.len()).step_by(31) {
        for byte in [b'"', b'{', b'0', b',', 0] {
            let mut bytes = shipped.as_bytes().to_vec();
            bytes[position] = byte;
            let _ = Customer::parse(&String::from_utf8_lossy(&bytes));
        }
    }
}

// covers: LED-007
#[test]
fn leds_read_every_condition_mode_and_color() {
    for condition in Condition::WORDS {
        for (mode, color) in Mode::WORDS.iter().zip(Color::WORDS) {
            let behavior =
                json!({"condition": condition, "mode": mode, "color": color, "duration": 3});
            let text = json!({"leds": [{"gpios": [1, 2, 3], "behaviors": [behavior]}]});
            let (leds, warnings) = Leds::parse(&text.to_string()).unwrap();
            assert_eq!(warnings, []);
            let read = leds.leds[0].behaviors[0];
            assert_eq!(read.condition.as_str(), *condition);
            assert_eq!((read.mode.as_str(), read.color.as_str()), (*mode, *color));
        }
    }
    assert_eq!(Condition::WORDS.len(), 15);
}

#[test]
fn leds_take_both_spellings_and_leave_out_what_has_no_condition() {
    let text = r#"{"leds": [{"behaviors": [{"condition": "charge"}, {"mode": "solid"},
        {"condition": "ventilation_1"}, {"condition": "dancing"}]}, {"gpios": []}]}"#;
    let (leds, warnings) = Leds::parse(text).unwrap();
    let conditions: Vec<_> = leds.leds[0].behaviors.iter().map(|b| b.condition).collect();
    assert_eq!(conditions, [Condition::Charge, Condition::Ventilation]);
    assert_eq!(
        (leds.leds[0].gpios.as_slice(), leds.leds[1].gpios.as_slice()),
        (&[84][..], &[84][..])
    );
    // dancing is wrong and then missing, the second has none, the other LED has no line.
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(Leds::parse("").is_err());
}

// covers: LIM-024
#[test]
fn the_rotary_switch_has_the_factorys_meaning() {
    let (encoder, warnings) = RotaryEncoder::parse("{}").unwrap();
    assert_eq!(warnings, []);
    let currents = encoder.positions.map(|position| position.current_limit);
    assert_eq!(
        currents,
        [6, 10, 13, 16, 20, 32, 40, 63, 6, 10, 13, 16, 20, 32, 40, 63]
    );
    let phases = encoder.positions.map(|position| position.phase_count);
    assert_eq!(phases, [1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3]);
}

// covers: LIM-025
#[test]
fn rotaryencd_json_gives_positions_another_meaning() {
    let text = r#"{"rotary_switch_1": [{"phase_count": 3, "current_limit": 10000}, {"current_limit": 1}]}"#;
    let (encoder, _) = RotaryEncoder::parse(text).unwrap();
    assert_eq!(
        encoder.positions[0],
        Position {
            phase_count: 3,
            current_limit: 10_000
        }
    );
    assert_eq!(
        encoder.positions[1],
        Position {
            phase_count: 1,
            current_limit: 1
        }
    );
    assert_eq!(
        encoder.positions[2],
        Position {
            phase_count: 1,
            current_limit: 13
        }
    );
    for wrong in [
        r#"{"rotary_switch_1": [{"phase_count": 2}]}"#,
        r#"{"rotary_switch_1": [{"current_limit": 0}]}"#,
        r#"{"rotary_switch_1": [{"current_limit": 10001}]}"#,
        r#"{"rotary_switch_1": [{"current_limit": "6"}]}"#,
        r#"{"rotary_switch_1": 6}"#,
    ] {
        assert!(RotaryEncoder::parse(wrong).is_err(), "{wrong}");
    }
}
