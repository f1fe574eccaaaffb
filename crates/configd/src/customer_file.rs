//! customer.json as a file that is changed one key at a time.

use std::io;
use std::path::{Path, PathBuf};

use customer_config::{ConfigError, Customer, edit, keys, write_atomically};

/// customer.json.
#[derive(Debug)]
pub(crate) struct CustomerFile {
    path: PathBuf,
}

/// Why the file was left as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetError {
    #[error("{}: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Configuration(#[from] ConfigError),
}

impl CustomerFile {
    pub(crate) fn below(config_dir: &Path) -> Self {
        Self {
            path: config_dir.join("customer.json"),
        }
    }

    /// Sets the key at `path` to the value that `text` stands for. Returns the value as OCPP writes
    /// it where another one was in force. The file is read each time: an integrator may have edited it.
    ///
    /// # Errors
    /// When the key is unknown, the value does not fit it or the rest of the file, or the file
    /// can't be read or written. It is then as it was.
    pub(crate) fn set(&self, path: &str, text: &str) -> Result<Option<String>, SetError> {
        let key = keys::find(path).ok_or_else(|| ConfigError::UnknownKey {
            path: path.to_owned(),
        })?;
        let value = key.value_of_text(text)?;
        let before = std::fs::read_to_string(&self.path).map_err(|source| SetError::Read {
            path: self.path.clone(),
            source,
        })?;
        // What holds by default is written all the same: the default may change with the software.
        let after = edit(&before, path, &value)?;
        if after == before {
            return Ok(None);
        }
        write_atomically(&self.path, &after)?;
        let was_in_force =
            Customer::parse(&before).is_ok_and(|(old, _)| old.value(path).as_ref() == Some(&value));
        Ok((!was_in_force).then(|| key.text_of_value(&value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "{
  // the installer's remark
  \"ports\": [ { \"evse_current_limit\": 32 /* A */, \"pluggable\": true } ],
  \"vendor\": { \"kept\": [1,2 , 3] }
}
";

    fn file(text: &str) -> (tempfile::TempDir, CustomerFile) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("customer.json"), text).unwrap();
        let file = CustomerFile::below(directory.path());
        (directory, file)
    }

    fn text(file: &CustomerFile) -> String {
        std::fs::read_to_string(&file.path).unwrap()
    }

    // covers: CFG-001
    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        let (_directory, file) = file(BEFORE);
        assert_eq!(
            file.set("ports[0]/evse_current_limit", " 16")
                .unwrap()
                .as_deref(),
            Some("16")
        );
        assert_eq!(text(&file), BEFORE.replace("32", "16"));
        assert_eq!(file.set("ports[0]/evse_current_limit", "16").unwrap(), None);
    }

    #[test]
    fn what_was_the_default_is_written_but_no_change() {
        let (_directory, file) = file("{}");
        assert_eq!(file.set("ocpp/ConnectionTimeOut", "60").unwrap(), None);
        assert!(text(&file).contains("60"));
        assert!(file.set("ocpp/ConnectionTimeOut", "90").unwrap().is_some());
    }

    // covers: OC-029
    #[test]
    fn a_refusal_leaves_the_file_alone_and_says_why() {
        let (_directory, file) = file(BEFORE);
        for (path, value, why) in [
            (
                "ports[0]/evse_current_limit",
                "99",
                "ports[0]/evse_current_limit is \"99\", but must be",
            ),
            (
                "ports[0]/evse_current_limit",
                "",
                "ports[0]/evse_current_limit is",
            ),
            ("ports[0]/foo", "1", "ports[0]/foo is not a key"),
            (
                "ports[1]/pluggable",
                "true",
                "ports[1]/pluggable is not a key",
            ),
        ] {
            let error = file.set(path, value).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
        assert_eq!(text(&file), BEFORE);
    }

    #[test]
    fn an_unusable_file_is_never_overwritten() {
        for broken in ["{ \"ports\": [", ""] {
            let (_directory, file) = file(broken);
            assert!(file.set("ports[0]/evse_current_limit", "16").is_err());
            assert_eq!(text(&file), broken);
        }
        let (directory, file) = file("{}");
        std::fs::remove_file(&file.path).unwrap();
        assert!(file.set("ports[0]/evse_current_limit", "16").is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
