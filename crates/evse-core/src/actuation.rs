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
    /// All relays open, pilot at -12 V (state F), lock motor free: the level at
    /// process start and of `evsed --safe-state`.
    pub const SAFE: Self = Self {
        pilot: PilotOutput::Duty(DutyCycle::ZERO),
        relay_1: false,
        relay_2: false,
        lock_drive: LockDrive::Coast,
        outputs: DigitalOutputs(0),
    };
}
