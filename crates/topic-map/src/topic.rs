//! Topics as typed constants.

use std::marker::PhantomData;

use crate::{Payload, PayloadError};

/// Who may publish a topic; the broker's access list is generated from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// One of our daemons, named; `any` where each daemon has its own member.
    Daemon(&'static str),
    /// Customer software or an integrator on the LAN.
    Customer,
    /// A daemon or the customer, depending on the configuration.
    Either(&'static str),
}

/// What happens to a publication while the broker is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A level: the last value wins and is sent again after every connect.
    State,
    /// An edge or a command: dropped, and said so, while not connected.
    Event,
}

/// The untyped facts of a topic: for documentation, access list and comparison with the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// The topic; a family has one `+` level.
    pub name: &'static str,
    /// Our constant's name.
    pub constant: &'static str,
    /// The guide's constant name, e.g. `TOPIC_CHARGE_CP_STATUS`; empty where it has none.
    pub guide_name: &'static str,
    /// Other spellings of the same topic in the guide: subscribed to, never published.
    pub aliases: &'static [&'static str],
    /// Who may publish it.
    pub publisher: Publisher,
    /// Level or edge.
    pub class: Class,
    /// Whether it is published retained.
    pub retain: bool,
    /// The payload's form in words.
    pub form: &'static str,
    /// Meaning and unit.
    pub meaning: &'static str,
    /// Guide section and table, or `mode3` for a topic of ours.
    pub source: &'static str,
}

impl TopicInfo {
    /// A level: published retained.
    pub const fn state(name: &'static str, publisher: Publisher, source: &'static str) -> Self {
        Self::of_class(name, publisher, source, Class::State, true)
    }

    /// An edge or a command: never retained.
    pub const fn event(name: &'static str, publisher: Publisher, source: &'static str) -> Self {
        Self::of_class(name, publisher, source, Class::Event, false)
    }

    const fn of_class(
        name: &'static str,
        publisher: Publisher,
        source: &'static str,
        class: Class,
        retain: bool,
    ) -> Self {
        Self {
            name,
            constant: "",
            guide_name: "",
            aliases: &[],
            publisher,
            class,
            retain,
            form: "",
            meaning: "",
            source,
        }
    }

    /// With the guide's constant name.
    #[must_use]
    pub const fn named(self, guide_name: &'static str) -> Self {
        Self { guide_name, ..self }
    }

    /// With other spellings that are subscribed to as well.
    #[must_use]
    pub const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// With our constant's name and the meaning.
    #[must_use]
    pub const fn documented(self, constant: &'static str, meaning: &'static str) -> Self {
        Self {
            constant,
            meaning,
            ..self
        }
    }

    /// Whether the topic is an addition of ours to the guide's map.
    pub fn is_ours(&self) -> bool {
        self.source == "mode3"
    }
}

/// A topic whose payload has type `T`.
#[derive(Debug)]
pub struct Topic<T> {
    /// The untyped facts.
    pub info: TopicInfo,
    payload: PhantomData<fn() -> T>,
}

impl<T: Payload> Topic<T> {
    /// Declare a topic.
    pub const fn new(info: TopicInfo) -> Self {
        Self {
            info: TopicInfo {
                form: T::FORM,
                ..info
            },
            payload: PhantomData,
        }
    }

    /// The topic string.
    pub const fn name(&self) -> &'static str {
        self.info.name
    }

    /// The text of `value`.
    pub fn encode(&self, value: &T) -> String {
        value.encode()
    }

    /// The value of a payload received on this topic.
    ///
    /// # Errors
    /// When the payload is not of the topic's form.
    pub fn decode(&self, payload: &[u8]) -> Result<T, PayloadError> {
        T::decode(payload)
    }
}

/// Topics that differ in one level, e.g. `ci/global/dyn_current_limit/+`.
#[derive(Debug)]
pub struct TopicFamily<T> {
    /// The untyped facts; the name holds one `+` level.
    pub info: TopicInfo,
    payload: PhantomData<fn() -> T>,
}

impl<T: Payload> TopicFamily<T> {
    /// Declare a family; `info.name` must hold exactly one `+` level.
    pub const fn new(info: TopicInfo) -> Self {
        Self {
            info: TopicInfo {
                form: T::FORM,
                ..info
            },
            payload: PhantomData,
        }
    }

    /// The subscription filter.
    pub const fn filter(&self) -> &'static str {
        self.info.name
    }

    /// The member's name when `topic` belongs to the family.
    pub fn member<'t>(&self, topic: &'t str) -> Option<&'t str> {
        let (prefix, suffix) = self.info.name.split_once('+')?;
        let member = topic.strip_prefix(prefix)?.strip_suffix(suffix)?;
        is_level(member).then_some(member)
    }

    /// The topic of the member `name`; `None` for a name that MQTT does not allow
    /// in one level (empty, `/`, `+`, `#`, NUL).
    pub fn topic(&self, name: &str) -> Option<String> {
        let (prefix, suffix) = self.info.name.split_once('+')?;
        is_level(name).then(|| format!("{prefix}{name}{suffix}"))
    }

    /// The value of a payload received on a member of this family.
    ///
    /// # Errors
    /// When the payload is not of the family's form.
    pub fn decode(&self, payload: &[u8]) -> Result<T, PayloadError> {
        T::decode(payload)
    }
}

fn is_level(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '+', '#', '\0'])
}
