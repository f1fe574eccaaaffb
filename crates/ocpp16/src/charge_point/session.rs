//! Who may charge, and the transaction that records it.
//!
//! ```text
//!            tag accepted, remote start          EV and meter there
//!   Idle ─────────────────────────────▶ Granted ────────────────────▶ Active
//!    ▲  ◀───── ConnectionTimeOut ───────┘                               │ EV leaves, stop
//!    │                                                                  ▼
//!    └──────────────── closing reading, StopTransaction queued ─────── Ending
//! ```
//!
//! A restarted process may find an open transaction in its store. Where the EVSE still runs the
//! session, the transaction goes on; otherwise it is closed before anything else:
//!
//! ```text
//!            open transaction        EVSE runs the session
//!   Idle ─────────────────▶ Interrupted ───────────────▶ Active
//!                               │ it does not, or nothing was heard of it
//!                               ▼
//!                             Ending, with reason `PowerLoss`
//! ```

use super::{ChargePoint, EvseSession};
use crate::configuration::Key;
use crate::fault::Fault;
use crate::message::outgoing::{ReadingContext, StartTransaction, StopReason, StopTransaction};
use crate::metering::Reading;
use crate::transaction::{Body, Change, End, Transaction};
use crate::{IdToken, Millis};

/// From the end of a session until its closing reading is taken as it is: the contactor opens
/// and the meter is read in less.
const SETTLE_MS: u64 = 3_000;
/// How long a restarted process waits for its EVSE to tell whether the session still runs: evsed
/// restarts within that time when it was gone too.
const FIRST_STATE_S: u64 = 10;
/// How long a restarted station waits for the first reading before it closes an interrupted
/// transaction with the saved one.
const FIRST_READING_S: u64 = 10;
/// The same where the meter is known not to answer.
const FIRST_READING_WITHOUT_METER_S: u64 = 60;

#[derive(Debug)]
pub(super) enum Session {
    /// Nobody may charge. `finishing`: the EV of the last transaction is still there.
    Idle { finishing: bool },
    /// A user may charge as soon as an EV is there.
    Granted {
        id_tag: IdToken,
        parent: Option<IdToken>,
        until: Option<Millis>,
    },
    /// The last process left an open transaction; until `until` the EVSE may tell that its session
    /// goes on.
    Interrupted { number: u64, until: Millis },
    /// A transaction runs.
    Active { number: u64 },
    /// The transaction waits for its closing reading, at the latest until `until`.
    Ending {
        number: u64,
        since: Millis,
        until: Millis,
        interrupted: bool,
        /// The EV was gone meanwhile: one that is there now is a new one.
        ev_left: bool,
    },
}

impl ChargePoint {
    /// Whether charging is permitted; `None` leaves the permission of the last process as it is.
    pub(super) fn permit(&self) -> Option<bool> {
        match self.session {
            // Without a reading there would be energy before there is a transaction.
            Session::Granted { .. } => Some(self.metered().is_some()),
            Session::Interrupted { .. } => None,
            Session::Active { .. } => {
                let interrupted = self.store_fault.is_some_and(Fault::interrupts);
                Some(!self.energy_withheld() && !interrupted)
            }
            Session::Idle { .. } | Session::Ending { .. } => Some(false),
        }
    }

    /// Whether the central system did not accept the user of the transaction, which has had
    /// `MaxEnergyOnInvalidId` since its start, and only waits for the EV to leave.
    pub(super) fn energy_withheld(&self) -> bool {
        let most = self.configuration.number(Key::MaxEnergyOnInvalidId);
        self.transaction().is_some_and(|running| {
            let used = running.meter_last.saturating_sub(running.meter_start);
            let used_up = u64::try_from(used).is_ok_and(|used| used >= most);
            running.refused && (used_up || self.meter_silent())
        })
    }

