use serde_json::{Value, json};

use super::bench::Bench;
use crate::{EvseSession, Input, Output};

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

const SEEDS: [&str; 14] = [
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

fn mutated(dice: &mut Dice) -> String {
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
                // A whole value for another: stays JSON more often than not.
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

// covers: OC-047, OC-048
#[test]
fn a_hundred_thousand_mutated_frames() {
    const CODES: [&str; 6] = [
        "FormationViolation",
        "PropertyConstraintViolation",
        "TypeConstraintViolation",
        "OccurenceConstraintViolation",
        "NotImplemented",
        "NotSupported",
    ];
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut bench = Bench::online();
    for round in 0..100_000 {
        let text = mutated(&mut dice);
        let answerable = serde_json::from_str::<Value>(&text).is_ok_and(|value| {
            value[0].as_f64() == Some(2.0)
                && value[1]
                    .as_str()
                    .is_some_and(|id| !id.is_empty() && id.len() < 255)
        });
        bench.others.clear();
        let before = bench.sent.len();
        bench.input(Input::Frame(text.clone()));
        let answer = bench
            .sent
            .iter()
            .skip(before)
            .find(|frame| frame[0] != json!(2))
            .cloned();
        assert_eq!(answer.is_some(), answerable, "{text}");
        if let Some(answer) = answer {
            match answer[0].as_i64() {
                Some(3) => assert_ne!(answer[2]["status"], json!(""), "{text}"),
                _ => assert!(
                    CODES.contains(&answer[2].as_str().unwrap()),
                    "{text}: {answer}"
                ),
            }
        }
        assert!(!bench.others.contains(&Output::Disconnect), "{text}");
        match round % 97 {
            0 => bench.evse(EvseSession::Connected),
            13 => bench.evse(EvseSession::Charging),
            29 => bench.evse(EvseSession::Idle),
            41 => bench.tag("driver"),
            53 => bench.pass(1),
            67 => {
                bench.sent.retain(|frame| frame[0] == json!(2));
                let _ = bench.drain();
            }
            _ => {}
        }
    }
}

#[test]
fn deep_and_wide_json_is_survived() {
    let mut bench = Bench::online();
    bench.input(Input::Frame("[".repeat(1_000_000)));
    bench.input(Input::Frame(format!(
        r#"[2,"a","DataTransfer",{}]"#,
        "{\"a\":".repeat(10_000)
    )));
    let wide = format!(
        r#"[2,"a","GetConfiguration",{{"key":[{}"x"]}}]"#,
        "\"x\",".repeat(100_000)
    );
    assert_eq!(
        bench.call_frame(&wide)[2],
        json!("OccurenceConstraintViolation")
    );
    assert_eq!(bench.status("ClearCache", json!({})), "Accepted");
}
