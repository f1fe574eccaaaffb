//! Payloads in JSON: measured values, tags, and the complex
//! types of ISO 15118-2 (guide 15.7, 15.22).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    DataTransferAnswer, DataTransferCall, MaybeEmpty, MeterPublicKey, Payload, PayloadError,
    SignedAnswer, SignedRequest, TagStandard, Timestamp,
};

macro_rules! json {
    ($($name:ty: $form:literal, $is_valid:expr;)*) => {$(
        impl Payload for $name {
            const FORM: &'static str = $form;

            fn encode(&self) -> String {
                // These types have text keys and no failing serializers.
                serde_json::to_string(self).unwrap_or_default()
            }

            fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
                let is_valid: fn(&Self) -> bool = $is_valid;
                serde_json::from_slice(payload)
                    .ok()
                    .filter(is_valid)
                    .ok_or_else(|| PayloadError::new(payload, Self::FORM))
            }
        }
    )*};
}

json! {
    Value: "JSON", |_| true;
    MeterValues: "JSON {timestamp, energy_wh, power_w, voltage_v, current_a, frequency_hz}, \
        the middle three as {total, l1, l2, l3}; unmeasured fields are absent", |_| true;
    MeterIdentity: "JSON {protocol, model, serial, address}", |_| true;
    SignedRequest: "JSON {action: begin or end, reference, id_tag, started, time}", |_| true;
    SignedAnswer: "JSON {action, reference} with either record: {format, encoding, text, \
        public_key} or error", |answer| answer.record.is_some() != answer.error.is_some();
    MeterPublicKey: "JSON {public_key}", |_| true;
    UnlockAnswer: "JSON {id, result: unlocked, failed or not_supported}", |_| true;
    FirmwareSignature: "JSON {certificate: PEM, signature: Base64}", |_| true;
    RfidTag: "JSON [standard, uid]: ISO14443, ISO15693 or UNKNOWN, and 1 to 20 hex bytes",
        RfidTag::is_valid;
    PhysicalValue: "JSON {Multiplier: -3 to 3, Value: -32768 to 32767, optional Unit: 0 to 6}",
        PhysicalValue::is_valid;
    PaymentOptions: "JSON {PaymentOption0, PaymentOption1}; 1 is external payment", |_| true;
    ChargeService: "JSON {ServiceID, ServiceName, ServiceCategory, ServiceScope, FreeService, \
        SupportedEnergyTransferType0 to 4}", |_| true;
    ScheduleList: "JSON {SAScheduleTupleID, Start: [s], Duration: s, PMax: [n], \
        PMaxMultiplier: [-3 to 3]} with lists of one length", ScheduleList::is_valid;
    ChargingProfile: "JSON {Start: [s], PMax: [n], PMaxMultiplier: [-3 to 3], \
        NumberOfPhases: [n]} with lists of one length", ChargingProfile::is_valid;
    DataTransferCall: "JSON [2, id of at most 36 characters, \"DataTransfer\", \
        {vendorId, messageId, data}]", |_| true;
    DataTransferAnswer: "JSON [3, id, {status, data}] or [4, id, code, description, details]",
        |_| true;
    EventLines: "JSON array of texts", |_| true;
    ConfigurationRequest: "JSON {id, path, value}: texts, the path as in customer.json", |_| true;
    ConfigurationAnswer: "JSON {id, error}; without error, the value is in the file", |_| true;
    ConfigurationChange: "JSON {path, value}: texts", |_| true;
}

/// A key of customer.json is to be written (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationRequest {
    /// Of the asker's choice; the answer repeats it.
    pub id: String,
    /// The key, e.g. `ports[0]/evse_current_limit`.
    pub path: String,
    /// Its value as OCPP writes it.
    pub value: String,
}

/// What became of a [`ConfigurationRequest`] (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationAnswer {
    /// Of the request.
    pub id: String,
    /// Why the file was left as it was; absent when the value is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A key of customer.json was written (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationChange {
    /// The key.
    pub path: String,
    /// Its value as OCPP writes it.
    pub value: String,
}

