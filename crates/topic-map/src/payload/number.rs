//! Integers with ranges, and the duty cycle.

use super::{Payload, PayloadError};

/// A control pilot duty cycle in hundredths of a percent, 0.00 to 100.00 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DutyPercent(u16);

impl DutyPercent {
    /// 0.00 %.
    pub const ZERO: Self = Self(0);

    /// From hundredths of a percent; `None` above 100.00 %.
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths <= 10_000 {
            Some(Self(hundredths))
        } else {
            None
        }
    }

    /// Hundredths of a percent, 0 to 10000.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}

impl Payload for DutyPercent {
    const FORM: &'static str = "0.00 to 100.00 with two decimals and '.', e.g. 53.33";

    fn encode(&self) -> String {
        format!("{}.{:02}", self.0 / 100, self.0 % 100)
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        let parse = || {
            let (whole, decimals) = payload.split_at_checked(payload.len().checked_sub(3)?)?;
            let (point, decimals) = decimals.split_first()?;
            let whole = u16::try_from(parse_digits(whole)?).ok()?;
            let decimals = u16::try_from(parse_digits(decimals)?).ok()?;
            let hundredths = whole.checked_mul(100)?.checked_add(decimals)?;
            Self::from_hundredths(hundredths).filter(|_| *point == b'.')
        };
        parse().ok_or_else(|| PayloadError::new(payload, Self::FORM))
    }
}

macro_rules! integers {
    ($($(#[$meta:meta])* $name:ident: $min:literal to $max:literal;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// `None` outside the range.
            pub fn new(value: i64) -> Option<Self> {
                ($min..=$max).contains(&value).then_some(Self(value))
            }

            /// The number.
            pub const fn value(self) -> i64 {
                self.0
            }
        }

        impl Payload for $name {
            const FORM: &'static str = concat!("an integer from ", $min, " to ", $max);

            fn encode(&self) -> String {
                self.0.to_string()
            }

            fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
                parse_integer(payload)
                    .and_then(Self::new)
                    .ok_or_else(|| PayloadError::new(payload, Self::FORM))
            }
        }
    )*};
}

integers! {
    /// Progress in percent.
    Progress: 0 to 100;
    /// A state of charge in percent.
    StateOfCharge: 0 to 100;
    /// Time with all phases off while their number changes, in seconds (guide 15.20).
    SwitchDelay: 10 to 300;
    /// A V2G session id.
    SessionId: 0 to 9223372036854775807;
    /// Milliseconds since 1970-01-01T00:00:00Z.
    EpochMillis: 0 to 253402300799999;
    /// Seconds until the EV must react to a notification (ISO 15118-2 NotificationMaxDelay).
    NotificationDelay: 0 to 65535;
    /// A service id of ISO 15118-2.
    V2gServiceId: 0 to 65535;
    /// Number of SAScheduleTuple entries that the EV takes.
    ScheduleTuples: 0 to 65535;
    /// Seconds from the message until the EV wants to depart.
    DepartureTime: 0 to 4294967295;
}

/// The EV's state of charge, or why there is none (guide 15.21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocStatus {
    /// `-1`: unknown, no EV, or no high level communication.
    Unknown,
    /// `-2`: the EV has passed the parameter phase without telling it.
    NotTold,
    /// In percent.
    Known(StateOfCharge),
}

impl Payload for SocStatus {
    const FORM: &'static str =
        "an integer from 0 to 100, -1 for unknown, or -2 when the EV does not tell it";

    fn encode(&self) -> String {
        match self {
            Self::Unknown => "-1".to_owned(),
            Self::NotTold => "-2".to_owned(),
            Self::Known(soc) => soc.encode(),
        }
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        match payload {
            b"-1" => Ok(Self::Unknown),
            b"-2" => Ok(Self::NotTold),
            _ => StateOfCharge::decode(payload)
                .map(Self::Known)
                .map_err(|error| PayloadError {
                    expected: Self::FORM,
                    ..error
                }),
        }
    }
}

