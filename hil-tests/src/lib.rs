//! The bench of the end-to-end tests, the demo and the benchmarks: a broker, the
//! simulated board with its EV and meter, a central system, and the real daemons
//! as separate processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test bench ends where it fails, with the reason"
)]

mod bench;
mod binaries;
pub mod commentary;
mod interactive_central_system;
pub mod line_bench;
pub mod measure;
mod observer;
mod process;
mod python_central_system;
mod stall;
mod strict_central_system;

pub use bench::{Bench, LATER, SOON, Settings};
pub use binaries::binary;
pub use interactive_central_system::InteractiveCentralSystem;
pub use observer::{Observer, Seen};
pub use process::Process;
pub use python_central_system::{PythonCentralSystem, judges, trace_directory};
pub use strict_central_system::StrictCentralSystem;
