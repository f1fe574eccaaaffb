//! Configuration keys for which customer.json has no place, as the central system changed them.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use customer_config::ConfigError;

use crate::private_file;

/// The file below the state directory.
pub(crate) const FILE: &str = "ocpp_data.json";

/// Ends the name of a value that is kept beside the one that holds.
const TRIED: &str = ".tried";

/// What the file holds.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// By name.
    pub values: BTreeMap<String, String>,
    /// Name and value of the key that is being tried.
    pub tried: Option<(String, String)>,
}

/// The changed keys; none when the file is missing or can't be read.
pub(crate) fn load(state_dir: &Path) -> Keys {
    let path = state_dir.join(FILE);
    let mut values = read(&path).unwrap_or_else(|error| {
        tracing::error!("{}: {error}; the defaults hold", path.display());
        BTreeMap::new()
    });
    let tried = values.keys().find_map(|name| {
        let name = name.strip_suffix(TRIED)?;
        Some(name.to_owned())
    });
    let tried = tried.and_then(|name| {
        let value = values.remove(&tried_name(&name))?;
        Some((name, value))
    });
    Keys { values, tried }
}

/// `name` is `value` from now on. A crash leaves the old or the new file. It holds the
/// AuthorizationKey, so it is private.
///
/// # Errors
/// When the file can't be read or written. Then it is as it was, unless only the last step failed
/// (see [`private_file::write`]): then it has the value that was refused, for the next start to
/// find.
pub(crate) fn save(state_dir: &Path, name: &str, value: &str) -> Result<(), ConfigError> {
    change(state_dir, |values| {
        values.insert(name.to_owned(), value.to_owned());
        values.remove(&tried_name(name));
    })
}

/// `value` is tried for `name`, beside the value that holds until [`save`].
///
/// # Errors
/// As [`save`].
pub(crate) fn save_tried(state_dir: &Path, name: &str, value: &str) -> Result<(), ConfigError> {
    change(state_dir, |values| {
        values.insert(tried_name(name), value.to_owned());
    })
}

fn tried_name(name: &str) -> String {
    format!("{name}{TRIED}")
}

fn change(
    state_dir: &Path,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<(), ConfigError> {
    let path = state_dir.join(FILE);
    let failed = |source| ConfigError::Write {
        path: path.clone(),
        source,
    };
    // What can't be read must not be replaced by one key.
    let mut values = read(&path).map_err(failed)?;
    change(&mut values);
    let text = serde_json::Value::from_iter(values).to_string();
    private_file::write(&path, &text).map_err(failed)
}

/// A file that is no JSON holds nothing.
fn read(path: &Path) -> io::Result<BTreeMap<String, String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!("{}: {error}; the defaults hold", path.display());
            BTreeMap::new()
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up() {
        let directory = tempfile::tempdir().unwrap();
        assert!(load(directory.path()).values.is_empty());
        save(directory.path(), "a", "1").unwrap();
        save(directory.path(), "b", "2").unwrap();
        save(directory.path(), "a", "3").unwrap();
        let all: Vec<(String, String)> = load(directory.path()).values.into_iter().collect();
        assert_eq!(
            all,
            [
                ("a".to_owned(), "3".to_owned()),
                ("b".to_owned(), "2".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_no_json_holds_nothing_and_what_can_not_be_read_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        for no_json in [b"{\"a\":".as_slice(), b"{\"a\": \"\xff\"}", &[0xff, 0xfe]] {
            fs::write(&path, no_json).unwrap();
            assert!(load(directory.path()).values.is_empty());
            save(directory.path(), "b", "2").unwrap();
            assert_eq!(load(directory.path()).values.len(), 1);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(save(directory.path(), "b", "2").is_err());
        assert!(!path.with_extension("json.new").exists(), "not even begun");
    }

    #[test]
    fn what_is_tried_lies_beside_what_holds_until_one_is_chosen() {
        let directory = tempfile::tempdir().unwrap();
        save(directory.path(), "a", "1").unwrap();
        save_tried(directory.path(), "a", "2").unwrap();
        let keys = load(directory.path());
        assert_eq!(
            keys.values,
            BTreeMap::from([("a".to_owned(), "1".to_owned())])
        );
        assert_eq!(keys.tried, Some(("a".to_owned(), "2".to_owned())));
        save(directory.path(), "a", "2").unwrap();
        let keys = load(directory.path());
        assert_eq!(
            keys.values,
            BTreeMap::from([("a".to_owned(), "2".to_owned())])
        );
        assert_eq!(keys.tried, None);
    }
}
