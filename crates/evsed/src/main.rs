//! evsed: supervises the charging session and owns everything that moves a relay,
//! a lock or a pilot.
fn main() -> std::process::ExitCode {
    daemon_kit::main_with_options("evsed", evsed::OPTIONS, evsed::run)
}
