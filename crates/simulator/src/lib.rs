//! The simulated bench: dumb physics of board, vehicle and peripherals.
//!
//! It never opens, refuses or corrects anything for the code under test and
//! shares nothing with it but the wire format of the board's socket.

pub mod meter;
mod readings;

pub use readings::{MeterSource, Readings};
