//! A pure OCPP 1.6J charge point: messages, call matching, queue, authorisation, smart charging
//! and configuration keys.
//!
//! It does no I/O, reads no clock and keeps no files. A shell feeds [`ChargePoint::handle`] with
//! what happened and when, and carries out the returned [`Output`]s in order.

mod charge_point;
mod ci_string;
mod configuration;
mod decode;
mod fault;
mod feature;
mod firmware_update;
mod frame;
mod identifiers;
mod location;
mod message;
mod metering;
mod oca;
mod profile;
mod reference;
mod reservation;
mod security;
mod time;
mod transaction;
mod upload;

pub use charge_point::{
    ChargePoint, EvseSession, Input, Moment, Output, RecloserRefusal, RecloserState, Settings,
    SignedRequest, Station, Transfer, TransferAnswer, TransferRoute, UnlockStatus,
};
pub use ci_string::{CiString, IdToken, TooLong};
pub use configuration::{ChangeError, Configuration, Key};
pub use fault::Fault;
pub use firmware_update::{
    Boot, FirmwareOrder, FirmwareOutcome, FirmwareSignature, FirmwareUpdate, Installer, Phase,
};
pub use frame::{CallError, ErrorCode, Frame, FrameError};
pub use identifiers::{CacheChange, StoredIdentifiers};
pub use location::{Location, LocationError, Scheme, hide_credentials};
pub use message::answer::{AuthorizationStatus, IdTagInfo};
pub use message::incoming::local_list::{ListUpdate, LocalEntry};
pub use message::outgoing::{
    BootNotification, MeterValue, MeterValues, ReadingContext, SampledValue, StartTransaction,
    Status, StatusErrorCode, StatusNotification, StopReason, StopTransaction, ValueFormat,
};
pub use metering::Reading;
pub use profile::{
    DeciAmperes, InstalledProfile, Kind, Period, Profile, Purpose, Recurrency, Schedule,
};
pub use reference::reference_page;
pub use reservation::Reservation;
pub use security::{
    Access, CertificateAnswer, CertificateHash, CertificateOrder, CertificateUse, Certificates,
    HashAlgorithm, InstallRefusal, MAX_CERTIFICATES, Removal, SecurityEvent, SecurityEventKind,
    SecuritySettings, SecurityState,
};
pub use time::{Millis, Time, Timestamp};
pub use transaction::{
    Body, Change, End, Interim, QueuedMessage, SignedForm, SignedValues, Stored, Transaction,
};
pub use upload::{Upload, UploadFailure, UploadedLog};
