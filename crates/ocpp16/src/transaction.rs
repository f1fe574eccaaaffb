//! Transactions and the queue of their messages: what survives a crash.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::firmware_update::FirmwareUpdate;
use crate::identifiers::StoredIdentifiers;
use crate::message::outgoing::{
    MeterValue, MeterValues, Request, StartTransaction, StopReason, StopTransaction, payload,
};
use crate::profile::InstalledProfile;
use crate::reservation::Reservation;
use crate::security::SecurityState;
use crate::{IdToken, Timestamp};
use serde_json::Value;

/// A transaction from its start until the central system has acknowledged its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transaction {
    /// Our own number, unique among the stored ones; never sent.
    pub number: u64,
    /// `transactionId`, once `StartTransaction.conf` has told it.
    pub central_id: Option<i64>,
    /// Who started it.
    pub id_tag: IdToken,
    /// Tags with this parent may stop it too.
    pub parent: Option<IdToken>,
    /// When it started.
    pub started: Timestamp,
    /// The meter's register then, in Wh.
    pub meter_start: i64,
    /// The last register value that was saved, in Wh; at least `meter_start`.
    pub meter_last: i64,
    /// When `meter_last` was read or reported.
    pub last_seen: Timestamp,
    /// Whether `StartTransaction.conf` refused its user.
    #[serde(default)]
    pub refused: bool,
    /// Whether the central system is told of it: not without valid time (guide 3.3.2).
    #[serde(default = "told")]
    pub told: bool,
    /// Set as soon as its end is decided.
    pub end: Option<End>,
    /// Values of `StopTxnSampledData` at the start.
    pub begin_values: Vec<MeterValue>,
    /// With a meter that signs.
    #[serde(default)]
    pub signed: Option<SignedValues>,
}

impl Transaction {
    /// Whether its StopTransaction is in the queue.
    pub(crate) fn closed(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.queued)
    }
}

/// Signed meter values of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SignedRow")]
pub struct SignedValues {
    /// The one that was set when it began.
    pub form: SignedForm,
    /// The record of its begin, as text.
    pub begin: Option<String>,
}

/// How the central system gets a signed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignedForm {
    /// As it is (`ocmf,plain` in `calibrationLawFormat`, guide 14.1 table 48).
    Plain,
    /// As hexadecimal digits (`ocmf,hex`).
    Hex,
    /// In an object, as OCA's application note has it (`SampledDataSignReadings`).
    Oca,
}

/// [`SignedValues`] as a database has them; older ones have two flags in place of the form.
#[derive(Deserialize)]
struct SignedRow {
    form: Option<SignedForm>,
    #[serde(default)]
    hex: bool,
    #[serde(default)]
    oca: bool,
    begin: Option<String>,
}

impl From<SignedRow> for SignedValues {
    fn from(row: SignedRow) -> Self {
        let by_flags = match (row.oca, row.hex) {
            (true, _) => SignedForm::Oca,
            (false, true) => SignedForm::Hex,
            (false, false) => SignedForm::Plain,
        };
        Self {
            form: row.form.unwrap_or(by_flags),
            begin: row.begin,
        }
    }
}

const fn told() -> bool {
    true
}

/// Values that StopTransaction will carry, beside those of begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interim {
    /// Place in the order of events, unique among the stored ones.
    pub place: u64,
    /// [`Transaction::number`]
    pub transaction: u64,
    /// The values.
    pub value: MeterValue,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub reason: StopReason,
    /// When.
    pub at: Timestamp,
    /// The tag that stopped it.
    pub id_tag: Option<IdToken>,
    /// Whether `StopTransaction` is in the queue.
    pub queued: bool,
}

/// A message of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// Opens it.
    Start(StartTransaction),
    /// Measured within it.
    Meter(MeterValues),
    /// Closes it.
    Stop(StopTransaction),
}