    pub(super) fn session_deadline(&self) -> Option<Millis> {
        match self.session {
            Session::Granted { until, .. } => until,
            Session::Interrupted { until, .. } | Session::Ending { until, .. } => Some(until),
            Session::Idle { .. } | Session::Active { .. } => None,
        }
    }

    /// The transaction that runs, was interrupted, or is ending.
    pub(super) fn transaction(&self) -> Option<&Transaction> {
        match self.session {
            Session::Interrupted { number, .. }
            | Session::Active { number }
            | Session::Ending { number, .. } => self.transactions.get(&number),
            Session::Idle { .. } | Session::Granted { .. } => None,
        }
    }

    pub(super) fn advance_session(&mut self) {
        // Each round leaves the state it found; the longest way is Idle to Idle through all.
        for _ in 0..8 {
            let moved = match self.session {
                Session::Idle { finishing } => self.advance_idle(finishing),
                Session::Granted { until, .. } => self.advance_granted(until),
                Session::Interrupted { number, until } => self.advance_interrupted(number, until),
                Session::Active { .. } => self.advance_active(),
                Session::Ending {
                    number,
                    since,
                    until,
                    interrupted,
                    ..
                } => self.advance_ending(number, since, until, interrupted),
            };
            if !moved {
                return;
            }
        }
    }

    fn advance_idle(&mut self, finishing: bool) -> bool {
        let unfinished = self.transactions.values().find(|one| !one.closed());
        if let Some(transaction) = unfinished {
            let (number, open) = (transaction.number, transaction.end.is_none());
            let last = self.transactions.keys().next_back() == Some(&number);
            if open && last && self.settings.authorises {
                let until = self.now.monotonic.after_seconds(FIRST_STATE_S);
                self.session = Session::Interrupted { number, until };
            } else {
                self.end_interrupted(number);
            }
            return true;
        }
        if finishing && self.ev_present() == Some(false) {
            self.session = Session::Idle { finishing: false };
        }
        false
    }

    fn advance_granted(&mut self, until: Option<Millis>) -> bool {
        if self.ev_present() == Some(true)
            && let Some(energy) = self.metered()
            && let Session::Granted { id_tag, parent, .. } = &self.session
        {
            let (id_tag, parent) = (id_tag.clone(), parent.clone());
            self.begin(id_tag, parent, energy);
            return true;
        }
        if until.is_some_and(|until| until <= self.now.monotonic) {
            self.note(
                "ConnectionTimeOut: no EV, or no meter reading, came; the authorization lapses",
            );
            self.clear_transaction_profiles();
            self.session = Session::Idle { finishing: false };
            return true;
        }
        false
    }

    /// A session that runs can only stem from the permission for this transaction: the EVSE uses
    /// a permission up when the EV leaves, and nobody else gives one.
    fn advance_interrupted(&mut self, number: u64, until: Millis) -> bool {
        if self.emergency() {
            self.end_transaction(StopReason::EmergencyStop, None);
            return true;
        }
        let session = self.station.as_ref().map(|station| station.session);
        // The EVSE may be starting as well: its fault says nothing yet.
        let known = session.filter(|session| *session != EvseSession::Faulted);
        let goes_on = known.map(EvseSession::is_under_way);
        match goes_on {
            Some(true) => self.resume(number),
            Some(false) => self.end_interrupted(number),
            None if until <= self.now.monotonic => self.end_interrupted(number),
            None => return false,
        }
        true
    }

    fn advance_active(&mut self) -> bool {
        if self.emergency() {
            self.end_transaction(StopReason::EmergencyStop, None);
            return true;
        }
        if self.ev_present() == Some(false) {
            self.end_transaction(StopReason::EVDisconnected, None);
            return true;
        }
        false
    }

