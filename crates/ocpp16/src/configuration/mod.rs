//! The configuration keys: what each holds, who may change it, and what is allowed.

mod key;
mod rows;
mod table;

#[cfg(test)]
mod tests;

pub use key::Key;
pub(crate) use rows::{KeyRow, key_rows};
use table::{Form, LONGEST_LIST, SPECIFICATIONS, Specification};
pub(crate) use table::{Kept, MAX_REQUESTED_KEYS};

use crate::CiString;
use crate::feature::Feature;
use crate::metering::{Reading, Selection};
use crate::oca;
use crate::security::{AUTHORIZATION_KEY, password};

/// A change that is refused; the old value stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such key.
    #[error("{0}: no such configuration key")]
    Unknown(String),
    /// The key can only be read.
    #[error("{0} is read-only")]
    ReadOnly(String),
    /// The value is not allowed.
    #[error("{name}: {value:?} is not {allowed}")]
    Value {
        /// The key.
        name: String,
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
    /// Keys of the station's other daemons.
    others: Vec<Other>,
    /// Whether there is a `Meter1PublicKey`.
    meter_signs: bool,
}

/// A key that another daemon carries out: it is passed on, and shown.
#[derive(Clone, Debug)]
struct Other {
    name: String,
    readonly: bool,
    /// `None` where nothing is set.
    value: Option<String>,
}

/// What GetConfiguration tells about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) readonly: bool,
    /// `None` where nothing is set, or what is set is secret.
    pub(crate) value: Option<&'a str>,
}

/// A change that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The key's name as it is spelled.
    pub(crate) name: String,
    /// In its one spelling.
    pub(crate) value: String,
    /// `None`: another daemon's.
    pub(crate) key: Option<Key>,
}

impl Default for Configuration {
    fn default() -> Self {
        let mut configuration = Self {
            values: SPECIFICATIONS
                .iter()
                .map(|specification| specification.default.to_owned())
                .collect(),
            others: Vec::new(),
            meter_signs: false,
        };
        configuration.put(Key::SupportedFeatureProfiles, Feature::advertised());
        configuration
    }
}