/// Number of download attempts of a firmware update, at least 1.
///
/// Empty or less than 1 counts as 1 without an error (guide 11.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTrials(pub std::num::NonZeroU32);

impl Payload for MaxTrials {
    const FORM: &'static str = "an integer; empty or less than 1 counts as 1";

    fn encode(&self) -> String {
        self.0.to_string()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        let trials =
            parse_clamped(payload).ok_or_else(|| PayloadError::new(payload, Self::FORM))?;
        Ok(Self(
            std::num::NonZeroU32::new(trials).unwrap_or(std::num::NonZeroU32::MIN),
        ))
    }
}

/// Seconds between the attempts of a firmware update.
///
/// Empty or less than 0 counts as 0 without an error (guide 11.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialInterval {
    /// Seconds.
    pub seconds: u32,
}

impl Payload for TrialInterval {
    const FORM: &'static str = "an integer; empty or less than 0 counts as 0";

    fn encode(&self) -> String {
        self.seconds.to_string()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        let seconds =
            parse_clamped(payload).ok_or_else(|| PayloadError::new(payload, Self::FORM))?;
        Ok(Self { seconds })
    }
}

/// An optional minus and digits; nothing else, in particular no `+` and no blanks.
pub(super) fn parse_integer(payload: &[u8]) -> Option<i64> {
    let digits = payload.strip_prefix(b"-").unwrap_or(payload);
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(payload)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

/// Digits only.
pub(super) fn parse_digits(payload: &[u8]) -> Option<u64> {
    let plain = !payload.is_empty() && payload.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(payload)
        .ok()
        .filter(|_| plain)?
        .parse()
        .ok()
}

/// An integer with everything below 0, and nothing at all, read as 0.
fn parse_clamped(payload: &[u8]) -> Option<u32> {
    if payload.is_empty() {
        return Some(0);
    }
    u32::try_from(parse_integer(payload)?.max(0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CP-002
    #[test]
    fn the_duty_cycle_has_two_decimals_and_a_point() {
        let text = |hundredths| DutyPercent::from_hundredths(hundredths).unwrap().encode();
        assert_eq!(text(5333), "53.33");
        assert_eq!(text(10_000), "100.00");
        assert_eq!(text(0), "0.00");
        assert_eq!(text(1005), "10.05");
        assert_eq!(DutyPercent::decode(b"53.33").unwrap().hundredths(), 5333);
        for wrong in [
            "", "53", "53.3", "53.333", "53,33", "100.01", "-1.00", "NaN", ".50", "5x.00", "655.36",
        ] {
            assert!(DutyPercent::decode(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn integers_keep_their_range() {
        assert_eq!(SwitchDelay::decode(b"10").unwrap().value(), 10);
        for wrong in [
            "9",
            "301",
            "",
            "-",
            "+20",
            "20.0",
            "20 ",
            "9223372036854775808",
        ] {
            let error = SwitchDelay::decode(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.expected, "an integer from 10 to 300");
        }
    }

    #[test]
    fn update_settings_are_lenient_where_the_guide_is() {
        let trials = |text: &str| MaxTrials::decode(text.as_bytes()).unwrap().0.get();
        assert_eq!(
            (trials(""), trials("0"), trials("-5"), trials("3")),
            (1, 1, 1, 3)
        );
        let interval = |text: &str| TrialInterval::decode(text.as_bytes()).unwrap().seconds;
        assert_eq!((interval(""), interval("-1"), interval("60")), (0, 0, 60));
        assert!(MaxTrials::decode(b"many").is_err());
    }

    #[test]
    fn the_state_of_charge_tells_why_it_is_missing() {
        assert_eq!(SocStatus::decode(b"-2"), Ok(SocStatus::NotTold));
        assert!(SocStatus::decode(b"-3").is_err());
        assert!(SocStatus::decode(b"101").is_err());
    }
}
