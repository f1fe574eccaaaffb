//! The whole station on one machine: broker, simulated board with EV and meter,
//! and the real daemons as processes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::meter::{MeterConfig, MeterPort};
use simulator::mosquitto::Mosquitto;
use simulator::plant::plug::Cable;
use simulator::plant::sensors::RotarySwitch;
use simulator::{Station, StationHandle};
use tempfile::TempDir;

use crate::{Observer, Process, binary};

/// Long enough for anything that should happen at once on a loaded machine.
pub const SOON: Duration = Duration::from_secs(10);
/// Covers the contactor's rest of 6 s and the period of 10 s between two closings.
pub const LATER: Duration = Duration::from_secs(25);

/// customer.json of a bench: a socket with feedback, 32 A, a meter, nobody asked.
#[derive(Clone, Debug)]
pub struct Settings {
    customer: Value,
    meter_model: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            customer: json!({
                "ports": [{
                    "pluggable": true,
                    "evse_current_limit": 32,
                    "contactor": { "feedback_type": "no" },
                    "meter": {
                        "enable": true,
                        "protocol": "eastron,sdm630",
                        "parity": "none",
                        "publish_settings": { "timer": 5 }
                    },
                    "user_authentication": "free"
                }],
                "ocpp": { "enable": false }
            }),
            meter_model: "eastron/sdm630",
        }
    }
}

impl Settings {
    /// With `value` at a path such as `ports[0]/pluggable`.
    #[must_use]
    pub fn with(mut self, path: &str, value: impl Into<Value>) -> Self {
        let pointer = format!("/{}", path.replace("[0]", "/0"));
        let (parent, name) = pointer.rsplit_once('/').expect("a path has a name");
        let mut place = &mut self.customer;
        for segment in parent.split('/').filter(|segment| !segment.is_empty()) {
            place = match segment.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[segment],
            };
        }
        place[name] = value.into();
        self
    }

    /// With another meter: a model of the simulator, and the protocol that reads it.
    #[must_use]
    pub fn with_meter(self, meter_model: &'static str, protocol: &str) -> Self {
        let settings = self
            .with("ports[0]/meter/protocol", protocol)
            .with("ports[0]/meter/address", 1);
        Self {
            meter_model,
            ..settings
        }
    }

    /// Connected to a central system at `uri` (without the identity), authorised by it.
    #[must_use]
    pub fn with_central_system(self, uri: &str) -> Self {
        self.with("ports[0]/user_authentication", "ocpp")
            .with("ocpp/enable", true)
            .with("ocpp/uri", format!("{uri}/bench"))
            .with("ocpp/chargePointModel", "Bench")
            .with("ocpp/chargePointVendor", "mode3")
            .with("ocpp/chargePointSerialNumber", "0000000001")
    }
}

/// A running bench; everything ends when it is dropped.
pub struct Bench {
    daemons: BTreeMap<&'static str, Process>,
    /// Sees everything on the broker.
    pub observer: Observer,
    /// The broker.
    pub broker: Mosquitto,
    /// The electricity meter.
    pub meter: MeterPort,
    station: Station,
    directory: TempDir,
}

impl Bench {
    /// Everything but the daemons.
    pub fn prepare(settings: &Settings) -> Self {
        Self::prepare_station(settings, Station::start)
    }

    /// One of many: its physics moves by itself only each `tick`.
    pub(crate) fn prepare_ticking(settings: &Settings, tick: Duration) -> Self {
        Self::prepare_station(settings, |socket| Station::start_ticking(socket, tick))
    }

    fn prepare_station(
        settings: &Settings,
        start: impl FnOnce(&Path) -> std::io::Result<Station>,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the bench");
        let broker = Mosquitto::start(directory.path()).expect("a broker");
        let station = start(&directory.path().join("board.sock")).expect("a simulated board");
        station.plant().rotary = RotarySwitch::At(0xD);
        let meter = MeterPort::start(
            MeterConfig {
                model: settings.meter_model.into(),
                address: 1,
                link: None,
            },
            station.handle(),
        )
        .expect("a simulated meter");
        let observer = Observer::connect("observer", broker.port());
        let bench = Self {
            daemons: BTreeMap::new(),
            observer,
            broker,
            meter,
            station,
            directory,
        };
        bench.boot("first", "A");
        let port = bench.meter.path().to_string_lossy().into_owned();
        bench.write_customer_json(&settings.clone().with("ports[0]/meter/port", port));
        bench
    }

    /// Everything, with all daemons that the settings need, ready to charge.
    pub fn start(settings: &Settings) -> Self {
        let mut bench = Self::prepare(settings);
        bench.start_daemon("evsed");
        bench.start_daemon("meteringd");
        if settings.customer["ocpp"]["enable"] == true {
            bench.start_daemon("configd");
            bench.start_daemon("ocppd");
        }
        bench.observer.expect("port0/session/state", "idle", SOON);
        // On a loaded machine the first readings can fail.
        bench.expect("port0/metering/meter/available", "1", LATER);
        bench
    }

    /// What the kernel would tell after a start of the board: its `boot_id` and the slot that
    /// RAUC started. ocppd reads it at its next start.
    pub fn boot(&self, id: &str, slot: &str) {
        self.write_file("proc/sys/kernel/random/boot_id", id);
        self.write_file("proc/cmdline", &format!("rauc.slot={slot}\n"));
    }

