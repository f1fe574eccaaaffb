//! The bus against a real mosquitto that comes and goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use daemon_kit::{Bus, Event, Message};
use topic_map::{Publisher, Topic, TopicInfo};

const DEADLINE: Duration = Duration::from_secs(10);

const TEST: Publisher = Publisher::Daemon("test");

static LEVEL: Topic<bool> = Topic::new(TopicInfo::state("test/level", TEST, "mode3"));
static EDGE: Topic<bool> = Topic::new(TopicInfo::event("test/edge", TEST, "mode3"));

/// A mosquitto on a port of its own, in its own directory, without persistence.
struct Broker {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Broker {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let directory = tempfile::tempdir().unwrap();
        let process = Self::spawn(&directory, port);
        Self {
            process,
            port,
            directory,
        }
    }

    fn spawn(directory: &tempfile::TempDir, port: u16) -> Child {
        let path = directory.path().join("mosquitto.conf");
        let mut file = std::fs::File::create(&path).unwrap();
        writeln!(file, "listener {port} 127.0.0.1\nallow_anonymous true").unwrap();
        let process = Command::new("/usr/sbin/mosquitto")
            .arg("-c")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "mosquitto does not listen on {port}"
            );
            std::thread::yield_now();
        }
        process
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.stop();
        self.process = Self::spawn(&self.directory, self.port);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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

#[tokio::test]
async fn a_restarted_broker_gets_subscriptions_and_states_again() {
    let mut broker = Broker::start();
    let sender = Bus::connect("sender", "127.0.0.1", broker.port);
    let mut listener = Bus::connect("listener", "127.0.0.1", broker.port);
    sender.publish(&LEVEL, &true);
    listener.subscribe(&LEVEL);
    assert_eq!(message(&mut listener).await.on(&LEVEL), Some(Ok(true)));

    broker.restart();
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
    let mut sender = Bus::connect("sender", "127.0.0.1", broker.port);
    let mut listener = Bus::connect("listener", "127.0.0.1", broker.port);
    listener.subscribe(&EDGE);
    listener.subscribe(&LEVEL);
    sender.publish(&LEVEL, &false);
    until_connected(&mut sender).await;
    assert_eq!(message(&mut listener).await.on(&LEVEL), Some(Ok(false)));

    broker.stop();
    let lost = async { while !matches!(sender.recv().await, Event::Disconnected) {} };
    tokio::time::timeout(DEADLINE, lost)
        .await
        .expect("the loss is noticed");
    sender.publish(&EDGE, &true);
    sender.publish(&LEVEL, &true);
    broker.restart();

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
    let mut watcher = Bus::connect("watcher", "127.0.0.1", broker.port);
    watcher.subscribe_family(&topic_map::DAEMON_AVAILABLE);
    let runtime = std::thread::spawn({
        let port = broker.port;
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
