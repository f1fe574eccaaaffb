//! The values of `ports[0]/meter/protocol`: line settings, patience and how the
//! model is found.

use std::time::Duration;

use rs485::{BaudRate, DeviceAddress, Parity};

use crate::maps::{
    COUNTIS_E0X, DDS1946, DTS1946, DVH4013, EEM350, EM100, EM300, EV3, ISKRA_MODELS, KLEFR_693X,
    KLEFR_694X, Model, SDM72DM_V1, SDM72DM_V2, SDM230, SDM630, SUNSPEC_MODELS,
};

/// What a protocol string stands for.
#[derive(Debug)]
pub struct Protocol {
    /// The string in customer.json.
    pub key: &'static str,
    /// Speed unless configured (guide 7.3.2).
    pub baud_rate: BaudRate,
    /// Parity unless configured (guide 7.3.2).
    pub parity: Parity,
    /// Modbus address unless configured (guide 7.3.2); `None`: to be searched, once
    /// (guide 7.3.6.1).
    pub address: Option<DeviceAddress>,
    /// How long the meter may think about a request.
    pub answer_limit: Duration,
    /// Without a good reading for this long the meter counts as gone (guide 7.3.6.2).
    pub unavailable_after: Duration,
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
    /// By the place of the mains frequency, among two models with different maps.
    FrequencyPlace {
        /// With it where this model has it.
        three: &'static Model,
        /// With it where this one has it.
        one: &'static Model,
    },
    /// By the beginning of the name that the meter tells.
    Name(&'static [(&'static str, &'static Model)]),
    /// By a walk through the models that the device lists.
    SunSpec,
}

/// A protocol string that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("ports[0]/meter/protocol is {0:?}; this version supports {supported}", supported = supported())]
pub struct Unsupported(String);

/// All protocols, in the guide's order.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol {
        address: None,
        ..usual("dzg", Detection::Configured(&DVH4013))
    },
    usual("eastron", Detection::MeterCode),
    usual("eastron,sdm230", Detection::Configured(&SDM230)),
    usual("eastron,sdm630", Detection::Configured(&SDM630)),
    usual("eastron,sdm72dm-v1", Detection::Configured(&SDM72DM_V1)),
    usual("eastron,sdm72dm-v2", Detection::Configured(&SDM72DM_V2)),
    usual("elecnova,dds1946", Detection::Configured(&DDS1946)),
    usual("elecnova,dts1946", Detection::Configured(&DTS1946)),
    usual(
        "gavazzi",
        Detection::FrequencyPlace {
            three: &EM300,
            one: &EM100,
        },
    ),
    Protocol {
        // It checks its memory after a power cycle and is silent meanwhile.
        unavailable_after: Duration::from_secs(10),
        ..usual(
            "klefr",
            Detection::Phases {
                three: &KLEFR_694X,
                one: &KLEFR_693X,
            },
        )
    },
    usual("eem-350-d-mcb", Detection::Configured(&EEM350)),
    Protocol {
        parity: Parity::Even,
        ..usual("abb", Detection::Configured(&EV3))
    },
    Protocol {
        baud_rate: BaudRate::B115200,
        address: DeviceAddress::new(33),
        ..usual("iskra", Detection::Name(ISKRA_MODELS))
    },
    Protocol {
        baud_rate: BaudRate::B38400,
        address: DeviceAddress::new(5),
        ..usual("socomec", Detection::Configured(&COUNTIS_E0X))
    },
    Protocol {
        baud_rate: BaudRate::B19200,
        parity: Parity::Even,
        address: DeviceAddress::new(42),
        // A BSM-WS36A may take ten seconds for a query (guide 7.3.2), which the two
        // seconds of guide 7.3.6.2 can't mean; with one lost frame, twice as long.
        answer_limit: Duration::from_millis(10_500),
        unavailable_after: Duration::from_secs(22),
        ..usual("sunspec", Detection::SunSpec)
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

/// All models, in the order of the protocols.
pub fn models() -> impl Iterator<Item = &'static Model> {
    PROTOCOLS
        .iter()
        .flat_map(|protocol| match protocol.detection {
            Detection::Configured(model) => vec![model],
            // Each of its models has a protocol of its own.
            Detection::MeterCode => vec![],
            Detection::Phases { three, one } | Detection::FrequencyPlace { three, one } => {
                vec![three, one]
            }
            Detection::Name(models) => models.iter().map(|(_, model)| *model).collect(),
            Detection::SunSpec => SUNSPEC_MODELS.iter().map(|(_, model)| *model).collect(),
        })
}

/// The settings that most meters share (guide 7.3.2 and 7.3.6.2).
const fn usual(key: &'static str, detection: Detection) -> Protocol {
    Protocol {
        key,
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        address: DeviceAddress::new(1),
        answer_limit: Duration::from_millis(600),
        unavailable_after: Duration::from_secs(2),
        detection,
    }
}

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
        let none = Parity::None;
        let even = Parity::Even;
        let table = [
            ("dzg", 9600, none, None, 2),
            ("eastron", 9600, none, Some(1), 2),
            ("eastron,sdm230", 9600, none, Some(1), 2),
            ("eastron,sdm630", 9600, none, Some(1), 2),
            ("eastron,sdm72dm-v1", 9600, none, Some(1), 2),
            ("eastron,sdm72dm-v2", 9600, none, Some(1), 2),
            ("elecnova,dds1946", 9600, none, Some(1), 2),
            ("elecnova,dts1946", 9600, none, Some(1), 2),
            ("gavazzi", 9600, none, Some(1), 2),
            ("klefr", 9600, none, Some(1), 10),
            ("eem-350-d-mcb", 9600, none, Some(1), 2),
            ("abb", 9600, even, Some(1), 2),
            ("iskra", 115_200, none, Some(33), 2),
            ("socomec", 38_400, none, Some(5), 2),
            ("sunspec", 19_200, even, Some(42), 22),
        ];
        assert_eq!(table.len(), PROTOCOLS.len());
        for (key, baud_rate, parity, address, seconds) in table {
            let protocol = Protocol::named(key).unwrap();
            assert_eq!(protocol.baud_rate.bits_per_second(), baud_rate, "{key}");
            assert_eq!(protocol.parity, parity, "{key}");
            assert_eq!(
                protocol.address.map(DeviceAddress::number),
                address,
                "{key}"
            );
            assert_eq!(
                protocol.unavailable_after,
                Duration::from_secs(seconds),
                "{key}"
            );
        }
    }

    #[test]
    fn another_protocol_is_named_with_those_there_are() {
        let message = Protocol::named("acme").unwrap_err().to_string();
        for part in ["ports[0]/meter/protocol", "\"acme\"", "dzg", "sunspec"] {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
    }
}
