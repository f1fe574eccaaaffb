//! The registers of meters that sign what they measure, all of them holding registers.

use super::Confidence::{self, High, Medium};

/// How a meter signs.
#[derive(Debug)]
pub enum Signing {
    /// A transaction is begun and ended in the meter.
    Transaction(TransactionMap),
    /// The meter makes a snapshot of itself at the begin and at the end.
    Snapshot(SnapshotMap),
}

/// Registers that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// First register.
    pub address: u16,
    /// Number of registers.
    pub words: u16,
    /// What they hold.
    pub meaning: &'static str,
}

/// The registers of signed transactions.
#[derive(Debug)]
pub struct TransactionMap {
    /// Whether a measurement runs.
    pub measurement: Field,
    /// Takes commands.
    pub command: Field,
    /// What became of the command.
    pub command_status: Field,
    /// Offset of the local time.
    pub utc_offset: Field,
    /// The meter's clock.
    pub time: Field,
    /// Makes the clock count as set.
    pub synchronised: Field,
    /// Length of the dataset.
    pub dataset_length: Field,
    /// Lengths of dataset, record and signature.
    pub lengths: Field,
    /// Form of the signature.
    pub format: Field,
    /// What the record shall say beside the readings.
    pub dataset: Field,
    /// The record.
    pub output: Field,
    /// The public key.
    pub key: Field,
    /// The signature.
    pub signature: Field,
    /// The most registers in one frame.
    pub longest: u16,
    /// Where all that is written.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

/// The registers of signed snapshots.
#[derive(Debug)]
pub struct SnapshotMap {
    /// The meter's clock, written as one.
    pub time: Field,
    /// Who charges.
    pub contract: Field,
    /// Where.
    pub evse: Field,
    /// By which software.
    pub software: Field,
    /// Length and content of the public key.
    pub key: Field,
    /// The snapshot of the begin.
    pub begin: Snapshot,
    /// The snapshot of the end.
    pub end: Snapshot,
    /// The most registers in one frame.
    pub longest: u16,
    /// Where all that is written.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

/// The registers of one snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// Orders it, and tells how far it is.
    pub status: Field,
    /// When it was made.
    pub epoch: Field,
    /// It as signed text.
    pub text: Field,
}

/// How a meter of `protocol` that calls itself `name` signs; `None` where it doesn't.
pub fn signing_of(protocol: &str, name: &str) -> Option<&'static Signing> {
    SIGNING_METERS
        .iter()
        .find(|(of, part, _)| *of == protocol && name.contains(part))
        .map(|(.., signing)| signing)
}

/// Protocol, a part of the name that the meter tells, and how it signs.
pub const SIGNING_METERS: &[(&str, &str, Signing)] = &[
    ("iskra", "WM3M4C", Signing::Transaction(WM3M4C)),
    ("sunspec", "BSM-WS36A", Signing::Snapshot(BSM_WS36A)),
];

const WM3M4C: TransactionMap = TransactionMap {
    measurement: field(
        7000,
        1,
        "measurement: 0 idle, 1 active, 2 active after a power failure, 3 active after a reset",
    ),
    command: field(
        7051,
        1,
        "command, a character in the high byte: B begin, r end with the begin in the same record",
    ),
    command_status: field(
        7052,
        2,
        "status of the command: 1 idle, 2 in progress, 15 signed, from 128 on an error; then the UTC offset",
    ),
    utc_offset: field(7053, 1, "UTC offset in min"),
    time: field(7054, 2, "Unix time in s"),
    synchronised: field(7071, 1, "2: the time counts as synchronised"),
    dataset_length: field(7056, 1, "length of the dataset in bytes"),
    lengths: field(7056, 3, "lengths of dataset, record and signature in bytes"),
    format: field(7059, 1, "format of the signature, 0"),
    dataset: field(7100, 512, "dataset, JSON"),
    output: field(7612, 512, "record, JSON"),
    key: field(8124, 32, "public key on secp256r1, X and Y"),
    signature: field(8188, 128, "signature, DER"),
    longest: 120,
    source: "EVerest RsIskraMeter, Tinkerforge evse-v2-bricklet",
    confidence: High,
};

const BSM_WS36A: SnapshotMap = SnapshotMap {
    time: field(40260, 3, "Unix time in s and UTC offset in min, one write"),
    contract: field(40279, 70, "Meta1: who charges"),
    evse: field(40349, 50, "Meta2: the EVSE's identification"),
    software: field(40399, 50, "Meta3: the software"),
    key: field(
        40449,
        50,
        "registers and bytes of the public key, then the key, DER",
    ),
    begin: Snapshot {
        status: field(
            41286,
            1,
            "start snapshot: write 2 to make it; 0 valid, 2 in progress, else an error",
        ),
        epoch: field(41306, 2, "start snapshot: Unix time in s"),
        text: field(43295, 496, "start snapshot as OCMF"),
    },
    end: Snapshot {
        status: field(41540, 1, "end snapshot: as the start's"),
        epoch: field(41560, 2, "end snapshot: Unix time in s"),
        text: field(43795, 496, "end snapshot as OCMF"),
    },
    longest: 125,
    source: "chargeITmobility bsm-python, doc/modbus and doc/examples",
    confidence: Medium,
};

const fn field(address: u16, words: u16, meaning: &'static str) -> Field {
    Field {
        address,
        words,
        meaning,
    }
}

impl Signing {
    /// The registers of the public key.
    pub const fn key(&self) -> Field {
        match self {
            Self::Transaction(map) => map.key,
            Self::Snapshot(map) => map.key,
        }
    }

    /// All registers, for people.
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::Transaction(map) => vec![
                map.measurement,
                map.command,
                map.command_status,
                map.utc_offset,
                map.time,
                map.lengths,
                map.format,
                map.synchronised,
                map.dataset,
                map.output,
                map.key,
                map.signature,
            ],
            Self::Snapshot(map) => vec![
                map.time,
                map.contract,
                map.evse,
                map.software,
                map.key,
                map.begin.status,
                map.begin.epoch,
                map.end.status,
                map.end.epoch,
                map.begin.text,
                map.end.text,
            ],
        }
    }

    /// Where the registers are written, and how sure that is.
    pub const fn provenance(&self) -> (&'static str, Confidence) {
        match self {
            Self::Transaction(map) => (map.source, map.confidence),
            Self::Snapshot(map) => (map.source, map.confidence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_meters_that_sign_are_told_to() {
        assert!(signing_of("iskra", "WM3M4C").is_some());
        assert!(signing_of("sunspec", "BAUER Electronic BSM-WS36A-H01-1311-0000").is_some());
        for (protocol, name) in [
            ("iskra", "WM3M4"),
            ("sunspec", "Some other meter"),
            ("abb", "WM3M4C"),
        ] {
            assert!(signing_of(protocol, name).is_none(), "{protocol} {name}");
        }
    }
}
