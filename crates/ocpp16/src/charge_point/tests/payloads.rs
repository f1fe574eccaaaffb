//! What the payloads of the central system's calls have to hold, written down from the standard
//! and from what is taken leniently: it tells which errors a wrong payload may be answered with.

use serde_json::{Map, Value};

const TYPE: &str = "TypeConstraintViolation";
const PROPERTY: &str = "PropertyConstraintViolation";
const OCCURENCE: &str = "OccurenceConstraintViolation";

/// The errors that fit a payload.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// One of these is due.
    sure: Vec<&'static str>,
    /// Whether these are is beyond this table.
    possible: Vec<&'static str>,
}

impl Faults {
    /// Of the payload of `action`; `None` for one that no charge point takes.
    pub fn of(action: &str, payload: &Map<String, Value>) -> Option<Self> {
        let (_, fields) = ACTIONS.iter().find(|(name, _)| *name == action)?;
        let mut faults = Self::default();
        faults.judge(fields, payload);
        Some(faults)
    }

    /// Whether a CALLRESULT is right.
    pub fn are_none(&self) -> bool {
        self.sure.is_empty()
    }

    /// Whether a CALLERROR of this code is right.
    pub fn include(&self, code: &str) -> bool {
        self.sure.contains(&code) || self.possible.contains(&code)
    }

    fn judge(&mut self, fields: &[Field], map: &Map<String, Value>) {
        // null is absent.
        let present = |name: &str| map.get(name).filter(|value| !value.is_null());
        for field in fields {
            match present(field.name) {
                Some(value) => self.judge_value(field, value),
                None if field.needed => self.sure.push(OCCURENCE),
                None => {}
            }
        }
        let recurs = present("chargingProfileKind").is_some_and(|kind| kind == "Recurring");
        if recurs && present("recurrencyKind").is_none() {
            self.sure.push(OCCURENCE);
        }
    }

    fn judge_value(&mut self, field: &Field, value: &Value) {
        match &field.form {
            Form::Any => {}
            Form::Text(limit) => self.judge_text(written(value), *limit),
            Form::Address(limit) => {
                self.judge_text(written(value), *limit);
                self.possible.push(PROPERTY);
            }
            Form::Texts(limit) => match value.as_array() {
                Some(texts) => texts
                    .iter()
                    .for_each(|text| self.judge_text(text.as_str().map(str::to_owned), *limit)),
                None => self.sure.push(TYPE),
            },
            Form::Integer(least, most) => match integer(value) {
                Some(number) if (*least..=*most).contains(&number) => {}
                Some(_) => self.sure.push(PROPERTY),
                None => self.sure.push(TYPE),
            },
            Form::Decimal(least) => match decimal(value) {
                Some(number) if number >= *least => {}
                Some(_) => self.sure.push(PROPERTY),
                None => self.sure.push(TYPE),
            },
            Form::Time => match value.as_str() {
                Some(text) if is_common_time(text) => {}
                Some(_) => self.possible.push(TYPE),
                None => self.sure.push(TYPE),
            },
            Form::OneOf(choices) => match value.as_str() {
                Some(text) if choices.contains(&text) => {}
                Some(_) => self.sure.push(PROPERTY),
                None => self.sure.push(TYPE),
            },
            Form::Object(fields) => match value.as_object() {
                Some(map) => self.judge(fields, map),
                None => self.sure.push(TYPE),
            },
            Form::Objects(fields) => match value.as_array() {
                Some(items) if items.is_empty() && field.needed => self.sure.push(OCCURENCE),
                Some(items) => {
                    for item in items {
                        match item.as_object() {
                            Some(map) => self.judge(fields, map),
                            None => self.sure.push(TYPE),
                        }
                    }
                }
                None => self.sure.push(TYPE),
            },
        }
    }

    fn judge_text(&mut self, text: Option<String>, limit: usize) {
        match text {
            Some(text) if text.chars().count() <= limit => {}
            Some(_) => self.sure.push(PROPERTY),
            None => self.sure.push(TYPE),
        }
    }
}

/// Numbers and booleans are taken for their text.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 6, 6.0 and "6".
fn integer(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Value::String(text) = value {
        return text.trim().parse().ok();
    }
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() <= EXACT;
    #[allow(clippy::cast_possible_truncation, reason = "checked to be whole")]
    let rounded = value.as_f64().filter(whole).map(|number| number as i64);
    value.as_i64().or(rounded)
}

