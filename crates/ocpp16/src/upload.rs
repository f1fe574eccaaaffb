//! An upload of logs, as the shell carries it out.

use crate::{Location, Timestamp};

/// One attempt to upload logs; it takes the place of one under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// The answer carries the same number.
    pub number: u64,
    /// What to upload.
    pub log: UploadedLog,
    /// Where to; a folder when it has no file name.
    pub location: Location,
    /// The name that the central system was told.
    pub file_name: String,
    /// Nothing older.
    pub from: Option<Timestamp>,
    /// Nothing newer.
    pub to: Option<Timestamp>,
    /// Whether plain FTP is upgraded to TLS where the server offers it.
    pub upgrade_ftp: bool,
}

/// What to upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadedLog {
    /// The logs of the station and its configuration.
    Diagnostics,
    /// The log of security events.
    Security,
}

/// Why an upload failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadFailure {
    /// The server wants other credentials.
    PermissionDenied,
    /// The server does not do this at all.
    NotSupported,
    /// Anything else.
    Failed,
}
