//! One key of a configuration file: what it may hold, and what happens when it does not.

use std::net::Ipv4Addr;

use serde_json::Value;

/// The type and range of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number in a range, or one special number outside it.
    Integer {
        /// Smallest.
        min: i64,
        /// Greatest.
        max: i64,
        /// Also allowed.
        or: Option<i64>,
    },
    /// Text; what is longer is cut.
    Text {
        /// Greatest length in characters.
        max_chars: usize,
        /// What else it must fulfil.
        rule: TextRule,
    },
    /// One of some words.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// Other spellings that are read, each with the word that it means.
        also: &'static [(&'static str, &'static str)],
    },
    /// An array of such values.
    List(&'static Kind),
    /// One such value or an array of them; read as an array.
    OneOrMany(&'static Kind),
    /// Such a value, or `null` for none.
    OrNull(&'static Kind),
    /// An array of objects with keys of their own.
    Items {
        /// How many are used; the rest is ignored.
        max: usize,
    },
    /// An object with keys of its own, or of free content.
    Object,
}

/// What a text must fulfil beside its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRule {
    /// Nothing.
    Any,
    /// Empty, or begins with `ws://` or `wss://` in lower case and has a host.
    WebSocketUri,
    /// `mqtt://host[:port]`.
    MqttUri,
    /// An absolute path below `/dev/`.
    Device,
    /// An IPv4 address.
    Ipv4,
    /// An IPv4 address with prefix length.
    Ipv4Network,
    /// A host name or address.
    Host,
    /// The first hex digits of a MAC address, in pairs with colons.
    MacPrefix,
}

/// A key's value when the file has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// None: the meaning tells what follows.
    Absent,
    /// A boolean.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// A text.
    Text(&'static str),
    /// A list or an object, as JSON.
    Json(&'static str),
}

impl Initial {
    /// The default as JSON.
    pub fn value(self) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Boolean(boolean) => Some(Value::Bool(boolean)),
            Self::Integer(number) => Some(Value::from(number)),
            Self::Text(text) => Some(Value::from(text)),
            Self::Json(text) => serde_json::from_str(text).ok(),
        }
    }
}

/// What reading does with a wrong value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenWrong {
    /// Reports it and takes the default.
    UseDefault,
    /// Refuses the file: the default would switch a protection off or open the station to all.
    Refuse,
}

/// How a central system may reach a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcppAccess {
    /// Not at all.
    None,
    /// GetConfiguration only.
    Read,
    /// GetConfiguration and ChangeConfiguration.
    ReadWrite,
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// At once.
    Immediately,
    /// With the next transaction.
    NextTransaction,
    /// After a restart.
    AfterReboot,
}

/// A key of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it stands: `ports[0]/meter/port`; `[]` is each item, `*` any name.
    pub path: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Default.
    pub initial: Initial,
    /// Unit of a number, or empty.
    pub unit: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// What reading does with a wrong value.
    pub when_wrong: WhenWrong,
    /// How a central system may reach it.
    pub ocpp: OcppAccess,
    /// Its name in OCPP where that is not derived from the path.
    pub ocpp_alias: Option<&'static str>,
    /// When a change takes effect.
    pub applies: Applies,
    /// Where in the guide, or `mode3` for a key of ours.
    pub source: &'static str,
}

impl Key {
    /// A key with the commonest properties.
    pub(crate) const fn new(path: &'static str, kind: Kind, initial: Initial) -> Self {
        Self {
            path,
            kind,
            initial,
            unit: "",
            meaning: "",
            when_wrong: WhenWrong::UseDefault,
            ocpp: OcppAccess::None,
            ocpp_alias: None,
            applies: Applies::AfterReboot,
            source: "",
        }
    }

    pub(crate) const fn boolean(path: &'static str, initial: bool) -> Self {
        Self::new(path, Kind::Boolean, Initial::Boolean(initial))
    }

    pub(crate) const fn integer(path: &'static str, min: i64, max: i64, initial: i64) -> Self {
        Self::new(
            path,
            Kind::Integer { min, max, or: None },
            Initial::Integer(initial),
        )
    }

