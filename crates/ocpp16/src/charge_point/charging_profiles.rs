//! SetChargingProfile, ClearChargingProfile, GetCompositeSchedule, and the limit they lead to.

use serde_json::{Value, json};

use super::calls::Answer;
use super::session::Session;
use super::{ChargePoint, SAVE_PROFILES_AFTER_S};
use crate::fault::Fault;
use crate::message::incoming::smart_charging::{ProfileFilter, SmartCharging};
use crate::profile::{DeciAmperes, InstalledProfile, Limit, Profile, Purpose, RateUnit};
use crate::transaction::Change;
use crate::{CallError, ErrorCode, Millis, Timestamp};

/// From a new limit until an EVSE that still offers more counts as faulty. It takes milliseconds.
const LIMIT_PATIENCE_S: u64 = 10;

impl ChargePoint {
    pub(super) fn smart_charging(&mut self, request: SmartCharging) -> Answer {
        Ok(Some(match request {
            SmartCharging::ClearChargingProfile(filter) => self.clear_charging_profile(&filter),
            SmartCharging::GetCompositeSchedule {
                connector,
                duration,
                unit,
            } => self.composite_schedule(connector, duration, unit)?,
            SmartCharging::SetChargingProfile { connector, profile } => {
                self.set_charging_profile(connector, profile)?
            }
        }))
    }

    /// The limit per phase that holds now.
    pub(super) fn limit(&self) -> Option<DeciAmperes> {
        let limit = match self.wall() {
            Some(wall) => self.profiles.moment(wall, self.transaction_start()).limit,
            None => self.profiles.timeless(),
        };
        limit.map(|limit| limit.current)
    }

    /// The instant at which the limit may change.
    pub(super) fn limit_deadline(&self) -> Option<Millis> {
        let wall = self.wall()?;
        let next = self.profiles.moment(wall, self.transaction_start()).until?;
        let wait = u64::try_from(next.unix_millis() - wall.unix_millis()).unwrap_or(0);
        Some(self.now.monotonic.after(wait.max(1)))
    }

    /// Compares what the EVSE offers with the limit: they must not diverge silently.
    pub(super) fn watch_limit(&mut self) {
        let offered = self.station.as_ref().map(|station| station.offered);
        let exceeded = self
            .limit()
            .zip(offered)
            .is_some_and(|(limit, offered)| offered > limit);
        self.limit_exceeded_since =
            exceeded.then(|| self.limit_exceeded_since.unwrap_or(self.now.monotonic));
    }

    pub(super) fn limit_watch_deadline(&self) -> Option<Millis> {
        let until = self.limit_exceeded_since?.after_seconds(LIMIT_PATIENCE_S);
        Some(until).filter(|until| *until > self.now.monotonic)
    }

    pub(super) fn limit_fault(&self) -> Option<Fault> {
        let exceeded_for = self.now.monotonic.since(self.limit_exceeded_since?);
        (exceeded_for >= LIMIT_PATIENCE_S * 1000).then_some(Fault::ChargingLimitNotApplied)
    }

    fn set_charging_profile(
        &mut self,
        connector: i64,
        profile: Profile,
    ) -> Result<Value, CallError> {
        let connector = known_connector(connector)?;
        let status = match self.charging_profile_refusal(connector, &profile) {
            Some(why) => Err(why),
            None => self.profiles.install(InstalledProfile {
                connector,
                profile,
                received: self.wall(),
            }),
        };
        if let Err(why) = status {
            self.note(format!("SetChargingProfile rejected: {why}"));
            return Ok(json!({"status": "Rejected"}));
        }
        self.profiles_changed();
        Ok(json!({"status": "Accepted"}))
    }

    fn clear_charging_profile(&mut self, filter: &ProfileFilter) -> Value {
        let cleared = self.profiles.clear(filter);
        if cleared {
            self.profiles_changed();
        }
        json!({"status": if cleared { "Accepted" } else { "Unknown" }})
    }

