//! Raw electrics to quantities and back: pure arithmetic with the board's scale
//! factors, truncated after each step like the board's published reference.

use evse_core::{DutyCycle, LockDrive, Millivolts};

/// Length of one control pilot period, 1 kHz (IEC 61851-1 A.2).
pub const PILOT_PERIOD_NS: u32 = 1_000_000;
/// Length of one period of the digital inputs' reference voltage, 25 kHz (guide 7.9.1).
pub const THRESHOLD_PERIOD_NS: u32 = 40_000;
/// The digital inputs' reference voltage at 100 % duty cycle (guide 7.9.1).
pub const THRESHOLD_FULL_SCALE: Millivolts = Millivolts(12_000);

/// One conversion of the 12 bit ADC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdcRaw(u16);

impl AdcRaw {
    /// Full scale.
    pub const MAX: Self = Self(4095);

    /// `None` above 4095: no such conversion exists.
    pub const fn new(raw: u16) -> Option<Self> {
        if raw <= Self::MAX.0 {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// 0 to 4095.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The voltage at the ADC's pin.
    const fn pin_millivolts(self) -> i32 {
        self.0 as i32 * 3300 / 4095
    }
}

/// Control pilot voltage from either peak detector.
pub const fn pilot(raw: AdcRaw) -> Millivolts {
    Millivolts(raw.pin_millivolts() * 4561 / 476 - 16_013)
}

/// Proximity pilot voltage; the reference divides by 4096 here.
pub const fn proximity(raw: AdcRaw) -> Millivolts {
    Millivolts(raw.0 as i32 * 3300 / 4096)
}

/// Feedback voltage of a lock motor.
pub const fn lock_sense(raw: AdcRaw) -> Millivolts {
    Millivolts(raw.pin_millivolts())
}

/// Voltage of the lock motor's capacitor, behind a divider.
pub const fn lock_capacitor(raw: AdcRaw) -> Millivolts {
    Millivolts(raw.pin_millivolts() * 90 / 22)
}

/// Active time of the pilot's PWM: 1 % is 10 µs.
pub const fn duty_ns(duty: DutyCycle) -> u32 {
    duty.hundredths() as u32 * (PILOT_PERIOD_NS / DutyCycle::FULL.hundredths() as u32)
}

/// Active time of the digital inputs' reference PWM; `None` outside 0 to 12 V.
pub const fn threshold_ns(threshold: Millivolts) -> Option<u32> {
    if threshold.0 < 0 || threshold.0 > THRESHOLD_FULL_SCALE.0 {
        return None;
    }
    Some(threshold.0 as u32 * THRESHOLD_PERIOD_NS / THRESHOLD_FULL_SCALE.0 as u32)
}

/// The H bridge's inputs (IN1, IN2), `true` is asserted: forward unlocks.
pub const fn motor_inputs(drive: LockDrive) -> (bool, bool) {
    match drive {
        LockDrive::Coast => (false, false),
        LockDrive::Unlock => (true, false),
        LockDrive::Lock => (false, true),
        LockDrive::Brake => (true, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: u16) -> AdcRaw {
        AdcRaw::new(value).unwrap()
    }

    #[test]
    fn pilot_meets_the_published_fixed_points() {
        for (counts, millivolts) in [
            (527, -11_951),
            (940, -8_760),
            (2074, -2),
            (2411, 2_595),
            (3072, 7_702),
            (3606, 11_822),
            (4095, 15_607),
        ] {
            assert_eq!(pilot(raw(counts)), Millivolts(millivolts), "raw {counts}");
        }
    }

    #[test]
    fn proximity_meets_the_published_thresholds() {
        // The smallest count of each band reaches its lower bound, one less doesn't.
        for (counts, lower_bound) in [
            (3053, 2459),
            (2251, 1813),
            (1453, 1170),
            (1106, 891),
            (933, 751),
        ] {
            assert!(proximity(raw(counts)).0 >= lower_bound, "raw {counts}");
            assert!(proximity(raw(counts - 1)).0 < lower_bound, "raw {counts}");
        }
    }

    #[test]
    fn lock_voltages_span_their_range() {
        assert_eq!(lock_sense(raw(0)), Millivolts(0));
        assert_eq!(lock_sense(AdcRaw::MAX), Millivolts(3300));
        assert_eq!(lock_capacitor(AdcRaw::MAX), Millivolts(13_500));
        // The count at which a motor may be driven, 10 V.
        assert_eq!(lock_capacitor(raw(3034)), Millivolts(9998));
        assert_eq!(lock_capacitor(raw(3035)), Millivolts(10_002));
    }

    #[test]
    fn adc_has_twelve_bits() {
        assert_eq!(AdcRaw::new(4096), None);
        assert_eq!(AdcRaw::new(4095), Some(AdcRaw::MAX));
    }

    #[test]
    fn duty_cycle_becomes_active_time() {
        assert_eq!(duty_ns(DutyCycle::ZERO), 0);
        assert_eq!(duty_ns(DutyCycle::from_hundredths(2667).unwrap()), 266_700);
        assert_eq!(duty_ns(DutyCycle::FULL), PILOT_PERIOD_NS);
    }

    // covers: CFG-014, CFG-015
    #[test]
    fn threshold_becomes_active_time() {
        for millivolts in 0..=12_000 {
            assert_eq!(
                threshold_ns(Millivolts(millivolts)),
                Some(millivolts as u32 * 10 / 3)
            );
        }
        assert_eq!(threshold_ns(Millivolts(6000)), Some(20_000));
        assert_eq!(threshold_ns(Millivolts(12_000)), Some(40_000));
        assert_eq!(threshold_ns(Millivolts(12_001)), None);
        assert_eq!(threshold_ns(Millivolts(-1)), None);
    }

    // covers: PL-003
    #[test]
    fn motor_locks_backward_and_unlocks_forward() {
        assert_eq!(motor_inputs(LockDrive::Unlock), (true, false));
        assert_eq!(motor_inputs(LockDrive::Lock), (false, true));
        assert_eq!(motor_inputs(LockDrive::Coast), (false, false));
        assert_eq!(motor_inputs(LockDrive::Brake), (true, true));
    }
}
