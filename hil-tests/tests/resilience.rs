//! Processes, broker and files that fail: what must hold all the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hil_tests::{Bench, LATER, Process, SOON, Settings};
use serde_json::json;
use simulator::edges::Signal;
use simulator::meter::Fault;
use simulator::plant::OutputLine;
use simulator::plant::lock::Bolt;
use simulator::plant::sensors::AdcFault;

const SESSION: &str = "port0/session/state";
const FAULT: &str = "port0/session/fault";
const CONTACTOR_ERROR: &str = "port0/contactor/error";

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

/// The class and the priority of each thread of a process, by the thread's name
/// (proc_pid_stat(5), fields 41 and 40).
fn scheduling(process: u32) -> BTreeMap<String, (u32, u32)> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
        let (start, rest) = stat.rsplit_once(") ").unwrap();
        let (_, name) = start.split_once('(').unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        let [class, priority] = [38, 37].map(|field: usize| fields[field].parse().unwrap());
        (name.to_owned(), (class, priority))
    };
    tasks.map(of_task).collect()
}

/// A busy processor delays neither a round nor an alarm; a flood of messages gets no more of it.
#[test]
fn the_control_thread_alone_has_a_real_time_class_where_that_is_allowed() {
    const NORMAL: (u32, u32) = (0, 0);
    const FIFO: (u32, u32) = (1, 1);
    let mut bench = Bench::start(&Settings::default());
    let threads = scheduling(bench.daemon("evsed").id());
    let refused = bench
        .log("evsed")
        .contains("a busy processor can delay the control thread");
    let control = if refused { NORMAL } else { FIFO };
    assert_eq!(threads["control"], control, "{threads:?}");
    assert_eq!(threads["evsed"], NORMAL, "{threads:?}");
    let unit = include_str!("../../config/systemd/evsed.service");
    for line in ["LimitRTPRIO=1", "LimitRTTIME=200ms"] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
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
    let earlier: Vec<_> = station
        .edges_since(start)
        .into_iter()
        .filter(|edge| edge.at_us < opened)
        .collect();
    assert!(earlier.is_empty(), "before the relay opened: {earlier:?}");
    let closed = station
        .first_edge(opened, Signal::Relay1Command, 1)
        .unwrap();
    assert!(closed - opened >= 6_000_000, "{} us", closed - opened);
}

/// What is left on the broker: all of guide table 70, and nothing that was sensed.
#[test]
fn an_evsed_that_is_stopped_leaves_safe_values_behind() {
    let left = [
        ("port0/contactor/state/target", "0"),
        ("port0/contactor/state/actual", "0"),
        ("port0/ci/charge/contactor/status", "unknown"),
        ("port0/charging", "0"),
        ("port0/cp/duty_cycle", "0.00"),
        ("port0/ci/charge/cp/status", "F"),
        ("port0/plug_lock/state/target", "0"),
        ("port0/ci/charge/plug/status", "unknown"),
        (SESSION, "inoperative"),
        ("ci/global/daemon/evsed/available", "0"),
    ];
    let ventilated = [
        ("port0/ventilation/state/target", "0"),
        ("port0/ventilation/state/actual", "0"),
    ];
    let switched = [("port0/ci/evse/phase/actual", "0")];
    for (relay_2, more) in [
        ("ports[0]/ventilation", &ventilated[..]),
        ("ports[0]/switch3to1phase", &switched),
    ] {
        let settings = Settings::default().with(relay_2, json!({ "enable": true }));
        let mut bench = Bench::start(&settings);
        {
            let station = bench.station();
            let mut plant = station.plant();
            plant.relay_2_switches_l2_l3 = relay_2.contains("phase");
            plant.vehicle.settings.needs_ventilation = relay_2.contains("ventilation");
        }
        bench.charge();
        for (topic, _) in more {
            assert!(bench.observer.wait(SOON, |last| last[*topic] != "0"));
        }
        let status = bench.stop_daemon("evsed");
        assert!(status.success(), "{status}");
        assert_eq!(bench.station().plant().relay_commands(), [false; 2]);
        for (topic, value) in left.iter().chain(more) {
            bench.expect(topic, value, SOON);
        }
    }
}

