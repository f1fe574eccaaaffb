//! A second independent central system, `central_systems/strict.js`, as a child process.
//!
//! The npm package `ocpp-rpc` speaks the protocol; in its strict mode it checks every
//! frame by schemas of its own, in both directions.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interactive_central_system::InteractiveCentralSystem;

/// The directory with the Node packages of the judges.
fn judges() -> PathBuf {
    let Some(directory) = std::env::var_os("MODE3_NODE_JUDGES") else {
        panic!("MODE3_NODE_JUDGES names no directory with the Node judges: run ./dev test");
    };
    directory.into()
}

/// A running central system; killed when dropped.
pub struct StrictCentralSystem(InteractiveCentralSystem);

impl StrictCentralSystem {
    /// Start it with its trace in `trace_directory`.
    pub fn start(trace_directory: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/central_systems/strict.js");
        let mut command = Command::new("node");
        command.env("MODE3_NODE_JUDGES", judges()).arg(script);
        Self(InteractiveCentralSystem::start(
            command,
            trace_directory,
            "strict",
        ))
    }
}

impl Deref for StrictCentralSystem {
    type Target = InteractiveCentralSystem;

    fn deref(&self) -> &InteractiveCentralSystem {
        &self.0
    }
}

impl DerefMut for StrictCentralSystem {
    fn deref_mut(&mut self) -> &mut InteractiveCentralSystem {
        &mut self.0
    }
}
