//! A disk or a database that fails: what the central system hears, and what stays.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use serde_json::json;
use simulator::central_system::CentralSystem;
use support::{Bench, SOON, central, until};

fn ready(central: &CentralSystem) {
    let ours = |status: &serde_json::Value| status["connectorId"] == 1;
    central.wait_for("StatusNotification", ours, SOON).unwrap();
}

fn reported(central: &CentralSystem, code: &str, connector: i64) {
    let fits = |status: &serde_json::Value| {
        status["vendorErrorCode"] == code
            && status["errorCode"] == "OtherError"
            && status["connectorId"] == connector
    };
    central.wait_for("StatusNotification", fits, SOON).unwrap();
}

// covers: OS-018, RCV-007
#[test]
fn a_corrupt_database_is_kept_and_reported_and_a_new_one_begun() {
    let central = central();
    let mut bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    let garbage = "no database, but long enough for one ".repeat(100);
    std::fs::write(bench.path("transactions.db"), &garbage).unwrap();
    bench.run();
    for connector in [0, 1] {
        reported(&central, "PersistenceInvalidType", connector);
    }
    let refused = central.call("RemoteStartTransaction", json!({"idTag": "x"}), SOON);
    assert_eq!(refused.unwrap(), json!({"status": "Rejected"}));
    let kept = std::fs::read_to_string(bench.path("transactions.db.broken-1")).unwrap();
    assert_eq!(kept, garbage);
    assert!(
        bench.log().contains("transactions.db.broken-1"),
        "it says where"
    );
    // Then charging is possible again, without anybody's help.
    let well = |status: &serde_json::Value| status["errorCode"] == "NoError";
    let a_minute = Duration::from_secs(60);
    central
        .wait_for("StatusNotification", well, a_minute)
        .unwrap();
    bench.charge(&central);
}

// covers: OS-018
#[test]
fn a_read_only_database_is_reported() {
    let central = central();
    let mut bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    ready(&central);
    bench.terminate();
    let path = bench.path("transactions.db");
    // Closing it empties the log that lies beside it.
    let tidy = rusqlite::Connection::open(&path).unwrap();
    tidy.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    drop(tidy);
    // SQLite writes no file whose header names a newer write version than it knows.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[3], 18).unwrap();
    bench.run();
    until("it is back", || {
        central
            .frames()
            .iter()
            .filter(|frame| frame.message[2] == "BootNotification")
            .count()
            == 2
    });
    let change = json!({"connectorId": 0, "type": "Inoperative"});
    central.call("ChangeAvailability", change, SOON).unwrap();
    reported(&central, "PersistenceReadOnly", 0);
    assert!(!bench.path("transactions.db.broken-1").exists());
}

fn can_start(central: &CentralSystem) {
    let well = |status: &serde_json::Value| {
        status["connectorId"] == 1
            && status["errorCode"] == "NoError"
            && status["status"] == "Available"
    };
    let a_minute = Duration::from_secs(60);
    central
        .wait_for("StatusNotification", well, a_minute)
        .unwrap();
    let start = json!({"idTag": "x"});
    let answer = central.call("RemoteStartTransaction", start, SOON);
    assert_eq!(answer.unwrap(), json!({"status": "Accepted"}));
}

// covers: OS-018
#[test]
fn a_full_disk_is_reported_and_forgotten_when_there_is_room_again() {
    let central = central();
    let mut bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    bench.limit_files(600);
    bench.run();
    ready(&central);
    let mut told = false;
    for round in 0..1_000 {
        let wanted = if round % 2 == 0 {
            "Inoperative"
        } else {
            "Operative"
        };
        let change = json!({"connectorId": 0, "type": wanted});
        let answer = central.call("ChangeAvailability", change, SOON).unwrap();
        assert_eq!(answer, json!({"status": "Accepted"}));
        told = central
            .frames()
            .iter()
            .any(|frame| frame.message[3]["vendorErrorCode"] == "PersistenceTransactionFailed");
        if told {
            break;
        }
    }
    assert!(told, "{}", bench.log());
    // The same process notices by itself.
    central.mark();
    bench.lift_file_limit();
    let operative = json!({"connectorId": 0, "type": "Operative"});
    central.call("ChangeAvailability", operative, SOON).unwrap();
    can_start(&central);
    // What was changed while the disk was full is on it now.
    central.mark();
    bench.kill();
    bench.run();
    can_start(&central);
}
