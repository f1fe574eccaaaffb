//! Who is connected, who subscribed to what, and what is retained.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish, SubAck, SubscribeReasonCode};
use tokio::sync::mpsc;

use super::filter;

/// A client that lets this many packets pile up is cut off.
const OUTBOX_LEN: usize = 20_000;

#[derive(Default)]
pub(super) struct Router {
    clients: HashMap<String, Client>,
    retained: BTreeMap<String, Bytes>,
    sessions: u64,
}

struct Client {
    session: u64,
    filters: BTreeSet<String>,
    /// Dropping it ends the connection.
    outbox: mpsc::Sender<Packet>,
}

/// One connection's identity: a taken over client id has another session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub client_id: String,
    pub number: u64,
}

impl Router {
    /// Let a client in; an older connection with the same id ends.
    pub(super) fn join(&mut self, client_id: &str) -> (Session, mpsc::Receiver<Packet>) {
        self.sessions += 1;
        let number = self.sessions;
        let client_id = if client_id.is_empty() {
            format!("anonymous-{number}")
        } else {
            client_id.to_owned()
        };
        let (outbox, inbox) = mpsc::channel(OUTBOX_LEN);
        let client = Client {
            session: number,
            filters: BTreeSet::new(),
            outbox,
        };
        self.clients.insert(client_id.clone(), client);
        (Session { client_id, number }, inbox)
    }

    /// Forget a connection unless its client id was taken over.
    pub(super) fn leave(&mut self, session: &Session) {
        if self.client(session).is_some() {
            self.clients.remove(&session.client_id);
        }
    }

    /// Pass a message to everybody who subscribed to it, once each.
    pub(super) fn publish(&mut self, topic: &str, payload: &Bytes, retain: bool) {
        if retain && payload.is_empty() {
            self.retained.remove(topic);
        } else if retain {
            self.retained.insert(topic.to_owned(), payload.clone());
        }
        self.clients.retain(|_, client| {
            let wants = client
                .filters
                .iter()
                .any(|filter| filter::matches(filter, topic));
            !wants
                || client
                    .outbox
                    .try_send(message(topic, payload, false))
                    .is_ok()
        });
    }

    /// Answer a subscription and send what is retained, also when repeated.
    pub(super) fn subscribe(&mut self, session: &Session, packet_id: u16, filters: Vec<String>) {
        let return_codes = filters
            .iter()
            .map(|filter| match filter::is_filter(filter) {
                true => SubscribeReasonCode::Success(QoS::AtMostOnce),
                false => SubscribeReasonCode::Failure,
            });
        let mut packets = vec![Packet::SubAck(SubAck::new(
            packet_id,
            return_codes.collect(),
        ))];
        for filter in filters.iter().filter(|filter| filter::is_filter(filter)) {
            let matching = self
                .retained
                .iter()
                .filter(|(topic, _)| filter::matches(filter, topic));
            packets.extend(matching.map(|(topic, payload)| message(topic, payload, true)));
        }
        if let Some(client) = self.client(session) {
            client.filters.extend(
                filters
                    .into_iter()
                    .filter(|filter| filter::is_filter(filter)),
            );
        }
        for packet in packets {
            self.send(session, packet);
        }
    }

    pub(super) fn unsubscribe(&mut self, session: &Session, filters: &[String]) {
        if let Some(client) = self.client(session) {
            client.filters.retain(|filter| !filters.contains(filter));
        }
    }

    /// Send to one connection; one that can't take it is cut off.
    pub(super) fn send(&mut self, session: &Session, packet: Packet) {
        let sent = self
            .client(session)
            .is_some_and(|client| client.outbox.try_send(packet).is_ok());
        if !sent {
            self.leave(session);
        }
    }

    fn client(&mut self, session: &Session) -> Option<&mut Client> {
        let client = self.clients.get_mut(&session.client_id)?;
        (client.session == session.number).then_some(client)
    }
}

fn message(topic: &str, payload: &Bytes, retain: bool) -> Packet {
    let mut publish = Publish::from_bytes(topic, QoS::AtMostOnce, payload.clone());
    publish.retain = retain;
    Packet::Publish(publish)
}
