//! Security events: each is logged, and the central system hears of those that matter to it.
//!
//! What waits for delivery is stored. An answer of any kind means that the event arrived.

use super::link::Kind;
use super::{ChargePoint, Output};
use crate::message::notification::SecurityEventNotification;
use crate::security::{SecurityEvent, SecurityEventKind, SecurityState};
use crate::transaction::Change;
use crate::{CiString, Millis};

/// Events that wait for delivery at most; then the oldest that is not critical goes first.
const MOST_WAITING: usize = 50;
/// What a peer can cause at will is noted so seldom: each event is a write to the flash.
const SELDOM_S: u64 = 600;
/// Time-outs after which an event is given up, and the wait between them.
const MOST_TIMEOUTS: u32 = 3;
const TELL_AGAIN_S: u64 = 60;
/// The start is reported with a valid time if there is one within this time.
const START_WAIT: Millis = Millis(120_000);

/// What is known of the events.
#[derive(Debug, Default)]
pub(super) struct SecurityEvents {
    state: SecurityState,
    /// Since when the next one of a kind is noted again.
    quiet_until: Vec<(SecurityEventKind, Millis)>,
    /// Whether the first that waits is on its way.
    telling: bool,
    timeouts: u32,
    tell_at: Millis,
}

impl SecurityEvents {
    pub(super) fn new(state: SecurityState) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    fn make_room(&mut self) {
        // The one that is on its way stays: its answer removes it.
        let first = usize::from(self.telling);
        let waiting = &mut self.state.waiting;
        while waiting.len() > MOST_WAITING {
            let minor = (first..waiting.len()).find(|index| {
                waiting
                    .get(*index)
                    .is_some_and(|event| !event.kind.critical())
            });
            waiting.remove(minor.unwrap_or(first));
        }
    }
}

impl ChargePoint {
    /// Notes an event.
    pub(super) fn raise(&mut self, kind: SecurityEventKind, tech_info: &str) {
        let event = SecurityEvent {
            timestamp: self.timestamp(),
            kind,
            tech_info: CiString::truncated(tech_info).non_empty(),
        };
        self.outputs.push(Output::SecurityEvent(event.clone()));
        if kind.told() {
            self.security_events.state.waiting.push(event);
            self.security_events.make_room();
            self.store_security();
        }
    }

    /// Notes an event that a peer can cause again and again.
    pub(super) fn raise_seldom(&mut self, kind: SecurityEventKind, tech_info: &str) {
        let now = self.now.monotonic;
        let events = &mut self.security_events;
        events.quiet_until.retain(|(_, until)| *until > now);
        if events.quiet_until.iter().all(|(quiet, _)| *quiet != kind) {
            events.quiet_until.push((kind, now.after_seconds(SELDOM_S)));
            self.raise(kind, tech_info);
        }
    }

    pub(super) fn reconfigured(&mut self, what: &str) {
        self.note(what);
        self.raise(SecurityEventKind::ReconfigurationOfSecurityParameters, what);
    }

    /// Notes the start of the board, of which a start of this process need not be one.
    pub(super) fn note_start(&mut self) {
        let boot = &self.settings.boot.id;
        let known = &self.security_events.state.boot;
        let time_is_known = self.wall().is_some() || self.now.monotonic >= START_WAIT;
        if known == boot || !time_is_known {
            return;
        }
        let cleared = self.settings.security.log_is_empty && !known.is_empty();
        self.security_events.state.boot = boot.clone();
        if cleared {
            self.raise(SecurityEventKind::SecurityLogWasCleared, "");
        }
        self.raise(SecurityEventKind::StartupOfTheDevice, "");
    }

    /// Tells the first event that waits, when nothing else is under way.
    pub(super) fn tell_security_event(&mut self) {
        let events = &self.security_events;
        let due = events.tell_at <= self.now.monotonic && !events.telling;
        if !due || !self.link.online() || !self.link.idle() {
            return;
        }
        if let Some(event) = events.state.waiting.first().cloned() {
            self.security_events.telling = true;
            let message = SecurityEventNotification {
                kind: CiString::truncated(event.kind.name()),
                timestamp: event.timestamp,
                tech_info: event.tech_info,
            };
            self.send_optional_message(Kind::SecurityEvent, &message, false);
        }
    }

    pub(super) fn security_events_deadline(&self) -> Option<Millis> {
        let events = &self.security_events;
        let waits = self.link.online() && !events.telling && !events.state.waiting.is_empty();
        let at = events.tell_at;
        (waits && at > self.now.monotonic).then_some(at)
    }

    /// An answer of any kind.
    pub(super) fn security_event_told(&mut self) {
        let events = &mut self.security_events;
        if std::mem::take(&mut events.telling) && !events.state.waiting.is_empty() {
            events.state.waiting.remove(0);
            events.timeouts = 0;
            self.store_security();
        }
    }

    /// No answer: time-out or connection lost.
    pub(super) fn security_event_lost(&mut self) {
        let again = self.now.monotonic.after_seconds(TELL_AGAIN_S);
        let events = &mut self.security_events;
        if !self.link.open {
            events.telling = false;
            return;
        }
        events.timeouts += 1;
        if events.timeouts >= MOST_TIMEOUTS {
            return self.security_event_told();
        }
        events.telling = false;
        events.tell_at = again;
    }

    pub(super) fn security_change(&self) -> Change {
        Change::Security(Box::new(self.security_events.state.clone()))
    }

    fn store_security(&mut self) {
        let change = self.security_change();
        self.store(vec![change]);
    }
}
