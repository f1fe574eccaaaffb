//! Meter, RFID reader and recloser on one EIA-485 line, each with its own daemon.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use simulator::bus::{Content, Device, Registers, SharedLine};
use simulator::mosquitto::Mosquitto;
use simulator::recloser::Recloser;
use simulator::rfid::{Field, ModbusReader, Sl032};

use crate::{LATER, Observer, Process, binary};

/// Place of the meter on the line.
pub const METER: usize = 0;
/// Place of the reader on the line.
pub const READER: usize = 1;
/// Place of the recloser on the line.
pub const RECLOSER: usize = 2;
/// What is published of each device while it is well, by its place.
pub const AVAILABLE: [(&str, &str); 3] = [
    ("port0/metering/meter/available", "1"),
    ("port0/rfid/available", "1"),
    ("port0/rcd/recloser/error", "0"),
];

/// Between two looks of a [`Bystander`] that are further apart the port may have been free.
const UNSEEN: Duration = Duration::from_millis(100);

const READER_PROFILE: &str = r#"{"device": "simulated reader", "source": "simulator",
    "function": "holding", "start": 0, "count": 6, "length_at": 0, "uid_at": 1,
    "packing": "two_high_first", "standard": "ISO14443"}"#;
const RECLOSER_PROFILE: &str = r#"{"device": "simulated recloser", "source": "simulator",
    "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
    "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

/// One line, three devices, three daemons.
pub struct LineBench {
    /// The line, for faults.
    pub line: SharedLine,
    /// The meter's registers.
    pub meter: Content,
    /// What lies in front of the reader.
    pub field: Field,
    /// The recloser.
    pub recloser: Recloser,
    /// Sees everything on the broker.
    pub observer: Observer,
    /// By name.
    pub daemons: HashMap<&'static str, Process>,
    _broker: Mosquitto,
    directory: tempfile::TempDir,
}

impl LineBench {
    /// All three devices answer and are published as available.
    pub fn start(rfid_protocol: &str) -> Self {
        let field = Field::default();
        let recloser = Recloser::default();
        let reader: Box<dyn Device> = if rfid_protocol == "Stronglink" {
            Box::new(Sl032::new(field.clone()))
        } else {
            Box::new(ModbusReader::new(17, field.clone()))
        };
        let meter = Registers::sdm630(1);
        let content = meter.content();
        let line =
            SharedLine::start(vec![Box::new(meter), reader, Box::new(recloser.at(3))]).unwrap();
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
            meter: content,
            field,
            recloser,
            observer,
            daemons: daemons.into(),
            _broker: broker,
            directory,
        };
        for (topic, value) in AVAILABLE {
            bench.observer.expect(topic, value, LATER);
        }
        bench
    }

    /// What the daemons and the broker said: it tells whom it has given up.
    pub fn logs(&self) -> String {
        let log = |(daemon, process): (&&str, &Process)| format!("--- {daemon}\n{}", process.log());
        let daemons: String = self.daemons.iter().map(log).collect();
        let broker = self.directory.path().join("mosquitto.log");
        let broker = std::fs::read_to_string(broker).unwrap_or_default();
        format!("{daemons}--- mosquitto\n{broker}")
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
pub struct Bystander {
    end: Arc<AtomicBool>,
    longest: Arc<Mutex<Duration>>,
    thread: Option<JoinHandle<()>>,
}

impl Bystander {
    /// Look at `port` from now on.
    pub fn watch(port: PathBuf) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let longest = Arc::new(Mutex::new(Duration::ZERO));
        let thread = std::thread::spawn({
            let (end, longest) = (Arc::clone(&end), Arc::clone(&longest));
            move || {
                let mut last = Instant::now();
                let mut occupied_since = None;
                while !end.load(Ordering::Relaxed) {
                    let now = Instant::now();
                    // Nobody knows what was while this thread waited for a core.
                    let has_slept = now - last > UNSEEN;
                    last = now;
                    if is_free(&port) || has_slept {
                        occupied_since = None;
                    } else {
                        let since = *occupied_since.get_or_insert(now);
                        let mut longest = longest.lock().unwrap();
                        *longest = longest.max(now - since);
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
    pub fn longest(mut self) -> Duration {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        *self.longest.lock().unwrap()
    }
}

/// Whether nobody holds the port: neither by TIOCEXCL (binds all but root) nor by file lock.
pub fn is_free(port: &Path) -> bool {
    match File::open(port) {
        Ok(file) => !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}
