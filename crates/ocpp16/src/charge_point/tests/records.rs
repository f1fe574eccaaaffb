//! What a transaction leaves behind: its data, its times, and what is never told.

use serde_json::{Value, json};

use super::bench::{Bench, meter, start_of_time};
use crate::{EvseSession, Input, StopReason};

fn payloads(sent: Vec<(String, Value)>, wanted: &str) -> Vec<Value> {
    let of_it = sent.into_iter().filter(|(action, _)| action == wanted);
    of_it.map(|(_, payload)| payload).collect()
}

/// Unplugs, and returns the StopTransaction.
fn stop(bench: &mut Bench) -> Value {
    bench.evse(EvseSession::Idle);
    bench.pass(3);
    let mut stops = payloads(bench.drain(), "StopTransaction");
    assert_eq!(stops.len(), 1);
    stops.remove(0)
}

/// Lets the meter run and acknowledges all.
fn run(bench: &mut Bench, seconds: u64) {
    for _ in 0..seconds {
        let energy = 1_000 + i64::try_from(bench.now.0 / 1_000).unwrap();
        bench.input(Input::Reading(meter(energy)));
        bench.pass(1);
        bench.drain();
    }
}

/// Contexts and times of the transaction data.
fn data(stop: &Value) -> Vec<(String, String)> {
    let all = stop["transactionData"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.iter()
        .map(|one| {
            let context = text(&one["sampledValue"][0]["context"]);
            (context, text(&one["timestamp"])[11..19].to_owned())
        })
        .collect()
}

const ENERGY: &str = "Energy.Active.Import.Register";

// covers: OC-065
#[test]
fn stop_transaction_carries_sampled_and_aligned_values_in_order() {
    let mut bench = Bench::configured(&[
        ("StopTxnSampledData", ENERGY),
        ("StopTxnAlignedData", "Current.Import"),
        ("MeterValuesSampledData", ""),
        ("MeterValueSampleInterval", "20"),
        ("ClockAlignedDataInterval", "30"),
    ]);
    bench.connect();
    bench.charge();
    run(&mut bench, 65);
    let stop = stop(&mut bench);
    let expected = [
        ("Transaction.Begin", "12:00:01"),
        ("Sample.Periodic", "12:00:21"),
        ("Sample.Clock", "12:00:30"),
        ("Sample.Periodic", "12:00:41"),
        ("Sample.Clock", "12:01:00"),
        ("Sample.Periodic", "12:01:01"),
        ("Transaction.End", "12:01:06"),
    ];
    let expected: Vec<(String, String)> = expected
        .map(|(context, time)| (context.to_owned(), time.to_owned()))
        .into();
    assert_eq!(data(&stop), expected);
    assert!(bench.stored.interim.is_empty(), "nothing is left behind");
}

#[test]
fn too_many_values_are_thinned_out_but_never_the_first_and_the_last() {
    let mut bench = Bench::configured(&[
        ("StopTxnSampledData", ENERGY),
        ("MeterValueSampleInterval", "10"),
        ("StopTransactionMaxMeterValues", "20"),
    ]);
    bench.connect();
    bench.charge();
    let mut most = 0;
    for _ in 0..100 {
        run(&mut bench, 10);
        most = most.max(bench.stored.interim.len());
    }
    assert!((10..=18).contains(&most), "{most}");
    let data = data(&stop(&mut bench));
    assert!((10..=20).contains(&data.len()), "{}", data.len());
    assert_eq!(data[0].0, "Transaction.Begin");
    assert_eq!(data.last().unwrap().0, "Transaction.End");
    assert!(data.windows(2).all(|two| two[0].1 <= two[1].1));
}

#[test]
fn transaction_data_survive_a_restart() {
    let mut bench = Bench::configured(&[
        ("StopTxnSampledData", ENERGY),
        ("MeterValueSampleInterval", "10"),
    ]);
    bench.configured = vec![
        ("StopTxnSampledData", ENERGY.to_owned()),
        ("MeterValueSampleInterval", "10".to_owned()),
    ];
    bench.connect();
    bench.charge();
    run(&mut bench, 25);
    let mut bench = bench.restart();
    bench.input(Input::Reading(meter(2_000)));
    bench.connect();
    run(&mut bench, 15);
    let times: Vec<String> = data(&stop(&mut bench))
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(
        times,
        ["12:00:01", "12:00:11", "12:00:21", "12:00:36", "12:00:41"]
    );
}

/// A value that a failed commit did not delete is another user's.
#[test]
fn values_that_were_left_behind_are_on_no_other_bill() {
    for restarted_before_the_next in [false, true] {
        let mut bench = Bench::configured(&[
            ("StopTxnSampledData", ENERGY),
            ("MeterValueSampleInterval", "10"),
        ]);
        bench.configured = vec![
            ("StopTxnSampledData", ENERGY.to_owned()),
            ("MeterValueSampleInterval", "10".to_owned()),
        ];
        bench.connect();
        bench.charge();
        run(&mut bench, 35);
        let left_behind = bench.stored.interim.clone();
        stop(&mut bench);
        assert_eq!((bench.stored.transactions.len(), left_behind.len()), (0, 3));
        bench.stored.interim = left_behind;
        let again = |bench: &Bench| {
            let mut bench = bench.restart();
            bench.input(Input::Reading(meter(3_000)));
            bench.connect();
            bench
        };
        if restarted_before_the_next {
            bench = again(&bench);
            assert_eq!(bench.stored.interim, [], "they are not kept for ever");
        }
        let began = bench.wall().to_string()[11..19].to_owned();
        bench.charge();
        run(&mut bench, 15);
        let mut bench = again(&bench);
        let data = data(&stop(&mut bench));
        assert_eq!(data.len(), 3, "{data:?}");
        assert!(data.iter().all(|(_, time)| *time >= began), "{data:?}");
    }
}

// covers: OO-005
#[test]
fn values_measured_offline_survive_a_restart() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::SocketClosed);
    run(&mut bench, 185);
    let mut bench = bench.restart();
    bench.input(Input::Reading(meter(2_000)));
    bench.open();
    bench.accept_boot();
    let values = payloads(bench.drain(), "MeterValues");
    assert_eq!(values.len(), 3);
    assert!(values.iter().all(|one| one["transactionId"] == json!(7)));
}

