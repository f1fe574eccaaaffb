//! Profile Reservation: the connector is kept for one user until they come, the time is over, or
//! the connector goes out of order.

use serde_json::Value;

use super::calls::{Answer, accepted_or_rejected, status};
use super::session::Session;
use super::{ChargePoint, EvseSession, Output};
use crate::fault::most_important;
use crate::message::incoming::reservation::{Reservation as Request, Reserve};
use crate::reservation::Reservation;
use crate::transaction::Change;
use crate::{IdToken, Millis};

/// The reservation and what ends it.
#[derive(Debug, Default)]
pub(super) struct Reserving {
    pub(super) held: Option<Reservation>,
    /// Whether the connector was in order since this process began: what is out of order at the
    /// start, before meter and EVSE have answered, ends no reservation of the last process.
    seen_in_order: bool,
    published: Option<bool>,
}

impl Reserving {
    pub(super) fn new(held: Option<Reservation>) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }
}

/// Why the connector can't be used by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutOfOrder {
    Faulted,
    Unavailable,
}

impl ChargePoint {
    pub(super) fn reservation(&mut self, _call: &str, request: &Request) -> Answer {
        Ok(Some(match request {
            Request::CancelReservation { reservation } => self.cancel_reservation(*reservation),
            Request::ReserveNow(reserve) => self.reserve_now(reserve),
        }))
    }

    /// Ends what is over, and says whether the connector is reserved.
    pub(super) fn advance_reservation(&mut self) {
        let out_of_order = self.out_of_order();
        let expired = |held: &Reservation| self.wall().is_some_and(|wall| held.expiry <= wall);
        if self.reserving.held.as_ref().is_some_and(expired) {
            self.end_reservation("it has expired");
        } else if out_of_order.is_some() && self.reserving.seen_in_order {
            self.end_reservation("the connector is out of order");
        }
        self.reserving.seen_in_order |= out_of_order.is_none();
        let reserved = self.reserved();
        if self.reserving.published != Some(reserved) {
            self.reserving.published = Some(reserved);
            self.outputs.push(Output::Reserved(reserved));
        }
    }

    /// When the reservation expires.
    pub(super) fn reservation_deadline(&self) -> Option<Millis> {
        let (held, wall) = self.reserving.held.as_ref().zip(self.wall())?;
        let left = held.expiry.unix_millis().saturating_sub(wall.unix_millis());
        let left = u64::try_from(left).unwrap_or(0).max(1);
        Some(self.now.monotonic.after(left))
    }

    /// Whether the connector waits for its user.
    pub(super) fn reserved(&self) -> bool {
        self.reserving.held.is_some() && matches!(self.session, Session::Idle { .. })
    }

    /// Whether a user with `id_tag`, who belongs to `parent` as far as is known, must not use the
    /// connector.
    pub(super) fn reserved_for_another(&self, id_tag: &IdToken, parent: Option<&IdToken>) -> bool {
        let held = self.reserving.held.as_ref();
        held.is_some_and(|held| !held.is_for(id_tag, parent))
    }

    /// Whether the connector is reserved for a group: then the central system may know members.
    pub(super) fn reserved_for_a_group(&self) -> bool {
        let held = self.reserving.held.as_ref();
        held.is_some_and(|held| held.parent.is_some())
    }

    /// The transaction that starts uses the reservation up; its id, and the change that belongs to
    /// the same step.
    pub(super) fn use_reservation(&mut self) -> Option<(i64, Change)> {
        let held = self.reserving.held.take()?;
        Some((held.id, Change::Reservation(None)))
    }

    fn reserve_now(&mut self, request: &Reserve) -> Value {
        if let Some(why) = self.not_reservable(request) {
            self.note(format!("ReserveNow rejected: {why}"));
            return status("Rejected");
        }
        match self.out_of_order() {
            Some(OutOfOrder::Unavailable) => return status("Unavailable"),
            Some(OutOfOrder::Faulted) => return status("Faulted"),
            None => {}
        }
        let another = self.reserving.held.as_ref();
        let another = another.is_some_and(|held| held.id != request.reservation);
        if another || self.busy() || self.asking.is_some() {
            return status("Occupied");
        }
        let reservation = Reservation {
            id: request.reservation,
            id_tag: request.id_tag.clone(),
            parent: request.parent.clone(),
            expiry: request.expiry,
        };
        self.store(vec![Change::Reservation(Some(reservation.clone()))]);
        self.reserving.held = Some(reservation);
        status("Accepted")
    }

    fn cancel_reservation(&mut self, id: i64) -> Value {
        let held = self.reserving.held.as_ref();
        let known = held.is_some_and(|held| held.id == id);
        if known {
            self.end_reservation("it was cancelled");
        }
        accepted_or_rejected(known)
    }

    fn not_reservable(&self, request: &Reserve) -> Option<&'static str> {
        if !self.settings.authorises {
            return Some("user_authentication is not ocpp");
        }
        if !matches!(request.connector, 0 | 1) {
            return Some("there is no such connector");
        }
        if request.id_tag.is_empty() {
            return Some("idTag is empty");
        }
        if self.reset_by.is_some() {
            return Some("the station is going to restart");
        }
        match self.wall() {
            None => Some("there is no valid time"),
            Some(wall) if request.expiry <= wall => Some("expiryDate has passed"),
            Some(_) => None,
        }
    }

    fn out_of_order(&self) -> Option<OutOfOrder> {
        if self.availability.wanted != [true, true] {
            return Some(OutOfOrder::Unavailable);
        }
        if most_important(self.faults().filter(|fault| fault.report().blocks)).is_some() {
            return Some(OutOfOrder::Faulted);
        }
        match self.station.as_ref().map(|station| station.session) {
            None | Some(EvseSession::Inoperative) => Some(OutOfOrder::Unavailable),
            Some(EvseSession::Faulted) => Some(OutOfOrder::Faulted),
            Some(
                EvseSession::Idle
                | EvseSession::Authorized
                | EvseSession::Connected
                | EvseSession::SuspendedEv
                | EvseSession::SuspendedEvse
                | EvseSession::Charging,
            ) => None,
        }
    }

    fn end_reservation(&mut self, why: &str) {
        if let Some(held) = self.reserving.held.take() {
            self.note(format!("reservation {} ends: {why}", held.id));
            self.store(vec![Change::Reservation(None)]);
        }
    }
}
