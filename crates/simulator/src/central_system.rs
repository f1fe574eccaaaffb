//! A scripted OCPP 1.6J central system for tests and the demo.
//!
//! It accepts stations over WebSocket one after another, gives the answers of a willing
//! central system unless a test scripts others, sends what it is told to send, and records
//! every frame. It judges nothing and shares no message types with the station under test:
//! frames are plain JSON. The handle is blocking and lives beside its own thread.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Bytes;

use record::Record;
use server::{Control, Order};
use state::{Outgoing, Shared, State};

mod record;
mod script;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod transactions;

pub use record::{Frame, Report};
pub use script::Answer;
pub use transactions::Transaction;

/// How a central system starts.
pub struct Options {
    /// TCP port on 127.0.0.1; 0 (the default) chooses a free one.
    pub port: u16,
    /// `interval` of the answer to BootNotification, in whole seconds (default 300 s).
    pub heartbeat_interval: Duration,
    /// The first transaction id that is given; the next ones count up (default 1).
    pub first_transaction_id: i64,
    /// Directory for the trace of all frames as JSON lines, created where missing.
    pub trace_dir: Option<PathBuf>,
    /// Serve wss with this certificate instead of ws.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Gets a copy of each frame when it is recorded, for a running commentary.
    pub commentary: Option<Sender<Frame>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            heartbeat_interval: Duration::from_secs(300),
            first_transaction_id: 1,
            trace_dir: None,
            tls: None,
            commentary: None,
        }
    }
}

/// What a station sent to open its WebSocket, also when it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The station's identity: the last segment of the path.
    pub station: String,
    /// The header `Sec-WebSocket-Protocol`, empty when absent.
    pub subprotocols: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// Why a CALL of the central system has no result.
#[derive(Debug, Error)]
pub enum CallError {
    /// There is no station to send it to.
    #[error("no station is connected")]
    NotConnected,
    /// The station answered with a CALLERROR.
    #[error("the station answered CALLERROR {code}: {description:?} {details}")]
    Refused {
        /// The OCPP-J error code.
        code: String,
        /// The human-readable text, often empty.
        description: String,
        /// The details object.
        details: Value,
    },
    /// The station did not answer in time.
    #[error(transparent)]
    NoAnswer(#[from] Report),
}

/// A running central system; dropping it ends it.
pub struct CentralSystem {
    shared: Arc<Shared>,
    uri: String,
    /// None only while dropping.
    controls: Option<UnboundedSender<Control>>,
    thread: Option<JoinHandle<()>>,
}

/// Life and connection.
impl CentralSystem {
    /// Start to accept stations.
    ///
    /// # Errors
    /// The port is taken, or the trace file can't be created.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = server::bind(options.port)?;
        let scheme = if options.tls.is_some() { "wss" } else { "ws" };
        let uri = format!("{scheme}://{}/ocpp", listener.local_addr()?);
        let record = Record::new(options.trace_dir.as_deref(), options.commentary)?;
        let shared = Arc::new(Shared::new(State::new(
            record,
            options.heartbeat_interval,
            options.first_transaction_id,
        )));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (controls, received_controls) = unbounded_channel();
        let tls = options.tls.map(TlsAcceptor::from);
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("central-system".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    // A listener that bound is a listener that registers; a handle whose
                    // thread has ended answers every control with BrokenPipe.
                    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                        server::run(served, listener, tls, received_controls).await;
                    }
                });
            })?;
        Ok(Self {
            shared,
            uri,
            controls: Some(controls),
            thread: Some(thread),
        })
    }

    /// The address that a station adds its identity to: `ws://127.0.0.1:PORT/ocpp`.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Drop every connection and refuse new ones; record and script stay.
    ///
    /// # Errors
    /// The port can't be kept for [`Self::restart_on_same_port`].
    pub fn stop(&self) -> io::Result<()> {
        self.control(Control::Close)
    }

    /// Drop every connection and accept stations (again) at the same address.
    ///
    /// # Errors
    /// The port can't be listened on.
    pub fn restart_on_same_port(&self) -> io::Result<()> {
        self.control(Control::Reopen)
    }

    fn control(&self, control: fn(Sender<io::Result<()>>) -> Control) -> io::Result<()> {
        let (done, confirmation) = mpsc::channel();
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let controls = self.controls.as_ref().ok_or_else(gone)?;
        controls.send(control(done)).map_err(|_| gone())?;
        confirmation.recv().map_err(|_| gone())?
    }

    /// End the current TCP connection without a WebSocket close, as a broken network does.
    pub fn drop_connection(&self) {
        if let Some(line) = self.shared.with(|state| state.line.take()) {
            // A connection that ended by itself needs no order.
            let _ = line.orders.send(Order::Drop);
        }
    }

    /// Stop reading and writing on the current connection, as a hung peer does.
    pub fn freeze(&self) {
        let _ = self.order(Order::Freeze(true));
    }

    /// Go on with the connection after [`Self::freeze`].
    pub fn thaw(&self) {
        let _ = self.order(Order::Freeze(false));
    }

    /// Wait until a station is connected; its identity.
    ///
    /// # Errors
    /// None came in time.
    pub fn wait_connected(&self, within: Duration) -> Result<String, Report> {
        self.wait("connection", within, |state| {
            Some(state.line.as_ref()?.station.clone())
        })
    }

    /// Wait until no station is connected.
    ///
    /// # Errors
    /// It is still there.
    pub fn wait_disconnected(&self, within: Duration) -> Result<(), Report> {
        self.wait("end of the connection", within, |state| {
            state.line.is_none().then_some(())
        })
    }

    /// All attempts to open a WebSocket so far, oldest first.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.shared.with(|state| state.handshakes.clone())
    }

    /// Send a WebSocket ping and wait for its pong.
    ///
    /// # Errors
    /// No station is connected, or it sent no pong in time.
    pub fn ping(&self, within: Duration) -> Result<(), CallError> {
        let payload = Bytes::from(self.shared.with(State::next_id));
        self.order(Order::Ping(payload.clone()))?;
        Ok(self.wait("pong", within, |state| {
            state.pongs.contains(&payload).then_some(())
        })?)
    }

    /// How many WebSocket pings the stations have sent.
    pub fn pings_received(&self) -> usize {
        self.shared.with(|state| state.pings)
    }

    /// How many WebSocket pongs the stations have sent.
    pub fn pongs_received(&self) -> usize {
        self.shared.with(|state| state.pongs.len())
    }

    fn order(&self, order: Order) -> Result<(), CallError> {
        self.shared.with(|state| {
            let line = state.line.as_ref().ok_or(CallError::NotConnected)?;
            line.orders.send(order).map_err(|_| CallError::NotConnected)
        })
    }
}

