use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{EvseSession, Input, Output};

fn start(id: i64) -> Value {
    json!({"transactionId": id, "idTagInfo": {"status": "Accepted"}})
}

/// Offline, with `AllowOfflineTxForUnknownId`: one whole session.
fn offline_session(bench: &mut Bench, tag: &str, energy: i64) {
    bench.tag(tag);
    bench.evse(EvseSession::Connected);
    bench.evse(EvseSession::Charging);
    bench.pass(60);
    bench.evse(EvseSession::Idle);
    bench.pass(1);
    bench.input(Input::Reading(meter(energy)));
}

fn offline() -> Bench {
    let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench
}

// covers: OO-003, OO-016
#[test]
fn offline_sessions_are_delivered_in_order_with_their_ids() {
    let mut bench = offline();
    offline_session(&mut bench, "one", 2_000);
    offline_session(&mut bench, "two", 3_000);
    bench.open();
    let mut seen = Vec::new();
    while let Some(frame) = bench.sent.pop_front() {
        let action = frame[2].as_str().unwrap().to_owned();
        let answer = if action == "StartTransaction" {
            start(if seen.is_empty() { 41 } else { 42 })
        } else {
            json!({})
        };
        if action != "StatusNotification" {
            seen.push((
                action,
                frame[3]["transactionId"].clone(),
                frame[3]["idTag"].clone(),
            ));
        }
        bench.result(frame[1].as_str().unwrap(), answer);
    }
    let row = |action: &str, id: Value, tag: Value| (action.to_owned(), id, tag);
    assert_eq!(
        seen,
        [
            row("StartTransaction", Value::Null, json!("one")),
            row("MeterValues", json!(41), Value::Null),
            row("StopTransaction", json!(41), Value::Null),
            row("StartTransaction", Value::Null, json!("two")),
            row("MeterValues", json!(42), Value::Null),
            row("StopTransaction", json!(42), Value::Null),
        ]
    );
    assert!(bench.stored.messages.is_empty() && bench.stored.transactions.is_empty());
}

// covers: OC-050
#[test]
fn one_call_at_a_time() {
    let mut bench = Bench::online();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.evse(EvseSession::Connected);
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.sent.len(), 1);
    // Calls of the other side are answered all the same.
    assert_eq!(bench.status("ClearCache", json!({})), "Accepted");
    bench.drain();
}

