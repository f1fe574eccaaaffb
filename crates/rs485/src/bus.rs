//! Modbus RTU transactions.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_modbus::client::{Client, rtu};
use tokio_modbus::{Request, Response, Slave};
use tokio_serial::{ClearBuffer, ErrorKind, SerialPort, SerialStream};

use crate::echo::EchoCancel;
use crate::{DeviceAddress, Error, Line, Parity};

/// How long a device may think; reports name 600 ms as the slowest ordinary meter,
/// and the frames come on top.
const ANSWER_LIMIT: Duration = Duration::from_millis(600);
/// Bound of all that, frames included: the bus is shared (guide 7.3.5, "<1 s").
pub(crate) const HOLD_LIMIT: Duration = Duration::from_millis(900);
/// How long the port stays closed after a failure, so that a late answer is lost
/// instead of taken for the next one. What comes later still differs in its form,
/// when the caller asks for registers in unequal numbers.
const SETTLING: Duration = Duration::from_millis(250);
/// How long others may keep talking before the line counts as disturbed.
const SILENCE_LIMIT: Duration = Duration::from_millis(80);
/// How long to wait for another daemon, which holds the port for less than a second.
const BUSY_LIMIT: Duration = Duration::from_millis(1500);
/// Slave, function, address, operand, checksum.
const REQUEST_CHARACTERS: u32 = 8;
/// So many registers fit into one write (Modbus application protocol, 6.12).
const LONGEST_WRITE: usize = 123;

/// A line with Modbus devices on it; no port is open between transactions.
#[derive(Debug)]
pub struct Bus {
    pub(crate) line: Line,
    answer_limit: Duration,
    /// No transaction before this, after a failure.
    settled_at: Option<Instant>,
}

/// How registers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFunction {
    /// Function 3, holding registers.
    Holding,
    /// Function 4, input registers.
    Input,
}

impl Bus {
    /// Nothing is opened yet.
    pub const fn new(line: Line) -> Self {
        Self {
            line,
            answer_limit: ANSWER_LIMIT,
            settled_at: None,
        }
    }

    /// The same line with devices that may think for `limit`. Beyond half a second or
    /// so, other daemons on the line have to wait longer than the guide promises them.
    #[must_use]
    pub fn with_answer_limit(self, limit: Duration) -> Self {
        Self {
            answer_limit: limit,
            ..self
        }
    }

    /// The content of `count` registers from `start` on, wire address, zero based.
    ///
    /// # Errors
    /// Every failed transaction; no answer but the right one is ever taken.
    pub async fn read(
        &mut self,
        device: DeviceAddress,
        function: ReadFunction,
        start: u16,
        count: u16,
    ) -> Result<Vec<u16>, Error> {
        let request = match function {
            ReadFunction::Holding => Request::ReadHoldingRegisters(start, count),
            ReadFunction::Input => Request::ReadInputRegisters(start, count),
        };
        // Slave, function, length, checksum.
        let answer_characters = 5 + 2 * u32::from(count);
        let response = self.transact(device, request, answer_characters).await?;
        let (Response::ReadHoldingRegisters(words) | Response::ReadInputRegisters(words)) =
            response
        else {
            return Err(foreign(device, format!("{response:?}")));
        };
        if words.len() != usize::from(count) {
            let detail = format!("{} registers instead of {count}", words.len());
            return Err(foreign(device, detail));
        }
        Ok(words)
    }

