//! The daemon between a simulated meter and a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use daemon_kit::{Bus, Event};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::mosquitto::Mosquitto;
use simulator::{MeterSource, Readings};
use topic_map::{
    METERING_METER_AVAILABLE, METERING_METER_ERROR, METERING_METER_IDENTITY, METERING_METER_VALUES,
    MeterError, MeterIdentity, MeterValues, SESSION_STATE, SessionState,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// The load that the meter measures.
#[derive(Clone)]
struct Load(Arc<Mutex<Readings>>);

impl MeterSource for Load {
    fn readings(&self) -> Readings {
        *self.0.lock().unwrap()
    }
}

impl Load {
    fn change(&self, change: impl FnOnce(&mut Readings)) {
        change(&mut self.0.lock().unwrap());
    }
}

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Its end, in time.
    fn exit_status(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::yield_now();
        }
    }
}

/// A broker, a meter and the daemon.
struct Bench {
    daemon: Process,
    log: Arc<Mutex<Vec<String>>>,
    meter: MeterPort,
    load: Load,
    bus: Bus,
    seen: Seen,
    _broker: Mosquitto,
    _directory: tempfile::TempDir,
}

/// The latest of each topic, and how many values came.
#[derive(Default)]
struct Seen {
    available: Option<bool>,
    /// How often it became unavailable.
    outages: usize,
    error: Option<MeterError>,
    identity: Option<MeterIdentity>,
    values: Vec<MeterValues>,
}

impl Seen {
    fn energies(&self) -> Vec<Option<f64>> {
        self.values.iter().map(|values| values.energy_wh).collect()
    }
}

impl Bench {
    /// `settings` are more members of `ports[0]/meter`.
    fn start(model: &str, settings: &str) -> Self {
        Self::prepare(model, settings, |_| {})
    }

    fn prepare(model: &str, settings: &str, prepare: impl FnOnce(&MeterPort)) -> Self {
        Self::at(1, model, settings, prepare)
    }

    fn at(address: u8, model: &str, settings: &str, prepare: impl FnOnce(&MeterPort)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let load = Load(Arc::new(Mutex::new(Readings {
            voltage: [230.0; 3],
            current: [16.0; 3],
            energy_wh: 1_000_000.0,
            frequency: 50.0,
        })));
        let config = MeterConfig {
            model: model.into(),
            address,
            link: None,
        };
        let meter = MeterPort::start(config, load.clone()).unwrap();
        prepare(&meter);
        let broker = Mosquitto::start(directory.path()).unwrap();
        let bus = Bus::connect("test", "127.0.0.1", broker.port());
        bus.subscribe(&METERING_METER_AVAILABLE);
        bus.subscribe(&METERING_METER_ERROR);
        bus.subscribe(&METERING_METER_IDENTITY);
        bus.subscribe(&METERING_METER_VALUES);
        let customer = format!(
            "{{ \"ports\": [ {{ \"meter\": {{ \"enable\": true, \"port\": \"{}\", {settings} }} }} ] }}",
            meter.path().display()
        );
        let (daemon, log) = start_daemon(&directory, broker.port(), &customer);
        let seen = Seen::default();
        Self {
            daemon,
            log,
            meter,
            load,
            bus,
            seen,
            _broker: broker,
            _directory: directory,
        }
    }

    /// Listen until `what` is there; how long that took.
    async fn until(&mut self, what: &str, is_there: impl Fn(&Seen) -> bool) -> Duration {
        let start = Instant::now();
        while !is_there(&self.seen) {
            let event = tokio::time::timeout(DEADLINE, self.bus.recv());
            let Ok(event) = event.await else {
                panic!("no {what}; the daemon said {:#?}", self.log.lock().unwrap())
            };
            self.note(&event);
        }
        start.elapsed()
    }

    fn note(&mut self, event: &Event) {
        let Event::Message(message) = event else {
            return;
        };
        if let Some(available) = message.on(&METERING_METER_AVAILABLE) {
            let available = available.unwrap();
            self.seen.outages += usize::from(!available);
            self.seen.available = Some(available);
        }
        if let Some(error) = message.on(&METERING_METER_ERROR) {
            self.seen.error = error.unwrap();
        }
        if let Some(identity) = message.on(&METERING_METER_IDENTITY) {
            self.seen.identity = Some(identity.unwrap());
        }
        if let Some(values) = message.on(&METERING_METER_VALUES) {
            self.seen.values.push(values.unwrap());
        }
    }

    async fn until_available(&mut self) {
        self.until("available meter", |seen| seen.available == Some(true))
            .await;
        self.until("values", |seen| !seen.values.is_empty()).await;
    }

