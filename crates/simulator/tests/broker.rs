//! The same behaviour of the embedded broker and of mosquitto: what passes on the
//! one means something on the other.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, Publish, QoS, SubscribeReasonCode,
};
use simulator::broker::Broker;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);
const QOS: QoS = QoS::AtMostOnce;

/// One test per broker for each behaviour.
macro_rules! on_every_broker {
    ($($behaviour:ident)*) => {
        mod embedded {
            $(#[tokio::test]
            async fn $behaviour() {
                let broker = simulator::broker::Broker::start(0).unwrap();
                super::$behaviour(broker.address().port()).await;
            })*
        }
        mod mosquitto {
            $(#[tokio::test]
            async fn $behaviour() {
                let directory = tempfile::tempdir().unwrap();
                let broker = simulator::mosquitto::Mosquitto::start(directory.path()).unwrap();
                super::$behaviour(broker.port()).await;
            })*
        }
    };
}

on_every_broker! {
    retained_messages_meet_every_kind_of_filter
    retained_message_is_cleared_by_an_empty_one
    live_message_has_no_retain_flag
    repeated_subscription_gets_retained_messages_again
    three_hundred_retained_topics_arrive
    overlapping_filters_deliver_once
    unsubscribed_topics_stop
    lost_client_leaves_its_will
    disconnected_client_leaves_no_will
    silent_client_is_dropped_after_its_keep_alive
    second_client_of_one_id_ends_the_first
    burst_keeps_its_order
    large_payload_arrives
    acknowledged_publish_is_acknowledged
    garbage_harms_nobody
}

struct Peer {
    client: AsyncClient,
    events: EventLoop,
}

impl Peer {
    async fn connect(port: u16, id: &str) -> Self {
        Self::with_options(MqttOptions::new(id, "127.0.0.1", port)).await
    }

    async fn with_options(mut options: MqttOptions) -> Self {
        options.set_max_packet_size(256 * 1024, 256 * 1024);
        let (client, events) = AsyncClient::new(options, 5000);
        let mut peer = Self { client, events };
        peer.until(|packet| matches!(packet, Packet::ConnAck(_)).then_some(()))
            .await;
        peer
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(&Packet) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.unwrap()
                    && let Some(found) = wanted(&packet)
                {
                    return found;
                }
            }
        };
        timeout(LONG, search).await.unwrap()
    }

    async fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, QOS).await.unwrap();
        self.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
            .await;
    }

    async fn publish(&mut self, topic: &str, payload: &str, retain: bool) {
        self.client
            .publish(topic, QOS, retain, payload)
            .await
            .unwrap();
        self.until_sent().await;
    }

    async fn until_sent(&mut self) {
        let search = async {
            loop {
                if matches!(
                    self.events.poll().await.unwrap(),
                    Event::Outgoing(rumqttc::Outgoing::Publish(_))
                ) {
                    return;
                }
            }
        };
        timeout(LONG, search).await.unwrap();
    }

    async fn next(&mut self) -> Publish {
        self.until(|packet| {
            if let Packet::Publish(publish) = packet {
                Some(publish.clone())
            } else {
                None
            }
        })
        .await
    }

    /// Everything that arrives before an own message comes back.
    async fn until_fence(&mut self) -> Vec<Publish> {
        // Subscribing to the fence brings nothing else.
        self.client.subscribe("fence", QOS).await.unwrap();
        self.client.publish("fence", QOS, false, "").await.unwrap();
        let mut seen = Vec::new();
        loop {
            let publish = self.next().await;
            if publish.topic == "fence" {
                return seen;
            }
            seen.push(publish);
        }
    }
}

fn texts(publishes: &[Publish]) -> Vec<(String, String)> {
    let text = |p: &Publish| {
        (
            p.topic.clone(),
            String::from_utf8(p.payload.to_vec()).unwrap(),
        )
    };
    publishes.iter().map(text).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(a, b)| (a.to_string(), b.to_string()))
        .collect()
}

async fn retained_messages_meet_every_kind_of_filter(port: u16) {
    let mut publisher = Peer::connect(port, "publisher").await;
    publisher.publish("port0/a/b", "1", true).await;
    publisher.publish("port0/c", "2", true).await;
    publisher.publish("other", "3", true).await;
    assert_eq!(publisher.until_fence().await, []);
    for (filter, expected) in [
        ("port0/a/b", pairs(&[("port0/a/b", "1")])),
        ("port0/+", pairs(&[("port0/c", "2")])),
        ("port0/#", pairs(&[("port0/a/b", "1"), ("port0/c", "2")])),
        ("+/+/b", pairs(&[("port0/a/b", "1")])),
    ] {
        let mut subscriber = Peer::connect(port, "subscriber").await;
        subscriber.client.subscribe(filter, QOS).await.unwrap();
        let seen = subscriber.until_fence().await;
        assert!(seen.iter().all(|publish| publish.retain), "{filter}");
        let mut seen = texts(&seen);
        seen.sort();
        assert_eq!(seen, expected, "{filter}");
    }
}

