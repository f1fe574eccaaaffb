//! Prints `docs/reference/meters.md`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(meteringd::reference_page().as_bytes())
}
