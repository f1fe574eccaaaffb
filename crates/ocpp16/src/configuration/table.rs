//! The table of configuration keys.

use super::key::Key;
use crate::feature::Feature;

/// The allowed values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Boolean,
    /// 0, or from the first number to the second.
    ZeroOr(u32, u32),
    /// From the first number to the second.
    Range(u32, u32),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A comma-separated list of measurands.
    Measurands,
    /// A comma-separated list of `connector.rotation`.
    PhaseRotation,
    /// At least and at most so many characters.
    Text(usize, usize),
    /// A password for HTTP Basic.
    AuthorizationKey,
    /// `ws://` or `wss://` in lower case, and a host.
    WebSocketUri,
    /// The default is all that can be carried out; the standard has the key writable.
    Fixed,
    /// Can't be changed.
    ReadOnly,
}

/// Where a changed value survives a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In customer.json, which another process writes.
    Customer,
    /// In a file of the charge point's own, because customer.json has no place for it.
    Here,
    /// Nowhere.
    Nowhere,
}

/// A row of the table.
pub(super) struct Specification {
    pub(super) key: Key,
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) default: &'static str,
    pub(super) kept: Kept,
    /// A key of a feature that is not carried out is not there.
    pub(super) feature: Feature,
    pub(super) readable: bool,
    /// All others take effect at once.
    pub(super) after_reboot: bool,
}

/// Entries that a list of measurands may have, as advertised by the `...MaxLength` keys.
pub(super) const LONGEST_LIST: usize = 27;
/// Keys that one `GetConfiguration` may name.
pub(crate) const MAX_REQUESTED_KEYS: usize = 50;
const DAY: u32 = 86_400;
const ANY: u32 = i32::MAX as u32;

const fn key(key: Key, name: &'static str, form: Form, default: &'static str) -> Specification {
    Specification {
        key,
        name,
        form,
        default,
        kept: Kept::Customer,
        feature: Feature::Core,
        readable: true,
        after_reboot: false,
    }
}

