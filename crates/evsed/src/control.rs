//! The control thread: sample, step, apply. It waits for nothing but the next cycle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board::Board;
use evse_core::{
    Actuation, Config, DigitalOutputs, Event, Grant, Input, LedNotice, LedPanel, Machine, Millis,
    Request, Sample, Status,
};
use tokio::sync::mpsc;

use crate::diagnostics::{Note, Watch};

/// From one round of measurements to the next; a round takes 3.5 ms of it (S2).
const CYCLE: Duration = Duration::from_millis(5);
/// How long a board may refuse an output before the process gives up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests and reports that may wait for the other thread.
const QUEUE: usize = 128;

/// What the control thread tells.
#[derive(Debug)]
pub(crate) enum Report {
    /// The status has changed, or a limit has arrived; limits are counted.
    Status(Status, u64),
    /// Something for the log and the black box.
    Note(Note),
    /// The thread has ended by itself, with relays open as far as the board obeys.
    Ended(String),
}

#[derive(Debug)]
enum Command {
    Request(Request),
    LedNotice(LedNotice),
    Stop,
}

/// The handle of the control thread.
pub(crate) struct Control {
    commands: SyncSender<Command>,
    reports: mpsc::Receiver<Report>,
    progress: Arc<AtomicU64>,
    progress_seen: u64,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Start controlling `board`.
    pub(crate) fn start(
        board: Box<dyn Board>,
        config: Config,
        leds: LedPanel,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = sync_channel(QUEUE);
        let (outbox, reports) = mpsc::channel(QUEUE);
        let progress = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let controller = Controller {
            board,
            machine: Machine::new(config, Millis(0)),
            leds,
            watch: Watch::default(),
            disobeys_since: None,
            start,
            inbox,
            outbox,
            limits: 0,
            unsent: None,
            last: None,
            progress: Arc::clone(&progress),
        };
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || controller.run())?;
        Ok(Self {
            commands,
            reports,
            progress,
            progress_seen: 0,
            thread: Some(thread),
        })
    }

    /// Hand over a request. Never waits: a control thread that takes none is stalled,
    /// and the watchdog ends the process.
    pub(crate) fn request(&self, request: Request) {
        self.command(Command::Request(request));
    }

    /// Hand over what the LEDs have to know.
    pub(crate) fn notice(&self, notice: LedNotice) {
        self.command(Command::LedNotice(notice));
    }

    fn command(&self, command: Command) {
        match self.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(command)) => {
                tracing::error!(?command, "control thread stalled");
            }
            Err(TrySendError::Disconnected(_)) => tracing::error!("control thread has ended"),
        }
    }

    /// The next report. Cancel safe.
    pub(crate) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => Report::Ended("the control thread has ended".into()),
        }
    }

    /// Whether a cycle was finished since the last look.
    pub(crate) fn has_progressed(&mut self) -> bool {
        let now = self.progress.load(Ordering::Relaxed);
        std::mem::replace(&mut self.progress_seen, now) != now
    }

    /// End the thread; it leaves with the safe actuation written.
    pub(crate) fn stop(mut self) {
        // A full queue is drained within a cycle, or nothing helps.
        if self.commands.send(Command::Stop).is_err() {
            tracing::error!("the control thread had already ended");
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the control thread had panicked");
        }
    }
}

struct Controller {
    board: Box<dyn Board>,
    machine: Machine,
    leds: LedPanel,
    watch: Watch,
    /// Since when the board refuses an output.
    disobeys_since: Option<Instant>,
    start: Instant,
    inbox: Receiver<Command>,
    outbox: mpsc::Sender<Report>,
    limits: u64,
    unsent: Option<(Status, u64)>,
    last: Option<(Status, u64)>,
    progress: Arc<AtomicU64>,
}

impl Controller {
    fn run(mut self) {
        let mut next = Instant::now();
        while self.serve_until(next) {
            // While an output doesn't follow, what is measured says nothing (S8).
            let sample = match self.disobeys_since {
                None => self.board.sample(),
                // A restart asks for all lines anew.
                Some(since) if since.elapsed() > PATIENCE => break,
                Some(_) => Sample::FAILED,
            };
            self.step(Input::Sample(sample));
            self.progress.fetch_add(1, Ordering::Relaxed);
            // A late round is not made up for: the next one follows after a full cycle.
            next = (next + CYCLE).max(Instant::now());
        }
        if let Err(error) = self.board.apply(&Actuation::SAFE) {
            tracing::error!(%error, "the safe state could not be written");
        }
    }

    /// Take requests until `next`; false when asked to stop.
    fn serve_until(&mut self, next: Instant) -> bool {
        loop {
            match self
                .inbox
                .recv_timeout(next.saturating_duration_since(Instant::now()))
            {
                Ok(Command::Request(request)) => self.request(request),
                Ok(Command::LedNotice(notice)) => self.leds.note(self.now(), notice),
                Err(RecvTimeoutError::Timeout) => return true,
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn request(&mut self, request: Request) {
        if request == Request::Authorization(Grant::Revoked) && !self.machine.status().authorized {
            // All that a customer's authorizer can say to a card it doesn't know.
            let accepted = false;
            let refusal = LedNotice::AuthorizationAnswered { accepted };
            self.leds.note(self.now(), refusal);
        }
        self.step(Input::Request(request));
    }

    fn step(&mut self, input: Input) {
        let now = self.now();
        let step = self.machine.step(now, input);
        let status = self.machine.status();
        let leds = self.leds.show(now, &status);
        let actuation = Actuation {
            // No line serves both: the configuration is checked for that.
            outputs: DigitalOutputs(step.actuation.outputs.0 | leds.0),
            ..step.actuation
        };
        match self.board.apply(&actuation) {
            Ok(()) => self.disobeys_since = None,
            Err(error) => {
                if self.disobeys_since.is_none() {
                    tracing::error!(%error, "the board does not take the outputs");
                }
                self.disobeys_since.get_or_insert_with(Instant::now);
            }
        }
        for event in step.events.iter() {
            if event == Event::LimitReceived {
                self.limits += 1;
            }
        }
        let outbox = &self.outbox;
        self.watch
            .look(now, &input, &step.actuation, &status, |note| {
                outbox.try_send(Report::Note(note)).is_ok()
            });
        self.tell(status);
    }

    /// Report a change; when the other thread is slow, the latest status waits.
    fn tell(&mut self, status: Status) {
        let report = (status, self.limits);
        if self.last != Some(report) {
            self.last = Some(report);
            self.unsent = Some(report);
        }
        if let Some((status, limits)) = self.unsent
            && self.outbox.try_send(Report::Status(status, limits)).is_ok()
        {
            self.unsent = None;
        }
    }
}
