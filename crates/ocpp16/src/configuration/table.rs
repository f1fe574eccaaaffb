//! The table of configuration keys.

/// A configuration key of this charge point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is described in the table of specifications"
)]
pub enum Key {
    AllowOfflineTxForUnknownId,
    AllowTxWithInvalidTime,
    AuthorizationCacheEnabled,
    AuthorizeRemoteTxRequests,
    BootNotificationOnReconnect,
    ChargeProfileMaxStackLevel,
    ChargingScheduleAllowedChargingRateUnit,
    ChargingScheduleMaxPeriods,
    ClockAlignedDataInterval,
    ConnectionTimeOut,
    ConnectorPhaseRotation,
    ConnectorPhaseRotationMaxLength,
    GetConfigurationMaxKeys,
    HeartbeatInterval,
    LocalAuthListEnabled,
    LocalAuthListMaxLength,
    LocalAuthorizeOffline,
    LocalPreAuthorize,
    MaxChargingProfilesInstalled,
    MessageTimeout,
    MeterValuesAlignedData,
    MeterValuesAlignedDataMaxLength,
    MeterValuesSampledData,
    MeterValuesSampledDataMaxLength,
    MeterValueSampleInterval,
    MinimumStatusDuration,
    NumberOfConnectors,
    ReserveConnectorZeroSupported,
    ResetRetries,
    RfidRequiresEvPresent,
    RfidStopTransaction,
    SendLocalListMaxLength,
    StopTransactionOnEVSideDisconnect,
    StopTransactionOnInvalidId,
    StopTxnAlignedData,
    StopTxnAlignedDataMaxLength,
    StopTxnSampledData,
    StopTxnSampledDataMaxLength,
    SupportedFeatureProfiles,
    TransactionMessageAttempts,
    TransactionMessageRetryInterval,
    UnlockConnectorOnEVSideDisconnect,
    UseAsTimeSource,
    WebSocketPingInterval,
    WebSocketPingTimeout,
}

/// The allowed values of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `true` or `false`.
    Boolean,
    /// 0, or from the first number to the second.
    ZeroOr(u32, u32),
    /// From the first number to the second.
    Range(u32, u32),
    /// A comma-separated list of measurands.
    Measurands,
    /// A comma-separated list of `connector.rotation`.
    PhaseRotation,
    /// Can't be changed.
    ReadOnly,
}

/// A row of the table.
pub(super) struct Specification {
    pub(super) key: Key,
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) default: &'static str,
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
    }
}

/// Defaults and ranges of guide tables 6 and 48; where they contradict, table 48 holds, because
/// it is where values are stored. Capacities are those that the code enforces.
pub(super) const SPECIFICATIONS: [Specification; 45] = [
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
    ),
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
        "1",
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
    ),
    key(
        Key::ConnectorPhaseRotationMaxLength,
        "ConnectorPhaseRotationMaxLength",
        Form::ReadOnly,
        "2",
    ),
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
    ),
    key(
        Key::LocalAuthListEnabled,
        "LocalAuthListEnabled",
        Form::Boolean,
        "true",
    ),
    key(
        Key::LocalAuthListMaxLength,
        "LocalAuthListMaxLength",
        Form::ReadOnly,
        "10000",
    ),
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
        Key::MessageTimeout,
        "MessageTimeout",
        Form::Range(1, 3600),
        "30",
    ),
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
    ),
    key(
        Key::NumberOfConnectors,
        "NumberOfConnectors",
        Form::ReadOnly,
        "1",
    ),
    key(
        Key::ReserveConnectorZeroSupported,
        "ReserveConnectorZeroSupported",
        Form::ReadOnly,
        "true",
    ),
    key(Key::ResetRetries, "ResetRetries", Form::Range(0, 0), "0"),
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
        Key::SendLocalListMaxLength,
        "SendLocalListMaxLength",
        Form::ReadOnly,
        "10000",
    ),
    key(
        Key::StopTransactionOnEVSideDisconnect,
        "StopTransactionOnEVSideDisconnect",
        Form::ReadOnly,
        "true",
    ),
    key(
        Key::StopTransactionOnInvalidId,
        "StopTransactionOnInvalidId",
        Form::Boolean,
        "true",
    ),
    key(
        Key::StopTxnAlignedData,
        "StopTxnAlignedData",
        Form::ReadOnly,
        "",
    ),
    key(
        Key::StopTxnAlignedDataMaxLength,
        "StopTxnAlignedDataMaxLength",
        Form::ReadOnly,
        "0",
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
        "Core,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
    ),
    key(
        Key::TransactionMessageAttempts,
        "TransactionMessageAttempts",
        Form::Range(1, 1000),
        "3",
    ),
    key(
        Key::TransactionMessageRetryInterval,
        "TransactionMessageRetryInterval",
        Form::Range(0, DAY),
        "30",
    ),
    key(
        Key::UnlockConnectorOnEVSideDisconnect,
        "UnlockConnectorOnEVSideDisconnect",
        Form::ReadOnly,
        "true",
    ),
    key(
        Key::UseAsTimeSource,
        "useAsTimeSource",
        Form::Boolean,
        "true",
    ),
    key(
        Key::WebSocketPingInterval,
        "WebSocketPingInterval",
        Form::Range(0, DAY),
        "0",
    ),
    key(
        Key::WebSocketPingTimeout,
        "webSocketPingTimeout",
        Form::Range(1, DAY),
        "120",
    ),
];
