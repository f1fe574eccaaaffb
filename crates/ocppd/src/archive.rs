//! Packs logs and configuration into an archive, without secrets and within bounds.
//!
//! Journal and tar run as programs of their own, in the background; nothing larger than a line
//! is kept in memory. On disk an archive takes up to some 13 MiB, and what it packs to.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use customer_config::Customer;
use daemon_kit::Arguments;
use ocpp16::{Timestamp, Upload, UploadedLog, hide_credentials};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::keys;

/// The log of security events: a JSON object per line, with the time in `timestamp`.
pub(crate) const SECURITY_LOG: &str = "security.log";

const JOURNAL: &str = "journalctl --no-pager --quiet --utc --reverse --output=short-iso-precise";
const JOURNAL_LINES: &str = "--lines=40000";
const JOURNAL_BYTES: u64 = 8 << 20;
/// Of the log files together, of the security log, and of each file of the configuration.
const LOGS_BYTES: u64 = 4 << 20;
const CONFIGURATION_BYTES: u64 = 256 << 10;
const LONGEST_LINE: u64 = 64 << 10;
/// The journal is read, and the archive is packed, within this time each.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where logs and configuration come from.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    config_dir: PathBuf,
    state_dir: PathBuf,
    log_dir: Option<PathBuf>,
    journal: String,
}

impl Logs {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            config_dir: arguments.config_dir.clone(),
            state_dir: arguments.state_dir.clone(),
            log_dir: arguments.option("log-dir").map(PathBuf::from),
            journal: arguments
                .option("journal-command")
                .unwrap_or(JOURNAL)
                .to_owned(),
        }
    }

    /// Makes the archive of `upload` in `folder`, which may hold nothing else.
    ///
    /// # Errors
    /// When it can't be written. A log that can't be read is missing, with a note in its place.
    pub(crate) async fn pack(&self, folder: &Path, upload: &Upload) -> io::Result<PathBuf> {
        let contents = folder.join("contents");
        fs::create_dir_all(&contents)?;
        fs::write(contents.join("about.txt"), about(upload))?;
        match upload.log {
            UploadedLog::Diagnostics => {
                self.configuration(&contents)?;
                self.log_files(&contents, upload)?;
                self.journal(&contents.join("journal.log"), upload).await?;
            }
            UploadedLog::Security => self.security_log(&contents.join(SECURITY_LOG), upload)?,
        }
        let archive = folder.join("archive.tar.gz");
        let mut tar = background("tar");
        tar.arg("-czf")
            .arg(&archive)
            .arg("-C")
            .arg(&contents)
            .arg(".");
        let packed = timeout(PATIENCE, tar.stderr(Stdio::null()).status()).await??;
        fs::remove_dir_all(&contents)?;
        if packed.success() {
            Ok(archive)
        } else {
            Err(io::Error::other(format!("tar: {packed}")))
        }
    }

    fn configuration(&self, contents: &Path) -> io::Result<()> {
        let customer = Customer::load(&self.config_dir.join("customer.json"))
            .map_err(|error| error.to_string())
            .and_then(|(customer, _)| serde_json::to_value(customer).map_err(|e| e.to_string()));
        let keys = keys::load(&self.state_dir).values;
        let keys = keys
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)));
        let keys = Value::Object(keys.collect());
        for (name, value) in [("customer.json", customer), (keys::FILE, Ok(keys))] {
            let text = match value {
                Ok(value) => format!("{:#}", without_secrets("", value)),
                Err(error) => error,
            };
            fs::write(contents.join(name), hide_credentials(&text))?;
        }
        for name in ["leds.json", "rotaryencd.json"] {
            copy_end(
                &self.config_dir.join(name),
                &contents.join(name),
                CONFIGURATION_BYTES,
            )?;
        }
        Ok(())
    }

    /// The ends of the files that were written to within the window.
    fn log_files(&self, contents: &Path, upload: &Upload) -> io::Result<()> {
        let Some(log_dir) = &self.log_dir else {
            return Ok(());
        };
        let listed = fs::read_dir(log_dir).map(|entries| entries.flatten());
        let mut paths: Vec<PathBuf> = listed
            .into_iter()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .filter(|path| written_since(path, upload.from))
            .collect();
        paths.sort();
        let share = LOGS_BYTES / u64::try_from(paths.len().max(1)).unwrap_or(u64::MAX);
        for path in paths {
            if let Some(name) = path.file_name() {
                copy_end(&path, &contents.join(name), share)?;
            }
        }
        Ok(())
    }

    fn security_log(&self, copy: &Path, upload: &Upload) -> io::Result<()> {
        let events = end_of(&self.state_dir.join(SECURITY_LOG), LOGS_BYTES)?.unwrap_or_default();
        let mut copy = File::create(copy)?;
        for line in events.lines().filter(|line| is_in_window(line, upload)) {
            writeln!(copy, "{line}")?;
        }
        Ok(())
    }

    async fn journal(&self, copy: &Path, upload: &Upload) -> io::Result<()> {
        let mut copy = BufWriter::new(File::create(copy)?);
        let mut words = self.journal.split_whitespace();
        let mut journal = background(words.next().unwrap_or("journalctl"));
        journal.args(words).arg(JOURNAL_LINES);
        for (option, time) in [("--since", upload.from), ("--until", upload.to)] {
            if let Some(time) = time {
                journal.arg(format!("{option}=@{}", time.unix_millis() / 1000));
            }
        }
        match timeout(PATIENCE, record(journal, &mut copy)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => writeln!(copy, "the journal can't be read: {error}")?,
            Err(_) => writeln!(copy, "the journal took too long")?,
        }
        copy.flush()
    }
}

