//! What was said: every frame in order, in memory and in the trace file.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::script;

/// One OCPP-J frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When it was received, or handed to the socket.
    pub at: Instant,
    /// The connection that carried it; the first one is 1.
    pub connection: u32,
    /// The station sent it, not the central system.
    pub from_station: bool,
    /// The central system sent it broken on purpose.
    pub hostile: bool,
    /// The OCPP-J array; a string with the raw text where that is no JSON.
    pub message: Value,
}

impl Frame {
    /// The action and payload of a CALL.
    pub fn as_call(&self) -> Option<(&str, &Value)> {
        (self.message.get(0)? == 2)
            .then(|| Some((self.message.get(2)?.as_str()?, self.message.get(3)?)))?
    }

    /// The message id that this frame answers, when it is a CALLRESULT or CALLERROR.
    pub(super) fn answered_id(&self) -> Option<&str> {
        let kind = self.message.get(0)?;
        (kind == 3 || kind == 4).then(|| self.message.get(1)?.as_str())?
    }
}

/// Why a wait was in vain: what was awaited, and what was said instead.
#[derive(Clone, PartialEq, Eq)]
pub struct Report(pub(super) String);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// As legible as Display, for it is what a failing `unwrap` shows.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Report {}

/// All frames so far.
pub(super) struct Record {
    pub(super) frames: Vec<Frame>,
    /// Where scanning starts: an index into `frames`.
    pub(super) mark: usize,
    started: Instant,
    trace: Option<File>,
    commentary: Option<Sender<Frame>>,
}

impl Record {
    pub(super) fn new(
        trace_dir: Option<&Path>,
        commentary: Option<Sender<Frame>>,
    ) -> io::Result<Self> {
        Ok(Self {
            frames: Vec::new(),
            mark: 0,
            started: Instant::now(),
            trace: trace_dir.map(create_trace).transpose()?,
            commentary,
        })
    }

    pub(super) fn add(&mut self, frame: Frame) {
        if let Some(trace) = &mut self.trace {
            let mut line = trace_line(&frame).to_string();
            line.push('\n');
            if trace.write_all(line.as_bytes()).is_err() {
                // A trace that misses frames would look like a good one: end it here.
                self.trace = None;
            }
        }
        if let Some(commentary) = &self.commentary
            && commentary.send(frame.clone()).is_err()
        {
            self.commentary = None;
        }
        self.frames.push(frame);
    }

    /// The frames since the mark.
    pub(super) fn since_mark(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().skip(self.mark)
    }

    /// The report of a wait for `what` that was in vain.
    pub(super) fn report(&self, what: &str, within: Duration) -> Report {
        const SHOWN: usize = 30;
        let mut text = format!("no {what} within {within:?}; frames since the mark:");
        let frames: Vec<_> = self.since_mark().collect();
        if frames.is_empty() {
            text.push_str(" none");
        }
        for frame in frames.iter().skip(frames.len().saturating_sub(SHOWN)) {
            let at = frame.at.duration_since(self.started).as_secs_f64();
            let sender = if frame.from_station {
                "station"
            } else {
                "central"
            };
            text.push_str(&format!("\n  {at:8.3} s {sender}: {}", frame.message));
        }
        Report(text)
    }
}

/// A file that no other central system writes, named after the test (libtest names its threads).
fn create_trace(directory: &Path) -> io::Result<File> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    fs::create_dir_all(directory)?;
    let thread = std::thread::current();
    let name: String = thread
        .name()
        .unwrap_or("central-system")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    File::create(directory.join(format!("{name}-{}-{number}.jsonl", std::process::id())))
}

fn trace_line(frame: &Frame) -> Value {
    let direction = if frame.from_station {
        "CS_TO_CSMS"
    } else {
        "CSMS_TO_CS"
    };
    let mut line = json!({
        "timestamp": script::now(),
        "connection": frame.connection,
        "direction": direction,
        "message": frame.message,
    });
    if frame.hostile {
        line["hostile"] = Value::Bool(true);
    }
    line
}
