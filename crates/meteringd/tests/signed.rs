//! Meters that sign, on an echoing line; openssl judges what they have signed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

#[path = "support/openssl.rs"]
mod openssl;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use meteringd::desk::Desk;
use meteringd::maps::Signing;
use meteringd::meter::Meter;
use meteringd::poll::{Finding, Poller};
use meteringd::protocol::Protocol;
use meteringd::signing::{Action, Job, Labels, Order, Refused, Step};
use openssl::{assert_signed_by, is_signed_by};
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
use tokio::sync::mpsc;

const NOW: i64 = 1_700_000_000;

#[derive(Clone)]
struct Load(Arc<Mutex<f64>>);

impl MeterSource for Load {
    fn readings(&self) -> Readings {
        Readings {
            voltage: [230.0; 3],
            current: [16.0; 3],
            energy_wh: *self.0.lock().unwrap(),
            frequency: 50.0,
        }
    }
}

struct Bench {
    port: MeterPort,
    meter: Meter,
    signing: &'static Signing,
    key: String,
    load: Load,
    labels: Labels,
}

impl Bench {
    async fn new(model: &str, protocol: &str) -> Self {
        let load = Load(Arc::new(Mutex::new(80_770.0)));
        let config = MeterConfig {
            model: model.into(),
            address: 1,
            link: None,
        };
        let port = MeterPort::start(config, load.clone()).unwrap();
        let line = Line {
            port: port.path().into(),
            baud_rate: BaudRate::B115200,
            parity: Parity::None,
            echo: LocalEcho::Present,
        };
        let device = DeviceAddress::new(1).unwrap();
        let protocol = Protocol::named(protocol).unwrap();
        let mut meter = Meter::new(Bus::new(line), device, protocol);
        let signing = meter.identify().await.unwrap().signing().unwrap();
        let key = meter.public_key(signing).await.unwrap();
        Self {
            port,
            meter,
            signing,
            key,
            load,
            labels: Labels {
                gateway: "mode3 Bench".into(),
                serial: "0000000001".into(),
                evse: "DE*INT*ECH1234567890".into(),
            },
        }
    }

    /// A record of the transaction that began at `started`; `before` sees each step before
    /// it is carried out.
    async fn sign_watched(
        &mut self,
        action: Action,
        started: i64,
        time: i64,
        mut before: impl FnMut(&MeterPort, &Step),
    ) -> Result<String, Refused> {
        let order = Order {
            action,
            id_tag: "04A1B2C3".into(),
            started,
            time,
            received: Instant::now(),
        };
        let mut job = Job::new(self.signing, &self.labels, order);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = Instant::now();
            assert!(now < deadline, "no end: {job:?}");
            let step = job.step(now);
            before(&self.port, &step);
            match step {
                Step::Finished(result) => return result,
                Step::Wait(until) => tokio::time::sleep_until(until.into()).await,
                step @ (Step::Read { .. } | Step::Write { .. } | Step::Command { .. }) => {
                    match self.meter.carry_out(&step).await {
                        Ok(words) => job.done(Instant::now(), &words),
                        Err(rs485::Error::Refused { code, .. }) => {
                            job.refused(Instant::now(), code)
                        }
                        Err(_) => job.failed(Instant::now()),
                    }
                }
            }
        }
    }

    async fn sign(&mut self, action: Action, started: i64, time: i64) -> Result<String, Refused> {
        self.sign_watched(action, started, time, |_, _| {}).await
    }

    fn consume(&self, energy_wh: f64) {
        *self.load.0.lock().unwrap() += energy_wh;
    }
}

/// The part of an OCMF text that is signed.
fn message(text: &str) -> &str {
    text.split('|').nth(1).unwrap()
}

// covers: MET-021
#[tokio::test]
async fn a_wm3m4c_signs_begin_and_end_of_a_transaction() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    let begin = bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    assert_signed_by(&begin, &bench.key);
    assert!(
        message(&begin).contains("\"TX\":\"B\",\"RV\":80.77"),
        "{begin}"
    );
    assert!(message(&begin).contains("\"ID\":\"04A1B2C3\""), "{begin}");
    assert!(message(&begin).contains("2023-11-14T22:13:2"), "{begin}");
    bench.consume(200.0);
    let end = bench.sign(Action::End, NOW, NOW + 217).await.unwrap();
    assert_signed_by(&end, &bench.key);
    let [begin_at, end_at] = ["\"TX\":\"B\",\"RV\":80.77", "\"TX\":\"E\",\"RV\":80.97"]
        .map(|reading| message(&end).find(reading).unwrap());
    assert!(begin_at < end_at);

    // One bit less, and the judge sees it.
    assert!(!is_signed_by(&end.replace("80.97", "80.87"), &bench.key));
}

