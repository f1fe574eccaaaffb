//! LED1, the green LED on the board (guide 4.1.1). LED2 belongs to the firmware
//! update and LED3 to the kernel's heartbeat.

use std::io;
use std::path::{Path, PathBuf};

use crate::BoardError;

/// The LED's names in the device trees of the board, the newer first.
const NAMES: [&str; 2] = ["green:boot", "evse:green:led1"];

/// LED1: it blinks while the system boots, by the kernel's timer, and is steady
/// while the station is operational.
///
/// A file of sysfs may answer slowly: never write it from the control thread.
#[derive(Debug)]
pub struct Indicator {
    trigger: PathBuf,
}

impl Indicator {
    /// The LED below `sys`, `/sys` on the board.
    ///
    /// # Errors
    /// When no LED has one of the names; a station works without.
    pub fn find(sys: &Path) -> Result<Self, BoardError> {
        let leds = sys.join("class/leds");
        NAMES
            .iter()
            .map(|name| leds.join(name).join("trigger"))
            .find(|trigger| trigger.exists())
            .map(|trigger| Self { trigger })
            .ok_or_else(|| {
                BoardError::new(
                    format!("find LED {} in {}", NAMES.join(" or "), leds.display()),
                    io::ErrorKind::NotFound.into(),
                )
            })
    }

    /// Steady when operational, else blinking as at boot.
    ///
    /// # Errors
    /// When the kernel doesn't take it.
    pub fn show(&self, operational: bool) -> Result<(), BoardError> {
        let trigger = if operational { "default-on" } else { "timer" };
        std::fs::write(&self.trigger, trigger).map_err(|source| {
            BoardError::new(
                format!("write {trigger} to {}", self.trigger.display()),
                source,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    // covers: LED-001
    #[test]
    fn led_is_steady_while_operational_and_blinks_else() {
        for name in NAMES {
            let sys = tempfile::tempdir().unwrap();
            let led = sys.path().join("class/leds").join(name);
            fs::create_dir_all(&led).unwrap();
            fs::write(led.join("trigger"), "none [timer] default-on").unwrap();
            let indicator = Indicator::find(sys.path()).unwrap();
            indicator.show(true).unwrap();
            let trigger = || fs::read_to_string(led.join("trigger")).unwrap();
            assert_eq!(trigger(), "default-on");
            indicator.show(false).unwrap();
            assert_eq!(trigger(), "timer");
        }
    }

    #[test]
    fn missing_led_and_refused_write_name_the_place() {
        let sys = tempfile::tempdir().unwrap();
        let error = Indicator::find(sys.path()).unwrap_err().to_string();
        assert!(
            error.contains("green:boot") && error.contains("class/leds"),
            "{error}"
        );
        // A directory in the file's place refuses every write.
        fs::create_dir_all(sys.path().join("class/leds/green:boot/trigger")).unwrap();
        let indicator = Indicator::find(sys.path()).unwrap();
        let error = indicator.show(true).unwrap_err().to_string();
        assert!(error.contains("trigger"), "{error}");
    }
}
