//! A new process finds an open transaction: it goes on where the EVSE still runs its session.

use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{EvseSession, Fault, Input};

/// What is sent of transactions.
fn transaction_messages(bench: &mut Bench) -> Vec<(String, Value)> {
    let mut sent = bench.drain();
    sent.retain(|(action, _)| action.ends_with("Transaction"));
    sent
}

fn samples(bench: &mut Bench) -> Vec<Value> {
    let sent = bench.drain().into_iter();
    sent.filter(|(action, _)| action == "MeterValues")
        .map(|(_, values)| values)
        .collect()
}

// covers: OO-014
#[test]
fn a_running_transaction_goes_on_under_its_id() {
    for state in [
        EvseSession::Charging,
        EvseSession::SuspendedEv,
        EvseSession::SuspendedEvse,
    ] {
        let mut bench = Bench::online();
        bench.charge();
        bench.evse(state);
        bench.drain();
        let mut bench = bench.new_process();
        bench.open();
        bench.accept_boot();
        assert_eq!(bench.permit, None, "{state:?}: nothing is decided yet");
        bench.pass(1);
        bench.station(|_| {});
        assert_eq!(bench.permit, Some(true), "{state:?}");
        bench.input(Input::Reading(meter(1_500)));
        assert_eq!(transaction_messages(&mut bench), [], "{state:?}");
        bench.pass(60);
        let values = samples(&mut bench);
        assert_eq!(values.len(), 1, "{state:?}");
        assert_eq!(values[0]["transactionId"], json!(7));

        bench.evse(EvseSession::Idle);
        bench.input(Input::Reading(meter(1_600)));
        bench.pass(3);
        let sent = transaction_messages(&mut bench);
        let [(action, stop)] = sent.as_slice() else {
            panic!("{state:?}: {sent:?}");
        };
        assert_eq!(
            (action.as_str(), &stop["transactionId"], &stop["reason"]),
            ("StopTransaction", &json!(7), &json!("EVDisconnected"))
        );
        assert_eq!(stop["meterStop"], json!(1_600));
        assert_eq!(bench.permit, Some(false));
    }
}

#[test]
fn its_user_can_stop_it_as_before() {
    let mut bench = Bench::online();
    bench.charge();
    let mut bench = bench.restart();
    bench.tag("driver");
    bench.input(Input::Reading(meter(1_500)));
    bench.evse(EvseSession::Connected);
    bench.pass(3);
    bench.open();
    bench.accept_boot();
    let sent = transaction_messages(&mut bench);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1["reason"], json!("Local"));
}

// covers: OC-041
#[test]
fn a_transaction_whose_session_is_over_is_closed_at_once() {
    for state in [
        EvseSession::Idle,
        EvseSession::Authorized,
        EvseSession::Connected,
        EvseSession::Inoperative,
    ] {
        let mut bench = Bench::online();
        bench.charge();
        let mut bench = bench.new_process();
        bench.input(Input::Reading(meter(1_500)));
        bench.evse(state);
        assert_eq!(bench.permit, Some(false), "{state:?}");
        bench.open();
        bench.accept_boot();
        let sent = transaction_messages(&mut bench);
        assert_eq!(sent.len(), 1, "{state:?}");
        assert_eq!(sent[0].1["reason"], json!("PowerLoss"));
        assert_eq!(sent[0].1["meterStop"], json!(1_500));
    }
}

#[test]
fn an_evse_that_starts_as_well_has_10_s_to_tell() {
    let evse_gone = |bench: &mut Bench| {
        bench.station(|station| {
            station.session = EvseSession::Faulted;
            station.faults = vec![Fault::Evse];
        });
    };
    for (late, goes_on) in [(9, true), (11, false)] {
        let mut running = Bench::online();
        running.charge();
        let mut bench = running.new_process();
        bench.input(Input::Reading(meter(1_500)));
        evse_gone(&mut bench);
        assert_eq!(bench.permit, None);
        bench.pass(late);
        bench.station(|station| {
            station.session = EvseSession::Charging;
            station.faults.clear();
        });
        assert_eq!(bench.permit, Some(goes_on), "after {late} s");
    }
}

// covers: AUTH-021
#[test]
fn a_refused_user_stays_refused() {
    let mut bench = Bench::configured(&[("StopTransactionOnInvalidId", "false")]);
    bench.connect();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.drain();
    bench.evse(EvseSession::Charging);
    let refused = json!({"transactionId": 9, "idTagInfo": {"status": "Blocked"}});
    bench.answer("StartTransaction", refused);
    let mut bench = bench.restart();
    assert_eq!(bench.permit, Some(false));
    bench.open();
    bench.accept_boot();
    assert_eq!(bench.reported(), ["SuspendedEVSE"]);
}

#[test]
fn without_valid_time_samples_are_never_older_than_the_last_one() {
    let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
    bench.connect();
    bench.charge();
    bench.pass(60);
    bench.input(Input::Reading(meter(1_200)));
    bench.pass(60);
    let seen = samples(&mut bench).pop().unwrap();
    let mut bench = bench.new_process();
    bench.wall_at_zero = None;
    bench.input(Input::Reading(meter(1_500)));
    bench.station(|_| {});
    bench.pass(60);
    let queued = bench.stored.messages.last().unwrap();
    let (_, values) = queued.call(None);
    let at = |values: &Value| {
        values["meterValue"][0]["timestamp"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(at(&values) >= at(&seen), "{values} after {seen}");
}

#[test]
fn an_emergency_while_it_waits_for_its_evse_ends_it() {
    let mut bench = Bench::online();
    bench.charge();
    let mut bench = bench.new_process();
    bench.input(Input::Tick);
    bench.input(Input::StopRequested(crate::StopReason::EmergencyStop));
    assert_eq!(bench.permit, Some(false));
    bench.station(|station| station.session = EvseSession::Charging);
    assert_eq!(bench.permit, Some(false));
    let end = bench.stored.transactions[0].end.as_ref().unwrap();
    assert_eq!(end.reason, crate::StopReason::EmergencyStop);
}
