//! Wrong payloads on everything that evsed listens to: nothing changes, and the log says
//! so once for each topic (S9).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::time::Duration;

use hil_tests::{Bench, LATER, SOON, Settings};
use serde_json::json;

const SESSION: &str = "port0/session/state";
const OFFERED: &str = "port0/ci/evse/basic/offered_current_limit";
/// Signals are not here: they mean the same whatever they carry.
const TOPICS: [&str; 10] = [
    "port0/ci/availability/target",
    "ocpp/availability/target",
    "port0/session/authorization_status",
    "ci/evse/basic/maxcurrentlimit",
    "ci/global/dyn_current_limit/me",
    "firmware/update/state/actual",
    "port0/rfid/authorization_request",
    "port0/session/authorization_result",
    "port0/session/reserved",
    "port0/plug_lock/unlock/request",
];
/// With phase switching.
const PHASES: [&str; 2] = [
    "port0/ci/evse/phase/target",
    "port0/ci/evse/phase/switch_delay",
];
/// With `ventilation/control` `external`.
const VENTILATION: [&str; 3] = [
    "port0/ventilation/available",
    "port0/ventilation/state/actual",
    "port0/ventilation/state/target",
];

fn payloads() -> Vec<Vec<u8>> {
    let texts = [
        "garbage",
        " ",
        "12,5",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "-7",
        "-0.5",
        "1e9",
        "1e-9",
        "0x10",
        "+6",
        "6 A",
        "99999999999999999999999999",
        "true",
        "TRUE",
        "null",
        "[]",
        "{}",
        "\"1\"",
        "Operative",
        "1\n",
        "\u{661}\u{662}",
        "['a','b']",
    ];
    let bombs = [
        "[".repeat(50_000),
        "{\"a\":".repeat(20_000),
        format!("[\"{}\"]", "9".repeat(100_000)),
        "9".repeat(100_000),
    ];
    let binary = [
        &b"\x00"[..],
        b"\xff\xfe\xfd",
        b"1\x00",
        b"\xc3\x28",
        b"\x89PNG\r\n\x1a\n",
    ];
    let texts = texts.into_iter().map(|text| text.as_bytes().to_vec());
    let bombs = bombs.into_iter().map(String::into_bytes);
    let binary = binary.into_iter().map(<[u8]>::to_vec);
    texts.chain(bombs).chain(binary).collect()
}

/// Lines of the log that complain about `topic`.
fn complaints(log: &str, topic: &str) -> usize {
    let named = format!("topic=\"{topic}\"");
    log.lines()
        .filter(|line| line.contains(&named) && line.contains("ignored"))
        .count()
}

/// A car charges, and every topic gets every wrong payload, twice, kept and not kept.
fn suffer(settings: &Settings, topics: &[&str]) {
    let mut bench = Bench::prepare(settings);
    bench.start_daemon("evsed");
    bench.expect(SESSION, "idle", SOON);
    bench.station().plant().relay_2_switches_l2_l3 = true;
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    bench
        .observer
        .publish_raw("port0/session/authorization_status", "1", false);
    bench.expect(SESSION, "charging", LATER);
    bench.expect("port0/ci/charge/contactor/status", "closed", SOON);
    bench
        .observer
        .publish_raw("ci/global/dyn_current_limit/me", "20", false);
    bench.expect("port0/cp/duty_cycle", "33.33", SOON);
    // What is last comes after all that was told before.
    bench.observer.fence();
    let (mark, since) = (bench.observer.mark(), bench.station().plant().now_us());
    for topic in topics {
        for payload in payloads() {
            // Any word is the name of a request.
            let request = &topic_map::PLUG_LOCK_UNLOCK_REQUEST;
            if *topic == request.name() && request.decode(&payload).is_ok() {
                continue;
            }
            for retain in [false, true] {
                bench.observer.publish_bytes(topic, &payload, retain);
            }
        }
    }
    // An empty payload removes a dynamic limit, and is wrong anywhere else.
    for topic in topics.iter().filter(|topic| !topic.contains("dyn_current")) {
        bench.observer.publish_raw(topic, "", false);
    }
    // A limit that is obeyed arrives after all of these.
    bench
        .observer
        .publish_raw("ci/global/dyn_current_limit/fence", "16", false);
    bench.expect(OFFERED, "16.0", LATER);
    bench.expect("port0/cp/duty_cycle", "26.67", SOON);

    let limited = [
        (OFFERED, "16.0"),
        ("port0/ci/charge/pwm/status", "26.67"),
        ("port0/cp/duty_cycle", "26.67"),
    ];
    let changes: Vec<_> = bench
        .observer
        .since(mark)
        .into_iter()
        .filter(|seen| !topics.contains(&seen.topic.as_str()))
        .filter(|seen| !seen.topic.starts_with("ci/global/dyn_current_limit/"))
        .filter(|seen| !limited.contains(&(seen.topic.as_str(), seen.payload.as_str())))
        .collect();
    let log = bench.log("evsed");
    // Then the station has stopped by itself, and what else has moved is not to be seen.
    let stalled = bench.observer.has_stalled(mark, Duration::ZERO);
    assert!(stalled || changes.is_empty(), "{changes:#?}");
    let edges = bench.station().edges_since(since);
    let moved: Vec<_> = edges
        .iter()
        .filter(|edge| {
            use simulator::edges::Signal as S;
            matches!(
                edge.signal,
                S::Relay1Command | S::Relay2Command | S::LockBolt | S::PilotDriven
            )
        })
        .collect();
    assert!(stalled || moved.is_empty(), "{moved:?}");
    for topic in topics {
        assert_eq!(complaints(&log, topic), 1, "{topic}\n{}", tail(&log));
    }
}

/// The log without its bombs.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..]
        .iter()
        .map(|line| line.chars().take(300).collect::<String>() + "\n")
        .collect()
}

// covers: AV-003, AUTH-005, LIM-019, PH-006, PH-008
#[test]
fn wrong_payloads_change_nothing_while_phases_are_switched() {
    let settings = Settings::default()
        .with("ports[0]/user_authentication", "mqtt")
        .with("ports[0]/switch3to1phase", json!({ "enable": true }));
    suffer(&settings, &[&TOPICS[..], &PHASES].concat());
}

#[test]
fn wrong_payloads_change_nothing_with_ventilation_of_the_customer_s() {
    let settings = Settings::default()
        .with("ports[0]/user_authentication", "mqtt")
        .with(
            "ports[0]/ventilation",
            json!({ "enable": true, "control": "external" }),
        );
    suffer(&settings, &[&TOPICS[..], &VENTILATION].concat());
}
