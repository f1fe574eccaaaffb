//! Who may charge: list, cache, the central system, and what holds without it.

use serde_json::{Value, json};

use super::bench::{Bench, settings, start_of_time};
use super::local_list::{entry, send};
use crate::{Configuration, EvseSession, Input, Output, Stored};

const MORE_THAN_ANY: i64 = 3_600;

fn info(status: &str) -> Value {
    json!({"idTagInfo": {"status": status}})
}

/// Connected, with a list of one identifier for each status, "expired" by its date.
fn listed(keys: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::configured(keys);
    bench.connect();
    let past = start_of_time().plus_seconds(-1).to_string();
    let future = start_of_time().plus_seconds(MORE_THAN_ANY).to_string();
    let dated = |id_tag: &str, date: &str| {
        json!({"idTag": id_tag, "idTagInfo":
            {"status": "Accepted", "expiryDate": date, "parentIdTag": "family"}})
    };
    let entries = json!([
        entry("accepted", "Accepted"),
        entry("blocked", "Blocked"),
        entry("invalid", "Invalid"),
        dated("expired", &past),
        dated("valid", &future),
    ]);
    assert_eq!(send(&mut bench, 1, "Full", entries), "Accepted");
    bench
}

fn offline(keys: &[(&str, &str)]) -> Bench {
    let mut bench = listed(keys);
    bench.input(Input::SocketClosed);
    bench
}

/// Whether the presented identifier may charge at once.
fn starts(bench: &mut Bench, id_tag: &str) -> bool {
    bench.others.clear();
    bench.tag(id_tag);
    let starts = bench.permit == Some(true);
    assert!(
        bench.others.contains(&Output::IdTagAnswer(starts)),
        "{id_tag}: the user is told"
    );
    bench.pass(60);
    starts
}

// covers: AUTH-020, OLA-013
#[test]
fn online_a_known_user_starts_without_waiting() {
    for (pre_authorize, id_tag, at_once) in [
        ("true", "Accepted", true),
        ("true", "valid", true),
        ("true", "expired", false),
        ("true", "blocked", false),
        ("true", "unknown", false),
        ("false", "accepted", false),
    ] {
        let mut bench = listed(&[("LocalPreAuthorize", pre_authorize)]);
        bench.tag(id_tag);
        assert_eq!(bench.permit == Some(true), at_once, "{id_tag}");
        let asked = bench
            .drain()
            .iter()
            .any(|(action, _)| action == "Authorize");
        assert_eq!(asked, !at_once, "{id_tag}");
    }
}

// covers: OO-007, OO-008, OO-009, OLA-013
#[test]
fn offline_the_keys_decide() {
    let unknown_may = ("AllowOfflineTxForUnknownId", "true");
    let listed_may_not = ("LocalAuthorizeOffline", "false");
    for (keys, id_tag, expected) in [
        (vec![], "accepted", true),
        (vec![], "valid", true),
        (vec![], "unknown", false),
        (vec![], "blocked", false),
        (vec![], "expired", false),
        (vec![listed_may_not], "accepted", false),
        (vec![unknown_may], "unknown", true),
        (vec![unknown_may], "blocked", false),
        (vec![unknown_may], "invalid", false),
        (vec![unknown_may], "expired", false),
        (vec![unknown_may, listed_may_not], "accepted", true),
        (vec![unknown_may, listed_may_not], "blocked", false),
    ] {
        let mut bench = offline(&keys);
        assert_eq!(starts(&mut bench, id_tag), expected, "{id_tag} {keys:?}");
    }
}

// covers: OO-009
#[test]
fn who_was_refused_online_is_refused_offline() {
    for status in ["Blocked", "Expired", "Invalid"] {
        let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
        bench.connect();
        bench.tag("bad");
        bench.answer("Authorize", info(status));
        bench.input(Input::SocketClosed);
        assert!(!starts(&mut bench, "BAD"), "{status}");
        assert!(starts(&mut bench, "good"));
    }
}

#[test]
fn what_is_no_word_about_the_user_is_not_remembered() {
    for answer in [info("ConcurrentTx"), json!({}), info("")] {
        let mut bench = Bench::configured(&[("AllowOfflineTxForUnknownId", "true")]);
        bench.connect();
        bench.tag("user");
        bench.answer("Authorize", answer);
        assert_eq!(bench.permit, Some(false));
        bench.input(Input::SocketClosed);
        assert!(starts(&mut bench, "user"));
    }
}

// The question is lost with the connection: what is known decides.
#[test]
fn an_unanswered_question_is_decided_as_offline() {
    let mut bench = listed(&[("LocalPreAuthorize", "false")]);
    for (id_tag, expected) in [("accepted", true), ("blocked", false), ("unknown", false)] {
        bench.tag(id_tag);
        bench.expect_call("Authorize");
        bench.input(Input::SocketClosed);
        assert_eq!(bench.permit, Some(expected), "{id_tag}");
        bench.pass(60);
        bench.connect_again();
    }
}

// covers: OLA-010
#[test]
fn the_list_counts_before_the_cache() {
    let mut bench = Bench::online();
    for id_tag in ["a", "b"] {
        bench.tag(id_tag);
        bench.answer("Authorize", info("Accepted"));
        bench.pass(60);
        bench.drain();
    }
    send(&mut bench, 1, "Full", json!([entry("a", "Blocked")]));
    bench.input(Input::SocketClosed);
    assert!(!starts(&mut bench, "a"));
    assert!(starts(&mut bench, "b"));
}

