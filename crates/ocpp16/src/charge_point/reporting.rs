//! StatusNotification and MeterValues: what the central system is told without asking.

use super::link::Kind;
use super::session::Session;
use super::{ChargePoint, EvseSession};
use crate::configuration::{Configuration, Key};
use crate::fault::{Fault, FaultReport, most_important};
use crate::message::outgoing::{
    MeterValue, MeterValues, ReadingContext, SampledValue, Status, StatusErrorCode,
    StatusNotification,
};
use crate::metering::{Offered, Selection, sample};
use crate::profile::DeciAmperes;
use crate::transaction::{Body, Change};
use crate::{CiString, Millis, Timestamp};

/// `MeterValues` that may wait in the queue; then every other one is dropped.
const LONGEST_METER_QUEUE: usize = 1_000;
/// A running transaction's register is saved at least this often, in seconds.
const SAVE_READING_S: u64 = 60;

/// How long a registered station waits for the first word of its EVSE, in seconds.
const PATIENCE_S: u64 = 5;

/// How long a fault may lack its name: state and cause arrive one after the other.
const NAMING_MS: u64 = 300;

#[derive(Debug, Default)]
pub(super) struct Reporting {
    /// What the central system was last told about connector 0 and 1, and when.
    told: [Option<(Report, Millis)>; 2],
    /// What could be told now, and since when.
    present: [Option<(Report, Millis)>; 2],
    sample_at: Option<Millis>,
    /// A multiple of `ClockAlignedDataInterval` from midnight, and that interval.
    aligned_at: Option<(Timestamp, u64)>,
    save_reading_at: Millis,
    /// Until then a station whose EVSE is not known yet reports nothing.
    patient_until: Option<Millis>,
    /// Whether the running transaction has charged yet: before that it is `Preparing`.
    charged: bool,
}

/// What a StatusNotification says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    status: Status,
    error: Option<FaultReport>,
}

impl Report {
    fn is_unnamed(self) -> bool {
        self.error == Some(Fault::Evse.report())
    }
}

/// `MeterValues` with the transaction's id, sent once on request.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ImmediateMeterValues {
    #[serde(flatten)]
    values: MeterValues,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<i64>,
}

impl crate::message::outgoing::Request for ImmediateMeterValues {
    const ACTION: &'static str = "MeterValues";
}

impl Reporting {
    pub(super) fn transaction_began(&mut self, now: Millis, configuration: &Configuration) {
        self.charged = false;
        self.restart(now, configuration);
    }

    /// A transaction of the last process goes on. Its EVSE says that energy could flow.
    pub(super) fn transaction_resumed(&mut self, now: Millis, configuration: &Configuration) {
        self.charged = true;
        self.restart(now, configuration);
    }

    fn restart(&mut self, now: Millis, configuration: &Configuration) {
        self.save_reading_at = now.after_seconds(SAVE_READING_S);
        self.sample_at = match configuration.number(Key::MeterValueSampleInterval) {
            0 => None,
            seconds => Some(now.after_seconds(seconds)),
        };
    }
}

impl ChargePoint {
    /// Tells the central system what changed since it was last told.
    pub(super) fn report_status(&mut self) {
        let charging = self
            .station
            .as_ref()
            .is_some_and(|station| station.session == EvseSession::Charging);
        self.reporting.charged |= charging;
        let reports = [0, 1].map(|connector| self.report(connector));
        for (present, report) in self.reporting.present.iter_mut().zip(reports) {
            if present.is_none_or(|(known, _)| known != report) {
                *present = Some((report, self.now.monotonic));
            }
        }
        if !self.reports() {
            return;
        }
        for (connector, report) in reports.into_iter().enumerate() {
            let due = self
                .status_due_at(connector, report)
                .is_some_and(|at| at <= self.now.monotonic);
            if due {
                self.send_status(connector, report, false);
            }
        }
    }

    /// After registration every connector is reported (erratum 3.22).
    pub(super) fn report_all_status(&mut self) {
        let patience = self.now.monotonic.after_seconds(PATIENCE_S);
        self.reporting.patient_until.get_or_insert(patience);
        self.reporting.told = [None, None];
    }

