//! The connection: registration, one CALL at a time, and what becomes of answers.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{ChargePoint, Output};
use crate::configuration::Key;
use crate::frame::{self, Frame, FrameError};
use crate::message::answer::{
    self, AuthorizationStatus, Boot, IdTagInfo, RegistrationStatus, Start,
};
use crate::message::outgoing::{Authorize, Heartbeat, Request, payload};
use crate::transaction::{Body, Change};
use crate::{ErrorCode, IdToken, Millis};

/// Until a BootNotification is repeated that got no usable answer.
const BOOT_RETRY_S: u64 = 30;
/// Used for an interval of 0 (guide 3.3.7).
const DEFAULT_INTERVAL_S: u64 = 600;
/// A shorter heartbeat interval is accepted but not carried out: it would only be load.
const SHORTEST_HEARTBEAT_S: u64 = 10;
/// Unanswered CALLs in a row, without any other frame, after which the peer counts as gone.
const SILENT_CALLS: u32 = 3;
/// Optional messages that may wait; more mean that the central system is too slow for them.
const LONGEST_WAIT: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Link {
    open: bool,
    /// The answer to the last BootNotification.
    registration: Option<RegistrationStatus>,
    /// When to send the next BootNotification; `None` when there is nothing to send.
    boot_at: Option<Millis>,
    /// Whether this connection has seen an accepted BootNotification.
    booted_here: bool,
    heartbeat_at: Option<Millis>,
    outstanding: Option<Outstanding>,
    optional: VecDeque<Optional>,
    /// The front of the transaction queue waits until then.
    retry_at: Millis,
    /// Transaction messages and others take turns, so that neither waits for a long queue.
    transaction_sent_last: bool,
    silent_calls: u32,
}

/// The CALL that waits for its answer.
#[derive(Debug)]
struct Outstanding {
    id: String,
    kind: Kind,
    until: Millis,
}

/// What a CALL was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boot,
    Heartbeat,
    Authorize,
    Status {
        connector: usize,
    },
    MeterValues,
    /// The meter's public key; its answer is ignored (guide 3.3.10).
    MeterKey,
    /// The front of the transaction queue.
    Transaction,
}

/// A message that is not repeated.
#[derive(Debug)]
struct Optional {
    action: &'static str,
    payload: Value,
    kind: Kind,
    /// Asked for by the central system, which allows it before registration.
    triggered: bool,
}

impl Link {
    /// Whether messages may be initiated.
    pub(super) fn online(&self) -> bool {
        self.open && self.accepted()
    }

    /// Whether no CALL waits for its answer or its turn.
    pub(super) fn idle(&self) -> bool {
        !self.open || (self.outstanding.is_none() && self.optional.is_empty())
    }

    fn accepted(&self) -> bool {
        self.registration == Some(RegistrationStatus::Accepted)
    }

    fn boot_underway(&self) -> bool {
        self.outstanding
            .as_ref()
            .is_some_and(|outstanding| outstanding.kind == Kind::Boot)
            || self
                .optional
                .iter()
                .any(|optional| optional.kind == Kind::Boot)
    }
}

impl ChargePoint {
    pub(super) fn socket_opened(&mut self) {
        let now = self.now.monotonic;
        let link = &mut self.link;
        link.open = true;
        link.booted_here = false;
        link.silent_calls = 0;
        // Whatever kept a transaction message from being answered, this connection is new.
        link.retry_at = now;
        if link.accepted() && self.configuration.flag(Key::BootNotificationOnReconnect) {
            link.registration = None;
        }
        if link.registration.is_none() {
            link.boot_at = Some(now);
        }
    }

    pub(super) fn socket_closed(&mut self) {
        self.link.open = false;
        self.forget_deferred();
        if let Some(outstanding) = self.link.outstanding.take() {
            self.unanswered(outstanding.kind);
        }
        for optional in std::mem::take(&mut self.link.optional) {
            self.unanswered(optional.kind);
        }
        if self.link.boot_at.is_none() && !self.link.accepted() {
            self.link.boot_at = Some(self.now.monotonic);
        }
        self.keep_queue();
    }