#[test]
fn start_and_stop_answers_teach_the_cache_too() {
    let mut bench = Bench::online();
    bench.status("RemoteStartTransaction", json!({"idTag": "driver"}));
    bench.evse(EvseSession::Connected);
    bench.drain();
    let cached = |bench: &Bench| {
        let cache = &bench.stored.identifiers.cache;
        cache.first().map(|(_, info)| info.status.name())
    };
    assert_eq!(cached(&bench), Some("Accepted"));
    bench.tag("driver");
    bench.pass(5);
    bench.answer("StatusNotification", json!({}));
    bench.answer("StopTransaction", info("Blocked"));
    assert_eq!(cached(&bench), Some("Blocked"));
}

// covers: OLA-011
#[test]
fn a_known_member_of_the_group_stops_without_asking() {
    for (from_start, member, stops) in [
        (Some("FAMILY"), "valid", true),
        (Some("family"), "expired", false),
        (Some("others"), "valid", false),
        (None, "valid", false),
    ] {
        let mut bench = listed(&[]);
        bench.status("RemoteStartTransaction", json!({"idTag": "driver"}));
        bench.evse(EvseSession::Connected);
        bench.answer("StatusNotification", json!({}));
        let mut answer = json!({"transactionId": 7, "idTagInfo": {"status": "Accepted"}});
        if let Some(parent) = from_start {
            answer["idTagInfo"]["parentIdTag"] = json!(parent);
        }
        bench.answer("StartTransaction", answer);
        bench.input(Input::SocketClosed);
        bench.tag(member);
        assert_eq!(bench.permit, Some(!stops), "{from_start:?} {member}");
    }
}

#[test]
fn who_charges_elsewhere_may_stop_here() {
    let mut bench = Bench::online();
    bench.status("RemoteStartTransaction", json!({"idTag": "one"}));
    bench.evse(EvseSession::Connected);
    bench.answer("StatusNotification", json!({}));
    let family = |status: &str| json!({"status": status, "parentIdTag": "family"});
    let start = json!({"transactionId": 7, "idTagInfo": family("Accepted")});
    bench.answer("StartTransaction", start);
    bench.tag("two");
    bench.answer("Authorize", json!({"idTagInfo": family("ConcurrentTx")}));
    assert_eq!(bench.permit, Some(false));
}

// covers: AUTH-018, AUTH-019
#[test]
fn a_remote_start_is_checked_where_configured() {
    for (checked, id_tag, status, asked, permitted) in [
        ("false", "unknown", "Accepted", false, true),
        ("false", "blocked", "Accepted", false, true),
        ("true", "accepted", "Accepted", false, true),
        ("true", "unknown", "Accepted", true, true),
        ("true", "blocked", "Accepted", true, true),
    ] {
        let mut bench = listed(&[("AuthorizeRemoteTxRequests", checked)]);
        let answer = bench.status("RemoteStartTransaction", json!({"idTag": id_tag}));
        assert_eq!(answer, status, "{checked} {id_tag}");
        let sent = bench.drain();
        let authorize = sent.iter().any(|(action, _)| action == "Authorize");
        assert_eq!(authorize, asked, "{checked} {id_tag}");
        assert_eq!(bench.permit, Some(permitted), "{checked} {id_tag}");
    }
}

// covers: FDC-004
#[test]
fn a_vehicle_is_a_user_where_autocharge_is_on() {
    let mut bench = Bench::online();
    bench.evse(EvseSession::Connected);
    bench.drain();
    let vehicle = || Input::VehicleIdentified("00123456789A".to_owned());
    bench.input(vehicle());
    let asked = bench.answer("Authorize", info("Accepted"));
    assert_eq!(asked, json!({"idTag": "VID:00123456789A"}));
    bench.drain();
    assert_eq!(bench.permit, Some(true));
    // It is looked at again: that is no wish to stop.
    bench.input(vehicle());
    assert_eq!((bench.permit, bench.sent.len()), (Some(true), 0));
}

// Other charge points cut identifiers, or add their serial number.
#[test]
fn an_identifier_is_sent_as_it_was_read() {
    let mut bench = Bench::online();
    let (read, stopped) = ("aB34567890123456789Z", "Ab34567890123456789z");
    bench.evse(EvseSession::Connected);
    bench.drain();
    bench.tag(read);
    let asked = bench.answer("Authorize", info("Accepted"));
    let start = json!({"transactionId": 7, "idTagInfo": {"status": "Accepted"}});
    let started = bench.answer("StartTransaction", start);
    assert_eq!(
        (&asked["idTag"], &started["idTag"]),
        (&json!(read), &json!(read))
    );
    bench.tag(stopped);
    bench.pass(5);
    let sent = bench.drain();
    let stop = sent.iter().find(|(action, _)| action == "StopTransaction");
    assert_eq!(stop.unwrap().1["idTag"], json!(stopped));
}

// Another charge point deletes its stored transactions then.
#[test]
fn clearing_the_cache_loses_no_transaction() {
    let mut bench = Bench::online();
    bench.charge();
    bench.input(Input::SocketClosed);
    bench.evse(EvseSession::Idle);
    bench.pass(5);
    let before = bench.stored.messages.len();
    assert!(before > 0);
    bench.open();
    assert_eq!(bench.status("ClearCache", json!({})), "Accepted");
    assert_eq!(bench.stored.messages.len(), before);
    let sent = bench.drain();
    assert!(sent.iter().any(|(action, _)| action == "StopTransaction"));
}

#[test]
fn where_others_authorise_no_user_is_answered_here() {
    let mut settings = settings("first");
    settings.authorises = false;
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    bench.evse(EvseSession::Connected);
    bench.drain();
    for text in ["a card", "", "a card with more than twenty characters"] {
        bench.tag(text);
    }
    bench.input(Input::VehicleIdentified("0123456789AB".to_owned()));
    let answered = |output: &Output| matches!(output, Output::IdTagAnswer(_));
    assert!(!bench.others.iter().any(answered));
    bench.expect_silence();
}
