//! The proximity pilot: the coding resistor of the cable's plug (IEC 61851-1
//! table B.2, guide 15.16).

use crate::{Amperes, Millis, Millivolts, SensorFault};

/// A new coding must hold for this long before it counts.
const SETTLE_MS: u64 = 50;
/// A line that settles nowhere for this long is invalid: what flutters between
/// wrong codings must not pass for the one before (S8).
const FLUTTER_MS: u64 = 100;

/// What is wrong with the proximity pilot (guide 3.3.4.34 to 3.3.4.36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProximityError {
    /// The EV is there but no cable is coded.
    NoCable,
    /// The coding is in no band of the table, or the sensor failed.
    Invalid,
    /// The coding changed in a session; it goes on with the lower limit.
    Changed,
}

impl ProximityError {
    /// The `vendorErrorCode`, also the payload of `port0/session/proximity_error`.
    pub const fn vendor_error_code(self) -> &'static str {
        match self {
            Self::NoCable => "ProximityNoCable",
            Self::Invalid => "ProximityInvalid",
            Self::Changed => "ProximityChanged",
        }
    }
}

/// What the voltage of the proximity pilot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CableCoding {
    /// No plug in the socket.
    NoCable,
    /// A plug for this current per phase.
    Rated(Amperes),
    /// In no band, or the sensor gave no value.
    Invalid,
}

impl CableCoding {
    /// From the measured voltage. The band of 63 A (three phases) and 70 A (one
    /// phase) counts as 63 A.
    pub const fn from_voltage(voltage: Millivolts) -> Self {
        match voltage.0 {
            2_459.. => Self::NoCable,
            1_813..=2_458 => Self::Rated(Amperes::new(13)),
            1_170..=1_812 => Self::Rated(Amperes::new(20)),
            891..=1_169 => Self::Rated(Amperes::new(32)),
            751..=890 => Self::Rated(Amperes::new(63)),
            ..=750 => Self::Invalid,
        }
    }
}

/// A coding that is waiting to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Candidate {
    coding: CableCoding,
    at: Millis,
    /// When the line is to have settled.
    settles_by: Millis,
}

/// The cable in the socket as far as this EV is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cable {
    /// No EV: nothing is judged.
    Unjudged,
    /// Read once or more; `reduced` in a session by a lower coding.
    Rated { limit: Amperes },
    /// The coding changed in a session: the lowest one holds until the EV leaves.
    Reduced { limit: Amperes },
    /// No usable coding; `lowest` is what was read before, if anything.
    Faulty {
        error: ProximityError,
        lowest: Option<Amperes>,
    },
}

/// The proximity pilot of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proximity {
    coding: Option<CableCoding>,
    candidate: Option<Candidate>,
    cable: Cable,
}

impl Proximity {
    pub(crate) const fn new() -> Self {
        Self {
            coding: None,
            candidate: None,
            cable: Cable::Unjudged,
        }
    }

    /// Looks at one round.
    pub(crate) fn observe(&mut self, now: Millis, voltage: Result<Millivolts, SensorFault>) {
        let coding = match voltage {
            Ok(voltage) => CableCoding::from_voltage(voltage),
            Err(SensorFault) => CableCoding::Invalid,
        };
        if self.coding == Some(coding) {
            self.candidate = None;
            return;
        }
        // Counted from the first departure: a line that flutters between two wrong
        // codings must not pass for the one before (S8).
        let settles_by = match self.candidate {
            Some(candidate) => candidate.settles_by,
            None => now.after(FLUTTER_MS),
        };
        match self.candidate {
            Some(candidate) if candidate.coding == coding && now < candidate.at => {}
            Some(candidate) if candidate.coding == coding => {
                self.coding = Some(coding);
                self.candidate = None;
            }
            Some(_) if now >= settles_by => {
                self.coding = Some(CableCoding::Invalid);
                self.candidate = None;
            }
            Some(_) | None => {
                self.candidate = Some(Candidate {
                    coding,
                    at: now.after(SETTLE_MS),
                    settles_by,
                });
            }
        }
    }

