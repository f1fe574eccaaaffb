//! Restarts of the station: Reset, and what every restart waits for.

use serde_json::Value;

use super::calls::status;
use super::session::Session;
use super::{ChargePoint, Output};
use crate::message::outgoing::StopReason;
use crate::security::SecurityEventKind;
use crate::transaction::Change;

/// How long a soft reset waits for the delivery of messages, which are stored anyway.
const SOFT_RESET_S: u64 = 30;
/// The same for a hard reset.
const HARD_RESET_S: u64 = 2;

impl ChargePoint {
    /// Both kinds end the transaction first and keep everything stored; they differ in how long
    /// they wait for the closing reading and for delivery.
    ///
    /// Not during an installation of firmware (guide 11.6).
    pub(super) fn reset(&mut self, hard: bool) -> Value {
        if self.firmware.installing() {
            self.warn("Reset rejected: firmware is being installed");
            return status("Rejected");
        }
        let (reason, seconds) = if hard {
            (StopReason::HardReset, HARD_RESET_S)
        } else {
            (StopReason::SoftReset, SOFT_RESET_S)
        };
        let by = self.now.monotonic.after_seconds(seconds);
        self.reset_by = Some(self.reset_by.map_or(by, |earlier| earlier.min(by)));
        let kind = if hard { "hard reset" } else { "soft reset" };
        self.raise(SecurityEventKind::ResetOrReboot, kind);
        self.end_transaction(reason, None);
        status("Accepted")
    }

    /// Restarts when all messages are delivered, or when that takes too long: they are stored.
    pub(super) fn advance_reset(&mut self) {
        let Some(by) = self.reset_by else { return };
        let delivered = !self.link.online() || (self.queue.is_empty() && self.link.idle());
        let quiet = matches!(self.session, Session::Idle { .. }) && delivered;
        if quiet || self.now.monotonic >= by {
            self.reset_by = None;
            self.store_the_rest();
            self.outputs.push(Output::Reboot);
        }
    }

    /// The EVSE ended the session, or the process is about to end.
    pub(super) fn stop_requested(&mut self, reason: StopReason) {
        self.end_transaction(reason, None);
        if reason == StopReason::Reboot {
            self.store_the_rest();
        }
    }

    /// Makes durable what would have waited: nothing comes after it in this process.
    fn store_the_rest(&mut self) {
        let unstored = self.queue.store_all();
        self.store(unstored.into_iter().map(Change::PutMessage).collect());
        self.save_profiles();
    }
}
