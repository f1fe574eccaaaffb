//! The simulated bench: dumb physics of board, vehicle and peripherals.
//!
//! It never opens, refuses or corrects anything for the code under test and
//! shares nothing with it but the wire format of the board's socket.

mod board_socket;
pub mod broker;
pub mod bus;
pub mod central_system;
pub mod control;
pub mod ctl;
pub mod edges;
pub mod meter;
pub mod mosquitto;
pub mod plant;
mod pty;
mod readings;
pub mod recloser;
pub mod rfid;
pub mod socket_server;
pub mod station;

pub use readings::{MeterSource, Readings};
pub use station::{Station, StationHandle};
