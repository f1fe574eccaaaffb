//! Profile RemoteTrigger.

use super::{Decoder, Request};
use crate::CallError;
use crate::CiString;
use crate::decode::Fields;

/// A request of profile RemoteTrigger, or its extension by the security white paper.
#[derive(Clone, Debug)]
pub(crate) enum RemoteTrigger {
    /// `None` for a message that is not known.
    TriggerMessage {
        message: Option<Trigger>,
        connector: Option<i64>,
    },
    /// The same, with the messages of the security extension.
    ExtendedTriggerMessage {
        message: Option<Trigger>,
        connector: Option<i64>,
    },
}

/// A message that the central system can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    BootNotification,
    DiagnosticsStatusNotification,
    FirmwareStatusNotification,
    Heartbeat,
    LogStatusNotification,
    MeterValues,
    SignChargePointCertificate,
    StatusNotification,
}

pub(super) const ACTIONS: [(&str, Decoder); 1] = [("TriggerMessage", |fields| {
    Ok(Request::RemoteTrigger(RemoteTrigger::TriggerMessage {
        message: trigger(fields, &PLAIN)?,
        connector: fields.optional_integer("connectorId")?,
    }))
})];

pub(super) const EXTENDED_ACTIONS: [(&str, Decoder); 1] = [("ExtendedTriggerMessage", |fields| {
    Ok(Request::RemoteTrigger(
        RemoteTrigger::ExtendedTriggerMessage {
            message: trigger(fields, &EXTENDED)?,
            connector: fields.optional_integer("connectorId")?,
        },
    ))
})];

/// `MessageTrigger` of OCPP 1.6.
const PLAIN: [(&str, Trigger); 6] = [
    ("BootNotification", Trigger::BootNotification),
    (
        "DiagnosticsStatusNotification",
        Trigger::DiagnosticsStatusNotification,
    ),
    (
        "FirmwareStatusNotification",
        Trigger::FirmwareStatusNotification,
    ),
    ("Heartbeat", Trigger::Heartbeat),
    ("MeterValues", Trigger::MeterValues),
    ("StatusNotification", Trigger::StatusNotification),
];

/// `MessageTriggerEnumType` of the security white paper.
const EXTENDED: [(&str, Trigger); 7] = [
    ("BootNotification", Trigger::BootNotification),
    (
        "FirmwareStatusNotification",
        Trigger::FirmwareStatusNotification,
    ),
    ("Heartbeat", Trigger::Heartbeat),
    ("LogStatusNotification", Trigger::LogStatusNotification),
    ("MeterValues", Trigger::MeterValues),
    (
        "SignChargePointCertificate",
        Trigger::SignChargePointCertificate,
    ),
    ("StatusNotification", Trigger::StatusNotification),
];

/// An unknown message is no error: it is answered with `NotImplemented`.
fn trigger(fields: &Fields<'_>, known: &[(&str, Trigger)]) -> Result<Option<Trigger>, CallError> {
    let name: CiString<50> = fields.text("requestedMessage")?;
    let found = known
        .iter()
        .find(|(spelling, _)| *spelling == name.as_str());
    Ok(found.map(|(_, trigger)| *trigger))
}
