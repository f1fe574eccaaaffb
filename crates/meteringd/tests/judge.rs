//! Each model, read by meteringd and by minimalmodbus with a decoder of its own: both
//! must find the values of a table that belongs to neither.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use meteringd::meter::{Identity, Meter};
use meteringd::protocol::Protocol;
use meteringd::reading::Reading;
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity};
use simulator::meter::{MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
use topic_map::PerPhase;

struct ReferenceLoad;

impl MeterSource for ReferenceLoad {
    fn readings(&self) -> Readings {
        Readings {
            voltage: [230.0; 3],
            current: [16.0; 3],
            energy_wh: 12_345_678.0,
            frequency: 50.0,
        }
    }
}

/// What was found under `quantity,phase`.
type Findings = BTreeMap<String, String>;

fn judges() -> OsString {
    std::env::var_os("MODE3_JUDGES")
        .unwrap_or_else(|| panic!("MODE3_JUDGES names no Python interpreter: run ./dev test"))
}

fn tools() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/judges"))
}

/// The models of the judge's table.
fn models() -> Vec<String> {
    let table = std::fs::read_to_string(tools().join("meters.csv")).unwrap();
    let mut models: Vec<String> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    models.sort();
    models.dedup();
    models
}

/// The protocol of the guide that reads the simulated `model`.
fn protocol_of(model: &str) -> &'static Protocol {
    let key = match model.split_once('/').unwrap() {
        ("eastron" | "elecnova", _) => model.replace('/', ","),
        (protocol, _) => protocol.to_owned(),
    };
    Protocol::named(&key).unwrap()
}

fn by_the_judge(port: &MeterPort, model: &str) -> Findings {
    let output = Command::new(judges())
        .arg(tools().join("meters.py"))
        .arg(port.path())
        .arg("1")
        .arg(model)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{model}: {complaint}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let (name, value) = line.rsplit_once(',').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

async fn by_meteringd(port: &MeterPort, model: &str) -> Findings {
    let line = Line {
        port: port.path().into(),
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        echo: LocalEcho::Present,
    };
    let device = DeviceAddress::new(1).unwrap();
    let mut meter = Meter::new(Bus::new(line), device, protocol_of(model));
    let identity = meter.identify().await.unwrap();
    let reading = meter.read(identity.model).await.unwrap();
    findings(identity, reading)
}

fn findings(identity: Identity, reading: Reading) -> Findings {
    let mut findings = Findings::new();
    let mut note = |quantity: &str, phase: &str, value: Option<f64>| {
        if let Some(value) = value {
            findings.insert(format!("{quantity},{phase}"), format!("{value:?}"));
        }
    };
    for (quantity, values) in [
        ("voltage", reading.voltage),
        ("current", reading.current),
        ("power", reading.power),
    ] {
        let PerPhase { total, l1, l2, l3 } = values;
        note(quantity, "total", total);
        note(quantity, "L1", l1);
        note(quantity, "L2", l2);
        note(quantity, "L3", l3);
    }
    note("frequency", "-", reading.frequency);
    note("energy_import", "total", reading.energy);
    if let Some(serial) = identity.serial {
        findings.insert("serial,-".into(), serial);
    }
    findings
}

// covers: MET-020
#[tokio::test]
async fn meteringd_and_an_independent_reader_find_the_same_values() {
    let models = models();
    assert_eq!(models.len(), 27, "{models:?}");
    for model in models {
        let config = MeterConfig {
            model: model.clone(),
            address: 1,
            link: None,
        };
        let port = MeterPort::start(config, ReferenceLoad).unwrap();
        let judged = by_the_judge(&port, &model);
        let mut read = by_meteringd(&port, &model).await;
        // A single-phase meter has one power, which meteringd also tells as that of L1.
        if !judged.contains_key("power,L1") && !judged.contains_key("voltage,L2") {
            read.remove("power,L1");
        }
        assert_eq!(read, judged, "{model}");
    }
}