/// The script.
impl CentralSystem {
    /// From now on, answer each CALL of this action so. Forgets what `answer_next` left.
    pub fn answer(&self, action: &str, answer: Answer) {
        self.shared
            .with(|state| state.script.always(action, answer));
    }

    /// Answer the next `count` CALLs of this action so, after those scripted before.
    pub fn answer_next(&self, count: usize, action: &str, answer: Answer) {
        self.shared
            .with(|state| state.script.next(count, action, &answer));
    }

    /// Send these CALLs when a BootNotification comes, and hold back its answer until the
    /// station has answered them all (or for 5 s). An empty list ends this.
    pub fn before_boot_answer(&self, calls: Vec<(&str, Value)>) {
        let calls = calls
            .into_iter()
            .map(|(action, payload)| (action.to_owned(), payload));
        self.shared
            .with(|state| state.script.before_boot_answer = calls.collect());
    }

    /// Refuse each WebSocket handshake with this HTTP status (400 to 599), or none.
    pub fn refuse_handshakes(&self, status: Option<u16>) {
        self.shared.with(|state| state.script.refusal = status);
    }

    /// Send a CALL and wait for the payload of its CALLRESULT.
    ///
    /// # Errors
    /// No station is connected, it answered with a CALLERROR, or not in time.
    pub fn call(&self, action: &str, payload: Value, within: Duration) -> Result<Value, CallError> {
        let id = self.shared.with(State::next_id);
        self.order(Order::Send(Outgoing::valid(json!([
            2, id, action, payload
        ]))))?;
        self.wait_for_reply(&id, within)
    }

    /// Send this text as it is; the frame is recorded as hostile.
    ///
    /// # Errors
    /// No station is connected.
    pub fn send_raw(&self, text: &str) -> Result<(), CallError> {
        self.order(Order::Send(Outgoing::hostile(text.to_owned())))
    }

    /// Wait for the answer to the CALL with this message id, which `send_raw` sent.
    ///
    /// # Errors
    /// The station answered with a CALLERROR, or not in time.
    pub fn wait_for_reply(&self, id: &str, within: Duration) -> Result<Value, CallError> {
        let what = format!("answer to the CALL {id:?}");
        let message = self.wait(&what, within, |state| {
            let mut frames = state.record.frames.iter().rev();
            let answer =
                frames.find(|frame| frame.from_station && frame.answered_id() == Some(id))?;
            Some(answer.message.clone())
        })?;
        let part = |index: usize| message.get(index).cloned().unwrap_or_default();
        if message.get(0) == Some(&json!(3)) {
            return Ok(part(2));
        }
        Err(CallError::Refused {
            code: part(2).as_str().unwrap_or_default().to_owned(),
            description: part(3).as_str().unwrap_or_default().to_owned(),
            details: part(4),
        })
    }
}

/// Observation.
impl CentralSystem {
    /// Let [`Self::wait_for`] and [`Self::calls`] see only what comes from now on.
    pub fn mark(&self) {
        self.shared
            .with(|state| state.record.mark = state.record.frames.len());
    }

    /// Wait for a CALL of this action, received since the mark, whose payload fits; its
    /// payload. `fits` must not use this central system.
    ///
    /// # Errors
    /// None came in time.
    pub fn wait_for(
        &self,
        action: &str,
        mut fits: impl FnMut(&Value) -> bool,
        within: Duration,
    ) -> Result<Value, Report> {
        self.wait(&format!("fitting {action}"), within, |state| {
            state.calls(action).find(|payload| fits(payload)).cloned()
        })
    }

    /// The payloads of all CALLs of this action since the mark, oldest first.
    pub fn calls(&self, action: &str) -> Vec<Value> {
        self.shared
            .with(|state| state.calls(action).cloned().collect())
    }

    /// All frames so far, oldest first, whatever the mark.
    pub fn frames(&self) -> Vec<Frame> {
        self.shared.with(|state| state.record.frames.clone())
    }

    /// All transactions so far, oldest first, whatever the mark.
    pub fn transactions(&self) -> Vec<Transaction> {
        self.shared
            .with(|state| transactions::transactions(&state.record.frames))
    }

    /// Wait until `probe` finds something.
    fn wait<T>(
        &self,
        what: &str,
        within: Duration,
        mut probe: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, Report> {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = probe(&state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(state.record.report(what, within));
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for CentralSystem {
    fn drop(&mut self) {
        // The thread ends when nobody can control it any more.
        self.controls = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
