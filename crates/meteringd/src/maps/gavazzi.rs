//! Carlo Gavazzi EM300/ET300 (three phases) and EM100/ET100 (one phase): input
//! registers, signed, low word first.

use rs485::ReadFunction::Input;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{Kind, Model, NotMeasured, PAUSE, Serial, SerialForm, Style, WordOrder, input};

const THREE: Style = Style {
    function: Input,
    kind: Kind::S32,
    order: WordOrder::LowFirst,
    not_measured: NotMeasured::Never,
    source: "mbmd carlogavazzi-ex3x0.go, Tinkerforge carlo_gavazzi.py",
    confidence: High,
};

const ONE: Style = Style {
    source: "Tinkerforge carlo_gavazzi.py, evcc, openWB",
    ..THREE
};

/// Victron's drivers, EVerest's EM580.
const SERIAL: Serial = Serial {
    read: input(0x5000, 7),
    form: SerialForm::Text,
    confidence: Medium,
};

/// Three phases: EM330, EM340, ET330, ET340.
pub const EM300: Model = Model {
    protocol: "gavazzi",
    name: "Carlo Gavazzi EM300/ET300",
    reads: &[input(0x0000, 24), input(0x0028, 14)],
    longest_read: 50,
    registers: &[
        THREE.row(Voltage, L1, 0x0000, 0.1),
        THREE.row(Voltage, L2, 0x0002, 0.1),
        THREE.row(Voltage, L3, 0x0004, 0.1),
        THREE.row(Current, L1, 0x000C, 0.001),
        THREE.row(Current, L2, 0x000E, 0.001),
        THREE.row(Current, L3, 0x0010, 0.001),
        THREE.row(Power, L1, 0x0012, 0.1),
        THREE.row(Power, L2, 0x0014, 0.1),
        THREE.row(Power, L3, 0x0016, 0.1),
        THREE.row(Power, Total, 0x0028, 0.1),
        THREE.of(Kind::U16).row(Frequency, Total, 0x0033, 0.1),
        THREE.row(Energy, Total, 0x0034, 100.0),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "Energy counts in steps of 100 Wh.",
};

/// One phase: EM111, EM112, ET112.
pub const EM100: Model = Model {
    protocol: "gavazzi",
    name: "Carlo Gavazzi EM100/ET100",
    reads: &[input(0x0000, 6), input(0x000F, 3)],
    longest_read: 50,
    registers: &[
        ONE.row(Voltage, L1, 0x0000, 0.1),
        ONE.row(Current, L1, 0x0002, 0.001),
        ONE.row(Power, L1, 0x0004, 0.1),
        ONE.row(Power, Total, 0x0004, 0.1),
        ONE.of(Kind::U16).row(Frequency, Total, 0x000F, 0.1),
        ONE.row(Energy, Total, 0x0010, 100.0),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "Energy counts in steps of 100 Wh.",
};
