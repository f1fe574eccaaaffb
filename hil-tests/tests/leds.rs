//! The status LEDs as a driver sees them: levels of the digital outputs, with the
//! clock of the simulated board.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use hil_tests::{Bench, LATER, Process, SOON, Settings};
use serde_json::Value;
use simulator::edges::{Edge, Signal};
use simulator::plant::pilot::PilotWire;

const SESSION: &str = "port0/session/state";
/// The factory's status LED, DIGITAL_OUT_1.
const STATUS_LED: i64 = 1;

fn outputs(bench: &Bench) -> [bool; 6] {
    bench.station().plant().digital_outputs()
}

fn edges(bench: &Bench, since_us: u64) -> Vec<Edge> {
    let mut edges = bench.station().edges_since(since_us);
    edges.retain(|edge| edge.signal == Signal::DigitalOutputs);
    edges
}

/// The time between two changes, in ms: the middle of `count`, so that a machine
/// that stalls once doesn't count.
fn blink_ms(bench: &Bench, since_us: u64, count: usize) -> u64 {
    bench.wait_for("the LED blinks", LATER, |plant| {
        let outputs = plant.edges().since(since_us);
        outputs
            .iter()
            .filter(|edge| edge.signal == Signal::DigitalOutputs)
            .count()
            > count
    });
    let edges = edges(bench, since_us);
    for (n, edge) in edges.iter().enumerate() {
        let expected = edges[0].value ^ (STATUS_LED * (n as i64 & 1));
        assert_eq!(edge.value, expected, "on and off in turn: {edges:?}");
    }
    let mut gaps: Vec<_> = edges
        .windows(2)
        .map(|pair| (pair[1].at_us - pair[0].at_us) / 1000)
        .collect();
    gaps.sort_unstable();
    gaps[gaps.len() / 2]
}

// covers: LED-004, LED-005
#[test]
fn the_status_led_is_solid_when_ready_and_blinks_slowly_while_charging() {
    let bench = Bench::start(&Settings::default());
    bench.wait_for("the LED is on", SOON, |plant| plant.digital_outputs()[0]);
    let ready = bench.station().plant().now_us();
    bench.plug_in();
    bench.expect(SESSION, "charging", LATER);
    let station = bench.station();
    let closed = station.first_edge(0, Signal::Relay1Command, 1).unwrap();
    assert!(
        edges(&bench, ready).iter().all(|edge| edge.at_us > closed),
        "solid until the EV charges"
    );
    let period = blink_ms(&bench, closed, 4);
    assert!((980..=1020).contains(&period), "{period} ms");
    bench.unplug();
    bench.expect(SESSION, "idle", SOON);
    bench.wait_for("the LED is on", SOON, |plant| plant.digital_outputs()[0]);
}

// covers: LED-006, LED-012
#[test]
fn the_status_led_blinks_fast_on_an_error_in_the_middle_of_charging() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    let shorted = {
        let station = bench.station();
        let mut plant = station.plant();
        plant.pilot_wire = PilotWire::ShortedToPe;
        plant.now_us()
    };
    bench.expect(SESSION, "faulted", SOON);
    // The first change belongs to the end of the slow blinking.
    let error = edges(&bench, shorted).first().map_or(shorted, |e| e.at_us);
    let period = blink_ms(&bench, error, 20);
    assert!((90..=110).contains(&period), "{period} ms");
    bench.station().plant().pilot_wire = PilotWire::Whole;
    bench.expect(SESSION, "charging", LATER);
}

#[test]
fn the_status_led_blinks_fast_after_an_emergency() {
    let settings = Settings::default().with(
        "ports[0]/emergency_alarm",
        serde_json::json!({ "enable": true }),
    );
    let mut bench = Bench::prepare(&settings);
    bench.station().plant().emergency.input = 1;
    bench.start_daemon("evsed");
    bench.expect(SESSION, "idle", SOON);
    bench.charge();
    let pressed = {
        let station = bench.station();
        let mut plant = station.plant();
        plant.press_emergency(true);
        plant.now_us()
    };
    bench.wait_for("the contacts are open", SOON, |plant| {
        plant.line_currents() == [0.0; 3]
    });
    bench.expect("port0/emergency_shutdown", "1", SOON);
    let error = edges(&bench, pressed).first().map_or(pressed, |e| e.at_us);
    let period = blink_ms(&bench, error, 10);
    assert!((90..=110).contains(&period), "{period} ms");
}

