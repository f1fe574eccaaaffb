//! The residual current device: monitoring and self test (guide 15.15, errors of
//! guide 3.3.4.12 to 3.3.4.14).
//!
//! ```text
//!  Settling --1 s--> Watching --test due, contactor open--> Testing --passed--+
//!                      ^  | tripped: error                     | failed: error |
//!                      +--+------------------------------------+---------------+
//! ```

use crate::alarm_input::AlarmInput;
use crate::session::Ev;
use crate::step::Deadline;
use crate::{DigitalInput, DigitalOutput, Event, Events, Inputs, Millis, SensorFault};

/// The device and the input settle after power on, and after a test that was broken off.
const SETTLE_MS: u64 = 1_000;
/// A test is due this long after the last one (guide 15.15.3).
const TEST_PERIOD_MS: u64 = 24 * 60 * 60 * 1_000;

/// The device's time to return to normal when the EV and its fault have left.
const RETURN_MS: u64 = 5_000;

/// The residual current device as wired (`rcd_monitor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RcdMonitor {
    /// The feedback; "on" is tripped.
    pub feedback: DigitalInput,
    /// The self test, where its trigger is wired.
    pub test: Option<RcdTest>,
}

/// Trigger and times of the self test (guide 15.15.4), all 1 to 5000 ms, with
/// `check_tripped_ms` < `trigger_ms` + `check_normal_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RcdTest {
    /// The trigger; "on" causes a residual current.
    pub trigger: DigitalOutput,
    /// How long the trigger is on.
    pub trigger_ms: u64,
    /// From the trigger's start until the feedback must say tripped.
    pub check_tripped_ms: u64,
    /// From the trigger's end until the feedback must say normal.
    pub check_normal_ms: u64,
}

/// What is wrong with the residual current device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RcdError {
    /// Tripped while an EV is connected; until the EV leaves.
    GroundFailure,
    /// Tripped without an EV; until restart.
    Spurious,
    /// The self test failed; until restart.
    TestFailed,
}

impl RcdError {
    /// The `vendorErrorCode`, also the payload of `port0/rcd/error`.
    pub const fn vendor_error_code(self) -> &'static str {
        match self {
            Self::GroundFailure => "RcdGroundFailure",
            Self::Spurious => "SpuriousRcdError",
            Self::TestFailed => "RcdTestError",
        }
    }
}

