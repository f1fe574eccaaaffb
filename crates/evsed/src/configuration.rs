//! customer.json and rotaryencd.json as the machine's configuration.

use std::path::Path;

use board::lines::DigitalLines;
use board::{Board, TarragonConfig};
use customer_config::{ContactorFeedback, Customer, RotaryEncoder, UserAuthentication};
use daemon_kit::Error;
use evse_core::{
    Amperes, Authentication, Config, Connection, DigitalInput, Feedback, LockProfile, Millivolts,
    RotaryPosition,
};

/// How often the rotary switch is read; it may rest between two positions (guide 4.2.2).
const ROTARY_READINGS: usize = 5;

/// The board's own settings, with the digital lines in use.
pub(crate) fn board(customer: &Customer, digital: DigitalLines) -> TarragonConfig {
    let threshold = i32::try_from(customer.io.digital_input_threshold_voltage).unwrap_or(i32::MAX);
    TarragonConfig {
        digital_input_threshold: Millivolts(threshold),
        digital,
        ..TarragonConfig::default()
    }
}

/// What the machine is configured with.
///
/// # Errors
/// When rotaryencd.json is unusable, the switch can't be read, or a value of
/// customer.json has no counterpart.
pub(crate) fn machine(
    customer: &Customer,
    directory: &Path,
    board: &mut dyn Board,
) -> Result<Config, Error> {
    let port = customer.port();
    let connection = if port.pluggable {
        let motor = port.plug_lock.motor.as_str();
        let lock = LockProfile::by_name(motor).ok_or_else(|| {
            Error::Configuration(format!(
                "ports[0]/plug_lock/type {motor:?} has no lock profile"
            ))
        })?;
        Connection::Socket { lock }
    } else {
        Connection::FixedCable {
            limit: Amperes::new(port.pp.cable_current_limit),
        }
    };
    Ok(Config {
        connection,
        evse_limit: Amperes::new(port.evse_current_limit),
        grid_limit: grid_limit(&rotary_encoder(directory)?, board)?,
        failsafe: u32::try_from(port.failsafe_current_limit)
            .ok()
            .map(Amperes::new),
        contactor_feedback: feedback(port.contactor.feedback_type),
        authentication: authentication(port.user_authentication),
        always_accept_state_d: port.always_accept_cp_state_d,
    })
}

/// The factory's table where there is no rotaryencd.json (guide 14.1 table 50).
fn rotary_encoder(directory: &Path) -> Result<RotaryEncoder, Error> {
    let path = directory.join("rotaryencd.json");
    if !path.exists() {
        return Ok(RotaryEncoder::default());
    }
    let (encoder, warnings) = RotaryEncoder::load(&path)
        .map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
    for warning in warnings {
        tracing::warn!("{}: {warning}", path.display());
    }
    Ok(encoder)
}

fn grid_limit(encoder: &RotaryEncoder, board: &mut dyn Board) -> Result<Amperes, Error> {
    let mut readings = Vec::with_capacity(ROTARY_READINGS);
    for _ in 0..ROTARY_READINGS {
        let position = board
            .rotary_position()
            .map_err(|error| Error::failed("read the rotary switch", error))?;
        readings.push(position);
        // A full round of measurements passes between two readings.
        let _ = board.sample();
    }
    let limit = smallest_limit(encoder, &readings);
    tracing::info!(
        ?readings,
        amperes = limit.deci() / 10,
        "grid limit from the rotary switch"
    );
    Ok(limit)
}

/// Between two positions the smallest limit of all readings holds.
fn smallest_limit(encoder: &RotaryEncoder, readings: &[RotaryPosition]) -> Amperes {
    readings
        .iter()
        .filter_map(|position| encoder.positions.get(position.index()))
        .map(|position| Amperes::new(position.current_limit))
        .min()
        .unwrap_or(Amperes::ZERO)
}

fn feedback(kind: ContactorFeedback) -> Feedback {
    match kind {
        ContactorFeedback::NormallyOpen => Feedback::NormallyOpen,
        ContactorFeedback::NormallyClosed => Feedback::NormallyClosed,
        ContactorFeedback::None => Feedback::None,
    }
}

fn authentication(kind: UserAuthentication) -> Authentication {
    match kind {
        UserAuthentication::Free => Authentication::Free,
        UserAuthentication::Ocpp => Authentication::Ocpp,
        UserAuthentication::Mqtt => Authentication::Mqtt,
        UserAuthentication::KeySwitch => Authentication::KeySwitch(DigitalInput::KEY_SWITCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(index: u8) -> RotaryPosition {
        RotaryPosition::from_bits([0, 1, 2, 3].map(|bit| index >> bit & 1 == 1))
    }

    // covers: LIM-026
    #[test]
    fn between_two_positions_the_smaller_limit_holds() {
        let encoder = RotaryEncoder::default();
        let readings = [position(0xD), position(0xB), position(0xD)];
        assert_eq!(smallest_limit(&encoder, &readings), Amperes::new(16));
        assert_eq!(smallest_limit(&encoder, &[]), Amperes::ZERO);
    }

    // covers: LIM-004, LIM-025
    #[test]
    fn rotaryencd_json_overrides_a_position() {
        let (encoder, _) = RotaryEncoder::parse(
            r#"{"rotary_switch_1": [{"phase_count": 1, "current_limit": 25}]}"#,
        )
        .unwrap();
        assert_eq!(smallest_limit(&encoder, &[position(0)]), Amperes::new(25));
        assert_eq!(smallest_limit(&encoder, &[position(0xB)]), Amperes::new(16));
    }
}
