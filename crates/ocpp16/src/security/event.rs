//! Security events by the list of the white paper "Improved security for OCPP 1.6-J", edition 3.

use serde::{Deserialize, Serialize};

use crate::{CiString, Timestamp};

/// The events that can occur on this station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecurityEventKind {
    /// The central system refuses the password or the certificate of the station.
    FailedToAuthenticateAtCentralSystem,
    /// New firmware runs.
    FirmwareUpdated,
    /// The central system's certificate, or one it wanted installed, is not valid.
    InvalidCentralSystemCertificate,
    /// A certificate that was signed for the station is not valid.
    InvalidChargePointCertificate,
    /// The signature of a firmware file is not valid.
    InvalidFirmwareSignature,
    /// The certificate that firmware is to be verified with is not valid.
    InvalidFirmwareSigningCertificate,
    /// A message is no OCPP.
    InvalidMessages,
    /// The central system takes none of the cipher suites.
    #[serde(rename = "InvalidTLSCipherSuite")]
    InvalidTlsCipherSuite,
    /// The central system takes neither TLS 1.2 nor 1.3.
    #[serde(rename = "InvalidTLSVersion")]
    InvalidTlsVersion,
    /// Profile, password or certificates have changed.
    ReconfigurationOfSecurityParameters,
    /// The station is about to restart on request.
    ResetOrReboot,
    /// The log of security events has been emptied.
    SecurityLogWasCleared,
    /// The system clock is being set.
    SettingSystemTime,
    /// The board has started.
    StartupOfTheDevice,
}

impl SecurityEventKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailedToAuthenticateAtCentralSystem => "FailedToAuthenticateAtCentralSystem",
            Self::FirmwareUpdated => "FirmwareUpdated",
            Self::InvalidCentralSystemCertificate => "InvalidCentralSystemCertificate",
            Self::InvalidChargePointCertificate => "InvalidChargePointCertificate",
            Self::InvalidFirmwareSignature => "InvalidFirmwareSignature",
            Self::InvalidFirmwareSigningCertificate => "InvalidFirmwareSigningCertificate",
            Self::InvalidMessages => "InvalidMessages",
            Self::InvalidTlsCipherSuite => "InvalidTLSCipherSuite",
            Self::InvalidTlsVersion => "InvalidTLSVersion",
            Self::ReconfigurationOfSecurityParameters => "ReconfigurationOfSecurityParameters",
            Self::ResetOrReboot => "ResetOrReboot",
            Self::SecurityLogWasCleared => "SecurityLogWasCleared",
            Self::SettingSystemTime => "SettingSystemTime",
            Self::StartupOfTheDevice => "StartupOfTheDevice",
        }
    }

    /// Whether the list calls it critical: such an event is kept until it is delivered.
    pub const fn critical(self) -> bool {
        match self {
            Self::FirmwareUpdated
            | Self::ResetOrReboot
            | Self::SecurityLogWasCleared
            | Self::SettingSystemTime
            | Self::StartupOfTheDevice => true,
            Self::FailedToAuthenticateAtCentralSystem
            | Self::InvalidCentralSystemCertificate
            | Self::InvalidChargePointCertificate
            | Self::InvalidFirmwareSignature
            | Self::InvalidFirmwareSigningCertificate
            | Self::InvalidMessages
            | Self::InvalidTlsCipherSuite
            | Self::InvalidTlsVersion
            | Self::ReconfigurationOfSecurityParameters => false,
        }
    }

    /// Whether the central system is told: of critical events, and where a use case of the white
    /// paper asks for it. The others are only in the log.
    pub const fn told(self) -> bool {
        match self {
            Self::InvalidCentralSystemCertificate
            | Self::InvalidChargePointCertificate
            | Self::InvalidFirmwareSignature
            | Self::InvalidFirmwareSigningCertificate
            | Self::InvalidTlsCipherSuite
            | Self::InvalidTlsVersion => true,
            Self::FailedToAuthenticateAtCentralSystem
            | Self::FirmwareUpdated
            | Self::InvalidMessages
            | Self::ReconfigurationOfSecurityParameters
            | Self::ResetOrReboot
            | Self::SecurityLogWasCleared
            | Self::SettingSystemTime
            | Self::StartupOfTheDevice => self.critical(),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    #[serde(rename = "type")]
    pub kind: SecurityEventKind,
    /// Details for a technician; never a secret.
    #[serde(rename = "techInfo", skip_serializing_if = "Option::is_none", default)]
    pub tech_info: Option<CiString<255>>,
}

/// What of the security extension survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityState {
    /// The start of the system that was reported last; empty before the first one.
    pub boot: String,
    /// Events that the central system is still to be told, the oldest first.
    pub waiting: Vec<SecurityEvent>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_name_of_the_wire_in_the_log() {
        let kinds = [
            SecurityEventKind::InvalidTlsCipherSuite,
            SecurityEventKind::InvalidTlsVersion,
            SecurityEventKind::StartupOfTheDevice,
        ];
        for kind in kinds {
            let event = SecurityEvent {
                timestamp: Timestamp::EARLIEST_VALID,
                kind,
                tech_info: None,
            };
            let line = serde_json::to_value(event).unwrap();
            assert_eq!(line["type"], kind.name());
        }
    }
}
