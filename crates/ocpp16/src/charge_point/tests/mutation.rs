//! Frames of a hostile central system: right ones with something wrong in them. Also
//! used by the tests of ocppd.

#[path = "payloads.rs"]
mod payloads;

use payloads::Faults;
use serde_json::Value;

/// Reproducible pseudo-random numbers (xorshift).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// No Reset: it would end what is to be tested.
pub const SEEDS: [&str; 32] = [
    r#"[2,"a","SetChargingProfile",{"connectorId":1,"csChargingProfiles":{"chargingProfileId":0,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Recurring","recurrencyKind":"Daily","validFrom":"2026-03-01T00:00:00Z","chargingSchedule":{"startSchedule":"2025-10-01T13:16:01Z","duration":86400,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":11}]}}}]"#,
    r#"[2,"b","RemoteStartTransaction",{"idTag":"x","connectorId":1,"chargingProfile":{"chargingProfileId":3,"stackLevel":1,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"W","chargingSchedulePeriod":[{"startPeriod":0,"limit":7.5,"numberPhases":3}]}}}]"#,
    r#"[2,"c","RemoteStopTransaction",{"transactionId":7}]"#,
    r#"[2,"d","ChangeConfiguration",{"key":"MeterValuesSampledData","value":"Voltage.L1-N,Current.Import"}]"#,
    r#"[2,"e","ChangeConfiguration",{"key":"ClockAlignedDataInterval","value":"900"}]"#,
    r#"[2,"f","GetConfiguration",{"key":["HeartbeatInterval","Foo"]}]"#,
    r#"[2,"g","ChangeAvailability",{"connectorId":0,"type":"Inoperative"}]"#,
    r#"[2,"h","TriggerMessage",{"requestedMessage":"MeterValues","connectorId":1}]"#,
    r#"[2,"i","GetCompositeSchedule",{"connectorId":1,"duration":86400,"chargingRateUnit":"W"}]"#,
    r#"[2,"j","ClearChargingProfile",{"id":1,"connectorId":1,"chargingProfilePurpose":"TxProfile","stackLevel":0}]"#,
    r#"[2,"k","DataTransfer",{"vendorId":"v","messageId":"m","data":"d"}]"#,
    r#"[3,"first-4",{"transactionId":7,"idTagInfo":{"status":"Accepted","expiryDate":"2026-03-01T12:00:00Z","parentIdTag":"p"}}]"#,
    r#"[4,"first-4","GenericError","what",{}]"#,
    r#"[3,"first-1",{"status":"Accepted","currentTime":"2026-03-01T12:00:01Z","interval":300}]"#,
    r#"[2,"x0","UnlockConnector",{"connectorId":1}]"#,
    r#"[2,"x1","ClearCache",{}]"#,
    r#"[2,"x2","GetLocalListVersion",{}]"#,
    r#"[2,"x3","SendLocalList",{"listVersion":7,"updateType":"Full","localAuthorizationList":[{"idTag":"a","idTagInfo":{"status":"Accepted","expiryDate":"2026-03-02T00:00:00Z","parentIdTag":"p"}},{"idTag":"b","idTagInfo":{"status":"Blocked"}}]}]"#,
    r#"[2,"x4","SendLocalList",{"listVersion":8,"updateType":"Differential","localAuthorizationList":[{"idTag":"a"}]}]"#,
    r#"[2,"x5","ReserveNow",{"connectorId":1,"expiryDate":"2026-03-02T00:00:00Z","idTag":"a","parentIdTag":"p","reservationId":4}]"#,
    r#"[2,"x6","CancelReservation",{"reservationId":4}]"#,
    r#"[2,"x7","GetDiagnostics",{"location":"ftp://127.0.0.1:1/d","retries":0,"retryInterval":1,"startTime":"2026-03-01T00:00:00Z","stopTime":"2026-03-02T00:00:00Z"}]"#,
    r#"[2,"x8","UpdateFirmware",{"location":"http://127.0.0.1:1/f.image","retrieveDate":"2036-03-01T00:00:00Z","retries":0,"retryInterval":1}]"#,
    r#"[2,"x9","ExtendedTriggerMessage",{"requestedMessage":"Heartbeat","connectorId":1}]"#,
    r#"[2,"x10","GetLog",{"logType":"SecurityLog","requestId":5,"log":{"remoteLocation":"ftp://127.0.0.1:1/l"}}]"#,
    r#"[2,"x11","InstallCertificate",{"certificateType":"CentralSystemRootCertificate","certificate":"-----BEGIN CERTIFICATE-----"}]"#,
    r#"[2,"x12","GetInstalledCertificateIds",{"certificateType":"ManufacturerRootCertificate"}]"#,
    r#"[2,"x13","DeleteCertificate",{"certificateHashData":{"hashAlgorithm":"SHA256","issuerNameHash":"00","issuerKeyHash":"00","serialNumber":"00"}}]"#,
    r#"[2,"x14","CertificateSigned",{"certificateChain":"x"}]"#,
    r#"[2,"x15","SignedUpdateFirmware",{"requestId":6,"firmware":{"location":"http://127.0.0.1:1/f","retrieveDateTime":"2036-03-01T00:00:00Z","signingCertificate":"x","signature":"x"}}]"#,
    r#"[2,"x16","NoSuchAction",{"deep":{"deeper":[1,2,{"deepest":null}]}}]"#,
    r#"[2,"same","GetConfiguration",{}]"#,
];

