//! Messages that the central system asks for: TriggerMessage and ExtendedTriggerMessage.

use serde_json::Value;

use super::ChargePoint;
use super::calls::{Answer, accepted_or_rejected, status};
use crate::message::incoming::remote_trigger::{RemoteTrigger, Trigger};

impl ChargePoint {
    pub(super) fn remote_trigger(&mut self, request: &RemoteTrigger) -> Answer {
        match *request {
            RemoteTrigger::TriggerMessage { message, connector } => {
                Ok(Some(self.trigger(message, connector, false)))
            }
            RemoteTrigger::ExtendedTriggerMessage { message, connector } => {
                Ok(Some(self.trigger(message, connector, true)))
            }
        }
    }

    /// `extended` is with the messages of the security extension.
    fn trigger(
        &mut self,
        message: Option<Trigger>,
        connector: Option<i64>,
        extended: bool,
    ) -> Value {
        let Some(message) = message else {
            return status("NotImplemented");
        };
        // What is accepted is sent, however slow the central system is.
        let two = (message, connector) == (Trigger::StatusNotification, None);
        let messages = if two { 2 } else { 1 };
        if message != Trigger::BootNotification && !self.link.has_room(messages) {
            return status("Rejected");
        }
        let accepted = match (message, connector) {
            (Trigger::BootNotification, _) => self.trigger_boot(),
            (Trigger::DiagnosticsStatusNotification, _) => {
                self.trigger_diagnostics_status();
                true
            }
            (Trigger::FirmwareStatusNotification, _) => {
                self.trigger_firmware_status(extended);
                true
            }
            (Trigger::LogStatusNotification, _) => {
                self.trigger_log_status();
                true
            }
            (Trigger::SignChargePointCertificate, _) => {
                self.trigger_certificate_request();
                true
            }
            (Trigger::Heartbeat, _) => {
                self.trigger_heartbeat();
                true
            }
            (Trigger::StatusNotification, None) => {
                self.trigger_status(0);
                self.trigger_status(1);
                true
            }
            (Trigger::StatusNotification, Some(connector @ 0..=1)) => {
                self.trigger_status(usize::from(connector == 1));
                true
            }
            (Trigger::MeterValues, None | Some(1)) => self.trigger_meter_values(),
            (Trigger::StatusNotification | Trigger::MeterValues, Some(_)) => false,
        };
        accepted_or_rejected(accepted)
    }
}
