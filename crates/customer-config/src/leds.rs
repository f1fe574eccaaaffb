//! leds.json as types (guide 7.9.2, 14.1 table 49).

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::read::read;
use crate::words::words;
use crate::{ConfigError, Warning, file, keys, syntax};

/// leds.json: the status LEDs and what they show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leds {
    /// The LEDs.
    pub leds: Vec<Led>,
}

/// One LED, of one color or of three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Led {
    /// Linux GPIO numbers: red, green, blue, or a single one.
    pub gpios: Vec<u32>,
    /// What it shows when.
    pub behaviors: Vec<Behavior>,
}

/// What an LED shows under a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behavior {
    /// When.
    pub condition: Condition,
    /// Steady or blinking.
    pub mode: Mode,
    /// Color.
    pub color: Color,
    /// How long, in units of 100 ms; 0: as long as the condition.
    pub duration: u32,
}

words! {
    /// When a behavior applies. The guide does not define the words beyond their names.
    Condition {
        /// The station starts.
        Init = "init",
        /// A firmware update runs.
        Updating = "updating",
        /// An authorization waits for its answer.
        AuthPending = "auth_pending",
        /// An authorization was accepted.
        AuthAccepted = "auth_accepted",
        /// An authorization was rejected.
        AuthRejected = "auth_rejected",
        /// Idle and usable.
        Ready = "ready",
        /// Out of service.
        Deactivated = "deactivated",
        /// Reserved.
        Reserved = "reserved",
        /// An EV is connected.
        Connected = "connected",
        /// The EV asks for energy and does not get any yet.
        ChargeRequest = "charge_request",
        /// The same with ventilation.
        VentilationRequest = "ventilation_request",
        /// The EV charges.
        Charge = "charge_1",
        /// The EV charges with ventilation.
        Ventilation = "ventilation_1",
        /// An error from which the station recovers by itself.
        Error = "error",
        /// A failure that needs help.
        Failure = "failure",
    }

    /// Steady or blinking.
    Mode {
        /// Steady.
        Solid = "solid",
        /// 1 s on, 1 s off.
        BlinkSlow = "blink_slow",
        /// 100 ms on, 100 ms off.
        BlinkFast = "blink_fast",
    }

    /// A color; a single LED is on with any but black.
    Color {
        /// Off.
        Black = "black",
        /// Red, green and blue.
        White = "white",
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
        /// Blue.
        Blue = "blue",
        /// Green and blue.
        Cyan = "cyan",
        /// Red and green.
        Yellow = "yellow",
        /// Red and blue.
        Magenta = "magenta",
    }
}

impl Color {
    /// Which of red, green and blue are on.
    pub const fn channels(self) -> [bool; 3] {
        match self {
            Self::Black => [false, false, false],
            Self::White => [true, true, true],
            Self::Red => [true, false, false],
            Self::Green => [false, true, false],
            Self::Blue => [false, false, true],
            Self::Cyan => [false, true, true],
            Self::Yellow => [true, true, false],
            Self::Magenta => [true, false, true],
        }
    }
}

impl Leds {
    /// Reads the text of leds.json. A behavior without a valid condition is left out.
    ///
    /// # Errors
    /// For bad syntax, an empty file and a key that is there twice.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), ConfigError> {
        let (mut complete, mut warnings) = read(keys::LEDS, &syntax::parse(text)?)?;
        drop_unconditional(&mut complete, &mut warnings);
        let mut leds: Self = file::typed(complete)?;
        for (index, led) in leds.leds.iter_mut().enumerate() {
            if !matches!(led.gpios.len(), 1..=3) {
                warnings.push(Warning::WrongValue {
                    path: format!("leds[{index}]/gpios"),
                    value: format!("{} numbers", led.gpios.len()),
                    allowed: "one to three GPIO numbers".to_owned(),
                    used: "[84]".to_owned(),
                });
                led.gpios = vec![84];
            }
        }
        Ok((leds, warnings))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the file can't be read.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        Self::parse(&file::read_text(path)?)
    }
}

fn drop_unconditional(complete: &mut Value, warnings: &mut Vec<Warning>) {
    let Some(leds) = complete.get_mut("leds").and_then(Value::as_array_mut) else {
        return;
    };
    for (led_index, led) in leds.iter_mut().enumerate() {
        let Some(behaviors) = led.get_mut("behaviors").and_then(Value::as_array_mut) else {
            continue;
        };
        let mut index = 0;
        behaviors.retain(|behavior| {
            let has_condition = behavior.get("condition").is_some();
            if !has_condition {
                warnings.push(Warning::Ignored {
                    path: format!("leds[{led_index}]/behaviors[{index}]"),
                    reason: "it has no condition",
                });
            }
            index += 1;
            has_condition
        });
    }
}
