//! SetChargingProfile, ClearChargingProfile, GetCompositeSchedule, and the limit they lead to.

use serde_json::{Value, json};

use super::calls::Answer;
use super::session::Session;
use super::{ChargePoint, SAVE_PROFILES_AFTER_S};
use crate::message::incoming::smart_charging::{ProfileFilter, SmartCharging};
use crate::profile::{DeciAmperes, InstalledProfile, NOMINAL_VOLTAGE, Profile, Purpose, RateUnit};
use crate::transaction::Change;
use crate::{CallError, ErrorCode, Millis, Timestamp};

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
        self.profiles
            .limit(1, self.wall(), self.transaction_start())
    }

    pub(super) fn limit_deadline(&self) -> Option<Millis> {
        let wall = self.wall()?;
        let next = self.profiles.next_change(wall, self.transaction_start())?;
        let wait = u64::try_from(next.unix_millis() - wall.unix_millis()).unwrap_or(0);
        Some(self.now.monotonic.after(wait.max(1)))
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
        let unlimited = self.settings.hardware_limit;
        let periods = self.profiles.composite(
            connector,
            wall,
            duration,
            self.transaction_start(),
            unlimited,
        );
        let watts = unit == Some(RateUnit::Watts);
        let limit = |limit: DeciAmperes| {
            if watts {
                (limit.amperes() * NOMINAL_VOLTAGE * 3.0).round()
            } else {
                limit.amperes()
            }
        };
        let periods: Vec<Value> = periods
            .into_iter()
            .map(|(start, amperes)| json!({"startPeriod": start, "limit": limit(amperes)}))
            .collect();
        Ok(json!({
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": wall,
            "chargingSchedule": {
                "duration": duration,
                "startSchedule": wall,
                "chargingRateUnit": if watts { "W" } else { "A" },
                "chargingSchedulePeriod": periods,
            },
        }))
    }

    pub(super) fn save_profiles(&mut self) {
        if self
            .save_profiles_at
            .is_some_and(|at| at <= self.now.monotonic)
        {
            self.save_profiles_at = None;
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

    fn transaction_start(&self) -> Option<Timestamp> {
        self.transaction().map(|transaction| transaction.started)
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