/// Log lines, oldest first (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventLines(pub Vec<String>);

/// What the meter measured (a topic of ours). Absent: not measured by this meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeterValues {
    /// When the reading ended.
    pub timestamp: Timestamp,
    /// Active energy import register in Wh, never falling.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub energy_wh: Option<f64>,
    /// Active power import in W.
    #[serde(default, skip_serializing_if = "PerPhase::is_empty")]
    pub power_w: PerPhase,
    /// Voltage to neutral in V; no total.
    #[serde(default, skip_serializing_if = "PerPhase::is_empty")]
    pub voltage_v: PerPhase,
    /// Current in A.
    #[serde(default, skip_serializing_if = "PerPhase::is_empty")]
    pub current_a: PerPhase,
    /// Mains frequency in Hz.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub frequency_hz: Option<f64>,
}

/// A quantity in all and per phase; a value that is not finite is not published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerPhase {
    /// Over all phases.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub total: Option<f64>,
    /// Phase L1.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub l1: Option<f64>,
    /// Phase L2.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub l2: Option<f64>,
    /// Phase L3.
    #[serde(default, skip_serializing_if = "not_measured")]
    pub l3: Option<f64>,
}

impl PerPhase {
    fn is_empty(&self) -> bool {
        [self.total, self.l1, self.l2, self.l3]
            .iter()
            .all(not_measured)
    }
}

fn not_measured(value: &Option<f64>) -> bool {
    !value.is_some_and(f64::is_finite)
}

/// Which meter answers (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterIdentity {
    /// `ports[0]/meter/protocol` as in force, e.g. `eastron,sdm630`.
    pub protocol: String,
    /// Maker and model for people.
    pub model: String,
    /// Serial number, where the meter tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Modbus address.
    pub address: u8,
}

/// What became of a request to unlock the plug (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnlockAnswer {
    /// The text of the request.
    pub id: String,
    /// How it went.
    pub result: UnlockResult,
}

/// What a firmware file must be signed with (a topic of ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirmwareSignature {
    /// The signer's certificate in PEM form.
    pub certificate: String,
    /// Base64.
    pub signature: String,
}

impl MaybeEmpty for FirmwareSignature {
    const FORM_OR_EMPTY: &'static str = "JSON {certificate: PEM, signature: Base64} or empty";
}

/// How a request to unlock the plug went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlockResult {
    /// The plug can be taken out.
    Unlocked,
    /// It can't, or it took too long.
    Failed,
    /// A fixed cable has no lock.
    NotSupported,
}

/// A tag held to the reader: `["ISO14443","1F2D3A4F5506C7"]` (guide 15.17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RfidTag {
    /// Radio standard.
    pub standard: TagStandard,
    /// The UID as hex digits, least significant byte first, 1 to 20 bytes.
    pub uid: String,
}

impl RfidTag {
    fn is_valid(&self) -> bool {
        let digits = self.uid.len();
        digits.is_multiple_of(2)
            && (2..=40).contains(&digits)
            && self.uid.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl Serialize for RfidTag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.standard.as_str(), &self.uid).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RfidTag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (standard, uid) = <(String, String)>::deserialize(deserializer)?;
        let standard =
            TagStandard::decode(standard.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(Self { standard, uid })
    }
}

/// `Value * 10^Multiplier` (guide 15.7 table 69, PhysicalValueType of ISO 15118-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PhysicalValue {
    /// Power of ten, -3 to 3.
    pub multiplier: i8,
    /// The number.
    pub value: i16,
    /// Unit, 0 to 6; left out for current and voltage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<u8>,
}

impl PhysicalValue {
    fn is_valid(&self) -> bool {
        (-3..=3).contains(&self.multiplier) && self.unit.is_none_or(|unit| unit <= 6)
    }
}

/// Payment options that the station offers (guide 15.5.3, 15.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PaymentOptions {
    /// paymentOptionType of ISO 15118-2; only 1, external payment, is supported.
    pub payment_option0: u8,
    /// A second option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_option1: Option<u8>,
}