    fn advance_ending(
        &mut self,
        number: u64,
        since: Millis,
        until: Millis,
        interrupted: bool,
    ) -> bool {
        if self.ev_present() == Some(false)
            && let Session::Ending { ev_left, .. } = &mut self.session
        {
            *ev_left = true;
        }
        let overdue = self.now.monotonic >= until;
        let fresh = self
            .reading
            .as_ref()
            .is_some_and(|(at, _)| *at > since || interrupted);
        let energised = self
            .station
            .as_ref()
            .is_some_and(|station| station.session == EvseSession::Charging);
        // A silent meter delays the end until it answers (guide 3.3.4.7), but not after a restart,
        // when a saved reading is at hand.
        let asked = self.signed_end_asked();
        if overdue && !interrupted && !asked && self.meter_silent() {
            let later = self.now.monotonic.after(SETTLE_MS);
            if let Session::Ending { until, .. } = &mut self.session {
                *until = later;
            }
            return false;
        }
        let settled = overdue || (fresh && (interrupted || !energised));
        if !settled && !asked {
            return false;
        }
        if let Some(later) = self.signed_end_awaited() {
            if let Session::Ending { until, .. } = &mut self.session {
                *until = later;
            }
            return false;
        }
        self.queue_stop(number);
        true
    }

    /// Ends the running transaction, or the permission for one that has not begun.
    pub(super) fn end_transaction(&mut self, reason: StopReason, id_tag: Option<IdToken>) {
        match self.session {
            Session::Active { number } | Session::Interrupted { number, .. } => {
                let end = End {
                    reason,
                    at: self.timestamp(),
                    id_tag,
                    queued: false,
                };
                if let Some(transaction) = self.transactions.get_mut(&number) {
                    transaction.end = Some(end);
                    let change = Change::PutTransaction(transaction.clone());
                    self.store(vec![change]);
                }
                let since = self.now.monotonic;
                let until = since.after(if reason == StopReason::HardReset {
                    0
                } else {
                    SETTLE_MS
                });
                self.session = Session::Ending {
                    number,
                    since,
                    until,
                    interrupted: false,
                    ev_left: false,
                };
            }
            Session::Granted { .. } => {
                self.clear_transaction_profiles();
                self.session = Session::Idle { finishing: false };
            }
            Session::Idle { .. } | Session::Ending { .. } => {}
        }
    }

    pub(super) fn take_reading(&mut self, reading: Reading) {
        self.reading = Some((self.now.monotonic, reading));
        let Session::Active { number } = self.session else {
            return;
        };
        let (Some(energy), at) = (self.energy(), self.timestamp()) else {
            return;
        };
        if let Some(transaction) = self.transactions.get_mut(&number) {
            transaction.meter_last = transaction.meter_last.max(energy);
            transaction.last_seen = at;
        }
    }

    /// The register of the last reading, in Wh.
    pub(super) fn energy(&self) -> Option<i64> {
        self.reading
            .as_ref()
            .and_then(|(_, reading)| reading.energy_wh)
    }

    /// The same, where the meter works: without it nobody may charge (guide 3.3.4.7).
    fn metered(&self) -> Option<i64> {
        self.energy().filter(|_| !self.meter_silent())
    }

    /// Whether no usable value comes from the meter.
    pub(super) fn meter_silent(&self) -> bool {
        let meter = [
            Fault::MeterCommunication,
            Fault::MeterInternal,
            Fault::MeterIdle,
            Fault::MeterActive,
        ];
        self.faults().any(|fault| meter.contains(&fault))
    }

    fn emergency(&self) -> bool {
        self.faults().any(|fault| fault == Fault::EmergencyShutdown)
    }

