//! The bus against a real mosquitto that comes and goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use daemon_kit::{Bus, Event, Message};
use simulator::mosquitto::Mosquitto;
use topic_map::{Publisher, Topic, TopicInfo};

const DEADLINE: Duration = Duration::from_secs(10);

const TEST: Publisher = Publisher::Daemon("test");

static LEVEL: Topic<bool> = Topic::new(TopicInfo::state("test/level", TEST, "mode3"));
static EDGE: Topic<bool> = Topic::new(TopicInfo::event("test/edge", TEST, "mode3"));

struct Broker {
    mosquitto: Mosquitto,
    _directory: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            mosquitto: Mosquitto::start(directory.path()).unwrap(),
            _directory: directory,
        }
    }

    fn port(&self) -> u16 {
        self.mosquitto.port()
    }

    fn connect(&self, daemon: &'static str) -> Bus {
        Bus::connect(daemon, "127.0.0.1", self.port())
    }

    /// Publish by hand what no bus would: `count` times `payload`, kept or not.
    fn publish(&self, topic: &str, payload: &[u8], count: usize, retain: bool) -> TcpStream {
        const CONNECT: &[u8] = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x00\x00\x01x";
        let mut packet = vec![0x30 | u8::from(retain)];
        let mut left = 2 + topic.len() + payload.len();
        while left > 127 {
            packet.push((left % 128) as u8 | 0x80);
            left /= 128;
        }
        packet.push(left as u8);
        packet.extend([0, topic.len() as u8]);
        packet.extend(topic.as_bytes());
        packet.extend(payload);
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.write_all(CONNECT).unwrap();
        for _ in 0..count {
            stream.write_all(&packet).unwrap();
        }
        stream
    }
}

async fn message(bus: &mut Bus) -> Message {
    loop {
        match tokio::time::timeout(DEADLINE, bus.recv())
            .await
            .expect("a message in time")
        {
            Event::Message(message) => return message,
            Event::Connected | Event::Disconnected => {}
        }
    }
}

async fn until_connected(bus: &mut Bus) {
    let connected = async { while !matches!(bus.recv().await, Event::Connected) {} };
    tokio::time::timeout(DEADLINE, connected)
        .await
        .expect("a connection in time");
}

/// Wait until `bus` hears that `daemon` is there.
async fn until_available(bus: &mut Bus, daemon: &str) {
    loop {
        let next = message(bus).await;
        if next.in_family(&topic_map::DAEMON_AVAILABLE) == Some((daemon, Ok(true))) {
            return;
        }
    }
}

async fn until_disconnected(bus: &mut Bus) {
    let lost = async { while !matches!(bus.recv().await, Event::Disconnected) {} };
    tokio::time::timeout(DEADLINE, lost)
        .await
        .expect("the loss is noticed");
}

#[tokio::test]
async fn a_restarted_broker_gets_subscriptions_and_states_again() {
    let mut broker = Broker::start();
    let sender = broker.connect("sender");
    let mut listener = broker.connect("listener");
    sender.publish(&LEVEL, &true);
    listener.subscribe(&LEVEL);
    assert_eq!(message(&mut listener).await.on(&LEVEL), Some(Ok(true)));

    broker.mosquitto.run().unwrap();
    let again = message(&mut listener).await;
    assert_eq!(
        again.on(&LEVEL),
        Some(Ok(true)),
        "the broker had forgotten both"
    );
}

#[tokio::test]
async fn events_of_the_time_without_broker_never_arrive() {
    let mut broker = Broker::start();
    let mut sender = broker.connect("sender");
    let mut listener = broker.connect("listener");
    listener.subscribe(&EDGE);
    listener.subscribe(&LEVEL);
    sender.publish(&LEVEL, &false);
    until_connected(&mut sender).await;
    assert_eq!(message(&mut listener).await.on(&LEVEL), Some(Ok(false)));

    broker.mosquitto.stop();
    until_disconnected(&mut sender).await;
    sender.publish(&EDGE, &true);
    sender.publish(&LEVEL, &true);
    broker.mosquitto.run().unwrap();

    // The state is the fence: sent after everything that could have been queued.
    assert_eq!(message(&mut listener).await.on(&LEVEL), Some(Ok(true)));
    until_connected(&mut sender).await;
    sender.publish(&EDGE, &false);
    loop {
        let next = message(&mut listener).await;
        if let Some(edge) = next.on(&EDGE) {
            assert_eq!(edge, Ok(false), "the old event arrived late");
            break;
        }
    }
}

