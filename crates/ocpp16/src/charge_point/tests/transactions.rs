use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{EvseSession, Fault, Input, Output, StopReason};

const ACCEPTED: &str = "Accepted";

fn accept() -> Value {
    json!({"idTagInfo": {"status": ACCEPTED}})
}

fn start(id: i64, status: &str) -> Value {
    json!({"transactionId": id, "idTagInfo": {"status": status}})
}

/// The StopTransaction after the EV was unplugged at `energy`.
fn unplug(bench: &mut Bench, energy: i64) -> Value {
    bench.evse(EvseSession::Idle);
    bench.pass(1);
    bench.input(Input::Reading(meter(energy)));
    bench
        .drain()
        .into_iter()
        .find(|(action, _)| action == "StopTransaction")
        .unwrap()
        .1
}

// covers: AUTH-002, OS-011
#[test]
fn a_session_from_tag_to_unplugging() {
    let mut bench = Bench::online();
    bench.tag("Driver");
    assert_eq!(
        bench.answer("Authorize", accept()),
        json!({"idTag": "Driver"})
    );
    assert_eq!(bench.permit, Some(true));
    assert!(bench.others.contains(&Output::IdTagAnswer(true)));
    assert_eq!(bench.reported(), ["Preparing"]);
    bench.evse(EvseSession::Connected);
    let request = bench.answer("StartTransaction", start(7, ACCEPTED));
    let expected = json!({"connectorId": 1, "idTag": "Driver", "meterStart": 1000, "timestamp": "2026-03-01T12:00:01.000Z"});
    assert_eq!(request, expected);
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.reported(), ["Charging"]);
    bench.pass(60);
    let values = bench.answer("MeterValues", json!({}));
    assert_eq!(values["transactionId"], json!(7));
    assert_eq!(values["meterValue"].as_array().unwrap().len(), 1);
    let stop = unplug(&mut bench, 2_000);
    let expected = json!({"meterStop": 2000, "reason": "EVDisconnected", "timestamp": "2026-03-01T12:01:01.000Z", "transactionId": 7});
    assert_eq!(stop, expected);
    assert_eq!(bench.permit, Some(false));
    assert!(bench.stored.messages.is_empty() && bench.stored.transactions.is_empty());
}

// covers: AUTH-012, AUTH-013
#[test]
fn empty_and_over_long_tags_are_never_asked() {
    let mut bench = Bench::online();
    for tag in ["", "123456789012345678901"] {
        bench.tag(tag);
        bench.expect_silence();
        assert!(bench.others.contains(&Output::IdTagAnswer(false)));
    }
    bench.tag("12345678901234567890");
    bench.expect_call("Authorize");
}

#[test]
fn who_is_not_accepted_does_not_charge() {
    for answer in [
        json!({"idTagInfo": {"status": "Blocked"}}),
        json!({}),
        json!({"idTagInfo": {"status": ""}}),
    ] {
        let mut bench = Bench::online();
        bench.evse(EvseSession::Connected);
        bench.drain();
        bench.tag("driver");
        bench.answer("Authorize", answer);
        assert_eq!((bench.permit, bench.sent.len()), (Some(false), 0));
    }
    let mut bench = Bench::online();
    bench.tag("driver");
    bench.answer_error("Authorize", "NotSupported");
    assert_eq!(bench.permit, Some(false));
}

// covers: AUTH-010
#[test]
fn an_authorization_lapses_without_ev() {
    let mut bench = Bench::online();
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
        ACCEPTED
    );
    bench.pass(59);
    assert_eq!(bench.permit, Some(true));
    bench.drain();
    bench.pass(1);
    assert_eq!(
        (bench.permit, bench.reported()),
        (Some(false), vec!["Available".to_owned()])
    );
}

// covers: AUTH-014, AUTH-015
#[test]
fn the_same_tag_stops_where_configured() {
    for (configured, reason) in [("true", Some("Local")), ("false", None)] {
        let mut bench = Bench::configured(&[("ocpp/rfidStopTransaction", configured)]);
        bench.connect();
        bench.charge();
        bench.tag("stranger");
        bench.tag("DRIVER");
        bench.evse(EvseSession::Connected);
        bench.pass(3);
        let stop = bench
            .drain()
            .into_iter()
            .find(|(action, _)| action == "StopTransaction");
        assert_eq!(
            stop.as_ref()
                .map(|(_, stop)| stop["reason"].as_str().unwrap()),
            reason
        );
        assert_eq!(
            stop.map(|(_, stop)| stop["idTag"].clone()),
            reason.map(|_| json!("DRIVER"))
        );
    }
}

