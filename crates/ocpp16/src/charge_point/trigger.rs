//! Messages that the central system asks for: TriggerMessage and ExtendedTriggerMessage.

use serde_json::Value;

use super::ChargePoint;
use super::calls::{Answer, accepted_or_rejected, status};
use crate::CallError;
use crate::message::incoming::remote_trigger::{RemoteTrigger, Trigger};

impl ChargePoint {
    pub(super) fn remote_trigger(&mut self, request: &RemoteTrigger) -> Answer {
        match *request {
            RemoteTrigger::TriggerMessage { message, connector } => {
                Ok(Some(self.trigger(message, connector)))
            }
            RemoteTrigger::ExtendedTriggerMessage { .. } => {
                Err(CallError::not_supported("ExtendedTriggerMessage"))
            }
        }
    }

    fn trigger(&mut self, message: Option<Trigger>, connector: Option<i64>) -> Value {
        let Some(message) = message else {
            return status("NotImplemented");
        };
        let accepted = match (message, connector) {
            (Trigger::BootNotification, _) => self.trigger_boot(),
            (
                Trigger::DiagnosticsStatusNotification
                | Trigger::FirmwareStatusNotification
                | Trigger::LogStatusNotification
                | Trigger::SignChargePointCertificate,
                _,
            ) => return status("NotImplemented"),
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