    /// The connection broke before the central system was told.
    pub(super) fn status_not_delivered(&mut self, connector: usize) {
        if let Some(told) = self.reporting.told.get_mut(connector) {
            *told = None;
        }
    }

    pub(super) fn trigger_status(&mut self, connector: usize) {
        let report = self.report(connector);
        self.send_status(connector, report, true);
    }

    pub(super) fn reporting_deadline(&self) -> Option<Millis> {
        let now = self.now.monotonic;
        let status = [0, 1].into_iter().filter(|_| self.reports());
        let status =
            status.filter_map(|connector| self.status_due_at(connector, self.report(connector)));
        let patience = self.reporting.patient_until;
        let patience = patience.filter(|until| self.station.is_none() && *until > now);
        let aligned = self
            .reporting
            .aligned_at
            .zip(self.wall())
            .map(|((at, _), wall)| {
                let wait = at.unix_millis().saturating_sub(wall.unix_millis());
                now.after(u64::try_from(wait).unwrap_or(0).max(1))
            });
        let sampling = self.running().and(self.reporting.sample_at);
        status.chain(patience).chain(aligned).chain(sampling).min()
    }

    /// Takes the periodic and the clock-aligned values that are due.
    pub(super) fn sample_meter(&mut self) {
        let now = self.now.monotonic;
        if let Some(number) = self.running() {
            if self.reporting.sample_at.is_some_and(|at| at <= now) {
                self.reporting.sample_at =
                    match self.configuration.number(Key::MeterValueSampleInterval) {
                        0 => None,
                        seconds => Some(now.after_seconds(seconds)),
                    };
                let context = ReadingContext::SamplePeriodic;
                self.queue_values(number, Key::MeterValuesSampledData, context);
                self.keep_for_stop(number, Key::StopTxnSampledData, context);
            } else if self.reporting.save_reading_at <= now && !self.meter_silent() {
                self.save_reading(number);
            }
        }
        self.sample_aligned();
    }

    /// A new interval counts at once, not only from the next transaction on.
    pub(super) fn restart_sampling(&mut self) {
        self.reporting.sample_at = match self.configuration.number(Key::MeterValueSampleInterval) {
            0 => None,
            seconds => Some(self.now.monotonic.after_seconds(seconds)),
        };
    }

    /// `TriggerMessage(MeterValues)`; works without a transaction too. False without a reading.
    pub(super) fn trigger_meter_values(&mut self) -> bool {
        let mut list = self.configuration.measurands(Key::MeterValuesSampledData);
        if list.is_empty() {
            list = Selection::parse("Energy.Active.Import.Register")
                .into_iter()
                .collect();
        }
        let values = self.values(&list, ReadingContext::Trigger);
        !values.is_empty() && {
            self.send_values(values, true);
            true
        }
    }

    pub(super) fn offered(&self) -> Offered {
        let station = self.station.as_ref();
        Offered {
            current: station.map_or(DeciAmperes(0), |station| station.offered),
            phases: station.and_then(|station| station.phases),
        }
    }

    /// Whether StatusNotifications may be sent. Without a word of the EVSE they wait a little: a
    /// state that is taken back a moment later confuses.
    fn reports(&self) -> bool {
        let patient = self
            .reporting
            .patient_until
            .is_some_and(|until| self.now.monotonic < until);
        self.link.online() && (self.station.is_some() || !patient)
    }

    fn running(&self) -> Option<u64> {
        match self.session {
            Session::Active { number } => Some(number),
            Session::Idle { .. }
            | Session::Granted { .. }
            | Session::Interrupted { .. }
            | Session::Ending { .. } => None,
        }
    }

    fn report(&self, connector: usize) -> Report {
        let faults = self.faults().filter(|fault| fault.concerns(connector));
        let error = most_important(faults);
        let session = self.station.as_ref().map(|station| station.session);
        let charges = session.is_some_and(EvseSession::is_under_way);
        let blocked = self.faults().any(|fault| {
            fault.report().blocks
                && !(charges && fault.spares_a_running_charge())
                && (connector == 1 || fault.report().station)
        });
        let [station_operative, connector_operative] = self.availability.in_effect;
        let operative = station_operative && (connector == 0 || connector_operative);
        let status = if !operative {
            Status::Unavailable
        } else if blocked {
            Status::Faulted
        } else if connector == 0 {
            Status::Available
        } else {
            self.connector_status()
        };
        // Faulted without an error would leave everybody guessing.
        let unnamed = (status == Status::Faulted).then(|| Fault::Evse.report());
        Report {
            status,
            error: error.or(unnamed),
        }
    }

