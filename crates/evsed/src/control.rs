//! The control thread: sample, step, apply. It waits for nothing but the next cycle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board::{Board, BoardError, real_time};
use evse_core::{
    Actuation, Config, DigitalOutputs, Event, Grant, Input, LedNotice, LedPanel, Machine, Millis,
    Pace, Request, Sample, SensorFault, Status, UnlockResult,
};
use tokio::sync::mpsc;

use crate::diagnostics::{Note, Watch};
use crate::inbox::Inbox;

/// From one round of measurements to the next; a round takes 3.5 ms of it (S2).
const CYCLE: Duration = Duration::from_millis(5);
/// The same without an EV, when nothing has to be seen within milliseconds.
const RELAXED_CYCLE: Duration = Duration::from_millis(25);
/// From one look at the inputs to the next while a contactor is closed: an edge
/// that must open it waits for one look, or for a round in between (S3).
const LOOK: Duration = Duration::from_millis(1);
/// How long a board may refuse an output before the process gives up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Reports that may wait for the other thread.
const QUEUE: usize = 128;

/// What has happened since start; a status can be skipped, an event can't.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Happened {
    /// Limits that have arrived.
    pub limits: u64,
    /// Self tests of the residual current device that have ended.
    pub rcd_tests: u64,
    /// Answers to requests to unlock.
    pub unlocks: u64,
    /// The latest of these answers.
    pub unlock: Option<UnlockResult>,
}

/// What the control thread tells.
#[derive(Debug)]
pub(crate) enum Report {
    /// The status has changed, or something has happened.
    Status(Status, Happened),
    /// Something for the log and the black box.
    Note(Note),
    /// The thread has ended by itself, with relays open as far as the board obeys.
    Ended(String),
}

/// The handle of the control thread.
pub(crate) struct Control {
    inbox: Arc<Inbox>,
    reports: mpsc::Receiver<Report>,
    progress: Arc<AtomicU64>,
    progress_seen: u64,
    thread: Option<JoinHandle<Result<(), BoardError>>>,
}

impl Control {
    /// Start controlling `board`.
    pub(crate) fn start(
        board: Box<dyn Board>,
        config: Config,
        leds: LedPanel,
    ) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let (outbox, reports) = mpsc::channel(QUEUE);
        let progress = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let controller = Controller {
            board,
            machine: Machine::new(config, Millis(0)),
            safe: config.safe(),
            leds,
            watch: Watch::default(),
            disobeys_since: None,
            start,
            inbox: Arc::clone(&inbox),
            outbox,
            looks: config.rcd.is_some() || config.emergency.is_some(),
            is_closed: false,
            pace: Pace::Brisk,
            happened: Happened::default(),
            unsent: None,
            last: None,
            progress: Arc::clone(&progress),
        };
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                // An alarm and the next round wait for nobody (S2, S3).
                if let Err(error) = real_time::claim() {
                    tracing::warn!(%error, "a busy processor can delay the control thread");
                }
                controller.run()
            })?;
        Ok(Self {
            inbox,
            reports,
            progress,
            progress_seen: 0,
            thread: Some(thread),
        })
    }

    /// Hand over a request. Never waits.
    pub(crate) fn request(&self, request: Request) {
        self.inbox.put(request);
    }

    /// Hand over what the LEDs have to know. Never waits.
    pub(crate) fn notice(&self, notice: LedNotice) {
        self.inbox.put_notice(notice);
    }

    /// The next report. Cancel safe.
    pub(crate) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(report) => report,
            None => Report::Ended("the control thread has ended".into()),
        }
    }

    /// Feeds systemd's watchdog by `feed`, but only if a cycle was finished since the
    /// last call: a control thread that stands still has the process killed (S7).
    pub(crate) fn vouch(&mut self, feed: impl FnOnce()) {
        let now = self.progress.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.progress_seen, now) != now {
            feed();
        }
    }

    /// End the thread, which leaves by writing the safe actuation.
    ///
    /// # Errors
    /// Why that may not be on the lines.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        self.inbox.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written.map_err(|error| error.to_string()),
            Some(Err(_)) => Err("the control thread had panicked".into()),
            None => Ok(()),
        }
    }
}

/// Nobody is left to ask the thread for anything: it ends, too.
impl Drop for Control {
    fn drop(&mut self) {
        self.inbox.stop();
    }
}

