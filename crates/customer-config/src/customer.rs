//! customer.json as types.

mod ocpp;
mod port;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use ocpp::*;
pub use port::*;
pub use words::*;

use crate::read::read;
use crate::tree::{Segment, segments};
use crate::{ConfigError, Key, Warning, file, keys, lines, syntax};

/// customer.json, complete: what the file lacks has its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// The charging ports; there is one.
    pub ports: [Port; 1],
    /// Inputs and outputs.
    pub io: Io,
    /// The OCPP client.
    pub ocpp: Ocpp,
    /// The network.
    pub network: Network,
    /// The mobile network.
    pub uplink: Uplink,
    /// Settings per EV vendor for the short high level session.
    pub fake_highlevel_dc_vendors: BTreeMap<String, Vendor>,
    /// Parameters of the supply, kept as they are.
    pub grid: Value,
}

/// Inputs and outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Io {
    /// Threshold of all digital inputs in mV.
    pub digital_input_threshold_voltage: u32,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Somebody else manages the network.
    pub skip_configuration: bool,
    /// IPv4.
    pub ipv4: Ipv4,
    /// Time servers in place of the system's.
    pub ntp: Vec<String>,
}

/// IPv4 settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ipv4 {
    /// The address comes from DHCP.
    pub dhcp: bool,
    /// Fixed address with prefix length, used without DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Default gateways.
    pub gateway: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
}

/// The mobile network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uplink {
    /// Access point; empty: no mobile uplink.
    pub apn_name: String,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apn_username: Option<String>,
    /// Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apn_password: Option<String>,
}

/// Settings for one vendor of EVs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vendor {
    /// Beginnings of the MAC address that tell the vendor.
    pub oui: Vec<String>,
    /// What ends the short high level session.
    pub hlc_terminates_after: VendorEnd,
    /// How the station changes to the duty cycle, 1 to 4.
    pub switch_method: u8,
}

impl Customer {
    /// Reads the text of customer.json.
    ///
    /// # Errors
    /// For bad syntax, an empty file, a key that is there twice, a wrong value whose
    /// default would switch a protection off or open the station to all, and a function
    /// on a line that can't serve it.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), ConfigError> {
        let (complete, mut warnings) = read(keys::customer(), &syntax::parse(text)?)?;
        let mut customer: Self = file::typed(complete)?;
        customer.check(&mut warnings)?;
        Ok((customer, warnings))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the file can't be read.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        Self::parse(&file::read_text(path)?)
    }

    /// The one port.
    pub fn port(&self) -> &Port {
        let [port] = &self.ports;
        port
    }

    /// The value in force at a path such as `ocpp/uri`; `None` for a path that is no key,
    /// and for a key without value and default.
    pub fn value(&self, path: &str) -> Option<Value> {
        keys::find(path)?;
        let complete = serde_json::to_value(self).ok()?;
        let step = |value: Value, segment: Segment<'_>| match (value, segment) {
            (Value::Object(mut members), Segment::Name(name)) => members.remove(name),
            (Value::Array(items), Segment::Index(index)) => items.into_iter().nth(index),
            _ => None,
        };
        segments(path)?.into_iter().try_fold(complete, step)
    }

    /// The keys that a central system may reach: name, key, and the value in force as OCPP
    /// writes it, `None` where there is none. A key for any name is there once for each name in
    /// the file; a key of an array's items is not there.
    pub fn over_ocpp(&self) -> Vec<(String, &'static Key, Option<String>)> {
        let reachable = keys::customer().filter(|key| !key.path.contains("[]"));
        let named = reachable.filter_map(|key| Some((key.ocpp_name()?, key)));
        let all = named.flat_map(|(name, key)| match name.split_once('*') {
            None => vec![(name.to_owned(), key.path.to_owned(), key)],
            Some((before, after)) => {
                let names = self.fake_highlevel_dc_vendors.keys();
                names
                    .map(|any| format!("{before}{any}{after}"))
                    .map(|path| (path.clone(), path, key))
                    .collect()
            }
        });
        all.map(|(name, path, key)| {
            let value = self.value(&path).map(|value| key.text_of_value(&value));
            (name, key, value)
        })
        .collect()
    }

    /// What no single key can tell.
    fn check(&mut self, warnings: &mut Vec<Warning>) -> Result<(), ConfigError> {
        let [port] = &mut self.ports;
        check_rcd_times(&port.rcd_monitor)?;
        lines::check(port)?;
        if port.switch3to1phase.enable && port.ventilation.enable {
            port.ventilation.enable = false;
            warnings.push(Warning::Ignored {
                path: "ports[0]/ventilation/enable".to_owned(),
                reason: "relay 2 switches the phases (ports[0]/switch3to1phase/enable)",
            });
        }
        let conflict = |path: &str, reason| Warning::Conflict {
            path: path.to_owned(),
            reason,
        };
        let is_shared = port
            .rfid
            .remote_ports
            .iter()
            .any(|remote| remote.uri.is_some())
            || port.rfid.protocol == RfidProtocol::Mqtt;
        let rules_fit = !self.ocpp.rfid_stop_transaction && self.ocpp.rfid_requires_ev_present;
        if port.rfid.enable && is_shared && !rules_fit {
            warnings.push(conflict(
                "ports[0]/rfid/remote_ports",
                "a shared reader needs ocpp/rfidStopTransaction false \
                 and ocpp/rfidRequiresEvPresent true",
            ));
        }
        if port.rfid.enable
            && port
                .rfid
                .shares_uart_with_modbus(&port.meter, &port.recloser)
        {
            warnings.push(conflict(
                "ports[0]/rfid/port",
                "the reader's own protocol and Modbus devices can't share one interface",
            ));
        }
        if self.ocpp.enable && !port.meter.enable {
            warnings.push(conflict("ports[0]/meter/enable", "OCPP needs a meter"));
        }
        Ok(())
    }
}

impl Rfid {
    /// Whether the reader speaks a protocol of its own where Modbus devices listen.
    fn shares_uart_with_modbus(&self, meter: &Meter, recloser: &Recloser) -> bool {
        let has_own_protocol = match self.protocol {
            RfidProtocol::Stronglink | RfidProtocol::SmarttecMcrLegic => true,
            RfidProtocol::StronglinkModbus | RfidProtocol::Mqtt => false,
        };
        let meter_is_there = meter.enable && meter.port == self.port;
        let recloser_is_there = recloser.enable && recloser.port == self.port;
        has_own_protocol && (meter_is_there || recloser_is_there)
    }
}

/// First tripped, then back to normal (guide 15.15.4): else the test would prove nothing.
fn check_rcd_times(rcd: &RcdMonitor) -> Result<(), ConfigError> {
    let is_tested = rcd.enable && rcd.test_gpio >= 0;
    let back_to_normal = rcd.test_trigger_time + rcd.test_check_normal_time;
    if is_tested && rcd.test_check_tripped_time >= back_to_normal {
        return Err(ConfigError::WrongValue {
            path: "ports[0]/rcd_monitor/test_check_tripped_time".to_owned(),
            value: rcd.test_check_tripped_time.to_string(),
            allowed: format!(
                "less than test_trigger_time + test_check_normal_time, {back_to_normal} ms"
            ),
        });
    }
    Ok(())
}
