//! Each model, read from a simulated meter on an echoing line.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use meteringd::maps::DVH4013;
use meteringd::meter::{Error, Identity, Meter, Progress};
use meteringd::protocol::Protocol;
use meteringd::reading::Reading;
use meteringd::scan::{self, Pace};
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity, ReadFunction};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
use tokio::time::{Instant, sleep_until};
use topic_map::PerPhase;

/// The load at which the register contents of the makers' maps were computed.
const REFERENCE: Readings = Readings {
    voltage: [230.0; 3],
    current: [16.0; 3],
    energy_wh: 12_345_678.0,
    frequency: 50.0,
};

#[derive(Clone)]
struct Load(Arc<Mutex<Readings>>);

impl MeterSource for Load {
    fn readings(&self) -> Readings {
        *self.0.lock().unwrap()
    }
}

fn simulated(model: &str, load: Readings) -> MeterPort {
    simulated_at(1, model, load)
}

fn simulated_at(address: u8, model: &str, load: Readings) -> MeterPort {
    let config = MeterConfig {
        model: model.into(),
        address,
        link: None,
    };
    MeterPort::start(config, Load(Arc::new(Mutex::new(load)))).unwrap()
}

fn bus(port: &MeterPort) -> Bus {
    Bus::new(Line {
        port: port.path().into(),
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        echo: LocalEcho::Present,
    })
}

fn reader(port: &MeterPort, protocol: &str) -> Meter {
    let protocol = Protocol::named(protocol).unwrap();
    Meter::new(bus(port), DeviceAddress::new(1).unwrap(), protocol)
}

async fn read(port: &MeterPort, protocol: &str) -> (Identity, Reading) {
    let mut meter = reader(port, protocol);
    let identity = meter.identify().await.unwrap();
    let reading = meter.read(identity.model).await.unwrap();
    (identity, reading)
}

/// One answer comes late by `late` ms, and the meter is slow behind it.
fn stall(late: u64) -> Fault {
    Fault::Stall {
        first: Duration::from_millis(late),
        then: Duration::from_millis(300),
    }
}

fn three(total: Option<f64>, each: f64) -> PerPhase {
    PerPhase {
        total,
        l1: Some(each),
        l2: Some(each),
        l3: Some(each),
    }
}

fn one(total: Option<f64>, l1: f64) -> PerPhase {
    PerPhase {
        total,
        l1: Some(l1),
        l2: None,
        l3: None,
    }
}

fn three_phase_reference() -> Reading {
    Reading {
        energy: Some(12_345_678.0),
        power: three(Some(11_040.0), 3680.0),
        voltage: three(None, 230.0),
        current: three(Some(48.0), 16.0),
        frequency: Some(50.0),
    }
}

fn single_phase_reference() -> Reading {
    Reading {
        energy: Some(12_345_678.0),
        power: one(Some(3680.0), 3680.0),
        voltage: one(None, 230.0),
        current: one(None, 16.0),
        frequency: Some(50.0),
    }
}

fn total_only_reference() -> Reading {
    Reading {
        energy: Some(12_345_678.0),
        power: PerPhase {
            total: Some(11_040.0),
            ..PerPhase::default()
        },
        ..Reading::default()
    }
}

/// Energy as a register shows it that counts in steps of `step` Wh.
fn in_steps_of(step: f64, reading: Reading) -> Reading {
    Reading {
        energy: reading.energy.map(|energy| (energy / step).round() * step),
        ..reading
    }
}

