//! The local authorization list and the authorization cache, in a file of their own.
//!
//! Their thread is not that of the transactions: 10 000 entries take the flash their time, which
//! neither a transaction nor the loop may wait for. An update is one commit: a crash at any
//! instant leaves the old list or the new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use ocpp16::{
    AuthorizationStatus, CacheChange, IdTagInfo, IdToken, Input, ListUpdate, StoredIdentifiers,
    Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::error::Operation;
use super::{DatabaseError, check, migrate, set_aside};

/// The file below the state directory (guide 5.2).
const FILE: &str = "auth.db";

/// SQL that leads from each `user_version` to the next.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE list (id_tag TEXT PRIMARY KEY, status TEXT NOT NULL, parent TEXT, expiry INTEGER)
        WITHOUT ROWID;
    CREATE TABLE cache (number INTEGER PRIMARY KEY, id_tag TEXT NOT NULL UNIQUE,
        status TEXT NOT NULL, parent TEXT, expiry INTEGER);
    CREATE TABLE station (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"];

/// Something to make durable.
#[derive(Debug)]
pub(crate) enum Order {
    /// Answered with [`Input::ListStored`].
    List(Arc<ListUpdate>),
    /// Not answered.
    Cache(Vec<CacheChange>),
    /// Answered with [`Input::CacheCleared`].
    ClearCache,
}

/// The thread's address.
#[derive(Debug)]
pub(crate) struct Authorizations {
    /// None where the file can't be opened: then every order fails.
    orders: Option<Sender<Order>>,
    answers: UnboundedSender<Input>,
}

impl Authorizations {
    /// Opens what belongs to the central system at `uri`; whatever another one sent is erased.
    /// Where that fails there are no list and no cache, and the log says why: who may charge is
    /// then what the central system says.
    pub(crate) fn open(
        state_dir: &Path,
        uri: &str,
    ) -> (Self, StoredIdentifiers, UnboundedReceiver<Input>) {
        let (answers, inbox) = unbounded_channel();
        let path = state_dir.join(FILE);
        let started = open_or_begin(&path, uri).and_then(|(connection, stored)| {
            let orders = start(path.clone(), connection, answers.clone())?;
            Ok((orders, stored))
        });
        let (orders, stored) = match started {
            Ok((orders, stored)) => (Some(orders), stored),
            Err(error) => {
                tracing::error!("{}: {error}; list and cache are empty", path.display());
                (None, StoredIdentifiers::default())
            }
        };
        (Self { orders, answers }, stored, inbox)
    }

    /// Begins to carry `order` out.
    pub(crate) fn order(&self, order: Order) {
        let refused = match &self.orders {
            Some(orders) => orders.send(order).err().map(|refused| refused.0),
            None => Some(order),
        };
        if let Some(order) = refused {
            answer(&self.answers, &order, false);
        }
    }
}

fn start(
    path: PathBuf,
    mut connection: Connection,
    answers: UnboundedSender<Input>,
) -> Result<Sender<Order>, DatabaseError> {
    let (orders, inbox): (_, Receiver<Order>) = channel();
    let name = path.display().to_string();
    let serve = move || {
        while let Ok(order) = inbox.recv() {
            let result = carry_out(&mut connection, &order);
            if let Err(error) = &result {
                tracing::error!("{name}: {error}");
            }
            answer(&answers, &order, result.is_ok());
        }
    };
    std::thread::Builder::new()
        .name("authorizations".to_owned())
        .spawn(serve)
        .map_err(|source| DatabaseError::File { path, source })?;
    Ok(orders)
}

fn answer(answers: &UnboundedSender<Input>, order: &Order, durable: bool) {
    let input = match order {
        Order::List(_) => Input::ListStored(durable),
        Order::Cache(_) => return,
        Order::ClearCache => Input::CacheCleared(durable),
    };
    // Nobody listens when the daemon ends.
    let _ = answers.send(input);
}

fn open_or_begin(path: &Path, uri: &str) -> Result<(Connection, StoredIdentifiers), DatabaseError> {
    open(path, uri).or_else(|error| {
        if !error.broken_file() {
            return Err(error);
        }
        let aside = set_aside(path)?;
        tracing::error!(
            "{}: {error}; kept as {}, a new one is begun",
            path.display(),
            aside.display()
        );
        open(path, uri)
    })
}

fn open(path: &Path, uri: &str) -> Result<(Connection, StoredIdentifiers), DatabaseError> {
    let mut connection = Connection::open(path).map_err(Operation::Open.failed())?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 65536;",
        )
        .map_err(Operation::Open.failed())?;
    check(&connection)?;
    migrate(&mut connection, &MIGRATIONS)?;
    keep_to(&mut connection, uri)?;
    let stored = load(&connection).map_err(Operation::Read.failed())?;
    Ok((connection, stored))
}