    async fn until_unavailable(&mut self) -> Duration {
        self.until("unavailable meter", |seen| seen.available == Some(false))
            .await
    }

    /// Listen until the daemon's log has `text`.
    async fn until_said(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self
            .log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
        {
            assert!(
                Instant::now() < deadline,
                "{text:?} is not in {:#?}",
                self.log.lock().unwrap()
            );
            let event = tokio::time::timeout(Duration::from_millis(20), self.bus.recv()).await;
            event.iter().for_each(|event| self.note(event));
        }
    }
}

fn start_daemon(
    directory: &tempfile::TempDir,
    port: u16,
    customer: &str,
) -> (Process, Arc<Mutex<Vec<String>>>) {
    std::fs::write(directory.path().join("customer.json"), customer).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_meteringd"))
        .arg("--config-dir")
        .arg(directory.path())
        .arg("--mqtt")
        .arg(format!("127.0.0.1:{port}"))
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
    (Process(daemon), log)
}

#[tokio::test]
async fn a_meter_is_found_identified_and_read() {
    let mut bench = Bench::start("eastron/sdm630", "\"protocol\": \"eastron\"");
    bench.until_available().await;
    bench
        .until("identity", |seen| seen.identity.is_some())
        .await;
    let identity = bench.seen.identity.clone().unwrap();
    assert_eq!(identity.protocol, "eastron,sdm630");
    assert_eq!(identity.model, "Eastron SDM630");
    assert_eq!(identity.serial.as_deref(), Some("12345678"));
    assert_eq!(identity.address, 1);
    let values = &bench.seen.values[0];
    assert_eq!(values.energy_wh, Some(1_000_000.0));
    assert_eq!(values.power_w.total, Some(11_040.0));
    assert_eq!(values.voltage_v.l2, Some(230.0));
    assert_eq!(values.current_a.l3, Some(16.0));
    assert_eq!(values.frequency_hz, Some(50.0));
}

// covers: MET-010, MET-011, MET-012
#[tokio::test]
async fn a_meter_that_falls_silent_is_told_after_two_seconds_and_comes_back_by_itself() {
    let mut bench = Bench::start("eastron/sdm630", "\"protocol\": \"eastron,sdm630\"");
    bench.until_available().await;
    bench.meter.go_silent();
    let took = bench.until_unavailable().await;
    // How long exactly is judged without a loaded machine in `watch`.
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(8),
        "{took:?}"
    );
    bench.until_said("device 1 does not answer").await;

    let published = bench.seen.values.len();
    bench.meter.answer();
    bench
        .until("available meter", |seen| seen.available == Some(true))
        .await;
    bench
        .until("values", |seen| seen.values.len() > published)
        .await;
}

// The guide gives up on a meter that is missing at power up; a Klefr checks its
// memory just then, and the station would have to be restarted by hand.
// covers: MET-009
#[tokio::test]
async fn a_meter_that_appears_late_is_found_without_a_restart() {
    // The second is configured and has no serial number: nothing tells it but a reading.
    for (model, protocol) in [
        ("sdm72dm-v2", "eastron"),
        ("sdm72dm-v1", "eastron,sdm72dm-v1"),
    ] {
        let model = format!("eastron/{model}");
        let protocol = format!("\"protocol\": \"{protocol}\"");
        let mut bench = Bench::prepare(&model, &protocol, MeterPort::go_silent);
        bench.until_unavailable().await;
        bench.until_said("device 1 does not answer").await;
        assert_eq!(bench.seen.identity, None);
        bench.meter.answer();
        bench.until_available().await;
        bench
            .until("identity", |seen| seen.identity.is_some())
            .await;
    }
}

// covers: MET-017
#[tokio::test]
async fn without_a_session_values_are_published_at_the_interval() {
    let settings = "\"protocol\": \"klefr\", \"publish_settings\": { \"timer\": 2 }";
    let mut bench = Bench::start("klefr/694x", settings);
    bench.until_available().await;
    let took = bench
        .until("two more values", |seen| seen.values.len() >= 3)
        .await;
    assert!(
        took > Duration::from_secs(3) && took < Duration::from_secs(10),
        "{took:?}"
    );
}

