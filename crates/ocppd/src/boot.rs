//! Which start of which system this is.

use std::fs;
use std::path::Path;

use ocpp16::Boot;

/// Reads both from the kernel; what can't be read is empty.
pub(crate) fn read(proc: &Path) -> Boot {
    let text = |name: &str| fs::read_to_string(proc.join(name)).unwrap_or_default();
    Boot {
        id: text("sys/kernel/random/boot_id").trim().to_owned(),
        system: system(&text("cmdline")).to_owned(),
    }
}

/// What the boot loader told the kernel: RAUC's name of the slot, or else the root device.
fn system(command_line: &str) -> &str {
    let argument = |name: &str| {
        command_line
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
    };
    argument("rauc.slot=")
        .or_else(|| argument("root="))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_counts_before_the_root_device() {
        for (command_line, expected) in [
            ("console=ttymxc3 root=PARTUUID=1-02 rauc.slot=B rw\n", "B"),
            ("console=ttymxc3 root=/dev/mmcblk0p2 rw\n", "/dev/mmcblk0p2"),
            ("quiet", ""),
        ] {
            assert_eq!(system(command_line), expected);
        }
    }

    #[test]
    fn a_laptop_has_a_boot_id() {
        let (one, other) = (read(Path::new("/proc")), read(Path::new("/nowhere")));
        assert_eq!(one.id.len(), 36, "{one:?}");
        assert_eq!(other, Boot::default());
    }
}
