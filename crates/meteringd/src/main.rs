//! meteringd: reads the electricity meter over EIA-485 and publishes its values.

fn main() -> std::process::ExitCode {
    daemon_kit::main_with_options("meteringd", meteringd::OPTIONS, meteringd::run)
}
