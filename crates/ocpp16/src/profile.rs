//! Smart charging: the installed profiles and the limit that follows from them.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::message::incoming::smart_charging::ProfileFilter;

/// A current per phase in tenths of an ampere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeciAmperes(pub u32);

impl DeciAmperes {
    /// In amperes.
    pub fn amperes(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

/// Mains voltage for conversions between W and A (erratum 3.69: nominal, not measured).
pub(crate) const NOMINAL_VOLTAGE: f64 = 230.0;
/// Phases that a limit in W counts on when it names none.
const DEFAULT_PHASES: u8 = 3;

/// `ChargingScheduleMaxPeriods`
pub(crate) const MAX_PERIODS: usize = 1;
/// `ChargeProfileMaxStackLevel`
pub(crate) const MAX_STACK_LEVEL: u32 = 8;
/// `MaxChargingProfilesInstalled`
pub(crate) const MAX_INSTALLED: usize = 20;

/// `ChargingProfilePurpose`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Limits the station.
    ChargePointMax,
    /// Limits every transaction that has no `Tx` profile.
    TxDefault,
    /// Limits one transaction.
    Tx,
}

/// `RecurrencyKind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recurrency {
    /// Every 24 hours.
    Daily,
    /// Every 7 days.
    Weekly,
}

impl Recurrency {
    const fn seconds(self) -> i64 {
        match self {
            Self::Daily => 86_400,
            Self::Weekly => 7 * 86_400,
        }
    }
}

/// `ChargingProfileKind`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Counts from `startSchedule`.
    Absolute,
    /// Counts from `startSchedule`, again and again.
    Recurring(Recurrency),
    /// Counts from the start of the transaction.
    Relative,
}

/// `ChargingRateUnitType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateUnit {
    Amperes,
    Watts,
}

/// `ChargingSchedulePeriod`, its limit converted to amperes per phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Seconds from the start of the schedule.
    pub start: u32,
    /// Rounded down: never above what was asked.
    pub limit: DeciAmperes,
    /// `numberPhases`
    pub phases: Option<u8>,
}

impl Period {
    pub(crate) fn new(start: u32, limit: f64, unit: RateUnit, phases: Option<u8>) -> Self {
        let amperes = match unit {
            RateUnit::Amperes => limit,
            RateUnit::Watts => {
                limit / (NOMINAL_VOLTAGE * f64::from(phases.unwrap_or(DEFAULT_PHASES)))
            }
        };
        // A tiny addend keeps 8.2 A, which binary floats hold as 8.1999, from becoming 8.1 A.
        let deci = (amperes * 10.0 + 1e-6).floor().clamp(0.0, 1e6);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=1e6"
        )]
        let limit = DeciAmperes(deci as u32);
        Self {
            start,
            limit,
            phases,
        }
    }
}

/// `ChargingSchedule`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Seconds; without end when absent.
    pub duration: Option<u32>,
    /// `startSchedule`
    pub start: Option<Timestamp>,
    /// In ascending order, the first at 0.
    pub periods: Vec<Period>,
}

/// `ChargingProfile`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Unique in the station.
    pub id: i64,
    /// For `Purpose::Tx`.
    pub transaction_id: Option<i64>,
    /// The highest valid one counts.
    pub stack_level: u32,
    /// What it limits.
    pub purpose: Purpose,
    /// How its time counts.
    pub kind: Kind,
    /// Not in force before.
    pub valid_from: Option<Timestamp>,
    /// Not in force from then on.
    pub valid_to: Option<Timestamp>,
    /// The limits.
    pub schedule: Schedule,
}

/// A profile on a connector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledProfile {
    /// 0 for the station and as default for its connector.
    pub connector: u8,
    /// As received.
    pub profile: Profile,
    /// Start of schedules that name none; `None` without valid time.
    pub received: Option<Timestamp>,
}

