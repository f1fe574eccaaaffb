//! A digital input that stops charging at its first edge: the emergency input and
//! the feedback of the residual current device.

use crate::{DigitalInput, Inputs, Millis, SensorFault};

/// An input that can't be read for this long counts as active (S8).
const UNREADABLE_MS: u64 = 100;

/// What the input says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    /// Not read yet, or not readable; active at `alarm_at`.
    Unknown {
        alarm_at: Millis,
    },
    Inactive,
    /// One look showed the active level: enough to open a contactor (S3).
    Suspicious,
    /// Two looks in a row did: enough to latch an error.
    Active,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AlarmInput {
    input: DigitalInput,
    level: Level,
}

impl AlarmInput {
    pub(crate) const fn new(now: Millis, input: DigitalInput) -> Self {
        Self {
            input,
            level: Level::Unknown {
                alarm_at: now.after(UNREADABLE_MS),
            },
        }
    }

    /// What one look says, without what was before.
    pub(crate) const fn shows(&self, inputs: Inputs) -> bool {
        self.input.is_on(inputs.digital)
    }

    /// Looks at the inputs once.
    pub(crate) fn observe(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>) {
        let reading = inputs.map(|inputs| self.shows(inputs));
        self.level = match (self.level, reading) {
            (_, Ok(false)) => Level::Inactive,
            (Level::Inactive | Level::Unknown { .. }, Ok(true)) => Level::Suspicious,
            (Level::Suspicious | Level::Active, Ok(true)) => Level::Active,
            (Level::Active, Err(SensorFault)) => Level::Active,
            (Level::Unknown { alarm_at }, Err(SensorFault)) if now >= alarm_at => Level::Active,
            (Level::Unknown { alarm_at }, Err(SensorFault)) => Level::Unknown { alarm_at },
            (Level::Inactive | Level::Suspicious, Err(SensorFault)) => Level::Unknown {
                alarm_at: now.after(UNREADABLE_MS),
            },
        };
    }

    /// The last look; `None` while it can't be read.
    pub(crate) const fn reading(&self) -> Option<bool> {
        match self.level {
            Level::Unknown { .. } => None,
            Level::Inactive => Some(false),
            Level::Suspicious | Level::Active => Some(true),
        }
    }

    /// The last look showed the active level.
    pub(crate) fn is_suspicious(&self) -> bool {
        self.reading() == Some(true)
    }

    /// Two looks in a row did, or it can't be read for long.
    pub(crate) fn is_active(&self) -> bool {
        self.level == Level::Active
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DigitalInputs;

    fn look(active: bool) -> Result<Inputs, SensorFault> {
        Ok(Inputs {
            digital: DigitalInputs(u8::from(active)),
            ..Inputs::default()
        })
    }

    fn input() -> AlarmInput {
        let mut input = AlarmInput::new(Millis(0), DigitalInput::new(1, true).unwrap());
        input.observe(Millis(10), look(false));
        input
    }

    #[test]
    fn one_look_is_a_suspicion_and_two_are_an_alarm() {
        let mut input = input();
        assert!(!input.is_suspicious() && !input.is_active());
        input.observe(Millis(11), look(true));
        assert!(input.is_suspicious() && !input.is_active());
        input.observe(Millis(12), look(false));
        assert!(!input.is_suspicious(), "a glitch");
        input.observe(Millis(13), look(true));
        input.observe(Millis(14), look(true));
        assert!(input.is_suspicious() && input.is_active());
        input.observe(Millis(15), Err(SensorFault));
        assert!(input.is_active());
        input.observe(Millis(16), look(false));
        assert!(!input.is_suspicious() && !input.is_active());
    }

    #[test]
    fn an_input_that_can_not_be_read_is_active_after_100_ms() {
        let mut input = input();
        input.observe(Millis(20), Err(SensorFault));
        assert_eq!(input.reading(), None);
        input.observe(Millis(119), Err(SensorFault));
        assert!(!input.is_active());
        input.observe(Millis(120), Err(SensorFault));
        assert!(input.is_active() && input.is_suspicious());
    }
}
