//! Records in tables: what is read at the start, and each change.

use ocpp16::{Change, Stored, StoredIdentifiers};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{DatabaseError, Operation};

/// A table of records with a number as key.
struct Table {
    name: &'static str,
    select: &'static str,
    insert: &'static str,
    update: &'static str,
    delete: &'static str,
}

const TRANSACTIONS: Table = Table {
    name: "transactions",
    select: "SELECT record FROM transactions ORDER BY number",
    insert: "INSERT INTO transactions (number, record) VALUES (?1, ?2)",
    update: "UPDATE transactions SET record = ?2 WHERE number = ?1",
    delete: "DELETE FROM transactions WHERE number = ?1",
};

const MESSAGES: Table = Table {
    name: "messages",
    select: "SELECT record FROM messages ORDER BY sequence",
    insert: "INSERT INTO messages (sequence, record) VALUES (?1, ?2)",
    update: "UPDATE messages SET record = ?2 WHERE sequence = ?1",
    delete: "DELETE FROM messages WHERE sequence = ?1",
};

const INTERIM: Table = Table {
    name: "interim",
    select: "SELECT record FROM interim ORDER BY place",
    insert: "INSERT INTO interim (place, record) VALUES (?1, ?2)",
    update: "UPDATE interim SET record = ?2 WHERE place = ?1",
    delete: "DELETE FROM interim WHERE place = ?1",
};

impl Table {
    /// Updates the record, or inserts it where there is none.
    fn put(
        &self,
        transaction: &Transaction<'_>,
        key: u64,
        record: &impl Serialize,
    ) -> Result<(), DatabaseError> {
        let text = json(self.name, record)?;
        let values = params![key.cast_signed(), text];
        let updated = transaction
            .execute(self.update, values)
            .map_err(Operation::Update.failed())?;
        if updated == 0 {
            transaction
                .execute(self.insert, values)
                .map_err(Operation::Insert.failed())?;
        }
        Ok(())
    }

    fn remove(&self, transaction: &Transaction<'_>, key: u64) -> Result<(), DatabaseError> {
        let removed = transaction.execute(self.delete, [key.cast_signed()]);
        removed.map(|_| ()).map_err(Operation::Delete.failed())
    }

    fn all<T: DeserializeOwned>(&self, connection: &Connection) -> Result<Vec<T>, DatabaseError> {
        let failed = Operation::Read.failed();
        let mut statement = connection.prepare(self.select).map_err(&failed)?;
        let texts = statement
            .query_map([], |row| row.get::<_, String>(0))
            .map_err(&failed)?;
        let table = self.name;
        texts
            .map(|text| {
                serde_json::from_str(&text.map_err(&failed)?)
                    .map_err(|source| DatabaseError::Record { table, source })
            })
            .collect()
    }
}

/// Erases what belongs to another central system than that at `uri`.
pub(super) fn keep_to(connection: &mut Connection, uri: &str) -> Result<(), DatabaseError> {
    let known = value(connection, "uri")?;
    if known.as_deref() == Some(uri) {
        return Ok(());
    }
    let failed = Operation::Erase.failed();
    let transaction = connection.transaction().map_err(&failed)?;
    if let Some(known) = known {
        tracing::warn!("ocpp/uri changed from {known} to {uri}: stored transactions are erased");
    }
    transaction
        .execute_batch(
            "DELETE FROM transactions; DELETE FROM messages; DELETE FROM interim;
             DELETE FROM station;",
        )
        .map_err(&failed)?;
    put_value(&transaction, "uri", uri)?;
    transaction.commit().map_err(&failed)
}

/// All that was put and not deleted.
pub(super) fn load(connection: &Connection) -> Result<Stored, DatabaseError> {
    let profiles = match value(connection, "profiles")? {
        Some(text) => serde_json::from_str(&text).map_err(|source| DatabaseError::Record {
            table: "station",
            source,
        })?,
        None => Vec::new(),
    };
    // Not worth the transactions of a database that would be set aside.
    let firmware = value(connection, "firmware")?.and_then(|text| {
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::error!("the firmware update is forgotten: {error}"))
            .unwrap_or_default()
    });
    let security = value(connection, "security")?.and_then(|text| {
        serde_json::from_str(&text)
            .inspect_err(|error| tracing::error!("waiting security events are forgotten: {error}"))
            .ok()
    });
    let flag = |name: &str, default: bool| {
        Ok(value(connection, name)?.map_or(default, |value| value == "1"))
    };
    Ok(Stored {
        transactions: TRANSACTIONS.all(connection)?,
        messages: MESSAGES.all(connection)?,
        interim: INTERIM.all(connection)?,
        profiles,
        station_operative: flag("station_operative", true)?,
        connector_operative: flag("connector_operative", true)?,
        registered: flag("registered", false)?,
        reservation: match value(connection, "reservation")? {
            Some(text) => serde_json::from_str(&text).map_err(|source| DatabaseError::Record {
                table: "station",
                source,
            })?,
            None => None,
        },
        identifiers: StoredIdentifiers::default(),
        firmware,
        security: security.unwrap_or_default(),
        tried: None,
    })
}

/// One change as part of `transaction`.
pub(super) fn apply(transaction: &Transaction<'_>, change: &Change) -> Result<(), DatabaseError> {
    match change {
        Change::PutTransaction(new) => TRANSACTIONS.put(transaction, new.number, new),
        Change::DeleteTransaction(number) => TRANSACTIONS.remove(transaction, *number),
        Change::PutMessage(new) => MESSAGES.put(transaction, new.sequence, new),
        Change::DeleteMessage(sequence) => MESSAGES.remove(transaction, *sequence),
        Change::PutInterim(new) => INTERIM.put(transaction, new.place, new),
        Change::DeleteInterim(place) => INTERIM.remove(transaction, *place),
        Change::Profiles(profiles) => {
            put_value(transaction, "profiles", &json("station", profiles)?)
        }
        Change::Availability { station, connector } => {
            put_value(transaction, "station_operative", digit(*station))?;
            put_value(transaction, "connector_operative", digit(*connector))
        }
        Change::Reservation(reservation) => {
            put_value(transaction, "reservation", &json("station", reservation)?)
        }
        Change::Registered => put_value(transaction, "registered", digit(true)),
        Change::Firmware(update) => put_value(transaction, "firmware", &json("station", update)?),
        Change::Security(state) => put_value(transaction, "security", &json("station", state)?),
    }
}

fn value(connection: &Connection, name: &str) -> Result<Option<String>, DatabaseError> {
    connection
        .query_row("SELECT value FROM station WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()
        .map_err(Operation::Read.failed())
}

fn put_value(transaction: &Transaction<'_>, name: &str, value: &str) -> Result<(), DatabaseError> {
    let sql = "INSERT OR REPLACE INTO station (name, value) VALUES (?1, ?2)";
    let put = transaction.execute(sql, [name, value]);
    put.map(|_| ()).map_err(Operation::Update.failed())
}

fn json(table: &'static str, record: &impl Serialize) -> Result<String, DatabaseError> {
    serde_json::to_string(record).map_err(|source| DatabaseError::Record { table, source })
}

const fn digit(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
}
