//! The durable state: transactions and their messages in SQLite.
//!
//! One thread owns the database, because a commit waits for the flash; the loop waits for the
//! commit without holding up the socket. Records are JSON, so that a new field needs no
//! migration; `user_version` counts the migrations that are needed all the same.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use customer_config::ConfigError;
use ocpp16::{Change, Fault, Stored, StoredIdentifiers};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::keys;

pub(crate) mod authorizations;

/// The file below the state directory (guide 3.3.4.17).
const FILE: &str = "transactions.db";

/// SQL that leads from each `user_version` to the next.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE transactions (number INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE messages (sequence INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE station (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"];

/// A failed operation on the durable state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("{operation}: {source}")]
    Sqlite {
        operation: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a record of {table} can't be read or written: {source}")]
    Record {
        table: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Keys(#[source] ConfigError),
    #[error("version {0} of the database is newer than this program")]
    TooNew(i64),
    #[error("the database thread has ended")]
    Gone,
}

impl DatabaseError {
    /// How it is reported (guide 3.3.4.17-3.3.4.32).
    pub(crate) fn fault(&self) -> Fault {
        let code = match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            Self::Record { .. }
            | Self::File { .. }
            | Self::Keys(_)
            | Self::TooNew(_)
            | Self::Gone => None,
        };
        match code {
            Some(ErrorCode::ReadOnly) => Fault::PersistenceReadOnly,
            Some(ErrorCode::CannotOpen) => Fault::PersistenceOpenFailed,
            _ => Fault::PersistenceTransactionFailed,
        }
    }
}

/// The thread's address.
#[derive(Debug)]
pub(crate) struct Database {
    orders: Sender<Order>,
}

type Order = (Vec<Change>, oneshot::Sender<Result<(), DatabaseError>>);

impl Database {
    /// Opens the database of the central system at `uri` and returns what it holds. What belongs
    /// to another central system is erased (guide 3.3.3).
    ///
    /// # Errors
    /// When it can't be opened or read. A file that is no database is set aside first.
    pub(crate) fn open(state_dir: &Path, uri: &str) -> Result<(Self, Stored), DatabaseError> {
        let path = state_dir.join(FILE);
        std::fs::create_dir_all(state_dir).map_err(|source| DatabaseError::File {
            path: state_dir.to_owned(),
            source,
        })?;
        let opened = open(&path, uri).or_else(|error| match error.broken_file() {
            true => {
                set_aside(&path)?;
                tracing::error!("{}: {error}; set aside, a new one is begun", path.display());
                open(&path, uri)
            }
            false => Err(error),
        });
        let (connection, stored) = opened?;
        let (orders, inbox) = channel();
        let state_dir = state_dir.to_owned();
        std::thread::Builder::new()
            .name("database".to_owned())
            .spawn(move || serve(connection, &state_dir, &inbox))
            .map_err(|source| DatabaseError::File { path, source })?;
        Ok((Self { orders }, stored))
    }

    /// Makes `changes` durable, all or none; returns when they are.
    ///
    /// # Errors
    /// When they could not be; then the old state holds.
    pub(crate) async fn apply(&self, changes: Vec<Change>) -> Result<(), DatabaseError> {
        let (done, result) = oneshot::channel();
        self.orders
            .send((changes, done))
            .map_err(|_| DatabaseError::Gone)?;
        result.await.map_err(|_| DatabaseError::Gone)?
    }
}

impl DatabaseError {
    fn broken_file(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => {
                matches!(
                    source.sqlite_error_code(),
                    Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
                )
            }
            Self::Record { .. } => true,
            Self::File { .. } | Self::Keys(_) | Self::TooNew(_) | Self::Gone => false,
        }
    }
}

fn failed(operation: &'static str) -> impl Fn(rusqlite::Error) -> DatabaseError {
    move |source| DatabaseError::Sqlite { operation, source }
}

