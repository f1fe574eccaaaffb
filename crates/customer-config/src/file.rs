//! Files: reading, and writing so that a power loss leaves the old or the new content.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ConfigError;
use crate::error::shortened;

pub(crate) fn read_text(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The complete values of a file as its type.
pub(crate) fn typed<T: DeserializeOwned>(complete: Value) -> Result<T, ConfigError> {
    // The table's types are those of the structs, which a test shows; so this does not fail.
    T::deserialize(&complete).map_err(|error| ConfigError::WrongValue {
        path: "the file".to_owned(),
        value: shortened(&complete),
        allowed: error.to_string(),
    })
}

/// Replaces a file's content: a new file beside it, flushed to disk, takes its name.
///
/// The file's permissions stay. There must be only one writer.
///
/// # Errors
/// When a step fails; the old content is then still there.
pub fn write_atomically(path: &Path, text: &str) -> Result<(), ConfigError> {
    replace(path, text).map_err(|source| ConfigError::Write {
        path: path.to_owned(),
        source,
    })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fresh = fresh_name(path)?;
    let written = write_and_rename(&fresh, path, text);
    if written.is_err() {
        // Best effort: what is left over is overwritten next time.
        let _ = fs::remove_file(&fresh);
    }
    written?;
    // The rename itself must reach the disk too.
    File::open(directory)?.sync_all()
}

fn write_and_rename(fresh: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(fresh)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

fn fresh_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut fresh = std::ffi::OsString::from(".");
    fresh.push(name);
    fresh.push(".new");
    Ok(path.with_file_name(fresh))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    // covers: CFG-010
    #[test]
    fn content_is_replaced_by_a_new_file_of_the_same_mode() {
        use std::os::unix::fs::MetadataExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("customer.json");
        fs::write(&path, "{\"old\": 1}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let mut reader_of_old = File::open(&path).unwrap();
        let old_inode = fs::metadata(&path).unwrap().ino();

        write_atomically(&path, "{\"new\": 2}").unwrap();

        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"new\": 2}");
        let metadata = fs::metadata(&path).unwrap();
        assert_ne!(metadata.ino(), old_inode, "written in place");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        let mut old = String::new();
        io::Read::read_to_string(&mut reader_of_old, &mut old).unwrap();
        assert_eq!(old, "{\"old\": 1}");
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "left-overs"
        );
    }

    #[test]
    fn a_failure_names_the_file_and_keeps_the_old_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("is-a-directory");
        fs::create_dir_all(path.join("inner")).unwrap();
        let error = write_atomically(&path, "{}").unwrap_err();
        assert!(error.to_string().contains("is-a-directory"));
        assert!(path.join("inner").exists());
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "left-overs"
        );
        assert!(write_atomically(&directory.path().join("no/such/place"), "{}").is_err());
        assert!(
            read_text(&path)
                .unwrap_err()
                .to_string()
                .contains("is-a-directory")
        );
    }
}
