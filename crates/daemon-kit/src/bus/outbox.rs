//! What waits to be sent, and what must be sent again after a reconnect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Events that may wait for a slow broker.
const EVENTS: usize = 256;

/// One step of the connection task.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    Subscribe(String),
    Publish {
        topic: String,
        payload: String,
        retain: bool,
    },
    /// All is sent and the daemon ends.
    Close,
}

#[derive(Debug)]
enum Queued {
    Subscribe(String),
    /// The value is looked up when it is sent: the last one wins.
    State(String),
    Event {
        topic: String,
        payload: String,
        retain: bool,
    },
}

#[derive(Debug, Default)]
struct Inner {
    connected: bool,
    closing: bool,
    subscriptions: BTreeSet<String>,
    states: BTreeMap<String, (String, bool)>,
    queued_states: BTreeSet<String>,
    queue: VecDeque<Queued>,
    events: usize,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    filled: Notify,
    closed: Notify,
}

impl Outbox {
    pub(super) fn put_state(&self, topic: String, payload: String, retain: bool) {
        let mut inner = self.lock();
        inner.states.insert(topic.clone(), (payload, retain));
        if inner.connected && inner.queued_states.insert(topic.clone()) {
            inner.queue.push_back(Queued::State(topic));
        }
        drop(inner);
        self.filled.notify_one();
    }

    pub(super) fn put_event(
        &self,
        topic: String,
        payload: String,
        retain: bool,
    ) -> Result<(), &'static str> {
        let mut inner = self.lock();
        if !inner.connected {
            return Err("the broker is away");
        }
        if inner.events >= EVENTS {
            return Err("the broker is too slow");
        }
        inner.events += 1;
        inner.queue.push_back(Queued::Event {
            topic,
            payload,
            retain,
        });
        drop(inner);
        self.filled.notify_one();
        Ok(())
    }

    pub(super) fn subscribe(&self, filter: &str) {
        let mut inner = self.lock();
        if inner.subscriptions.insert(filter.to_owned()) && inner.connected {
            inner.queue.push_back(Queued::Subscribe(filter.to_owned()));
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// Subscribe again, so that the broker sends the retained value once more.
    pub(super) fn refresh(&self, filter: &str) {
        let mut inner = self.lock();
        if inner.connected && inner.subscriptions.contains(filter) {
            inner.queue.push_back(Queued::Subscribe(filter.to_owned()));
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// A new connection: all subscriptions, then all states, and no old event.
    pub(super) fn connected(&self) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.connected = true;
        inner.events = 0;
        inner.queue = inner
            .subscriptions
            .iter()
            .cloned()
            .map(Queued::Subscribe)
            .collect();
        inner
            .queue
            .extend(inner.states.keys().cloned().map(Queued::State));
        inner.queued_states = inner.states.keys().cloned().collect();
        self.filled.notify_one();
    }

    pub(super) fn disconnected(&self) {
        let mut inner = self.lock();
        inner.connected = false;
        if inner.events > 0 {
            tracing::warn!(
                count = inner.events,
                "the broker went away: messages are dropped"
            );
        }
        if inner.closing {
            self.closed.notify_one();
        }
    }

    /// Wait for the first use, so that `evsed --safe-state` never meets the broker.
    pub(super) async fn first_use(&self) {
        while self.unused() {
            self.filled.notified().await;
        }
    }

    fn unused(&self) -> bool {
        let inner = self.lock();
        inner.subscriptions.is_empty() && inner.states.is_empty()
    }

    /// The next order, waiting for one. Cancel safe.
    pub(super) async fn next(&self) -> Order {
        loop {
            if let Some(order) = self.take() {
                return order;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Order> {
        let mut inner = self.lock();
        while let Some(queued) = inner.queue.pop_front() {
            match queued {
                Queued::Subscribe(filter) => return Some(Order::Subscribe(filter)),
                Queued::Event {
                    topic,
                    payload,
                    retain,
                } => {
                    inner.events -= 1;
                    return Some(Order::Publish {
                        topic,
                        payload,
                        retain,
                    });
                }
                Queued::State(topic) => {
                    inner.queued_states.remove(&topic);
                    if let Some((payload, retain)) = inner.states.get(&topic).cloned() {
                        return Some(Order::Publish {
                            topic,
                            payload,
                            retain,
                        });
                    }
                }
            }
        }
        inner.closing.then_some(Order::Close)
    }

    /// Ask for the end and wait until all is sent or the broker is away.
    pub(super) async fn close(&self) {
        let connected = {
            let mut inner = self.lock();
            inner.closing = true;
            inner.connected
        };
        self.filled.notify_one();
        if connected {
            self.closed.notified().await;
        }
    }

    pub(super) fn farewell_sent(&self) {
        self.closed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held; even so, the data stay usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &Outbox) -> Vec<Order> {
        std::iter::from_fn(|| outbox.take()).collect()
    }

    fn publish(topic: &str, payload: &str, retain: bool) -> Order {
        Order::Publish {
            topic: topic.into(),
            payload: payload.into(),
            retain,
        }
    }

    #[test]
    fn a_connection_starts_with_subscriptions_then_the_last_states() {
        let outbox = Outbox::default();
        outbox.put_state("s".into(), "old".into(), true);
        outbox.put_state("s".into(), "new".into(), true);
        outbox.subscribe("f/+");
        assert_eq!(
            drain(&outbox),
            [],
            "nothing leaves before the broker is there"
        );
        outbox.connected();
        assert_eq!(
            drain(&outbox),
            [Order::Subscribe("f/+".into()), publish("s", "new", true)]
        );
    }

    #[test]
    fn an_event_never_arrives_late() {
        let outbox = Outbox::default();
        assert!(outbox.put_event("e".into(), "1".into(), false).is_err());
        outbox.connected();
        outbox.put_event("e".into(), "2".into(), false).unwrap();
        outbox.disconnected();
        outbox.connected();
        assert_eq!(drain(&outbox), []);
    }

    #[test]
    fn states_coalesce_and_events_keep_their_order() {
        let outbox = Outbox::default();
        outbox.connected();
        outbox.put_state("s".into(), "1".into(), false);
        outbox.put_event("e".into(), "a".into(), false).unwrap();
        outbox.put_state("s".into(), "2".into(), false);
        outbox.put_event("e".into(), "b".into(), false).unwrap();
        assert_eq!(
            drain(&outbox),
            [
                publish("s", "2", false),
                publish("e", "a", false),
                publish("e", "b", false)
            ]
        );
    }

    #[test]
    fn a_slow_broker_does_not_fill_the_memory() {
        let outbox = Outbox::default();
        outbox.connected();
        for _ in 0..EVENTS {
            outbox.put_event("e".into(), "x".into(), false).unwrap();
        }
        assert!(outbox.put_event("e".into(), "x".into(), false).is_err());
    }
}
