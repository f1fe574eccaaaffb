//! Measures the station against its budgets and writes docs/reference/performance.md.
#![allow(clippy::print_stdout, reason = "a benchmark tells what it does")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use hil_tests::measure::{Machine, Plan, end_children, measure, page};

const PAGE: &str = "docs/reference/performance.md";

const HELP: &str = "Usage: ./dev bench [--quick]

Measures the station and writes docs/reference/performance.md, in about nine minutes.
  --quick   few repetitions, about a minute; the page goes to the terminal only";

fn main() -> ExitCode {
    let mut quick = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            _ => {
                println!("{HELP}");
                return ExitCode::from(if argument == "--help" { 0 } else { 2 });
            }
        }
    }
    leave_no_process_behind();
    // Before the run, which loads the machine itself.
    let machine = Machine::look();
    let start = Instant::now();
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    let report = measure(plan, |what| {
        println!("{:6.1} s  {what}", start.elapsed().as_secs_f64());
    });
    for last_words in &report.departures.interruptions {
        println!("Relay 1 opened although the EV stayed:\n{last_words}");
    }
    let page = page(&report, &machine);
    println!("\n{page}");
    if quick {
        return ExitCode::SUCCESS;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PAGE);
    match std::fs::write(path, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{PAGE} can't be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The release profile aborts on a panic, and nothing is dropped then.
fn leave_no_process_behind() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        end_children();
    }));
}