/// The trigger of a running test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trigger {
    On { until: Millis },
    Off { check_normal_at: Millis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Settling {
        until: Millis,
    },
    Watching,
    Testing {
        trigger: Trigger,
        check_tripped_at: Millis,
        /// What the first check saw.
        tripped: Option<bool>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rcd {
    feedback: AlarmInput,
    test: Option<RcdTest>,
    stage: Stage,
    error: Option<RcdError>,
    /// The EV of a ground failure has left: by then the device is normal again.
    returns_by: Option<Millis>,
    /// The next test; in the past where one is due.
    test_at: Millis,
}

impl Rcd {
    /// A test is due at every start (guide 15.15.3).
    pub(crate) const fn new(now: Millis, monitor: RcdMonitor) -> Self {
        Self {
            feedback: AlarmInput::new(now, monitor.feedback),
            test: monitor.test,
            stage: Stage::Settling {
                until: now.after(SETTLE_MS),
            },
            error: None,
            returns_by: None,
            test_at: now,
        }
    }

    /// Looks at the feedback once.
    pub(crate) fn observe(
        &mut self,
        now: Millis,
        inputs: Result<Inputs, SensorFault>,
        events: &mut Events,
    ) {
        self.feedback.observe(now, inputs);
        let (
            Some(test),
            Stage::Testing {
                mut trigger,
                check_tripped_at,
                mut tripped,
            },
        ) = (self.test, self.stage)
        else {
            return;
        };
        // What can't be read counts as tripped, and that would pass the first check (S8).
        let Ok(inputs) = inputs else {
            self.break_off(now);
            return;
        };
        let is_tripped = self.feedback.shows(inputs);
        if now >= check_tripped_at {
            tripped = tripped.or(Some(is_tripped));
        }
        match trigger {
            // A check that is to see the driven trigger is waited for.
            Trigger::On { until } if tripped.is_some() || check_tripped_at > until => {
                if now >= until {
                    trigger = Trigger::Off {
                        check_normal_at: now.after(test.check_normal_ms),
                    };
                }
            }
            Trigger::Off { check_normal_at } if now >= check_normal_at => {
                self.conclude(now, tripped == Some(true) && !is_tripped, events);
                return;
            }
            Trigger::On { .. } | Trigger::Off { .. } => {}
        }
        self.stage = Stage::Testing {
            trigger,
            check_tripped_at,
            tripped,
        };
    }

    fn conclude(&mut self, now: Millis, passed: bool, events: &mut Events) {
        self.stage = Stage::Watching;
        self.test_at = now.after(TEST_PERIOD_MS);
        if !passed {
            self.error = Some(RcdError::TestFailed);
        }
        events.push(Event::RcdTestEnded);
    }

    /// The test is still due when the device has recovered.
    fn break_off(&mut self, now: Millis) {
        self.stage = Stage::Settling {
            until: now.after(SETTLE_MS),
        };
    }

    /// Asks for a test as soon as the contactor is open.
    pub(crate) fn request_test(&mut self, now: Millis) {
        self.test_at = now;
    }

    /// Judges the feedback and begins a test that is due. `contactor_open` is the
    /// proof of it; the test of a station under load would be a fault.
    pub(crate) fn advance(&mut self, now: Millis, ev: Ev, contactor_open: bool) {
        match self.stage {
            Stage::Settling { until } if now >= until => self.stage = Stage::Watching,
            Stage::Testing { .. } if !contactor_open => self.break_off(now),
            Stage::Settling { .. } | Stage::Watching | Stage::Testing { .. } => {}
        }
        if self.stage == Stage::Watching {
            self.judge(now, ev);
            self.begin_test(now, contactor_open);
        }
    }

    fn judge(&mut self, now: Millis, ev: Ev) {
        let tripped = self.feedback.is_active();
        let returns_by = self.returns_by.take();
        self.error = match (self.error, ev) {
            (None, Ev::Present) if tripped => Some(RcdError::GroundFailure),
            (None, Ev::Absent | Ev::Unclear) if tripped => Some(RcdError::Spurious),
            (Some(RcdError::GroundFailure), Ev::Absent) => {
                let by = returns_by.unwrap_or(now.after(RETURN_MS));
                if self.feedback.reading() == Some(false) {
                    None
                } else if now < by {
                    self.returns_by = Some(by);
                    Some(RcdError::GroundFailure)
                } else {
                    Some(RcdError::Spurious)
                }
            }
            (error, _) => error,
        };
    }

    fn begin_test(&mut self, now: Millis, contactor_open: bool) {
        let Some(test) = self.test else { return };
        let begin = now >= self.test_at
            && contactor_open
            && self.error.is_none()
            && self.feedback.reading() == Some(false);
        if begin {
            self.stage = Stage::Testing {
                trigger: Trigger::On {
                    until: now.after(test.trigger_ms),
                },
                check_tripped_at: now.after(test.check_tripped_ms),
                tripped: None,
            };
        }
    }

    /// The device protects now: nothing is tested and nothing is due.
    pub(crate) fn is_ready(&self, now: Millis) -> bool {
        let is_due = self.test.is_some() && now >= self.test_at;
        self.stage == Stage::Watching && !is_due
    }

    /// The device is tripped on purpose.
    pub(crate) const fn is_testing(&self) -> bool {
        matches!(self.stage, Stage::Testing { .. })
    }

    /// What forbids charging: an error, or outside of a test a single look that
    /// shows it tripped (S3).
    pub(crate) fn inhibition(&self) -> Option<RcdError> {
        let suspicious = self.stage == Stage::Watching && self.feedback.is_suspicious();
        self.error.or(suspicious.then_some(RcdError::GroundFailure))
    }

    /// What only a restart ends (guide 3.3.4.12, 3.3.4.13).
    pub(crate) fn failure(&self, ev: Ev) -> Option<RcdError> {
        match (self.error, ev) {
            (Some(RcdError::Spurious), _) => Some(RcdError::Spurious),
            (Some(RcdError::TestFailed), Ev::Absent) => Some(RcdError::TestFailed),
            (Some(RcdError::TestFailed), Ev::Present | Ev::Unclear) => None,
            (Some(RcdError::GroundFailure) | None, _) => None,
        }
    }

    pub(crate) const fn error(&self) -> Option<RcdError> {
        self.error
    }

    /// The trigger and whether it is on.
    pub(crate) const fn trigger(&self) -> Option<(DigitalOutput, bool)> {
        match self.test {
            Some(test) => {
                let on = matches!(
                    self.stage,
                    Stage::Testing {
                        trigger: Trigger::On { .. },
                        ..
                    }
                );
                Some((test.trigger, on))
            }
            None => None,
        }
    }

    /// When time alone changes something.
    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        match self.stage {
            Stage::Settling { until } => Some((until, "RCD settles")),
            Stage::Watching => match self.returns_by {
                Some(by) => Some((by, "RCD returns to normal")),
                None => None,
            },
            Stage::Testing {
                trigger: Trigger::On { until },
                ..
            } => Some((until, "RCD test trigger")),
            Stage::Testing {
                trigger: Trigger::Off { check_normal_at },
                ..
            } => Some((check_normal_at, "RCD test check")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DigitalInputs;

    const TEST: RcdTest = RcdTest {
        trigger: DigitalOutput::new(4, true).unwrap(),
        trigger_ms: 300,
        check_tripped_ms: 200,
        check_normal_ms: 200,
    };

    fn device(test: Option<RcdTest>) -> Rcd {
        let feedback = DigitalInput::new(1, true).unwrap();
        Rcd::new(Millis(0), RcdMonitor { feedback, test })
    }

    fn round(rcd: &mut Rcd, now: u64, tripped: bool, contactor_open: bool) -> bool {
        let mut events = Events::default();
        let inputs = Inputs {
            digital: DigitalInputs(u8::from(tripped)),
            ..Inputs::default()
        };
        rcd.observe(Millis(now), Ok(inputs), &mut events);
        rcd.advance(Millis(now), Ev::Absent, contactor_open);
        events.iter().next().is_some()
    }

    /// Rounds in which a healthy device trips `delay` after the trigger went on, until a test
    /// has ended; when that was.
    fn pass_test(rcd: &mut Rcd, from: u64, delay: u64) -> u64 {
        let mut on_since = None;
        for now in (from..from + 10_000).step_by(5) {
            let is_on = matches!(
                rcd.stage,
                Stage::Testing {
                    trigger: Trigger::On { .. },
                    ..
                }
            );
            on_since = is_on.then(|| on_since.unwrap_or(now));
            let tripped = on_since.is_some_and(|since| now >= since + delay);
            if round(rcd, now, tripped, true) {
                return now;
            }
        }
        panic!("no test has ended");
    }

    #[test]
    fn a_device_may_take_until_the_check_to_trip() {
        for (delay, error) in [(0, None), (150, None), (250, Some(RcdError::TestFailed))] {
            let mut rcd = device(Some(TEST));
            pass_test(&mut rcd, 0, delay);
            assert_eq!(rcd.error(), error, "{delay} ms");
        }
    }

    #[test]
    fn a_test_is_broken_off_when_the_contactor_may_be_closed() {
        let mut rcd = device(Some(TEST));
        let mut now = 0;
        while !rcd.is_testing() {
            round(&mut rcd, now, false, true);
            now += 5;
        }
        assert!(!round(&mut rcd, now, false, false), "no result");
        assert!(!rcd.is_testing() && !rcd.is_ready(Millis(now)));
        // It is still due.
        let ended = pass_test(&mut rcd, now + 5, 0);
        assert_eq!(rcd.error(), None);
        assert!(rcd.is_ready(Millis(ended + 5)));
    }

    #[test]
    fn a_device_that_is_not_tested_protects_when_it_has_settled() {
        let mut rcd = device(None);
        for now in (0..SETTLE_MS).step_by(5) {
            round(&mut rcd, now, false, true);
            assert!(!rcd.is_ready(Millis(now)), "{now} ms");
        }
        round(&mut rcd, SETTLE_MS, false, true);
        assert!(rcd.is_ready(Millis(SETTLE_MS)));
    }
}