#[test]
fn systemd_hears_when_evsed_works_and_that_it_goes_on() {
    let bench = Bench::prepare(&Settings::default());
    let path = bench.path("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut command = bench.command("evsed");
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .env_remove("WATCHDOG_PID");
    let _evsed = Process::start(&mut command, &bench.path("evsed.log"));
    let mut told = Vec::new();
    while told.iter().filter(|text| *text == "WATCHDOG=1").count() < 5 {
        let mut text = [0; 64];
        let length = socket.recv(&mut text).unwrap();
        told.extend(
            String::from_utf8_lossy(&text[..length])
                .lines()
                .map(str::to_owned),
        );
    }
    assert!(told.iter().any(|text| text == "READY=1"), "{told:?}");
    bench.expect(SESSION, "idle", SOON);
}

#[test]
fn a_session_outlives_a_restart_of_the_broker() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    let (mark, start) = (bench.observer.mark(), bench.station().plant().now_us());
    bench.broker.stop();
    bench.wait_for("the car goes on", SOON, |plant| {
        plant.line_currents()[0] > 5.0
    });
    bench.observer.forget();
    bench.broker.run().expect("the broker comes back");
    for (topic, value) in [
        (SESSION, "charging"),
        ("port0/ci/charge/cp/status", "C"),
        ("port0/ci/charge/pwm/status", "53.33"),
        ("port0/ci/charge/contactor/status", "closed"),
        ("port0/metering/meter/available", "1"),
        ("ci/global/daemon/evsed/available", "1"),
        ("ci/global/daemon/meteringd/available", "1"),
    ] {
        bench.expect(topic, value, LATER);
    }
    let opened = bench.station().first_edge(start, Signal::Relay1Command, 0);
    assert!(
        opened.is_none() || bench.observer.has_stalled(mark, Duration::ZERO),
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
    for daemons in [["meteringd", "evsed"], ["evsed", "meteringd"]] {
        let mut bench = Bench::prepare(&Settings::default());
        bench.broker.stop();
        for daemon in daemons {
            bench.start_daemon(daemon);
        }
        bench.plug_in();
        bench.wait_for("charging with free authentication", LATER, |plant| {
            plant.relay_commands()[0]
        });
        bench.broker.run().expect("the broker comes back");
        bench
            .observer
            .publish_raw("ci/global/dyn_current_limit/me", "10", true);
        bench.expect(SESSION, "charging", LATER);
        bench.expect("port0/ci/charge/pwm/status", "16.67", SOON);
        bench.expect("port0/metering/meter/available", "1", LATER);
    }
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
    bench.expect(FAULT, "sensor_failure", SOON);
    bench.station().plant().adc_faults.pilot_positive = AdcFault::None;
    bench.expect(FAULT, "", SOON);
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
    // What it remembered would be gone with it.
    let log = bench.log("evsed");
    for told in [
        "request DynamicLimit",
        "outputs pilot 53.33 %, relay 1 closed",
    ] {
        let is_told = |line: &str| line.contains("black box: ") && line.contains(told);
        assert!(log.lines().any(is_told), "no {told:?} in\n{log}");
    }
}

// S8: what can't be read is an alarm.
#[test]
fn a_protection_whose_input_cannot_be_read_opens_the_contactor() {
    for (protection, topic, alarm, calm) in [
        (
            ("ports[0]/emergency_alarm", json!({ "enable": true })),
            "port0/emergency_shutdown",
            "1",
            "0",
        ),
        (
            (
                "ports[0]/rcd_monitor",
                json!({ "enable": true, "test_gpio": -1 }),
            ),
            "port0/rcd/error",
            "RcdGroundFailure",
            "",
        ),
    ] {
        let settings = Settings::default()
            .with(protection.0, protection.1)
            // Nobody else misses the inputs.
            .with("ports[0]/contactor/feedback_type", "none");
        let mut bench = Bench::prepare(&settings);
        // The device's normal level.
        bench.station().plant().set_digital_input(2, true);
        bench.start_daemon("evsed");
        bench.charge();
        let failed = {
            let station = bench.station();
            let mut plant = station.plant();
            plant.input_lines_fail = true;
            plant.now_us()
        };
        bench.wait_for("relay 1 opens", SOON, |plant| !plant.relay_commands()[0]);
        let opened = bench.station().first_edge(failed, Signal::Relay1Command, 0);
        let after = opened.unwrap() - failed;
        assert!(
            after >= 95_000,
            "{topic}: a read that fails once, {after} us"
        );
        bench.expect(topic, alarm, SOON);
        bench.expect(SESSION, "faulted", SOON);
        bench.station().plant().input_lines_fail = false;
        bench.unplug();
        bench.expect(topic, calm, LATER);
        bench.charge();
    }
}

#[test]
fn a_contactor_feedback_that_cannot_be_read_heals_by_itself() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().input_lines_fail = true;
    bench.wait_for("the contacts are open", SOON, |plant| {
        plant.line_currents() == [0.0; 3]
    });
    bench.expect(CONTACTOR_ERROR, "1", SOON);
    bench.expect(FAULT, "contactor_error", SOON);
    assert_eq!(bench.station().plant().lock.bolt(), Bolt::Locked);
    let healed = {
        let station = bench.station();
        let mut plant = station.plant();
        plant.input_lines_fail = false;
        plant.now_us()
    };
    bench.expect(CONTACTOR_ERROR, "0", LATER);
    bench.expect(SESSION, "charging", LATER);
    let closed = bench.station().first_edge(healed, Signal::Relay1Command, 1);
    let after = closed.unwrap() - healed;
    assert!(after >= 9_900_000, "{after} us");
}

