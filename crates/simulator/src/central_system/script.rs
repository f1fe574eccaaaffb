//! What the central system answers: its defaults and what a test scripts.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

/// How the central system answers a CALL of the station.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What a willing central system answers.
    Default,
    /// A CALLRESULT with this payload, which is valid OCPP 1.6.
    Payload(Value),
    /// A CALLRESULT with a payload that is wrong on purpose: its frame is recorded as hostile.
    Hostile(Value),
    /// A CALLERROR with this code and description.
    CallError(String, String),
    /// No answer at all.
    Silent,
    /// Another answer, this much later.
    Delayed(Duration, Box<Answer>),
}

impl Answer {
    /// A CALLERROR with this code (`NotSupported`, ...) and description.
    pub fn call_error(code: &str, description: &str) -> Self {
        Self::CallError(code.to_owned(), description.to_owned())
    }

    /// `answer`, given `delay` later.
    pub fn delayed(delay: Duration, answer: Self) -> Self {
        Self::Delayed(delay, Box::new(answer))
    }
}

/// The script: which answers differ from the defaults.
#[derive(Default)]
pub(super) struct Script {
    permanent: HashMap<String, Answer>,
    next: HashMap<String, VecDeque<Answer>>,
    /// CALLs that the station has to answer before its BootNotification is answered.
    pub(super) before_boot_answer: Vec<(String, Value)>,
    /// HTTP status with which every WebSocket handshake is refused.
    pub(super) refusal: Option<u16>,
}

impl Script {
    pub(super) fn always(&mut self, action: &str, answer: Answer) {
        self.next.remove(action);
        self.permanent.insert(action.to_owned(), answer);
    }

    pub(super) fn next(&mut self, count: usize, action: &str, answer: &Answer) {
        let queue = self.next.entry(action.to_owned()).or_default();
        queue.extend(std::iter::repeat_n(answer.clone(), count));
    }

    /// The answer to the CALL that has just arrived.
    pub(super) fn take(&mut self, action: &str) -> Answer {
        let queued = self.next.get_mut(action).and_then(VecDeque::pop_front);
        queued
            .or_else(|| self.permanent.get(action).cloned())
            .unwrap_or(Answer::Default)
    }
}

/// The payload of a willing central system, or none for an action that no station may send.
///
/// StartTransaction is not answered here: its answer depends on the transactions so far.
pub(super) fn default_payload(
    action: &str,
    request: &Value,
    heartbeat_interval: Duration,
) -> Option<Value> {
    let payload = match action {
        "BootNotification" => json!({
            "status": "Accepted",
            "currentTime": now(),
            "interval": heartbeat_interval.as_secs(),
        }),
        "Heartbeat" => json!({ "currentTime": now() }),
        "Authorize" => json!({ "idTagInfo": { "status": "Accepted" } }),
        "StopTransaction" if request.get("idTag").is_some() => {
            json!({ "idTagInfo": { "status": "Accepted" } })
        }
        "DataTransfer" | "SignCertificate" => json!({ "status": "Accepted" }),
        "StopTransaction"
        | "StatusNotification"
        | "MeterValues"
        | "DiagnosticsStatusNotification"
        | "FirmwareStatusNotification"
        | "SignedFirmwareStatusNotification"
        | "SecurityEventNotification"
        | "LogStatusNotification" => json!({}),
        _ => return None,
    };
    Some(payload)
}

/// The present time as OCPP wants it: RFC 3339 in UTC.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
