//! The pure charge-state supervisor of a Mode 3 AC charging station.
//!
//! No I/O, no clock, no allocation: the shell (`evsed`) feeds samples and
//! requests together with a monotonic time and carries out the actuation.
#![cfg_attr(not(test), no_std)]

mod actuation;
mod sample;
mod units;

pub use actuation::{Actuation, DigitalOutputs, LockDrive, PilotOutput};
pub use sample::{DigitalInputs, Inputs, PilotPeaks, RotaryPosition, Sample, SensorFault};
pub use units::{Amperes, DutyCycle, Millis, Millivolts};
