//! Requests that the charge point sends. Optional fields that are `None` are left out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::notification::{
    DataTransfer, DiagnosticsStatusNotification, FirmwareStatusNotification, LogStatusNotification,
    SecurityEventNotification, SignCertificate, SignedFirmwareStatusNotification,
};
use crate::feature::Feature;
use crate::{CiString, IdToken, Timestamp};

/// A request of the charge point.
pub(crate) trait Request: Serialize {
    /// Its name on the wire.
    const ACTION: &'static str;
}

/// All actions that a charge point may request, and the feature that they belong to.
pub(crate) fn actions() -> impl Iterator<Item = (Feature, &'static str)> {
    [
        (Feature::Core, Authorize::ACTION),
        (Feature::Core, BootNotification::ACTION),
        (Feature::Core, DataTransfer::ACTION),
        (
            Feature::FirmwareManagement,
            DiagnosticsStatusNotification::ACTION,
        ),
        (
            Feature::FirmwareManagement,
            FirmwareStatusNotification::ACTION,
        ),
        (Feature::Core, Heartbeat::ACTION),
        (Feature::SecurityTransfers, LogStatusNotification::ACTION),
        (Feature::Core, MeterValues::ACTION),
        (Feature::Security, SecurityEventNotification::ACTION),
        (Feature::Security, SignCertificate::ACTION),
        (
            Feature::SecurityTransfers,
            SignedFirmwareStatusNotification::ACTION,
        ),
        (Feature::Core, StartTransaction::ACTION),
        (Feature::Core, StatusNotification::ACTION),
        (Feature::Core, StopTransaction::ACTION),
    ]
    .into_iter()
}

/// `BootNotification.req`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootNotification {
    /// Required; empty is refused by many central systems for ever, so it never is.
    pub charge_point_vendor: CiString<20>,
    /// Required, not empty.
    pub charge_point_model: CiString<20>,
    /// Serial number of the station.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge_point_serial_number: Option<CiString<25>>,
    /// Version of the charging software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<CiString<50>>,
    /// ICCID of the modem's SIM card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iccid: Option<CiString<20>>,
    /// IMSI of the modem's SIM card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imsi: Option<CiString<20>>,
    /// Type of the main meter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter_type: Option<CiString<25>>,
    /// Serial number of the main meter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meter_serial_number: Option<CiString<25>>,
}

impl Request for BootNotification {
    const ACTION: &'static str = "BootNotification";
}

/// `Heartbeat.req`
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Heartbeat {}

impl Request for Heartbeat {
    const ACTION: &'static str = "Heartbeat";
}

/// `Authorize.req`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorize {
    /// The presented identifier, unaltered.
    pub id_tag: IdToken,
}

impl Request for Authorize {
    const ACTION: &'static str = "Authorize";
}

/// `StatusNotification.req`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusNotification {
    /// 0 is the station as a whole.
    pub connector_id: u8,
    /// `NoError` when there is none.
    pub error_code: StatusErrorCode,
    /// The state.
    pub status: Status,
    /// Time of sending; absent while the station has no valid time (guide 3.3.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What the error means; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<CiString<50>>,
    /// Who defines the vendor error code: the vendor of BootNotification; absent without a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<CiString<255>>,
    /// Literally from guide table 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_error_code: Option<CiString<50>>,
}

impl Request for StatusNotification {
    const ACTION: &'static str = "StatusNotification";
}

/// `ChargePointStatus` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    /// Ready for a new user.
    Available,
    /// A user has begun: a tag, a cable.
    Preparing,
    /// Energy may flow.
    Charging,
    /// The EVSE offers no energy.
    SuspendedEVSE,
    /// The EV takes no energy.
    SuspendedEV,
    /// The transaction has ended, the user has not left.
    Finishing,
    /// Reserved for one user.
    Reserved,
    /// Inoperative.
    Unavailable,
    /// An error prevents charging.
    Faulted,
}

