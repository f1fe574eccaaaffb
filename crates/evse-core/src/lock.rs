//! The plug lock: capacitor, drive, brake, sense, one retry (guide 8.9, 15.13;
//! errors of guide 3.3.4.2 to 3.3.4.6).
//!
//! ```text
//!  Rest --target differs--> Waiting --capacitor charged--> Driving --time--> Braking
//!   ^                          ^                                               |
//!   |  position sensed         |                          position not sensed  |
//!   +--------------------------|---------------------------+-------------------+
//!                              |                           |
//!     first failure: back to where it was, then again -----+----- second: Stuck
//! ```
//! Every step towards unlocked is gated by the contactor being proven open (S4).

use crate::step::Deadline;
use crate::{LockDrive, LockPosition, LockProfile, Millis, Millivolts, Sample, SensorFault};

/// The capacitor is charged from here on.
const CHARGED: Millivolts = Millivolts(10_000);
/// How long the capacitor may take after start, and before every later drive.
const FIRST_CHARGE_MS: u64 = 400_000;
const CHARGE_MS: u64 = 5_000;
/// How long the motor is held after a drive; the sense contact settles meanwhile.
const BRAKE_MS: u64 = 100;
/// How long a resting lock may show a wrong position before it is an error and the
/// contactor opens: 20 rounds in a row, which no noise takes, and a sixth of the time in
/// which the slowest bolt is driven out.
const MONITOR_MS: u64 = 100;
/// How long a stuck lock must show the right position before it is trusted again.
const TRUST_MS: u64 = 500;

/// Why the plug lock can't be relied on; each is recoverable (guide 15.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockFailure {
    /// The capacitor was not charged in time; the motor is driven nevertheless.
    CapacitorNotCharged,
    /// Feedback leaves locked without a command.
    UnexpectedOpen,
    /// Feedback leaves unlocked without a command.
    UnexpectedClose,
    /// No locked feedback after driving.
    CannotLock,
    /// No unlocked feedback after driving.
    CannotUnlock,
}

impl LockFailure {
    /// The `vendorErrorCode`, also the payload of `port0/plug_lock/permanent_failure`.
    pub const fn vendor_error_code(self) -> &'static str {
        match self {
            Self::CapacitorNotCharged => "PlugLockMotorCapNotCharged",
            Self::UnexpectedOpen => "PlugLockMotorUnexpectedOpen",
            Self::UnexpectedClose => "PlugLockMotorUnexpectedClose",
            Self::CannotLock => "PlugLockCannotLock",
            Self::CannotUnlock => "PlugLockCannotUnlock",
        }
    }
}

/// Which of the drives towards a wanted position this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Attempt {
    First,
    /// Back to the last valid position (guide 15.13), not judged.
    Back,
    Second,
}

/// A drive towards `wanted` and how often it has been tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Drive {
    wanted: LockPosition,
    attempt: Attempt,
    /// Begun with a capacitor that wasn't charged in time.
    starved: bool,
}

impl Drive {
    const fn new(wanted: LockPosition, attempt: Attempt) -> Self {
        Self {
            wanted,
            attempt,
            starved: false,
        }
    }

    const fn direction(self) -> LockPosition {
        match (self.attempt, self.wanted) {
            (Attempt::First | Attempt::Second, wanted) => wanted,
            (Attempt::Back, LockPosition::Locked) => LockPosition::Unlocked,
            (Attempt::Back, LockPosition::Unlocked) => LockPosition::Locked,
        }
    }
}

/// What the motor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Motion {
    /// Start: the position is unknown and the capacitor empty.
    Unknown {
        charged_by: Millis,
    },
    /// At rest where it should be; `doubted_until` while the feedback disagrees.
    Rest {
        position: LockPosition,
        doubted_until: Option<Millis>,
    },
    /// Waits for the capacitor, at most until `by`.
    Waiting {
        drive: Drive,
        by: Millis,
    },
    Driving {
        drive: Drive,
        until: Millis,
    },
    Braking {
        drive: Drive,
        until: Millis,
    },
    /// Two drives were in vain; `trusted_at` while the feedback agrees after all.
    Stuck {
        wanted: LockPosition,
        trusted_at: Option<Millis>,
    },
}

/// What the last round says about the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Senses {
    position: Option<LockPosition>,
    charged: bool,
    driver_fault: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PlugLock {
    profile: LockProfile,
    senses: Senses,
    motion: Motion,
    failure: Option<LockFailure>,
}

impl PlugLock {
    pub(crate) const fn new(now: Millis, profile: LockProfile) -> Self {
        Self {
            profile,
            senses: Senses {
                position: None,
                charged: false,
                driver_fault: false,
            },
            motion: Motion::Unknown {
                charged_by: now.after(FIRST_CHARGE_MS),
            },
            failure: None,
        }
    }