    /// The limits of connector 1, which are those of the station: there is no other connector.
    fn composite_schedule(
        &self,
        connector: i64,
        duration: i64,
        unit: Option<RateUnit>,
    ) -> Result<Value, CallError> {
        let connector = known_connector(connector)?;
        let Ok(duration) = u32::try_from(duration) else {
            let description = format!("duration: {duration} is out of range");
            return Err(CallError::new(
                ErrorCode::PropertyConstraintViolation,
                description,
            ));
        };
        let Some(wall) = self.wall() else {
            return Ok(json!({"status": "Rejected"}));
        };
        let composite =
            self.profiles
                .composite(wall, duration, self.transaction_start(), self.physical());
        let watts = unit == Some(RateUnit::Watts);
        let periods = composite.periods.into_iter().map(|(start, limit)| {
            let number = if watts {
                f64::from(limit.watts)
            } else {
                limit.current.amperes()
            };
            (start, number, limit.phases)
        });
        let mut periods: Vec<(u32, f64, Option<u8>)> = periods.collect();
        // Different limits in W may be the same in A.
        periods.dedup_by(|next, last| (next.1, next.2) == (last.1, last.2));
        let periods = periods.into_iter().map(|(start, limit, phases)| {
            let mut period = json!({"startPeriod": start, "limit": limit});
            if let Some(phases) = phases {
                period["numberPhases"] = phases.into();
            }
            period
        });
        let periods: Vec<Value> = periods.collect();
        Ok(json!({
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": wall,
            "chargingSchedule": {
                "duration": composite.duration,
                "startSchedule": wall,
                "chargingRateUnit": if watts { "W" } else { "A" },
                "chargingSchedulePeriod": periods,
            },
        }))
    }

    /// What the station can offer when no profile limits it.
    fn physical(&self) -> Limit {
        let cable = self.station.as_ref().and_then(|station| station.physical);
        let rating = self.settings.hardware_limit;
        Limit::new(cable.map_or(rating, |limit| limit.min(rating)), None)
    }

    /// Schedules that came while there was no time begin with it.
    pub(super) fn begin_undated_profiles(&mut self) {
        if let Some(wall) = self.wall()
            && self.profiles.begin_undated(wall)
        {
            self.profiles_changed();
        }
    }

    pub(super) fn save_profiles_in_time(&mut self) {
        if self
            .save_profiles_at
            .is_some_and(|at| at <= self.now.monotonic)
        {
            self.save_profiles();
        }
    }

    /// Saves them where they have changed.
    pub(super) fn save_profiles(&mut self) {
        if self.save_profiles_at.take().is_some() {
            let all = self.profiles.all().to_vec();
            self.store(vec![Change::Profiles(all)]);
        }
    }

    /// Forgets the profiles of a transaction that ended or did not begin. This is stored at once:
    /// after a crash they must not come back with the next transaction.
    pub(super) fn clear_transaction_profiles(&mut self) {
        if self.profiles.clear_transaction() {
            self.store(vec![Change::Profiles(self.profiles.all().to_vec())]);
        }
    }

    /// When the running transaction began, on the clock of now: a clock that was set meanwhile
    /// must not shift its schedule.
    fn transaction_start(&self) -> Option<Timestamp> {
        let transaction = self.transaction()?;
        let elapsed = self
            .transaction_began
            .filter(|(number, _)| *number == transaction.number)
            .and_then(|(_, began)| i64::try_from(self.now.monotonic.since(began)).ok());
        match (elapsed, self.wall()) {
            (Some(elapsed), Some(wall)) => Some(wall.plus_millis(-elapsed)),
            (None, _) | (_, None) => Some(transaction.started),
        }
    }

    /// Counts from the first unsaved change, so that many in a row are saved too.
    pub(super) fn profiles_changed(&mut self) {
        if self.save_profiles_at.is_none() {
            self.save_profiles_at = Some(self.now.monotonic.after_seconds(SAVE_PROFILES_AFTER_S));
        }
    }

    fn charging_profile_refusal(&self, connector: u8, profile: &Profile) -> Option<&'static str> {
        match profile.purpose {
            Purpose::ChargePointMax if connector != 0 => {
                Some("ChargePointMaxProfile is for connector 0")
            }
            Purpose::ChargePointMax | Purpose::TxDefault => None,
            Purpose::Tx if connector == 0 => Some("TxProfile is not for connector 0"),
            Purpose::Tx => match (&self.session, self.transaction()) {
                (Session::Active { .. }, Some(running)) => {
                    let other = profile.transaction_id.is_some()
                        && profile.transaction_id != running.central_id;
                    other.then_some("TxProfile is for another transaction")
                }
                _ => Some("TxProfile without a transaction"),
            },
        }
    }
}

/// Errata 3.38 and 3.39.
fn known_connector(connector: i64) -> Result<u8, CallError> {
    match connector {
        0 => Ok(0),
        1 => Ok(1),
        other => {
            let description = format!("connectorId: {other} is none of 0, 1");
            Err(CallError::new(
                ErrorCode::PropertyConstraintViolation,
                description,
            ))
        }
    }
}
