//! How quickly ocppd delivers what it has kept while it was not connected.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::central_system::{CentralSystem, Options};

use super::rig::run;
use super::usage::{Used, used};
use crate::{Bench, LATER, SOON, Settings};

const AUTHORIZED: &str = "port0/session/authorization_status";
/// Messages of a transaction while no values are sampled: its start and its stop.
const MESSAGES: usize = 2;
/// Between two attempts to connect passes up to a minute.
const RETURN: Duration = Duration::from_secs(100);
/// The slowest replay that is waited for, for each message.
const PATIENCE: Duration = Duration::from_secs(1);

/// A queue that was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// Messages in it.
    pub messages: usize,
    /// From the first message to the last one, at the central system.
    pub took: Duration,
    /// What ocppd used from the return of the central system on.
    pub used: Used,
}

/// Fill the queue with the starts and stops of offline transactions, let the central
/// system return, and look. ocppd is alone with the broker: sessions are published as
/// evsed would, only quicker than a contactor moves.
pub(super) fn replay(messages: usize) -> Replay {
    let transactions = messages.div_ceil(MESSAGES);
    let central = CentralSystem::start(Options::default()).expect("a central system");
    let settings = Settings::default()
        .with_central_system(central.uri())
        .with("ocpp/AllowOfflineTxForUnknownId", true)
        .with("ocpp/MeterValueSampleInterval", 0);
    let bench = Bench::prepare(&settings);
    session(&bench, "idle", "A", 0);
    let ocppd = run(&bench, "ocppd", Path::new("/dev/null"));
    bench.expect("ocpp/online", "1", LATER);
    bench.expect(AUTHORIZED, "0", SOON);
    central.stop().expect("a central system that stops");
    bench.expect("ocpp/online", "0", LATER);
    for number in 1..=transactions {
        transaction(&bench, number);
    }

    let before = used("ocppd", ocppd.id());
    central.mark();
    central.restart_on_same_port().expect("the same port");
    let wait = |action: &str, fits: &dyn Fn(&Value) -> bool, limit| {
        if let Err(report) = central.wait_for(action, fits, limit) {
            panic!("{report}");
        }
        Instant::now()
    };
    let first = wait("StartTransaction", &|_| true, RETURN);
    // The central system counts them from 1.
    let is_last = |stop: &Value| stop["transactionId"] == transactions;
    let patience = PATIENCE * u32::try_from(messages).expect("a moderate number");
    let last = wait("StopTransaction", &is_last, patience + LATER);
    let delivered =
        ["StartTransaction", "StopTransaction"].map(|action| central.calls(action).len());
    assert_eq!(delivered, [transactions; 2], "starts and stops");
    Replay {
        messages: MESSAGES * transactions,
        took: last - first,
        used: used("ocppd", ocppd.id()) - before,
    }
}

fn transaction(bench: &Bench, number: usize) {
    session(bench, "connected", "B", number);
    let card = format!("[\"ISO14443\",\"{number:08X}\"]");
    bench
        .observer
        .publish_raw("port0/rfid/authorization_request", &card, false);
    bench.expect(AUTHORIZED, "1", SOON);
    session(bench, "charging", "C", number);
    session(bench, "idle", "A", number + 1);
    bench.expect(AUTHORIZED, "0", SOON);
}

/// What evsed and meteringd would publish.
fn session(bench: &Bench, state: &str, pilot: &str, energy_wh: usize) {
    let publish = |topic: &str, text: &str| bench.observer.publish_raw(topic, text, true);
    let values = format!("{{\"timestamp\":\"2026-01-02T03:04:05Z\",\"energy_wh\":{energy_wh}}}");
    publish("port0/metering/meter/values", &values);
    publish("port0/ci/charge/cp/status", pilot);
    publish("port0/ci/evse/basic/offered_current_limit", "16.0");
    publish("port0/session/state", state);
}
