//! Writes the frames of a test for the judges (`tools/judges`), which `./dev test` calls.
//! Also used by the tests of ocppd.

use std::fs::{File, create_dir_all};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// Frames of one connection: a million mutated ones need not be judged one by one.
const MOST: usize = 1_000;

/// The frames of one connection; all connections of a test share a file.
#[derive(Debug)]
pub struct Trace {
    file: File,
    connection: u32,
    frames: usize,
}

impl Trace {
    /// `program` names the tests that this one belongs to.
    pub fn start(program: &str) -> Self {
        static CONNECTIONS: AtomicU32 = AtomicU32::new(1);
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/ocpp-traces");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("test").replace("::", "-");
        let name = format!("{program}-{test}-{}.jsonl", std::process::id());
        create_dir_all(directory).unwrap();
        let path = Path::new(directory).join(name);
        let file = File::options().create(true).append(true).open(path);
        Self {
            file: file.unwrap(),
            connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            frames: 0,
        }
    }

    /// A frame of the station, sent at `timestamp` (RFC 3339).
    pub fn of_station(&mut self, timestamp: &str, text: &str) {
        self.write(timestamp, text, "CS_TO_CSMS", false);
    }

    /// A frame that the test sends as the central system, and that may be wrong on purpose.
    pub fn of_test(&mut self, timestamp: &str, text: &str) {
        self.write(timestamp, text, "CSMS_TO_CS", true);
    }

    fn write(&mut self, timestamp: &str, text: &str, direction: &str, hostile: bool) {
        self.frames += 1;
        if self.frames > MOST {
            return;
        }
        let message = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let line = json!({
            "timestamp": timestamp,
            "connection": self.connection,
            "direction": direction,
            "message": message,
            "hostile": hostile,
        });
        self.file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