fn decimal(value: &Value) -> Option<f64> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_f64(),
    };
    number.filter(|number| number.is_finite())
}

/// Of the form 2026-03-01T00:00:00Z, on a day that each month has.
fn is_common_time(text: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:ddZ";
    let fits = |(is, wanted): (char, char)| match wanted {
        'd' => is.is_ascii_digit(),
        _ => is == wanted,
    };
    let within = |place: usize, range: std::ops::RangeInclusive<u32>| {
        let number = text.get(place..place + 2).and_then(|two| two.parse().ok());
        number.is_some_and(|number| range.contains(&number))
    };
    text.len() == form.len()
        && text.chars().zip(form.chars()).all(fits)
        && within(0, 20..=20)
        && within(5, 1..=12)
        && within(8, 1..=28)
        && within(11, 0..=23)
        && within(14, 0..=59)
        && within(17, 0..=59)
}

/// What a field may hold.
enum Form {
    Any,
    /// Of so many characters at most.
    Text(usize),
    Texts(usize),
    /// A text that may be no address.
    Address(usize),
    Integer(i64, i64),
    Decimal(f64),
    Time,
    OneOf(&'static [&'static str]),
    Object(&'static [Field]),
    Objects(&'static [Field]),
}

struct Field {
    name: &'static str,
    needed: bool,
    form: Form,
}

const fn must(name: &'static str, form: Form) -> Field {
    Field {
        name,
        needed: true,
        form,
    }
}

const fn may(name: &'static str, form: Form) -> Field {
    Field {
        name,
        needed: false,
        form,
    }
}

const INTEGER: Form = Form::Integer(i64::MIN, i64::MAX);
const COUNT: Form = Form::Integer(0, u32::MAX as i64);
const ID_TAG: Form = Form::Text(20);
const UNIT: Form = Form::OneOf(&["A", "W"]);
const PURPOSE: Form = Form::OneOf(&["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]);
const CERTIFICATE_USE: Form = Form::OneOf(&[
    "CentralSystemRootCertificate",
    "ManufacturerRootCertificate",
]);

const PROFILE: &[Field] = &[
    must("chargingProfileId", INTEGER),
    may("transactionId", INTEGER),
    must("stackLevel", COUNT),
    must("chargingProfilePurpose", PURPOSE),
    must(
        "chargingProfileKind",
        Form::OneOf(&["Absolute", "Recurring", "Relative"]),
    ),
    may("recurrencyKind", Form::OneOf(&["Daily", "Weekly"])),
    may("validFrom", Form::Time),
    may("validTo", Form::Time),
    must("chargingSchedule", Form::Object(SCHEDULE)),
];

const SCHEDULE: &[Field] = &[
    may("duration", COUNT),
    may("startSchedule", Form::Time),
    must("chargingRateUnit", UNIT),
    must("chargingSchedulePeriod", Form::Objects(PERIOD)),
    may("minChargingRate", Form::Decimal(f64::MIN)),
];

const PERIOD: &[Field] = &[
    must("startPeriod", COUNT),
    must("limit", Form::Decimal(0.0)),
    may("numberPhases", Form::Integer(1, 3)),
];

const ID_TAG_INFO: &[Field] = &[
    must(
        "status",
        Form::OneOf(&["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]),
    ),
    may("expiryDate", Form::Time),
    may("parentIdTag", ID_TAG),
];

/// All calls of OCPP 1.6 and its security extension that a station may get.
const ACTIONS: [(&str, &[Field]); 26] = [
    ("CancelReservation", &[must("reservationId", INTEGER)]),
    (
        "CertificateSigned",
        &[must("certificateChain", Form::Text(10_000))],
    ),
    (
        "ChangeAvailability",
        &[
            must("connectorId", INTEGER),
            must("type", Form::OneOf(&["Inoperative", "Operative"])),
        ],
    ),
    (
        "ChangeConfiguration",
        &[must("key", Form::Text(50)), must("value", Form::Text(500))],
    ),
    ("ClearCache", &[]),
    (
        "ClearChargingProfile",
        &[
            may("id", INTEGER),
            may("connectorId", INTEGER),
            may("chargingProfilePurpose", PURPOSE),
            may("stackLevel", INTEGER),
        ],
    ),
    (
        "DataTransfer",
        &[
            must("vendorId", Form::Text(255)),
            may("messageId", Form::Text(50)),
            may("data", Form::Any),
        ],
    ),
    (
        "DeleteCertificate",
        &[must(
            "certificateHashData",
            Form::Object(&[
                must(
                    "hashAlgorithm",
                    Form::OneOf(&["SHA256", "SHA384", "SHA512"]),
                ),
                must("issuerNameHash", Form::Text(128)),
                must("issuerKeyHash", Form::Text(128)),
                must("serialNumber", Form::Text(40)),
            ]),
        )],
    ),
    (
        "ExtendedTriggerMessage",
        &[
            must("requestedMessage", Form::Text(50)),
            may("connectorId", INTEGER),
        ],
    ),
    (
        "GetCompositeSchedule",
        &[
            must("connectorId", Form::Integer(0, 1)),
            must("duration", COUNT),
            may("chargingRateUnit", UNIT),
        ],
    ),
    ("GetConfiguration", &[may("key", Form::Texts(50))]),
    (
        "GetDiagnostics",
        &[
            must("location", Form::Address(2048)),
            may("retries", COUNT),
            may("retryInterval", COUNT),
            may("startTime", Form::Time),
            may("stopTime", Form::Time),
        ],
    ),
    (
        "GetInstalledCertificateIds",
        &[must("certificateType", CERTIFICATE_USE)],
    ),
    ("GetLocalListVersion", &[]),
    (
        "GetLog",
        &[
            must("logType", Form::OneOf(&["DiagnosticsLog", "SecurityLog"])),
            must("requestId", INTEGER),
            may("retries", COUNT),
            may("retryInterval", COUNT),
            must(
                "log",
                Form::Object(&[
                    must("remoteLocation", Form::Address(512)),
                    may("oldestTimestamp", Form::Time),
                    may("latestTimestamp", Form::Time),
                ]),
            ),
        ],
    ),
    (
        "InstallCertificate",
        &[
            must("certificateType", CERTIFICATE_USE),
            must("certificate", Form::Text(5500)),
        ],
    ),
    (
        "RemoteStartTransaction",
        &[
            may("connectorId", INTEGER),
            must("idTag", ID_TAG),
            may("chargingProfile", Form::Object(PROFILE)),
        ],
    ),
    ("RemoteStopTransaction", &[must("transactionId", INTEGER)]),
    (
        "ReserveNow",
        &[
            must("connectorId", INTEGER),
            must("expiryDate", Form::Time),
            must("idTag", ID_TAG),
            may("parentIdTag", ID_TAG),
            must("reservationId", INTEGER),
        ],
    ),
    ("Reset", &[must("type", Form::OneOf(&["Hard", "Soft"]))]),
    (
        "SendLocalList",
        &[
            must("listVersion", INTEGER),
            must("updateType", Form::OneOf(&["Differential", "Full"])),
            may(
                "localAuthorizationList",
                Form::Objects(&[
                    must("idTag", ID_TAG),
                    may("idTagInfo", Form::Object(ID_TAG_INFO)),
                ]),
            ),
        ],
    ),
    (
        "SetChargingProfile",
        &[
            must("connectorId", Form::Integer(0, 1)),
            must("csChargingProfiles", Form::Object(PROFILE)),
        ],
    ),
    (
        "SignedUpdateFirmware",
        &[
            must("requestId", INTEGER),
            may("retries", COUNT),
            may("retryInterval", COUNT),
            must(
                "firmware",
                Form::Object(&[
                    must("location", Form::Address(512)),
                    must("retrieveDateTime", Form::Time),
                    may("installDateTime", Form::Time),
                    must("signingCertificate", Form::Text(5500)),
                    must("signature", Form::Text(800)),
                ]),
            ),
        ],
    ),
    (
        "TriggerMessage",
        &[
            must("requestedMessage", Form::Text(50)),
            may("connectorId", INTEGER),
        ],
    ),
    ("UnlockConnector", &[must("connectorId", INTEGER)]),
    (
        "UpdateFirmware",
        &[
            must("location", Form::Address(2048)),
            may("retries", COUNT),
            may("retryInterval", COUNT),
            must("retrieveDate", Form::Time),
        ],
    ),
];