/// `ChargePointErrorCode` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StatusErrorCode {
    /// The plug can't be locked or unlocked.
    ConnectorLockFailure,
    /// Communication with the EV failed.
    EVCommunicationError,
    /// The residual current device tripped.
    GroundFailure,
    /// Too hot.
    HighTemperature,
    /// An internal error.
    InternalError,
    /// The central system's answer contradicts the local list.
    LocalListConflict,
    /// No error.
    NoError,
    /// See the vendor error code.
    OtherError,
    /// Over-current.
    OverCurrentFailure,
    /// Over-voltage.
    OverVoltage,
    /// The meter can't be read.
    PowerMeterFailure,
    /// The contactor does not follow.
    PowerSwitchFailure,
    /// The identification reader can't be read.
    ReaderFailure,
    /// A reset failed.
    ResetFailure,
    /// Under-voltage.
    UnderVoltage,
    /// The modem has a weak signal.
    WeakSignal,
}

/// `StartTransaction.req`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTransaction {
    /// Never 0.
    pub connector_id: u8,
    /// Who started it.
    pub id_tag: IdToken,
    /// The meter's lifetime register in Wh.
    pub meter_start: i64,
    /// When it started, not when this was sent.
    pub timestamp: Timestamp,
    /// The reservation that it used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<i64>,
}

impl Request for StartTransaction {
    const ACTION: &'static str = "StartTransaction";
}

/// `StopTransaction.req`; the queue adds `transactionId` when it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTransaction {
    /// Who stopped it, where a user did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_tag: Option<IdToken>,
    /// The meter's lifetime register in Wh.
    pub meter_stop: i64,
    /// When it stopped, not when this was sent.
    pub timestamp: Timestamp,
    /// Always sent, also where it is the default.
    pub reason: StopReason,
    /// Values of `StopTxnSampledData`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transaction_data: Vec<MeterValue>,
}

impl Request for StopTransaction {
    const ACTION: &'static str = "StopTransaction";
}

/// `Reason` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The emergency input.
    EmergencyStop,
    /// The EV was unplugged.
    EVDisconnected,
    /// `Reset` of type Hard.
    HardReset,
    /// The user, at the station.
    Local,
    /// None of the others.
    Other,
    /// The process or the station died in the transaction.
    PowerLoss,
    /// The station restarted on its own account.
    Reboot,
    /// `RemoteStopTransaction`.
    Remote,
    /// `Reset` of type Soft.
    SoftReset,
    /// `UnlockConnector`.
    UnlockCommand,
    /// The central system refused the identifier in `StartTransaction.conf`.
    DeAuthorized,
}

/// `MeterValues.req`; the queue adds `transactionId` when it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterValues {
    /// The connector that was measured.
    pub connector_id: u8,
    /// One element per instant.
    pub meter_value: Vec<MeterValue>,
}

impl Request for MeterValues {
    const ACTION: &'static str = "MeterValues";
}

/// All values of one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterValue {
    /// The instant.
    pub timestamp: Timestamp,
    /// Never empty.
    pub sampled_value: Vec<SampledValue>,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampledValue {
    /// A decimal number, or as `format` says; never empty.
    pub value: String,
    /// Why it was taken.
    pub context: ReadingContext,
    /// Absent for a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<ValueFormat>,
    /// Name of the quantity.
    pub measurand: String,
    /// Absent for a total and in single-phase systems (guide 3.3.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Absent for the frequency (erratum 3.86).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// `ValueFormat` of OCPP 1.6, as far as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueFormat {
    /// A signed record.
    SignedData,
}

/// `ReadingContext` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadingContext {
    /// At a multiple of `ClockAlignedDataInterval`.
    #[serde(rename = "Sample.Clock")]
    SampleClock,
    /// Every `MeterValueSampleInterval` of a transaction.
    #[serde(rename = "Sample.Periodic")]
    SamplePeriodic,
    /// At the start of a transaction.
    #[serde(rename = "Transaction.Begin")]
    TransactionBegin,
    /// At the end of a transaction.
    #[serde(rename = "Transaction.End")]
    TransactionEnd,
    /// For a `TriggerMessage`.
    Trigger,
}

/// The JSON of a message; our own types have no map keys or numbers that JSON can't hold.
pub(crate) fn payload(message: &impl Serialize) -> Value {
    serde_json::to_value(message).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
}
