use std::time::Duration;

use ocpp16::{
    Body, End, Fault, IdToken, Interim, MeterValue, QueuedMessage, Reservation, StartTransaction,
    StopReason, Timestamp, Transaction,
};

use super::*;

const URI: &str = "ws://host/CP1";

fn message(sequence: u64) -> Change {
    let start = StartTransaction {
        connector_id: 1,
        id_tag: IdToken::truncated("driver"),
        meter_start: 1,
        timestamp: Timestamp::EARLIEST_VALID,
        reservation_id: None,
    };
    let body = Body::Start(start);
    Change::PutMessage(QueuedMessage {
        sequence,
        transaction: 1,
        message_id: format!("id-{sequence}"),
        refusals: 0,
        body,
    })
}

fn opened(directory: &Path, uri: &str) -> (Database, Stored) {
    let opened = Database::open(directory, uri).unwrap();
    (opened.database, opened.stored)
}

fn apply_to(database: &Database, changes: Vec<Change>) -> Result<(), DatabaseError> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(database.apply(changes))
}

#[test]
fn changes_are_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let (database, empty) = opened(directory.path(), URI);
    assert!(empty.messages.is_empty() && !empty.registered && empty.station_operative);
    let availability = Change::Availability {
        station: true,
        connector: false,
    };
    let reservation = Reservation {
        id: 5,
        id_tag: IdToken::truncated("owner"),
        parent: None,
        expiry: Timestamp::EARLIEST_VALID,
    };
    apply_to(
        &database,
        vec![
            message(1),
            message(2),
            Change::Registered,
            availability,
            Change::Reservation(Some(reservation.clone())),
        ],
    )
    .unwrap();
    apply_to(&database, vec![Change::DeleteMessage(1), message(2)]).unwrap();
    let (_, stored) = opened(directory.path(), URI);
    assert_eq!(
        stored
            .messages
            .iter()
            .map(|message| message.sequence)
            .collect::<Vec<_>>(),
        [2]
    );
    assert!(stored.registered && stored.station_operative && !stored.connector_operative);
    assert_eq!(stored.reservation, Some(reservation));
    apply_to(&database, vec![Change::Reservation(None)]).unwrap();
    assert_eq!(opened(directory.path(), URI).1.reservation, None);
}

// covers: OO-013
#[test]
fn another_central_system_does_not_get_the_old_transactions() {
    let directory = tempfile::tempdir().unwrap();
    let (database, _) = opened(directory.path(), URI);
    apply_to(&database, vec![message(1), Change::Registered]).unwrap();
    let (_, stored) = opened(directory.path(), "ws://other/CP1");
    assert!(stored.messages.is_empty() && !stored.registered);
}

#[test]
fn a_broken_file_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    std::fs::write(
        &path,
        "no database at all, but long enough to have a header: ".repeat(20),
    )
    .unwrap();
    let opened = Database::open(directory.path(), URI).unwrap();
    assert_eq!(opened.set_aside, Some(Fault::PersistenceInvalidType));
    apply_to(&opened.database, vec![message(1)]).unwrap();
    let aside = std::fs::read_to_string(directory.path().join("transactions.db.broken-1")).unwrap();
    assert!(aside.starts_with("no database"));
}

#[test]
fn a_newer_database_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    Connection::open(&path)
        .unwrap()
        .execute_batch("PRAGMA user_version = 99")
        .unwrap();
    let Err(error) = Database::open(directory.path(), URI) else {
        panic!("opened")
    };
    assert!(matches!(error, DatabaseError::TooNew(99)), "{error}");
    assert!(path.exists());
    assert_eq!(error.fault(), Fault::PersistenceOpenFailed);
}

/// As version 1 of the schema left it, in the middle of a transaction.
const VERSION_1: &str = include_str!("../../tests/data/transactions-v1.sql");

