//! The values of `ports[0]/meter/protocol`: line settings, patience and how the
//! model is found.

use std::time::Duration;

use rs485::{BaudRate, DeviceAddress, Parity};

use crate::maps::{KLEFR_693X, KLEFR_694X, Model, SDM72DM_V1, SDM72DM_V2, SDM230, SDM630};

/// What a protocol string stands for.
#[derive(Debug)]
pub struct Protocol {
    /// The string in customer.json.
    pub key: &'static str,
    /// Speed unless configured (guide 7.3.2).
    pub baud_rate: BaudRate,
    /// Parity unless configured (guide 7.3.2).
    pub parity: Parity,
    /// Modbus address unless configured (guide 7.3.2).
    pub address: DeviceAddress,
    /// Without a good reading for this long the meter counts as gone (guide 7.3.6.2).
    pub unavailable_after: Duration,
    /// Rest between two requests; faster polling makes some SDM72 restart.
    pub pause: Duration,
    /// How the model is found.
    pub detection: Detection,
}

/// How the model is found.
#[derive(Debug)]
pub enum Detection {
    /// It is configured.
    Configured(&'static Model),
    /// By Eastron's Meter Code, else by the voltage of L2.
    MeterCode,
    /// By the voltage of L2, among two models with one map.
    Phases {
        /// With voltage at L2.
        three: &'static Model,
        /// Without.
        one: &'static Model,
    },
}

/// A protocol string that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("ports[0]/meter/protocol is {0:?}; this version supports {supported}", supported = supported())]
pub struct Unsupported(String);

/// All protocols of this version.
pub const PROTOCOLS: &[Protocol] = &[
    eastron("eastron", Detection::MeterCode),
    eastron("eastron,sdm230", Detection::Configured(&SDM230)),
    eastron("eastron,sdm630", Detection::Configured(&SDM630)),
    eastron("eastron,sdm72dm-v1", Detection::Configured(&SDM72DM_V1)),
    eastron("eastron,sdm72dm-v2", Detection::Configured(&SDM72DM_V2)),
    Protocol {
        key: "klefr",
        // It checks its memory after a power cycle and is silent meanwhile.
        unavailable_after: Duration::from_secs(10),
        detection: Detection::Phases {
            three: &KLEFR_694X,
            one: &KLEFR_693X,
        },
        ..eastron("klefr", Detection::MeterCode)
    },
];

impl Protocol {
    /// The protocol of this name.
    ///
    /// # Errors
    /// When this version doesn't have it; the message names those it has.
    pub fn named(key: &str) -> Result<&'static Self, Unsupported> {
        PROTOCOLS
            .iter()
            .find(|protocol| protocol.key == key)
            .ok_or_else(|| Unsupported(key.to_owned()))
    }
}

const fn eastron(key: &'static str, detection: Detection) -> Protocol {
    Protocol {
        key,
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        address: FIRST,
        unavailable_after: Duration::from_secs(2),
        pause: Duration::from_millis(100),
        detection,
    }
}

const FIRST: DeviceAddress = match DeviceAddress::new(1) {
    Some(address) => address,
    None => unreachable!(),
};

fn supported() -> String {
    PROTOCOLS
        .iter()
        .map(|protocol| protocol.key)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MET-003, MET-011
    #[test]
    fn defaults_and_patience_are_those_of_the_guide() {
        for (key, seconds) in [
            ("eastron", 2),
            ("eastron,sdm230", 2),
            ("eastron,sdm630", 2),
            ("eastron,sdm72dm-v1", 2),
            ("eastron,sdm72dm-v2", 2),
            ("klefr", 10),
        ] {
            let protocol = Protocol::named(key).unwrap();
            assert_eq!(protocol.baud_rate.bits_per_second(), 9600, "{key}");
            assert_eq!(protocol.parity, Parity::None, "{key}");
            assert_eq!(protocol.address.number(), 1, "{key}");
            assert_eq!(
                protocol.unavailable_after,
                Duration::from_secs(seconds),
                "{key}"
            );
        }
    }

    #[test]
    fn a_protocol_of_a_later_version_is_named_with_those_there_are() {
        let message = Protocol::named("iskra").unwrap_err().to_string();
        for part in [
            "ports[0]/meter/protocol",
            "\"iskra\"",
            "eastron,sdm72dm-v2",
            "klefr",
        ] {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
    }
}
