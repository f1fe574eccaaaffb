//! A complete station with its central system, run as the product runs it.

use std::path::Path;
use std::process::Command;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::bus::SharedLine;
use simulator::central_system::{CentralSystem, Options};
use simulator::recloser::Recloser;
use simulator::rfid::{Field, Sl032};

use super::usage::{Memory, Used};
use super::{DAEMONS, usage};
use crate::{Bench, LATER, Process, SOON, Settings};

const CARD: &str = "04A1B2C3D4";
const SESSION: &str = "port0/session/state";
/// In seconds: the writes of a transaction depend on it, so the page names it.
pub(super) const METER_VALUES_INTERVAL: u32 = 10;

/// The simulated recloser's registers.
const RECLOSER: &str = r#"{"device": "simulated recloser", "source": "simulator",
    "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
    "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

/// All daemons, connected.
pub(super) struct Rig {
    daemons: Vec<(&'static str, Process)>,
    pub(super) bench: Bench,
    pub(super) central: CentralSystem,
    _lines: [SharedLine; 2],
}

impl Rig {
    /// Start everything; and how long the daemons took until a car could be charged.
    pub(super) fn start() -> (Self, Duration) {
        let central = CentralSystem::start(Options::default()).expect("a central system");
        let reader = SharedLine::start(vec![Box::new(Sl032::new(Field::default()))]);
        let recloser = SharedLine::start(vec![Box::new(Recloser::default().at(3))]);
        let lines = [reader, recloser].map(|line| line.expect("a simulated line"));
        let [reader, recloser] =
            [&lines[0], &lines[1]].map(|line| json!({ "enable": true, "port": line.path() }));
        let settings = Settings::default()
            .with_central_system(central.uri())
            .with("ocpp/MeterValueSampleInterval", METER_VALUES_INTERVAL)
            .with("ports[0]/rfid", reader)
            .with("ports[0]/recloser", recloser);
        let bench = Bench::prepare(&settings);
        bench.write_file("config/profiles/geya.json", RECLOSER);
        let start = Instant::now();
        let daemons: Vec<_> = DAEMONS
            .map(|daemon| (daemon, run(&bench, daemon, Path::new("/dev/null"))))
            .into();
        let ready = [
            (SESSION, "idle"),
            ("port0/metering/meter/available", "1"),
            ("port0/rfid/available", "1"),
            ("port0/rcd/recloser/error", "0"),
            ("ocpp/online", "1"),
            ("ci/global/daemon/configd/available", "1"),
        ]
        .map(|(topic, value)| {
            let seen = bench
                .observer
                .wait_since(0, LATER, |seen| {
                    seen.topic == topic && seen.payload == value
                })
                .unwrap_or_else(|| {
                    let (ended, tail) = (ended(&daemons), bench.observer.tail());
                    panic!("{topic} is not {value}; {ended}\n{tail}")
                });
            seen.at.saturating_duration_since(start)
        });
        let rig = Self {
            daemons,
            bench,
            central,
            _lines: lines,
        };
        rig.expect_status("Available");
        (rig, ready.into_iter().max().unwrap_or_default())
    }

    /// Plug in, hold the card to the reader, and wait until the car draws 32 A.
    pub(super) fn begin_transaction(&self) {
        self.central.mark();
        self.bench.plug_in();
        self.expect(SESSION, "connected", SOON);
        self.bench.swipe(CARD);
        self.expect(SESSION, "charging", LATER);
        self.expect_status("Charging");
        self.bench.wait_for("the car draws 32 A", SOON, |plant| {
            plant.line_currents().iter().all(|amperes| *amperes > 31.9)
        });
    }

    /// Hold the card to the reader again, and unplug.
    pub(super) fn end_transaction(&self) {
        self.central.mark();
        self.bench.swipe(CARD);
        if let Err(report) = self.central.wait_for("StopTransaction", |_| true, LATER) {
            panic!("{report}");
        }
        self.bench.unplug();
        self.expect(SESSION, "idle", LATER);
        self.expect_status("Available");
    }

    /// Wait for a text; what is missing is told with the daemons that have ended.
    fn expect(&self, topic: &str, text: &str, limit: Duration) {
        let reached = self.bench.observer.wait(limit, |last| {
            last.get(topic).is_some_and(|told| told == text)
        });
        assert!(
            reached,
            "{topic} is {:?}, not {text:?}, after {limit:?}; {}; last messages:\n{}",
            self.bench.observer.text(topic),
            ended(&self.daemons),
            self.bench.observer.tail()
        );
    }

    fn expect_status(&self, expected: &str) {
        let fits = |status: &Value| status["connectorId"] == 1 && status["status"] == expected;
        if let Err(report) = self.central.wait_for("StatusNotification", fits, LATER) {
            panic!("{report}");
        }
    }

    /// Let what has just happened fade away.
    pub(super) fn settle(&self) {
        self.spend(Duration::from_secs(5));
    }

    /// Let time pass: here time is the thing measured.
    pub(super) fn spend(&self, time: Duration) {
        spend(time);
    }

    /// Memory of each daemon now.
    pub(super) fn memory(&self) -> Vec<Memory> {
        self.daemons
            .iter()
            .map(|(daemon, process)| usage::memory(daemon, process.id()))
            .collect()
    }

    /// What a daemon has used since its start.
    pub(super) fn used(&self, daemon: &str) -> Used {
        let (daemon, process) = self
            .daemons
            .iter()
            .find(|(name, _)| *name == daemon)
            .unwrap_or_else(|| panic!("{daemon} is not part of the rig"));
        usage::used(daemon, process.id())
    }

    /// What each daemon uses within `window`.
    pub(super) fn used_in(&self, window: Duration) -> Vec<Used> {
        self.used_while(|| spend(window))
    }

    /// What each daemon uses while `action` runs.
    pub(super) fn used_while(&self, action: impl FnOnce()) -> Vec<Used> {
        let before = DAEMONS.map(|daemon| self.used(daemon));
        action();
        before
            .map(|before| self.used(before.daemon) - before)
            .into()
    }
}

/// Which of the daemons have ended by themselves.
fn ended(daemons: &[(&'static str, Process)]) -> String {
    let gone = daemons.iter().filter(|(_, process)| process.has_ended());
    let gone: Vec<_> = gone.map(|(daemon, _)| *daemon).collect();
    if gone.is_empty() {
        "all daemons run".to_owned()
    } else {
        format!("ended by themselves: {}", gone.join(", "))
    }
}

/// Run a daemon at the product's log level. Where its writes are counted, the log goes
/// nowhere: the journal is not the daemon's writing.
pub(super) fn run(bench: &Bench, daemon: &str, log: &Path) -> Process {
    std::fs::create_dir_all(bench.path(&format!("state/{daemon}"))).expect("a state directory");
    let command = bench.command(daemon);
    let mut nice = Command::new("nice");
    nice.args(["-n", niceness(daemon)])
        .arg(command.get_program())
        .args(command.get_args())
        .args(["--log", "info"]);
    Process::start(&mut nice, log)
}

/// As in the daemon's unit; who may not be so rude stays at 0.
fn niceness(daemon: &str) -> &'static str {
    if daemon == "evsed" { "-10" } else { "0" }
}

/// Let time pass.
pub(super) fn spend(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        park_timeout(left);
    }
}
