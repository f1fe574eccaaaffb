//! OCPP-J framing: JSON arrays of CALL, CALLRESULT and CALLERROR.

use serde_json::{Map, Value};

use crate::CiString;

/// Error codes of a CALLERROR, spelled as OCPP-J 1.6 spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The action is not known.
    NotImplemented,
    /// The action is known but not supported.
    NotSupported,
    /// The receiver failed.
    InternalError,
    /// The payload is incomplete.
    ProtocolError,
    /// A security issue.
    SecurityError,
    /// The frame or payload does not have the form of the action.
    FormationViolation,
    /// A field has a value that is not allowed.
    PropertyConstraintViolation,
    /// A field is missing, or there are too few or too many of it.
    OccurenceConstraintViolation,
    /// A field has the wrong type.
    TypeConstraintViolation,
    /// Anything else.
    GenericError,
}

impl ErrorCode {
    const ALL: [Self; 10] = [
        Self::NotImplemented,
        Self::NotSupported,
        Self::InternalError,
        Self::ProtocolError,
        Self::SecurityError,
        Self::FormationViolation,
        Self::PropertyConstraintViolation,
        Self::OccurenceConstraintViolation,
        Self::TypeConstraintViolation,
        Self::GenericError,
    ];

    /// The code with this name; `GenericError` for any other name.
    pub(crate) fn named(name: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|code| code.name() == name)
            .unwrap_or(Self::GenericError)
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotImplemented => "NotImplemented",
            Self::NotSupported => "NotSupported",
            Self::InternalError => "InternalError",
            Self::ProtocolError => "ProtocolError",
            Self::SecurityError => "SecurityError",
            Self::FormationViolation => "FormationViolation",
            Self::PropertyConstraintViolation => "PropertyConstraintViolation",
            Self::OccurenceConstraintViolation => "OccurenceConstraintViolation",
            Self::TypeConstraintViolation => "TypeConstraintViolation",
            Self::GenericError => "GenericError",
        }
    }
}

/// Why a CALL is answered with a CALLERROR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.name())]
pub struct CallError {
    /// The code on the wire.
    pub code: ErrorCode,
    /// Where and what, e.g. `csChargingProfiles.stackLevel: missing`.
    pub description: String,
}

impl CallError {
    /// An error of `code` with `description`.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self {
            code,
            description: description.into(),
        }
    }

    /// For an action that is known, but not carried out here.
    pub(crate) fn not_supported(action: &str) -> Self {
        Self::new(
            ErrorCode::NotSupported,
            format!("{action} is not supported"),
        )
    }
}

/// One received frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// `[2, id, action, payload]`
    Call {
        /// Repeated in the answer.
        id: String,
        /// Name of the message.
        action: String,
        /// Its fields.
        payload: Map<String, Value>,
    },
    /// `[3, id, payload]`
    Result {
        /// Of the CALL that it answers.
        id: String,
        /// Its fields.
        payload: Map<String, Value>,
    },
    /// `[4, id, code, description, details]`
    Error {
        /// Of the CALL that it answers.
        id: String,
        /// As received: peers use other codes than the standard's.
        code: String,
        /// As received.
        description: String,
        /// As received.
        details: Value,
    },
}

/// A frame that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Without a message id OCPP-J 1.6 has no answer for it.
    #[error("frame ignored: {0}")]
    Unanswerable(String),
    /// A CALL whose id is known.
    #[error("CALL {id}: {error}")]
    Answerable {
        /// The CALL's id.
        id: String,
        /// What to answer.
        error: CallError,
    },
}

/// OCPP-J 1.6 allows 36 characters; longer ids of others are still answered up to this.
const LONGEST_FOREIGN_ID: usize = 255;