/// Each simulated model, the protocol that reads it, its serial number and what it
/// measures at the reference load.
fn table() -> Vec<(&'static str, &'static str, Option<&'static str>, Reading)> {
    let three = three_phase_reference;
    let without_total_current = || Reading {
        current: crate::three(None, 16.0),
        ..three()
    };
    let one = single_phase_reference;
    let one_with_total_current = || Reading {
        current: crate::one(Some(16.0), 16.0),
        ..one()
    };
    let two = |total| PerPhase {
        l3: None,
        ..crate::three(total, 0.0)
    };
    let split = || Reading {
        power: PerPhase {
            l1: Some(3680.0),
            l2: Some(3680.0),
            ..two(Some(7360.0))
        },
        voltage: PerPhase {
            l1: Some(230.0),
            l2: Some(230.0),
            ..two(None)
        },
        current: PerPhase {
            l1: Some(16.0),
            l2: Some(16.0),
            ..two(Some(32.0))
        },
        ..three()
    };
    let dzg = Reading {
        power: PerPhase {
            total: Some(11_040.0),
            ..PerPhase::default()
        },
        ..without_total_current()
    };
    let gavazzi = || in_steps_of(100.0, without_total_current());
    let gavazzi_one = || in_steps_of(100.0, one());
    let eastron = Some("12345678");
    vec![
        ("dzg/dvh4013", "dzg", None, dzg),
        ("eastron/sdm630", "eastron,sdm630", eastron, three()),
        ("eastron/sdm230", "eastron,sdm230", Some("12345679"), one()),
        (
            "eastron/sdm72dm-v1",
            "eastron,sdm72dm-v1",
            None,
            total_only_reference(),
        ),
        ("eastron/sdm72dm-v2", "eastron,sdm72dm-v2", eastron, three()),
        (
            "elecnova/dts1946",
            "elecnova,dts1946",
            None,
            without_total_current(),
        ),
        (
            "elecnova/dds1946",
            "elecnova,dds1946",
            None,
            in_steps_of(10.0, one()),
        ),
        ("gavazzi/em300", "gavazzi", Some("12345678Z"), gavazzi()),
        ("gavazzi/et300", "gavazzi", Some("12345678Z"), gavazzi()),
        ("gavazzi/em100", "gavazzi", Some("AB12345"), gavazzi_one()),
        ("gavazzi/et100", "gavazzi", Some("AB12345"), gavazzi_one()),
        (
            "eem-350-d-mcb/eem-350-d-mcb",
            "eem-350-d-mcb",
            Some("87654321"),
            gavazzi(),
        ),
        (
            "klefr/694x",
            "klefr",
            Some("21010042"),
            without_total_current(),
        ),
        ("klefr/693x", "klefr", Some("21010043"), one()),
        (
            "abb/ev3-012-100",
            "abb",
            Some("001122334455"),
            without_total_current(),
        ),
        (
            "iskra/wm3m4",
            "iskra",
            Some("87654321"),
            in_steps_of(10.0, three()),
        ),
        (
            "iskra/wm3m4c",
            "iskra",
            Some("12345678"),
            in_steps_of(10.0, three()),
        ),
        (
            "socomec/countis-e03-e04",
            "socomec",
            Some("20260042ABCD"),
            in_steps_of(10.0, one()),
        ),
        (
            "sunspec/bsm-ws36a",
            "sunspec",
            Some("001BZR1521070006"),
            three(),
        ),
        (
            "sunspec/model-201",
            "sunspec",
            Some("SIM-201"),
            one_with_total_current(),
        ),
        ("sunspec/model-202", "sunspec", Some("SIM-202"), split()),
        ("sunspec/model-203", "sunspec", Some("SIM-203"), three()),
        ("sunspec/model-204", "sunspec", Some("SIM-204"), three()),
        (
            "sunspec/model-211",
            "sunspec",
            Some("SIM-211"),
            one_with_total_current(),
        ),
        ("sunspec/model-212", "sunspec", Some("SIM-212"), split()),
        ("sunspec/model-213", "sunspec", Some("SIM-213"), three()),
        ("sunspec/model-214", "sunspec", Some("SIM-214"), three()),
    ]
}