// covers: OO-015
#[test]
fn a_database_of_the_first_version_is_migrated_with_all_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let old = Connection::open(&path).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    drop(old);
    let opened = Database::open(directory.path(), URI).unwrap();
    assert_eq!(opened.set_aside, None);
    let stored = opened.stored;
    assert!(stored.registered && stored.interim.is_empty());
    let open = &stored.transactions[0];
    assert_eq!((open.number, open.central_id), (3, Some(1_790_000_000)));
    assert!(open.told, "it was told before the field existed");
    let bodies: Vec<u64> = stored.messages.iter().map(|one| one.sequence).collect();
    assert_eq!(bodies, [7, 8]);
    assert_eq!(stored.profiles.len(), 1);
    let version: i64 = Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
    // And it can be written in the new way.
    apply_to(&opened.database, vec![interim(1)]).unwrap();
    let (_, stored) = self::opened(directory.path(), URI);
    assert_eq!(stored.interim.len(), 1);
}

fn interim(place: u64) -> Change {
    Change::PutInterim(Interim {
        place,
        transaction: 3,
        value: MeterValue {
            timestamp: Timestamp::EARLIEST_VALID,
            sampled_value: Vec::new(),
        },
    })
}

fn transaction(parents: usize) -> Change {
    Change::PutTransaction(Transaction {
        number: 1,
        central_id: None,
        id_tag: IdToken::truncated("driver"),
        parent: None,
        started: Timestamp::EARLIEST_VALID,
        meter_start: 1,
        meter_last: 1,
        last_seen: Timestamp::EARLIEST_VALID,
        refused: false,
        told: true,
        end: Some(End {
            reason: StopReason::Local,
            at: Timestamp::EARLIEST_VALID,
            id_tag: None,
            queued: true,
        }),
        signed: None,
        begin_values: (0..parents)
            .map(|_| MeterValue {
                timestamp: Timestamp::EARLIEST_VALID,
                sampled_value: Vec::new(),
            })
            .collect(),
    })
}

/// A connection of the thread's kind, for what must be done to it from within.
fn connection(directory: &Path) -> Connection {
    open(&directory.join(FILE), URI).unwrap().0
}

fn committed(connection: &mut Connection, change: Change) -> Option<Fault> {
    commit(connection, &[change])
        .err()
        .map(|error| error.fault())
}

// covers: OS-018
#[test]
fn a_full_database_refuses_new_and_longer_records() {
    for (change, expected) in [
        (message(9), Fault::PersistenceInsertFailed),
        (transaction(2_000), Fault::PersistenceUpdateFailed),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = connection(directory.path());
        assert_eq!(committed(&mut connection, transaction(0)), None);
        let full = "PRAGMA max_page_count = 1";
        let _: u32 = connection.query_row(full, [], |row| row.get(0)).unwrap();
        let mut fault = committed(&mut connection, change);
        for sequence in 10..100 {
            if fault.is_none() {
                fault = committed(&mut connection, message(sequence));
            }
        }
        assert_eq!(fault, Some(expected));
        // Nothing of a change that failed is there.
        let (_, stored) = opened(directory.path(), URI);
        assert!(stored.transactions[0].begin_values.is_empty());
    }
}

// covers: OS-018
#[test]
fn a_database_that_somebody_else_holds_can_not_begin_a_change() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = connection(directory.path());
    connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(directory.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let fault = committed(&mut connection, message(1));
    assert_eq!(fault, Some(Fault::PersistenceTransactionFailed));
    other.execute_batch("ROLLBACK").unwrap();
    let fault = committed(&mut connection, message(1));
    assert_eq!(fault, None);
}

// covers: OS-018
#[test]
fn a_refused_deletion_has_its_own_code() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = connection(directory.path());
    connection
        .execute_batch(
            "CREATE TRIGGER kept BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'no'); END;
             CREATE TRIGGER held BEFORE DELETE ON station BEGIN SELECT RAISE(ABORT, 'no'); END;",
        )
        .unwrap();
    assert_eq!(committed(&mut connection, message(1)), None);
    assert_eq!(
        committed(&mut connection, Change::DeleteMessage(1)),
        Some(Fault::PersistenceDeleteFailed)
    );
    let Err(error) = Database::open(directory.path(), "ws://other/CP1") else {
        panic!("opened")
    };
    assert_eq!(error.fault(), Fault::PersistenceClearError);
}

