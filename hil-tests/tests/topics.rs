//! What evsed publishes in a session: every topic of the map that is its own, its text,
//! its moment and whether the broker keeps it (guide chapter 15).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::BTreeMap;

use hil_tests::{Bench, LATER, Observer, SOON, Settings};
use serde_json::json;
use simulator::plant::contactor::ContactorFault;
use topic_map::{ALL, Class, Publisher};

const SESSION: &str = "port0/session/state";
/// The stages of a session; each is the time until the next.
const STAGES: [&str; 6] = [
    "idle",
    "connected",
    "charging",
    "suspended_ev",
    "charging",
    "idle",
];

/// The text on a topic in each of [`STAGES`].
type Row = (&'static str, [&'static str; 6]);

const fn steady(topic: &'static str, text: &'static str) -> Row {
    (topic, [text; 6])
}

/// With a socket, MQTT authorisation, a residual current device, and everything else as
/// the factory has it.
const SESSION_TABLE: &[Row] = &[
    steady(
        "ci/global/version/charging_software",
        env!("CARGO_PKG_VERSION"),
    ),
    steady("ci/global/daemon/evsed/available", "1"),
    steady("port0/ci/charge/init/protocol", "IEC61851"),
    ("port0/ci/charge/cp/status", ["A", "B", "C", "B", "C", "A"]),
    (
        "port0/ci/charge/pwm/status",
        ["100.00", "100.00", "33.33", "33.33", "33.33", "100.00"],
    ),
    (
        "port0/cp/duty_cycle",
        ["100.00", "100.00", "33.33", "33.33", "33.33", "100.00"],
    ),
    (
        "port0/ci/charge/plug/status",
        [
            "unlocked", "unlocked", "locked", "locked", "locked", "unlocked",
        ],
    ),
    (
        "port0/plug_lock/state/target",
        ["0", "0", "1", "1", "1", "0"],
    ),
    (
        "port0/contactor/state/target",
        ["0", "0", "1", "0", "1", "0"],
    ),
    (
        "port0/contactor/state/actual",
        ["0", "0", "1", "0", "1", "0"],
    ),
    (
        "port0/ci/charge/contactor/status",
        ["opened", "opened", "closed", "opened", "closed", "opened"],
    ),
    ("port0/charging", ["0", "0", "1", "0", "1", "0"]),
    ("port0/session/state", STAGES),
    (
        "port0/session/stop_reason",
        [
            "none",
            "none",
            "none",
            "ev_paused",
            "none",
            "ev_disconnected",
        ],
    ),
    (
        "port0/cable_current_limit",
        ["-1", "20", "20", "20", "20", "-1"],
    ),
    (
        "port0/ci/evse/basic/physical_current_limit",
        ["32", "20", "20", "20", "20", "32"],
    ),
    (
        "port0/ci/evse/basic/offered_current_limit",
        ["32.0", "20.0", "20.0", "20.0", "20.0", "32.0"],
    ),
    steady("port0/ci/evse/basic/grid_current_limit/actual", "32"),
    steady("port0/ci/evse/basic/evse_current_limit/actual", "32"),
    steady("port0/availability/actual", "operative"),
    steady("port0/contactor/error", "0"),
    steady("port0/emergency_shutdown", "0"),
    steady("port0/plug_lock/permanent_failure", ""),
    steady("port0/session/proximity_error", ""),
    steady("port0/session/fault", ""),
    steady("port0/rcd/feedback/available", "1"),
    steady("port0/rcd/test/available", "1"),
    steady("port0/rcd/state/actual", "1"),
    steady("port0/rcd/error", ""),
    steady("port0/ventilation/available", "0"),
    steady("port0/ventilation/state/actual", "0"),
];

/// Told by itself or by another configuration, see the tests below and `alarms.rs`.
const ELSEWHERE: [&str; 5] = [
    "port0/rcd/test/timestamp",
    "port0/ci/evse/phase/actual",
    "port0/ventilation/state/target",
    "port0/session/black_box",
    "port0/plug_lock/unlock/result",
];
/// Signals that evsed obeys, whoever publishes them.
const OBEYED: [&str; 1] = ["port0/rcd/test/perform"];
/// Stages of a session over ISO 15118, which nobody speaks yet.
const ISO_15118: [&str; 5] = [
    "port0/ci/charge/init/status",
    "port0/ci/charge/auth/status",
    "port0/ci/charge/parameter/status",
    "port0/ci/charge/charge/status",
    "port0/ci/charge/tcp/status",
];

fn of_evsed() -> impl Iterator<Item = &'static str> {
    ALL.iter()
        .filter(|info| match info.publisher {
            Publisher::Daemon(daemon) | Publisher::Either(daemon) => daemon == "evsed",
            Publisher::Customer => false,
        })
        .map(|info| info.name)
}

