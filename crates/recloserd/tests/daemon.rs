//! The daemon between a simulated recloser and a real broker.
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
use simulator::bus::{Fault, SharedLine};
use simulator::mosquitto::Mosquitto;
use simulator::recloser::Recloser;
use topic_map::{
    DAEMON_AVAILABLE, Publisher, RCD_RECLOSER_ERROR, RCD_RECLOSER_STATE_ACTUAL,
    RCD_RECLOSER_STATE_CONFIRM, RCD_RECLOSER_STATE_TARGET, RecloserAnswer, RecloserState, Topic,
    TopicInfo,
};

const DEADLINE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
const OPEN: Option<RecloserState> = Some(RecloserState::Open);
const CLOSE: Option<RecloserState> = Some(RecloserState::Close);

/// The simulator's own register map, as an integrator would write it down.
const PROFILE: &str = r#"{"device": "simulated recloser", "source": "simulator",
    "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
    "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#;

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All that recloserd told.
#[derive(Debug, Default)]
struct Seen {
    is_there: bool,
    error: Option<bool>,
    state: Option<Option<RecloserState>>,
    answers: Vec<RecloserAnswer>,
}

/// A recloser, a broker, and the daemon.
struct Bench {
    recloser: Recloser,
    line: SharedLine,
    bus: Bus,
    seen: Seen,
    daemon: Process,
    log: Arc<Mutex<Vec<String>>>,
    broker: Mosquitto,
    directory: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        Self::prepare(true, Some(PROFILE), |_| {})
    }

    fn prepare(enable: bool, profile: Option<&str>, prepare: impl FnOnce(&SharedLine)) -> Self {
        let recloser = Recloser::default();
        let line = SharedLine::start(vec![Box::new(recloser.at(3))]).unwrap();
        prepare(&line);
        let directory = tempfile::tempdir().unwrap();
        let broker = Mosquitto::start(directory.path()).unwrap();
        let bus = Bus::connect("test", "127.0.0.1", broker.port());
        bus.subscribe_family(&DAEMON_AVAILABLE);
        bus.subscribe(&RCD_RECLOSER_ERROR);
        bus.subscribe(&RCD_RECLOSER_STATE_ACTUAL);
        bus.subscribe(&RCD_RECLOSER_STATE_CONFIRM);
        let customer = format!(
            "{{ \"ports\": [ {{ \"recloser\": {{ \"enable\": {enable}, \"port\": \"{}\" }} }} ] }}",
            line.path().display()
        );
        std::fs::write(directory.path().join("customer.json"), customer).unwrap();
        if let Some(profile) = profile {
            std::fs::create_dir(directory.path().join("profiles")).unwrap();
            std::fs::write(directory.path().join("profiles/geya.json"), profile).unwrap();
        }
        let (daemon, log) = start_daemon(&directory, broker.port());
        Self {
            recloser,
            line,
            bus,
            seen: Seen::default(),
            daemon,
            log,
            broker,
            directory,
        }
    }

    /// Listen until `what` is there; how long that took.
    async fn until(&mut self, what: &str, is_there: impl Fn(&Seen) -> bool) -> Duration {
        let start = Instant::now();
        while !is_there(&self.seen) {
            assert!(
                start.elapsed() < DEADLINE,
                "no {what}: {:#?} {:#?}",
                self.seen,
                self.log.lock().unwrap()
            );
            self.listen().await;
        }
        start.elapsed()
    }

    async fn until_state(&mut self, state: Option<RecloserState>) {
        self.until("state", |seen| seen.state == Some(state)).await;
    }

    async fn until_error(&mut self, error: bool) -> Duration {
        self.until("error", |seen| seen.error == Some(error)).await
    }

    async fn until_said(&mut self, text: &str) {
        let start = Instant::now();
        while !self
            .log
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.contains(text))
        {
            assert!(
                start.elapsed() < DEADLINE,
                "{text:?} is not in {:#?}",
                self.log.lock().unwrap()
            );
            self.listen().await;
        }
    }

    /// Ask for `target`: the answer, and how long it took.
    async fn change(&mut self, target: RecloserState) -> (RecloserAnswer, Duration) {
        self.seen.answers.clear();
        self.bus.publish(&RCD_RECLOSER_STATE_TARGET, &target);
        let took = self.until("answer", |seen| !seen.answers.is_empty()).await;
        (self.seen.answers[0], took)
    }

    async fn listen(&mut self) {
        let Ok(Event::Message(message)) = tokio::time::timeout(LOOK, self.bus.recv()).await else {
            return;
        };
        if let Some(("recloserd", is_there)) = message.in_family(&DAEMON_AVAILABLE) {
            // It says so after its subscriptions.
            self.seen.is_there = is_there.unwrap();
        } else if let Some(error) = message.on(&RCD_RECLOSER_ERROR) {
            self.seen.error = Some(error.unwrap());
        } else if let Some(state) = message.on(&RCD_RECLOSER_STATE_ACTUAL) {
            self.seen.state = Some(state.unwrap());
        } else if let Some(answer) = message.on(&RCD_RECLOSER_STATE_CONFIRM) {
            assert!(!message.retained);
            self.seen.answers.push(answer.unwrap());
        }
    }

    async fn exit_status(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.daemon.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "the daemon does not end");
            self.listen().await;
        }
    }
}

