//! A meter on the bus: find out what it is, read it.

use rs485::{Bus, DeviceAddress};
use tokio::time::{Instant, sleep_until};

use crate::maps::{METER_CODE, METER_CODES, Model, Read, SDM230, SDM630, Serial, SerialForm};
use crate::maps::{Phase, Quantity};
use crate::protocol::{Detection, Protocol};
use crate::reading::{Implausible, Reading};

/// Below this a phase isn't wired, in volts.
const LEAST_MAINS_VOLTAGE: f64 = 50.0;

/// Exception codes of a read that reaches beyond what the meter has or gives.
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transaction failed.
    #[error(transparent)]
    Bus(#[from] rs485::Error),
    /// A meter answers, but not as any of the models does.
    #[error(
        "the meter's model can't be told (Meter Code {code}, no voltage at L1): \
         set ports[0]/meter/protocol to eastron,sdm230, eastron,sdm630, \
         eastron,sdm72dm-v1 or eastron,sdm72dm-v2"
    )]
    UnknownModel {
        /// What its Meter Code register says.
        code: String,
    },
    /// The answer can't be believed.
    #[error(transparent)]
    Implausible(#[from] Implausible),
}

/// Which meter answers.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its model.
    pub model: &'static Model,
    /// Its serial number, where it tells it.
    pub serial: Option<String>,
}

/// A device at an address that speaks a protocol.
#[derive(Debug)]
pub struct Meter {
    bus: Bus,
    device: DeviceAddress,
    protocol: &'static Protocol,
    last_request: Option<Instant>,
    /// The meter refuses reads with gaps: ask for each value alone.
    one_by_one: bool,
}

impl Meter {
    /// Nothing is sent yet.
    pub const fn new(bus: Bus, device: DeviceAddress, protocol: &'static Protocol) -> Self {
        Self {
            bus,
            device,
            protocol,
            last_request: None,
            one_by_one: false,
        }
    }

    /// Its Modbus address.
    pub const fn address(&self) -> DeviceAddress {
        self.device
    }

    /// Find out which model answers, and its serial number.
    ///
    /// # Errors
    /// When nothing answers, or nothing known.
    pub async fn identify(&mut self) -> Result<Identity, Error> {
        self.one_by_one = false;
        let model = match self.protocol.detection {
            Detection::Configured(model) => model,
            Detection::MeterCode => self.by_meter_code().await?,
            Detection::Phases { three, one } => self.by_phases(three, one, "none").await?,
        };
        let serial = match model.serial {
            Some(serial) => self.serial(serial).await?,
            None => None,
        };
        Ok(Identity { model, serial })
    }

    /// All values of the meter, as it tells them.
    ///
    /// # Errors
    /// When a request fails twice.
    pub async fn read(&mut self, model: &'static Model) -> Result<Reading, Error> {
        if !self.one_by_one {
            match self.read_blocks(model).await {
                Err(rs485::Error::Refused {
                    code: code @ (ILLEGAL_ADDRESS | ILLEGAL_VALUE),
                    ..
                }) => {
                    tracing::warn!(
                        model = model.name,
                        code,
                        "the meter refuses reads of several values: they are read one by one"
                    );
                    self.one_by_one = true;
                }
                result => return Ok(result?),
            }
        }
        self.read_one_by_one(model).await
    }

    async fn read_blocks(&mut self, model: &'static Model) -> Result<Reading, rs485::Error> {
        let mut reading = Reading::default();
        for read in model.reads {
            let words = self.request_twice(*read).await?;
            for register in model.registers {
                let value = read
                    .words_of(register, &words)
                    .and_then(|w| register.value(w));
                if let Some(value) = value {
                    reading.set(register.quantity, register.phase, value);
                }
            }
        }
        Ok(reading)
    }

    async fn read_one_by_one(&mut self, model: &'static Model) -> Result<Reading, Error> {
        let mut reading = Reading::default();
        for register in model.registers {
            let words = self.request_twice(register.alone()).await?;
            if let Some(value) = register.value(&words) {
                reading.set(register.quantity, register.phase, value);
            }
        }
        Ok(reading)
    }

    async fn by_meter_code(&mut self) -> Result<&'static Model, Error> {
        let code = match self.request(METER_CODE).await {
            Ok(words) => words.first().copied().unwrap_or_default(),
            // Old firmware refuses, or says nothing at all.
            Err(rs485::Error::Refused { .. } | rs485::Error::NoAnswer { .. }) => {
                return self.by_phases(&SDM630, &SDM230, "not readable").await;
            }
            Err(error) => return Err(error.into()),
        };
        if let Some((_, model, _)) = METER_CODES.iter().find(|(known, ..)| *known == code) {
            return Ok(model);
        }
        let code = format!("{code:#06x}");
        let model = self.by_phases(&SDM630, &SDM230, &code).await?;
        tracing::warn!(
            code,
            model = model.name,
            "unknown Meter Code; the model is a guess"
        );
        Ok(model)
    }

    /// `three` or `one`, after the voltages of L1 and L2; the two models agree in
    /// where these stand.
    async fn by_phases(
        &mut self,
        three: &'static Model,
        one: &'static Model,
        code: &str,
    ) -> Result<&'static Model, Error> {
        if self.has_voltage(three, Phase::L2).await? {
            return Ok(three);
        }
        if self.has_voltage(one, Phase::L1).await? {
            return Ok(one);
        }
        Err(Error::UnknownModel {
            code: code.to_owned(),
        })
    }

    async fn has_voltage(&mut self, model: &Model, phase: Phase) -> Result<bool, Error> {
        let Some(register) = model.register(Quantity::Voltage, phase) else {
            return Ok(false);
        };
        match self.request(register.alone()).await {
            Ok(words) => Ok(register
                .value(&words)
                .is_some_and(|volts| volts >= LEAST_MAINS_VOLTAGE)),
            Err(rs485::Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A meter that doesn't know its number is no worse for that.
    async fn serial(&mut self, serial: Serial) -> Result<Option<String>, Error> {
        match self.request(serial.read).await {
            Ok(words) => Ok(serial_text(&words, serial.form)),
            Err(rs485::Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Once more after a disturbance: one lost frame is no outage.
    async fn request_twice(&mut self, read: Read) -> Result<Vec<u16>, rs485::Error> {
        match self.request(read).await {
            Ok(words) => Ok(words),
            Err(error @ rs485::Error::Refused { .. }) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "asked once more");
                self.request(read).await
            }
        }
    }

    async fn request(&mut self, read: Read) -> Result<Vec<u16>, rs485::Error> {
        if let Some(last) = self.last_request {
            sleep_until(last + self.protocol.pause).await;
        }
        let Read {
            function,
            start,
            count,
        } = read;
        let result = self.bus.read(self.device, function, start, count).await;
        self.last_request = Some(Instant::now());
        result
    }
}

fn serial_text(words: &[u16], form: SerialForm) -> Option<String> {
    let &[high, low] = words else { return None };
    let number = u32::from(high) << 16 | u32::from(low);
    let text = match form {
        SerialForm::Decimal => number.to_string(),
        SerialForm::Hexadecimal => format!("{number:08X}"),
    };
    (number != 0).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_read_as_printed() {
        assert_eq!(
            serial_text(&[0x00BC, 0x614E], SerialForm::Decimal).unwrap(),
            "12345678"
        );
        assert_eq!(
            serial_text(&[0x2101, 0x0042], SerialForm::Hexadecimal).unwrap(),
            "21010042"
        );
        assert_eq!(serial_text(&[0, 0], SerialForm::Decimal), None);
    }
}
