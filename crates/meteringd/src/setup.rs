//! What customer.json says about the meter, made complete by the protocol.

use std::path::PathBuf;
use std::time::Duration;

use rs485::{BaudRate, DeviceAddress, Line, LocalEcho, Parity};

use crate::protocol::{Protocol, Unsupported};

/// The keys below `ports[0]/meter`, as configured; `None` where a key is absent.
#[derive(Clone, Debug)]
pub struct Keys {
    /// `port`.
    pub port: PathBuf,
    /// `protocol`.
    pub protocol: String,
    /// `baudrate` in bit/s.
    pub baud_rate: Option<u32>,
    /// `parity`.
    pub parity: Option<Parity>,
    /// `address`.
    pub address: Option<u8>,
    /// `publish_settings/timer`.
    pub interval: Duration,
}

/// All that is needed to read the meter.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The line it is on.
    pub line: Line,
    /// Its address.
    pub device: DeviceAddress,
    /// Its protocol.
    pub protocol: &'static Protocol,
    /// How often readings are published outside a session.
    pub interval: Duration,
}

/// Keys that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No such protocol in this version.
    #[error(transparent)]
    Protocol(#[from] Unsupported),
    /// Too slow or too fast.
    #[error("ports[0]/meter/baudrate is {0}; it must be 1200 to 115200")]
    BaudRate(u32),
    /// Not an address of a device.
    #[error("ports[0]/meter/address is {0}; it must be 1 to 247")]
    Address(u8),
}

impl Setup {
    /// Keys that are present win; the protocol has the others.
    ///
    /// # Errors
    /// When a key can't be used.
    pub fn new(keys: Keys, echo: LocalEcho) -> Result<Self, Unusable> {
        let protocol = Protocol::named(&keys.protocol)?;
        let baud_rate = match keys.baud_rate {
            Some(rate) => BaudRate::new(rate).ok_or(Unusable::BaudRate(rate))?,
            None => protocol.baud_rate,
        };
        let device = match keys.address {
            Some(address) => DeviceAddress::new(address).ok_or(Unusable::Address(address))?,
            None => protocol.address,
        };
        let parity = keys.parity.unwrap_or(protocol.parity);
        let line = Line {
            port: keys.port,
            baud_rate,
            parity,
            echo,
        };
        Ok(Self {
            line,
            device,
            protocol,
            interval: keys.interval,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(protocol: &str) -> Keys {
        Keys {
            port: "/dev/ttymxc0".into(),
            protocol: protocol.into(),
            baud_rate: None,
            parity: None,
            address: None,
            interval: Duration::from_secs(30),
        }
    }

    // covers: MET-003
    #[test]
    fn absent_keys_follow_the_protocol() {
        let setup = Setup::new(keys("klefr"), LocalEcho::Present).unwrap();
        assert_eq!(setup.line.baud_rate.bits_per_second(), 9600);
        assert_eq!(setup.line.parity, Parity::None);
        assert_eq!(setup.device.number(), 1);
    }

    // covers: MET-004
    #[test]
    fn present_keys_win() {
        let keys = Keys {
            baud_rate: Some(2400),
            parity: Some(Parity::Even),
            address: Some(7),
            ..keys("eastron,sdm230")
        };
        let setup = Setup::new(keys, LocalEcho::Present).unwrap();
        assert_eq!(setup.line.baud_rate.bits_per_second(), 2400);
        assert_eq!(setup.line.parity, Parity::Even);
        assert_eq!(setup.device.number(), 7);
    }

    #[test]
    fn unusable_keys_are_named_with_their_range() {
        let fast = Keys {
            baud_rate: Some(250_000),
            ..keys("eastron")
        };
        let broadcast = Keys {
            address: Some(0),
            ..keys("eastron")
        };
        for (keys, named) in [
            (
                fast,
                "ports[0]/meter/baudrate is 250000; it must be 1200 to 115200",
            ),
            (
                broadcast,
                "ports[0]/meter/address is 0; it must be 1 to 247",
            ),
        ] {
            let error = Setup::new(keys, LocalEcho::Present).unwrap_err();
            assert_eq!(error.to_string(), named);
        }
    }
}
