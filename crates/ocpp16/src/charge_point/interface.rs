//! What goes into the charge point, and what comes out of it.

use std::sync::Arc;

use super::data_transfer::{Transfer, TransferAnswer, TransferRoute};
use super::deferred::{RecloserRefusal, RecloserState, UnlockStatus};
use super::signed_values::{Moment, SignedRequest};
use crate::fault::Fault;
use crate::firmware_update::{Boot, FirmwareOrder, Installer};
use crate::identifiers::CacheChange;
use crate::message::incoming::local_list::ListUpdate;
use crate::message::outgoing::{BootNotification, StopReason};
use crate::metering::Reading;
use crate::profile::DeciAmperes;
use crate::security::{
    Access, CertificateAnswer, CertificateOrder, Certificates, SecurityEvent, SecurityEventKind,
    SecuritySettings,
};
use crate::transaction::Change;
use crate::upload::{Upload, UploadFailure};
use crate::{CiString, Timestamp};

/// What is fixed while the process lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are.
    pub identity: BootNotification,
    /// Starts every message id; random for every process start, at most 16 characters, so that
    /// ids are unique over all connections of the station.
    pub message_id_prefix: String,
    /// Whether OCPP decides who may charge (`user_authentication` is `ocpp`). Otherwise there are
    /// no transactions, and permission is never published.
    pub authorises: bool,
    /// The least time between two StatusNotifications of a connector that nobody asked for, in ms.
    pub status_delay_ms: u64,
    /// Whether there is a socket with a lock, and not a fixed cable.
    pub pluggable: bool,
    /// Whether the vehicle's own address may start a session (Autocharge, guide 15.21).
    pub autocharge: bool,
    /// Whether there is a recloser for the residual current device.
    pub recloser: bool,
    /// DataTransfers of the central system that customer software answers.
    pub transfers: Vec<TransferRoute>,
    /// What the station can offer per phase when nothing limits it.
    pub hardware_limit: DeciAmperes,
    /// Which start of which system this is.
    pub boot: Boot,
    /// How long a user waits after the start for the first connection, in ms; then what holds
    /// offline holds (guide 3.4 table 14: 120 s).
    pub offline_after_ms: u64,
    /// What the security extension needs to know.
    pub security: SecuritySettings,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The WebSocket is open, and was opened in this way.
    SocketOpened(Access),
    /// The WebSocket is gone.
    SocketClosed,
    /// No WebSocket could be opened; where it is one, with the security event and its details.
    ConnectionFailed(Option<(SecurityEventKind, String)>),
    /// A text frame came.
    Frame(String),
    /// The levels of the station; all of them, each time.
    Station(Station),
    /// The meter was read.
    Reading(Reading),
    /// The meter was identified, for the next BootNotification.
    MeterIdentified {
        /// Its type.
        model: CiString<25>,
        /// Its serial number, where it tells one.
        serial: Option<CiString<25>>,
    },
    /// A user presented an identifier.
    IdTagPresented(String),
    /// The vehicle told its MAC address: the twelve hexadecimal digits.
    VehicleIdentified(String),
    /// What became of [`Output::StoreList`]; true when the update is durable.
    ListStored(bool),
    /// What became of [`Output::ClearCache`]; true when it is durable.
    CacheCleared(bool),
    /// The EVSE ended the session.
    StopRequested(StopReason),
    /// What became of [`Output::Unlock`].
    UnlockAnswered {
        /// Its text.
        request: String,
        /// How it went.
        outcome: UnlockStatus,
    },
    /// What became of [`Output::Recloser`]: the state that was read back, or why not.
    RecloserAnswered(Result<RecloserState, RecloserRefusal>),
    /// The meter's public key, empty where it can't be read; `None` when the meter doesn't sign.
    MeterPublicKey(Option<String>),
    /// What became of [`Output::Sign`].
    SignedAnswer {
        /// Which end of the transaction.
        moment: Moment,
        /// [`SignedRequest::reference`]
        reference: String,
        /// The signed record as text, or why there is none.
        result: Result<String, String>,
    },
    /// Customer software sends a DataTransfer to the central system.
    TransferRequested {
        /// Who asks.
        service: String,
        /// Its id of the request.
        id: String,
        /// The content.
        transfer: Transfer,
    },
    /// Customer software answers [`Output::TransferRequest`].
    TransferConfirmed {
        /// Its id.
        id: String,
        /// The answer.
        answer: TransferAnswer,
    },
    /// What became of [`Output::Configure`] or [`Output::Try`].
    Configured {
        /// Its request.
        request: String,
        /// Whether the value is durable.
        accepted: bool,
    },
    /// A key of customer.json has a new value.
    ConfigurationChanged {
        /// The key's name in OCPP.
        name: String,
        /// Its value as OCPP writes it.
        value: String,
    },
    /// The durable state could not be changed (or can be again: `None`).
    StoreFault(Option<Fault>),
    /// What the installer of firmware does; `None` when it is gone.
    Installer(Option<Installer>),
    /// All attempts of the installer have failed.
    InstallerGaveUp,
    /// Whether the file has the signature of [`FirmwareOrder`].
    FirmwareSignature(bool),
    /// What became of [`Output::Upload`] of this number.
    UploadEnded {
        /// [`Upload::number`]
        number: u64,
        /// How it went.
        outcome: Result<(), UploadFailure>,
    },
    /// What became of [`Output::Certificate`], and what is installed after it.
    Certificate(Box<CertificateAnswer>, Certificates),
    /// Nothing but time.
    Tick,
}

