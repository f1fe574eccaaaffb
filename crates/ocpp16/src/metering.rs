//! Meter readings and the sampled values made from them (guide 3.3.6).

use crate::message::outgoing::{ReadingContext, SampledValue};
use crate::profile::{DeciAmperes, NOMINAL_VOLTAGE};

/// What the meter shows at one instant. What it does not deliver is `None`; nothing is made up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Lifetime register of imported active energy in Wh.
    pub energy_wh: Option<i64>,
    /// Imported active power in W, total.
    pub power_w: Option<f64>,
    /// Imported active power in W on L1, L2, L3.
    pub power_phase_w: [Option<f64>; 3],
    /// Current in A, total.
    pub current_a: Option<f64>,
    /// Current in A on L1, L2, L3.
    pub current_phase_a: [Option<f64>; 3],
    /// Voltage in V of L1, L2, L3 against N.
    pub voltage_v: [Option<f64>; 3],
    /// In Hz.
    pub frequency_hz: Option<f64>,
}

impl Reading {
    /// A reading of any second or third phase makes the system three-phase.
    fn three_phase(&self) -> bool {
        [&self.voltage_v, &self.current_phase_a, &self.power_phase_w]
            .iter()
            .any(|values| values[1].or(values[2]).is_some())
    }
}

/// What the EVSE offers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offered {
    /// Per phase.
    pub current: DeciAmperes,
    /// Phases in use; `None` where only the meter can tell.
    pub phases: Option<u8>,
}

/// The quantities of guide 3.3.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measurand {
    CurrentImport,
    CurrentOffered,
    EnergyActiveImportRegister,
    Frequency,
    PowerActiveImport,
    PowerOffered,
    Voltage,
}

impl Measurand {
    pub(crate) const ALL: [Self; 7] = [
        Self::CurrentImport,
        Self::CurrentOffered,
        Self::EnergyActiveImportRegister,
        Self::Frequency,
        Self::PowerActiveImport,
        Self::PowerOffered,
        Self::Voltage,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CurrentImport => "Current.Import",
            Self::CurrentOffered => "Current.Offered",
            Self::EnergyActiveImportRegister => "Energy.Active.Import.Register",
            Self::Frequency => "Frequency",
            Self::PowerActiveImport => "Power.Active.Import",
            Self::PowerOffered => "Power.Offered",
            Self::Voltage => "Voltage",
        }
    }

    /// Erratum 3.86: the frequency has no unit.
    pub(crate) const fn unit(self) -> Option<&'static str> {
        match self {
            Self::CurrentImport | Self::CurrentOffered => Some("A"),
            Self::EnergyActiveImportRegister => Some("Wh"),
            Self::Frequency => None,
            Self::PowerActiveImport | Self::PowerOffered => Some("W"),
            Self::Voltage => Some("V"),
        }
    }

    const fn decimals(self) -> usize {
        match self {
            Self::EnergyActiveImportRegister | Self::PowerActiveImport | Self::PowerOffered => 0,
            Self::CurrentOffered | Self::Voltage => 1,
            Self::CurrentImport | Self::Frequency => 2,
        }
    }

    pub(crate) const fn phases(self) -> Option<[&'static str; 3]> {
        match self {
            Self::CurrentImport | Self::CurrentOffered | Self::PowerActiveImport => {
                Some(["L1", "L2", "L3"])
            }
            Self::Voltage => Some(["L1-N", "L2-N", "L3-N"]),
            Self::EnergyActiveImportRegister | Self::Frequency | Self::PowerOffered => None,
        }
    }

    /// Values with their phase; total ones without. In a single-phase system there are no phases.
    fn values(self, reading: &Reading, offered: Offered) -> Vec<(Option<&'static str>, f64)> {
        let three_phase = reading.three_phase();
        let phases = offered.phases.unwrap_or(if three_phase { 3 } else { 1 });
        let offered = offered.current.amperes();
        let total_offered = f64::from(phases) * offered;
        let (by_phase, total) = match self {
            Self::EnergyActiveImportRegister => {
                #[allow(
                    clippy::cast_precision_loss,
                    reason = "a register of 2^53 Wh does not exist"
                )]
                let energy = reading.energy_wh.map(|energy| energy as f64);
                ([None; 3], energy)
            }
            Self::Frequency => ([None; 3], reading.frequency_hz),
            Self::PowerOffered => ([None; 3], Some(total_offered * NOMINAL_VOLTAGE)),
            Self::CurrentOffered => {
                // Where one phase is in use, the others offer nothing that could be told.
                let others = (phases > 1).then_some(offered);
                ([Some(offered), others, others], Some(total_offered))
            }
            Self::CurrentImport => (reading.current_phase_a, reading.current_a),
            Self::PowerActiveImport => (
                reading.power_phase_w,
                reading.power_w.or_else(|| sum(&reading.power_phase_w)),
            ),
            Self::Voltage => (reading.voltage_v, None),
        };
        if !three_phase {
            return total
                .or(by_phase[0])
                .map(|value| (None, value))
                .into_iter()
                .collect();
        }
        let names = self.phases().unwrap_or_default();
        let by_phase = names
            .into_iter()
            .zip(by_phase)
            .filter_map(|(name, value)| Some((Some(name), value?)));
        by_phase.chain(total.map(|value| (None, value))).collect()
    }
}

