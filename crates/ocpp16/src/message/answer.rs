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

/// `AuthorizationStatus` of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// May charge.
    Accepted,
    /// Must not.
    Blocked,
    /// Was allowed to.
    Expired,
    /// Not known.
    Invalid,
    /// Already charges elsewhere; says nothing about the identifier itself.
    ConcurrentTx,
}

impl AuthorizationStatus {
    /// The word of OCPP 1.6.
    pub fn name(self) -> &'static str {
        let known = AUTHORIZATION_STATUSES.iter();
        known
            .filter(|(_, status)| *status == self)
            .map(|(name, _)| *name)
            .next()
            .unwrap_or("Invalid")
    }

    /// The status called `name`.
    pub fn named(name: &str) -> Option<Self> {
        let mut known = AUTHORIZATION_STATUSES.iter();
        known
            .find(|(spelling, _)| *spelling == name)
            .map(|(_, status)| *status)
    }
}

/// Their spellings.
pub(crate) const AUTHORIZATION_STATUSES: [(&str, AuthorizationStatus); 5] = [
    ("Accepted", AuthorizationStatus::Accepted),
    ("Blocked", AuthorizationStatus::Blocked),
    ("Expired", AuthorizationStatus::Expired),
    ("Invalid", AuthorizationStatus::Invalid),
    ("ConcurrentTx", AuthorizationStatus::ConcurrentTx),
];

/// `IdTagInfo`: what is known about an identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct IdTagInfo {
    /// Whether its owner may charge.
    pub status: AuthorizationStatus,
    /// The group that it belongs to.
    pub parent: Option<IdToken>,
    /// Not accepted any more from then on.
    pub expiry: Option<Timestamp>,
}

impl IdTagInfo {
    /// `None` where `idTagInfo` or its status is missing or can't be read: whoever asks takes that
    /// for a refusal, because nobody gets energy by mistake, but nobody remembers it.
    pub(crate) fn decode(payload: &Map<String, Value>, remarks: &mut Vec<String>) -> Option<Self> {
        let info = lenient(Fields::new(payload).optional_object("idTagInfo"), remarks)?;
        let status = info.choice("status", &AUTHORIZATION_STATUSES);
        Some(Self {
            status: lenient(status.map(Some), remarks)?,
            parent: lenient(info.optional_text("parentIdTag"), remarks)
                .and_then(IdToken::non_empty),
            expiry: lenient(info.optional_timestamp("expiryDate"), remarks),
        })
    }

    /// The status at `wall`. What expires is not accepted without a valid time: nobody can tell.
    pub(crate) fn status_at(&self, wall: Option<Timestamp>) -> AuthorizationStatus {
        let expired = self
            .expiry
            .is_some_and(|expiry| wall.is_none_or(|wall| expiry <= wall));
        if self.status == AuthorizationStatus::Accepted && expired {
            AuthorizationStatus::Expired
        } else {
            self.status
        }
    }
}

/// `StartTransaction.conf`
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub transaction_id: i64,
    pub id_tag_info: Option<IdTagInfo>,
}

impl Start {
    /// Whether the central system accepts the user.
    pub(crate) fn accepted(&self) -> bool {
        let info = self.id_tag_info.as_ref();
        info.is_some_and(|info| info.status == AuthorizationStatus::Accepted)
    }

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
        assert!(answer.accepted());
        let info = answer.id_tag_info.unwrap();
        assert_eq!((answer.transaction_id, info.expiry, remarks), (7, None, 1));
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
            let answer = answer.unwrap();
            assert!(!answer.accepted() && answer.id_tag_info.is_none());
        }
    }
}
