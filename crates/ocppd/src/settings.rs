//! From customer.json and the changed keys to what the charge point needs.

use std::path::{Path, PathBuf};

use customer_config::{ChargingType, Customer, OcppAccess, UserAuthentication};
use daemon_kit::{Arguments, Error};
use ocpp16::{BootNotification, CiString, Configuration, DeciAmperes, SecuritySettings, Settings};

use crate::address::Address;
use crate::archive::Logs;
use crate::certificates::Store;
use crate::security_log::SecurityLog;
use crate::station::Peripherals;
use crate::{boot, data_transfer, keys};

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
    pub peripherals: Peripherals,
    pub configuration: Configuration,
    /// Name and value of the key that is being tried.
    pub tried: Option<(String, String)>,
    pub state_dir: PathBuf,
    pub reboot_command: String,
    pub set_clock_command: Option<String>,
    pub logs: Logs,
    pub certificates: Store,
    pub security_log: SecurityLog,
}

/// The least time between two StatusNotifications of a connector. The guide's 10 s (3.4 table 14)
/// would make central systems see a state late; this only keeps flicker off the wire.
const STATUS_DELAY_MS: u64 = 500;

/// `CiString50`
const LONGEST_NAME: usize = 50;
/// How long a user waits for the first connection after the start (guide 3.4 table 14).
const OFFLINE_AFTER_S: u64 = 120;

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
    let mut configuration = from_customer(&customer);
    let kept = keys::load(&arguments.state_dir);
    for (name, value) in kept.values {
        if let Err(error) = configuration.set(&name, &value) {
            tracing::warn!("{}: {error}; ignored", keys::FILE);
        }
    }
    let certificates = Store::new(&arguments.state_dir, &certificate_name(&customer, &address));
    let security_log = SecurityLog::new(&arguments.state_dir);
    let security = SecuritySettings {
        certificates: certificates.known(),
        password_in_uri: address.authorization.is_some(),
        sets_clock: arguments.option("set-clock-command").is_some(),
        log_is_empty: security_log.is_empty(),
    };
    let settings = settings(&customer, security, arguments)?;
    let vendor = settings.identity.charge_point_vendor.as_str();
    if let Err(error) = configuration.load("vendorId", true, Some(vendor)) {
        tracing::warn!("{error}");
    }
    Ok(Configured::On(Box::new(Station {
        certificates,
        security_log,
        address,
        verify_certificate: customer.ocpp.verify_cert,
        settings,
        logs: Logs::new(arguments),
        peripherals: Peripherals {
            meter: customer.port().meter.enable,
            reader: customer.port().rfid.enable,
            recloser: customer.port().recloser.enable,
        },
        configuration,
        tried: kept.tried,
        state_dir: arguments.state_dir.clone(),
        reboot_command: arguments
            .option("reboot-command")
            .unwrap_or("systemctl reboot")
            .to_owned(),
        set_clock_command: arguments.option("set-clock-command").map(str::to_owned),
    })))
}

/// In ms.
fn offline_after(arguments: &Arguments) -> Result<u64, Error> {
    let Some(text) = arguments.option("offline-after") else {
        return Ok(OFFLINE_AFTER_S * 1000);
    };
    let seconds: u32 = text.parse().map_err(|_| {
        Error::Configuration(format!("--offline-after: {text:?} is no number of seconds"))
    })?;
    Ok(u64::from(seconds) * 1000)
}

/// White paper, section 2.6: the serial number; where there is none, what the address ends with.
fn certificate_name(customer: &Customer, address: &Address) -> String {
    match customer.ocpp.charge_point_serial_number.as_str() {
        "" => String::from_utf8_lossy(&address.identity).into_owned(),
        serial => serial.to_owned(),
    }
}

fn settings(
    customer: &Customer,
    security: SecuritySettings,
    arguments: &Arguments,
) -> Result<Settings, Error> {
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
        transfers: data_transfer::routes(&customer.ocpp.cs_data_transfers),
        hardware_limit: DeciAmperes(customer.port().evse_current_limit.saturating_mul(10)),
        boot: boot::read(Path::new(arguments.option("proc").unwrap_or("/proc"))),
        offline_after_ms: offline_after(arguments)?,
        security,
    })
}

