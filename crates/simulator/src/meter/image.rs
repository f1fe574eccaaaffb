//! The registers of a meter: which exist, and what they hold now.

use std::collections::HashMap;

use crate::readings::Readings;

use super::modbus::{ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE};

/// A model that the tables don't know.
#[derive(Debug, thiserror::Error)]
#[error("no simulated meter {model:?}; there are {known}")]
pub struct UnknownModel {
    model: String,
    known: String,
}

/// The registers of one model.
#[derive(Debug)]
pub(super) struct Image {
    values: Vec<Value>,
    longest_read: u16,
    /// Contents that a write has set.
    written: HashMap<u16, u16>,
}

/// One row of `registers.csv`.
#[derive(Debug)]
struct Value {
    quantity: &'static str,
    phase: &'static str,
    functions: Vec<u8>,
    address: u16,
    words: u16,
    kind: &'static str,
    low_word_first: bool,
    scale: f64,
    reference: Vec<u16>,
}

impl Image {
    pub(super) fn of(model: &str) -> Result<Self, UnknownModel> {
        let limits = rows(include_str!("models.csv"));
        let Some(limit) = limits.iter().find(|row| row[0] == model) else {
            let known = limits
                .iter()
                .map(|row| row[0])
                .collect::<Vec<_>>()
                .join(", ");
            return Err(UnknownModel {
                model: model.to_owned(),
                known,
            });
        };
        let values = rows(include_str!("registers.csv"))
            .iter()
            .filter(|row| row[0] == model)
            .map(|row| Value::from_row(row))
            .collect();
        Ok(Self {
            values,
            longest_read: whole(limit[1]),
            written: HashMap::new(),
        })
    }

    /// The content of `count` registers, or the exception code of the refusal. A
    /// read must start at a value; gaps between values read as zero.
    pub(super) fn read(
        &self,
        function: u8,
        start: u16,
        count: u16,
        line: &Readings,
        nonsense: Option<f32>,
    ) -> Result<Vec<u16>, u8> {
        if function != 3 && function != 4 {
            return Err(ILLEGAL_FUNCTION);
        }
        self.value_at(function, start).ok_or(ILLEGAL_ADDRESS)?;
        if count == 0 || count > self.longest_read {
            return Err(ILLEGAL_VALUE);
        }
        let mut words = vec![0; usize::from(count)];
        for value in self
            .values
            .iter()
            .filter(|value| value.functions.contains(&function))
        {
            let content = value.content(line, nonsense);
            for (offset, word) in (0..).zip(content) {
                let address = value.address + offset;
                let word = self.written.get(&address).copied().unwrap_or(word);
                if let Some(index) = address.checked_sub(start)
                    && let Some(place) = words.get_mut(usize::from(index))
                {
                    *place = word;
                }
            }
        }
        Ok(words)
    }

    /// The most registers that the model gives at once.
    pub(super) const fn longest_read(&self) -> u16 {
        self.longest_read
    }

    /// Set one register, where the model lets it be written.
    pub(super) fn write(&mut self, address: u16, word: u16) -> Result<(), u8> {
        self.value_at(6, address).ok_or(ILLEGAL_ADDRESS)?;
        self.written.insert(address, word);
        Ok(())
    }

    /// Whether a read stays within one value.
    pub(super) fn is_single_value(&self, function: u8, start: u16, count: u16) -> bool {
        self.value_at(function, start)
            .is_some_and(|value| count <= value.words)
    }

    fn value_at(&self, function: u8, address: u16) -> Option<&Value> {
        self.values
            .iter()
            .find(|v| v.address == address && v.functions.contains(&function))
    }
}

