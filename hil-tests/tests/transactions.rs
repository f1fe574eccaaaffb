//! Transactions survive what happens to the OCPP daemon and its connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, SOON, Settings, trace_directory};
use serde_json::{Value, json};
use simulator::central_system::{Answer, CentralSystem, Options};
use simulator::edges::Signal;

const SESSION: &str = "port0/session/state";
const TAG: &str = "04A1B2C3D4";

fn central_system() -> CentralSystem {
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    CentralSystem::start(options).unwrap()
}

fn settings(central: &CentralSystem) -> Settings {
    Settings::default()
        .with_central_system(central.uri())
        .with("ocpp/MeterValueSampleInterval", 10)
        .with("ocpp/TransactionMessageRetryInterval", 1)
        .with("ocpp/AllowOfflineTxForUnknownId", true)
}

/// Swipe until the station has a transaction; a card held to a dead reader is lost.
fn swipe_until(bench: &Bench, reached: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + LATER;
    loop {
        bench.swipe(TAG);
        let wait = |patience, wanted: &dyn Fn(&str) -> bool| {
            bench.observer.wait(patience, |last| {
                last.get(SESSION).is_some_and(|state| wanted(state))
            })
        };
        // A second swipe would end what a station that was held up has begun.
        let done = wait(Duration::from_secs(3), &reached)
            || (wait(Duration::ZERO, &|state| state == "faulted")
                && wait(LATER, &|state| state != "faulted")
                && wait(SOON, &reached));
        if done {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the card is ignored\n{}",
            bench.log("ocppd")
        );
    }
}

fn is_running(state: &str) -> bool {
    matches!(state, "charging" | "suspended_ev" | "suspended_evse")
}

/// Different StartTransaction messages and their StopTransaction.
fn assert_each_once(central: &CentralSystem, expected: usize) {
    let transactions = central.transactions();
    let shown = format!("{transactions:#?}");
    assert_eq!(transactions.len(), expected, "{shown}");
    let mut ids = BTreeSet::new();
    for transaction in &transactions {
        let id = transaction.id.expect(&shown);
        assert!(ids.insert(id), "id {id} twice: {shown}");
        let different = |messages: &[Value]| {
            messages
                .iter()
                .map(ToString::to_string)
                .collect::<BTreeSet<_>>()
                .len()
        };
        assert_eq!(different(&transaction.starts), 1, "{shown}");
        assert_eq!(different(&transaction.stops), 1, "{shown}");
        let (from, to) = (
            &transaction.starts[0]["meterStart"],
            &transaction.stops[0]["meterStop"],
        );
        assert!(to.as_i64() >= from.as_i64(), "{shown}");
        assert_eq!(transaction.stops[0]["transactionId"], json!(id), "{shown}");
    }
}

