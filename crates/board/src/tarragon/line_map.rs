//! Which chip holds which line: a search by name, the same for both GPIO backends.

use std::io;
use std::path::{Path, PathBuf};

use crate::BoardError;
use crate::lines::{DigitalLines, InputLine, OutputLevels, OutputLine};

/// A named line that a chip reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundLine {
    pub chip: PathBuf,
    pub offset: u32,
    pub name: String,
}

/// The lines of ours on one chip; they are requested, read and set together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ChipLines {
    pub chip: PathBuf,
    pub inputs: Vec<(InputLine, u32)>,
    pub outputs: Vec<(OutputLine, u32)>,
}

impl ChipLines {
    /// What is being set on this chip, for messages.
    pub(super) fn describe_outputs(&self, levels: OutputLevels) -> String {
        let ours = self
            .outputs
            .iter()
            .filter_map(|(line, _)| Some((line, levels.level(*line)?)));
        let names: Vec<_> = ours
            .map(|(line, high)| format!("{}={}", line.name(), u8::from(high)))
            .collect();
        format!("set {} on {}", names.join(" "), self.chip.display())
    }
}

/// Character devices called `gpiochip*` in `dev`, sorted.
pub(super) fn chip_paths(dev: &Path) -> Result<Vec<PathBuf>, BoardError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dev)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with("gpiochip")) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    };
    list().map_err(|source| {
        BoardError::new(format!("look for GPIO chips in {}", dev.display()), source)
    })
}

/// Every line of ours must be found exactly once; of the digital ones, those in
/// use. The relays' chip comes first: taking its lines opens them, even when a line
/// of another chip is busy.
pub(super) fn assign(
    found: &[FoundLine],
    dev: &Path,
    digital: DigitalLines,
) -> Result<Vec<ChipLines>, BoardError> {
    let mut chips: Vec<ChipLines> = Vec::new();
    let inputs = InputLine::ALL.into_iter();
    for line in inputs.filter(|line| digital.has_input(*line)) {
        let found = find(found, line.name(), dev)?;
        chip_entry(&mut chips, &found.chip)
            .inputs
            .push((line, found.offset));
    }
    let outputs = OutputLine::ALL.into_iter();
    for line in outputs.filter(|line| digital.has_output(*line)) {
        let found = find(found, line.name(), dev)?;
        chip_entry(&mut chips, &found.chip)
            .outputs
            .push((line, found.offset));
    }
    chips.sort_by_key(|chip| !chip.outputs.iter().any(|(line, _)| is_relay(*line)));
    Ok(chips)
}

fn is_relay(line: OutputLine) -> bool {
    matches!(line, OutputLine::Relay1Enable | OutputLine::Relay2Enable)
}

fn find<'a>(found: &'a [FoundLine], name: &str, dev: &Path) -> Result<&'a FoundLine, BoardError> {
    let problem = |kind, text: String| {
        let operation = format!("find GPIO line {name} on the chips in {}", dev.display());
        Err(BoardError::new(operation, io::Error::new(kind, text)))
    };
    let mut matches = found.iter().filter(|line| line.name == name);
    match (matches.next(), matches.next()) {
        (Some(line), None) => Ok(line),
        (None, _) => problem(
            io::ErrorKind::NotFound,
            "no chip has a line of this name".into(),
        ),
        (Some(a), Some(b)) => problem(
            io::ErrorKind::AlreadyExists,
            format!(
                "both {}:{} and {}:{}",
                a.chip.display(),
                a.offset,
                b.chip.display(),
                b.offset
            ),
        ),
    }
}

fn chip_entry<'a>(chips: &'a mut Vec<ChipLines>, path: &Path) -> &'a mut ChipLines {
    let index = chips
        .iter()
        .position(|chip| chip.chip == path)
        .unwrap_or_else(|| {
            chips.push(ChipLines {
                chip: path.to_path_buf(),
                ..ChipLines::default()
            });
            chips.len() - 1
        });
    &mut chips[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_lines() -> Vec<FoundLine> {
        let names = InputLine::ALL.map(InputLine::name).into_iter();
        names
            .chain(OutputLine::ALL.map(OutputLine::name))
            .enumerate()
            .map(|(n, name)| FoundLine {
                chip: PathBuf::from(format!("/dev/gpiochip{}", n % 5)),
                offset: n as u32,
                name: name.to_owned(),
            })
            .collect()
    }

    #[test]
    fn lines_are_grouped_by_chip() {
        let chips = assign(&all_lines(), Path::new("/dev"), DigitalLines::ALL).unwrap();
        assert_eq!(chips.len(), 5);
        let lines: usize = chips
            .iter()
            .map(|chip| chip.inputs.len() + chip.outputs.len())
            .sum();
        assert_eq!(lines, InputLine::ALL.len() + OutputLine::ALL.len());
    }

    // covers: CFG-019
    #[test]
    fn digital_lines_out_of_use_are_not_taken() {
        let mut found = all_lines();
        found.retain(|line| line.name != "DIGITAL_OUT_6");
        let chips = assign(&found, Path::new("/dev"), DigitalLines::default()).unwrap();
        let lines: usize = chips
            .iter()
            .map(|chip| chip.inputs.len() + chip.outputs.len())
            .sum();
        assert_eq!(lines, InputLine::ALL.len() + OutputLine::ALL.len() - 12);
    }

    #[test]
    fn relays_come_first() {
        for chip in 0..5 {
            let mut found = all_lines();
            for line in &mut found {
                if line.name.starts_with("RELAY") && line.name.ends_with("ENABLE") {
                    line.chip = PathBuf::from(format!("/dev/gpiochip{chip}"));
                }
            }
            let chips = assign(&found, Path::new("/dev"), DigitalLines::ALL).unwrap();
            assert_eq!(chips[0].chip, Path::new(&format!("/dev/gpiochip{chip}")));
        }
    }

    #[test]
    fn missing_line_is_named() {
        let mut found = all_lines();
        found.retain(|line| line.name != "RELAY_1_ENABLE");
        let error = assign(&found, Path::new("/dev"), DigitalLines::ALL)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("RELAY_1_ENABLE") && error.contains("/dev"),
            "{error}"
        );
    }

    #[test]
    fn doubled_line_is_named_with_both_places() {
        let mut found = all_lines();
        let mut twin = found[0].clone();
        twin.offset = 31;
        found.push(twin);
        let error = assign(&found, Path::new("/dev"), DigitalLines::ALL)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("gpiochip0:0") && error.contains("gpiochip0:31"),
            "{error}"
        );
    }

    #[test]
    fn only_gpio_chips_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["gpiochip1", "gpiochip0", "ttymxc0"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let paths = chip_paths(dir.path()).unwrap();
        assert_eq!(
            paths,
            [dir.path().join("gpiochip0"), dir.path().join("gpiochip1")]
        );
        assert!(chip_paths(&dir.path().join("none")).is_err());
    }
}