impl Value {
    fn from_row(row: &[&'static str]) -> Self {
        Self {
            quantity: row[1],
            phase: row[2],
            functions: row[3]
                .split('/')
                .map(|function| whole(function) as u8)
                .collect(),
            address: whole(row[4]),
            words: whole(row[5]),
            kind: row[6],
            low_word_first: row[7] == "lo-hi",
            scale: row[8].parse().unwrap_or_default(),
            reference: (0..row[9].len() / 4)
                .map(|i| hexadecimal(&row[9][i * 4..][..4]))
                .collect(),
        }
    }

    /// The words as sent now.
    fn content(&self, line: &Readings, nonsense: Option<f32>) -> Vec<u16> {
        let Some(value) = self.measured(line) else {
            return self.reference.clone();
        };
        let value = nonsense.map_or(value / self.scale, f64::from);
        let whole = value.round();
        let mut words = match self.kind {
            "f32" => split((value as f32).to_bits()),
            "u32" | "acc32" => split(whole as u32),
            "s32" => split(whole as i32 as u32),
            "u64" => [
                split((whole as u64 >> 32) as u32),
                split(whole as u64 as u32),
            ]
            .concat(),
            // A power of ten of its own, which the scale is, before three bytes of number.
            "t5" => split(self.decade() << 24 | (whole as u32).min(0x00FF_FFFF)),
            "t6" => split(self.decade() << 24 | (whole as i32 as u32 & 0x00FF_FFFF)),
            "s16" => vec![whole as i16 as u16],
            _ => vec![whole as u16],
        };
        if self.low_word_first {
            words.reverse();
        }
        words
    }

    /// The scale as a signed power of ten in one byte.
    fn decade(&self) -> u32 {
        u32::from(self.scale.log10().round() as i8 as u8)
    }

    /// The value in V, A, W, Wh or Hz; `None` for what doesn't depend on the line.
    fn measured(&self, line: &Readings) -> Option<f64> {
        let power = |n: usize| line.voltage[n] * line.current[n];
        let wired: &[usize] = match self.phase {
            "L1" => &[0],
            "L2" => &[1],
            "L3" => &[2],
            "L1+L2" => &[0, 1],
            _ => &[0, 1, 2],
        };
        match self.quantity {
            "voltage" => {
                let sum: f64 = wired.iter().map(|n| line.voltage[*n]).sum();
                Some(sum / wired.len() as f64)
            }
            "current" => Some(wired.iter().map(|n| line.current[*n]).sum()),
            "power" => Some(wired.iter().map(|n| power(*n)).sum()),
            "power_factor" => Some(1.0),
            "frequency" => Some(line.frequency),
            "energy_import" if self.phase != "total" => Some(line.energy_wh / 3.0),
            "energy_import" | "energy_sum" => Some(line.energy_wh),
            "energy_export" | "power_export" => Some(0.0),
            _ => None,
        }
    }
}

fn split(bits: u32) -> Vec<u16> {
    vec![(bits >> 16) as u16, bits as u16]
}

/// The rows of a table, without its heading.
fn rows(table: &'static str) -> Vec<Vec<&'static str>> {
    table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect()
}

fn whole(text: &str) -> u16 {
    text.strip_prefix("0x")
        .map_or_else(|| text.parse().unwrap_or_default(), hexadecimal)
}

fn hexadecimal(digits: &str) -> u16 {
    u16::from_str_radix(digits, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: Readings = Readings {
        voltage: [230.0; 3],
        current: [16.0; 3],
        energy_wh: 12_345_678.0,
        frequency: 50.0,
    };

    // The reference column was computed apart from this code, from the maps of the
    // makers.
    #[test]
    fn at_the_reference_load_each_computed_register_has_its_reference_content() {
        let table = rows(include_str!("registers.csv"));
        assert!(table.len() > 400, "the table is cut");
        for row in &table {
            assert_eq!(row.len(), 10, "{row:?}");
            let value = Value::from_row(row);
            assert_eq!(value.words as usize, value.reference.len(), "{row:?}");
            assert_eq!(value.content(&REFERENCE, None), value.reference, "{row:?}");
        }
    }

    #[test]
    fn reads_are_refused_as_the_meters_refuse_them() {
        let image = Image::of("eastron/sdm72dm-v2").unwrap();
        let read = |function, start, count| image.read(function, start, count, &REFERENCE, None);
        assert_eq!(read(4, 0x0000, 10).unwrap()[..2], [0x4366, 0x0000]);
        assert_eq!(read(4, 0x0000, 11), Err(ILLEGAL_VALUE));
        assert_eq!(read(4, 0x0001, 1), Err(ILLEGAL_ADDRESS));
        assert_eq!(read(3, 0x0000, 2), Err(ILLEGAL_ADDRESS));
        assert_eq!(read(1, 0x0000, 2), Err(ILLEGAL_FUNCTION));
    }

    #[test]
    fn a_model_that_does_not_exist_is_named() {
        let error = Image::of("eastron/sdm999").unwrap_err().to_string();
        assert!(
            error.contains("sdm999") && error.contains("eastron/sdm630"),
            "{error}"
        );
    }
}
