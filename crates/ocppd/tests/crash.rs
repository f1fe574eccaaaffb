//! `kill -9` at any instant: one start and one stop for each transaction.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::central_system::CentralSystem;
use support::{Bench, SOON, central, until, until_within};

const PERMISSION: &str = "port0/session/authorization_status";

/// What the central system heard, a repetition under the same message id once.
struct Heard {
    starts: BTreeMap<String, (Option<i64>, Value)>,
    stops: BTreeMap<String, Value>,
    samples: Vec<(i64, i64)>,
}

fn heard(central: &CentralSystem) -> Heard {
    let mut heard = Heard {
        starts: BTreeMap::new(),
        stops: BTreeMap::new(),
        samples: Vec::new(),
    };
    for frame in central.frames() {
        let id = frame.message[1].as_str().unwrap_or_default().to_owned();
        if !frame.from_station {
            let given = frame.message[2]["transactionId"].as_i64();
            if let (Some(start), Some(given)) = (heard.starts.get_mut(&id), given) {
                start.0.get_or_insert(given);
            }
            continue;
        }
        let payload = frame.message[3].clone();
        match frame.message[2].as_str() {
            Some("StartTransaction") => {
                let known = heard.starts.entry(id).or_insert((None, payload.clone()));
                assert_eq!(known.1, payload, "a repetition has the same payload");
            }
            Some("StopTransaction") => {
                let known = heard.stops.entry(id).or_insert(payload.clone());
                assert_eq!(*known, payload, "a repetition has the same payload");
            }
            Some("MeterValues") => {
                // Without a transaction they are of no transaction.
                if let Some(transaction) = payload["transactionId"].as_i64() {
                    let value = &payload["meterValue"][0]["sampledValue"][0]["value"];
                    let value = value.as_str().unwrap().parse().unwrap();
                    heard.samples.push((transaction, value));
                }
            }
            _ => {}
        }
    }
    heard
}

/// Reproducible pseudo-random numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Lets the meter run for `milliseconds`.
fn pass(bench: &Bench, energy: &mut f64, milliseconds: u64) {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    while Instant::now() < end {
        *energy += 1.0;
        bench.mqtt.meter(*energy);
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A database, which must be sound.
fn sound(path: &Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(SOON).unwrap();
    let verdict: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "{}", path.display());
    database
}

/// Every database that a killed process has left.
fn all_sound(directory: &Path) {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "db")) {
        sound(&path);
    }
}

/// Transactions and messages in the database.
fn waiting(path: &Path) -> i64 {
    let database = sound(path);
    let count = "SELECT (SELECT count(*) FROM transactions) + (SELECT count(*) FROM messages)";
    database.query_row(count, [], |row| row.get(0)).unwrap()
}

