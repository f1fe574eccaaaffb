//! Meter, RFID reader and recloser on one EIA-485 line, each with its own daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hil_tests::{LATER, Observer, Process, SOON, Seen, binary};
use serde_json::{Value, json};
use simulator::bus::{Device, Fault, Registers, SharedLine};
use simulator::mosquitto::Mosquitto;
use simulator::recloser::Recloser;
use simulator::rfid::{Field, ModbusReader, Sl032};

const METER: usize = 0;
const READER: usize = 1;
const RECLOSER: usize = 2;
const UID: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];
const AVAILABLE: [(&str, &str); 3] = [
    ("port0/metering/meter/available", "1"),
    ("port0/rfid/available", "1"),
    ("port0/rcd/recloser/error", "0"),
];

const READER_PROFILE: &str = r#"{"device": "simulated reader", "source": "simulator",
    "function": "holding", "start": 0, "count": 6, "length_at": 0, "uid_at": 1,
    "packing": "two_high_first", "standard": "ISO14443"}"#;
const RECLOSER_PROFILE: &str = r#"{"device": "simulated recloser", "source": "simulator",
    "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
    "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

/// One line, three devices, three daemons.
struct Bench {
    line: SharedLine,
    field: Field,
    recloser: Recloser,
    observer: Observer,
    daemons: HashMap<&'static str, Process>,
    _broker: Mosquitto,
    _directory: tempfile::TempDir,
}

