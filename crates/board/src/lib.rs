//! The board's electrics behind one trait.
//!
//! Called only by the control thread of `evsed`; every call may block for a few
//! milliseconds and none waits for the network or the disk.

use evse_core::{Actuation, Inputs, RotaryPosition, Sample};

/// A failed board operation, naming what and where.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {source}")]
pub struct BoardError {
    /// Operation and line, channel or file, e.g. `set RELAY_1_ENABLE`.
    pub operation: String,
    /// What the kernel or the simulator's socket answered.
    #[source]
    pub source: std::io::Error,
}

/// Everything that evsed may ask of the hardware.
pub trait Board: Send {
    /// One full round: pilot peaks (3.5 ms: peak detector reset and settling),
    /// proximity, lock sense, capacitor, inputs. A sensor that fails is marked in
    /// the sample; the others are still read.
    fn sample(&mut self) -> Sample;

    /// Only the on/off inputs: the quick look between two rounds.
    ///
    /// # Errors
    /// When any line can't be read.
    fn inputs(&mut self) -> Result<Inputs, BoardError>;

    /// Position of the rotary switch, read once at start (guide 4.2.2).
    ///
    /// # Errors
    /// When any line can't be read.
    fn rotary_position(&mut self) -> Result<RotaryPosition, BoardError>;

    /// Write the levels that differ from the last ones written; the first call
    /// writes all. Opens relays before anything else. Every write is checked.
    ///
    /// # Errors
    /// The first write that failed; the remaining ones are still tried, and the
    /// failed one is tried again by the next call.
    fn apply(&mut self, actuation: &Actuation) -> Result<(), BoardError>;
}
