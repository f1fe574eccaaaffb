//! The charge point: one state, changed by [`ChargePoint::handle`], which returns what to do.
//!
//! ```text
//!   frames ──▶ link ──▶ calls ──────┐            ┌──▶ frames        (link)
//!   levels ─────────────────────────┼─▶ session ─┼──▶ durable state (Output::Store)
//!   tags, stop requests ────────────┘            ├──▶ permission, limit, availability
//!   time ──────────▶ deadlines                   └──▶ status, meter values (reporting)
//! ```
//!
//! Every input ends in the same pass over all deadlines and levels ([`ChargePoint::advance`]):
//! what is published follows from the state, not from the path that led to it.

mod authorization;
mod calls;
mod charging_profiles;
mod data_transfer;
mod deferred;
mod diagnostics;
mod firmware;
mod keys;
mod levels;
mod link;
mod local_list;
mod notices;
mod registration;
mod reporting;
mod reservation;
mod reset;
mod security;
mod session;
mod signed_values;
mod storing;
mod transaction_data;
mod transaction_messages;
mod trigger;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use authorization::Asking;
use data_transfer::Transfers;
pub use data_transfer::{Transfer, TransferAnswer, TransferRoute};
use deferred::Deferred;
pub use deferred::{RecloserRefusal, RecloserState, UnlockStatus};
use diagnostics::Uploads;
use firmware::Firmware;
use keys::Pending;
use link::Link;
use notices::Notices;
use reporting::Reporting;
use session::Session;
use signed_values::Signing;
pub use signed_values::{Moment, SignedRequest};

use crate::configuration::{Configuration, Key};
use crate::fault::Fault;
use crate::firmware_update::{Boot, FirmwareOrder, Installer};
use crate::message::outgoing::{BootNotification, StopReason};
use crate::metering::Reading;
use crate::profile::{DeciAmperes, Profiles};
use crate::time::Clock;
use crate::transaction::{Change, Interim, Queue, Stored, Transaction};
use crate::upload::{Upload, UploadFailure};
use crate::{CiString, Millis, Time, Timestamp};

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
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The WebSocket is open.
    SocketOpened,
    /// The WebSocket is gone.
    SocketClosed,
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
    /// What became of [`Output::Configure`].
    Configured {
        /// Its request.
        request: String,
        /// Whether the value is in the file.
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

/// Something to do. The order of outputs is binding: a [`Output::Store`] must be durable before
/// anything after it is done. That is what makes a crash at any instant harmless.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a text frame.
    Send(String),
    /// Make the changes durable, all or none.
    Store(Vec<Change>),
    /// Publish whether charging is permitted.
    Permit(bool),
    /// Publish the current limit per phase; `None` is no limit.
    Limit(Option<DeciAmperes>),
    /// Publish whether the central system wants the EVSE operative.
    Operative(bool),
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
    /// Have a key of customer.json written.
    Configure {
        /// The answer carries it too.
        request: String,
        /// The key's name in OCPP.
        name: String,
        /// Its value as OCPP writes it.
        value: String,
    },
    /// Set the system clock.
    SetClock(Timestamp),
    /// Close the WebSocket: the peer is silent.
    Disconnect,
    /// Restart the station; nothing comes after it.
    Reboot,
    /// Write a line to the log; true for what needs attention.
    Log(bool, String),
}

/// An OCPP 1.6J charge point with one connector.
#[derive(Debug)]
pub struct ChargePoint {
    settings: Settings,
    configuration: Configuration,
    clock: Clock,
    now: Time,
    outputs: Vec<Output>,
    next_message: u64,
    link: Link,
    queue: Queue,
    transactions: BTreeMap<u64, Transaction>,
    session: Session,
    /// The last transaction that began in this process, and when.
    transaction_began: Option<(u64, Millis)>,
    signing: Signing,
    asking: Option<Asking>,
    deferred: Deferred,
    transfers: Transfers,
    /// Changes of the configuration that wait for the file.
    pending: Vec<Pending>,
    station: Option<Station>,
    reading: Option<(Millis, Reading)>,
    /// Values for the StopTransaction of the transaction that is not finished.
    interim: Vec<Interim>,
    /// Whether this process has ever been online.
    was_online: bool,
    store_fault: Option<Fault>,
    /// When the whole state is put out again, while it can't be stored.
    store_again_at: Option<Millis>,
    profiles: Profiles,
    /// Since when the EVSE offers more than the limit.
    limit_exceeded_since: Option<Millis>,
    save_profiles_at: Option<Millis>,
    availability: Availability,
    reset_by: Option<Millis>,
    registered: bool,
    reporting: Reporting,
    published: Published,
    firmware: Firmware,
    uploads: Uploads,
    notices: Notices,
}

