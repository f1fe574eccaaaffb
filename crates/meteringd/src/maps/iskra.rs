//! Iskra WM3M4 and WM3M4C: input registers, numbers with their own power of ten. The
//! makers' decimal addresses are kept.

use rs485::ReadFunction::Input;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{
    Confidence, Kind, Model, NotMeasured, PAUSE, Read, Register, Serial, SerialForm, Style,
    WordOrder, input,
};

/// How the name that the meter tells begins, with the model. The longer ones first.
pub const ISKRA_MODELS: &[(&str, &Model)] = &[("WM3M4C", &WM3M4C), ("WM3M", &WM3M4)];

/// Three phases, with signed metering.
pub const WM3M4C: Model = Model {
    protocol: "iskra",
    name: "Iskra WM3M4C",
    reads: READS,
    longest_read: 120,
    registers: &registers("EVerest RsIskraMeter, Tinkerforge bricklib2", High),
    serial: Some(serial(High)),
    designation: Some(NAME),
    fence: None,
    pause: PAUSE,
    remark: "The power of ten of the energy is read along from register 414.",
};

/// Three phases.
pub const WM3M4: Model = Model {
    name: "Iskra WM3M4",
    registers: &registers("EVerest RsIskraMeter (written for the WM3M4C)", Medium),
    serial: Some(serial(Medium)),
    remark: "Taken to have the map of the WM3M4C, without its signed metering. Only the beginning \
             of its name, WM3M, is known.",
    ..WM3M4C
};

const NAME: Read = input(1, 8);

const READS: &[Read] = &[input(105, 10), input(126, 22), input(414, 6)];

const fn serial(confidence: Confidence) -> Serial {
    Serial {
        read: input(9, 4),
        form: SerialForm::Text,
        confidence,
    }
}

const fn registers(source: &'static str, confidence: Confidence) -> [Register; 13] {
    let unsigned = Style {
        function: Input,
        kind: Kind::T5,
        order: WordOrder::HighFirst,
        not_measured: NotMeasured::Never,
        source,
        confidence,
    };
    let signed = unsigned.of(Kind::T6);
    [
        unsigned.row(Frequency, Total, 105, 1.0),
        unsigned.row(Voltage, L1, 107, 1.0),
        unsigned.row(Voltage, L2, 109, 1.0),
        unsigned.row(Voltage, L3, 111, 1.0),
        unsigned.row(Current, L1, 126, 1.0),
        unsigned.row(Current, L2, 128, 1.0),
        unsigned.row(Current, L3, 130, 1.0),
        unsigned.row(Current, Total, 138, 1.0),
        signed.row(Power, Total, 140, 1.0),
        signed.row(Power, L1, 142, 1.0),
        signed.row(Power, L2, 144, 1.0),
        signed.row(Power, L3, 146, 1.0),
        Register {
            exponent: Some(414),
            ..unsigned.of(Kind::U32).row(Energy, Total, 418, 1.0)
        },
    ]
}
