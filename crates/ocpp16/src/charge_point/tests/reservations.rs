//! ReserveNow, CancelReservation, and who may use a reserved connector.

use serde_json::{Value, json};

use super::bench::{Bench, settings, start_of_time};
use super::local_list::send;
use crate::{Configuration, EvseSession, Fault, Input, Output, Stored};

fn request(id: i64, connector: i64, id_tag: &str) -> Value {
    let expiry = start_of_time().plus_seconds(600).to_string();
    json!({"reservationId": id, "connectorId": connector, "idTag": id_tag, "expiryDate": expiry})
}

fn reserve(bench: &mut Bench, id: i64, id_tag: &str) -> String {
    bench.status("ReserveNow", request(id, 1, id_tag))
}

/// Connected, with reservation 5 for "owner" (and the group "family", where wanted).
fn reserved(group: bool) -> Bench {
    let mut bench = Bench::online();
    let mut wanted = request(5, 1, "owner");
    if group {
        wanted["parentIdTag"] = json!("family");
    }
    assert_eq!(bench.status("ReserveNow", wanted), "Accepted");
    assert_eq!(bench.reported(), ["Reserved"]);
    bench
}

fn cancel(bench: &mut Bench, id: i64) -> String {
    bench.status("CancelReservation", json!({"reservationId": id}))
}

/// The StartTransaction among what is sent now.
fn start(bench: &mut Bench) -> Value {
    let sent = bench.drain();
    let starts = |(action, _): &&(String, Value)| action == "StartTransaction";
    sent.iter().find(starts).unwrap().1.clone()
}

#[test]
fn the_owner_uses_the_reservation_up() {
    for connector in [0, 1] {
        let mut bench = Bench::online();
        let answer = bench.status("ReserveNow", request(5, connector, "owner"));
        assert_eq!((answer.as_str(), bench.reserved), ("Accepted", Some(true)));
        assert_eq!(bench.reported(), ["Reserved"]);
        bench.tag("OWNER");
        assert_eq!(bench.reported(), ["Preparing"]);
        assert_eq!((bench.permit, bench.reserved), (Some(true), Some(false)));
        bench.evse(EvseSession::Connected);
        assert_eq!(start(&mut bench)["reservationId"], json!(5));
        assert_eq!(bench.stored.reservation, None);
        assert_eq!(cancel(&mut bench, 5), "Rejected");
    }
}

#[test]
fn without_a_reservation_none_is_named() {
    let mut bench = Bench::online();
    bench.tag("driver");
    bench.evse(EvseSession::Connected);
    assert_eq!(start(&mut bench).get("reservationId"), None);
}

#[test]
fn an_authorization_that_lapses_leaves_the_reservation() {
    let mut bench = reserved(false);
    bench.tag("owner");
    bench.drain();
    bench.pass(60);
    assert_eq!((bench.permit, bench.reserved), (Some(false), Some(true)));
    assert_eq!(bench.reported(), ["Reserved"]);
}

#[test]
fn nobody_else_starts_online_or_offline_by_card_or_remotely() {
    let mut bench = reserved(false);
    bench.tag("stranger");
    assert!(bench.others.contains(&Output::IdTagAnswer(false)));
    let remote = json!({"idTag": "stranger"});
    assert_eq!(bench.status("RemoteStartTransaction", remote), "Rejected");
    bench.expect_silence();
    // A cable alone changes nothing.
    bench.evse(EvseSession::Connected);
    assert!(bench.reported().is_empty());
    bench.tag("stranger");
    bench.input(Input::SocketClosed);
    bench.tag("stranger");
    assert_eq!(bench.permit, Some(false));
    let remote = json!({"idTag": "owner"});
    bench.connect_again();
    assert_eq!(bench.status("RemoteStartTransaction", remote), "Accepted");
    assert_eq!(bench.permit, Some(true));
}

#[test]
fn the_group_may_use_it_as_far_as_it_is_known() {
    let family = |id_tag: &str| json!([{"idTag": id_tag, "idTagInfo": {"status": "Accepted", "parentIdTag": "FAMILY"}}]);
    // By the list, also offline.
    let mut bench = reserved(true);
    send(&mut bench, 1, "Full", family("member"));
    bench.input(Input::SocketClosed);
    bench.tag("stranger");
    assert_eq!(bench.permit, Some(false));
    bench.tag("member");
    assert_eq!(bench.permit, Some(true));
    // By the central system's word.
    for (parent, permitted) in [
        (Some("family"), true),
        (Some("others"), false),
        (None, false),
    ] {
        let mut info = json!({"status": "Accepted"});
        if let Some(parent) = parent {
            info["parentIdTag"] = json!(parent);
        }
        let mut bench = reserved(true);
        bench.tag("someone");
        bench.answer("Authorize", json!({"idTagInfo": info}));
        assert_eq!(bench.permit, Some(permitted), "card, {parent:?}");
        let mut bench = reserved(true);
        bench.status("RemoteStartTransaction", json!({"idTag": "someone"}));
        bench.answer("Authorize", json!({"idTagInfo": info}));
        assert_eq!(bench.permit, Some(permitted), "remote, {parent:?}");
    }
}

