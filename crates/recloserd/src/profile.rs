//! The register map of a recloser, as data: none is public, and a guessed one could
//! switch the mains, so there is no default.

use std::path::{Path, PathBuf};

use rs485::ReadFunction;
use serde::Deserialize;
use topic_map::RecloserState;

/// `profiles/geya.json` (docs/reference/peripherals.md).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Which recloser with which firmware, for people.
    pub device: String,
    /// Where the map was read, for people.
    pub source: String,
    /// Where the state stands.
    pub state: StateRegister,
    /// What opens it.
    pub open: Command,
    /// What closes it.
    pub close: Command,
}

/// The register with the state of the contacts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRegister {
    function: Function,
    /// Wire address, zero based.
    pub register: u16,
    /// The bits that count.
    #[serde(default = "all_bits")]
    mask: u16,
    /// Contents that mean open.
    open: Vec<u16>,
    /// Contents that mean closed. Any other, such as a lock-out, is neither.
    close: Vec<u16>,
}

/// A register (function 6) and what is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Wire address, zero based.
    pub register: u16,
    /// Content.
    pub value: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Function {
    Holding,
    Input,
}

const fn all_bits() -> u16 {
    u16::MAX
}

/// A profile that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is none.
    #[error(
        "ports[0]/recloser/protocol is \"geya\", but the registers of this recloser are not \
         public, and wrong ones could switch the mains: write them into {} \
         (see docs/reference/peripherals.md): {source}", path.display()
    )]
    Missing {
        /// Where it should lie.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not such a file.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A value that can't be.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Which value, and what is allowed.
        reason: &'static str,
    },
}

impl Profile {
    /// The profile in the file at `path`.
    ///
    /// # Errors
    /// When there is none or it can't be used.
    pub fn load(path: &Path) -> Result<Self, Unusable> {
        let text = std::fs::read_to_string(path).map_err(|source| Unusable::Missing {
            path: path.to_owned(),
            source,
        })?;
        let profile: Self = serde_json::from_str(&text).map_err(|source| Unusable::Malformed {
            path: path.to_owned(),
            source,
        })?;
        profile.check().map_err(|reason| Unusable::Wrong {
            path: path.to_owned(),
            reason,
        })?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), &'static str> {
        let StateRegister {
            mask, open, close, ..
        } = &self.state;
        if open.is_empty() || close.is_empty() {
            return Err("state/open and state/close must each name a content");
        }
        if open.iter().any(|word| close.contains(word)) {
            return Err("state/open and state/close must not share a content");
        }
        if open.iter().chain(close).any(|word| word & !mask != 0) {
            return Err("state/open and state/close must not have bits outside state/mask");
        }
        if self.open == self.close {
            return Err("open and close must be different commands");
        }
        Ok(())
    }

    /// What brings the recloser to `target`.
    pub const fn command(&self, target: RecloserState) -> Command {
        match target {
            RecloserState::Open => self.open,
            RecloserState::Close => self.close,
        }
    }
}

impl StateRegister {
    /// How it is read.
    pub const fn function(&self) -> ReadFunction {
        match self.function {
            Function::Holding => ReadFunction::Holding,
            Function::Input => ReadFunction::Input,
        }
    }

    /// The state that `word` means; `None` when neither.
    pub fn state(&self, word: u16) -> Option<RecloserState> {
        let word = word & self.mask;
        if self.open.contains(&word) {
            Some(RecloserState::Open)
        } else if self.close.contains(&word) {
            Some(RecloserState::Close)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(state: &str, open: &str, close: &str) -> Result<Profile, Unusable> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("geya.json");
        let text = format!(
            "{{\"device\": \"test\", \"source\": \"none\", \"state\": {state}, \
             \"open\": {open}, \"close\": {close}}}"
        );
        std::fs::write(&path, text).unwrap();
        Profile::load(&path)
    }

    const OPEN: &str = r#"{"register": 1, "value": 1}"#;
    const CLOSE: &str = r#"{"register": 1, "value": 2}"#;

    #[test]
    fn only_the_masked_bits_tell_the_state() {
        let state = r#"{"function": "input", "register": 7, "mask": 3, "open": [0], "close": [1]}"#;
        let profile = profile(state, OPEN, CLOSE).unwrap();
        assert_eq!(profile.state.state(0xFFF0), Some(RecloserState::Open));
        assert_eq!(profile.state.state(0x0101), Some(RecloserState::Close));
        assert_eq!(profile.state.state(2), None, "a lock-out is neither");
        assert_eq!(profile.command(RecloserState::Close).value, 2);
        assert_eq!(profile.command(RecloserState::Open).value, 1);
    }

    #[test]
    fn a_profile_that_cannot_be_is_refused_with_the_reason() {
        let state = r#"{"function": "holding", "register": 0, "open": [0], "close": [1]}"#;
        for (state, close, reason) in [
            (state, OPEN, "different commands"),
            (&state.replace("[0]", "[1]"), CLOSE, "must not share"),
            (&state.replace("[0]", "[]"), CLOSE, "must each name"),
            (
                &state
                    .replace("\"open\"", "\"mask\": 1, \"open\"")
                    .replace("[1]", "[3]"),
                CLOSE,
                "outside state/mask",
            ),
            (&state.replace("holding", "coil"), CLOSE, "coil"),
            (state, "{\"register\": 1}", "value"),
        ] {
            let error = profile(state, OPEN, close).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        let missing = Profile::load(Path::new("/nowhere/geya.json")).unwrap_err();
        assert!(
            missing.to_string().contains("/nowhere/geya.json"),
            "{missing}"
        );
    }
}
