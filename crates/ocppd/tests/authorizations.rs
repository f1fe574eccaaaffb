//! The local authorization list through the real socket and the real flash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::central_system::CentralSystem;
use support::{Bench, SOON, assert_in_time, central, until};

/// A list of `count` users, all of them marked with its version.
fn list(version: i64, kind: &str, count: usize) -> Value {
    let entry = |number: usize| {
        json!({"idTag": format!("v{version}-{number:015}"), "idTagInfo": {"status": "Accepted",
            "expiryDate": "2099-12-31T23:59:59.000Z", "parentIdTag": "a-group-of-20-letter"}})
    };
    let entries: Vec<Value> = (0..count).map(entry).collect();
    json!({"listVersion": version, "updateType": kind, "localAuthorizationList": entries})
}

fn version(central: &CentralSystem) -> i64 {
    let answer = central
        .call("GetLocalListVersion", json!({}), SOON)
        .unwrap();
    answer["listVersion"].as_i64().unwrap()
}

fn connected(central: &CentralSystem) {
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
}

/// Calls that were answered between the arrival of a list, as the log of frames has it, and its
/// answer.
fn while_storing(central: &CentralSystem) -> usize {
    let frames = central.frames();
    let list = frames
        .iter()
        .find(|frame| frame.message[2] == "SendLocalList");
    let id = list.unwrap().message[1].clone();
    let answer = |frame: &simulator::central_system::Frame| {
        frame.from_station && frame.message[0] == 3 && frame.message[1] == id
    };
    let answers = frames.iter().skip_while(|frame| frame.message[1] != id);
    let before = answers.take_while(|frame| !answer(frame));
    before
        .filter(|frame| frame.from_station && frame.message[0] == 3)
        .count()
}

/// Version and number of the stored users, all of whom must be of that version; the file must be
/// sound.
fn stored(path: &Path) -> (i64, usize) {
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(SOON).unwrap();
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0));
    assert_eq!(text("PRAGMA integrity_check").unwrap(), "ok");
    let version = text("SELECT value FROM station WHERE name = 'list_version'").unwrap();
    let mut users = database.prepare("SELECT id_tag FROM list").unwrap();
    let users = users.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let users: Vec<String> = users.map(Result::unwrap).collect();
    let mark = format!("v{version}-");
    assert!(users.iter().all(|user| user.starts_with(&mark)), "{mark}");
    (version.parse().unwrap(), users.len())
}

// covers: OLA-004, OLA-014
#[test]
fn ten_thousand_users_hold_nothing_up() {
    let central = central();
    let bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    connected(&central);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let answer = central.call("SendLocalList", list(1, "Full", 10_000), 4 * SOON);
            assert_eq!(answer.unwrap(), json!({"status": "Accepted"}));
        });
        // Until the list is durable the old version, none, is told: each time at once.
        while !sending.is_finished() {
            version(&central);
        }
        sending.join().unwrap();
    });
    assert!(while_storing(&central) > 0, "all other calls waited");
    assert_in_time(&central);
    assert_eq!(version(&central), 1);
    assert_eq!(stored(&bench.path("auth.db")), (1, 10_000));

    let one_more = central.call("SendLocalList", list(2, "Full", 10_001), SOON);
    assert_eq!(one_more.unwrap(), json!({"status": "Failed"}));
    assert_eq!(version(&central), 1);
}

// covers: OLA-006
#[test]
fn killed_in_the_middle_the_old_list_or_the_new_one_is_there() {
    const USERS: usize = 1_500;
    let central = central();
    let mut bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    connected(&central);
    let first = central.call("SendLocalList", list(1, "Full", USERS), SOON);
    assert_eq!(first.unwrap(), json!({"status": "Accepted"}));
    let mut old = 1;
    for new in 2..14 {
        central.mark();
        let frame = json!([
            2,
            format!("list-{new}"),
            "SendLocalList",
            list(new, "Full", USERS)
        ]);
        central.send_raw(&frame.to_string()).unwrap();
        at_some_instant(u64::try_from(new).unwrap() * 17 % 120);
        bench.kill();
        let (version, users) = stored(&bench.path("auth.db"));
        assert!(
            [old, new].contains(&version),
            "{version} is not {old} or {new}"
        );
        assert_eq!(users, USERS);
        old = version;
        central.mark();
        bench.run();
        connected(&central);
        assert_eq!(self::version(&central), old);
    }
}

