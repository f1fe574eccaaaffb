//! The board's sequences: peak sampling, duty cycle changes, order of writes.

use std::time::{Duration, Instant};

use evse_core::{
    Actuation, DigitalOutputs, Inputs, LockDrive, PilotOutput, PilotPeaks, RotaryPosition, Sample,
    SensorFault,
};

use crate::conversion::{self, AdcRaw, PILOT_PERIOD_NS};
use crate::electrics::{AdcCounts, Electrics};
use crate::lines::{OutputLevels, OutputLine};
use crate::{Board, BoardError};

/// Both peak detectors are discharged for this long.
const PEAK_RESET: Duration = Duration::from_micros(1500);
/// The peak detectors see at least two pilot periods.
const PEAK_SETTLE: Duration = Duration::from_millis(2);
/// So often the detectors are also read while they are in reset, which tells a channel
/// that is frozen. The machine wants to see it within 250 ms, however late the rounds are.
const LOOK: Duration = Duration::from_millis(40);
/// Steady +12 V before the output is released, so that state E starts with a
/// falling edge of known height.
const RELEASE_LEAD: Duration = Duration::from_millis(2);

/// A board made of raw electrics.
pub struct Driver<E> {
    electrics: E,
    in_use: DigitalOutputs,
    written: Written,
    /// When the detectors were last read in reset.
    looked: Option<Instant>,
}

/// What one round converts.
struct Round {
    counts: AdcCounts,
    in_reset: Option<[Result<AdcRaw, SensorFault>; 2]>,
}

/// The last levels that are known to have been taken; `None` is unknown and
/// written again.
#[derive(Default)]
struct Written {
    pilot: Option<PilotOutput>,
    relay_1: Option<bool>,
    relay_2: Option<bool>,
    lock_drive: Option<LockDrive>,
    outputs: Option<DigitalOutputs>,
}

impl<E: Electrics> Driver<E> {
    /// Nothing is written until the first [`Board::apply`], and never a digital
    /// output that isn't `in_use`.
    pub fn new(electrics: E, in_use: DigitalOutputs) -> Self {
        Self {
            electrics,
            in_use,
            written: Written::default(),
            looked: None,
        }
    }

    fn measure(&mut self) -> Round {
        let in_reset = self.restart_peak_detectors();
        let mut counts = self.electrics.adc_counts();
        if in_reset.is_err() {
            // Peaks of an unknown past would be plausible, and wrong.
            counts.pilot_positive = Err(SensorFault);
            counts.pilot_negative = Err(SensorFault);
        }
        Round {
            counts,
            in_reset: in_reset.ok().flatten(),
        }
    }

    /// What the detectors show while they are in reset, when it is time to look.
    fn restart_peak_detectors(
        &mut self,
    ) -> Result<Option<[Result<AdcRaw, SensorFault>; 2]>, BoardError> {
        let reset = |high| {
            OutputLevels::NONE
                .with(OutputLine::CpPositivePeakReset, high)
                .with(OutputLine::CpNegativePeakReset, high)
        };
        self.electrics.set_lines(reset(true))?;
        hold(PEAK_RESET);
        let is_due = self.looked.is_none_or(|looked| looked.elapsed() >= LOOK);
        let in_reset = is_due.then(|| self.electrics.pilot_counts());
        if is_due {
            self.looked = Some(Instant::now());
        }
        self.electrics.set_lines(reset(false))?;
        hold(PEAK_SETTLE);
        Ok(in_reset)
    }

    /// Relays whose level becomes `closed`, in one operation.
    fn switch_relays(&mut self, target: &Actuation, closed: bool) -> Result<(), BoardError> {
        let mut levels = OutputLevels::NONE;
        if target.relay_1 == closed && self.written.relay_1 != Some(closed) {
            levels = levels.with(OutputLine::Relay1Enable, closed);
        }
        if target.relay_2 == closed && self.written.relay_2 != Some(closed) {
            levels = levels.with(OutputLine::Relay2Enable, closed);
        }
        if levels.is_empty() {
            return Ok(());
        }
        let result = self.electrics.set_lines(levels);
        let known = result.is_ok().then_some(closed);
        if levels.level(OutputLine::Relay1Enable).is_some() {
            self.written.relay_1 = known;
        }
        if levels.level(OutputLine::Relay2Enable).is_some() {
            self.written.relay_2 = known;
        }
        result
    }