/// A message of a transaction on its way to the central system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Place in the order of events.
    pub sequence: u64,
    /// [`Transaction::number`]
    pub transaction: u64,
    /// `UniqueId`. It stays the same until the central system has *answered*, across time-outs,
    /// connections and restarts, so that a central system can recognise a repetition.
    pub message_id: String,
    /// CALLERRORs received for it.
    pub refusals: u32,
    /// The message itself, without `transactionId`: that is looked up when it is sent.
    pub body: Body,
}

impl QueuedMessage {
    /// Action and payload, with the `transactionId` where it is known.
    pub(crate) fn call(&self, central_id: Option<i64>) -> (&'static str, Value) {
        let (action, mut payload) = match &self.body {
            Body::Start(message) => return (StartTransaction::ACTION, payload(message)),
            Body::Meter(message) => (MeterValues::ACTION, payload(message)),
            Body::Stop(message) => (StopTransaction::ACTION, payload(message)),
        };
        if let (Some(central_id), Some(fields)) = (central_id, payload.as_object_mut()) {
            fields.insert("transactionId".to_owned(), central_id.into());
        }
        (action, payload)
    }
}

/// One change of the durable state. Those of one [`crate::Output::Store`] belong together.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Insert or replace, by number.
    PutTransaction(Transaction),
    /// By number.
    DeleteTransaction(u64),
    /// Insert or replace, by sequence.
    PutMessage(QueuedMessage),
    /// By sequence.
    DeleteMessage(u64),
    /// Insert or replace, by place.
    PutInterim(Interim),
    /// By place.
    DeleteInterim(u64),
    /// Replace all profiles.
    Profiles(Vec<InstalledProfile>),
    /// What the central system wants: the station's and the connector's operativity.
    Availability {
        /// Connector 0.
        station: bool,
        /// Connector 1.
        connector: bool,
    },
    /// The connector is reserved, or not any more.
    Reservation(Option<Reservation>),
    /// The central system has accepted this station for the first time.
    Registered,
    /// Replace the update of the firmware.
    Firmware(Option<Box<FirmwareUpdate>>),
    /// Replace what the security extension keeps.
    Security(Box<SecurityState>),
}

/// The durable state as it is handed back after a restart.
#[derive(Clone, Debug)]
pub struct Stored {
    /// All that were put and not deleted.
    pub transactions: Vec<Transaction>,
    /// All that were put and not deleted.
    pub messages: Vec<QueuedMessage>,
    /// All that were put and not deleted.
    pub interim: Vec<Interim>,
    /// The last ones.
    pub profiles: Vec<InstalledProfile>,
    /// The station's operativity.
    pub station_operative: bool,
    /// The connector's operativity.
    pub connector_operative: bool,
    /// Whether the central system has ever accepted this station.
    pub registered: bool,
    /// The one that holds.
    pub reservation: Option<Reservation>,
    /// The local authorization list and the authorization cache.
    pub identifiers: StoredIdentifiers,
    /// The last one.
    pub firmware: Option<FirmwareUpdate>,
    /// The last one.
    pub security: SecurityState,
    /// Name and value of the key of the last [`crate::Output::Try`], unless
    /// [`crate::Output::Configure`] has followed.
    pub tried: Option<(String, String)>,
}

impl Default for Stored {
    fn default() -> Self {
        Self {
            transactions: Vec::new(),
            messages: Vec::new(),
            interim: Vec::new(),
            profiles: Vec::new(),
            station_operative: true,
            connector_operative: true,
            registered: false,
            reservation: None,
            identifiers: StoredIdentifiers::default(),
            firmware: None,
            security: SecurityState::default(),
            tried: None,
        }
    }
}

/// A queue entry and what only matters while the process lives.
#[derive(Debug)]
pub(crate) struct Entry {
    pub message: QueuedMessage,
    /// Whether the durable state has it.
    pub stored: bool,
}

/// Messages of transactions in the order of events.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    next_sequence: u64,
}

