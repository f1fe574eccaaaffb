//! Time as an argument: this crate never reads a clock.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point on the monotonic clock in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// The instant `milliseconds` later, saturating.
    pub const fn after(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// The instant `seconds` later, saturating.
    pub const fn after_seconds(self, seconds: u64) -> Self {
        self.after(seconds.saturating_mul(1000))
    }

    /// Milliseconds since `earlier`; zero when that lies in the future.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A wall-clock instant in UTC with millisecond resolution.
///
/// Its one text form is RFC 3339 with `Z` and milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 2024-01-01T00:00:00Z: a clock that shows an earlier time was never set.
    pub const EARLIEST_VALID: Self = Self(1_704_067_200_000);
    /// 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for the year.
    const LATEST: Self = Self(253_402_300_799_999);

    /// From milliseconds since 1970-01-01T00:00:00Z, clamped to the years 1970 to 9999.
    pub const fn from_unix_millis(millis: i64) -> Self {
        if millis < 0 {
            Self(0)
        } else if millis > Self::LATEST.0 {
            Self::LATEST
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The instant `seconds` later (earlier when negative), clamped to the years 1970 to 9999.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// The instant `millis` later (earlier when negative), clamped to the years 1970 to 9999.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// Reads `YYYY-MM-DDTHH:mm:ss[.SSS][Z|±hh:mm]`; without a zone it is UTC (guide 3.3.1).
    pub fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                    .map(|time| time.and_utc())
            })
            .ok()?;
        let millis = instant.timestamp_millis();
        (0..=Self::LATEST.0)
            .contains(&millis)
            .then_some(Self(millis))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let instant = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no timestamp")))
    }
}

/// "Now", handed in with every input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Never jumps; all deadlines use it.
    pub monotonic: Millis,
    /// What the system clock shows; `None` while it was never set.
    pub wall: Option<Timestamp>,
}

impl Time {
    /// A wall time before [`Timestamp::EARLIEST_VALID`] counts as not set.
    pub fn new(monotonic: Millis, wall: Option<Timestamp>) -> Self {
        Self {
            monotonic,
            wall: wall.filter(|wall| *wall >= Timestamp::EARLIEST_VALID),
        }
    }
}

/// The charge point's idea of UTC: the system clock, or the central system's where that is the
/// time source. Holding the latter here keeps timestamps right even where the process may not
/// set the system clock.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    synchronised: Option<(Millis, Timestamp)>,
}

impl Clock {
    /// Differences up to this are network latency, not a wrong clock: following them would make
    /// timestamps jitter.
    const TOLERANCE_MS: u64 = 2_000;

    pub(crate) fn wall(&self, now: Time) -> Option<Timestamp> {
        match self.synchronised {
            Some((at, time)) => {
                let elapsed = i64::try_from(now.monotonic.since(at)).unwrap_or(i64::MAX);
                Some(time.plus_millis(elapsed))
            }
            None => now.wall,
        }
    }

    /// Takes the central system's time; true when the system clock differs and should be set.
    pub(crate) fn synchronise(&mut self, now: Time, central: Timestamp) -> bool {
        if central < Timestamp::EARLIEST_VALID {
            return false;
        }
        let off = |wall: Option<Timestamp>| {
            wall.is_none_or(|wall| {
                wall.unix_millis().abs_diff(central.unix_millis()) > Self::TOLERANCE_MS
            })
        };
        if off(self.wall(now)) {
            self.synchronised = Some((now.monotonic, central));
        }
        off(now.wall)
    }

    /// Back to the system clock.
    pub(crate) fn forget(&mut self) {
        self.synchronised = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: OC-038
    #[test]
    fn timestamps_are_read_with_and_without_fraction_and_zone() {
        for (text, expected) in [
            ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
            ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500Z"),
            ("2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.123Z"),
            ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000Z"),
            ("2026-03-01T12:00:00.250", "2026-03-01T12:00:00.250Z"),
            ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00.000Z"),
        ] {
            assert_eq!(
                Timestamp::parse(text).unwrap().to_string(),
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01T12:00:00Z",
            "2026-03-01",
            "-0001-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    // covers: OC-069
    #[test]
    fn time_goes_on_after_2038() {
        let late = Timestamp::parse("2040-01-19T03:14:08Z").unwrap();
        assert_eq!(
            late.plus_seconds(86_400).to_string(),
            "2040-01-20T03:14:08.000Z"
        );
        assert_eq!(
            Timestamp::from_unix_millis(i64::MAX).to_string(),
            "9999-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn an_unset_clock_is_no_time() {
        let unset = Timestamp::parse("1970-01-01T00:02:00Z");
        assert_eq!(Time::new(Millis(0), unset).wall, None);
    }

    #[test]
    fn small_differences_to_the_central_system_are_not_followed() {
        let mut clock = Clock::default();
        let wall = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let now = Time::new(Millis(5_000), Some(wall));
        assert!(!clock.synchronise(now, wall.plus_millis(900)));
        assert_eq!(clock.wall(now), Some(wall));
        assert!(clock.synchronise(now, wall.plus_seconds(3600)));
        let later = Time::new(Millis(6_000), Some(wall.plus_seconds(1)));
        assert_eq!(clock.wall(later), Some(wall.plus_seconds(3601)));
    }
}
