//! The seam between the board's sequences and what carries them out.

pub use evse_core::SensorFault;

use crate::BoardError;
use crate::conversion::AdcRaw;
use crate::lines::{InputLevels, OutputLevels};

/// Raw counts of one round of conversions; each channel can fail on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdcCounts {
    /// Feedback of the plug lock motor (voltage0).
    pub lock_sense: Result<AdcRaw, SensorFault>,
    /// Positive peak of the control pilot (voltage2).
    pub pilot_positive: Result<AdcRaw, SensorFault>,
    /// Negative peak of the control pilot (voltage3).
    pub pilot_negative: Result<AdcRaw, SensorFault>,
    /// Capacitor of the plug lock motor (voltage4).
    pub lock_capacitor: Result<AdcRaw, SensorFault>,
    /// Proximity pilot (voltage5).
    pub proximity: Result<AdcRaw, SensorFault>,
}

impl AdcCounts {
    /// No channel gave a value.
    pub const FAILED: Self = Self {
        lock_sense: Err(SensorFault),
        pilot_positive: Err(SensorFault),
        pilot_negative: Err(SensorFault),
        lock_capacitor: Err(SensorFault),
        proximity: Err(SensorFault),
    };
}

/// Lines, PWM and ADC, as the kernel or the simulator's socket offers them. No
/// sequence, no polarity, no scale: those are the driver's.
pub trait Electrics: Send {
    /// Set some outputs, lines of one chip at once.
    ///
    /// # Errors
    /// Names the first line or chip that refused; the others are still tried.
    fn set_lines(&mut self, levels: OutputLevels) -> Result<(), BoardError>;

    /// Set the control pilot's active time within [`crate::conversion::PILOT_PERIOD_NS`],
    /// then switch the generator.
    ///
    /// # Errors
    /// When a value isn't taken.
    fn set_pilot_pwm(&mut self, duty_ns: u32, enabled: bool) -> Result<(), BoardError>;

    /// Read all input lines.
    ///
    /// # Errors
    /// When any line can't be read.
    fn input_levels(&mut self) -> Result<InputLevels, BoardError>;

    /// Convert all channels, the pilot's positive peak before the negative one.
    fn adc_counts(&mut self) -> AdcCounts;

    /// Convert the pilot's two channels alone, positive before negative.
    fn pilot_counts(&mut self) -> [Result<AdcRaw, SensorFault>; 2];
}
