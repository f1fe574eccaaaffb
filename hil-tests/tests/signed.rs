//! Signed meter values from the meter to the central system, judged by openssl.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

#[path = "../../crates/meteringd/tests/support/openssl.rs"]
mod openssl;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, SOON, Settings, trace_directory};
use openssl::assert_signed_by;
use serde_json::{Value, json};
use simulator::central_system::{CentralSystem, Options};
use simulator::meter::Fault;

const SESSION: &str = "port0/session/state";
const TAG: &str = "04A1B2C3D4";

fn central_system() -> CentralSystem {
    let options = Options {
        trace_dir: Some(trace_directory()),
        ..Options::default()
    };
    CentralSystem::start(options).unwrap()
}

fn settings(central: &CentralSystem) -> Settings {
    Settings::default()
        .with_meter("iskra/wm3m4c", "iskra")
        .with("ports[0]/evse_id", "DE*INT*ECH1234567890")
        .with_central_system(central.uri())
}

/// Connected, with the meter's key known to the central system.
fn start(central: &CentralSystem) -> Bench {
    start_with(central, &settings(central))
}

fn start_with(central: &CentralSystem, settings: &Settings) -> Bench {
    let bench = Bench::start(settings);
    central.wait_connected(LATER).unwrap();
    central.wait_for("DataTransfer", |_| true, LATER).unwrap();
    bench
}

fn charge(bench: &Bench) {
    bench.plug_in();
    bench.expect("port0/ci/charge/cp/status", "B", SOON);
    bench.swipe(TAG);
    bench.expect(SESSION, "charging", LATER);
    until_answered(bench, "begin");
}

/// Until the meter has signed.
fn until_answered(bench: &Bench, action: &str) {
    let wanted = format!("\"action\":\"{action}\"");
    let signed = bench.observer.wait(LATER, |last| {
        last.get("port0/metering/meter/signed/answer")
            .is_some_and(|answer| answer.contains(&wanted) && answer.contains("OCMF|"))
    });
    assert!(signed, "no signed {action}\n{}", bench.log("meteringd"));
}

