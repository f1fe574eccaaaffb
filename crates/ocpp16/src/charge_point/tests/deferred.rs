//! Requests whose answers other daemons give.

use serde_json::{Value, json};

use super::bench::{Bench, meter, settings};
use crate::{
    Configuration, EvseSession, Fault, Input, Output, RecloserRefusal, RecloserState, Settings,
    Stored, UnlockStatus,
};

/// Sends a CALL that is not answered at once.
fn ask(bench: &mut Bench, id: &str, action: &str, payload: &Value) {
    bench.input(Input::Frame(json!([2, id, action, payload]).to_string()));
}

/// The CALLRESULT that was sent for `id`, if it was.
fn answer(bench: &mut Bench, id: &str) -> Option<Value> {
    let place = bench
        .sent
        .iter()
        .position(|frame| frame[0] == json!(3) && frame[1] == json!(id))?;
    bench.sent.remove(place).map(|frame| frame[2].clone())
}

fn unlock(bench: &mut Bench, id: &str) {
    ask(bench, id, "UnlockConnector", &json!({"connectorId": 1}));
}

/// The texts of the requests to the lock.
fn requests(bench: &Bench) -> Vec<String> {
    let mut requests = Vec::new();
    for output in &bench.others {
        if let Output::Unlock(request) = output {
            requests.push(request.clone());
        }
    }
    requests
}

fn lock_answers(bench: &mut Bench, outcome: UnlockStatus) {
    let request = requests(bench).pop().unwrap();
    bench.input(Input::UnlockAnswered { request, outcome });
}

fn online_with(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut settings = settings("first");
    change(&mut settings);
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    bench
}

// covers: PL-019
#[test]
fn the_lock_answers_for_itself() {
    for (outcome, expected) in [
        (UnlockStatus::Unlocked, "Unlocked"),
        (UnlockStatus::UnlockFailed, "UnlockFailed"),
        (UnlockStatus::NotSupported, "NotSupported"),
    ] {
        let mut bench = Bench::online();
        bench.faults(&[Fault::PlugLockCannotUnlock]);
        bench.drain();
        unlock(&mut bench, "u");
        assert_eq!(answer(&mut bench, "u"), None);
        lock_answers(&mut bench, outcome);
        assert_eq!(answer(&mut bench, "u"), Some(json!({"status": expected})));
    }
}

// covers: PL-020
#[test]
fn without_an_answer_of_the_lock_it_has_failed_within_20_s() {
    let mut bench = Bench::online();
    unlock(&mut bench, "u");
    bench.pass(19);
    assert_eq!(answer(&mut bench, "u"), None);
    bench.pass(1);
    assert_eq!(
        answer(&mut bench, "u"),
        Some(json!({"status": "UnlockFailed"}))
    );
    lock_answers(&mut bench, UnlockStatus::Unlocked);
    assert_eq!(answer(&mut bench, "u"), None, "too late");
}

// covers: PL-021
#[test]
fn a_transaction_ends_before_the_plug_is_unlocked() {
    let mut bench = Bench::online();
    bench.charge();
    let time = bench.time();
    let frame = json!([2, "u", "UnlockConnector", {"connectorId": 1}]).to_string();
    let outputs = bench.point.handle(time, Input::Frame(frame));
    let place = |wanted: fn(&Output) -> bool| outputs.iter().position(wanted).unwrap();
    let ended = place(|output| matches!(output, Output::Store(_)));
    let unlocked = place(|output| matches!(output, Output::Unlock(_)));
    assert!(ended < unlocked, "{outputs:?}");
    assert!(outputs.contains(&Output::Permit(false)));
    for output in &outputs {
        if let Output::Send(text) = output {
            bench.sent.push_back(serde_json::from_str(text).unwrap());
        }
    }
    bench.pass(1);
    bench.input(Input::Reading(meter(2_000)));
    bench.evse(EvseSession::Connected);
    let sent = bench.drain();
    let stop = sent
        .iter()
        .find(|(action, _)| action == "StopTransaction")
        .unwrap();
    assert_eq!(stop.1["reason"], json!("UnlockCommand"));
}