    /// Replace customer.json; daemons read it at their next start.
    pub fn write_customer_json(&self, settings: &Settings) {
        self.write_file("config/customer.json", &settings.customer.to_string());
    }

    /// Write a file of the bench, e.g. a broken customer.json.
    pub fn write_file(&self, name: &str, text: &str) {
        let path = self.path(name);
        let parent = path.parent().expect("a file lies in a directory");
        std::fs::create_dir_all(parent).expect("the directory can be made");
        std::fs::write(&path, text).expect("the file can be written");
    }

    /// A path in the bench's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The simulated board, EV and cable.
    pub fn station(&self) -> StationHandle {
        self.station.handle()
    }

    /// The command that starts a daemon as the unit would, but on this bench.
    pub fn command(&self, daemon: &str) -> Command {
        let mut command = Command::new(binary(daemon));
        command
            .arg("--config-dir")
            .arg(self.path("config"))
            .arg("--state-dir")
            .arg(self.path(&format!("state/{daemon}")))
            .arg("--mqtt")
            .arg(format!("127.0.0.1:{}", self.broker.port()))
            .arg("--log")
            .arg("debug");
        match daemon {
            "evsed" => command.arg("--board").arg(self.board()),
            // A reboot of the machine that runs the tests would go too far.
            "ocppd" => command
                .arg("--proc")
                .arg(self.path("proc"))
                .arg("--reboot-command")
                .arg(format!("touch {}", self.path("rebooted").display())),
            _ => &mut command,
        };
        command
    }

    /// The value of `--board` for this bench.
    pub fn board(&self) -> String {
        format!("unix:{}", self.path("board.sock").display())
    }

    /// Start a daemon, or start it again.
    pub fn start_daemon(&mut self, daemon: &'static str) {
        std::fs::create_dir_all(self.path(&format!("state/{daemon}"))).expect("a state directory");
        let process = Process::start(&mut self.command(daemon), &self.log_path(daemon));
        self.daemons.insert(daemon, process);
    }

    /// SIGKILL.
    pub fn kill_daemon(&mut self, daemon: &str) {
        self.daemon(daemon).kill();
    }

    /// SIGTERM, and wait for the end.
    pub fn stop_daemon(&mut self, daemon: &str) -> ExitStatus {
        self.daemon(daemon).terminate(SOON)
    }

    /// The process of a daemon that was started.
    pub fn daemon(&mut self, daemon: &str) -> &mut Process {
        self.daemons
            .get_mut(daemon)
            .unwrap_or_else(|| panic!("{daemon} was not started"))
    }

    /// What a daemon has logged in all its lives.
    pub fn log(&self, daemon: &str) -> String {
        std::fs::read_to_string(self.log_path(daemon)).unwrap_or_default()
    }

    fn log_path(&self, daemon: &str) -> PathBuf {
        self.path(&format!("{daemon}.log"))
    }

    /// Wait until the last value on `topic` is `expected`.
    pub fn expect(&self, topic: &str, expected: &str, limit: Duration) {
        self.observer.expect(topic, expected, limit);
    }

    /// Plug in a car with a 32 A cable that wants energy.
    pub fn plug_in(&self) {
        let station = self.station();
        let mut plant = station.plant();
        plant.request_energy();
        plant.plug_in(Cable::A32);
    }

    /// Pull the plug as soon as the lock lets go; the EV stops by itself first.
    pub fn unplug(&self) {
        let station = self.station();
        station.plant().disconnect_vehicle();
        let deadline = Instant::now() + LATER;
        while station.plant().unplug().is_err() {
            assert!(
                Instant::now() < deadline,
                "the plug lock does not let go\n{}",
                self.observer.tail()
            );
            crate::process::pause();
        }
    }

    /// Wait for a physical fact.
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        condition: impl FnMut(&simulator::plant::Plant) -> bool,
    ) {
        assert!(
            self.station().wait_for(limit, condition),
            "not within {limit:?}: {what}\n{}",
            self.observer.tail()
        );
    }

    /// Plug in and wait until current flows.
    pub fn charge(&self) {
        self.plug_in();
        self.expect("port0/session/state", "charging", LATER);
        self.wait_for("current flows", SOON, |plant| {
            plant.line_currents()[0] > 5.0
        });
    }

    /// A card is held to the reader; rfidd would publish exactly this.
    pub fn swipe(&self, uid: &str) {
        let tag = format!(r#"["ISO14443","{uid}"]"#);
        self.observer
            .publish_raw("port0/rfid/authorization_request", &tag, false);
    }

    /// The command of a line such as `ExecStopPost=` in a shipped unit, run on this bench.
    pub fn run_unit_command(&self, unit: &str, key: &str) -> ExitStatus {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../config/systemd")
            .join(unit);
        let text = std::fs::read_to_string(&path).expect("the unit file is shipped");
        let prefix = format!("{key}=");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_else(|| panic!("{unit} has no {key}"));
        let mut words = line.split_whitespace();
        let program = Path::new(words.next().expect("a program"));
        let name = program
            .file_name()
            .expect("a program has a name")
            .to_string_lossy();
        let arguments = words.map(|word| {
            if word == "tarragon" {
                self.board()
            } else {
                word.into()
            }
        });
        Command::new(binary(&name))
            .args(arguments)
            .status()
            .expect("the command runs")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for daemon in self.daemons.keys() {
                let _ = writeln!(
                    std::io::stderr(),
                    "--- log of {daemon}\n{}",
                    self.log(daemon)
                );
            }
        }
    }
}
