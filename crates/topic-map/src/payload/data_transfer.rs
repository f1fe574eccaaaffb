//! DataTransfer frames between customer software and the central system (guide 3.3.8).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An OCPP-J CALL of DataTransfer (guide 3.3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTransferCall {
    /// Id of the message, at most 36 characters.
    pub unique_id: String,
    /// What is transferred.
    pub request: DataTransferRequest,
}

/// The body of DataTransfer.req.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataTransferRequest {
    /// Vendor.
    pub vendor_id: String,
    /// Kind of message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Serialize for DataTransferCall {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (2, &self.unique_id, "DataTransfer", &self.request).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DataTransferCall {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, unique_id, action, request) =
            <(u8, String, String, DataTransferRequest)>::deserialize(deserializer)?;
        if kind != 2 || action != "DataTransfer" || !is_unique_id(&unique_id) {
            return Err(serde::de::Error::custom("not a CALL of DataTransfer"));
        }
        Ok(Self { unique_id, request })
    }
}

/// The answer to a [`DataTransferCall`].
#[derive(Clone, Debug, PartialEq)]
pub enum DataTransferAnswer {
    /// CALLRESULT.
    Result {
        /// Id of the call.
        unique_id: String,
        /// DataTransferStatus of OCPP 1.6, e.g. `Accepted`.
        status: String,
        /// Content.
        data: Option<String>,
    },
    /// CALLERROR.
    Error {
        /// Id of the call.
        unique_id: String,
        /// OCPP-J error code.
        code: String,
        /// Text for people.
        description: String,
        /// Anything.
        details: Value,
    },
}

#[derive(Serialize, Deserialize)]
struct DataTransferConfirmation {
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
}

impl Serialize for DataTransferAnswer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Result {
                unique_id,
                status,
                data,
            } => {
                let body = DataTransferConfirmation {
                    status: status.clone(),
                    data: data.clone(),
                };
                (3, unique_id, body).serialize(serializer)
            }
            Self::Error {
                unique_id,
                code,
                description,
                details,
            } => (4, unique_id, code, description, details).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DataTransferAnswer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Frame {
            Result(u8, String, DataTransferConfirmation),
            Error(u8, String, String, String, Value),
        }
        match Frame::deserialize(deserializer)? {
            Frame::Result(3, unique_id, DataTransferConfirmation { status, data })
                if is_unique_id(&unique_id) =>
            {
                Ok(Self::Result {
                    unique_id,
                    status,
                    data,
                })
            }
            Frame::Error(4, unique_id, code, description, details) if is_unique_id(&unique_id) => {
                Ok(Self::Error {
                    unique_id,
                    code,
                    description,
                    details,
                })
            }
            Frame::Result(..) | Frame::Error(..) => {
                Err(D::Error::custom("neither CALLRESULT nor CALLERROR"))
            }
        }
    }
}

fn is_unique_id(id: &str) -> bool {
    (1..=36).contains(&id.chars().count())
}
