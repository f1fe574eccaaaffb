//! All installed profiles, and the limit that they make together.
//!
//! ```text
//!   ChargePointMax ── the highest stack level in force ──────────────┐
//!   Tx ────────────── the highest stack level in force ─┐            ├─ the lower of both
//!   TxDefault ─────── the same, where no Tx is in force ┴────────────┘
//! ```

use std::cmp::Reverse;

use super::{
    InstalledProfile, Kind, Limit, MAX_INSTALLED, MAX_PERIODS, MAX_STACK_LEVEL, Profile, Purpose,
    Segment,
};
use crate::Timestamp;
use crate::message::incoming::smart_charging::ProfileFilter;

/// All installed profiles, in the order in which they overrule each other.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    installed: Vec<InstalledProfile>,
}

/// The limit at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// `None` is no limit.
    pub limit: Option<Limit>,
    /// When it may change at the earliest; `None` is never.
    pub until: Option<Timestamp>,
}

/// `CompositeSchedule`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Composite {
    /// Seconds from the start, and the limit from then on; neighbours differ.
    pub periods: Vec<(u32, Limit)>,
    /// Seconds that it covers: less than asked for where that would take too long to tell.
    pub duration: u32,
}

impl Composite {
    /// Periods that an answer may have.
    pub(super) const MOST_PERIODS: usize = 500;
    /// Instants that are looked at for an answer, which bounds the time that it takes: more than
    /// all changes of all profiles within a week.
    const MOST_INSTANTS: usize = 20_000;
}

impl Profiles {
    pub(crate) fn new(installed: Vec<InstalledProfile>) -> Self {
        let mut profiles = Self { installed };
        profiles.sort();
        profiles
    }

    /// Adds `new`, in place of the one with its id and of the one with its purpose, connector and
    /// stack level.
    ///
    /// # Errors
    /// Why it can't be carried out; then nothing has changed.
    pub(crate) fn install(&mut self, new: InstalledProfile) -> Result<(), &'static str> {
        check(&new.profile)?;
        check_time(&new)?;
        let replaced = |old: &InstalledProfile| {
            old.profile.id == new.profile.id
                || (old.connector == new.connector
                    && old.profile.purpose == new.profile.purpose
                    && old.profile.stack_level == new.profile.stack_level)
        };
        if self.installed.iter().filter(|old| !replaced(old)).count() >= MAX_INSTALLED {
            return Err("MaxChargingProfilesInstalled reached");
        }
        self.installed.retain(|old| !replaced(old));
        self.installed.push(new);
        self.sort();
        Ok(())
    }

    fn sort(&mut self) {
        self.installed.sort_by_key(|installed| {
            let purpose = match installed.profile.purpose {
                Purpose::ChargePointMax => 0,
                Purpose::Tx => 1,
                Purpose::TxDefault => 2,
            };
            // A default for the connector overrules one for the station.
            let level = Reverse((installed.connector, installed.profile.stack_level));
            (purpose, level)
        });
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

    /// Schedules that count from their receipt begin at the first instant that is known; true when
    /// there was one.
    pub(crate) fn begin_undated(&mut self, at: Timestamp) -> bool {
        let mut any = false;
        for installed in &mut self.installed {
            any |= installed.received.is_none();
            installed.received.get_or_insert(at);
        }
        any
    }

    /// The limit at `at`; `transaction` is the start of the running one.
    pub(crate) fn moment(&self, at: Timestamp, transaction: Option<Timestamp>) -> Moment {
        let (station, session) = self.by_scope();
        let station = leading(station, at, transaction);
        let session = leading(session, at, transaction);
        Moment {
            limit: lower(station.limit, session.limit),
            until: station.until.into_iter().chain(session.until).min(),
        }
    }

    /// The limit while nobody knows the time. A profile that may be in force counts with its
    /// lowest limit, and so do those that it may hide: that errs on the safe side.
    pub(crate) fn timeless(&self) -> Option<Limit> {
        let (station, session) = self.by_scope();
        let lowest = |profiles: &[InstalledProfile]| {
            let mut limit = None;
            for installed in profiles {
                let (own, certain) = installed.timeless();
                limit = lower(limit, own);
                if certain {
                    break;
                }
            }
            limit
        };
        lower(lowest(station), lowest(session))
    }

    /// The limits from `at` for `duration` seconds. A schedule that waits for a transaction counts
    /// as if one began at `at`. Times without a limit carry `unlimited`.
    pub(crate) fn composite(
        &self,
        at: Timestamp,
        duration: u32,
        transaction: Option<Timestamp>,
        unlimited: Limit,
    ) -> Composite {
        let transaction = transaction.or(Some(at));
        let end = at.plus_seconds(i64::from(duration));
        let seconds = |instant: Timestamp| {
            // A period begins where its limit certainly holds.
            let millis = instant.unix_millis() - at.unix_millis();
            u32::try_from(millis.saturating_add(999) / 1000).unwrap_or(u32::MAX)
        };
        let mut periods: Vec<(u32, Limit)> = Vec::new();
        let mut instant = at;
        for _ in 0..Composite::MOST_INSTANTS {
            let moment = self.moment(instant, transaction);
            let limit = moment
                .limit
                .map_or(unlimited, |limit| limit.lower(unlimited));
            if periods.last().is_none_or(|(_, last)| *last != limit) {
                if periods.len() == Composite::MOST_PERIODS {
                    return Composite {
                        periods,
                        duration: seconds(instant),
                    };
                }
                periods.push((seconds(instant), limit));
            }
            match moment.until {
                Some(next) if next < end => instant = next,
                Some(_) | None => return Composite { periods, duration },
            }
        }
        Composite {
            periods,
            duration: seconds(instant),
        }
    }

    /// Those that limit the station, and those that limit its session.
    fn by_scope(&self) -> (&[InstalledProfile], &[InstalledProfile]) {
        let station = self
            .installed
            .partition_point(|installed| installed.profile.purpose == Purpose::ChargePointMax);
        self.installed.split_at(station)
    }
}

