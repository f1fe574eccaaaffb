//! DataTransfer, both ways: between the central system and customer software on the broker, and the
//! recloser's messages, which are carried out here.

use serde_json::{Map, Value, json};

use super::calls::status;
use super::deferred::recloser_status;
use super::link::Kind;
use super::{ChargePoint, Output};
use crate::message::incoming::core::DataTransfer;
use crate::message::notification;
use crate::{CallError, CiString, ErrorCode, Millis, frame};

/// The recloser's DataTransfers keep this vendor beside the station's own, because central systems
/// know it (guide 3.3.9 table 12).
const RECLOSER_VENDOR: &str = "com.in-tech.smartcharging";

/// DataTransfers of each direction that may wait for their answers.
const MOST_PENDING: usize = 32;

/// `DataTransferStatus` of OCPP 1.6.
const STATUSES: [&str; 4] = [
    "Accepted",
    "Rejected",
    "UnknownMessageId",
    "UnknownVendorId",
];

/// DataTransfers of the central system that customer software answers (guide 3.3.8.1 table 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRoute {
    /// Their vendor.
    pub vendor: CiString<255>,
    /// Their kind; `None`: all of the vendor.
    pub message: Option<CiString<50>>,
    /// How long the answer may take, in ms.
    pub timeout_ms: u64,
}

/// The content of a DataTransfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Vendor.
    pub vendor: CiString<255>,
    /// Kind of message.
    pub message: Option<CiString<50>>,
    /// Anything.
    pub data: Option<String>,
}

/// The answer to a DataTransfer.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferAnswer {
    /// CALLRESULT.
    Result {
        /// `DataTransferStatus` of OCPP 1.6.
        status: String,
        /// Anything.
        data: Option<String>,
    },
    /// CALLERROR.
    Error {
        /// Of OCPP-J.
        code: String,
        /// For people.
        description: String,
        /// Anything.
        details: Value,
    },
}

/// The DataTransfers that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Ids of the central system's CALLs, and until when customer software may answer.
    from_central: Vec<(String, Millis)>,
    to_central: Vec<Forwarded>,
    forwarded: u64,
}

/// A DataTransfer of customer software.
#[derive(Debug)]
struct Forwarded {
    number: u64,
    service: String,
    id: String,
}

impl ChargePoint {
    /// `DataTransfer` of the central system; `None` while its answer is awaited.
    pub(super) fn data_transfer(&mut self, call: &str, transfer: &DataTransfer) -> Option<Value> {
        let own = self.settings.identity.charge_point_vendor.as_str();
        let vendor = transfer.vendor.as_str();
        let ours = [own, RECLOSER_VENDOR].contains(&vendor);
        let message = transfer.message.as_ref().map(CiString::as_str);
        match message.filter(|_| ours) {
            Some("rcdRecloserGetState") => {
                return Some(recloser_status(self.recloser_state(&transfer.text())));
            }
            Some("rcdRecloserChangeState") => {
                return self.change_recloser(call, &transfer.text());
            }
            Some(_) | None => {}
        }
        let routes = &self.settings.transfers;
        let of_vendor = |route: &&TransferRoute| route.vendor == transfer.vendor;
        let route = routes
            .iter()
            .filter(of_vendor)
            .find(|route| route.message.is_none() || route.message == transfer.message);
        let Some(timeout) = route.map(|route| route.timeout_ms) else {
            let known = ours || routes.iter().any(|route| of_vendor(&route));
            return Some(status(if known {
                "UnknownMessageId"
            } else {
                "UnknownVendorId"
            }));
        };
        if self.transfers.from_central.len() >= MOST_PENDING {
            return Some(status("Rejected"));
        }
        let until = self.now.monotonic.after(timeout);
        self.transfers.from_central.push((call.to_owned(), until));
        self.outputs.push(Output::TransferRequest {
            id: call.to_owned(),
            transfer: Transfer {
                vendor: transfer.vendor.clone(),
                message: transfer.message.clone(),
                data: transfer.data.as_ref().and_then(text),
            },
        });
        None
    }

