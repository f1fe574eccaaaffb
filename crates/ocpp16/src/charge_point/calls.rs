//! Requests of the central system and their answers. Each is answered in the same step, except
//! those that another daemon carries out (see `deferred` and `keys`).

use serde_json::{Map, Value, json};

use super::session::Session;
use super::{ChargePoint, Output};
use crate::message::incoming::Request;
use crate::message::incoming::core::Core;
use crate::message::incoming::firmware_management::FirmwareManagement;
use crate::message::outgoing::StopReason;
use crate::transaction::Change;
use crate::{CallError, frame};

/// The payload of the CALLRESULT, `None` when it comes later, or the CALLERROR.
pub(super) type Answer = Result<Option<Value>, CallError>;

impl ChargePoint {
    pub(super) fn call(&mut self, id: &str, action: &str, payload: &Map<String, Value>) {
        let answer =
            Request::decode(action, payload).and_then(|request| self.carry_out(id, request));
        match answer {
            Ok(Some(payload)) => self.answer_call(id, payload),
            Ok(None) => {}
            Err(error) => {
                self.note(format!("{action} {id} answered with {error}"));
                let text = frame::call_error(id, &error);
                self.outputs.push(Output::Send(text));
            }
        }
    }

    pub(super) fn answer_call(&mut self, id: &str, payload: Value) {
        self.outputs
            .push(Output::Send(frame::call_result(id, payload)));
    }

    fn carry_out(&mut self, id: &str, request: Request) -> Answer {
        match request {
            Request::Core(request) => self.core(id, request),
            Request::FirmwareManagement(FirmwareManagement::GetDiagnostics(request)) => {
                self.get_diagnostics(&request)
            }
            Request::FirmwareManagement(FirmwareManagement::UpdateFirmware(request)) => {
                self.update_firmware(&request)
            }
            Request::LocalList(request) => self.local_list(id, request),
            Request::RemoteTrigger(request) => self.remote_trigger(&request),
            Request::Reservation(request) => self.reservation(id, &request),
            Request::Security(request) => self.security(id, &request),
            Request::SmartCharging(request) => self.smart_charging(request),
        }
    }

    fn core(&mut self, id: &str, request: Core) -> Answer {
        Ok(Some(match request {
            Core::ChangeAvailability {
                connector,
                operative,
            } => self.change_availability(connector, operative),
            Core::ChangeConfiguration { key, value } => {
                return Ok(self.change_configuration(id, &key, &value));
            }
            Core::ClearCache => return Ok(self.clear_cache(id)),
            Core::DataTransfer(transfer) => return Ok(self.data_transfer(id, &transfer)),
            Core::GetConfiguration { keys } => self.configuration_report(&keys)?,
            Core::RemoteStartTransaction {
                connector,
                id_tag,
                profile,
            } => {
                let accepted =
                    matches!(connector, None | Some(1)) && self.remote_start(id_tag, profile);
                accepted_or_rejected(accepted)
            }
            Core::RemoteStopTransaction { transaction } => self.remote_stop(transaction),
            Core::Reset { hard } => self.reset(hard),
            Core::UnlockConnector { connector } => return Ok(self.unlock(id, connector)),
        }))
    }

    fn change_availability(&mut self, connector: i64, operative: bool) -> Value {
        let connector = match connector {
            0 => 0,
            1 => 1,
            _ => return status("Rejected"),
        };
        if self.availability.wanted[connector] != operative {
            self.availability.wanted[connector] = operative;
            let [station, connector] = self.availability.wanted;
            self.store(vec![Change::Availability { station, connector }]);
        }
        status(if !operative && self.busy() {
            "Scheduled"
        } else {
            "Accepted"
        })
    }

    fn remote_stop(&mut self, central_id: i64) -> Value {
        let open = matches!(
            self.session,
            Session::Active { .. } | Session::Interrupted { .. }
        );
        let running = open
            && self
                .transaction()
                .is_some_and(|transaction| transaction.central_id == Some(central_id));
        if running {
            self.end_transaction(StopReason::Remote, None);
        }
        accepted_or_rejected(running)
    }
}

pub(super) fn status(status: &str) -> Value {
    json!({"status": status})
}

pub(super) fn accepted_or_rejected(accepted: bool) -> Value {
    status(if accepted { "Accepted" } else { "Rejected" })
}
