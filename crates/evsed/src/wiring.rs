//! Which digital line serves which function, by the numbers of customer.json and
//! leds.json. A line serves one function or the customer (guide 7.9).

use board::lines::{self, DigitalLines};
use customer_config::{Customer, Leds, UserAuthentication};
use daemon_kit::Error;
use evse_core::{DigitalInputs, DigitalOutputs};

/// The key switch is wired to DIGITAL_IN_3 (guide 7.9.1 table 26).
const KEY_SWITCH: u32 = 124;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Input,
    Output,
}

/// A function and the line that it wants.
#[derive(Clone, Debug)]
struct Wish {
    /// Key of the file, as in the guide.
    function: String,
    number: u32,
    direction: Direction,
}

/// The lines that serve a function.
///
/// # Errors
/// A number that is no digital input or output, or that serves two functions;
/// names the keys and the numbers that are allowed.
pub(crate) fn assign(customer: &Customer, leds: &Leds) -> Result<DigitalLines, Error> {
    let wishes = wishes(customer, leds);
    let mut used = DigitalLines::default();
    for (index, wish) in wishes.iter().enumerate() {
        match wish.direction {
            Direction::Input => {
                let bit = lines::digital_input_bit(wish.number).ok_or_else(|| unfit(wish))?;
                used.inputs = DigitalInputs(used.inputs.0 | 1 << bit);
            }
            Direction::Output => {
                let bit = lines::digital_output_bit(wish.number).ok_or_else(|| unfit(wish))?;
                used.outputs = DigitalOutputs(used.outputs.0 | 1 << bit);
            }
        }
        let before = wishes.get(..index).unwrap_or_default();
        if let Some(other) = before.iter().find(|other| other.number == wish.number) {
            return Err(conflict(other, wish));
        }
    }
    Ok(used)
}

/// What is enabled, and no more: the number of a disabled function means nothing.
fn wishes(customer: &Customer, leds: &Leds) -> Vec<Wish> {
    let port = customer.port();
    let mut wishes = Vec::new();
    let mut wish = |function: String, number: u32, direction| {
        wishes.push(Wish {
            function,
            number,
            direction,
        });
    };
    if port.emergency_alarm.enable {
        let number = port.emergency_alarm.gpio;
        wish(
            "ports[0]/emergency_alarm/gpio".into(),
            number,
            Direction::Input,
        );
    }
    if port.rcd_monitor.enable {
        let number = port.rcd_monitor.gpio;
        wish("ports[0]/rcd_monitor/gpio".into(), number, Direction::Input);
        // -1 is no self test.
        if let Ok(number) = u32::try_from(port.rcd_monitor.test_gpio) {
            wish(
                "ports[0]/rcd_monitor/test_gpio".into(),
                number,
                Direction::Output,
            );
        }
    }
    if port.user_authentication == UserAuthentication::KeySwitch {
        wish(
            "ports[0]/user_authentication key-switch".into(),
            KEY_SWITCH,
            Direction::Input,
        );
    }
    for (n, led) in leds.leds.iter().enumerate() {
        for (m, number) in led.gpios.iter().enumerate() {
            wish(format!("leds[{n}]/gpios[{m}]"), *number, Direction::Output);
        }
    }
    wishes
}

fn unfit(wish: &Wish) -> Error {
    let name = lines::name_of_legacy_number(wish.number).unwrap_or("no line of the board");
    Error::Configuration(format!(
        "{}: GPIO {} is {name}, {}",
        wish.function,
        wish.number,
        allowed(wish.direction)
    ))
}

fn conflict(first: &Wish, second: &Wish) -> Error {
    Error::Configuration(format!(
        "GPIO {} serves both {} and {}; {}, each for one function",
        second.number,
        first.function,
        second.function,
        allowed(second.direction)
    ))
}

