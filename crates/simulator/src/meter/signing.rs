//! What meters that sign have in common: a key, a clock, and registers with a mind of
//! their own.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, TimeZone};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::{bsm, wm3m4c};
use crate::readings::Readings;

/// How long making a signature takes; a real meter needs about a second.
pub(super) const SIGNING_TIME: Duration = Duration::from_millis(300);

/// The part of a meter that signs.
pub(super) trait Signing: Send {
    /// Let time pass up to `now`.
    fn advance(&mut self, now: Instant, line: &Readings, fault: Option<u16>);

    /// The register at `address`, where this part has it.
    fn read(&self, address: u16) -> Option<u16>;

    /// Set registers; `None` where this part doesn't have them, else the exception code of
    /// a refusal.
    fn write(&mut self, now: Instant, start: u16, words: &[u16]) -> Option<Result<(), u8>>;

    /// Whether the meter has this function at all.
    fn knows(&self, _function: u8) -> bool {
        true
    }

    /// The supply failed and came back.
    fn power_cycled(&mut self);
}

/// The signing part of `model`, where it has one.
pub(super) fn part_of(model: &str) -> Option<Box<dyn Signing>> {
    match model {
        "iskra/wm3m4c" => Some(Box::new(wm3m4c::Wm3m4c::new(Key::generate()?))),
        "sunspec/bsm-ws36a" => Some(Box::new(bsm::Bsm::new(Key::generate()?))),
        _ => None,
    }
}

/// An ECDSA key on secp256r1.
pub(super) struct Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    fn generate() -> Option<Self> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).ok()?;
        Some(Self { pair, random })
    }

    /// X and Y.
    pub(super) fn point(&self) -> &[u8] {
        // 04 announces an uncompressed point.
        &self.pair.public_key().as_ref()[1..]
    }

    /// DER of the signature over the SHA-256 of `text`; empty when there is no chance.
    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair
            .sign(&self.random, text.as_bytes())
            .map_or_else(|_| Vec::new(), |signature| signature.as_ref().to_vec())
    }
}

/// A clock that somebody has set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Unix time when it was set, in s.
    pub epoch: u32,
    /// Offset of the local time in min.
    pub offset: i16,
    /// When that was.
    pub set_at: Instant,
}

impl Clock {
    /// Unix time in s.
    pub(super) fn seconds(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.set_at).as_secs();
        self.epoch.saturating_add(since as u32)
    }

    /// As OCMF writes it: `2023-04-14T11:51:06,000+0000 S`, synchronised.
    pub(super) fn ocmf(&self, now: Instant) -> String {
        self.local(now)
            .map(|time| time.format("%Y-%m-%dT%H:%M:%S,000%z S").to_string())
            .unwrap_or_default()
    }

    fn local(&self, now: Instant) -> Option<DateTime<FixedOffset>> {
        let offset = FixedOffset::east_opt(i32::from(self.offset) * 60)?;
        offset
            .timestamp_opt(i64::from(self.seconds(now)), 0)
            .single()
    }
}

/// Two bytes in a register, first one high, padded with NUL.
pub(super) fn words(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
        .collect()
}

/// The bytes of registers.
pub(super) fn bytes(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