#[tokio::test]
async fn in_a_session_changes_are_published_at_once() {
    let settings = "\"protocol\": \"eastron\", \"publish_settings\": { \"timer\": 3600 }";
    let mut bench = Bench::start("eastron/sdm630", settings);
    bench.until_available().await;
    bench.bus.publish(&SESSION_STATE, &SessionState::Charging);
    for energy in [1_000_010.0, 1_000_020.0] {
        bench.load.change(|load| load.energy_wh = energy);
        // Long before the hour is over.
        bench
            .until("the new energy", |seen| {
                seen.values
                    .last()
                    .is_some_and(|values| values.energy_wh == Some(energy))
            })
            .await;
        // Two more readings, of the same.
        let enough = bench.meter.heard_in_all() + 6;
        let deadline = Instant::now() + DEADLINE;
        while bench.meter.heard_in_all() < enough {
            assert!(Instant::now() < deadline, "the meter is read no more");
            tokio::task::yield_now().await;
        }
    }
    let mut energies = bench.seen.energies();
    // A loaded machine may lose the meter for a moment, and what is found is published.
    if bench.seen.outages > 0 {
        energies.dedup();
    }
    assert_eq!(
        energies,
        [Some(1_000_000.0), Some(1_000_010.0), Some(1_000_020.0)]
    );
}

#[tokio::test]
async fn nonsense_is_refused_with_a_message_and_never_published() {
    for (nonsense, message) in [
        (f32::NAN, "the meter's voltage is NaN V"),
        (1e30, "outside 0 to 500 V"),
    ] {
        let settings = "\"protocol\": \"eastron,sdm630\", \"publish_settings\": { \"timer\": 1 }";
        let mut bench = Bench::start("eastron/sdm630", settings);
        bench.until_available().await;
        bench.meter.inject(Fault::Nonsense(nonsense));
        bench.until_unavailable().await;
        bench.until_said(message).await;
        bench.meter.answer();
        bench.until_available().await;
        for values in &bench.seen.values {
            assert_eq!(values.voltage_v.l1, Some(230.0));
        }
    }
}

#[tokio::test]
async fn energy_that_runs_backwards_is_never_published() {
    let settings = "\"protocol\": \"eastron,sdm630\", \"publish_settings\": { \"timer\": 1 }";
    let mut bench = Bench::start("eastron/sdm630", settings);
    bench.until_available().await;
    bench.load.change(|load| load.energy_wh = 999_000.0);
    bench.until_unavailable().await;
    bench
        .until_said("energy went backwards from 1000000 Wh to 999000 Wh")
        .await;
    bench.load.change(|load| load.energy_wh = 1_000_500.0);
    bench.until_available().await;
    let energies = bench.seen.energies();
    assert!(energies.is_sorted(), "{energies:?}");
}

#[tokio::test]
async fn a_disturbed_line_is_survived() {
    let mut bench = Bench::start("eastron/sdm630", "\"protocol\": \"eastron,sdm630\"");
    bench.until_available().await;
    for fault in [
        Fault::WrongSlave,
        Fault::DamagedAnswer,
        Fault::ShortAnswer,
        Fault::Exception(4),
        Fault::Collision,
        Fault::Delay(Duration::from_millis(900)),
    ] {
        bench.meter.inject(fault);
        bench.until_unavailable().await;
        bench.meter.answer();
        bench
            .until("available meter", |seen| seen.available == Some(true))
            .await;
    }
    for values in &bench.seen.values {
        assert_eq!(values.voltage_v.l1, Some(230.0));
        assert_eq!(values.energy_wh, Some(1_000_000.0));
    }
}

// covers: MET-005
#[tokio::test]
async fn a_dzg_is_searched_once_and_read_where_it_was_found() {
    let mut bench = Bench::at(0x12, "dzg/dvh4013", "\"protocol\": \"dzg\"", |_| {});
    bench.until_available().await;
    bench
        .until("identity", |seen| seen.identity.is_some())
        .await;
    assert_eq!(bench.seen.identity.clone().unwrap().address, 0x12);
    let asked = |bench: &Bench| {
        bench
            .meter
            .heard()
            .iter()
            .map(|heard| heard.slave)
            .collect()
    };
    let slaves: Vec<u8> = asked(&bench);
    let (search, reading) = slaves.split_at(12);
    assert_eq!(search, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12]);
    assert!(reading.iter().all(|slave| *slave == 0x12), "{slaves:?}");

    bench.meter.go_silent();
    bench.until_unavailable().await;
    bench.meter.answer();
    bench
        .until("available meter", |seen| seen.available == Some(true))
        .await;
    let slaves: Vec<u8> = asked(&bench);
    assert!(
        slaves[12..].iter().all(|slave| *slave == 0x12),
        "{slaves:?}"
    );
}

// covers: MET-007
#[tokio::test]
async fn a_dzg_with_a_configured_address_is_not_searched() {
    let settings = "\"protocol\": \"dzg\", \"address\": 57";
    let mut bench = Bench::at(57, "dzg/dvh4013", settings, |_| {});
    bench.until_available().await;
    let heard = bench.meter.heard();
    assert!(heard.iter().all(|request| request.slave == 57), "{heard:?}");
}