fn start_daemon(directory: &tempfile::TempDir, port: u16) -> (Process, Arc<Mutex<Vec<String>>>) {
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_recloserd"))
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
async fn the_state_is_told_and_changed_on_request() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    bench.until_error(false).await;
    let (answer, _) = bench.change(RecloserState::Open).await;
    assert_eq!(answer, RecloserAnswer::Open);
    assert!(!bench.recloser.is_closed());
    bench.until_state(OPEN).await;
    let (answer, _) = bench.change(RecloserState::Close).await;
    assert_eq!(answer, RecloserAnswer::Close);
    assert!(bench.recloser.is_closed());
    assert_eq!(bench.recloser.commands(), 2);
}

#[tokio::test]
async fn a_state_that_is_there_already_needs_no_command() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    let (answer, _) = bench.change(RecloserState::Close).await;
    assert_eq!(answer, RecloserAnswer::Close);
    assert_eq!(bench.recloser.commands(), 0);
}

// covers: REC-002, REC-003, REC-012
#[tokio::test]
async fn a_recloser_may_come_late_go_and_come_again() {
    let mut bench = Bench::prepare(true, Some(PROFILE), |line| line.inject(0, Fault::Silence));
    bench.until_error(true).await;
    bench.until_said("device 3 does not answer").await;
    bench.line.repair(0);
    bench.until_error(false).await;
    bench.until_state(CLOSE).await;
    bench.line.inject(0, Fault::Silence);
    bench.until_error(true).await;
    bench.until_state(None).await;
    bench.line.repair(0);
    bench.until_error(false).await;
    bench.until_state(CLOSE).await;
}

#[tokio::test]
async fn a_command_to_a_dead_recloser_never_succeeds() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    // Still believed to be there, and its line echoes every byte.
    bench.line.inject(0, Fault::Silence);
    let (answer, took) = bench.change(RecloserState::Open).await;
    assert_eq!(answer, RecloserAnswer::NotAvailable);
    assert!(took < Duration::from_secs(10), "{took:?}");
    bench.until_error(true).await;
    let (answer, _) = bench.change(RecloserState::Open).await;
    assert_eq!(answer, RecloserAnswer::NotAvailable);
    // Nothing is caught up with later.
    bench.line.repair(0);
    bench.until_state(CLOSE).await;
    assert_eq!(bench.recloser.commands(), 0);
}

#[tokio::test]
async fn a_late_answer_does_not_tell_where_the_contacts_are_now() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    for (number, late) in (1..).zip([950, 1100, 1300]) {
        bench
            .line
            .inject(0, Fault::Delay(Duration::from_millis(late)));
        let start = Instant::now();
        while bench.line.is_idle(0) {
            assert!(start.elapsed() < DEADLINE, "it is not looked at");
            bench.listen().await;
        }
        // An answer "close" is under way.
        bench.recloser.trip();
        bench.line.repair(0);
        let (answer, _) = bench.change(RecloserState::Close).await;
        assert_eq!(answer, RecloserAnswer::Close);
        assert!(bench.recloser.is_closed());
        assert_eq!(bench.recloser.commands(), number, "{late} ms late");
    }
    assert_eq!(bench.seen.error, Some(false), "a lost answer is no outage");
}

