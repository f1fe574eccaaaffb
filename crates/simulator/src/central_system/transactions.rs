//! Which transactions the recorded frames tell of.

use std::collections::HashMap;

use serde_json::Value;

use super::record::Frame;

/// One transaction as the central system saw it: payloads as received, nothing corrected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transaction {
    /// The id that the central system gave; none while StartTransaction is unanswered.
    pub id: Option<i64>,
    /// Payloads of StartTransaction: more than one when the station repeated it, none
    /// when the station spoke of a transaction that it never started.
    pub starts: Vec<Value>,
    /// Payloads of MeterValues that name this transaction.
    pub meter_values: Vec<Value>,
    /// Payloads of StopTransaction: more than one when the station repeated it.
    pub stops: Vec<Value>,
}

impl Transaction {
    /// It was started and not stopped.
    pub fn is_running(&self) -> bool {
        !self.starts.is_empty() && self.stops.is_empty()
    }

    /// A StartTransaction with this payload is a repetition of the one that began it.
    ///
    /// A station repeats what it got no answer to, word for word. After the stop, the
    /// same words begin another transaction.
    pub(super) fn is_begun_by(&self, start: &Value) -> bool {
        self.is_running() && self.starts.first() == Some(start)
    }
}

/// The transactions in the order of their first mention.
pub(super) fn transactions(frames: &[Frame]) -> Vec<Transaction> {
    let mut found: Vec<Transaction> = Vec::new();
    let mut unanswered: HashMap<(u32, &str), usize> = HashMap::new();
    for frame in frames {
        if !frame.from_station {
            let index = frame
                .answered_id()
                .and_then(|id| unanswered.remove(&(frame.connection, id)));
            let id = frame
                .message
                .pointer("/2/transactionId")
                .and_then(Value::as_i64);
            if let (Some(index), Some(id)) = (index, id)
                && let Some(transaction) = found.get_mut(index)
            {
                transaction.id = Some(id);
            }
            continue;
        }
        let Some((action, payload)) = frame.as_call() else {
            continue;
        };
        match action {
            "StartTransaction" => {
                let index = found
                    .iter()
                    .position(|transaction| transaction.is_begun_by(payload))
                    .unwrap_or_else(|| add(&mut found, None));
                if let Some(transaction) = found.get_mut(index) {
                    transaction.starts.push(payload.clone());
                }
                if let Some(id) = frame.message.get(1).and_then(Value::as_str) {
                    unanswered.insert((frame.connection, id), index);
                }
            }
            "MeterValues" => {
                if let Some(transaction) = named(&mut found, payload) {
                    transaction.meter_values.push(payload.clone());
                }
            }
            "StopTransaction" => {
                if let Some(transaction) = named(&mut found, payload) {
                    transaction.stops.push(payload.clone());
                }
            }
            _ => {}
        }
    }
    found
}

/// The transaction that the payload names; a new entry when it was never started.
fn named<'a>(found: &'a mut Vec<Transaction>, payload: &Value) -> Option<&'a mut Transaction> {
    let id = payload.get("transactionId")?.as_i64()?;
    let index = found
        .iter()
        .rposition(|transaction| transaction.id == Some(id))
        .unwrap_or_else(|| add(found, Some(id)));
    found.get_mut(index)
}

fn add(found: &mut Vec<Transaction>, id: Option<i64>) -> usize {
    found.push(Transaction {
        id,
        ..Transaction::default()
    });
    found.len() - 1
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn frame(from_station: bool, message: Value) -> Frame {
        Frame {
            at: Instant::now(),
            connection: 1,
            from_station,
            hostile: false,
            message,
        }
    }

    fn start(id: &str, meter: i64) -> Frame {
        let payload = json!({ "connectorId": 1, "idTag": "A", "meterStart": meter });
        frame(true, json!([2, id, "StartTransaction", payload]))
    }

    fn started(id: &str, transaction: i64) -> Frame {
        frame(false, json!([3, id, { "transactionId": transaction }]))
    }

    fn stop(transaction: i64) -> Frame {
        frame(
            true,
            json!([2, "s", "StopTransaction", { "transactionId": transaction }]),
        )
    }

    #[test]
    fn a_repeated_start_is_the_same_transaction_until_its_stop() {
        let frames = [
            start("a", 0),
            start("b", 0),
            started("b", 7),
            frame(true, json!([2, "m", "MeterValues", { "transactionId": 7 }])),
            stop(7),
            start("c", 0),
        ];
        let found = transactions(&frames);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].id, found[0].starts.len()), (Some(7), 2));
        assert_eq!((found[0].meter_values.len(), found[0].stops.len()), (1, 1));
        assert!(!found[0].is_running());
        assert_eq!((found[1].id, found[1].is_running()), (None, true));
    }

    #[test]
    fn a_stop_without_a_start_is_told() {
        let found = transactions(&[start("a", 0), started("a", 1), stop(9), stop(1)]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[1].id, found[1].starts.len(), found[1].stops.len()),
            (Some(9), 0, 1)
        );
        assert_eq!(found[0].stops.len(), 1);
    }

    #[test]
    fn meter_values_outside_a_transaction_and_foreign_frames_are_passed_over() {
        let frames = [
            frame(true, json!([2, "m", "MeterValues", { "connectorId": 1 }])),
            frame(true, json!("[2,\"cut")),
            frame(false, json!([3, "m", {}])),
        ];
        assert_eq!(transactions(&frames), []);
    }
}
