//! GPIO through the kernel's older character device uAPI v1.

use std::io;
use std::path::Path;

use gpio_cdev::{Chip, LineRequestFlags, MultiLineHandle};

use super::line_map::{self, ChipLines, FoundLine};
use crate::BoardError;
use crate::lines::{DigitalLines, InputLevels, OutputLevels};

/// All lines of ours, one request per chip and direction.
pub(super) struct Gpio {
    banks: Vec<Bank>,
}

struct Bank {
    lines: ChipLines,
    inputs: Option<MultiLineHandle>,
    outputs: Option<MultiLineHandle>,
    /// v1 sets all lines of a request at once, so the others are repeated.
    written: Vec<u8>,
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
            .iter_mut()
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
        let failed = |direction: &str, names: Vec<&str>, error: gpio_cdev::Error| {
            let operation = format!(
                "take {direction} {} of {}",
                names.join(" "),
                lines.chip.display()
            );
            BoardError::new(operation, kernel_error(error))
        };
        let mut outputs = None;
        let start: Vec<u8> = lines
            .outputs
            .iter()
            .map(|(line, _)| u8::from(digital.start_level(*line)))
            .collect();
        if !lines.outputs.is_empty() {
            let offsets: Vec<u32> = lines.outputs.iter().map(|(_, offset)| *offset).collect();
            let names = || lines.outputs.iter().map(|(line, _)| line.name()).collect();
            let request = take(&lines.chip, &offsets, LineRequestFlags::OUTPUT, &start);
            outputs = Some(request.map_err(|error| failed("outputs", names(), error))?);
        }
        let mut inputs = None;
        if !lines.inputs.is_empty() {
            let offsets: Vec<u32> = lines.inputs.iter().map(|(_, offset)| *offset).collect();
            let names = || lines.inputs.iter().map(|(line, _)| line.name()).collect();
            let request = take(
                &lines.chip,
                &offsets,
                LineRequestFlags::INPUT,
                &vec![0; offsets.len()],
            );
            inputs = Some(request.map_err(|error| failed("inputs", names(), error))?);
        }
        Ok(Self {
            inputs,
            outputs,
            written: start,
            lines,
        })
    }

    fn set(&mut self, levels: OutputLevels) -> Result<(), BoardError> {
        let Some(handle) = &self.outputs else {
            return Ok(());
        };
        if self
            .lines
            .outputs
            .iter()
            .all(|(line, _)| levels.level(*line).is_none())
        {
            return Ok(());
        }
        let lines = self.lines.outputs.iter().zip(&self.written);
        let values: Vec<u8> = lines
            .map(|((line, _), last)| levels.level(*line).map_or(*last, u8::from))
            .collect();
        // Kept even when the kernel refuses: a refused opening must not be
        // undone by the next write to another line of the chip.
        self.written.clone_from(&values);
        handle.set_values(&values).map_err(|error| {
            BoardError::new(self.lines.describe_outputs(levels), kernel_error(error))
        })
    }

    fn read(&self, mut levels: InputLevels) -> Result<InputLevels, BoardError> {
        let Some(handle) = &self.inputs else {
            return Ok(levels);
        };
        let values = handle.get_values().map_err(|error| {
            let operation = format!("read input lines of {}", self.lines.chip.display());
            BoardError::new(operation, kernel_error(error))
        })?;
        for ((line, _), value) in self.lines.inputs.iter().zip(values) {
            levels = levels.with(*line, value != 0);
        }
        Ok(levels)
    }
}

fn take(
    chip: &Path,
    offsets: &[u32],
    flags: LineRequestFlags,
    start: &[u8],
) -> Result<MultiLineHandle, gpio_cdev::Error> {
    Chip::new(chip)?
        .get_lines(offsets)?
        .request(flags, start, "evsed")
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
        for line in Chip::new(&path).map_err(failed)?.lines() {
            let info = line.info().map_err(failed)?;
            let name = info.name().unwrap_or_default().to_owned();
            found.push(FoundLine {
                chip: path.clone(),
                offset: line.offset(),
                name,
            });
        }
    }
    Ok(found)
}

fn kernel_error(error: gpio_cdev::Error) -> io::Error {
    io::Error::other(error)
}
