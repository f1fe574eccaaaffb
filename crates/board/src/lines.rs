//! The board's GPIO lines: names as in the device tree, physical levels, polarity.
//!
//! A level here is what a multimeter shows: `true` is high. Polarity is undone in
//! this module alone, so hardware and simulator exercise the same code.

use evse_core::{DigitalInputs, DigitalOutputs, Inputs, LockDrive, RotaryPosition};

use crate::conversion;

/// A line that the board reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are those of the device tree")]
pub enum InputLine {
    Relay1Sense,
    Relay2Sense,
    Motor1FaultN,
    DigitalIn1,
    DigitalIn2,
    DigitalIn3,
    DigitalIn4,
    DigitalIn5,
    DigitalIn6,
    Rotary1N,
    Rotary2N,
    Rotary4N,
    Rotary8N,
}

impl InputLine {
    /// Every input, in the order of its bit in [`InputLevels`].
    pub const ALL: [Self; 13] = [
        Self::Relay1Sense,
        Self::Relay2Sense,
        Self::Motor1FaultN,
        Self::DigitalIn1,
        Self::DigitalIn2,
        Self::DigitalIn3,
        Self::DigitalIn4,
        Self::DigitalIn5,
        Self::DigitalIn6,
        Self::Rotary1N,
        Self::Rotary2N,
        Self::Rotary4N,
        Self::Rotary8N,
    ];

    /// DIGITAL_IN_1 to DIGITAL_IN_6.
    pub const DIGITAL: [Self; 6] = [
        Self::DigitalIn1,
        Self::DigitalIn2,
        Self::DigitalIn3,
        Self::DigitalIn4,
        Self::DigitalIn5,
        Self::DigitalIn6,
    ];

    /// Name in the device tree.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay1Sense => "RELAY_1_SENSE",
            Self::Relay2Sense => "RELAY_2_SENSE",
            Self::Motor1FaultN => "MOTOR_1_FAULT_N",
            Self::DigitalIn1 => "DIGITAL_IN_1",
            Self::DigitalIn2 => "DIGITAL_IN_2",
            Self::DigitalIn3 => "DIGITAL_IN_3",
            Self::DigitalIn4 => "DIGITAL_IN_4",
            Self::DigitalIn5 => "DIGITAL_IN_5",
            Self::DigitalIn6 => "DIGITAL_IN_6",
            Self::Rotary1N => "ROTARY_SWITCH_1_1_N",
            Self::Rotary2N => "ROTARY_SWITCH_1_2_N",
            Self::Rotary4N => "ROTARY_SWITCH_1_4_N",
            Self::Rotary8N => "ROTARY_SWITCH_1_8_N",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A line that the board drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are those of the device tree")]
pub enum OutputLine {
    CpInvert,
    CpPositivePeakReset,
    CpNegativePeakReset,
    Relay1Enable,
    Relay2Enable,
    Motor1In1N,
    Motor1In2,
    DigitalOut1,
    DigitalOut2,
    DigitalOut3,
    DigitalOut4,
    DigitalOut5,
    DigitalOut6,
}

impl OutputLine {
    /// Every output, in the order of its bit in [`OutputLevels`].
    pub const ALL: [Self; 13] = [
        Self::CpInvert,
        Self::CpPositivePeakReset,
        Self::CpNegativePeakReset,
        Self::Relay1Enable,
        Self::Relay2Enable,
        Self::Motor1In1N,
        Self::Motor1In2,
        Self::DigitalOut1,
        Self::DigitalOut2,
        Self::DigitalOut3,
        Self::DigitalOut4,
        Self::DigitalOut5,
        Self::DigitalOut6,
    ];

    /// DIGITAL_OUT_1 to DIGITAL_OUT_6.
    pub const DIGITAL: [Self; 6] = [
        Self::DigitalOut1,
        Self::DigitalOut2,
        Self::DigitalOut3,
        Self::DigitalOut4,
        Self::DigitalOut5,
        Self::DigitalOut6,
    ];