/// A car that draws whatever it is offered, and an emergency.
#[test]
fn a_relay_that_refuses_to_open_ends_evsed_and_is_opened_by_the_stop_command() {
    let settings = Settings::default().with("ports[0]/emergency_alarm", json!({ "enable": true }));
    let mut bench = Bench::prepare(&settings);
    {
        let station = bench.station();
        let mut plant = station.plant();
        plant.emergency.input = 1;
        plant.vehicle.settings.stubborn = true;
    }
    bench.start_daemon("evsed");
    bench.charge();
    {
        let station = bench.station();
        let mut plant = station.plant();
        plant.refused_line = Some(OutputLine::Relay1Enable);
        plant.press_emergency(true);
    }
    assert_eq!(bench.daemon("evsed").wait(SOON).code(), Some(1));
    bench.expect("port0/contactor/state/target", "0", SOON);
    bench.expect("port0/ci/charge/contactor/status", "unknown", SOON);
    bench.expect(SESSION, "inoperative", SOON);
    bench.expect("port0/contactor/state/actual", "1", SOON);
    let stop = || bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(!stop().success(), "the line still refuses");
    assert!(bench.station().plant().line_currents()[0] > 5.0);
    bench.station().plant().refused_line = None;
    assert!(stop().success());
    bench.wait_for("no current", SOON, |plant| {
        plant.line_currents() == [0.0; 3]
    });
}

#[test]
fn a_board_that_is_silent_for_a_moment_opens_the_contactor_when_it_is_back() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    let (mark, start) = (bench.observer.mark(), bench.station().plant().now_us());
    bench.station().plant().board_is_silent = true;
    assert!(
        bench.observer.has_stopped(mark, SOON),
        "no fault\n{}",
        bench.observer.tail()
    );
    bench.station().plant().board_is_silent = false;
    bench.wait_for("relay 1 opens", SOON, |plant| {
        let edges = plant.edges().since(start);
        edges
            .iter()
            .any(|edge| edge.signal == Signal::Relay1Command && edge.value == 0)
    });
    bench.expect(FAULT, "", SOON);
    bench.expect(SESSION, "charging", LATER);
}

#[test]
fn a_board_that_stays_silent_ends_evsed_and_is_opened_by_the_stop_command() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().board_is_silent = true;
    assert_eq!(bench.daemon("evsed").wait(SOON).code(), Some(1));
    bench.expect("port0/contactor/state/target", "0", SOON);
    let stop = || bench.run_unit_command("evsed.service", "ExecStopPost");
    assert!(!stop().success(), "nobody answers");
    bench.station().plant().board_is_silent = false;
    assert!(stop().success());
    assert!(!bench.station().plant().relay_commands()[0]);
}

#[test]
fn an_evsed_that_is_stopped_while_a_relay_refuses_to_open_does_not_call_it_open() {
    let mut bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().refused_line = Some(OutputLine::Relay1Enable);
    assert_eq!(bench.stop_daemon("evsed").code(), Some(1));
    bench.expect(SESSION, "inoperative", SOON);
    bench.expect("port0/contactor/state/actual", "1", SOON);
}
