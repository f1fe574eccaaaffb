//! Brokers, an observer at each, and the daemon.

use std::io::{BufRead, BufReader};
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daemon_kit::{Bus, Event};
use simulator::bus::SharedLine;
use simulator::mosquitto::Mosquitto;
use simulator::rfid::Field;
use topic_map::{
    Payload, RFID_AUTHORIZATION_REQUEST, RFID_AUTHORIZEREQ, RFID_AVAILABLE, RfidTag, SESSION_STATE,
    SessionState,
};

const DEADLINE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// The simulator's own register map, as an integrator would write it down.
pub const PROFILE: &str = r#"{"device": "simulated reader", "source": "simulator",
    "function": "holding", "start": 0, "count": 6, "length_at": 0, "uid_at": 1,
    "packing": "two_high_first", "standard": "ISO14443"}"#;

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker in a directory of its own.
pub struct Broker {
    mosquitto: Mosquitto,
    _directory: tempfile::TempDir,
}

impl Broker {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            mosquitto: Mosquitto::start(directory.path()).unwrap(),
            _directory: directory,
        }
    }

    pub fn port(&self) -> u16 {
        self.mosquitto.port()
    }

    pub fn stop(&mut self) {
        self.mosquitto.stop();
    }

    pub fn run(&mut self) {
        self.mosquitto.run().unwrap();
    }

    /// Somebody who sees all that rfidd tells.
    pub async fn observe(&self, name: &'static str) -> Observer {
        let mut bus = Bus::connect(name, "127.0.0.1", self.port());
        bus.subscribe(&RFID_AVAILABLE);
        bus.subscribe(&RFID_AUTHORIZATION_REQUEST);
        bus.subscribe(&RFID_AUTHORIZEREQ);
        let connected = async { while !matches!(bus.recv().await, Event::Connected) {} };
        tokio::time::timeout(DEADLINE, connected).await.unwrap();
        let mut observer = Observer {
            bus,
            seen: Seen::default(),
        };
        observer.fence().await;
        observer
    }

    /// Leave a retained message, as a client that knows no better.
    pub async fn retain(&self, topic: &'static str, payload: &str) {
        let tag = RfidTag::decode(payload.as_bytes()).unwrap();
        let info = topic_map::TopicInfo::state(topic, topic_map::Publisher::Customer, "test");
        let topic = topic_map::Topic::<RfidTag>::new(info);
        let mut bus = Bus::connect("retainer", "127.0.0.1", self.port());
        bus.publish(&topic, &tag);
        bus.subscribe(&topic);
        let back = async { while !matches!(bus.recv().await, Event::Message(_)) {} };
        tokio::time::timeout(DEADLINE, back).await.unwrap();
    }
}

/// All that came, as text.
#[derive(Default)]
pub struct Seen {
    pub available: Option<bool>,
    /// How often it was told that the reader is unavailable.
    pub outages: usize,
    pub requests: Vec<String>,
    pub deprecated: Vec<String>,
}

pub struct Observer {
    bus: Bus,
    pub seen: Seen,
}

impl Observer {
    /// Listen until `what` is there.
    pub async fn until(&mut self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_there(&self.seen) {
            assert!(
                Instant::now() < deadline,
                "no {what}; requests {:?}",
                self.seen.requests
            );
            self.listen(LOOK).await;
        }
    }

    async fn listen(&mut self, limit: Duration) {
        let Ok(Event::Message(message)) = tokio::time::timeout(limit, self.bus.recv()).await else {
            return;
        };
        let text = || String::from_utf8(message.payload.clone()).unwrap();
        if let Some(available) = message.on(&RFID_AVAILABLE) {
            let available = available.unwrap();
            self.seen.available = Some(available);
            self.seen.outages += usize::from(!available);
        } else if message.on(&RFID_AUTHORIZATION_REQUEST).is_some() {
            self.seen.requests.push(text());
        } else if message.on(&RFID_AUTHORIZEREQ).is_some() {
            self.seen.deprecated.push(text());
        }
    }

    /// All that was published before is seen when it returns.
    pub async fn fence(&mut self) {
        const FENCE: &str = "[\"UNKNOWN\",\"FE\"]";
        let tag = RfidTag::decode(FENCE.as_bytes()).unwrap();
        self.bus.publish(&RFID_AUTHORIZATION_REQUEST, &tag);
        self.until("fence", |seen| {
            seen.requests.iter().any(|request| request == FENCE)
        })
        .await;
        self.seen.requests.retain(|request| request != FENCE);
    }

    /// This station's evsed tells its state.
    pub fn session(&self, state: SessionState) {
        self.bus.publish(&SESSION_STATE, &state);
    }

