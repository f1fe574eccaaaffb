//! The configuration keys: what each holds, who may change it, and what is allowed.

use crate::CiString;
mod table;

pub use table::Key;
pub(crate) use table::MAX_REQUESTED_KEYS;
use table::{Form, LONGEST_LIST, SPECIFICATIONS, Specification};

use crate::metering::{Reading, Selection};

/// A change that is refused; the old value stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such key.
    #[error("{0}: no such configuration key")]
    Unknown(String),
    /// The key can only be read.
    #[error("{0} is read-only")]
    ReadOnly(&'static str),
    /// The value is not allowed.
    #[error("{name}: {value:?} is not {allowed}")]
    Value {
        /// The key.
        name: &'static str,
        /// What was asked for.
        value: String,
        /// What is allowed.
        allowed: String,
    },
}

/// The values of all keys.
#[derive(Clone, Debug)]
pub struct Configuration {
    values: Vec<String>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            values: SPECIFICATIONS
                .iter()
                .map(|specification| specification.default.to_owned())
                .collect(),
        }
    }
}

impl Configuration {
    /// Sets `name`, found without regard to case, to `value`; returns the key.
    ///
    /// # Errors
    /// When the key is unknown or read-only, or the value is not allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Key, ChangeError> {
        self.change(name, value, None)
    }

    /// As [`Self::set`], and refuses measurands that the meter, known by its last reading, does
    /// not deliver.
    pub(crate) fn change(
        &mut self,
        name: &str,
        value: &str,
        meter: Option<&Reading>,
    ) -> Result<Key, ChangeError> {
        let specification =
            specification(name).ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
        let value = specification
            .form
            .canonical(value, meter)
            .map_err(|allowed| match specification.form {
                Form::ReadOnly => ChangeError::ReadOnly(specification.name),
                Form::Boolean
                | Form::ZeroOr(..)
                | Form::Range(..)
                | Form::Measurands
                | Form::PhaseRotation => ChangeError::Value {
                    name: specification.name,
                    value: value.to_owned(),
                    allowed,
                },
            })?;
        if let Some(slot) = self.values.get_mut(specification.key as usize) {
            *slot = value;
        }
        Ok(specification.key)
    }

    /// The value of `key`.
    pub fn value(&self, key: Key) -> &str {
        self.values.get(key as usize).map_or("", String::as_str)
    }

    /// Name, whether read-only, and value of all keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, bool, &str)> {
        SPECIFICATIONS
            .iter()
            .map(|specification| self.entry(specification))
    }

    /// Name, whether read-only, and value of the key called `name`.
    pub(crate) fn find(&self, name: &CiString<50>) -> Option<(&'static str, bool, &str)> {
        specification(name.as_str()).map(|specification| self.entry(specification))
    }

    pub(crate) fn flag(&self, key: Key) -> bool {
        self.value(key) == "true"
    }

    pub(crate) fn number(&self, key: Key) -> u64 {
        self.value(key).parse().unwrap_or(0)
    }

    pub(crate) fn measurands(&self, key: Key) -> Vec<Selection> {
        Selection::parse_list(self.value(key)).unwrap_or_default()
    }

    fn entry(&self, specification: &Specification) -> (&'static str, bool, &str) {
        (
            specification.name,
            specification.form == Form::ReadOnly,
            self.value(specification.key),
        )
    }
}

impl Key {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        SPECIFICATIONS
            .get(self as usize)
            .map_or("", |specification| specification.name)
    }
}

impl Form {
    /// The one spelling of `value` that is stored, or what is allowed instead.
    fn canonical(self, value: &str, meter: Option<&Reading>) -> Result<String, String> {
        let value = value.trim();
        match self {
            Self::Boolean => match value.to_ascii_lowercase().as_str() {
                "true" => Ok("true".to_owned()),
                "false" => Ok("false".to_owned()),
                _ => Err("true or false".to_owned()),
            },
            Self::ZeroOr(lowest, highest) => match value.parse::<u32>() {
                Ok(number) if number == 0 || (lowest..=highest).contains(&number) => {
                    Ok(number.to_string())
                }
                Ok(_) | Err(_) => Err(format!("0 or {lowest} to {highest}")),
            },
            Self::Range(lowest, highest) => match value.parse::<u32>() {
                Ok(number) if (lowest..=highest).contains(&number) => Ok(number.to_string()),
                Ok(_) | Err(_) => Err(format!("{lowest} to {highest}")),
            },
            Self::Measurands => measurands(value, meter),
            Self::PhaseRotation => {
                let allowed = || "a list such as 0.RST,1.RST".to_owned();
                let entries: Vec<&str> = value.split(',').map(str::trim).collect();
                let valid = |entry: &&str| match entry.split_once('.') {
                    Some(("0" | "1", rotation)) => [
                        "NotApplicable",
                        "Unknown",
                        "RST",
                        "RTS",
                        "SRT",
                        "STR",
                        "TRS",
                        "TSR",
                    ]
                    .contains(&rotation),
                    Some(_) | None => false,
                };
                let fits = entries.len() <= 2 && entries.iter().all(valid);
                if fits {
                    Ok(entries.join(","))
                } else {
                    Err(allowed())
                }
            }
            Self::ReadOnly => Err(String::new()),
        }
    }
}

fn measurands(value: &str, meter: Option<&Reading>) -> Result<String, String> {
    let list = Selection::parse_list(value)
        .map_err(|unknown| format!("a list of measurands ({unknown} is none)"))?;
    if list.len() > LONGEST_LIST {
        return Err(format!("a list of at most {LONGEST_LIST} measurands"));
    }
    let delivered = |selection: &Selection| meter.is_none_or(|meter| selection.delivered(meter));
    if !list.iter().all(delivered) {
        return Err("a list of measurands that the meter delivers".to_owned());
    }
    let entries: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    Ok(entries.join(","))
}

fn specification(name: &str) -> Option<&'static Specification> {
    SPECIFICATIONS
        .iter()
        .find(|specification| specification.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::LONGEST_LOCAL_LIST;
    use crate::profile::{MAX_INSTALLED, MAX_PERIODS, MAX_STACK_LEVEL};

    #[test]
    fn the_table_is_indexed_by_key_and_sorted_for_readers() {
        for (index, specification) in SPECIFICATIONS.iter().enumerate() {
            assert_eq!(specification.key as usize, index, "{}", specification.name);
            assert!(specification.name.chars().count() <= 50);
            let form = specification.form;
            if form != Form::ReadOnly {
                assert_eq!(
                    form.canonical(specification.default, None).as_deref(),
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
        let mut configuration = Configuration::default();
        assert!(
            configuration
                .change("MeterValuesSampledData", "Voltage", Some(&meter))
                .is_ok()
        );
        assert!(
            configuration
                .change("MeterValuesSampledData", "Voltage,Frequency", Some(&meter))
                .is_err()
        );
        assert_eq!(configuration.value(Key::MeterValuesSampledData), "Voltage");
    }

    #[test]
    fn refusals_name_key_value_and_range() {
        let mut configuration = Configuration::default();
        let error = configuration
            .set("meterValueSampleInterval", "3")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "MeterValueSampleInterval: \"3\" is not 0 or 10 to 86400"
        );
    }
}
