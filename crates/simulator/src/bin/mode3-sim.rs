//! mode3-sim: the simulated bench as a process, and the tool that plays with it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for people at a terminal"
)]

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;
use simulator::broker::Broker;
use simulator::{Station, control, ctl};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
usage: mode3-sim --board-socket PATH [--control-socket PATH] [--broker PORT] [--energy-factor N]
       mode3-sim ctl --socket PATH WORDS...

  --board-socket PATH    the board's terminals, for evsed --board unix:PATH
  --control-socket PATH  JSON lines to play with the station
  --broker PORT          an MQTT broker on the loopback interface; 0 takes a free port
  --energy-factor N      energy runs N times faster than the clock, default 1

words of ctl:
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((word, _)) if word == "--help" || word == "-h" => {
            print!("{USAGE}{}", ctl::HELP);
            return ExitCode::SUCCESS;
        }
        Some((word, rest)) if word == "ctl" => play(rest),
        _ => Options::parse(&arguments).and_then(|options| run(&options)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("mode3-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the bench consists of.
struct Options {
    board_socket: PathBuf,
    control_socket: Option<PathBuf>,
    broker: Option<u16>,
    energy_factor: f64,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut board_socket = None;
        let mut control_socket = None;
        let mut broker = None;
        let mut energy_factor = 1.0;
        let mut words = arguments.iter();
        while let Some(name) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--board-socket" => board_socket = Some(PathBuf::from(value()?)),
                "--control-socket" => control_socket = Some(PathBuf::from(value()?)),
                "--broker" => broker = Some(number(name, value()?)?),
                "--energy-factor" => energy_factor = number(name, value()?)?,
                other => return Err(format!("{other} is not understood\n{USAGE}").into()),
            }
        }
        let board_socket =
            board_socket.ok_or_else(|| format!("--board-socket is missing\n{USAGE}"))?;
        Ok(Self {
            board_socket,
            control_socket,
            broker,
            energy_factor,
        })
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name} {text}: not a number in range"))
}

fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before anything is announced: whoever reads that may end us at once.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;

        let at = |path: &PathBuf| format!("listen at {}", path.display());
        let station = Station::start(&options.board_socket)
            .map_err(|error| format!("{}: {error}", at(&options.board_socket)))?;
        station.plant().energy_factor = options.energy_factor;
        println!("board unix:{}", options.board_socket.display());

        let _control = match &options.control_socket {
            Some(path) => {
                let server = control::listen(path, station.handle())
                    .map_err(|error| format!("{}: {error}", at(path)))?;
                println!("control unix:{}", path.display());
                Some(server)
            }
            None => None,
        };
        let _broker = match options.broker {
            Some(port) => {
                let broker = Broker::start(port)
                    .map_err(|error| format!("broker on port {port}: {error}"))?;
                println!("broker {}", broker.address());
                Some(broker)
            }
            None => None,
        };
        println!("ready");

        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// One request to a running bench.
fn play(words: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let [option, path, words @ ..] = words else {
        return Err(format!("ctl needs --socket PATH and what to do:\n{}", ctl::HELP).into());
    };
    if option != "--socket" {
        return Err(format!("{option} is not understood, expected --socket PATH").into());
    }
    let answer = ctl::send(path.as_ref(), &ctl::request(words)?)
        .map_err(|error| format!("{path}: {error}"))?;
    println!("{answer:#}");
    let failed = answer.get("ok") == Some(&Value::Bool(false));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
