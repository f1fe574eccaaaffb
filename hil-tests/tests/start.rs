//! What holds from one start of the station to the next, and what comes late.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::path::Path;

use hil_tests::{Bench, LATER, Observer, SOON, Settings, trace_directory};
use serde_json::json;
use simulator::bus::{Fault, SharedLine};
use simulator::central_system::{CentralSystem, Options};
use simulator::plant::sensors::RotarySwitch;
use simulator::recloser::Recloser;
use simulator::rfid::{Field, Sl032};

const SESSION: &str = "port0/session/state";
const OFFERED: &str = "port0/ci/evse/basic/offered_current_limit";
const TIME_SET: &str = "ci/global/time_set/status";

fn central_system() -> CentralSystem {
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    CentralSystem::start(options).unwrap()
}

// covers: BOOT-001
#[test]
fn every_daemon_starts_with_the_system_and_again_when_it_dies() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/systemd");
    let mut units = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let unit = std::fs::read_to_string(&path).unwrap();
        for line in [
            "Type=notify",
            "Restart=always",
            // A crash loop is no reason to give up.
            "StartLimitIntervalSec=0",
            // Wrong configuration is.
            "RestartPreventExitStatus=78",
            "WantedBy=multi-user.target",
        ] {
            assert!(
                unit.lines().any(|own| own == line),
                "{path:?} without {line}"
            );
        }
        assert!(unit.contains("\nWatchdogSec="), "{path:?}");
        units += 1;
    }
    assert!(units >= 5, "{units} units");
}

// covers: BOOT-003
#[test]
fn a_clock_that_is_right_is_told_and_kept_by_the_broker() {
    let central = central_system();
    let bench = Bench::start(&Settings::default().with_central_system(central.uri()));
    bench.expect(TIME_SET, "1", SOON);
    let late = Observer::connect("late", bench.broker.port());
    late.expect(TIME_SET, "1", SOON);
    let kept = late.history();
    assert!(
        kept.iter()
            .any(|seen| seen.topic == TIME_SET && seen.retained)
    );
}

// covers: BOOT-004
#[test]
fn nobody_waits_for_the_clock_to_be_set() {
    let bench = Bench::start(&Settings::default());
    bench.charge();
    assert_eq!(bench.observer.text(TIME_SET), None);
}

// covers: BOOT-006
#[test]
fn a_reboot_in_a_charge_opens_the_contactor_and_ends_the_transaction() {
    let central = central_system();
    let mut bench = Bench::start(&Settings::default().with_central_system(central.uri()));
    central.wait_connected(LATER).unwrap();
    bench.plug_in();
    bench.expect(SESSION, "connected", SOON);
    bench.swipe("04A1B2C3D4");
    bench.expect(SESSION, "charging", LATER);
    central
        .wait_for("StartTransaction", |_| true, LATER)
        .unwrap();
    // As systemd stops them: all at once, in no order.
    assert!(bench.stop_daemon("evsed").success());
    bench.wait_for("relay 1 is open", SOON, |plant| !plant.relay_commands()[0]);
    assert!(bench.stop_daemon("ocppd").success());
    bench.start_daemon("evsed");
    bench.start_daemon("ocppd");
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    assert!(
        stop["reason"] == "Reboot" || stop["reason"] == "PowerLoss",
        "{stop}"
    );
    // The card that started it has had its session.
    bench.expect(SESSION, "connected", LATER);
}

// covers: BOOT-007
#[test]
fn a_reader_and_a_recloser_may_come_later_than_their_daemons() {
    let line = SharedLine::start(vec![
        Box::new(Sl032::new(Field::default())),
        Box::new(Recloser::default().at(3)),
    ])
    .unwrap();
    let settings = Settings::default()
        .with(
            "ports[0]/rfid",
            json!({ "enable": true, "port": line.path() }),
        )
        .with(
            "ports[0]/recloser",
            json!({ "enable": true, "port": line.path() }),
        );
    let mut bench = Bench::prepare(&settings);
    bench.write_file(
        "config/profiles/geya.json",
        r#"{"device": "simulated recloser", "source": "simulator",
            "state": {"function": "holding", "register": 0, "open": [0], "close": [1]},
            "open": {"register": 1, "value": 1}, "close": {"register": 1, "value": 2}}"#,
    );
    for device in [0, 1] {
        line.inject(device, Fault::Silence);
    }
    bench.start_daemon("rfidd");
    bench.start_daemon("recloserd");
    let (reader, recloser) = ("port0/rfid/available", "port0/rcd/recloser/error");
    bench.expect(reader, "0", LATER);
    bench.expect(recloser, "1", LATER);
    for device in [0, 1] {
        line.repair(device);
    }
    bench.expect(reader, "1", LATER);
    bench.expect(recloser, "0", LATER);
}

