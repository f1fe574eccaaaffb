//! An MQTT client that sees everything, as an integrator would.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use topic_map::{Payload, Topic};

use crate::SOON;

/// One message as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it arrived.
    pub at: Instant,
    /// Topic.
    pub topic: String,
    /// Payload as text.
    pub payload: String,
    /// The broker had kept it.
    pub retained: bool,
}

#[derive(Debug, Default)]
struct Record {
    /// What is published is seen.
    subscribed: bool,
    last: HashMap<String, String>,
    history: Vec<Seen>,
}

#[derive(Debug, Default)]
struct Shared {
    record: Mutex<Record>,
    grown: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_stop(seen: &Seen) -> bool {
    seen.topic == topic_map::EVSE_FAULT.name()
        && ["control_stalled", "sensor_failure"].contains(&seen.payload.as_str())
}

/// Subscribes to everything and remembers it; clones look at the same memory.
#[derive(Clone)]
pub struct Observer {
    connection: Arc<Connection>,
    shared: Arc<Shared>,
}

struct Connection {
    client: Client,
    ended: Arc<AtomicBool>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The broker may be gone before it hears the good-bye: the reading thread must not
        // look for it for ever, and find the broker of another test.
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.client.try_disconnect();
    }
}

impl Observer {
    /// Connect to the broker on `port` of 127.0.0.1 as `name`.
    pub fn connect(name: &str, port: u16) -> Self {
        crate::stall::watch();
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 256);
        let shared = Arc::new(Shared::default());
        let ended = Arc::new(AtomicBool::new(false));
        let thread = (client.clone(), Arc::clone(&shared), Arc::clone(&ended));
        std::thread::spawn(move || {
            let (client, shared, ended) = thread;
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let _ = client.try_subscribe("#", QoS::AtMostOnce);
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => {
                        shared.lock().subscribed = true;
                        shared.grown.notify_all();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        let mut record = shared.lock();
                        record.last.insert(publish.topic.clone(), payload.clone());
                        record.history.push(Seen {
                            at: Instant::now(),
                            topic: publish.topic,
                            payload,
                            retained: publish.retain,
                        });
                        shared.grown.notify_all();
                    }
                    Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
                    Ok(_) => {}
                    Err(_) if ended.load(Ordering::Relaxed) => return,
                    // The broker is away, on purpose: come back soon.
                    Err(_) => {
                        shared.lock().subscribed = false;
                        crate::process::pause();
                    }
                }
            }
        });
        Self {
            connection: Arc::new(Connection { client, ended }),
            shared,
        }
    }

    /// Publish as an integrator; retained as the topic says.
    pub fn publish<T: Payload>(&self, topic: &Topic<T>, value: &T) {
        self.publish_raw(topic.name(), &value.encode(), topic.info.retain);
    }

    /// Publish any text, once the broker is there: what left before the subscription
    /// would not be seen.
    pub fn publish_raw(&self, topic: &str, payload: &str, retain: bool) {
        self.publish_bytes(topic, payload.as_bytes(), retain);
    }

    /// Publish anything.
    pub fn publish_bytes(&self, topic: &str, payload: &[u8], retain: bool) {
        let waited = self
            .shared
            .grown
            .wait_timeout_while(self.shared.lock(), SOON, |record| !record.subscribed);
        assert!(
            waited.is_ok_and(|(_, timeout)| !timeout.timed_out()),
            "the observer has no broker to publish {topic}"
        );
        self.connection
            .client
            .publish(topic, QoS::AtMostOnce, retain, payload.to_vec())
            .expect("the observer's queue takes a message");
    }

    /// The last value seen on `topic`, as text.
    pub fn text(&self, topic: &str) -> Option<String> {
        self.shared.lock().last.get(topic).cloned()
    }

    /// The last value seen on `topic`; `None` when there is none or it is malformed.
    pub fn value<T: Payload>(&self, topic: &Topic<T>) -> Option<T> {
        topic.decode(self.text(topic.name())?.as_bytes()).ok()
    }

    /// Everything seen so far.
    pub fn history(&self) -> Vec<Seen> {
        self.shared.lock().history.clone()
    }

    /// A mark for [`Observer::since`] and [`Observer::wait_since`].
    pub fn mark(&self) -> usize {
        self.shared.lock().history.len()
    }

    /// What was seen since `mark`.
    pub fn since(&self, mark: usize) -> Vec<Seen> {
        self.shared.lock().history[mark..].to_vec()
    }

    /// Forget the last values: a test of retained state looks at what comes again.
    pub fn forget(&self) {
        self.shared.lock().last.clear();
    }

    /// Wait until the last value on `topic` is `expected`.
    pub fn expect(&self, topic: &str, expected: &str, limit: Duration) {
        let reached = self.wait(limit, |last| {
            last.get(topic).is_some_and(|text| text == expected)
        });
        assert!(
            reached,
            "{topic} is {:?}, not {expected:?}, after {limit:?}; last messages:\n{}",
            self.text(topic),
            self.tail()
        );
    }

    /// Wait until the last values fulfil `condition`; false when `limit` has passed.
    pub fn wait(
        &self,
        limit: Duration,
        condition: impl Fn(&HashMap<String, String>) -> bool,
    ) -> bool {
        let guard = self.shared.lock();
        let waited = self
            .shared
            .grown
            .wait_timeout_while(guard, limit, |record| !condition(&record.last));
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    /// The first message since `mark` that fulfils `condition`.
    pub fn wait_since(
        &self,
        mark: usize,
        limit: Duration,
        condition: impl Fn(&Seen) -> bool,
    ) -> Option<Seen> {
        let find = |record: &Record| {
            record.history[mark..]
                .iter()
                .find(|seen| condition(seen))
                .cloned()
        };
        let guard = self.shared.lock();
        let waited = self
            .shared
            .grown
            .wait_timeout_while(guard, limit, |record| find(record).is_none());
        waited.ok().and_then(|(record, _)| find(&record))
    }

    /// Whether, since `mark`, evsed has stopped by itself, to take up again, because the machine
    /// that runs the tests was too slow for its control thread. That it stopped is evsed's word,
    /// that the machine stood still is not. Waits for it for `limit`.
    pub fn has_stalled(&self, mark: usize, limit: Duration) -> bool {
        let is_stall = |seen: &Seen| is_stop(seen) && crate::stall::explains(seen.at);
        self.wait_since(mark, limit, is_stall).is_some()
    }

    /// Whether, since `mark`, evsed has stopped by itself for want of valid rounds, whatever
    /// kept them away. Waits for it for `limit`.
    pub fn has_stopped(&self, mark: usize, limit: Duration) -> bool {
        self.wait_since(mark, limit, is_stop).is_some()
    }

    /// Wait until, at one moment since `mark`, the last value on each of these topics was
    /// this text; false when `limit` has passed.
    pub fn wait_together(&self, mark: usize, limit: Duration, expected: &[(&str, &str)]) -> bool {
        let held = |record: &Record| {
            let mut last = HashMap::new();
            record.history.iter().enumerate().any(|(n, seen)| {
                last.insert(seen.topic.as_str(), seen.payload.as_str());
                let fits = |(topic, text): &(&str, &str)| last.get(topic) == Some(text);
                n >= mark && expected.iter().all(fits)
            })
        };
        let waited = self
            .shared
            .grown
            .wait_timeout_while(self.shared.lock(), limit, |record| !held(record));
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    /// Everything published before this call has arrived when it returns.
    pub fn fence(&self) {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed).to_string();
        self.publish_raw("test/fence", &number, false);
        self.expect("test/fence", &number, Duration::from_secs(10));
    }

    /// The last twenty messages, for a failing test.
    pub fn tail(&self) -> String {
        let history = self.history();
        let from = history.len().saturating_sub(20);
        history[from..]
            .iter()
            .map(|seen| format!("  {} {}\n", seen.topic, seen.payload))
            .collect()
    }
}
