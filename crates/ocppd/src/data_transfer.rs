//! DataTransfer between the central system and customer software (guide 3.3.8).

use std::collections::BTreeSet;

use daemon_kit::{Bus, Message};
use ocpp16::{CiString, ErrorCode, Input, Transfer, TransferAnswer, TransferRoute};
use serde_json::{Value, json};
use topic_map as topics;
use topics::{DataTransferAnswer, DataTransferCall, DataTransferRequest, ServiceId};

use crate::station::value;

/// Services that may be registered.
const MOST_SERVICES: usize = 32;
/// Answers a request whose own id can't be read.
const NO_ID: &str = "-1";
const LONGEST_ID: usize = 36;

/// The registered services of customer software.
#[derive(Debug, Default)]
pub(crate) struct Services {
    registered: BTreeSet<String>,
}

impl Services {
    pub(crate) fn subscribe(bus: &Bus) {
        bus.subscribe(&topics::OCPP_DATA_TRANSFER_FROM_CS_CONFIRM);
        bus.subscribe(&topics::OCPP_DATA_TRANSFER_TO_CS_SERVICE_ID);
        bus.subscribe_family(&topics::OCPP_DATA_TRANSFER_TO_CS_REQUEST);
    }

    /// What `message` means to the charge point; what can't be forwarded is answered at once.
    pub(crate) fn take(&mut self, bus: &Bus, message: &Message) -> Option<Input> {
        // A registration may be retained, so that it outlives a restart of this daemon.
        if let Some(service) = value(message, &topics::OCPP_DATA_TRANSFER_TO_CS_SERVICE_ID) {
            self.register(&service);
            return None;
        }
        if message.retained {
            return None;
        }
        if let Some(answer) = value(message, &topics::OCPP_DATA_TRANSFER_FROM_CS_CONFIRM) {
            let (id, answer) = read(answer);
            return Some(Input::TransferConfirmed { id, answer });
        }
        let (service, call) = message.in_family(&topics::OCPP_DATA_TRANSFER_TO_CS_REQUEST)?;
        let forwarded = call
            .map_err(|error| {
                let code = ErrorCode::FormationViolation;
                (id_of(&message.payload), code, error.to_string())
            })
            .and_then(|call| self.forward(service, call));
        match forwarded {
            Ok(input) => Some(input),
            Err((id, code, description)) => {
                tracing::warn!(service, "DataTransfer not forwarded: {description}");
                let answer = TransferAnswer::Error {
                    code: code.name().to_owned(),
                    description,
                    details: json!({}),
                };
                confirm(bus, service, id, answer);
                None
            }
        }
    }

    fn register(&mut self, service: &ServiceId) {
        let service = service.as_str();
        if self.registered.contains(service) {
            return;
        }
        if self.registered.len() >= MOST_SERVICES {
            tracing::warn!(service, "not registered: {MOST_SERVICES} services are");
            return;
        }
        tracing::info!(service, "registered for DataTransfer");
        self.registered.insert(service.to_owned());
    }

    fn forward(
        &self,
        service: &str,
        call: DataTransferCall,
    ) -> Result<Input, (String, ErrorCode, String)> {
        let DataTransferCall {
            unique_id: id,
            request,
        } = call;
        let refused = |code, why: &dyn std::fmt::Display| (id.clone(), code, why.to_string());
        if !self.registered.contains(service) {
            return Err(refused(
                ErrorCode::GenericError,
                &"register the service first",
            ));
        }
        let too_long =
            |error: ocpp16::TooLong| refused(ErrorCode::PropertyConstraintViolation, &error);
        let vendor = CiString::new(&request.vendor_id).map_err(too_long)?;
        let message = request.message_id.as_deref().map(CiString::new);
        let message = message.transpose().map_err(too_long)?;
        Ok(Input::TransferRequested {
            service: service.to_owned(),
            id: id.clone(),
            transfer: Transfer {
                vendor,
                message,
                data: request.data,
            },
        })
    }
}

/// Which DataTransfers of the central system customer software answers.
pub(crate) fn routes(configured: &[customer_config::CsDataTransfer]) -> Vec<TransferRoute> {
    configured
        .iter()
        .map(|one| TransferRoute {
            vendor: CiString::truncated(&one.vendor_id),
            message: one.message_id.as_deref().map(CiString::truncated),
            timeout_ms: u64::from(one.confirm_timeout) * 1000,
        })
        .collect()
}

/// Passes a DataTransfer of the central system on.
pub(crate) fn request(bus: &Bus, id: String, transfer: Transfer) {
    let call = DataTransferCall {
        unique_id: id,
        request: DataTransferRequest {
            vendor_id: transfer.vendor.as_str().to_owned(),
            message_id: transfer.message.map(|message| message.as_str().to_owned()),
            data: transfer.data,
        },
    };
    bus.publish(&topics::OCPP_DATA_TRANSFER_FROM_CS_REQUEST, &call);
}

/// Passes the answer of the central system, or why there is none, to `service`.
pub(crate) fn confirm(bus: &Bus, service: &str, id: String, answer: TransferAnswer) {
    let answer = match answer {
        TransferAnswer::Result { status, data } => DataTransferAnswer::Result {
            unique_id: id,
            status,
            data,
        },
        TransferAnswer::Error {
            code,
            description,
            details,
        } => DataTransferAnswer::Error {
            unique_id: id,
            code,
            description,
            details,
        },
    };
    bus.publish_member(&topics::OCPP_DATA_TRANSFER_TO_CS_CONFIRM, service, &answer);
}

fn read(answer: DataTransferAnswer) -> (String, TransferAnswer) {
    match answer {
        DataTransferAnswer::Result {
            unique_id,
            status,
            data,
        } => (unique_id, TransferAnswer::Result { status, data }),
        DataTransferAnswer::Error {
            unique_id,
            code,
            description,
            details,
        } => {
            let error = TransferAnswer::Error {
                code,
                description,
                details,
            };
            (unique_id, error)
        }
    }
}

/// The id of a request that is otherwise unreadable.
fn id_of(payload: &[u8]) -> String {
    let request: Value = serde_json::from_slice(payload).unwrap_or_default();
    let id = request.get(1).and_then(Value::as_str);
    id.filter(|id| (1..=LONGEST_ID).contains(&id.chars().count()))
        .unwrap_or(NO_ID)
        .to_owned()
}
