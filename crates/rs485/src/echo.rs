//! A transport that takes the own echo off the line.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{BaudRate, LocalEcho};

/// Time for the echo beyond that on the line: receive FIFO and scheduling, also where one
/// core does everything and is busy. It decides only how soon a dead transceiver is told
/// from a silent device, so it may be generous; shorter than every answer limit.
const ECHO_MARGIN: Duration = Duration::from_millis(250);

/// Why an echo is not the one expected; travels inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum EchoFault {
    #[error("heard {heard} of {sent} sent bytes")]
    Missing { sent: usize, heard: usize },
    #[error("sent {sent:#04x}, heard {heard:#04x}")]
    Changed { sent: u8, heard: u8 },
}

/// Compares the echo of everything written with what comes back and passes on only
/// what follows it.
#[derive(Debug)]
pub(crate) struct EchoCancel<T> {
    line: T,
    baud_rate: BaudRate,
    echo: LocalEcho,
    /// Bytes written whose echo has not come yet.
    awaited: VecDeque<u8>,
    sent: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<T> EchoCancel<T> {
    pub(crate) fn new(line: T, baud_rate: BaudRate, echo: LocalEcho) -> Self {
        let deadline = Box::pin(sleep_until(Instant::now()));
        Self {
            line,
            baud_rate,
            echo,
            awaited: VecDeque::new(),
            sent: 0,
            deadline,
        }
    }

    fn expect_echo(&mut self, bytes: &[u8]) {
        if self.echo == LocalEcho::Absent {
            return;
        }
        self.awaited.extend(bytes);
        self.sent += bytes.len();
        let on_the_line = self.baud_rate.duration_of(self.awaited.len() as u32);
        self.deadline
            .as_mut()
            .reset(Instant::now() + on_the_line + ECHO_MARGIN);
    }

    /// Takes the echo off the front of `heard` and returns the rest.
    fn strip<'h>(&mut self, heard: &'h [u8]) -> Result<&'h [u8], EchoFault> {
        for (index, byte) in heard.iter().enumerate() {
            match self.awaited.pop_front() {
                None => return Ok(&heard[index..]),
                Some(sent) if sent == *byte => {}
                Some(sent) => return Err(EchoFault::Changed { sent, heard: *byte }),
            }
        }
        Ok(&[])
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for EchoCancel<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.awaited.is_empty() {
            let mut space = [0; 256];
            let room = buffer.remaining().min(space.len());
            let mut heard = ReadBuf::new(&mut space[..room]);
            if Pin::new(&mut self.line)
                .poll_read(cx, &mut heard)?
                .is_pending()
            {
                ready!(self.deadline.as_mut().poll(cx));
                let missing = EchoFault::Missing {
                    sent: self.sent,
                    heard: self.sent - self.awaited.len(),
                };
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, missing)));
            }
            if heard.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let rest = self
                .strip(heard.filled())
                .map_err(|changed| io::Error::new(io::ErrorKind::InvalidData, changed))?;
            if !rest.is_empty() {
                buffer.put_slice(rest);
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.line).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for EchoCancel<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.line).poll_write(cx, bytes))?;
        self.expect_echo(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    /// Does nothing: draining a serial port blocks the daemon's only thread, and the
    /// answer can't come before the request has left.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn echoing() -> (EchoCancel<DuplexStream>, DuplexStream) {
        let (near, far) = duplex(1024);
        (
            EchoCancel::new(near, BaudRate::B9600, LocalEcho::Present),
            far,
        )
    }

    fn fault(error: &io::Error) -> &EchoFault {
        error.get_ref().unwrap().downcast_ref().unwrap()
    }

    // covers: MET-025
    #[tokio::test]
    async fn the_echo_is_removed_however_it_is_cut() {
        for cut in 1..=11 {
            let (mut near, mut far) = echoing();
            near.write_all(b"request").await.unwrap();
            let reader = tokio::spawn(async move {
                let mut answer = [0; 6];
                near.read_exact(&mut answer).await.unwrap();
                answer
            });
            for piece in b"requestanswer".chunks(cut) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            assert_eq!(&reader.await.unwrap(), b"answer", "in pieces of {cut}");
        }
    }

    #[tokio::test]
    async fn a_changed_echo_is_a_collision() {
        let (mut near, mut far) = echoing();
        near.write_all(b"request").await.unwrap();
        far.write_all(b"reqvest").await.unwrap();
        let error = near.read_u8().await.unwrap_err();
        assert!(matches!(
            fault(&error),
            EchoFault::Changed {
                sent: b'u',
                heard: b'v'
            }
        ));
    }

    /// Long enough for a busy core, short enough to be told from a silent device.
    #[tokio::test]
    async fn a_missing_echo_is_not_waited_for_longer_than_it_takes() {
        let (mut near, mut far) = echoing();
        let start = Instant::now();
        near.write_all(b"request").await.unwrap();
        far.write_all(b"req").await.unwrap();
        let error = near.read_u8().await.unwrap_err();
        assert!(matches!(
            fault(&error),
            EchoFault::Missing { sent: 7, heard: 3 }
        ));
        let waited = start.elapsed();
        // Without a limit it would be for ever.
        let bounds = Duration::from_millis(200)..Duration::from_secs(10);
        assert!(bounds.contains(&waited), "{waited:?}");
    }

    // covers: MET-026
    #[tokio::test]
    async fn without_local_echo_every_byte_is_passed_on() {
        let (near, mut far) = duplex(1024);
        let mut near = EchoCancel::new(near, BaudRate::B9600, LocalEcho::Absent);
        near.write_all(b"request").await.unwrap();
        far.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }
}
