//! Frames of StrongLink's own protocol (SL032 user manual), pure.
//!
//! To the reader `BA len command data checksum`, from it `BD len command status data
//! checksum`; `len` counts from the command on, the checksum is the XOR of all before.

/// "Select card": is there a card, and which?
pub const SELECT_CARD: [u8; 4] = [0xBA, 0x02, COMMAND_SELECT, 0xB9];

/// "Firmware version".
pub const FIRMWARE_VERSION: [u8; 4] = [0xBA, 0x02, COMMAND_VERSION, 0x48];

const COMMAND_SELECT: u8 = 0x01;
const COMMAND_VERSION: u8 = 0xF0;
const FROM_READER: u8 = 0xBD;
/// Command, status and checksum, without data.
const SHORTEST: u8 = 3;
/// UID, type, command, status, checksum.
const WITH_UID_OF_4: u8 = 8;
const WITH_UID_OF_7: u8 = 11;

/// What the reader says to [`SELECT_CARD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The UID of 4 or 7 bytes, in the order in which the card sends it.
    Card(Vec<u8>),
    /// No card.
    NoCard,
    /// Several cards at once.
    Collision,
    /// The reader could not do it: its status byte.
    Refused(u8),
}

/// The first answer to [`SELECT_CARD`] among what was heard.
///
/// Where no intact frame begins, the search goes on one byte later.
pub fn find_answer(heard: &[u8]) -> Option<Answer> {
    (0..heard.len()).find_map(|start| answer_at(&heard[start..]))
}

/// Whether an answer to [`FIRMWARE_VERSION`], of whatever content, was heard.
pub fn find_version(heard: &[u8]) -> Option<()> {
    (0..heard.len()).find_map(|start| {
        let is_version = matches!(frame_at(&heard[start..])?, [_, _, COMMAND_VERSION, ..]);
        is_version.then_some(())
    })
}

/// The intact frame that begins here.
fn frame_at(bytes: &[u8]) -> Option<&[u8]> {
    let [FROM_READER, length, ..] = *bytes else {
        return None;
    };
    let frame = bytes.get(..usize::from(length) + 2)?;
    let is_intact = frame.iter().fold(0, |sum, byte| sum ^ byte) == 0;
    is_intact.then_some(frame)
}

fn answer_at(bytes: &[u8]) -> Option<Answer> {
    let [_, length, COMMAND_SELECT, status, data @ .., _checksum] = frame_at(bytes)? else {
        return None;
    };
    match (status, *length) {
        // The type follows the UID; its list differs between readers of the family,
        // so the length alone tells where the UID ends.
        (0x00, WITH_UID_OF_4 | WITH_UID_OF_7) => {
            let (_type, uid) = data.split_last()?;
            Some(Answer::Card(uid.to_vec()))
        }
        (0x01, SHORTEST) => Some(Answer::NoCard),
        (0x0A, SHORTEST) => Some(Answer::Collision),
        (0x00, _) => None,
        (status, SHORTEST) => Some(Answer::Refused(*status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames built after the manual's examples, checksums computed by hand.
    const FRAMES: &[(&[u8], &str)] = &[
        (
            &[0xBD, 0x08, 0x01, 0x00, 0xDE, 0xAD, 0xBE, 0xEF, 0x03, 0x95],
            "DEADBEEF",
        ),
        (
            &[
                0xBD, 0x0B, 0x01, 0x00, 0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x09, 0xAD,
            ],
            "04A1B2C3D4E5F6",
        ),
    ];

    fn uid(heard: &[u8]) -> Option<String> {
        match find_answer(heard)? {
            Answer::Card(uid) => Some(uid.iter().map(|byte| format!("{byte:02X}")).collect()),
            Answer::NoCard | Answer::Collision | Answer::Refused(_) => None,
        }
    }

    #[test]
    fn the_requests_have_the_manuals_checksum() {
        for request in [SELECT_CARD, FIRMWARE_VERSION] {
            assert_eq!(request.iter().fold(0, |sum, byte| sum ^ byte), 0);
        }
    }

    #[test]
    fn a_version_is_no_card_and_a_card_no_version() {
        let version = [0xBD, 0x05, 0xF0, 0x00, b'V', b'1', 0x2F];
        assert_eq!(find_version(&version), Some(()));
        assert_eq!(find_answer(&version), None);
        assert_eq!(find_version(&version[..6]), None);
        // A refusal is an answer, too.
        assert_eq!(find_version(&[0xBD, 0x03, 0xF0, 0xF1, 0xBF]), Some(()));
        for (frame, _) in FRAMES {
            assert_eq!(find_version(frame), None);
        }
    }

    #[test]
    fn printed_frames_give_their_uids() {
        for (frame, expected) in FRAMES {
            assert_eq!(uid(frame).as_deref(), Some(*expected));
        }
        assert_eq!(
            find_answer(&[0xBD, 0x03, 0x01, 0x01, 0xBE]),
            Some(Answer::NoCard)
        );
        assert_eq!(
            find_answer(&[0xBD, 0x03, 0x01, 0x0A, 0xB5]),
            Some(Answer::Collision)
        );
        assert_eq!(
            find_answer(&[0xBD, 0x03, 0x01, 0xF0, 0x4F]),
            Some(Answer::Refused(0xF0))
        );
    }

    #[test]
    fn an_unsuppressed_echo_or_noise_before_a_frame_is_skipped() {
        for (frame, expected) in FRAMES {
            for before in [
                &SELECT_CARD[..],
                &[0xBD],
                &[0xBD, 0x03],
                &[0xBD, 0x18, 0x01],
            ] {
                let heard = [before, frame].concat();
                assert_eq!(uid(&heard).as_deref(), Some(*expected), "{before:02X?}");
            }
        }
    }

    #[test]
    fn truncated_frames_give_nothing() {
        for (frame, _) in FRAMES {
            for length in 0..frame.len() {
                assert_eq!(find_answer(&frame[..length]), None, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_flipped_bit_gives_no_uid() {
        for (frame, _) in FRAMES {
            for bit in 0..frame.len() * 8 {
                let mut damaged = frame.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(uid(&damaged), None, "bit {bit} of {frame:02X?}");
            }
        }
    }

    #[test]
    fn answers_to_other_commands_and_impossible_lengths_give_nothing() {
        let sealed = |mut frame: Vec<u8>| {
            frame.push(frame.iter().fold(0, |sum, byte| sum ^ byte));
            frame
        };
        for frame in [
            // Of "firmware version", without a UID, with one of 5 bytes, refused but with data.
            sealed(vec![0xBD, 0x08, 0xF0, 0x00, 1, 2, 3, 4, 5]),
            sealed(vec![0xBD, 0x03, 0x01, 0x00]),
            sealed(vec![0xBD, 0x09, 0x01, 0x00, 1, 2, 3, 4, 5, 3]),
            sealed(vec![0xBD, 0x04, 0x01, 0x01, 7]),
            sealed(vec![0xBD, 0x00]),
        ] {
            assert_eq!(find_answer(&frame), None, "{frame:02X?}");
        }
    }

    #[test]
    fn garbage_never_panics_and_gives_no_uid() {
        let mut seed = 0x2545_F491_4F6C_DD1D_u64;
        let mut garbage = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        };
        for length in 0..2000 {
            let heard: Vec<u8> = (0..length % 40).map(|_| garbage()).collect();
            assert_eq!(uid(&heard), None, "{heard:02X?}");
        }
    }
}
