//! Points in time as RFC 3339 text.

use serde::{Deserialize, Serialize};

use super::{Payload, PayloadError};

/// An RFC 3339 date and time, e.g. `2023-06-23T06:54:55.123Z`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(String);

impl Timestamp {
    /// `None` when the text is not RFC 3339.
    pub fn new(text: &str) -> Option<Self> {
        is_rfc3339(text).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Timestamp {
    type Error = PayloadError;

    fn try_from(text: String) -> Result<Self, PayloadError> {
        Self::decode(text.as_bytes())
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl Payload for Timestamp {
    const FORM: &'static str = "an RFC 3339 time, e.g. 2023-06-23T06:54:55.123Z";

    fn encode(&self) -> String {
        self.0.clone()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        std::str::from_utf8(payload)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| PayloadError::new(payload, Self::FORM))
    }
}

fn is_rfc3339(text: &str) -> bool {
    parse(text.as_bytes()).is_some()
}

/// `YYYY-MM-DDTHH:MM:SS[.fraction](Z|+HH:MM|-HH:MM)`, upper case, leap seconds allowed.
fn parse(text: &[u8]) -> Option<()> {
    let (head, rest) = text.split_at_checked(19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators
        .iter()
        .any(|(at, byte)| head.get(*at) != Some(byte))
    {
        return None;
    }
    let year = number(head.get(..4)?)?;
    let month = number(head.get(5..7)?)?;
    let day = number(head.get(8..10)?)?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && number(head.get(11..13)?)? <= 23
        && number(head.get(14..16)?)? <= 59
        && number(head.get(17..19)?)? <= 60;
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if !(1..=9).contains(&digits) {
                return None;
            }
            fraction.get(digits..)?
        }
        None => rest,
    };
    (in_range && is_zone(zone)).then_some(())
}

fn is_zone(zone: &[u8]) -> bool {
    match zone {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            number(&[*h1, *h2]).is_some_and(|hours| hours <= 23)
                && number(&[*m1, *m2]).is_some_and(|minutes| minutes <= 59)
        }
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    super::number::parse_digits(digits)
}

const fn days_in(year: u64, month: u64) -> u64 {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_rfc_3339_allows() {
        for right in [
            "2023-06-23T06:54:55.123Z",
            "2024-02-29T00:00:00Z",
            "2016-12-31T23:59:60+01:00",
            "2023-06-23T06:54:55-05:30",
        ] {
            assert!(Timestamp::new(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "2023-06-23",
            "2023-06-23 06:54:55Z",
            "2023-06-23T06:54:55",
            "2023-02-29T06:54:55Z",
            "2023-13-01T06:54:55Z",
            "2023-06-23T24:00:00Z",
            "2023-06-23T06:54:55.Z",
            "2023-06-23T06:54:55.123",
            "2023-06-23T06:54:55z",
            "2023-06-23T06:54:55+1:00",
            "2023-06-23T06:54:55.1234567890Z",
            "２０２３-06-23T06:54:55Z",
        ] {
            assert!(Timestamp::new(wrong).is_none(), "{wrong}");
        }
    }
}