impl Frame {
    /// Reads one text frame.
    ///
    /// # Errors
    /// When it is not JSON or not an OCPP-J array.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let ignored = |why: String| FrameError::Unanswerable(why);
        let value: Value =
            serde_json::from_str(text).map_err(|error| ignored(format!("not JSON: {error}")))?;
        let Value::Array(parts) = value else {
            return Err(ignored("not a JSON array".to_owned()));
        };
        let mut parts = parts.into_iter();
        let kind = parts.next().and_then(|kind| kind.as_f64());
        let Some(Value::String(id)) = parts.next() else {
            return Err(ignored("no message id".to_owned()));
        };
        if id.is_empty() || id.chars().count() > LONGEST_FOREIGN_ID {
            return Err(ignored(format!(
                "message id of {} characters",
                id.chars().count()
            )));
        }
        match kind {
            Some(2.0) => Self::call(id, parts),
            Some(3.0) => {
                let payload = match parts.next() {
                    Some(Value::Object(payload)) => payload,
                    Some(_) | None => Map::new(),
                };
                Ok(Self::Result { id, payload })
            }
            Some(4.0) => {
                let mut text = || match parts.next() {
                    Some(Value::String(text)) => text,
                    Some(_) | None => String::new(),
                };
                let (code, description) = (text(), text());
                let details = parts.next().unwrap_or_else(|| Value::Object(Map::new()));
                Ok(Self::Error {
                    id,
                    code,
                    description,
                    details,
                })
            }
            Some(_) | None => Err(ignored("the message type is none of 2, 3, 4".to_owned())),
        }
    }

    fn call(id: String, mut parts: impl Iterator<Item = Value>) -> Result<Self, FrameError> {
        let malformed = |id: String, what: &str| {
            let error = CallError::new(ErrorCode::FormationViolation, what);
            Err(FrameError::Answerable { id, error })
        };
        let Some(Value::String(action)) = parts.next() else {
            return malformed(id, "the third element is not the action's name");
        };
        let payload = match parts.next() {
            Some(Value::Object(payload)) => payload,
            Some(_) => return malformed(id, "the payload is not an object"),
            None => return malformed(id, "the payload is missing"),
        };
        if parts.next().is_some() {
            return malformed(id, "a CALL has four elements");
        }
        Ok(Self::Call {
            id,
            action,
            payload,
        })
    }
}

/// The text of a CALL.
pub(crate) fn call(id: &str, action: &str, payload: Value) -> String {
    Value::Array(vec![2.into(), id.into(), action.into(), payload]).to_string()
}

/// The text of a CALLRESULT.
pub(crate) fn call_result(id: &str, payload: Value) -> String {
    Value::Array(vec![3.into(), id.into(), payload]).to_string()
}

/// The text of a CALLERROR; the description is cut to the 255 characters that OCPP-J allows.
pub(crate) fn call_error(id: &str, error: &CallError) -> String {
    call_error_with_details(id, error, Map::new())
}

/// The same with details.
pub(crate) fn call_error_with_details(
    id: &str,
    error: &CallError,
    details: Map<String, Value>,
) -> String {
    let description = CiString::<255>::truncated(&error.description);
    Value::Array(vec![
        4.into(),
        id.into(),
        error.code.name().into(),
        description.as_str().into(),
        details.into(),
    ])
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_kinds_are_read() {
        assert!(matches!(
            Frame::parse(r#"[2,"a","Reset",{"type":"Soft"}]"#),
            Ok(Frame::Call { .. })
        ));
        assert!(matches!(
            Frame::parse(r#"[3,"a",{}]"#),
            Ok(Frame::Result { .. })
        ));
        assert!(matches!(
            Frame::parse(r#"[4,"a","NotSupported","",{}]"#),
            Ok(Frame::Error { .. })
        ));
        // Some peers leave out description and details.
        assert!(matches!(
            Frame::parse(r#"[4,"a","NotSupported"]"#),
            Ok(Frame::Error { .. })
        ));
    }

    // covers: OC-047
    #[test]
    fn what_cannot_be_answered_is_ignored_and_named() {
        for text in [
            "",
            "{",
            "[2,\"cut",
            "{}",
            "[]",
            "[2]",
            "[2,7,\"Reset\",{}]",
            "[9,\"a\",{}]",
            "[2,\"\",\"Reset\",{}]",
        ] {
            assert!(
                matches!(Frame::parse(text), Err(FrameError::Unanswerable(_))),
                "{text}"
            );
        }
        let bomb = "[".repeat(100_000);
        assert!(matches!(
            Frame::parse(&bomb),
            Err(FrameError::Unanswerable(_))
        ));
    }

    // covers: OC-047
    #[test]
    fn a_malformed_call_is_a_formation_violation() {
        for text in [
            r#"[2,"a"]"#,
            r#"[2,"a",5,{}]"#,
            r#"[2,"a","Reset"]"#,
            r#"[2,"a","Reset",[]]"#,
            r#"[2,"a","Reset",{},1]"#,
        ] {
            let Err(FrameError::Answerable { id, error }) = Frame::parse(text) else {
                panic!("{text}")
            };
            assert_eq!(
                (id.as_str(), error.code),
                ("a", ErrorCode::FormationViolation),
                "{text}"
            );
        }
    }
}
