//! What the board measures: raw facts, not judged. Debounce, hysteresis and
//! thresholds live in the machine.

use crate::{Amperes, Millivolts};

/// A sensor that gave no value. It is a fault, never a plausible value (S8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorFault;

/// The extremes of the control pilot over at least two 1 kHz periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PilotPeaks {
    /// Positive peak at the vehicle side.
    pub positive: Millivolts,
    /// Negative peak at the vehicle side.
    pub negative: Millivolts,
}

/// The six digital inputs; bit `n` is the electrical level of DIGITAL_IN_`n + 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DigitalInputs(pub u8);

/// One of the six digital inputs and the level that means "on".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DigitalInput {
    bit: u8,
    active_high: bool,
}

impl DigitalInput {
    /// The authorisation key switch: DIGITAL_IN_3, active high (guide 7.9.1, table 26).
    pub const KEY_SWITCH: Self = Self {
        bit: 2,
        active_high: true,
    };

    /// `number` is 1 to 6 as in DIGITAL_IN_1; `None` otherwise.
    pub const fn new(number: u8, active_high: bool) -> Option<Self> {
        match number {
            1..=6 => Some(Self {
                bit: number - 1,
                active_high,
            }),
            _ => None,
        }
    }

    /// Whether it is on in `inputs`.
    pub const fn is_on(self, inputs: DigitalInputs) -> bool {
        (inputs.0 >> self.bit & 1 == 1) == self.active_high
    }
}

/// All on/off inputs, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Inputs {
    /// S1: `true` is active, the sense line sees voltage (guide 8.13). What that
    /// means for the contactor depends on `contactor/feedback_type`.
    pub relay_1_sense: bool,
    /// S2, as S1 for relay 2.
    pub relay_2_sense: bool,
    /// The driver of the plug lock motor reports a fault (nFAULT is low).
    pub lock_driver_fault: bool,
    /// DIGITAL_IN_1 to DIGITAL_IN_6.
    pub digital: DigitalInputs,
}

/// One round of measurements; each sensor can fail on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sample {
    /// Control pilot peaks.
    pub pilot: Result<PilotPeaks, SensorFault>,
    /// The same two channels while the peak detectors were held in reset, right
    /// before; `None` in a round without this look, of which there may be a few.
    pub pilot_in_reset: Option<Result<PilotPeaks, SensorFault>>,
    /// Proximity pilot.
    pub proximity: Result<Millivolts, SensorFault>,
    /// Feedback of the plug lock motor (X9 SENSE).
    pub lock_sense: Result<Millivolts, SensorFault>,
    /// Voltage of the plug lock motor's capacitor.
    pub lock_capacitor: Result<Millivolts, SensorFault>,
    /// On/off inputs.
    pub inputs: Result<Inputs, SensorFault>,
}

impl Sample {
    /// Nothing could be read.
    pub const FAILED: Self = Self {
        pilot: Err(SensorFault),
        pilot_in_reset: None,
        proximity: Err(SensorFault),
        lock_sense: Err(SensorFault),
        lock_capacitor: Err(SensorFault),
        inputs: Err(SensorFault),
    };
}

/// Position of the rotary switch SW2, 0 to 15 (guide 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RotaryPosition(u8);

impl RotaryPosition {
    /// From the four switch bits (1, 2, 4, 8; `true` is on).
    pub const fn from_bits(bits: [bool; 4]) -> Self {
        Self(bits[0] as u8 | (bits[1] as u8) << 1 | (bits[2] as u8) << 2 | (bits[3] as u8) << 3)
    }

    /// 0 to 15.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How many phases the grid connection has (guide 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhaseCount {
    /// L1 only.
    One,
    /// L1, L2, L3.
    Three,
}

/// What a position of the rotary switch says about the grid connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GridRating {
    /// Phases of the connection.
    pub phase_count: PhaseCount,
    /// Limit per phase.
    pub limit: Amperes,
}

impl GridRating {
    /// The sixteen positions as shipped (guide 4.2.2, table 16); `rotaryencd.json`
    /// can override each.
    pub const FACTORY: [Self; 16] = {
        const AMPERES: [u32; 8] = [6, 10, 13, 16, 20, 32, 40, 63];
        let mut table = [Self {
            phase_count: PhaseCount::One,
            limit: Amperes::ZERO,
        }; 16];
        let mut index = 0;
        while index < table.len() {
            let phase_count = if index < 8 {
                PhaseCount::One
            } else {
                PhaseCount::Three
            };
            table[index] = Self {
                phase_count,
                limit: Amperes::new(AMPERES[index % 8]),
            };
            index += 1;
        }
        table
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: LIM-024
    #[test]
    fn the_rotary_switch_has_its_sixteen_factory_positions() {
        for (bits, index, phase_count, amperes) in [
            ([false, false, false, false], 0, PhaseCount::One, 6),
            ([true, false, false, false], 1, PhaseCount::One, 10),
            ([false, true, false, false], 2, PhaseCount::One, 13),
            ([true, true, false, false], 3, PhaseCount::One, 16),
            ([false, false, true, false], 4, PhaseCount::One, 20),
            ([true, false, true, false], 5, PhaseCount::One, 32),
            ([false, true, true, false], 6, PhaseCount::One, 40),
            ([true, true, true, false], 7, PhaseCount::One, 63),
            ([false, false, false, true], 8, PhaseCount::Three, 6),
            ([true, false, false, true], 9, PhaseCount::Three, 10),
            ([false, true, false, true], 10, PhaseCount::Three, 13),
            ([true, true, false, true], 11, PhaseCount::Three, 16),
            ([false, false, true, true], 12, PhaseCount::Three, 20),
            ([true, false, true, true], 13, PhaseCount::Three, 32),
            ([false, true, true, true], 14, PhaseCount::Three, 40),
            ([true, true, true, true], 15, PhaseCount::Three, 63),
        ] {
            let position = RotaryPosition::from_bits(bits);
            assert_eq!(position.index(), index);
            let limit = Amperes::new(amperes);
            assert_eq!(
                GridRating::FACTORY[index],
                GridRating { phase_count, limit }
            );
        }
    }

    #[test]
    fn a_digital_input_is_on_at_its_active_level() {
        let key_switch = DigitalInput::KEY_SWITCH;
        assert!(key_switch.is_on(DigitalInputs(0b000_100)));
        assert!(!key_switch.is_on(DigitalInputs(0b111_011)));
        let active_low = DigitalInput::new(1, false).unwrap();
        assert!(active_low.is_on(DigitalInputs(0b111_110)));
        assert!(!active_low.is_on(DigitalInputs(0b000_001)));
        assert_eq!(DigitalInput::new(0, true), None);
        assert_eq!(DigitalInput::new(7, true), None);
    }
}
