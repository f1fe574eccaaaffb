//! The connection: one CALL at a time, and what becomes of answers.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{ChargePoint, Output};
use crate::configuration::Key;
use crate::frame::{self, Frame, FrameError};
use crate::message::answer::{self, Boot, IdTagInfo, RegistrationStatus};
use crate::message::outgoing::{Authorize, Request, payload};
use crate::security::{Access, SecurityEventKind};
use crate::{IdToken, Millis};

/// Unanswered CALLs in a row, without any other frame, after which the peer counts as gone.
const SILENT_CALLS: u32 = 3;
/// Optional messages that may wait; more mean that the central system is too slow for them.
const LONGEST_WAIT: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Link {
    pub(super) open: bool,
    /// The answer to the last BootNotification.
    pub(super) registration: Option<RegistrationStatus>,
    /// When to send the next BootNotification; `None` when there is nothing to send.
    pub(super) boot_at: Option<Millis>,
    /// Whether this connection has seen an accepted BootNotification.
    pub(super) booted_here: bool,
    pub(super) heartbeat_at: Option<Millis>,
    outstanding: Option<Outstanding>,
    optional: VecDeque<Optional>,
    /// The front of the transaction queue waits until then.
    pub(super) retry_at: Millis,
    /// Transaction messages and others take turns, so that neither waits for a long queue.
    pub(super) transaction_sent_last: bool,
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
#[allow(dead_code, reason = "some features do not send theirs yet")]
pub(super) enum Kind {
    Authorize,
    Boot,
    DataTransfer,
    DiagnosticsStatus,
    FirmwareStatus,
    /// A DataTransfer of customer software.
    Forwarded {
        number: u64,
    },
    Heartbeat,
    LogStatus,
    /// The meter's public key; its answer is ignored (guide 3.3.10).
    MeterKey,
    MeterValues,
    SecurityEvent,
    SignCertificate,
    SignedFirmwareStatus,
    Status {
        connector: usize,
    },
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

    /// Whether so many more optional messages may wait.
    pub(super) fn has_room(&self, messages: usize) -> bool {
        self.optional.len() + messages <= LONGEST_WAIT
    }

    pub(super) fn accepted(&self) -> bool {
        self.registration == Some(RegistrationStatus::Accepted)
    }

    pub(super) fn boot_underway(&self) -> bool {
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
    pub(super) fn socket_opened(&mut self, access: &Access) {
        self.access_proven(access);
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
        self.pending.clear();
        self.forget_transfers();
        self.forget_certificate_calls();
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
                details,
            }) => self.error(&id, &code, &description, details),
            Err(FrameError::Answerable { id, error }) => {
                self.warn(format!("CALL {id} answered with {error}"));
                self.raise_seldom(SecurityEventKind::InvalidMessages, &error.to_string());
                self.outputs
                    .push(Output::Send(frame::call_error(&id, &error)));
            }
            Err(error @ FrameError::Unanswerable(_)) => {
                self.warn(error.to_string());
                self.raise_seldom(SecurityEventKind::InvalidMessages, &error.to_string());
            }
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
        // The station keeps the key of its newest request alone.
        if kind == Kind::SignCertificate {
            self.link.optional.retain(|waiting| waiting.kind != kind);
        }
        // Few, and nothing would make up for one that is lost.
        let must_wait = matches!(kind, Kind::Authorize | Kind::Boot | Kind::SignCertificate)
            || (matches!(kind, Kind::Status { .. }) && !triggered);
        if !must_wait && !self.link.has_room(1) {
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
            Kind::DataTransfer
            | Kind::DiagnosticsStatus
            | Kind::FirmwareStatus
            | Kind::Forwarded { .. }
            | Kind::Heartbeat
            | Kind::LogStatus
            | Kind::MeterKey
            | Kind::MeterValues
            | Kind::SecurityEvent
            | Kind::SignCertificate
            | Kind::SignedFirmwareStatus
            | Kind::Status { .. }
            | Kind::Transaction => {
                self.link.optional.push_back(optional);
            }
        }
    }

    pub(super) fn ask_authorization(&mut self, id_tag: IdToken) {
        self.send_optional_message(Kind::Authorize, &Authorize { id_tag }, false);
    }

    fn send_optional(&mut self, place: usize) {
        if let Some(optional) = self.link.optional.remove(place) {
            let id = self.message_id();
            self.link.transaction_sent_last = false;
            self.send_call(id, optional.kind, optional.action, optional.payload);
        }
    }

    pub(super) fn send_call(&mut self, id: String, kind: Kind, action: &str, payload: Value) {
        self.outputs
            .push(Output::Send(frame::call(&id, action, payload)));
        let until = self
            .now
            .monotonic
            .after_seconds(self.configuration.number(Key::MessageTimeout).max(1));
        self.link.outstanding = Some(Outstanding { id, kind, until });
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
                self.authorization_answered(info);
            }
            Kind::DiagnosticsStatus
            | Kind::FirmwareStatus
            | Kind::LogStatus
            | Kind::SignedFirmwareStatus => self.notice_told(kind),
            Kind::DataTransfer | Kind::MeterKey | Kind::MeterValues | Kind::Status { .. } => {}
            Kind::SecurityEvent => self.security_event_told(),
            Kind::SignCertificate => self.certificate_request_answered(payload),
            Kind::Forwarded { number } => self.forwarded_answered(number, payload),
            Kind::Transaction => self.transaction_message_answered(payload, &mut remarks),
        }
        for remark in remarks {
            self.warn(format!("answer {id}: {remark}"));
        }
    }

    /// A CALLERROR means that the message arrived: only transaction messages are ever repeated.
    fn error(&mut self, id: &str, code: &str, description: &str, details: Value) {
        let Some(kind) = self.answered(id) else {
            return self.note(format!("CALLERROR {id} ignored: no such CALL is open"));
        };
        self.note(format!(
            "{kind:?} {id} was answered with CALLERROR {code}: {description}"
        ));
        match kind {
            Kind::Boot => self.boot_unanswered(),
            Kind::Authorize => self.authorization_answered(None),
            Kind::Forwarded { number } => {
                self.forwarded_refused(number, code, description, details);
            }
            Kind::Transaction => self.transaction_message_refused(code),
            Kind::DiagnosticsStatus
            | Kind::FirmwareStatus
            | Kind::LogStatus
            | Kind::SignedFirmwareStatus => self.notice_told(kind),
            Kind::DataTransfer
            | Kind::Heartbeat
            | Kind::MeterKey
            | Kind::MeterValues
            | Kind::SignCertificate
            | Kind::Status { .. } => {}
            Kind::SecurityEvent => self.security_event_told(),
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
        match kind {
            Kind::Boot => self.boot_unanswered(),
            Kind::Authorize => self.authorization_unanswered(),
            Kind::Status { connector } => self.status_not_delivered(connector),
            Kind::Forwarded { number } => self.forwarded_unanswered(number),
            Kind::Transaction => self.transaction_message_unanswered(),
            Kind::DiagnosticsStatus
            | Kind::FirmwareStatus
            | Kind::LogStatus
            | Kind::SignedFirmwareStatus => self.notice_lost(kind),
            Kind::DataTransfer
            | Kind::Heartbeat
            | Kind::MeterKey
            | Kind::MeterValues
            | Kind::SignCertificate => {}
            Kind::SecurityEvent => self.security_event_lost(),
        }
    }
}
