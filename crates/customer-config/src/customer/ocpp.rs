//! `ocpp` of customer.json: one field per key; [`keys::OCPP`](crate::keys::OCPP) tells ranges
//! and defaults.

use serde::{Deserialize, Serialize};

use super::words::*;

/// The OCPP client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ocpp {
    /// The station connects to a central system.
    pub enable: bool,
    /// `ws://` or `wss://`, or empty.
    pub uri: String,
    /// The central system's TLS certificate is verified.
    #[serde(rename = "verifyCert")]
    pub verify_cert: bool,
    /// The same tag held again ends the session.
    #[serde(rename = "rfidStopTransaction")]
    pub rfid_stop_transaction: bool,
    /// A tag counts only while an EV is connected.
    #[serde(rename = "rfidRequiresEvPresent")]
    pub rfid_requires_ev_present: bool,
    /// At most 20 characters.
    #[serde(rename = "chargePointModel")]
    pub charge_point_model: String,
    /// At most 20 characters.
    #[serde(rename = "chargePointVendor")]
    pub charge_point_vendor: String,
    /// At most 25 characters.
    #[serde(rename = "chargePointSerialNumber")]
    pub charge_point_serial_number: String,
    /// FTP is upgraded to TLS where the server can.
    #[serde(rename = "ftpTryTLSUpgrade")]
    pub ftp_try_tls_upgrade: bool,
    /// Offline, unknown tags may charge.
    #[serde(rename = "AllowOfflineTxForUnknownId")]
    pub allow_offline_tx_for_unknown_id: bool,
    /// Transactions may start before the system time is set.
    #[serde(rename = "allowTxWithInvalidTime")]
    pub allow_tx_with_invalid_time: bool,
    /// Answers of the central system about tags are kept.
    #[serde(rename = "AuthorizationCacheEnabled")]
    pub authorization_cache_enabled: bool,
    /// The tag of RemoteStartTransaction is authorized first.
    #[serde(rename = "AuthorizeRemoteTxRequests")]
    pub authorize_remote_tx_requests: bool,
    /// Form of signed meter values.
    #[serde(rename = "calibrationLawFormat")]
    pub calibration_law_format: CalibrationLawFormat,
    /// In s; 0: none.
    #[serde(rename = "ClockAlignedDataInterval")]
    pub clock_aligned_data_interval: u32,
    /// In s.
    #[serde(rename = "ConnectionTimeOut")]
    pub connection_time_out: u32,
    /// The local authorization list is used.
    #[serde(rename = "LocalAuthListEnabled")]
    pub local_auth_list_enabled: bool,
    /// A tag known here starts without asking.
    #[serde(rename = "LocalPreAuthorize")]
    pub local_pre_authorize: bool,
    /// Offline, a tag known here may charge.
    #[serde(rename = "LocalAuthorizeOffline")]
    pub local_authorize_offline: bool,
    /// In s; 0: none.
    #[serde(rename = "MeterValueSampleInterval")]
    pub meter_value_sample_interval: u32,
    /// What MeterValues holds.
    #[serde(rename = "MeterValuesSampledData")]
    pub meter_values_sampled_data: Vec<Measurand>,
    /// What clock-aligned MeterValues holds.
    #[serde(rename = "MeterValuesAlignedData")]
    pub meter_values_aligned_data: Vec<Measurand>,
    /// A transaction that is not accepted is stopped.
    #[serde(rename = "StopTransactionOnInvalidId")]
    pub stop_transaction_on_invalid_id: bool,
    /// What StopTransaction holds of the samples.
    #[serde(rename = "StopTxnSampledData")]
    pub stop_txn_sampled_data: Vec<Measurand>,
    /// What StopTransaction holds of the clock-aligned values.
    #[serde(rename = "StopTxnAlignedData")]
    pub stop_txn_aligned_data: Vec<Measurand>,
    /// How often a failing transaction message is sent.
    #[serde(rename = "TransactionMessageAttempts")]
    pub transaction_message_attempts: u32,
    /// In s.
    #[serde(rename = "TransactionMessageRetryInterval")]
    pub transaction_message_retry_interval: u32,
    /// The system time follows the central system.
    #[serde(rename = "useAsTimeSource")]
    pub use_as_time_source: bool,
    /// BootNotification is sent after each reconnection.
    #[serde(rename = "bootNotificationOnReconnect")]
    pub boot_notification_on_reconnect: bool,
    /// The meter's public key follows each BootNotification.
    #[serde(rename = "sendMeterPublicKeyOnBootNotification")]
    pub send_meter_public_key_on_boot_notification: bool,
    /// In s; 0: none.
    #[serde(rename = "WebSocketPingInterval")]
    pub web_socket_ping_interval: u32,
    /// In s.
    #[serde(rename = "webSocketPingTimeout")]
    pub web_socket_ping_timeout: u32,
    /// Messages that customer software answers.
    #[serde(rename = "csDataTransfers")]
    pub cs_data_transfers: Vec<CsDataTransfer>,
}

/// A DataTransfer of the central system that customer software answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CsDataTransfer {
    /// Vendor, at most 255 characters.
    #[serde(rename = "vendorId")]
    pub vendor_id: String,
    /// Kind of message, at most 50 characters; absent: all of the vendor.
    #[serde(rename = "messageId")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How long the answer may take, in s.
    #[serde(rename = "confirmTimeout")]
    pub confirm_timeout: u32,
}