/// What a central system may change at any time, and the station keeps.
fn change(dice: &mut Dice, number: u64) -> String {
    let call = |action: &str, payload: Value| json!([2, number.to_string(), action, payload]);
    let change = match dice.below(8) {
        0 => call(
            "SendLocalList",
            json!({ "listVersion": number + 1, "updateType": "Full", "localAuthorizationList": [
                { "idTag": "04A1B2C3D4", "idTagInfo": { "status": "Accepted" } },
                { "idTag": format!("N{number}"), "idTagInfo": { "status": "Blocked" } }
            ] }),
        ),
        1 => call(
            "SendLocalList",
            json!({ "listVersion": number + 1, "updateType": "Differential",
                "localAuthorizationList": [{ "idTag": format!("D{number}"),
                    "idTagInfo": { "status": "Accepted" } }] }),
        ),
        2 => call(
            "SetChargingProfile",
            json!({ "connectorId": 1, "csChargingProfiles": {
                "chargingProfileId": 1, "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": { "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 6 + number % 10 }] }
            } }),
        ),
        3..6 => call(
            "TriggerMessage",
            json!({ "requestedMessage": "MeterValues", "connectorId": 1 }),
        ),
        _ => call(
            "ChangeConfiguration",
            json!({ "key": "ConnectionTimeOut", "value": (60 + number % 60).to_string() }),
        ),
    };
    change.to_string()
}

/// A session from its beginning to its permission. With the EV there before the card, it is
/// published for a transaction that is stored, and the EV of the one before has left.
fn permitted(bench: &Bench, tag: &str, energy: &mut f64) {
    bench.mqtt.station("idle", "A");
    bench.mqtt.wait(PERMISSION, "0");
    bench.mqtt.forget();
    bench.mqtt.station("connected", "B");
    until("it is permitted", || {
        bench.mqtt.tag(tag);
        pass(bench, energy, 100);
        is_permitted(bench)
    });
}

fn is_permitted(bench: &Bench) -> bool {
    bench.mqtt.history(PERMISSION).contains(&"1".to_owned())
}

/// `kill -9` at so many instants; `MODE3_KILLS=500` for a long run.
const KILLS: u64 = 40;

// covers: OC-041, OO-003, BOOT-010
#[test]
fn killed_again_and_again() {
    let kills = std::env::var("MODE3_KILLS").map_or(KILLS, |number| number.parse().unwrap());
    let mut dice = Dice(0x1357_9bdf_2468_ace1);
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let mut bench = Bench::start(&uri, json!({"TransactionMessageRetryInterval": 1}));
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
    let mut energy = 1_000.0;
    // New users who were seen to be permitted while the EV was there.
    let mut begun: Vec<String> = Vec::new();
    let mut is_free = true;
    let mut tag = String::new();
    for number in 0..kills {
        let online = dice.below(3) > 0;
        if online {
            central.restart_on_same_port().unwrap();
        } else {
            central.stop().unwrap();
        }
        // Once it has published, it listens too.
        until("ocppd listens", || {
            !bench.mqtt.history(PERMISSION).is_empty()
        });
        let certain = number % 4 == 0;
        is_free |= certain;
        if is_free {
            tag = format!("04A1B2{number:04X}");
        }
        if certain {
            permitted(&bench, &tag, &mut energy);
        } else {
            bench.mqtt.station("connected", "B");
            pass(&bench, &mut energy, dice.below(150));
            bench.mqtt.tag(&tag);
        }
        pass(&bench, &mut energy, dice.below(100));
        bench.mqtt.station("charging", "C");
        pass(&bench, &mut energy, dice.below(100));
        if dice.below(2) == 0 {
            // Refused, and no matter, while the station is not connected.
            let _ = central.send_raw(&change(&mut dice, number));
            pass(&bench, &mut energy, dice.below(20));
        }
        // What permits is stored first: such a transaction can't be lost.
        if is_free && is_permitted(&bench) {
            begun.push(tag.clone());
        }
        is_free = dice.below(2) == 0;
        if is_free {
            bench.mqtt.station("idle", "A");
            pass(&bench, &mut energy, dice.below(50));
        }
        bench.kill();
        all_sound(bench.directory.path());
        bench.mqtt.forget();
        bench.run();
    }
    central.restart_on_same_port().unwrap();
    bench.mqtt.station("idle", "A");
    let database = bench.path("transactions.db");
    until_within(
        Duration::from_secs(60),
        "all is delivered and forgotten",
        || {
            energy += 1.0;
            bench.mqtt.meter(energy);
            waiting(&database) == 0
        },
    );
    let heard = heard(&central);
    assert!(
        begun.len() as u64 >= kills / 4,
        "too few transactions to mean anything: {begun:?}"
    );
    for tag in &begun {
        let is_told = heard
            .starts
            .values()
            .any(|(_, start)| start["idTag"] == *tag);
        assert!(is_told, "the transaction of {tag} is lost");
    }
    assert_eq!(heard.stops.len(), heard.starts.len());
    for (given, start) in heard.starts.values() {
        let given = given.expect("each start was answered");
        let stops: Vec<&Value> = heard
            .stops
            .values()
            .filter(|stop| stop["transactionId"] == given)
            .collect();
        assert_eq!(stops.len(), 1, "transaction {given}");
        let mut values = vec![start["meterStart"].as_i64().unwrap()];
        values.extend(
            heard
                .samples
                .iter()
                .filter(|(of, _)| *of == given)
                .map(|(_, value)| *value),
        );
        values.push(stops[0]["meterStop"].as_i64().unwrap());
        assert!(values.is_sorted(), "transaction {given}: {values:?}");
    }
    println!(
        "{kills} kills: {} transactions, each with one start and one stop, {} values",
        heard.starts.len(),
        heard.samples.len()
    );
}
