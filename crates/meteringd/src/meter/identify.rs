//! Find out what the meter is.

use rs485::DeviceAddress;

use tokio::time::Instant;

use super::{Error, Identity, Meter, QUIET};
use crate::maps::{
    COMMON, END_OF_MODELS, MAGIC, MARKER_ADDRESSES, METER_CODE, METER_CODES, Model, Phase,
    Quantity, Read, SDM230, SDM630, SUNSPEC_MODELS, SerialForm, marker, model_header,
};
use crate::protocol::Detection;

/// Below this a phase isn't wired, in volts.
const LEAST_MAINS_VOLTAGE: f64 = 50.0;
/// Mains frequencies in hertz.
const MAINS_FREQUENCY: std::ops::RangeInclusive<f64> = 45.0..=65.0;
/// More models than any SunSpec device lists: the walk ends.
const MOST_SUNSPEC_MODELS: u32 = 32;
/// Number and length, which a model's length doesn't count.
const MODEL_HEADER_WORDS: u16 = 2;

/// A model and where its parts stand.
struct Found {
    model: &'static Model,
    /// Start of its values.
    base: u16,
    /// Start of name and serial number.
    identity_base: u16,
}

impl Found {
    const fn fixed(model: &'static Model) -> Self {
        Self {
            model,
            base: 0,
            identity_base: 0,
        }
    }
}

impl Meter {
    /// Which meter answers.
    ///
    /// # Errors
    /// When none does, or it is none of the protocol's.
    pub async fn identify(&mut self) -> Result<Identity, Error> {
        if self.is_doubtful && self.fence.is_some() {
            self.quiet_until = Some(Instant::now() + QUIET);
        }
        self.base = 0;
        self.one_by_one = false;
        self.fence = None;
        let found = match &self.protocol.detection {
            Detection::Configured(model) => Found::fixed(model),
            Detection::MeterCode => Found::fixed(self.by_meter_code().await?),
            Detection::Phases { three, one } => {
                Found::fixed(self.by_phases(three, one, "none").await?)
            }
            Detection::FrequencyPlace { three, one } => {
                Found::fixed(self.by_frequency(three, one).await?)
            }
            Detection::Name(models) => Found::fixed(self.by_name(models).await?),
            Detection::SunSpec => self.by_walk().await?,
        };
        let Found {
            model,
            base,
            identity_base,
        } = found;
        self.base = base;
        self.identity_base = identity_base;
        self.fence = model.fence;
        self.pause = model.pause;
        let name = match model.designation {
            Some(read) => match self.text(read.from_base(identity_base)).await {
                // It decides nothing: the model is configured.
                result if matches!(self.protocol.detection, Detection::Configured(_)) => {
                    unless_silent(result)?
                }
                result => result?,
            },
            None => None,
        };
        let serial = match self.serial(model).await {
            Ok(serial) => serial,
            Err(_) => unless_silent(self.serial(model).await)?,
        };
        Ok(Identity {
            model,
            name: name.unwrap_or_else(|| model.name.to_owned()),
            serial,
            address: self.device,
        })
    }

    async fn by_meter_code(&mut self) -> Result<&'static Model, Error> {
        let code = match self.request_twice(METER_CODE).await {
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
        let is_wired = |volts| volts >= LEAST_MAINS_VOLTAGE;
        if self
            .shows(three, Quantity::Voltage, Phase::L2, is_wired)
            .await?
        {
            return Ok(three);
        }
        if self
            .shows(one, Quantity::Voltage, Phase::L1, is_wired)
            .await?
        {
            return Ok(one);
        }
        Err(Error::UnknownModel {
            code: code.to_owned(),
        })
    }