    /// Customer software publishes on the old topic.
    pub fn publish_deprecated(&self, request: &str) {
        let tag = RfidTag::decode(request.as_bytes()).unwrap();
        self.bus.publish(&RFID_AUTHORIZEREQ, &tag);
    }
}

/// The daemon, its broker and an observer there.
pub struct Bench {
    observer: Observer,
    daemon: Process,
    log: Arc<Mutex<Vec<String>>>,
    broker: Broker,
    _directory: tempfile::TempDir,
}

impl Deref for Bench {
    type Target = Observer;
    fn deref(&self) -> &Observer {
        &self.observer
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Observer {
        &mut self.observer
    }
}

impl Bench {
    /// `settings` are members of `ports[0]/rfid`.
    pub async fn start(line: &SharedLine, settings: &str) -> Self {
        Self::on_port(&line.path().display().to_string(), settings).await
    }

    pub async fn on_port(port: &str, settings: &str) -> Self {
        Self::at(Broker::start(), port, settings, None).await
    }

    pub async fn with_profile(line: &SharedLine, settings: &str, profile: &str) -> Self {
        let port = line.path().display().to_string();
        Self::at(Broker::start(), &port, settings, Some(profile)).await
    }

    pub async fn at(broker: Broker, port: &str, settings: &str, profile: Option<&str>) -> Self {
        let observer = broker.observe("test").await;
        let directory = tempfile::tempdir().unwrap();
        let separator = if settings.is_empty() { "" } else { ", " };
        let customer = format!(
            "{{ \"ports\": [ {{ \"rfid\": {{ \"port\": \"{port}\"{separator}{settings} }} }} ] }}"
        );
        std::fs::write(directory.path().join("customer.json"), customer).unwrap();
        if let Some(profile) = profile {
            let profiles = directory.path().join("profiles");
            std::fs::create_dir(&profiles).unwrap();
            std::fs::write(profiles.join("stronglink-modbus.json"), profile).unwrap();
        }
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_rfidd"))
            .arg("--config-dir")
            .arg(directory.path())
            .arg("--mqtt")
            .arg(format!("127.0.0.1:{}", broker.port()))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            observer,
            daemon: Process(daemon),
            log,
            broker,
            _directory: directory,
        }
    }

    pub fn stop_broker(&mut self) {
        self.broker.stop();
    }

    pub fn run_broker(&mut self) {
        self.broker.run();
    }

    /// Somebody else at the daemon's broker.
    pub async fn observe(&self, name: &'static str) -> Observer {
        self.broker.observe(name).await
    }

    pub async fn until_available(&mut self, available: bool) {
        let log = Arc::clone(&self.log);
        let deadline = Instant::now() + DEADLINE;
        while self.seen.available != Some(available) {
            assert!(
                Instant::now() < deadline,
                "not available = {available}; the daemon said {:#?}",
                log.lock().unwrap()
            );
            self.listen(LOOK).await;
        }
    }

    /// Listen until the daemon's log has `text`.
    pub async fn until_said(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.has_said(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} is not in {:#?}",
                self.log()
            );
            self.listen(LOOK).await;
        }
    }

    pub fn has_said(&self, text: &str) -> bool {
        self.log().iter().any(|line| line.contains(text))
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Listen until the reader was asked for `count` more cards.
    pub async fn until_looks(&mut self, field: &Field, count: usize) {
        let enough = field.looks() + count;
        let deadline = Instant::now() + DEADLINE;
        while field.looks() < enough {
            assert!(Instant::now() < deadline, "nobody looks: {:#?}", self.log());
            self.listen(LOOK).await;
        }
    }

    /// Hold a card to the reader for a moment and take it away for longer.
    pub async fn tap(&mut self, field: &Field, card: &[u8]) {
        field.hold(card);
        self.until_looks(field, 2).await;
        field.clear();
        self.until_looks(field, 6).await;
    }

    /// Tap until `station` is asked: what it told may still be on its way.
    pub async fn tap_until(&mut self, field: &Field, card: &[u8], station: &mut Observer) {
        let deadline = Instant::now() + DEADLINE;
        while station.seen.requests.is_empty() {
            assert!(Instant::now() < deadline, "no request: {:#?}", self.log());
            self.tap(field, card).await;
            station.fence().await;
        }
    }

    /// Tap until the daemon's log has `text`.
    pub async fn tap_until_said(&mut self, field: &Field, card: &[u8], text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.has_said(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} is not in {:#?}",
                self.log()
            );
            self.tap(field, card).await;
        }
    }

    pub fn terminate(&self) {
        let pid = self.daemon.0.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.daemon.0.try_wait().unwrap().is_none()
    }

    /// The daemon's end, in time.
    pub async fn exit_status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.daemon.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            self.listen(LOOK).await;
        }
    }
}
