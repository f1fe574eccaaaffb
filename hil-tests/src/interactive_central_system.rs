//! A central system in a child process, driven line by line;
//! `central_systems/interactive.py` describes the commands and events.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long its interpreter may take to start.
const START_TIME: Duration = Duration::from_secs(30);

/// A running central system; killed when dropped.
pub struct InteractiveCentralSystem {
    child: Child,
    commands: ChildStdin,
    events: Arc<Events>,
    reader: Option<JoinHandle<()>>,
    port: u64,
    mark: usize,
    calls_made: u64,
}

impl InteractiveCentralSystem {
    /// Start `command`, with its trace in `trace_directory` under a name that begins with
    /// `name`.
    pub(crate) fn start(mut command: Command, trace_directory: &Path, name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let trace = format!("{name}-{}-{number}.jsonl", std::process::id());
        std::fs::create_dir_all(trace_directory).expect("the directory of the traces");
        command
            .arg("--trace")
            .arg(trace_directory.join(trace))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let commands = child.stdin.take().expect("its stdin is piped");
        let output = child.stdout.take().expect("its stdout is piped");
        let events = Arc::new(Events::default());
        let shared = Arc::clone(&events);
        let reader = std::thread::spawn(move || shared.read(output));
        let mut central = Self {
            child,
            commands,
            events,
            reader: Some(reader),
            port: 0,
            mark: 0,
            calls_made: 0,
        };
        let listening = central.expect("listening", |_| true, START_TIME);
        central.port = listening["port"].as_u64().expect("a port");
        central
    }

    /// The address that a station adds its identity to.
    pub fn uri(&self) -> String {
        format!("ws://127.0.0.1:{}/ocpp", self.port)
    }

    /// Let [`Self::expect`] and [`Self::events`] see only what happens from now on.
    pub fn mark(&mut self) {
        self.mark = self.events.lock().seen.len();
    }

    /// Wait for an event since the mark that fits; the whole event (`interactive.py`
    /// describes them).
    pub fn expect(&self, event: &str, fits: impl Fn(&Value) -> bool, within: Duration) -> Value {
        let wanted = |seen: &Value| seen["event"] == event && fits(seen);
        self.events
            .wait(self.mark, wanted, within)
            .unwrap_or_else(|story| panic!("no fitting {event:?} within {within:?}:\n{story}"))
    }

    /// All events of this name since the mark.
    pub fn events(&self, event: &str) -> Vec<Value> {
        let events = self.events.lock();
        let since = events.seen.iter().skip(self.mark);
        since
            .filter(|seen| seen["event"] == event)
            .cloned()
            .collect()
    }

    /// Every breach of the rules by the station, from the start.
    pub fn complaints(&self) -> Vec<String> {
        let events = self.events.lock();
        let complaints = events
            .seen
            .iter()
            .filter(|seen| seen["event"] == "complaint");
        complaints.map(Value::to_string).collect()
    }

    /// Call the station; the payload of its result.
    ///
    /// Panics when it answers with a CALLERROR, against the rules, or not in time.
    pub fn call(&mut self, action: &str, payload: Value, within: Duration) -> Value {
        self.try_call(action, payload, within)
            .unwrap_or_else(|error| panic!("no result but {error}"))
    }

    /// Call the station; the event `error` where it answers with a CALLERROR.
    pub fn try_call(
        &mut self,
        action: &str,
        payload: Value,
        within: Duration,
    ) -> Result<Value, Value> {
        self.command(json!({ "call": action, "payload": payload }), within)
    }

    /// Limit the current to so many amperes by the very SetChargingProfile of evcc:
    /// TxDefaultProfile, Absolute, stack level 0, begun a minute ago. The result's payload.
    pub fn limit_current(&mut self, amperes: u32, within: Duration) -> Value {
        self.limit_current_by(json!({}), amperes, within)
    }

    /// As [`Self::limit_current`], with other values for these fields of the profile.
    pub fn limit_current_by(&mut self, fields: Value, amperes: u32, within: Duration) -> Value {
        self.command(json!({ "limit": amperes, "profile": fields }), within)
            .unwrap_or_else(|error| panic!("no result but {error}"))
    }

    fn command(&mut self, mut command: Value, within: Duration) -> Result<Value, Value> {
        self.calls_made += 1;
        let id = json!(self.calls_made);
        command["id"] = id.clone();
        writeln!(self.commands, "{command}").expect("the central system takes a command");
        let mut outcome = self
            .events
            .wait(0, |seen| seen["id"] == id, within)
            .unwrap_or_else(|story| panic!("no answer to {command} within {within:?}:\n{story}"));
        match outcome["event"].as_str() {
            Some("result") => Ok(outcome["payload"].take()),
            Some("error") => Err(outcome),
            _ => panic!("the answer to {command} breaks the rules: {outcome}"),
        }
    }
}

impl Drop for InteractiveCentralSystem {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// What the central system has told so far.
#[derive(Default)]
struct Events {
    told: Mutex<Told>,
    grown: Condvar,
}

#[derive(Default)]
struct Told {
    seen: Vec<Value>,
    ended: bool,
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take in all that it prints, until it ends.
    fn read(&self, output: ChildStdout) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
            self.lock().seen.push(event);
            self.grown.notify_all();
        }
        self.lock().ended = true;
        self.grown.notify_all();
    }

    /// The first event from `mark` on that is wanted; the error tells the last events.
    fn wait(
        &self,
        mark: usize,
        wanted: impl Fn(&Value) -> bool,
        within: Duration,
    ) -> Result<Value, String> {
        let deadline = Instant::now() + within;
        let mut told = self.lock();
        loop {
            if let Some(found) = told.seen.iter().skip(mark).find(|seen| wanted(seen)) {
                return Ok(found.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if told.ended || left.is_zero() {
                return Err(told.story());
            }
            let woken = self.grown.wait_timeout(told, left);
            told = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Told {
    /// The last thirty events, one a line.
    fn story(&self) -> String {
        let shown = self.seen.iter().skip(self.seen.len().saturating_sub(30));
        let mut story: String = shown.map(|event| format!("  {event}\n")).collect();
        if self.ended {
            story.push_str("  the central system has ended\n");
        }
        story
    }
}
