//! The judge of conversations (`tools/judges/traces.mjs`) itself, against conversations made up.

use std::process::Command;

use serde_json::{Value, json};

/// A call of a recorded conversation and its answer.
struct Exchange {
    /// After the first one, in s.
    at: u32,
    connection: u32,
    is_stations: bool,
    action: &'static str,
    payload: Value,
    answer: Value,
}

impl Exchange {
    fn of_station(at: u32, action: &'static str, payload: Value, answer: Value) -> Self {
        Self {
            at,
            connection: 1,
            is_stations: true,
            action,
            payload,
            answer,
        }
    }

    fn status(status: &str) -> Self {
        let payload = json!({ "connectorId": 1, "errorCode": "NoError", "status": status });
        Self::of_station(0, "StatusNotification", payload, json!({}))
    }

    fn boot() -> Self {
        let payload = json!({ "chargePointModel": "Bench", "chargePointVendor": "mode3" });
        let answer = json!({ "status": "Accepted", "interval": 300, "currentTime": stamp(0) });
        Self::of_station(0, "BootNotification", payload, answer)
    }

    fn heartbeat(at: u32) -> Self {
        let answer = json!({ "currentTime": stamp(at) });
        Self::of_station(at, "Heartbeat", json!({}), answer)
    }

    fn trigger(at: u32, connection: u32, status: &str) -> Self {
        Self {
            at,
            connection,
            is_stations: false,
            action: "TriggerMessage",
            payload: json!({ "requestedMessage": "Heartbeat" }),
            answer: json!({ "status": status }),
        }
    }

    fn start() -> Self {
        let payload =
            json!({ "connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": stamp(0) });
        let answer = json!({ "transactionId": 1, "idTagInfo": { "status": "Accepted" } });
        Self::of_station(0, "StartTransaction", payload, answer)
    }

    fn lines(&self, number: usize) -> [Value; 2] {
        let line = |is_stations, message| {
            let direction = if is_stations {
                "CS_TO_CSMS"
            } else {
                "CSMS_TO_CS"
            };
            json!({ "timestamp": stamp(self.at), "connection": self.connection,
                "direction": direction, "message": message })
        };
        let id = number.to_string();
        let call = json!([2, id, self.action, self.payload]);
        [
            line(self.is_stations, call),
            line(!self.is_stations, json!([3, id, self.answer])),
        ]
    }
}

fn stamp(at: u32) -> String {
    format!("2026-01-01T00:{:02}:{:02}Z", at / 60, at % 60)
}

/// Whether the judge of conversations finds nothing in these lines of a trace.
fn is_flawless(name: &str, lines: &[Value]) -> bool {
    let directory = tempfile::tempdir().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(directory.path().join(name), text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/judges/traces.mjs");
    let mut command = Command::new("node");
    let output = command.arg(script).arg(directory.path()).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    output.status.success()
}

fn conversation(exchanges: &[Exchange]) -> Vec<Value> {
    let numbered = exchanges.iter().enumerate();
    numbered
        .flat_map(|(n, exchange)| exchange.lines(n))
        .collect()
}

#[test]
fn the_judge_of_conversations_sees_a_wrong_step() {
    let told = |statuses: &[&str]| {
        let exchanges: Vec<_> = statuses.iter().copied().map(Exchange::status).collect();
        conversation(&exchanges)
    };
    let right = told(&[
        "Available",
        "Preparing",
        "Charging",
        "Finishing",
        "Available",
    ]);
    assert!(is_flawless("a.jsonl", &right));
    let wrong = told(&["Available", "Finishing"]);
    assert!(!is_flawless("a.jsonl", &wrong));
    assert!(is_flawless("hostile-a.jsonl", &wrong));
    // The central system's fault is of interest in an undisturbed run only.
    let calls: Vec<_> = right.into_iter().step_by(2).collect();
    assert!(is_flawless("a.jsonl", &calls));
    assert!(!is_flawless("strict-a.jsonl", &calls));
}

#[test]
fn the_judge_of_conversations_sees_a_heartbeat_that_nobody_asked_for() {
    let early = |cause: Option<Exchange>| {
        let mut exchanges = vec![Exchange::boot(), Exchange::heartbeat(300)];
        exchanges.extend(cause);
        exchanges.extend([310, 600].map(Exchange::heartbeat));
        conversation(&exchanges)
    };
    assert!(is_flawless(
        "a.jsonl",
        &early(Some(Exchange::trigger(310, 1, "Accepted")))
    ));
    for cause in [
        None,
        Some(Exchange::trigger(310, 1, "Rejected")),
        Some(Exchange::trigger(310, 2, "Accepted")),
    ] {
        let lines = early(cause);
        assert!(!is_flawless("a.jsonl", &lines));
        assert!(!is_flawless("hostile-a.jsonl", &lines));
    }
}

#[test]
fn the_judge_of_conversations_sees_a_start_before_the_boot() {
    let without = conversation(&[Exchange::start()]);
    assert!(
        is_flawless("a.jsonl", &without),
        "the station was up already"
    );
    assert!(!is_flawless("strict-a.jsonl", &without));
    let before = conversation(&[Exchange::start(), Exchange::boot()]);
    assert!(!is_flawless("a.jsonl", &before));
    let after = conversation(&[Exchange::boot(), Exchange::start()]);
    assert!(is_flawless("a.jsonl", &after));
}
