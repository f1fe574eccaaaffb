//! Cables and their resistors between proximity pilot and PE.

use serde::{Deserialize, Serialize};

/// A cable, as its proximity resistor tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cable {
    /// 13 A.
    A13,
    /// 20 A.
    A20,
    /// 32 A.
    A32,
    /// 63 A three phases, 70 A one phase.
    A63,
    /// A resistor that stands for nothing.
    Invalid,
    /// The proximity contact is interrupted though the plug is in.
    Open,
    /// Attached to the station: no plug, no proximity resistor, no lock.
    Fixed,
}

/// The bolt holds the plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plug is locked")]
pub struct PlugHeld;

/// Voltage at the board's proximity input in mV. The board's pull-up isn't
/// published, so these are the middles of the published bands.
pub fn proximity_mv(cable: Option<Cable>) -> i32 {
    match cable {
        None | Some(Cable::Open | Cable::Fixed) => 3000,
        Some(Cable::A13) => 2135,
        Some(Cable::A20) => 1490,
        Some(Cable::A32) => 1030,
        Some(Cable::A63) => 820,
        Some(Cable::Invalid) => 300,
    }
}