    /// The state of an operative connector without a blocking fault.
    fn connector_status(&self) -> Status {
        let Some(station) = &self.station else {
            return Status::Unavailable;
        };
        match station.session {
            EvseSession::Faulted => return Status::Faulted,
            EvseSession::Inoperative => return Status::Unavailable,
            EvseSession::Idle
            | EvseSession::Authorized
            | EvseSession::Connected
            | EvseSession::SuspendedEv
            | EvseSession::SuspendedEvse
            | EvseSession::Charging => {}
        }
        match self.session {
            Session::Active { .. } if self.energy_withheld() => Status::SuspendedEVSE,
            Session::Active { .. } | Session::Interrupted { .. } => {
                self.session_status(station.session)
            }
            Session::Ending { .. } => Status::Finishing,
            Session::Granted { .. } => Status::Preparing,
            Session::Idle { finishing: true } if station.ev_present != Some(false) => {
                Status::Finishing
            }
            Session::Idle { .. } if self.reserved() => Status::Reserved,
            // Somebody else authorises: the EVSE's session is all there is.
            Session::Idle { .. } if !self.settings.authorises => {
                self.session_status(station.session)
            }
            Session::Idle { .. } if station.ev_present == Some(true) => Status::Preparing,
            Session::Idle { .. } => Status::Available,
        }
    }

    fn session_status(&self, session: EvseSession) -> Status {
        match session {
            EvseSession::Charging => Status::Charging,
            EvseSession::SuspendedEv => Status::SuspendedEV,
            EvseSession::SuspendedEvse => Status::SuspendedEVSE,
            EvseSession::Authorized => Status::Preparing,
            EvseSession::Connected if self.reporting.charged && self.running().is_some() => {
                Status::SuspendedEV
            }
            EvseSession::Connected => Status::Preparing,
            EvseSession::Idle if self.running().is_some() => Status::Preparing,
            EvseSession::Idle => Status::Available,
            EvseSession::Faulted => Status::Faulted,
            EvseSession::Inoperative => Status::Unavailable,
        }
    }

    /// When `report` may be told; `None` when it is known. The first one is delayed only while
    /// its fault may still get a name.
    fn status_due_at(&self, connector: usize, report: Report) -> Option<Millis> {
        let (_, since) = (*self.reporting.present.get(connector)?)?;
        let due = match self.reporting.told.get(connector)? {
            None => self.now.monotonic,
            Some((told, _)) if *told == report => return None,
            Some((_, at)) => {
                let stable = self.configuration.number(Key::MinimumStatusDuration);
                let delay = at.after(self.settings.status_delay_ms);
                delay.max(since.after_seconds(stable))
            }
        };
        let named_by = report.is_unnamed().then(|| since.after(NAMING_MS));
        Some(named_by.map_or(due, |at| due.max(at)))
    }

    fn send_status(&mut self, connector: usize, report: Report, triggered: bool) {
        if let Some(told) = self.reporting.told.get_mut(connector) {
            *told = Some((report, self.now.monotonic));
        }
        let vendor_error_code = report
            .error
            .and_then(|error| CiString::truncated(error.vendor_code).non_empty());
        let vendor = self.settings.identity.charge_point_vendor.as_str();
        let message = StatusNotification {
            connector_id: u8::try_from(connector).unwrap_or(0),
            error_code: report
                .error
                .map_or(StatusErrorCode::NoError, |error| error.code),
            status: report.status,
            timestamp: self.wall(),
            info: report.error.map(|error| CiString::truncated(error.info)),
            vendor_id: vendor_error_code
                .as_ref()
                .map(|_| CiString::truncated(vendor)),
            vendor_error_code,
        };
        self.send_optional_message(Kind::Status { connector }, &message, triggered);
    }