/// The users of one central system are none of another's.
fn keep_to(connection: &mut Connection, uri: &str) -> Result<(), DatabaseError> {
    let failed = Operation::Erase.failed();
    let known: Option<String> = value(connection, "uri").map_err(&failed)?;
    if known.as_deref() == Some(uri) {
        return Ok(());
    }
    if known.is_some() {
        tracing::warn!("ocpp/uri has changed: the local list and the cache are erased");
    }
    let transaction = connection.transaction().map_err(&failed)?;
    transaction
        .execute_batch("DELETE FROM list; DELETE FROM cache; DELETE FROM station;")
        .map_err(&failed)?;
    put_value(&transaction, "uri", uri).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

fn load(connection: &Connection) -> rusqlite::Result<StoredIdentifiers> {
    let version = value(connection, "list_version")?;
    let rows = |sql: &str| {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], identifier)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    Ok(StoredIdentifiers {
        list_version: version.and_then(|text| text.parse().ok()).unwrap_or(0),
        list: rows("SELECT id_tag, status, parent, expiry FROM list ORDER BY id_tag")?,
        cache: rows("SELECT id_tag, status, parent, expiry FROM cache ORDER BY number")?,
    })
}

/// An unknown word is a refusal: nobody gets energy by mistake.
fn identifier(row: &Row<'_>) -> rusqlite::Result<(String, IdTagInfo)> {
    let status: String = row.get(1)?;
    let parent: Option<String> = row.get(2)?;
    let expiry: Option<i64> = row.get(3)?;
    let info = IdTagInfo {
        status: AuthorizationStatus::named(&status).unwrap_or(AuthorizationStatus::Invalid),
        parent: parent.map(|parent| IdToken::truncated(&parent)),
        expiry: expiry.map(Timestamp::from_unix_millis),
    };
    Ok((row.get(0)?, info))
}

