//! One round of the control pilot: from two peaks to a state or a fault
//! (IEC 61851-1 table A.4).

use crate::{DutyCycle, Millivolts, PilotPeaks};

/// States of the control pilot (IEC 61851-1 table A.4, guide 15.3 table 57).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpState {
    /// +12 V: no EV.
    A,
    /// +9 V: EV connected, not ready.
    B,
    /// +6 V: EV requests energy.
    C,
    /// +3 V: EV requests energy and ventilation.
    D,
    /// 0 V: pilot shorted to PE, or no supply.
    E,
    /// -12 V: station not available.
    F,
}

/// Why the pilot can't be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PilotFault {
    /// The sensor gave no value.
    Sensor,
    /// No round arrived in time: the control loop or the sensor is frozen.
    Stale,
    /// A peak detector held in reset doesn't let go of its peak: what it shows is not
    /// the line.
    Frozen,
    /// Too many rounds contradict those around them: a loose contact.
    Unsteady,
    /// A peak lies outside every band of table A.4.
    OutOfRange,
    /// The negative half wave mirrors the positive one: the EV's diode is missing
    /// or shorted. Latched until the EV leaves.
    Diode,
    /// The line doesn't follow the output stage (an oscillation without negative
    /// half wave, or one where none is commanded). Latched until the EV leaves.
    Output,
}

/// What one round shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    State(CpState),
    Fault(PilotFault),
}

/// The band of one peak; `Outside` is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Band {
    A,
    B,
    C,
    D,
    E,
    F,
    Outside,
}

impl Band {
    /// Between two bands the one that was seen before wins.
    fn of(peak: Millivolts, before: Self) -> Self {
        match peak.0 {
            13_001.. => Self::Outside,
            11_000..=13_000 => Self::A,
            10_000..=10_999 => match before {
                Self::A => Self::A,
                Self::B | Self::C | Self::D | Self::E | Self::F | Self::Outside => Self::B,
            },
            8_000..=9_999 => Self::B,
            7_000..=7_999 => match before {
                Self::A | Self::B => Self::B,
                Self::C | Self::D | Self::E | Self::F | Self::Outside => Self::C,
            },
            5_000..=6_999 => Self::C,
            4_000..=4_999 => match before {
                Self::A | Self::B | Self::C => Self::C,
                Self::D | Self::E | Self::F | Self::Outside => Self::D,
            },
            2_000..=3_999 => Self::D,
            -1_000..=1_999 => Self::E,
            -2_000..=-1_001 => match before {
                Self::A | Self::B | Self::C | Self::D | Self::E => Self::E,
                Self::F | Self::Outside => Self::Outside,
            },
            -10_000..=-2_001 => Self::Outside,
            -11_000..=-10_001 => match before {
                Self::F => Self::F,
                Self::A | Self::B | Self::C | Self::D | Self::E | Self::Outside => Self::Outside,
            },
            -13_000..=-11_001 => Self::F,
            ..=-13_001 => Self::Outside,
        }
    }
}

/// Both bands of the last valid round: the memory of the hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bands {
    positive: Band,
    negative: Band,
}

impl Bands {
    /// Nothing was seen yet.
    pub(crate) const UNKNOWN: Self = Self {
        positive: Band::Outside,
        negative: Band::Outside,
    };

    /// Takes a round's peaks and says what they mean while `driven` is on the line.
    pub(crate) fn read(&mut self, peaks: PilotPeaks, driven: DutyCycle) -> Reading {
        *self = Self {
            positive: Band::of(peaks.positive, self.positive),
            negative: Band::of(peaks.negative, self.negative),
        };
        self.judge(peaks, driven)
    }

    fn judge(self, peaks: PilotPeaks, driven: DutyCycle) -> Reading {
        let (positive, negative) = (peaks.positive.0, peaks.negative.0);
        let mirrored = positive.saturating_add(negative).saturating_abs() <= 1_200;
        let (modulated, steady_minus) = (driven.is_modulated(), driven == DutyCycle::ZERO);
        // A short to PE: no positive half wave, and no negative one either.
        if positive < 2_000
            && if modulated {
                mirrored
            } else {
                negative > -10_000
            }
        {
            return Reading::State(CpState::E);
        }
        if modulated && mirrored && self.positive != Band::A {
            return Reading::Fault(PilotFault::Diode);
        }
        let state = match (self.positive, self.negative) {
            (Band::Outside, _) | (_, Band::Outside) => {
                return Reading::Fault(PilotFault::OutOfRange);
            }
            (Band::E | Band::F, Band::F) => CpState::F,
            (Band::A, _) => CpState::A,
            (Band::B, _) => CpState::B,
            (Band::C, _) => CpState::C,
            (Band::D, _) => CpState::D,
            (Band::E, _) => CpState::E,
            (Band::F, _) => CpState::F,
        };
        // The negative half wave must be there exactly when the stage oscillates.
        let follows = match state {
            CpState::A | CpState::B | CpState::C | CpState::D => {
                !steady_minus && modulated == (self.negative == Band::F)
            }
            CpState::E | CpState::F => true,
        };
        if follows {
            Reading::State(state)
        } else {
            Reading::Fault(PilotFault::Output)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Band; 7] = [
        Band::A,
        Band::B,
        Band::C,
        Band::D,
        Band::E,
        Band::F,
        Band::Outside,
    ];

    #[test]
    fn bands_overlap_where_the_state_before_decides() {
        use Band::*;
        // Lowest and highest voltage of a row, and the band after A, B, C, D, E, F, Outside.
        for (low, high, after) in [
            (13_001, 20_000, [Outside; 7]),
            (11_000, 13_000, [A; 7]),
            (10_000, 10_999, [A, B, B, B, B, B, B]),
            (8_000, 9_999, [B; 7]),
            (7_000, 7_999, [B, B, C, C, C, C, C]),
            (5_000, 6_999, [C; 7]),
            (4_000, 4_999, [C, C, C, D, D, D, D]),
            (2_000, 3_999, [D; 7]),
            (-1_000, 1_999, [E; 7]),
            (-2_000, -1_001, [E, E, E, E, E, Outside, Outside]),
            (-10_000, -2_001, [Outside; 7]),
            (
                -11_000,
                -10_001,
                [Outside, Outside, Outside, Outside, Outside, F, Outside],
            ),
            (-13_000, -11_001, [F; 7]),
            (-20_000, -13_001, [Outside; 7]),
        ] {
            for (before, band) in ALL.into_iter().zip(after) {
                for voltage in [low, high] {
                    assert_eq!(
                        Band::of(Millivolts(voltage), before),
                        band,
                        "{voltage} {before:?}"
                    );
                }
            }
        }
    }
}