impl Configuration {
    /// Sets `name`, found without regard to case, to `value`; returns the key.
    ///
    /// # Errors
    /// When the key is unknown, read-only or another daemon's, or the value is not allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Key, ChangeError> {
        let setting = self.check(name, value, None)?;
        let key = setting
            .key
            .ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
        self.put(key, setting.value);
        Ok(key)
    }

    /// Takes over a key of the station's configuration file. What is none of the charge point's
    /// own becomes a key that is passed on.
    ///
    /// # Errors
    /// When the value is not allowed; the default stays.
    pub fn load(
        &mut self,
        name: &str,
        readonly: bool,
        value: Option<&str>,
    ) -> Result<(), ChangeError> {
        let Some(specification) = own(name) else {
            self.others.push(Other {
                name: name.to_owned(),
                readonly,
                value: value.map(str::to_owned),
            });
            return Ok(());
        };
        let value = value.unwrap_or_default();
        let unset = specification.default.is_empty() && value.is_empty();
        if specification.form == Form::ReadOnly || unset {
            self.put(specification.key, value.to_owned());
            return Ok(());
        }
        self.set(name, value).map(|_| ())
    }

    /// What a change would set, when it is allowed. Measurands that the meter, known by its last
    /// reading, does not deliver are not.
    pub(crate) fn check(
        &self,
        name: &str,
        value: &str,
        meter: Option<&Reading>,
    ) -> Result<Setting, ChangeError> {
        let Some(specification) = own(name).filter(|own| self.exists(own.key)) else {
            return self.check_other(name, value);
        };
        let refused = |allowed| match specification.form {
            Form::ReadOnly => ChangeError::ReadOnly(specification.name.to_owned()),
            Form::Boolean
            | Form::ZeroOr(..)
            | Form::Range(..)
            | Form::OneOf(_)
            | Form::Measurands
            | Form::PhaseRotation
            | Form::Text(..)
            | Form::AuthorizationKey
            | Form::WebSocketUri
            | Form::Fixed => ChangeError::Value {
                name: specification.name.to_owned(),
                // A secret is not repeated.
                value: if specification.readable { value } else { "it" }.to_owned(),
                allowed,
            },
        };
        let value = specification.canonical(value, meter).map_err(refused)?;
        Ok(Setting {
            name: specification.name.to_owned(),
            value,
            key: Some(specification.key),
        })
    }

    fn check_other(&self, name: &str, value: &str) -> Result<Setting, ChangeError> {
        let other = self
            .others
            .iter()
            .find(|other| other.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
        if other.readonly {
            return Err(ChangeError::ReadOnly(other.name.clone()));
        }
        Ok(Setting {
            name: other.name.clone(),
            value: value.to_owned(),
            key: None,
        })
    }

    /// Carries out a change that [`Self::check`] has allowed.
    pub(crate) fn apply(&mut self, setting: &Setting) {
        match setting.key {
            Some(key) => self.put(key, setting.value.clone()),
            None => {
                for other in self
                    .others
                    .iter_mut()
                    .filter(|other| other.name == setting.name)
                {
                    other.value = Some(setting.value.clone());
                }
            }
        }
    }

    /// The charge point's own key called `name`.
    pub fn key(&self, name: &str) -> Option<Key> {
        own(name).map(|specification| specification.key)
    }

    /// The value of `key`.
    pub fn value(&self, key: Key) -> &str {
        self.values.get(key as usize).map_or("", String::as_str)
    }

    /// The present value of the key of `setting`; `None` where nothing is set.
    pub(crate) fn text(&self, setting: &Setting) -> Option<&str> {
        match setting.key {
            Some(key) => Some(self.value(key)),
            None => {
                let mut others = self.others.iter();
                let other = others.find(|other| other.name == setting.name)?;
                other.value.as_deref()
            }
        }
    }

    /// All keys.
    pub(crate) fn all(&self) -> impl Iterator<Item = Entry<'_>> {
        let own = SPECIFICATIONS
            .iter()
            .filter(|own| own.feature.carried_out() && self.exists(own.key))
            .map(|specification| self.entry(specification));
        own.chain(self.others.iter().map(Other::entry))
    }

    /// The key called `name`.
    pub(crate) fn find(&self, name: &CiString<50>) -> Option<Entry<'_>> {
        let name = name.as_str();
        let other = || {
            self.others
                .iter()
                .find(|other| other.name.eq_ignore_ascii_case(name))
                .map(Other::entry)
        };
        own(name)
            .filter(|own| self.exists(own.key))
            .map(|specification| self.entry(specification))
            .or_else(other)
    }

    /// `Meter1PublicKey`; `None` without a meter that signs.
    pub(crate) fn meter_public_key(&self) -> Option<&str> {
        self.meter_signs.then(|| self.value(Key::Meter1PublicKey))
    }

    /// Sets or removes `Meter1PublicKey` and `MeterPublicKey1`.
    pub(crate) fn set_meter_public_key(&mut self, key: Option<String>) {
        self.meter_signs = key.is_some();
        self.put(Key::MeterPublicKey1, oca::public_key(key.as_deref()));
        self.put(Key::Meter1PublicKey, key.unwrap_or_default());
    }

    fn exists(&self, key: Key) -> bool {
        !matches!(key, Key::Meter1PublicKey | Key::MeterPublicKey1) || self.meter_signs
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

    fn put(&mut self, key: Key, value: String) {
        if let Some(slot) = self.values.get_mut(key as usize) {
            *slot = value;
        }
    }

    fn entry(&self, specification: &Specification) -> Entry<'_> {
        Entry {
            name: specification.name,
            readonly: specification.form == Form::ReadOnly,
            value: Some(self.value(specification.key)).filter(|_| specification.readable),
        }
    }
}

impl Other {
    fn entry(&self) -> Entry<'_> {
        Entry {
            name: &self.name,
            readonly: self.readonly,
            value: self.value.as_deref(),
        }
    }
}