// covers: LIM-017
#[test]
fn a_dynamic_limit_that_the_broker_did_not_keep_is_gone_after_a_restart() {
    let mut bench = Bench::prepare(&Settings::default());
    bench.start_daemon("evsed");
    bench.expect(OFFERED, "32.0", SOON);
    let limit = |name: &str, text: &str, retain| {
        let topic = format!("ci/global/dyn_current_limit/{name}");
        bench.observer.publish_raw(&topic, text, retain);
    };
    limit("kept", "16", true);
    limit("passing", "10", false);
    bench.expect(OFFERED, "10.0", SOON);
    assert!(bench.stop_daemon("evsed").success());
    bench.start_daemon("evsed");
    bench.expect(OFFERED, "16.0", SOON);
    // Nor does the name take one of the five places.
    for number in 1..5 {
        let topic = format!("ci/global/dyn_current_limit/new{number}");
        bench
            .observer
            .publish_raw(&topic, &format!("{}", 15 - number), false);
    }
    bench.expect(OFFERED, "11.0", SOON);
}

// covers: LIM-004, LIM-027
#[test]
fn the_rotary_switch_counts_at_the_next_start() {
    let grid = "port0/ci/evse/basic/grid_current_limit/actual";
    let mut bench = Bench::prepare(&Settings::default());
    bench.start_daemon("evsed");
    bench.expect(grid, "32", SOON);
    bench.expect(OFFERED, "32.0", SOON);
    bench.station().plant().rotary = RotarySwitch::At(9);
    let mark = bench.observer.mark();
    bench.charge();
    bench.expect("port0/cp/duty_cycle", "53.33", SOON);
    bench.unplug();
    let changes = bench.observer.since(mark);
    assert!(changes.iter().all(|seen| seen.topic != grid), "{changes:?}");
    assert!(bench.stop_daemon("evsed").success());
    bench.start_daemon("evsed");
    bench.wait_for("evsed runs", SOON, |_| {
        bench.observer.text(grid).is_some_and(|text| text != "32")
    });
}

// covers: LIM-025, LIM-026
#[test]
fn rotaryencd_json_and_a_switch_between_two_positions_limit_the_grid() {
    let grid = "port0/ci/evse/basic/grid_current_limit/actual";
    let settings = Settings::default().with("ports[0]/switch3to1phase", json!({ "enable": true }));
    let mut bench = Bench::prepare(&settings);
    let mut positions = vec![json!({ "phase_count": 3, "current_limit": 40 }); 16];
    positions[0xD] = json!({ "phase_count": 1, "current_limit": 25 });
    let file = json!({ "rotary_switch_1": positions }).to_string();
    bench.write_file("config/rotaryencd.json", &file);
    bench.start_daemon("evsed");
    bench.expect(grid, "25", SOON);
    bench.expect(OFFERED, "25.0", SOON);
    // One phase leaves nothing to switch.
    let refused = "refused, the rotary switch is not on three phases";
    assert!(bench.log("evsed").contains(refused));

    // 40 A on one side of the switch's rest.
    bench.station().plant().rotary = RotarySwitch::Between(0xD);
    for _ in 0..3 {
        assert!(bench.stop_daemon("evsed").success());
        bench.observer.forget();
        bench.start_daemon("evsed");
        bench.expect(SESSION, "idle", SOON);
        bench.expect(grid, "25", SOON);
    }
    assert!(bench.stop_daemon("evsed").success());
    bench.write_file("config/rotaryencd.json", r#"{"rotary_switch_1": 5}"#);
    bench.start_daemon("evsed");
    assert_eq!(bench.daemon("evsed").wait(SOON).code(), Some(78));
    assert!(bench.log("evsed").contains("rotaryencd.json: "));
}

// covers: LIM-023
#[test]
fn a_station_without_settings_offers_6_a() {
    let mut bench = Bench::prepare(&Settings::default());
    bench.write_file("config/customer.json", "{}");
    bench.start_daemon("evsed");
    bench.expect("port0/ci/evse/basic/evse_current_limit/actual", "6", SOON);
    bench.expect(OFFERED, "6.0", SOON);
}

// covers: RCD-037
#[test]
fn monitoring_a_residual_current_device_without_its_test_is_warned_about() {
    for (test_gpio, warned) in [(-1, true), (87, false)] {
        let configured = json!({ "enable": true, "test_gpio": test_gpio });
        let mut bench =
            Bench::prepare(&Settings::default().with("ports[0]/rcd_monitor", configured));
        {
            let station = bench.station();
            let rcd = &mut station.plant().rcd;
            rcd.settings.feedback_input = 2;
            rcd.settings.test_output = 4;
        }
        bench.start_daemon("evsed");
        bench.expect(SESSION, "idle", SOON);
        bench.expect("port0/rcd/feedback/available", "1", SOON);
        let tested = if warned { "0" } else { "1" };
        bench.expect("port0/rcd/test/available", tested, SOON);
        let log = bench.log("evsed");
        let lines = log.lines().filter(|line| line.contains("IEC 62955"));
        assert_eq!(lines.count(), usize::from(warned), "{log}");
    }
}
