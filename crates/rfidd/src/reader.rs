//! One look at the reader.

use std::fmt::Write as _;
use std::time::Duration;

use rs485::{Bus, DeviceAddress};
use tokio::time::{Instant, sleep_until};
use topic_map::{RfidTag, TagStandard};

use crate::presence::Sighting;
use crate::profile::{ImpossibleLength, Profile};
use crate::sl032::{self, Answer};

/// The reader searches its field before it answers.
const SEARCH_LIMIT: Duration = Duration::from_millis(400);
/// How long an answer may still come after its request failed.
const QUIET: Duration = Duration::from_secs(2);

/// A reader on its line.
///
/// All looks are answered in the same form, so after a lost answer the reader is asked
/// something else first: it answers in turn, and no look at a card that has left is taken
/// for the next one.
#[derive(Debug)]
pub struct Reader {
    bus: Bus,
    protocol: Protocol,
    /// The answer to the last request may still come.
    is_doubtful: bool,
    /// Nothing is asked before this.
    quiet_until: Option<Instant>,
}

/// How the reader is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The SL032's own.
    Stronglink,
    /// Modbus, with a profile.
    Modbus(DeviceAddress, Profile),
}

/// Why a look showed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transaction failed.
    #[error(transparent)]
    Bus(#[from] rs485::Error),
    /// The reader says so.
    #[error("the reader refuses with status {0:#04x}")]
    Refused(u8),
    /// The registers can't mean what they say.
    #[error(transparent)]
    Registers(#[from] ImpossibleLength),
}

impl Reader {
    /// Nothing is sent yet.
    pub const fn new(bus: Bus, protocol: Protocol) -> Self {
        Self {
            bus,
            protocol,
            is_doubtful: false,
            quiet_until: None,
        }
    }

    /// What is in front of the reader now.
    ///
    /// # Errors
    /// When the reader doesn't say.
    pub async fn look(&mut self) -> Result<Sighting, Error> {
        if let Some(quiet) = self.quiet_until.take() {
            sleep_until(quiet).await;
        }
        if std::mem::take(&mut self.is_doubtful)
            && let Err(error) = self.ask_something_else().await
        {
            self.quiet_until = Some(Instant::now() + QUIET);
            return Err(error.into());
        }
        let result = self.search().await;
        self.is_doubtful =
            matches!(&result, Err(Error::Bus(error)) if error.leaves_the_line_doubtful());
        result
    }

    /// Whatever the reader says to it, every answer before is through then.
    async fn ask_something_else(&mut self) -> Result<(), rs485::Error> {
        match &self.protocol {
            Protocol::Stronglink => {
                self.bus
                    .ask(&sl032::FIRMWARE_VERSION, SEARCH_LIMIT, sl032::find_version)
                    .await
            }
            Protocol::Modbus(device, profile) => {
                // At least one is left.
                let fewer = profile.count - 1;
                let answer = self
                    .bus
                    .read(*device, profile.function(), profile.start, fewer)
                    .await;
                match answer {
                    Ok(_) | Err(rs485::Error::Refused { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn search(&mut self) -> Result<Sighting, Error> {
        match &self.protocol {
            Protocol::Stronglink => {
                let answer = self
                    .bus
                    .ask(&sl032::SELECT_CARD, SEARCH_LIMIT, sl032::find_answer);
                sighting(answer.await?)
            }
            Protocol::Modbus(device, profile) => {
                let words = self
                    .bus
                    .read(*device, profile.function(), profile.start, profile.count)
                    .await?;
                let sighting = profile.sighting(&words)?;
                if let (Sighting::Card(_), Some(acknowledge)) = (&sighting, profile.acknowledge) {
                    self.bus
                        .write_register(*device, acknowledge.register, acknowledge.value)
                        .await?;
                }
                Ok(sighting)
            }
        }
    }
}

fn sighting(answer: Answer) -> Result<Sighting, Error> {
    match answer {
        // All that the SL032 reads is ISO 14443 A.
        Answer::Card(uid) => Ok(Sighting::Card(RfidTag {
            standard: TagStandard::Iso14443,
            uid: hex(&uid),
        })),
        Answer::NoCard => Ok(Sighting::Nothing),
        Answer::Collision => Ok(Sighting::Unclear),
        Answer::Refused(status) => Err(Error::Refused(status)),
    }
}

/// The guide's form of a UID (15.17): hex, little endian, zero filled. A card sends its
/// least significant byte first, so the bytes stand in the order in which they came.
pub fn hex(uid: &[u8]) -> String {
    uid.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use topic_map::Payload;

    use super::*;

    // covers: RFID-001, RFID-003
    #[test]
    fn a_tag_is_told_as_the_guide_prints_it() {
        let uid = vec![0x1F, 0x2D, 0x3A, 0x4F, 0x55, 0x06, 0xC7];
        let Ok(Sighting::Card(tag)) = sighting(Answer::Card(uid)) else {
            panic!("no card")
        };
        assert_eq!(tag.encode(), "[\"ISO14443\",\"1F2D3A4F5506C7\"]");
    }
}
