//! The bench without hardware: meters on echoing lines.

pub mod meter;
pub mod readings;
