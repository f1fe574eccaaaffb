//! Which function has which digital line: the GPIO numbers of customer.json.

use daemon_kit::Error;
use evse_core::{DigitalInput, DigitalOutput};

/// The lines given away so far; two functions can't share one.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    taken: Vec<(u32, &'static str)>,
}

impl Lines {
    /// The input with the Linux GPIO number `gpio` for the function of the key `path`.
    ///
    /// # Errors
    /// When the number is no digital input, or another function has it.
    pub(crate) fn input(
        &mut self,
        path: &'static str,
        gpio: u32,
        active_high: bool,
    ) -> Result<DigitalInput, Error> {
        self.take(path, gpio)?;
        board::lines::digital_input_bit(gpio)
            .and_then(|bit| DigitalInput::new(bit + 1, active_high))
            .ok_or_else(|| unsuitable(path, gpio, "digital input: 116, 119, 121 to 124"))
    }

    /// The output with the Linux GPIO number `gpio` for the function of the key `path`.
    ///
    /// # Errors
    /// When the number is no digital output, or another function has it.
    pub(crate) fn output(
        &mut self,
        path: &'static str,
        gpio: u32,
        active_high: bool,
    ) -> Result<DigitalOutput, Error> {
        self.take(path, gpio)?;
        board::lines::digital_output_bit(gpio)
            .and_then(|bit| DigitalOutput::new(bit + 1, active_high))
            .ok_or_else(|| unsuitable(path, gpio, "digital output: 84 to 89"))
    }

    fn take(&mut self, path: &'static str, gpio: u32) -> Result<(), Error> {
        if let Some((_, other)) = self.taken.iter().find(|(taken, _)| *taken == gpio) {
            return Err(Error::Configuration(format!(
                "{path} and {other} both name GPIO {gpio}: a line has one function"
            )));
        }
        self.taken.push((gpio, path));
        Ok(())
    }
}

fn unsuitable(path: &str, gpio: u32, expected: &str) -> Error {
    Error::Configuration(format!("{path} {gpio} is no {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMERGENCY: &str = "ports[0]/emergency_alarm/gpio";
    const RCD: &str = "ports[0]/rcd_monitor/gpio";

    // covers: EMG-002, EMG-010
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
    }

    #[test]
    fn a_number_that_is_no_digital_line_is_an_error_that_names_it() {
        for gpio in [0, 84, 13, 4_000] {
            let error = Lines::default().input(RCD, gpio, true).unwrap_err();
            assert!(error.to_string().contains(&format!("{RCD} {gpio}")));
        }
        assert!(Lines::default().output(RCD, 121, true).is_err());
    }
}
