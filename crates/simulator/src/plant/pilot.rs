//! The control pilot's circuit: generator, 1 kΩ, wire, diode, the vehicle's resistors.

use serde::{Deserialize, Serialize};

/// Unloaded levels of the output stage in volts, as measured on real boards.
const HIGH: f64 = 11.956;
const LOW: f64 = -11.615;
/// What the peak detectors show when the line never leaves 0 V.
const REST: f64 = 0.060;
/// Between output stage and wire (IEC 61851-1 table A.2).
const SOURCE_OHM: f64 = 1000.0;
/// Forward voltage of the vehicle's diode.
const DIODE_DROP: f64 = 0.7;

/// What the wire does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PilotWire {
    /// Connected.
    #[default]
    Whole,
    /// Connected to PE.
    ShortedToPe,
    /// Cut: the vehicle isn't seen and sees nothing.
    Cut,
}

/// The vehicle's diode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diode {
    /// Conducts one way.
    #[default]
    Good,
    /// Conducts both ways, or was left out.
    Shorted,
    /// Doesn't conduct: the vehicle isn't seen.
    Open,
}

/// What the output stage does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Generator {
    /// Nothing is driven.
    Released,
    /// Driven with this share of time high, 0.0 to 1.0.
    Driven(f64),
}

impl Generator {
    /// True when the line toggles: neither steady nor released.
    pub fn toggles(self) -> bool {
        matches!(self, Self::Driven(duty) if duty > 0.0 && duty < 1.0)
    }
}

/// Highest and lowest voltage of one pilot period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extremes {
    /// In volts.
    pub high: f64,
    /// In volts.
    pub low: f64,
}

/// Extremes for a generator, a wire and a vehicle's load in ohms (`None` is no vehicle).
pub fn extremes(
    generator: Generator,
    wire: PilotWire,
    load: Option<f64>,
    diode: Diode,
) -> Extremes {
    let duty = match generator {
        Generator::Driven(duty) if wire != PilotWire::ShortedToPe => duty,
        Generator::Driven(_) | Generator::Released => {
            return Extremes {
                high: REST,
                low: REST,
            };
        }
    };
    let load = if wire == PilotWire::Whole { load } else { None };
    Extremes {
        high: if duty > 0.0 {
            loaded(HIGH, load, diode)
        } else {
            REST
        },
        low: if duty < 1.0 {
            loaded(LOW, load, diode)
        } else {
            REST
        },
    }
}

fn loaded(source: f64, load: Option<f64>, diode: Diode) -> f64 {
    let Some(ohm) = load else { return source };
    let share = ohm / (ohm + SOURCE_OHM);
    match diode {
        Diode::Good if source > DIODE_DROP => (source - DIODE_DROP) * share + DIODE_DROP,
        Diode::Shorted => source * share,
        Diode::Good | Diode::Open => source,
    }
}

/// The board's peak detectors: they hold the extremes since their reset was
/// released. They don't droop.
#[derive(Clone, Copy, Debug)]
pub struct PeakDetectors {
    /// Positive peak in volts.
    pub positive: f64,
    /// Negative peak in volts.
    pub negative: f64,
}

impl Default for PeakDetectors {
    fn default() -> Self {
        Self {
            positive: REST,
            negative: REST,
        }
    }
}

impl PeakDetectors {
    /// Let the detectors see one period; a detector whose reset is high is empty.
    pub fn see(&mut self, seen: Extremes, positive_reset: bool, negative_reset: bool) {
        self.positive = if positive_reset {
            REST
        } else {
            self.positive.max(seen.high)
        };
        self.negative = if negative_reset {
            REST
        } else {
            self.negative.min(seen.low)
        };
    }
}

/// Raw count of the board's pilot ADC for a voltage: the inverse of the divider
/// that the board's makers publish, 9.581933 V/V and -16.013855 V.
pub fn adc_raw(volts: f64) -> u16 {
    super::count((volts + 16.013_855) / 9.581_933)
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: Option<f64> = Some(2740.0);
    const C: Option<f64> = Some(2740.0 * 1300.0 / (2740.0 + 1300.0));

    fn at(duty: f64, load: Option<f64>) -> Extremes {
        extremes(Generator::Driven(duty), PilotWire::Whole, load, Diode::Good)
    }

    fn close(actual: Extremes, high: f64, low: f64) {
        let near = |a: f64, b: f64| (a - b).abs() < 0.1;
        assert!(
            near(actual.high, high) && near(actual.low, low),
            "{actual:?} is not {high}/{low}"
        );
    }

    #[test]
    fn voltages_match_those_published_for_real_boards() {
        close(at(1.0, None), 11.956, 0.055);
        close(at(1.0, B), 8.919, 0.065);
        close(at(0.2167, C), 5.900, -11.625);
        close(at(0.2167, B), 8.957, -11.615);
        close(at(0.2167, None), 11.947, -11.615);
    }

    #[test]
    fn released_and_shorted_lines_rest_at_zero() {
        close(
            extremes(Generator::Released, PilotWire::Whole, B, Diode::Good),
            0.0,
            0.0,
        );
        close(
            extremes(
                Generator::Driven(0.5),
                PilotWire::ShortedToPe,
                C,
                Diode::Good,
            ),
            0.0,
            0.0,
        );
    }

    #[test]
    fn state_f_is_negative_and_steady() {
        close(at(0.0, None), 0.0, -11.615);
    }

    #[test]
    fn shorted_diode_loads_both_sides_alike() {
        let seen = extremes(Generator::Driven(0.5), PilotWire::Whole, C, Diode::Shorted);
        assert!(
            (seen.high + seen.low).abs() < 0.5 && seen.high > 2.0,
            "{seen:?}"
        );
    }

    #[test]
    fn vehicle_behind_a_cut_wire_or_an_open_diode_is_not_seen() {
        close(
            extremes(Generator::Driven(1.0), PilotWire::Cut, C, Diode::Good),
            11.956,
            0.0,
        );
        close(
            extremes(Generator::Driven(1.0), PilotWire::Whole, C, Diode::Open),
            11.956,
            0.0,
        );
    }

    #[test]
    fn peaks_are_held_until_reset() {
        let mut peaks = PeakDetectors::default();
        peaks.see(at(0.5, B), false, false);
        peaks.see(at(0.5, C), false, false);
        assert!(peaks.positive > 8.5);
        peaks.see(at(0.5, C), true, true);
        peaks.see(at(0.5, C), false, false);
        assert!(peaks.positive < 6.5 && peaks.negative < -11.0);
    }

    #[test]
    fn counts_match_the_published_table() {
        for (volts, raw) in [
            (12.0, 3629),
            (9.0, 3239),
            (6.0, 2851),
            (3.0, 2462),
            (0.0, 2074),
            (-12.0, 520),
        ] {
            assert!(
                adc_raw(volts).abs_diff(raw) <= 3,
                "{volts} V is {}",
                adc_raw(volts)
            );
        }
    }
}
