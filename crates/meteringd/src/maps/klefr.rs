//! Klefr 693x and 694x, made by Inepro: holding registers, floats, power in kW and
//! energy in kWh.

use rs485::ReadFunction::Holding;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{
    Confidence, Kind, Model, NotMeasured, PAUSE, Phase, Quantity, Register, Serial, SerialForm,
    Style, WordOrder, holding,
};

const SERIAL: Serial = Serial {
    read: holding(0x4000, 2),
    form: SerialForm::Hexadecimal,
    confidence: High,
};

const MAP: &str = "EVerest Klefr_693x-694x, mbmd inepro.go";
const INEPRO: &str = "Inepro PRO1/PRO380 register tables";

/// Three phases.
pub const KLEFR_694X: Model = Model {
    protocol: "klefr",
    name: "Klefr 694x",
    reads: &[holding(0x5002, 24), holding(0x600C, 14)],
    longest_read: 24,
    registers: &[
        row(Voltage, L1, 0x5002, 1.0, MAP, High),
        row(Voltage, L2, 0x5004, 1.0, MAP, High),
        row(Voltage, L3, 0x5006, 1.0, MAP, High),
        row(Frequency, Total, 0x5008, 1.0, MAP, High),
        row(Current, L1, 0x500C, 1.0, MAP, High),
        row(Current, L2, 0x500E, 1.0, MAP, High),
        row(Current, L3, 0x5010, 1.0, MAP, High),
        row(Power, Total, 0x5012, 1000.0, MAP, High),
        row(Power, L1, 0x5014, 1000.0, MAP, High),
        row(Power, L2, 0x5016, 1000.0, MAP, High),
        row(Power, L3, 0x5018, 1000.0, MAP, High),
        row(Energy, Total, 0x600C, 1000.0, MAP, High),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "A total of the currents is documented for the single-phase sibling of its \
             maker only and not used.",
};

/// One phase.
pub const KLEFR_693X: Model = Model {
    protocol: "klefr",
    name: "Klefr 693x",
    reads: &[holding(0x5002, 20), holding(0x600C, 14)],
    longest_read: 24,
    registers: &[
        row(Voltage, L1, 0x5002, 1.0, INEPRO, Medium),
        row(Frequency, Total, 0x5008, 1.0, INEPRO, Medium),
        row(Current, L1, 0x500C, 1.0, INEPRO, Medium),
        row(Power, Total, 0x5012, 1000.0, INEPRO, Medium),
        row(Power, L1, 0x5014, 1000.0, INEPRO, Medium),
        row(Energy, Total, 0x600C, 1000.0, INEPRO, Medium),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "The registers of L2 and L3 do not exist.",
};

const fn row(
    quantity: Quantity,
    phase: Phase,
    address: u16,
    scale: f64,
    source: &'static str,
    confidence: Confidence,
) -> Register {
    Style {
        function: Holding,
        kind: Kind::F32,
        order: WordOrder::HighFirst,
        not_measured: NotMeasured::Never,
        source,
        confidence,
    }
    .row(quantity, phase, address, scale)
}
