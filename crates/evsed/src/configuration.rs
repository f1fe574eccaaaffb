//! customer.json and rotaryencd.json as the machine's configuration.

use std::path::Path;

use board::lines::DigitalLines;
use board::{Board, TarragonConfig};
use customer_config::{
    ChargingType, ContactorFeedback, Customer, Polarity, Port, RotaryEncoder, SwitchFeedback,
    UserAuthentication,
};
use daemon_kit::Error;
use evse_core::{
    Amperes, Authentication, Config, Connection, DigitalInput, Feedback, GridRating, LockProfile,
    Millivolts, PhaseCount, PhaseSwitch, RcdMonitor, RcdTest, RotaryPosition, SecondRelay,
    Ventilation, VentilationControl, WakeUp,
};

use crate::lines::Lines;

/// How often the rotary switch is read; it may rest between two positions (guide 4.2.2).
const ROTARY_READINGS: usize = 5;
/// How often a reading that fails is tried again.
const ROTARY_RETRIES: usize = 4;

/// The board's own settings, with the digital lines in use and their levels at rest.
pub(crate) fn board(customer: &Customer, config: &Config, used: DigitalLines) -> TarragonConfig {
    let digital = DigitalLines {
        resting: config.safe().outputs,
        ..used
    };
    let threshold = i32::try_from(customer.io.digital_input_threshold_voltage).unwrap_or(i32::MAX);
    TarragonConfig {
        digital_input_threshold: Millivolts(threshold),
        digital,
        ..TarragonConfig::default()
    }
}

