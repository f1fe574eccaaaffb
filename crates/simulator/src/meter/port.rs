//! A meter at the end of a line that echoes.

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

use crate::pty::open_line;
use crate::readings::{MeterSource, Readings};

use super::Fault;
use super::image::{Image, UnknownModel};
use super::modbus::{self, Received, Request};
use super::signing::{self, Signing};

/// A request is over when the line was quiet for this long, complete or not.
const FRAME_GAP: Duration = Duration::from_millis(20);

/// So many requests are remembered; a long demonstration must not fill the memory.
const HEARD_LIMIT: usize = 4096;

/// Which meter, and where.
#[derive(Clone, Debug)]
pub struct MeterConfig {
    /// A model of `models.csv`, e.g. `eastron/sdm630`.
    pub model: String,
    /// Modbus address, 1 to 247.
    pub address: u8,
    /// A name for the port, made as a symbolic link to the pseudo terminal and
    /// removed with the meter; `None` leaves the terminal's own name.
    pub link: Option<PathBuf>,
}

/// Why a meter can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The tables don't have the model.
    #[error(transparent)]
    Model(#[from] UnknownModel),
    /// No pseudo terminal, thread or link.
    #[error("simulated meter port: {0}")]
    Port(#[from] io::Error),
}

/// One request that came over the line, whoever it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Modbus address.
    pub slave: u8,
    /// Function code.
    pub function: u8,
    /// First register.
    pub start: u16,
    /// Number of registers, or the content for a write.
    pub operand: u16,
}

/// A meter that answers until it is dropped.
///
/// Other than a serial port, a pseudo terminal keeps the exclusive lock of a process
/// that was killed in the middle of a transaction; only root can open it then.
#[derive(Debug)]
pub struct MeterPort {
    path: PathBuf,
    link: Option<PathBuf>,
    shared: Arc<Mutex<Shared>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Keeps the line up while nobody has it open.
    _terminal: File,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Option<Fault>,
    /// When the fault began.
    since: Option<std::time::Instant>,
    heard: Vec<Heard>,
    heard_in_all: usize,
}

impl MeterPort {
    /// Connect a meter to a new line; it measures `source`.
    ///
    /// # Errors
    /// When the model is unknown or the system gives no pseudo terminal, thread or
    /// link.
    pub fn start(
        config: MeterConfig,
        source: impl MeterSource + 'static,
    ) -> Result<Self, StartError> {
        let image = Image::of(&config.model)?;
        let signing = signing::part_of(&config.model);
        let (line, terminal, path) = open_line()?;
        if let Some(link) = &config.link {
            std::os::unix::fs::symlink(&path, link)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shared = Arc::<Mutex<Shared>>::default();
        let (stop, stopped) = oneshot::channel();
        let meter = Meter {
            address: config.address,
            image,
            signing,
            source: Box::new(source),
            shared: Arc::clone(&shared),
            received: Vec::new(),
            last_byte: Instant::now(),
            answers: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("simulated meter".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        _ = meter.serve(line) => {}
                    }
                });
            })?;
        Ok(Self {
            path: config.link.clone().unwrap_or(path),
            link: config.link,
            shared,
            stop: Some(stop),
            thread: Some(thread),
            _terminal: terminal,
        })
    }

    /// The device to open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stop answering, as if unplugged; the line still echoes.
    pub fn go_silent(&self) {
        self.inject(Fault::Silence);
    }

    /// Answer again, without any fault.
    pub fn answer(&self) {
        self.lock().fault = None;
    }

    /// Disturb the line or the meter from now on.
    pub fn inject(&self, fault: Fault) {
        let mut shared = self.lock();
        shared.fault = Some(fault);
        shared.since = Some(std::time::Instant::now());
    }

    /// The last few thousand requests, oldest first.
    pub fn heard(&self) -> Vec<Heard> {
        self.lock().heard.clone()
    }

    /// How many requests came since the start.
    pub fn heard_in_all(&self) -> usize {
        self.lock().heard_in_all
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MeterPort {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the meter's thread has been printed; nothing to add.
            let _ = thread.join();
        }
        if let Some(link) = &self.link {
            // Its directory may be gone already, which is as good.
            let _ = std::fs::remove_file(link);
        }
    }
}

