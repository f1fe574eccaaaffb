//! One PWM channel in sysfs: found by device address, every write read back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::BoardError;
use crate::driver::hold;

/// After an export udev hands the channel's files to our group; until then they
/// can't be written.
const EXPORT_DEADLINE: Duration = Duration::from_secs(1);
const EXPORT_POLL: Duration = Duration::from_millis(5);

/// An exported channel.
pub(super) struct Channel {
    dir: PathBuf,
}

impl Channel {
    /// Find the chip whose device is `address`, e.g. `20fc000.pwm`, and export
    /// its channel unless that was done before.
    pub(super) fn open(sys: &Path, address: &str, channel: u32) -> Result<Self, BoardError> {
        let chip = find_chip(&sys.join("class/pwm"), address)?;
        let dir = chip.join(format!("pwm{channel}"));
        if !dir.is_dir() {
            write_file(&chip.join("export"), &channel.to_string())?;
        }
        wait_until_writable(&dir.join("duty_cycle"))?;
        Ok(Self { dir })
    }

    /// Stop the output and set period and active time in ns; it stays stopped.
    pub(super) fn prepare(&self, period_ns: u32, duty_ns: u32) -> Result<(), BoardError> {
        self.enable(false)?;
        // The kernel refuses a period shorter than the active time.
        if self.read("duty_cycle")? > period_ns {
            self.write("duty_cycle", 0)?;
        }
        self.write("period", period_ns)?;
        self.write("duty_cycle", duty_ns)
    }

    pub(super) fn set_duty(&self, duty_ns: u32) -> Result<(), BoardError> {
        self.write("duty_cycle", duty_ns)
    }

    pub(super) fn enable(&self, enabled: bool) -> Result<(), BoardError> {
        if self.read("enable")? == u32::from(enabled) {
            return Ok(());
        }
        self.write("enable", u32::from(enabled))
    }

    fn write(&self, file: &str, value: u32) -> Result<(), BoardError> {
        write_file(&self.dir.join(file), &value.to_string())?;
        let read_back = self.read(file)?;
        if read_back == value {
            return Ok(());
        }
        let source = io::Error::other(format!("wrote {value}, read back {read_back}"));
        Err(BoardError::new(
            format!("write {}", self.dir.join(file).display()),
            source,
        ))
    }

    fn read(&self, file: &str) -> Result<u32, BoardError> {
        let path = self.dir.join(file);
        let failed = |source| BoardError::new(format!("read {}", path.display()), source);
        let text = fs::read_to_string(&path).map_err(failed)?;
        text.trim().parse().map_err(|_| {
            failed(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("not a number: {:?}", text.trim()),
            ))
        })
    }
}

fn find_chip(class: &Path, address: &str) -> Result<PathBuf, BoardError> {
    let failed =
        |source| BoardError::new(format!("find PWM {address} in {}", class.display()), source);
    for entry in fs::read_dir(class).map_err(failed)? {
        let chip = entry.map_err(failed)?.path();
        let device = fs::canonicalize(chip.join("device"));
        if device.is_ok_and(|device| device.file_name().is_some_and(|name| name == address)) {
            return Ok(chip);
        }
    }
    Err(failed(io::Error::new(
        io::ErrorKind::NotFound,
        "no chip has this device",
    )))
}

fn wait_until_writable(file: &Path) -> Result<(), BoardError> {
    let start = Instant::now();
    loop {
        match fs::OpenOptions::new().write(true).open(file) {
            Ok(_) => return Ok(()),
            Err(_) if start.elapsed() < EXPORT_DEADLINE => hold(EXPORT_POLL),
            Err(source) => return Err(BoardError::new(format!("open {}", file.display()), source)),
        }
    }
}

fn write_file(path: &Path, value: &str) -> Result<(), BoardError> {
    // Never created: a file that isn't there is an error, not a new file.
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)?;
        io::Write::write_all(&mut file, value.as_bytes())
    };
    write()
        .map_err(|source| BoardError::new(format!("write {value} to {}", path.display()), source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs with two chips; the wanted one isn't the first.
    fn fake_sys() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (chip, address) in [("pwmchip0", "2084000.pwm"), ("pwmchip4", "20fc000.pwm")] {
            let device = root.path().join("devices/soc").join(address);
            let class = root.path().join("class/pwm").join(chip);
            fs::create_dir_all(&device).unwrap();
            fs::create_dir_all(class.join("pwm0")).unwrap();
            symlink(&device, class.join("device")).unwrap();
            for (file, content) in [("period", "0\n"), ("duty_cycle", "0\n"), ("enable", "1\n")] {
                fs::write(class.join("pwm0").join(file), content).unwrap();
            }
        }
        root
    }

    fn content(root: &tempfile::TempDir, file: &str) -> String {
        fs::read_to_string(root.path().join("class/pwm/pwmchip4/pwm0").join(file)).unwrap()
    }

    #[test]
    fn chip_is_found_by_its_device() {
        let root = fake_sys();
        let channel = Channel::open(root.path(), "20fc000.pwm", 0).unwrap();
        channel.prepare(1_000_000, 1_000_000).unwrap();
        assert_eq!(content(&root, "period"), "1000000");
        assert_eq!(content(&root, "duty_cycle"), "1000000");
        assert_eq!(content(&root, "enable"), "0");
        channel.set_duty(266_700).unwrap();
        channel.enable(true).unwrap();
        assert_eq!(content(&root, "duty_cycle"), "266700");
        assert_eq!(content(&root, "enable"), "1");
    }

    #[test]
    fn missing_device_is_named() {
        let root = fake_sys();
        let error = Channel::open(root.path(), "20f8000.pwm", 0)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("20f8000.pwm"), "{error}");
    }

    #[test]
    fn long_active_time_gives_way_to_a_shorter_period() {
        let root = fake_sys();
        fs::write(
            root.path().join("class/pwm/pwmchip4/pwm0/duty_cycle"),
            "2000000",
        )
        .unwrap();
        let channel = Channel::open(root.path(), "20fc000.pwm", 0).unwrap();
        channel.prepare(1_000_000, 500_000).unwrap();
        assert_eq!(content(&root, "duty_cycle"), "500000");
    }

    #[test]
    fn unreadable_value_and_missing_file_are_named() {
        let root = fake_sys();
        let channel = Channel::open(root.path(), "20fc000.pwm", 0).unwrap();
        fs::write(root.path().join("class/pwm/pwmchip4/pwm0/enable"), "maybe").unwrap();
        let error = channel.enable(true).unwrap_err().to_string();
        assert!(
            error.contains("pwmchip4/pwm0/enable") && error.contains("maybe"),
            "{error}"
        );
        fs::remove_file(root.path().join("class/pwm/pwmchip4/pwm0/duty_cycle")).unwrap();
        assert!(
            channel
                .set_duty(1)
                .unwrap_err()
                .to_string()
                .contains("duty_cycle")
        );
    }

    #[test]
    fn value_that_was_not_taken_is_an_error() {
        let root = fake_sys();
        let channel = Channel::open(root.path(), "20fc000.pwm", 0).unwrap();
        // A file that swallows every write.
        let file = root.path().join("class/pwm/pwmchip4/pwm0/duty_cycle");
        fs::remove_file(&file).unwrap();
        symlink("/dev/null", &file).unwrap();
        assert!(channel.set_duty(1).is_err());
    }
}
