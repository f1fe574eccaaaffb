//! From customer.json and the changed keys to what the charge point needs.

use std::path::PathBuf;

use customer_config::{ChargingType, Customer, Measurand, Ocpp, UserAuthentication};
use daemon_kit::{Arguments, Error};
use ocpp16::{BootNotification, CiString, Configuration, DeciAmperes, Settings};

use crate::address::Address;
use crate::keys;

/// What customer.json asks for.
pub(crate) enum Configured {
    /// `ocpp/enable` is false: no connection at all (guide 14.1 table 48).
    Off,
    /// Connect.
    On(Box<Station>),
}

/// All that is fixed while the process lives.
pub(crate) struct Station {
    pub address: Address,
    pub verify_certificate: bool,
    pub settings: Settings,
    pub configuration: Configuration,
    pub state_dir: PathBuf,
    pub reboot_command: String,
    pub set_clock_command: Option<String>,
}

/// The least time between two StatusNotifications of a connector. The guide's 10 s (3.4 table 14)
/// would make central systems see a state late; this only keeps flicker off the wire.
const STATUS_DELAY_MS: u64 = 500;

/// Reads customer.json and the keys that the central system changed.
///
/// # Errors
/// When customer.json or `ocpp/uri` can't be used.
pub(crate) fn load(arguments: &Arguments) -> Result<Configured, Error> {
    let path = arguments.config_dir.join("customer.json");
    let (customer, warnings) = Customer::load(&path)
        .map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
    for warning in warnings {
        tracing::warn!("{}: {warning}", path.display());
    }
    if !customer.ocpp.enable {
        return Ok(Configured::Off);
    }
    let address = Address::parse(&customer.ocpp.uri)
        .map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
    let mut configuration = from_customer(&customer.ocpp);
    for (name, value) in keys::load(&arguments.state_dir) {
        if let Err(error) = configuration.set(&name, &value) {
            tracing::warn!("{}: {error}; ignored", keys::FILE);
        }
    }
    Ok(Configured::On(Box::new(Station {
        address,
        verify_certificate: customer.ocpp.verify_cert,
        settings: settings(&customer)?,
        configuration,
        state_dir: arguments.state_dir.clone(),
        reboot_command: arguments
            .option("reboot-command")
            .unwrap_or("systemctl reboot")
            .to_owned(),
        set_clock_command: arguments.option("set-clock-command").map(str::to_owned),
    })))
}

fn settings(customer: &Customer) -> Result<Settings, Error> {
    let identity = BootNotification {
        charge_point_vendor: required("chargePointVendor", &customer.ocpp.charge_point_vendor),
        charge_point_model: required("chargePointModel", &customer.ocpp.charge_point_model),
        charge_point_serial_number: CiString::truncated(&customer.ocpp.charge_point_serial_number)
            .non_empty(),
        firmware_version: CiString::truncated(env!("CARGO_PKG_VERSION")).non_empty(),
        iccid: None,
        imsi: None,
        meter_type: None,
        meter_serial_number: None,
    };
    Ok(Settings {
        identity,
        message_id_prefix: message_id_prefix()?,
        authorises: customer.port().user_authentication == UserAuthentication::Ocpp,
        status_delay_ms: STATUS_DELAY_MS,
        pluggable: customer.port().pluggable,
        autocharge: customer.port().charging_type == ChargingType::BasicAfterFakeDc,
        recloser: customer.port().recloser.enable,
        hardware_limit: DeciAmperes(customer.port().evse_current_limit.saturating_mul(10)),
    })
}

/// Many central systems refuse an empty vendor or model for ever, so something is always sent.
fn required(key: &str, value: &str) -> CiString<20> {
    CiString::truncated(value).non_empty().unwrap_or_else(|| {
        tracing::warn!("customer.json: ocpp/{key} is empty; \"mode3\" is sent instead");
        CiString::truncated("mode3")
    })
}

/// 48 random bits: ids of two process starts don't meet.
fn message_id_prefix() -> Result<String, Error> {
    let mut random = [0_u8; 6];
    getrandom::fill(&mut random)
        .map_err(|error| Error::failed("draw a random number", error.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn from_customer(ocpp: &Ocpp) -> Configuration {
    let list = |measurands: &[Measurand]| {
        measurands
            .iter()
            .map(|one| one.as_str())
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut configuration = Configuration::default();
    for (name, value) in [
        (
            "AllowOfflineTxForUnknownId",
            ocpp.allow_offline_tx_for_unknown_id.to_string(),
        ),
        (
            "allowTxWithInvalidTime",
            ocpp.allow_tx_with_invalid_time.to_string(),
        ),
        (
            "AuthorizationCacheEnabled",
            ocpp.authorization_cache_enabled.to_string(),
        ),
        (
            "AuthorizeRemoteTxRequests",
            ocpp.authorize_remote_tx_requests.to_string(),
        ),
        (
            "bootNotificationOnReconnect",
            ocpp.boot_notification_on_reconnect.to_string(),
        ),
        (
            "ClockAlignedDataInterval",
            ocpp.clock_aligned_data_interval.to_string(),
        ),
        ("ConnectionTimeOut", ocpp.connection_time_out.to_string()),
        (
            "LocalAuthListEnabled",
            ocpp.local_auth_list_enabled.to_string(),
        ),
        (
            "LocalAuthorizeOffline",
            ocpp.local_authorize_offline.to_string(),
        ),
        ("LocalPreAuthorize", ocpp.local_pre_authorize.to_string()),
        (
            "MeterValuesAlignedData",
            list(&ocpp.meter_values_aligned_data),
        ),
        (
            "MeterValuesSampledData",
            list(&ocpp.meter_values_sampled_data),
        ),
        (
            "MeterValueSampleInterval",
            ocpp.meter_value_sample_interval.to_string(),
        ),
        (
            "ocpp/rfidRequiresEvPresent",
            ocpp.rfid_requires_ev_present.to_string(),
        ),
        (
            "ocpp/rfidStopTransaction",
            ocpp.rfid_stop_transaction.to_string(),
        ),
        (
            "StopTransactionOnInvalidId",
            ocpp.stop_transaction_on_invalid_id.to_string(),
        ),
        ("StopTxnSampledData", list(&ocpp.stop_txn_sampled_data)),
        (
            "TransactionMessageAttempts",
            ocpp.transaction_message_attempts.to_string(),
        ),
        (
            "TransactionMessageRetryInterval",
            ocpp.transaction_message_retry_interval.to_string(),
        ),
        ("useAsTimeSource", ocpp.use_as_time_source.to_string()),
        (
            "WebSocketPingInterval",
            ocpp.web_socket_ping_interval.to_string(),
        ),
        (
            "webSocketPingTimeout",
            ocpp.web_socket_ping_timeout.to_string(),
        ),
    ] {
        if let Err(error) = configuration.set(name, &value) {
            tracing::warn!("customer.json: {error}; its default stays");
        }
    }
    configuration
}
