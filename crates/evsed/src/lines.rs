//! Which function has which digital line: the GPIO numbers of customer.json and
//! leds.json. A line serves one function or the customer (guide 7.9).

use board::lines::DigitalLines;
use customer_config::{DIGITAL_INPUTS, DIGITAL_OUTPUTS, list_lines};
use daemon_kit::Error;
use evse_core::{DigitalInput, DigitalInputs, DigitalOutput, DigitalOutputs};

/// The lines given away so far; two functions can't share one.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    taken: Vec<(u32, String)>,
    used: DigitalLines,
}

impl Lines {
    /// The input with the Linux GPIO number `gpio` for the function of the key `path`.
    ///
    /// # Errors
    /// When the number is no digital input, or another function has it.
    pub(crate) fn input(
        &mut self,
        path: &str,
        gpio: u32,
        active_high: bool,
    ) -> Result<DigitalInput, Error> {
        let unsuitable = || unsuitable(path, gpio, "input", DIGITAL_INPUTS);
        let bit = bit(gpio, DIGITAL_INPUTS).ok_or_else(unsuitable)?;
        self.take(path, gpio)?;
        self.used.inputs = DigitalInputs(self.used.inputs.0 | 1 << bit);
        DigitalInput::new(bit + 1, active_high).ok_or_else(unsuitable)
    }

    /// The output with the Linux GPIO number `gpio` for the function of the key `path`.
    ///
    /// # Errors
    /// When the number is no digital output, or another function has it.
    pub(crate) fn output(
        &mut self,
        path: &str,
        gpio: u32,
        active_high: bool,
    ) -> Result<DigitalOutput, Error> {
        let unsuitable = || unsuitable(path, gpio, "output", DIGITAL_OUTPUTS);
        let bit = bit(gpio, DIGITAL_OUTPUTS).ok_or_else(unsuitable)?;
        self.take(path, gpio)?;
        self.used.outputs = DigitalOutputs(self.used.outputs.0 | 1 << bit);
        DigitalOutput::new(bit + 1, active_high).ok_or_else(unsuitable)
    }

    /// All that were given away; the others are the customer's.
    pub(crate) const fn used(&self) -> DigitalLines {
        self.used
    }

    fn take(&mut self, path: &str, gpio: u32) -> Result<(), Error> {
        if let Some((_, other)) = self.taken.iter().find(|(taken, _)| *taken == gpio) {
            return Err(Error::Configuration(format!(
                "{other} and {path} both name GPIO {gpio}: a line has one function; \
                 inputs are {}, outputs {}",
                list_lines(DIGITAL_INPUTS),
                list_lines(DIGITAL_OUTPUTS)
            )));
        }
        self.taken.push((gpio, path.to_owned()));
        Ok(())
    }
}

/// The place of `gpio` among the numbers of lines 1 to 6.
fn bit(gpio: u32, numbers: [u32; 6]) -> Option<u8> {
    (0..)
        .zip(numbers)
        .find_map(|(bit, number)| (number == gpio).then_some(bit))
}

fn unsuitable(path: &str, gpio: u32, kind: &str, allowed: [u32; 6]) -> Error {
    let allowed = list_lines(allowed);
    Error::Configuration(format!(
        "{path} {gpio} is no digital {kind}; they are {allowed}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMERGENCY: &str = "ports[0]/emergency_alarm/gpio";
    const RCD: &str = "ports[0]/rcd_monitor/gpio";

    // covers: EMG-002
    #[test]
    fn a_line_is_found_by_its_gpio_number() {
        let mut lines = Lines::default();
        let input = lines.input(EMERGENCY, 121, true).unwrap();
        assert_eq!(Some(input), DigitalInput::new(1, true));
        // DIGITAL_IN_3 and 4 are swapped.
        let input = lines.input(RCD, 124, false).unwrap();
        assert_eq!(Some(input), DigitalInput::new(3, false));
        let output = lines.output("trigger", 87, true).unwrap();
        assert_eq!(Some(output), DigitalOutput::new(4, true));
    }

    #[test]
    fn a_line_with_two_functions_is_an_error_that_names_both() {
        let mut lines = Lines::default();
        lines.input(EMERGENCY, 121, true).unwrap();
        let error = lines.input(RCD, 121, true).unwrap_err().to_string();
        assert!(error.contains(EMERGENCY) && error.contains(RCD), "{error}");
        assert!(
            error.contains("116, 119, 121, 122, 123, 124")
                && error.contains("84, 85, 86, 87, 88, 89"),
            "{error}"
        );
        lines.input(RCD, 122, true).unwrap();
        assert_eq!(lines.used().inputs, DigitalInputs(0b11));
    }

    #[test]
    fn a_number_that_is_no_digital_line_is_an_error_that_names_it() {
        for gpio in [0, 84, 13, 4_000] {
            let error = Lines::default().input(RCD, gpio, true).unwrap_err();
            assert!(error.to_string().contains(&format!("{RCD} {gpio}")));
        }
        let error = Lines::default().output("leds[0]/gpios[0]", 76, true);
        assert_eq!(
            error.unwrap_err().to_string(),
            "configuration: leds[0]/gpios[0] 76 is no digital output; \
             they are 84, 85, 86, 87, 88, 89"
        );
    }
}
