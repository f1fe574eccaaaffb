//! What the board measures: raw facts, not judged. Debounce, hysteresis and
//! thresholds live in the machine.

use crate::Millivolts;

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
    /// Proximity pilot.
    pub proximity: Result<Millivolts, SensorFault>,
    /// Feedback of the plug lock motor (X9 SENSE).
    pub lock_sense: Result<Millivolts, SensorFault>,
    /// Voltage of the plug lock motor's capacitor.
    pub lock_capacitor: Result<Millivolts, SensorFault>,
    /// On/off inputs.
    pub inputs: Result<Inputs, SensorFault>,
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