struct Controller {
    board: Box<dyn Board>,
    machine: Machine,
    safe: Actuation,
    leds: LedPanel,
    watch: Watch,
    /// Since when the board refuses an output.
    disobeys_since: Option<Instant>,
    start: Instant,
    inbox: Arc<Inbox>,
    outbox: mpsc::Sender<Report>,
    /// There are inputs that can't wait for the next round.
    looks: bool,
    /// A contactor is commanded closed.
    is_closed: bool,
    pace: Pace,
    happened: Happened,
    unsent: Option<(Status, Happened)>,
    last: Option<(Status, Happened)>,
    progress: Arc<AtomicU64>,
}

impl Controller {
    /// Ends with the safe actuation written, or says why not.
    fn run(mut self) -> Result<(), BoardError> {
        let mut next = Instant::now();
        while self.serve_until(next) {
            self.hear_notices();
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
            let cycle = match self.pace {
                Pace::Brisk => CYCLE,
                Pace::Relaxed => RELAXED_CYCLE,
            };
            next = (next + cycle).max(Instant::now());
        }
        let written = self.board.apply(&self.safe);
        if let Err(error) = &written {
            tracing::error!(%error, "the safe state could not be written");
        }
        written
    }

    /// Take requests and look at the inputs until `next`, late or not one batch of
    /// requests; false when asked to stop. The inbox is small, so neither a look
    /// nor the next round is ever far.
    fn serve_until(&mut self, next: Instant) -> bool {
        let mut look_at = Instant::now() + LOOK;
        loop {
            let looks = self.looks && self.is_closed && self.disobeys_since.is_none();
            let wake = if looks { next.min(look_at) } else { next };
            let Some(requests) = self.inbox.take_until(wake) else {
                return false;
            };
            for request in requests {
                self.request(request);
            }
            if looks && Instant::now() >= wake {
                let inputs = self.board.inputs().map_err(|_| SensorFault);
                self.step(Input::Inputs(inputs));
                look_at = Instant::now() + LOOK;
            }
            if Instant::now() >= next {
                return true;
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn hear_notices(&mut self) {
        for notice in self.inbox.take_notices() {
            self.leds.note(self.now(), notice);
        }
    }

    fn request(&mut self, request: Request) {
        // The card comes before the answer to it.
        self.hear_notices();
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
        self.is_closed = step.actuation.relay_1;
        self.pace = step.pace;
        for event in step.events.iter() {
            self.note(event);
        }
        let outbox = &self.outbox;
        self.watch
            .look(now, &input, &step.actuation, &status, |note| {
                outbox.try_send(Report::Note(note)).is_ok()
            });
        self.tell(status);
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::LimitReceived => self.happened.limits += 1,
            Event::RcdTestEnded => self.happened.rcd_tests += 1,
            Event::Unlock(result) => {
                self.happened.unlocks += 1;
                self.happened.unlock = Some(result);
            }
            // The status tells.
            Event::SessionStarted
            | Event::ChargingStarted
            | Event::ChargingStopped(_)
            | Event::SessionEnded(_) => {}
        }
    }

    /// Report a change; when the other thread is slow, the latest status waits.
    fn tell(&mut self, status: Status) {
        let report = (status, self.happened);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use board::BoardError;
    use evse_core::{
        Amperes, Authentication, Connection, DynamicSlot, Feedback, Inputs, Led, PilotPeaks,
        RotaryPosition, SecondRelay, Ventilation, WakeUp,
    };

    use super::*;

    /// A board without an EV that notes when it was sampled.
    struct Idle {
        sampled: Arc<Mutex<Vec<Instant>>>,
    }

    impl Board for Idle {
        fn sample(&mut self) -> Sample {
            self.sampled.lock().unwrap().push(Instant::now());
            let peaks = PilotPeaks {
                positive: evse_core::Millivolts(11_956),
                negative: evse_core::Millivolts(55),
            };
            let in_reset = PilotPeaks {
                positive: evse_core::Millivolts(55),
                ..peaks
            };
            Sample {
                pilot: Ok(peaks),
                pilot_in_reset: Some(Ok(in_reset)),
                inputs: Ok(Inputs::default()),
                ..Sample::FAILED
            }
        }

        fn inputs(&mut self) -> Result<Inputs, BoardError> {
            Ok(Inputs::default())
        }

        fn rotary_position(&mut self) -> Result<RotaryPosition, BoardError> {
            Ok(RotaryPosition::from_bits([true; 4]))
        }

        fn apply(&mut self, _: &Actuation) -> Result<(), BoardError> {
            Ok(())
        }
    }

    const CONFIG: Config = Config {
        connection: Connection::FixedCable {
            limit: Amperes::new(32),
        },
        evse_limit: Amperes::new(32),
        grid_limit: Amperes::new(32),
        failsafe: None,
        contactor_feedback: Feedback::None,
        authentication: Authentication::Free,
        always_accept_state_d: false,
        rcd: None,
        emergency: None,
        relay_2: SecondRelay::Ventilation(Ventilation::NONE),
        wake_up: WakeUp {
            after_authorization: false,
            after_timeout: false,
        },
    };

    fn limit(amperes: u32) -> Request {
        let slot = DynamicSlot::new(0).unwrap();
        Request::DynamicLimit(slot, Some(Amperes::new(amperes)))
    }

    fn panel() -> LedPanel {
        LedPanel::new([Led::default(); LedPanel::LEDS])
    }

    /// A board that answers one round and then no more, until it is told.
    struct Hanging {
        idle: Idle,
        rounds: std::sync::mpsc::Receiver<()>,
    }

    impl Board for Hanging {
        fn sample(&mut self) -> Sample {
            // A sender that is gone lets all rounds through.
            let _ = self.rounds.recv();
            self.idle.sample()
        }

        fn inputs(&mut self) -> Result<Inputs, BoardError> {
            self.idle.inputs()
        }

        fn rotary_position(&mut self) -> Result<RotaryPosition, BoardError> {
            self.idle.rotary_position()
        }

        fn apply(&mut self, actuation: &Actuation) -> Result<(), BoardError> {
            self.idle.apply(actuation)
        }
    }

    #[test]
    fn the_watchdog_is_fed_by_rounds_and_by_nothing_else() {
        let (round, rounds) = std::sync::mpsc::channel();
        let idle = Idle {
            sampled: Arc::default(),
        };
        let board = Box::new(Hanging { idle, rounds });
        let mut control = Control::start(board, CONFIG, panel()).unwrap();
        let is_fed = |control: &mut Control| {
            let mut is_fed = false;
            control.vouch(|| is_fed = true);
            is_fed
        };
        assert!(!is_fed(&mut control), "no round yet");
        for _ in 0..3 {
            round.send(()).unwrap();
            while !is_fed(&mut control) {
                std::thread::yield_now();
            }
            // Requests are nothing that it lives by.
            control.request(limit(16));
            let hangs_until = Instant::now() + Duration::from_millis(50);
            while Instant::now() < hangs_until {
                assert!(!is_fed(&mut control));
                std::thread::yield_now();
            }
        }
        drop(round);
        control.stop().unwrap();
    }

    #[test]
    fn rounds_are_rare_while_there_is_no_ev() {
        let sampled = Arc::new(Mutex::new(Vec::<Instant>::new()));
        let board = Idle {
            sampled: Arc::clone(&sampled),
        };
        let control = Control::start(Box::new(board), CONFIG, panel()).unwrap();
        // The outlet counts as dead 250 ms after start.
        let rounds = |from: usize| sampled.lock().unwrap().len() - from;
        while rounds(0) < 60 {
            std::thread::yield_now();
        }
        let (from, start) = (rounds(0), Instant::now());
        while rounds(from) < 10 {
            std::thread::yield_now();
        }
        let pace = start.elapsed() / 10;
        assert!(pace > Duration::from_millis(20), "{pace:?}");
        control.stop().unwrap();
    }

    #[test]
    fn a_flood_of_requests_holds_up_no_measurement_and_drowns_no_other_request() {
        let sampled = Arc::new(Mutex::new(Vec::new()));
        let board = Idle {
            sampled: Arc::clone(&sampled),
        };
        let mut control = Control::start(Box::new(board), CONFIG, panel()).unwrap();
        let start = Instant::now();
        let mut flood = (6..=32).cycle().map(limit);
        while start.elapsed() < Duration::from_millis(500) {
            flood
                .by_ref()
                .take(1_000)
                .for_each(|request| control.request(request));
        }
        // Requests that held rounds up would let next to none through. A single late round says
        // nothing: a loaded machine makes them late without any request.
        let (rounds, lasted) = (sampled.lock().unwrap().len(), start.elapsed());
        let average = lasted.checked_div(u32::try_from(rounds).unwrap());
        assert!(
            average.is_some_and(|average| average < 4 * RELAXED_CYCLE),
            "{rounds} rounds in {lasted:?}"
        );
        control.request(Request::OcppLimit(Some(Amperes::ZERO)));
        flood
            .take(1_000)
            .for_each(|request| control.request(request));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let stopped = async {
            loop {
                match control.report().await {
                    Report::Status(status, _) if status.offered_limit == Amperes::ZERO => return,
                    Report::Status(..) | Report::Note(_) => {}
                    Report::Ended(reason) => panic!("{reason}"),
                }
            }
        };
        let in_time =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), stopped).await });
        assert!(in_time.is_ok(), "the command to offer nothing was lost");
        control.stop().unwrap();
    }
}