fn open(path: &Path, uri: &str) -> Result<(Connection, Stored), DatabaseError> {
    let mut connection = Connection::open(path).map_err(failed("open the database"))?;
    // Small pages: a commit writes a few of them, and the flash wears with every byte.
    connection
        .execute_batch(
            "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
        )
        .map_err(failed("set up the database"))?;
    migrate(&mut connection, &MIGRATIONS)?;
    keep_to(&mut connection, uri)?;
    let stored = load(&connection)?;
    Ok((connection, stored))
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), DatabaseError> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed("read the database's version"))?;
    let done = usize::try_from(version)
        .ok()
        .filter(|done| *done <= migrations.len());
    let done = done.ok_or(DatabaseError::TooNew(version))?;
    for (index, sql) in migrations.iter().enumerate().skip(done) {
        let step = format!("BEGIN; {sql} PRAGMA user_version = {}; COMMIT;", index + 1);
        connection
            .execute_batch(&step)
            .map_err(failed("migrate the database"))?;
    }
    Ok(())
}

fn keep_to(connection: &mut Connection, uri: &str) -> Result<(), DatabaseError> {
    let failed = failed("compare the central system");
    let known: Option<String> = connection
        .query_row("SELECT value FROM station WHERE name = 'uri'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(&failed)?;
    if known.as_deref() == Some(uri) {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(&failed)?;
    if let Some(known) = known {
        tracing::warn!("ocpp/uri changed from {known} to {uri}: stored transactions are erased");
    }
    transaction
        .execute_batch("DELETE FROM transactions; DELETE FROM messages; DELETE FROM station;")
        .map_err(&failed)?;
    put_value(&transaction, "uri", uri).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

fn load(connection: &Connection) -> Result<Stored, DatabaseError> {
    let value = |name: &str| {
        connection
            .query_row("SELECT value FROM station WHERE name = ?1", [name], |row| {
                row.get::<_, String>(0)
            })
            .optional()
            .map_err(failed("read the station's state"))
    };
    let profiles = match value("profiles")? {
        Some(text) => serde_json::from_str(&text).map_err(|source| DatabaseError::Record {
            table: "station",
            source,
        })?,
        None => Vec::new(),
    };
    let flag = |name: &str, default: bool| Ok(value(name)?.map_or(default, |value| value == "1"));
    Ok(Stored {
        transactions: records(
            connection,
            "transactions",
            "SELECT record FROM transactions ORDER BY number",
        )?,
        messages: records(
            connection,
            "messages",
            "SELECT record FROM messages ORDER BY sequence",
        )?,
        profiles,
        station_operative: flag("station_operative", true)?,
        connector_operative: flag("connector_operative", true)?,
        registered: flag("registered", false)?,
        reservation: match value("reservation")? {
            Some(text) => serde_json::from_str(&text).map_err(|source| DatabaseError::Record {
                table: "station",
                source,
            })?,
            None => None,
        },
        identifiers: StoredIdentifiers::default(),
    })
}

fn records<T: DeserializeOwned>(
    connection: &Connection,
    table: &'static str,
    sql: &str,
) -> Result<Vec<T>, DatabaseError> {
    let failed = failed("read the database");
    let mut statement = connection.prepare(sql).map_err(&failed)?;
    let texts = statement
        .query_map([], |row| row.get::<_, String>(0))
        .map_err(&failed)?;
    texts
        .map(|text| {
            let text = text.map_err(&failed)?;
            serde_json::from_str(&text).map_err(|source| DatabaseError::Record { table, source })
        })
        .collect()
}

/// Keeps the broken file for whoever wants to look at it.
fn set_aside(path: &Path) -> Result<(), DatabaseError> {
    let mut number = 1;
    let aside = loop {
        let candidate = path.with_extension(format!("db.broken-{number}"));
        if !candidate.exists() {
            break candidate;
        }
        number += 1;
    };
    let rename = |suffix: &str| {
        let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        std::fs::rename(with_suffix(path), with_suffix(&aside))
    };
    rename("").map_err(|source| DatabaseError::File {
        path: path.to_owned(),
        source,
    })?;
    for suffix in ["-wal", "-shm"] {
        // They belong to the broken file; there may be none.
        let _ = rename(suffix);
    }
    Ok(())
}

fn serve(mut connection: Connection, state_dir: &Path, inbox: &Receiver<Order>) {
    while let Ok((changes, done)) = inbox.recv() {
        let result = commit(&mut connection, state_dir, &changes);
        // Nobody waits when the daemon ends.
        let _ = done.send(result);
    }
}

fn commit(
    connection: &mut Connection,
    state_dir: &Path,
    changes: &[Change],
) -> Result<(), DatabaseError> {
    let failed = failed("store a change");
    let transaction = connection.transaction().map_err(&failed)?;
    for change in changes {
        apply(&transaction, state_dir, change)?;
    }
    transaction.commit().map_err(&failed)
}

fn apply(
    transaction: &Transaction<'_>,
    state_dir: &Path,
    change: &Change,
) -> Result<(), DatabaseError> {
    let result = match change {
        Change::PutTransaction(new) => transaction.execute(
            "INSERT OR REPLACE INTO transactions (number, record) VALUES (?1, ?2)",
            params![new.number.cast_signed(), json("transactions", new)?],
        ),
        Change::DeleteTransaction(number) => transaction.execute(
            "DELETE FROM transactions WHERE number = ?1",
            [number.cast_signed()],
        ),
        Change::PutMessage(new) => transaction.execute(
            "INSERT OR REPLACE INTO messages (sequence, record) VALUES (?1, ?2)",
            params![new.sequence.cast_signed(), json("messages", new)?],
        ),
        Change::DeleteMessage(sequence) => transaction.execute(
            "DELETE FROM messages WHERE sequence = ?1",
            [sequence.cast_signed()],
        ),
        Change::Profiles(profiles) => {
            put_value(transaction, "profiles", &json("station", profiles)?)
        }
        Change::Availability { station, connector } => {
            put_value(transaction, "station_operative", digit(*station))
                .and_then(|_| put_value(transaction, "connector_operative", digit(*connector)))
        }
        Change::Reservation(reservation) => {
            put_value(transaction, "reservation", &json("station", reservation)?)
        }
        Change::Registered => put_value(transaction, "registered", digit(true)),
        Change::Configuration { name, value } => {
            return keys::save(state_dir, name, value).map_err(DatabaseError::Keys);
        }
    };
    result.map(|_| ()).map_err(failed("store a change"))
}

fn put_value(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT OR REPLACE INTO station (name, value) VALUES (?1, ?2)",
        [name, value],
    )
}

fn json(table: &'static str, record: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(record).map_err(|source| DatabaseError::Record { table, source })
}

const fn digit(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocpp16::{Body, IdToken, QueuedMessage, Reservation, StartTransaction, Timestamp};

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

    fn apply_to(database: &Database, changes: Vec<Change>) -> Result<(), DatabaseError> {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(database.apply(changes))
    }

    #[test]
    fn changes_are_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let (database, empty) = Database::open(directory.path(), URI).unwrap();
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
        let reserved = Change::Reservation(Some(reservation.clone()));
        apply_to(
            &database,
            vec![
                message(1),
                message(2),
                Change::Registered,
                availability,
                reserved,
            ],
        )
        .unwrap();
        apply_to(&database, vec![Change::DeleteMessage(1), message(2)]).unwrap();
        let (_, stored) = Database::open(directory.path(), URI).unwrap();
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
        let (_, stored) = Database::open(directory.path(), URI).unwrap();
        assert_eq!(stored.reservation, None);
    }

    // covers: OO-013
    #[test]
    fn another_central_system_does_not_get_the_old_transactions() {
        let directory = tempfile::tempdir().unwrap();
        let (database, _) = Database::open(directory.path(), URI).unwrap();
        apply_to(&database, vec![message(1), Change::Registered]).unwrap();
        let (_, stored) = Database::open(directory.path(), "ws://other/CP1").unwrap();
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
        let (database, _) = Database::open(directory.path(), URI).unwrap();
        apply_to(&database, vec![message(1)]).unwrap();
        let aside =
            std::fs::read_to_string(directory.path().join("transactions.db.broken-1")).unwrap();
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
        let error = Database::open(directory.path(), URI).unwrap_err();
        assert!(matches!(error, DatabaseError::TooNew(99)), "{error}");
        assert!(path.exists());
    }
}
