//! Cards at the reader of a whole station, and of two stations that share it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, SOON, Settings, trace_directory};
use serde_json::{Value, json};
use simulator::bus::{Fault, SharedLine};
use simulator::central_system::{CentralSystem, Options};
use simulator::rfid::{Field, Sl032};

const SESSION: &str = "port0/session/state";
const AVAILABLE: &str = "port0/rfid/available";
const REQUEST: &str = "port0/rfid/authorization_request";
const UID: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];
const ID_TAG: &str = "DEADBEEF";

fn central_system() -> CentralSystem {
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    CentralSystem::start(options).unwrap()
}

fn reader() -> (Field, SharedLine) {
    let field = Field::default();
    let line = SharedLine::start(vec![Box::new(Sl032::new(field.clone()))]).unwrap();
    (field, line)
}

fn settings(central: &CentralSystem, rfid: Value) -> Settings {
    Settings::default()
        .with_central_system(central.uri())
        .with("ports[0]/rfid", rfid)
}

fn with_reader(central: &CentralSystem, line: &SharedLine) -> Settings {
    settings(central, json!({ "enable": true, "port": line.path() }))
}

/// A bench with rfidd, known to its central system.
fn start(central: &CentralSystem, settings: &Settings) -> Bench {
    let mut bench = Bench::start(settings);
    bench.start_daemon("rfidd");
    bench.expect(AVAILABLE, "1", SOON);
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            LATER,
        )
        .unwrap();
    bench
}

/// Wait until the connector's status is reported as `status`.
fn reported(central: &CentralSystem, status: &str) {
    let fits = |report: &Value| report["connectorId"] == 1 && report["status"] == status;
    central.wait_for("StatusNotification", fits, LATER).unwrap();
}

/// Hold the card to the reader until it was looked at, and take it away for long enough.
fn tap(field: &Field) {
    field.hold(&UID);
    looked(field, 3);
    field.clear();
    looked(field, 6);
}

fn looked(field: &Field, times: usize) {
    let enough = field.looks() + times;
    let deadline = Instant::now() + SOON;
    while field.looks() < enough {
        assert!(Instant::now() < deadline, "nobody looks for cards");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Tap until the bench's session reaches `state`.
fn tap_until(field: &Field, bench: &Bench, state: &str) {
    let deadline = Instant::now() + LATER;
    loop {
        tap(field);
        let reached = bench.observer.wait(Duration::from_secs(3), |last| {
            last.get(SESSION).is_some_and(|last| last == state)
        });
        if reached {
            return;
        }
        assert!(Instant::now() < deadline, "{}", bench.observer.tail());
    }
}

fn requests(bench: &Bench) -> usize {
    let history = bench.observer.history();
    history.iter().filter(|seen| seen.topic == REQUEST).count()
}

// covers: RFID-001, RFID-012, RFID-013, RFID-014
#[test]
fn a_card_starts_a_session_and_a_lost_reader_neither_stops_nor_starts_one() {
    let central = central_system();
    let (field, line) = reader();
    let bench = start(&central, &with_reader(&central, &line));
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    // Once: a second card would stop the session.
    tap(&field);
    bench.expect(SESSION, "charging", LATER);
    let started = central
        .wait_for("StartTransaction", |start| start["idTag"] == ID_TAG, LATER)
        .unwrap();
    assert_eq!(started["connectorId"], 1);

    line.inject(0, Fault::Silence);
    bench.expect(AVAILABLE, "0", SOON);
    central
        .wait_for(
            "StatusNotification",
            |status| status["errorCode"] == "ReaderFailure",
            LATER,
        )
        .unwrap();
    let before = requests(&bench);
    bench.expect(SESSION, "charging", LATER);
    let energy = bench.station().plant().readings().energy_wh;
    bench.station().plant().energy_factor = 60.0;
    // The card that would stop the session can't be seen.
    field.hold(&UID);
    bench.wait_for("energy is counted", LATER, |plant| {
        plant.readings().energy_wh > energy + 50.0
    });
    bench.expect(SESSION, "charging", LATER);
    bench.expect(AVAILABLE, "0", SOON);
    assert_eq!(requests(&bench), before);
    assert!(central.calls("StopTransaction").is_empty());

    central.mark();
    bench.unplug();
    bench.expect(SESSION, "idle", LATER);
    reported(&central, "Available");
    central.mark();
    bench.plug_in();
    reported(&central, "Preparing");
    let remote = json!({ "connectorId": 1, "idTag": ID_TAG });
    let answer = central
        .call("RemoteStartTransaction", remote, SOON)
        .unwrap();
    assert_eq!(answer["status"], "Accepted");
    bench.expect(SESSION, "charging", LATER);
    assert_eq!(requests(&bench), before);
}

// covers: RFID-021, RFID-022
#[test]
fn two_stations_share_one_reader() {
    let (field, line) = reader();
    let (here_central, there_central) = (central_system(), central_system());
    let shared = |settings: Settings| {
        settings
            .with("ocpp/rfidStopTransaction", false)
            .with("ocpp/rfidRequiresEvPresent", true)
    };
    let slave = json!({ "enable": true, "protocol": "mqtt" });
    let there = start(&there_central, &shared(settings(&there_central, slave)));
    let uri = format!("mqtt://127.0.0.1:{}", there.broker.port());
    let master = json!({
        "enable": true, "port": line.path(), "remote_ports": [{ "uri": uri }]
    });
    let here = start(&here_central, &shared(settings(&here_central, master)));

    // Nobody is there.
    tap(&field);
    there.plug_in();
    there.expect(SESSION, "connected", SOON);
    tap_until(&field, &there, "charging");
    assert_eq!(requests(&here), 0, "{}", here.observer.tail());

    let before = requests(&there);
    here.plug_in();
    here.expect(SESSION, "connected", SOON);
    tap_until(&field, &here, "charging");
    // Both charge: the card is for nobody.
    tap(&field);
    there.observer.fence();
    assert_eq!(requests(&there), before, "{}", there.observer.tail());
    assert_eq!(there.observer.text(SESSION).as_deref(), Some("charging"));
}
