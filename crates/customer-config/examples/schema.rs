//! Prints `docs/reference/customer.schema.json`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(customer_config::json_schema().as_bytes())
}
