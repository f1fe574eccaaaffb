//! Registration at the central system: BootNotification, Heartbeat, and the time they bring.

use super::link::Kind;
use super::{ChargePoint, Output};
use crate::Timestamp;
use crate::configuration::Key;
use crate::message::answer::{Boot, RegistrationStatus};
use crate::message::outgoing::Heartbeat;
use crate::transaction::Change;

/// Until a BootNotification is repeated that got no usable answer.
const BOOT_RETRY_S: u64 = 30;
/// Used for an interval of 0 (guide 3.3.7).
const DEFAULT_INTERVAL_S: u64 = 600;
/// A shorter heartbeat interval is accepted but not carried out: it would only be load.
const SHORTEST_HEARTBEAT_S: u64 = 10;

impl ChargePoint {
    pub(super) fn queue_registration(&mut self) {
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

    /// Refused with a CALLERROR, timed out, or lost with the connection.
    pub(super) fn boot_unanswered(&mut self) {
        let wait = if self.link.open { BOOT_RETRY_S } else { 0 };
        self.link.boot_at = Some(self.now.monotonic.after_seconds(wait));
    }

    pub(super) fn boot_answered(&mut self, boot: &Boot) {
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

    pub(super) fn take_time(&mut self, time: Option<Timestamp>) {
        let Some(time) = time else { return };
        if self.configuration.flag(Key::UseAsTimeSource) && self.clock.synchronise(self.now, time) {
            self.outputs.push(Output::SetClock(time));
        }
    }
}