/// What the machine is configured with, but for the grid's limit and phases: none until
/// the [rotary switch](connect_grid) is read. Takes the lines of the enabled functions.
///
/// # Errors
/// When a value of customer.json has no counterpart, or two functions one line.
pub(crate) fn machine(customer: &Customer, lines: &mut Lines) -> Result<Config, Error> {
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
        grid_limit: Amperes::ZERO,
        failsafe: u32::try_from(port.failsafe_current_limit)
            .ok()
            .map(Amperes::new),
        contactor_feedback: feedback(port.contactor.feedback_type),
        authentication: authentication(port, lines)?,
        always_accept_state_d: port.always_accept_cp_state_d,
        rcd: rcd(port, lines)?,
        emergency: emergency(port, lines)?,
        relay_2: SecondRelay::Ventilation(Ventilation::NONE),
        wake_up: WakeUp {
            after_authorization: port.force_wake_up,
            after_timeout: port.wake_up_after_timeout,
        },
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

/// Completes `config` by what the rotary switch and rotaryencd.json say of the grid.
///
/// # Errors
/// When rotaryencd.json is unusable or the switch can't be read.
pub(crate) fn connect_grid(
    config: &mut Config,
    customer: &Customer,
    directory: &Path,
    board: &mut dyn Board,
) -> Result<(), Error> {
    let grid = grid(&rotary_encoder(directory)?, board)?;
    config.grid_limit = grid.limit;
    config.relay_2 = second_relay(customer.port(), grid.phase_count);
    Ok(())
}

fn grid(encoder: &RotaryEncoder, board: &mut dyn Board) -> Result<GridRating, Error> {
    let mut readings = Vec::with_capacity(ROTARY_READINGS);
    for _ in 0..ROTARY_READINGS {
        // Asked again like the first outputs: a board that is late once is no dead one.
        let mut read = board.rotary_position();
        for _ in 0..ROTARY_RETRIES {
            read = read.or_else(|_| board.rotary_position());
        }
        let position = read.map_err(|error| Error::failed("read the rotary switch", error))?;
        readings.push(position);
        // A full round of measurements passes between two readings.
        let _ = board.sample();
    }
    let rating = GridRating {
        phase_count: smallest_phase_count(encoder, &readings),
        limit: smallest_limit(encoder, &readings),
    };
    tracing::info!(?readings, ?rating, "grid connection from the rotary switch");
    Ok(rating)
}

/// Three phases only where all readings say so.
fn smallest_phase_count(encoder: &RotaryEncoder, readings: &[RotaryPosition]) -> PhaseCount {
    let is_three = |reading: &RotaryPosition| {
        let position = encoder.positions.get(reading.index());
        position.is_some_and(|position| position.phase_count == 3)
    };
    if !readings.is_empty() && readings.iter().all(is_three) {
        PhaseCount::Three
    } else {
        PhaseCount::One
    }
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

fn authentication(port: &Port, lines: &mut Lines) -> Result<Authentication, Error> {
    Ok(match port.user_authentication {
        UserAuthentication::Free => Authentication::Free,
        UserAuthentication::Ocpp => Authentication::Ocpp,
        UserAuthentication::Mqtt => Authentication::Mqtt,
        UserAuthentication::KeySwitch => Authentication::KeySwitch(lines.input(
            "ports[0]/key_switch/gpio",
            port.key_switch.gpio,
            is_high(port.key_switch.polarity),
        )?),
    })
}

/// The polarity of the feedback is its level in normal operation, that of the
/// trigger its level while the test runs (guide 14.1 table 47, 15.15.4).
fn rcd(port: &Port, lines: &mut Lines) -> Result<Option<RcdMonitor>, Error> {
    let rcd = &port.rcd_monitor;
    if !rcd.enable {
        return Ok(None);
    }
    let tripped_is_high = !is_high(rcd.polarity);
    let feedback = lines.input("ports[0]/rcd_monitor/gpio", rcd.gpio, tripped_is_high)?;
    let Ok(trigger) = u32::try_from(rcd.test_gpio) else {
        tracing::warn!("the RCD is monitored without the self test that IEC 62955 asks for");
        let test = None;
        return Ok(Some(RcdMonitor { feedback, test }));
    };
    let active_high = is_high(rcd.test_gpio_polarity);
    if !active_high {
        tracing::warn!(
            "ports[0]/rcd_monitor/test_gpio_polarity is active_low: without power and while the \
             board boots the line is low, and the RCD is tripped"
        );
    }
    let test = RcdTest {
        trigger: lines.output("ports[0]/rcd_monitor/test_gpio", trigger, active_high)?,
        trigger_ms: rcd.test_trigger_time.into(),
        check_tripped_ms: rcd.test_check_tripped_time.into(),
        check_normal_ms: rcd.test_check_normal_time.into(),
    };
    let test = Some(test);
    Ok(Some(RcdMonitor { feedback, test }))
}

/// The polarity is the level of the alarm.
fn emergency(port: &Port, lines: &mut Lines) -> Result<Option<DigitalInput>, Error> {
    let alarm = &port.emergency_alarm;
    if !alarm.enable {
        return Ok(None);
    }
    let path = "ports[0]/emergency_alarm/gpio";
    lines
        .input(path, alarm.gpio, is_high(alarm.polarity))
        .map(Some)
}

/// Phase switching where its preconditions hold (guide 15.20), else ventilation as
/// configured.
fn second_relay(port: &Port, grid: PhaseCount) -> SecondRelay {
    let switch = &port.switch3to1phase;
    if switch.enable {
        match missing_for_phase_switch(port, grid) {
            None => {
                return SecondRelay::PhaseSwitch(PhaseSwitch {
                    feedback: match switch.feedback_type {
                        SwitchFeedback::NormallyOpen => Feedback::NormallyOpen,
                        SwitchFeedback::NormallyClosed => Feedback::NormallyClosed,
                    },
                    delay_ms: switch.switch_delay.saturating_mul(1_000),
                });
            }
            Some(missing) => {
                tracing::error!("ports[0]/switch3to1phase/enable: refused, {missing}");
                return SecondRelay::Ventilation(Ventilation::NONE);
            }
        }
    }
    SecondRelay::Ventilation(Ventilation {
        enabled: port.ventilation.enable,
        control: match port.ventilation.control {
            customer_config::VentilationControl::Internal => VentilationControl::Internal,
            customer_config::VentilationControl::External => VentilationControl::External,
        },
        feedback: feedback(port.ventilation.feedback_type),
    })
}

fn missing_for_phase_switch(port: &Port, grid: PhaseCount) -> Option<&'static str> {
    if grid != PhaseCount::Three {
        Some("the rotary switch is not on three phases")
    } else if port.charging_type != ChargingType::Basic {
        Some("ports[0]/charging_type is not basic")
    } else if port.ventilation.enable {
        Some("ports[0]/ventilation/enable uses relay 2")
    } else {
        None
    }
}

const fn is_high(polarity: Polarity) -> bool {
    match polarity {
        Polarity::ActiveHigh => true,
        Polarity::ActiveLow => false,
    }
}

#[cfg(test)]
mod tests {
    use evse_core::{DigitalInputs, DigitalOutputs};

    use super::*;

    fn port(settings: &str) -> Port {
        let text = format!(r#"{{"ports": [{{{settings}}}]}}"#);
        let (customer, _) = Customer::parse(&text).unwrap();
        customer.port().clone()
    }

    fn rcd_of(settings: &str) -> Option<RcdMonitor> {
        let port = port(&format!(r#""rcd_monitor": {{{settings}}}"#));
        rcd(&port, &mut Lines::default()).unwrap()
    }

    // covers: RCD-001, RCD-004, RCD-005
    #[test]
    fn the_polarity_of_the_feedback_names_the_normal_level() {
        for (polarity, tripped_is_high) in [("active_low", true), ("active_high", false)] {
            let rcd = rcd_of(&format!(r#""enable": true, "polarity": "{polarity}""#)).unwrap();
            assert_eq!(
                Some(rcd.feedback),
                DigitalInput::new(2, tripped_is_high),
                "{polarity}"
            );
        }
        assert_eq!(rcd_of(""), None);
    }

    // covers: RCD-006
    #[test]
    fn the_polarity_of_the_trigger_names_the_driven_level() {
        for (settings, active_high) in [
            ("", true),
            (r#", "test_gpio_polarity": "active_high""#, true),
            (r#", "test_gpio_polarity": "active_low""#, false),
        ] {
            let rcd = rcd_of(&format!(r#""enable": true{settings}"#)).unwrap();
            let expected = RcdTest {
                trigger: evse_core::DigitalOutput::new(4, active_high).unwrap(),
                trigger_ms: 815,
                check_tripped_ms: 810,
                check_normal_ms: 410,
            };
            assert_eq!(rcd.test, Some(expected), "{settings}");
        }
    }

    // covers: CFG-019
    #[test]
    fn only_enabled_functions_take_a_line() {
        let used = |text: &str| {
            let text = format!(r#"{{"ports": [{{{text}}}]}}"#);
            let (customer, _) = Customer::parse(&text).unwrap();
            let mut lines = Lines::default();
            machine(&customer, &mut lines).unwrap();
            (lines.used().inputs.0, lines.used().outputs.0)
        };
        assert_eq!(used(""), (0, 0));
        assert_eq!(
            used(
                r#""emergency_alarm": {"enable": true}, "rcd_monitor": {"enable": true},
                   "user_authentication": "key-switch""#
            ),
            (0b00_0111, 0b00_1000)
        );
    }

    // covers: CP-022, CP-023, CP-024, VENT-010, CON-003, CON-004, CON-005
    #[test]
    fn a_key_of_the_port_moves_its_own_setting_and_no_other() {
        let machine = |settings: &str| {
            let text = format!(r#"{{"ports": [{{{settings}}}]}}"#);
            let (customer, _) = Customer::parse(&text).unwrap();
            machine(&customer, &mut Lines::default()).unwrap()
        };
        let factory = machine("");
        let asleep = WakeUp {
            after_authorization: false,
            after_timeout: false,
        };
        assert_eq!(factory.wake_up, asleep);
        assert!(!factory.always_accept_state_d);
        let expected = [
            (
                r#""force_wake_up": true"#,
                Config {
                    wake_up: WakeUp {
                        after_authorization: true,
                        ..asleep
                    },
                    ..factory
                },
            ),
            (
                r#""wake_up_after_timeout": true"#,
                Config {
                    wake_up: WakeUp {
                        after_timeout: true,
                        ..asleep
                    },
                    ..factory
                },
            ),
            (
                r#""always_accept_cp_state_d": true"#,
                Config {
                    always_accept_state_d: true,
                    ..factory
                },
            ),
        ];
        for (settings, expected) in expected {
            assert_eq!(machine(settings), expected, "{settings}");
        }
        for (word, contactor_feedback) in [
            ("no", Feedback::NormallyOpen),
            ("nc", Feedback::NormallyClosed),
            ("none", Feedback::None),
        ] {
            let settings = format!(r#""contactor": {{"feedback_type": "{word}"}}"#);
            let expected = Config {
                contactor_feedback,
                ..factory
            };
            assert_eq!(machine(&settings), expected, "{word}");
        }
    }

    // covers: CFG-019
    #[test]
    fn the_board_gets_the_threshold_the_lines_in_use_and_their_rest() {
        let text = r#"{
            "io": {"digital_input_threshold_voltage": 9000},
            "ports": [{"rcd_monitor": {"enable": true, "test_gpio_polarity": "active_low"}}]
        }"#;
        let (customer, _) = Customer::parse(text).unwrap();
        let mut lines = Lines::default();
        let config = machine(&customer, &mut lines).unwrap();
        let board = board(&customer, &config, lines.used());
        assert_eq!(board.digital_input_threshold, Millivolts(9_000));
        let digital = DigitalLines {
            inputs: DigitalInputs(0b00_0010),
            outputs: DigitalOutputs(0b00_1000),
            resting: DigitalOutputs(0b00_1000),
        };
        assert_eq!(board.digital, digital);
    }

    // covers: RCD-002, RCD-003
    #[test]
    fn there_can_be_monitoring_without_a_test_but_no_test_without_monitoring() {
        assert_eq!(rcd_of(r#""enable": false, "test_gpio": 87"#), None);
        let rcd = rcd_of(r#""enable": true, "test_gpio": -1"#).unwrap();
        assert_eq!(rcd.test, None);
    }

    // covers: EMG-001, EMG-002, EMG-007, EMG-010
    #[test]
    fn the_polarity_of_the_emergency_input_names_the_alarm() {
        for (settings, expected) in [
            ("", None),
            (r#""enable": true"#, DigitalInput::new(1, true)),
            (
                r#""enable": true, "polarity": "active_low", "gpio": 116"#,
                DigitalInput::new(5, false),
            ),
        ] {
            let port = port(&format!(r#""emergency_alarm": {{{settings}}}"#));
            let input = emergency(&port, &mut Lines::default()).unwrap();
            assert_eq!(input, expected, "{settings}");
        }
    }

    // covers: AUTH-003
    #[test]
    fn the_key_switch_has_a_configurable_input() {
        for (settings, expected) in [
            ("", DigitalInput::KEY_SWITCH),
            (
                r#", "key_switch": {"gpio": 119, "polarity": "active_low"}"#,
                DigitalInput::new(6, false).unwrap(),
            ),
        ] {
            let port = port(&format!(r#""user_authentication": "key-switch"{settings}"#));
            let method = authentication(&port, &mut Lines::default()).unwrap();
            assert_eq!(method, Authentication::KeySwitch(expected));
        }
    }

    // covers: PH-001, PH-003, PH-004, PH-005, PH-009, VENT-016
    #[test]
    fn phases_are_switched_only_where_all_preconditions_hold() {
        use PhaseCount::{One, Three};
        let enable = r#""switch3to1phase": {"enable": true}"#;
        for (settings, grid, delay_ms) in [
            ("", Three, None),
            (enable, Three, Some(20_000)),
            (enable, One, None),
            (
                r#""switch3to1phase": {"enable": true}, "charging_type": "highlevel""#,
                Three,
                None,
            ),
            (
                r#""switch3to1phase": {"enable": true, "switch_delay": 300}"#,
                Three,
                Some(300_000),
            ),
            // Phase switching wins.
            (
                r#""switch3to1phase": {"enable": true}, "ventilation": {"enable": true}"#,
                Three,
                Some(20_000),
            ),
        ] {
            let actual = match second_relay(&port(settings), grid) {
                SecondRelay::PhaseSwitch(switch) => Some(switch.delay_ms),
                SecondRelay::Ventilation(fan) => {
                    assert_eq!(fan, Ventilation::NONE);
                    None
                }
            };
            assert_eq!(actual, delay_ms, "{settings}");
        }
    }

    // covers: VENT-017, PH-018
    #[test]
    fn each_use_of_relay_2_has_its_own_feedback_type() {
        for (word, feedback) in [
            ("nc", Feedback::NormallyClosed),
            ("no", Feedback::NormallyOpen),
        ] {
            let fan = port(&format!(
                r#""ventilation": {{"enable": true, "feedback_type": "{word}"}}"#
            ));
            let expected = SecondRelay::Ventilation(Ventilation {
                enabled: true,
                control: VentilationControl::Internal,
                feedback,
            });
            assert_eq!(second_relay(&fan, PhaseCount::Three), expected);
            let switch = port(&format!(
                r#""switch3to1phase": {{"enable": true, "feedback_type": "{word}"}}"#
            ));
            let delay_ms = 20_000;
            let expected = SecondRelay::PhaseSwitch(PhaseSwitch { feedback, delay_ms });
            assert_eq!(second_relay(&switch, PhaseCount::Three), expected);
        }
    }

    #[test]
    fn between_a_three_phase_position_and_another_there_is_one_phase() {
        let encoder = RotaryEncoder::default();
        let count = |indices: &[u8]| {
            let readings: Vec<_> = indices.iter().map(|index| position(*index)).collect();
            smallest_phase_count(&encoder, &readings)
        };
        assert_eq!(count(&[0xD, 0xB]), PhaseCount::Three);
        assert_eq!(count(&[0xD, 0x5, 0xD]), PhaseCount::One);
        assert_eq!(count(&[]), PhaseCount::One);
    }

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

    // covers: LIM-025
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