    /// Whether a device is there, and what `count` registers from `start` on hold;
    /// `None` when nobody answers within `limit`.
    ///
    /// After silence the next device may be asked at once: an answer that comes late
    /// carries the address of the device before.
    ///
    /// # Errors
    /// As [`Bus::read`].
    pub async fn probe(
        &mut self,
        device: DeviceAddress,
        function: ReadFunction,
        start: u16,
        count: u16,
        limit: Duration,
    ) -> Result<Option<Vec<u16>>, Error> {
        let usual = std::mem::replace(&mut self.answer_limit, limit);
        let answer = self.read(device, function, start, count).await;
        self.answer_limit = usual;
        match answer {
            Ok(words) => Ok(Some(words)),
            Err(Error::NoAnswer { .. }) => {
                self.settled_at = None;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Set one holding register (function 6).
    ///
    /// The device's confirmation equals the request, so without the removal of the
    /// echo a dead device would seem to obey. What matters should be read back.
    ///
    /// # Errors
    /// Every failed transaction; the register may or may not have been written then.
    pub async fn write_register(
        &mut self,
        device: DeviceAddress,
        address: u16,
        word: u16,
    ) -> Result<(), Error> {
        let request = Request::WriteSingleRegister(address, word);
        let response = self.transact(device, request, REQUEST_CHARACTERS).await?;
        if response != Response::WriteSingleRegister(address, word) {
            return Err(foreign(device, format!("{response:?}")));
        }
        Ok(())
    }

    /// Set holding registers from `start` on, 1 to 123 at once (function 16).
    ///
    /// The confirmation repeats address and count, not the content: what matters should
    /// be read back.
    ///
    /// # Errors
    /// Every failed transaction; the registers may or may not have been written then.
    pub async fn write_registers(
        &mut self,
        device: DeviceAddress,
        start: u16,
        words: &[u16],
    ) -> Result<(), Error> {
        let count = words.len();
        if count == 0 || count > LONGEST_WRITE {
            return Err(Error::Unwritable { count });
        }
        let request = Request::WriteMultipleRegisters(start, words.to_vec().into());
        // The count of bytes and the content, beyond what every request has.
        let more_characters = 1 + 2 * count as u32;
        let response = self
            .transact(device, request, REQUEST_CHARACTERS + more_characters)
            .await?;
        if response != Response::WriteMultipleRegisters(start, count as u16) {
            return Err(foreign(device, format!("{response:?}")));
        }
        Ok(())
    }

    async fn transact(
        &mut self,
        device: DeviceAddress,
        request: Request<'static>,
        answer_characters: u32,
    ) -> Result<Response, Error> {
        self.settle().await;
        let result = self.exchange(device, request, answer_characters).await;
        self.remember(&result);
        result
    }

    /// Wait out the rest after a failure.
    pub(crate) async fn settle(&mut self) {
        if let Some(settled_at) = self.settled_at.take() {
            sleep_until(settled_at).await;
        }
    }

    /// After a doubtful failure the line needs a rest.
    pub(crate) fn remember<A>(&mut self, result: &Result<A, Error>) {
        if matches!(result, Err(error) if error.leaves_the_line_doubtful()) {
            self.settled_at = Some(Instant::now() + SETTLING);
        }
    }

    async fn exchange(
        &self,
        device: DeviceAddress,
        request: Request<'static>,
        answer_characters: u32,
    ) -> Result<Response, Error> {
        let mut port = self.open().await?;
        self.await_silence(&mut port).await?;
        let frames = self
            .line
            .baud_rate
            .duration_of(REQUEST_CHARACTERS + answer_characters);
        let limit = (self.answer_limit + frames).min(HOLD_LIMIT.max(self.answer_limit));
        let transport = EchoCancel::new(port, self.line.baud_rate, self.line.echo);
        // Port and decoder end with this client, and with them what they hold of a
        // late or damaged answer.
        let mut client = rtu::attach_slave(transport, Slave(device.number()));
        match timeout(limit, client.call(request)).await {
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(exception))) => Err(Error::Refused {
                device,
                code: exception.into(),
            }),
            Ok(Err(error)) => Err(Error::from_modbus(error, device)),
            Err(_elapsed) => Err(Error::NoAnswer { device, limit }),
        }
    }

    /// Open the port for us alone: TIOCEXCL, as the guide wants, and a file lock,
    /// which binds root as well.
    pub(crate) async fn open(&self) -> Result<SerialStream, Error> {
        let settings = tokio_serial::new(
            self.line.port.to_string_lossy(),
            self.line.baud_rate.bits_per_second(),
        )
        .parity(match self.line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Odd => tokio_serial::Parity::Odd,
            Parity::Even => tokio_serial::Parity::Even,
        });
        let start = Instant::now();
        loop {
            let error = match SerialStream::open(&settings) {
                Ok(port) => return Ok(port),
                Err(error) => error,
            };
            let waited = start.elapsed();
            let port = self.line.port.clone();
            if error.kind != ErrorKind::NoDevice {
                return Err(Error::Open {
                    port,
                    source: io::Error::from(error),
                });
            }
            if waited >= BUSY_LIMIT {
                return Err(Error::Busy { port, waited });
            }
            sleep_until(Instant::now() + busy_pause()).await;
        }
    }

    /// Throw away what others have sent and wait for the gap between two frames.
    pub(crate) async fn await_silence(&self, port: &mut SerialStream) -> Result<(), Error> {
        port.clear(ClearBuffer::Input).map_err(io::Error::from)?;
        let silence = self.line.baud_rate.silence();
        let mut stray = [0; 256];
        let listening = async {
            while let Ok(heard) = timeout(silence, port.read(&mut stray)).await {
                tracing::debug!(bytes = heard?, "stray bytes on the line");
            }
            Ok(())
        };
        timeout(SILENCE_LIMIT, listening)
            .await
            .unwrap_or(Err(Error::NeverSilent))
    }
}

fn foreign(device: DeviceAddress, detail: String) -> Error {
    Error::ForeignAnswer { device, detail }
}

/// 20 to 100 ms, so that two daemons don't keep meeting.
fn busy_pause() -> Duration {
    // Each `RandomState` is keyed anew: enough chance for a pause.
    let chance = RandomState::new().hash_one(());
    Duration::from_millis(20 + chance % 80)
}
