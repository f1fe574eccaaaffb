//! ABB EV3 012-100: holding registers, high word first.

use rs485::ReadFunction::Holding;

use super::Confidence::High;
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, PAUSE, Serial, SerialForm, Style, WordOrder, holding};

const MAP: Style = Style {
    function: Holding,
    kind: Kind::U32,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::Greatest,
    source: "ABB 9AKK107991A9529, systeembeheerder abb_ev3.yaml",
    confidence: High,
};

/// Three phases.
pub const EV3: Model = Model {
    protocol: "abb",
    name: "ABB EV3",
    // The first is ABB's own example: the block of all instantaneous values.
    reads: &[holding(0x5B00, 59), holding(0x5000, 4)],
    longest_read: 125,
    registers: &[
        MAP.row(Voltage, L1, 0x5B00, 0.1),
        MAP.row(Voltage, L2, 0x5B02, 0.1),
        MAP.row(Voltage, L3, 0x5B04, 0.1),
        MAP.row(Current, L1, 0x5B0C, 0.01),
        MAP.row(Current, L2, 0x5B0E, 0.01),
        MAP.row(Current, L3, 0x5B10, 0.01),
        MAP.of(Kind::S32).row(Power, Total, 0x5B14, 0.01),
        MAP.of(Kind::S32).row(Power, L1, 0x5B16, 0.01),
        MAP.of(Kind::S32).row(Power, L2, 0x5B18, 0.01),
        MAP.of(Kind::S32).row(Power, L3, 0x5B1A, 0.01),
        MAP.of(Kind::U16).row(Frequency, Total, 0x5B2C, 0.01),
        MAP.of(Kind::U64).row(Energy, Total, 0x5000, 0.1),
    ],
    serial: Some(Serial {
        read: holding(0x0402, 3),
        form: SerialForm::Hexadecimal,
        confidence: High,
    }),
    designation: Some(holding(0x8960, 6)),
    fence: None,
    pause: PAUSE,
    remark: "The greatest number of a type counts as not measured, as on ABB's B series.",
};
