//! Requests of the central system.

use serde_json::{Map, Value};

use crate::decode::Fields;
use crate::profile::{Kind, Period, Profile, Purpose, RateUnit, Recurrency, Schedule};
use crate::{CallError, CiString, ErrorCode, IdToken};

/// A request that the charge point carries out.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    ChangeAvailability {
        connector: i64,
        operative: bool,
    },
    ChangeConfiguration {
        key: CiString<50>,
        value: CiString<500>,
    },
    ClearCache,
    ClearChargingProfile(ProfileFilter),
    DataTransfer(DataTransfer),
    GetCompositeSchedule {
        connector: i64,
        duration: i64,
        unit: Option<RateUnit>,
    },
    GetConfiguration {
        keys: Vec<CiString<50>>,
    },
    RemoteStartTransaction {
        connector: Option<i64>,
        id_tag: IdToken,
        profile: Option<Profile>,
    },
    RemoteStopTransaction {
        transaction: i64,
    },
    Reset {
        hard: bool,
    },
    SetChargingProfile {
        connector: i64,
        profile: Profile,
    },
    TriggerMessage {
        message: Option<Trigger>,
        connector: Option<i64>,
    },
    UnlockConnector {
        connector: i64,
    },
}

/// `DataTransfer.req`
#[derive(Clone, Debug)]
pub(crate) struct DataTransfer {
    pub vendor: CiString<255>,
    pub message: Option<CiString<50>>,
    /// A text by the standard; what a vendor's central system sends instead is for the vendor.
    pub data: Option<Value>,
}

impl DataTransfer {
    /// The data as text; a number counts for its text, and what is no text is none.
    pub(crate) fn text(&self) -> String {
        match &self.data {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => {
                String::new()
            }
        }
    }
}

/// What `ClearChargingProfile` selects; `None` matches all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProfileFilter {
    pub id: Option<i64>,
    pub connector: Option<i64>,
    pub purpose: Option<Purpose>,
    pub stack_level: Option<i64>,
}

/// The messages that `TriggerMessage` can ask for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    BootNotification,
    Heartbeat,
    MeterValues,
    StatusNotification,
}

/// Requests of OCPP 1.6 and its security extension that are known but not carried out.
const NOT_SUPPORTED: [&str; 26] = [
    // for the charge point
    "CancelReservation",
    "CertificateSigned",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetDiagnostics",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "InstallCertificate",
    "ReserveNow",
    "SendLocalList",
    "SignedUpdateFirmware",
    "UpdateFirmware",
    // for the central system
    "Authorize",
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
];

impl Request {
    /// Reads the payload of `action`.
    ///
    /// # Errors
    /// What to answer as CALLERROR.
    pub(crate) fn decode(action: &str, payload: &Map<String, Value>) -> Result<Self, CallError> {
        let fields = Fields::new(payload);
        match action {
            "ChangeAvailability" => Ok(Self::ChangeAvailability {
                connector: fields.integer("connectorId")?,
                operative: fields.choice("type", &[("Operative", true), ("Inoperative", false)])?,
            }),
            "ChangeConfiguration" => Ok(Self::ChangeConfiguration {
                key: fields.text("key")?,
                value: fields.text("value")?,
            }),
            "ClearCache" => Ok(Self::ClearCache),
            "ClearChargingProfile" => Ok(Self::ClearChargingProfile(ProfileFilter {
                id: fields.optional_integer("id")?,
                connector: fields.optional_integer("connectorId")?,
                purpose: fields.optional_choice("chargingProfilePurpose", &PURPOSES)?,
                stack_level: fields.optional_integer("stackLevel")?,
            })),
            "DataTransfer" => Ok(Self::DataTransfer(DataTransfer {
                vendor: fields.text("vendorId")?,
                message: fields.optional_text("messageId")?,
                data: payload.get("data").cloned(),
            })),
            "GetCompositeSchedule" => Ok(Self::GetCompositeSchedule {
                connector: fields.integer("connectorId")?,
                duration: fields.integer("duration")?,
                unit: fields.optional_choice("chargingRateUnit", &UNITS)?,
            }),
            "GetConfiguration" => Ok(Self::GetConfiguration {
                keys: fields.texts("key")?,
            }),
            "RemoteStartTransaction" => Ok(Self::RemoteStartTransaction {
                connector: fields.optional_integer("connectorId")?,
                id_tag: fields.text("idTag")?,
                profile: fields
                    .optional_object("chargingProfile")?
                    .map(|fields| profile(&fields))
                    .transpose()?,
            }),
            "RemoteStopTransaction" => Ok(Self::RemoteStopTransaction {
                transaction: fields.integer("transactionId")?,
            }),
            "Reset" => Ok(Self::Reset {
                hard: fields.choice("type", &[("Hard", true), ("Soft", false)])?,
            }),
            "SetChargingProfile" => Ok(Self::SetChargingProfile {
                connector: fields.integer("connectorId")?,
                profile: profile(&fields.object("csChargingProfiles")?)?,
            }),
            "TriggerMessage" => {
                let name: CiString<50> = fields.text("requestedMessage")?;
                let message = match name.as_str() {
                    "BootNotification" => Some(Trigger::BootNotification),
                    "Heartbeat" => Some(Trigger::Heartbeat),
                    "MeterValues" => Some(Trigger::MeterValues),
                    "StatusNotification" => Some(Trigger::StatusNotification),
                    _ => None,
                };
                Ok(Self::TriggerMessage {
                    message,
                    connector: fields.optional_integer("connectorId")?,
                })
            }
            "UnlockConnector" => Ok(Self::UnlockConnector {
                connector: fields.integer("connectorId")?,
            }),
            known if NOT_SUPPORTED.contains(&known) => Err(CallError::new(
                ErrorCode::NotSupported,
                format!("{known} is not supported"),
            )),
            unknown => Err(CallError::new(
                ErrorCode::NotImplemented,
                format!("{unknown} is not known"),
            )),
        }
    }
}