impl Bench {
    fn start(rfid_protocol: &str) -> Self {
        let field = Field::default();
        let recloser = Recloser::default();
        let reader: Box<dyn Device> = if rfid_protocol == "Stronglink" {
            Box::new(Sl032::new(field.clone()))
        } else {
            Box::new(ModbusReader::new(17, field.clone()))
        };
        let meter = Box::new(Registers::sdm630(1));
        let line = SharedLine::start(vec![meter, reader, Box::new(recloser.at(3))]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let broker = Mosquitto::start(directory.path()).unwrap();
        let observer = Observer::connect("observer", broker.port());
        write_configuration(directory.path(), line.path(), rfid_protocol);
        let daemons = ["meteringd", "rfidd", "recloserd"].map(|daemon| {
            let mut command = std::process::Command::new(binary(daemon));
            command
                .arg("--config-dir")
                .arg(directory.path())
                .arg("--mqtt")
                .arg(format!("127.0.0.1:{}", broker.port()))
                .arg("--log")
                .arg("debug");
            let log = directory.path().join(format!("{daemon}.log"));
            (daemon, Process::start(&mut command, &log))
        });
        let bench = Self {
            line,
            field,
            recloser,
            observer,
            daemons: daemons.into(),
            _broker: broker,
            _directory: directory,
        };
        for (topic, value) in AVAILABLE {
            bench.observer.expect(topic, value, LATER);
        }
        bench
    }

    /// Hold the card to the reader until it is told, and take it away.
    fn tap(&self) -> Duration {
        let mark = self.observer.mark();
        let start = Instant::now();
        self.field.hold(&UID);
        let told = self.observer.wait_since(mark, SOON, |seen| {
            seen.topic == "port0/rfid/authorization_request"
        });
        let took = start.elapsed();
        let told = told.expect("the card is told");
        assert_eq!(told.payload, "[\"ISO14443\",\"DEADBEEF\"]");
        self.field.clear();
        let enough = self.field.looks() + 8;
        let deadline = Instant::now() + SOON;
        while self.field.looks() < enough {
            assert!(Instant::now() < deadline, "nobody looks for cards");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        took
    }

    /// Switch the recloser and wait for the answer.
    fn switch(&self, target: &str) -> String {
        let mark = self.observer.mark();
        self.observer
            .publish_raw("port0/rcd/recloser/state/target", target, false);
        let answer = self.observer.wait_since(mark, LATER, |seen| {
            seen.topic == "port0/rcd/recloser/state/confirm"
        });
        answer.expect("an answer").payload
    }

    /// What the daemons said.
    fn logs(&self) -> String {
        let log = |(daemon, process): (&&str, &Process)| format!("--- {daemon}\n{}", process.log());
        self.daemons.iter().map(log).collect()
    }

    /// Whatever was published, it was true.
    fn assert_no_wrong_value(&self) {
        for seen in self.observer.history() {
            match seen.topic.as_str() {
                "port0/metering/meter/values" => {
                    let values: Value = serde_json::from_str(&seen.payload).unwrap();
                    assert_eq!(values["energy_wh"], 1_000_000.0, "{seen:?}");
                    assert_eq!(values["power_w"]["total"], 11_040.0, "{seen:?}");
                    assert_eq!(values["voltage_v"]["l2"], 230.0, "{seen:?}");
                    assert_eq!(values["current_a"]["l3"], 16.0, "{seen:?}");
                    assert_eq!(values["frequency_hz"], 50.0, "{seen:?}");
                }
                "port0/rfid/authorization_request" => {
                    assert_eq!(seen.payload, "[\"ISO14443\",\"DEADBEEF\"]");
                }
                _ => {}
            }
        }
    }
}

fn write_configuration(directory: &Path, port: &Path, rfid_protocol: &str) {
    let customer = json!({ "ports": [{
        "meter": {
            "enable": true, "port": port, "protocol": "eastron,sdm630",
            "publish_settings": { "timer": 1 }
        },
        "rfid": { "enable": true, "port": port, "protocol": rfid_protocol },
        "recloser": { "enable": true, "port": port }
    }] });
    std::fs::write(directory.join("customer.json"), customer.to_string()).unwrap();
    let profiles = directory.join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    std::fs::write(profiles.join("stronglink-modbus.json"), READER_PROFILE).unwrap();
    std::fs::write(profiles.join("geya.json"), RECLOSER_PROFILE).unwrap();
}

/// A customer's program that would like to use the port, too, and never gets in the way
/// for longer than it takes to find out.
struct Bystander {
    end: Arc<AtomicBool>,
    longest: Arc<Mutex<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    fn watch(port: PathBuf) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let longest = Arc::new(Mutex::new(Duration::ZERO));
        let thread = std::thread::spawn({
            let (end, longest) = (Arc::clone(&end), Arc::clone(&longest));
            move || {
                let mut free = Instant::now();
                while !end.load(Ordering::Relaxed) {
                    if is_free(&port) {
                        free = Instant::now();
                    } else {
                        let mut longest = longest.lock().unwrap();
                        *longest = longest.max(free.elapsed());
                    }
                    std::thread::park_timeout(Duration::from_millis(5));
                }
            }
        });
        Self {
            end,
            longest,
            thread: Some(thread),
        }
    }

    /// The longest time for which it saw the port occupied.
    fn longest(mut self) -> Duration {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        *self.longest.lock().unwrap()
    }
}

/// Whether nobody holds the port: neither by TIOCEXCL (binds all but root) nor by file lock.
fn is_free(port: &Path) -> bool {
    match File::open(port) {
        Ok(file) => !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

#[test]
fn three_daemons_share_one_line_and_none_starves() {
    for protocol in ["stronglink-modbus", "Stronglink"] {
        let bench = Bench::start(protocol);
        let bystander = Bystander::watch(bench.line.path().to_owned());
        let mark = bench.observer.mark();
        let start = Instant::now();
        for target in ["open", "close", "open", "close"] {
            let took = bench.tap();
            assert!(took < Duration::from_secs(2), "a card takes {took:?}");
            assert_eq!(bench.switch(target), target);
            assert_eq!(bench.recloser.is_closed(), target == "close");
        }
        let seconds = start.elapsed().as_secs();
        let readings = bench
            .observer
            .since(mark)
            .iter()
            .filter(|seen| seen.topic == "port0/metering/meter/values")
            .count();
        assert!(
            readings as u64 + 2 >= seconds * 2 / 3,
            "{readings} readings in {seconds} s"
        );
        for (topic, value) in AVAILABLE {
            bench.observer.expect(topic, value, SOON);
        }
        bench.assert_no_wrong_value();
        let longest = bystander.longest();
        assert!(longest < Duration::from_secs(1), "occupied for {longest:?}");
    }
}

#[test]
fn one_broken_device_disturbs_no_other_and_all_recover() {
    let bench = Bench::start("stronglink-modbus");
    for broken in [METER, READER, RECLOSER] {
        for fault in [
            Fault::Silence,
            Fault::DamagedAnswer,
            Fault::TruncatedAnswer,
            Fault::Delay(Duration::from_millis(700)),
        ] {
            bench.line.inject(broken, fault);
            let (topic, good) = AVAILABLE[broken];
            let bad = if good == "1" { "0" } else { "1" };
            bench.observer.expect(topic, bad, LATER);
            let mark = bench.observer.mark();
            // What comes late comes into the others' talk: it may cost them an answer.
            let may_disturb = matches!(fault, Fault::Delay(_));
            if broken != READER && !may_disturb {
                bench.tap();
            }
            if broken != RECLOSER {
                let is_closed = bench.recloser.is_closed();
                let target = if is_closed { "open" } else { "close" };
                let answer = bench.switch(target);
                assert!(
                    answer == target || (may_disturb && answer == "notAvailable"),
                    "{fault:?} of device {broken}: {answer}\n{}",
                    bench.logs()
                );
            }
            let is_lost = |seen: &Seen| {
                AVAILABLE.iter().any(|(other, good)| {
                    *other != topic && seen.topic == *other && seen.payload != *good
                })
            };
            let lost = bench.observer.since(mark).into_iter().find(is_lost);
            assert!(
                lost.is_none() || may_disturb,
                "{fault:?} of device {broken}: {lost:?}\n{}",
                bench.logs()
            );
            bench.line.repair(broken);
            for (topic, good) in AVAILABLE {
                bench.observer.expect(topic, good, LATER);
            }
        }
    }
    bench.assert_no_wrong_value();
}

#[test]
fn a_daemon_that_ends_leaves_the_line_to_the_others() {
    let mut bench = Bench::start("stronglink-modbus");
    for victim in ["rfidd", "recloserd"] {
        // Not by SIGKILL: other than a UART, a pseudo terminal stays exclusive then.
        let ended = bench.daemons.get_mut(victim).unwrap().terminate(SOON);
        assert!(ended.success(), "{victim}: {ended}");
        let deadline = Instant::now() + SOON;
        while !is_free(bench.line.path()) {
            assert!(Instant::now() < deadline, "the port stays locked");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let mark = bench.observer.mark();
        let read = bench.observer.wait_since(mark, SOON, |seen| {
            seen.topic == "port0/metering/meter/values"
        });
        assert!(read.is_some(), "the meter is not read any more");
    }
    bench.assert_no_wrong_value();
}
