//! The real board: GPIO lines by name, PWM and ADC by device address.
//!
//! Nothing is addressed by number: chip numbers differ between kernels.

mod adc;
mod converter;
mod pwm;

#[cfg(feature = "gpio-cdev")]
#[cfg_attr(
    feature = "gpiocdev",
    allow(dead_code, reason = "the default backend wins when both are compiled")
)]
mod gpio_v1;
#[cfg(feature = "gpiocdev")]
mod gpio_v2;
mod line_map;

#[cfg(all(feature = "gpio-cdev", not(feature = "gpiocdev")))]
use gpio_v1::Gpio;
#[cfg(feature = "gpiocdev")]
use gpio_v2::Gpio;

#[cfg(not(any(feature = "gpiocdev", feature = "gpio-cdev")))]
compile_error!("the board needs a GPIO backend: feature gpiocdev (default) or gpio-cdev");

use std::io;
use std::path::PathBuf;

use evse_core::{Millivolts, SensorFault};

use crate::BoardError;
use crate::conversion::{self, AdcRaw, PILOT_PERIOD_NS, THRESHOLD_PERIOD_NS};
use crate::electrics::{AdcCounts, Electrics};
use crate::lines::{DigitalLines, InputLevels, OutputLevels};

/// Device address of the control pilot's generator (pwm8).
const PILOT_PWM: &str = "20fc000.pwm";
/// Device address of the digital inputs' reference voltage (pwm2).
const THRESHOLD_PWM: &str = "2084000.pwm";

/// Where the kernel's files are and what the board is told at start.
#[derive(Clone, Debug)]
pub struct TarragonConfig {
    /// Directory of the GPIO chips, `/dev`.
    pub dev: PathBuf,
    /// Directory of PWM and IIO, `/sys`.
    pub sys: PathBuf,
    /// Threshold of all digital inputs, 0 to 12 V, default 6 V (guide 7.9.1,
    /// customer.json `io/digital_input_threshold_voltage`).
    pub digital_input_threshold: Millivolts,
    /// The digital inputs and outputs that are taken; default none.
    pub digital: DigitalLines,
}

impl Default for TarragonConfig {
    fn default() -> Self {
        Self {
            dev: PathBuf::from("/dev"),
            sys: PathBuf::from("/sys"),
            digital_input_threshold: Millivolts(6000),
            digital: DigitalLines::default(),
        }
    }
}

/// The kernel's files of the board, kept open.
pub struct Tarragon {
    gpio: Gpio,
    pilot: pwm::Channel,
    adc: adc::Adc,
}

impl Tarragon {
    /// Take all lines, with relays open, lock motor free and pilot released, and
    /// set the digital inputs' threshold.
    ///
    /// # Errors
    /// Names the line, chip or file that is missing, taken, or refuses a value.
    pub fn open(config: &TarragonConfig) -> Result<Self, BoardError> {
        let gpio = Gpio::open(&config.dev, config.digital)?;
        let pilot = pwm::Channel::open(&config.sys, PILOT_PWM, 0)?;
        pilot.prepare(PILOT_PERIOD_NS, PILOT_PERIOD_NS)?;
        set_input_threshold(config)?;
        Ok(Self {
            gpio,
            pilot,
            adc: adc::Adc::open(&config.sys)?,
        })
    }
}

fn set_input_threshold(config: &TarragonConfig) -> Result<(), BoardError> {
    let millivolts = config.digital_input_threshold;
    let Some(duty_ns) = conversion::threshold_ns(millivolts) else {
        let range = io::Error::new(io::ErrorKind::InvalidInput, "allowed are 0 to 12000 mV");
        return Err(BoardError::new(
            format!("digital input threshold of {} mV", millivolts.0),
            range,
        ));
    };
    let channel = pwm::Channel::open(&config.sys, THRESHOLD_PWM, 0)?;
    channel.prepare(THRESHOLD_PERIOD_NS, duty_ns)?;
    channel.enable(true)
}

impl Electrics for Tarragon {
    fn set_lines(&mut self, levels: OutputLevels) -> Result<(), BoardError> {
        self.gpio.set(levels)
    }

    fn set_pilot_pwm(&mut self, duty_ns: u32, enabled: bool) -> Result<(), BoardError> {
        self.pilot.set_duty(duty_ns)?;
        self.pilot.enable(enabled)
    }

    fn input_levels(&mut self) -> Result<InputLevels, BoardError> {
        self.gpio.levels()
    }

    fn adc_counts(&mut self) -> AdcCounts {
        self.adc.counts()
    }

    fn pilot_counts(&mut self) -> [Result<AdcRaw, SensorFault>; 2] {
        let AdcCounts {
            pilot_positive,
            pilot_negative,
            ..
        } = self.adc.pilot_counts();
        [pilot_positive, pilot_negative]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn config(dir: &tempfile::TempDir, millivolts: i32) -> TarragonConfig {
        TarragonConfig {
            dev: dir.path().join("dev"),
            sys: dir.path().join("sys"),
            digital_input_threshold: Millivolts(millivolts),
            digital: DigitalLines::ALL,
        }
    }

    #[test]
    fn board_without_lines_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("dev")).unwrap();
        let error = Tarragon::open(&config(&dir, 6000))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("RELAY_1_SENSE") && error.contains("dev"),
            "{error}"
        );
    }

    // covers: CFG-014
    #[test]
    fn threshold_is_written_to_the_reference_generator() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("sys/devices/2084000.pwm");
        let chip = dir.path().join("sys/class/pwm/pwmchip3");
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(chip.join("pwm0")).unwrap();
        symlink(device, chip.join("device")).unwrap();
        for file in ["period", "duty_cycle", "enable"] {
            fs::write(chip.join("pwm0").join(file), "0\n").unwrap();
        }
        set_input_threshold(&config(&dir, 6000)).unwrap();
        let content = |file| fs::read_to_string(chip.join("pwm0").join(file)).unwrap();
        assert_eq!(content("period"), "40000");
        assert_eq!(content("duty_cycle"), "20000");
        assert_eq!(content("enable"), "1");
    }

    // covers: CFG-015
    #[test]
    fn threshold_out_of_range_names_value_and_range() {
        let dir = tempfile::tempdir().unwrap();
        for millivolts in [-1, 12_001] {
            let error = set_input_threshold(&config(&dir, millivolts))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&millivolts.to_string()) && error.contains("12000"),
                "{error}"
            );
        }
    }
}