struct Meter {
    address: u8,
    image: Image,
    signing: Option<Box<dyn Signing>>,
    source: Box<dyn MeterSource>,
    shared: Arc<Mutex<Shared>>,
    received: Vec<u8>,
    last_byte: Instant,
    /// Answers under way and when they are due, earliest first.
    answers: Vec<(Instant, Vec<u8>)>,
}

impl Meter {
    /// Echo and answer until the line breaks.
    async fn serve(mut self, mut line: File) -> io::Result<()> {
        // A pseudo terminal polls and reads like a pipe.
        let incoming = OwnedFd::from(line.try_clone()?);
        let mut incoming = pipe::Receiver::from_owned_fd_unchecked(incoming)?;
        let mut bytes = [0; 256];
        loop {
            let due = self.answers.first().map(|(due, _)| *due);
            tokio::select! {
                count = incoming.read(&mut bytes) => {
                    let bytes = &bytes[..count?];
                    send(&mut line, &self.echo(bytes))?;
                    self.hear(bytes);
                }
                () = until(due) => {
                    let (_, answer) = self.answers.remove(0);
                    send(&mut line, &answer)?;
                }
            }
        }
    }

    fn echo(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self.fault() {
            Some(Fault::NoEcho) => bytes.clear(),
            Some(Fault::Collision) => bytes.iter_mut().take(1).for_each(|byte| *byte ^= 0x10),
            _ => {}
        }
        bytes
    }

    fn hear(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        if now - self.last_byte > FRAME_GAP {
            self.received.clear();
        }
        self.last_byte = now;
        self.received.extend_from_slice(bytes);
        match modbus::receive(&self.received) {
            Received::Incomplete | Received::Rubbish => {}
            Received::Request(request) => {
                self.received.clear();
                self.take(request, &[request.operand]);
            }
            Received::Write(request, words) => {
                self.received.clear();
                self.take(request, &words);
            }
        }
    }

    fn take(&mut self, request: Request, words: &[u16]) {
        let Request {
            slave,
            function,
            start,
            operand,
        } = request;
        self.remember(Heard {
            slave,
            function,
            start,
            operand,
        });
        let fault = self.fault();
        let is_silent = match fault {
            Some(Fault::Silence | Fault::PowerCycle(_)) => true,
            Some(Fault::SilentFrom(first)) => matches!(function, 3 | 4) && start >= first,
            _ => false,
        };
        if slave != self.address || is_silent {
            return;
        }
        let delay = match fault {
            Some(Fault::Delay(delay)) => delay,
            Some(Fault::Stall { first, then }) => {
                self.lock().fault = Some(Fault::Delay(then));
                first
            }
            _ => Duration::ZERO,
        };
        let answer = disturbed(self.answer(request, words, fault), fault);
        // A meter answers in turn.
        let due = Instant::now() + delay;
        let before = self.answers.last().map(|(due, _)| *due);
        self.answers
            .push((before.map_or(due, |before| due.max(before)), answer));
    }

    fn remember(&self, request: Heard) {
        let mut shared = self.lock();
        shared.heard_in_all += 1;
        let heard = &mut shared.heard;
        if heard.len() == HEARD_LIMIT {
            heard.remove(0);
        }
        heard.push(request);
    }

    fn answer(&mut self, request: Request, words: &[u16], fault: Option<Fault>) -> Vec<u8> {
        let Request {
            function,
            start,
            operand,
            ..
        } = request;
        if let Some(Fault::Exception(code)) = fault {
            return modbus::exception(request, code);
        }
        let is_unknown = |part: &dyn Signing| !part.knows(function);
        if self.signing.as_deref().is_some_and(is_unknown) {
            return modbus::exception(request, modbus::ILLEGAL_FUNCTION);
        }
        if let 6 | 16 = function {
            return match self.write(request, words) {
                Ok(()) => modbus::written(request),
                Err(code) => modbus::exception(request, code),
            };
        }
        let several = !self.image.is_single_value(function, start, operand);
        if fault == Some(Fault::SingleValuesOnly) && several {
            return modbus::exception(request, modbus::ILLEGAL_ADDRESS);
        }
        let nonsense = match fault {
            Some(Fault::Nonsense(value)) => Some(value),
            _ => None,
        };
        let mut line = self.source.readings();
        match fault {
            Some(Fault::Rollover(limit)) => line.energy_wh %= limit,
            Some(Fault::Reset) => line.energy_wh = 0.0,
            _ => {}
        }
        let own = match function {
            3 => self.read_signing(start, operand, &line, fault),
            _ => None,
        };
        let read =
            own.unwrap_or_else(|| self.image.read(function, start, operand, &line, nonsense));
        match read {
            Ok(words) if fault == Some(Fault::ShortAnswer) => {
                modbus::registers(request, &words[1..])
            }
            Ok(words) => modbus::registers(request, &words),
            Err(code) => modbus::exception(request, code),
        }
    }