/// The output of `program` without credentials, cut where it is too long.
async fn record(mut program: Command, copy: &mut impl Write) -> io::Result<()> {
    let mut child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let Some(output) = child.stdout.take() else {
        return Ok(());
    };
    let mut output = BufReader::new(output.take(JOURNAL_BYTES));
    let mut line = Vec::new();
    let mut bytes: u64 = 0;
    loop {
        line.clear();
        let read = (&mut output)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 {
            break;
        }
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        copy.write_all(hide_credentials(&String::from_utf8_lossy(&line)).as_bytes())?;
    }
    if bytes >= JOURNAL_BYTES {
        return writeln!(copy, "\n(cut: older lines are missing)");
    }
    let status = child.wait().await?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(status.to_string()))
    }
}

/// A program that gives way to everything else, and ends when nobody waits for it.
fn background(program: &str) -> Command {
    let mut command = Command::new("nice");
    command
        .args(["-n", "19", program])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn about(upload: &Upload) -> String {
    let time = |time: Option<Timestamp>| time.map_or("open".to_owned(), |time| time.to_string());
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    format!(
        "mode3 {}\nfrom {}\nto {}\n\n/proc/uptime\n{}\n/proc/loadavg\n{}\n/proc/meminfo\n{}\n/etc/os-release\n{}",
        env!("CARGO_PKG_VERSION"),
        time(upload.from),
        time(upload.to),
        read("/proc/uptime"),
        read("/proc/loadavg"),
        read("/proc/meminfo"),
        read("/etc/os-release"),
    )
}

/// `***` in place of what is under a name that promises a secret.
fn without_secrets(name: &str, value: Value) -> Value {
    const SECRET: [&str; 5] = ["password", "secret", "authorizationkey", "private", "pin"];
    let name = name.to_ascii_lowercase();
    let words = |word: &str| name.split(['_', '/', '.']).any(|part| part == word);
    let secret = SECRET
        .iter()
        .any(|word| words(word) || (*word != "pin" && name.contains(word)));
    match value {
        Value::Object(fields) => Value::from_iter(
            fields
                .into_iter()
                .map(|(name, value)| (name.clone(), without_secrets(&name, value))),
        ),
        Value::Array(items) => items
            .into_iter()
            .map(|item| without_secrets(&name, item))
            .collect(),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) if secret => "***".into(),
        other @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// Copies the last `most` bytes of a file, where there is one.
fn copy_end(from: &Path, to: &Path, most: u64) -> io::Result<()> {
    match end_of(from, most)? {
        Some(text) => fs::write(to, text),
        None => Ok(()),
    }
}

/// The last `most` bytes of a file without credentials.
fn end_of(path: &Path, most: u64) -> io::Result<Option<String>> {
    let Ok(mut file) = File::open(path) else {
        return Ok(None);
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Some(hide_credentials(&String::from_utf8_lossy(&bytes))))
}

fn written_since(path: &Path, from: Option<Timestamp>) -> bool {
    let Some(from) = from.and_then(|from| u64::try_from(from.unix_millis()).ok()) else {
        return true;
    };
    let written = fs::metadata(path).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| written >= SystemTime::UNIX_EPOCH + Duration::from_millis(from))
}

/// A line whose time can't be read is kept.
fn is_in_window(line: &str, upload: &Upload) -> bool {
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    let time = event["timestamp"].as_str().and_then(Timestamp::parse);
    let after = |from: Timestamp| time.is_none_or(|time| time >= from);
    let before = |to: Timestamp| time.is_none_or(|time| time <= to);
    upload.from.is_none_or(after) && upload.to.is_none_or(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocpp16::Location;
    use serde_json::json;

    // covers: ODG-007
    #[test]
    fn what_is_named_like_a_secret_is_not_shown() {
        let value = json!({"uplink": {"apn_password": "a", "apn_user": "b", "sim_pin": 1234},
            "AuthorizationKey": "c", "webSocketPingTimeout": 1, "secrets": ["d", {"e": "f"}],
            "mapping": "g", "password": null});
        assert_eq!(
            without_secrets("", value),
            json!({"uplink": {"apn_password": "***", "apn_user": "b", "sim_pin": "***"},
                "AuthorizationKey": "***", "webSocketPingTimeout": 1, "secrets": ["***", {"e": "f"}],
                "mapping": "g", "password": null})
        );
    }

    #[test]
    fn the_end_of_a_file_is_what_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.log");
        fs::write(&path, "old old ftp://u:p@h").unwrap();
        assert_eq!(end_of(&path, 15).unwrap().unwrap(), "old ftp://***@h");
        assert_eq!(end_of(&directory.path().join("none"), 15).unwrap(), None);
    }

    #[test]
    fn events_outside_the_window_are_left_out() {
        let upload = Upload {
            number: 1,
            log: UploadedLog::Security,
            location: Location::parse("ftp://h/").unwrap(),
            file_name: "x".to_owned(),
            from: Timestamp::parse("2026-03-01T00:00:00Z"),
            to: Timestamp::parse("2026-03-02T00:00:00Z"),
            upgrade_ftp: false,
        };
        for (line, expected) in [
            (r#"{"timestamp":"2026-03-01T12:00:00Z"}"#, true),
            (r#"{"timestamp":"2026-02-28T12:00:00Z"}"#, false),
            (r#"{"timestamp":"2026-03-02T12:00:00Z"}"#, false),
            ("half a li", true),
        ] {
            assert_eq!(is_in_window(line, &upload), expected, "{line}");
        }
    }
}