    /// Judges the settled coding. The proximity pilot only counts while an EV is
    /// there; in a session (`held`) the lowest coding seen holds.
    pub(crate) fn judge(&mut self, ev_present: bool, held: bool) {
        if !ev_present {
            self.cable = Cable::Unjudged;
            return;
        }
        let Some(coding) = self.coding else { return };
        if self.cable == Cable::Unjudged && self.candidate.is_some() {
            // The plug has just come in: the coding is still the one from before.
            return;
        }
        let lowest = match self.cable {
            Cable::Unjudged => None,
            Cable::Rated { limit } | Cable::Reduced { limit } => Some(limit),
            Cable::Faulty { lowest, .. } => lowest,
        };
        self.cable = match coding {
            CableCoding::NoCable => Cable::Faulty {
                error: ProximityError::NoCable,
                lowest,
            },
            CableCoding::Invalid => Cable::Faulty {
                error: ProximityError::Invalid,
                lowest,
            },
            CableCoding::Rated(now) => match (self.cable, lowest) {
                (Cable::Reduced { limit }, _) => Cable::Reduced {
                    limit: limit.min(now),
                },
                (Cable::Unjudged | Cable::Rated { .. } | Cable::Faulty { .. }, Some(before))
                    if held && before != now =>
                {
                    Cable::Reduced {
                        limit: before.min(now),
                    }
                }
                (Cable::Unjudged | Cable::Rated { .. } | Cable::Faulty { .. }, _) => {
                    Cable::Rated { limit: now }
                }
            },
        };
    }

    /// The cable's current per phase; `None` while there is none to respect.
    pub(crate) const fn limit(&self) -> Option<Amperes> {
        match self.cable {
            Cable::Unjudged => None,
            Cable::Rated { limit } | Cable::Reduced { limit } => Some(limit),
            Cable::Faulty { lowest, .. } => lowest,
        }
    }

    /// A usable cable is there.
    pub(crate) const fn is_valid(&self) -> bool {
        match self.cable {
            Cable::Rated { .. } | Cable::Reduced { .. } => true,
            Cable::Unjudged | Cable::Faulty { .. } => false,
        }
    }