#[test]
fn a_tag_of_the_same_parent_stops() {
    let parent = |name: &str| json!({"idTagInfo": {"status": ACCEPTED, "parentIdTag": name}});
    let mut bench = Bench::online();
    bench.evse(EvseSession::Connected);
    bench.drain();
    bench.tag("one");
    bench.answer("Authorize", parent("family"));
    bench.drain();
    bench.tag("stranger");
    bench.answer("Authorize", parent("others"));
    assert_eq!(bench.permit, Some(true));
    bench.tag("two");
    bench.answer("Authorize", parent("FAMILY"));
    assert_eq!(bench.permit, Some(false));
}

// covers: AUTH-016
#[test]
fn tags_can_require_an_ev() {
    let mut bench = Bench::configured(&[("ocpp/rfidRequiresEvPresent", "true")]);
    bench.connect();
    bench.tag("driver");
    bench.expect_silence();
    bench.evse(EvseSession::Connected);
    bench.drain();
    bench.tag("driver");
    bench.expect_call("Authorize");
}

// covers: AUTH-018, AUTH-019
#[test]
fn a_remote_start_is_authorised_where_configured() {
    for (configured, asks) in [("true", true), ("false", false)] {
        let mut bench = Bench::configured(&[("AuthorizeRemoteTxRequests", configured)]);
        bench.connect();
        assert_eq!(
            bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
            ACCEPTED
        );
        if asks {
            assert_eq!(bench.permit, Some(false));
            bench.answer("Authorize", accept());
        }
        assert_eq!(bench.permit, Some(true));
    }
}

// covers: OC-034
#[test]
fn a_remote_stop_needs_the_right_id() {
    let mut bench = Bench::online();
    assert_eq!(
        bench.status("RemoteStopTransaction", json!({"transactionId": 7})),
        "Rejected"
    );
    bench.charge();
    assert_eq!(
        bench.status("RemoteStopTransaction", json!({"transactionId": 8})),
        "Rejected"
    );
    assert_eq!(
        bench.status("RemoteStopTransaction", json!({"transactionId": 7})),
        ACCEPTED
    );
    assert_eq!(bench.permit, Some(false));
    assert_eq!(
        bench.status("RemoteStopTransaction", json!({"transactionId": 7})),
        "Rejected"
    );
    bench.evse(EvseSession::Connected);
    bench.pass(1);
    bench.input(Input::Reading(meter(3_000)));
    let stop = bench
        .drain()
        .into_iter()
        .find(|(action, _)| action == "StopTransaction")
        .unwrap()
        .1;
    assert_eq!(
        (&stop["reason"], &stop["meterStop"]),
        (&json!("Remote"), &json!(3000))
    );
}

#[test]
fn after_a_stop_the_same_ev_can_start_again() {
    let mut bench = Bench::online();
    bench.charge();
    bench.status("RemoteStopTransaction", json!({"transactionId": 7}));
    bench.evse(EvseSession::Connected);
    assert_eq!(bench.reported(), ["Finishing"]);
    bench.pass(3);
    bench.drain();
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "again"})),
        ACCEPTED
    );
    let started = bench.drain();
    assert!(started.iter().any(
        |(action, payload)| action == "StartTransaction" && payload["idTag"] == json!("again")
    ));
    assert_eq!(bench.permit, Some(true));
}

