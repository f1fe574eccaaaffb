//! Configuration keys for which customer.json has no place, as the central system changed them.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use customer_config::{ConfigError, write_atomically};

/// The file below the state directory.
pub(crate) const FILE: &str = "ocpp_data.json";

/// The changed keys; none when the file is missing or can't be read.
pub(crate) fn load(state_dir: &Path) -> BTreeMap<String, String> {
    let path = state_dir.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            tracing::error!("{}: {error}; the defaults hold", path.display());
            return BTreeMap::new();
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        tracing::error!("{}: {error}; the defaults hold", path.display());
        BTreeMap::new()
    })
}

/// Adds one change, atomically: a crash leaves the old or the new file.
///
/// # Errors
/// When the file can't be written.
pub(crate) fn save(state_dir: &Path, name: &str, value: &str) -> Result<(), ConfigError> {
    let mut all = load(state_dir);
    all.insert(name.to_owned(), value.to_owned());
    let text = serde_json::Value::from_iter(all).to_string();
    write_atomically(&state_dir.join(FILE), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up_and_a_broken_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(load(directory.path()).is_empty());
        save(directory.path(), "a", "1").unwrap();
        save(directory.path(), "b", "2").unwrap();
        save(directory.path(), "a", "3").unwrap();
        let all: Vec<(String, String)> = load(directory.path()).into_iter().collect();
        assert_eq!(
            all,
            [
                ("a".to_owned(), "3".to_owned()),
                ("b".to_owned(), "2".to_owned())
            ]
        );
        fs::write(directory.path().join(FILE), "{\"a\":").unwrap();
        assert!(load(directory.path()).is_empty());
    }
}
