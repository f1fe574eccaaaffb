//! The table of keys against the guide's tables, both ways.
//!
//! `guide_keys.tsv` holds the facts: path, type, default (`-` for none), greatest length, unit,
//! OCPP access and when a change applies (empty where the guide does not say).

#![allow(clippy::panic, reason = "a test's way to fail")]

use customer_config::{Applies, Customer, Initial, Key, Kind, OcppAccess, keys};
use serde_json::Value;

struct Row {
    path: &'static str,
    kind: &'static str,
    default: &'static str,
    max_len: &'static str,
    unit: &'static str,
    ocpp: &'static str,
    applies: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    include_str!("guide_keys.tsv").lines().skip(1).map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        let [path, kind, default, max_len, unit, ocpp, applies] = columns[..] else {
            panic!("seven columns: {line}")
        };
        Row {
            path,
            kind,
            default,
            max_len,
            unit,
            ocpp,
            applies,
        }
    })
}

fn find(row: &Row) -> &'static Key {
    keys::customer()
        .find(|key| key.path == row.path)
        .unwrap_or_else(|| panic!("no key {}", row.path))
}

// covers: CFG-012
#[test]
fn every_path_of_the_guide_is_a_key() {
    for row in rows() {
        find(&row);
    }
}

#[test]
fn every_key_is_a_path_of_the_guide_or_marked_as_ours() {
    let paths: Vec<_> = rows().map(|row| row.path).collect();
    for key in keys::customer().filter(|key| key.source != "mode3") {
        // The array of vendors' settings has a row, and so has each of its members.
        assert!(
            paths.contains(&key.path),
            "{} is not in the guide",
            key.path
        );
    }
}

#[test]
fn every_key_is_unique_and_complete() {
    for key in keys::customer()
        .chain(keys::LEDS)
        .chain(keys::ROTARY_ENCODER)
    {
        let all = keys::customer()
            .chain(keys::LEDS)
            .chain(keys::ROTARY_ENCODER);
        assert_eq!(
            all.filter(|other| other.path == key.path).count(),
            1,
            "{}",
            key.path
        );
        assert!(
            !key.meaning.is_empty() && !key.source.is_empty(),
            "{}",
            key.path
        );
        if !matches!(key.initial, Initial::Absent) {
            assert!(key.initial.value().is_some(), "default of {}", key.path);
        }
    }
}

#[test]
fn types_lengths_and_units_are_the_guides() {
    for row in rows() {
        let key = find(&row);
        let fits = match row.kind {
            "boolean" => key.kind == Kind::Boolean,
            "integer" => matches!(key.kind, Kind::Integer { .. }),
            "enum" => matches!(key.kind, Kind::Choice { .. }),
            "string" => matches!(key.kind, Kind::Text { .. }),
            "string or null" => matches!(key.kind, Kind::OrNull(Kind::Text { .. })),
            "string or array of strings" => matches!(key.kind, Kind::OneOrMany(Kind::Text { .. })),
            "array of strings" => matches!(key.kind, Kind::List(_)),
            "array of objects" => matches!(key.kind, Kind::Items { .. }),
            "object" => key.kind == Kind::Object,
            other => panic!("unknown type {other}"),
        };
        assert!(fits, "{}: {:?} is no {}", row.path, key.kind, row.kind);
        assert!(key.unit.starts_with(row.unit), "{}: {}", row.path, key.unit);
        if let (Kind::Text { max_chars, .. }, false) = (key.kind, row.max_len.is_empty()) {
            assert_eq!(max_chars.to_string(), row.max_len, "{}", row.path);
        }
    }
}

// covers: CFG-002, CON-006, PL-002, RCD-006, EMG-001, VENT-017, PH-001, AUTH-009, LIM-023
#[test]
fn a_missing_key_has_the_guides_default() {
    let (customer, warnings) = Customer::parse("{}").unwrap();
    assert_eq!(warnings, []);
    for row in rows().filter(|row| !row.path.contains("[]") && !row.path.contains('*')) {
        let value = customer.value(row.path);
        let text = match &value {
            None => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let expected = match row.default {
            "vendors" => continue,
            default => default.replace(", ", ","),
        };
        assert_eq!(text, expected, "{}", row.path);
    }
    let vendors: Vec<_> = customer.fake_highlevel_dc_vendors.keys().collect();
    assert_eq!(vendors, ["Tesla", "Volkswagen"]);
}

// covers: CFG-011, OC-058
#[test]
fn ocpp_reaches_exactly_what_the_guide_lets_it() {
    for row in rows() {
        let key = find(&row);
        let (access, name) = match row.ocpp {
            "yes" => (
                OcppAccess::ReadWrite,
                Some(row.path.trim_start_matches("ocpp/")),
            ),
            "read" => (OcppAccess::Read, Some(row.path.trim_start_matches("ocpp/"))),
            // No key of guide table 6, so known as all others are.
            "path" => (OcppAccess::ReadWrite, Some(row.path)),
            "alias" => (OcppAccess::ReadWrite, Some("CentralSystemURI")),
            _ => (OcppAccess::None, None),
        };
        assert_eq!((key.ocpp, key.ocpp_name()), (access, name), "{}", row.path);
        let found = name.and_then(keys::find_by_ocpp_name).map(|(path, _)| path);
        assert_eq!(found.as_deref(), name.map(|_| row.path), "{}", row.path);
    }
    for hidden in [
        "ocpp/uri",
        "uri",
        "ocpp/enable",
        "enable",
        "chargePointModel",
        "verifyCert",
        "ocpp/chargePointVendor",
        "ocpp/MeterValueSampleInterval",
        "grid",
        "",
        "nonsense",
    ] {
        assert!(keys::find_by_ocpp_name(hidden).is_none(), "{hidden}");
    }
    let vendor = keys::find_by_ocpp_name("fake_highlevel_dc_vendors/Tesla/switch_method");
    assert_eq!(
        vendor.unwrap().0,
        "fake_highlevel_dc_vendors/Tesla/switch_method"
    );
}

#[test]
fn changes_apply_when_the_guide_says() {
    for row in rows().filter(|row| !row.applies.is_empty()) {
        let expected = match row.applies {
            "now" => Applies::Immediately,
            "transaction" => Applies::NextTransaction,
            "reboot" => Applies::AfterReboot,
            other => panic!("unknown moment {other}"),
        };
        assert_eq!(find(&row).applies, expected, "{}", row.path);
    }
}
