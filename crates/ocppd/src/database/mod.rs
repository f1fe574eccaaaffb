//! The durable state: transactions and their messages in SQLite.
//!
//! One thread owns the database, because a commit waits for the flash; the loop waits for the
//! commit without holding up the socket. Records are JSON, so that a new field needs no
//! migration; `user_version` counts the migrations that are needed all the same.
//!
//! A broken file is never deleted: it is set aside under another name, and a new one is begun.

pub(crate) mod authorizations;
mod error;
mod records;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use ocpp16::{Change, Fault, Stored};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

pub(crate) use error::DatabaseError;
use error::Operation;

/// The file below the state directory (guide 3.3.4.17).
const FILE: &str = "transactions.db";

/// Pages of 1 KiB: 32 MiB, several times what all transactions that may wait can take. A flash
/// that others fill is not filled by us.
const MOST_PAGES: u32 = 32_768;

/// SQL that leads from each `user_version` to the next.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE transactions (number INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE messages (sequence INTEGER PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE station (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
    CREATE TABLE interim (place INTEGER PRIMARY KEY, record TEXT NOT NULL);
",
];

/// The thread's address.
#[derive(Debug)]
pub(crate) struct Database {
    orders: Sender<Order>,
}

type Order = (Vec<Change>, oneshot::Sender<Result<(), DatabaseError>>);

/// A database that could be opened.
pub(crate) struct Opened {
    pub database: Database,
    pub stored: Stored,
    /// Why the former file was set aside.
    pub set_aside: Option<Fault>,
}

impl Database {
    /// Opens the database of the central system at `uri` and returns what it holds. What belongs
    /// to another central system is erased (guide 3.3.3).
    ///
    /// # Errors
    /// When it can't be opened or read. A file that is broken is set aside first.
    pub(crate) fn open(state_dir: &Path, uri: &str) -> Result<Opened, DatabaseError> {
        let path = state_dir.join(FILE);
        std::fs::create_dir_all(state_dir).map_err(|source| DatabaseError::File {
            path: state_dir.to_owned(),
            source,
        })?;
        let mut set_aside = None;
        let (connection, stored) = match open(&path, uri) {
            Err(error) if error.broken_file() => {
                set_aside = Some(error.fault());
                begin_anew(&path, uri, &error)?
            }
            opened => opened?,
        };
        let (orders, inbox) = channel();
        let service = Service {
            connection: Some(connection),
            path: path.clone(),
            uri: uri.to_owned(),
        };
        std::thread::Builder::new()
            .name("database".to_owned())
            .spawn(move || service.serve(&inbox))
            .map_err(|source| DatabaseError::File { path, source })?;
        Ok(Opened {
            database: Self { orders },
            stored,
            set_aside,
        })
    }

    /// Makes `changes` durable, all or none; returns when they are.
    ///
    /// # Errors
    /// When they could not be; then the old state holds, or none where the file was set aside.
    pub(crate) async fn apply(&self, changes: Vec<Change>) -> Result<(), DatabaseError> {
        let (done, result) = oneshot::channel();
        self.orders
            .send((changes, done))
            .map_err(|_| DatabaseError::Gone)?;
        result.await.map_err(|_| DatabaseError::Gone)?
    }
}

/// What the thread owns.
struct Service {
    /// `None` after a broken file could not be replaced.
    connection: Option<Connection>,
    path: PathBuf,
    uri: String,
}

impl Service {
    fn serve(mut self, inbox: &Receiver<Order>) {
        while let Ok((changes, done)) = inbox.recv() {
            let result = self.commit(&changes);
            // Nobody waits when the daemon ends.
            let _ = done.send(result);
        }
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), DatabaseError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let (connection, _) = open(&self.path, &self.uri)?;
                self.connection.insert(connection)
            }
        };
        let result = commit(connection, changes);
        if let Err(error) = &result
            && error.broken_file()
        {
            // Closed before it is renamed.
            self.connection = None;
            self.connection = Some(begin_anew(&self.path, &self.uri, error)?.0);
        }
        result
    }
}

fn commit(connection: &mut Connection, changes: &[Change]) -> Result<(), DatabaseError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Operation::Commit.failed())?;
    for change in changes {
        records::apply(&transaction, change)?;
    }
    transaction.commit().map_err(Operation::Commit.failed())
}

fn open(path: &Path, uri: &str) -> Result<(Connection, Stored), DatabaseError> {
    let mut connection = Connection::open(path).map_err(Operation::Open.failed())?;
    // Small pages: a commit writes a few of them, and the flash wears with every byte.
    connection
        .execute_batch(&format!(
            "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA max_page_count = {MOST_PAGES};"
        ))
        .map_err(Operation::Open.failed())?;
    check(&connection)?;
    migrate(&mut connection, &MIGRATIONS)?;
    records::keep_to(&mut connection, uri)?;
    let stored = records::load(&connection)?;
    Ok((connection, stored))
}

/// Damage that no query would meet is found too.
fn check(connection: &Connection) -> Result<(), DatabaseError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(Operation::Read.failed())?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(DatabaseError::Damaged(verdict))
    }
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), DatabaseError> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(Operation::Read.failed())?;
    let done = usize::try_from(version)
        .ok()
        .filter(|done| *done <= migrations.len());
    let done = done.ok_or(DatabaseError::TooNew(version))?;
    for (index, sql) in migrations.iter().enumerate().skip(done) {
        let failed = Operation::Create.failed();
        let step = connection.transaction().map_err(&failed)?;
        step.execute_batch(&format!("{sql} PRAGMA user_version = {};", index + 1))
            .map_err(&failed)?;
        step.commit().map_err(&failed)?;
    }
    Ok(())
}

/// Sets the broken file aside and begins a new one.
fn begin_anew(
    path: &Path,
    uri: &str,
    why: &DatabaseError,
) -> Result<(Connection, Stored), DatabaseError> {
    let aside = set_aside(path)?;
    tracing::error!(
        "{}: {why}; kept as {}, a new one is begun",
        path.display(),
        aside.display()
    );
    open(path, uri)
}

/// Keeps the broken file for whoever wants to look at it; returns its new name.
fn set_aside(path: &Path) -> Result<PathBuf, DatabaseError> {
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
    rename("").map_err(|source| DatabaseError::SetAside {
        path: path.to_owned(),
        source,
    })?;
    for suffix in ["-wal", "-shm"] {
        // They belong to the broken file; there may be none.
        let _ = rename(suffix);
    }
    Ok(aside)
}
