//! rfidd: reads RFID cards and asks for authorization.

fn main() -> std::process::ExitCode {
    daemon_kit::main_with_options("rfidd", rfidd::OPTIONS, rfidd::run)
}
