//! One EIA-485 line with several devices on it: a pseudo terminal that echoes like
//! the board's transceiver.
//!
//! As on the wire, every device hears everything: requests for others and the
//! others' answers, too.

mod line;
mod registers;

pub use line::{Fault, SharedLine};
pub use registers::{Content, Registers};

/// What hangs on the line.
pub trait Device: Send + 'static {
    /// Take bytes as they arrive, `after_silence` when the line was quiet before;
    /// the answer once they make a request for this device.
    fn hear(&mut self, bytes: &[u8], after_silence: bool) -> Option<Vec<u8>>;

    /// The same by a device that refuses everything with `code`, and does nothing.
    fn refuse(&mut self, bytes: &[u8], after_silence: bool, code: u8) -> Option<Vec<u8>>;
}