/// The charge service that the station offers (guide 15.5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChargeService {
    /// Id of the service.
    #[serde(rename = "ServiceID")]
    pub service_id: u16,
    /// Name for people.
    pub service_name: String,
    /// serviceCategoryType of ISO 15118-2.
    pub service_category: u8,
    /// Scope.
    pub service_scope: String,
    /// Whether charging is free.
    pub free_service: bool,
    /// EnergyTransferModeType of ISO 15118-2, the first of up to five.
    pub supported_energy_transfer_type0: u8,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_energy_transfer_type1: Option<u8>,
    /// The third.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_energy_transfer_type2: Option<u8>,
    /// The fourth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_energy_transfer_type3: Option<u8>,
    /// The fifth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_energy_transfer_type4: Option<u8>,
}

/// One charging schedule offered to the EV (guide 15.5.5, 15.22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleList {
    /// Id of the schedule; the guide's print says `SAScheduleTupled`, which is read as well.
    #[serde(rename = "SAScheduleTupleID", alias = "SAScheduleTupled")]
    pub schedule_tuple_id: u8,
    /// Start of each entry in seconds from now.
    pub start: Vec<u32>,
    /// Length of the last entry in seconds.
    pub duration: u32,
    /// Greatest power of each entry.
    #[serde(rename = "PMax")]
    pub p_max: Vec<i16>,
    /// Power of ten of each `PMax`, -3 to 3.
    #[serde(rename = "PMaxMultiplier")]
    pub p_max_multiplier: Vec<i8>,
}

impl ScheduleList {
    fn is_valid(&self) -> bool {
        self.p_max.len() == self.start.len()
            && self.p_max_multiplier.len() == self.start.len()
            && are_multipliers(&self.p_max_multiplier)
    }
}

/// The charging profile that the EV has chosen (guide 15.5.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChargingProfile {
    /// Start of each entry in seconds from now.
    pub start: Vec<u32>,
    /// Greatest power of each entry.
    #[serde(rename = "PMax")]
    pub p_max: Vec<i16>,
    /// Power of ten of each `PMax`, -3 to 3.
    #[serde(rename = "PMaxMultiplier")]
    pub p_max_multiplier: Vec<i8>,
    /// Phases that the EV will use.
    pub number_of_phases: Vec<u8>,
}

impl ChargingProfile {
    fn is_valid(&self) -> bool {
        let entries = self.start.len();
        self.p_max.len() == entries
            && self.p_max_multiplier.len() == entries
            && self.number_of_phases.len() == entries
            && are_multipliers(&self.p_max_multiplier)
    }
}

