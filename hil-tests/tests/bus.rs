//! Meter, RFID reader and recloser on one EIA-485 line, each with its own daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hil_tests::line_bench::{AVAILABLE, Bystander, LineBench, METER, READER, RECLOSER, is_free};
use hil_tests::{LATER, SOON, Seen, judges};
use serde_json::Value;
use simulator::bus::Fault;

const UID: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];

/// What one may have to wait for.
struct Wait {
    took: Duration,
    /// Requests to the other devices meanwhile.
    others: usize,
}

impl Wait {
    /// Neither long, nor only because the machine was slow for everybody.
    fn is_short(&self) -> bool {
        self.took < Duration::from_secs(2) || self.others <= 10
    }
}

/// Hold the card to the reader until it is told, and take it away.
fn tap(bench: &LineBench) -> Wait {
    let others = || bench.line.requests(METER) + bench.line.requests(RECLOSER);
    let mark = bench.observer.mark();
    let (start, before) = (Instant::now(), others());
    bench.field.hold(&UID);
    let told = bench.observer.wait_since(mark, SOON, |seen| {
        seen.topic == "port0/rfid/authorization_request"
    });
    let (took, others) = (start.elapsed(), others() - before);
    let told = told.expect("the card is told");
    assert_eq!(told.payload, "[\"ISO14443\",\"DEADBEEF\"]");
    bench.field.clear();
    let enough = bench.field.looks() + 8;
    let deadline = Instant::now() + SOON;
    while bench.field.looks() < enough {
        assert!(Instant::now() < deadline, "nobody looks for cards");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Wait { took, others }
}

/// Whether the meter had its turns since `start`: two readings in three seconds, or, on a
/// machine that is slow for everybody, one while the reader was looked at eight times.
fn has_been_read(bench: &LineBench, mark: usize, start: Instant, looks: usize) -> bool {
    let is_reading = |seen: &&Seen| seen.topic == "port0/metering/meter/values";
    let readings = bench.observer.since(mark).iter().filter(is_reading).count() + 2;
    let looks = bench.field.looks() - looks;
    readings as u64 >= start.elapsed().as_secs() * 2 / 3 || readings * 8 >= looks
}

/// Switch the recloser and wait for the answer.
fn switch(bench: &LineBench, target: &str) -> String {
    let mark = bench.observer.mark();
    bench
        .observer
        .publish_raw("port0/rcd/recloser/state/target", target, false);
    let answer = bench.observer.wait_since(mark, LATER, |seen| {
        seen.topic == "port0/rcd/recloser/state/confirm"
    });
    answer.expect("an answer").payload
}

/// Whatever was published, it was true.
fn assert_no_wrong_value(bench: &LineBench) {
    for seen in bench.observer.history() {
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

#[test]
fn three_daemons_share_one_line_and_none_starves() {
    for protocol in ["stronglink-modbus", "Stronglink"] {
        let bench = LineBench::start(protocol);
        let bystander = Bystander::watch(bench.line.path().to_owned());
        let mark = bench.observer.mark();
        let (start, looks) = (Instant::now(), bench.field.looks());
        for target in ["open", "close", "open", "close"] {
            let wait = tap(&bench);
            assert!(wait.is_short(), "a card takes {:?}", wait.took);
            assert_eq!(switch(&bench, target), target);
            assert_eq!(bench.recloser.is_closed(), target == "close");
        }
        assert!(
            has_been_read(&bench, mark, start, looks),
            "the meter starves"
        );
        for (topic, value) in AVAILABLE {
            bench.observer.expect(topic, value, SOON);
        }
        assert_no_wrong_value(&bench);
        let longest = bystander.longest();
        assert!(longest < Duration::from_secs(1), "occupied for {longest:?}");
    }
}

// covers: MET-023, MET-027
#[test]
fn a_customers_program_shares_the_line_with_the_daemons() {
    const READS: usize = 60;
    let bench = LineBench::start("stronglink-modbus");
    let mark = bench.observer.mark();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/judges/neighbour.py");
    let (start, looks) = (Instant::now(), bench.field.looks());
    let program = Command::new(judges())
        .arg(script)
        .arg(bench.line.path())
        .args(["1", &READS.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tap(&bench);
    assert_eq!(switch(&bench, "open"), "open");
    let output = program.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let reads: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(','))
        .collect();
    assert_eq!(reads.len(), READS, "{text}");
    assert!(
        reads.iter().all(|(voltage, _)| *voltage == "230.0"),
        "{text}"
    );
    assert!(
        reads.iter().any(|(_, busy)| *busy != "0"),
        "they never met: {text}"
    );
    for (topic, value) in AVAILABLE {
        bench.observer.expect(topic, value, SOON);
    }
    assert!(
        has_been_read(&bench, mark, start, looks),
        "the meter starves"
    );
    assert_no_wrong_value(&bench);
}

#[test]
fn one_broken_device_disturbs_no_other_and_all_recover() {
    let bench = LineBench::start("stronglink-modbus");
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
                tap(&bench);
            }
            if broken != RECLOSER {
                let is_closed = bench.recloser.is_closed();
                let target = if is_closed { "open" } else { "close" };
                let answer = switch(&bench, target);
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
    assert_no_wrong_value(&bench);
}

#[test]
fn a_daemon_that_ends_leaves_the_line_to_the_others() {
    let mut bench = LineBench::start("stronglink-modbus");
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
    assert_no_wrong_value(&bench);
}