impl InstalledProfile {
    /// The limit at `at`, `None` when the profile is not in force then. Without valid time every
    /// profile counts as in force, with its lowest limit: that errs on the safe side.
    fn limit(&self, at: Option<Timestamp>, transaction: Option<Timestamp>) -> Option<DeciAmperes> {
        let periods = &self.profile.schedule.periods;
        let Some(at) = at else {
            return periods.iter().map(|period| period.limit).min();
        };
        if self.profile.valid_from.is_some_and(|from| at < from)
            || self.profile.valid_to.is_some_and(|to| at >= to)
        {
            return None;
        }
        let elapsed = at
            .unix_millis()
            .checked_sub(self.origin(at, transaction).unix_millis())?;
        if elapsed < 0
            || self
                .profile
                .schedule
                .duration
                .is_some_and(|duration| elapsed >= i64::from(duration) * 1000)
        {
            return None;
        }
        periods
            .iter()
            .rev()
            .find(|period| i64::from(period.start) * 1000 <= elapsed)
            .map(|period| period.limit)
    }

    /// The instant from which the schedule's time counts, for a recurring one that of the cycle
    /// that `at` lies in.
    fn origin(&self, at: Timestamp, transaction: Option<Timestamp>) -> Timestamp {
        let start = self.profile.schedule.start.or(self.received).unwrap_or(at);
        match self.profile.kind {
            Kind::Absolute => start,
            Kind::Relative if self.profile.purpose == Purpose::ChargePointMax => {
                self.received.unwrap_or(at)
            }
            Kind::Relative => transaction.unwrap_or(at),
            Kind::Recurring(recurrency) => {
                let cycles = (at.unix_millis() - start.unix_millis())
                    .div_euclid(recurrency.seconds() * 1000);
                if cycles < 0 {
                    start
                } else {
                    start.plus_seconds(cycles.saturating_mul(recurrency.seconds()))
                }
            }
        }
    }

    /// The next instant after `at` at which [`Self::limit`] may change.
    fn next_change(&self, at: Timestamp, transaction: Option<Timestamp>) -> Option<Timestamp> {
        let origin = self.origin(at, transaction);
        let schedule = &self.profile.schedule;
        let within = schedule
            .periods
            .iter()
            .map(|period| period.start)
            .chain(schedule.duration);
        let recurrence = match self.profile.kind {
            Kind::Recurring(recurrency) => Some(origin.plus_seconds(recurrency.seconds())),
            Kind::Absolute | Kind::Relative => None,
        };
        within
            .map(|seconds| origin.plus_seconds(i64::from(seconds)))
            .chain(recurrence)
            .chain(self.profile.valid_from)
            .chain(self.profile.valid_to)
            .filter(|instant| *instant > at)
            .min()
    }

    fn matches(&self, filter: &ProfileFilter) -> bool {
        // Erratum 3.26: with an id the other fields don't count.
        if let Some(id) = filter.id {
            return self.profile.id == id;
        }
        filter
            .connector
            .is_none_or(|connector| connector == i64::from(self.connector))
            && filter
                .purpose
                .is_none_or(|purpose| purpose == self.profile.purpose)
            && filter
                .stack_level
                .is_none_or(|level| level == i64::from(self.profile.stack_level))
    }
}

/// All installed profiles.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    installed: Vec<InstalledProfile>,
}

impl Profiles {
    pub(crate) fn new(installed: Vec<InstalledProfile>) -> Self {
        Self { installed }
    }