    /// A number where one special value below the range has a meaning of its own.
    pub(crate) const fn special(
        path: &'static str,
        or: i64,
        min: i64,
        max: i64,
        initial: i64,
    ) -> Self {
        Self::new(
            path,
            Kind::Integer {
                min,
                max,
                or: Some(or),
            },
            Initial::Integer(initial),
        )
    }

    pub(crate) const fn text(
        path: &'static str,
        max_chars: usize,
        rule: TextRule,
        initial: Initial,
    ) -> Self {
        Self::new(path, Kind::Text { max_chars, rule }, initial)
    }

    pub(crate) const fn choice(
        path: &'static str,
        words: &'static [&'static str],
        initial: Initial,
    ) -> Self {
        Self::new(path, Kind::Choice { words, also: &[] }, initial)
    }

    pub(crate) const fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    pub(crate) const fn refused_when_wrong(self) -> Self {
        Self {
            when_wrong: WhenWrong::Refuse,
            ..self
        }
    }

    pub(crate) const fn over_ocpp(self) -> Self {
        Self {
            ocpp: OcppAccess::ReadWrite,
            ..self
        }
    }

    pub(crate) const fn read_over_ocpp(self) -> Self {
        Self {
            ocpp: OcppAccess::Read,
            ..self
        }
    }

    pub(crate) const fn over_ocpp_as(self, name: &'static str) -> Self {
        Self {
            ocpp: OcppAccess::ReadWrite,
            ocpp_alias: Some(name),
            ..self
        }
    }

    pub(crate) const fn applies(self, applies: Applies) -> Self {
        Self { applies, ..self }
    }

    pub(crate) const fn means(self, meaning: &'static str, source: &'static str) -> Self {
        Self {
            meaning,
            source,
            ..self
        }
    }

    /// The name in GetConfiguration and ChangeConfiguration: the last part of an `ocpp/`
    /// path, the whole path of any other key; `None` when OCPP has no access.
    pub fn ocpp_name(&self) -> Option<&'static str> {
        match self.ocpp {
            OcppAccess::None => None,
            OcppAccess::Read | OcppAccess::ReadWrite => {
                let own = self.path.strip_prefix("ocpp/").unwrap_or(self.path);
                Some(self.ocpp_alias.unwrap_or(own))
            }
        }
    }
}

/// What became of a value.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Fine; in its one written form.
    Good(Value),
    /// Usable after a correction.
    Adjusted(Value),
    /// Unusable.
    Wrong,
}

impl Kind {
    /// Judges a value of the file. Arrays of objects are judged item by item elsewhere.
    pub(crate) fn judge(self, value: &Value) -> Verdict {
        match self {
            Self::Boolean => good_if(value.is_boolean(), value),
            Self::Integer { min, max, or } => {
                let fits = |number| (min..=max).contains(&number) || or == Some(number);
                good_if(value.as_i64().is_some_and(fits), value)
            }
            Self::Text { max_chars, rule } => match value.as_str() {
                Some(text) => judge_text(text, max_chars, rule),
                None => Verdict::Wrong,
            },
            Self::Choice { words, also } => {
                let Some(text) = value.as_str() else {
                    return Verdict::Wrong;
                };
                let meant = also.iter().find(|(spelling, _)| *spelling == text);
                let text = meant.map_or(text, |(_, word)| word);
                if words.contains(&text) {
                    Verdict::Good(Value::from(text))
                } else {
                    Verdict::Wrong
                }
            }
            Self::List(item) => match value.as_array() {
                Some(items) => judge_items(*item, items),
                None => Verdict::Wrong,
            },
            Self::OneOrMany(item) => match value.as_array() {
                Some(items) => judge_items(*item, items),
                None => judge_items(*item, std::slice::from_ref(value)),
            },
            Self::OrNull(_) if value.is_null() => Verdict::Good(Value::Null),
            Self::OrNull(inner) => inner.judge(value),
            Self::Items { .. } => good_if(value.is_array(), value),
            Self::Object => good_if(value.is_object(), value),
        }
    }