/// What the broker keeps on the topics of evsed and of nobody else.
fn kept(bench: &Bench) -> BTreeMap<String, String> {
    let late = Observer::connect("late", bench.broker.port());
    late.fence();
    late.history()
        .into_iter()
        .filter(|seen| seen.retained && is_of_evsed(&seen.topic))
        .map(|seen| (seen.topic, seen.payload))
        .collect()
}

fn is_of_evsed(topic: &str) -> bool {
    topic == "ci/global/daemon/evsed/available" || of_evsed().any(|own| own == topic)
}

#[test]
fn the_tables_know_every_topic_of_evsed() {
    let told = SESSION_TABLE.iter().map(|(topic, _)| *topic);
    let known: Vec<_> = told
        .chain(ELSEWHERE)
        .chain(OBEYED)
        .chain(ISO_15118)
        .collect();
    for topic in of_evsed() {
        let times = known.iter().filter(|known| **known == topic).count();
        assert_eq!(times, 1, "{topic}");
    }
    assert!(known.iter().all(|topic| is_of_evsed(topic)));
}

/// Start evsed with this customer.json, and wait until it has settled.
fn start(settings: &Settings) -> Bench {
    let mut bench = Bench::prepare(settings);
    {
        let station = bench.station();
        let rcd = &mut station.plant().rcd;
        rcd.settings.feedback_input = 2;
        rcd.settings.test_output = 4;
    }
    bench.start_daemon("evsed");
    bench.expect(SESSION, "idle", SOON);
    bench
}

// covers: CP-016, LIM-008
#[test]
fn every_topic_says_once_what_has_changed_and_is_kept_by_the_broker() {
    use simulator::plant::plug::Cable;
    let settings = Settings::default()
        .with("ports[0]/user_authentication", "mqtt")
        .with("ports[0]/rcd_monitor", json!({ "enable": true }));
    let bench = start(&settings);
    let timestamp = "port0/rcd/test/timestamp";
    let tested = |last: &std::collections::HashMap<_, _>| last.contains_key(timestamp);
    assert!(bench.observer.wait(SOON, tested));
    let stage = |number: usize| {
        for (topic, texts) in SESSION_TABLE {
            bench.expect(topic, texts[number], LATER);
        }
    };
    stage(0);
    {
        let station = bench.station();
        let mut plant = station.plant();
        plant.request_energy();
        plant.plug_in(Cable::A20);
    }
    stage(1);
    bench
        .observer
        .publish_raw("port0/session/authorization_status", "1", false);
    stage(2);
    bench.station().plant().stop_request();
    stage(3);
    bench.station().plant().request_energy();
    stage(4);
    bench.unplug();
    stage(5);
    bench.observer.fence();

    let history = bench.observer.history();
    for (topic, texts) in SESSION_TABLE {
        let told: Vec<_> = history.iter().filter(|seen| seen.topic == *topic).collect();
        assert!(told.iter().all(|seen| !seen.retained), "{topic}");
        let told: Vec<_> = told.iter().map(|seen| seen.payload.as_str()).collect();
        let mut expected = texts.to_vec();
        expected.dedup();
        // The guide wants it after each test, and there is one before each session.
        let repeats = *topic == "port0/rcd/error";
        expect_in_order(topic, &told, &expected, repeats);
    }
    // An empty retained message is MQTT's way to forget one: no message, no error.
    let mut expected: BTreeMap<_, _> = SESSION_TABLE
        .iter()
        .filter(|(_, texts)| !texts[5].is_empty())
        .map(|(topic, texts)| ((*topic).to_owned(), texts[5].to_owned()))
        .collect();
    let stamp = bench.observer.text(timestamp).unwrap();
    expected.insert(timestamp.to_owned(), stamp);
    assert_eq!(kept(&bench), expected);
}

/// `told` holds `expected` in this order, and nothing twice in a row. More may lie in
/// between: the session passes through other states, and a stalled machine is a fault.
fn expect_in_order<T: PartialEq + std::fmt::Debug>(
    what: &str,
    told: &[T],
    expected: &[T],
    repeats: bool,
) {
    let order = expected.iter().try_fold(told, |left, text| {
        let at = left.iter().position(|told| told == text)?;
        Some(&left[at + 1..])
    });
    assert!(order.is_some(), "{what}: {told:?} without {expected:?}");
    let twice = told.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(repeats || !twice, "{what}: {told:?}");
}

/// What is told on the topics that begin so.
fn told(bench: &Bench, prefix: &str) -> Vec<(String, String)> {
    bench.observer.fence();
    bench
        .observer
        .history()
        .into_iter()
        .filter(|seen| seen.topic.starts_with(prefix))
        .map(|seen| (seen.topic[prefix.len()..].to_owned(), seen.payload))
        .collect()
}