// covers: OC-042
#[test]
fn a_refused_transaction_message_is_repeated_and_then_dropped() {
    let mut bench = Bench::configured(&[
        ("TransactionMessageAttempts", "3"),
        ("TransactionMessageRetryInterval", "10"),
    ]);
    bench.connect();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.evse(EvseSession::Connected);
    bench.answer("StatusNotification", json!({}));
    let mut ids = vec![bench.answer_error("StartTransaction", "InternalError")];
    for wait in [10, 20] {
        bench.pass(wait - 1);
        assert!(
            !bench
                .sent
                .iter()
                .any(|frame| frame[2] == json!("StartTransaction")),
            "before {wait} s"
        );
        bench.pass(1);
        bench
            .sent
            .retain(|frame| frame[2] == json!("StartTransaction"));
        ids.push(bench.answer_error("StartTransaction", "GenericError"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "a refused id is not used again");
    bench.pass(1_000);
    assert!(
        !bench
            .drain()
            .iter()
            .any(|(action, _)| action == "StartTransaction")
    );
    // Nothing of an unknown transaction is ever sent.
    bench.evse(EvseSession::Idle);
    bench.pass(10);
    assert!(
        !bench
            .drain()
            .iter()
            .any(|(action, _)| action == "StopTransaction" || action == "MeterValues")
    );
    assert!(bench.stored.messages.is_empty() && bench.stored.transactions.is_empty());
}

// covers: OC-044
#[test]
fn meter_values_that_nobody_wants_do_not_delay_the_stop() {
    for (code, delayed) in [
        ("NotSupported", false),
        ("NotImplemented", false),
        ("InternalError", true),
    ] {
        let mut bench = Bench::configured(&[("MeterValueSampleInterval", "10")]);
        bench.connect();
        bench.charge();
        bench.pass(10);
        bench.answer_error("MeterValues", code);
        bench.evse(EvseSession::Idle);
        bench.pass(3);
        let stops = bench
            .drain()
            .iter()
            .any(|(action, _)| action == "StopTransaction");
        assert_eq!(stops, !delayed, "{code}");
    }
}

#[test]
fn an_unanswered_start_keeps_its_id_and_payload() {
    let mut bench = Bench::online();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.evse(EvseSession::Connected);
    bench.answer("StatusNotification", json!({}));
    let first = bench.expect_call("StartTransaction");
    bench.pass(60);
    bench
        .sent
        .retain(|frame| frame[2] == json!("StartTransaction"));
    assert_eq!(
        bench.expect_call("StartTransaction"),
        first,
        "after a time-out"
    );
    bench.input(Input::SocketClosed);
    bench.open();
    assert_eq!(
        bench.expect_call("StartTransaction"),
        first,
        "on a new connection"
    );
}

#[test]
fn a_late_answer_to_a_start_counts_once() {
    let mut bench = Bench::online();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.evse(EvseSession::Connected);
    bench.answer("StatusNotification", json!({}));
    let (id, _) = bench.expect_call("StartTransaction");
    bench.pass(31);
    bench.drain();
    bench.result(&id, start(5));
    bench.result(&id, start(6));
    assert_eq!(bench.stored.transactions[0].central_id, Some(5));
    assert!(bench.stored.messages.is_empty());
}

// covers: OC-043, OC-044
#[test]
fn call_errors_to_optional_messages_change_nothing() {
    let mut bench = Bench::new();
    bench.open();
    bench.accept_boot();
    for code in [
        "NotSupported",
        "NotImplemented",
        "InternalError",
        "SomethingElse",
        "",
    ] {
        bench.status("TriggerMessage", json!({"requestedMessage": "Heartbeat"}));
        while !bench.sent.is_empty() {
            let action = bench.sent[0][2].as_str().unwrap().to_owned();
            bench.answer_error(&action, code);
        }
    }
    bench.pass(3_600);
    bench.expect_silence();
    assert!(!bench.others.contains(&Output::Disconnect));
    bench.charge();
}

/// Triggers heartbeats until no more are accepted; how many were.
fn crowd(bench: &mut Bench) -> usize {
    let trigger = || json!({"requestedMessage": "Heartbeat"});
    (0..100)
        .take_while(|_| bench.status("TriggerMessage", trigger()) == "Accepted")
        .count()
}

#[test]
fn a_slow_central_system_misses_no_state_and_nothing_that_it_asked_for() {
    let mut bench = Bench::online();
    let heartbeats = crowd(&mut bench);
    for message in ["StatusNotification", "MeterValues"] {
        let trigger = json!({"requestedMessage": message});
        assert_eq!(bench.status("TriggerMessage", trigger), "Rejected");
    }
    bench.evse(EvseSession::Connected);
    let sent = bench.drain();
    let of = |action: &str| sent.iter().filter(|(of, _)| of == action).count();
    assert_eq!(
        (of("Heartbeat"), of("StatusNotification"), sent.len()),
        (heartbeats, 1, heartbeats + 1)
    );
    assert_eq!(sent.last().unwrap().1["status"], json!("Preparing"));
}

#[test]
fn a_trigger_of_two_messages_needs_room_for_both() {
    let mut bench = Bench::online();
    let room = crowd(&mut bench) - 1;
    bench.drain();
    for _ in 0..room {
        bench.status("TriggerMessage", json!({"requestedMessage": "Heartbeat"}));
    }
    let both = json!({"requestedMessage": "StatusNotification"});
    assert_eq!(bench.status("TriggerMessage", both), "Rejected");
    let one = json!({"requestedMessage": "StatusNotification", "connectorId": 1});
    assert_eq!(bench.status("TriggerMessage", one), "Accepted");
}

#[test]
fn a_station_that_waits_for_its_registration_always_boots_again() {
    let mut bench = Bench::new();
    bench.open();
    let time = bench.wall().to_string();
    let pending = json!({"status": "Pending", "currentTime": time, "interval": 20});
    bench.answer("BootNotification", pending);
    crowd(&mut bench);
    bench.pass(20);
    let sent = bench.drain();
    assert!(sent.iter().any(|(action, _)| action == "BootNotification"));
}

#[test]
fn answers_to_nothing_are_ignored() {
    let mut bench = Bench::online();
    bench.charge();
    for frame in [
        r#"[3,"unknown",{"transactionId":1}]"#,
        r#"[4,"unknown","NotSupported","",{}]"#,
        r#"[3,"first-1",{}]"#,
    ] {
        bench.input(Input::Frame(frame.to_owned()));
    }
    assert_eq!(bench.permit, Some(true));
    bench.expect_silence();
}

#[test]
fn message_ids_are_unique_over_restarts_and_short() {
    let mut bench = Bench::new();
    bench.open();
    let (first, _) = bench.expect_call("BootNotification");
    let mut bench = bench.restart();
    bench.open();
    let (second, _) = bench.expect_call("BootNotification");
    assert_ne!(first, second);
    assert!(first.len() <= 36 && second.len() <= 36);
}

#[test]
fn a_long_queue_does_not_delay_a_user() {
    let mut bench = offline();
    for energy in 2..7 {
        offline_session(&mut bench, "x", energy * 1_000);
    }
    bench.open();
    let (id, _) = bench.expect_call("StartTransaction");
    bench.tag("waiting");
    bench.result(&id, start(1));
    bench.expect_call("Authorize");
}

#[test]
fn a_week_offline_keeps_starts_stops_and_a_bounded_number_of_values() {
    let mut bench = Bench::configured(&[
        ("AllowOfflineTxForUnknownId", "true"),
        ("MeterValueSampleInterval", "10"),
    ]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench.tag("x");
    bench.evse(EvseSession::Charging);
    bench.pass(7 * 8_640);
    bench.evse(EvseSession::Idle);
    bench.pass(10);
    let count = bench.stored.messages.len();
    assert!((500..=1_002).contains(&count), "{count}");
    assert!(matches!(
        bench.stored.messages.first().unwrap().body,
        crate::Body::Start(_)
    ));
    assert!(matches!(
        bench.stored.messages.last().unwrap().body,
        crate::Body::Stop(_)
    ));
}

#[test]
fn what_could_not_be_stored_is_stored_later() {
    let mut bench = offline();
    bench.input(Input::StoreFault(Some(
        crate::Fault::PersistenceTransactionFailed,
    )));
    bench.tag("x");
    assert_eq!(bench.permit, Some(false), "nobody starts without a record");
    bench.input(Input::StoreFault(None));
    bench.tag("x");
    bench.evse(EvseSession::Charging);
    // As if these changes had failed.
    bench.stored = crate::Stored::default();
    bench.input(Input::StoreFault(Some(
        crate::Fault::PersistenceTransactionFailed,
    )));
    bench.pass(30);
    assert_eq!(
        (bench.stored.transactions.len(), bench.stored.messages.len()),
        (1, 1)
    );
}

// covers: OO-004
#[test]
fn only_so_many_transactions_may_wait() {
    let mut bench = offline();
    for session in 0..336 {
        offline_session(&mut bench, "x", 2_000 + session);
    }
    assert_eq!(bench.stored.transactions.len(), 336);
    bench.tag("x");
    assert_eq!(bench.permit, Some(false));
    bench.open();
    let sent = bench.drain();
    assert!(
        sent.iter()
            .any(|(_, payload)| payload["vendorErrorCode"]
                == json!("PersistenceTooManyTransactions"))
    );
    // Delivered, they no longer stand in the way.
    bench.tag("another");
    assert!(
        bench
            .drain()
            .iter()
            .any(|(action, _)| action == "Authorize")
    );
    assert_eq!(bench.permit, Some(true));
}
