//! Transactions of protocols other than Modbus.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::bus::HOLD_LIMIT;
use crate::echo::EchoCancel;
use crate::{Bus, Error};

/// More than this is no answer but somebody else's talk.
const LONGEST_ANSWER: usize = 512;

impl Bus {
    /// Send `request` and hand everything heard since to `find` until it finds the
    /// answer in it.
    ///
    /// `limit` is the time that the device may think. As with Modbus, the own echo is
    /// compared and removed, and the port is held for less than a second.
    ///
    /// # Errors
    /// Every failed transaction, [`Error::Unanswered`] where `find` found nothing.
    pub async fn ask<A>(
        &mut self,
        request: &[u8],
        limit: Duration,
        find: impl Fn(&[u8]) -> Option<A>,
    ) -> Result<A, Error> {
        self.settle().await;
        let result = self.converse(request, limit, find).await;
        self.remember(&result);
        result
    }

    async fn converse<A>(
        &self,
        request: &[u8],
        limit: Duration,
        find: impl Fn(&[u8]) -> Option<A>,
    ) -> Result<A, Error> {
        let mut port = self.open().await?;
        self.await_silence(&mut port).await?;
        let mut line = EchoCancel::new(port, self.line.baud_rate, self.line.echo);
        let conversation = async {
            line.write_all(request).await.map_err(Error::from_line)?;
            let mut heard = Vec::new();
            let mut piece = [0; 64];
            while heard.len() <= LONGEST_ANSWER {
                let count = line.read(&mut piece).await.map_err(Error::from_line)?;
                if count == 0 {
                    return Err(Error::Line(io::ErrorKind::UnexpectedEof.into()));
                }
                heard.extend(&piece[..count]);
                if let Some(answer) = find(&heard) {
                    return Ok(answer);
                }
            }
            Err(Error::NeverSilent)
        };
        let limit = limit.min(HOLD_LIMIT);
        timeout(limit, conversation)
            .await
            .unwrap_or(Err(Error::Unanswered { limit }))
    }
}