    /// Name in the device tree.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpInvert => "CP_INVERT",
            Self::CpPositivePeakReset => "CP_POSITIVE_PEAK_RST",
            Self::CpNegativePeakReset => "CP_NEGATIVE_PEAK_RST",
            Self::Relay1Enable => "RELAY_1_ENABLE",
            Self::Relay2Enable => "RELAY_2_ENABLE",
            Self::Motor1In1N => "MOTOR_1_DRIVER_IN1_N",
            Self::Motor1In2 => "MOTOR_1_DRIVER_IN2",
            Self::DigitalOut1 => "DIGITAL_OUT_1",
            Self::DigitalOut2 => "DIGITAL_OUT_2",
            Self::DigitalOut3 => "DIGITAL_OUT_3",
            Self::DigitalOut4 => "DIGITAL_OUT_4",
            Self::DigitalOut5 => "DIGITAL_OUT_5",
            Self::DigitalOut6 => "DIGITAL_OUT_6",
        }
    }

    /// The level that the line takes when it is requested: everything off. The
    /// lock motor's inverted input is off when high; low would drive it open.
    pub const fn start_level(self) -> bool {
        matches!(self, Self::Motor1In1N)
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// Physical levels of all inputs, read together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct InputLevels(u16);

impl InputLevels {
    /// From one bit per line in the order of [`InputLine::ALL`]; `None` when a
    /// bit is set that belongs to no line.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits >> InputLine::ALL.len() == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// One bit per line in the order of [`InputLine::ALL`].
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The same with one line changed.
    #[must_use]
    pub const fn with(self, line: InputLine, high: bool) -> Self {
        Self(if high {
            self.0 | line.bit()
        } else {
            self.0 & !line.bit()
        })
    }

    /// `true` is high.
    pub const fn is_high(self, line: InputLine) -> bool {
        self.0 & line.bit() != 0
    }

    /// The inputs in the words of the machine.
    pub fn inputs(self) -> Inputs {
        use InputLine as L;
        let bits = L::DIGITAL.iter().enumerate().fold(0, |bits, (n, line)| {
            bits | u8::from(self.is_high(*line)) << n
        });
        Inputs {
            relay_1_sense: self.is_high(L::Relay1Sense),
            relay_2_sense: self.is_high(L::Relay2Sense),
            lock_driver_fault: !self.is_high(L::Motor1FaultN),
            digital: DigitalInputs(bits),
        }
    }

    /// Position of SW2, whose contacts pull low.
    pub const fn rotary_position(self) -> RotaryPosition {
        use InputLine as L;
        RotaryPosition::from_bits([
            !self.is_high(L::Rotary1N),
            !self.is_high(L::Rotary2N),
            !self.is_high(L::Rotary4N),
            !self.is_high(L::Rotary8N),
        ])
    }
}

/// New physical levels for some outputs, to be set in one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutputLevels {
    mask: u16,
    high: u16,
}

impl OutputLevels {
    /// No line.
    pub const NONE: Self = Self { mask: 0, high: 0 };

    /// From one mask bit and one level bit per line in the order of
    /// [`OutputLine::ALL`]; `None` when a bit belongs to no line or a level is
    /// given without its mask.
    pub const fn from_bits(mask: u16, high: u16) -> Option<Self> {
        if mask >> OutputLine::ALL.len() == 0 && high & !mask == 0 {
            Some(Self { mask, high })
        } else {
            None
        }
    }

    /// Mask bits and level bits.
    pub const fn bits(self) -> (u16, u16) {
        (self.mask, self.high)
    }

    /// The same with one line more.
    #[must_use]
    pub const fn with(self, line: OutputLine, high: bool) -> Self {
        let high = if high {
            self.high | line.bit()
        } else {
            self.high & !line.bit()
        };
        Self {
            mask: self.mask | line.bit(),
            high,
        }
    }

    /// The level that `line` takes, `None` when it keeps its own.
    pub const fn level(self, line: OutputLine) -> Option<bool> {
        if self.mask & line.bit() == 0 {
            None
        } else {
            Some(self.high & line.bit() != 0)
        }
    }

    /// True when no line is named.
    pub const fn is_empty(self) -> bool {
        self.mask == 0
    }

    /// The lines named, with their levels.
    pub fn iter(self) -> impl Iterator<Item = (OutputLine, bool)> {
        OutputLine::ALL
            .into_iter()
            .filter_map(move |line| Some((line, self.level(line)?)))
    }

    /// The lock motor's lines.
    pub const fn lock_drive(drive: LockDrive) -> Self {
        let (in1, in2) = conversion::motor_inputs(drive);
        Self::NONE
            .with(OutputLine::Motor1In1N, !in1)
            .with(OutputLine::Motor1In2, in2)
    }

    /// The push-pull outputs, those that are in use.
    pub fn digital(outputs: DigitalOutputs, in_use: DigitalOutputs) -> Self {
        OutputLine::DIGITAL
            .into_iter()
            .enumerate()
            .filter(|(n, _)| in_use.0 >> n & 1 == 1)
            .fold(Self::NONE, |levels, (n, line)| {
                levels.with(line, outputs.0 >> n & 1 == 1)
            })
    }
}

/// The digital lines that serve a function; the others belong to the customer
/// (guide 7.9), who can take them while evsed runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DigitalLines {
    /// One bit per DIGITAL_IN line.
    pub inputs: DigitalInputs,
    /// One bit per DIGITAL_OUT line.
    pub outputs: DigitalOutputs,
    /// The outputs that are high at rest: what hangs on them is on when they are low.
    pub resting: DigitalOutputs,
}

impl DigitalLines {
    /// All twelve.
    pub const ALL: Self = Self {
        inputs: DigitalInputs(0b11_1111),
        outputs: DigitalOutputs(0b11_1111),
        resting: DigitalOutputs(0),
    };

    /// The level that an output takes when it is requested: that at rest.
    pub fn start_level(self, line: OutputLine) -> bool {
        line.start_level()
            || OutputLevels::digital(self.resting, self.outputs).level(line) == Some(true)
    }