// covers: AUTH-022
#[test]
fn a_refused_user_gets_the_energy_that_is_configured() {
    let mut bench = Bench::configured(&[
        ("StopTransactionOnInvalidId", "false"),
        ("MaxEnergyOnInvalidId", "500"),
    ]);
    bench.connect();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.drain();
    bench.evse(EvseSession::Charging);
    let refused = json!({"transactionId": 9, "idTagInfo": {"status": "Invalid"}});
    bench.answer("StartTransaction", refused);
    bench.drain();
    bench.input(Input::Reading(meter(1_499)));
    assert_eq!(bench.permit, Some(true));
    bench.input(Input::Reading(meter(1_500)));
    assert_eq!(bench.permit, Some(false));
    bench.evse(EvseSession::Connected);
    assert_eq!(bench.reported().last().unwrap(), "SuspendedEVSE");
    let mut bench = bench.restart();
    bench.input(Input::Reading(meter(1_500)));
    bench.evse(EvseSession::SuspendedEv);
    assert_ne!(bench.permit, Some(true), "not even after a restart");
}

// covers: OO-001
#[test]
fn a_user_waits_120_s_after_the_start_for_the_connection() {
    let start = || {
        let mut first = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
        first.configured = vec![("AllowOfflineTxForUnknownId", "true".to_owned())];
        first.connect();
        let mut bench = first.restart();
        bench.input(Input::Reading(meter(1_000)));
        bench.tag("driver");
        assert_eq!(bench.permit, Some(false));
        bench
    };
    let mut never = start();
    never.pass(118);
    assert_eq!(never.permit, Some(false));
    never.pass(1);
    assert_eq!(never.permit, Some(true), "decided as offline");

    let mut late = start();
    late.pass(60);
    late.open();
    late.accept_boot();
    assert_eq!(late.permit, Some(false));
    assert!(late.drain().iter().any(|(action, _)| action == "Authorize"));
    assert_eq!(late.permit, Some(true));
    // From now on offline is offline.
    late.input(Input::SocketClosed);
    late.pass(60);
    late.tag("driver");
    assert_eq!(late.permit, Some(true));
}