// covers: MET-014, MET-015, MET-018, MET-019, MET-020
#[tokio::test]
async fn every_model_gives_every_quantity_and_its_serial_number() {
    for (simulated_as, protocol, serial, expected) in table() {
        let port = simulated(simulated_as, REFERENCE);
        let (identity, reading) = read(&port, protocol).await;
        assert_eq!(identity.model.protocol, protocol);
        assert_eq!(identity.serial.as_deref(), serial, "{simulated_as}");
        assert_eq!(reading, expected, "{simulated_as}");
    }
}

#[tokio::test]
async fn a_meter_that_tells_its_name_is_called_by_it() {
    for (simulated_as, protocol, model, name) in [
        ("abb/ev3-012-100", "abb", "ABB EV3", "EV3 012-100"),
        ("iskra/wm3m4", "iskra", "Iskra WM3M4", "WM3M4"),
        ("iskra/wm3m4c", "iskra", "Iskra WM3M4C", "WM3M4C"),
        (
            "sunspec/bsm-ws36a",
            "sunspec",
            "SunSpec model 203 (three phases, wye)",
            "mode3 simulated BSM-WS36A",
        ),
        ("dzg/dvh4013", "dzg", "DZG DVH4013", "DZG DVH4013"),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let (identity, _) = read(&port, protocol).await;
        assert_eq!((identity.model.name, identity.name.as_str()), (model, name));
    }
}

