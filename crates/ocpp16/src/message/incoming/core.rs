//! Profile Core.

use serde_json::Value;

use super::{Decoder, Request, smart_charging};
use crate::profile::Profile;
use crate::{CiString, IdToken};

/// A request of profile Core.
#[derive(Clone, Debug)]
pub(crate) enum Core {
    ChangeAvailability {
        connector: i64,
        operative: bool,
    },
    ChangeConfiguration {
        key: CiString<50>,
        value: CiString<500>,
    },
    ClearCache,
    DataTransfer(DataTransfer),
    GetConfiguration {
        keys: Vec<CiString<50>>,
    },
    RemoteStartTransaction {
        connector: Option<i64>,
        id_tag: IdToken,
        profile: Option<Profile>,
    },
    RemoteStopTransaction {
        transaction: i64,
    },
    Reset {
        hard: bool,
    },
    UnlockConnector {
        connector: i64,
    },
}

/// `DataTransfer.req`
#[derive(Clone, Debug)]
pub(crate) struct DataTransfer {
    pub vendor: CiString<255>,
    pub message: Option<CiString<50>>,
    /// A text by the standard; what a vendor's central system sends instead is for the vendor.
    pub data: Option<Value>,
}

impl DataTransfer {
    /// The data as text; a number counts for its text, and what is no text is none.
    pub(crate) fn text(&self) -> String {
        match &self.data {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                String::new()
            }
        }
    }
}

pub(super) const ACTIONS: [(&str, Decoder); 9] = [
    ("ChangeAvailability", |fields| {
        Ok(Request::Core(Core::ChangeAvailability {
            connector: fields.integer("connectorId")?,
            operative: fields.choice("type", &[("Operative", true), ("Inoperative", false)])?,
        }))
    }),
    ("ChangeConfiguration", |fields| {
        Ok(Request::Core(Core::ChangeConfiguration {
            key: fields.text("key")?,
            value: fields.text("value")?,
        }))
    }),
    ("ClearCache", |_| Ok(Request::Core(Core::ClearCache))),
    ("DataTransfer", |fields| {
        Ok(Request::Core(Core::DataTransfer(DataTransfer {
            vendor: fields.text("vendorId")?,
            message: fields.optional_text("messageId")?,
            data: fields.any("data").cloned(),
        })))
    }),
    ("GetConfiguration", |fields| {
        Ok(Request::Core(Core::GetConfiguration {
            keys: fields.texts("key")?,
        }))
    }),
    ("RemoteStartTransaction", |fields| {
        Ok(Request::Core(Core::RemoteStartTransaction {
            connector: fields.optional_integer("connectorId")?,
            id_tag: fields.text("idTag")?,
            profile: fields
                .optional_object("chargingProfile")?
                .map(|fields| smart_charging::profile(&fields))
                .transpose()?,
        }))
    }),
    ("RemoteStopTransaction", |fields| {
        Ok(Request::Core(Core::RemoteStopTransaction {
            transaction: fields.integer("transactionId")?,
        }))
    }),
    ("Reset", |fields| {
        Ok(Request::Core(Core::Reset {
            hard: fields.choice("type", &[("Hard", true), ("Soft", false)])?,
        }))
    }),
    ("UnlockConnector", |fields| {
        Ok(Request::Core(Core::UnlockConnector {
            connector: fields.integer("connectorId")?,
        }))
    }),
];
