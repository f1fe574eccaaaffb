//! Requests of the charge point about firmware, logs, security and vendor data. Optional fields that
//! are `None` are left out.

use serde::Serialize;

use super::outgoing::Request;
use crate::{CiString, Timestamp};

/// `DataTransfer.req` to the central system.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataTransfer {
    pub vendor_id: CiString<255>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<CiString<50>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Request for DataTransfer {
    const ACTION: &'static str = "DataTransfer";
}

/// `DiagnosticsStatusNotification.req`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DiagnosticsStatusNotification {
    pub status: DiagnosticsStatus,
}

impl Request for DiagnosticsStatusNotification {
    const ACTION: &'static str = "DiagnosticsStatusNotification";
}

/// `DiagnosticsStatus` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum DiagnosticsStatus {
    Idle,
    Uploaded,
    UploadFailed,
    Uploading,
}

/// `FirmwareStatusNotification.req`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FirmwareStatusNotification {
    pub status: FirmwareStatus,
}

impl Request for FirmwareStatusNotification {
    const ACTION: &'static str = "FirmwareStatusNotification";
}

/// `FirmwareStatus` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum FirmwareStatus {
    Downloaded,
    DownloadFailed,
    Downloading,
    Idle,
    InstallationFailed,
    Installed,
    Installing,
}

/// `SignedFirmwareStatusNotification.req`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedFirmwareStatusNotification {
    pub status: SignedFirmwareStatus,
    /// Of the `SignedUpdateFirmware`; absent only with `Idle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<i64>,
}

impl Request for SignedFirmwareStatusNotification {
    const ACTION: &'static str = "SignedFirmwareStatusNotification";
}

/// `FirmwareStatusEnumType` of the security white paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(
    dead_code,
    reason = "part of the wire; this station never reports some"
)]
pub(crate) enum SignedFirmwareStatus {
    Downloaded,
    DownloadFailed,
    Downloading,
    DownloadPaused,
    DownloadScheduled,
    Idle,
    InstallationFailed,
    Installed,
    Installing,
    InstallRebooting,
    InstallScheduled,
    InstallVerificationFailed,
    InvalidSignature,
    SignatureVerified,
}

/// `LogStatusNotification.req`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogStatusNotification {
    pub status: LogStatus,
    /// Of the `GetLog`; absent only with `Idle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<i64>,
}

impl Request for LogStatusNotification {
    const ACTION: &'static str = "LogStatusNotification";
}

/// `UploadLogStatusEnumType` of the security white paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[allow(
    dead_code,
    reason = "part of the wire; this station never reports some"
)]
pub(crate) enum LogStatus {
    BadMessage,
    Idle,
    NotSupportedOperation,
    PermissionDenied,
    Uploaded,
    UploadFailure,
    Uploading,
}

/// `SecurityEventNotification.req`
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityEventNotification {
    /// One of the white paper's names, or a vendor's.
    #[serde(rename = "type")]
    pub kind: CiString<50>,
    /// When it happened.
    pub timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tech_info: Option<CiString<255>>,
}

impl Request for SecurityEventNotification {
    const ACTION: &'static str = "SecurityEventNotification";
}

/// `SignCertificate.req`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SignCertificate {
    /// PEM form.
    pub csr: CiString<5500>,
}

impl Request for SignCertificate {
    const ACTION: &'static str = "SignCertificate";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::outgoing::payload;
    use serde_json::json;

    #[test]
    fn names_are_those_of_the_wire() {
        let event = SecurityEventNotification {
            kind: CiString::truncated("StartupOfTheDevice"),
            timestamp: Timestamp::from_unix_millis(0),
            tech_info: None,
        };
        let log = LogStatusNotification {
            status: LogStatus::UploadFailure,
            request_id: Some(7),
        };
        let transfer = DataTransfer {
            vendor_id: CiString::truncated("v"),
            message_id: Some(CiString::truncated("m")),
            data: None,
        };
        assert_eq!(
            payload(&event),
            json!({"type": "StartupOfTheDevice", "timestamp": "1970-01-01T00:00:00.000Z"})
        );
        assert_eq!(
            payload(&log),
            json!({"status": "UploadFailure", "requestId": 7})
        );
        assert_eq!(
            payload(&transfer),
            json!({"vendorId": "v", "messageId": "m"})
        );
    }
}