/// `ChangeAvailability`: what is wanted, and what is in effect until the EV leaves.
#[derive(Debug)]
struct Availability {
    /// Connector 0, connector 1.
    wanted: [bool; 2],
    in_effect: [bool; 2],
}

/// The levels last put out.
#[derive(Debug, Default)]
struct Published {
    permit: Option<bool>,
    limit: Option<Option<DeciAmperes>>,
    operative: Option<bool>,
}

/// Ended transactions that may wait for delivery (guide 3.3.2).
const MOST_TRANSACTIONS: usize = 336;

/// From receipt of a charging profile until it is saved, so that a central system that sends one
/// every few seconds does not wear out the flash (guide 3.4 table 14).
const SAVE_PROFILES_AFTER_S: u64 = 60;

impl ChargePoint {
    /// Starts from the durable state.
    pub fn new(settings: Settings, configuration: Configuration, stored: Stored) -> Self {
        let operative = [stored.station_operative, stored.connector_operative];
        let mut profiles = Profiles::new(stored.profiles);
        if stored.transactions.iter().all(|one| one.end.is_some()) {
            profiles.clear_transaction();
        }
        Self {
            settings,
            configuration,
            clock: Clock::default(),
            now: Time::new(Millis(0), None),
            outputs: Vec::new(),
            next_message: 1,
            link: Link::default(),
            queue: Queue::new(stored.messages),
            transactions: stored
                .transactions
                .into_iter()
                .map(|one| (one.number, one))
                .collect(),
            session: Session::Idle { finishing: false },
            transaction_began: None,
            signing: Signing::default(),
            asking: None,
            deferred: Deferred::default(),
            transfers: Transfers::default(),
            pending: Vec::new(),
            station: None,
            reading: None,
            interim: stored.interim,
            was_online: false,
            store_fault: None,
            store_again_at: None,
            profiles,
            limit_exceeded_since: None,
            save_profiles_at: None,
            availability: Availability {
                wanted: operative,
                in_effect: operative,
            },
            reset_by: None,
            registered: stored.registered,
            reporting: Reporting::default(),
            published: Published::default(),
            firmware: Firmware::new(stored.firmware),
            uploads: Uploads::default(),
            notices: Notices::default(),
        }
    }

    /// Takes `input` at `now` and returns what to do, in order.
    #[must_use]
    pub fn handle(&mut self, now: Time, input: Input) -> Vec<Output> {
        self.now = now;
        match input {
            Input::SocketOpened => self.socket_opened(),
            Input::SocketClosed => self.socket_closed(),
            Input::Frame(text) => self.frame(&text),
            Input::Station(station) => self.station = Some(station),
            Input::Reading(reading) => self.take_reading(reading),
            Input::MeterIdentified { model, serial } => {
                self.settings.identity.meter_type = model.non_empty();
                self.settings.identity.meter_serial_number = serial.and_then(CiString::non_empty);
            }
            Input::IdTagPresented(text) => self.id_tag_presented(&text),
            Input::StopRequested(reason) => self.end_transaction(reason, None),
            Input::UnlockAnswered { request, outcome } => self.unlock_answered(&request, outcome),
            Input::RecloserAnswered(answer) => self.recloser_answered(answer),
            Input::MeterPublicKey(key) => self.meter_key_known(key),
            Input::SignedAnswer {
                moment,
                reference,
                result,
            } => self.signed_answered(moment, &reference, result),
            Input::TransferRequested {
                service,
                id,
                transfer,
            } => self.transfer_requested(service, id, transfer),
            Input::TransferConfirmed { id, answer } => self.transfer_confirmed(&id, answer),
            Input::Configured { request, accepted } => self.configured(&request, accepted),
            Input::ConfigurationChanged { name, value } => {
                self.configuration_changed(&name, &value);
            }
            Input::StoreFault(fault) => self.take_store_fault(fault),
            Input::Installer(state) => self.installer_changed(state),
            Input::InstallerGaveUp => self.installer_gave_up(),
            Input::FirmwareSignature(valid) => self.signature_checked(valid),
            Input::UploadEnded { number, outcome } => self.upload_ended(number, outcome),
            Input::Tick => {}
        }
        self.advance();
        std::mem::take(&mut self.outputs)
    }