fn expect_told(bench: &Bench, prefix: &str, expected: &[(&str, &str)]) {
    let told = told(bench, prefix);
    let told: Vec<_> = told
        .iter()
        .map(|(topic, text)| (topic.as_str(), text.as_str()))
        .collect();
    expect_in_order(prefix, &told, expected, false);
    let known = |topic| expected.iter().any(|(expected, _)| *expected == topic);
    assert!(told.iter().all(|(topic, _)| known(*topic)), "{told:?}");
}

const VENTILATION: &str = "port0/ventilation/";

fn ventilated(enable: bool, control: &str) -> Bench {
    let configured = json!({ "enable": enable, "control": control });
    let bench = start(&Settings::default().with("ports[0]/ventilation", configured));
    bench.station().plant().vehicle.settings.needs_ventilation = true;
    bench
}

// covers: VENT-001, VENT-002, VENT-011
#[test]
fn ventilation_that_is_not_enabled_refuses_state_d() {
    for (control, expected) in [
        ("internal", &[("available", "0"), ("state/actual", "0")][..]),
        ("external", &[("state/actual", "0")]),
    ] {
        let bench = ventilated(false, control);
        bench.plug_in();
        bench.expect("port0/ci/charge/cp/status", "D", LATER);
        bench.expect("port0/cp/duty_cycle", "100.00", SOON);
        bench.expect("port0/ci/charge/plug/status", "locked", SOON);
        bench.expect("port0/charging", "0", SOON);
        expect_told(&bench, VENTILATION, expected);
    }
}

// covers: VENT-002, VENT-009
#[test]
fn a_customer_switches_relay_2_where_ventilation_is_his() {
    // Without feedback the target is acknowledged, whatever the contactor does.
    for (feedback, fault) in [
        ("no", ContactorFault::None),
        ("none", ContactorFault::StuckOpen),
    ] {
        let configured = json!({ "control": "external", "feedback_type": feedback });
        let bench = start(&Settings::default().with("ports[0]/ventilation", configured));
        bench.station().plant().contactors[1].fault = fault;
        for (text, closed) in [("1", true), ("0", false)] {
            let target = "port0/ventilation/state/target";
            bench.observer.publish_raw(target, text, true);
            bench.wait_for("relay 2", SOON, |plant| plant.relay_commands()[1] == closed);
            bench.expect("port0/ventilation/state/actual", text, SOON);
        }
    }
}

// covers: VENT-005, VENT-013, VENT-014
#[test]
fn a_customer_who_ventilates_is_asked_and_answers() {
    let bench = ventilated(true, "external");
    let announce = |topic: &str, text| {
        bench
            .observer
            .publish_raw(&format!("{VENTILATION}{topic}"), text, true);
    };
    bench.expect("port0/ventilation/state/target", "0", SOON);
    announce("available", "1");
    bench.plug_in();
    bench.expect("port0/ventilation/state/target", "1", LATER);
    bench.observer.fence();
    assert!(
        !bench.station().plant().relay_commands()[0],
        "the fan does not run yet"
    );
    announce("state/actual", "1");
    bench.expect("port0/charging", "1", LATER);
    announce("available", "0");
    bench.expect("port0/charging", "0", SOON);
    bench.unplug();
    bench.expect("port0/ventilation/state/target", "0", SOON);
    expect_told(
        &bench,
        VENTILATION,
        &[
            ("state/target", "0"),
            ("available", "1"),
            ("state/target", "1"),
            ("state/actual", "1"),
            ("available", "0"),
            ("state/target", "0"),
        ],
    );
    assert!(kept(&bench).contains_key("port0/ventilation/state/target"));
}

#[test]
fn phases_are_told_as_switched_through() {
    let configured = json!({ "enable": true, "switch_delay": 10 });
    let bench = start(&Settings::default().with("ports[0]/switch3to1phase", configured));
    bench.station().plant().relay_2_switches_l2_l3 = true;
    bench.charge();
    let actual = "port0/ci/evse/phase/actual";
    bench.expect(actual, "3", SOON);
    bench.unplug();
    bench.expect(actual, "0", SOON);
    expect_told(&bench, actual, &[("", "0"), ("", "3"), ("", "0")]);
    assert_eq!(kept(&bench)[actual], "0");
    expect_told(&bench, VENTILATION, &[("available", "0")]);
}

#[test]
fn what_the_map_calls_a_state_is_retained_and_an_event_is_not() {
    for info in ALL {
        assert_eq!(info.retain, info.class == Class::State, "{}", info.name);
    }
}
