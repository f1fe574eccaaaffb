//! What the handle and the thread share, and what follows from a received frame.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio_tungstenite::tungstenite::Bytes;

use super::record::{Frame, Record};
use super::script::{self, Answer, Script};
use super::server::Order;
use super::{Handshake, transactions};

/// What the handle and the thread share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A predicate that panicked leaves the state whole: it could only read.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Do something with the state, and wake those who wait for a change.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let done = work(&mut self.lock());
        self.changed.notify_all();
        done
    }
}

pub(super) struct State {
    pub(super) record: Record,
    pub(super) script: Script,
    heartbeat_interval: Duration,
    next_transaction_id: i64,
    /// The connection that orders go to: the newest one.
    pub(super) line: Option<Line>,
    pub(super) connections: u32,
    pub(super) handshakes: Vec<Handshake>,
    pub(super) pings: usize,
    pub(super) pongs: Vec<Bytes>,
    calls_made: u64,
}

/// The way to the connected station.
pub(super) struct Line {
    pub(super) station: String,
    pub(super) connection: u32,
    pub(super) orders: UnboundedSender<Order>,
}

/// A frame on its way to the station.
pub(super) struct Outgoing {
    pub(super) message: Value,
    pub(super) text: String,
    pub(super) hostile: bool,
}

impl Outgoing {
    pub(super) fn valid(message: Value) -> Self {
        Self {
            text: message.to_string(),
            message,
            hostile: false,
        }
    }

    pub(super) fn hostile(text: String) -> Self {
        let message = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
        Self {
            message,
            text,
            hostile: true,
        }
    }
}

/// A frame that goes out after a delay.
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) outgoing: Outgoing,
}

/// What follows from a received frame.
pub(super) struct Heard {
    /// The CALL of ours that it answers.
    pub(super) answered_id: Option<String>,
    /// Our answer to it, unless we keep silent.
    pub(super) reply: Option<Reply>,
    /// CALLs, with their ids, that the station has to answer before `reply` is sent.
    pub(super) calls_first: Vec<(String, Outgoing)>,
}

impl State {
    pub(super) fn new(
        record: Record,
        heartbeat_interval: Duration,
        first_transaction_id: i64,
    ) -> Self {
        Self {
            record,
            script: Script::default(),
            heartbeat_interval,
            next_transaction_id: first_transaction_id,
            line: None,
            connections: 0,
            handshakes: Vec::new(),
            pings: 0,
            pongs: Vec::new(),
            calls_made: 0,
        }
    }

    /// A message id that no other CALL or ping of this central system has.
    pub(super) fn next_id(&mut self) -> String {
        self.calls_made += 1;
        format!("{:09}", self.calls_made)
    }

    pub(super) fn calls(&self, action: &str) -> impl Iterator<Item = &Value> {
        let received = self.record.since_mark().filter(|frame| frame.from_station);
        received
            .filter_map(Frame::as_call)
            .filter(move |(name, _)| *name == action)
            .map(|call| call.1)
    }

    /// Record a frame that goes to the station.
    pub(super) fn say(&mut self, connection: u32, outgoing: Outgoing) {
        let Outgoing {
            message, hostile, ..
        } = outgoing;
        let at = Instant::now();
        self.record.add(Frame {
            at,
            connection,
            from_station: false,
            hostile,
            message,
        });
    }

    /// Record a frame from the station and decide what follows from it.
    pub(super) fn hear(&mut self, connection: u32, message: Value) -> Heard {
        let at = Instant::now();
        let frame = Frame {
            at,
            connection,
            from_station: true,
            hostile: false,
            message,
        };
        self.record.add(frame.clone());
        let mut heard = Heard {
            answered_id: frame.answered_id().map(str::to_owned),
            reply: None,
            calls_first: Vec::new(),
        };
        let (Some((action, payload)), Some(id)) = (frame.as_call(), frame.message.get(1)) else {
            return heard;
        };
        if action == "BootNotification" {
            for (action, payload) in self.script.before_boot_answer.clone() {
                let id = self.next_id();
                let call = Outgoing::valid(json!([2, id, action, payload]));
                heard.calls_first.push((id, call));
            }
        }
        let answer = self.script.take(action);
        heard.reply = self.reply(answer, id, action, payload);
        heard
    }

    /// The frame that gives `answer`; none to keep silent.
    fn reply(
        &mut self,
        answer: Answer,
        id: &Value,
        action: &str,
        payload: &Value,
    ) -> Option<Reply> {
        let at_once = |outgoing| {
            Some(Reply {
                delay: Duration::ZERO,
                outgoing,
            })
        };
        match answer {
            Answer::Default => at_once(Outgoing::valid(
                match self.default_payload(action, payload) {
                    Some(payload) => json!([3, id, payload]),
                    None => json!([4, id, "NotImplemented", "", {}]),
                },
            )),
            Answer::Payload(payload) => at_once(Outgoing::valid(json!([3, id, payload]))),
            Answer::Hostile(payload) => {
                at_once(Outgoing::hostile(json!([3, id, payload]).to_string()))
            }
            Answer::CallError(code, description) => {
                at_once(Outgoing::valid(json!([4, id, code, description, {}])))
            }
            Answer::Silent => None,
            Answer::Delayed(delay, answer) => {
                let mut reply = self.reply(*answer, id, action, payload)?;
                reply.delay += delay;
                Some(reply)
            }
        }
    }

    fn default_payload(&mut self, action: &str, request: &Value) -> Option<Value> {
        if action != "StartTransaction" {
            return script::default_payload(action, request, self.heartbeat_interval);
        }
        // A repeated StartTransaction gets the id of the first one, else there would be two
        // transactions where there was one.
        let transactions = transactions::transactions(&self.record.frames);
        let known = transactions
            .iter()
            .rev()
            .find(|transaction| transaction.is_begun_by(request));
        let id = known
            .and_then(|transaction| transaction.id)
            .unwrap_or_else(|| {
                let id = self.next_transaction_id;
                self.next_transaction_id += 1;
                id
            });
        Some(json!({ "transactionId": id, "idTagInfo": { "status": "Accepted" } }))
    }
}
