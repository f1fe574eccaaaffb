//! The register maps of the meters: data, one table per model.
//!
//! Addresses are those on the wire, zero based. A model's reads never ask the same
//! function for the same number of registers twice, so that an answer which comes
//! too late can't pass for another one; where the meter doesn't let that be, the model
//! has a [`Model::fence`].

mod abb;
mod dzg;
mod eastron;
mod elecnova;
mod gavazzi;
mod iskra;
mod klefr;
mod number;
mod phoenix;
mod signing;
mod socomec;
mod sunspec;

pub use abb::EV3;
pub use dzg::DVH4013;
pub use eastron::{METER_CODE, METER_CODES, SDM72DM_V1, SDM72DM_V2, SDM230, SDM630};
pub use elecnova::{DDS1946, DTS1946};
pub use gavazzi::{EM100, EM300};
pub use iskra::{ISKRA_MODELS, WM3M4, WM3M4C};
pub use klefr::{KLEFR_693X, KLEFR_694X};
pub use number::{Kind, NotMeasured, WordOrder};
pub use phoenix::EEM350;
pub use signing::{
    Field, SIGNING_METERS, Signing, Snapshot, SnapshotMap, TransactionMap, signing_of,
};
pub use socomec::COUNTIS_E0X;
pub use sunspec::{
    COMMON, END_OF_MODELS, MAGIC, MARKER_ADDRESSES, SUNSPEC_MODELS, marker, model_header,
};

use std::time::Duration;

use rs485::ReadFunction;

/// Rest between two requests that most meters are given (Eastron, openWB).
pub const PAUSE: Duration = Duration::from_millis(100);

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
    /// Where the meter tells its own name, as text.
    pub designation: Option<Read>,
    /// A request that the meter refuses. Sent after a failure, it shows by its refusal
    /// that no late answer is under way: for models whose answers all look alike.
    pub fence: Option<Read>,
    /// Rest between two requests, [`PAUSE`] unless the meter wants another one.
    pub pause: Duration,
    /// What to know about the table: gaps, assumptions, choices.
    pub remark: &'static str,
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
    /// The register, signed, with a power of ten that multiplies it as well.
    pub exponent: Option<u16>,
    /// What the meter sends for a value that it doesn't have.
    pub not_measured: NotMeasured,
    /// Where that is written.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

/// What the rows of a table have in common.
#[derive(Clone, Copy, Debug)]
struct Style {
    function: ReadFunction,
    kind: Kind,
    order: WordOrder,
    not_measured: NotMeasured,
    source: &'static str,
    confidence: Confidence,
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

/// How sure a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Two independent public sources, or the maker's own table.
    High,
    /// One good source.
    Medium,
    /// One weak source, or the map of a sibling.
    Low,
}

/// Where a serial number stands.
#[derive(Clone, Copy, Debug)]
pub struct Serial {
    /// The request.
    pub read: Read,
    /// How it is printed on the meter.
    pub form: SerialForm,
    /// How sure that is.
    pub confidence: Confidence,
}

/// How a serial number is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialForm {
    /// As a decimal number, two registers.
    Decimal,
    /// As hexadecimal digits, four per register; so are packed decimal digits.
    Hexadecimal,
    /// As text, one or two characters per register.
    Text,
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
    /// The word at `address`, when this read, answered by `words`, holds it.
    fn word(&self, address: u16, words: &[u16]) -> Option<u16> {
        let offset = usize::from(address.checked_sub(self.start)?);
        words.get(offset).copied()
    }

    /// Whether it holds all of `register`.
    pub fn holds(&self, register: &Register) -> bool {
        let end = self.start + self.count;
        let whole = register.alone();
        self.function == register.function
            && whole.start >= self.start
            && whole.start + whole.count <= end
    }

    /// This read, for a map that starts at `base`.
    #[must_use]
    pub const fn from_base(self, base: u16) -> Self {
        Self {
            start: self.start.wrapping_add(base),
            ..self
        }
    }
}

impl Register {
    /// The request for this value alone, with its exponent.
    pub const fn alone(&self) -> Read {
        let end = self.address + self.kind.words();
        let (start, end) = match self.exponent {
            Some(exponent) if exponent < self.address => (exponent, end),
            Some(exponent) if exponent >= end => (self.address, exponent + 1),
            _ => (self.address, end),
        };
        Read {
            function: self.function,
            start,
            count: end - start,
        }
    }

    /// The value in [`Quantity::unit`] out of the answer to `read`; `None` when it
    /// isn't there or the meter says that it doesn't measure it.
    pub fn value(&self, read: &Read, words: &[u16]) -> Option<f64> {
        if !read.holds(self) {
            return None;
        }
        let first = usize::from(self.address - read.start);
        let own = words.get(first..first + usize::from(self.kind.words()))?;
        let bits = self.order.join(own);
        if self.kind.is_not_measured(bits, self.not_measured) {
            return None;
        }
        let exponent = match self.exponent {
            // An exponent is signed.
            Some(address) => read.word(address, words)? as i16,
            None => 0,
        };
        Some(number::scaled(self.kind.number(bits), exponent, self.scale))
    }
}

impl Style {
    const fn row(&self, quantity: Quantity, phase: Phase, address: u16, scale: f64) -> Register {
        Register {
            quantity,
            phase,
            function: self.function,
            address,
            kind: self.kind,
            order: self.order,
            scale,
            exponent: None,
            not_measured: self.not_measured,
            source: self.source,
            confidence: self.confidence,
        }
    }

    /// A row of another type.
    const fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
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

const fn holding(start: u16, count: u16) -> Read {
    Read {
        function: ReadFunction::Holding,
        start,
        count,
    }
}

const fn input(start: u16, count: u16) -> Read {
    Read {
        function: ReadFunction::Input,
        start,
        count,
    }
}

#[cfg(test)]
mod tests;