#[test]
fn it_ends_when_it_expires_or_is_cancelled() {
    let mut bench = reserved(false);
    bench.pass(599);
    assert_eq!(bench.reserved, Some(false));
    assert_eq!(bench.reported(), ["Available"]);
    assert_eq!(bench.stored.reservation, None);
    let mut bench = reserved(false);
    assert_eq!(cancel(&mut bench, 6), "Rejected");
    assert_eq!(cancel(&mut bench, 5), "Accepted");
    assert_eq!(bench.reported(), ["Available"]);
    assert_eq!(bench.stored.reservation, None);
    bench.tag("stranger");
    bench.expect_call("Authorize");
}

#[test]
fn the_same_id_replaces_it_and_another_one_does_not() {
    let mut bench = reserved(false);
    assert_eq!(reserve(&mut bench, 6, "other"), "Occupied");
    assert_eq!(reserve(&mut bench, 5, "other"), "Accepted");
    bench.tag("owner");
    assert_eq!(bench.permit, Some(false));
    bench.tag("other");
    bench.drain();
    assert_eq!(bench.permit, Some(true));
}

#[test]
fn it_survives_a_restart_until_it_expires() {
    let bench = reserved(false);
    let mut bench = bench.new_process();
    // Neither the meter nor the EVSE has been heard of yet.
    bench.faults(&[Fault::MeterCommunication]);
    bench.faults(&[]);
    assert_eq!(bench.reserved, Some(true));
    bench.tag("stranger");
    assert_eq!(bench.permit, Some(false));
    bench.pass(600);
    assert_eq!(
        (bench.reserved, bench.stored.reservation.is_none()),
        (Some(false), true)
    );
}

#[test]
fn it_ends_when_the_connector_goes_out_of_order() {
    let mut bench = reserved(false);
    bench.faults(&[Fault::Contactor]);
    bench.faults(&[]);
    assert_eq!(
        (bench.reserved, cancel(&mut bench, 5).as_str()),
        (Some(false), "Rejected")
    );
    let mut bench = reserved(false);
    let inoperative = json!({"connectorId": 1, "type": "Inoperative"});
    bench.status("ChangeAvailability", inoperative);
    assert_eq!(bench.reserved, Some(false));
}

// covers: OC-072
#[test]
fn each_reason_against_has_its_answer() {
    type Prepare = fn(&mut Bench);
    let cases: [(&str, Prepare, Value); 9] = [
        (
            "Occupied",
            |bench| bench.evse(EvseSession::Connected),
            request(1, 1, "x"),
        ),
        ("Occupied", |bench| bench.charge(), request(1, 0, "x")),
        ("Occupied", |bench| bench.tag("driver"), request(1, 1, "x")),
        (
            "Faulted",
            |bench| bench.faults(&[Fault::Contactor]),
            request(1, 1, "x"),
        ),
        (
            "Unavailable",
            |bench| {
                let all = json!({"connectorId": 0, "type": "Inoperative"});
                bench.status("ChangeAvailability", all);
            },
            request(1, 1, "x"),
        ),
        ("Rejected", |_| {}, request(1, 2, "x")),
        ("Rejected", |_| {}, request(1, -1, "x")),
        ("Rejected", |_| {}, request(1, 1, "")),
        ("Rejected", |bench| bench.pass(600), request(1, 1, "x")),
    ];
    for (expected, prepare, wanted) in cases {
        let mut bench = Bench::online();
        prepare(&mut bench);
        bench.sent.clear();
        assert_eq!(
            bench.status("ReserveNow", wanted.clone()),
            expected,
            "{wanted}"
        );
        assert_eq!(bench.stored.reservation, None);
    }
}

#[test]
fn where_ocpp_does_not_decide_nothing_is_reserved() {
    let mut settings = settings("first");
    settings.authorises = false;
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    assert_eq!(reserve(&mut bench, 1, "x"), "Rejected");
}