    /// Queues the values of `key` for transaction `number` and saves the register: a restart must
    /// not report less than was reported before.
    fn queue_values(&mut self, number: u64, key: Key, context: ReadingContext) {
        let sampled_value = self.values(&self.configuration.measurands(key), context);
        if sampled_value.is_empty() {
            return;
        }
        let timestamp = self.timestamp();
        if let Some(transaction) = self.transactions.get_mut(&number) {
            transaction.last_seen = timestamp;
            if !transaction.told {
                return self.save_reading(number);
            }
        }
        let meter_value = vec![MeterValue {
            timestamp,
            sampled_value,
        }];
        // What can be sent at once need not be written to flash.
        let stored = !self.link.online() || self.queue.has_stored();
        let message_id = self.message_id();
        let message = self.queue.push(
            number,
            message_id,
            Body::Meter(MeterValues {
                connector_id: 1,
                meter_value,
            }),
            stored,
        );
        if stored {
            self.store(vec![Change::PutMessage(message)]);
            let removed = self.queue.thin_out(LONGEST_METER_QUEUE);
            self.store(
                removed
                    .iter()
                    .map(|message| Change::DeleteMessage(message.sequence))
                    .collect(),
            );
        }
        self.save_reading(number);
    }

    fn save_reading(&mut self, number: u64) {
        self.reporting.save_reading_at = self.now.monotonic.after_seconds(SAVE_READING_S);
        if let Some(transaction) = self.transactions.get(&number) {
            let change = Change::PutTransaction(transaction.clone());
            self.store(vec![change]);
        }
    }

    fn sample_aligned(&mut self) {
        let interval = self.configuration.number(Key::ClockAlignedDataInterval);
        let Some(wall) = self.wall().filter(|_| interval > 0) else {
            self.reporting.aligned_at = None;
            return;
        };
        let due = self
            .reporting
            .aligned_at
            .filter(|(_, of)| *of == interval)
            .is_some_and(|(at, _)| at <= wall);
        let known = self
            .reporting
            .aligned_at
            .is_some_and(|(at, of)| of == interval && at > wall);
        if known {
            return;
        }
        self.reporting.aligned_at = Some((next_multiple(wall, interval), interval));
        if !due {
            return;
        }
        if let Some(number) = self.running() {
            let context = ReadingContext::SampleClock;
            self.queue_values(number, Key::MeterValuesAlignedData, context);
            self.keep_for_stop(number, Key::StopTxnAlignedData, context);
        } else if self.link.online() {
            let values = self.values(
                &self.configuration.measurands(Key::MeterValuesAlignedData),
                ReadingContext::SampleClock,
            );
            if !values.is_empty() {
                self.send_values(values, false);
            }
        }
    }

    /// The values of `list` now; none while the meter does not answer.
    pub(super) fn values(&self, list: &[Selection], context: ReadingContext) -> Vec<SampledValue> {
        match &self.reading {
            Some((_, reading)) if !self.meter_silent() => {
                sample(reading, self.offered(), list, context)
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Sends values once; they carry the transaction's id when it is known (and never 0 or less,
    /// which central systems send for a refused start).
    fn send_values(&mut self, sampled_value: Vec<SampledValue>, triggered: bool) {
        let meter_value = vec![MeterValue {
            timestamp: self.timestamp(),
            sampled_value,
        }];
        let transaction_id = self
            .transaction()
            .and_then(|one| one.central_id)
            .filter(|id| *id > 0);
        let message = ImmediateMeterValues {
            values: MeterValues {
                connector_id: 1,
                meter_value,
            },
            transaction_id,
        };
        self.send_optional_message(Kind::MeterValues, &message, triggered);
    }
}

/// The next multiple of `interval` seconds from midnight, strictly after `wall`; the day's end is
/// one too.
fn next_multiple(wall: Timestamp, interval: u64) -> Timestamp {
    const DAY: i64 = 86_400_000;
    let interval = i64::try_from(interval)
        .unwrap_or(DAY)
        .saturating_mul(1000)
        .clamp(1, DAY);
    let midnight = wall.unix_millis() - wall.unix_millis().rem_euclid(DAY);
    let within = wall.unix_millis() - midnight;
    let next = (within / interval + 1) * interval;
    Timestamp::from_unix_millis(midnight + next.min(DAY))
}
