//! Socomec Countis E03 and E04: holding registers, high word first, one phase.

use rs485::ReadFunction::Holding;

use super::Confidence::{High, Medium};
use super::Phase::{L1, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, PAUSE, Serial, SerialForm, Style, WordOrder, holding};

const MAP: Style = Style {
    function: Holding,
    kind: Kind::U32,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::Never,
    source: "Socomec table 545865A, neOCampus E03 driver, OpenEMS",
    confidence: High,
};

/// One phase.
pub const COUNTIS_E0X: Model = Model {
    protocol: "socomec",
    name: "Socomec Countis E03/E04",
    reads: &[holding(0xC558, 18), holding(0xC702, 2)],
    longest_read: 125,
    registers: &[
        MAP.row(Voltage, L1, 0xC558, 0.01),
        MAP.row(Frequency, Total, 0xC55E, 0.01),
        MAP.row(Current, L1, 0xC560, 0.001),
        MAP.of(Kind::S32).row(Power, L1, 0xC568, 10.0),
        MAP.of(Kind::S32).row(Power, Total, 0xC568, 10.0),
        Style {
            confidence: Medium,
            ..MAP
        }
        .row(Energy, Total, 0xC702, 10.0),
    ],
    serial: Some(Serial {
        read: holding(0xC358, 3),
        form: SerialForm::Hexadecimal,
        confidence: Medium,
    }),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "The serial number is that of three registers, joined as hexadecimal digits; how the \
             printed one is made of them is unknown. Power counts in steps of 10 W, energy in \
             steps of 10 Wh.",
};
