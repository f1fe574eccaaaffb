//! Charges one simulated car through the real daemons and tells what happens.
#![allow(clippy::print_stdout, reason = "a demonstration talks")]

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, Observer, SOON, Settings, binary, commentary, trace_directory};
use serde_json::json;
use simulator::central_system::{CentralSystem, Frame, Options};
use simulator::plant::Plant;

const CARD: &str = "04A1B2C3D4";
/// A minute passes in a second at the meter, so that the session is worth watching.
const TIME_LAPSE: f64 = 60.0;

const HELP: &str = "Usage: ./dev demo [--stay]

Charges one simulated car through the real daemons and tells what happens.
  --stay   then keep the station running, to look at it and to play";

const PLAY: &str =
    "Type: plug | unplug | swipe [UID] | limit AMPERES (MQTT) | profile AMPERES (OCPP) | quit";

fn main() -> ExitCode {
    let mut stay = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--stay" => stay = true,
            _ => {
                println!("{HELP}");
                return ExitCode::from(if argument == "--help" { 0 } else { 2 });
            }
        }
    }
    let (commentary, frames) = mpsc::channel();
    let central = match CentralSystem::start(Options {
        trace_dir: Some(trace_directory()),
        commentary: Some(commentary),
        ..Options::default()
    }) {
        Ok(central) => central,
        Err(error) => return fail(&format!("the central system does not start: {error}")),
    };
    let settings = Settings::default()
        .with_central_system(central.uri())
        .with("ocpp/MeterValueSampleInterval", 10)
        .with("ports[0]/meter/publish_settings/timer", 2);
    let mut bench = Bench::prepare(&settings);
    // Building, if it is needed, is no part of the story.
    let _ = binary("evsed");
    let start = Instant::now();
    let observer = bench.observer.clone();
    std::thread::spawn(move || tell(&observer, &frames, start));

    match charge_one_car(&mut bench, &central, start) {
        Ok(()) if stay => play(&bench, &central),
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(&reason),
    }
}

fn fail(reason: &str) -> ExitCode {
    println!("\nThe demonstration failed: {reason}");
    ExitCode::FAILURE
}

/// Prints topics and frames in the order of their times, until the program ends.
fn tell(observer: &Observer, frames: &mpsc::Receiver<Frame>, start: Instant) {
    let mut told = 0;
    loop {
        let mut lines = Vec::new();
        while let Ok(frame) = frames.recv_timeout(Duration::from_millis(50)) {
            lines.extend(commentary::of_frame(&frame).map(|line| (frame.at, line)));
        }
        let seen = observer.since(told);
        told += seen.len();
        for seen in &seen {
            lines.extend(commentary::of_topic(seen).map(|line| (seen.at, line)));
        }
        lines.sort_by_key(|(at, _)| *at);
        for (at, (who, text)) in lines {
            line(at.saturating_duration_since(start), who, &text);
        }
    }
}

fn line(at: Duration, who: &str, text: &str) {
    println!("{:7.2} s  {who:<14} {text}", at.as_secs_f64());
}

fn step(text: &str) {
    println!("\n--- {text}");
}

/// The story: plug in, swipe, charge, be limited, swipe, unplug.
fn charge_one_car(
    bench: &mut Bench,
    central: &CentralSystem,
    start: Instant,
) -> Result<(), String> {
    println!(
        "Broker on 127.0.0.1:{}, central system at {}",
        bench.broker.port(),
        central.uri()
    );
    step("The daemons start as separate processes: configd, evsed, meteringd, ocppd");
    for daemon in ["configd", "evsed", "meteringd", "ocppd"] {
        bench.start_daemon(daemon);
    }
    wait(bench, "port0/session/state", "idle", SOON)?;
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            LATER,
        )
        .map_err(|_| "ocppd did not report a status")?;

    step("A car is plugged in");
    bench.station().plant().energy_factor = TIME_LAPSE;
    bench.plug_in();
    wait(bench, "port0/ci/charge/cp/status", "B", SOON)?;

    step("The driver holds a card to the reader");
    bench.swipe(CARD);
    wait(bench, "port0/session/state", "charging", LATER)?;
    let at_start = bench.station().plant().readings().energy_wh;
    current(bench, 32.0)?;

    step("The central system limits the car to 10 A");
    limit_by_profile(central, 10.0)?;
    current(bench, 10.0)?;
    let enough = |wh: f64| {
        bench
            .station()
            .wait_for(LATER, |p| p.readings().energy_wh > at_start + wh)
    };
    if !enough(500.0) {
        return Err("the meter does not count".into());
    }

    step("The driver holds the card to the reader again, and unplugs");
    bench.swipe(CARD);
    central
        .wait_for("StopTransaction", |_| true, LATER)
        .map_err(|_| "no StopTransaction")?;
    bench.unplug();
    wait(bench, "port0/session/state", "idle", LATER)?;
    central
        .wait_for(
            "StatusNotification",
            |status| status["status"] == "Available",
            LATER,
        )
        .map_err(|_| "the connector did not become Available")?;
    summarise(central, start)
}

