//! How much flash the daemons take.

use std::path::Path;
use std::process::Command;

use super::{DAEMONS, target};
use crate::binary;

/// Stripped sizes in bytes, in the order of [`DAEMONS`].
#[derive(Clone, Debug)]
pub struct Sizes {
    /// For the machine that measures.
    pub host: Vec<u64>,
    /// For armv7, when they were built.
    pub armv7: Option<Vec<u64>>,
}

/// Strip the host's binaries into `scratch`, and look for those of `just cross`.
pub fn sizes(scratch: &Path) -> Sizes {
    let cross = target().join("armv7-unknown-linux-gnueabihf/release");
    Sizes {
        host: DAEMONS
            .map(|daemon| stripped(&binary(daemon), &scratch.join(daemon)))
            .into(),
        armv7: DAEMONS
            .iter()
            .map(|daemon| {
                Some(
                    cross
                        .join(format!("{daemon}.stripped"))
                        .metadata()
                        .ok()?
                        .len(),
                )
            })
            .collect(),
    }
}

fn stripped(binary: &Path, copy: &Path) -> u64 {
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(copy).arg(binary);
    let status = strip
        .status()
        .unwrap_or_else(|error| panic!("strip: {error}"));
    assert!(status.success(), "{} can't be stripped", binary.display());
    copy.metadata().expect("the stripped copy").len()
}
