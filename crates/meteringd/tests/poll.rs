//! The task that keeps reading a meter, on an echoing line.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::time::Duration;

use meteringd::desk::Desk;
use meteringd::meter::Meter;
use meteringd::poll::{Finding, Poller};
use meteringd::protocol::Protocol;
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
use tokio::sync::mpsc;

/// First register of an SDM630's serial number.
const SERIAL: u16 = 0xFC00;

struct Load;

impl MeterSource for Load {
    fn readings(&self) -> Readings {
        Readings {
            voltage: [230.0; 3],
            current: [16.0; 3],
            energy_wh: 1000.0,
            frequency: 50.0,
        }
    }
}

/// An SDM630 that says nothing about itself, and what is found about it.
fn silent_about_itself() -> (MeterPort, mpsc::Receiver<Finding>) {
    let config = MeterConfig {
        model: "eastron/sdm630".into(),
        address: 1,
        link: None,
    };
    let port = MeterPort::start(config, Load).unwrap();
    port.inject(Fault::SilentFrom(SERIAL));
    let bus = Bus::new(Line {
        port: port.path().into(),
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        echo: LocalEcho::Present,
    });
    let protocol = Protocol::named("eastron,sdm630").unwrap();
    let meter = Meter::new(bus, DeviceAddress::new(1).unwrap(), protocol);
    let (sender, findings) = mpsc::channel(1);
    let (asker, requests) = mpsc::channel(1);
    let poller = Poller::new(meter, protocol.unavailable_after);
    tokio::spawn(async move {
        // No request for a signed record comes.
        let _asker = asker;
        poller.run(sender, Desk::new(requests)).await;
    });
    (port, findings)
}

/// The serial number of the meter that is found next.
async fn identified(findings: &mut mpsc::Receiver<Finding>) -> Option<String> {
    loop {
        if let Finding::Identified(identity) = findings.recv().await.unwrap() {
            return identity.serial;
        }
    }
}

#[tokio::test]
async fn a_serial_number_that_was_missed_is_asked_for_again() {
    let (port, mut findings) = silent_about_itself();
    let both = async {
        let missed = identified(&mut findings).await;
        port.answer();
        [missed, identified(&mut findings).await]
    };
    let serials = tokio::time::timeout(Duration::from_secs(30), both).await;
    assert_eq!(serials.unwrap(), [None, Some("12345678".into())]);
}

#[tokio::test]
async fn a_meter_that_never_tells_its_serial_number_is_not_asked_for_ever() {
    const READINGS: usize = 24;
    let (port, mut findings) = silent_about_itself();
    let (mut readings, mut found) = (0, 0);
    let long = async {
        while readings < READINGS {
            match findings.recv().await.unwrap() {
                Finding::Read(_) => readings += 1,
                // Again, where a loaded machine loses the meter.
                Finding::Identified(_) => found += 1,
                Finding::Failed(_) | Finding::PublicKey(_) | Finding::Busy | Finding::Signed(_) => {
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(90), long)
        .await
        .unwrap();
    let heard = port.heard();
    let asked = heard.iter().filter(|heard| heard.start == SERIAL).count();
    assert!(asked > 2, "it was asked once and once more, then no more");
    assert!(asked <= found * (2 + 3), "asked {asked} times");
}