    /// Adds `new`, in place of the one with its id and of the one with its purpose, connector and
    /// stack level.
    ///
    /// # Errors
    /// Why it can't be carried out; then nothing has changed.
    pub(crate) fn install(&mut self, new: InstalledProfile) -> Result<(), &'static str> {
        let profile = &new.profile;
        let periods = &profile.schedule.periods;
        if periods.len() > MAX_PERIODS {
            return Err("more periods than ChargingScheduleMaxPeriods");
        }
        if periods.first().is_none_or(|period| period.start != 0) {
            return Err("the first period does not start at 0");
        }
        if profile.stack_level > MAX_STACK_LEVEL {
            return Err("stack level above ChargeProfileMaxStackLevel");
        }
        if matches!(profile.kind, Kind::Recurring(_)) && profile.schedule.start.is_none() {
            return Err("a recurring profile needs startSchedule");
        }
        let replaced = |old: &InstalledProfile| {
            old.profile.id == profile.id
                || (old.connector == new.connector
                    && old.profile.purpose == profile.purpose
                    && old.profile.stack_level == profile.stack_level)
        };
        if self.installed.iter().filter(|old| !replaced(old)).count() >= MAX_INSTALLED {
            return Err("MaxChargingProfilesInstalled reached");
        }
        self.installed.retain(|old| !replaced(old));
        self.installed.push(new);
        Ok(())
    }

    /// Removes what matches; false when nothing did.
    pub(crate) fn clear(&mut self, filter: &ProfileFilter) -> bool {
        let before = self.installed.len();
        self.installed
            .retain(|installed| !installed.matches(filter));
        self.installed.len() < before
    }

    /// Removes the profiles of the transaction that ended; false when it had none.
    pub(crate) fn clear_transaction(&mut self) -> bool {
        let before = self.installed.len();
        self.installed
            .retain(|installed| installed.profile.purpose != Purpose::Tx);
        self.installed.len() < before
    }

    /// What is saved. Of these the profiles of a transaction live as long as it does; the others
    /// outlive a power cycle (erratum 3.37).
    pub(crate) fn all(&self) -> &[InstalledProfile] {
        &self.installed
    }

    /// The limit at `at`; `transaction` is the start of the running one. `connector` 0 asks for
    /// the station's own limit.
    pub(crate) fn limit(
        &self,
        connector: u8,
        at: Option<Timestamp>,
        transaction: Option<Timestamp>,
    ) -> Option<DeciAmperes> {
        let in_force = |purpose: Purpose| {
            self.installed
                .iter()
                .filter(move |installed| installed.profile.purpose == purpose)
                .filter_map(|installed| Some((installed.limit(at, transaction)?, installed)))
                // A default for the connector overrules one for the station.
                .max_by_key(|(_, installed)| (installed.connector, installed.profile.stack_level))
                .map(|(limit, _)| limit)
        };
        let station = in_force(Purpose::ChargePointMax);
        if connector == 0 {
            return station;
        }
        let session = in_force(Purpose::Tx).or_else(|| in_force(Purpose::TxDefault));
        station.into_iter().chain(session).min()
    }

    /// The next instant after `at` at which the limit may change.
    pub(crate) fn next_change(
        &self,
        at: Timestamp,
        transaction: Option<Timestamp>,
    ) -> Option<Timestamp> {
        self.installed
            .iter()
            .filter_map(|installed| installed.next_change(at, transaction))
            .min()
    }

    /// Seconds from `at` and the limit that holds from there, for `duration` seconds. Times
    /// without a limit carry `unlimited`.
    pub(crate) fn composite(
        &self,
        connector: u8,
        at: Timestamp,
        duration: u32,
        transaction: Option<Timestamp>,
        unlimited: DeciAmperes,
    ) -> Vec<(u32, DeciAmperes)> {
        const LONGEST: usize = 500;
        let end = at.plus_seconds(i64::from(duration));
        let mut periods: Vec<(u32, DeciAmperes)> = Vec::new();
        let mut instant = at;
        while periods.len() < LONGEST {
            let limit = self
                .limit(connector, Some(instant), transaction)
                .map_or(unlimited, |limit| limit.min(unlimited));
            if periods.last().is_none_or(|(_, last)| *last != limit) {
                let offset = (instant.unix_millis() - at.unix_millis()) / 1000;
                periods.push((u32::try_from(offset).unwrap_or(u32::MAX), limit));
            }
            match self.next_change(instant, transaction) {
                Some(next) if next < end => instant = next,
                Some(_) | None => break,
            }
        }
        periods
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
