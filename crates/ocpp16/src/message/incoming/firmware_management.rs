//! Profile FirmwareManagement.

use super::{Decoder, Request};
use crate::Timestamp;

/// The standard sets no limit for an address; this is what common servers take.
const LONGEST_LOCATION: usize = 2048;

/// A request of profile FirmwareManagement.
#[derive(Clone, Debug)]
pub(crate) enum FirmwareManagement {
    GetDiagnostics(Diagnostics),
    UpdateFirmware(FirmwareUpdate),
}

/// `GetDiagnostics.req`
#[derive(Clone, Debug)]
pub(crate) struct Diagnostics {
    /// Address of the folder to which the file is to be uploaded.
    pub location: String,
    pub retries: Option<u32>,
    /// Seconds.
    pub retry_interval: Option<u32>,
    pub start: Option<Timestamp>,
    pub stop: Option<Timestamp>,
}

/// `UpdateFirmware.req`
#[derive(Clone, Debug)]
pub(crate) struct FirmwareUpdate {
    /// Address of the file.
    pub location: String,
    pub retries: Option<u32>,
    /// Seconds.
    pub retry_interval: Option<u32>,
    /// Not to be downloaded earlier.
    pub retrieve: Timestamp,
}

pub(super) const ACTIONS: [(&str, Decoder); 2] = [
    ("GetDiagnostics", |fields| {
        let request = Diagnostics {
            location: fields.string("location", LONGEST_LOCATION)?,
            retries: fields.optional_count("retries")?,
            retry_interval: fields.optional_count("retryInterval")?,
            start: fields.optional_timestamp("startTime")?,
            stop: fields.optional_timestamp("stopTime")?,
        };
        Ok(Request::FirmwareManagement(
            FirmwareManagement::GetDiagnostics(request),
        ))
    }),
    ("UpdateFirmware", |fields| {
        let request = FirmwareUpdate {
            location: fields.string("location", LONGEST_LOCATION)?,
            retries: fields.optional_count("retries")?,
            retry_interval: fields.optional_count("retryInterval")?,
            retrieve: fields.timestamp("retrieveDate")?,
        };
        Ok(Request::FirmwareManagement(
            FirmwareManagement::UpdateFirmware(request),
        ))
    }),
];
