//! Smart charging: charging profiles, when each is in force, and the limit that follows from all.
//!
//! All times are UTC: a day has 86 400 s, and a recurring schedule does not follow summer time.

mod stack;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::message::incoming::smart_charging::ProfileFilter;

pub(crate) use stack::Profiles;

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

/// `ChargingScheduleMaxPeriods`: a day in quarters of an hour.
pub(crate) const MAX_PERIODS: usize = 96;
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
    /// In whole watts over the phases, rounded down, where it was given in them.
    #[serde(default)]
    pub watts: Option<u32>,
}

impl Period {
    fn limit(&self) -> Limit {
        let limit = Limit::new(self.limit, self.phases);
        Limit {
            watts: self.watts.unwrap_or(limit.watts),
            ..limit
        }
    }

    pub(crate) fn new(start: u32, limit: f64, unit: RateUnit, phases: Option<u8>) -> Self {
        let amperes = match unit {
            RateUnit::Amperes => limit,
            RateUnit::Watts => {
                limit / (NOMINAL_VOLTAGE * f64::from(phases.unwrap_or(DEFAULT_PHASES)))
            }
        };
        Self {
            start,
            // A tiny addend keeps 8.2 A, which binary floats hold as 8.1999, from becoming 8.1 A.
            limit: DeciAmperes(whole(amperes * 10.0 + 1e-6).min(1_000_000)),
            phases,
            watts: (unit == RateUnit::Watts).then(|| whole(limit)),
        }
    }
}

/// `number` without its fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what doesn't fit becomes the nearest that does"
)]
fn whole(number: f64) -> u32 {
    number as u32
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

/// What a profile says from some instant on, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    /// `None` while the profile is not in force.
    limit: Option<Limit>,
    /// When that changes at the earliest; `None` is never.
    until: Option<Timestamp>,
}

/// A limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Per phase.
    pub current: DeciAmperes,
    /// `numberPhases`
    pub phases: Option<u8>,
    /// The total over the phases at the nominal voltage (erratum 3.69).
    pub watts: u32,
}

impl Limit {
    pub(crate) fn new(current: DeciAmperes, phases: Option<u8>) -> Self {
        let count = f64::from(phases.unwrap_or(DEFAULT_PHASES));
        let watts = current.amperes() * NOMINAL_VOLTAGE * count;
        Self {
            current,
            phases,
            watts: whole(watts.round()),
        }
    }

    /// The lower current, on the fewer phases: neither limit is exceeded.
    fn lower(self, other: Self) -> Self {
        let both = Self::new(
            self.current.min(other.current),
            [self.phases, other.phases].into_iter().flatten().min(),
        );
        let decides = |one: &Self| (one.current, one.phases) == (both.current, both.phases);
        let watts = [self, other]
            .into_iter()
            .filter(decides)
            .map(|one| one.watts);
        Self {
            watts: watts.min().unwrap_or(both.watts),
            ..both
        }
    }
}

impl InstalledProfile {
    /// What it says at `at`, where the transaction began at `transaction`.
    fn segment(&self, at: Timestamp, transaction: Option<Timestamp>) -> Segment {
        let profile = &self.profile;
        if profile.valid_to.is_some_and(|to| at >= to) {
            return Segment {
                limit: None,
                until: None,
            };
        }
        if let Some(from) = profile.valid_from.filter(|from| at < *from) {
            return Segment {
                limit: None,
                until: Some(from),
            };
        }
        let segment = self.scheduled(at, transaction);
        Segment {
            limit: segment.limit,
            until: segment.until.into_iter().chain(profile.valid_to).min(),
        }
    }

    /// What the schedule says at `at`, whether the profile is valid or not.
    fn scheduled(&self, at: Timestamp, transaction: Option<Timestamp>) -> Segment {
        let Some(origin) = self.origin(at, transaction) else {
            // It has not begun: it is as if it began now.
            return Segment {
                limit: self.profile.schedule.periods.first().map(Period::limit),
                until: None,
            };
        };
        let cycle_end = match self.profile.kind {
            Kind::Recurring(recurrency) => Some(origin.plus_seconds(recurrency.seconds())),
            Kind::Absolute | Kind::Relative => None,
        };
        let Some(elapsed) = elapsed_seconds(origin, at) else {
            return Segment {
                limit: None,
                until: Some(origin),
            };
        };
        let schedule = &self.profile.schedule;
        if schedule
            .duration
            .is_some_and(|duration| elapsed >= duration)
        {
            return Segment {
                limit: None,
                until: cycle_end,
            };
        }
        let begun = schedule
            .periods
            .partition_point(|period| period.start <= elapsed);
        let next = schedule.periods.get(begun).map(|period| period.start);
        let until = next.into_iter().chain(schedule.duration).min();
        Segment {
            limit: begun
                .checked_sub(1)
                .and_then(|current| schedule.periods.get(current))
                .map(Period::limit),
            until: until
                .map(|seconds| origin.plus_seconds(i64::from(seconds)))
                .into_iter()
                .chain(cycle_end)
                .min(),
        }
    }

    /// The instant from which the schedule's time counts, for a recurring one that of the cycle
    /// that `at` lies in; `None` when it is not known yet.
    fn origin(&self, at: Timestamp, transaction: Option<Timestamp>) -> Option<Timestamp> {
        let start = self.profile.schedule.start.or(self.received);
        match self.profile.kind {
            Kind::Absolute => start,
            Kind::Relative if self.profile.purpose == Purpose::ChargePointMax => self.received,
            Kind::Relative => transaction,
            Kind::Recurring(recurrency) => {
                let start = start?;
                let cycles = (at.unix_millis() - start.unix_millis())
                    .div_euclid(recurrency.seconds() * 1000);
                Some(start.plus_seconds(cycles.max(0).saturating_mul(recurrency.seconds())))
            }
        }
    }

    /// What it says while nobody knows the time: its lowest limit, and whether it certainly is in
    /// force.
    fn timeless(&self) -> (Option<Limit>, bool) {
        let profile = &self.profile;
        let bounded = profile.valid_from.is_some()
            || profile.valid_to.is_some()
            || profile.schedule.duration.is_some();
        let certain = !bounded && profile.kind == Kind::Relative;
        let limits = profile.schedule.periods.iter().map(Period::limit);
        (limits.reduce(Limit::lower), certain)
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

/// Whole seconds from `origin` to `at`; `None` before it.
fn elapsed_seconds(origin: Timestamp, at: Timestamp) -> Option<u32> {
    let millis = at.unix_millis() - origin.unix_millis();
    (millis >= 0).then(|| u32::try_from(millis / 1000).unwrap_or(u32::MAX))
}
