//! The shipped configuration of the broker on a real mosquitto: what a client in the LAN
//! can do, and what not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, ConnectionError, Event, MqttOptions, Packet, QoS};
use topic_map::{
    ALL, AUTHORIZATION_STATUS, CONFIGURATION_CHANGED, CONFIGURATION_SET, Publisher, TopicInfo,
};

const DEADLINE: Duration = Duration::from_secs(20);
const FENCE: &str = "port0/session/black_box/request";
/// A packet that the daemons would take, but the broker doesn't.
const TOO_LONG: usize = 200_000;

/// The shipped files, with our ports and paths.
struct Broker {
    process: Child,
    loopback: u16,
    lan: u16,
    _directory: tempfile::TempDir,
}

impl Broker {
    fn start(acl: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |file: &str| directory.path().join(file).display().to_string();
        let passwords = path("passwd");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c", &passwords, "integrator", "secret"])
            .status();
        assert!(made.unwrap().success());
        std::fs::write(path("mosquitto.acl"), acl).unwrap();
        let (loopback, lan) = (free_port(), free_port());
        let shipped = |file: &str| {
            let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
            std::fs::read_to_string(config.join(file)).unwrap()
        };
        std::fs::create_dir(path("conf.d")).unwrap();
        let listeners = shipped("mosquitto.lan.conf")
            .replace("listener 1884", &format!("listener {lan} 127.0.0.1"))
            .replace("/etc/mosquitto", &directory.path().display().to_string());
        std::fs::write(path("conf.d/lan.conf"), listeners).unwrap();
        let configuration = shipped("mosquitto.conf")
            .replace("listener 1883", &format!("listener {loopback}"))
            .replace("/etc/mosquitto", &directory.path().display().to_string());
        // Run by root it would change to a user who can't read our directory.
        std::fs::write(
            path("mosquitto.conf"),
            format!("user root\n{configuration}"),
        )
        .unwrap();
        // Debian keeps it where not every user's path looks.
        let debian = "/usr/sbin/mosquitto";
        let program = if Path::new(debian).exists() {
            debian
        } else {
            "mosquitto"
        };
        let process = Command::new(program)
            .args(["-c", &path("mosquitto.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            loopback,
            lan,
            _directory: directory,
        }
    }

    /// A client, connected; `None` when the broker refuses it.
    fn connect(&self, port: u16, id: &str, user: Option<&str>) -> Option<Peer> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let mut options = MqttOptions::new(id, "127.0.0.1", port);
            options.set_max_packet_size(1 << 20, 1 << 20);
            if let Some(user) = user {
                options.set_credentials(user, "secret");
            }
            let (client, mut connection) = Client::new(options, 1_000);
            match connection.recv_timeout(DEADLINE) {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    return Some(Peer { client, connection });
                }
                Ok(Err(ConnectionError::ConnectionRefused(_))) => return None,
                // It does not listen yet.
                other => assert!(Instant::now() < deadline, "{other:?}"),
            }
        }
    }

    fn daemon(&self, id: &str) -> Peer {
        self.connect(self.loopback, id, None).unwrap()
    }

    fn lan_client(&self, id: &str) -> Peer {
        self.connect(self.lan, id, Some("integrator")).unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct Peer {
    client: Client,
    connection: Connection,
}

impl Peer {
    fn subscribe_to_everything(&mut self) {
        self.client.subscribe("#", QoS::AtMostOnce).unwrap();
        while !matches!(self.next(), Packet::SubAck(_)) {}
    }

    fn publish(&mut self, topic: &str, payload: &[u8], retain: bool) {
        self.client
            .publish(topic, QoS::AtMostOnce, retain, payload)
            .unwrap();
    }

    /// Lets everything out that was asked for.
    fn flush(&mut self) {
        self.client
            .publish(FENCE, QoS::AtLeastOnce, false, "")
            .unwrap();
        while !matches!(self.next(), Packet::PubAck(_)) {}
    }

    fn next(&mut self) -> Packet {
        loop {
            match self.connection.recv_timeout(DEADLINE).unwrap().unwrap() {
                Event::Incoming(packet) => return packet,
                Event::Outgoing(_) => {}
            }
        }
    }

    /// The topics that have come until the fence.
    fn topics(&mut self) -> BTreeSet<String> {
        let mut topics = BTreeSet::new();
        loop {
            if let Packet::Publish(publish) = self.next() {
                if publish.topic == FENCE {
                    return topics;
                }
                topics.insert(publish.topic);
            }
        }
    }
}

fn names(info: &&'static TopicInfo) -> impl Iterator<Item = String> + use<> {
    let info: &'static TopicInfo = info;
    std::iter::once(&info.name)
        .chain(info.aliases)
        .map(|name| name.replace('+', "x"))
}

fn shipped_acl() -> String {
    topic_map::broker_acl(&[])
}

/// Publishes to every topic there is and more, and says which ones a daemon hears.
fn what_the_lan_can_publish(acl: &str) -> BTreeSet<String> {
    let broker = Broker::start(acl);
    let mut daemon = broker.daemon("evsed");
    daemon.subscribe_to_everything();
    let mut lan = broker.lan_client("anybody");
    let strange = [
        "anything",
        "port0",
        "port1/session/authorization_status",
        "$SYS/x",
    ];
    for name in ALL
        .iter()
        .flat_map(names)
        .chain(strange.map(str::to_owned))
        .filter(|name| name != FENCE)
    {
        lan.publish(&name, b"1", false);
    }
    lan.flush();
    daemon.topics()
}

// covers: AUTH-006
#[test]
fn a_client_in_the_lan_can_publish_what_is_the_customers_and_can_not_grant() {
    let expected: BTreeSet<_> = ALL
        .iter()
        .filter(|info| info.publisher == Publisher::Customer)
        .flat_map(names)
        .filter(|name| name != FENCE)
        .collect();
    let heard = what_the_lan_can_publish(&shipped_acl());
    assert_eq!(heard, expected);
    assert!(!heard.contains(AUTHORIZATION_STATUS.name()));
    // With `mqtt` authentication it may, once the line is no comment any more.
    let rule = format!("pattern write {}\n", AUTHORIZATION_STATUS.name());
    let granted = shipped_acl().replace(&format!("# {rule}"), &rule);
    assert!(what_the_lan_can_publish(&granted).contains(AUTHORIZATION_STATUS.name()));
}

#[test]
fn a_client_in_the_lan_needs_a_name_and_hears_everything_but_secrets() {
    let broker = Broker::start(&shipped_acl());
    let mut daemon = broker.daemon("evsed");
    assert!(broker.connect(broker.lan, "anonymous", None).is_none());
    assert!(broker.connect(broker.lan, "x", Some("stranger")).is_none());
    let mut lan = broker.lan_client("observer");
    lan.subscribe_to_everything();
    daemon.publish("port0/charging", b"1", true);
    daemon.publish(CONFIGURATION_SET.name(), b"{}", false);
    daemon.publish(CONFIGURATION_CHANGED.name(), b"{}", false);
    daemon.flush();
    assert_eq!(lan.topics(), BTreeSet::from(["port0/charging".to_owned()]));
}

#[test]
fn a_client_in_the_lan_can_neither_take_a_daemon_s_place_nor_keep_it_away() {
    let broker = Broker::start(&shipped_acl());
    let mut daemon = broker.daemon("evsed");
    daemon.subscribe_to_everything();
    // The same client id, and a kept message longer than the limit.
    let mut lan = broker.lan_client("evsed");
    lan.publish("ci/global/dyn_current_limit/a", &vec![b'1'; TOO_LONG], true);
    lan.publish("ci/global/dyn_current_limit/b", b"6", true);
    lan.flush();
    let heard = daemon.topics();
    assert!(heard.contains("ci/global/dyn_current_limit/b"));
    assert!(!heard.contains("ci/global/dyn_current_limit/a"));
    let mut late = broker.daemon("ocppd");
    late.subscribe_to_everything();
    daemon.flush();
    assert!(!late.topics().contains("ci/global/dyn_current_limit/a"));
}