// covers: MET-022
#[tokio::test]
async fn a_meter_that_takes_nine_seconds_for_an_answer_is_no_failure() {
    let settings = "\"protocol\": \"sunspec\", \"publish_settings\": { \"timer\": 1 }";
    let mut bench = Bench::at(42, "sunspec/bsm-ws36a", settings, |_| {});
    bench.until_available().await;
    bench.meter.inject(Fault::Delay(Duration::from_secs(9)));
    bench.load.change(|load| load.energy_wh = 1_000_010.0);
    bench
        .until("the new energy", |seen| {
            seen.values
                .last()
                .is_some_and(|values| values.energy_wh == Some(1_000_010.0))
        })
        .await;
    assert_eq!(bench.seen.outages, 0);
    assert_eq!(bench.seen.error, None);
}

// covers: MET-031
#[tokio::test]
async fn each_trouble_is_told_by_its_word() {
    let settings = "\"protocol\": \"eastron,sdm630\", \"publish_settings\": { \"timer\": 1 }";
    let mut bench = Bench::start("eastron/sdm630", settings);
    bench.until_available().await;
    for (fault, session, word) in [
        (
            Fault::Silence,
            SessionState::Idle,
            MeterError::CommunicationError,
        ),
        (
            Fault::DamagedAnswer,
            SessionState::Charging,
            MeterError::CommunicationError,
        ),
        (
            Fault::Exception(4),
            SessionState::Idle,
            MeterError::InternalError,
        ),
        (Fault::Reset, SessionState::Idle, MeterError::IdleMeterError),
        (
            Fault::Rollover(1_000_000.0),
            SessionState::Charging,
            MeterError::ActiveMeterError,
        ),
        (
            Fault::Nonsense(f32::NAN),
            SessionState::Charging,
            MeterError::ActiveMeterError,
        ),
    ] {
        bench.bus.publish(&SESSION_STATE, &session);
        bench.meter.inject(fault);
        bench
            .until(word.as_str(), |seen| {
                seen.available == Some(false) && seen.error == Some(word)
            })
            .await;
        bench.meter.answer();
        bench
            .until("available meter", |seen| {
                seen.available == Some(true) && seen.error.is_none()
            })
            .await;
    }
    for values in &bench.seen.values {
        assert_eq!(values.energy_wh, Some(1_000_000.0));
    }
}

#[tokio::test]
async fn a_klefr_that_checks_itself_after_a_power_cycle_is_no_failure() {
    let settings = "\"protocol\": \"klefr\", \"publish_settings\": { \"timer\": 1 }";
    let mut bench = Bench::start("klefr/694x", settings);
    bench.until_available().await;
    bench.load.change(|load| load.energy_wh = 1_000_010.0);
    bench
        .meter
        .inject(Fault::PowerCycle(Duration::from_secs(5)));
    bench
        .until("the new energy", |seen| {
            seen.values
                .last()
                .is_some_and(|values| values.energy_wh == Some(1_000_010.0))
        })
        .await;
    assert_eq!(bench.seen.outages, 0);
}

#[tokio::test]
async fn an_impossible_setting_ends_the_daemon_with_the_code_for_bad_configuration() {
    let mut bench = Bench::start("eastron/sdm630", "\"protocol\": \"abb\", \"baudrate\": 300");
    assert_eq!(bench.daemon.exit_status().code(), Some(78));
    bench
        .until_said("ports[0]/meter/baudrate is 300; it must be 1200 to 115200")
        .await;
}

#[tokio::test]
async fn on_shutdown_the_meter_is_marked_unavailable() {
    let mut bench = Bench::start("eastron/sdm630", "\"protocol\": \"eastron\"");
    bench.until_available().await;
    let pid = bench.daemon.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    bench.until_unavailable().await;
    assert!(bench.daemon.exit_status().success());
}

// covers: MET-001
#[tokio::test]
async fn without_a_meter_configured_none_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let broker = Mosquitto::start(directory.path()).unwrap();
    let port = broker.port();
    let (mut daemon, log) = start_daemon(&directory, port, "{}");
    let told = Instant::now() + DEADLINE;
    while !log
        .lock()
        .unwrap()
        .iter()
        .any(|line| line.contains("meter/enable is false"))
    {
        assert!(Instant::now() < told, "{:#?}", log.lock().unwrap());
        tokio::task::yield_now().await;
    }
    let pid = daemon.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(daemon.exit_status().success());
}
