//! The shipped files and what is rendered from the table of keys.

use customer_config::*;
use serde_json::Value;

const SHIPPED: &str = include_str!("../../../config/customer.json.shipped");

fn committed(name: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/");
    std::fs::read_to_string(format!("{root}{name}")).unwrap_or_default()
}

#[test]
fn the_reference_page_is_fresh() {
    let stale = "docs/reference/customer-json.md is stale: run `just docs`";
    assert!(committed("customer-json.md") == reference_page(), "{stale}");
}

#[test]
fn the_schema_is_fresh() {
    // Compared as values: the order of members depends on features of other crates.
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    let stale = "docs/reference/customer.schema.json is stale: run `just docs`";
    assert!(
        parse(&committed("customer.schema.json")) == parse(&json_schema()),
        "{stale}"
    );
}

#[test]
fn the_schema_describes_each_key() {
    let schema: Value = serde_json::from_str(&json_schema()).unwrap();
    for key in keys::customer() {
        let pointer: String = key
            .path
            .replace("[0]", "/[]")
            .replace("[]", "/[]")
            .replace("//", "/")
            .split('/')
            .map(|step| match step {
                "[]" => "/items".to_owned(),
                "*" => "/additionalProperties".to_owned(),
                name => format!("/properties/{name}"),
            })
            .collect();
        let described = schema
            .pointer(&pointer)
            .and_then(|key| key.get("description"));
        assert!(described.is_some(), "{} at {pointer}", key.path);
    }
}

// covers: FDC-018
#[test]
fn the_shipped_file_holds_the_defaults() {
    let (shipped, warnings) = Customer::parse(SHIPPED).unwrap();
    assert_eq!(warnings, []);
    let (mut defaults, _) = Customer::parse("{}").unwrap();
    let [port] = &mut defaults.ports;
    // DZG meters, the default, leave the factory with even parity.
    port.meter.parity = Some(Parity::Even);
    port.rfid.remote_ports = vec![RemotePort { uri: None }];
    assert_eq!(shipped, defaults);
}

#[test]
fn the_shipped_file_names_each_key() {
    for key in keys::customer() {
        let name = key.path.rsplit('/').next().unwrap();
        let name = name.trim_end_matches("[0]").trim_end_matches("[]");
        assert!(SHIPPED.contains(&format!("\"{name}\"")), "{}", key.path);
    }
}

#[test]
fn the_shipped_leds_show_the_factorys_behavior() {
    let (leds, warnings) = Leds::parse(include_str!("../../../config/leds.json")).unwrap();
    assert_eq!(warnings, []);
    let [led] = &leds.leds[..] else {
        unreachable!("one LED")
    };
    assert_eq!(led.gpios, [84]);
    let mode = |condition| {
        led.behaviors
            .iter()
            .find(|behavior| behavior.condition == condition)
            .map(|b| b.mode)
    };
    assert_eq!(mode(Condition::Ready), Some(Mode::Solid));
    assert_eq!(mode(Condition::Charge), Some(Mode::BlinkSlow));
    assert_eq!(mode(Condition::Error), Some(Mode::BlinkFast));
}

#[test]
fn the_shipped_rotary_switch_is_the_factorys() {
    let text = include_str!("../../../config/rotaryencd.json");
    let (encoder, warnings) = RotaryEncoder::parse(text).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(encoder, RotaryEncoder::default());
    let plain = text.replace("\"phase_count\"", "\"current_limit_is_missing\"");
    assert!(RotaryEncoder::parse(&plain).is_ok_and(|(_, warnings)| warnings.len() == 16));
}