#[tokio::test]
async fn an_order_that_is_repeated_gives_the_same_record_again() {
    for (model, protocol) in [("iskra/wm3m4c", "iskra"), ("sunspec/bsm-ws36a", "sunspec")] {
        let mut bench = Bench::new(model, protocol).await;
        let begin = bench.sign(Action::Begin, NOW, NOW).await.unwrap();
        assert_eq!(bench.sign(Action::Begin, NOW, NOW + 1).await, Ok(begin));
        bench.consume(200.0);
        let end = bench.sign(Action::End, NOW, NOW + 60).await.unwrap();
        bench.consume(1.0);
        assert_eq!(bench.sign(Action::End, NOW, NOW + 61).await, Ok(end));
    }
}

#[tokio::test]
async fn the_supply_may_fail_within_a_transaction() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    bench.consume(100.0);
    bench
        .port
        .inject(Fault::PowerCycle(Duration::from_millis(300)));
    bench.consume(100.0);
    let end = bench.sign(Action::End, NOW, NOW + 600).await.unwrap();
    assert_signed_by(&end, &bench.key);
    assert!(message(&end).contains("\"TX\":\"B\",\"RV\":80.77"), "{end}");
    assert!(message(&end).contains("\"TX\":\"E\",\"RV\":80.97"), "{end}");
}

#[tokio::test]
async fn the_line_may_fail_right_after_the_command_to_end() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    bench.consume(200.0);
    let mut commands = 0;
    let mut silent_since = None;
    let end = bench
        .sign_watched(Action::End, NOW, NOW + 60, |port, step| {
            if let Step::Command { register: 7051, .. } = step {
                commands += 1;
                port.inject(Fault::DamagedAnswer);
                silent_since = Some(Instant::now());
            } else if silent_since.is_some_and(|since: Instant| since.elapsed().as_secs() > 2) {
                port.answer();
            }
        })
        .await
        .unwrap();
    assert_signed_by(&end, &bench.key);
    assert_eq!(commands, 1, "it was ended more than once");
}

// A long record is read in pieces of the same length.
#[tokio::test]
async fn a_late_piece_of_a_record_is_not_taken_for_the_next_one() {
    for late in [950, 1100, 1300] {
        let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
        bench.labels.gateway = "G".repeat(41);
        bench.labels.serial = "S".repeat(25);
        bench.labels.evse = "E".repeat(37);
        bench.sign(Action::Begin, NOW, NOW).await.unwrap();
        bench.consume(200.0);
        let mut has_another_piece = false;
        let mut stall = Some(Fault::Stall {
            first: Duration::from_millis(late),
            then: Duration::from_millis(300),
        });
        let end = bench
            .sign_watched(Action::End, NOW, NOW + 60, |port, step| {
                if let Step::Read { start: 7612, .. } = step
                    && let Some(stall) = stall.take()
                {
                    port.inject(stall);
                }
                has_another_piece |= matches!(
                    step,
                    Step::Read {
                        start: 7732,
                        count: 120
                    }
                );
            })
            .await
            .unwrap();
        assert!(has_another_piece, "the record is too short for this test");
        assert_signed_by(&end, &bench.key);
        assert!(message(&end).contains("\"TX\":\"E\",\"RV\":80.97"), "{end}");
    }
}

#[tokio::test]
async fn a_measurement_that_nobody_ended_is_ended_before_a_new_one() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    bench.consume(1000.0);
    let later = NOW + 3600;
    let begin = bench.sign(Action::Begin, later, later).await.unwrap();
    assert!(message(&begin).contains("\"RV\":81.77"), "{begin}");
    let end = bench.sign(Action::End, later, later + 10).await.unwrap();
    assert!(message(&end).contains("\"TX\":\"B\",\"RV\":81.77"), "{end}");

    // After a failure of the supply it wants clock and dataset before that.
    bench
        .port
        .inject(Fault::PowerCycle(Duration::from_millis(100)));
    let again = later + 3600;
    bench.sign(Action::Begin, again, again).await.unwrap();
    bench
        .port
        .inject(Fault::PowerCycle(Duration::from_millis(100)));
    let last = again + 3600;
    let begin = bench.sign(Action::Begin, last, last).await.unwrap();
    assert_signed_by(&begin, &bench.key);
}

