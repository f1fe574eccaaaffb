//! The register map of a Modbus reader, as data: no map of the customised SL032 is
//! public, so the integrator who has one writes it down.

use std::path::{Path, PathBuf};

use rs485::ReadFunction;
use serde::Deserialize;
use topic_map::{Payload, RfidTag, TagStandard};

use crate::presence::Sighting;

/// Longest UID that a tag's message can carry.
const LONGEST_UID: usize = 20;

/// `profiles/stronglink-modbus.json` (docs/reference/peripherals.md).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Which reader with which firmware, for people.
    pub device: String,
    /// Where the map was read, for people.
    pub source: String,
    function: Function,
    /// First register of the only read, wire address, zero based.
    pub start: u16,
    /// Registers of that read, 2 to 32: the UID and its length.
    pub count: u16,
    /// Place within the read: length of the UID in bytes, 0 without a card.
    length_at: usize,
    /// Place within the read: first register of the UID.
    uid_at: usize,
    packing: Packing,
    #[serde(default)]
    standard: Option<String>,
    /// Written after a card was read, for readers that wait for it.
    #[serde(default)]
    pub acknowledge: Option<Acknowledge>,
}

/// A register and what is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Wire address, zero based.
    pub register: u16,
    /// Content.
    pub value: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Function {
    Holding,
    Input,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Packing {
    /// Two bytes in each register, the first one in its high byte.
    TwoHighFirst,
    /// Two bytes in each register, the first one in its low byte.
    TwoLowFirst,
    /// One byte in each register, in its low byte.
    One,
}

/// A profile that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is none, and without one nothing is known about the reader.
    #[error(
        "ports[0]/rfid/protocol is \"stronglink-modbus\", but the registers of this reader are not \
         public: write them into {} (see docs/reference/peripherals.md): {source}", path.display()
    )]
    Missing {
        /// Where it should lie.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not such a file.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A value that can't be.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Which value, and what is allowed.
        reason: &'static str,
    },
}

/// What the reader's registers say, but can't mean.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader tells a UID of {0} bytes; the profile has room for {1}")]
pub struct ImpossibleLength(u16, usize);