impl Queue {
    pub(crate) fn new(mut messages: Vec<QueuedMessage>) -> Self {
        messages.sort_by_key(|message| message.sequence);
        let next_sequence = messages
            .last()
            .map_or(0, |last| last.sequence.saturating_add(1));
        let entries = messages
            .into_iter()
            .map(|message| Entry {
                message,
                stored: true,
            })
            .collect();
        Self {
            entries,
            next_sequence,
        }
    }

    pub(crate) fn push(
        &mut self,
        transaction: u64,
        message_id: String,
        body: Body,
        stored: bool,
    ) -> QueuedMessage {
        let message = QueuedMessage {
            sequence: self.next_sequence,
            transaction,
            message_id,
            refusals: 0,
            body,
        };
        self.next_sequence += 1;
        self.entries.push_back(Entry {
            message: message.clone(),
            stored,
        });
        message
    }

    pub(crate) fn front(&self) -> Option<&QueuedMessage> {
        self.entries.front().map(|entry| &entry.message)
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Entry> {
        self.entries.front_mut()
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &QueuedMessage> {
        self.entries.iter().map(|entry| &entry.message)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a stored message waits: then a new one must be stored as well to keep its place.
    pub(crate) fn has_stored(&self) -> bool {
        self.entries.iter().any(|entry| entry.stored)
    }

    /// Marks all as stored and returns those that were not.
    pub(crate) fn store_all(&mut self) -> Vec<QueuedMessage> {
        let mut unstored = Vec::new();
        for entry in &mut self.entries {
            if !std::mem::replace(&mut entry.stored, true) {
                unstored.push(entry.message.clone());
            }
        }
        unstored
    }

    /// Removes every message of `transaction`.
    pub(crate) fn remove_transaction(&mut self, transaction: u64) -> Vec<QueuedMessage> {
        let (removed, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<VecDeque<_>, _>(|entry| entry.message.transaction == transaction);
        self.entries = kept;
        removed.into_iter().map(|entry| entry.message).collect()
    }

    /// Removes every other `MeterValues` when there are more than `limit`, so that a long time
    /// offline keeps its shape but not its detail; starts and stops are never removed.
    pub(crate) fn thin_out(&mut self, limit: usize) -> Vec<QueuedMessage> {
        let is_meter = |entry: &Entry| matches!(entry.message.body, Body::Meter(_));
        if self.entries.iter().filter(|entry| is_meter(entry)).count() <= limit {
            return Vec::new();
        }
        let mut odd = false;
        let (removed, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .enumerate()
            .partition::<Vec<_>, _>(|(place, entry)| {
                // The front may be on the wire.
                let candidate = is_meter(entry) && *place > 0;
                odd ^= candidate;
                candidate && odd
            });
        self.entries = kept.into_iter().map(|(_, entry)| entry).collect();
        removed
            .into_iter()
            .map(|(_, entry)| entry.message)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_values_keep_their_form_in_rows_of_each_age() {
        for (row, form) in [
            (r#"{"hex":false,"begin":"a"}"#, SignedForm::Plain),
            (r#"{"hex":true,"begin":"a"}"#, SignedForm::Hex),
            (r#"{"hex":true,"oca":false,"begin":"a"}"#, SignedForm::Hex),
            (r#"{"hex":true,"oca":true,"begin":"a"}"#, SignedForm::Oca),
            (r#"{"form":"Plain","begin":"a"}"#, SignedForm::Plain),
            (r#"{"form":"Hex","begin":"a"}"#, SignedForm::Hex),
            (r#"{"form":"Oca","begin":"a"}"#, SignedForm::Oca),
        ] {
            let begin = Some("a".to_owned());
            let signed = SignedValues { form, begin };
            let read: SignedValues = serde_json::from_str(row).unwrap();
            assert_eq!(read, signed, "{row}");
            let written = serde_json::to_string(&signed).unwrap();
            assert_eq!(written == row, row.contains("form"), "{written}");
        }
    }
}
