//! Each model, read from a simulated meter on an echoing line.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use meteringd::meter::{Error, Identity, Meter};
use meteringd::protocol::Protocol;
use meteringd::reading::Reading;
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
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
    let config = MeterConfig {
        model: model.into(),
        address: 1,
        link: None,
    };
    MeterPort::start(config, Load(Arc::new(Mutex::new(load)))).unwrap()
}

fn reader(port: &MeterPort, protocol: &str) -> Meter {
    let line = Line {
        port: port.path().into(),
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        echo: LocalEcho::Present,
    };
    let protocol = Protocol::named(protocol).unwrap();
    Meter::new(Bus::new(line), DeviceAddress::new(1).unwrap(), protocol)
}

async fn read(port: &MeterPort, protocol: &str) -> (Identity, Reading) {
    let mut meter = reader(port, protocol);
    let identity = meter.identify().await.unwrap();
    let reading = meter.read(identity.model).await.unwrap();
    (identity, reading)
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

// covers: MET-014, MET-015, MET-018, MET-020
#[tokio::test]
async fn every_model_gives_every_quantity_and_its_serial_number() {
    let klefr = Reading {
        current: three(None, 16.0),
        ..three_phase_reference()
    };
    for (simulated_as, protocol, serial, expected) in [
        (
            "eastron/sdm630",
            "eastron,sdm630",
            Some("12345678"),
            three_phase_reference(),
        ),
        (
            "eastron/sdm230",
            "eastron,sdm230",
            Some("12345679"),
            single_phase_reference(),
        ),
        (
            "eastron/sdm72dm-v1",
            "eastron,sdm72dm-v1",
            None,
            total_only_reference(),
        ),
        (
            "eastron/sdm72dm-v2",
            "eastron,sdm72dm-v2",
            Some("12345678"),
            three_phase_reference(),
        ),
        ("klefr/694x", "klefr", Some("21010042"), klefr),
        (
            "klefr/693x",
            "klefr",
            Some("21010043"),
            single_phase_reference(),
        ),
    ] {
        let port = simulated(simulated_as, REFERENCE);
        let (identity, reading) = read(&port, protocol).await;
        assert_eq!(identity.model.protocol, protocol);
        assert_eq!(identity.serial.as_deref(), serial, "{simulated_as}");
        assert_eq!(reading, expected, "{simulated_as}");
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
async fn one_lost_frame_is_no_failure() {
    let port = simulated("eastron/sdm72dm-v1", REFERENCE);
    let mut meter = reader(&port, "eastron,sdm72dm-v1");
    let identity = meter.identify().await.unwrap();
    port.go_silent();
    let heard = port.heard().len();
    let reading = tokio::spawn(async move { meter.read(identity.model).await });
    let first_request_is_lost = async {
        while port.heard().len() == heard {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), first_request_is_lost)
        .await
        .unwrap();
    port.answer();
    assert_eq!(reading.await.unwrap().unwrap(), total_only_reference());
}