impl Profile {
    /// The profile in the file at `path`.
    ///
    /// # Errors
    /// When there is none or it can't be used.
    pub fn load(path: &Path) -> Result<Self, Unusable> {
        let text = std::fs::read_to_string(path).map_err(|source| Unusable::Missing {
            path: path.to_owned(),
            source,
        })?;
        let profile: Self = serde_json::from_str(&text).map_err(|source| Unusable::Malformed {
            path: path.to_owned(),
            source,
        })?;
        profile.check().map_err(|reason| Unusable::Wrong {
            path: path.to_owned(),
            reason,
        })?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), &'static str> {
        let count = usize::from(self.count);
        if !(2..=32).contains(&count) {
            return Err("count must be 2 to 32");
        }
        if self.length_at >= count || self.uid_at >= count {
            return Err("length_at and uid_at must be below count");
        }
        if (self.uid_at..self.uid_at + self.uid_registers()).contains(&self.length_at) {
            return Err("length_at must not lie within the UID: put it before uid_at");
        }
        if self.standard().is_none() {
            return Err("standard must be ISO14443, ISO15693 or UNKNOWN");
        }
        Ok(())
    }

    /// Registers from `uid_at` to the end of the read.
    fn uid_registers(&self) -> usize {
        usize::from(self.count) - self.uid_at
    }

    fn standard(&self) -> Option<TagStandard> {
        match &self.standard {
            None => Some(TagStandard::Unknown),
            Some(word) => TagStandard::decode(word.as_bytes()).ok(),
        }
    }

    /// How the registers are read.
    pub const fn function(&self) -> ReadFunction {
        match self.function {
            Function::Holding => ReadFunction::Holding,
            Function::Input => ReadFunction::Input,
        }
    }

    /// What the registers of one read mean.
    ///
    /// # Errors
    /// When they tell a UID that has no room in them.
    pub fn sighting(&self, words: &[u16]) -> Result<Sighting, ImpossibleLength> {
        let bytes: Vec<u8> = words
            .iter()
            .skip(self.uid_at)
            .flat_map(|word| {
                let [high, low] = word.to_be_bytes();
                match self.packing {
                    Packing::TwoHighFirst => vec![high, low],
                    Packing::TwoLowFirst => vec![low, high],
                    Packing::One => vec![low],
                }
            })
            .take(LONGEST_UID)
            .collect();
        let length = words.get(self.length_at).copied().unwrap_or_default();
        if length == 0 {
            return Ok(Sighting::Nothing);
        }
        let uid = bytes
            .get(..usize::from(length))
            .ok_or(ImpossibleLength(length, bytes.len()))?;
        Ok(Sighting::Card(RfidTag {
            standard: self.standard().unwrap_or(TagStandard::Unknown),
            uid: crate::reader::hex(uid),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(members: &str) -> Result<Profile, Unusable> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reader.json");
        let text = format!("{{\"device\": \"test\", \"source\": \"none\", {members}}}");
        std::fs::write(&path, text).unwrap();
        Profile::load(&path)
    }

    fn uid(members: &str, words: &[u16]) -> String {
        match profile(members).unwrap().sighting(words).unwrap() {
            Sighting::Card(tag) => format!("{} {}", tag.standard, tag.uid),
            Sighting::Nothing | Sighting::Unclear => "none".into(),
        }
    }

    const BLOCK: &str =
        "\"function\": \"holding\", \"start\": 0, \"count\": 3, \"length_at\": 0, \"uid_at\": 1";

    // covers: RFID-002, RFID-003
    #[test]
    fn the_packing_decides_the_order_of_the_bytes() {
        let words = [4, 0x0102, 0x03F4];
        for (packing, standard, expected) in [
            ("two_high_first", "ISO15693", "ISO15693 010203F4"),
            ("two_low_first", "ISO14443", "ISO14443 0201F403"),
        ] {
            let members =
                format!("{BLOCK}, \"packing\": \"{packing}\", \"standard\": \"{standard}\"");
            assert_eq!(uid(&members, &words), expected);
        }
        let members = format!("{BLOCK}, \"packing\": \"one\"");
        assert_eq!(uid(&members, &[2, 0x0102, 0x03F4]), "UNKNOWN 02F4");
        assert_eq!(uid(&members, &[0, 0x0102, 0x03F4]), "none");
    }

    #[test]
    fn a_uid_without_room_is_refused() {
        let members = format!("{BLOCK}, \"packing\": \"two_high_first\"");
        let refused = profile(&members).unwrap().sighting(&[5, 0, 0]);
        assert_eq!(refused, Err(ImpossibleLength(5, 4)));
    }

    #[test]
    fn a_profile_that_cannot_be_is_refused_with_the_reason() {
        for (members, reason) in [
            (format!("{BLOCK}, \"packing\": \"three\""), "three"),
            (
                format!("{BLOCK}, \"packing\": \"one\", \"lenght_at\": 1"),
                "lenght_at",
            ),
            (
                format!("{BLOCK}, \"packing\": \"one\", \"standard\": \"NFC\""),
                "ISO15693",
            ),
            (
                BLOCK.replace("\"count\": 3", "\"count\": 33") + ", \"packing\": \"one\"",
                "count must be 2 to 32",
            ),
            (
                BLOCK.replace("\"count\": 3", "\"count\": 1") + ", \"packing\": \"one\"",
                "count must be 2 to 32",
            ),
            (
                BLOCK.replace("\"uid_at\": 1", "\"uid_at\": 3") + ", \"packing\": \"one\"",
                "below count",
            ),
            (
                BLOCK.replace("\"uid_at\": 1", "\"uid_at\": 0") + ", \"packing\": \"one\"",
                "length_at must not lie within",
            ),
        ] {
            let error = profile(&members).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
