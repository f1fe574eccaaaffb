//! The register maps of the meters: data, one table per model.
//!
//! Addresses are those on the wire, zero based. A model's reads never ask the same
//! function for the same number of registers twice, so that an answer which comes
//! too late can't pass for another one.

mod eastron;
mod klefr;

pub use eastron::{METER_CODE, METER_CODES, SDM72DM_V1, SDM72DM_V2, SDM230, SDM630};
pub use klefr::{KLEFR_693X, KLEFR_694X};

use rs485::ReadFunction;

/// A model of meter.
#[derive(Debug)]
pub struct Model {
    /// The value of `ports[0]/meter/protocol` that stands for it.
    pub protocol: &'static str,
    /// Maker and model for people.
    pub name: &'static str,
    /// The requests that read all values.
    pub reads: &'static [Read],
    /// The most registers that the meter gives at once.
    pub longest_read: u16,
    /// The values.
    pub registers: &'static [Register],
    /// Where the serial number stands, if the meter tells it (guide 7.3.3).
    pub serial: Option<Serial>,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// How.
    pub function: ReadFunction,
    /// First register.
    pub start: u16,
    /// Number of registers.
    pub count: u16,
}

/// One value of a meter.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// What it measures.
    pub quantity: Quantity,
    /// Where.
    pub phase: Phase,
    /// How it is read.
    pub function: ReadFunction,
    /// Its first register.
    pub address: u16,
    /// Its type on the wire.
    pub kind: Kind,
    /// The order of its words.
    pub order: WordOrder,
    /// What the number on the wire is multiplied by to get [`Quantity::unit`].
    pub scale: f64,
    /// Where that is written.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

/// What is measured; only what flows to the vehicle (guide 7.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Phase to neutral.
    Voltage,
    /// Current.
    Current,
    /// Active power, import positive.
    Power,
    /// Mains frequency.
    Frequency,
    /// Active energy import register.
    Energy,
}

/// Where it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Over all phases.
    Total,
    /// Phase L1, the only one of a single-phase meter.
    L1,
    /// Phase L2.
    L2,
    /// Phase L3.
    L3,
}

/// Types on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IEEE 754, two registers.
    F32,
    /// Unsigned, two registers.
    U32,
}

/// Which word of a number comes first; inside a word it is always the high byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordOrder {
    /// The high word.
    HighFirst,
    /// The low word.
    LowFirst,
}

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Two independent public sources, or the maker's own table.
    High,
    /// One good source.
    Medium,
}

/// Where a serial number stands.
#[derive(Clone, Copy, Debug)]
pub struct Serial {
    /// The request: an unsigned number in two registers.
    pub read: Read,
    /// How it is printed on the meter.
    pub form: SerialForm,
}

/// How a serial number is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialForm {
    /// As a decimal number.
    Decimal,
    /// As eight hexadecimal digits.
    Hexadecimal,
}

impl Model {
    /// Whether the model measures L2.
    pub fn is_three_phase(&self) -> bool {
        self.registers
            .iter()
            .any(|register| register.phase == Phase::L2)
    }

    /// The value of `quantity` in `phase`, if the model has it.
    pub fn register(&self, quantity: Quantity, phase: Phase) -> Option<&Register> {
        self.registers
            .iter()
            .find(|r| (r.quantity, r.phase) == (quantity, phase))
    }
}

impl Read {
    /// The words of `register`, when this read holds them.
    pub fn words_of<'w>(&self, register: &Register, words: &'w [u16]) -> Option<&'w [u16]> {
        let offset = usize::from(register.address.checked_sub(self.start)?);
        let words = words.get(offset..offset + usize::from(register.kind.words()))?;
        (self.function == register.function).then_some(words)
    }
}

impl Register {
    /// The request for this value alone.
    pub const fn alone(&self) -> Read {
        Read {
            function: self.function,
            start: self.address,
            count: self.kind.words(),
        }
    }

    /// The value in [`Quantity::unit`]; `None` when `words` has the wrong length.
    pub fn value(&self, words: &[u16]) -> Option<f64> {
        let &[first, second] = words else { return None };
        let (high, low) = match self.order {
            WordOrder::HighFirst => (first, second),
            WordOrder::LowFirst => (second, first),
        };
        let bits = u32::from(high) << 16 | u32::from(low);
        let number = match self.kind {
            Kind::F32 => shortest(f32::from_bits(bits)),
            Kind::U32 => f64::from(bits),
        };
        Some(tidy(number * self.scale))
    }
}

impl Kind {
    /// Registers of one value.
    pub const fn words(self) -> u16 {
        match self {
            Self::F32 | Self::U32 => 2,
        }
    }
}

impl Quantity {
    /// The unit after scaling.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Voltage => "V",
            Self::Current => "A",
            Self::Power => "W",
            Self::Frequency => "Hz",
            Self::Energy => "Wh",
        }
    }
}

/// The decimal number that a meter means by a float: 11.04, not 11.039999961853027.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// Without the noise of the multiplication.
fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const MODELS: [&Model; 6] = [
        &SDM230,
        &SDM630,
        &SDM72DM_V1,
        &SDM72DM_V2,
        &KLEFR_694X,
        &KLEFR_693X,
    ];

    #[test]
    fn every_value_is_read_once_and_within_the_meters_limit() {
        for model in MODELS {
            for register in model.registers {
                let reads = model.reads.iter().filter(|read| {
                    read.words_of(register, &vec![0; usize::from(read.count)])
                        .is_some()
                });
                assert_eq!(reads.count(), 1, "{}: {register:?}", model.name);
            }
            for read in model.reads {
                assert!(read.count <= model.longest_read, "{}: {read:?}", model.name);
            }
        }
    }

    #[test]
    fn no_two_answers_of_a_model_have_the_same_form() {
        for model in MODELS {
            let reads = model
                .reads
                .iter()
                .chain(model.serial.iter().map(|serial| &serial.read));
            let mut forms = HashSet::new();
            for read in reads {
                let form = (read.function == ReadFunction::Input, read.count);
                assert!(forms.insert(form), "{}: {read:?}", model.name);
            }
        }
    }

    #[test]
    fn a_value_occurs_once_in_a_model() {
        for model in MODELS {
            for register in model.registers {
                let same = |other: &&Register| {
                    (other.quantity, other.phase) == (register.quantity, register.phase)
                };
                assert_eq!(
                    model.registers.iter().filter(same).count(),
                    1,
                    "{register:?}"
                );
            }
        }
    }

    #[test]
    fn numbers_are_decoded_in_either_word_order() {
        let power = |kind, order, scale| Register {
            kind,
            order,
            scale,
            ..*SDM630.register(Quantity::Power, Phase::Total).unwrap()
        };
        let float = power(Kind::F32, WordOrder::HighFirst, 1000.0);
        assert_eq!(float.value(&[0x4130, 0xA3D7]), Some(11_040.0));
        let float = power(Kind::F32, WordOrder::LowFirst, 1000.0);
        assert_eq!(float.value(&[0xA3D7, 0x4130]), Some(11_040.0));
        let whole = power(Kind::U32, WordOrder::HighFirst, 0.1);
        assert_eq!(whole.value(&[0x0001, 0xAF40]), Some(11_040.0));
        assert_eq!(whole.value(&[0x0001]), None);
        let float = power(Kind::F32, WordOrder::HighFirst, 1.0);
        assert!(float.value(&[0x7FC0, 0x0000]).unwrap().is_nan());
    }
}
