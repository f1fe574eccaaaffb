//! customer.json as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::key::{Key, Kind, TextRule};
use crate::keys;
use crate::tree::Tree;

/// The text of `docs/reference/customer.schema.json` (draft 2020-12).
///
/// Unknown keys are allowed, as the station allows them.
pub fn json_schema() -> String {
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("customer.json of mode3"));
    schema.extend(node(&Tree::of(keys::customer())));
    format!("{:#}\n", Value::Object(schema))
}

fn node(tree: &Tree) -> Map<String, Value> {
    let mut schema = tree.key.map(of_key).unwrap_or_default();
    match tree.children.as_slice() {
        [] => {}
        [("[0]" | "[]", item)] => {
            schema.insert("type".to_owned(), json!("array"));
            schema.insert("items".to_owned(), Value::Object(node(item)));
        }
        [("*", member)] => {
            schema.insert(
                "additionalProperties".to_owned(),
                Value::Object(node(member)),
            );
        }
        members => {
            let member = |(name, child): &(&'static str, Tree)| {
                ((*name).to_owned(), Value::Object(node(child)))
            };
            schema.insert("type".to_owned(), json!("object"));
            let members = members.iter().map(member).collect();
            schema.insert("properties".to_owned(), Value::Object(members));
        }
    }
    schema
}

fn of_key(key: &'static Key) -> Map<String, Value> {
    let mut schema = of_kind(key.kind);
    let unit = if key.unit.is_empty() {
        String::new()
    } else {
        format!(" [{}]", key.unit)
    };
    schema.insert(
        "description".to_owned(),
        json!(format!("{}{unit}", key.meaning)),
    );
    schema.extend(
        key.initial
            .value()
            .map(|value| ("default".to_owned(), value)),
    );
    schema
}

fn of_kind(kind: Kind) -> Map<String, Value> {
    let schema = match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer { min, max, or: None } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Kind::Integer {
            min,
            max,
            or: Some(special),
        } => json!({
            "type": "integer",
            "anyOf": [{ "const": special }, { "minimum": min, "maximum": max }],
        }),
        Kind::Text { max_chars, rule } => of_text(max_chars, rule),
        Kind::Choice { words, also } => {
            let spellings = also.iter().map(|(spelling, _)| *spelling);
            json!({ "enum": words.iter().copied().chain(spellings).collect::<Vec<_>>() })
        }
        Kind::List(item) => json!({ "type": "array", "items": of_kind(*item) }),
        Kind::OneOrMany(item) => {
            json!({ "anyOf": [of_kind(*item), { "type": "array", "items": of_kind(*item) }] })
        }
        Kind::OrNull(inner) => json!({ "anyOf": [of_kind(*inner), { "type": "null" }] }),
        Kind::Items { .. } => json!({ "type": "array" }),
        Kind::Object => json!({ "type": "object" }),
    };
    if let Value::Object(schema) = schema {
        schema
    } else {
        Map::new()
    }
}

fn of_text(max_chars: usize, rule: TextRule) -> Value {
    let pattern = match rule {
        TextRule::Any => None,
        TextRule::WebSocketUri => Some("^$|^wss?://"),
        TextRule::MqttUri => Some("^mqtt://"),
        TextRule::Device => Some("^/dev/"),
        TextRule::Ipv4 => Some(r"^\d+\.\d+\.\d+\.\d+$"),
        TextRule::Ipv4Network => Some(r"^\d+\.\d+\.\d+\.\d+/\d+$"),
        TextRule::Host => Some(r"^\S+$"),
        TextRule::MacPrefix => Some("^[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){0,5}$"),
    };
    match pattern {
        Some(pattern) => json!({ "type": "string", "maxLength": max_chars, "pattern": pattern }),
        None => json!({ "type": "string", "maxLength": max_chars }),
    }
}
