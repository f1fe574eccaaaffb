//! Profile Reservation.

use super::{Decoder, Request};
use crate::{IdToken, Timestamp};

/// A request of profile Reservation.
#[derive(Clone, Debug)]
pub(crate) enum Reservation {
    CancelReservation { reservation: i64 },
    ReserveNow(Reserve),
}

/// `ReserveNow.req`
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    pub reservation: i64,
    /// 0 is any connector.
    pub connector: i64,
    pub id_tag: IdToken,
    pub parent: Option<IdToken>,
    pub expiry: Timestamp,
}

pub(super) const ACTIONS: [(&str, Decoder); 2] = [
    ("CancelReservation", |fields| {
        Ok(Request::Reservation(Reservation::CancelReservation {
            reservation: fields.integer("reservationId")?,
        }))
    }),
    ("ReserveNow", |fields| {
        Ok(Request::Reservation(Reservation::ReserveNow(Reserve {
            reservation: fields.integer("reservationId")?,
            connector: fields.integer("connectorId")?,
            id_tag: fields.text("idTag")?,
            parent: fields
                .optional_text("parentIdTag")?
                .and_then(IdToken::non_empty),
            expiry: fields.timestamp("expiryDate")?,
        })))
    }),
];
