//! One reading of a meter, and whether it can be believed.

use topic_map::PerPhase;

use crate::maps::{Phase, Quantity};

/// All values of a meter at one time. Absent: not measured by this meter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Active energy import register in Wh.
    pub energy: Option<f64>,
    /// Active power in W.
    pub power: PerPhase,
    /// Voltage to neutral in V.
    pub voltage: PerPhase,
    /// Current in A.
    pub current: PerPhase,
    /// Frequency in Hz.
    pub frequency: Option<f64>,
}

impl Reading {
    /// Note one value.
    pub fn set(&mut self, quantity: Quantity, phase: Phase, value: f64) {
        let of = |values: &mut PerPhase| match phase {
            Phase::Total => values.total = Some(value),
            Phase::L1 => values.l1 = Some(value),
            Phase::L2 => values.l2 = Some(value),
            Phase::L3 => values.l3 = Some(value),
        };
        match quantity {
            Quantity::Voltage => of(&mut self.voltage),
            Quantity::Current => of(&mut self.current),
            Quantity::Power => of(&mut self.power),
            Quantity::Frequency => self.frequency = Some(in_hertz(value)),
            Quantity::Energy => self.energy = Some(value),
        }
    }

    /// Whether energy seems to flow from the vehicle: the meter sits the wrong way round.
    pub fn shows_export(&self) -> bool {
        let PerPhase { total, l1, l2, l3 } = self.power;
        [total, l1, l2, l3]
            .iter()
            .flatten()
            .any(|watts| *watts < 0.0)
    }
}

/// Some SDM72 tell tenths of a hertz (openWB).
fn in_hertz(value: f64) -> f64 {
    if (400.0..=700.0).contains(&value) {
        value / 10.0
    } else {
        value
    }
}

/// Why a reading is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Implausible {
    /// A value that no installation has.
    #[error("the meter's {name} is {value} {unit}, outside {low} to {high} {unit}")]
    OutOfRange {
        /// Which.
        name: &'static str,
        /// What came, in `unit`.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Least believable value.
        low: f64,
        /// Greatest believable value.
        high: f64,
    },
    /// The register lost energy that was published.
    #[error(
        "the meter's energy went backwards from {before} Wh to {now} Wh; \
         restart meteringd if the meter was exchanged"
    )]
    Backwards {
        /// Last good value in Wh.
        before: f64,
        /// What came, in Wh.
        now: f64,
    },
    /// More energy than any meter of this class can count between two readings.
    #[error("the meter's energy jumped from {before} Wh to {now} Wh")]
    Jump {
        /// Last good value in Wh.
        before: f64,
        /// What came, in Wh.
        now: f64,
    },
}

/// Between two readings of a meter that answers pass at most ten seconds: 1 kWh would
/// be 360 kW.
const GREATEST_STEP_WH: f64 = 1000.0;

/// Remembers what later readings are judged by.
#[derive(Debug, Default)]
pub struct Judge {
    energy: Option<f64>,
    /// The last reading is recent: no energy can have passed unseen.
    continuous: bool,
}

impl Judge {
    /// The reading as it may be published, import only.
    ///
    /// # Errors
    /// When it can't be believed; the remembered state stays.
    pub fn judge(&mut self, reading: Reading) -> Result<Reading, Implausible> {
        check_ranges(&reading)?;
        if let (Some(before), Some(now)) = (self.energy, reading.energy) {
            if now < before {
                return Err(Implausible::Backwards { before, now });
            }
            if self.continuous && now > before + GREATEST_STEP_WH {
                return Err(Implausible::Jump { before, now });
            }
        }
        self.energy = reading.energy.or(self.energy);
        self.continuous = true;
        Ok(import_only(reading))
    }

    /// The meter was silent for a while: its register may have run on.
    pub fn meter_lost(&mut self) {
        self.continuous = false;
    }

    /// Another meter answers: its register starts anywhere.
    pub fn meter_exchanged(&mut self) {
        *self = Self::default();
    }
}

/// Ranges are wide: they catch wrong registers and broken floats, not bad mains.
fn check_ranges(reading: &Reading) -> Result<(), Implausible> {
    let Reading {
        energy,
        power,
        voltage,
        current,
        frequency,
    } = reading;
    for phase in [voltage.l1, voltage.l2, voltage.l3] {
        check("voltage", phase, "V", 0.0, 500.0)?;
    }
    for phase in [current.l1, current.l2, current.l3] {
        check("current", phase, "A", -200.0, 200.0)?;
    }
    check("total current", current.total, "A", -600.0, 600.0)?;
    for phase in [power.l1, power.l2, power.l3] {
        check("power", phase, "W", -60e3, 60e3)?;
    }
    check("total power", power.total, "W", -150e3, 150e3)?;
    check("frequency", *frequency, "Hz", 40.0, 70.0)?;
    check("energy", *energy, "Wh", 0.0, 10e9)
}