#[tokio::test]
async fn a_transaction_that_the_meter_does_not_know_has_no_record() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    let unknown = bench.sign(Action::End, NOW, NOW).await;
    assert_eq!(unknown, Err(Refused::NoTransaction));
    bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    bench.sign(Action::End, NOW, NOW + 60).await.unwrap();
    let later = bench.sign(Action::End, NOW + 100, NOW + 200).await;
    assert_eq!(later, Err(Refused::NoTransaction));
}

#[tokio::test]
async fn a_meter_that_fails_to_sign_is_told_so() {
    let mut bench = Bench::new("iskra/wm3m4c", "iskra").await;
    bench.port.inject(Fault::Signing(254));
    let result = bench.sign(Action::Begin, NOW, NOW).await;
    assert_eq!(result, Err(Refused::Status(254)));
    let mut bench = Bench::new("sunspec/bsm-ws36a", "sunspec").await;
    bench.port.inject(Fault::Signing(254));
    let result = bench.sign(Action::Begin, NOW, NOW).await;
    assert_eq!(result, Err(Refused::Status(3)));
}

#[tokio::test]
async fn a_bsm_signs_a_snapshot_at_begin_and_end() {
    let mut bench = Bench::new("sunspec/bsm-ws36a", "sunspec").await;
    let begin = bench.sign(Action::Begin, NOW, NOW).await.unwrap();
    assert_signed_by(&begin, &bench.key);
    bench.consume(160.0);
    let end = bench.sign(Action::End, NOW, NOW + 325).await.unwrap();
    assert_signed_by(&end, &bench.key);
    assert!(
        message(&begin).contains("\"TX\":\"B\",\"RV\":0,"),
        "{begin}"
    );
    assert!(message(&begin).contains("\"XV\":80770,"), "{begin}");
    assert!(message(&end).contains("\"TX\":\"E\",\"RV\":160,"), "{end}");
    assert!(
        message(&end).contains("\"ID\":\"contract-id: 04A1B2C3\""),
        "{end}"
    );

    // The next transaction's end is not the last one's.
    let later = NOW + 3600;
    bench.sign(Action::Begin, later, later).await.unwrap();
    bench.consume(40.0);
    let end = bench.sign(Action::End, later, later + 60).await.unwrap();
    assert!(message(&end).contains("\"TX\":\"E\",\"RV\":40,"), "{end}");
}

#[tokio::test]
async fn a_public_key_that_could_not_be_read_is_read_later() {
    let Bench {
        port, meter, key, ..
    } = Bench::new("iskra/wm3m4c", "iskra").await;
    port.inject(Fault::SilentFrom(8124));
    let (sender, mut findings) = mpsc::channel(1);
    let (_asker, requests) = mpsc::channel(1);
    let poller = Poller::new(meter, Duration::from_secs(2));
    tokio::spawn(poller.run(sender, Desk::new(requests)));
    let mut keys = Vec::new();
    let both = async {
        while keys.len() < 2 {
            if let Finding::PublicKey(key) = findings.recv().await.unwrap() {
                keys.push(key.unwrap());
                port.answer();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), both)
        .await
        .unwrap();
    assert_eq!(keys, [String::new(), key]);
}

#[tokio::test]
async fn an_independent_reader_finds_the_same_record_and_key() {
    let judges = std::env::var_os("MODE3_JUDGES")
        .unwrap_or_else(|| panic!("MODE3_JUDGES names no Python interpreter: run ./dev test"));
    for (model, protocol) in [("iskra/wm3m4c", "iskra"), ("sunspec/bsm-ws36a", "sunspec")] {
        let mut bench = Bench::new(model, protocol).await;
        let begin = bench.sign(Action::Begin, NOW, NOW).await.unwrap();
        let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/judges/signed.py");
        let output = std::process::Command::new(&judges)
            .arg(judge)
            .arg(bench.port.path())
            .args(["1", model])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{model}: {complaint}");
        let said = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines, [&bench.key, &begin], "{model}");
    }
}

#[test]
fn published_records_are_signed_by_their_published_keys() {
    let table = include_str!("published_records.csv");
    let mut count = 0;
    for row in table.lines().skip(1) {
        let [source, key, text] = row.splitn(3, ';').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        assert_signed_by(text, key);
        assert!(
            !is_signed_by(&text.replacen("\"RV\":", "\"RV\":1", 1), key),
            "{source}"
        );
        count += 1;
    }
    assert_eq!(count, 4);
}
