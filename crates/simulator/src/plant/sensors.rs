//! ADC channels that break and the rotary switch that rests between positions.

use board::conversion::AdcRaw;
use board::electrics::SensorFault;
use serde::{Deserialize, Serialize};

/// What one ADC channel does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdcFault {
    /// It converts.
    #[default]
    None,
    /// Every conversion fails.
    Error,
    /// Every conversion gives this count, 0 to 4095.
    Frozen(u16),
}

impl AdcFault {
    pub(crate) fn distort(self, raw: u16) -> Result<AdcRaw, SensorFault> {
        match self {
            Self::None => AdcRaw::new(raw).ok_or(SensorFault),
            Self::Error => Err(SensorFault),
            Self::Frozen(count) => AdcRaw::new(count).ok_or(SensorFault),
        }
    }
}

/// One fault per channel in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the channels")]
pub struct AdcFaults {
    pub lock_sense: AdcFault,
    pub pilot_positive: AdcFault,
    pub pilot_negative: AdcFault,
    pub lock_capacitor: AdcFault,
    pub proximity: AdcFault,
}

/// The rotary switch SW2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotarySwitch {
    /// At a position, 0 to 15.
    At(u8),
    /// Between this position and the next: the contacts that differ chatter.
    Between(u8),
}

impl Default for RotarySwitch {
    /// Three phases, 32 A (guide table 16).
    fn default() -> Self {
        Self::At(13)
    }
}

impl RotarySwitch {
    /// The four contacts, one bit each, `1` is on.
    pub(crate) fn contacts(self, now_us: u64) -> u8 {
        // Slower than a round of measurements, so that a few readings see both.
        const CHATTER_US: u64 = 7000;
        match self {
            Self::At(position) => position & 0xF,
            Self::Between(position) if (now_us / CHATTER_US).is_multiple_of(2) => position & 0xF,
            Self::Between(position) => position.wrapping_add(1) & 0xF,
        }
    }
}