    /// Type and range in words, for messages and documentation.
    pub fn allowed(self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max, or } => {
                let or = or.map(|or| format!("{or} or ")).unwrap_or_default();
                if max >= i64::from(i32::MAX) {
                    format!("{or}an integer of at least {min}")
                } else {
                    format!("{or}an integer from {min} to {max}")
                }
            }
            Self::Text { max_chars, rule } => rule.allowed(max_chars),
            Self::Choice { words, .. } => format!("one of \"{}\"", words.join("\", \"")),
            Self::List(item) => format!("an array, each item {}", item.allowed()),
            Self::OneOrMany(item) => format!("{}, or an array of such", item.allowed()),
            Self::OrNull(inner) => format!("{}, or null", inner.allowed()),
            Self::Items { max } => format!("an array of objects, of which {max} are used"),
            Self::Object => "an object".to_owned(),
        }
    }
}

impl TextRule {
    fn allowed(self, max_chars: usize) -> String {
        match self {
            Self::Any => format!("a text of at most {max_chars} characters"),
            Self::WebSocketUri => "empty or a URI that begins with ws:// or wss://".to_owned(),
            Self::MqttUri => "a URI mqtt://host or mqtt://host:port".to_owned(),
            Self::Device => "a device below /dev/".to_owned(),
            Self::Ipv4 => "an IPv4 address".to_owned(),
            Self::Ipv4Network => "an IPv4 address with prefix, e.g. 192.168.178.2/24".to_owned(),
            Self::Host => "a host name or address".to_owned(),
            Self::MacPrefix => "hex digits in pairs with colons, e.g. \"98:ED:5C\"".to_owned(),
        }
    }

    fn accepts(self, text: &str) -> bool {
        let printable = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        match self {
            Self::Any => !text.contains(char::is_control),
            Self::WebSocketUri => {
                text.is_empty() || (printable && has_host(text, &["ws://", "wss://"]))
            }
            Self::MqttUri => printable && is_mqtt_uri(text),
            Self::Device => printable && text.strip_prefix("/dev/").is_some_and(is_below),
            Self::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
            Self::Ipv4Network => is_ipv4_network(text),
            Self::Host => printable && !text.is_empty() && !text.contains(['/', '#', '=']),
            Self::MacPrefix => is_mac_prefix(text),
        }
    }
}

fn good_if(good: bool, value: &Value) -> Verdict {
    if good {
        Verdict::Good(value.clone())
    } else {
        Verdict::Wrong
    }
}

fn judge_text(text: &str, max_chars: usize, rule: TextRule) -> Verdict {
    if let Some(number) = text
        .strip_prefix("/dev/ttymx")
        .filter(|_| rule == TextRule::Device)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        // The guide's print lacks the `c` of the i.MX UART driver's device names.
        return Verdict::Adjusted(Value::from(format!("/dev/ttymxc{number}")));
    }
    if !rule.accepts(text) {
        return Verdict::Wrong;
    }
    if text.chars().count() <= max_chars {
        return Verdict::Good(Value::from(text));
    }
    if rule == TextRule::Any {
        let cut: String = text.chars().take(max_chars).collect();
        return Verdict::Adjusted(Value::from(cut));
    }
    Verdict::Wrong
}

fn judge_items(item: Kind, items: &[Value]) -> Verdict {
    let mut adjusted = false;
    let mut read = Vec::with_capacity(items.len());
    for value in items {
        match item.judge(value) {
            Verdict::Good(value) => read.push(value),
            Verdict::Adjusted(value) => {
                adjusted = true;
                read.push(value);
            }
            Verdict::Wrong => return Verdict::Wrong,
        }
    }
    if adjusted {
        Verdict::Adjusted(Value::Array(read))
    } else {
        Verdict::Good(Value::Array(read))
    }
}

fn has_host(text: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']))
}

fn is_mqtt_uri(text: &str) -> bool {
    let Some(authority) = text.strip_prefix("mqtt://") else {
        return false;
    };
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "1883"));
    !host.is_empty() && !host.contains(['/', '@', '?']) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

fn is_below(path: &str) -> bool {
    !path.is_empty()
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..")
}

fn is_ipv4_network(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, prefix)| {
        address.parse::<Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok_and(|bits| bits <= 32)
    })
}

fn is_mac_prefix(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The last part may be a single digit: an OUI of 28 or 36 bits.
    let (last, pairs) = match parts.split_last() {
        Some((last, pairs)) => (*last, pairs),
        None => return false,
    };
    parts.len() <= 6
        && parts.iter().all(is_hex)
        && pairs.iter().all(|part| part.len() == 2)
        && (1..=2).contains(&last.len())
}
