//! Processes, broker and files that fail: what must hold all the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, Process, SOON, Settings};
use simulator::edges::Signal;
use simulator::meter::Fault;
use simulator::plant::sensors::AdcFault;

const SESSION: &str = "port0/session/state";

// covers: CON-023
#[test]
fn the_stop_command_of_the_unit_opens_the_relay_of_a_killed_evsed() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    bench.kill_daemon("evsed");
    assert!(
        bench.station().plant().relay_commands()[0],
        "a line keeps its level, as on the board"
    );
    let status = bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(status.success(), "{status}");
    let station = bench.station();
    assert!(
        !station.plant().relay_commands()[0],
        "relay 1 is still closed"
    );
    bench.wait_for("no current", SOON, |plant| {
        plant.line_currents() == [0.0; 3]
    });
}

/// A control thread that hangs in the kernel keeps the relay closed until the unit's
/// stop command runs: systemd waits for 90 s unless it is told otherwise.
#[test]
fn an_evsed_that_does_not_stop_is_killed_soon() {
    let unit = include_str!("../../config/systemd/evsed.service");
    let limit = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="))
        .unwrap_or("90");
    assert!(limit.parse::<u64>().unwrap() <= 5, "{limit} s");
}

/// The lines belong to the process that holds them: the command is for the time after.
#[test]
fn the_safe_state_run_beside_an_evsed_fails_and_disturbs_nothing() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    let status = bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(!status.success(), "{status}");
    assert!(bench.station().plant().relay_commands()[0]);
    bench.kill_daemon("evsed");
    let status = bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(status.success(), "{status}");
    assert!(!bench.station().plant().relay_commands()[0]);
}

// covers: BOOT-005, BOOT-010
#[test]
fn a_restarted_evsed_begins_safe_and_charges_again() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    bench.kill_daemon("evsed");
    bench.observer.forget();
    let start = bench.station().plant().now_us();
    bench.start_daemon("evsed");
    bench.wait_for("the relay is opened first", SOON, |plant| {
        !plant.relay_commands()[0]
    });
    bench.expect(SESSION, "charging", LATER);
    let station = bench.station();
    let opened = station.first_edge(start, Signal::Relay1Command, 0).unwrap();
    let closed = station
        .first_edge(opened, Signal::Relay1Command, 1)
        .unwrap();
    assert!(closed - opened >= 6_000_000, "{} us", closed - opened);
}

#[test]
fn an_evsed_that_is_stopped_leaves_safe_values_behind() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    let status = bench.stop_daemon("evsed");
    assert!(status.success(), "{status}");
    assert!(!bench.station().plant().relay_commands()[0]);
    bench.expect("port0/contactor/state/target", "0", SOON);
    bench.expect("port0/charging", "0", SOON);
    bench.expect("port0/cp/duty_cycle", "0.00", SOON);
    bench.expect("ci/global/daemon/evsed/available", "0", SOON);
}

#[test]
fn a_session_outlives_a_restart_of_the_broker() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    let start = bench.station().plant().now_us();
    bench.broker.stop();
    bench.wait_for("the car goes on", SOON, |plant| {
        plant.line_currents()[0] > 5.0
    });
    bench.observer.forget();
    bench.broker.run().expect("the broker comes back");
    let back = Instant::now();
    for (topic, value) in [
        (SESSION, "charging"),
        ("port0/ci/charge/cp/status", "C"),
        ("port0/ci/charge/pwm/status", "53.33"),
        ("port0/ci/charge/contactor/status", "closed"),
        ("port0/metering/meter/available", "1"),
        ("ci/global/daemon/evsed/available", "1"),
        ("ci/global/daemon/meteringd/available", "1"),
    ] {
        bench.expect(
            topic,
            value,
            Duration::from_secs(5).saturating_sub(back.elapsed()),
        );
    }
    let station = bench.station();
    assert_eq!(
        station.first_edge(start, Signal::Relay1Command, 0),
        None,
        "the contactor opened"
    );
    // It still listens: a limit is obeyed.
    bench
        .observer
        .publish_raw("ci/global/dyn_current_limit/me", "10", true);
    bench.expect("port0/ci/charge/pwm/status", "16.67", SOON);
}

