//! ocppd: connects the station to a central system over OCPP 1.6J.

fn main() -> std::process::ExitCode {
    daemon_kit::main_with_options("ocppd", ocppd::OPTIONS, ocppd::run)
}
