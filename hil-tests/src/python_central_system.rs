//! An independent central system, `central_systems/interactive.py`, as a child process.
//!
//! It shares no code with this project: the PyPI package `ocpp` speaks the protocol and
//! checks every frame of the station by the official schemas.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interactive_central_system::InteractiveCentralSystem;

/// The Python interpreter that has the judges' packages.
pub fn judges() -> PathBuf {
    let Some(interpreter) = std::env::var_os("MODE3_JUDGES") else {
        panic!("MODE3_JUDGES names no Python interpreter with the judges: run ./dev test");
    };
    interpreter.into()
}

/// Where all traces of OCPP frames go; `./dev test` judges what it finds there.
pub fn trace_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ocpp-traces")
}

/// A running central system; killed when dropped.
pub struct PythonCentralSystem(InteractiveCentralSystem);

impl PythonCentralSystem {
    /// Start it with its trace in `trace_directory` and with these options of
    /// `interactive.py`: `--reply Action=ErrorCode`, `--calls-before-boot`,
    /// `--pending N`, `--interval N`, `--transaction-id N`, `--port N`.
    pub fn start(trace_directory: &Path, options: &[&str]) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/central_systems/interactive.py"
        );
        let mut command = Command::new(judges());
        command.arg(script).args(options);
        Self(InteractiveCentralSystem::start(
            command,
            trace_directory,
            "python",
        ))
    }
}

impl Deref for PythonCentralSystem {
    type Target = InteractiveCentralSystem;

    fn deref(&self) -> &InteractiveCentralSystem {
        &self.0
    }
}

impl DerefMut for PythonCentralSystem {
    fn deref_mut(&mut self) -> &mut InteractiveCentralSystem {
        &mut self.0
    }
}

#[cfg(test)]
mod tests;
