//! Phoenix Contact EEM-350-D-MCB, made by Carlo Gavazzi as EM24: input registers,
//! signed, low word first.

use rs485::ReadFunction::Input;

use super::Confidence::{High, Low, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, PAUSE, Serial, SerialForm, Style, WordOrder, input};

const MAP: Style = Style {
    function: Input,
    kind: Kind::S32,
    order: WordOrder::LowFirst,
    not_measured: NotMeasured::Never,
    source: "SmartEVSE-3.5 meter.cpp",
    confidence: High,
};

const EM24: Style = Style {
    source: "mbmd carlogavazzi-em24.go, Tinkerforge",
    ..MAP
};

/// Three phases.
pub const EEM350: Model = Model {
    protocol: "eem-350-d-mcb",
    name: "Phoenix Contact EEM-350-D-MCB",
    reads: &[
        input(0x0000, 6),
        input(0x000C, 8),
        input(0x0014, 4),
        input(0x0028, 2),
        input(0x0037, 9),
    ],
    longest_read: 11,
    registers: &[
        MAP.row(Voltage, L1, 0x0000, 0.1),
        MAP.row(Voltage, L2, 0x0002, 0.1),
        MAP.row(Voltage, L3, 0x0004, 0.1),
        MAP.row(Current, L1, 0x000C, 0.001),
        MAP.row(Current, L2, 0x000E, 0.001),
        MAP.row(Current, L3, 0x0010, 0.001),
        EM24.row(Power, L1, 0x0012, 0.1),
        EM24.row(Power, L2, 0x0014, 0.1),
        EM24.row(Power, L3, 0x0016, 0.1),
        MAP.row(Power, Total, 0x0028, 0.1),
        Style {
            confidence: Medium,
            ..EM24
        }
        .of(Kind::U16)
        .row(Frequency, Total, 0x0037, 0.1),
        MAP.row(Energy, Total, 0x003E, 100.0),
    ],
    // A thread on Victron's forum about the EM24.
    serial: Some(Serial {
        read: input(0x1300, 7),
        form: SerialForm::Text,
        confidence: Low,
    }),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "Where the SmartEVSE says nothing, the map is that of the EM24, the same device of its \
             maker. Older ones have no serial number there. Energy counts in steps of 100 Wh; the \
             counter at 0x0042 is the partial one and not used.",
};