impl Key {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.specification()
            .map_or("", |specification| specification.name)
    }

    pub(crate) fn kept(self) -> Kept {
        self.specification()
            .map_or(Kept::Nowhere, |specification| specification.kept)
    }

    /// Whether it decides how the station connects.
    pub(crate) fn is_access(self) -> bool {
        matches!(self, Self::AuthorizationKey | Self::SecurityProfile)
    }

    pub(crate) fn after_reboot(self) -> bool {
        self.specification()
            .is_some_and(|specification| specification.after_reboot)
    }

    fn specification(self) -> Option<&'static Specification> {
        SPECIFICATIONS.get(self as usize)
    }
}

impl Specification {
    /// The allowed values in words.
    fn allowed(&self) -> String {
        match self.form {
            Form::Boolean => "true or false".to_owned(),
            Form::ZeroOr(lowest, highest) => format!("0, or {lowest} to {highest}"),
            Form::Range(lowest, highest) => format!("{lowest} to {highest}"),
            Form::OneOf(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(" or "),
            Form::Measurands => "measurands, separated by commas".to_owned(),
            Form::PhaseRotation => "a list such as 0.RST,1.RST".to_owned(),
            Form::AuthorizationKey => AUTHORIZATION_KEY.to_owned(),
            Form::Text(least, most) => format!("a text of {least} to {most} characters"),
            Form::WebSocketUri => "ws://host/identity or wss://host/identity".to_owned(),
            Form::Fixed => format!("{}, all that can be carried out", self.default),
            Form::ReadOnly => String::new(),
        }
    }

    fn remark(&self) -> &'static str {
        if self.form == Form::ReadOnly {
            return "";
        }
        if self.after_reboot {
            return "takes effect after a reboot";
        }
        match self.kept {
            Kept::Customer => "",
            Kept::Here => "kept in ocpp_data.json",
            Kept::Nowhere => "not kept",
        }
    }

    /// The one spelling of `value` that is stored, or what is allowed instead.
    fn canonical(&self, value: &str, meter: Option<&Reading>) -> Result<String, String> {
        let value = value.trim();
        match self.form {
            Form::Boolean => match value.to_ascii_lowercase().as_str() {
                "true" => Ok("true".to_owned()),
                "false" => Ok("false".to_owned()),
                _ => Err(self.allowed()),
            },
            Form::ZeroOr(lowest, highest) => match value.parse::<u32>() {
                Ok(number) if number == 0 || (lowest..=highest).contains(&number) => {
                    Ok(number.to_string())
                }
                Ok(_) | Err(_) => Err(self.allowed()),
            },
            Form::Range(lowest, highest) => match value.parse::<u32>() {
                Ok(number) if (lowest..=highest).contains(&number) => Ok(number.to_string()),
                Ok(_) | Err(_) => Err(self.allowed()),
            },
            Form::OneOf(words) => match words.contains(&value) {
                true => Ok(value.to_owned()),
                false => Err(self.allowed()),
            },
            Form::Measurands => measurands(value, meter),
            Form::PhaseRotation => {
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
                    Err(self.allowed())
                }
            }
            Form::AuthorizationKey => match password(value) {
                Some(_) => Ok(value.to_owned()),
                None => Err(self.allowed()),
            },
            Form::Text(least, most) => {
                if (least..=most).contains(&value.chars().count()) {
                    Ok(value.to_owned())
                } else {
                    Err(self.allowed())
                }
            }
            Form::WebSocketUri => {
                let rest = value
                    .strip_prefix("ws://")
                    .or_else(|| value.strip_prefix("wss://"));
                if rest.is_some_and(|rest| !rest.is_empty()) {
                    Ok(value.to_owned())
                } else {
                    Err(self.allowed())
                }
            }
            Form::Fixed if value.eq_ignore_ascii_case(self.default) => Ok(self.default.to_owned()),
            Form::Fixed | Form::ReadOnly => Err(self.allowed()),
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

/// The charge point's own key called `name`, where its feature is carried out.
fn own(name: &str) -> Option<&'static Specification> {
    SPECIFICATIONS.iter().find(|specification| {
        specification.feature.carried_out() && specification.name.eq_ignore_ascii_case(name)
    })
}
