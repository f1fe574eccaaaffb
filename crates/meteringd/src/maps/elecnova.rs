//! Elecnova DTS1946 (three phases) and DDS1946 (one phase).

use rs485::ReadFunction::{Holding, Input};

use super::Confidence::{High, Low};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, PAUSE, Style, WordOrder, holding, input};

const FLOATS: Style = Style {
    function: Input,
    kind: Kind::F32,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::Never,
    source: "OpenEMS fork MeterElecnovaDts1946Impl, Supla sketch",
    confidence: High,
};

const INTEGERS: Style = Style {
    function: Holding,
    kind: Kind::U16,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::Never,
    source: "Home Assistant bridge for DTS1946",
    confidence: Low,
};

/// Three phases; power in kW, energy in kWh.
pub const DTS1946: Model = Model {
    protocol: "elecnova,dts1946",
    name: "Elecnova DTS1946",
    reads: &[input(0x0000, 26), input(0x0032, 4)],
    longest_read: 100,
    registers: &[
        FLOATS.row(Voltage, L1, 0x0000, 1.0),
        FLOATS.row(Voltage, L2, 0x0002, 1.0),
        FLOATS.row(Voltage, L3, 0x0004, 1.0),
        FLOATS.row(Current, L1, 0x000C, 1.0),
        FLOATS.row(Current, L2, 0x000E, 1.0),
        FLOATS.row(Current, L3, 0x0010, 1.0),
        FLOATS.row(Power, L1, 0x0012, 1000.0),
        FLOATS.row(Power, L2, 0x0014, 1000.0),
        FLOATS.row(Power, L3, 0x0016, 1000.0),
        FLOATS.row(Power, Total, 0x0018, 1000.0),
        FLOATS.row(Frequency, Total, 0x0032, 1.0),
        FLOATS.row(Energy, Total, 0x0034, 1000.0),
    ],
    serial: None,
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "A block of integers at 0x0106 and 0x0200 is known from one source and not used.",
};

/// One phase.
pub const DDS1946: Model = Model {
    protocol: "elecnova,dds1946",
    name: "Elecnova DDS1946",
    reads: &[holding(0x0106, 2), holding(0x0200, 7)],
    longest_read: 100,
    registers: &[
        INTEGERS.row(Voltage, L1, 0x0200, 0.1),
        INTEGERS.row(Current, L1, 0x0201, 0.01),
        INTEGERS.of(Kind::S16).row(Power, L1, 0x0202, 10.0),
        INTEGERS.of(Kind::S16).row(Power, Total, 0x0202, 10.0),
        INTEGERS.row(Frequency, Total, 0x0206, 0.01),
        INTEGERS.of(Kind::U32).row(Energy, Total, 0x0106, 10.0),
    ],
    serial: None,
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "One weak source. The manual shows that a float block exists at 0x0000, but its \
             layout is not public. Power counts in steps of 10 W, energy in steps of 10 Wh.",
};
