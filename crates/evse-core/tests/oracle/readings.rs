//! What a voltage says, by the tables of the standard.

use super::*;

pub(super) fn level(round: Result<PilotPeaks, SensorFault>, driven: PilotOutput) -> Level {
    let (Ok(peaks), PilotOutput::Duty(duty)) = (round, driven) else {
        return Level::Unclear;
    };
    let negative = peaks.negative.0;
    let in_range = (-13_000..-11_000).contains(&negative) || (-1_000..=13_000).contains(&negative);
    if duty.offered().is_some() != (negative < -11_000) || !in_range {
        return Level::Unclear;
    }
    match peaks.positive.0 {
        11_000..=13_000 => Level::A,
        8_000..=9_999 => Level::B,
        5_000..=6_999 => Level::C,
        2_000..=3_999 => Level::D,
        _ => Level::Unclear,
    }
}

/// Whether a round shows a request for energy; `None` in a band of hysteresis.
pub(super) fn requests(
    round: Result<PilotPeaks, SensorFault>,
    driven: PilotOutput,
    accepts_state_d: bool,
) -> Option<bool> {
    match level(round, driven) {
        Level::C => Some(true),
        Level::D => Some(accepts_state_d),
        Level::A | Level::B => Some(false),
        Level::Unclear => match round {
            Ok(peaks) if [4, 7].contains(&(peaks.positive.0 / 1_000)) => None,
            Ok(_) | Err(SensorFault) => Some(false),
        },
    }
}

/// Whether the peaks of a round that shows an EV are gone while the detectors are in
/// reset.
pub(super) fn lets_go(sample: &Sample) -> bool {
    match (sample.pilot, sample.pilot_in_reset) {
        (Ok(peaks), Some(Ok(in_reset))) => {
            peaks.positive.0 < 2_000
                || (in_reset.positive.0 - peaks.positive.0).unsigned_abs() >= 1_000
        }
        _ => false,
    }
}

/// A row of the table of cables; 0 is no usable voltage, 5 no cable.
pub(super) fn band(voltage: Millivolts) -> u8 {
    match voltage.0 {
        2_459.. => 5,
        1_813..=2_458 => 1,
        1_170..=1_812 => 2,
        891..=1_169 => 3,
        751..=890 => 4,
        _ => 0,
    }
}

pub(super) fn rating(band: u8) -> Option<Amperes> {
    let amperes = [13, 20, 32, 63].get(usize::from(band).checked_sub(1)?)?;
    Some(Amperes::new(*amperes))
}

pub(super) fn index(slot: DynamicSlot) -> Option<usize> {
    (0..DynamicSlot::COUNT).find(|index| DynamicSlot::new(*index) == Some(slot))
}