    pub(crate) fn observe(&mut self, sample: &Sample) {
        self.senses = Senses {
            position: match sample.lock_sense {
                Ok(voltage) => self.profile.sensed(voltage),
                Err(SensorFault) => None,
            },
            charged: match sample.lock_capacitor {
                Ok(voltage) => voltage >= CHARGED,
                Err(SensorFault) => false,
            },
            // An unreadable fault line is a fault (S8).
            driver_fault: sample.inputs.is_ok_and(|inputs| inputs.lock_driver_fault)
                || sample.inputs.is_err(),
        };
    }

    /// Drives towards `target` again, whatever the last drive brought: the answer
    /// to OCPP UnlockConnector (guide 3.3.4.5).
    pub(crate) fn retry(&mut self, now: Millis, target: LockPosition) {
        match self.motion {
            Motion::Rest { .. } | Motion::Stuck { .. } => self.begin(now, target, Attempt::First),
            Motion::Unknown { .. }
            | Motion::Waiting { .. }
            | Motion::Driving { .. }
            | Motion::Braking { .. } => {}
        }
    }

    /// Moves on. `may_unlock` is the proof of an open contactor (S4); without it
    /// nothing is driven towards unlocked, and a drive on its way is broken off.
    pub(crate) fn advance(&mut self, now: Millis, target: LockPosition, may_unlock: bool) {
        match self.motion {
            Motion::Unknown { charged_by: by } => {
                let drive = Drive::new(target, Attempt::First);
                self.motion = Motion::Waiting { drive, by };
            }
            Motion::Rest { position, .. } if position != target => {
                self.begin(now, target, Attempt::First);
            }
            Motion::Rest {
                position,
                doubted_until,
            } => {
                self.monitor(now, position, doubted_until);
            }
            // Nothing has moved yet, so the newest target is the one to drive to.
            Motion::Waiting { drive, by } if drive.wanted != target => {
                let drive = Drive::new(target, Attempt::First);
                self.motion = Motion::Waiting { drive, by };
            }
            Motion::Waiting { .. } => {}
            Motion::Driving { drive, .. } | Motion::Braking { drive, .. }
                if drive.direction() == LockPosition::Unlocked && !may_unlock =>
            {
                self.begin(now, target, Attempt::First);
            }
            Motion::Driving { drive, until } if now >= until => {
                self.motion = Motion::Braking {
                    drive,
                    until: now.after(BRAKE_MS),
                };
            }
            Motion::Driving { .. } => {}
            Motion::Braking { drive, until } if now >= until => self.conclude(now, drive, target),
            Motion::Braking { .. } => {}
            Motion::Stuck { wanted, .. } if wanted != target => {
                self.begin(now, target, Attempt::First);
            }
            Motion::Stuck { wanted, trusted_at } => self.watch_stuck(now, wanted, trusted_at),
        }
        if let Motion::Waiting { drive, by } = self.motion {
            self.start_drive(now, drive, by, may_unlock);
        }
    }

    fn begin(&mut self, now: Millis, wanted: LockPosition, attempt: Attempt) {
        let drive = Drive::new(wanted, attempt);
        self.motion = Motion::Waiting {
            drive,
            by: now.after(CHARGE_MS),
        };
    }

    fn start_drive(&mut self, now: Millis, drive: Drive, by: Millis, may_unlock: bool) {
        if drive.direction() == LockPosition::Unlocked && !may_unlock {
            return;
        }
        if !self.senses.charged {
            if now < by {
                return;
            }
            // It may suffice nevertheless; the feedback will tell.
            self.failure = Some(LockFailure::CapacitorNotCharged);
        }
        let drive = Drive {
            starved: !self.senses.charged,
            ..drive
        };
        self.motion = Motion::Driving {
            drive,
            until: now.after(self.profile.drive_ms()),
        };
    }

    /// Judges a finished drive.
    fn conclude(&mut self, now: Millis, drive: Drive, target: LockPosition) {
        let reached = if self.profile.has_feedback() {
            self.senses.position == Some(drive.direction())
        } else {
            !self.senses.driver_fault
        };
        match drive.attempt {
            Attempt::Back if drive.wanted == target => self.begin(now, target, Attempt::Second),
            Attempt::First | Attempt::Second if reached => {
                self.failure = None;
                self.motion = Motion::Rest {
                    position: drive.wanted,
                    doubted_until: None,
                };
            }
            Attempt::First if drive.wanted == target => {
                self.fail(drive);
                self.begin(now, target, Attempt::Back);
            }
            Attempt::Second if drive.wanted == target => {
                self.fail(drive);
                self.motion = Motion::Stuck {
                    wanted: drive.wanted,
                    trusted_at: None,
                };
            }
            // The target has changed meanwhile.
            Attempt::First | Attempt::Back | Attempt::Second => {
                self.begin(now, target, Attempt::First);
            }
        }
    }