#[test]
fn the_status_led_tells_a_failed_self_test_from_a_passed_one() {
    let settings = Settings::default().with(
        "ports[0]/rcd_monitor",
        serde_json::json!({ "enable": true }),
    );
    for test_wire_broken in [false, true] {
        let mut bench = Bench::prepare(&settings);
        {
            let station = bench.station();
            let mut plant = station.plant();
            plant.rcd.settings.feedback_input = 2;
            plant.rcd.settings.test_output = 4;
            plant.rcd.test_wire_broken = test_wire_broken;
        }
        bench.start_daemon("evsed");
        if test_wire_broken {
            bench.expect("port0/rcd/error", "RcdTestError", SOON);
            let failed = bench.station().plant().now_us();
            let period = blink_ms(&bench, failed, 10);
            assert!((90..=110).contains(&period), "{period} ms");
        } else {
            bench.wait_for("the self test is felt", SOON, |plant| {
                plant.rcd.is_tripped()
            });
            bench.wait_for("the device is normal again", SOON, |plant| {
                !plant.rcd.is_tripped()
            });
            let ended = bench
                .observer
                .wait(SOON, |last| last.contains_key("port0/rcd/test/timestamp"));
            assert!(ended, "the end of the self test is told");
            bench.wait_for("the LED is on", SOON, |plant| plant.digital_outputs()[0]);
            bench.expect("port0/rcd/error", "", SOON);
        }
    }
}

const THREE_COLORS: &str = r#"{"leds":[{"gpios":[85,86,88],"behaviors":[
    {"condition":"ready","mode":"solid","color":"green","duration":0},
    {"condition":"auth_pending","mode":"solid","color":"yellow","duration":0},
    {"condition":"auth_rejected","mode":"solid","color":"red","duration":20},
    {"condition":"auth_accepted","mode":"solid","color":"cyan","duration":20},
    {"condition":"deactivated","mode":"solid","color":"magenta","duration":0},
    {"condition":"reserved","mode":"solid","color":"blue","duration":0},
    {"condition":"updating","mode":"solid","color":"white","duration":0}
]}]}"#;

/// Red, green, blue as wired by [`THREE_COLORS`].
fn expect_color(bench: &Bench, what: &str, color: [bool; 3]) {
    bench.wait_for(what, SOON, |plant| {
        let [_, red, green, _, blue, _] = plant.digital_outputs();
        [red, green, blue] == color
    });
}

// covers: LED-008, LED-009, LED-011, AUTH-017, AV-013
#[test]
fn three_colors_follow_the_authorization_and_the_service() {
    let settings = Settings::default().with("ports[0]/user_authentication", "mqtt");
    let mut bench = Bench::prepare(&settings);
    bench.write_file("config/leds.json", THREE_COLORS);
    bench.start_daemon("evsed");
    bench.expect(SESSION, "idle", SOON);
    let green = [false, true, false];
    expect_color(&bench, "green when ready", green);
    let publish = |topic, payload, retain| bench.observer.publish_raw(topic, payload, retain);

    bench.swipe("04A1B2C3");
    expect_color(&bench, "yellow while pending", [true, true, false]);
    publish("port0/session/authorization_result", "rejected", false);
    expect_color(&bench, "red when rejected", [true, false, false]);
    let rejected = edges(&bench, 0).last().unwrap().at_us;
    expect_color(&bench, "green again", green);
    let lasted = edges(&bench, rejected + 1)[0].at_us - rejected;
    // A machine that stalls sees the end late, never early.
    assert!((1_980_000..4_000_000).contains(&lasted), "{lasted} us");

    bench.swipe("04A1B2C3");
    expect_color(&bench, "yellow again", [true, true, false]);
    publish("port0/session/authorization_status", "1", false);
    expect_color(&bench, "cyan when accepted", [false, true, true]);
    publish("port0/session/authorization_status", "0", false);
    expect_color(&bench, "green after all", green);

    publish("port0/session/reserved", "1", true);
    expect_color(&bench, "blue when reserved", [false, false, true]);
    publish("port0/session/reserved", "0", true);
    expect_color(&bench, "green when free", green);
    publish("firmware/update/state/actual", "installing", true);
    expect_color(&bench, "white while updating", [true, true, true]);
    publish("firmware/update/state/actual", "idle", true);
    expect_color(&bench, "green after the update", green);
    publish("port0/ci/availability/target", "inoperative", true);
    expect_color(&bench, "magenta out of service", [true, false, true]);

    assert!(bench.stop_daemon("evsed").success());
    assert_eq!(outputs(&bench), [false; 6], "dark when evsed has ended");
}