    pub(super) fn frame(&mut self, text: &str) {
        self.link.silent_calls = 0;
        match Frame::parse(text) {
            Ok(Frame::Call {
                id,
                action,
                payload,
            }) => self.call(&id, &action, &payload),
            Ok(Frame::Result { id, payload }) => self.result(&id, &payload),
            Ok(Frame::Error {
                id,
                code,
                description,
            }) => self.error(&id, &code, &description),
            Err(FrameError::Answerable { id, error }) => {
                self.warn(format!("CALL {id} answered with {error}"));
                self.outputs
                    .push(Output::Send(frame::call_error(&id, &error)));
            }
            Err(error @ FrameError::Unanswerable(_)) => self.warn(error.to_string()),
        }
    }

    /// Ends the wait for an answer that is overdue.
    pub(super) fn give_up_waiting(&mut self) {
        let now = self.now.monotonic;
        let Some(outstanding) = self
            .link
            .outstanding
            .take_if(|outstanding| outstanding.until <= now)
        else {
            return;
        };
        self.warn(format!(
            "no answer to {:?} {}",
            outstanding.kind, outstanding.id
        ));
        self.unanswered(outstanding.kind);
        self.link.silent_calls += 1;
        if self.link.silent_calls >= SILENT_CALLS {
            self.link.silent_calls = 0;
            self.outputs.push(Output::Disconnect);
        }
    }

    /// Sends whatever may be sent now: at most one CALL waits for its answer.
    pub(super) fn send_next(&mut self) {
        if !self.link.open {
            return;
        }
        self.queue_registration();
        if self.link.outstanding.is_some() {
            return;
        }
        self.drop_unknown_transactions();
        let transaction_due = self.link.accepted()
            && !self.queue.is_empty()
            && self.link.retry_at <= self.now.monotonic;
        let optional_due = self.link.optional.iter().position(|optional| {
            self.link.accepted() || optional.kind == Kind::Boot || optional.triggered
        });
        match optional_due {
            Some(place) if !transaction_due || self.link.transaction_sent_last => {
                self.send_optional(place)
            }
            Some(_) | None if transaction_due => self.send_transaction_message(),
            Some(_) | None => {}
        }
    }