fn check(
    name: &'static str,
    value: Option<f64>,
    unit: &'static str,
    low: f64,
    high: f64,
) -> Result<(), Implausible> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(Implausible::OutOfRange {
            name,
            value,
            unit,
            low,
            high,
        }),
        _ => Ok(()),
    }
}

/// Export counts as zero (guide 7.3.3).
fn import_only(mut reading: Reading) -> Reading {
    for values in [&mut reading.power, &mut reading.current] {
        for value in [
            &mut values.total,
            &mut values.l1,
            &mut values.l2,
            &mut values.l3,
        ] {
            *value = value.map(|value| value.max(0.0));
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(energy: f64) -> Reading {
        Reading {
            energy: Some(energy),
            power: PerPhase {
                total: Some(3680.0),
                l1: Some(3680.0),
                ..PerPhase::default()
            },
            voltage: PerPhase {
                l1: Some(230.0),
                ..PerPhase::default()
            },
            current: PerPhase {
                l1: Some(16.0),
                ..PerPhase::default()
            },
            frequency: Some(50.0),
        }
    }

    #[test]
    fn numbers_that_are_none_and_absurd_values_are_refused_by_name() {
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30] {
            for (quantity, phase, name) in [
                (Quantity::Voltage, Phase::L1, "voltage"),
                (Quantity::Voltage, Phase::L3, "voltage"),
                (Quantity::Current, Phase::L2, "current"),
                (Quantity::Current, Phase::Total, "total current"),
                (Quantity::Power, Phase::L1, "power"),
                (Quantity::Power, Phase::Total, "total power"),
                (Quantity::Frequency, Phase::Total, "frequency"),
                (Quantity::Energy, Phase::Total, "energy"),
            ] {
                let mut judge = Judge::default();
                let mut bad = reading(1000.0);
                bad.set(quantity, phase, broken);
                let message = judge.judge(bad).unwrap_err().to_string();
                assert!(
                    message.contains(&format!("meter's {name} is {broken} ")),
                    "{message}"
                );
                assert!(
                    judge.judge(reading(1000.0)).is_ok(),
                    "the good state is lost"
                );
            }
        }
    }

    #[test]
    fn energy_never_runs_backwards_not_even_after_an_outage() {
        let mut judge = Judge::default();
        judge.judge(reading(1000.0)).unwrap();
        let backwards = Err(Implausible::Backwards {
            before: 1000.0,
            now: 999.0,
        });
        assert_eq!(judge.judge(reading(999.0)), backwards);
        judge.meter_lost();
        assert_eq!(judge.judge(reading(999.0)), backwards);
        assert!(judge.judge(reading(1000.0)).is_ok());
        judge.meter_exchanged();
        assert!(judge.judge(reading(5.0)).is_ok());
    }

    #[test]
    fn energy_jumps_only_while_nobody_looked() {
        let mut judge = Judge::default();
        judge.judge(reading(1000.0)).unwrap();
        assert!(judge.judge(reading(1900.0)).is_ok());
        let jump = Err(Implausible::Jump {
            before: 1900.0,
            now: 9000.0,
        });
        assert_eq!(judge.judge(reading(9000.0)), jump);
        judge.meter_lost();
        assert!(judge.judge(reading(9000.0)).is_ok());
    }

    #[test]
    fn tenths_of_a_hertz_are_understood() {
        let mut tenths = reading(1000.0);
        tenths.set(Quantity::Frequency, Phase::Total, 499.0);
        assert_eq!(
            Judge::default().judge(tenths).unwrap().frequency,
            Some(49.9)
        );
    }

    // covers: MET-016, MET-044
    #[test]
    fn export_counts_as_zero() {
        let mut exporting = reading(1000.0);
        exporting.set(Quantity::Power, Phase::Total, -7000.0);
        exporting.set(Quantity::Power, Phase::L1, -7000.0);
        exporting.set(Quantity::Current, Phase::L1, -30.0);
        assert!(exporting.shows_export());
        let published = Judge::default().judge(exporting).unwrap();
        assert!(!published.shows_export());
        assert_eq!(published.power.total, Some(0.0));
        assert_eq!(published.power.l1, Some(0.0));
        assert_eq!(published.power.l2, None);
        assert_eq!(published.current.l1, Some(0.0));
        assert_eq!(published.energy, Some(1000.0));
    }
}
