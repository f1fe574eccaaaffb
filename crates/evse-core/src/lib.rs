//! The pure charge-state supervisor of a Mode 3 AC charging station.
//!
//! No I/O, no clock, no allocation: the shell (`evsed`) feeds samples and
//! requests together with a monotonic time and carries out the actuation.
//!
//! ```
//! use evse_core::*;
//!
//! let config = Config {
//!     connection: Connection::Socket { lock: LockProfile::DEFAULT },
//!     evse_limit: Amperes::new(32),
//!     grid_limit: GridRating::FACTORY[13].limit,
//!     failsafe: None,
//!     contactor_feedback: Feedback::NormallyOpen,
//!     authentication: Authentication::Free,
//!     always_accept_state_d: false,
//!     rcd: None,
//!     emergency: None,
//!     relay_2: SecondRelay::Ventilation(Ventilation::NONE),
//!     wake_up: WakeUp::default(),
//! };
//! let mut machine = Machine::new(config, Millis(0));
//! let step = machine.step(Millis(0), Input::Request(Request::OcppLimit(Some(Amperes::new(16)))));
//! assert!(!step.actuation.relay_1);
//! assert_eq!(machine.status().offered_limit, Amperes::new(16));
//! ```
#![cfg_attr(not(test), no_std)]

mod actuation;
mod alarm_input;
mod authorization;
mod availability;
mod config;
mod contactor;
mod detectors;
mod leds;
mod limits;
mod lock;
mod lock_profile;
mod machine;
mod phases;
mod pilot;
mod proximity;
mod rcd;
mod reading;
mod sample;
mod session;
mod status;
mod step;
mod units;
mod ventilation;
mod wake_up;

pub use actuation::{Actuation, DigitalOutput, DigitalOutputs, LockDrive, PilotOutput};
pub use authorization::{Authentication, Grant};
pub use availability::{Availability, Operation};
pub use config::{Config, Connection, SecondRelay};
pub use contactor::{ContactorFault, ContactorPosition, Feedback};
pub use leds::{Led, LedBehavior, LedCondition, LedMode, LedNotice, LedPanel};
pub use limits::DynamicSlot;
pub use lock::LockFailure;
pub use lock_profile::{LockPosition, LockProfile};
pub use machine::Machine;
pub use phases::PhaseSwitch;
pub use proximity::{CableCoding, ProximityError};
pub use rcd::{RcdError, RcdMonitor, RcdTest};
pub use reading::{CpState, PilotFault};
pub use sample::{
    DigitalInput, DigitalInputs, GridRating, Inputs, PhaseCount, PilotPeaks, RotaryPosition,
    Sample, SensorFault,
};
pub use session::StopReason;
pub use status::{Event, Events, SessionState, Status, UnlockResult};
pub use step::{Input, Pace, Request, Step};
pub use units::{Amperes, DutyCycle, Millis, Millivolts};
pub use ventilation::{Ventilation, VentilationControl, VentilationStatus};
pub use wake_up::WakeUp;