// covers: CFG-019
#[test]
fn outputs_without_a_function_are_the_customers() {
    let led_on = |gpio: u32| {
        format!(r#"{{"leds":[{{"gpios":[{gpio}],"behaviors":[{{"condition":"ready"}}]}}]}}"#)
    };
    let mut bench = Bench::prepare(&Settings::default());
    bench.write_file("config/leds.json", &led_on(88));
    bench.start_daemon("evsed");
    bench.wait_for("output 5 is high", SOON, |plant| plant.digital_outputs()[4]);
    // Real lines keep their level when nobody drives them.
    bench.kill_daemon("evsed");
    bench.write_file("config/leds.json", &led_on(84));
    bench.start_daemon("evsed");
    bench.wait_for("output 1 is high", SOON, |plant| plant.digital_outputs()[0]);
    assert!(outputs(&bench)[4]);
    assert!(bench.stop_daemon("evsed").success());
    assert_eq!(outputs(&bench), [false, false, false, false, true, false]);
}

#[test]
fn two_functions_on_one_line_end_evsed_with_78_and_are_named() {
    let settings = Settings::default().with(
        "ports[0]/rcd_monitor",
        serde_json::json!({ "enable": true, "test_gpio": 84 }),
    );
    let bench = Bench::prepare(&settings);
    let log = bench.path("evsed.log");
    let mut process = Process::start(&mut bench.command("evsed"), &log);
    assert_eq!(process.wait(SOON).code(), Some(78), "{}", process.log());
    for named in [
        "GPIO 84",
        "ports[0]/rcd_monitor/test_gpio",
        "leds[0]/gpios[0]",
    ] {
        assert!(process.log().contains(named), "{}", process.log());
    }
}

#[test]
fn the_black_box_tells_what_was_before_a_fault() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    bench.station().plant().pilot_wire = PilotWire::ShortedToPe;
    bench.expect(SESSION, "faulted", SOON);
    bench.station().plant().pilot_wire = PilotWire::Whole;
    bench.expect(SESSION, "charging", LATER);

    let mark = bench.observer.mark();
    bench
        .observer
        .publish_raw("port0/session/black_box/request", "", false);
    let answer = bench
        .observer
        .wait_since(mark, SOON, |seen| seen.topic == "port0/session/black_box")
        .expect("an answer");
    let lines: Vec<String> = serde_json::from_str::<Value>(&answer.payload)
        .ok()
        .and_then(|value| serde_json::from_value(value).ok())
        .expect("an array of texts");
    assert!((10..=200).contains(&lines.len()), "{lines:#?}");
    let last = lines.last().unwrap();
    assert!(last.contains("fault pilot_short"), "{lines:#?}");
    let told = |words: &[&str]| {
        lines
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    assert!(told(&["pilot B to C", "V / -11.", "53.33 %"]), "{lines:#?}");
    assert!(told(&["outputs", "relay 1 closed"]), "{lines:#?}");
    assert!(told(&["request"]), "{lines:#?}");
    // The same line stands in the log.
    assert!(bench.log("evsed").contains("pilot B to C"));
}
