//! ocppd as a process, between a real broker and a scripted central system.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "each test program uses its part, and a test ends where it fails"
)]

pub mod authority;
mod broker;
pub mod file_server;
mod mqtt;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use simulator::central_system::{CentralSystem, Frame, Options};

pub use broker::Broker;
pub use mqtt::Mqtt;

/// Longer than anything takes that works.
pub const SOON: Duration = Duration::from_secs(15);

/// Where all traces of OCPP frames go, to be judged by the official schemas.
pub fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ocpp-traces")
}

pub fn central() -> CentralSystem {
    CentralSystem::start(Options {
        trace_dir: Some(traces()),
        ..Options::default()
    })
    .unwrap()
}

/// Waits until `condition` holds.
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    until_within(SOON, what, condition);
}

pub fn until_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Nearly every answer comes within a second (guide 3.4 table 14); a loaded machine may stand
/// still for longer. None takes more than a few seconds (OC-049).
pub const USUAL_ANSWER: Duration = Duration::from_secs(1);
pub const LATEST_ANSWER: Duration = Duration::from_secs(10);

/// Asserts that the station has answered each CALL in time, by the central system's record.
pub fn assert_in_time(central: &CentralSystem) {
    let frames = central.frames();
    let calls = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| !frame.from_station && frame.as_call().is_some());
    let (mut answered, mut late) = (0, 0);
    for (place, call) in calls {
        let is_answer = |frame: &&Frame| {
            frame.from_station && frame.as_call().is_none() && frame.message[1] == call.message[1]
        };
        let answer = frames[place..].iter().find(is_answer);
        let took = answer.expect("an answer").at.duration_since(call.at);
        assert!(took < LATEST_ANSWER, "{took:?}: {}", call.message);
        answered += 1;
        late += usize::from(took > USUAL_ANSWER);
    }
    assert!(answered > 0, "nothing was asked");
    assert!(
        late * 20 <= answered,
        "{late} of {answered} answers were late"
    );
}

/// A broker, a directory, and ocppd between them.
pub struct Bench {
    pub broker: Broker,
    pub mqtt: Mqtt,
    pub directory: tempfile::TempDir,
    process: Option<Child>,
    environment: Vec<(String, String)>,
    options: Vec<String>,
    largest_file: Option<u32>,
}

impl Bench {
    /// Starts ocppd with these keys of `ocpp` beside those that every test needs.
    pub fn start(uri: &str, ocpp: Value) -> Self {
        let mut bench = Self::prepare(uri, ocpp);
        bench.run();
        bench
    }

    /// As [`Self::start`], without running ocppd yet.
    pub fn prepare(uri: &str, ocpp: Value) -> Self {
        let broker = Broker::start();
        let mqtt = Mqtt::connect(broker.port());
        let directory = tempfile::tempdir().unwrap();
        let bench = Self {
            broker,
            mqtt,
            directory,
            process: None,
            environment: Vec::new(),
            options: Vec::new(),
            largest_file: None,
        };
        bench.configure(uri, ocpp);
        bench.mqtt.write_customer_json(&bench.path("customer.json"));
        bench.mqtt.station("idle", "A");
        bench.mqtt.meter(1_000.0);
        bench
    }

    /// Writes customer.json.
    pub fn configure(&self, uri: &str, ocpp: Value) {
        let mut keys = json!({
            "enable": true, "uri": uri, "chargePointVendor": "mode3", "chargePointModel": "test",
            "AllowOfflineTxForUnknownId": true,
        });
        let keys_map = keys.as_object_mut().unwrap();
        keys_map.extend(ocpp.as_object().unwrap().clone());
        let customer = json!({
            "ports": [{"user_authentication": "ocpp", "meter": {"enable": true}, "recloser": {"enable": true}}],
            "ocpp": keys,
        });
        std::fs::write(self.path("customer.json"), customer.to_string()).unwrap();
    }

    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Adds an option of ocppd.
    pub fn option(&mut self, name: &str, value: &str) {
        self.options.extend([name.to_owned(), value.to_owned()]);
    }

    /// From the next run on no file grows above `blocks` of 512 bytes, as on a full disk.
    pub fn limit_files(&mut self, blocks: u32) {
        self.largest_file = Some(blocks);
    }

    /// There is room again for the running process.
    pub fn lift_file_limit(&mut self) {
        self.largest_file = None;
        let id = self.id().to_string();
        let mut command = Command::new("prlimit");
        let lifted = command.args(["--pid", &id, "--fsize=unlimited"]).status();
        assert!(lifted.unwrap().success());
    }

    fn command(&self) -> Command {
        let ocppd = env!("CARGO_BIN_EXE_ocppd");
        let Some(blocks) = self.largest_file else {
            return Command::new(ocppd);
        };
        let mut command = Command::new("sh");
        // The write fails; the signal that comes with it is not for a daemon.
        let script = format!("trap '' XFSZ; ulimit -Sf {blocks}; exec \"$@\"");
        command.args(["-c", &script, "sh", ocppd]);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn run(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let reboot = format!("touch {}", self.path("rebooted").display());
        let child = self
            .command()
            .args(["--log", "debug", "--reboot-command", &reboot])
            // What is decided offline is decided at once.
            .args(["--offline-after", "0", "--mqtt"])
            .arg(format!("127.0.0.1:{}", self.broker.port()))
            .arg("--config-dir")
            .arg(self.directory.path())
            .arg("--state-dir")
            .arg(self.directory.path())
            .args(&self.options)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(child);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Process id of ocppd.
    pub fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// SIGKILL: no chance to clean up.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM, and wait for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        kill(
            Pid::from_raw(i32::try_from(process.id()).unwrap()),
            Signal::SIGTERM,
        )
        .unwrap();
        let mut status = None;
        until("ocppd ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Waits for the end of a process that ends by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        let process = self.process.as_mut().unwrap();
        let mut status = None;
        until("ocppd ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// From idle to charging in a transaction, started by the central system; its id.
    pub fn charge(&self, central: &CentralSystem) -> i64 {
        central
            .wait_for(
                "StatusNotification",
                |status| status["connectorId"] == 1,
                SOON,
            )
            .unwrap();
        let answer = central
            .call("RemoteStartTransaction", json!({"idTag": "driver"}), SOON)
            .unwrap();
        assert_eq!(answer, json!({"status": "Accepted"}));
        self.mqtt.wait("port0/session/authorization_status", "1");
        self.mqtt.station("charging", "C");
        central
            .wait_for(
                "StatusNotification",
                |status| status["status"] == "Charging",
                SOON,
            )
            .unwrap();
        let mut id = None;
        until("the transaction has its id", || {
            id = central
                .transactions()
                .last()
                .and_then(|transaction| transaction.id);
            id.is_some()
        });
        id.unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            println!("log of ocppd:\n{}", self.log());
        }
    }
}
