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
}

/// A line with devices, until it is dropped.
#[derive(Debug)]
pub struct SharedLine {
    path: PathBuf,
    faults: Faults,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Keeps the line up while nobody has it open.
    _terminal: File,
}

/// By the device's place on the line.
type Faults = Arc<Mutex<Vec<Option<Fault>>>>;

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
        let faults: Faults = Arc::new(Mutex::new(vec![None; devices.len()]));
        let wire = Wire {
            devices,
            faults: Arc::clone(&faults),
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
            faults,
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
        lock(&self.faults)[device] = Some(fault);
    }

    /// The device works again.
    pub fn repair(&self, device: usize) {
        lock(&self.faults)[device] = None;
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
    faults: Faults,
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
            let fault = lock(&self.faults)[place];
            if fault == Some(Fault::Silence) {
                continue;
            }
            let Some(mut answer) = device.hear(bytes, after_silence) else {
                continue;
            };
            let mut due = now;
            match fault {
                None | Some(Fault::Silence) => {}
                Some(Fault::Delay(delay)) => due += delay,
                Some(Fault::DamagedAnswer) => {
                    let middle = answer.len() / 2;
                    answer[middle] ^= 0x04;
                }
                Some(Fault::TruncatedAnswer) => answer.truncate(answer.len() / 2),
            }
            self.answers.push((due, place, answer));
        }
        self.answers.sort_by_key(|(due, ..)| *due);
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

fn lock(faults: &Faults) -> MutexGuard<'_, Vec<Option<Fault>>> {
    faults.lock().unwrap_or_else(PoisonError::into_inner)
}