    pub(super) fn link_deadline(&self) -> Option<Millis> {
        let link = &self.link;
        if !link.open {
            return None;
        }
        if let Some(outstanding) = &link.outstanding {
            return Some(outstanding.until);
        }
        let retry = (link.accepted() && !self.queue.is_empty()).then_some(link.retry_at);
        [
            link.boot_at,
            link.heartbeat_at.filter(|_| link.accepted()),
            retry,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Queues a message that is sent once or not at all.
    pub(super) fn send_optional_message<R: Request>(
        &mut self,
        kind: Kind,
        message: &R,
        triggered: bool,
    ) {
        if matches!(kind, Kind::Status { .. }) && !triggered {
            // A newer state makes one that still waits pointless.
            self.link
                .optional
                .retain(|waiting| waiting.kind != kind || waiting.triggered);
        }
        if kind != Kind::Authorize && self.link.optional.len() >= LONGEST_WAIT {
            return self.warn(format!(
                "{} dropped: the central system is too slow",
                R::ACTION
            ));
        }
        let optional = Optional {
            action: R::ACTION,
            payload: payload(message),
            kind,
            triggered,
        };
        match kind {
            // A user waits.
            Kind::Boot | Kind::Authorize => self.link.optional.push_front(optional),
            Kind::Heartbeat
            | Kind::Status { .. }
            | Kind::MeterValues
            | Kind::MeterKey
            | Kind::Transaction => {
                self.link.optional.push_back(optional);
            }
        }
    }

    pub(super) fn ask_authorization(&mut self, id_tag: IdToken) {
        self.send_optional_message(Kind::Authorize, &Authorize { id_tag }, false);
    }

    /// `TriggerMessage(BootNotification)`: once for each connection (erratum 3.35).
    pub(super) fn trigger_boot(&mut self) -> bool {
        if self.link.booted_here {
            return false;
        }
        if !self.link.boot_underway() {
            self.link.boot_at = Some(self.now.monotonic);
        }
        true
    }

    pub(super) fn trigger_heartbeat(&mut self) {
        self.send_optional_message(Kind::Heartbeat, &Heartbeat {}, true);
    }

    pub(super) fn restart_heartbeat(&mut self) {
        let interval = match self.configuration.number(Key::HeartbeatInterval) {
            0 => DEFAULT_INTERVAL_S,
            seconds => seconds.max(SHORTEST_HEARTBEAT_S),
        };
        self.link.heartbeat_at = Some(self.now.monotonic.after_seconds(interval));
    }

    /// What waits in the queue must survive a crash as soon as it can't be sent at once.
    pub(super) fn keep_queue(&mut self) {
        let unstored = self.queue.store_all();
        self.store(unstored.into_iter().map(Change::PutMessage).collect());
    }

    fn queue_registration(&mut self) {
        let now = self.now.monotonic;
        if self.link.boot_at.is_some_and(|at| at <= now) {
            self.link.boot_at = None;
            let identity = self.settings.identity.clone();
            self.send_optional_message(Kind::Boot, &identity, false);
        }
        if self.link.accepted() && self.link.heartbeat_at.is_some_and(|at| at <= now) {
            self.restart_heartbeat();
            self.send_optional_message(Kind::Heartbeat, &Heartbeat {}, false);
        }
    }

    fn send_optional(&mut self, place: usize) {
        if let Some(optional) = self.link.optional.remove(place) {
            let id = self.message_id();
            self.link.transaction_sent_last = false;
            self.send_call(id, optional.kind, optional.action, optional.payload);
        }
    }

    fn send_transaction_message(&mut self) {
        let Some(message) = self.queue.front() else {
            return;
        };
        let central_id = self
            .transactions
            .get(&message.transaction)
            .and_then(|transaction| transaction.central_id);
        let (action, payload) = message.call(central_id);
        let id = message.message_id.clone();
        self.link.transaction_sent_last = true;
        self.send_call(id, Kind::Transaction, action, payload);
    }

    fn send_call(&mut self, id: String, kind: Kind, action: &str, payload: Value) {
        self.outputs
            .push(Output::Send(frame::call(&id, action, payload)));
        let until = self
            .now
            .monotonic
            .after_seconds(self.configuration.number(Key::MessageTimeout).max(1));
        self.link.outstanding = Some(Outstanding { id, kind, until });
    }

    /// Without `StartTransaction.conf` the later messages of a transaction have no
    /// `transactionId`; once its StartTransaction was given up they can never be sent.
    fn drop_unknown_transactions(&mut self) {
        while let Some(message) = self.queue.front() {
            let number = message.transaction;
            let known = self
                .transactions
                .get(&number)
                .is_some_and(|transaction| transaction.central_id.is_some());
            if known || matches!(message.body, Body::Start(_)) {
                return;
            }
            self.warn(format!("transaction {number} was never accepted by the central system; its messages are dropped"));
            self.forget_messages(number);
        }
    }

    fn result(&mut self, id: &str, payload: &Map<String, Value>) {
        let Some(kind) = self.answered(id) else {
            return self.note(format!("answer {id} ignored: no such CALL is open"));
        };
        let mut remarks = Vec::new();
        match kind {
            Kind::Boot => match Boot::decode(payload, &mut remarks) {
                Ok(boot) => self.boot_answered(&boot),
                Err(error) => {
                    self.warn(format!("BootNotification.conf: {error}"));
                    self.unanswered(kind);
                }
            },
            Kind::Heartbeat => {
                let time = answer::heartbeat_time(payload, &mut remarks);
                self.take_time(time);
            }
            Kind::Authorize => {
                let info = IdTagInfo::decode(payload, &mut remarks);
                self.authorization_answered(Some(info));
            }
            Kind::Status { .. } | Kind::MeterValues | Kind::MeterKey => {}
            Kind::Transaction => self.transaction_message_answered(payload, &mut remarks),
        }
        for remark in remarks {
            self.warn(format!("answer {id}: {remark}"));
        }
    }

    /// A CALLERROR means that the message arrived: only transaction messages are ever repeated.
    fn error(&mut self, id: &str, code: &str, description: &str) {
        let Some(kind) = self.answered(id) else {
            return self.note(format!("CALLERROR {id} ignored: no such CALL is open"));
        };
        self.note(format!(
            "{kind:?} {id} was answered with CALLERROR {code}: {description}"
        ));
        match kind {
            Kind::Boot => self.link.boot_at = Some(self.now.monotonic.after_seconds(BOOT_RETRY_S)),
            Kind::Authorize => self.authorization_answered(None),
            Kind::Transaction => self.transaction_message_refused(code),
            Kind::Heartbeat | Kind::Status { .. } | Kind::MeterValues | Kind::MeterKey => {}
        }
    }

    /// The kind of the CALL that `id` answers. An answer to the front of the transaction queue is
    /// taken even after its time-out: sending it once more would do it twice.
    fn answered(&mut self, id: &str) -> Option<Kind> {
        if let Some(outstanding) = self
            .link
            .outstanding
            .take_if(|outstanding| outstanding.id == id)
        {
            return Some(outstanding.kind);
        }
        let late = self
            .queue
            .front()
            .is_some_and(|message| message.message_id == id);
        late.then_some(Kind::Transaction)
    }

    /// No answer: time-out or connection lost.
    fn unanswered(&mut self, kind: Kind) {
        let now = self.now.monotonic;
        match kind {
            Kind::Boot => {
                self.link.boot_at =
                    Some(now.after_seconds(if self.link.open { BOOT_RETRY_S } else { 0 }))
            }
            Kind::Authorize => self.authorization_unanswered(),
            Kind::Status { connector } => self.status_not_delivered(connector),
            Kind::Transaction => {
                let interval = self
                    .configuration
                    .number(Key::TransactionMessageRetryInterval);
                self.link.retry_at = now.after_seconds(interval);
                self.keep_queue();
            }
            Kind::Heartbeat | Kind::MeterValues | Kind::MeterKey => {}
        }
    }

    fn boot_answered(&mut self, boot: &Boot) {
        let now = self.now.monotonic;
        self.take_time(boot.current_time);
        let interval = if boot.interval == 0 {
            DEFAULT_INTERVAL_S
        } else {
            boot.interval
        };
        self.link.registration = Some(boot.status);
        self.note(format!(
            "BootNotification answered with {:?}, interval {interval} s",
            boot.status
        ));
        match boot.status {
            RegistrationStatus::Accepted => {
                self.link.boot_at = None;
                self.link.booted_here = true;
                // In range: u32 is what the key holds.
                let interval = interval.min(i32::MAX as u64).to_string();
                if let Err(error) = self
                    .configuration
                    .set(Key::HeartbeatInterval.name(), &interval)
                {
                    self.warn(error.to_string());
                }
                self.restart_heartbeat();
                self.report_all_status();
                self.announce_meter_key_again();
                if !self.registered {
                    self.registered = true;
                    self.store(vec![Change::Registered]);
                }
            }
            RegistrationStatus::Pending | RegistrationStatus::Rejected => {
                self.link.boot_at = Some(now.after_seconds(interval));
            }
        }
    }

    fn take_time(&mut self, time: Option<crate::Timestamp>) {
        let Some(time) = time else { return };
        if self.configuration.flag(Key::UseAsTimeSource) && self.clock.synchronise(self.now, time) {
            self.outputs.push(Output::SetClock(time));
        }
    }

    fn transaction_message_answered(
        &mut self,
        payload: &Map<String, Value>,
        remarks: &mut Vec<String>,
    ) {
        let is_start = self
            .queue
            .front()
            .is_some_and(|message| matches!(message.body, Body::Start(_)));
        let start = match is_start
            .then(|| Start::decode(payload, remarks))
            .transpose()
        {
            Ok(start) => start,
            Err(error) => {
                self.warn(format!("StartTransaction.conf: {error}"));
                return self.transaction_message_refused(ErrorCode::FormationViolation.name());
            }
        };
        let Some(entry) = self.queue.pop() else {
            return;
        };
        self.link.retry_at = self.now.monotonic;
        let number = entry.message.transaction;
        let confirmed = start.as_ref().and_then(|start| {
            let transaction = self.transactions.get_mut(&number)?;
            transaction.central_id = Some(start.transaction_id);
            transaction.refused = start.id_tag_info.status != AuthorizationStatus::Accepted;
            Some(Change::PutTransaction(transaction.clone()))
        });
        let deleted = entry
            .stored
            .then_some(Change::DeleteMessage(entry.message.sequence));
        self.store(confirmed.into_iter().chain(deleted).collect());
        if matches!(entry.message.body, Body::Stop(_)) {
            self.forget_transaction(number);
        }
        if let Some(start) = start {
            self.start_authorization_answered(number, &start.id_tag_info);
        }
    }

    /// Repeats the front later with a new id, `TransactionMessageAttempts` times in all. (Time-outs
    /// don't count: the message may never have arrived.) Meter values that the central system does
    /// not support at all are dropped at once: they would only delay the end of the transaction.
    fn transaction_message_refused(&mut self, code: &str) {
        let attempts = self.configuration.number(Key::TransactionMessageAttempts);
        let interval = self
            .configuration
            .number(Key::TransactionMessageRetryInterval);
        let id = self.message_id();
        let now = self.now.monotonic;
        let Some(entry) = self.queue.front_mut() else {
            return;
        };
        entry.message.refusals += 1;
        let refusals = u64::from(entry.message.refusals);
        let unwanted = [
            ErrorCode::NotImplemented.name(),
            ErrorCode::NotSupported.name(),
        ]
        .contains(&code)
            && matches!(entry.message.body, Body::Meter(_));
        if refusals < attempts && !unwanted {
            entry.message.message_id = id;
            entry.stored = true;
            let message = entry.message.clone();
            self.link.retry_at = now.after_seconds(interval.saturating_mul(refusals));
            return self.store(vec![Change::PutMessage(message)]);
        }
        let (number, body, sequence) = (
            entry.message.transaction,
            entry.message.body.clone(),
            entry.message.sequence,
        );
        self.warn(format!("the central system refused a message of transaction {number} {refusals} times; it is dropped"));
        self.link.retry_at = now;
        match body {
            Body::Start(_) => self.forget_messages(number),
            Body::Stop(_) => {
                self.forget_messages(number);
                self.forget_transaction(number);
            }
            Body::Meter(_) => {
                self.queue.pop();
                self.store(vec![Change::DeleteMessage(sequence)]);
            }
        }
    }

    /// Drops the messages of a transaction, and the transaction when its end was among them.
    fn forget_messages(&mut self, number: u64) {
        let removed = self.queue.remove_transaction(number);
        self.store(
            removed
                .iter()
                .map(|message| Change::DeleteMessage(message.sequence))
                .collect(),
        );
        if removed
            .iter()
            .any(|message| matches!(message.body, Body::Stop(_)))
        {
            self.forget_transaction(number);
        }
    }

    fn forget_transaction(&mut self, number: u64) {
        if self.transactions.remove(&number).is_some() {
            self.store(vec![Change::DeleteTransaction(number)]);
        }
    }
}