fn summarise(central: &CentralSystem, start: Instant) -> Result<(), String> {
    let transactions = central.transactions();
    let [transaction] = transactions.as_slice() else {
        return Err(format!(
            "{} transactions instead of one",
            transactions.len()
        ));
    };
    let (Some(first), Some(last)) = (transaction.starts.first(), transaction.stops.first()) else {
        return Err("the transaction has no start or no stop".into());
    };
    let (from, to) = (first["meterStart"].as_i64(), last["meterStop"].as_i64());
    let (Some(from), Some(to)) = (from, to) else {
        return Err("the transaction has no meter readings".into());
    };
    if to <= from || transaction.starts.len() != 1 || transaction.stops.len() != 1 {
        return Err(format!("an implausible transaction: {transaction:?}"));
    }
    // The commentary catches up before the summary.
    std::thread::park_timeout(Duration::from_millis(200));
    println!(
        "\nOne car charged: {} Wh (meter {from} to {to} Wh), one StartTransaction and one \
         StopTransaction ({}), {} OCPP frames, {:.0} s.",
        to - from,
        last["reason"].as_str().unwrap_or("Local"),
        central.frames().len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn wait(bench: &Bench, topic: &str, value: &str, limit: Duration) -> Result<(), String> {
    let reached = bench.observer.wait(limit, |last| {
        last.get(topic).is_some_and(|text| text == value)
    });
    reached.then_some(()).ok_or_else(|| {
        let logs = ["configd", "evsed", "meteringd", "ocppd"]
            .map(|daemon| bench.log(daemon))
            .concat();
        format!("{topic} did not become {value} within {limit:?}\n{logs}")
    })
}

/// Wait until the car draws `amperes` on L1.
fn current(bench: &Bench, amperes: f64) -> Result<(), String> {
    let follows = |plant: &Plant| (plant.line_currents()[0] - amperes).abs() < 0.2;
    let reached = bench.station().wait_for(SOON, follows);
    reached
        .then_some(())
        .ok_or_else(|| format!("the car does not draw {amperes} A"))
}

fn limit_by_profile(central: &CentralSystem, amperes: f64) -> Result<(), String> {
    let profile = json!({
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": amperes }]
            }
        }
    });
    let answer = central
        .call("SetChargingProfile", profile, SOON)
        .map_err(|error| format!("{error}"))?;
    if answer["status"] == "Accepted" {
        Ok(())
    } else {
        Err(format!("SetChargingProfile was answered {answer}"))
    }
}

/// Keep the station and do what the person types.
fn play(bench: &Bench, central: &CentralSystem) -> ExitCode {
    println!("\nThe station keeps running. Watch all topics in another terminal with");
    println!("  mosquitto_sub -p {} -v -t '#'", bench.broker.port());
    println!("{PLAY}");
    for words in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<_> = words.split_whitespace().collect();
        match words.as_slice() {
            ["plug"] => bench.plug_in(),
            ["unplug"] => bench.unplug(),
            ["swipe"] => bench.swipe(CARD),
            ["swipe", uid] => bench.swipe(uid),
            ["limit", amperes] => {
                bench
                    .observer
                    .publish_raw("ci/global/dyn_current_limit/demo", amperes, true);
            }
            ["profile", amperes] => match amperes.parse() {
                Ok(amperes) => {
                    if let Err(reason) = limit_by_profile(central, amperes) {
                        println!("{reason}");
                    }
                }
                Err(_) => println!("{PLAY}"),
            },
            ["quit"] => return ExitCode::SUCCESS,
            _ => println!("{PLAY}"),
        }
    }
    // Started without a terminal: the station runs until somebody ends the program.
    loop {
        std::thread::park();
    }
}