/// The total of all phases that are there; `None` without any.
fn sum(phases: &[Option<f64>; 3]) -> Option<f64> {
    phases
        .iter()
        .flatten()
        .copied()
        .reduce(|total, value| total + value)
}

/// An entry of a measurand list: the quantity, or one phase of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    measurand: Measurand,
    phase: Option<&'static str>,
}

impl Selection {
    /// Reads `Voltage`, `Voltage.L1-N` or `Current.Import.L1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Measurand::ALL.into_iter().find_map(|measurand| {
            let rest = text.strip_prefix(measurand.name())?;
            if rest.is_empty() {
                return Some(Self {
                    measurand,
                    phase: None,
                });
            }
            let phase = rest.strip_prefix('.')?;
            let phase = measurand
                .phases()?
                .into_iter()
                .find(|name| *name == phase)?;
            Some(Self {
                measurand,
                phase: Some(phase),
            })
        })
    }

    /// Reads a comma-separated list; empty is a list of none.
    ///
    /// # Errors
    /// The first entry that is no measurand of this station.
    pub(crate) fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        entries
            .map(|entry| Self::parse(entry).ok_or_else(|| entry.to_owned()))
            .collect()
    }

    /// Whether the meter delivers it.
    pub(crate) fn delivered(self, reading: &Reading) -> bool {
        let nothing = Offered {
            current: DeciAmperes(0),
            phases: None,
        };
        let values = self.measurand.values(reading, nothing);
        values
            .iter()
            .any(|(phase, _)| self.phase.is_none() || *phase == self.phase)
    }
}

