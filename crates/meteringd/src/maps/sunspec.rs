//! SunSpec meters: models 201 to 204 (integers with a common power of ten) and 211 to
//! 214 (floats). Addresses count from the word that holds the model's number; where
//! that stands is found by walking through the device's models.

use rs485::ReadFunction::Holding;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{
    Confidence, Kind, Model, NotMeasured, PAUSE, Phase, Quantity, Read, Register, Serial,
    SerialForm, Style, WordOrder, holding,
};

/// Where the mark "SunS" may stand, most usual first.
pub const MARKER_ADDRESSES: &[u16] = &[40_000, 0, 50_000];
/// "SunS".
pub const MAGIC: [u16; 2] = [0x5375, 0x6E53];
/// The number of the model that tells maker and serial number.
pub const COMMON: u16 = 1;
/// The number that ends the row of models.
pub const END_OF_MODELS: u16 = 0xFFFF;

/// The models that measure, by their numbers.
pub const SUNSPEC_MODELS: &[(u16, &Model)] = &[
    (201, &MODEL_201),
    (202, &MODEL_202),
    (203, &MODEL_203),
    (204, &MODEL_204),
    (211, &MODEL_211),
    (212, &MODEL_212),
    (213, &MODEL_213),
    (214, &MODEL_214),
];

/// The request for the mark.
pub const fn marker(address: u16) -> Read {
    holding(address, 2)
}

/// The request for a model's number and length.
pub const fn model_header(address: u16) -> Read {
    holding(address, 2)
}

/// One phase.
const MODEL_201: Model = integers("SunSpec model 201 (single phase)", &SINGLE_PHASE);
/// Two phases of a split supply.
const MODEL_202: Model = integers("SunSpec model 202 (split phase)", &SPLIT_PHASE);
/// Three phases with neutral; the BZR Bauer BSM-WS36A has it.
const MODEL_203: Model = integers("SunSpec model 203 (three phases, wye)", &THREE_PHASES);
/// Three phases without neutral.
const MODEL_204: Model = integers("SunSpec model 204 (three phases, delta)", &THREE_PHASES);
const MODEL_211: Model = floats(
    "SunSpec model 211 (single phase, floats)",
    &SINGLE_PHASE_FLOATS,
);
const MODEL_212: Model = floats(
    "SunSpec model 212 (split phase, floats)",
    &SPLIT_PHASE_FLOATS,
);
const MODEL_213: Model = floats("SunSpec model 213 (three phases, wye, floats)", &WYE_FLOATS);
const MODEL_214: Model = floats(
    "SunSpec model 214 (three phases, delta, floats)",
    &DELTA_FLOATS,
);

const WHOLE_MODEL: &[Read] = &[holding(0, 107)];
const UP_TO_IMPORTED_ENERGY: &[Read] = &[holding(0, 70)];

const fn integers(name: &'static str, registers: &'static [Register]) -> Model {
    Model {
        protocol: "sunspec",
        name,
        reads: WHOLE_MODEL,
        longest_read: 125,
        registers,
        serial: Some(Serial {
            read: holding(50, 16),
            form: SerialForm::Text,
            confidence: High,
        }),
        designation: Some(holding(2, 32)),
        fence: None,
        pause: PAUSE,
        remark: "Addresses count from the word with the model's number; those of name and serial \
                 number from that of the common model. Power is taken to be positive for import. \
                 An energy of 0 counts as 0 Wh, although SunSpec lets it mean that there is none.",
    }
}

const fn floats(name: &'static str, registers: &'static [Register]) -> Model {
    Model {
        reads: UP_TO_IMPORTED_ENERGY,
        ..integers(name, registers)
    }
}

const SINGLE_PHASE: [Register; 7] = [
    current(Total, 2),
    current(L1, 3),
    voltage(L1, 8),
    frequency(),
    power(Total, 18),
    power(L1, 19),
    energy(),
];

const SPLIT_PHASE: [Register; 10] = [
    current(Total, 2),
    current(L1, 3),
    current(L2, 4),
    voltage(L1, 8),
    voltage(L2, 9),
    frequency(),
    power(Total, 18),
    power(L1, 19),
    power(L2, 20),
    energy(),
];

const THREE_PHASES: [Register; 13] = [
    current(Total, 2),
    current(L1, 3),
    current(L2, 4),
    current(L3, 5),
    voltage(L1, 8),
    voltage(L2, 9),
    voltage(L3, 10),
    frequency(),
    power(Total, 18),
    power(L1, 19),
    power(L2, 20),
    power(L3, 21),
    energy(),
];

const SINGLE_PHASE_FLOATS: [Register; 7] = [
    float(Current, Total, 2, Medium),
    float(Current, L1, 4, Medium),
    float(Voltage, L1, 12, Medium),
    float(Frequency, Total, 26, Medium),
    float(Power, Total, 28, Medium),
    float(Power, L1, 30, Medium),
    float(Energy, Total, 68, Medium),
];

const SPLIT_PHASE_FLOATS: [Register; 10] = [
    float(Current, Total, 2, Medium),
    float(Current, L1, 4, Medium),
    float(Current, L2, 6, Medium),
    float(Voltage, L1, 12, Medium),
    float(Voltage, L2, 14, Medium),
    float(Frequency, Total, 26, Medium),
    float(Power, Total, 28, Medium),
    float(Power, L1, 30, Medium),
    float(Power, L2, 32, Medium),
    float(Energy, Total, 68, Medium),
];

const WYE_FLOATS: [Register; 13] = three_phase_floats(High);
const DELTA_FLOATS: [Register; 13] = three_phase_floats(Medium);

const fn three_phase_floats(confidence: Confidence) -> [Register; 13] {
    [
        float(Current, Total, 2, confidence),
        float(Current, L1, 4, confidence),
        float(Current, L2, 6, confidence),
        float(Current, L3, 8, confidence),
        float(Voltage, L1, 12, confidence),
        float(Voltage, L2, 14, confidence),
        float(Voltage, L3, 16, confidence),
        float(Frequency, Total, 26, confidence),
        float(Power, Total, 28, confidence),
        float(Power, L1, 30, confidence),
        float(Power, L2, 32, confidence),
        float(Power, L3, 34, confidence),
        float(Energy, Total, 68, confidence),
    ]
}

const INTEGERS: Style = Style {
    function: Holding,
    kind: Kind::S16,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::SunSpec,
    source: "sunspec/models model_201.json to model_204.json",
    confidence: High,
};

const fn current(phase: Phase, address: u16) -> Register {
    Register {
        exponent: Some(6),
        ..INTEGERS.row(Current, phase, address, 1.0)
    }
}

const fn voltage(phase: Phase, address: u16) -> Register {
    Register {
        exponent: Some(15),
        ..INTEGERS.row(Voltage, phase, address, 1.0)
    }
}

const fn frequency() -> Register {
    Register {
        exponent: Some(17),
        ..INTEGERS.row(Frequency, Total, 16, 1.0)
    }
}

const fn power(phase: Phase, address: u16) -> Register {
    Register {
        exponent: Some(22),
        ..INTEGERS.row(Power, phase, address, 1.0)
    }
}

/// Imported energy.
const fn energy() -> Register {
    Register {
        exponent: Some(54),
        ..INTEGERS.of(Kind::U32).row(Energy, Total, 46, 1.0)
    }
}

const fn float(quantity: Quantity, phase: Phase, address: u16, confidence: Confidence) -> Register {
    Style {
        kind: Kind::F32,
        source: "sunspec/models model_213.json",
        confidence,
        ..INTEGERS
    }
    .row(quantity, phase, address, 1.0)
}
