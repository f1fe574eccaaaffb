//! A serial line: a pseudo terminal whose far end the simulation holds.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// The far end of a new line, its raw near end, and the near end's name.
pub(crate) fn open_line() -> io::Result<(File, File, PathBuf)> {
    // Closed on exec: a daemon started by a test must not keep the line open.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let path = PathBuf::from(ptsname_r(&master)?);
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(&path)?;
    let mut settings = tcgetattr(&terminal)?;
    cfmakeraw(&mut settings);
    tcsetattr(&terminal, SetArg::TCSANOW, &settings)?;
    Ok((File::from(OwnedFd::from(master)), terminal, path))
}
