//! Requests of the central system, one file for each feature profile.

pub(crate) mod core;
pub(crate) mod firmware_management;
pub(crate) mod local_list;
pub(crate) mod remote_trigger;
pub(crate) mod reservation;
pub(crate) mod security;
pub(crate) mod smart_charging;

use self::core::Core;
use firmware_management::FirmwareManagement;
use local_list::LocalList;
use remote_trigger::RemoteTrigger;
use reservation::Reservation;
use security::Security;
use smart_charging::SmartCharging;

use serde_json::{Map, Value};

use crate::decode::Fields;
use crate::feature::Feature;
use crate::message::outgoing;
use crate::{CallError, ErrorCode};

/// A request of the central system.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Core(Core),
    FirmwareManagement(FirmwareManagement),
    LocalList(LocalList),
    RemoteTrigger(RemoteTrigger),
    Reservation(Reservation),
    Security(Security),
    SmartCharging(SmartCharging),
}

/// Reads the payload of one action.
type Decoder = fn(&Fields<'_>) -> Result<Request, CallError>;

/// All actions that a central system may request, by the feature that they belong to.
const ACTIONS: [(Feature, &[(&str, Decoder)]); 9] = [
    (Feature::Core, &self::core::ACTIONS),
    (Feature::FirmwareManagement, &firmware_management::ACTIONS),
    (Feature::LocalAuthListManagement, &local_list::ACTIONS),
    (Feature::RemoteTrigger, &remote_trigger::ACTIONS),
    (Feature::Reservation, &reservation::ACTIONS),
    (Feature::Security, &security::ACTIONS),
    (
        Feature::SecurityTransfers,
        &remote_trigger::EXTENDED_ACTIONS,
    ),
    (Feature::SecurityTransfers, &security::TRANSFER_ACTIONS),
    (Feature::SmartCharging, &smart_charging::ACTIONS),
];

/// The actions of [`ACTIONS`] with their features.
pub(crate) fn actions() -> impl Iterator<Item = (Feature, &'static str)> {
    ACTIONS
        .iter()
        .flat_map(|(feature, actions)| actions.iter().map(|(name, _)| (*feature, *name)))
}

impl Request {
    /// Reads the payload of `action`.
    ///
    /// # Errors
    /// What to answer as CALLERROR.
    pub(crate) fn decode(action: &str, payload: &Map<String, Value>) -> Result<Self, CallError> {
        for (name, decode) in ACTIONS.iter().flat_map(|(_, actions)| actions.iter()) {
            if *name == action {
                return decode(&Fields::new(payload));
            }
        }
        if outgoing::actions().any(|(_, name)| name == action) {
            return Err(CallError::not_supported(action));
        }
        Err(CallError::new(
            ErrorCode::NotImplemented,
            format!("{action} is not known"),
        ))
    }
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

    #[test]
    fn actions_that_no_charge_point_takes() {
        let for_the_central_system = outgoing::actions().map(|(_, action)| action);
        for action in for_the_central_system.filter(|action| *action != "DataTransfer") {
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