// covers: OO-003, OO-014, OO-016, OC-041
#[test]
fn a_transaction_survives_sigkill_at_any_instant() {
    let central = central_system();
    let mut bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    // A fixed walk through the life of a session, so that a failure can be repeated.
    let rounds = 8;
    for round in 0..rounds {
        bench.plug_in();
        bench.expect("port0/ci/charge/cp/status", "B", SOON);
        swipe_until(&bench, is_running);
        at_some_instant(round * 37);
        bench.kill_daemon("ocppd");
        at_some_instant(round * 11);
        bench.start_daemon("ocppd");
        at_some_instant(round * 53);
        bench.unplug();
        bench.expect(SESSION, "idle", LATER);
        bench.kill_daemon("ocppd");
        bench.start_daemon("ocppd");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let all_stopped = || {
        let transactions = central.transactions();
        transactions.len() >= rounds as usize && transactions.iter().all(|t| !t.stops.is_empty())
    };
    while !all_stopped() && Instant::now() < deadline {
        at_some_instant(20);
    }
    assert_each_once(&central, rounds as usize);
}

/// Lets `ms` pass: the instant of a failure is arbitrary, and that is the point.
fn at_some_instant(ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

// covers: OC-008, OO-012, OO-017
#[test]
fn an_offline_transaction_is_delivered_in_order_afterwards() {
    let central = central_system();
    let bench = Bench::start(&settings(&central));
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            LATER,
        )
        .unwrap();
    central.stop().unwrap();
    bench.expect("ocpp/online", "0", SOON);
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    swipe_until(&bench, is_running);
    bench.unplug();
    bench.expect(SESSION, "idle", LATER);
    central.restart_on_same_port().unwrap();
    central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert_each_once(&central, 1);
    let order: Vec<_> = central
        .frames()
        .iter()
        .filter_map(|frame| frame.as_call().map(|(action, _)| action.to_owned()))
        .filter(|action| action.ends_with("Transaction"))
        .collect();
    assert_eq!(order, ["StartTransaction", "StopTransaction"]);
}

// covers: OC-022, OC-023, OC-046, OC-047, OC-048
#[test]
fn hostile_frames_are_answered_and_the_connection_stays() {
    let central = central_system();
    let bench = Bench::start(&settings(&central));
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            LATER,
        )
        .unwrap();
    for broken in [
        "[2,\"half",
        "",
        "{}",
        "[]",
        "[2]",
        "[2,\"id\"]",
        "[2,\"id\",\"Reset\"]",
        "[2,17,\"Reset\",{\"type\":\"Soft\"}]",
        "[3,\"never-asked\",{}]",
        "[4,\"never-asked\",\"InternalError\",\"\",{}]",
        "[2,\"id\",\"NoSuchAction\",{}]",
        "[2,\"id\",\"SetChargingProfile\",{\"connectorId\":\"x\"}]",
        "[2,\"id\",\"ChangeConfiguration\",{\"key\":\"HeartbeatInterval\"}]",
    ] {
        central.send_raw(broken).unwrap();
    }
    let nested = format!(
        "[2,\"deep\",\"DataTransfer\",{}{}]",
        "[".repeat(2000),
        "]".repeat(2000)
    );
    central.send_raw(&nested).unwrap();
    let answer = central
        .call("GetConfiguration", json!({ "key": [] }), SOON)
        .unwrap();
    assert!(answer["configurationKey"].as_array().unwrap().len() > 20);
    let answer = central
        .call("GetConfiguration", json!({ "key": ["Nonsense"] }), SOON)
        .unwrap();
    assert_eq!(answer["unknownKey"], json!(["Nonsense"]));
    assert_eq!(central.handshakes().len(), 1, "the connection was closed");
    assert!(
        bench
            .observer
            .text("ocpp/online")
            .is_some_and(|online| online == "1")
    );
}

// covers: OC-051, OC-044
#[test]
fn a_central_system_that_never_answers_does_not_stop_the_charging() {
    let central = central_system();
    for action in [
        "Authorize",
        "StatusNotification",
        "MeterValues",
        "Heartbeat",
    ] {
        central.answer(action, Answer::Silent);
    }
    let bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    let remote = json!({ "connectorId": 1, "idTag": TAG });
    let answer = central
        .call("RemoteStartTransaction", remote, SOON)
        .unwrap();
    assert_eq!(answer["status"], "Accepted");
    bench.expect(SESSION, "charging", LATER);
}

// covers: BOOT-010
#[test]
fn a_transaction_goes_on_when_the_supervisor_restarts() {
    let central = central_system();
    let mut bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    swipe_until(&bench, is_running);
    bench.expect(SESSION, "charging", LATER);
    bench.kill_daemon("evsed");
    let stopped = bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(stopped.success());
    bench.observer.forget();
    bench.start_daemon("evsed");
    bench.expect(SESSION, "charging", LATER);
    bench.unplug();
    central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert_each_once(&central, 1);
}

