//! The task that owns the connection to the broker.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, EventLoop, LastWill, MqttOptions, Packet, QoS};
use tokio::sync::mpsc;
use tokio::time::Instant;
use topic_map::Payload;

use super::outbox::{Order, Outbox};
use super::{Event, Message};

const KEEP_ALIVE: Duration = Duration::from_secs(5);
const PACKET_LIMIT: usize = 256 * 1024;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// A connection that lived for less is tried again as slowly as none at all: two
/// processes of one name end each other, a retained message above the limit all.
const STABLE: Duration = Duration::from_secs(10);
/// Requests between the outbox and the socket; they die with the connection.
const REQUESTS: usize = 16;

pub(super) struct Endpoint {
    client_id: String,
    /// The daemon whose presence the broker tells; `None` for a guest.
    daemon: Option<&'static str>,
    host: String,
    port: u16,
}

impl Endpoint {
    /// The station's own broker.
    pub(super) fn own(daemon: &'static str, host: &str, port: u16) -> Self {
        Self {
            client_id: format!("mode3-{daemon}"),
            daemon: Some(daemon),
            host: host.to_owned(),
            port,
        }
    }

    /// The broker of another station, where several guests may come.
    pub(super) fn guest(daemon: &'static str, host: &str, port: u16) -> Self {
        let mut random = [0u8; 8];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::warn!(%error, "no random name for a visit");
        }
        let number = u64::from_ne_bytes(random);
        Self {
            client_id: format!("mode3-{daemon}-{number:016x}"),
            daemon: None,
            host: host.to_owned(),
            port,
        }
    }

    /// The topic that says whether this daemon is there.
    fn available_topic(&self) -> Option<String> {
        topic_map::DAEMON_AVAILABLE.topic(self.daemon?)
    }

    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(PACKET_LIMIT, PACKET_LIMIT);
        if let Some(topic) = self.available_topic() {
            options.set_last_will(LastWill::new(topic, false.encode(), QoS::AtMostOnce, true));
        }
        options
    }
}

/// Connect, serve, and connect again until the farewell is sent.
pub(super) async fn keep_connected(
    endpoint: Endpoint,
    outbox: Arc<Outbox>,
    inbox: mpsc::Sender<Event>,
) {
    outbox.first_use().await;
    let mut retry = FIRST_RETRY;
    let mut away = false;
    loop {
        // A new client each time: requests of the old connection must not leave late.
        let (client, mut events) = AsyncClient::new(endpoint.options(), REQUESTS);
        let lost = match accepted(&mut events).await {
            Ok(()) => {
                let since = Instant::now();
                if let Some(topic) = endpoint.available_topic() {
                    outbox.put_state(topic, true.encode(), true);
                }
                outbox.connected();
                away = false;
                tracing::info!(
                    host = endpoint.host,
                    port = endpoint.port,
                    "broker connected"
                );
                if inbox.send(Event::Connected).await.is_err() {
                    tracing::debug!("the daemon no longer listens");
                }
                let end = tokio::select! {
                    lost = receive(&mut events, &inbox) => End::Lost(lost),
                    () = send(&client, &outbox) => End::Farewell,
                };
                match end {
                    End::Farewell => {
                        return say_goodbye(&endpoint, &client, &mut events, &outbox).await;
                    }
                    End::Lost(reason) => {
                        if since.elapsed() >= STABLE {
                            retry = FIRST_RETRY;
                        }
                        reason
                    }
                }
            }
            Err(reason) => reason,
        };
        outbox.disconnected();
        // Told once, not with every try.
        if !std::mem::replace(&mut away, true) {
            tracing::warn!(
                host = endpoint.host,
                port = endpoint.port,
                "broker away: {lost}"
            );
            if inbox.send(Event::Disconnected).await.is_err() {
                tracing::debug!("the daemon no longer listens");
            }
        }
        tokio::time::sleep_until(Instant::now() + jitter(retry)).await;
        retry = (retry * 2).min(LAST_RETRY);
    }
}

enum End {
    Lost(String),
    Farewell,
}

async fn accepted(events: &mut EventLoop) -> Result<(), String> {
    loop {
        match events.poll().await {
            Ok(rumqttc::Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads until the connection is lost. A full inbox stops the reading: nothing is dropped.
async fn receive(events: &mut EventLoop, inbox: &mpsc::Sender<Event>) -> String {
    loop {
        match events.poll().await {
            Ok(rumqttc::Event::Incoming(Packet::Publish(publish))) => {
                let message = Message {
                    topic: publish.topic,
                    payload: publish.payload.to_vec(),
                    retained: publish.retain,
                };
                // After the daemon's loop ended, messages have no reader and are not needed.
                let _ = inbox.send(Event::Message(message)).await;
            }
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
    }
}

/// Sends until the daemon ends.
async fn send(client: &AsyncClient, outbox: &Outbox) {
    loop {
        let sent = match outbox.next().await {
            Order::Subscribe(filter) => client.subscribe(filter, QoS::AtMostOnce).await,
            Order::Publish {
                topic,
                payload,
                retain,
            } => {
                client
                    .publish(topic, QoS::AtMostOnce, retain, payload)
                    .await
            }
            Order::Close => return,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the connection closed while sending");
        }
    }
}

async fn say_goodbye(
    endpoint: &Endpoint,
    client: &AsyncClient,
    events: &mut EventLoop,
    outbox: &Outbox,
) {
    let requests = async {
        if let Some(topic) = endpoint.available_topic() {
            client
                .publish(topic, QoS::AtMostOnce, true, false.encode())
                .await?;
        }
        client.disconnect().await
    };
    // Until the broker has closed: a socket that is closed with a message unread resets the
    // connection, and the broker drops the farewell with it.
    let closed = async { while events.poll().await.is_ok() {} };
    let (requested, ()) = tokio::join!(requests, closed);
    if let Err(error) = requested {
        tracing::debug!(%error, "the connection closed during the farewell");
    }
    outbox.farewell_sent();
}

/// 50 % to 100 % of `limit`, so that the daemons don't come back all at once.
fn jitter(limit: Duration) -> Duration {
    let mut random = [0u8];
    if getrandom::fill(&mut random).is_err() {
        return limit;
    }
    limit / 2 + limit / 2 * u32::from(random[0]) / 255
}