fn are_multipliers(powers: &[i8]) -> bool {
    powers.iter().all(|power| (-3..=3).contains(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meter_values_leave_out_what_was_not_measured() {
        let values = MeterValues {
            timestamp: Timestamp::new("2026-01-02T03:04:05Z").unwrap(),
            energy_wh: Some(1234.5),
            power_w: PerPhase {
                total: Some(3680.0),
                l1: Some(f64::NAN),
                ..PerPhase::default()
            },
            voltage_v: PerPhase::default(),
            current_a: PerPhase {
                l1: Some(f64::INFINITY),
                ..PerPhase::default()
            },
            frequency_hz: None,
        };
        let text = values.encode();
        assert_eq!(
            text,
            r#"{"timestamp":"2026-01-02T03:04:05Z","energy_wh":1234.5,"power_w":{"total":3680.0}}"#
        );
        let read = MeterValues::decode(text.as_bytes()).unwrap();
        assert_eq!(read.power_w.total, Some(3680.0));
        assert_eq!(read.power_w.l1, None);
    }

    #[test]
    fn meter_values_refuse_numbers_that_are_not_finite() {
        for wrong in ["1e999", "NaN", "\"1\"", "-Infinity"] {
            let text = format!(r#"{{"timestamp":"2026-01-02T03:04:05Z","energy_wh":{wrong}}}"#);
            assert!(MeterValues::decode(text.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tag_is_a_pair() {
        let text = br#"["ISO14443","1F2D3A4F5506C7"]"#;
        let tag = RfidTag::decode(text).unwrap();
        assert_eq!(tag.standard, TagStandard::Iso14443);
        assert_eq!(tag.encode().as_bytes(), text);
        for wrong in [
            r#"["ISO14443","1F2"]"#,
            r#"["ISO","1F"]"#,
            r#"["UNKNOWN",""]"#,
            r#"["UNKNOWN"]"#,
            "1F",
        ] {
            assert!(RfidTag::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    // covers: CFG-024
    #[test]
    fn a_physical_value_has_a_small_multiplier_a_short_value_and_an_optional_unit() {
        let ampere = PhysicalValue::decode(br#"{"Multiplier":-1,"Value":160}"#).unwrap();
        assert_eq!(
            ampere,
            PhysicalValue {
                multiplier: -1,
                value: 160,
                unit: None
            }
        );
        assert_eq!(ampere.encode(), r#"{"Multiplier":-1,"Value":160}"#);
        assert!(PhysicalValue::decode(br#"{"Multiplier":3,"Value":-32768,"Unit":6}"#).is_ok());
        for wrong in [
            r#"{"Multiplier":4,"Value":1}"#,
            r#"{"Multiplier":0,"Value":32768}"#,
            r#"{"Multiplier":0,"Value":1,"Unit":7}"#,
            r#"{"Multiplier":0}"#,
            r#"{"Multiplier":0,"Value":1.5}"#,
        ] {
            assert!(PhysicalValue::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_printed_spelling_of_the_schedule_id_is_read_too() {
        let text =
            br#"{"SAScheduleTupled":1,"Start":[0],"Duration":60,"PMax":[11],"PMaxMultiplier":[3]}"#;
        let list = ScheduleList::decode(text).unwrap();
        assert!(list.encode().contains("SAScheduleTupleID"));
        let uneven = br#"{"SAScheduleTupleID":1,"Start":[0,1],"Duration":60,"PMax":[11],"PMaxMultiplier":[3]}"#;
        assert!(ScheduleList::decode(uneven).is_err());
    }

    #[test]
    fn data_transfer_frames_are_those_of_ocpp_j() {
        let call = br#"[2,"id-1","DataTransfer",{"vendorId":"v","data":"aGk="}]"#;
        assert_eq!(
            DataTransferCall::decode(call).unwrap().encode().as_bytes(),
            call
        );
        let result = br#"[3,"id-1",{"status":"Accepted"}]"#;
        assert_eq!(
            DataTransferAnswer::decode(result)
                .unwrap()
                .encode()
                .as_bytes(),
            result
        );
        let error = br#"[4,"id-1","InternalError","",{}]"#;
        assert_eq!(
            DataTransferAnswer::decode(error)
                .unwrap()
                .encode()
                .as_bytes(),
            error
        );
        for wrong in [
            r#"[2,"","DataTransfer",{"vendorId":"v"}]"#,
            r#"[2,"id","Heartbeat",{"vendorId":"v"}]"#,
            r#"[3,"id","DataTransfer",{"vendorId":"v"}]"#,
            r#"[4,"id",{"status":"Accepted"}]"#,
        ] {
            assert!(
                DataTransferCall::decode(wrong.as_bytes()).is_err(),
                "{wrong}"
            );
            assert!(
                DataTransferAnswer::decode(wrong.as_bytes()).is_err(),
                "{wrong}"
            );
        }
        let long = format!(
            r#"[2,"{}","DataTransfer",{{"vendorId":"v"}}]"#,
            "x".repeat(37)
        );
        assert!(DataTransferCall::decode(long.as_bytes()).is_err());
    }

    #[test]
    fn deep_nesting_is_an_error() {
        assert!(Value::decode("[".repeat(100_000).as_bytes()).is_err());
        assert!(Value::decode(b"").is_err());
    }
}