#[tokio::test]
async fn another_device_is_not_taken_for_a_meter() {
    for (simulated_as, protocol) in [
        ("klefr/694x", "gavazzi"),
        ("eastron/sdm630", "iskra"),
        ("abb/ev3-012-100", "sunspec"),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let error = reader(&port, protocol).identify().await.unwrap_err();
        assert!(matches!(error, Error::NotThisProtocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn phases_are_not_mixed_up() {
    let load = Readings {
        voltage: [231.0, 232.0, 233.0],
        current: [6.0, 10.0, 16.0],
        energy_wh: 1500.0,
        frequency: 49.9,
    };
    for (simulated_as, protocol) in [
        ("eastron/sdm630", "eastron"),
        ("eastron/sdm72dm-v2", "eastron"),
        ("klefr/694x", "klefr"),
        ("elecnova/dts1946", "elecnova,dts1946"),
        ("gavazzi/em300", "gavazzi"),
        ("eem-350-d-mcb/eem-350-d-mcb", "eem-350-d-mcb"),
        ("abb/ev3-012-100", "abb"),
        ("iskra/wm3m4c", "iskra"),
        ("sunspec/bsm-ws36a", "sunspec"),
        ("sunspec/model-213", "sunspec"),
    ] {
        let port = simulated(simulated_as, load);
        let (_, reading) = read(&port, protocol).await;
        let phases = |values: PerPhase| [values.l1, values.l2, values.l3].map(Option::unwrap);
        assert_eq!(
            phases(reading.voltage),
            [231.0, 232.0, 233.0],
            "{simulated_as}"
        );
        assert_eq!(phases(reading.current), [6.0, 10.0, 16.0], "{simulated_as}");
        assert_eq!(
            phases(reading.power),
            [1386.0, 2320.0, 3728.0],
            "{simulated_as}"
        );
        assert_eq!(reading.power.total, Some(7434.0), "{simulated_as}");
        assert_eq!(reading.energy, Some(1500.0), "{simulated_as}");
        assert_eq!(reading.frequency, Some(49.9), "{simulated_as}");
    }
}

// covers: MET-013
#[tokio::test]
async fn eastron_finds_the_model_by_its_meter_code_or_by_its_phases() {
    for (simulated_as, found) in [
        ("eastron/sdm630", "eastron,sdm630"),
        ("eastron/sdm72dm-v1", "eastron,sdm72dm-v1"),
        ("eastron/sdm72dm-v2", "eastron,sdm72dm-v2"),
        // Its Meter Code is not known: it is told by its single phase.
        ("eastron/sdm230", "eastron,sdm230"),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let (identity, _) = read(&port, "eastron").await;
        assert_eq!(identity.model.protocol, found);
    }
}

#[tokio::test]
async fn a_meter_that_nothing_fits_is_asked_to_be_configured() {
    let dead_line = Readings {
        voltage: [0.0; 3],
        ..REFERENCE
    };
    let port = simulated("eastron/sdm230", dead_line);
    let error = reader(&port, "eastron").identify().await.unwrap_err();
    assert!(matches!(error, Error::UnknownModel { .. }), "{error}");
    assert!(error.to_string().contains("eastron,sdm72dm-v1"), "{error}");
}

// covers: MET-008
#[tokio::test]
async fn only_the_expected_address_is_asked() {
    let port = simulated("eastron/sdm630", REFERENCE);
    port.go_silent();
    let mut meter = reader(&port, "eastron");
    for _ in 0..2 {
        meter.identify().await.unwrap_err();
    }
    let heard = port.heard();
    assert!(!heard.is_empty());
    assert!(heard.iter().all(|request| request.slave == 1), "{heard:?}");
}

#[tokio::test]
async fn a_meter_that_refuses_long_reads_is_read_value_by_value() {
    for (simulated_as, protocol, expected) in [
        ("eastron/sdm230", "eastron,sdm230", single_phase_reference()),
        ("eastron/sdm630", "eastron,sdm630", three_phase_reference()),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        port.inject(Fault::SingleValuesOnly);
        let (_, reading) = read(&port, protocol).await;
        assert_eq!(reading, expected, "{simulated_as}");
    }
}

#[tokio::test]
async fn a_meter_has_the_rest_that_its_model_wants() {
    let port = simulated("eastron/sdm72dm-v1", REFERENCE);
    let mut meter = reader(&port, "eastron,sdm72dm-v1");
    let model = meter.identify().await.unwrap().model;
    let start = std::time::Instant::now();
    meter.read(model).await.unwrap();
    assert!(start.elapsed() >= model.pause, "two requests");
    assert!(model.pause > meteringd::maps::PAUSE);
}

// Every answer of a DZG looks alike: it is asked something else before the repetition.
#[tokio::test]
async fn one_lost_frame_is_no_failure() {
    for (simulated_as, protocol) in [
        ("eastron/sdm72dm-v1", "eastron,sdm72dm-v1"),
        ("dzg/dvh4013", "dzg"),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let mut meter = reader(&port, protocol);
        let model = meter.identify().await.unwrap().model;
        let right = meter.read(model).await.unwrap();
        port.go_silent();
        let heard = port.heard().len();
        let start = Instant::now();
        let reading = tokio::spawn(async move { meter.read(model).await });
        let first_request_is_lost = async {
            while port.heard().len() == heard {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), first_request_is_lost)
            .await
            .unwrap();
        port.answer();
        assert_eq!(reading.await.unwrap().unwrap(), right, "{simulated_as}");
        let took = start.elapsed();
        let patience = Protocol::named(protocol).unwrap().unavailable_after;
        assert!(took < patience, "{simulated_as} is an outage: {took:?}");
    }
}

// covers: MET-005
#[tokio::test]
async fn a_search_asks_each_address_once_and_lets_others_use_the_line() {
    // The twentieth to be asked; it may be slow to answer on a loaded machine.
    let port = simulated_at(0x20, "dzg/dvh4013", REFERENCE);
    let mut searcher = bus(&port);
    let progress = Progress::default();
    let search = scan::find(&mut searcher, &DVH4013, Pace::USUAL, &progress);
    let neighbour = async {
        let mut bus = bus(&port);
        let device = DeviceAddress::new(200).unwrap();
        for _ in 0..10 {
            // Nobody is there; what counts is that the line was free.
            let limit = Duration::from_millis(20);
            let nobody = bus.probe(device, ReadFunction::Input, 0, 3, limit).await;
            assert!(
                !matches!(nobody, Err(rs485::Error::Busy { .. })),
                "{nobody:?}"
            );
        }
    };
    let (found, ()) = tokio::join!(search, neighbour);
    assert_eq!(found.map(DeviceAddress::number), Some(0x20));
    let mut asked: Vec<u8> = port.heard().iter().map(|heard| heard.slave).collect();
    asked.retain(|slave| *slave != 200);
    let count = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), count, "an address was asked twice");
    assert!(progress.take());
}

#[tokio::test]
async fn a_search_does_not_take_another_device_for_the_meter() {
    let port = simulated_at(3, "klefr/694x", REFERENCE);
    let pace = Pace {
        limit: Duration::from_millis(60),
        rest: Duration::ZERO,
    };
    let found = scan::find(&mut bus(&port), &DVH4013, pace, &Progress::default()).await;
    assert_eq!(found, None);
    assert!(port.heard().iter().any(|heard| heard.slave == 3));
}

// Every answer of a DZG looks alike: the meter is slow, one answer comes too late, and
// the answers behind it must not pass for those to the next questions.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_one() {
    let load = Readings {
        voltage: [231.0, 232.0, 233.0],
        current: [6.0, 10.0, 16.0],
        ..REFERENCE
    };
    for (simulated_as, protocol) in [("dzg/dvh4013", "dzg"), ("eastron/sdm630", "eastron,sdm630")] {
        let port = simulated(simulated_as, load);
        let mut meter = reader(&port, protocol);
        let model = meter.identify().await.unwrap().model;
        let right = meter.read(model).await.unwrap();
        for late in [950, 1100, 1300] {
            port.inject(stall(late));
            let mut readings = Vec::new();
            for _ in 0..3 {
                readings.push(meter.read(model).await);
            }
            for reading in readings.iter().flatten() {
                assert_eq!(*reading, right, "{simulated_as} {late} ms late");
            }
            assert!(
                readings.iter().any(Result::is_ok),
                "{simulated_as}: {readings:?}"
            );
            port.answer();
        }
    }
}

// Voltage and serial number of a Klefr are two registers each.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_serial_number() {
    let port = simulated("klefr/694x", REFERENCE);
    let right = reader(&port, "klefr").identify().await.unwrap();
    for late in [950, 1100, 1300] {
        port.inject(stall(late));
        let identity = reader(&port, "klefr").identify().await.unwrap();
        assert_eq!(identity.serial, right.serial, "{late} ms late");
    }
}

