//! Simulated electricity meters: Modbus RTU devices on pseudo terminals that echo
//! like the board's EIA-485 transceiver.
//!
//! The registers of each model stand in `registers.csv`, one row per value; a row
//! whose quantity the supply line knows is computed from it, the others keep their
//! reference content. `models.csv` holds the longest read that a model answers.

mod bsm;
mod fault;
mod image;
pub(crate) mod modbus;
mod port;
mod signing;
mod wm3m4c;

pub use fault::Fault;
pub use image::UnknownModel;
pub use port::{Heard, MeterConfig, MeterPort, StartError};
