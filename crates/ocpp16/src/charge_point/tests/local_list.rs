//! SendLocalList, GetLocalListVersion, ClearCache, and what the central system contradicts.

use serde_json::{Value, json};

use super::bench::{Bench, meter, settings};
use crate::{Configuration, EvseSession, Input, Output, Stored};

pub fn entry(id_tag: &str, status: &str) -> Value {
    json!({"idTag": id_tag, "idTagInfo": {"status": status}})
}

pub fn send(bench: &mut Bench, version: i64, kind: &str, entries: Value) -> String {
    let payload =
        json!({"listVersion": version, "updateType": kind, "localAuthorizationList": entries});
    bench.status("SendLocalList", payload)
}

pub fn version(bench: &mut Bench) -> i64 {
    bench.call("GetLocalListVersion", json!({}))["listVersion"]
        .as_i64()
        .unwrap()
}

/// The errors that connector 0 and 1 report when asked.
fn errors(bench: &mut Bench) -> [String; 2] {
    bench.status(
        "TriggerMessage",
        json!({"requestedMessage": "StatusNotification"}),
    );
    [0, 1].map(|_| {
        let report = bench.answer("StatusNotification", json!({}));
        report["errorCode"].as_str().unwrap().to_owned()
    })
}

// covers: OLA-001, OLA-002, OLA-003
#[test]
fn a_list_is_sent_changed_and_asked_for() {
    let mut bench = Bench::online();
    assert_eq!(version(&mut bench), 0);
    let two = json!([entry("a", "Accepted"), entry("b", "Accepted")]);
    assert_eq!(send(&mut bench, 7, "Full", two), "Accepted");
    assert_eq!(version(&mut bench), 7);
    let change = json!([{"idTag": "b"}]);
    assert_eq!(
        send(&mut bench, 7, "Differential", change.clone()),
        "VersionMismatch"
    );
    assert_eq!(send(&mut bench, 8, "Differential", change), "Accepted");
    assert_eq!(version(&mut bench), 8);
    assert_eq!(bench.stored.identifiers.list.len(), 1);
    // No list at all is an empty one.
    let none = bench.status(
        "SendLocalList",
        json!({"listVersion": 9, "updateType": "Full"}),
    );
    assert_eq!((none.as_str(), version(&mut bench)), ("Accepted", 0));
}

// covers: OLA-006
#[test]
fn the_list_and_the_cache_survive_a_restart() {
    let mut bench = Bench::online();
    send(&mut bench, 3, "Full", json!([entry("listed", "Accepted")]));
    bench.tag("cached");
    bench.answer("Authorize", json!({"idTagInfo": {"status": "Accepted"}}));
    bench.pass(60);
    bench.drain();
    let mut bench = bench.restart();
    bench.input(Input::Reading(meter(1_000)));
    assert_eq!(version(&mut bench), 3);
    for id_tag in ["listed", "cached"] {
        bench.tag(id_tag);
        assert_eq!(bench.permit, Some(true), "{id_tag}");
        bench.pass(60);
        assert_eq!(bench.permit, Some(false));
    }
}

// covers: OLA-005
#[test]
fn a_list_that_is_switched_off_is_not_supported() {
    let mut bench = Bench::online();
    send(&mut bench, 3, "Full", json!([entry("a", "Accepted")]));
    let off = json!({"key": "LocalAuthListEnabled", "value": "false"});
    assert_eq!(bench.status("ChangeConfiguration", off), "Accepted");
    assert_eq!(version(&mut bench), -1);
    let change = json!([entry("b", "Accepted")]);
    assert_eq!(send(&mut bench, 4, "Differential", change), "NotSupported");
    bench.tag("a");
    bench.expect_call("Authorize");
}

// covers: OLA-012
#[test]
fn a_list_with_an_empty_tag_fails_as_a_whole() {
    let mut bench = Bench::online();
    let entries = json!([entry("a", "Accepted"), entry("", "Accepted")]);
    assert_eq!(send(&mut bench, 1, "Full", entries), "Failed");
    assert_eq!(version(&mut bench), 0);
}

#[test]
fn an_over_long_tag_is_named_in_the_error() {
    let mut bench = Bench::online();
    let entries = json!([
        entry("a", "Accepted"),
        entry("123456789012345678901", "Accepted")
    ]);
    let payload =
        json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": entries});
    let answer = bench.call_frame(&json!([2, "x", "SendLocalList", payload]).to_string());
    assert_eq!(answer[2], json!("PropertyConstraintViolation"));
    let description = answer[3].as_str().unwrap();
    assert!(
        description.starts_with("localAuthorizationList[1].idTag:"),
        "{description}"
    );
}

