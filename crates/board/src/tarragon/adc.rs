//! The ADC in the kernel's IIO directory: found by name, files kept open.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use evse_core::SensorFault;

use super::converter::{Channels, Converter};
use crate::BoardError;
use crate::conversion::AdcRaw;
use crate::electrics::AdcCounts;

/// Content of the device's `name` file; the accelerometer is an IIO device too.
const DEVICE_NAME: &str = "2198000.adc";

/// The five channels in use, read in a thread of their own.
pub(super) struct Adc {
    converter: Converter<AdcCounts>,
}

/// The channels' files.
struct Files {
    lock_sense: File,
    pilot_positive: File,
    pilot_negative: File,
    lock_capacitor: File,
    proximity: File,
}

impl Adc {
    pub(super) fn open(sys: &Path) -> Result<Self, BoardError> {
        let device = find_device(&sys.join("bus/iio/devices"))?;
        let channel = |number: u8| {
            let path = device.join(format!("in_voltage{number}_raw"));
            File::open(&path)
                .map_err(|source| BoardError::new(format!("open {}", path.display()), source))
        };
        let files = Files {
            lock_sense: channel(0)?,
            pilot_positive: channel(2)?,
            pilot_negative: channel(3)?,
            lock_capacitor: channel(4)?,
            proximity: channel(5)?,
        };
        Ok(Self {
            converter: Converter::start(move |channels| files.convert(channels))?,
        })
    }

    /// All channels; all have failed when the ADC doesn't answer in time.
    pub(super) fn counts(&mut self) -> AdcCounts {
        self.converter
            .convert(Channels::All)
            .unwrap_or(AdcCounts::FAILED)
    }

    /// As [`Self::counts`], but none except the pilot's two channels is converted.
    pub(super) fn pilot_counts(&mut self) -> AdcCounts {
        self.converter
            .convert(Channels::Pilot)
            .unwrap_or(AdcCounts::FAILED)
    }
}

impl Files {
    /// Each read starts a conversion and waits for it.
    fn convert(&self, channels: Channels) -> AdcCounts {
        let pilot = AdcCounts {
            pilot_positive: convert(&self.pilot_positive),
            pilot_negative: convert(&self.pilot_negative),
            ..AdcCounts::FAILED
        };
        match channels {
            Channels::Pilot => pilot,
            Channels::All => AdcCounts {
                proximity: convert(&self.proximity),
                lock_sense: convert(&self.lock_sense),
                lock_capacitor: convert(&self.lock_capacitor),
                ..pilot
            },
        }
    }
}

fn convert(file: &File) -> Result<AdcRaw, SensorFault> {
    let mut text = [0; 16];
    let length = file.read_at(&mut text, 0).map_err(|_| SensorFault)?;
    parse(text.get(..length).unwrap_or_default()).ok_or(SensorFault)
}

fn parse(text: &[u8]) -> Option<AdcRaw> {
    AdcRaw::new(std::str::from_utf8(text).ok()?.trim().parse().ok()?)
}

fn find_device(devices: &Path) -> Result<PathBuf, BoardError> {
    let failed = |source| {
        BoardError::new(
            format!("find IIO device {DEVICE_NAME} in {}", devices.display()),
            source,
        )
    };
    for entry in fs::read_dir(devices).map_err(failed)? {
        let device = entry.map_err(failed)?.path();
        if fs::read_to_string(device.join("name")).is_ok_and(|name| name.trim() == DEVICE_NAME) {
            return Ok(device);
        }
    }
    Err(failed(io::Error::new(
        io::ErrorKind::NotFound,
        "no device has this name",
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake_sys() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join("bus/iio/devices");
        for (device, name) in [
            ("iio:device0", "iis328dq\n"),
            ("iio:device1", "2198000.adc\n"),
        ] {
            fs::create_dir_all(devices.join(device)).unwrap();
            fs::write(devices.join(device).join("name"), name).unwrap();
        }
        for channel in 0..6 {
            let file = format!("iio:device1/in_voltage{channel}_raw");
            fs::write(devices.join(file), format!("{}\n", 100 + channel)).unwrap();
        }
        root
    }

    // covers: PL-007
    #[test]
    fn each_signal_has_its_channel() {
        let root = fake_sys();
        let counts = Adc::open(root.path()).unwrap().counts();
        let raw = |value| AdcRaw::new(value).ok_or(SensorFault);
        let expected = AdcCounts {
            lock_sense: raw(100),
            pilot_positive: raw(102),
            pilot_negative: raw(103),
            lock_capacitor: raw(104),
            proximity: raw(105),
        };
        assert_eq!(counts, expected);
        let pilot = Adc::open(root.path()).unwrap().pilot_counts();
        let expected = AdcCounts {
            pilot_positive: raw(102),
            pilot_negative: raw(103),
            ..AdcCounts::FAILED
        };
        assert_eq!(pilot, expected);
    }

    #[test]
    fn open_file_is_read_anew_and_nonsense_is_a_fault() {
        let root = fake_sys();
        let mut adc = Adc::open(root.path()).unwrap();
        let file = root
            .path()
            .join("bus/iio/devices/iio:device1/in_voltage5_raw");
        fs::write(&file, "4095\n").unwrap();
        assert_eq!(adc.counts().proximity, Ok(AdcRaw::MAX));
        for nonsense in ["4096\n", "", "-1\n", "x"] {
            fs::write(&file, nonsense).unwrap();
            assert_eq!(adc.counts().proximity, Err(SensorFault), "{nonsense:?}");
        }
    }

    #[test]
    fn missing_device_and_channel_are_named() {
        let root = fake_sys();
        let device = root.path().join("bus/iio/devices/iio:device1");
        fs::remove_file(device.join("in_voltage2_raw")).unwrap();
        let error = Adc::open(root.path()).err().unwrap().to_string();
        assert!(error.contains("in_voltage2_raw"), "{error}");
        fs::write(device.join("name"), "other").unwrap();
        let error = Adc::open(root.path()).err().unwrap().to_string();
        assert!(error.contains("2198000.adc"), "{error}");
    }
}