fn allowed(direction: Direction) -> String {
    let (kind, mut numbers) = match direction {
        Direction::Input => ("inputs", lines::digital_input_numbers()),
        Direction::Output => ("outputs", lines::digital_output_numbers()),
    };
    numbers.sort_unstable();
    let numbers = numbers.map(|number| number.to_string()).join(", ");
    format!("the digital {kind} are {numbers}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(port: &str) -> Customer {
        let text = format!(r#"{{"ports":[{{{port}}}]}}"#);
        Customer::parse(&text).unwrap().0
    }

    fn leds(gpios: &str) -> Leds {
        let text = format!(r#"{{"leds":[{{"gpios":{gpios},"behaviors":[]}}]}}"#);
        Leds::parse(&text).unwrap().0
    }

    fn error(port: &str, gpios: &str) -> String {
        assign(&customer(port), &leds(gpios))
            .unwrap_err()
            .to_string()
    }

    const ALL: &str = r#"
        "emergency_alarm":{"enable":true},
        "rcd_monitor":{"enable":true},
        "user_authentication":"key-switch""#;

    // covers: EMG-010, CFG-019
    #[test]
    fn enabled_functions_take_their_lines_and_no_others() {
        let all = assign(&customer(ALL), &leds("[84]")).unwrap();
        assert_eq!(all.inputs, DigitalInputs(0b00_0111));
        assert_eq!(all.outputs, DigitalOutputs(0b00_1001));
        let moved = customer(r#""emergency_alarm":{"enable":true,"gpio":116}"#);
        let moved = assign(&moved, &leds("[85,86,89]")).unwrap();
        assert_eq!(moved.inputs, DigitalInputs(0b01_0000));
        assert_eq!(moved.outputs, DigitalOutputs(0b10_0110));
    }

    // covers: EMG-001, RCD-001, RCD-002
    #[test]
    fn disabled_functions_take_no_line() {
        let none = assign(&customer(""), &Leds { leds: vec![] }).unwrap();
        assert_eq!(none, DigitalLines::default());
        let disabled = customer(
            r#""emergency_alarm":{"enable":false,"gpio":122},
               "rcd_monitor":{"enable":true,"test_gpio":-1}"#,
        );
        let lines = assign(&disabled, &leds("[87]")).unwrap();
        assert_eq!(lines.inputs, DigitalInputs(0b00_0010));
        assert_eq!(lines.outputs, DigitalOutputs(0b00_1000));
    }

    #[test]
    fn two_functions_on_one_line_are_named() {
        let error = error(
            r#""emergency_alarm":{"enable":true,"gpio":122},"rcd_monitor":{"enable":true}"#,
            "[84]",
        );
        assert_eq!(
            error,
            "configuration: GPIO 122 serves both ports[0]/emergency_alarm/gpio and \
             ports[0]/rcd_monitor/gpio; the digital inputs are 116, 119, 121, 122, 123, 124, \
             each for one function"
        );
    }

    #[test]
    fn leds_conflict_with_the_test_line_with_the_key_switch_and_with_each_other() {
        let rcd = r#""rcd_monitor":{"enable":true}"#;
        let on_test_line = error(rcd, "[85,86,87]");
        assert!(
            on_test_line.contains("GPIO 87")
                && on_test_line.contains("test_gpio")
                && on_test_line.contains("leds[0]/gpios[2]")
                && on_test_line.contains("84, 85, 86, 87, 88, 89"),
            "{on_test_line}"
        );
        let twice = error("", "[84,84]");
        assert!(
            twice.contains("leds[0]/gpios[0] and leds[0]/gpios[1]"),
            "{twice}"
        );
        let key_switch = error(
            r#""user_authentication":"key-switch","emergency_alarm":{"enable":true,"gpio":124}"#,
            "[84]",
        );
        assert!(
            key_switch.contains("emergency_alarm") && key_switch.contains("key-switch"),
            "{key_switch}"
        );
    }

    #[test]
    fn lines_of_another_kind_are_refused_with_their_name() {
        let output = error(r#""emergency_alarm":{"enable":true,"gpio":76}"#, "[84]");
        assert_eq!(
            output,
            "configuration: ports[0]/emergency_alarm/gpio: GPIO 76 is RELAY_1_ENABLE, \
             the digital inputs are 116, 119, 121, 122, 123, 124"
        );
        let relay = error("", "[76]");
        assert!(relay.contains("leds[0]/gpios[0]: GPIO 76"), "{relay}");
        let nothing = error(r#""rcd_monitor":{"enable":true,"test_gpio":1}"#, "[84]");
        assert!(nothing.contains("no line of the board"), "{nothing}");
    }
}
