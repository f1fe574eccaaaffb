//! A residual current device with a feedback contact and a test input. It doesn't
//! switch the mains: that is the station's job, or the job of an upstream breaker.

use serde::{Deserialize, Serialize};

/// What kind of device it is and how it is wired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct RcdSettings {
    /// The digital input, 1 to 6, that its feedback drives; 0 is not wired.
    pub feedback_input: u8,
    /// Level of the feedback while it isn't tripped.
    pub normal_high: bool,
    /// The digital output, 1 to 6, that its test input hangs on; 0 is not wired.
    pub test_output: u8,
    /// Level of the test input that makes it test itself.
    pub test_high: bool,
    /// It trips at this residual current, in mA.
    pub threshold_ma: f64,
    /// From the residual current, or the test input, to tripped, in ms.
    pub trip_ms: u32,
    /// From their end to normal, in ms.
    pub reset_ms: u32,
    /// Stays tripped until somebody resets it.
    pub latching: bool,
}

impl Default for RcdSettings {
    fn default() -> Self {
        Self {
            feedback_input: 0,
            normal_high: true,
            test_output: 0,
            test_high: true,
            threshold_ma: 6.0,
            trip_ms: 50,
            reset_ms: 100,
            latching: false,
        }
    }
}

/// Where the feedback contact is stuck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckFeedback {
    /// It moves.
    #[default]
    No,
    /// It says normal, whatever happens.
    Normal,
    /// It says tripped, whatever happens.
    Tripped,
}

/// The device and what is broken about it.
#[derive(Clone, Debug, Default)]
pub struct Rcd {
    /// What kind it is.
    pub settings: RcdSettings,
    /// Current that flows to earth, in mA.
    pub residual_ma: f64,
    /// Its feedback contact.
    pub stuck_feedback: StuckFeedback,
    /// The test input's wire is broken.
    pub test_wire_broken: bool,
    tripped: bool,
    /// A reason to trip, as long as there is one; else a reason to reset.
    excited: bool,
    since_us: u64,
}

impl Rcd {
    /// Push its reset button: it is normal at once, and trips again if it has reason to.
    pub fn reset(&mut self) {
        self.tripped = false;
        self.since_us = 0;
    }

    /// Whether it has tripped.
    pub fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// The digital input, 1 to 6, that it drives, and that input's level.
    pub fn feedback(&self) -> Option<(u8, bool)> {
        let input = self.settings.feedback_input;
        let tripped = match self.stuck_feedback {
            StuckFeedback::No => self.tripped,
            StuckFeedback::Normal => false,
            StuckFeedback::Tripped => true,
        };
        let high = tripped != self.settings.normal_high;
        (1..=6).contains(&input).then_some((input, high))
    }

    /// Let time pass with the board's digital outputs like this.
    pub fn advance(&mut self, dt_us: u64, outputs: [bool; 6]) {
        let excited = self.is_tested(outputs) || self.residual_ma >= self.settings.threshold_ma;
        if excited == self.excited {
            self.since_us = self.since_us.saturating_add(dt_us);
        } else {
            self.excited = excited;
            self.since_us = 0;
        }
        let delay_ms = if excited {
            self.settings.trip_ms
        } else {
            self.settings.reset_ms
        };
        if self.since_us >= u64::from(delay_ms) * 1000 {
            self.tripped = excited || (self.tripped && self.settings.latching);
        }
    }

    fn is_tested(&self, outputs: [bool; 6]) -> bool {
        let index = usize::from(self.settings.test_output).checked_sub(1);
        let level = index.and_then(|index| outputs.get(index));
        !self.test_wire_broken && level == Some(&self.settings.test_high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: [bool; 6] = [false; 6];
    const TEST: [bool; 6] = [false, false, false, true, false, false];

    fn wired() -> Rcd {
        Rcd {
            settings: RcdSettings {
                feedback_input: 2,
                test_output: 4,
                ..RcdSettings::default()
            },
            ..Rcd::default()
        }
    }

    fn run(rcd: &mut Rcd, ms: u32, outputs: [bool; 6]) {
        for _ in 0..ms {
            rcd.advance(1000, outputs);
        }
    }

    #[test]
    fn unwired_device_drives_nothing() {
        let mut rcd = Rcd::default();
        run(&mut rcd, 1000, [true; 6]);
        assert_eq!((rcd.feedback(), rcd.is_tripped()), (None, false));
    }

    #[test]
    fn test_input_trips_after_the_delay_and_releases_after_another() {
        let mut rcd = wired();
        run(&mut rcd, 50, TEST);
        assert_eq!(rcd.feedback(), Some((2, true)));
        run(&mut rcd, 1, TEST);
        assert_eq!(rcd.feedback(), Some((2, false)));
        run(&mut rcd, 100, QUIET);
        assert!(rcd.is_tripped());
        run(&mut rcd, 1, QUIET);
        assert!(!rcd.is_tripped());
    }

    #[test]
    fn polarities_turn_feedback_and_test_input() {
        let mut rcd = wired();
        rcd.settings.normal_high = false;
        rcd.settings.test_high = false;
        run(&mut rcd, 100, TEST);
        assert_eq!(rcd.feedback(), Some((2, false)));
        run(&mut rcd, 100, QUIET);
        assert_eq!(rcd.feedback(), Some((2, true)));
    }

    #[test]
    fn residual_current_trips_at_the_threshold() {
        let mut rcd = wired();
        rcd.residual_ma = 5.9;
        run(&mut rcd, 1000, QUIET);
        assert!(!rcd.is_tripped());
        rcd.residual_ma = 6.0;
        run(&mut rcd, 51, QUIET);
        assert!(rcd.is_tripped());
        rcd.residual_ma = 0.0;
        run(&mut rcd, 101, QUIET);
        assert!(!rcd.is_tripped());
    }

    #[test]
    fn short_residual_current_is_let_pass() {
        let mut rcd = wired();
        rcd.residual_ma = 30.0;
        run(&mut rcd, 40, QUIET);
        rcd.residual_ma = 0.0;
        run(&mut rcd, 1000, QUIET);
        assert!(!rcd.is_tripped());
    }

    #[test]
    fn latching_device_waits_for_its_button() {
        let mut rcd = wired();
        rcd.settings.latching = true;
        run(&mut rcd, 100, TEST);
        run(&mut rcd, 10_000, QUIET);
        assert!(rcd.is_tripped());
        rcd.reset();
        run(&mut rcd, 1000, QUIET);
        assert!(!rcd.is_tripped());
    }

    #[test]
    fn reset_against_a_residual_current_lasts_only_for_the_delay() {
        let mut rcd = wired();
        rcd.residual_ma = 30.0;
        run(&mut rcd, 100, QUIET);
        rcd.reset();
        run(&mut rcd, 49, QUIET);
        assert!(!rcd.is_tripped());
        run(&mut rcd, 1, QUIET);
        assert!(rcd.is_tripped());
    }

    #[test]
    fn stuck_feedback_and_broken_test_wire_lie() {
        let mut rcd = wired();
        rcd.stuck_feedback = StuckFeedback::Normal;
        run(&mut rcd, 100, TEST);
        assert_eq!((rcd.is_tripped(), rcd.feedback()), (true, Some((2, true))));
        rcd.stuck_feedback = StuckFeedback::Tripped;
        run(&mut rcd, 1000, QUIET);
        assert_eq!(
            (rcd.is_tripped(), rcd.feedback()),
            (false, Some((2, false)))
        );
        let mut rcd = wired();
        rcd.test_wire_broken = true;
        run(&mut rcd, 1000, TEST);
        assert!(!rcd.is_tripped());
    }
}