// covers: AUTH-021, AUTH-022, OC-060
#[test]
fn a_refused_start_stops_or_suspends() {
    for (configured, stops) in [("true", true), ("false", false)] {
        let mut bench = Bench::configured(&[("StopTransactionOnInvalidId", configured)]);
        bench.connect();
        bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
        bench.drain();
        bench.evse(EvseSession::Charging);
        bench.answer("StartTransaction", start(9, "Invalid"));
        assert_eq!(bench.permit, Some(false), "no energy either way");
        bench.evse(EvseSession::Connected);
        bench.pass(3);
        let sent = bench.drain();
        let stop = sent
            .iter()
            .find(|(action, _)| action == "StopTransaction")
            .map(|(_, stop)| stop);
        assert_eq!(
            stop.map(|stop| (&stop["reason"], &stop["transactionId"])),
            stops.then_some((&json!("DeAuthorized"), &json!(9)))
        );
        let last = sent
            .iter()
            .rfind(|(action, _)| action == "StatusNotification")
            .unwrap();
        assert_eq!(
            last.1["status"],
            json!(if stops { "Finishing" } else { "SuspendedEVSE" })
        );
        if !stops {
            assert_eq!(unplug(&mut bench, 1_000)["reason"], json!("EVDisconnected"));
        }
    }
}

// covers: OC-036
#[test]
fn transaction_ids_beyond_32_bit_come_back_unaltered() {
    for id in [1_i64 << 40, i64::MAX] {
        let mut bench = Bench::online();
        bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
        bench.evse(EvseSession::Connected);
        bench.answer("StatusNotification", json!({}));
        bench.answer("StartTransaction", start(id, ACCEPTED));
        bench.drain();
        assert_eq!(
            bench.status("RemoteStopTransaction", json!({"transactionId": id})),
            ACCEPTED
        );
    }
}

#[test]
fn the_transaction_id_is_omitted_until_it_is_known() {
    let mut bench = Bench::configured(&[("MeterValueSampleInterval", "10")]);
    bench.connect();
    bench.status("RemoteStartTransaction", json!({"idTag": "x"}));
    bench.drain();
    bench.evse(EvseSession::Connected);
    let (id, _) = bench.expect_call("StartTransaction");
    bench.status("TriggerMessage", json!({"requestedMessage": "MeterValues"}));
    bench.pass(10);
    bench.result(&id, start(7, ACCEPTED));
    let sent = bench.drain();
    let ids: Vec<&Value> = sent
        .iter()
        .filter(|(action, _)| action == "MeterValues")
        .map(|(_, p)| &p["transactionId"])
        .collect();
    assert_eq!(
        ids,
        [&Value::Null, &json!(7)],
        "the first was taken before the answer"
    );

    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::SocketClosed);
    assert_eq!(bench.stored.transactions[0].central_id, Some(7));
}

// covers: MET-030
#[test]
fn a_silent_meter_delays_the_stop_until_it_answers() {
    let mut bench = Bench::online();
    bench.charge();
    bench.faults(&[Fault::MeterCommunication]);
    bench.evse(EvseSession::Idle);
    bench.pass(600);
    assert!(
        !bench
            .drain()
            .iter()
            .any(|(action, _)| action == "StopTransaction")
    );
    bench.faults(&[]);
    bench.input(Input::Reading(meter(5_000)));
    let stop = bench
        .drain()
        .into_iter()
        .find(|(action, _)| action == "StopTransaction")
        .unwrap()
        .1;
    // The transaction ended when the EV left, not when the meter came back.
    assert_eq!(
        (&stop["meterStop"], &stop["timestamp"]),
        (&json!(5000), &json!("2026-03-01T12:00:01.000Z"))
    );
}

#[test]
fn the_register_never_runs_backwards() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::Reading(meter(4_000)));
    assert_eq!(unplug(&mut bench, 0)["meterStop"], json!(4000));
}

#[test]
fn the_evse_can_end_the_transaction() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::StopRequested(StopReason::EmergencyStop));
    bench.faults(&[Fault::EmergencyShutdown]);
    bench.evse(EvseSession::Faulted);
    bench.pass(3);
    let stop = bench
        .drain()
        .into_iter()
        .find(|(action, _)| action == "StopTransaction")
        .unwrap()
        .1;
    assert_eq!(stop["reason"], json!("EmergencyStop"));
}

#[test]
fn without_a_reading_nobody_charges() {
    let mut bench = Bench::online();
    bench.input(Input::Reading(crate::Reading::default()));
    // The meter may be found a little later than the central system.
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
        "Accepted"
    );
    bench.evse(EvseSession::Connected);
    assert_eq!(
        (bench.permit, bench.stored.transactions.len()),
        (Some(false), 0)
    );
    bench.input(Input::Reading(meter(1)));
    assert_eq!(
        (bench.permit, bench.stored.transactions.len()),
        (Some(true), 1)
    );
}

