//! Requests that another daemon carries out: UnlockConnector and the recloser's DataTransfers.
//! Their answers come later than all others.
//!
//! Each kind has one place. A newer CALL takes the place of an older one, which is answered as
//! failed: a central system waits for one answer at a time, so it has given the older one up.

use serde_json::{Value, json};

use super::session::Session;
use super::{ChargePoint, Output};
use crate::Millis;
use crate::message::outgoing::StopReason;

/// When UnlockConnector is answered at the latest. The guide has 20 s (3.4 table 14), the EVSE 19.
const UNLOCK_MS: u64 = 19_500;
/// When a change of the recloser is answered at the latest (guide 3.4 table 14).
const RECLOSER_MS: u64 = 10_000;

/// What became of a request to unlock; the words of OCPP 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockStatus {
    /// The plug can be taken out.
    Unlocked,
    /// It can't, or nobody knows.
    UnlockFailed,
    /// There is no lock.
    NotSupported,
}

/// The contacts of the recloser of the residual current device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecloserState {
    /// The supply is interrupted.
    Open,
    /// The supply is on.
    Close,
}

/// Why the recloser can't be told or asked; the words of guide 3.3.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecloserRefusal {
    /// None is configured.
    NotPresent,
    /// It does not answer, or did not reach the state in time.
    NotAvailable,
    /// Not a connector, or not a state.
    InvalidRequestData,
}

/// The CALLs whose answers other daemons owe.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// With the text that the request to the lock carries.
    unlock: Option<(Owed, String)>,
    /// With the state that the recloser shall reach.
    recloser: Option<(Owed, RecloserState)>,
}

/// A CALL that waits for its answer.
#[derive(Debug)]
struct Owed {
    call: String,
    until: Millis,
}

impl ChargePoint {
    /// `UnlockConnector`; `None` while the lock has not answered. A transaction ends first, so that
    /// its end has the right reason. Erratum 3.87: an unknown connector is `NotSupported`.
    pub(super) fn unlock(&mut self, call: &str, connector: i64) -> Option<Value> {
        if connector != 1 || !self.settings.pluggable {
            return Some(unlock_status(UnlockStatus::NotSupported));
        }
        self.finish_unlock(UnlockStatus::UnlockFailed);
        if matches!(
            self.session,
            Session::Active { .. } | Session::Interrupted { .. }
        ) {
            self.end_transaction(StopReason::UnlockCommand, None);
        }
        let request = self.message_id();
        let owed = self.owed(call, UNLOCK_MS);
        self.deferred.unlock = Some((owed, request.clone()));
        self.outputs.push(Output::Unlock(request));
        None
    }

    /// The lock's answer to [`Output::Unlock`] `request`.
    pub(super) fn unlock_answered(&mut self, request: &str, outcome: UnlockStatus) {
        let waits = self.deferred.unlock.as_ref();
        if waits.is_some_and(|(_, waiting)| waiting == request) {
            self.finish_unlock(outcome);
        }
    }

    /// The recloser's answer to [`Output::Recloser`]. Success in reaching another state belongs to
    /// an older change, or to somebody else's.
    pub(super) fn recloser_answered(&mut self, answer: Result<RecloserState, RecloserRefusal>) {
        let is_its_own =
            |(_, wanted): &mut (Owed, RecloserState)| answer.unwrap_or(*wanted) == *wanted;
        if let Some((owed, _)) = self.deferred.recloser.take_if(is_its_own) {
            self.answer_call(&owed.call, recloser_status(answer));
        }
    }

    pub(super) fn deferred_deadline(&self) -> Option<Millis> {
        let unlock = self.deferred.unlock.as_ref().map(|(owed, _)| owed.until);
        let recloser = self.deferred.recloser.as_ref().map(|(owed, _)| owed.until);
        unlock.into_iter().chain(recloser).min()
    }

    /// Answers for those that took too long.
    pub(super) fn answer_overdue(&mut self) {
        let now = self.now.monotonic;
        let overdue = |until: Option<Millis>| until.is_some_and(|until| until <= now);
        if overdue(self.deferred.unlock.as_ref().map(|(owed, _)| owed.until)) {
            self.finish_unlock(UnlockStatus::UnlockFailed);
        }
        if overdue(self.deferred.recloser.as_ref().map(|(owed, _)| owed.until)) {
            self.recloser_answered(Err(RecloserRefusal::NotAvailable));
        }
    }

    /// The connection that asked is gone: nobody can be answered.
    pub(super) fn forget_deferred(&mut self) {
        self.deferred = Deferred::default();
        self.identifiers.forget_calls();
    }

    fn finish_unlock(&mut self, outcome: UnlockStatus) {
        if let Some((owed, _)) = self.deferred.unlock.take() {
            self.answer_call(&owed.call, unlock_status(outcome));
        }
    }

    /// `data` is `<connectorId>`.
    pub(super) fn recloser_state(&self, data: &str) -> Result<RecloserState, RecloserRefusal> {
        if !self.settings.recloser {
            return Err(RecloserRefusal::NotPresent);
        }
        if data.trim() != "1" {
            return Err(RecloserRefusal::InvalidRequestData);
        }
        let known = self.station.as_ref().and_then(|station| station.recloser);
        known.ok_or(RecloserRefusal::NotAvailable)
    }

    /// `data` is `<connectorId>, <recloserState>`.
    pub(super) fn change_recloser(&mut self, call: &str, data: &str) -> Option<Value> {
        if !self.settings.recloser {
            return Some(recloser_status(Err(RecloserRefusal::NotPresent)));
        }
        let words: Vec<&str> = data.split(',').map(str::trim).collect();
        let wanted = match words.as_slice() {
            ["1", "open"] => RecloserState::Open,
            ["1", "close"] => RecloserState::Close,
            _ => {
                return Some(recloser_status(Err(RecloserRefusal::InvalidRequestData)));
            }
        };
        self.recloser_answered(Err(RecloserRefusal::NotAvailable));
        self.deferred.recloser = Some((self.owed(call, RECLOSER_MS), wanted));
        self.outputs.push(Output::Recloser(wanted));
        None
    }

    fn owed(&self, call: &str, milliseconds: u64) -> Owed {
        Owed {
            call: call.to_owned(),
            until: self.now.monotonic.after(milliseconds),
        }
    }
}

fn unlock_status(outcome: UnlockStatus) -> Value {
    json!({"status": match outcome {
        UnlockStatus::Unlocked => "Unlocked",
        UnlockStatus::UnlockFailed => "UnlockFailed",
        UnlockStatus::NotSupported => "NotSupported",
    }})
}

pub(super) fn recloser_status(answer: Result<RecloserState, RecloserRefusal>) -> Value {
    let (status, data) = match answer {
        Ok(RecloserState::Open) => ("Accepted", "open"),
        Ok(RecloserState::Close) => ("Accepted", "close"),
        Err(RecloserRefusal::NotPresent) => ("Rejected", "notPresent"),
        Err(RecloserRefusal::NotAvailable) => ("Rejected", "notAvailable"),
        Err(RecloserRefusal::InvalidRequestData) => ("Rejected", "invalidRequestData"),
    };
    json!({"status": status, "data": data})
}
