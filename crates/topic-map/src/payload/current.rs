//! Currents per phase (guide 15.16): whole amperes or tenths, `-1` for no limit.

use super::{MaybeEmpty, Payload, PayloadError};

/// The largest current of a rating: the range of rotaryencd.json (guide 14.1 table 50).
const MAX_AMPERES: u16 = 10_000;

/// A limit with the resolution of 0.1 A.
///
/// Further decimals are cut, so that a limit is never exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentLimit {
    /// `-1`: takes no part in the minimum.
    NoLimit,
    /// Tenths of an ampere per phase.
    Deciamperes(u32),
}

impl CurrentLimit {
    /// The limit in tenths of an ampere; `None` for no limit.
    pub const fn deciamperes(self) -> Option<u32> {
        match self {
            Self::NoLimit => None,
            Self::Deciamperes(deci) => Some(deci),
        }
    }

    /// From tenths of an ampere; `None` is no limit.
    pub const fn from_deciamperes(deci: Option<u32>) -> Self {
        match deci {
            None => Self::NoLimit,
            Some(deci) => Self::Deciamperes(deci),
        }
    }
}

impl Payload for CurrentLimit {
    const FORM: &'static str =
        "amperes as an integer or a decimal with '.' (cut to 0.1 A), or -1 for no limit";

    fn encode(&self) -> String {
        match self {
            Self::NoLimit => "-1".to_owned(),
            Self::Deciamperes(deci) => tenths(*deci),
        }
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        match payload {
            b"-1" | b"-1.0" => Ok(Self::NoLimit),
            _ => parse_tenths(payload)
                .map(Self::Deciamperes)
                .ok_or_else(|| PayloadError::new(payload, Self::FORM)),
        }
    }
}

impl MaybeEmpty for CurrentLimit {
    const FORM_OR_EMPTY: &'static str = "amperes as an integer or a decimal with '.' \
         (cut to 0.1 A), -1 for no limit, or empty to remove the limit's name";
}

/// The current offered to the EV, always with one decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferedCurrent {
    /// Tenths of an ampere per phase.
    pub deciamperes: u32,
}

impl Payload for OfferedCurrent {
    const FORM: &'static str = "amperes with one decimal and '.', e.g. 20.2";

    fn encode(&self) -> String {
        tenths(self.deciamperes)
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        let one_decimal = payload.iter().rev().position(|byte| *byte == b'.') == Some(1);
        parse_tenths(payload)
            .filter(|_| one_decimal)
            .map(|deciamperes| Self { deciamperes })
            .ok_or_else(|| PayloadError::new(payload, Self::FORM))
    }
}

/// A rating in whole amperes, 0 to 10000 A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WholeAmperes(u16);

impl WholeAmperes {
    /// 10000 A.
    pub const MAX: Self = Self(MAX_AMPERES);

    /// `None` above 10000 A.
    pub const fn new(amperes: u16) -> Option<Self> {
        if amperes <= MAX_AMPERES {
            Some(Self(amperes))
        } else {
            None
        }
    }

    /// Amperes per phase.
    pub const fn amperes(self) -> u16 {
        self.0
    }
}

impl Payload for WholeAmperes {
    const FORM: &'static str = "whole amperes, 0 to 10000";

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        super::number::parse_digits(payload)
            .and_then(|amperes| u16::try_from(amperes).ok())
            .and_then(Self::new)
            .ok_or_else(|| PayloadError::new(payload, Self::FORM))
    }
}

/// A rating in whole amperes where there may be none (a fixed cable: `-1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WholeCurrentLimit {
    /// `-1`.
    NoLimit,
    /// A rating.
    Limit(WholeAmperes),
}

impl Payload for WholeCurrentLimit {
    const FORM: &'static str = "whole amperes, 0 to 10000, or -1 for no limit";

    fn encode(&self) -> String {
        match self {
            Self::NoLimit => "-1".to_owned(),
            Self::Limit(amperes) => amperes.encode(),
        }
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        match payload {
            b"-1" => Ok(Self::NoLimit),
            _ => WholeAmperes::decode(payload)
                .map(Self::Limit)
                .map_err(|error| PayloadError {
                    expected: Self::FORM,
                    ..error
                }),
        }
    }
}

fn tenths(deci: u32) -> String {
    format!("{}.{}", deci / 10, deci % 10)
}

/// `20`, `20.2` or `20.25` (cut to 20.2); nothing else.
fn parse_tenths(payload: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(payload).ok()?;
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
        Some(_) => return None,
        None => (text, "0"),
    };
    if !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = u32::try_from(super::number::parse_digits(whole.as_bytes())?).ok()?;
    let first_decimal = decimals.bytes().next()?.checked_sub(b'0')?;
    whole.checked_mul(10)?.checked_add(u32::from(first_decimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: LIM-011
    #[test]
    fn a_limit_is_an_integer_or_has_decimals_that_are_cut() {
        let deci = |text: &str| CurrentLimit::decode(text.as_bytes()).unwrap().deciamperes();
        assert_eq!(deci("20"), Some(200));
        assert_eq!(deci("20.2"), Some(202));
        assert_eq!(deci("20.25"), Some(202));
        assert_eq!(deci("5.99"), Some(59));
        assert_eq!(deci("0"), Some(0));
        assert_eq!(deci("-1"), None);
        assert_eq!(deci("-1.0"), None);
    }

    #[test]
    fn anything_else_is_no_limit_payload() {
        for wrong in [
            "",
            " ",
            "20,2",
            "NaN",
            "inf",
            "1e1",
            "+6",
            "-2",
            "-0",
            "-1.5",
            "6.",
            ".5",
            "6 ",
            "6A",
            "0x10",
            "6.2.1",
            "6\0",
            "99999999999999999999",
            "4294967296",
            "429496729.6",
            "٦",
        ] {
            assert!(CurrentLimit::decode(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(CurrentLimit::decode(&[b'6', 0xFF]).is_err());
    }

    #[test]
    fn an_empty_payload_removes_a_dynamic_limit() {
        assert_eq!(Option::<CurrentLimit>::decode(b""), Ok(None));
        assert!(Option::<CurrentLimit>::decode(b" ").is_err());
    }

    #[test]
    fn the_offered_current_has_exactly_one_decimal() {
        assert_eq!(OfferedCurrent { deciamperes: 202 }.encode(), "20.2");
        assert_eq!(OfferedCurrent { deciamperes: 5 }.encode(), "0.5");
        assert_eq!(
            OfferedCurrent::decode(b"20.2"),
            Ok(OfferedCurrent { deciamperes: 202 })
        );
        assert!(OfferedCurrent::decode(b"20").is_err());
        assert!(OfferedCurrent::decode(b"20.25").is_err());
        assert!(OfferedCurrent::decode(b"-1").is_err());
    }

    #[test]
    fn ratings_are_whole_amperes() {
        assert_eq!(WholeAmperes::decode(b"32").unwrap().amperes(), 32);
        assert!(WholeAmperes::decode(b"32.0").is_err());
        assert!(WholeAmperes::decode(b"10001").is_err());
        assert!(WholeAmperes::decode(b"-1").is_err());
        assert_eq!(
            WholeCurrentLimit::decode(b"-1"),
            Ok(WholeCurrentLimit::NoLimit)
        );
    }
}