    /// A drive in vain. An empty capacitor explains it, and ranks higher (guide table 3).
    fn fail(&mut self, drive: Drive) {
        self.failure = Some(match (drive.starved, drive.wanted) {
            (true, LockPosition::Locked | LockPosition::Unlocked) => {
                LockFailure::CapacitorNotCharged
            }
            (false, LockPosition::Locked) => LockFailure::CannotLock,
            (false, LockPosition::Unlocked) => LockFailure::CannotUnlock,
        });
    }

    /// The feedback of a resting lock must go on to agree.
    fn monitor(&mut self, now: Millis, position: LockPosition, doubted_until: Option<Millis>) {
        if !self.profile.has_feedback() || self.senses.position == Some(position) {
            self.motion = Motion::Rest {
                position,
                doubted_until: None,
            };
            return;
        }
        let until = doubted_until.unwrap_or(now.after(MONITOR_MS));
        if now < until {
            self.motion = Motion::Rest {
                position,
                doubted_until: Some(until),
            };
            return;
        }
        self.failure = Some(match position {
            LockPosition::Locked => LockFailure::UnexpectedOpen,
            LockPosition::Unlocked => LockFailure::UnexpectedClose,
        });
        self.begin(now, position, Attempt::Second);
    }

    /// A stuck lock that comes right by itself (a plug pushed home) is well again.
    fn watch_stuck(&mut self, now: Millis, wanted: LockPosition, trusted_at: Option<Millis>) {
        if self.senses.position != Some(wanted) {
            self.motion = Motion::Stuck {
                wanted,
                trusted_at: None,
            };
            return;
        }
        let at = trusted_at.unwrap_or(now.after(TRUST_MS));
        if now < at {
            self.motion = Motion::Stuck {
                wanted,
                trusted_at: Some(at),
            };
        } else {
            self.failure = None;
            self.motion = Motion::Rest {
                position: wanted,
                doubted_until: None,
            };
        }
    }

    /// The level of the H bridge.
    pub(crate) const fn drive(&self) -> LockDrive {
        match self.motion {
            Motion::Driving { drive, .. } => match drive.direction() {
                LockPosition::Locked => LockDrive::Lock,
                LockPosition::Unlocked => LockDrive::Unlock,
            },
            Motion::Braking { .. } => LockDrive::Brake,
            Motion::Unknown { .. }
            | Motion::Rest { .. }
            | Motion::Waiting { .. }
            | Motion::Stuck { .. } => LockDrive::Coast,
        }
    }

    /// At rest in `position`, with nothing to complain about.
    pub(crate) fn is_at_rest(&self, wanted: LockPosition) -> bool {
        match self.motion {
            Motion::Rest { position, .. } => position == wanted && self.failure.is_none(),
            Motion::Unknown { .. }
            | Motion::Waiting { .. }
            | Motion::Driving { .. }
            | Motion::Braking { .. }
            | Motion::Stuck { .. } => false,
        }
    }

    /// The last round shows the locked position, or there is no feedback.
    pub(crate) fn shows_locked(&self) -> bool {
        !self.profile.has_feedback() || self.senses.position == Some(LockPosition::Locked)
    }

    /// Two drives were in vain.
    pub(crate) const fn is_stuck(&self) -> bool {
        matches!(self.motion, Motion::Stuck { .. })
    }

    /// Where the plug lock is known to be: sensed, or for a motor without feedback `None`.
    pub(crate) const fn position(&self) -> Option<LockPosition> {
        self.senses.position
    }

    pub(crate) const fn failure(&self) -> Option<LockFailure> {
        self.failure
    }

