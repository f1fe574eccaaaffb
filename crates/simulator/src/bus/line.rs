//! The line itself.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::Device;
use crate::meter::modbus;
use crate::pty::open_line;

/// A frame is over when the line was quiet for this long, complete or not.
const FRAME_GAP: Duration = Duration::from_millis(20);

/// What is wrong with one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is unplugged; the line still echoes.
    Silence,
    /// Each answer comes late by this much.
    Delay(Duration),
    /// One bit of each answer is flipped.
    DamagedAnswer,
    /// Only the first half of each answer comes.
    TruncatedAnswer,
    /// This many stray bytes precede each answer.
    Noise(usize),
    /// The answers carry the address of another device; other protocols than Modbus
    /// have none, and their answers are damaged in the same place.
    WrongSlave,
    /// Each request is refused with this code.
    Exception(u8),
    /// The supply failed and came back: the device is silent while it checks itself, for
    /// this long, then well again.
    PowerCycle(Duration),
}

/// A line with devices, until it is dropped.
#[derive(Debug)]
pub struct SharedLine {
    path: PathBuf,
    states: States,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Keeps the line up while nobody has it open.
    _terminal: File,
}

/// By the device's place on the line.
type States = Arc<Mutex<Vec<State>>>;

/// How a device is.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    fault: Option<Fault>,
    /// When the fault began.
    since: Option<Instant>,
    /// Requests that it has heard.
    requests: usize,
    /// Answers that are still to come.
    pending: usize,
}

impl SharedLine {
    /// Connect the devices to a new line.
    ///
    /// # Errors
    /// When the system gives no pseudo terminal or thread.
    pub fn start(devices: Vec<Box<dyn Device>>) -> io::Result<Self> {
        let (line, terminal, path) = open_line()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let states: States = Arc::new(Mutex::new(vec![State::default(); devices.len()]));
        let wire = Wire {
            devices,
            states: Arc::clone(&states),
            last_byte: Instant::now(),
            answers: Vec::new(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("simulated line".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        // Ends only when the terminal breaks, and with it the test.
                        _ = wire.serve(line) => {}
                    }
                });
            })?;
        Ok(Self {
            path,
            states,
            stop: Some(stop),
            thread: Some(thread),
            _terminal: terminal,
        })
    }

    /// The port to open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Disturb the device at this place (counted from 0) from now on.
    pub fn inject(&self, device: usize, fault: Fault) {
        let state = &mut lock(&self.states)[device];
        state.fault = Some(fault);
        state.since = Some(Instant::now());
    }

    /// The device works again.
    pub fn repair(&self, device: usize) {
        lock(&self.states)[device].fault = None;
    }

    /// Whether no answer of the device is still to come: a late one outlives its fault.
    pub fn is_idle(&self, device: usize) -> bool {
        lock(&self.states)[device].pending == 0
    }

    /// How many requests the device at this place has heard.
    pub fn requests(&self, device: usize) -> usize {
        lock(&self.states)[device].requests
    }
}

impl Drop for SharedLine {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the line's thread has been printed; nothing to add.
            let _ = thread.join();
        }
    }
}

struct Wire {
    devices: Vec<Box<dyn Device>>,
    states: States,
    last_byte: Instant,
    /// Answers under way: when they are due, whose they are; earliest first.
    answers: Vec<(Instant, usize, Vec<u8>)>,
}

impl Wire {
    /// Echo and answer until the terminal breaks.
    async fn serve(mut self, mut line: File) -> io::Result<()> {
        // A pseudo terminal polls and reads like a pipe.
        let incoming = OwnedFd::from(line.try_clone()?);
        let mut incoming = pipe::Receiver::from_owned_fd_unchecked(incoming)?;
        let mut bytes = [0; 256];
        loop {
            let due = self.answers.first().map(|(due, ..)| *due);
            tokio::select! {
                count = incoming.read(&mut bytes) => {
                    let bytes = &bytes[..count?];
                    send(&mut line, bytes)?;
                    self.spread(bytes, None);
                }
                () = until(due) => {
                    let (_, device, answer) = self.answers.remove(0);
                    send(&mut line, &answer)?;
                    lock(&self.states)[device].pending -= 1;
                    self.spread(&answer, Some(device));
                }
            }
        }
    }

    /// Let all but the sender hear `bytes`.
    fn spread(&mut self, bytes: &[u8], sender: Option<usize>) {
        let now = Instant::now();
        let after_silence = now - self.last_byte > FRAME_GAP;
        self.last_byte = now;
        for (place, device) in self.devices.iter_mut().enumerate() {
            if sender == Some(place) {
                continue;
            }
            let mut states = lock(&self.states);
            let state = &mut states[place];
            let fault = state.fault_at(now);
            let answer = match fault {
                Some(Fault::Silence | Fault::PowerCycle(_)) => None,
                Some(Fault::Exception(code)) => device.refuse(bytes, after_silence, code),
                _ => device.hear(bytes, after_silence),
            };
            let Some(answer) = answer else {
                continue;
            };
            state.requests += 1;
            let due = match fault {
                Some(Fault::Delay(delay)) => now + delay,
                _ => now,
            };
            state.pending += 1;
            // A device answers in turn.
            let own = self.answers.iter().filter(|(_, of, _)| *of == place);
            let due = own.map(|(before, ..)| *before).fold(due, Instant::max);
            self.answers.push((due, place, disturbed(answer, fault)));
        }
        self.answers.sort_by_key(|(due, ..)| *due);
    }
}

impl State {
    /// What is wrong at `now`; a power cycle passes by itself.
    fn fault_at(&mut self, now: Instant) -> Option<Fault> {
        if let (Some(Fault::PowerCycle(check)), Some(since)) = (self.fault, self.since)
            && now.duration_since(since) >= check
        {
            self.fault = None;
        }
        self.fault
    }
}

/// The answer as it arrives.
fn disturbed(mut answer: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::DamagedAnswer) => {
            let middle = answer.len() / 2;
            answer[middle] ^= 0x04;
            answer
        }
        Some(Fault::TruncatedAnswer) => {
            answer.truncate(answer.len() / 2);
            answer
        }
        Some(Fault::Noise(count)) => [vec![0xA5; count], answer].concat(),
        Some(Fault::WrongSlave) => {
            answer.truncate(answer.len() - 2);
            answer[0] = answer[0] % 247 + 1;
            modbus::sealed(answer)
        }
        _ => answer,
    }
}

/// Bytes that nobody reads are lost, as on a wire.
fn send(line: &mut File, bytes: &[u8]) -> io::Result<()> {
    match line.write_all(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        result => result,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn lock(states: &States) -> MutexGuard<'_, Vec<State>> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}
