//! Prints `docs/reference/topics.md`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(topic_map::reference_page().as_bytes())
}
