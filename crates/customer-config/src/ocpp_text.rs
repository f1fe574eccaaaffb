//! Values as OCPP configuration texts: lists with commas, objects as JSON.

use serde_json::Value;

use crate::ConfigError;
use crate::error::shortened;
use crate::key::{Key, Kind, Verdict};

impl Key {
    /// The value that a ChangeConfiguration text stands for.
    ///
    /// # Errors
    /// When the text is no such value, or outside the key's range.
    pub fn value_of_text(&self, text: &str) -> Result<Value, ConfigError> {
        let wrong = || ConfigError::WrongValue {
            path: self.path.to_owned(),
            value: shortened(&Value::from(text)),
            allowed: self.kind.allowed(),
        };
        let value = read(self.kind, text).ok_or_else(wrong)?;
        match self.kind.judge(&value) {
            Verdict::Good(value) => Ok(value),
            Verdict::Adjusted(_) | Verdict::Wrong => Err(wrong()),
        }
    }

    /// The text that GetConfiguration tells for a value.
    pub fn text_of_value(&self, value: &Value) -> String {
        match (self.kind, value) {
            (Kind::List(_) | Kind::OneOrMany(_), Value::Array(items)) => {
                items.iter().map(plain).collect::<Vec<_>>().join(",")
            }
            (_, value) => plain(value),
        }
    }
}

fn read(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        // Central systems in the field write True as well as true.
        Kind::Boolean => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        Kind::Integer { .. } => text.trim().parse::<i64>().ok().map(Value::from),
        Kind::Text { .. } | Kind::Choice { .. } => Some(Value::from(text)),
        Kind::List(item) | Kind::OneOrMany(item) => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|_| !text.trim().is_empty());
            items
                .map(|text| read(*item, text))
                .collect::<Option<Vec<_>>>()
                .map(Value::Array)
        }
        Kind::OrNull(_) if text.is_empty() => Some(Value::Null),
        Kind::OrNull(inner) => read(*inner, text),
        Kind::Items { .. } | Kind::Object => serde_json::from_str(text).ok(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::keys;

    #[test]
    fn texts_and_values_go_both_ways() {
        for (path, text, value) in [
            ("ocpp/MeterValueSampleInterval", "300", json!(300)),
            ("ocpp/LocalPreAuthorize", "false", json!(false)),
            ("ocpp/calibrationLawFormat", "ocmf,hex", json!("ocmf,hex")),
            (
                "ocpp/MeterValuesSampledData",
                "Voltage,Frequency",
                json!(["Voltage", "Frequency"]),
            ),
            ("ocpp/MeterValuesSampledData", "", json!([])),
            ("ocpp/uri", "wss://host/x", json!("wss://host/x")),
            (
                "network/ipv4/dns",
                "9.9.9.9,1.1.1.1",
                json!(["9.9.9.9", "1.1.1.1"]),
            ),
            ("uplink/apn_username", "", json!(null)),
            (
                "ports[0]/rfid/remote_ports",
                r#"[{"uri":"mqtt://h"}]"#,
                json!([{"uri": "mqtt://h"}]),
            ),
        ] {
            let key = keys::find(path).unwrap();
            assert_eq!(key.value_of_text(text).unwrap(), value, "{path}");
            assert_eq!(key.text_of_value(&value), text, "{path}");
        }
    }

    #[test]
    fn texts_of_the_field_are_read_and_others_refused() {
        let read = |path: &str, text: &str| keys::find(path).unwrap().value_of_text(text);
        assert_eq!(read("ocpp/LocalPreAuthorize", "True").unwrap(), json!(true));
        assert_eq!(
            read("ocpp/StopTxnSampledData", " Voltage , Frequency ").unwrap(),
            json!(["Voltage", "Frequency"])
        );
        for (path, text) in [
            ("ocpp/MeterValueSampleInterval", "5"),
            ("ocpp/MeterValueSampleInterval", "-1"),
            ("ocpp/MeterValueSampleInterval", "abc"),
            ("ocpp/MeterValueSampleInterval", ""),
            ("ocpp/WebSocketPingInterval", "-1"),
            ("ocpp/LocalPreAuthorize", "1"),
            ("ocpp/MeterValuesSampledData", "Voltage,,Frequency"),
            ("ocpp/MeterValuesSampledData", "SoC"),
            ("ocpp/uri", "http://host"),
            ("ports[0]/rfid/remote_ports", "nonsense"),
        ] {
            let message = read(path, text).unwrap_err().to_string();
            assert!(message.starts_with(path), "{message}");
        }
    }
}