/// Lets `ms` pass: the instant of the kill is arbitrary, and that is the point.
fn at_some_instant(ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

// covers: OLA-001, OLA-003, OLA-006, OLA-013, OO-007, OO-009, OC-030
#[test]
fn the_list_decides_while_the_central_system_is_away() {
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let mut bench = Bench::start(&uri, json!({"AllowOfflineTxForUnknownId": false}));
    connected(&central);
    let info = |status: &str, date: &str| json!({"status": status, "expiryDate": date});
    let users = json!([
        {"idTag": "0A03", "idTagInfo": info("Accepted", "2099-01-01T00:00:00Z")},
        {"idTag": "0A01", "idTagInfo": info("Accepted", "2020-01-01T00:00:00Z")},
        {"idTag": "0A02", "idTagInfo": {"status": "Blocked"}},
    ]);
    let list = json!({"listVersion": 9, "updateType": "Full", "localAuthorizationList": users});
    let answer = central.call("SendLocalList", list, SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    let answer = central.call("ClearCache", json!({}), SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    // The list is on flash, not only in memory.
    bench.kill();
    central.stop().unwrap();
    bench.mqtt.forget();
    bench.run();
    until("ocppd listens", || {
        let permits = bench.mqtt.history("port0/session/authorization_status");
        !permits.is_empty()
    });
    bench.mqtt.station("connected", "B");
    // A card that comes before ocppd listens is lost.
    let mut shown = None::<Instant>;
    until("a card is seen", || {
        if shown.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            shown = Some(Instant::now());
            bench.mqtt.tag("0BADBEEF");
        }
        let answers = bench.mqtt.history("port0/session/authorization_result");
        !answers.is_empty()
    });
    for user in ["0BADCAFE", "0A01", "0A02"] {
        bench.mqtt.forget();
        bench.mqtt.tag(user);
        bench
            .mqtt
            .wait("port0/session/authorization_result", "rejected");
    }
    bench.mqtt.tag("0A03");
    bench.mqtt.wait("port0/session/authorization_status", "1");
    central.restart_on_same_port().unwrap();
    let start = central
        .wait_for("StartTransaction", |_| true, 2 * SOON)
        .unwrap();
    assert_eq!(start["idTag"], json!("0A03"));
}

#[test]
fn a_reservation_survives_a_kill_and_shows() {
    let central = central();
    let mut bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    connected(&central);
    bench.mqtt.wait("port0/session/reserved", "0");
    let wanted = json!({"reservationId": 5, "connectorId": 1, "idTag": "0A04",
        "expiryDate": "2099-01-01T00:00:00Z"});
    let answer = central.call("ReserveNow", wanted, SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    bench.mqtt.wait("port0/session/reserved", "1");
    bench.kill();
    bench.mqtt.forget();
    central.mark();
    bench.run();
    let reserved = |status: &Value| status["status"] == "Reserved";
    central
        .wait_for("StatusNotification", reserved, SOON)
        .unwrap();
    bench.mqtt.tag("0BADCAFE");
    bench
        .mqtt
        .wait("port0/session/authorization_result", "rejected");
    bench.mqtt.station("connected", "B");
    bench.mqtt.tag("0A04");
    let start = central
        .wait_for("StartTransaction", |_| true, SOON)
        .unwrap();
    assert_eq!(
        (&start["reservationId"], &start["idTag"]),
        (&json!(5), &json!("0A04"))
    );
    bench.mqtt.wait("port0/session/reserved", "0");
}

// covers: AUTH-006
#[test]
fn nobody_else_permits_charging() {
    let central = central();
    let bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    connected(&central);
    bench.mqtt.wait("port0/session/authorization_status", "0");
    bench.mqtt.forget();
    bench
        .mqtt
        .publish("port0/session/authorization_status", "1", false);
    until("the permission is withdrawn", || {
        let permits = bench.mqtt.history("port0/session/authorization_status");
        permits.starts_with(&["1".to_owned(), "0".to_owned()])
    });
}
