//! Errors that end a daemon, and the exit code of each.

use std::process::ExitCode;

/// Why a daemon ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Arguments or configuration are unusable: restarting can't help.
    #[error("configuration: {0}")]
    Configuration(String),
    /// Anything else: systemd restarts the daemon.
    #[error("{operation}: {source}")]
    Failed {
        /// What was tried, naming the file, device or address.
        operation: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A failed operation; `operation` names what was tried and on what.
    pub fn failed(
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed {
            operation: operation.into(),
            source: source.into(),
        }
    }

    /// 78 for bad configuration (`RestartPreventExitStatus=78`), else 1.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) => ExitCode::from(78),
            Self::Failed { .. } => ExitCode::from(1),
        }
    }
}
