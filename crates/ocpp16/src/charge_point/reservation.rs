//! Reservations. Not carried out yet.

use super::ChargePoint;
use super::calls::Answer;
use crate::CallError;
use crate::message::incoming::reservation::Reservation;

impl ChargePoint {
    pub(super) fn reservation(&mut self, _call: &str, request: &Reservation) -> Answer {
        match request {
            Reservation::CancelReservation { .. } => {
                Err(CallError::not_supported("CancelReservation"))
            }
            Reservation::ReserveNow(_) => Err(CallError::not_supported("ReserveNow")),
        }
    }
}