    /// Outside the part that signs a write of several registers is many of one.
    fn write(&mut self, request: Request, words: &[u16]) -> Result<(), u8> {
        let now = std::time::Instant::now();
        if let Some(part) = &mut self.signing
            && let Some(result) = part.write(now, request.start, words)
        {
            return result;
        }
        (request.start..)
            .zip(words)
            .try_for_each(|(address, word)| self.image.write(address, *word))
    }

    /// Registers of the part that signs, where there is one and all are its own.
    fn read_signing(
        &mut self,
        start: u16,
        count: u16,
        line: &Readings,
        fault: Option<Fault>,
    ) -> Option<Result<Vec<u16>, u8>> {
        let part = self.signing.as_mut()?;
        let fault = match fault {
            Some(Fault::Signing(status)) => Some(status),
            _ => None,
        };
        part.advance(std::time::Instant::now(), line, fault);
        part.read(start)?;
        if count == 0 || count > self.image.longest_read() {
            return Some(Err(modbus::ILLEGAL_VALUE));
        }
        let words: Option<Vec<u16>> = (0..count)
            .map(|offset| part.read(start.checked_add(offset)?))
            .collect();
        Some(words.ok_or(modbus::ILLEGAL_ADDRESS))
    }

    /// What is wrong now; a power cycle passes by itself.
    fn fault(&mut self) -> Option<Fault> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(Fault::PowerCycle(check)), Some(since)) = (shared.fault, shared.since)
            && since.elapsed() >= check
        {
            shared.fault = None;
            if let Some(part) = &mut self.signing {
                part.power_cycled();
            }
        }
        shared.fault
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer as it arrives.
fn disturbed(mut answer: Vec<u8>, fault: Option<Fault>) -> Vec<u8> {
    match fault {
        Some(Fault::Noise(count)) => [vec![0xA5; count], answer].concat(),
        Some(Fault::WrongSlave) => {
            answer.truncate(answer.len() - 2);
            answer[0] = answer[0] % 247 + 1;
            modbus::sealed(answer)
        }
        Some(Fault::DamagedAnswer) => {
            let middle = answer.len() / 2;
            answer[middle] ^= 0x04;
            answer
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

#[cfg(test)]
mod tests {
    use crate::Readings;

    use super::*;

    struct NoLoad;

    impl MeterSource for NoLoad {
        fn readings(&self) -> Readings {
            Readings {
                voltage: [230.0; 3],
                current: [0.0; 3],
                energy_wh: 1e6,
                frequency: 50.0,
            }
        }
    }

    #[test]
    fn a_power_cycle_passes_by_itself() {
        let line = Arc::<Mutex<Shared>>::default();
        let mut meter = Meter {
            address: 1,
            image: Image::of("klefr/694x").unwrap(),
            signing: None,
            source: Box::new(NoLoad),
            shared: Arc::clone(&line),
            received: Vec::new(),
            last_byte: Instant::now(),
            answers: Vec::new(),
        };
        let cycle = Fault::PowerCycle(Duration::from_secs(10));
        let cut = |ago| {
            let mut shared = line.lock().unwrap();
            shared.fault = Some(cycle);
            shared.since = std::time::Instant::now().checked_sub(ago);
        };
        cut(Duration::from_secs(9));
        assert_eq!(meter.fault(), Some(cycle));
        cut(Duration::from_secs(10));
        assert_eq!(meter.fault(), None);
    }

    #[test]
    fn the_name_of_the_port_comes_and_goes_with_the_meter() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("ttymeter");
        let config = MeterConfig {
            model: "klefr/694x".into(),
            address: 1,
            link: Some(link.clone()),
        };
        let meter = MeterPort::start(config, NoLoad).unwrap();
        assert_eq!(meter.path(), link);
        assert!(File::open(&link).is_ok());
        drop(meter);
        assert!(!link.exists());
    }
}