    /// What is to be reported.
    pub(crate) const fn error(&self) -> Option<ProximityError> {
        match self.cable {
            Cable::Unjudged | Cable::Rated { .. } => None,
            Cable::Reduced { .. } => Some(ProximityError::Changed),
            Cable::Faulty { error, .. } => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_flutters_between_wrong_codings_is_not_the_one_before() {
        let mut proximity = Proximity::new();
        for now in (0..200).step_by(10) {
            proximity.observe(Millis(now), Ok(Millivolts(1_000)));
        }
        proximity.judge(true, true);
        assert_eq!(proximity.limit(), Some(Amperes::new(32)));
        for now in (200..=300).step_by(10) {
            let voltage = if now % 20 == 0 { 3_000 } else { 300 };
            proximity.observe(Millis(now), Ok(Millivolts(voltage)));
        }
        proximity.judge(true, true);
        assert!(proximity.error().is_some());
    }

    /// A plug slides past other codings on its way in.
    #[test]
    fn a_line_that_comes_to_rest_in_time_was_never_invalid() {
        let mut proximity = Proximity::new();
        let mut look = |now: u64, voltage: i32| {
            proximity.observe(Millis(now), Ok(Millivolts(voltage)));
            proximity.coding
        };
        let empty = look(0, 3_000).or(look(60, 3_000));
        for (now, voltage) in [(100, 300), (110, 1_500), (120, 300), (130, 1_000)] {
            assert_eq!(look(now, voltage), empty);
        }
        assert_eq!(look(179, 1_000), empty);
        let rated = CableCoding::Rated(Amperes::new(32));
        assert_eq!(look(180, 1_000), Some(rated));
    }

    // covers: PP-001
    #[test]
    fn coding_follows_the_table() {
        let rated = |amperes| CableCoding::Rated(Amperes::new(amperes));
        for (low, high, coding) in [
            (2_459, 3_300, CableCoding::NoCable),
            (1_813, 2_458, rated(13)),
            (1_170, 1_812, rated(20)),
            (891, 1_169, rated(32)),
            (751, 890, rated(63)),
            (-1, 750, CableCoding::Invalid),
        ] {
            for voltage in [low, high] {
                assert_eq!(
                    CableCoding::from_voltage(Millivolts(voltage)),
                    coding,
                    "{voltage}"
                );
            }
        }
    }

    #[test]
    fn a_coding_counts_when_it_has_held_for_50_ms() {
        let mut proximity = Proximity::new();
        let mut limits = Vec::new();
        for (now, voltage) in [
            (0, 1_000),
            (10, 1_000),
            (20, 2_000),
            (30, 1_000),
            (79, 1_000),
        ] {
            proximity.observe(Millis(now), Ok(Millivolts(voltage)));
            proximity.judge(true, false);
            limits.push(proximity.limit());
        }
        assert_eq!(limits, [None; 5]);
        proximity.observe(Millis(80), Ok(Millivolts(1_000)));
        proximity.judge(true, false);
        assert_eq!(
            (proximity.limit(), proximity.is_valid()),
            (Some(Amperes::new(32)), true)
        );
    }

    #[test]
    fn a_cable_that_comes_with_its_ev_is_not_taken_for_none() {
        let mut proximity = Proximity::new();
        settle(&mut proximity, Ok(3_000), false);
        proximity.judge(false, false);
        for now in [100, 110, 120, 149] {
            proximity.observe(Millis(now), Ok(Millivolts(1_000)));
            proximity.judge(true, false);
            assert_eq!((proximity.error(), proximity.is_valid()), (None, false));
        }
        proximity.observe(Millis(150), Ok(Millivolts(1_000)));
        proximity.judge(true, false);
        assert_eq!((proximity.error(), proximity.is_valid()), (None, true));
    }

    /// Settles on `voltage` and judges it in a session.
    fn settle(proximity: &mut Proximity, voltage: Result<i32, SensorFault>, held: bool) {
        for now in [0, 50] {
            proximity.observe(Millis(now), voltage.map(Millivolts));
            proximity.judge(true, held);
        }
    }

    // covers: PP-009, PP-010
    #[test]
    fn the_lowest_coding_of_a_session_holds_until_the_ev_leaves() {
        let mut proximity = Proximity::new();
        settle(&mut proximity, Ok(1_000), true);
        assert_eq!(
            (proximity.limit(), proximity.error()),
            (Some(Amperes::new(32)), None)
        );
        for (voltage, amperes) in [(1_500, 20), (1_000, 20), (2_000, 13), (800, 13)] {
            settle(&mut proximity, Ok(voltage), true);
            assert_eq!(proximity.limit(), Some(Amperes::new(amperes)), "{voltage}");
            assert_eq!(proximity.error(), Some(ProximityError::Changed));
            assert!(proximity.is_valid());
        }
        proximity.judge(false, true);
        assert_eq!((proximity.limit(), proximity.error()), (None, None));
    }

    #[test]
    fn a_raised_coding_is_not_believed_in_a_session_either() {
        let mut proximity = Proximity::new();
        settle(&mut proximity, Ok(1_500), true);
        settle(&mut proximity, Ok(800), true);
        assert_eq!(proximity.limit(), Some(Amperes::new(20)));
        assert_eq!(proximity.error(), Some(ProximityError::Changed));
    }

    #[test]
    fn before_a_session_the_coding_is_followed() {
        let mut proximity = Proximity::new();
        for (voltage, amperes) in [(1_500, 20), (800, 63), (2_000, 13)] {
            settle(&mut proximity, Ok(voltage), false);
            assert_eq!(proximity.limit(), Some(Amperes::new(amperes)));
            assert_eq!(proximity.error(), None);
        }
    }

    // covers: PP-005, PP-006
    #[test]
    fn no_cable_and_no_sense_are_errors_that_a_valid_coding_ends() {
        for (voltage, error) in [
            (Ok(3_000), ProximityError::NoCable),
            (Ok(300), ProximityError::Invalid),
            (Err(SensorFault), ProximityError::Invalid),
        ] {
            let mut proximity = Proximity::new();
            settle(&mut proximity, Ok(1_000), true);
            settle(&mut proximity, voltage, true);
            assert_eq!(
                (proximity.error(), proximity.is_valid()),
                (Some(error), false)
            );
            settle(&mut proximity, Ok(1_000), true);
            assert_eq!((proximity.error(), proximity.is_valid()), (None, true));
        }
    }
}
