//! One EIA-485 transaction: open and lock, listen, send, remove the own echo,
//! receive, check, close.
//!
//! The board's transceiver hears what it sends (guide 7.3.5), several daemons share
//! one port, and meters answer late. So nothing outlives a transaction: each one
//! opens the port exclusively, throws away what lies in it, and is over within a
//! second, whatever the device does. A lost or foreign answer is an error, never a
//! value, and a write to a dead device never succeeds.

mod bus;
mod echo;
mod error;
mod line;
mod raw;

pub use bus::{Bus, ReadFunction};
pub use error::Error;
pub use line::{BaudRate, DeviceAddress, Line, LocalEcho, Parity};
