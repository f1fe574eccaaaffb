//! What customer.json says about the meter, made complete by the protocol.

use std::time::Duration;

use customer_config::{Customer, Meter, RfidProtocol};
use rs485::{BaudRate, DeviceAddress, Line, LocalEcho, Parity};

use crate::protocol::{Protocol, Unsupported};
use crate::signing::Labels;

/// All that is needed to read the meter.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The line it is on.
    pub line: Line,
    /// Its address; `None`: to be searched.
    pub device: Option<DeviceAddress>,
    /// Its protocol.
    pub protocol: &'static Protocol,
    /// How often readings are published outside a session.
    pub interval: Duration,
    /// What signed records say about the station.
    pub labels: Labels,
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
    pub fn new(meter: &Meter, echo: LocalEcho) -> Result<Self, Unusable> {
        let protocol = Protocol::named(meter.protocol.as_str())?;
        let baud_rate = match meter.baudrate {
            Some(rate) => BaudRate::new(rate).ok_or(Unusable::BaudRate(rate))?,
            None => protocol.baud_rate,
        };
        let device = match meter.address {
            Some(address) => Some(DeviceAddress::new(address).ok_or(Unusable::Address(address))?),
            None => protocol.address,
        };
        let parity = meter.parity.map_or(protocol.parity, parity);
        let port = meter.port.clone().into();
        Ok(Self {
            line: Line {
                port,
                baud_rate,
                parity,
                echo,
            },
            device,
            protocol,
            interval: Duration::from_secs(meter.publish_settings.timer.into()),
            labels: Labels::default(),
        })
    }

    /// The same, and signed records name the station of `customer`.
    #[must_use]
    pub fn with_labels_of(self, customer: &Customer) -> Self {
        let ocpp = &customer.ocpp;
        let gateway = format!("{} {}", ocpp.charge_point_vendor, ocpp.charge_point_model);
        let labels = Labels {
            gateway: gateway.trim().to_owned(),
            serial: ocpp.charge_point_serial_number.clone(),
            evse: customer.port().evse_id.clone(),
        };
        Self { labels, ..self }
    }

    /// The devices on the meter's line that are configured for another speed or parity: the
    /// defaults of some meters differ from all others.
    pub fn at_odds(&self, customer: &Customer) -> Vec<&'static str> {
        let port = customer.port();
        let (rfid, recloser) = (&port.rfid, &port.recloser);
        let has_reader = rfid.enable && rfid.protocol != RfidProtocol::Mqtt;
        let neighbours = [
            ("rfid", has_reader, &rfid.port, rfid.baudrate, rfid.parity),
            (
                "recloser",
                recloser.enable,
                &recloser.port,
                recloser.baudrate,
                recloser.parity,
            ),
        ];
        let is_at_odds = |(_, is_there, port, rate, its): &(_, bool, &String, u32, _)| {
            *is_there
                && self.line.port.as_os_str() == port.as_str()
                && (self.line.baud_rate.bits_per_second(), self.line.parity)
                    != (*rate, parity(*its))
        };
        let at_odds = neighbours.into_iter().filter(is_at_odds);
        at_odds.map(|(name, ..)| name).collect()
    }
}

const fn parity(parity: customer_config::Parity) -> Parity {
    match parity {
        customer_config::Parity::None => Parity::None,
        customer_config::Parity::Odd => Parity::Odd,
        customer_config::Parity::Even => Parity::Even,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ports[0]/meter` with these members.
    fn setup(members: &str) -> Result<Setup, Unusable> {
        let text = format!("{{ \"ports\": [ {{ \"meter\": {{ {members} }} }} ] }}");
        let (customer, warnings) = Customer::parse(&text).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        Setup::new(&customer.port().meter, LocalEcho::Present)
    }

    // covers: MET-002
    #[test]
    fn every_protocol_of_the_guide_is_accepted() {
        for protocol in [
            "dzg",
            "eastron",
            "eastron,sdm230",
            "eastron,sdm630",
            "eastron,sdm72dm-v1",
            "eastron,sdm72dm-v2",
            "elecnova,dds1946",
            "elecnova,dts1946",
            "gavazzi",
            "klefr",
            "eem-350-d-mcb",
            "abb",
            "iskra",
            "socomec",
            "sunspec",
        ] {
            let setup = setup(&format!("\"protocol\": \"{protocol}\"")).unwrap();
            assert_eq!(setup.protocol.key, protocol);
        }
    }

    // covers: MET-003
    #[test]
    fn absent_keys_follow_the_protocol() {
        let setup = setup("\"protocol\": \"klefr\"").unwrap();
        assert_eq!(setup.line.port.to_str(), Some("/dev/ttymxc0"));
        assert_eq!(setup.line.baud_rate.bits_per_second(), 9600);
        assert_eq!(setup.line.parity, Parity::None);
        assert_eq!(setup.device, DeviceAddress::new(1));
        assert_eq!(setup.interval, Duration::from_secs(30));
    }

    // covers: MET-004
    #[test]
    fn present_keys_win() {
        let setup = setup(
            "\"protocol\": \"eastron,sdm230\", \"port\": \"/dev/ttymxc4\", \"baudrate\": 2400, \
             \"parity\": \"even\", \"address\": 7, \"publish_settings\": { \"timer\": 5 }",
        )
        .unwrap();
        assert_eq!(setup.line.port.to_str(), Some("/dev/ttymxc4"));
        assert_eq!(setup.line.baud_rate.bits_per_second(), 2400);
        assert_eq!(setup.line.parity, Parity::Even);
        assert_eq!(setup.device, DeviceAddress::new(7));
        assert_eq!(setup.interval, Duration::from_secs(5));
    }

    #[test]
    fn devices_that_speak_at_another_speed_on_one_line_are_named() {
        let at_odds = |meter: &str, others: &str| {
            let text = format!("{{ \"ports\": [ {{ \"meter\": {{ {meter} }}, {others} }} ] }}");
            let (customer, _) = Customer::parse(&text).unwrap();
            let setup = Setup::new(&customer.port().meter, LocalEcho::Present).unwrap();
            setup.at_odds(&customer)
        };
        let iskra = "\"protocol\": \"iskra\"";
        let both = "\"recloser\": { \"enable\": true }, \"rfid\": { \"enable\": true }";
        assert_eq!(at_odds(iskra, both), ["rfid", "recloser"]);
        assert!(at_odds("\"protocol\": \"klefr\"", both).is_empty());
        assert_eq!(at_odds("\"protocol\": \"abb\"", both), ["rfid", "recloser"]);
        for others in [
            "\"recloser\": { \"enable\": false }",
            "\"recloser\": { \"enable\": true, \"port\": \"/dev/ttymxc4\" }",
            "\"recloser\": { \"enable\": true, \"baudrate\": 115200 }",
            "\"rfid\": { \"enable\": true, \"protocol\": \"mqtt\" }",
        ] {
            assert!(at_odds(iskra, others).is_empty(), "{others}");
        }
    }

    #[test]
    fn a_meter_without_a_factory_address_is_searched_unless_it_is_configured() {
        assert_eq!(setup("\"protocol\": \"dzg\"").unwrap().device, None);
        let configured = setup("\"protocol\": \"dzg\", \"address\": 57").unwrap();
        assert_eq!(configured.device, DeviceAddress::new(57));
    }
}
