//! A running station: the plant on the machine's clock, with its board behind a socket.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::board_socket;
use crate::edges::{Edge, Signal};
use crate::plant::Plant;
use crate::socket_server::SocketServer;
use crate::{MeterSource, Readings};

/// The physics moves at least this often unless told otherwise.
const TICK: Duration = Duration::from_millis(1);

/// A station that runs until it is dropped.
///
/// It derefs to its [`StationHandle`], which does all the turning and looking.
pub struct Station {
    handle: StationHandle,
    ticker: Ticker,
    _board: SocketServer,
}

/// A cheap, shared view of a station, for tests, meters and the control socket.
#[derive(Clone)]
pub struct StationHandle {
    shared: Arc<Shared>,
}

struct Shared {
    plant: Mutex<Plant>,
    ticked: Condvar,
}

impl Station {
    /// Start the clock and listen for the board's client at `board_socket`. A
    /// socket file that was left behind there is replaced.
    ///
    /// # Errors
    /// When the socket can't be made.
    pub fn start(board_socket: &Path) -> io::Result<Self> {
        Self::start_ticking(board_socket, TICK)
    }

    /// The same, moved by itself only this often: where many stations run beside each
    /// other. Who looks, or drives an output, still finds the physics of that instant.
    ///
    /// # Errors
    /// When the socket can't be made.
    pub fn start_ticking(board_socket: &Path, tick: Duration) -> io::Result<Self> {
        let plant = Mutex::new(Plant::new(monotonic_us()));
        let handle = StationHandle {
            shared: Arc::new(Shared {
                plant,
                ticked: Condvar::new(),
            }),
        };
        let board = handle.clone();
        let holder = board_socket::Holder::default();
        Ok(Self {
            ticker: Ticker::start(handle.clone(), tick)?,
            _board: SocketServer::listen(board_socket, move |client| {
                wait_for_no_processor();
                board_socket::converse(client, &board, &holder)
            })?,
            handle,
        })
    }

    /// A view that may outlive this value; its clock stands still then.
    pub fn handle(&self) -> StationHandle {
        self.handle.clone()
    }
}

impl Deref for Station {
    type Target = StationHandle;

    fn deref(&self) -> &StationHandle {
        &self.handle
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.ticker.stop();
    }
}

impl StationHandle {
    /// The plant of this instant. Whoever holds it stops the clock: be brief.
    pub fn plant(&self) -> MutexGuard<'_, Plant> {
        let mut plant = self.lock();
        plant.advance_to(monotonic_us());
        plant
    }

    /// Wait until `condition` holds, looking at every tick; `false` when
    /// `timeout` came first.
    pub fn wait_for(&self, timeout: Duration, mut condition: impl FnMut(&Plant) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut plant = self.plant();
        loop {
            if condition(&plant) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            plant = match self.shared.ticked.wait_timeout(plant, left) {
                Ok((guard, _)) => guard,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// All edges at or after `since_us` of the monotonic clock.
    pub fn edges_since(&self, since_us: u64) -> Vec<Edge> {
        self.plant().edges().since(since_us)
    }

    /// Time of the first change of `signal` to `value` at or after `since_us`.
    pub fn first_edge(&self, since_us: u64, signal: Signal, value: i64) -> Option<u64> {
        let edges = self.edges_since(since_us);
        edges
            .iter()
            .find(|edge| edge.signal == signal && edge.value == value)
            .map(|edge| edge.at_us)
    }

    fn lock(&self) -> MutexGuard<'_, Plant> {
        // The plant is plain data: a panic elsewhere leaves it usable.
        self.shared
            .plant
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl MeterSource for StationHandle {
    fn readings(&self) -> Readings {
        self.plant().readings()
    }
}

/// Microseconds of the machine's monotonic clock, the same in every process.
pub fn monotonic_us() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(|time| time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1000)
        .unwrap_or_default()
}

/// As the electrics of a real board, which run by themselves. Where a real-time class is
/// refused, a busy processor delays the simulated ones.
fn wait_for_no_processor() {
    let _ = board::real_time::claim();
}

/// The thread that moves the physics when nobody looks.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(handle: StationHandle, tick: Duration) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let run = move || {
            wait_for_no_processor();
            while !stopped.load(Ordering::Relaxed) {
                drop(handle.plant());
                handle.shared.ticked.notify_all();
                thread::park_timeout(tick);
            }
        };
        let thread = thread::Builder::new().name("plant".into()).spawn(run)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A ticker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}
