//! Eastron SDM series: values are input registers, floats, energy in kWh.

use std::time::Duration;

use rs485::ReadFunction::Input;

use super::Confidence::{High, Medium};
use super::Phase::{L1, L2, L3, Total};
use super::Quantity::{Current, Energy, Frequency, Power, Voltage};
use super::{
    Confidence, Kind, Model, NotMeasured, PAUSE, Phase, Quantity, Read, Register, Serial,
    SerialForm, Style, WordOrder, holding, input,
};

/// Holding register with the Meter Code; zero or refused by older firmware.
pub const METER_CODE: Read = holding(0xFC02, 1);

/// Meter Codes seen, with the model and where the code is written. The SDM230's is
/// not known.
pub const METER_CODES: &[(u16, &Model, &str)] = &[
    (0x0070, &SDM630, "Tinkerforge bricklib2"),
    (0x0079, &SDM630, "VenusOS driver (SDM630MCT v2)"),
    (0x0084, &SDM72DM_V1, "Tinkerforge bricklib2, openWB"),
    (0x0089, &SDM72DM_V2, "Tinkerforge bricklib2, openWB"),
];

/// Holding registers 0xFC00 and 0xFC01.
const SERIAL: Serial = Serial {
    read: holding(0xFC00, 2),
    form: SerialForm::Decimal,
    confidence: Medium,
};

const SDM630_MAP: &str = "mbmd sdm.go, EVerest SDM630, OpenEMS";
const SDM230_MAP: &str = "mbmd sdm230.go, EVerest SDM230";
const SDM72_MAP: &str = "mbmd sdm72.go, EVerest SDM72DM";
const SDM72_V2_MAP: &str = "mbmd sdm72v2.go, EVerest SDM72DM-V2";

/// Three phases.
pub const SDM630: Model = Model {
    protocol: "eastron,sdm630",
    name: "Eastron SDM630",
    reads: &[input(0x0000, 18), input(0x0030, 6), input(0x0046, 4)],
    longest_read: 80,
    registers: &[
        row(Voltage, L1, 0x0000, 1.0, SDM630_MAP, High),
        row(Voltage, L2, 0x0002, 1.0, SDM630_MAP, High),
        row(Voltage, L3, 0x0004, 1.0, SDM630_MAP, High),
        row(Current, L1, 0x0006, 1.0, SDM630_MAP, High),
        row(Current, L2, 0x0008, 1.0, SDM630_MAP, High),
        row(Current, L3, 0x000A, 1.0, SDM630_MAP, High),
        row(Power, L1, 0x000C, 1.0, SDM630_MAP, High),
        row(Power, L2, 0x000E, 1.0, SDM630_MAP, High),
        row(Power, L3, 0x0010, 1.0, SDM630_MAP, High),
        row(Current, Total, 0x0030, 1.0, SDM630_MAP, High),
        row(Power, Total, 0x0034, 1.0, SDM630_MAP, High),
        row(Frequency, Total, 0x0046, 1.0, SDM630_MAP, High),
        row(Energy, Total, 0x0048, 1000.0, SDM630_MAP, High),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "The guide counts its serial number as not readable; newer firmware \
             answers.",
};

/// One phase.
pub const SDM230: Model = Model {
    protocol: "eastron,sdm230",
    name: "Eastron SDM230",
    reads: &[input(0x0000, 14), input(0x0046, 4)],
    longest_read: 20,
    registers: &[
        row(Voltage, L1, 0x0000, 1.0, SDM230_MAP, High),
        row(Current, L1, 0x0006, 1.0, SDM230_MAP, High),
        row(Power, L1, 0x000C, 1.0, SDM230_MAP, High),
        row(Power, Total, 0x000C, 1.0, SDM230_MAP, High),
        row(Frequency, Total, 0x0046, 1.0, SDM230_MAP, High),
        row(Energy, Total, 0x0048, 1000.0, SDM230_MAP, High),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: PAUSE,
    remark: "That the gaps of the first read are answered is known of its sibling \
             SDM120 only. It ships with 2400 bit/s and even parity.",
};

/// Three phases, told only in all.
pub const SDM72DM_V1: Model = Model {
    protocol: "eastron,sdm72dm-v1",
    name: "Eastron SDM72D-M v1",
    reads: &[input(0x0034, 2), input(0x0048, 4)],
    longest_read: 60,
    registers: &[
        row(Power, Total, 0x0034, 1.0, SDM72_MAP, High),
        row(Energy, Total, 0x0048, 1000.0, SDM72_MAP, High),
    ],
    serial: None,
    designation: None,
    fence: None,
    pause: Duration::from_millis(300),
    remark: "Only power and energy in all. The export register is read along to \
             give the second answer another length. An SDM72D is reported to restart when it is \
             asked too fast, and not with half a second between two requests; with more \
             than 300 ms one lost frame would count as an outage.",
};

/// Three phases.
pub const SDM72DM_V2: Model = Model {
    protocol: "eastron,sdm72dm-v2",
    name: "Eastron SDM72D-M v2",
    reads: &[
        input(0x0000, 10),
        input(0x000A, 8),
        input(0x0030, 6),
        input(0x0046, 4),
    ],
    longest_read: 10,
    registers: &[
        row(Voltage, L1, 0x0000, 1.0, SDM72_V2_MAP, High),
        row(Voltage, L2, 0x0002, 1.0, SDM72_V2_MAP, High),
        row(Voltage, L3, 0x0004, 1.0, SDM72_V2_MAP, High),
        row(Current, L1, 0x0006, 1.0, SDM72_V2_MAP, High),
        row(Current, L2, 0x0008, 1.0, SDM72_V2_MAP, High),
        row(Current, L3, 0x000A, 1.0, SDM72_V2_MAP, High),
        row(Power, L1, 0x000C, 1.0, SDM72_V2_MAP, High),
        row(Power, L2, 0x000E, 1.0, SDM72_V2_MAP, High),
        row(Power, L3, 0x0010, 1.0, SDM72_V2_MAP, High),
        row(Current, Total, 0x0030, 1.0, "SDM630 map", Medium),
        row(Power, Total, 0x0034, 1.0, SDM72_V2_MAP, High),
        row(Frequency, Total, 0x0046, 1.0, SDM72_V2_MAP, High),
        row(Energy, Total, 0x0048, 1000.0, SDM72_V2_MAP, High),
    ],
    serial: Some(SERIAL),
    designation: None,
    fence: None,
    pause: Duration::from_millis(200),
    remark: "Some of them answer ten registers at most (openWB). Its rest is as long as four \
             requests in a second allow; see the v1.",
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
        function: Input,
        kind: Kind::F32,
        order: WordOrder::HighFirst,
        not_measured: NotMeasured::Never,
        source,
        confidence,
    }
    .row(quantity, phase, address, scale)
}
