//! The MQTT bus of a daemon: typed, never blocking the caller, and right after
//! every reconnect.
//!
//! A broker that comes back has forgotten subscriptions and retained state, and a
//! client library queue would deliver old commands late. So one task owns the
//! connection; each connection starts with an empty queue, all subscriptions, and
//! the last value of every state. Events are dropped, and said so, while away.

mod connection;
mod outbox;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use topic_map::{Class, Payload, PayloadError, Topic, TopicFamily, TopicInfo};

use outbox::Outbox;

/// Longest payload in bytes that is sent; a longer packet would lose the connection,
/// and a state would do so again after each connect.
const PAYLOAD_LIMIT: usize = 128 * 1024;
/// Messages that may wait for the daemon before the socket is no longer read.
const INBOX: usize = 256;

/// What the bus tells the daemon.
#[derive(Debug)]
pub enum Event {
    /// The broker accepted us; retained values of subscribed topics follow.
    Connected,
    /// The broker is gone; the bus tries again by itself.
    Disconnected,
    /// A message on a subscribed topic.
    Message(Message),
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Topic.
    pub topic: String,
    /// Payload as received.
    pub payload: Vec<u8>,
    /// The broker had kept it: it may be old.
    pub retained: bool,
}

impl Message {
    /// The value, when this message is on `topic`.
    pub fn on<T: Payload>(&self, topic: &Topic<T>) -> Option<Result<T, PayloadError>> {
        (self.topic == topic.name()).then(|| topic.decode(&self.payload))
    }

    /// The member's name and value, when this message belongs to `family`.
    pub fn in_family<T: Payload>(
        &self,
        family: &TopicFamily<T>,
    ) -> Option<(&str, Result<T, PayloadError>)> {
        let member = family.member(&self.topic)?;
        Some((member, family.decode(&self.payload)))
    }
}

/// The sending half; clone it freely.
#[derive(Clone, Debug)]
pub struct Publisher {
    outbox: Arc<Outbox>,
}

impl Publisher {
    /// Publish `value`. Returns at once, whatever the broker does.
    pub fn publish<T: Payload>(&self, topic: &Topic<T>, value: &T) {
        self.put(&topic.info, topic.name().to_owned(), value.encode());
    }

    /// As [`Publisher::publish`]; false where the message is dropped, as an event is while
    /// the broker is away.
    pub fn try_publish<T: Payload>(&self, topic: &Topic<T>, value: &T) -> bool {
        self.put(&topic.info, topic.name().to_owned(), value.encode())
    }

    /// As [`Publisher::publish`], but never retained: for a topic whose retain flag
    /// depends on the use, such as `authorization_status` for one session.
    pub fn publish_once<T: Payload>(&self, topic: &Topic<T>, value: &T) {
        let info = TopicInfo {
            class: Class::Event,
            retain: false,
            ..topic.info
        };
        self.put(&info, topic.name().to_owned(), value.encode());
    }

    /// Publish on the member `name` of a family; a name that MQTT does not allow is
    /// logged and dropped.
    pub fn publish_member<T: Payload>(&self, family: &TopicFamily<T>, name: &str, value: &T) {
        match family.topic(name) {
            Some(topic) => {
                self.put(&family.info, topic, value.encode());
            }
            None => tracing::error!(family = family.filter(), name, "not a valid topic level"),
        }
    }

    /// Whether the message is on its way, or will be.
    fn put(&self, info: &TopicInfo, topic: String, payload: String) -> bool {
        if payload.len() > PAYLOAD_LIMIT {
            let bytes = payload.len();
            tracing::error!(
                topic,
                bytes,
                "more than {PAYLOAD_LIMIT} bytes: the message is dropped"
            );
            return false;
        }
        match info.class {
            Class::State => {
                self.outbox.put_state(topic, payload, info.retain);
                true
            }
            Class::Event => {
                let result = self.outbox.put_event(topic, payload, info.retain);
                if let Err(reason) = result {
                    tracing::warn!(topic = info.name, "{reason}: the message is dropped");
                }
                result.is_ok()
            }
        }
    }

    /// Wait until everything is sent, say good-bye, at most for `limit`.
    pub(crate) async fn farewell(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.outbox.close())
            .await
            .is_err()
        {
            tracing::warn!("the broker did not take the last messages in time");
        }
    }
}

/// A daemon's connection to the local broker.
#[derive(Debug)]
pub struct Bus {
    outbox: Arc<Outbox>,
    inbox: mpsc::Receiver<Event>,
}

impl Bus {
    /// Connects at the first subscription or state, and keeps trying for ever.
    ///
    /// Must be called inside a tokio runtime.
    pub fn connect(daemon: &'static str, host: &str, port: u16) -> Self {
        Self::keep(connection::Endpoint::own(daemon, host, port))
    }

    /// As [`Bus::connect`], at the broker of another station: under a name of its own,
    /// for that station may run the same daemon, and without a last will, which a
    /// guest may not publish.
    pub fn visit(daemon: &'static str, host: &str, port: u16) -> Self {
        Self::keep(connection::Endpoint::guest(daemon, host, port))
    }

    fn keep(endpoint: connection::Endpoint) -> Self {
        let outbox = Arc::new(Outbox::default());
        let (sender, inbox) = mpsc::channel(INBOX);
        tokio::spawn(connection::keep_connected(
            endpoint,
            Arc::clone(&outbox),
            sender,
        ));
        Self { outbox, inbox }
    }

    /// The sending half.
    pub fn publisher(&self) -> Publisher {
        Publisher {
            outbox: Arc::clone(&self.outbox),
        }
    }

    /// See [`Publisher::publish`].
    pub fn publish<T: Payload>(&self, topic: &Topic<T>, value: &T) {
        self.publisher().publish(topic, value);
    }

    /// See [`Publisher::try_publish`].
    pub fn try_publish<T: Payload>(&self, topic: &Topic<T>, value: &T) -> bool {
        self.publisher().try_publish(topic, value)
    }

    /// See [`Publisher::publish_once`].
    pub fn publish_once<T: Payload>(&self, topic: &Topic<T>, value: &T) {
        self.publisher().publish_once(topic, value);
    }

    /// See [`Publisher::publish_member`].
    pub fn publish_member<T: Payload>(&self, family: &TopicFamily<T>, name: &str, value: &T) {
        self.publisher().publish_member(family, name, value);
    }

    /// Receive `topic` from now on, on this and every later connection.
    pub fn subscribe<T: Payload>(&self, topic: &Topic<T>) {
        self.outbox.subscribe(topic.name());
    }

    /// Have the broker send the retained value of a subscribed topic again, marked
    /// as retained: MQTT 3.1.1 does not tell of a live message whether it was kept.
    pub fn refresh<T: Payload>(&self, topic: &Topic<T>) {
        self.outbox.refresh(topic.name());
    }

    /// Receive all members of `family`.
    pub fn subscribe_family<T: Payload>(&self, family: &TopicFamily<T>) {
        self.outbox.subscribe(family.filter());
    }

    /// The next event. Cancel safe.
    pub async fn recv(&mut self) -> Event {
        match self.inbox.recv().await {
            Some(event) => event,
            // The connection task ends only after the farewell: nothing comes any more.
            None => std::future::pending().await,
        }
    }
}
