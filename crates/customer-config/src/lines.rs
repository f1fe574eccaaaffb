//! The board's digital lines: which numbers they have and that each has one function
//! (guide 7.9.1 table 26, 7.9.2 table 28).

use crate::{ConfigError, Port, UserAuthentication};

/// Linux GPIO numbers of DIG_IN_1 to DIG_IN_6; the third and the fourth are swapped.
pub const DIGITAL_INPUTS: [u32; 6] = [121, 122, 124, 123, 116, 119];
/// Linux GPIO numbers of PUSH_PULL_OUT_1 to PUSH_PULL_OUT_6.
pub const DIGITAL_OUTPUTS: [u32; 6] = [84, 85, 86, 87, 88, 89];

/// Checks the lines of all enabled functions.
pub(crate) fn check(port: &Port) -> Result<(), ConfigError> {
    let rcd = &port.rcd_monitor;
    let trigger = u32::try_from(rcd.test_gpio).ok().filter(|_| rcd.enable);
    let has_key_switch = port.user_authentication == UserAuthentication::KeySwitch;
    let input = |is_used: bool, gpio: u32| is_used.then_some((gpio, DIGITAL_INPUTS, "input"));
    let functions = [
        (
            "ports[0]/emergency_alarm/gpio",
            input(port.emergency_alarm.enable, port.emergency_alarm.gpio),
        ),
        ("ports[0]/rcd_monitor/gpio", input(rcd.enable, rcd.gpio)),
        (
            "ports[0]/rcd_monitor/test_gpio",
            trigger.map(|gpio| (gpio, DIGITAL_OUTPUTS, "output")),
        ),
        (
            "ports[0]/key_switch/gpio",
            input(has_key_switch, port.key_switch.gpio),
        ),
    ];
    let mut taken: Vec<(u32, &str)> = Vec::new();
    for (path, line) in functions {
        let Some((gpio, numbers, kind)) = line else {
            continue;
        };
        let refused = |allowed| ConfigError::WrongValue {
            path: path.to_owned(),
            value: gpio.to_string(),
            allowed,
        };
        if !numbers.contains(&gpio) {
            let numbers = list_lines(numbers);
            return Err(refused(format!("a digital {kind}: {numbers}")));
        }
        if let Some((_, other)) = taken.iter().find(|(number, _)| *number == gpio) {
            return Err(refused(format!("another line than that of {other}")));
        }
        taken.push((gpio, path));
    }
    Ok(())
}

/// The lines with these GPIO numbers as text, for a message.
#[must_use]
pub fn list_lines(mut numbers: [u32; 6]) -> String {
    numbers.sort_unstable();
    numbers.map(|number| number.to_string()).join(", ")
}