async fn retained_message_is_cleared_by_an_empty_one(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    peer.publish("a", "1", true).await;
    peer.publish("a", "", true).await;
    peer.client.subscribe("a", QOS).await.unwrap();
    assert_eq!(peer.until_fence().await, []);
}

async fn live_message_has_no_retain_flag(port: u16) {
    let mut subscriber = Peer::connect(port, "subscriber").await;
    subscriber.subscribe("#").await;
    let mut publisher = Peer::connect(port, "publisher").await;
    publisher.publish("a", "1", true).await;
    let seen = subscriber.next().await;
    assert_eq!((seen.topic.as_str(), seen.retain), ("a", false));
}

async fn repeated_subscription_gets_retained_messages_again(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    peer.publish("a", "1", true).await;
    for _ in 0..2 {
        peer.client.subscribe("a", QOS).await.unwrap();
        let seen = peer.until_fence().await;
        assert_eq!(texts(&seen), pairs(&[("a", "1")]));
    }
}

async fn three_hundred_retained_topics_arrive(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    for n in 0..300 {
        peer.client
            .publish(format!("many/{n}"), QOS, true, "x")
            .await
            .unwrap();
    }
    assert_eq!(peer.until_fence().await, []);
    peer.client.subscribe("many/#", QOS).await.unwrap();
    assert_eq!(peer.until_fence().await.len(), 300);
}

async fn overlapping_filters_deliver_once(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    for filter in ["a/#", "a/+", "a/b"] {
        peer.subscribe(filter).await;
    }
    peer.client.publish("a/b", QOS, false, "1").await.unwrap();
    assert_eq!(texts(&peer.until_fence().await), pairs(&[("a/b", "1")]));
}

async fn unsubscribed_topics_stop(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    peer.subscribe("a").await;
    peer.subscribe("b").await;
    peer.client.unsubscribe("a").await.unwrap();
    peer.until(|packet| matches!(packet, Packet::UnsubAck(_)).then_some(()))
        .await;
    peer.client.publish("a", QOS, false, "1").await.unwrap();
    peer.client.publish("b", QOS, false, "2").await.unwrap();
    assert_eq!(texts(&peer.until_fence().await), pairs(&[("b", "2")]));
}

fn mortal(port: u16, retain: bool) -> MqttOptions {
    let mut options = MqttOptions::new("mortal", "127.0.0.1", port);
    options.set_last_will(LastWill::new("will", "gone", QOS, retain));
    options
}

async fn lost_client_leaves_its_will(port: u16) {
    let mut witness = Peer::connect(port, "witness").await;
    witness.subscribe("will").await;
    drop(Peer::with_options(mortal(port, true)).await);
    let seen = witness.next().await;
    assert_eq!(
        (seen.payload.as_ref(), seen.retain),
        (b"gone".as_slice(), false)
    );
    let mut late = Peer::connect(port, "late").await;
    late.client.subscribe("will", QOS).await.unwrap();
    assert!(late.next().await.retain);
}

async fn disconnected_client_leaves_no_will(port: u16) {
    let mut witness = Peer::connect(port, "witness").await;
    witness.subscribe("#").await;
    let mut mortal = Peer::with_options(mortal(port, false)).await;
    mortal.publish("last", "words", false).await;
    mortal.client.disconnect().await.unwrap();
    while mortal.events.poll().await.is_ok() {}
    drop(mortal);
    // The id is free again only when the broker has finished with the first one.
    drop(Peer::connect(port, "mortal").await);
    assert_eq!(
        texts(&witness.until_fence().await),
        pairs(&[("last", "words")])
    );
}

