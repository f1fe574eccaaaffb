//! Profile SmartCharging.

use super::{Decoder, Request};
use crate::CallError;
use crate::decode::Fields;
use crate::profile::{Kind, Period, Profile, Purpose, RateUnit, Recurrency, Schedule};

/// A request of profile SmartCharging.
#[derive(Clone, Debug)]
pub(crate) enum SmartCharging {
    ClearChargingProfile(ProfileFilter),
    GetCompositeSchedule {
        connector: i64,
        duration: i64,
        unit: Option<RateUnit>,
    },
    SetChargingProfile {
        connector: i64,
        profile: Profile,
    },
}

/// What `ClearChargingProfile` selects; `None` matches all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProfileFilter {
    pub id: Option<i64>,
    pub connector: Option<i64>,
    pub purpose: Option<Purpose>,
    pub stack_level: Option<i64>,
}

pub(super) const ACTIONS: [(&str, Decoder); 3] = [
    ("ClearChargingProfile", |fields| {
        let filter = ProfileFilter {
            id: fields.optional_integer("id")?,
            connector: fields.optional_integer("connectorId")?,
            purpose: fields.optional_choice("chargingProfilePurpose", &PURPOSES)?,
            stack_level: fields.optional_integer("stackLevel")?,
        };
        Ok(Request::SmartCharging(SmartCharging::ClearChargingProfile(
            filter,
        )))
    }),
    ("GetCompositeSchedule", |fields| {
        Ok(Request::SmartCharging(
            SmartCharging::GetCompositeSchedule {
                connector: fields.integer("connectorId")?,
                duration: fields.integer("duration")?,
                unit: fields.optional_choice("chargingRateUnit", &UNITS)?,
            },
        ))
    }),
    ("SetChargingProfile", |fields| {
        Ok(Request::SmartCharging(SmartCharging::SetChargingProfile {
            connector: fields.integer("connectorId")?,
            profile: profile(&fields.object("csChargingProfiles")?)?,
        }))
    }),
];

const PURPOSES: [(&str, Purpose); 3] = [
    ("ChargePointMaxProfile", Purpose::ChargePointMax),
    ("TxDefaultProfile", Purpose::TxDefault),
    ("TxProfile", Purpose::Tx),
];

const UNITS: [(&str, RateUnit); 2] = [("A", RateUnit::Amperes), ("W", RateUnit::Watts)];

pub(super) fn profile(fields: &Fields<'_>) -> Result<Profile, CallError> {
    let kind = fields.choice(
        "chargingProfileKind",
        &[("Absolute", 0), ("Recurring", 1), ("Relative", 2)],
    )?;
    let recurrency = fields.optional_choice(
        "recurrencyKind",
        &[("Daily", Recurrency::Daily), ("Weekly", Recurrency::Weekly)],
    )?;
    let kind = match (kind, recurrency) {
        (0, _) => Kind::Absolute,
        (1, Some(recurrency)) => Kind::Recurring(recurrency),
        (1, None) => {
            return Err(fields.wrong_count("recurrencyKind", "missing for a recurring profile"));
        }
        _ => Kind::Relative,
    };
    let stack_level = fields.integer("stackLevel")?;
    Ok(Profile {
        id: fields.integer("chargingProfileId")?,
        transaction_id: fields.optional_integer("transactionId")?,
        stack_level: u32::try_from(stack_level)
            .map_err(|_| fields.wrong_value("stackLevel", format!("{stack_level} is negative")))?,
        purpose: fields.choice("chargingProfilePurpose", &PURPOSES)?,
        kind,
        valid_from: fields.optional_timestamp("validFrom")?,
        valid_to: fields.optional_timestamp("validTo")?,
        schedule: schedule(&fields.object("chargingSchedule")?)?,
    })
}

fn schedule(fields: &Fields<'_>) -> Result<Schedule, CallError> {
    let unit = fields.choice("chargingRateUnit", &UNITS)?;
    let duration =
        match fields.optional_integer("duration")? {
            None => None,
            Some(seconds) => Some(u32::try_from(seconds).map_err(|_| {
                fields.wrong_value("duration", format!("{seconds} is out of range"))
            })?),
        };
    let mut periods = Vec::new();
    for fields in fields.objects("chargingSchedulePeriod")? {
        let start = fields.integer("startPeriod")?;
        let limit = fields.decimal("limit")?;
        if limit < 0.0 {
            return Err(fields.wrong_value("limit", format!("{limit} is negative")));
        }
        let phases = match fields.optional_integer("numberPhases")? {
            None => None,
            Some(phases @ 1..=3) => u8::try_from(phases).ok(),
            Some(phases) => {
                return Err(
                    fields.wrong_value("numberPhases", format!("{phases} is none of 1, 2, 3"))
                );
            }
        };
        let start = u32::try_from(start)
            .map_err(|_| fields.wrong_value("startPeriod", format!("{start} is out of range")))?;
        periods.push(Period::new(start, limit, unit, phases));
    }
    if periods.is_empty() {
        return Err(fields.wrong_count("chargingSchedulePeriod", "missing"));
    }
    fields.optional_decimal("minChargingRate")?;
    Ok(Schedule {
        duration,
        start: fields.optional_timestamp("startSchedule")?,
        periods,
    })
}
