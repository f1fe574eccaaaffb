//! What the machine wants of the board: levels, recomputed at every step.

use crate::DutyCycle;

/// The control pilot output stage (IEC 61851-1 annex A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PilotOutput {
    /// The output stage drives: 100 % is +12 V steady, 0 % is -12 V steady (state F).
    Duty(DutyCycle),
    /// The output stage is released: 0 V at the vehicle (state E).
    Released,
}

/// The H bridge of the plug lock motor (board X9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockDrive {
    /// Both sides open: the motor is free, the capacitor charges.
    Coast,
    /// Drive towards locked.
    Lock,
    /// Drive towards unlocked.
    Unlock,
    /// Both sides shorted: the motor is held.
    Brake,
}

/// The six push-pull outputs; bit `n` is DIGITAL_OUT_`n + 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DigitalOutputs(pub u8);

/// One of the six push-pull outputs and the level that means "on".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DigitalOutput {
    bit: u8,
    active_high: bool,
}

impl DigitalOutput {
    /// `number` is 1 to 6 as in DIGITAL_OUT_1; `None` otherwise.
    pub const fn new(number: u8, active_high: bool) -> Option<Self> {
        match number {
            1..=6 => Some(Self {
                bit: number - 1,
                active_high,
            }),
            _ => None,
        }
    }

    /// Its level while it is `on`, all other outputs low.
    pub const fn level(self, on: bool) -> DigitalOutputs {
        DigitalOutputs(((on == self.active_high) as u8) << self.bit)
    }
}

/// The level of everything that the supervisor drives.
///
/// The shell applies differences and writes all of it at start, so a lost
/// command can't leave a contactor closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actuation {
    /// Control pilot output.
    pub pilot: PilotOutput,
    /// Relay 1, the primary contactor: `true` is commanded closed.
    pub relay_1: bool,
    /// Relay 2, ventilation or the secondary contactor: `true` is commanded closed.
    pub relay_2: bool,
    /// Plug lock motor.
    pub lock_drive: LockDrive,
    /// RCD test trigger, LEDs and other push-pull outputs.
    pub outputs: DigitalOutputs,
}

impl Actuation {
    /// All relays open, pilot at -12 V (state F), lock motor free, all outputs low. Where
    /// something hangs on an output, see [`crate::Config::safe`].
    pub const SAFE: Self = Self {
        pilot: PilotOutput::Duty(DutyCycle::ZERO),
        relay_1: false,
        relay_2: false,
        lock_drive: LockDrive::Coast,
        outputs: DigitalOutputs(0),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digital_output_is_on_at_its_active_level() {
        let high = DigitalOutput::new(4, true).unwrap();
        assert_eq!(high.level(true), DigitalOutputs(0b001_000));
        assert_eq!(high.level(false), DigitalOutputs(0));
        let low = DigitalOutput::new(6, false).unwrap();
        assert_eq!(low.level(true), DigitalOutputs(0));
        assert_eq!(low.level(false), DigitalOutputs(0b100_000));
        assert_eq!(DigitalOutput::new(0, true), None);
        assert_eq!(DigitalOutput::new(7, true), None);
    }
}
