//! Prints `docs/reference/customer-json.md`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(customer_config::reference_page().as_bytes())
}