/// Many central systems refuse an empty vendor or model for ever, so something is always sent.
fn required(key: &str, value: &str) -> CiString<20> {
    CiString::truncated(value.trim())
        .non_empty()
        .unwrap_or_else(|| {
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

/// The keys of customer.json: our own, and those of other daemons.
fn from_customer(customer: &Customer) -> Configuration {
    let mut configuration = Configuration::default();
    let keys = customer.over_ocpp().into_iter();
    let keys = keys.map(|(name, key, value)| (name, key.ocpp == OcppAccess::Read, value));
    for (name, readonly, value) in keys {
        if name.chars().count() > LONGEST_NAME {
            tracing::warn!("{name} is too long for a configuration key");
        } else if let Err(error) = configuration.load(&name, readonly, value.as_deref()) {
            tracing::warn!("customer.json: {error}; its default stays");
        }
    }
    configuration
}

#[cfg(test)]
mod tests {
    use customer_config::keys;
    use ocpp16::ChangeError;

    use super::*;

    /// What customer.json takes, the charge point takes, and the defaults are the same.
    #[test]
    fn customer_json_and_the_charge_point_agree_on_every_key() {
        let (customer, _) = Customer::parse("{}").unwrap();
        let shipped = from_customer(&customer);
        let own = Configuration::default();
        for (name, key, _) in customer.over_ocpp() {
            if key.ocpp != OcppAccess::ReadWrite {
                continue;
            }
            if let Some(ours) = own.key(&name) {
                assert_eq!(shipped.value(ours), own.value(ours), "{name}");
                for text in [
                    "",
                    "0",
                    "1",
                    "9",
                    "10",
                    "86400",
                    "86401",
                    "2147483647",
                    "-1",
                    "true",
                    "False",
                    "Voltage",
                    "Voltage.L1-N,Frequency",
                    "Power.Offered.L1",
                    "SoC",
                    "ws://h/x",
                    "http://h",
                ] {
                    let here = match own.clone().set(&name, text) {
                        // Not carried out yet; customer.json knows it already.
                        Err(ChangeError::ReadOnly(_)) => continue,
                        result => result.is_ok(),
                    };
                    let there = key.value_of_text(text).is_ok();
                    // An empty address is how a station without a central system is shipped.
                    let exempt = name == "CentralSystemURI" && text.is_empty();
                    assert!(here == there || exempt, "{name}={text}: {here}, {there}");
                }
            }
        }
    }

    /// Where a changed key goes is what the reference page tells, and nowhere is a key lost.
    #[test]
    fn a_key_is_kept_where_the_reference_says() {
        let page = ocpp16::reference_page();
        let rows = page.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            match cells[..] {
                ["", name, "RW" | "W", _, _, remark, ""] => Some((name, remark)),
                _ => None,
            }
        });
        let mut count = 0;
        for (name, remark) in rows.filter(|(_, remark)| *remark != "not kept") {
            let here = remark == "kept in ocpp_data.json";
            assert_ne!(keys::find_by_ocpp_name(name).is_some(), here, "{name}");
            count += 1;
        }
        assert!(count > 30, "{count} rows");
    }

    #[test]
    fn vendor_and_model_are_never_sent_empty() {
        for empty in ["", " ", "\t"] {
            assert_eq!(required("chargePointVendor", empty).as_str(), "mode3");
        }
        assert_eq!(required("chargePointVendor", "ACME").as_str(), "ACME");
        let long = "a vendor with a very long name";
        assert_eq!(required("chargePointVendor", long).as_str(), &long[..20]);
    }

    /// OCPP can't switch phases here, whatever the board can.
    #[test]
    fn phase_switching_is_not_advertised_to_central_systems() {
        let able = r#"{"ports": [{"switch3to1phase": {"enable": true}}]}"#;
        let configuration = from_customer(&Customer::parse(able).unwrap().0);
        let key = configuration
            .key("ConnectorSwitch3to1PhaseSupported")
            .unwrap();
        assert_eq!(configuration.value(key), "false");
    }

    // covers: OC-058
    #[test]
    fn what_identifies_the_station_is_not_reachable() {
        let (customer, _) = Customer::parse("{}").unwrap();
        let names: Vec<String> = customer
            .over_ocpp()
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        for hidden in [
            "uri",
            "enable",
            "verifyCert",
            "chargePointModel",
            "chargePointVendor",
            "chargePointSerialNumber",
        ] {
            let path = format!("ocpp/{hidden}");
            assert!(
                !names.iter().any(|name| *name == path || name == hidden),
                "{hidden}"
            );
        }
        assert!(
            names
                .iter()
                .any(|name| name == "ports[0]/rcd_monitor/test_check_tripped_time")
        );
        assert!(
            names
                .iter()
                .any(|name| name == "fake_highlevel_dc_vendors/Tesla/oui")
        );
        assert!(keys::find_by_ocpp_name("ports[0]/evse_current_limit").is_some());
    }
}
