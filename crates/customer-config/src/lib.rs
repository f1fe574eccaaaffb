//! customer.json, leds.json and rotaryencd.json: types, defaults, ranges, and an edit
//! that keeps every other byte.
//!
//! One table ([`keys`]) holds each key's path, type, range, default, OCPP access and
//! meaning. Reading, editing, the JSON Schema and the reference page are derived from it.
//!
//! Reading is forgiving where that is safe (guide 14.1): an unknown key is reported and
//! ignored, a wrong value is reported and replaced by the default. It is strict where a
//! default would switch a protection off, and about syntax: the file is JSON with comments,
//! and nothing more.

mod customer;
mod edit;
mod error;
mod file;
mod json_schema;
mod key;
pub mod keys;
mod leds;
mod lines;
mod ocpp_text;
mod read;
mod reference;
mod rotary_encoder;
mod syntax;
mod tree;
mod words;

pub use customer::*;
pub use edit::edit;
pub use error::{ConfigError, Warning};
pub use file::write_atomically;
pub use json_schema::json_schema;
pub use key::{Applies, Initial, Key, Kind, OcppAccess, TextRule, WhenWrong};
pub use leds::{Behavior, Color, Condition, Led, Leds, Mode};
pub use lines::{DIGITAL_INPUTS, DIGITAL_OUTPUTS, list_lines};
pub use reference::reference_page;
pub use rotary_encoder::{Position, RotaryEncoder};