    /// When [`Input::Tick`] is due at the latest.
    pub fn deadline(&self) -> Option<Millis> {
        [
            self.link_deadline(),
            self.asking_deadline(),
            self.session_deadline(),
            self.signing_deadline(),
            self.deferred_deadline(),
            self.keys_deadline(),
            self.transfers_deadline(),
            self.reporting_deadline(),
            self.limit_deadline(),
            self.firmware_deadline(),
            self.upload_deadline(),
            self.limit_watch_deadline(),
            self.save_profiles_at,
            self.store_again_at,
            self.reset_by,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// `WebSocketPingInterval` (0 is off) and `webSocketPingTimeout` in seconds.
    pub fn ping(&self) -> (u64, u64) {
        (
            self.configuration.number(Key::WebSocketPingInterval),
            self.configuration.number(Key::WebSocketPingTimeout),
        )
    }

    /// The time on which timestamps are based; `None` while there is no valid one.
    pub fn wall(&self) -> Option<Timestamp> {
        self.clock.wall(self.now)
    }

    /// Brings everything up to `now`.
    fn advance(&mut self) {
        self.give_up_waiting();
        self.answer_overdue();
        self.advance_signing();
        self.refuse_unwritten();
        self.answer_unconfirmed();
        self.advance_asking();
        self.advance_session();
        self.apply_availability();
        self.begin_undated_profiles();
        self.publish_levels();
        self.watch_limit();
        self.save_profiles();
        self.store_again();
        self.sample_meter();
        self.report_status();
        self.advance_firmware();
        self.advance_upload();
        self.tell_notices();
        self.send_next();
        self.advance_reset();
    }

    fn busy(&self) -> bool {
        self.ev_present() == Some(true) || !matches!(self.session, Session::Idle { .. })
    }

    fn ev_present(&self) -> Option<bool> {
        self.station.as_ref().and_then(|station| station.ev_present)
    }

    fn faults(&self) -> impl Iterator<Item = Fault> {
        let station = self
            .station
            .iter()
            .flat_map(|station| station.faults.iter().copied());
        let waiting = self
            .transactions
            .values()
            .filter(|one| one.end.is_some())
            .count();
        let full = (waiting >= MOST_TRANSACTIONS).then_some(Fault::PersistenceTooManyTransactions);
        station
            .chain(self.store_fault)
            .chain(full)
            .chain(self.limit_fault())
    }

    /// The wall time, never before the start of the transaction: a clock may be put back. Without
    /// a valid one it is the time since start counted from 1970, never before what the transaction
    /// has already seen, which may have begun in another process.
    fn timestamp(&self) -> Timestamp {
        let running = self.transaction();
        match self.wall() {
            Some(wall) => running.map_or(wall, |running| running.started.max(wall)),
            None => {
                let uptime = i64::try_from(self.now.monotonic.0).unwrap_or(i64::MAX);
                let uptime = Timestamp::from_unix_millis(uptime);
                running.map_or(uptime, |running| running.last_seen.max(uptime))
            }
        }
    }

    fn message_id(&mut self) -> String {
        let id = format!(
            "{}-{:x}",
            self.settings.message_id_prefix, self.next_message
        );
        self.next_message += 1;
        id
    }

    fn note(&mut self, text: impl Into<String>) {
        self.outputs.push(Output::Log(false, text.into()));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.outputs.push(Output::Log(true, text.into()));
    }
}