/// SQLite writes no file whose header names a newer write version than it knows.
fn forbid_writing(path: &Path) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&[3], 18).unwrap();
}

// covers: OS-018
#[test]
fn a_read_only_database_is_read_and_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    let mut first = connection(directory.path());
    assert_eq!(committed(&mut first, message(1)), None);
    drop(first);
    forbid_writing(&path);
    let opened = Database::open(directory.path(), URI).unwrap();
    assert_eq!((opened.stored.messages.len(), opened.set_aside), (1, None));
    let error = apply_to(&opened.database, vec![message(2)]).unwrap_err();
    assert_eq!(error.fault(), Fault::PersistenceReadOnly);
}

// covers: OS-018
#[test]
fn what_is_no_file_can_not_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(FILE)).unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    for state_dir in [directory.path(), &file.join("below")] {
        let Err(error) = Database::open(state_dir, URI) else {
            panic!("opened")
        };
        assert_eq!(error.fault(), Fault::PersistenceOpenFailed, "{error}");
    }
}

/// The contents of the state directory in the order of their names.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// covers: OS-018, RCV-007
#[test]
fn random_damage_is_noticed_or_harmless_and_nothing_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let sound = directory.path().join("sound");
    std::fs::create_dir(&sound).unwrap();
    let mut connection = connection(&sound);
    for sequence in 0..200 {
        assert_eq!(committed(&mut connection, message(sequence)), None);
    }
    drop(connection);
    let bytes = std::fs::read(sound.join(FILE)).unwrap();
    let mut set_aside = 0;
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut dice = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 1).unwrap() % limit
    };
    for round in 0..60 {
        let place = directory.path().join(round.to_string());
        std::fs::create_dir(&place).unwrap();
        let mut damaged = bytes.clone();
        match round % 3 {
            0 => {
                for _ in 0..200 {
                    damaged[dice(bytes.len())] = u8::try_from(dice(256)).unwrap();
                }
            }
            1 => damaged.truncate(dice(bytes.len())),
            _ => {
                let page = dice(bytes.len() / 1024);
                damaged[page * 1024..(page + 1) * 1024].fill(0xA5);
            }
        }
        std::fs::write(place.join(FILE), &damaged).unwrap();
        match Database::open(&place, URI) {
            Ok(opened) => {
                let aside = opened.set_aside.is_some();
                set_aside += usize::from(aside);
                let kept = place.join(format!("{FILE}.broken-1"));
                assert_eq!(kept.exists(), aside, "{:?}", files(&place));
                apply_to(&opened.database, vec![message(1_000)]).unwrap();
            }
            // A version that is newer by accident.
            Err(error) => assert!(matches!(error, DatabaseError::TooNew(_)), "{error}"),
        }
    }
    assert!(set_aside > 30, "{set_aside}");
}

// covers: OS-018
#[test]
fn a_database_that_breaks_while_it_is_used_is_set_aside_too() {
    let directory = tempfile::tempdir().unwrap();
    let (database, _) = opened(directory.path(), URI);
    apply_to(&database, vec![message(1)]).unwrap();
    let path = directory.path().join(FILE);
    // Another program makes it smaller than its own header says.
    let other = Connection::open(&path).unwrap();
    let _: (i64, i64, i64) = other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    drop(other);
    let garbage = vec![0x5A; 8 * 1024];
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &garbage, 1024).unwrap();
    // What is still in the cache may hide it for a while.
    let mut faults = Vec::new();
    for sequence in 2..2_000 {
        if let Err(error) = apply_to(&database, vec![message(sequence), transaction(50)]) {
            faults.push(error.fault());
            break;
        }
        let outside = Connection::open(&path).unwrap();
        let _ = outside.execute_batch("PRAGMA user_version = 2");
    }
    assert_eq!(faults, [Fault::PersistenceInvalidType]);
    apply_to(&database, vec![message(1)]).unwrap();
    assert!(files(directory.path()).contains(&format!("{FILE}.broken-1")));
    let (_, stored) = opened(directory.path(), URI);
    assert_eq!(stored.messages.len(), 1);
}
