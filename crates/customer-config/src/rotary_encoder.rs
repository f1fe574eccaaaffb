//! rotaryencd.json as types (guide 4.2.2 table 16, 14.1 table 50).

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::read::read;
use crate::{ConfigError, Warning, file, keys, syntax};

/// The currents of positions 0 to 7, and again of 8 to F, in A.
const FACTORY_CURRENTS: [u32; 8] = [6, 10, 13, 16, 20, 32, 40, 63];

/// rotaryencd.json: the meaning of the coded switch's positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotaryEncoder {
    /// Positions 0 to F.
    pub positions: [Position; 16],
}

/// What the supply is worth at one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// 1 or 3.
    pub phase_count: u8,
    /// Rating in A per phase.
    pub current_limit: u32,
}

impl Default for RotaryEncoder {
    /// The factory's table.
    fn default() -> Self {
        let one = FACTORY_CURRENTS.map(|current_limit| Position {
            phase_count: 1,
            current_limit,
        });
        let three = FACTORY_CURRENTS.map(|current_limit| Position {
            phase_count: 3,
            current_limit,
        });
        let mut positions = [Position {
            phase_count: 1,
            current_limit: 6,
        }; 16];
        for (position, factory) in positions.iter_mut().zip(one.into_iter().chain(three)) {
            *position = factory;
        }
        Self { positions }
    }
}

#[derive(Serialize, Deserialize)]
struct FileContent {
    rotary_switch_1: Vec<FilePosition>,
}

#[derive(Serialize, Deserialize)]
struct FilePosition {
    phase_count: Option<u8>,
    current_limit: Option<u32>,
}

impl RotaryEncoder {
    /// Reads the text of rotaryencd.json; a position that it lacks is the factory's.
    ///
    /// # Errors
    /// For bad syntax, an empty file, a key that is there twice, and a wrong value: the
    /// factory's might be more than the supply is worth.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), ConfigError> {
        let (complete, warnings) = read(keys::ROTARY_ENCODER, &syntax::parse(text)?)?;
        let content: FileContent = file::typed(complete)?;
        let mut encoder = Self::default();
        for (position, file) in encoder.positions.iter_mut().zip(content.rotary_switch_1) {
            position.phase_count = file.phase_count.unwrap_or(position.phase_count);
            position.current_limit = file.current_limit.unwrap_or(position.current_limit);
        }
        Ok((encoder, warnings))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the file can't be read.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        Self::parse(&file::read_text(path)?)
    }
}
