//! Strings with the length limits of OCPP 1.6, compared without regard to case.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string is longer than its field allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{length} characters where at most {limit} are allowed")]
pub struct TooLong {
    /// Characters of the string.
    pub length: usize,
    /// Characters allowed.
    pub limit: usize,
}

/// OCPP's `CiStringN`: at most `N` characters, compared case-insensitively, sent as written.
#[derive(Clone, Debug, Default)]
pub struct CiString<const N: usize>(String);

/// Identifiers of users, `CiString20`.
pub type IdToken = CiString<20>;

impl<const N: usize> CiString<N> {
    /// Takes `text` as it is.
    ///
    /// # Errors
    /// When it has more than `N` characters.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        let length = text.chars().count();
        if length > N {
            Err(TooLong { length, limit: N })
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Takes the first `N` characters of `text`.
    pub fn truncated(text: &str) -> Self {
        Self(text.chars().take(N).collect())
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is compared: equal for texts that differ in case only.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Whether there is no character at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `None` for an empty string: OCPP leaves such a field out.
    pub fn non_empty(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }
}

impl<const N: usize> PartialEq for CiString<N> {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl<const N: usize> Eq for CiString<N> {}

impl<const N: usize> std::fmt::Display for CiString<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const N: usize> Serialize for CiString<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for CiString<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(CiString::<3>::new("äöü").is_ok());
        assert_eq!(
            CiString::<3>::new("äöüß"),
            Err(TooLong {
                length: 4,
                limit: 3
            })
        );
        assert_eq!(CiString::<3>::truncated("äöüß").as_str(), "äöü");
    }

    #[test]
    fn case_is_kept_but_not_compared() {
        let tag = IdToken::new("aBc").unwrap();
        assert_eq!(tag, IdToken::new("AbC").unwrap());
        assert_eq!(tag.as_str(), "aBc");
    }
}