// covers: PL-022
#[test]
fn there_is_no_lock_at_a_fixed_cable_or_another_connector() {
    let mut bench = online_with(|settings| settings.pluggable = false);
    bench.charge();
    for connector in [-1, 0, 1, 2] {
        assert_eq!(
            bench.status("UnlockConnector", json!({"connectorId": connector})),
            "NotSupported"
        );
    }
    assert_eq!(requests(&bench), Vec::<String>::new());
    assert_eq!(bench.permit, Some(true), "the transaction goes on");
    let mut bench = Bench::online();
    for connector in [-1, 0, 2] {
        assert_eq!(
            bench.status("UnlockConnector", json!({"connectorId": connector})),
            "NotSupported"
        );
    }
}

#[test]
fn a_newer_request_to_unlock_takes_the_place_of_the_older() {
    let mut bench = Bench::online();
    unlock(&mut bench, "u1");
    let first = requests(&bench).pop().unwrap();
    unlock(&mut bench, "u2");
    assert_eq!(
        answer(&mut bench, "u1"),
        Some(json!({"status": "UnlockFailed"}))
    );
    bench.input(Input::UnlockAnswered {
        request: first,
        outcome: UnlockStatus::Unlocked,
    });
    assert_eq!(answer(&mut bench, "u2"), None, "it is not its answer");
    lock_answers(&mut bench, UnlockStatus::Unlocked);
    assert_eq!(
        answer(&mut bench, "u2"),
        Some(json!({"status": "Unlocked"}))
    );
}

#[test]
fn nothing_is_answered_on_another_connection() {
    let mut bench = Bench::online();
    unlock(&mut bench, "u");
    transfer(&mut bench, "r", "rcdRecloserChangeState", &json!("1,open"));
    bench.input(Input::SocketClosed);
    bench.open();
    lock_answers(&mut bench, UnlockStatus::Unlocked);
    bench.input(Input::RecloserAnswered(Ok(RecloserState::Open)));
    bench.pass(30);
    assert_eq!(answer(&mut bench, "u"), None);
    assert_eq!(answer(&mut bench, "r"), None);
}

fn transfer(bench: &mut Bench, id: &str, message: &str, data: &Value) {
    let payload =
        json!({"vendorId": "com.in-tech.smartcharging", "messageId": message, "data": data});
    ask(bench, id, "DataTransfer", &payload);
}

fn rejected(reason: &str) -> Option<Value> {
    Some(json!({"status": "Rejected", "data": reason}))
}

fn accepted(state: &str) -> Option<Value> {
    Some(json!({"status": "Accepted", "data": state}))
}

fn changes(bench: &Bench) -> Vec<RecloserState> {
    let mut changes = Vec::new();
    for output in &bench.others {
        if let Output::Recloser(state) = output {
            changes.push(*state);
        }
    }
    changes
}

// covers: REC-005, REC-008
#[test]
fn the_state_of_the_recloser_is_told() {
    let mut bench = Bench::online();
    for data in [json!("1"), json!(" 1 "), json!(1)] {
        bench.station(|station| station.recloser = None);
        transfer(&mut bench, "r", "rcdRecloserGetState", &data);
        assert_eq!(answer(&mut bench, "r"), rejected("notAvailable"));
        for (state, word) in [
            (RecloserState::Open, "open"),
            (RecloserState::Close, "close"),
        ] {
            bench.station(|station| station.recloser = Some(state));
            transfer(&mut bench, "r", "rcdRecloserGetState", &data);
            assert_eq!(answer(&mut bench, "r"), accepted(word), "{data}");
        }
    }
}

// covers: REC-006
#[test]
fn a_change_of_the_recloser_is_answered_with_what_was_read_back() {
    for (data, wanted, read_back, expected) in [
        (
            "1, open",
            RecloserState::Open,
            Ok(RecloserState::Open),
            accepted("open"),
        ),
        (
            "1,close",
            RecloserState::Close,
            Ok(RecloserState::Close),
            accepted("close"),
        ),
        (
            "1, open",
            RecloserState::Open,
            Err(RecloserRefusal::NotAvailable),
            rejected("notAvailable"),
        ),
        (
            "1, open",
            RecloserState::Open,
            Err(RecloserRefusal::NotPresent),
            rejected("notPresent"),
        ),
    ] {
        let mut bench = Bench::online();
        transfer(&mut bench, "r", "rcdRecloserChangeState", &json!(data));
        assert_eq!(changes(&bench), [wanted]);
        assert_eq!(answer(&mut bench, "r"), None);
        bench.input(Input::RecloserAnswered(read_back));
        assert_eq!(answer(&mut bench, "r"), expected);
    }
}

