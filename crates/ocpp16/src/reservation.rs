//! A reservation: the connector waits for one user, or one group, until it expires.

use serde::{Deserialize, Serialize};

use crate::{IdToken, Timestamp};

/// What `ReserveNow` asked for, as it is made durable. The station has one connector, so one for
/// connector 0, any connector, is one for connector 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// `reservationId`
    pub id: i64,
    /// Who may use it.
    pub id_tag: IdToken,
    /// All of this group may use it too.
    pub parent: Option<IdToken>,
    /// It ends then.
    pub expiry: Timestamp,
}

impl Reservation {
    /// Whether a user with `id_tag`, known to belong to `parent`, may use it.
    pub(crate) fn is_for(&self, id_tag: &IdToken, parent: Option<&IdToken>) -> bool {
        self.id_tag == *id_tag || (self.parent.is_some() && self.parent.as_ref() == parent)
    }
}
