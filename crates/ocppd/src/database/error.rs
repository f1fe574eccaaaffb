//! What can fail, and how it is reported (guide 3.3.4.17-3.3.4.32).

use std::path::PathBuf;

use ocpp16::Fault;
use rusqlite::ErrorCode;

/// A failed operation on the durable state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("{operation}: {source}")]
    Sqlite {
        operation: Operation,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a record of {table} can't be read or written: {source}")]
    Record {
        table: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("{}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: the broken database can't be set aside: {source}", path.display())]
    SetAside {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("version {0} of the database is newer than this program")]
    TooNew(i64),
    #[error("the database thread has ended")]
    Gone,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    Create,
    Read,
    Erase,
    Insert,
    Update,
    Delete,
    Commit,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "open the database",
            Self::Create => "create or migrate the tables",
            Self::Read => "read the database",
            Self::Erase => "erase what belongs to another central system",
            Self::Insert => "insert a record",
            Self::Update => "update a record",
            Self::Delete => "delete a record",
            Self::Commit => "commit a change",
        })
    }
}

impl Operation {
    /// For `map_err`.
    pub(super) fn failed(self) -> impl Fn(rusqlite::Error) -> DatabaseError {
        move |source| DatabaseError::Sqlite {
            operation: self,
            source,
        }
    }
}

impl DatabaseError {
    /// How it is reported.
    pub(crate) fn fault(&self) -> Fault {
        if self.broken_file() {
            return Fault::PersistenceInvalidType;
        }
        match self {
            Self::Sqlite { operation, source } => match (operation, source.sqlite_error_code()) {
                (_, Some(ErrorCode::ReadOnly)) => Fault::PersistenceReadOnly,
                (Operation::Open, _) | (_, Some(ErrorCode::CannotOpen)) => {
                    Fault::PersistenceOpenFailed
                }
                (Operation::Create, _) => Fault::PersistenceCreateFailed,
                (Operation::Read, _) => Fault::PersistencePrepareFailed,
                (Operation::Erase, _) => Fault::PersistenceClearError,
                (Operation::Insert, _) => Fault::PersistenceInsertFailed,
                (Operation::Update, _) => Fault::PersistenceUpdateFailed,
                (Operation::Delete, _) => Fault::PersistenceDeleteFailed,
                (Operation::Commit, _) => Fault::PersistenceTransactionFailed,
            },
            Self::SetAside { .. } => Fault::PersistenceUnlinkDenied,
            Self::Record { .. } | Self::Damaged(_) => Fault::PersistenceInvalidType,
            Self::File { .. } | Self::TooNew(_) => Fault::PersistenceOpenFailed,
            Self::Gone => Fault::PersistenceTransactionFailed,
        }
    }

    /// Whether the file is at fault, and not what it lies on.
    pub(super) fn broken_file(&self) -> bool {
        match self {
            Self::Sqlite { operation, source } => match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => true,
                // Neither format nor tables are those that its header promises.
                Some(ErrorCode::Unknown) => matches!(
                    operation,
                    Operation::Open | Operation::Create | Operation::Read
                ),
                _ => false,
            },
            Self::Record { .. } | Self::Damaged(_) => true,
            Self::File { .. } | Self::SetAside { .. } | Self::TooNew(_) | Self::Gone => false,
        }
    }
}