    fn write_pilot(&mut self, target: PilotOutput) -> Result<(), BoardError> {
        if self.written.pilot == Some(target) {
            return Ok(());
        }
        self.written.pilot = None;
        match target {
            PilotOutput::Duty(duty) => {
                self.electrics
                    .set_pilot_pwm(conversion::duty_ns(duty), true)?;
                self.electrics
                    .set_lines(OutputLevels::NONE.with(OutputLine::CpInvert, true))?;
            }
            PilotOutput::Released => self.release_pilot()?,
        }
        self.written.pilot = Some(target);
        Ok(())
    }

    /// The output is released even when the generator refuses.
    fn release_pilot(&mut self) -> Result<(), BoardError> {
        let steady = self.electrics.set_pilot_pwm(PILOT_PERIOD_NS, true);
        hold(RELEASE_LEAD);
        let released = self
            .electrics
            .set_lines(OutputLevels::NONE.with(OutputLine::CpInvert, false));
        let stopped = self.electrics.set_pilot_pwm(PILOT_PERIOD_NS, false);
        steady.and(released).and(stopped)
    }

    fn write_lock_drive(&mut self, target: LockDrive) -> Result<(), BoardError> {
        if self.written.lock_drive == Some(target) {
            return Ok(());
        }
        let result = self.electrics.set_lines(OutputLevels::lock_drive(target));
        self.written.lock_drive = result.is_ok().then_some(target);
        result
    }

    fn write_outputs(&mut self, target: DigitalOutputs) -> Result<(), BoardError> {
        if self.written.outputs == Some(target) {
            return Ok(());
        }
        let levels = OutputLevels::digital(target, self.in_use);
        let result = if levels.is_empty() {
            Ok(())
        } else {
            self.electrics.set_lines(levels)
        };
        self.written.outputs = result.is_ok().then_some(target);
        result
    }
}

impl<E: Electrics> Board for Driver<E> {
    fn sample(&mut self) -> Sample {
        let Round { counts, in_reset } = self.measure();
        Sample {
            pilot: peaks([counts.pilot_positive, counts.pilot_negative]),
            pilot_in_reset: in_reset.map(peaks),
            proximity: counts.proximity.map(conversion::proximity),
            lock_sense: counts.lock_sense.map(conversion::lock_sense),
            lock_capacitor: counts.lock_capacitor.map(conversion::lock_capacitor),
            inputs: self.inputs().map_err(|_| SensorFault),
        }
    }

    fn inputs(&mut self) -> Result<Inputs, BoardError> {
        Ok(self.electrics.input_levels()?.inputs())
    }

    fn rotary_position(&mut self) -> Result<RotaryPosition, BoardError> {
        Ok(self.electrics.input_levels()?.rotary_position())
    }

    fn apply(&mut self, actuation: &Actuation) -> Result<(), BoardError> {
        let opened = self.switch_relays(actuation, false);
        let pilot = self.write_pilot(actuation.pilot);
        let lock = self.write_lock_drive(actuation.lock_drive);
        let outputs = self.write_outputs(actuation.outputs);
        opened.and(pilot).and(lock).and(outputs)?;
        self.switch_relays(actuation, true)
    }
}

fn peaks(counts: [Result<AdcRaw, SensorFault>; 2]) -> Result<PilotPeaks, SensorFault> {
    let [positive, negative] = counts;
    Ok(PilotPeaks {
        positive: conversion::pilot(positive?),
        negative: conversion::pilot(negative?),
    })
}

