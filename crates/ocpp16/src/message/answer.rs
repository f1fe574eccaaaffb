//! What the central system answers: read leniently, because there is nobody to complain to.

use serde_json::{Map, Value};

use crate::decode::Fields;
use crate::{CallError, IdToken, Timestamp};

/// `RegistrationStatus` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistrationStatus {
    Accepted,
    Pending,
    Rejected,
}

/// `BootNotification.conf`
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    pub status: RegistrationStatus,
    pub current_time: Option<Timestamp>,
    /// Seconds; never negative.
    pub interval: u64,
}

impl Boot {
    pub(crate) fn decode(
        payload: &Map<String, Value>,
        remarks: &mut Vec<String>,
    ) -> Result<Self, CallError> {
        let fields = Fields::new(payload);
        let status = fields.choice(
            "status",
            &[
                ("Accepted", RegistrationStatus::Accepted),
                ("Pending", RegistrationStatus::Pending),
                ("Rejected", RegistrationStatus::Rejected),
            ],
        )?;
        let interval = lenient(fields.optional_integer("interval"), remarks).unwrap_or(0);
        let current_time = lenient(fields.optional_timestamp("currentTime"), remarks);
        Ok(Self {
            status,
            current_time,
            interval: u64::try_from(interval).unwrap_or(0),
        })
    }
}

/// `currentTime` of `Heartbeat.conf`.
pub(crate) fn heartbeat_time(
    payload: &Map<String, Value>,
    remarks: &mut Vec<String>,
) -> Option<Timestamp> {
    lenient(
        Fields::new(payload).optional_timestamp("currentTime"),
        remarks,
    )
}

/// `AuthorizationStatus` of OCPP 1.6; an unknown one counts as invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationStatus {
    Accepted,
    Blocked,
    Expired,
    Invalid,
    ConcurrentTx,
}

/// Their spellings.
pub(crate) const AUTHORIZATION_STATUSES: [(&str, AuthorizationStatus); 5] = [
    ("Accepted", AuthorizationStatus::Accepted),
    ("Blocked", AuthorizationStatus::Blocked),
    ("Expired", AuthorizationStatus::Expired),
    ("Invalid", AuthorizationStatus::Invalid),
    ("ConcurrentTx", AuthorizationStatus::ConcurrentTx),
];

/// `IdTagInfo`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IdTagInfo {
    pub status: AuthorizationStatus,
    pub parent: Option<IdToken>,
    /// Kept for the authorization cache.
    pub expiry: Option<Timestamp>,
}

impl IdTagInfo {
    /// A missing or unreadable `idTagInfo` is a refusal: nobody gets energy by mistake.
    pub(crate) fn decode(payload: &Map<String, Value>, remarks: &mut Vec<String>) -> Self {
        let refused = Self {
            status: AuthorizationStatus::Invalid,
            parent: None,
            expiry: None,
        };
        let Some(info) = lenient(Fields::new(payload).object("idTagInfo").map(Some), remarks)
        else {
            return refused;
        };
        let status = info.choice("status", &AUTHORIZATION_STATUSES);
        Self {
            status: lenient(status.map(Some), remarks).unwrap_or(refused.status),
            parent: lenient(info.optional_text("parentIdTag"), remarks)
                .and_then(IdToken::non_empty),
            expiry: lenient(info.optional_timestamp("expiryDate"), remarks),
        }
    }
}

/// `StartTransaction.conf`
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub transaction_id: i64,
    pub id_tag_info: IdTagInfo,
}

impl Start {
    pub(crate) fn decode(
        payload: &Map<String, Value>,
        remarks: &mut Vec<String>,
    ) -> Result<Self, CallError> {
        let transaction_id = Fields::new(payload).integer("transactionId")?;
        Ok(Self {
            transaction_id,
            id_tag_info: IdTagInfo::decode(payload, remarks),
        })
    }
}

/// A field that can't be read counts as absent, with a remark.
fn lenient<T>(field: Result<Option<T>, CallError>, remarks: &mut Vec<String>) -> Option<T> {
    field.unwrap_or_else(|error| {
        remarks.push(format!("taken as absent: {}", error.description));
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn start(payload: Value) -> (Result<Start, CallError>, usize) {
        let mut remarks = Vec::new();
        (
            Start::decode(payload.as_object().unwrap(), &mut remarks),
            remarks.len(),
        )
    }

    #[test]
    fn a_bad_expiry_date_does_not_spoil_the_answer() {
        let (answer, remarks) = start(
            json!({"transactionId": 7.0, "idTagInfo": {"status": "Accepted", "expiryDate": ""}}),
        );
        let answer = answer.unwrap();
        assert_eq!(
            (answer.transaction_id, answer.id_tag_info.status),
            (7, AuthorizationStatus::Accepted)
        );
        assert_eq!((answer.id_tag_info.expiry, remarks), (None, 1));
    }

    // covers: OC-036
    #[test]
    fn transaction_ids_may_have_64_bit() {
        let (answer, _) =
            start(json!({"transactionId": i64::MAX, "idTagInfo": {"status": "Accepted"}}));
        assert_eq!(answer.unwrap().transaction_id, i64::MAX);
    }

    #[test]
    fn without_a_readable_status_nobody_is_authorised() {
        for payload in [
            json!({"transactionId": 1}),
            json!({"transactionId": 1, "idTagInfo": {"status": ""}}),
            json!({"transactionId": 1, "idTagInfo": 3}),
        ] {
            let (answer, _) = start(payload);
            assert_eq!(
                answer.unwrap().id_tag_info.status,
                AuthorizationStatus::Invalid
            );
        }
    }
}