// covers: OLA-004, OLA-014
#[test]
fn as_many_as_advertised_and_not_one_more() {
    let mut bench = Bench::online();
    let advertised = bench.call(
        "GetConfiguration",
        json!({"key": ["LocalAuthListMaxLength", "SendLocalListMaxLength"]}),
    );
    for entry in advertised["configurationKey"].as_array().unwrap() {
        assert_eq!(entry["value"], json!("10000"), "{entry}");
    }
    let numbered = |count: usize| {
        let all = (0..count).map(|n| entry(&format!("tag{n}"), "Accepted"));
        Value::from_iter(all)
    };
    assert_eq!(send(&mut bench, 1, "Full", numbered(10_001)), "Failed");
    assert_eq!(version(&mut bench), 0);
    assert_eq!(send(&mut bench, 1, "Full", numbered(10_000)), "Accepted");
    let more = json!([entry("more", "Accepted")]);
    assert_eq!(send(&mut bench, 2, "Differential", more), "Failed");
    bench.tag("TAG9999");
    assert_eq!(bench.permit, Some(true));
}

#[test]
fn a_list_that_can_not_be_stored_fails_and_the_old_one_holds() {
    let mut bench = Bench::online();
    send(&mut bench, 1, "Full", json!([entry("old", "Accepted")]));
    bench.flash_works = false;
    let new = json!([entry("new", "Accepted")]);
    assert_eq!(send(&mut bench, 2, "Full", new), "Failed");
    assert_eq!(version(&mut bench), 1);
    bench.tag("old");
    assert_eq!(bench.permit, Some(true));
}

#[test]
fn everything_goes_on_while_a_list_is_being_stored() {
    let mut bench = Bench::online();
    let time = bench.time();
    let list = |id: &str| {
        let payload = json!({"listVersion": 1, "updateType": "Full",
            "localAuthorizationList": [entry("a", "Accepted")]});
        Input::Frame(json!([2, id, "SendLocalList", payload]).to_string())
    };
    let outputs = bench.point.handle(time, list("one"));
    assert!(
        outputs
            .iter()
            .any(|one| matches!(one, Output::StoreList(_)))
    );
    assert!(!outputs.iter().any(|one| matches!(one, Output::Send(_))));
    // Until it is durable the old list holds, and a second update fails.
    assert_eq!(version(&mut bench), 0);
    let outputs = bench.point.handle(time, list("two"));
    assert_eq!(
        outputs,
        [
            Output::Log(
                false,
                "SendLocalList failed: the one before it is still being stored".to_owned()
            ),
            Output::Send(r#"[3,"two",{"status":"Failed"}]"#.to_owned())
        ]
    );
    // The connection that asked may be gone: the list counts all the same.
    bench.input(Input::SocketClosed);
    bench.input(Input::ListStored(true));
    bench.expect_silence();
    bench.connect_again();
    assert_eq!(version(&mut bench), 1);
}

// covers: OLA-008, OLA-009, OS-008
#[test]
fn a_contradiction_is_reported_for_the_station_until_the_list_is_updated() {
    let mut bench = Bench::online();
    send(&mut bench, 1, "Full", json!([entry("a", "Accepted")]));
    bench.tag("a");
    bench.evse(EvseSession::Connected);
    let refused = json!({"transactionId": 7, "idTagInfo": {"status": "Invalid"}});
    bench.answer("StatusNotification", json!({}));
    bench.answer("StartTransaction", refused);
    bench.drain();
    assert_eq!(errors(&mut bench), ["LocalListConflict", "NoError"]);
    bench.evse(EvseSession::Idle);
    bench.pass(5);
    bench.drain();
    send(&mut bench, 2, "Full", json!([entry("b", "Blocked")]));
    bench.drain();
    assert_eq!(errors(&mut bench), ["NoError", "NoError"]);
    // The other way round, and by Authorize.
    bench.tag("b");
    bench.answer("Authorize", json!({"idTagInfo": {"status": "Accepted"}}));
    assert_eq!(bench.permit, Some(true));
    bench.drain();
    assert_eq!(errors(&mut bench), ["LocalListConflict", "NoError"]);
}

// covers: OC-030
#[test]
fn the_cache_is_cleared_on_demand() {
    let mut bench = Bench::online();
    bench.tag("a");
    bench.answer("Authorize", json!({"idTagInfo": {"status": "Accepted"}}));
    bench.pass(60);
    bench.drain();
    assert_eq!(bench.stored.identifiers.cache.len(), 1);
    assert_eq!(bench.status("ClearCache", json!({})), "Accepted");
    assert!(bench.stored.identifiers.cache.is_empty());
    bench.tag("a");
    bench.expect_call("Authorize");
}

#[test]
fn a_cache_that_is_switched_off_or_can_not_be_cleared_says_so() {
    let mut bench = Bench::configured(&[("AuthorizationCacheEnabled", "false")]);
    bench.connect();
    assert_eq!(bench.status("ClearCache", json!({})), "Rejected");
    let mut bench = Bench::online();
    bench.flash_works = false;
    assert_eq!(bench.status("ClearCache", json!({})), "Rejected");
}

// covers: OLA-007
#[test]
fn without_cache_nothing_is_remembered() {
    let mut configuration = Configuration::default();
    configuration
        .set("AuthorizationCacheEnabled", "false")
        .unwrap();
    let mut bench = Bench::with(settings("first"), configuration, Stored::default());
    bench.connect();
    for _ in 0..2 {
        bench.tag("a");
        bench.answer("Authorize", json!({"idTagInfo": {"status": "Accepted"}}));
        bench.pass(60);
        bench.drain();
    }
    assert!(bench.stored.identifiers.cache.is_empty());
}
