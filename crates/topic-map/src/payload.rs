//! The text form of payloads: the type decides it, and each has exactly one.
//!
//! Decoding is strict and never panics: what a customer's client or another daemon
//! sends is either a value of the form or an error that names the form.

mod current;
mod data_transfer;
mod instant;
mod number;
mod signed;
mod structured;
mod text;
mod word;

pub use current::{CurrentLimit, OfferedCurrent, WholeAmperes, WholeCurrentLimit};
pub use data_transfer::*;
pub use instant::Timestamp;
pub use number::*;
pub use signed::*;
pub use structured::*;
pub use text::{EvseId, FirmwareUrl, MacAddress, RequestId, ServiceId};
pub use word::*;

/// A payload that does not fit its topic's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("payload {payload:?} is not {expected}")]
pub struct PayloadError {
    /// What came, cut to 64 characters.
    pub payload: String,
    /// The allowed form, e.g. `0 or 1`.
    pub expected: &'static str,
}

impl PayloadError {
    /// For a payload that should have been `expected`.
    pub fn new(payload: &[u8], expected: &'static str) -> Self {
        // Cut before converting: a payload of megabytes must not be copied for a message.
        let head = payload.get(..256).unwrap_or(payload);
        let payload = String::from_utf8_lossy(head).chars().take(64).collect();
        Self { payload, expected }
    }
}

/// A value with one text form on MQTT.
pub trait Payload: Sized {
    /// The allowed form in words, for errors and the generated documentation.
    const FORM: &'static str;

    /// The text as published.
    fn encode(&self) -> String;

    /// The value of a received payload.
    ///
    /// # Errors
    /// When the payload is not of the form.
    fn decode(payload: &[u8]) -> Result<Self, PayloadError>;
}

/// A payload for which the empty text has a meaning of its own: none.
pub trait MaybeEmpty: Payload {
    /// The form with the empty text added.
    const FORM_OR_EMPTY: &'static str;
}

impl<T: MaybeEmpty> Payload for Option<T> {
    const FORM: &'static str = T::FORM_OR_EMPTY;

    fn encode(&self) -> String {
        self.as_ref().map(T::encode).unwrap_or_default()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        if payload.is_empty() {
            return Ok(None);
        }
        T::decode(payload).map(Some).map_err(|error| PayloadError {
            expected: Self::FORM,
            ..error
        })
    }
}

impl Payload for bool {
    const FORM: &'static str = "0 or 1";

    fn encode(&self) -> String {
        if *self { "1" } else { "0" }.to_owned()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        match payload {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(PayloadError::new(payload, Self::FORM)),
        }
    }
}

/// A message whose arrival is its meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal;

impl Payload for Signal {
    const FORM: &'static str = "any payload, also none";

    fn encode(&self) -> String {
        "1".to_owned()
    }

    fn decode(_: &[u8]) -> Result<Self, PayloadError> {
        Ok(Self)
    }
}

/// The payload as text when it is UTF-8.
fn text<'p>(payload: &'p [u8], expected: &'static str) -> Result<&'p str, PayloadError> {
    std::str::from_utf8(payload).map_err(|_| PayloadError::new(payload, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_exactly_0_and_1() {
        assert_eq!(bool::decode(b"1"), Ok(true));
        assert_eq!(bool::decode(b"0"), Ok(false));
        for wrong in [&b""[..], b"true", b"01", b" 1", b"1\n", b"2", b"\0"] {
            assert!(bool::decode(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(true.encode(), "1");
    }

    #[test]
    fn an_error_names_payload_and_form_and_stays_short() {
        let error = bool::decode("öffnen".repeat(100_000).as_bytes()).unwrap_err();
        assert_eq!(error.payload.chars().count(), 64);
        assert!(error.to_string().ends_with("is not 0 or 1"));
    }

    #[test]
    fn a_signal_takes_anything() {
        assert_eq!(Signal::decode(b""), Ok(Signal));
        assert_eq!(Signal::decode(&[0xFF, 0]), Ok(Signal));
    }
}