    pub(crate) const fn deadline(&self) -> Option<Deadline> {
        match self.motion {
            Motion::Waiting { by, .. } => Some((by, "plug lock capacitor")),
            Motion::Driving { until, .. } => Some((until, "plug lock drive")),
            Motion::Braking { until, .. } => Some((until, "plug lock brake")),
            Motion::Rest {
                doubted_until: Some(at),
                ..
            } => Some((at, "plug lock feedback")),
            Motion::Stuck {
                trusted_at: Some(at),
                ..
            } => Some((at, "plug lock feedback")),
            Motion::Rest {
                doubted_until: None,
                ..
            }
            | Motion::Stuck {
                trusted_at: None, ..
            }
            | Motion::Unknown { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LockPosition::{Locked, Unlocked};
    use super::*;
    use crate::Inputs;

    const ROUND_MS: u64 = 5;

    /// A lock with its motor and bolt.
    struct Bolt {
        lock: PlugLock,
        now: u64,
        position: LockPosition,
        charged: bool,
        jammed: bool,
    }

    impl Bolt {
        fn resting(position: LockPosition) -> Self {
            let profile = LockProfile::by_name("EV-T2M3S-E-LOCK12V").unwrap();
            let mut bolt = Self {
                lock: PlugLock::new(Millis(0), profile),
                now: 0,
                position,
                charged: true,
                jammed: false,
            };
            bolt.run(2_000, position, true);
            assert!(bolt.lock.is_at_rest(position));
            bolt
        }

        fn sample(&self) -> Sample {
            let volts = |high: bool| Millivolts(if high { 12_000 } else { 0 });
            Sample {
                lock_sense: Ok(Millivolts(match self.position {
                    Locked => 300,
                    Unlocked => 3_100,
                })),
                lock_capacitor: Ok(volts(self.charged)),
                inputs: Ok(Inputs::default()),
                ..Sample::FAILED
            }
        }

        /// Which ways the motor was driven meanwhile.
        fn run(&mut self, ms: u64, target: LockPosition, may_unlock: bool) -> [bool; 2] {
            let mut driven = [false; 2];
            for _ in 0..ms / ROUND_MS {
                self.now += ROUND_MS;
                self.lock.observe(&self.sample());
                self.lock.advance(Millis(self.now), target, may_unlock);
                let way = match self.lock.drive() {
                    LockDrive::Lock => Locked,
                    LockDrive::Unlock => Unlocked,
                    LockDrive::Coast | LockDrive::Brake => continue,
                };
                driven[usize::from(way == Unlocked)] = true;
                if !self.jammed {
                    self.position = way;
                }
            }
            driven
        }
    }

    #[test]
    fn a_drive_towards_unlocked_ends_with_the_proof_of_an_open_contactor() {
        let mut bolt = Bolt::resting(Locked);
        assert_eq!(bolt.run(2_000, Unlocked, false), [false, false], "no proof");
        bolt.jammed = true;
        assert_eq!(bolt.run(100, Unlocked, true), [false, true]);
        // The contactor is no longer known to be open, in the middle of the drive.
        assert_eq!(bolt.run(5_000, Unlocked, false), [false, false]);
        bolt.jammed = false;
        assert_eq!(bolt.run(2_000, Unlocked, true), [false, true]);
        assert!(bolt.lock.is_at_rest(Unlocked));
    }

    #[test]
    fn a_drive_towards_locked_needs_no_proof() {
        let mut bolt = Bolt::resting(Unlocked);
        assert_eq!(bolt.run(2_000, Locked, false), [true, false]);
        assert!(bolt.lock.is_at_rest(Locked));
    }

    #[test]
    fn the_newest_target_is_driven_to() {
        let mut bolt = Bolt::resting(Unlocked);
        bolt.charged = false;
        assert_eq!(bolt.run(1_000, Locked, true), [false, false]);
        bolt.run(100, Unlocked, true);
        bolt.charged = true;
        assert_eq!(bolt.run(2_000, Unlocked, true), [false, true]);
        // What a drive does not reach is no failure once nobody wants it any more.
        bolt.jammed = true;
        assert_eq!(bolt.run(100, Locked, true), [true, false]);
        for _ in 0..400 {
            bolt.run(ROUND_MS, Unlocked, true);
            assert_eq!(bolt.lock.failure(), None);
        }
        assert!(bolt.lock.is_at_rest(Unlocked));
    }

    #[test]
    fn a_stuck_lock_is_left_alone_until_the_feedback_agrees_for_500_ms() {
        for charged in [true, false] {
            let mut bolt = Bolt::resting(Unlocked);
            (bolt.jammed, bolt.charged) = (true, charged);
            // Three drives, which wait for 5 s each where the capacitor is empty.
            bolt.run(20_000, Locked, true);
            assert!(bolt.lock.is_stuck());
            assert_eq!(bolt.run(60_000, Locked, true), [false, false]);
            let failure = bolt.lock.failure();
            assert!(failure.is_some());
            // The plug is pushed home, slips, and is pushed again.
            for (position, ms) in [(Locked, 495), (Unlocked, 5), (Locked, 500)] {
                bolt.position = position;
                bolt.run(ms, Locked, true);
                assert_eq!(bolt.lock.failure(), failure, "{position:?}");
            }
            bolt.run(ROUND_MS, Locked, true);
            assert_eq!(bolt.lock.failure(), None);
            assert!(bolt.lock.is_at_rest(Locked));
        }
    }

    #[test]
    fn a_lock_shows_what_the_last_round_shows() {
        let mut bolt = Bolt::resting(Locked);
        assert!(bolt.lock.shows_locked());
        assert!(!bolt.lock.is_at_rest(Unlocked));
        bolt.position = Unlocked;
        bolt.run(ROUND_MS, Locked, true);
        assert!(!bolt.lock.shows_locked());
        assert!(bolt.lock.deadline().is_some(), "the doubt ends");
    }
}