#[tokio::test]
async fn the_last_will_marks_a_lost_daemon_gone() {
    let broker = Broker::start();
    let mut watcher = broker.connect("watcher");
    watcher.subscribe_family(&topic_map::DAEMON_AVAILABLE);
    // The broker knows the subscription before the victim comes: it would tell a late
    // watcher the end alone.
    until_available(&mut watcher, "watcher").await;
    let runtime = std::thread::spawn({
        let port = broker.port();
        move || {
            // A runtime of its own: dropping it kills the connection without a farewell.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut bus = Bus::connect("victim", "127.0.0.1", port);
                bus.publish(&LEVEL, &true);
                bus.subscribe(&LEVEL);
                message(&mut bus).await;
            });
        }
    });
    let mut seen = Vec::new();
    while seen != [true, false] {
        let next = message(&mut watcher).await;
        if let Some(("victim", Ok(available))) = next.in_family(&topic_map::DAEMON_AVAILABLE) {
            seen.push(available);
        }
    }
    runtime.join().unwrap();
}

#[tokio::test]
async fn a_broker_that_never_answers_counts_as_away() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let mut bus = Bus::connect("test", "127.0.0.1", port);
    bus.publish(&LEVEL, &true);
    let first = tokio::time::timeout(DEADLINE, bus.recv()).await;
    assert!(matches!(first, Ok(Event::Disconnected)), "{first:?}");
}

#[tokio::test]
async fn two_processes_of_one_name_do_not_storm_the_broker() {
    let broker = Broker::start();
    let mut bus = broker.connect("twin");
    let twin = broker.connect("twin");
    bus.publish(&LEVEL, &true);
    twin.publish(&LEVEL, &true);
    until_connected(&mut bus).await;
    let start = Instant::now();
    for _ in 0..5 {
        until_connected(&mut bus).await;
    }
    // At least half of 100, 200, 400, 800 and 1600 ms.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1500), "{took:?}");
}

#[tokio::test]
async fn a_message_above_the_limit_costs_no_more_than_a_reconnect() {
    let broker = Broker::start();
    let mut bus = broker.connect("test");
    bus.subscribe(&EDGE);
    bus.subscribe(&LEVEL);
    bus.publish(&LEVEL, &true);
    assert_eq!(message(&mut bus).await.on(&LEVEL), Some(Ok(true)));
    let _open = broker.publish(EDGE.name(), &vec![b'x'; 300 * 1024], 1, false);
    until_disconnected(&mut bus).await;
    assert_eq!(message(&mut bus).await.on(&LEVEL), Some(Ok(true)));
}

#[tokio::test]
async fn a_state_that_is_too_long_never_leaves() {
    static LONG: Topic<String> = Topic::new(TopicInfo::state("test/long", TEST, "mode3"));
    let broker = Broker::start();
    let mut bus = broker.connect("test");
    bus.subscribe(&LONG);
    bus.subscribe(&LEVEL);
    until_connected(&mut bus).await;
    bus.publish(&LONG, &"x".repeat(300 * 1024));
    bus.publish(&LEVEL, &true);
    let next = tokio::time::timeout(DEADLINE, bus.recv()).await.unwrap();
    let Event::Message(level) = next else {
        panic!("{next:?}")
    };
    assert_eq!(level.on(&LEVEL), Some(Ok(true)));
}

#[tokio::test]
async fn a_flood_is_left_to_the_broker_and_everything_works_afterwards() {
    const FLOOD: usize = 50_000;
    let broker = Broker::start();
    let mut bus = broker.connect("test");
    bus.subscribe(&EDGE);
    bus.subscribe(&LEVEL);
    until_connected(&mut bus).await;
    let _open = broker.publish(EDGE.name(), b"1", FLOOD, false);
    // Nobody listens for a while; what the daemon says meanwhile is not lost.
    message(&mut bus).await;
    bus.publish(&LEVEL, &true);
    let mut count = 1;
    while message(&mut bus).await.on(&LEVEL).is_none() {
        count += 1;
    }
    assert!(count > 256, "only {count} messages");
    bus.publish(&EDGE, &false);
    while message(&mut bus).await.on(&EDGE) != Some(Ok(false)) {}
}

#[tokio::test]
async fn a_guest_disturbs_neither_the_hosts_daemon_of_the_same_name_nor_its_presence() {
    let broker = Broker::start();
    let mut host = broker.connect("twin");
    host.subscribe_family(&topic_map::DAEMON_AVAILABLE);
    host.subscribe(&LEVEL);
    until_connected(&mut host).await;
    let mut guests = [(); 2].map(|()| Bus::visit("twin", "127.0.0.1", broker.port()));
    for guest in &mut guests {
        guest.subscribe(&EDGE);
        until_connected(guest).await;
    }
    drop(guests);
    let fence = Bus::visit("fence", "127.0.0.1", broker.port());
    fence.publish(&LEVEL, &true);
    loop {
        // A second client of one name would throw the first one out.
        let event = tokio::time::timeout(DEADLINE, host.recv()).await.unwrap();
        let Event::Message(message) = event else {
            panic!("{event:?}")
        };
        match message.in_family(&topic_map::DAEMON_AVAILABLE) {
            Some((name, available)) => assert_eq!((name, available), ("twin", Ok(true))),
            None => break,
        }
    }
}
