//! What customer.json says about the recloser.

use std::path::Path;

use customer_config::{Parity as ConfiguredParity, Recloser, RecloserProtocol};
use rs485::{BaudRate, DeviceAddress, Line, LocalEcho, Parity};

use crate::profile::{Profile, Unusable as UnusableProfile};

/// Address of a Geya unless configured (guide 7.3.2).
const GEYA_ADDRESS: DeviceAddress = match DeviceAddress::new(3) {
    Some(address) => address,
    None => unreachable!(),
};

/// All that is needed to speak to the recloser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The line it is on.
    pub line: Line,
    /// Its address.
    pub device: DeviceAddress,
    /// Its registers.
    pub profile: Profile,
}

/// Keys that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Too slow or too fast.
    #[error("ports[0]/recloser/baudrate is {0}; it must be 1200 to 115200")]
    BaudRate(u32),
    /// Not an address of a device.
    #[error("ports[0]/recloser/address is {0}; it must be 1 to 247")]
    Address(u8),
    /// The registers.
    #[error(transparent)]
    Profile(#[from] UnusableProfile),
}

impl Setup {
    /// The recloser that is configured, if any; profiles lie below `config_dir`.
    ///
    /// # Errors
    /// When a key or the profile can't be used.
    pub fn new(
        recloser: &Recloser,
        config_dir: &Path,
        echo: LocalEcho,
    ) -> Result<Option<Self>, Unusable> {
        if !recloser.enable {
            return Ok(None);
        }
        let (address, profile) = match recloser.protocol {
            RecloserProtocol::Geya => (GEYA_ADDRESS, "profiles/geya.json"),
        };
        let device = match recloser.address {
            None => address,
            Some(address) => DeviceAddress::new(address).ok_or(Unusable::Address(address))?,
        };
        let rate = recloser.baudrate;
        let line = Line {
            port: recloser.port.clone().into(),
            baud_rate: BaudRate::new(rate).ok_or(Unusable::BaudRate(rate))?,
            parity: match recloser.parity {
                ConfiguredParity::None => Parity::None,
                ConfiguredParity::Odd => Parity::Odd,
                ConfiguredParity::Even => Parity::Even,
            },
            echo,
        };
        let profile = Profile::load(&config_dir.join(profile))?;
        Ok(Some(Self {
            line,
            device,
            profile,
        }))
    }
}

#[cfg(test)]
mod tests {
    use customer_config::Customer;

    use super::*;

    const PROFILE: &str = r#"{"device": "test", "source": "none",
        "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
        "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

    fn setup(members: &str) -> Result<Option<Setup>, Unusable> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("profiles")).unwrap();
        std::fs::write(directory.path().join("profiles/geya.json"), PROFILE).unwrap();
        let text = format!("{{ \"ports\": [ {{ \"recloser\": {{ {members} }} }} ] }}");
        let (customer, _) = Customer::parse(&text).unwrap();
        Setup::new(
            &customer.port().recloser,
            directory.path(),
            LocalEcho::Present,
        )
    }

    // covers: REC-001
    #[test]
    fn absent_keys_are_the_guides_defaults() {
        assert_eq!(setup("").unwrap(), None);
        let setup = setup("\"enable\": true").unwrap().unwrap();
        assert_eq!(setup.line.port.to_str(), Some("/dev/ttymxc0"));
        assert_eq!(setup.line.baud_rate.bits_per_second(), 9600);
        assert_eq!(setup.line.parity, Parity::None);
        assert_eq!(setup.device.number(), 3);
    }

    #[test]
    fn present_keys_win() {
        let setup = setup(
            "\"enable\": true, \"port\": \"/dev/ttymxc4\", \"baudrate\": 19200, \
             \"parity\": \"odd\", \"address\": 9",
        )
        .unwrap()
        .unwrap();
        assert_eq!(setup.line.port.to_str(), Some("/dev/ttymxc4"));
        assert_eq!(setup.line.baud_rate.bits_per_second(), 19_200);
        assert_eq!(setup.line.parity, Parity::Odd);
        assert_eq!(setup.device.number(), 9);
    }
}
