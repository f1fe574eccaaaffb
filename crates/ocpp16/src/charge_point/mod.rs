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

mod access;
mod authorization;
mod calls;
mod certificates;
mod charging_profiles;
mod data_transfer;
mod deferred;
mod diagnostics;
mod firmware;
mod identifiers;
mod interface;
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
mod security_events;
mod session;
mod signed_values;
mod storing;
mod transaction_data;
mod transaction_messages;
mod trigger;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use access::{Settling, Trial};
use authorization::Asking;
use certificates::CertificateKeeping;
use data_transfer::Transfers;
pub use data_transfer::{Transfer, TransferAnswer, TransferRoute};
use deferred::Deferred;
pub use deferred::{RecloserRefusal, RecloserState, UnlockStatus};
use diagnostics::Uploads;
use firmware::Firmware;
use identifiers::Identifiers;
pub use interface::{EvseSession, Input, Output, Settings, Station};
use keys::Pending;
use link::Link;
use notices::Notices;
use reporting::Reporting;
use reservation::Reserving;
use security_events::SecurityEvents;
use session::Session;
use signed_values::Signing;
pub use signed_values::{Moment, SignedRequest};

use crate::configuration::{Configuration, Key};
use crate::fault::Fault;
use crate::metering::Reading;
use crate::profile::{DeciAmperes, Profiles};
use crate::time::Clock;
use crate::transaction::{Change, Interim, Queue, Stored, Transaction};
use crate::{CiString, Millis, Time, Timestamp};

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
    /// [`Transaction::number`] of the last one. It is not used again while anything of it may
    /// still be stored.
    last_number: u64,
    /// The last transaction that began in this process, and when.
    transaction_began: Option<(u64, Millis)>,
    signing: Signing,
    asking: Option<Asking>,
    identifiers: Identifiers,
    reserving: Reserving,
    deferred: Deferred,
    transfers: Transfers,
    /// Changes of the configuration that wait for the file.
    pending: Vec<Pending>,
    /// Those that may still be written, the newest first.
    refused: VecDeque<Pending>,
    /// Those of them that give way again, the newest first: request to the writer, and key.
    taking_back: VecDeque<(String, String)>,
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
    security_events: SecurityEvents,
    certificates: CertificateKeeping,
    trial: Option<Trial>,
    settling: Option<Settling>,
    /// Whether [`Output::Connect`] is due.
    connect_anew: bool,
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
        let numbers = stored.transactions.iter().map(|one| one.number);
        let interim_of = stored.interim.iter().map(|one| one.transaction);
        let last_number = numbers.chain(interim_of).max().unwrap_or(0);
        // What a failed deletion has left behind is on no other bill.
        let (interim, stale): (Vec<_>, Vec<_>) = stored.interim.into_iter().partition(|one| {
            let mut transactions = stored.transactions.iter();
            transactions.any(|its| its.number == one.transaction && !its.closed())
        });
        let deletions = stale.iter().map(|one| Change::DeleteInterim(one.place));
        let deletions: Vec<_> = deletions.collect();
        let outputs = (!deletions.is_empty()).then_some(Output::Store(deletions));
        let certificates = CertificateKeeping::new(settings.security.certificates);
        let tried = stored.tried.as_ref();
        let trial = tried.and_then(|(name, value)| configuration.check(name, value, None).ok());
        let trial = trial.map(Trial::new);
        Self {
            settings,
            configuration,
            clock: Clock::default(),
            now: Time::new(Millis(0), None),
            outputs: outputs.into_iter().collect(),
            next_message: 1,
            link: Link::default(),
            queue: Queue::new(stored.messages),
            transactions: stored
                .transactions
                .into_iter()
                .map(|one| (one.number, one))
                .collect(),
            session: Session::Idle { finishing: false },
            last_number,
            transaction_began: None,
            signing: Signing::default(),
            asking: None,
            identifiers: Identifiers::new(stored.identifiers),
            reserving: Reserving::new(stored.reservation),
            deferred: Deferred::default(),
            transfers: Transfers::default(),
            pending: Vec::new(),
            refused: VecDeque::new(),
            taking_back: VecDeque::new(),
            station: None,
            reading: None,
            interim,
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
            security_events: SecurityEvents::new(stored.security),
            certificates,
            trial,
            settling: None,
            connect_anew: false,
        }
    }

    /// Takes `input` at `now` and returns what to do, in order.
    #[must_use]
    pub fn handle(&mut self, now: Time, input: Input) -> Vec<Output> {
        self.now = now;
        match input {
            Input::SocketOpened(access) => self.socket_opened(&access),
            Input::SocketClosed => self.socket_closed(),
            Input::ConnectionFailed(reason) => self.connection_failed(reason),
            Input::Frame(text) => self.frame(&text),
            Input::Station(station) => self.station = Some(station),
            Input::Reading(reading) => self.take_reading(reading),
            Input::MeterIdentified { model, serial } => {
                self.settings.identity.meter_type = model.non_empty();
                self.settings.identity.meter_serial_number = serial.and_then(CiString::non_empty);
            }
            Input::IdTagPresented(text) => self.id_tag_presented(&text),
            Input::VehicleIdentified(mac) => self.vehicle_identified(&mac),
            Input::ListStored(durable) => self.list_stored(durable),
            Input::CacheCleared(durable) => self.cache_cleared(durable),
            Input::StopRequested(reason) => self.stop_requested(reason),
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
            Input::Certificate(answer, known) => self.certificate_answered(*answer, known),
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
            self.settling_deadline(),
            self.transfers_deadline(),
            self.reporting_deadline(),
            self.reservation_deadline(),
            self.limit_deadline(),
            self.firmware_deadline(),
            self.upload_deadline(),
            self.limit_watch_deadline(),
            self.security_events_deadline(),
            self.certificates_deadline(),
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
        self.settle_again();
        self.answer_unconfirmed();
        self.advance_asking();
        self.advance_session();
        self.apply_availability();
        self.advance_reservation();
        self.begin_undated_profiles();
        self.publish_levels();
        self.watch_limit();
        self.save_profiles_in_time();
        self.store_again();
        self.sample_meter();
        self.report_status();
        self.advance_firmware();
        self.advance_upload();
        self.tell_notices();
        self.answer_for_certificates();
        self.note_start();
        self.renew_certificate();
        self.tell_security_event();
        self.send_next();
        self.advance_access();
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
            .chain(self.list_conflict())
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