/// The levels of the station.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    /// The session as the EVSE sees it.
    pub session: EvseSession,
    /// Whether a vehicle is connected (control pilot B, C or D); `None` while unknown.
    pub ev_present: Option<bool>,
    /// The offered current per phase.
    pub offered: DeciAmperes,
    /// The least of what cable, EVSE and supply can carry per phase; `None` while unknown.
    pub physical: Option<DeciAmperes>,
    /// Phases in use; `None` while unknown, and while they are switched.
    pub phases: Option<u8>,
    /// The recloser's contacts; `None` when there is none, or it does not answer.
    pub recloser: Option<RecloserState>,
    /// What is wrong, in the order in which it came.
    pub faults: Vec<Fault>,
}

/// The session as the EVSE sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvseSession {
    /// Nobody there.
    Idle,
    /// Permission without a vehicle.
    Authorized,
    /// A vehicle that has not drawn energy yet.
    Connected,
    /// The vehicle does not want energy.
    SuspendedEv,
    /// The EVSE offers none.
    SuspendedEvse,
    /// Energy may flow.
    Charging,
    /// A fault prevents charging.
    Faulted,
    /// The EVSE is out of operation.
    Inoperative,
}

impl EvseSession {
    /// Whether a vehicle charges, or could go on at any time, whoever permitted it.
    pub(crate) const fn is_under_way(self) -> bool {
        match self {
            Self::Charging | Self::SuspendedEv | Self::SuspendedEvse => true,
            Self::Idle | Self::Authorized | Self::Connected | Self::Faulted | Self::Inoperative => {
                false
            }
        }
    }
}

/// Something to do. The order of outputs is binding: a [`Output::Store`] must be durable before
/// anything after it is done. That is what makes a crash at any instant harmless.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a text frame.
    Send(String),
    /// Make the changes durable, all or none.
    Store(Vec<Change>),
    /// Make an update of the local authorization list durable, all or none. Nothing waits for it
    /// but its answer, [`Input::ListStored`].
    StoreList(Arc<ListUpdate>),
    /// Make changes of the authorization cache durable some time.
    StoreCache(Vec<CacheChange>),
    /// Forget the durable authorization cache; the answer is [`Input::CacheCleared`].
    ClearCache,
    /// Publish whether charging is permitted.
    Permit(bool),
    /// Publish the current limit per phase; `None` is no limit.
    Limit(Option<DeciAmperes>),
    /// Publish whether the central system wants the EVSE operative.
    Operative(bool),
    /// Publish whether the connector waits for the user who reserved it.
    Reserved(bool),
    /// Tell the user whether the identifier was accepted.
    IdTagAnswer(bool),
    /// Unlock the plug; the answer carries the same text.
    Unlock(String),
    /// Open or close the recloser.
    Recloser(RecloserState),
    /// Ask the installer for an update.
    Install(Box<FirmwareOrder>),
    /// Upload logs, instead of what is being uploaded.
    Upload(Box<Upload>),
    /// Ask the meter for a signed record.
    Sign(SignedRequest),
    /// Pass a DataTransfer of the central system on to customer software.
    TransferRequest {
        /// The answer carries it too.
        id: String,
        /// The content.
        transfer: Transfer,
    },
    /// Pass the answer to [`Input::TransferRequested`] on.
    TransferConfirm {
        /// Who asked.
        service: String,
        /// With which id.
        id: String,
        /// The central system's answer, or why there is none.
        answer: TransferAnswer,
    },
    /// Keep a key: in customer.json where that has a place for it, else in the charge point's own
    /// file. What [`Output::Try`] has kept of it is forgotten.
    Configure {
        /// The answer carries it too.
        request: String,
        /// The key's name in OCPP.
        name: String,
        /// Its value as OCPP writes it.
        value: String,
    },
    /// Keep a value beside the one that holds, until [`Output::Configure`] decides; a restart
    /// hands both back.
    Try {
        /// The answer carries it too.
        request: String,
        /// The key's name in OCPP.
        name: String,
        /// Its value as OCPP writes it.
        value: String,
    },
    /// Connect in this way from now on: close the connection after what was sent, and open one.
    Connect(Access),
    /// Take care of a certificate.
    Certificate(Box<CertificateOrder>),
    /// Add an event to the security log.
    SecurityEvent(SecurityEvent),
    /// Set the system clock.
    SetClock(Timestamp),
    /// Close the WebSocket: the peer is silent.
    Disconnect,
    /// Restart the station; nothing comes after it.
    Reboot,
    /// Write a line to the log; true for what needs attention.
    Log(bool, String),
}
