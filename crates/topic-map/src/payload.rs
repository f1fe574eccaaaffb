//! The text form of payloads: the type decides it, and each has exactly one.

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
        let payload = String::from_utf8_lossy(payload).chars().take(64).collect();
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