#[test]
fn a_question_that_the_connection_swallows_is_decided_as_offline() {
    for (configured, expected) in [("true", true), ("false", false)] {
        let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", configured)]);
        bench.connect();
        bench.tag("driver");
        bench.expect_call("Authorize");
        bench.input(Input::SocketClosed);
        assert_eq!(bench.permit, Some(expected));
    }
}

// covers: OO-002, OO-008
#[test]
fn offline_unknown_users_charge_only_where_configured() {
    for (configured, expected) in [("true", true), ("false", false)] {
        let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", configured)]);
        bench.tag("driver");
        assert_eq!(bench.permit, Some(false), "never registered");
        bench.connect();
        bench.input(Input::SocketClosed);
        bench.tag("driver");
        assert_eq!(bench.permit, Some(expected));
    }
}

#[test]
fn without_valid_time_a_transaction_needs_permission_by_configuration() {
    for (configured, expected) in [("true", "Accepted"), ("false", "Rejected")] {
        let mut bench = Bench::configured(&[
            ("allowTxWithInvalidTime", configured),
            ("useAsTimeSource", "false"),
        ]);
        bench.connect();
        bench.wall_at_zero = None;
        assert_eq!(
            bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
            expected
        );
    }
}

#[test]
fn without_ocpp_authentication_there_are_no_transactions() {
    let mut settings = super::bench::settings("first");
    settings.authorises = false;
    let mut bench = Bench::with(
        settings,
        crate::Configuration::default(),
        crate::Stored::default(),
    );
    bench.connect();
    assert_eq!(
        bench.status("RemoteStartTransaction", json!({"idTag": "x"})),
        "Rejected"
    );
    bench.evse(EvseSession::Connected);
    bench.evse(EvseSession::Charging);
    assert_eq!(bench.reported(), ["Preparing", "Charging"]);
    assert_eq!((bench.permit, bench.stored.transactions.len()), (None, 0));
}

// covers: OC-065
#[test]
fn stop_transaction_carries_the_configured_data() {
    let mut bench = Bench::configured(&[("StopTxnSampledData", "Energy.Active.Import.Register")]);
    bench.connect();
    bench.charge();
    let stop = unplug(&mut bench, 2_000);
    let shown: Vec<(&Value, &Value)> = stop["transactionData"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                &one["sampledValue"][0]["context"],
                &one["sampledValue"][0]["value"],
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("Transaction.Begin"), &json!("1000")),
            (&json!("Transaction.End"), &json!("2000"))
        ]
    );
}

// covers: OC-063
#[test]
fn samples_come_at_the_interval_and_not_at_0() {
    for (interval, expected) in [("10", 6), ("30", 2), ("0", 0)] {
        let mut bench = Bench::configured(&[("MeterValueSampleInterval", interval)]);
        bench.connect();
        bench.charge();
        let count = (0..60).map(|_| {
            bench.pass(1);
            bench
                .drain()
                .iter()
                .filter(|(action, _)| action == "MeterValues")
                .count()
        });
        assert_eq!(count.sum::<usize>(), expected, "{interval}");
    }
}

// covers: OC-064
#[test]
fn aligned_values_come_at_multiples_of_the_interval() {
    let mut bench = Bench::configured(&[
        ("ClockAlignedDataInterval", "900"),
        ("MeterValuesAlignedData", "Energy.Active.Import.Register"),
    ]);
    bench.connect();
    let mut times = Vec::new();
    for _ in 0..3_600 {
        bench.pass(1);
        for (action, payload) in bench.drain() {
            assert_eq!(action, "MeterValues");
            assert_eq!(
                payload["meterValue"][0]["sampledValue"][0]["context"],
                json!("Sample.Clock")
            );
            times.push(
                payload["meterValue"][0]["timestamp"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
    let expected = ["12:15:00", "12:30:00", "12:45:00", "13:00:00"]
        .map(|time| format!("2026-03-01T{time}.000Z"));
    assert_eq!(times, expected);
}