    /// Customer software has answered [`Output::TransferRequest`] `id`.
    pub(super) fn transfer_confirmed(&mut self, id: &str, answer: TransferAnswer) {
        let waiting = &mut self.transfers.from_central;
        let Some(place) = waiting.iter().position(|(call, _)| call == id) else {
            return self.note(format!(
                "confirm {id} ignored: no such DataTransfer is open"
            ));
        };
        waiting.remove(place);
        match answer {
            TransferAnswer::Result { status, data } if STATUSES.contains(&status.as_str()) => {
                let mut payload = json!({"status": status});
                if let Some(data) = data {
                    payload["data"] = data.into();
                }
                self.answer_call(id, payload);
            }
            TransferAnswer::Result { status: word, .. } => {
                self.warn(format!(
                    "confirm {id}: {word:?} is no status of DataTransfer"
                ));
                self.answer_call(id, status("Rejected"));
            }
            TransferAnswer::Error {
                code,
                description,
                details,
            } => {
                let error = CallError::new(ErrorCode::named(&code), description);
                // OCPP-J allows an object only.
                let details = details.as_object().cloned().unwrap_or_default();
                let text = frame::call_error_with_details(id, &error, details);
                self.outputs.push(Output::Send(text));
            }
        }
    }

    /// Customer software sends a DataTransfer to the central system.
    pub(super) fn transfer_requested(&mut self, service: String, id: String, transfer: Transfer) {
        let trouble = if !self.link.online() {
            Some("the central system is not connected")
        } else if self.transfers.to_central.len() >= MOST_PENDING || !self.link.has_room(1) {
            Some("too many messages wait for the central system")
        } else {
            None
        };
        if let Some(trouble) = trouble {
            let answer = failure(ErrorCode::GenericError, trouble);
            return self.outputs.push(Output::TransferConfirm {
                service,
                id,
                answer,
            });
        }
        self.transfers.forwarded += 1;
        let number = self.transfers.forwarded;
        self.transfers.to_central.push(Forwarded {
            number,
            service,
            id,
        });
        let message = notification::DataTransfer {
            vendor_id: transfer.vendor,
            message_id: transfer.message,
            data: transfer.data,
        };
        self.send_optional_message(Kind::Forwarded { number }, &message, false);
    }

    /// The central system's CALLRESULT, word for word.
    pub(super) fn forwarded_answered(&mut self, number: u64, payload: &Map<String, Value>) {
        let answer = match payload.get("status") {
            Some(Value::String(status)) => TransferAnswer::Result {
                status: status.clone(),
                data: payload.get("data").and_then(text),
            },
            _ => failure(
                ErrorCode::FormationViolation,
                "the central system's answer has no status",
            ),
        };
        self.confirm_forwarded(number, answer);
    }

    /// The central system's CALLERROR, word for word.
    pub(super) fn forwarded_refused(
        &mut self,
        number: u64,
        code: &str,
        description: &str,
        details: Value,
    ) {
        let answer = TransferAnswer::Error {
            code: code.to_owned(),
            description: description.to_owned(),
            details,
        };
        self.confirm_forwarded(number, answer);
    }

    pub(super) fn forwarded_unanswered(&mut self, number: u64) {
        let answer = failure(
            ErrorCode::GenericError,
            "the central system has not answered",
        );
        self.confirm_forwarded(number, answer);
    }

    pub(super) fn transfers_deadline(&self) -> Option<Millis> {
        let waiting = self.transfers.from_central.iter();
        waiting.map(|(_, until)| *until).min()
    }

    /// Answers for customer software that took too long.
    pub(super) fn answer_unconfirmed(&mut self) {
        let now = self.now.monotonic;
        let (overdue, waiting) = std::mem::take(&mut self.transfers.from_central)
            .into_iter()
            .partition(|(_, until)| *until <= now);
        self.transfers.from_central = waiting;
        let overdue: Vec<(String, Millis)> = overdue;
        for (call, _) in overdue {
            self.warn(format!("DataTransfer {call} was not confirmed in time"));
            self.answer_call(&call, status("Rejected"));
        }
    }

    /// The connection that asked is gone.
    pub(super) fn forget_transfers(&mut self) {
        self.transfers.from_central.clear();
    }

    fn confirm_forwarded(&mut self, number: u64, answer: TransferAnswer) {
        let waiting = &mut self.transfers.to_central;
        if let Some(place) = waiting.iter().position(|one| one.number == number) {
            let Forwarded { service, id, .. } = waiting.remove(place);
            self.outputs.push(Output::TransferConfirm {
                service,
                id,
                answer,
            });
        }
    }
}

/// Data is a text by the standard; of what else comes, its JSON.
fn text(data: &Value) -> Option<String> {
    match data {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Some(data.to_string())
        }
    }
}

fn failure(code: ErrorCode, description: &str) -> TransferAnswer {
    TransferAnswer::Error {
        code: code.name().to_owned(),
        description: description.to_owned(),
        details: json!({}),
    }
}