    /// `three` or `one`, after where the mains frequency stands. The single-phase
    /// model's place is asked first: in the other's table it belongs to a current, whose
    /// value there never looks like a frequency.
    async fn by_frequency(
        &mut self,
        three: &'static Model,
        one: &'static Model,
    ) -> Result<&'static Model, Error> {
        for model in [one, three] {
            let is_mains = |hertz| MAINS_FREQUENCY.contains(&hertz);
            if self
                .shows(model, Quantity::Frequency, Phase::Total, is_mains)
                .await?
            {
                return Ok(model);
            }
        }
        Err(self.not_this_protocol("no mains frequency in any of the places for it"))
    }

    async fn by_name(
        &mut self,
        models: &[(&str, &'static Model)],
    ) -> Result<&'static Model, Error> {
        let Some(read) = models.first().and_then(|(_, model)| model.designation) else {
            return Err(self.not_this_protocol("its models tell no name"));
        };
        let name = self.text(read).await?.unwrap_or_default();
        models
            .iter()
            .find(|(beginning, _)| name.starts_with(beginning))
            .map(|(_, model)| *model)
            .ok_or_else(|| self.not_this_protocol(&format!("it calls itself {name:?}")))
    }

    /// The first meter model that the device lists.
    async fn by_walk(&mut self) -> Result<Found, Error> {
        let mut address = self.marker().await?.wrapping_add(MAGIC.len() as u16);
        let mut identity_base = address;
        for _ in 0..MOST_SUNSPEC_MODELS {
            let header = self.request_twice(model_header(address)).await?;
            let &[number, length] = header.as_slice() else {
                break;
            };
            if number == END_OF_MODELS {
                break;
            }
            if number == COMMON {
                identity_base = address;
            }
            if let Some((_, model)) = SUNSPEC_MODELS.iter().find(|(known, _)| *known == number) {
                let needed = model.reads.iter().map(|read| read.start + read.count).max();
                if needed.is_some_and(|needed| needed <= length.saturating_add(MODEL_HEADER_WORDS))
                {
                    return Ok(Found {
                        model,
                        base: address,
                        identity_base,
                    });
                }
                tracing::warn!(number, length, "a SunSpec meter model that is too short");
            }
            let step = length.checked_add(MODEL_HEADER_WORDS);
            let Some(next) = step.and_then(|step| address.checked_add(step)) else {
                break;
            };
            address = next;
        }
        Err(self.not_this_protocol("it lists no SunSpec model 201 to 204 or 211 to 214"))
    }

    /// Where the mark of a SunSpec device stands. A place that is refused or holds
    /// something else is no place; silence is an outage.
    async fn marker(&mut self) -> Result<u16, Error> {
        for address in MARKER_ADDRESSES {
            match self.request_twice(marker(*address)).await {
                Ok(words) if words == MAGIC => return Ok(*address),
                Ok(_) | Err(rs485::Error::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.not_this_protocol("no mark \"SunS\" at 40000, 0 or 50000"))
    }

    /// Whether the value of `quantity` in `phase` is there and `fits`.
    async fn shows(
        &mut self,
        model: &Model,
        quantity: Quantity,
        phase: Phase,
        fits: impl Fn(f64) -> bool,
    ) -> Result<bool, Error> {
        let Some(register) = model.register(quantity, phase) else {
            return Ok(false);
        };
        match self.request_twice(register.alone()).await {
            Ok(words) => Ok(register.value(&register.alone(), &words).is_some_and(fits)),
            Err(rs485::Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A meter that doesn't tell its name is no worse for that.
    async fn text(&mut self, read: Read) -> Result<Option<String>, Error> {
        match self.request_twice(read).await {
            Ok(words) => Ok(name_text(&words)),
            Err(rs485::Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The serial number of a meter that was identified as `model`, asked for once; `None`
    /// where it has none: it is no worse for that.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn serial(&mut self, model: &Model) -> Result<Option<String>, Error> {
        let Some(serial) = model.serial else {
            return Ok(None);
        };
        match self
            .request(serial.read.from_base(self.identity_base))
            .await
        {
            Ok(words) => Ok(serial_text(&words, serial.form)),
            Err(rs485::Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn not_this_protocol(&self, finding: &str) -> Error {
        let device: DeviceAddress = self.device;
        Error::NotThisProtocol {
            device,
            protocol: self.protocol.key,
            finding: finding.to_owned(),
        }
    }
}

/// Firmware that doesn't know a register refuses it, or says nothing at all; whether the
/// meter is there is shown by its values.
fn unless_silent(result: Result<Option<String>, Error>) -> Result<Option<String>, Error> {
    match result {
        Err(Error::Bus(rs485::Error::NoAnswer { .. })) => Ok(None),
        result => result,
    }
}

/// Texts of fixed width, one after the other, padded with NUL or spaces.
fn name_text(words: &[u16]) -> Option<String> {
    let text = printable(words, ' ');
    let parts: Vec<&str> = text.split_whitespace().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn serial_text(words: &[u16], form: SerialForm) -> Option<String> {
    if words.iter().all(|word| *word == 0) {
        return None;
    }
    let text = match form {
        SerialForm::Decimal => {
            let &[high, low] = words else { return None };
            (u32::from(high) << 16 | u32::from(low)).to_string()
        }
        SerialForm::Hexadecimal => words.iter().map(|word| format!("{word:04X}")).collect(),
        // Some put one character into a register, some two.
        SerialForm::Text => printable(words, '\0').replace('\0', "").trim().to_owned(),
    };
    (!text.is_empty()).then_some(text)
}

/// The characters of `words`, with `gap` for what is none.
fn printable(words: &[u16], gap: char) -> String {
    words
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .map(|byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => gap,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_read_as_printed() {
        let text = |words: &[u16], form| serial_text(words, form);
        let decimal = text(&[0x00BC, 0x614E], SerialForm::Decimal);
        assert_eq!(decimal.as_deref(), Some("12345678"));
        let digits = text(&[0x2101, 0x0042], SerialForm::Hexadecimal);
        assert_eq!(digits.as_deref(), Some("21010042"));
        let packed = text(&[0x0011, 0x2233, 0x4455], SerialForm::Hexadecimal);
        assert_eq!(packed.as_deref(), Some("001122334455"));
        let narrow = [0x4142, 0x3132, 0x3300, 0, 0, 0, 0];
        assert_eq!(text(&narrow, SerialForm::Text).as_deref(), Some("AB123"));
        let wide = [0x41, 0x42, 0x31, 0x32, 0x33, 0, 0];
        assert_eq!(text(&wide, SerialForm::Text).as_deref(), Some("AB123"));
        for form in [
            SerialForm::Decimal,
            SerialForm::Hexadecimal,
            SerialForm::Text,
        ] {
            assert_eq!(text(&[0, 0], form), None);
        }
        assert_eq!(text(&[0x2020, 0xFFFF], SerialForm::Text), None);
    }

    #[test]
    fn names_of_fixed_width_are_joined() {
        let words = [0x4241, 0x5545, 0x5200, 0x0000, 0x4253, 0x4D20, 0x0000];
        assert_eq!(name_text(&words).as_deref(), Some("BAUER BSM"));
        assert_eq!(name_text(&[0, 0x2020]), None);
    }
}