const SPLINTERS: [&str; 16] = [
    "null",
    "-1",
    "1e400",
    "[]",
    "{}",
    "\"\"",
    "9223372036854775808",
    "0.1",
    "\\u0000",
    "\"",
    "]",
    "{\"a\":",
    "true",
    "[[[[",
    ",",
    "\"2026-02-30T25:61:61Z\"",
];

/// One of the seeds with up to five things wrong in it.
pub fn mutated(dice: &mut Dice) -> String {
    let mut bytes = SEEDS[dice.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let place = dice.below(bytes.len().max(1));
        match dice.below(5) {
            0 => bytes.truncate(place),
            1 if !bytes.is_empty() => bytes[place] = u8::try_from(dice.below(128)).unwrap(),
            2 if !bytes.is_empty() => drop(bytes.remove(place)),
            3 => {
                let splinter = SPLINTERS[dice.below(SPLINTERS.len())];
                bytes.splice(place..place, splinter.bytes());
            }
            _ => {
                // The whole value of a field for another: stays JSON more often than not.
                let colons = (0..bytes.len()).filter(|place| bytes[*place] == b':');
                let colons: Vec<usize> = colons.collect();
                let field = dice.below(colons.len().max(1));
                let place = colons.get(field).map_or(place, |colon| colon + 1);
                let rest = &bytes[place..];
                let end = rest
                    .iter()
                    .position(|byte| b",}]".contains(byte))
                    .unwrap_or(0);
                let splinter = SPLINTERS[dice.below(SPLINTERS.len())];
                bytes.splice(place..place + end, splinter.bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is right to say to a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing: it can't be answered.
    Silence,
    /// A CALLERROR of this code to this message id.
    Error(String, &'static str),
    /// A result, or an error about the payload where that is wrong, to this message id.
    Answer(String, Faults),
}

/// What is right to say to `text`.
pub fn due(text: &str) -> Due {
    let Ok(Value::Array(parts)) = serde_json::from_str::<Value>(text) else {
        return Due::Silence;
    };
    let part = |place: usize| parts.get(place).unwrap_or(&Value::Null);
    let is_call = part(0).as_f64() == Some(2.0);
    let Some(id) = part(1).as_str().filter(|id| is_call && !id.is_empty()) else {
        return Due::Silence;
    };
    let id = id.to_owned();
    match (part(2), part(3), parts.len()) {
        (Value::String(action), Value::Object(payload), 4) => match Faults::of(action, payload) {
            Some(faults) => Due::Answer(id, faults),
            None => Due::Error(id, "NotImplemented"),
        },
        _ => Due::Error(id, "FormationViolation"),
    }
}

/// Whether `frame` is what is due.
pub fn is_right(due: &Due, frame: &Value) -> bool {
    let code = frame[2].as_str().unwrap_or_default();
    match (due, frame[0].as_i64()) {
        (Due::Answer(id, faults), Some(3)) => {
            frame[1] == **id && frame[2]["status"] != "" && faults.are_none()
        }
        (Due::Answer(id, faults), Some(4)) => frame[1] == **id && faults.include(code),
        (Due::Error(id, wanted), Some(4)) => frame[1] == **id && code == *wanted,
        _ => false,
    }
}
