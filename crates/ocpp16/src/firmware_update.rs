//! An update of the firmware that the central system asked for: what survives a restart.

use serde::{Deserialize, Serialize};

use crate::message::notification::SignedFirmwareStatus;
use crate::{Location, Timestamp};

/// An update from its request until its result has been told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirmwareUpdate {
    /// What the installer is asked for.
    pub order: FirmwareOrder,
    /// It does not begin earlier.
    pub not_before: Timestamp,
    /// `requestId` of a SignedUpdateFirmware.
    pub request: Option<i64>,
    /// How far it is.
    pub phase: Phase,
    /// Whether the installer has confirmed the signature of a SignedUpdateFirmware.
    pub verified: bool,
    /// The system that ran when the phase was entered.
    pub boot: Boot,
}

/// What the installer needs to know (guide 11.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirmwareOrder {
    /// Where the file is.
    pub location: Location,
    /// Attempts to download it, at least 1.
    pub trials: u32,
    /// Seconds between two attempts.
    pub interval_s: u32,
    /// Present in a SignedUpdateFirmware.
    pub signature: Option<FirmwareSignature>,
}

/// What a file must be signed with (security white paper, use case L01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareSignature {
    /// The signer's certificate in PEM form.
    pub certificate: String,
    /// Base64.
    pub signature: String,
}

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Waits for its time, for the connection, or for another update to end.
    Scheduled,
    /// The installer has been asked and has not answered yet.
    Ordered,
    /// The file is being transferred.
    Downloading,
    /// The file is here.
    Downloaded,
    /// The file is being installed.
    Installing,
    /// The station restarts as soon as no session runs.
    Installed,
    /// Over; this is still to be told.
    Ended(FirmwareOutcome),
}

/// How an update ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirmwareOutcome {
    /// It runs.
    Installed,
    /// The file did not come.
    DownloadFailed,
    /// The installer refused or failed, or the old system runs again.
    InstallationFailed,
    /// The file is not signed as a SignedUpdateFirmware asked, or nobody confirmed that it is.
    InvalidSignature,
}

/// Which start of which system this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Differs between two starts of the system.
    pub id: String,
    /// Differs between the two systems of which one is updated while the other runs (guide 11.1).
    pub system: String,
}

/// What the installer does (guide 11.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the guide")]
pub enum Installer {
    Idle,
    Downloading,
    DownloadSucceeded,
    DownloadFailed,
    Installing,
    InstallSucceeded,
    InstallFailed,
}

impl Installer {
    /// Whether an update is under way, whoever asked for it.
    pub(crate) const fn busy(self) -> bool {
        matches!(
            self,
            Self::Downloading | Self::DownloadSucceeded | Self::Installing
        )
    }
}

impl Phase {
    /// Whether the installer has it in hand.
    pub(crate) const fn underway(self) -> bool {
        matches!(
            self,
            Self::Ordered | Self::Downloading | Self::Downloaded | Self::Installing
        )
    }

    /// What a failure in this phase is called.
    pub(crate) const fn failure(self) -> FirmwareOutcome {
        match self {
            Self::Scheduled | Self::Ordered | Self::Downloading => FirmwareOutcome::DownloadFailed,
            Self::Downloaded | Self::Installing | Self::Installed | Self::Ended(_) => {
                FirmwareOutcome::InstallationFailed
            }
        }
    }
}

impl FirmwareUpdate {
    /// What a trigger is answered with.
    pub(crate) fn status(&self) -> SignedFirmwareStatus {
        match self.phase {
            Phase::Scheduled | Phase::Ordered => SignedFirmwareStatus::DownloadScheduled,
            Phase::Downloading => SignedFirmwareStatus::Downloading,
            Phase::Downloaded if self.verified => SignedFirmwareStatus::SignatureVerified,
            Phase::Downloaded => SignedFirmwareStatus::Downloaded,
            Phase::Installing => SignedFirmwareStatus::Installing,
            Phase::Installed => SignedFirmwareStatus::InstallRebooting,
            Phase::Ended(outcome) => outcome.status(),
        }
    }
}

impl FirmwareOutcome {
    pub(crate) const fn status(self) -> SignedFirmwareStatus {
        match self {
            Self::Installed => SignedFirmwareStatus::Installed,
            Self::DownloadFailed => SignedFirmwareStatus::DownloadFailed,
            Self::InstallationFailed => SignedFirmwareStatus::InstallationFailed,
            Self::InvalidSignature => SignedFirmwareStatus::InvalidSignature,
        }
    }
}