// covers: REC-010
#[tokio::test]
async fn a_drive_that_does_not_move_fails_in_time_and_is_commanded_once() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    bench.recloser.jam();
    let (answer, took) = bench.change(RecloserState::Open).await;
    assert_eq!(answer, RecloserAnswer::NotAvailable);
    // 9 s, and a loaded machine's delay; `watch` judges the limit of 10 s.
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(15),
        "{took:?}"
    );
    assert_eq!(bench.recloser.commands(), 1);
    assert_eq!(bench.seen.error, Some(false), "it answers");
}

#[tokio::test]
async fn a_trip_is_told_and_never_closed_again() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    bench.recloser.trip();
    bench.until_state(OPEN).await;
    // It trips again while it closes on request.
    bench.recloser.set_travel(Duration::from_secs(60));
    let (answer, _) = bench.change(RecloserState::Close).await;
    assert_eq!(answer, RecloserAnswer::NotAvailable);
    assert_eq!(bench.recloser.commands(), 1, "one command for one request");
}

#[tokio::test]
async fn a_locked_out_recloser_is_neither_open_nor_closed_and_not_commanded() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    bench.recloser.lock_out();
    bench.until_state(None).await;
    let (answer, _) = bench.change(RecloserState::Close).await;
    assert_eq!(answer, RecloserAnswer::NotAvailable);
    assert_eq!(bench.recloser.commands(), 0);
}

#[tokio::test]
async fn a_newer_request_replaces_the_one_under_way() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    bench.recloser.set_travel(Duration::from_secs(2));
    bench
        .bus
        .publish(&RCD_RECLOSER_STATE_TARGET, &RecloserState::Open);
    bench.until_said("command sent").await;
    let (answer, _) = bench.change(RecloserState::Close).await;
    assert_eq!(answer, RecloserAnswer::Close);
    assert!(bench.recloser.is_closed());
}

#[tokio::test]
async fn a_retained_request_is_no_request() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    let name = RCD_RECLOSER_STATE_TARGET.name();
    let info = TopicInfo::state(name, Publisher::Customer, "test");
    let retained = Topic::<RecloserState>::new(info);
    // The first one comes live; the next daemon finds it in the broker.
    bench.bus.publish(&retained, &RecloserState::Open);
    bench.until("answer", |seen| !seen.answers.is_empty()).await;
    assert_eq!(
        bench.change(RecloserState::Close).await.0,
        RecloserAnswer::Close
    );
    let pid = bench.daemon.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(bench.exit_status().await.success());
    bench.until_error(true).await;
    (bench.daemon, bench.log) = start_daemon(&bench.directory, bench.broker.port());
    bench.until_said("retained; ignored").await;
    bench.until_state(CLOSE).await;
    assert_eq!(bench.recloser.commands(), 2);
}

#[tokio::test]
async fn garbage_is_refused() {
    let mut bench = Bench::start();
    bench.until_state(CLOSE).await;
    let info = TopicInfo::event(
        RCD_RECLOSER_STATE_TARGET.name(),
        Publisher::Customer,
        "test",
    );
    bench.bus.publish(&Topic::<bool>::new(info), &true);
    bench.until("answer", |seen| !seen.answers.is_empty()).await;
    assert_eq!(bench.seen.answers, [RecloserAnswer::InvalidRequestData]);
    assert_eq!(bench.recloser.commands(), 0);
}

#[tokio::test]
async fn without_a_profile_nothing_is_sent_and_the_daemon_says_what_is_missing() {
    let mut bench = Bench::prepare(true, None, |_| {});
    bench.until_error(true).await;
    assert_eq!(bench.exit_status().await.code(), Some(78));
    bench.until_said("profiles/geya.json").await;
}

#[tokio::test]
async fn without_a_recloser_configured_none_is_present() {
    let mut bench = Bench::prepare(false, None, |_| {});
    bench.until("daemon", |seen| seen.is_there).await;
    let (answer, _) = bench.change(RecloserState::Open).await;
    assert_eq!(answer, RecloserAnswer::NotPresent);
    assert_eq!(bench.seen.error, None);
}