/// The sampled values of one instant in the order of the list, each once.
pub(crate) fn sample(
    reading: &Reading,
    offered: Offered,
    list: &[Selection],
    context: ReadingContext,
) -> Vec<SampledValue> {
    let mut values: Vec<SampledValue> = Vec::new();
    for selection in list {
        for (phase, value) in selection.measurand.values(reading, offered) {
            let wanted = selection.phase.is_none() || phase == selection.phase;
            let name = selection.measurand.name();
            let known = values
                .iter()
                .any(|known| known.measurand == name && known.phase.as_deref() == phase);
            if wanted && !known && value.is_finite() {
                values.push(SampledValue {
                    // Adding zero turns the text "-0" into "0".
                    value: format!("{:.*}", selection.measurand.decimals(), value + 0.0),
                    context,
                    format: None,
                    measurand: name.to_owned(),
                    phase: phase.map(str::to_owned),
                    unit: selection.measurand.unit().map(str::to_owned),
                });
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_phase() -> Reading {
        Reading {
            energy_wh: Some(123_456),
            power_w: Some(11_000.4),
            power_phase_w: [Some(3_600.0), Some(3_700.0), Some(3_700.4)],
            current_a: None,
            current_phase_a: [Some(15.9), Some(16.0), Some(16.125)],
            voltage_v: [Some(230.1), Some(229.9), Some(231.0)],
            frequency_hz: Some(50.02),
        }
    }

    fn single_phase() -> Reading {
        Reading {
            energy_wh: Some(5),
            power_phase_w: [Some(3_680.0), None, None],
            current_phase_a: [Some(16.0), None, None],
            voltage_v: [Some(230.0), None, None],
            ..Reading::default()
        }
    }

    fn shown(reading: &Reading, list: &str) -> Vec<String> {
        shown_with(reading, None, list)
    }

    fn shown_with(reading: &Reading, phases: Option<u8>, list: &str) -> Vec<String> {
        let list = Selection::parse_list(list).unwrap();
        let offered = Offered {
            current: DeciAmperes(160),
            phases,
        };
        sample(reading, offered, &list, ReadingContext::SamplePeriodic)
            .iter()
            .map(|v| {
                format!(
                    "{}{}={}{}",
                    v.measurand,
                    v.phase.as_ref().map_or(String::new(), |p| format!(".{p}")),
                    v.value,
                    v.unit.as_deref().unwrap_or("")
                )
            })
            .collect()
    }

    // covers: MET-032, MET-034, MET-035, MET-036, MET-037, MET-038, MET-039
    #[test]
    fn a_three_phase_system_reports_phases() {
        for (list, expected) in [
            (
                "Voltage",
                vec![
                    "Voltage.L1-N=230.1V",
                    "Voltage.L2-N=229.9V",
                    "Voltage.L3-N=231.0V",
                ],
            ),
            ("Frequency", vec!["Frequency=50.02"]),
            (
                "Current.Import",
                vec![
                    "Current.Import.L1=15.90A",
                    "Current.Import.L2=16.00A",
                    "Current.Import.L3=16.12A",
                ],
            ),
            (
                "Power.Active.Import",
                vec![
                    "Power.Active.Import.L1=3600W",
                    "Power.Active.Import.L2=3700W",
                    "Power.Active.Import.L3=3700W",
                    "Power.Active.Import=11000W",
                ],
            ),
            (
                "Energy.Active.Import.Register",
                vec!["Energy.Active.Import.Register=123456Wh"],
            ),
            (
                "Current.Offered",
                vec![
                    "Current.Offered.L1=16.0A",
                    "Current.Offered.L2=16.0A",
                    "Current.Offered.L3=16.0A",
                    "Current.Offered=48.0A",
                ],
            ),
            ("Power.Offered", vec!["Power.Offered=11040W"]),
        ] {
            assert_eq!(shown(&three_phase(), list), expected);
        }
        let with_total = Reading {
            current_a: Some(48.0),
            ..three_phase()
        };
        assert!(shown(&with_total, "Current.Import").contains(&"Current.Import=48.00A".to_owned()));
    }

    // covers: MET-033, MET-040
    #[test]
    fn a_single_phase_system_reports_no_phase() {
        let list = "Voltage,Current.Import,Power.Active.Import,Current.Offered,Power.Offered";
        assert_eq!(
            shown(&single_phase(), list),
            [
                "Voltage=230.0V",
                "Current.Import=16.00A",
                "Power.Active.Import=3680W",
                "Current.Offered=16.0A",
                "Power.Offered=3680W",
            ]
        );
    }

    // covers: PH-022
    #[test]
    fn what_is_offered_follows_the_phases_in_use() {
        let list = "Current.Offered,Power.Offered";
        for (phases, expected) in [
            (
                Some(1),
                vec![
                    "Current.Offered.L1=16.0A",
                    "Current.Offered=16.0A",
                    "Power.Offered=3680W",
                ],
            ),
            (
                Some(3),
                vec![
                    "Current.Offered.L1=16.0A",
                    "Current.Offered.L2=16.0A",
                    "Current.Offered.L3=16.0A",
                    "Current.Offered=48.0A",
                    "Power.Offered=11040W",
                ],
            ),
        ] {
            assert_eq!(shown_with(&three_phase(), phases, list), expected);
            assert_eq!(
                shown_with(&three_phase(), phases, "Current.Offered.L2").len(),
                usize::from(phases == Some(3))
            );
        }
    }

    // covers: MET-042
    #[test]
    fn a_phase_can_be_selected() {
        assert_eq!(
            shown(
                &three_phase(),
                "Voltage.L2-N,Current.Import.L1,Voltage.L2-N"
            ),
            ["Voltage.L2-N=229.9V", "Current.Import.L1=15.90A"]
        );
        for unknown in [
            "Voltage.L1",
            "Voltage.",
            "Current.Import.N",
            "Frequency.L1",
            "SoC",
            "voltage",
        ] {
            assert_eq!(Selection::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_the_meter_lacks_is_known() {
        let delivered =
            |reading: &Reading, name: &str| Selection::parse(name).unwrap().delivered(reading);
        assert!(delivered(&three_phase(), "Frequency"));
        assert!(!delivered(&single_phase(), "Frequency"));
        assert!(!delivered(&single_phase(), "Voltage.L2-N"));
    }
}
