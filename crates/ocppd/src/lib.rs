//! The OCPP 1.6J daemon: carries what `ocpp16` decides to the central system, the broker and
//! the flash.
//!
//! ```text
//!   broker ──▶ station ─┐                 ┌─▶ database (own thread, durable before what follows)
//!                       ├─▶ ChargePoint ──┼─▶ connection (own task, owns the socket)
//!   connection ─────────┘   (one loop)    └─▶ broker: permission, limit, availability
//! ```
//!
//! It permits, limits and stops; it never closes a contactor.

mod address;
mod archive;
mod boot;
mod configuration;
mod connection;
mod daemon;
mod data_transfer;
mod database;
mod installer;
mod keys;
mod settings;
mod station;
mod tls;
mod transfer;
mod upload;

use daemon_kit::{Context, DaemonOption, Error};

use settings::Configured;

/// What ocppd adds to the common options.
pub const OPTIONS: &[DaemonOption] = &[
    DaemonOption {
        name: "reboot-command",
        value: Some("COMMAND"),
        help: "carries out a Reset of the central system (systemctl reboot)",
    },
    DaemonOption {
        name: "offline-after",
        value: Some("SECONDS"),
        help: "how long a user waits for the first connection after the start (120)",
    },
    DaemonOption {
        name: "set-clock-command",
        value: Some("COMMAND"),
        help: "sets the system clock; gets the time as last argument (none: it is only logged)",
    },
    DaemonOption {
        name: "journal-command",
        value: Some("COMMAND"),
        help: "prints the log, newest first; gets --since=@s, --until=@s and --lines=n (journalctl)",
    },
    DaemonOption {
        name: "log-dir",
        value: Some("DIR"),
        help: "its *.log files go into diagnostics, too (none)",
    },
    DaemonOption {
        name: "proc",
        value: Some("DIR"),
        help: "tells which system has been started, and when (/proc)",
    },
];

/// Runs until asked to stop.
///
/// # Errors
/// When customer.json can't be used, or names no usable central system.
pub async fn run(context: Context) -> Result<(), Error> {
    match settings::load(&context.arguments)? {
        Configured::Off => daemon::stay_away(context).await,
        Configured::On(configured) => daemon::serve(context, *configured).await,
    }
}
