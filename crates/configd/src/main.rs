//! configd: writes customer.json for all others.

fn main() -> std::process::ExitCode {
    daemon_kit::main("configd", configd::run)
}
