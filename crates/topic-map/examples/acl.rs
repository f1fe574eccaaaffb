//! Prints `config/mosquitto.acl`; part of `just docs`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(topic_map::broker_acl(&[]).as_bytes())
}
