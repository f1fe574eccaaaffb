//! The plug lock motors that the station knows (guide 8.9, 14.1 table 47).

use crate::Millivolts;

/// Position of the plug lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockPosition {
    /// The plug is held in the socket.
    Locked,
    /// The plug can be taken out.
    Unlocked,
}

/// The voltage of the feedback contact in each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SenseBand {
    low: i32,
    high: i32,
}

impl SenseBand {
    const fn contains(self, voltage: Millivolts) -> bool {
        self.low <= voltage.0 && voltage.0 <= self.high
    }
}

/// Both bands of a motor's feedback contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SenseBands {
    locked: SenseBand,
    unlocked: SenseBand,
}

/// How one type of plug lock motor is driven and sensed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockProfile {
    name: &'static str,
    drive_ms: u64,
    /// `None` for a motor without feedback.
    sense: Option<SenseBands>,
}

impl LockProfile {
    /// The eleven values of `plug_lock/type`; the bands come from the vendor's
    /// table of known devices. For the 02S family the locked band reaches to
    /// 850 mV: a diode in the sense path drifts with temperature.
    pub const ALL: [Self; 11] = [
        Self::new("KUESTER-02S", 600, 850, 2_900),
        Self::new("KUESTER-04S", 600, 1_950, 2_700),
        Self::new("EV-T2M3S-E-LOCK12V", 600, 850, 2_900),
        Self::new("EV-T2M3SM-E-LOCK12V", 600, 850, 2_900),
        Self::new("HELLA-MICRO-ACTUATOR-1", 400, 950, 2_900),
        Self::new("WALTHER-WERKE-9798999009", 400, 950, 2_900),
        Self::new("INTRAMCO-603205", 400, 950, 2_900),
        Self::new("SCAME-200.23260BS", 500, 700, 2_900),
        Self::new("SCAME-200.23261BS", 500, 700, 2_900),
        Self::new("SCAME-200.23261BP", 500, 950, 2_700),
        Self {
            name: "SCAME-200.23261BL",
            drive_ms: 500,
            sense: None,
        },
    ];

    /// The factory default of `plug_lock/type`.
    pub const DEFAULT: Self = Self::ALL[2];

    const fn new(name: &'static str, drive_ms: u64, locked_to: i32, unlocked_from: i32) -> Self {
        Self {
            name,
            drive_ms,
            sense: Some(SenseBands {
                locked: SenseBand {
                    low: 0,
                    high: locked_to,
                },
                unlocked: SenseBand {
                    low: unlocked_from,
                    high: 3_300,
                },
            }),
        }
    }

    /// By its name in `plug_lock/type`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// Its name in `plug_lock/type`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How long the motor is driven, in milliseconds.
    pub const fn drive_ms(&self) -> u64 {
        self.drive_ms
    }

    /// `true` when the motor tells its position.
    pub const fn has_feedback(&self) -> bool {
        self.sense.is_some()
    }

    /// The position that the feedback shows; `None` in neither band, or without feedback.
    pub const fn sensed(&self, voltage: Millivolts) -> Option<LockPosition> {
        match self.sense {
            Some(bands) if bands.locked.contains(voltage) => Some(LockPosition::Locked),
            Some(bands) if bands.unlocked.contains(voltage) => Some(LockPosition::Unlocked),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: PL-001, PL-002
    #[test]
    fn all_eleven_motors_have_their_times_and_bands() {
        for (name, drive_ms, locked_to, unlocked_from) in [
            ("KUESTER-02S", 600, 850, 2_900),
            ("KUESTER-04S", 600, 1_950, 2_700),
            ("EV-T2M3S-E-LOCK12V", 600, 850, 2_900),
            ("EV-T2M3SM-E-LOCK12V", 600, 850, 2_900),
            ("HELLA-MICRO-ACTUATOR-1", 400, 950, 2_900),
            ("WALTHER-WERKE-9798999009", 400, 950, 2_900),
            ("INTRAMCO-603205", 400, 950, 2_900),
            ("SCAME-200.23260BS", 500, 700, 2_900),
            ("SCAME-200.23261BS", 500, 700, 2_900),
            ("SCAME-200.23261BP", 500, 950, 2_700),
        ] {
            let profile = LockProfile::by_name(name).unwrap();
            assert_eq!(profile.name(), name);
            assert_eq!(profile.drive_ms(), drive_ms, "{name}");
            for (voltage, position) in [
                (-1, None),
                (0, Some(LockPosition::Locked)),
                (locked_to, Some(LockPosition::Locked)),
                (locked_to + 1, None),
                (unlocked_from - 1, None),
                (unlocked_from, Some(LockPosition::Unlocked)),
                (3_300, Some(LockPosition::Unlocked)),
                (3_301, None),
            ] {
                assert_eq!(
                    profile.sensed(Millivolts(voltage)),
                    position,
                    "{name} {voltage}"
                );
            }
        }
        let blind = LockProfile::by_name("SCAME-200.23261BL").unwrap();
        assert_eq!((blind.drive_ms(), blind.has_feedback()), (500, false));
        assert_eq!(blind.sensed(Millivolts(0)), None);

        assert_eq!(LockProfile::by_name("KUESTER"), None);
        assert_eq!(LockProfile::DEFAULT.name(), "EV-T2M3S-E-LOCK12V");
    }
}
