//! Measures the station against its budgets and writes docs/reference/performance.md.
#![allow(clippy::print_stdout, reason = "a benchmark tells what it does")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use hil_tests::measure::{Machine, Plan, end_children, measure, page};

const PAGE: &str = "docs/reference/performance.md";

const HELP: &str = "Usage: ./dev bench [--quick] [--repetitions N]

Measures the station and writes docs/reference/performance.md, in about fifteen minutes.
  --quick          few repetitions, about two minutes; the page goes to the terminal only
  --repetitions N  how often each reaction is measured under load (1000)";

fn main() -> ExitCode {
    let Some((plan, quick)) = plan(std::env::args().skip(1)) else {
        println!("{HELP}");
        let asked = std::env::args().any(|argument| argument == "--help");
        return ExitCode::from(if asked { 0 } else { 2 });
    };
    leave_no_process_behind();
    // Before the run, which loads the machine itself.
    let machine = Machine::look();
    let start = Instant::now();
    let report = measure(plan, |what| {
        println!("{:6.1} s  {what}", start.elapsed().as_secs_f64());
    });
    let switching = [&report.switching, &report.loaded_switching];
    for last_words in switching.iter().flat_map(|all| &all.interruptions) {
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

/// What the arguments ask for, and whether it is only a try.
fn plan(mut arguments: impl Iterator<Item = String>) -> Option<(Plan, bool)> {
    let (mut quick, mut repetitions) = (false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--repetitions" => {
                let number = arguments.next()?.parse().ok()?;
                repetitions = Some(number).filter(|number| *number > 0);
                repetitions?;
            }
            _ => return None,
        }
    }
    let mut plan = if quick { Plan::QUICK } else { Plan::FULL };
    plan.loaded = repetitions.unwrap_or(plan.loaded);
    Some((plan, quick))
}

/// The release profile aborts on a panic, and nothing is dropped then.
fn leave_no_process_behind() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        end_children();
    }));
}