/// What the first one in force says; those after it don't count before that one changes.
fn leading(
    profiles: &[InstalledProfile],
    at: Timestamp,
    transaction: Option<Timestamp>,
) -> Segment {
    let mut until: Option<Timestamp> = None;
    for installed in profiles {
        let segment = installed.segment(at, transaction);
        until = until.into_iter().chain(segment.until).min();
        if segment.limit.is_some() {
            return Segment {
                limit: segment.limit,
                until,
            };
        }
    }
    Segment { limit: None, until }
}

fn lower(one: Option<Limit>, other: Option<Limit>) -> Option<Limit> {
    one.into_iter().chain(other).reduce(Limit::lower)
}

/// Whether `profile` can be carried out.
fn check(profile: &Profile) -> Result<(), &'static str> {
    let periods = &profile.schedule.periods;
    if periods.len() > MAX_PERIODS {
        return Err("more periods than ChargingScheduleMaxPeriods");
    }
    // Erratum 3.70.
    if periods.first().is_none_or(|period| period.start != 0) {
        return Err("the first period does not start at 0");
    }
    if !periods.is_sorted_by(|earlier, later| earlier.start < later.start) {
        return Err("the periods are not in ascending order");
    }
    if profile.stack_level > MAX_STACK_LEVEL {
        return Err("stack level above ChargeProfileMaxStackLevel");
    }
    if matches!(profile.kind, Kind::Recurring(_)) && profile.schedule.start.is_none() {
        return Err("a recurring profile needs startSchedule");
    }
    Ok(())
}

/// Whether `new` can ever be in force, which the central system takes `Accepted` for. Without
/// valid time only what contradicts itself is refused.
fn check_time(new: &InstalledProfile) -> Result<(), &'static str> {
    let Profile {
        kind,
        valid_from,
        valid_to,
        schedule,
        ..
    } = &new.profile;
    let now = new.received;
    let not_after = |end: Option<Timestamp>, start: Option<Timestamp>| {
        end.zip(start).is_some_and(|(end, start)| end <= start)
    };
    if schedule.duration == Some(0) {
        return Err("its duration is 0");
    }
    if not_after(*valid_to, *valid_from) {
        return Err("validTo is not after validFrom");
    }
    if not_after(*valid_to, now) {
        return Err("validTo has passed");
    }
    let start = schedule.start.filter(|_| *kind != Kind::Relative);
    if not_after(*valid_to, start) {
        return Err("its schedule begins after validTo");
    }
    let ended = start
        .filter(|_| *kind == Kind::Absolute)
        .zip(schedule.duration)
        .map(|(start, duration)| start.plus_seconds(i64::from(duration)));
    if not_after(ended, now) {
        return Err("its schedule has ended");
    }
    Ok(())
}