/// What is heard from a meter that lags behind answers an earlier request.
#[tokio::test]
async fn a_meter_that_lags_behind_tells_no_wrong_serial_number() {
    let lagging = async |apart: u64| {
        let port = simulated("klefr/694x", REFERENCE);
        let mut meter = reader(&port, "klefr");
        let right = meter.identify().await.unwrap().serial;
        port.inject(Fault::Delay(Duration::from_millis(1_750)));
        for _ in 0..5 {
            if let Ok(identity) = meter.identify().await {
                let told = identity.serial;
                assert!(
                    told.is_none() || told == right,
                    "{apart} ms apart: {told:?}"
                );
            }
            sleep_until(Instant::now() + Duration::from_millis(apart)).await;
        }
    };
    tokio::join!(
        lagging(0),
        lagging(200),
        lagging(300),
        lagging(400),
        lagging(600)
    );
}

#[tokio::test]
async fn a_meter_that_says_nothing_about_itself_is_read() {
    for (simulated_as, protocol, silent_from, serial) in [
        ("eastron/sdm630", "eastron", 0xFC00, None),
        ("abb/ev3-012-100", "abb", 0x8900, Some("001122334455")),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let expected = read(&port, protocol).await.1;
        port.inject(Fault::SilentFrom(silent_from));
        let (identity, reading) = read(&port, protocol).await;
        assert_eq!(reading, expected, "{simulated_as}");
        assert_eq!(identity.serial.as_deref(), serial, "{simulated_as}");
        assert_eq!(identity.name, identity.model.name);
    }
}
