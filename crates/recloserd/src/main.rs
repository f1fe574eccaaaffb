//! recloserd: watches the recloser and opens or closes it on request.

fn main() -> std::process::ExitCode {
    daemon_kit::main_with_options("recloserd", recloserd::OPTIONS, recloserd::run)
}