const PURPOSES: [(&str, Purpose); 3] = [
    ("ChargePointMaxProfile", Purpose::ChargePointMax),
    ("TxDefaultProfile", Purpose::TxDefault),
    ("TxProfile", Purpose::Tx),
];

const UNITS: [(&str, RateUnit); 2] = [("A", RateUnit::Amperes), ("W", RateUnit::Watts)];

fn profile(fields: &Fields<'_>) -> Result<Profile, CallError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(action: &str, payload: Value) -> String {
        Request::decode(action, payload.as_object().unwrap())
            .unwrap_err()
            .to_string()
    }

    // covers: OC-046, OC-072
    #[test]
    fn actions_that_are_not_carried_out() {
        for action in NOT_SUPPORTED {
            assert!(
                error(action, json!({})).starts_with("NotSupported: "),
                "{action}"
            );
        }
        for action in ["Foo", "", "reset", "SendLocalLists"] {
            assert!(
                error(action, json!({})).starts_with("NotImplemented: "),
                "{action}"
            );
        }
    }

    // covers: OC-047
    #[test]
    fn each_wrong_field_is_named_with_its_code() {
        let profile = |change: fn(&mut Value)| {
            let mut profile = json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute", "chargingSchedule": {"chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}});
            change(&mut profile);
            json!({"connectorId": 1, "csChargingProfiles": profile})
        };
        let set = "SetChargingProfile";
        for (action, payload, expected) in [
            (
                "Reset",
                json!({}),
                "OccurenceConstraintViolation: type: missing",
            ),
            (
                "Reset",
                json!({"type": "Medium"}),
                "PropertyConstraintViolation: type: \"Medium\" is none of Hard, Soft",
            ),
            (
                "Reset",
                json!({"type": 1}),
                "TypeConstraintViolation: type: not a string",
            ),
            (
                "ChangeAvailability",
                json!({"connectorId": "x", "type": "Operative"}),
                "TypeConstraintViolation: connectorId: not an integer",
            ),
            (
                "RemoteStartTransaction",
                json!({"idTag": "123456789012345678901"}),
                "PropertyConstraintViolation: idTag: 21 characters where at most 20 are allowed",
            ),
            (
                "RemoteStopTransaction",
                json!({}),
                "OccurenceConstraintViolation: transactionId: missing",
            ),
            (
                "GetConfiguration",
                json!({"key": "HeartbeatInterval"}),
                "TypeConstraintViolation: key: not an array",
            ),
            (
                "GetConfiguration",
                json!({"key": [1]}),
                "TypeConstraintViolation: key[0]: not a string",
            ),
            (
                "ChangeConfiguration",
                json!({"key": "a"}),
                "OccurenceConstraintViolation: value: missing",
            ),
            (
                "DataTransfer",
                json!({}),
                "OccurenceConstraintViolation: vendorId: missing",
            ),
            (
                "UnlockConnector",
                json!({}),
                "OccurenceConstraintViolation: connectorId: missing",
            ),
            (
                set,
                json!({"connectorId": 1}),
                "OccurenceConstraintViolation: csChargingProfiles: missing",
            ),
            (
                set,
                profile(|p| p["stackLevel"] = json!(-1)),
                "PropertyConstraintViolation: csChargingProfiles.stackLevel: -1 is negative",
            ),
            (
                set,
                profile(|p| p["chargingProfileKind"] = json!("Recurring")),
                "OccurenceConstraintViolation: csChargingProfiles.recurrencyKind: missing for a recurring profile",
            ),
            (
                set,
                profile(|p| p["chargingSchedule"]["chargingRateUnit"] = json!("kW")),
                "PropertyConstraintViolation: csChargingProfiles.chargingSchedule.chargingRateUnit: \"kW\" is none of A, W",
            ),
            (
                set,
                profile(|p| p["chargingSchedule"]["chargingSchedulePeriod"] = json!([])),
                "OccurenceConstraintViolation: csChargingProfiles.chargingSchedule.chargingSchedulePeriod: missing",
            ),
            (
                set,
                profile(|p| {
                    p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = json!(-1)
                }),
                "PropertyConstraintViolation: csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit: -1 is negative",
            ),
            (
                set,
                profile(|p| {
                    p["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] = json!("a lot")
                }),
                "TypeConstraintViolation: csChargingProfiles.chargingSchedule.chargingSchedulePeriod[0].limit: not a number",
            ),
        ] {
            assert_eq!(error(action, payload), expected);
        }
    }

    #[test]
    fn unknown_fields_nulls_and_number_values_are_taken() {
        for (action, payload) in [
            ("Reset", json!({"type": "Soft", "vendor": {"x": 1}})),
            ("GetConfiguration", json!({"key": null})),
            (
                "ChangeConfiguration",
                json!({"key": "HeartbeatInterval", "value": 60}),
            ),
            (
                "ChangeAvailability",
                json!({"connectorId": 0.0, "type": "Operative"}),
            ),
            ("ClearCache", json!({"customData": []})),
        ] {
            assert!(
                Request::decode(action, payload.as_object().unwrap()).is_ok(),
                "{action}"
            );
        }
    }
}