// covers: OO-006
#[test]
fn without_valid_time_an_offline_user_charges_and_nobody_is_told() {
    let mut bench = Bench::configured(&[
        ("AllowOfflineTxForUnknownId", "true"),
        ("StopTxnSampledData", ENERGY),
    ]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench.wall_at_zero = None;
    bench.tag("driver");
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.permit, Some(true));
    run(&mut bench, 130);
    // The time comes with the connection; the transaction has none all the same.
    bench.wall_at_zero = Some(start_of_time());
    bench.open();
    let mut sent = bench.drain();
    run(&mut bench, 70);
    bench.evse(EvseSession::Idle);
    bench.pass(3);
    sent.extend(bench.drain());
    assert!(
        sent.iter()
            .all(|(action, _)| ["StatusNotification", "Heartbeat"].contains(&action.as_str())),
        "{sent:?}"
    );
    assert!(bench.stored.transactions.is_empty() && bench.stored.messages.is_empty());
    assert!(bench.stored.interim.is_empty());
    // The next one is told.
    bench.charge();
    assert_eq!(bench.stored.transactions.len(), 1);
}

#[test]
fn an_untold_transaction_that_a_power_loss_ended_leaves_nothing() {
    let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
    bench.connect();
    bench.input(Input::SocketClosed);
    bench.wall_at_zero = None;
    bench.tag("driver");
    bench.evse(EvseSession::Charging);
    let mut bench = bench.new_process();
    bench.input(Input::Reading(meter(2_000)));
    bench.evse(EvseSession::Idle);
    bench.pass(20);
    assert!(bench.stored.transactions.is_empty() && bench.stored.messages.is_empty());
}

#[test]
fn a_transaction_keeps_its_order_when_the_clock_jumps() {
    const HOUR: i64 = 3_600;
    for jump in [-HOUR, 365 * 24 * HOUR, -56 * 365 * 24 * HOUR] {
        let mut bench = Bench::configured(&[("MeterValueSampleInterval", "10")]);
        bench.connect();
        bench.charge();
        bench.pass(10);
        let mut values = payloads(bench.drain(), "MeterValues");
        bench.wall_at_zero = Some(start_of_time().plus_seconds(jump));
        bench.pass(10);
        values.extend(payloads(bench.drain(), "MeterValues"));
        bench.input(Input::StopRequested(StopReason::Local));
        bench.evse(EvseSession::Idle);
        bench.pass(3);
        let stop = payloads(bench.drain(), "StopTransaction").remove(0);
        assert_eq!(values.len(), 2, "{jump}");
        let start = "2026-03-01T12:00:01.000Z";
        for told in values
            .iter()
            .map(|one| &one["meterValue"][0]["timestamp"])
            .chain([&stop["timestamp"]])
        {
            let told = told.as_str().unwrap();
            assert!(told >= start, "{jump}: {told} is before the start");
            assert!(!told.starts_with("19"), "{jump}: {told}");
        }
    }
}

// covers: OC-037
#[test]
fn a_transaction_id_that_comes_twice_belongs_to_both() {
    let mut bench = Bench::online();
    for _ in 0..2 {
        // The bench gives id 7 to each.
        bench.charge();
        let stop = stop(&mut bench);
        assert_eq!(stop["transactionId"], json!(7));
    }
    bench.input(Input::SocketClosed);
    for _ in 0..2 {
        bench.open();
        bench.charge();
        bench.input(Input::SocketClosed);
        bench.evse(EvseSession::Idle);
        bench.pass(3);
    }
    bench.open();
    let stops = payloads(bench.drain(), "StopTransaction");
    assert_eq!(stops.len(), 1);
    assert!(bench.stored.transactions.is_empty() && bench.stored.messages.is_empty());
}