fn public_key(central: &CentralSystem) -> String {
    let answer = central
        .call(
            "GetConfiguration",
            json!({"key": ["Meter1PublicKey"]}),
            SOON,
        )
        .unwrap();
    answer["configurationKey"][0]["value"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// The signed texts of begin and end in a StopTransaction.
fn signed_values(stop: &Value) -> [String; 2] {
    let signed: Vec<&Value> = stop["transactionData"]
        .as_array()
        .unwrap_or_else(|| panic!("{stop}"))
        .iter()
        .flat_map(|instant| instant["sampledValue"].as_array().unwrap())
        .filter(|value| value["format"] == "SignedData")
        .collect();
    let contexts: Vec<&Value> = signed.iter().map(|value| &value["context"]).collect();
    assert_eq!(contexts, ["Transaction.Begin", "Transaction.End"], "{stop}");
    [0, 1].map(|at| signed[at]["value"].as_str().unwrap().to_owned())
}

/// The register readings of an OCMF text, in kWh.
fn readings(text: &str) -> Vec<(String, f64)> {
    let message: Value = serde_json::from_str(text.split('|').nth(1).unwrap()).unwrap();
    let readings = message["RD"].as_array().unwrap();
    readings
        .iter()
        .map(|reading| {
            let kind = reading["TX"].as_str().unwrap().to_owned();
            (kind, reading["RV"].as_f64().unwrap())
        })
        .collect()
}

// covers: MET-021, MET-041, ODT-015, OC-062
#[test]
fn begin_and_end_verify_under_the_key_that_the_station_tells() {
    let central = central_system();
    let bench = start(&central);
    let key = public_key(&central);
    let transfer = &central.calls("DataTransfer")[0];
    assert_eq!(transfer["vendorId"], "generalConfiguration");
    assert_eq!(transfer["messageId"], "setMeterConfiguration");
    let data: Value = serde_json::from_str(transfer["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["meters"][0]["publicKey"], json!(key));
    assert_eq!(data["meters"][0]["meterSerial"], "12345678");

    charge(&bench);
    let before = bench.station().plant().readings().energy_wh;
    bench.wait_for("100 Wh flow", LATER, |plant| {
        plant.readings().energy_wh > before + 100.0
    });
    bench.unplug();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    let [begin, end] = signed_values(&stop);
    assert_signed_by(&begin, &key);
    assert_signed_by(&end, &key);
    assert!(end.contains(&format!("\"ID\":\"{TAG}\"")), "{end}");
    assert!(end.contains("\"CI\":\"DE*INT*ECH1234567890\""), "{end}");
    let [only] = &readings(&begin)[..] else {
        panic!("{begin}")
    };
    let [first, last] = &readings(&end)[..] else {
        panic!("{end}")
    };
    assert_eq!(first, only);
    assert_eq!((first.0.as_str(), last.0.as_str()), ("B", "E"));
    assert!(last.1 >= first.1 + 0.09, "{end}");

    // The default place of all values is the outlet (guide 3.3.6).
    let frames = central.frames();
    let with_location = frames
        .iter()
        .filter(|frame| format!("{frame:?}").contains("\"location\""));
    assert_eq!(with_location.count(), 0);
}

// covers: MET-043
#[test]
fn hexadecimal_digits_stand_for_the_same_text() {
    let central = central_system();
    let settings = settings(&central).with("ocpp/calibrationLawFormat", "ocmf,hex");
    let bench = start_with(&central, &settings);
    let key = public_key(&central);
    charge(&bench);
    bench.unplug();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    for digits in signed_values(&stop) {
        let bytes = (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect();
        assert_signed_by(&String::from_utf8(bytes).unwrap(), &key);
    }
}

/// What openssl reads in Base64.
fn decoded(text: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["base64", "-d", "-A"]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = openssl.spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn the_form_of_the_application_note_has_the_same_text_and_the_key() {
    let central = central_system();
    let bench = start(&central);
    let key = public_key(&central);
    let change = json!({"key": "SampledDataSignReadings", "value": "true"});
    let answer = central.call("ChangeConfiguration", change, SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    charge(&bench);
    bench.unplug();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    let values = signed_values(&stop).map(|text| serde_json::from_str::<Value>(&text).unwrap());
    for value in &values {
        let record = decoded(value["signedMeterData"].as_str().unwrap());
        assert_signed_by(&record, &key);
    }
    let told = values.map(|value| decoded(value["publicKey"].as_str().unwrap()));
    assert_eq!(told, [String::new(), format!("oca:base16:asn1:{key}")]);
}

#[test]
fn a_bsm_signs_a_session_by_snapshots() {
    let central = central_system();
    let settings = settings(&central).with_meter("sunspec/bsm-ws36a", "sunspec");
    let bench = start_with(&central, &settings);
    let key = public_key(&central);
    charge(&bench);
    let before = bench.station().plant().readings().energy_wh;
    bench.wait_for("100 Wh flow", LATER, |plant| {
        plant.readings().energy_wh > before + 100.0
    });
    bench.unplug();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    let [begin, end] = signed_values(&stop);
    assert_signed_by(&begin, &key);
    assert_signed_by(&end, &key);
    assert!(end.contains(TAG), "{end}");
    let (first, last) = (&readings(&begin)[0], &readings(&end)[0]);
    // It counts in Wh from the begin of the session on.
    assert_eq!((first.0.as_str(), first.1), ("B", 0.0));
    assert!(last.0 == "E" && last.1 >= 90.0, "{end}");
}

#[test]
fn restarts_and_outages_within_a_transaction_lose_no_record() {
    let central = central_system();
    let mut bench = start(&central);
    let key = public_key(&central);
    charge(&bench);
    let begun = bench
        .observer
        .text("port0/metering/meter/signed/answer")
        .unwrap();

    // The meter's supply fails, and meteringd dies as well.
    bench
        .meter
        .inject(Fault::PowerCycle(Duration::from_millis(500)));
    bench.kill_daemon("meteringd");
    bench.start_daemon("meteringd");
    bench.expect("ci/global/daemon/meteringd/available", "1", SOON);
    bench.expect("port0/metering/meter/available", "1", LATER);

    // ocppd dies while the meter signs the end.
    bench.unplug();
    let asked = bench.observer.wait(LATER, |last| {
        last.get("port0/metering/meter/signed/request")
            .is_some_and(|request| request.contains("\"end\""))
    });
    assert!(asked, "{}", bench.log("ocppd"));
    bench.kill_daemon("ocppd");
    until_answered(&bench, "end");
    bench.start_daemon("ocppd");
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    let [begin, end] = signed_values(&stop);
    assert!(begun.contains(&begin.replace('"', "\\\"")), "{begun}");
    assert_signed_by(&end, &key);
    assert_eq!(readings(&begin)[0], readings(&end)[0]);
    let transactions = central.transactions();
    assert_eq!(transactions.len(), 1);
}

#[test]
fn a_meter_that_cannot_sign_does_not_hold_back_the_stop_transaction() {
    let central = central_system();
    let bench = start(&central);
    charge(&bench);
    bench.meter.inject(Fault::Signing(254));
    bench.unplug();
    let since = Instant::now();
    let stop = central
        .wait_for("StopTransaction", |_| true, LATER)
        .unwrap();
    let data = stop["transactionData"].as_array().unwrap();
    assert_eq!(data.len(), 1, "the begin alone: {stop}");
    assert!(since.elapsed() < LATER);
    bench.expect("port0/metering/meter/available", "1", SOON);
}
