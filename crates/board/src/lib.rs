//! The board's electrics behind one trait.
//!
//! Called only by the control thread of `evsed`; every call may block for a few
//! milliseconds and none waits for the network or the disk.
//!
//! [`driver`] holds the board's sequences and [`conversion`] and [`lines`] its
//! scales and polarities. They run unchanged over both [`electrics`]: the kernel
//! of the real board ([`tarragon`]) and the simulator's socket ([`remote`]).

pub mod conversion;
pub mod driver;
pub mod electrics;
mod indicator;
pub mod lines;
pub mod real_time;
pub mod remote;
pub mod tarragon;
pub mod wire;

use std::io;
use std::path::Path;

use evse_core::{Actuation, Inputs, RotaryPosition, Sample};

pub use driver::Driver;
pub use indicator::Indicator;
pub use remote::Remote;
pub use tarragon::{Tarragon, TarragonConfig};

/// A failed board operation, naming what and where.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {source}")]
pub struct BoardError {
    /// Operation and line, channel or file, e.g. `set RELAY_1_ENABLE=0`.
    pub operation: String,
    /// What the kernel or the simulator's socket answered.
    #[source]
    pub source: io::Error,
}

impl BoardError {
    /// `operation` names what was tried and where.
    pub fn new(operation: impl Into<String>, source: io::Error) -> Self {
        Self {
            operation: operation.into(),
            source,
        }
    }
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
    /// writes all. Opens relays before anything else and closes them last.
    /// Releasing the pilot takes 2 ms more than any other change.
    ///
    /// # Errors
    /// The first write that failed; the remaining ones are still tried, except
    /// that no relay is closed after a failure. The failed one is tried again by
    /// the next call.
    fn apply(&mut self, actuation: &Actuation) -> Result<(), BoardError>;
}

/// The board named on the command line: `tarragon`, or `unix:` and the path of a
/// simulated board's socket.
///
/// # Errors
/// When `spec` is neither, or the board can't be opened.
pub fn open(spec: &str, config: &TarragonConfig) -> Result<Box<dyn Board>, BoardError> {
    if let Some(path) = spec.strip_prefix("unix:") {
        let remote = Remote::connect(Path::new(path))?;
        return Ok(Box::new(Driver::new(remote, config.digital.outputs)));
    }
    if spec == "tarragon" {
        let tarragon = Tarragon::open(config)?;
        return Ok(Box::new(Driver::new(tarragon, config.digital.outputs)));
    }
    let expected = io::Error::new(
        io::ErrorKind::InvalidInput,
        "expected tarragon or unix:PATH",
    );
    Err(BoardError::new(format!("open board {spec:?}"), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_board_is_named() {
        let error = open("banana", &TarragonConfig::default()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "open board \"banana\": expected tarragon or unix:PATH"
        );
    }

    #[test]
    fn missing_socket_is_named() {
        let error = open("unix:/nonexistent/x", &TarragonConfig::default())
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nonexistent/x"), "{error}");
    }
}
