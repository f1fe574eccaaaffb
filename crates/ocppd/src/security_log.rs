//! The log of security events: a JSON object per line, the oldest first.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ocpp16::SecurityEvent;

use crate::archive::SECURITY_LOG;
use crate::private_file;

/// A larger log loses its older half.
const LARGEST: u64 = 512 << 10;

/// `security.log` of the state directory.
#[derive(Debug)]
pub(crate) struct SecurityLog {
    path: PathBuf,
}

impl SecurityLog {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(SECURITY_LOG),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |file| file.len() == 0)
    }

    /// Adds an event; a failure is only logged, since the events that matter are stored elsewhere
    /// until they are delivered.
    pub(crate) fn add(&self, event: &SecurityEvent) {
        let info = event.tech_info.as_ref().map(ToString::to_string);
        tracing::info!(info, "security event {}", event.kind.name());
        if let Err(error) = self.append(event) {
            tracing::error!("{}: {error}", self.path.display());
        }
    }

    fn append(&self, event: &SecurityEvent) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        writeln!(file, "{line}")?;
        if file.metadata()?.len() > LARGEST {
            self.shorten()?;
        }
        Ok(())
    }

    fn shorten(&self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&fs::read(&self.path)?).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let (_, newer) = lines.split_at(lines.len() / 2);
        private_file::write(&self.path, &format!("{}\n", newer.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocpp16::{CiString, SecurityEventKind, Timestamp};

    #[test]
    fn it_is_bounded_and_keeps_the_newest_events_whole() {
        let directory = tempfile::tempdir().unwrap();
        let log = SecurityLog::new(directory.path());
        assert!(log.is_empty());
        for number in 0..4_000 {
            let info = format!("{number} {}", "x".repeat(200));
            log.append(&SecurityEvent {
                timestamp: Timestamp::EARLIEST_VALID,
                kind: SecurityEventKind::InvalidMessages,
                tech_info: Some(CiString::truncated(&info)),
            })
            .unwrap();
        }
        assert!(!log.is_empty());
        let text = fs::read_to_string(directory.path().join(SECURITY_LOG)).unwrap();
        assert!(text.len() as u64 <= LARGEST, "{}", text.len());
        let events: Vec<SecurityEvent> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let last = events.last().unwrap().tech_info.as_ref().unwrap();
        assert!(last.as_str().starts_with("3999 "));
        assert!(events.len() > 500);
    }
}