impl Specification {
    const fn kept(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    const fn of(self, feature: Feature) -> Self {
        Self { feature, ..self }
    }

    const fn write_only(self) -> Self {
        Self {
            readable: false,
            ..self
        }
    }

    const fn after_reboot(self) -> Self {
        Self {
            after_reboot: true,
            ..self
        }
    }
}

/// Defaults and ranges of guide tables 6 and 48; where they contradict, table 48 holds, because
/// it is where values are stored. Capacities are those that the code enforces. The keys with `Sign`
/// in their names, and `MeterPublicKey1`, are of OCA's application note "Signed Meter Values in
/// OCPP" 1.0, section 3.3.
pub(super) const SPECIFICATIONS: [Specification; 69] = [
    key(
        Key::AdditionalRootCertificateCheck,
        "AdditionalRootCertificateCheck",
        Form::ReadOnly,
        "false",
    )
    .of(Feature::Security),
    key(
        Key::AlignedDataSignReadings,
        "AlignedDataSignReadings",
        Form::Fixed,
        "false",
    )
    .kept(Kept::Nowhere),
    key(
        Key::AlignedDataSignUpdatedReadings,
        "AlignedDataSignUpdatedReadings",
        Form::ReadOnly,
        "false",
    ),
    key(
        Key::AllowOfflineTxForUnknownId,
        "AllowOfflineTxForUnknownId",
        Form::Boolean,
        "false",
    ),
    key(
        Key::AllowTxWithInvalidTime,
        "allowTxWithInvalidTime",
        Form::Boolean,
        "false",
    ),
    key(
        Key::AuthorizationCacheEnabled,
        "AuthorizationCacheEnabled",
        Form::Boolean,
        "true",
    )
    .of(Feature::AuthorizationCache),
    key(
        Key::AuthorizationKey,
        "AuthorizationKey",
        Form::AuthorizationKey,
        "",
    )
    .of(Feature::Security)
    .kept(Kept::Here)
    .write_only(),
    key(
        Key::AuthorizeRemoteTxRequests,
        "AuthorizeRemoteTxRequests",
        Form::Boolean,
        "false",
    ),
    key(
        Key::BootNotificationOnReconnect,
        "bootNotificationOnReconnect",
        Form::Boolean,
        "false",
    ),
    key(
        Key::CalibrationLawFormat,
        "calibrationLawFormat",
        Form::OneOf(&["ocmf,plain", "ocmf,hex"]),
        "ocmf,plain",
    ),
    key(
        Key::CentralSystemUri,
        "CentralSystemURI",
        Form::WebSocketUri,
        "",
    )
    .after_reboot(),
    key(
        Key::CertificateSignedMaxChainSize,
        "CertificateSignedMaxChainSize",
        Form::ReadOnly,
        "10000",
    )
    .of(Feature::Security),
    key(
        Key::CertificateStoreMaxLength,
        "CertificateStoreMaxLength",
        Form::ReadOnly,
        "10",
    )
    .of(Feature::Security),
    key(
        Key::ChargeProfileMaxStackLevel,
        "ChargeProfileMaxStackLevel",
        Form::ReadOnly,
        "8",
    ),
    key(
        Key::ChargingScheduleAllowedChargingRateUnit,
        "ChargingScheduleAllowedChargingRateUnit",
        Form::ReadOnly,
        "Current,Power",
    ),
    key(
        Key::ChargingScheduleMaxPeriods,
        "ChargingScheduleMaxPeriods",
        Form::ReadOnly,
        "96",
    ),
    key(
        Key::ClockAlignedDataInterval,
        "ClockAlignedDataInterval",
        Form::ZeroOr(10, DAY),
        "0",
    ),
    key(
        Key::ConnectionTimeOut,
        "ConnectionTimeOut",
        Form::ZeroOr(10, ANY),
        "60",
    ),
    key(
        Key::ConnectorPhaseRotation,
        "ConnectorPhaseRotation",
        Form::PhaseRotation,
        "0.Unknown,1.Unknown",
    )
    .kept(Kept::Here),
    key(
        Key::ConnectorPhaseRotationMaxLength,
        "ConnectorPhaseRotationMaxLength",
        Form::ReadOnly,
        "2",
    ),
    key(
        Key::ConnectorSwitch3to1PhaseSupported,
        "ConnectorSwitch3to1PhaseSupported",
        Form::ReadOnly,
        "false",
    ),
    key(Key::CpoName, "CpoName", Form::Text(0, 50), "")
        .of(Feature::Security)
        .kept(Kept::Here),
    key(
        Key::FtpTryTlsUpgrade,
        "ftpTryTLSUpgrade",
        Form::ReadOnly,
        "false",
    )
    .of(Feature::FirmwareManagement),
    key(
        Key::GetConfigurationMaxKeys,
        "GetConfigurationMaxKeys",
        Form::ReadOnly,
        "50",
    ),
    key(
        Key::HeartbeatInterval,
        "HeartbeatInterval",
        Form::Range(0, ANY),
        "600",
    )
    .kept(Kept::Nowhere),
    key(
        Key::LocalAuthListEnabled,
        "LocalAuthListEnabled",
        Form::Boolean,
        "true",
    )
    .of(Feature::LocalAuthListManagement),
    key(
        Key::LocalAuthListMaxLength,
        "LocalAuthListMaxLength",
        Form::ReadOnly,
        "10000",
    )
    .of(Feature::LocalAuthListManagement),
    key(
        Key::LocalAuthorizeOffline,
        "LocalAuthorizeOffline",
        Form::Boolean,
        "true",
    ),
    key(
        Key::LocalPreAuthorize,
        "LocalPreAuthorize",
        Form::Boolean,
        "true",
    ),
    key(
        Key::MaxChargingProfilesInstalled,
        "MaxChargingProfilesInstalled",
        Form::ReadOnly,
        "20",
    ),
    key(
        Key::MaxEnergyOnInvalidId,
        "MaxEnergyOnInvalidId",
        Form::Range(0, ANY),
        "0",
    )
    .kept(Kept::Here),
    key(
        Key::MessageTimeout,
        "MessageTimeout",
        Form::Range(1, 3600),
        "30",
    )
    .kept(Kept::Here),
    // There only with a meter that signs.
    key(Key::Meter1PublicKey, "Meter1PublicKey", Form::ReadOnly, ""),
    // As the one before.
    key(Key::MeterPublicKey1, "MeterPublicKey1", Form::ReadOnly, ""),
    key(
        Key::MeterValuesAlignedData,
        "MeterValuesAlignedData",
        Form::Measurands,
        "",
    ),
    key(
        Key::MeterValuesAlignedDataMaxLength,
        "MeterValuesAlignedDataMaxLength",
        Form::ReadOnly,
        "27",
    ),
    key(
        Key::MeterValuesSampledData,
        "MeterValuesSampledData",
        Form::Measurands,
        "Energy.Active.Import.Register",
    ),
    key(
        Key::MeterValuesSampledDataMaxLength,
        "MeterValuesSampledDataMaxLength",
        Form::ReadOnly,
        "27",
    ),
    key(
        Key::MeterValueSampleInterval,
        "MeterValueSampleInterval",
        Form::ZeroOr(10, DAY),
        "60",
    ),
    key(
        Key::MinimumStatusDuration,
        "MinimumStatusDuration",
        Form::Range(0, 3600),
        "0",
    )
    .kept(Kept::Here),
    key(
        Key::NumberOfConnectors,
        "NumberOfConnectors",
        Form::ReadOnly,
        "1",
    ),
    key(
        Key::PublicKeyWithSignedMeterValue,
        "PublicKeyWithSignedMeterValue",
        Form::OneOf(&["Never", "OncePerTransaction", "EveryMeterValue"]),
        "OncePerTransaction",
    )
    .kept(Kept::Here),
    key(
        Key::ReserveConnectorZeroSupported,
        "ReserveConnectorZeroSupported",
        Form::ReadOnly,
        "true",
    )
    .of(Feature::Reservation),
    key(Key::ResetRetries, "ResetRetries", Form::Fixed, "0").kept(Kept::Nowhere),
    key(
        Key::RfidRequiresEvPresent,
        "ocpp/rfidRequiresEvPresent",
        Form::Boolean,
        "false",
    ),
    key(
        Key::RfidStopTransaction,
        "ocpp/rfidStopTransaction",
        Form::Boolean,
        "true",
    ),
    key(
        Key::SampledDataSignReadings,
        "SampledDataSignReadings",
        Form::Boolean,
        "false",
    )
    .kept(Kept::Here),
    key(
        Key::SampledDataSignUpdatedReadings,
        "SampledDataSignUpdatedReadings",
        Form::ReadOnly,
        "false",
    ),
    key(
        Key::SecurityProfile,
        "SecurityProfile",
        Form::Range(0, 3),
        "0",
    )
    .of(Feature::Security)
    .kept(Kept::Here),
    key(
        Key::SendLocalListMaxLength,
        "SendLocalListMaxLength",
        Form::ReadOnly,
        "10000",
    )
    .of(Feature::LocalAuthListManagement),
    key(
        Key::SendMeterPublicKeyOnBootNotification,
        "sendMeterPublicKeyOnBootNotification",
        Form::Boolean,
        "true",
    ),
    key(
        Key::StopTransactionMaxMeterValues,
        "StopTransactionMaxMeterValues",
        Form::Range(2, 500),
        "200",
    )
    .kept(Kept::Here),
    key(
        Key::StopTransactionOnEVSideDisconnect,
        "StopTransactionOnEVSideDisconnect",
        Form::Fixed,
        "true",
    )
    .kept(Kept::Nowhere),
    key(
        Key::StopTransactionOnInvalidId,
        "StopTransactionOnInvalidId",
        Form::Boolean,
        "true",
    ),
    key(
        Key::StopTransactionSignatureFormat,
        "StopTransactionSignatureFormat",
        Form::ReadOnly,
        "MR",
    ),
    key(
        Key::StopTxnAlignedData,
        "StopTxnAlignedData",
        Form::Measurands,
        "",
    ),
    key(
        Key::StopTxnAlignedDataMaxLength,
        "StopTxnAlignedDataMaxLength",
        Form::ReadOnly,
        "27",
    ),
    key(
        Key::StopTxnSampledData,
        "StopTxnSampledData",
        Form::Measurands,
        "",
    ),
    key(
        Key::StopTxnSampledDataMaxLength,
        "StopTxnSampledDataMaxLength",
        Form::ReadOnly,
        "27",
    ),
    key(
        Key::SupportedFeatureProfiles,
        "SupportedFeatureProfiles",
        Form::ReadOnly,
        "",
    ),
    key(
        Key::SupportedFeatureProfilesMaxLength,
        "SupportedFeatureProfilesMaxLength",
        Form::ReadOnly,
        "6",
    ),
    key(
        Key::SupportedFileTransferProtocols,
        "SupportedFileTransferProtocols",
        Form::ReadOnly,
        "FTP,FTPS,HTTP,HTTPS",
    )
    .of(Feature::FirmwareManagement),
    key(
        Key::TransactionMessageAttempts,
        "TransactionMessageAttempts",
        Form::Range(1, ANY),
        "3",
    ),
    key(
        Key::TransactionMessageRetryInterval,
        "TransactionMessageRetryInterval",
        Form::Range(0, ANY),
        "30",
    ),
    key(
        Key::UnlockConnectorOnEVSideDisconnect,
        "UnlockConnectorOnEVSideDisconnect",
        Form::Fixed,
        "true",
    )
    .kept(Kept::Nowhere),
    key(
        Key::UseAsTimeSource,
        "useAsTimeSource",
        Form::Boolean,
        "true",
    ),
    key(Key::VendorId, "vendorId", Form::ReadOnly, ""),
    key(
        Key::WebSocketPingInterval,
        "WebSocketPingInterval",
        Form::Range(0, ANY),
        "0",
    ),
    key(
        Key::WebSocketPingTimeout,
        "webSocketPingTimeout",
        Form::Range(1, ANY),
        "120",
    ),
];
