//! DZG DVH4013: holding registers, unsigned, each value an object of its own.

use std::time::Duration;

use rs485::ReadFunction::Holding;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, Style, WordOrder, holding};

const MAP: Style = Style {
    function: Holding,
    kind: Kind::U32,
    order: WordOrder::HighFirst,
    not_measured: NotMeasured::Never,
    source: "mbmd dzg.go",
    confidence: High,
};

const OBJECT: Style = Style {
    source: "mbmd dzg.go, INOA ModbusDVH4013Builder",
    confidence: Medium,
    ..MAP
};

/// Three phases; power only in all.
pub const DVH4013: Model = Model {
    protocol: "dzg",
    name: "DZG DVH4013",
    reads: &[
        holding(0x0000, 2),
        holding(0x0004, 2),
        holding(0x0006, 2),
        holding(0x0008, 2),
        holding(0x000A, 2),
        holding(0x000C, 2),
        holding(0x000E, 2),
        holding(0x0012, 2),
        holding(0x4000, 2),
    ],
    longest_read: 2,
    registers: &[
        MAP.row(Power, Total, 0x0000, 0.1),
        MAP.row(Voltage, L1, 0x0004, 0.01),
        MAP.row(Voltage, L2, 0x0006, 0.01),
        MAP.row(Voltage, L3, 0x0008, 0.01),
        MAP.row(Current, L1, 0x000A, 0.001),
        MAP.row(Current, L2, 0x000C, 0.001),
        MAP.row(Current, L3, 0x000E, 0.001),
        MAP.row(Frequency, Total, 0x0012, 0.001),
        OBJECT.row(Energy, Total, 0x4000, 1.0),
    ],
    serial: None,
    designation: None,
    // Exception 2 according to mbmd.
    fence: Some(holding(0x0014, 2)),
    // Nine requests make a reading.
    pause: Duration::from_millis(50),
    remark: "The guide says that the serial number can be read, but no public source tells the \
             register: it is absent. Nor is there power per phase. Each value is read alone, \
             because the registers seem to be objects, not one array. The Modbus address is made \
             of the serial number: its last two digits plus one, written as hexadecimal digits.",
};
