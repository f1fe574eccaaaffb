//! What can be wrong with a configuration file, and how badly.

use std::fmt;
use std::path::PathBuf;

/// A file or a change that can't be used; the last good state stays.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be written; the old one is untouched.
    #[error("can't write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing but blanks and comments.
    #[error("the file is empty; an object {{ }} is expected")]
    Empty,
    /// Not JSON with comments.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The same key twice in one object.
    #[error("line {line}, column {column}: {path} is there twice")]
    Duplicate {
        /// The key.
        path: String,
        /// Line of the second one, counted from 1.
        line: usize,
        /// Its column, counted from 1, in characters.
        column: usize,
    },
    /// A key that the configuration does not have.
    #[error("{path} is not a key of the configuration")]
    UnknownKey {
        /// The key.
        path: String,
    },
    /// A value outside what its key allows.
    #[error("{path} is {value}, but must be {allowed}")]
    WrongValue {
        /// The key.
        path: String,
        /// What is there, shortened.
        value: String,
        /// Type and range in words.
        allowed: String,
    },
}

/// Something that was put right or left out while reading; for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Kept in the file and ignored.
    UnknownKey {
        /// The key.
        path: String,
    },
    /// Replaced by the default.
    WrongValue {
        /// The key.
        path: String,
        /// What is there, shortened.
        value: String,
        /// Type and range in words.
        allowed: String,
        /// What is used instead.
        used: String,
    },
    /// Read differently from how it is written.
    Adjusted {
        /// The key.
        path: String,
        /// What is there, shortened.
        value: String,
        /// What is used instead.
        used: String,
    },
    /// Not used, because something else stands against it.
    Ignored {
        /// The key.
        path: String,
        /// What stands against it.
        reason: &'static str,
    },
    /// Used as it is, but does not go together with another key.
    Conflict {
        /// The key.
        path: String,
        /// What does not go together.
        reason: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { path } => {
                write!(f, "{path} is not a key of the configuration and is ignored")
            }
            Self::WrongValue {
                path,
                value,
                allowed,
                used,
            } => {
                write!(
                    f,
                    "{path} is {value}, but must be {allowed}; {used} is used"
                )
            }
            Self::Adjusted { path, value, used } => {
                write!(f, "{path} is {value}; {used} is used")
            }
            Self::Ignored { path, reason } => write!(f, "{path} is ignored: {reason}"),
            Self::Conflict { path, reason } => write!(f, "{path}: {reason}"),
        }
    }
}

/// The value as JSON, cut to 64 characters, for a message.
pub(crate) fn shortened(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 64 {
        text
    } else {
        text.chars().take(61).chain("...".chars()).collect()
    }
}