    fn begin(&mut self, id_tag: IdToken, parent: Option<IdToken>, energy: i64) {
        let started = self.timestamp();
        self.last_number = self.last_number.saturating_add(1);
        let number = self.last_number;
        let begin_values = self.stop_values(ReadingContext::TransactionBegin, started, energy);
        let transaction = Transaction {
            number,
            central_id: None,
            id_tag: id_tag.clone(),
            parent,
            started,
            meter_start: energy,
            meter_last: energy,
            last_seen: started,
            refused: false,
            told: self.wall().is_some() || self.configuration.flag(Key::AllowTxWithInvalidTime),
            end: None,
            begin_values,
            signed: self.signed_values(),
        };
        let (reservation_id, reservation_used) = self.use_reservation().unzip();
        self.store(vec![Change::PutTransaction(transaction.clone())]);
        self.store(reservation_used.into_iter().collect());
        if transaction.told {
            let start = StartTransaction {
                connector_id: 1,
                id_tag,
                meter_start: energy,
                timestamp: started,
                reservation_id,
            };
            let message_id = self.message_id();
            let message = self
                .queue
                .push(number, message_id, Body::Start(start), true);
            self.store(vec![Change::PutMessage(message)]);
        } else {
            self.warn(format!(
                "transaction {number} begins without valid time: the central system won't be told"
            ));
        }
        self.transactions.insert(number, transaction);
        self.session = Session::Active { number };
        self.transaction_began = Some((number, self.now.monotonic));
        self.ask_signed_begin();
        self.reporting
            .transaction_began(self.now.monotonic, &self.configuration);
    }

    fn resume(&mut self, number: u64) {
        self.session = Session::Active { number };
        self.ask_signed_begin();
        self.reporting
            .transaction_resumed(self.now.monotonic, &self.configuration);
        self.note(format!("transaction {number} goes on"));
    }

    /// Ends a transaction of the last process.
    fn end_interrupted(&mut self, number: u64) {
        let since = self.now.monotonic;
        let wait = if self.meter_silent() {
            FIRST_READING_WITHOUT_METER_S
        } else {
            FIRST_READING_S
        };
        self.session = Session::Ending {
            number,
            since,
            until: since.after_seconds(wait),
            interrupted: true,
            ev_left: false,
        };
        if let Some(transaction) = self.transactions.get_mut(&number)
            && transaction.end.is_none()
        {
            let at = transaction.last_seen;
            transaction.end = Some(End {
                reason: StopReason::PowerLoss,
                at,
                id_tag: None,
                queued: false,
            });
        }
        self.warn(format!(
            "transaction {number} was interrupted; it is closed"
        ));
    }

    fn queue_stop(&mut self, number: u64) {
        let ev_left = matches!(self.session, Session::Ending { ev_left: true, .. });
        self.session = Session::Idle {
            finishing: !ev_left && self.ev_present() != Some(false),
        };
        let energy = self.energy();
        let Some(mut transaction) = self.transactions.remove(&number) else {
            return;
        };
        let Some(mut end) = transaction.end.take() else {
            return;
        };
        // The register never runs backwards in what is reported, whatever the meter does.
        let meter_stop = energy
            .unwrap_or(transaction.meter_last)
            .max(transaction.meter_last);
        let signed = self.take_signed_values(&transaction, end.at);
        let begin = std::mem::take(&mut transaction.begin_values);
        let last = self.stop_values(ReadingContext::TransactionEnd, end.at, meter_stop);
        let mut transaction_data = self.transaction_data(number, begin, last);
        if !transaction.told {
            self.store(vec![Change::DeleteTransaction(number)]);
            return self.clear_transaction_profiles();
        }
        transaction_data.extend(signed);
        let stop = StopTransaction {
            id_tag: end.id_tag.clone(),
            meter_stop,
            timestamp: end.at.max(transaction.started),
            reason: end.reason,
            transaction_data,
        };
        end.queued = true;
        transaction.end = Some(end);
        let mut changes: Vec<Change> = self
            .queue
            .store_all()
            .into_iter()
            .map(Change::PutMessage)
            .collect();
        let message_id = self.message_id();
        let message = self.queue.push(number, message_id, Body::Stop(stop), true);
        changes.extend([
            Change::PutTransaction(transaction.clone()),
            Change::PutMessage(message),
        ]);
        self.transactions.insert(number, transaction);
        self.store(changes);
        self.clear_transaction_profiles();
    }
}
