//! What every daemon's main shares: arguments, logging, configuration, the MQTT
//! bus, shutdown, systemd notification and exit codes.
//!
//! A daemon is `fn main() -> ExitCode { daemon_kit::main("meteringd", meteringd::run) }`
//! and a library with `pub async fn run(ctx: Context) -> Result<(), Error>`.

mod arguments;
mod bus;
mod error;
mod logging;
mod run;
mod supervision;

pub use arguments::{Arguments, DaemonOption};
pub use bus::{Bus, Event, Message, Publisher};
pub use error::Error;
pub use run::{Context, main, main_with_options};
pub use supervision::{Shutdown, Supervisor};