fn carry_out(connection: &mut Connection, order: &Order) -> Result<(), DatabaseError> {
    let failed = Operation::Commit.failed();
    let transaction = connection.transaction().map_err(&failed)?;
    match order {
        Order::List(update) => put_list(&transaction, update),
        Order::Cache(changes) => changes
            .iter()
            .try_for_each(|change| put_cached(&transaction, change)),
        Order::ClearCache => transaction.execute("DELETE FROM cache", []).map(|_| ()),
    }
    .map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

fn put_list(transaction: &Transaction<'_>, update: &ListUpdate) -> rusqlite::Result<()> {
    if update.full {
        transaction.execute("DELETE FROM list", [])?;
    }
    let mut put = transaction.prepare(
        "INSERT OR REPLACE INTO list (id_tag, status, parent, expiry) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut delete = transaction.prepare("DELETE FROM list WHERE id_tag = ?1")?;
    for entry in &update.entries {
        let id_tag = entry.id_tag.folded();
        match &entry.info {
            Some(info) => put.execute(params![
                id_tag,
                info.status.name(),
                info.parent.as_ref().map(IdToken::as_str),
                info.expiry.map(Timestamp::unix_millis)
            ])?,
            None => delete.execute([id_tag])?,
        };
    }
    put_value(transaction, "list_version", &update.version.to_string())
}

/// A replaced row gets a new number: the order is that of the last change.
fn put_cached(transaction: &Transaction<'_>, change: &CacheChange) -> rusqlite::Result<()> {
    match change {
        CacheChange::Put(id_tag, info) => transaction.execute(
            "INSERT OR REPLACE INTO cache (id_tag, status, parent, expiry) VALUES (?1, ?2, ?3, ?4)",
            params![
                id_tag,
                info.status.name(),
                info.parent.as_ref().map(IdToken::as_str),
                info.expiry.map(Timestamp::unix_millis)
            ],
        ),
        CacheChange::Delete(id_tag) => {
            transaction.execute("DELETE FROM cache WHERE id_tag = ?1", [id_tag])
        }
    }
    .map(|_| ())
}

fn value(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT value FROM station WHERE name = ?1";
    connection
        .query_row(sql, [name], |row| row.get(0))
        .optional()
}

fn put_value(transaction: &Transaction<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO station (name, value) VALUES (?1, ?2)";
    transaction.execute(sql, [name, value]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocpp16::LocalEntry;

    const URI: &str = "ws://host/CP1";

    fn info(status: AuthorizationStatus) -> IdTagInfo {
        IdTagInfo {
            status,
            parent: Some(IdToken::truncated("family")),
            expiry: Some(Timestamp::EARLIEST_VALID),
        }
    }

    fn list(full: bool, version: i64, entries: &[(&str, Option<AuthorizationStatus>)]) -> Order {
        let entry = |(id_tag, status): &(&str, Option<AuthorizationStatus>)| LocalEntry {
            id_tag: IdToken::truncated(id_tag),
            info: status.map(info),
        };
        Order::List(Arc::new(ListUpdate {
            version,
            full,
            entries: entries.iter().map(entry).collect(),
        }))
    }

    /// Carries the orders out; the answer to the last one.
    fn carry_out_all(directory: &Path, orders: Vec<Order>) -> Option<Input> {
        let (authorizations, _, mut inbox) = Authorizations::open(directory, URI);
        for order in orders {
            authorizations.order(order);
        }
        drop(authorizations);
        let mut last = None;
        while let Some(input) = inbox.blocking_recv() {
            last = Some(input);
        }
        last
    }

    fn stored(directory: &Path, uri: &str) -> StoredIdentifiers {
        Authorizations::open(directory, uri).1
    }

    // covers: OLA-006, OLA-011
    #[test]
    fn list_and_cache_are_there_after_reopening() {
        use AuthorizationStatus::{Accepted, Blocked};
        let directory = tempfile::tempdir().unwrap();
        let put = |id_tag: &str| CacheChange::Put(id_tag.to_owned(), info(Accepted));
        let answer = carry_out_all(
            directory.path(),
            vec![
                list(true, 1, &[("Old", Some(Accepted))]),
                list(true, 2, &[("A", Some(Accepted)), ("b", Some(Accepted))]),
                Order::Cache(vec![put("x"), put("y"), put("z"), put("x")]),
                Order::Cache(vec![CacheChange::Delete("y".to_owned())]),
                list(false, 3, &[("a", Some(Blocked)), ("B", None)]),
            ],
        );
        assert!(matches!(answer, Some(Input::ListStored(true))));
        let stored = stored(directory.path(), URI);
        assert_eq!(stored.list_version, 3);
        assert_eq!(stored.list, [("a".to_owned(), info(Blocked))]);
        let cached = stored.cache.iter().map(|(id_tag, _)| id_tag.as_str());
        assert_eq!(cached.collect::<Vec<_>>(), ["z", "x"]);
        let answer = carry_out_all(directory.path(), vec![Order::ClearCache]);
        assert!(matches!(answer, Some(Input::CacheCleared(true))));
        assert!(self::stored(directory.path(), URI).cache.is_empty());
    }

    #[test]
    fn the_users_of_another_central_system_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let accepted = Some(AuthorizationStatus::Accepted);
        carry_out_all(directory.path(), vec![list(true, 1, &[("a", accepted)])]);
        let elsewhere = stored(directory.path(), "ws://other/CP1");
        assert_eq!(elsewhere, StoredIdentifiers::default());
    }

    #[test]
    fn a_broken_file_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let text = "no database at all, but long enough to have a header: ".repeat(20);
        std::fs::write(directory.path().join(FILE), text).unwrap();
        let accepted = Some(AuthorizationStatus::Accepted);
        let answer = carry_out_all(directory.path(), vec![list(true, 1, &[("a", accepted)])]);
        assert!(matches!(answer, Some(Input::ListStored(true))));
        assert!(directory.path().join("auth.db.broken-1").exists());
    }

    #[test]
    fn where_nothing_can_be_stored_the_answer_says_so() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(FILE)).unwrap();
        let answer = carry_out_all(directory.path(), vec![list(true, 1, &[])]);
        assert!(matches!(answer, Some(Input::ListStored(false))));
    }
}