#[test]
fn a_transaction_goes_on_when_the_broker_restarts() {
    let central = central_system();
    let mut bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    swipe_until(&bench, is_running);
    bench.expect(SESSION, "charging", LATER);
    bench.broker.stop();
    bench.observer.forget();
    bench.broker.run().expect("the broker comes back");
    let back = Instant::now();
    for (topic, value) in [
        (SESSION, "charging"),
        ("ocpp/online", "1"),
        ("port0/metering/meter/available", "1"),
        ("ci/global/daemon/evsed/available", "1"),
        ("ci/global/daemon/ocppd/available", "1"),
        ("ci/global/daemon/meteringd/available", "1"),
    ] {
        bench.expect(
            topic,
            value,
            Duration::from_secs(5).saturating_sub(back.elapsed()),
        );
    }
    assert!(
        bench.station().plant().relay_commands()[0],
        "the session stopped"
    );
    assert!(central.calls("StopTransaction").is_empty());
    bench.swipe(TAG);
    central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert_each_once(&central, 1);
}

// covers: OO-014
#[test]
fn a_transaction_goes_on_when_the_ocpp_daemon_restarts() {
    let central = central_system();
    let mut bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    swipe_until(&bench, is_running);
    bench.expect(SESSION, "charging", LATER);
    central
        .wait_for("StartTransaction", |_| true, LATER)
        .unwrap();
    bench.kill_daemon("ocppd");
    assert!(
        bench.station().plant().relay_commands()[0],
        "the session stopped"
    );
    bench.observer.forget();
    central.mark();
    bench.start_daemon("ocppd");
    central
        .wait_for("MeterValues", |_| true, Duration::from_secs(30))
        .unwrap();
    assert!(
        bench.station().plant().relay_commands()[0],
        "the session stopped"
    );
    bench.expect("port0/session/authorization_status", "1", SOON);
    assert!(central.transactions()[0].stops.is_empty());
    bench.unplug();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert_eq!(stop["reason"], json!("EVDisconnected"));
    assert_each_once(&central, 1);
    // No energy without a transaction: the meter stands where the transaction ended, except
    // for what flows at 22 kW between its last reading in the session and the open contactor.
    let transactions = central.transactions();
    let stop = transactions[0].stops[0]["meterStop"].as_f64().unwrap();
    let register = bench.station().plant().readings().energy_wh;
    assert!(
        register - stop < 8.0,
        "{} Wh outside the transaction",
        register - stop
    );
}

// covers: PL-021
#[test]
fn unlocking_ends_the_transaction_and_frees_the_plug() {
    let central = central_system();
    let bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    swipe_until(&bench, is_running);
    bench.expect(SESSION, "charging", LATER);
    central
        .wait_for("StartTransaction", |_| true, LATER)
        .unwrap();
    let start = bench.station().plant().now_us();
    let answer = central
        .call("UnlockConnector", json!({ "connectorId": 1 }), LATER)
        .unwrap();
    assert_eq!(answer["status"], "Unlocked");
    {
        let station = bench.station();
        let opened = station.first_edge(start, Signal::Contact1, 0).unwrap();
        let unlocked = station.first_edge(start, Signal::LockBolt, 0).unwrap();
        assert!(opened < unlocked, "the plug may be live");
    }
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert_eq!(stop["reason"], "UnlockCommand");
    bench.unplug();
    bench.expect(SESSION, "idle", LATER);
    assert_each_once(&central, 1);
}

#[test]
fn an_ev_that_is_plugged_in_again_at_once_gets_a_session_of_its_own() {
    let central = central_system();
    let bench = Bench::start(&settings(&central));
    central.wait_connected(LATER).unwrap();
    for _ in 0..2 {
        bench.plug_in();
        bench.expect("port0/ci/charge/cp/status", "B", SOON);
        swipe_until(&bench, is_running);
        central.mark();
        bench.unplug();
        // The transaction still waits for its closing reading.
        bench.plug_in();
        central
            .wait_for("StopTransaction", |_| true, LATER)
            .unwrap();
        let preparing = |report: &Value| report["status"] == "Preparing";
        central
            .wait_for("StatusNotification", preparing, LATER)
            .unwrap();
        bench.unplug();
        bench.expect(SESSION, "idle", LATER);
    }
    assert_each_once(&central, 2);
}