#[test]
fn a_grant_that_waits_for_its_ev_does_not_outlive_the_broker() {
    let mut bench = Bench::start(&Settings::default().with("ports[0]/user_authentication", "mqtt"));
    bench
        .observer
        .publish_raw("port0/session/authorization_status", "1", false);
    bench.expect(SESSION, "authorized", SOON);
    bench.broker.stop();
    bench.observer.forget();
    bench.broker.run().expect("the broker comes back");
    bench.expect(SESSION, "idle", SOON);
    bench.plug_in();
    bench.expect(SESSION, "connected", SOON);
}

// covers: BOOT-009
#[test]
fn daemons_wait_for_a_broker_that_comes_late() {
    let mut bench = Bench::prepare(&Settings::default());
    bench.broker.stop();
    bench.start_daemon("meteringd");
    bench.start_daemon("evsed");
    bench.plug_in();
    bench.wait_for("charging with free authentication", LATER, |plant| {
        plant.relay_commands()[0]
    });
    bench.broker.run().expect("the broker comes back");
    bench
        .observer
        .publish_raw("ci/global/dyn_current_limit/me", "10", true);
    bench.expect(SESSION, "charging", SOON);
    bench.expect("port0/ci/charge/pwm/status", "16.67", SOON);
}

#[test]
fn a_broken_customer_json_is_named_and_ends_with_78() {
    for (text, named) in [
        ("", "empty"),
        (
            "{ \"ports\": [ { \"pluggable\": true, ",
            "customer.json: line 1, column ",
        ),
        (
            "{ \"ports\": [ { \"pluggable\": true, \"pluggable\": false } ] }",
            "pluggable",
        ),
        (
            "{ \"ports\": [ { \"user_authentication\": \"nobody\" } ] }",
            "user_authentication",
        ),
    ] {
        let bench = Bench::prepare(&Settings::default());
        bench.write_file("config/customer.json", text);
        for daemon in ["evsed", "meteringd", "ocppd"] {
            let log = bench.path(&format!("{daemon}.log"));
            let mut process = Process::start(&mut bench.command(daemon), &log);
            let status = process.wait(SOON);
            assert_eq!(
                status.code(),
                Some(78),
                "{daemon} with {text:?}:\n{}",
                process.log()
            );
            assert!(
                process.log().contains(named),
                "{daemon} with {text:?}:\n{}",
                process.log()
            );
            assert!(!bench.station().plant().relay_commands()[0]);
        }
    }
}

// covers: MET-010, MET-012
#[test]
fn a_meter_that_goes_silent_is_reported_and_found_again() {
    let bench = Bench::start(&Settings::default());
    let available = "port0/metering/meter/available";
    bench.meter.go_silent();
    bench.expect(available, "0", SOON);
    bench.meter.answer();
    bench.expect(available, "1", SOON);
}

#[test]
fn nonsense_of_the_meter_is_never_published() {
    let bench = Bench::start(&Settings::default());
    let mark = bench.observer.mark();
    bench.meter.inject(Fault::Nonsense(f32::NAN));
    bench.expect("port0/metering/meter/available", "0", SOON);
    bench.meter.answer();
    bench.expect("port0/metering/meter/available", "1", SOON);
    for seen in bench.observer.since(mark) {
        let lower = seen.payload.to_lowercase();
        assert!(
            !lower.contains("nan") && !lower.contains("null"),
            "{} {}",
            seen.topic,
            seen.payload
        );
    }
}

// S8: a failing sensor is a fault, never a plausible value.
#[test]
fn a_pilot_that_cannot_be_read_opens_the_contactor() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().adc_faults.pilot_positive = AdcFault::Error;
    bench.wait_for("relay 1 opens", SOON, |plant| !plant.relay_commands()[0]);
    bench.expect("port0/session/fault", "sensor_failure", SOON);
    bench.station().plant().adc_faults.pilot_positive = AdcFault::None;
    bench.expect("port0/session/fault", "", SOON);
    bench.expect(SESSION, "charging", LATER);
}

#[test]
fn an_output_that_does_not_follow_opens_the_contactor_and_ends_evsed() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().pilot_pwm_refused = true;
    bench
        .observer
        .publish_raw("ci/global/dyn_current_limit/me", "10", true);
    bench.wait_for("relay 1 opens", SOON, |plant| !plant.relay_commands()[0]);
    // Its successor takes all lines anew.
    assert_eq!(bench.daemon("evsed").wait(SOON).code(), Some(1));
}
