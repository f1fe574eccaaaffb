//! GPIO through the kernel's character device uAPI v2.

use std::io;
use std::path::Path;

use gpiocdev::line::{Value, Values};
use gpiocdev::{Chip, Request};

use super::line_map::{self, ChipLines, FoundLine};
use crate::BoardError;
use crate::lines::{DigitalLines, InputLevels, OutputLevels};

/// All lines of ours, one request per chip and direction.
pub(super) struct Gpio {
    banks: Vec<Bank>,
}

struct Bank {
    lines: ChipLines,
    inputs: Option<Request>,
    outputs: Option<Request>,
}

impl Gpio {
    pub(super) fn open(dev: &Path, digital: DigitalLines) -> Result<Self, BoardError> {
        let found = find_lines(dev)?;
        let banks = line_map::assign(&found, dev, digital)?
            .into_iter()
            .map(|lines| Bank::request(lines, digital))
            .collect::<Result<_, _>>()?;
        Ok(Self { banks })
    }

    pub(super) fn set(&mut self, levels: OutputLevels) -> Result<(), BoardError> {
        // Every bank is tried: one dead chip must not keep a relay on another closed.
        self.banks
            .iter()
            .map(|bank| bank.set(levels))
            .fold(Ok(()), Result::and)
    }

    pub(super) fn levels(&mut self) -> Result<InputLevels, BoardError> {
        self.banks
            .iter()
            .try_fold(InputLevels::default(), |levels, bank| bank.read(levels))
    }
}

impl Bank {
    fn request(lines: ChipLines, digital: DigitalLines) -> Result<Self, BoardError> {
        let failed = |direction: &str, names: Vec<&str>, error: gpiocdev::Error| {
            let operation = format!(
                "take {direction} {} of {}",
                names.join(" "),
                lines.chip.display()
            );
            BoardError::new(operation, kernel_error(error))
        };
        let mut outputs = None;
        if !lines.outputs.is_empty() {
            let mut start = Values::default();
            for (line, offset) in &lines.outputs {
                start.set(*offset, value(digital.start_level(*line)));
            }
            let request = builder(&lines.chip).with_output_lines(&start).request();
            let names = || lines.outputs.iter().map(|(line, _)| line.name()).collect();
            outputs = Some(request.map_err(|error| failed("outputs", names(), error))?);
        }
        let mut inputs = None;
        if !lines.inputs.is_empty() {
            let offsets: Vec<u32> = lines.inputs.iter().map(|(_, offset)| *offset).collect();
            let request = builder(&lines.chip)
                .with_lines(&offsets)
                .as_input()
                .request();
            let names = || lines.inputs.iter().map(|(line, _)| line.name()).collect();
            inputs = Some(request.map_err(|error| failed("inputs", names(), error))?);
        }
        Ok(Self {
            inputs,
            outputs,
            lines,
        })
    }

    fn set(&self, levels: OutputLevels) -> Result<(), BoardError> {
        let mut values = Values::default();
        for (line, offset) in &self.lines.outputs {
            if let Some(high) = levels.level(*line) {
                values.set(*offset, value(high));
            }
        }
        match &self.outputs {
            Some(request) if !values.is_empty() => request.set_values(&values).map_err(|error| {
                BoardError::new(self.lines.describe_outputs(levels), kernel_error(error))
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn read(&self, mut levels: InputLevels) -> Result<InputLevels, BoardError> {
        let Some(request) = &self.inputs else {
            return Ok(levels);
        };
        let failed = |source| {
            BoardError::new(
                format!("read input lines of {}", self.lines.chip.display()),
                source,
            )
        };
        let offsets: Vec<u32> = self
            .lines
            .inputs
            .iter()
            .map(|(_, offset)| *offset)
            .collect();
        let mut values = Values::from_offsets(&offsets);
        request
            .values(&mut values)
            .map_err(|error| failed(kernel_error(error)))?;
        for (line, offset) in &self.lines.inputs {
            let value = values
                .get(*offset)
                .ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
            levels = levels.with(*line, value == Value::Active);
        }
        Ok(levels)
    }
}

fn builder(chip: &Path) -> gpiocdev::request::Builder {
    let mut builder = Request::builder();
    builder.on_chip(chip).with_consumer("evsed");
    builder
}

fn find_lines(dev: &Path) -> Result<Vec<FoundLine>, BoardError> {
    let mut found = Vec::new();
    for path in line_map::chip_paths(dev)? {
        let failed = |error| {
            BoardError::new(
                format!("look for lines on {}", path.display()),
                kernel_error(error),
            )
        };
        let chip = Chip::from_path(&path).map_err(failed)?;
        for info in chip.line_info_iter().map_err(failed)? {
            let info = info.map_err(failed)?;
            found.push(FoundLine {
                chip: path.clone(),
                offset: info.offset,
                name: info.name,
            });
        }
    }
    Ok(found)
}

fn value(high: bool) -> Value {
    if high { Value::Active } else { Value::Inactive }
}

fn kernel_error(error: gpiocdev::Error) -> io::Error {
    io::Error::other(error)
}