/// Waits for the electrics. The only sleep of the control thread's cycle.
#[allow(
    clippy::disallowed_methods,
    reason = "analogue settling time, there is no event to wait for"
)]
pub(crate) fn hold(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use evse_core::{DutyCycle, Millivolts};

    use super::*;
    use crate::lines::InputLevels;

    #[derive(Clone, Debug, PartialEq)]
    enum Write {
        Lines(OutputLevels),
        Pwm(u32, bool),
    }

    const IN_USE: DigitalOutputs = DigitalOutputs(0b00_1001);

    type Writes = Arc<Mutex<Vec<Write>>>;
    type RefusedLine = Arc<Mutex<Option<OutputLine>>>;

    #[derive(Default)]
    struct Recorder {
        writes: Writes,
        refused: RefusedLine,
    }

    impl Electrics for Recorder {
        fn set_lines(&mut self, levels: OutputLevels) -> Result<(), BoardError> {
            let refused = *self.refused.lock().unwrap();
            if refused.is_some_and(|line| levels.level(line).is_some()) {
                return Err(BoardError::new(
                    "set line",
                    io::ErrorKind::BrokenPipe.into(),
                ));
            }
            self.writes.lock().unwrap().push(Write::Lines(levels));
            Ok(())
        }

        fn set_pilot_pwm(&mut self, duty_ns: u32, enabled: bool) -> Result<(), BoardError> {
            self.writes
                .lock()
                .unwrap()
                .push(Write::Pwm(duty_ns, enabled));
            Ok(())
        }

        fn input_levels(&mut self) -> Result<InputLevels, BoardError> {
            Ok(InputLevels::default())
        }

        fn adc_counts(&mut self) -> AdcCounts {
            let raw = AdcRaw::new(3072).ok_or(SensorFault);
            AdcCounts {
                lock_sense: raw,
                pilot_positive: raw,
                pilot_negative: raw,
                lock_capacitor: raw,
                proximity: raw,
            }
        }

        fn pilot_counts(&mut self) -> [Result<AdcRaw, SensorFault>; 2] {
            [AdcRaw::new(2074).ok_or(SensorFault); 2]
        }
    }

    fn line(line: OutputLine, high: bool) -> Write {
        Write::Lines(OutputLevels::NONE.with(line, high))
    }

    fn driver() -> (Driver<Recorder>, Writes, RefusedLine) {
        let recorder = Recorder::default();
        let (writes, refused) = (recorder.writes.clone(), recorder.refused.clone());
        (Driver::new(recorder, IN_USE), writes, refused)
    }

    const CHARGING: Actuation = Actuation {
        pilot: PilotOutput::Duty(DutyCycle::FULL),
        relay_1: true,
        relay_2: true,
        lock_drive: LockDrive::Brake,
        outputs: DigitalOutputs(1),
    };

    #[test]
    fn first_apply_writes_everything_and_the_second_nothing() {
        let (mut driver, writes, _) = driver();
        driver.apply(&Actuation::SAFE).unwrap();
        let both_open = OutputLevels::NONE
            .with(OutputLine::Relay1Enable, false)
            .with(OutputLine::Relay2Enable, false);
        assert_eq!(
            *writes.lock().unwrap(),
            [
                Write::Lines(both_open),
                Write::Pwm(0, true),
                line(OutputLine::CpInvert, true),
                Write::Lines(OutputLevels::lock_drive(LockDrive::Coast)),
                Write::Lines(OutputLevels::digital(DigitalOutputs(0), IN_USE)),
            ]
        );
        writes.lock().unwrap().clear();
        driver.apply(&Actuation::SAFE).unwrap();
        assert_eq!(*writes.lock().unwrap(), []);
    }

    #[test]
    fn relays_open_first_and_close_last() {
        let (mut driver, writes, _) = driver();
        driver.apply(&CHARGING).unwrap();
        let both_closed = OutputLevels::NONE
            .with(OutputLine::Relay1Enable, true)
            .with(OutputLine::Relay2Enable, true);
        assert_eq!(
            writes.lock().unwrap().last(),
            Some(&Write::Lines(both_closed))
        );
        writes.lock().unwrap().clear();
        driver
            .apply(&Actuation {
                relay_2: true,
                ..Actuation::SAFE
            })
            .unwrap();
        assert_eq!(
            writes.lock().unwrap().first(),
            Some(&line(OutputLine::Relay1Enable, false))
        );
    }

    #[test]
    fn pilot_is_released_after_two_milliseconds_of_twelve_volts() {
        let (mut driver, writes, _) = driver();
        driver.apply(&Actuation::SAFE).unwrap();
        writes.lock().unwrap().clear();
        driver
            .apply(&Actuation {
                pilot: PilotOutput::Released,
                ..Actuation::SAFE
            })
            .unwrap();
        assert_eq!(
            *writes.lock().unwrap(),
            [
                Write::Pwm(PILOT_PERIOD_NS, true),
                line(OutputLine::CpInvert, false),
                Write::Pwm(PILOT_PERIOD_NS, false),
            ]
        );
    }

    #[test]
    fn failed_write_is_tried_again_and_keeps_relays_open() {
        let (mut driver, writes, refused) = driver();
        *refused.lock().unwrap() = Some(OutputLine::CpInvert);
        assert!(driver.apply(&CHARGING).is_err());
        let closes = |writes: &Vec<Write>| {
            writes.iter().any(
                |w| matches!(w, Write::Lines(l) if l.level(OutputLine::Relay1Enable) == Some(true)),
            )
        };
        assert!(!closes(&writes.lock().unwrap()));
        *refused.lock().unwrap() = None;
        driver.apply(&CHARGING).unwrap();
        assert!(closes(&writes.lock().unwrap()));
    }

    #[test]
    fn failed_opening_does_not_stop_the_other_writes() {
        let (mut driver, writes, refused) = driver();
        driver.apply(&CHARGING).unwrap();
        *refused.lock().unwrap() = Some(OutputLine::Relay1Enable);
        writes.lock().unwrap().clear();
        assert!(driver.apply(&Actuation::SAFE).is_err());
        assert!(writes.lock().unwrap().contains(&Write::Pwm(0, true)));
        *refused.lock().unwrap() = None;
        writes.lock().unwrap().clear();
        driver.apply(&Actuation::SAFE).unwrap();
        let first = writes.lock().unwrap().first().cloned();
        assert!(
            matches!(first, Some(Write::Lines(l)) if l.level(OutputLine::Relay1Enable) == Some(false))
        );
    }

    #[test]
    fn sample_restarts_the_peak_detectors() {
        let (mut driver, writes, _) = driver();
        let sample = driver.sample();
        let reset = |high| {
            Write::Lines(
                OutputLevels::NONE
                    .with(OutputLine::CpPositivePeakReset, high)
                    .with(OutputLine::CpNegativePeakReset, high),
            )
        };
        assert_eq!(*writes.lock().unwrap(), [reset(true), reset(false)]);
        assert_eq!(sample.pilot.unwrap().positive, Millivolts(7702));
    }

    #[test]
    fn detectors_are_read_in_reset_every_40_ms() {
        let (mut driver, _, refused) = driver();
        let near_0_v = PilotPeaks {
            positive: Millivolts(-2),
            negative: Millivolts(-2),
        };
        let mut start = Instant::now();
        assert_eq!(driver.sample().pilot_in_reset, Some(Ok(near_0_v)));
        for _ in 0..3 {
            let mut round = Instant::now();
            while driver.sample().pilot_in_reset.is_none() {
                round = Instant::now();
            }
            assert!(start.elapsed() >= LOOK, "not more often");
            start = round;
        }
        *refused.lock().unwrap() = Some(OutputLine::CpPositivePeakReset);
        hold(LOOK);
        assert_eq!(driver.sample().pilot_in_reset, None, "not in reset");
        *refused.lock().unwrap() = None;
        assert!(
            driver.sample().pilot_in_reset.is_some(),
            "late, but at once"
        );
    }

    #[test]
    fn peaks_that_were_not_restarted_are_a_fault() {
        let (mut driver, _, refused) = driver();
        *refused.lock().unwrap() = Some(OutputLine::CpNegativePeakReset);
        let sample = driver.sample();
        assert_eq!(sample.pilot, Err(SensorFault));
        assert!(sample.proximity.is_ok());
    }
}