    /// Whether `line` is ours to read.
    pub fn has_input(self, line: InputLine) -> bool {
        InputLine::DIGITAL
            .iter()
            .position(|digital| *digital == line)
            .is_none_or(|n| self.inputs.0 >> n & 1 == 1)
    }

    /// Whether `line` is ours to drive.
    pub fn has_output(self, line: OutputLine) -> bool {
        OutputLine::DIGITAL
            .iter()
            .position(|digital| *digital == line)
            .is_none_or(|n| self.outputs.0 >> n & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_the_order_of_the_tables() {
        for (n, line) in InputLine::ALL.into_iter().enumerate() {
            assert_eq!(
                InputLevels::default().with(line, true).bits(),
                1 << n,
                "{}",
                line.name()
            );
        }
        for (n, line) in OutputLine::ALL.into_iter().enumerate() {
            assert_eq!(
                OutputLevels::NONE.with(line, true).bits(),
                (1 << n, 1 << n),
                "{}",
                line.name()
            );
        }
    }

    // covers: PL-006
    #[test]
    fn active_low_inputs_are_inverted_and_others_are_not() {
        let low = InputLevels::default();
        assert!(low.inputs().lock_driver_fault);
        assert!(!low.inputs().relay_1_sense);
        assert_eq!(low.rotary_position().index(), 15);

        let levels = low
            .with(InputLine::Motor1FaultN, true)
            .with(InputLine::Relay2Sense, true)
            .with(InputLine::DigitalIn3, true)
            .with(InputLine::Rotary1N, true)
            .with(InputLine::Rotary8N, true);
        let inputs = levels.inputs();
        assert!(!inputs.lock_driver_fault);
        assert!(inputs.relay_2_sense && !inputs.relay_1_sense);
        assert_eq!(inputs.digital, DigitalInputs(0b100));
        assert_eq!(levels.rotary_position().index(), 6);
    }

    // covers: PL-004
    #[test]
    fn coasting_motor_holds_the_inverted_line_high() {
        let coast = OutputLevels::lock_drive(LockDrive::Coast);
        assert_eq!(coast.level(OutputLine::Motor1In1N), Some(true));
        assert_eq!(coast.level(OutputLine::Motor1In2), Some(false));
        let lock = OutputLevels::lock_drive(LockDrive::Lock);
        assert_eq!(lock.level(OutputLine::Motor1In1N), Some(true));
        assert_eq!(lock.level(OutputLine::Motor1In2), Some(true));
        let unlock = OutputLevels::lock_drive(LockDrive::Unlock);
        assert_eq!(unlock.level(OutputLine::Motor1In1N), Some(false));
        assert_eq!(unlock.level(OutputLine::Motor1In2), Some(false));
    }

    #[test]
    fn lines_start_as_a_coasting_motor_and_everything_else_low() {
        for (line, level) in OutputLevels::lock_drive(LockDrive::Coast).iter() {
            assert_eq!(line.start_level(), level, "{}", line.name());
        }
        assert_eq!(
            OutputLine::ALL
                .into_iter()
                .filter(|line| line.start_level())
                .count(),
            1
        );
    }

    // covers: PL-008
    #[test]
    fn cover_lock_is_left_alone() {
        assert!(
            OutputLine::ALL
                .into_iter()
                .all(|line| !line.name().starts_with("MOTOR_2"))
        );
    }

    #[test]
    fn digital_outputs_keep_their_order() {
        let levels = OutputLevels::digital(DigitalOutputs(0b00_1001), DigitalOutputs(0b11_1111));
        let high: Vec<_> = levels
            .iter()
            .filter(|(_, high)| *high)
            .map(|(line, _)| line.name())
            .collect();
        assert_eq!(high, ["DIGITAL_OUT_1", "DIGITAL_OUT_4"]);
    }

    // covers: CFG-019
    #[test]
    fn digital_lines_out_of_use_are_left_alone() {
        let used = DigitalLines {
            inputs: DigitalInputs(0b00_0100),
            outputs: DigitalOutputs(0b00_0010),
            resting: DigitalOutputs(0b00_0011),
        };
        assert!(
            used.start_level(OutputLine::DigitalOut2),
            "on when it is low"
        );
        assert!(used.start_level(OutputLine::Motor1In1N));
        assert!(!used.start_level(OutputLine::DigitalOut1), "not ours");
        assert!(!used.start_level(OutputLine::Relay1Enable));
        let levels = OutputLevels::digital(DigitalOutputs(0b11_1111), used.outputs);
        assert_eq!(
            levels.iter().collect::<Vec<_>>(),
            [(OutputLine::DigitalOut2, true)]
        );
        assert!(used.has_input(InputLine::DigitalIn3) && used.has_input(InputLine::Relay1Sense));
        assert!(!used.has_input(InputLine::DigitalIn1));
        assert!(used.has_output(OutputLine::DigitalOut2) && used.has_output(OutputLine::CpInvert));
        assert!(!used.has_output(OutputLine::DigitalOut1));
    }
}
