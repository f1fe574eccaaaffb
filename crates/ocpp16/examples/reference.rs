//! Prints `docs/reference/ocpp-support.md`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(ocpp16::reference_page().as_bytes())
}
