//! Requests on their way to the control thread.
//!
//! A newer request takes the place of the one that it makes pointless, so the
//! inbox stays small whatever comes in: nothing is refused, and no flood of one
//! party's messages crowds out another party's stop (S9).

use std::mem::discriminant;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use evse_core::{Grant, LedNotice, Request};

/// What waits for the control thread.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: Vec<Request>,
    notices: Vec<LedNotice>,
    stop: bool,
}

impl Inbox {
    /// Never waits.
    pub(crate) fn put(&self, request: Request) {
        let mut waiting = self.lock();
        waiting.requests.retain(|older| !replaces(request, *older));
        waiting.requests.push(request);
        self.filled.notify_one();
    }

    /// Never waits; a notice can wait for the next round of measurements.
    pub(crate) fn put_notice(&self, notice: LedNotice) {
        let mut waiting = self.lock();
        waiting
            .notices
            .retain(|older| discriminant(older) != discriminant(&notice));
        waiting.notices.push(notice);
    }

    /// The latest notice of each kind, oldest first.
    pub(crate) fn take_notices(&self) -> Vec<LedNotice> {
        std::mem::take(&mut self.lock().notices)
    }

    /// Asks the control thread to end.
    pub(crate) fn stop(&self) {
        self.lock().stop = true;
        self.filled.notify_one();
    }

    /// All that waits, oldest first, as soon as there is something; empty at
    /// `deadline`, and `None` when asked to stop.
    pub(crate) fn take_until(&self, deadline: Instant) -> Option<Vec<Request>> {
        let mut waiting = self.lock();
        loop {
            if waiting.stop {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !waiting.requests.is_empty() || left.is_zero() {
                return Some(std::mem::take(&mut waiting.requests));
            }
            let woken = self.filled.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether `newer` makes `older` pointless. A revocation and a lost broker have
/// effects that what comes after them doesn't undo, so they are kept.
fn replaces(newer: Request, older: Request) -> bool {
    use Request as R;
    match (newer, older) {
        (
            R::DynamicLimit(new, _) | R::RemoveDynamicLimit(new),
            R::DynamicLimit(old, _) | R::RemoveDynamicLimit(old),
        ) => new == old,
        (R::OcppLimit(_), R::OcppLimit(_))
        | (R::CustomerOperation(_), R::CustomerOperation(_))
        | (R::BackendOperation(_), R::BackendOperation(_))
        | (R::BrokerLost, R::BrokerLost | R::BrokerConnected)
        | (R::BrokerConnected, R::BrokerConnected)
        | (R::Unlock, R::Unlock)
        | (R::TestRcd, R::TestRcd)
        | (R::Phases(_), R::Phases(_))
        | (R::PhaseSwitchDelay(_), R::PhaseSwitchDelay(_))
        | (R::VentilationAvailable(_), R::VentilationAvailable(_))
        | (R::VentilationActual(_), R::VentilationActual(_))
        | (R::VentilationTarget(_), R::VentilationTarget(_)) => true,
        (R::Authorization(new), R::Authorization(old)) => {
            new == Grant::Revoked || old != Grant::Revoked
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use evse_core::{Amperes, DynamicSlot, Operation};

    use super::*;

    fn taken(requests: &[Request]) -> Vec<Request> {
        let inbox = Inbox::default();
        requests.iter().for_each(|request| inbox.put(*request));
        inbox.take_until(Instant::now()).unwrap()
    }

    #[test]
    fn only_the_newest_of_a_kind_waits() {
        let limit = |slot, deci| {
            Request::DynamicLimit(
                DynamicSlot::new(slot).unwrap(),
                Some(Amperes::from_deci(deci)),
            )
        };
        let removed = Request::RemoveDynamicLimit(DynamicSlot::new(1).unwrap());
        let stop = Request::OcppLimit(Some(Amperes::ZERO));
        let inoperative = Request::BackendOperation(Operation::Inoperative);
        let flood = [
            limit(0, 60),
            limit(1, 70),
            stop,
            inoperative,
            removed,
            limit(0, 80),
        ];
        assert_eq!(taken(&flood), [stop, inoperative, removed, limit(0, 80)]);
    }

    #[test]
    fn what_stops_is_not_skipped_for_what_comes_after_it() {
        use Grant::{OneSession, Permanent, Revoked};
        for (put, kept) in [
            (&[Revoked, OneSession][..], &[Revoked, OneSession][..]),
            (&[Revoked, OneSession, Permanent], &[Revoked, Permanent]),
            (&[OneSession, Revoked, OneSession, Revoked], &[Revoked]),
        ] {
            let put: Vec<_> = put.iter().copied().map(Request::Authorization).collect();
            let kept: Vec<_> = kept.iter().copied().map(Request::Authorization).collect();
            assert_eq!(taken(&put), kept);
        }
        let (lost, connected) = (Request::BrokerLost, Request::BrokerConnected);
        assert_eq!(
            taken(&[lost, connected, lost, connected]),
            [lost, connected]
        );
    }

    #[test]
    fn only_the_newest_notice_of_a_kind_waits() {
        let inbox = Inbox::default();
        let answer = LedNotice::AuthorizationAnswered { accepted: false };
        for _ in 0..1_000 {
            inbox.put_notice(LedNotice::Updating(true));
            inbox.put_notice(LedNotice::AuthorizationRequested);
            inbox.put_notice(answer);
            inbox.put_notice(LedNotice::Updating(false));
        }
        let expected = [
            LedNotice::AuthorizationRequested,
            answer,
            LedNotice::Updating(false),
        ];
        assert_eq!(inbox.take_notices(), expected);
        assert_eq!(inbox.take_notices(), []);
    }

    #[test]
    fn a_stop_overtakes_everything() {
        let inbox = Inbox::default();
        inbox.put(Request::Unlock);
        inbox.stop();
        assert_eq!(inbox.take_until(Instant::now()), None);
    }
}