#[test]
fn the_success_of_an_older_change_is_not_that_of_the_newer() {
    let mut bench = Bench::online();
    for (id, data) in [("o", "1, open"), ("c", "1, close")] {
        transfer(&mut bench, id, "rcdRecloserChangeState", &json!(data));
    }
    assert_eq!(answer(&mut bench, "o"), rejected("notAvailable"));
    bench.input(Input::RecloserAnswered(Ok(RecloserState::Open)));
    assert_eq!(answer(&mut bench, "c"), None, "it is open");
    bench.input(Input::RecloserAnswered(Ok(RecloserState::Close)));
    assert_eq!(answer(&mut bench, "c"), accepted("close"));
}

// covers: REC-008, REC-010
#[test]
fn a_change_of_a_silent_recloser_fails_after_10_s() {
    let mut bench = Bench::online();
    transfer(
        &mut bench,
        "r",
        "rcdRecloserChangeState",
        &json!("1, close"),
    );
    bench.pass(9);
    assert_eq!(answer(&mut bench, "r"), None);
    bench.pass(1);
    assert_eq!(answer(&mut bench, "r"), rejected("notAvailable"));
    bench.input(Input::RecloserAnswered(Ok(RecloserState::Close)));
    assert_eq!(answer(&mut bench, "r"), None, "too late");
}

// covers: REC-007
#[test]
fn without_a_recloser_there_is_none_to_ask() {
    let mut bench = online_with(|settings| settings.recloser = false);
    for message in ["rcdRecloserGetState", "rcdRecloserChangeState"] {
        for data in [json!("1"), json!("1, open"), json!("nonsense"), json!(null)] {
            transfer(&mut bench, "r", message, &data);
            assert_eq!(answer(&mut bench, "r"), rejected("notPresent"), "{data}");
        }
    }
    assert_eq!(changes(&bench), []);
}

// covers: REC-009
#[test]
fn wrong_data_moves_no_recloser() {
    let mut bench = Bench::online();
    bench.station(|station| station.recloser = Some(RecloserState::Close));
    for data in [
        json!(null),
        json!(""),
        json!("0"),
        json!("2"),
        json!("1, open"),
        json!({"connectorId": 1}),
        json!(true),
    ] {
        transfer(&mut bench, "r", "rcdRecloserGetState", &data);
        let answer = answer(&mut bench, "r");
        assert_eq!(answer, rejected("invalidRequestData"), "{data}");
    }
    for data in [
        json!(null),
        json!(""),
        json!("1"),
        json!("1,"),
        json!("2, open"),
        json!("1, opened"),
        json!("1, open, close"),
        json!("open"),
        json!("open, 1"),
        json!([1, "open"]),
    ] {
        transfer(&mut bench, "r", "rcdRecloserChangeState", &data);
        let answer = answer(&mut bench, "r");
        assert_eq!(answer, rejected("invalidRequestData"), "{data}");
    }
    assert_eq!(changes(&bench), []);
}

// covers: REC-011
#[test]
fn both_vendor_ids_are_known_and_no_other() {
    let mut bench = Bench::online();
    let get = |bench: &mut Bench, vendor: &str, message: Option<&str>| {
        let mut payload = json!({"vendorId": vendor, "data": "1"});
        if let Some(message) = message {
            payload["messageId"] = json!(message);
        }
        bench.status("DataTransfer", payload)
    };
    let message = Some("rcdRecloserGetState");
    for own in ["com.in-tech.smartcharging", "mode3"] {
        assert_eq!(get(&mut bench, own, message), "Rejected");
        assert_eq!(get(&mut bench, own, Some("other")), "UnknownMessageId");
        assert_eq!(get(&mut bench, own, None), "UnknownMessageId");
    }
    assert_eq!(get(&mut bench, "com.example", message), "UnknownVendorId");
}

#[test]
fn a_newer_change_of_the_recloser_takes_the_place_of_the_older() {
    let mut bench = Bench::online();
    transfer(&mut bench, "r1", "rcdRecloserChangeState", &json!("1,open"));
    transfer(
        &mut bench,
        "r2",
        "rcdRecloserChangeState",
        &json!("1,close"),
    );
    assert_eq!(answer(&mut bench, "r1"), rejected("notAvailable"));
    bench.input(Input::RecloserAnswered(Ok(RecloserState::Close)));
    assert_eq!(answer(&mut bench, "r2"), accepted("close"));
}
