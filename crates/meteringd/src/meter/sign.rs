//! Make the meter sign: the steps of a job on the bus.

use rs485::ReadFunction::Holding;

use super::Meter;
use crate::maps::{Read, Signing};
use crate::signing::{Step, public_key};

impl Meter {
    /// Carry out a step, and what was read by it. A write is sent once: whether it was done
    /// is for the job to find out.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn carry_out(&mut self, step: &Step) -> Result<Vec<u16>, rs485::Error> {
        match step {
            Step::Read { start, count } => {
                let read = Read {
                    function: Holding,
                    start: *start,
                    count: *count,
                };
                self.request_twice(read).await
            }
            Step::Write { start, words } => {
                self.rest().await;
                let result = self.bus.write_registers(self.device, *start, words).await;
                self.note(&result);
                result.map(|()| Vec::new())
            }
            Step::Command { register, word } => {
                self.rest().await;
                let result = self.bus.write_register(self.device, *register, *word).await;
                self.note(&result);
                result.map(|()| Vec::new())
            }
            Step::Wait(_) | Step::Finished(_) => Ok(Vec::new()),
        }
    }

    /// The public key as hexadecimal digits of its DER; empty when the meter has none.
    ///
    /// # Errors
    /// When the transaction fails.
    pub async fn public_key(&mut self, signing: &Signing) -> Result<String, rs485::Error> {
        let field = signing.key();
        let read = Read {
            function: Holding,
            start: field.address,
            count: field.words,
        };
        match self.request_twice(read).await {
            Ok(words) => Ok(public_key(signing, &words)),
            Err(error @ rs485::Error::Refused { .. }) => {
                tracing::warn!("public key: {error}");
                Ok(String::new())
            }
            Err(error) => Err(error),
        }
    }
}