async fn silent_client_is_dropped_after_its_keep_alive(port: u16) {
    let mut witness = Peer::connect(port, "witness").await;
    witness.subscribe("will").await;
    // CONNECT of client "s", keep-alive 1 s, with a will, and then nothing more.
    let mut silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let connect = b"\x10\x19\0\x04MQTT\x04\x06\0\x01\0\x01s\0\x04will\0\x04gone";
    silent.write_all(connect).unwrap();
    let start = Instant::now();
    assert_eq!(witness.next().await.payload.as_ref(), b"gone");
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

async fn second_client_of_one_id_ends_the_first(port: u16) {
    let mut first = Peer::connect(port, "twin").await;
    let mut second = Peer::connect(port, "twin").await;
    let ended = async { while first.events.poll().await.is_ok() {} };
    timeout(LONG, ended).await.unwrap();
    second.subscribe("a").await;
    second.publish("a", "1", false).await;
    assert_eq!(second.next().await.topic, "a");
}

async fn burst_keeps_its_order(port: u16) {
    let mut subscriber = Peer::connect(port, "subscriber").await;
    subscriber.subscribe("burst").await;
    let mut publisher = Peer::connect(port, "publisher").await;
    for n in 0..2000 {
        publisher
            .client
            .publish("burst", QOS, false, n.to_string())
            .await
            .unwrap();
    }
    let sending = tokio::spawn(async move {
        for _ in 0..2000 {
            publisher.until_sent().await;
        }
        publisher
    });
    for n in 0..2000 {
        assert_eq!(
            subscriber.next().await.payload.as_ref(),
            n.to_string().as_bytes()
        );
    }
    sending.await.unwrap();
}

async fn large_payload_arrives(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    peer.subscribe("large").await;
    peer.client
        .publish("large", QOS, false, vec![7; 100_000])
        .await
        .unwrap();
    assert_eq!(peer.next().await.payload.len(), 100_000);
}

async fn acknowledged_publish_is_acknowledged(port: u16) {
    let mut peer = Peer::connect(port, "peer").await;
    peer.subscribe("a").await;
    peer.client
        .publish("a", QoS::AtLeastOnce, false, "1")
        .await
        .unwrap();
    let (mut delivered, mut acknowledged) = (false, false);
    peer.until(|packet| {
        delivered |= matches!(packet, Packet::Publish(_));
        acknowledged |= matches!(packet, Packet::PubAck(_));
        (delivered && acknowledged).then_some(())
    })
    .await;
    peer.client
        .publish("a", QoS::ExactlyOnce, false, "2")
        .await
        .unwrap();
    peer.until(|packet| matches!(packet, Packet::PubComp(_)).then_some(()))
        .await;
}

async fn garbage_harms_nobody(port: u16) {
    let mut witness = Peer::connect(port, "witness").await;
    witness.subscribe("a").await;
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..200 {
        let Ok(mut vandal) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
            continue;
        };
        let mut bytes = Vec::new();
        if round % 2 == 0 {
            bytes.extend(b"\x10\x0d\0\x04MQTT\x04\x02\0\x00\0\x01v");
        }
        for _ in 0..64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes.push(random as u8);
        }
        // The broker may close before all of it is out.
        let _ = vandal.write_all(&bytes);
    }
    witness.publish("a", "alive", false).await;
    assert_eq!(witness.next().await.payload.as_ref(), b"alive");
}

/// The bench broker delivers with QoS 0 only and says so.
#[tokio::test]
async fn embedded_broker_grants_qos_0_and_refuses_bad_filters() {
    let broker = Broker::start(0).unwrap();
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
        .write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\x00\0\x01v")
        .unwrap();
    // SUBSCRIBE 9: "a" with QoS 2, "a#" with QoS 0.
    stream
        .write_all(b"\x82\x0b\0\x09\0\x01a\x02\0\x02a#\x00")
        .unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x20\x02\0\0\x90\x04\0\x09\0\x80");
    let mut peer = Peer::connect(broker.address().port(), "peer").await;
    peer.client.subscribe("a", QoS::AtLeastOnce).await.unwrap();
    let granted = peer
        .until(|packet| {
            if let Packet::SubAck(ack) = packet {
                Some(ack.return_codes.clone())
            } else {
                None
            }
        })
        .await;
    assert_eq!(granted, [SubscribeReasonCode::Success(QoS::AtMostOnce)]);
}

/// A restarted broker on the same port has forgotten everything.
#[tokio::test]
async fn embedded_broker_can_be_restarted_on_its_port() {
    let broker = Broker::start(0).unwrap();
    let port = broker.address().port();
    let mut peer = Peer::connect(port, "peer").await;
    peer.publish("a", "1", true).await;
    drop(broker);
    let lost = async { while peer.events.poll().await.is_ok() {} };
    timeout(LONG, lost).await.unwrap();
    let _broker = Broker::start(port).unwrap();
    let mut peer = Peer::connect(port, "peer").await;
    peer.client.subscribe("#", QOS).await.unwrap();
    assert_eq!(peer.until_fence().await, []);
}
