//! What customer.json says about the reader.

use std::path::Path;

use customer_config::{Parity as ConfiguredParity, Rfid, RfidProtocol};
use rs485::{BaudRate, DeviceAddress, Line, LocalEcho, Parity};

use crate::profile::{Profile, Unusable as UnusableProfile};
use crate::reader::Protocol;

/// Address of the Modbus reader unless configured (guide 7.3.2).
const STRONGLINK_ADDRESS: DeviceAddress = match DeviceAddress::new(17) {
    Some(address) => address,
    None => unreachable!(),
};

/// Where tags come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: no reader is configured.
    None,
    /// Another station's reader, whose rfidd publishes on this station's broker
    /// (guide 15.18).
    Elsewhere,
    /// A reader on this line.
    Reader(Line, Protocol),
}

/// Keys that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nothing public says how it is spoken to.
    #[error(
        "ports[0]/rfid/protocol is \"smarttec-mcr-legic\": this reader's protocol is not public, \
         and this version does not have it; use Stronglink, stronglink-modbus or mqtt"
    )]
    NotPublic,
    /// Too slow or too fast.
    #[error("ports[0]/rfid/baudrate is {0}; it must be 1200 to 115200")]
    BaudRate(u32),
    /// Not an address of a device.
    #[error("ports[0]/rfid/address is {0}; it must be 1 to 247")]
    Address(u8),
    /// The Modbus reader's profile.
    #[error(transparent)]
    Profile(#[from] UnusableProfile),
}

impl Source {
    /// The source that `rfid` configures; profiles lie below `config_dir`.
    ///
    /// # Errors
    /// When a key or a profile can't be used.
    pub fn new(rfid: &Rfid, config_dir: &Path, echo: LocalEcho) -> Result<Self, Unusable> {
        if !rfid.enable {
            return Ok(Self::None);
        }
        let protocol = match rfid.protocol {
            RfidProtocol::Mqtt => return Ok(Self::Elsewhere),
            RfidProtocol::SmarttecMcrLegic => return Err(Unusable::NotPublic),
            RfidProtocol::Stronglink => Protocol::Stronglink,
            RfidProtocol::StronglinkModbus => {
                let path = config_dir.join("profiles/stronglink-modbus.json");
                Protocol::Modbus(address(rfid)?, Profile::load(&path)?)
            }
        };
        let rate = rfid.baudrate;
        let line = Line {
            port: rfid.port.clone().into(),
            baud_rate: BaudRate::new(rate).ok_or(Unusable::BaudRate(rate))?,
            parity: match rfid.parity {
                ConfiguredParity::None => Parity::None,
                ConfiguredParity::Odd => Parity::Odd,
                ConfiguredParity::Even => Parity::Even,
            },
            echo,
        };
        Ok(Self::Reader(line, protocol))
    }
}

fn address(rfid: &Rfid) -> Result<DeviceAddress, Unusable> {
    match rfid.address {
        None => Ok(STRONGLINK_ADDRESS),
        Some(address) => DeviceAddress::new(address).ok_or(Unusable::Address(address)),
    }
}

#[cfg(test)]
mod tests {
    use customer_config::Customer;

    use super::*;

    const PROFILE: &str = r#"{"device": "test", "source": "none", "function": "holding", "start": 0,
        "count": 6, "length_at": 0, "uid_at": 1, "packing": "two_high_first"}"#;

    /// `ports[0]/rfid` with these members, and a profile for the Modbus reader.
    fn source(members: &str, profile: Option<&str>) -> Result<Source, Unusable> {
        let directory = tempfile::tempdir().unwrap();
        if let Some(profile) = profile {
            std::fs::create_dir(directory.path().join("profiles")).unwrap();
            let path = directory.path().join("profiles/stronglink-modbus.json");
            std::fs::write(path, profile).unwrap();
        }
        let text = format!("{{ \"ports\": [ {{ \"rfid\": {{ {members} }} }} ] }}");
        let (customer, _) = Customer::parse(&text).unwrap();
        Source::new(&customer.port().rfid, directory.path(), LocalEcho::Present)
    }

    fn reader(members: &str) -> (Line, Protocol) {
        match source(members, Some(PROFILE)).unwrap() {
            Source::Reader(line, protocol) => (line, protocol),
            other @ (Source::None | Source::Elsewhere) => panic!("{other:?}"),
        }
    }

    // covers: RFID-007
    #[test]
    fn there_is_no_reader_unless_configured() {
        assert_eq!(source("", None).unwrap(), Source::None);
    }

    // covers: RFID-009
    #[test]
    fn absent_keys_are_the_guides_defaults() {
        let (line, protocol) = reader("\"enable\": true, \"protocol\": \"stronglink-modbus\"");
        assert_eq!(line.port.to_str(), Some("/dev/ttymxc0"));
        assert_eq!(line.baud_rate.bits_per_second(), 9600);
        assert_eq!(line.parity, Parity::None);
        let Protocol::Modbus(device, _) = protocol else {
            panic!("{protocol:?}")
        };
        assert_eq!(device.number(), 17);
    }

    #[test]
    fn present_keys_win() {
        let (line, protocol) = reader(
            "\"enable\": true, \"protocol\": \"stronglink-modbus\", \"port\": \"/dev/ttymxc4\", \
             \"baudrate\": 115200, \"parity\": \"even\", \"address\": 5",
        );
        assert_eq!(line.port.to_str(), Some("/dev/ttymxc4"));
        assert_eq!(line.baud_rate.bits_per_second(), 115_200);
        assert_eq!(line.parity, Parity::Even);
        assert!(matches!(protocol, Protocol::Modbus(device, _) if device.number() == 5));
    }

    // covers: RFID-008
    #[test]
    fn each_protocol_leads_to_a_source_or_says_what_is_missing() {
        let source = |protocol: &str, profile| {
            source(
                &format!("\"enable\": true, \"protocol\": \"{protocol}\""),
                profile,
            )
        };
        assert!(matches!(
            source("Stronglink", None).unwrap(),
            Source::Reader(_, Protocol::Stronglink)
        ));
        assert_eq!(source("mqtt", None).unwrap(), Source::Elsewhere);
        let missing = source("stronglink-modbus", None).unwrap_err().to_string();
        assert!(
            missing.contains("profiles/stronglink-modbus.json"),
            "{missing}"
        );
        let unknown = source("smarttec-mcr-legic", None).unwrap_err().to_string();
        assert!(unknown.contains("not public"), "{unknown}");
    }
}
