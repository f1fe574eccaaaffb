//! Signed metering between ocppd and meteringd (topics of ours).

use serde::{Deserialize, Serialize};

use super::{MaybeEmpty, Timestamp};

/// Asks the meter for a signed record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRequest {
    /// Which end of the transaction.
    pub action: SignedAction,
    /// The asker's name for the transaction, which the answer repeats.
    pub reference: String,
    /// Who charges; becomes part of what is signed.
    pub id_tag: String,
    /// When the transaction began: a record that is older belongs to another one.
    pub started: Timestamp,
    /// What time it is; the meter's clock is set to it.
    pub time: Timestamp,
}

/// Which end of a transaction is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedAction {
    /// Its begin.
    Begin,
    /// Its end.
    End,
}

/// What became of a [`SignedRequest`]: a record, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAnswer {
    /// As asked for.
    pub action: SignedAction,
    /// As asked for.
    pub reference: String,
    /// What the meter has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<SignedRecord>,
    /// Why there is no record, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a meter has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRecord {
    /// `OCMF`.
    pub format: String,
    /// How `text` is written: `plain`.
    pub encoding: String,
    /// The record with its signature.
    pub text: String,
    /// As [`MeterPublicKey::public_key`].
    pub public_key: String,
}

/// The key that verifies what the meter signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterPublicKey {
    /// ASN.1 SubjectPublicKeyInfo in hexadecimal digits; empty where the meter could not
    /// be asked for it.
    pub public_key: String,
}

impl MaybeEmpty for MeterPublicKey {
    const FORM_OR_EMPTY: &'static str = "JSON {public_key}: hexadecimal digits, or none where \
        it can't be read; empty: the meter doesn't sign";
}

#[cfg(test)]
mod tests {
    use super::super::Payload;
    use super::*;

    #[test]
    fn an_answer_has_a_record_or_an_error() {
        let record = r#"{"action":"end","reference":"1-2","record":{"format":"OCMF","encoding":"plain","text":"OCMF|{}|{}","public_key":""}}"#;
        let answer = SignedAnswer::decode(record.as_bytes()).unwrap();
        assert_eq!(answer.encode(), record);
        assert_eq!(answer.error, None);
        let error = r#"{"action":"begin","reference":"1-2","error":"no"}"#;
        let answer = SignedAnswer::decode(error.as_bytes()).unwrap();
        assert_eq!(answer.encode(), error);
        for wrong in [
            r#"{"action":"begin","reference":"1-2"}"#,
            r#"{"action":"pause","reference":"1-2","error":"no"}"#,
        ] {
            assert!(SignedAnswer::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_meter_that_does_not_sign_has_no_key_and_one_that_hides_it_an_empty_one() {
        assert_eq!(Option::<MeterPublicKey>::decode(b""), Ok(None));
        let hidden = MeterPublicKey {
            public_key: String::new(),
        };
        let text = Some(hidden.clone()).encode();
        assert_eq!(
            Option::<MeterPublicKey>::decode(text.as_bytes()),
            Ok(Some(hidden))
        );
    }
}
