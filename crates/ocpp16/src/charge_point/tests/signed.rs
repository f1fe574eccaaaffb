//! Signed meter values and the meter's public key.

use serde_json::{Value, json};

use super::bench::{Bench, meter};
use crate::{EvseSession, Fault, Input, Moment, Output, SignedRequest};

const KEY: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004ab";
const BEGIN: &str = "OCMF|{\"begin\":1}|{\"SD\":\"00\"}";
const END: &str = "OCMF|{\"end\":1}|{\"SD\":\"01\"}";

/// Online, with a meter that signs.
fn signing() -> Bench {
    let mut bench = Bench::online();
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    bench.drain();
    bench
}

/// The latest request for a signed record, which is taken.
fn request(bench: &mut Bench) -> SignedRequest {
    let mut requests = requests(bench);
    requests.pop().expect("no signed record was asked for")
}

fn requests(bench: &mut Bench) -> Vec<SignedRequest> {
    std::mem::take(&mut bench.others)
        .into_iter()
        .filter_map(|output| {
            if let Output::Sign(request) = output {
                Some(request)
            } else {
                None
            }
        })
        .collect()
}

fn answer(bench: &mut Bench, request: &SignedRequest, result: Result<&str, &str>) {
    bench.input(Input::SignedAnswer {
        moment: request.moment,
        reference: request.reference.clone(),
        result: result.map(str::to_owned).map_err(str::to_owned),
    });
}

/// Charges, with the begin signed, until the EV has left and the meter was read.
fn until_unplugged(bench: &mut Bench) {
    bench.charge();
    let begin = request(bench);
    answer(bench, &begin, Ok(BEGIN));
    unplug(bench);
}

fn unplug(bench: &mut Bench) {
    bench.evse(EvseSession::Idle);
    bench.pass(1);
    bench.input(Input::Reading(meter(2_000)));
}

fn stop(bench: &mut Bench) -> Option<Value> {
    let mut sent = bench.drain().into_iter();
    sent.find(|(action, _)| action == "StopTransaction")
        .map(|(_, payload)| payload)
}

fn configuration(bench: &mut Bench, key: &str) -> Value {
    bench.call("GetConfiguration", json!({"key": [key]}))
}

#[test]
fn begin_and_end_reach_the_stop_transaction() {
    let mut bench = signing();
    bench.charge();
    let begin = request(&mut bench);
    assert_eq!(begin.moment, Moment::Begin);
    assert_eq!(begin.id_tag.as_str(), "driver");
    assert_eq!(begin.started.to_string(), "2026-03-01T12:00:01.000Z");
    answer(&mut bench, &begin, Ok(BEGIN));
    bench.pass(60);
    bench.drain();
    assert_eq!(requests(&mut bench), [], "the begin is known");

    unplug(&mut bench);
    assert_eq!(stop(&mut bench), None, "it waits for the meter");
    let end = request(&mut bench);
    assert_eq!(
        (end.moment, &end.reference),
        (Moment::End, &begin.reference)
    );
    answer(&mut bench, &end, Ok(END));
    let stop = stop(&mut bench).unwrap();
    let value = |context: &str, at: &str, text: &str| {
        json!({"timestamp": at, "sampledValue": [{
            "value": text, "context": context, "format": "SignedData",
            "measurand": "Energy.Active.Import.Register"
        }]})
    };
    assert_eq!(
        stop["transactionData"],
        json!([
            value("Transaction.Begin", "2026-03-01T12:00:01.000Z", BEGIN),
            value("Transaction.End", "2026-03-01T12:01:01.000Z", END),
        ])
    );
    assert_eq!(stop["meterStop"], json!(2_000));
    assert_eq!(requests(&mut bench), []);
}

// covers: MET-043
#[test]
fn the_form_follows_the_key_from_the_next_transaction_on() {
    let mut bench = signing();
    bench.charge();
    let begin = request(&mut bench);
    answer(&mut bench, &begin, Ok(BEGIN));
    let change = json!({"key": "calibrationLawFormat", "value": "ocmf,hex"});
    assert_eq!(bench.status("ChangeConfiguration", change), "Accepted");
    let wrong = json!({"key": "calibrationLawFormat", "value": "ocmf"});
    assert_eq!(bench.status("ChangeConfiguration", wrong), "Rejected");
    unplug(&mut bench);
    let end = request(&mut bench);
    answer(&mut bench, &end, Ok(END));
    let data = &stop(&mut bench).unwrap()["transactionData"];
    assert_eq!(data[1]["sampledValue"][0]["value"], json!(END));

    until_unplugged(&mut bench);
    let end = request(&mut bench);
    answer(&mut bench, &end, Ok("OCMF|{}|{}"));
    let data = &stop(&mut bench).unwrap()["transactionData"];
    let hex = json!("4f434d467c7b7d7c7b7d");
    assert_eq!(data[1]["sampledValue"][0]["value"], hex);
}

/// What `transactionData` holds in the form of OCA's application note.
fn signed_values(stop: &Value) -> Vec<Value> {
    let data = stop["transactionData"].as_array().unwrap();
    let value = |one: &Value| {
        let sampled = &one["sampledValue"][0];
        assert_eq!(sampled["format"], json!("SignedData"));
        serde_json::from_str(sampled["value"].as_str().unwrap()).unwrap()
    };
    data.iter().map(value).collect()
}

#[test]
fn the_form_of_the_application_note_is_there_for_who_asks() {
    const OCA_KEY: &str = "b2NhOmJhc2UxNjphc24xOjMwNTkzMDEzMDYwNzJhODY0OGNlM2QwMjAxMDYwODJhODY0OGNlM2QwMzAxMDcwMzQyMDAwNGFi";
    let value = |data: &str, key: &str| {
        json!({"signedMeterData": data, "signingMethod": "ECDSA-secp256r1-SHA256", "encodingMethod": "OCMF",
            "publicKey": key})
    };
    let begin = |key| value("T0NNRnx7ImJlZ2luIjoxfXx7IlNEIjoiMDAifQ==", key);
    let end = |key| value("T0NNRnx7ImVuZCI6MX18eyJTRCI6IjAxIn0=", key);
    let mut bench = signing();
    let told = configuration(&mut bench, "MeterPublicKey1");
    assert_eq!(told["configurationKey"][0]["value"], OCA_KEY);
    let change = |bench: &mut Bench, key: &str, value: &str| {
        bench.status("ChangeConfiguration", json!({"key": key, "value": value}))
    };

    // A transaction keeps the form that it began with.
    bench.charge();
    let asked = request(&mut bench);
    answer(&mut bench, &asked, Ok(BEGIN));
    assert_eq!(
        change(&mut bench, "SampledDataSignReadings", "true"),
        "Accepted"
    );
    unplug(&mut bench);
    let asked = request(&mut bench);
    answer(&mut bench, &asked, Ok(END));
    let data = &stop(&mut bench).unwrap()["transactionData"];
    assert_eq!(data[1]["sampledValue"][0]["value"], json!(END));

    for (policy, expected) in [
        (None, [begin(""), end(OCA_KEY)]),
        (Some("EveryMeterValue"), [begin(OCA_KEY), end(OCA_KEY)]),
        (Some("Never"), [begin(""), end("")]),
        (Some("OncePerTransaction"), [begin(""), end(OCA_KEY)]),
    ] {
        if let Some(policy) = policy {
            let changed = change(&mut bench, "PublicKeyWithSignedMeterValue", policy);
            assert_eq!(changed, "Accepted");
        }
        until_unplugged(&mut bench);
        let asked = request(&mut bench);
        answer(&mut bench, &asked, Ok(END));
        assert_eq!(
            signed_values(&stop(&mut bench).unwrap()),
            expected,
            "{policy:?}"
        );
    }
    // Once is with the begin where there is no end.
    until_unplugged(&mut bench);
    let asked = request(&mut bench);
    answer(&mut bench, &asked, Err("status 254"));
    assert_eq!(signed_values(&stop(&mut bench).unwrap()), [begin(OCA_KEY)]);

    // No meter here signs in between, and that is what the keys say.
    for (key, answer) in [
        ("SampledDataSignUpdatedReadings", "Rejected"),
        ("AlignedDataSignReadings", "Rejected"),
        ("AlignedDataSignUpdatedReadings", "Rejected"),
        ("SampledDataSignStartedReadings", "NotSupported"),
    ] {
        assert_eq!(change(&mut bench, key, "true"), answer, "{key}");
    }
    bench.input(Input::MeterPublicKey(None));
    let unknown = json!({"unknownKey": ["MeterPublicKey1"]});
    assert_eq!(configuration(&mut bench, "MeterPublicKey1"), unknown);
}

#[test]
fn a_stop_transaction_is_never_lost_because_of_the_meter() {
    // It says that it can't.
    let mut bench = signing();
    until_unplugged(&mut bench);
    let end = request(&mut bench);
    answer(&mut bench, &end, Err("status 254"));
    let data = stop(&mut bench).unwrap()["transactionData"].clone();
    assert_eq!(data.as_array().unwrap().len(), 1, "the begin alone: {data}");

    // It says nothing at all, however often it is asked.
    let mut bench = signing();
    bench.charge();
    bench.pass(70);
    let asked = requests(&mut bench);
    assert_eq!(asked.len(), 6, "{asked:?}");
    unplug(&mut bench);
    // Not even when the meter is known to be gone.
    bench.faults(&[Fault::MeterCommunication]);
    bench.pass(119);
    assert_eq!(stop(&mut bench), None);
    bench.pass(1);
    assert_eq!(stop(&mut bench).unwrap().get("transactionData"), None);
    assert_eq!(requests(&mut bench).len(), 12);
}

#[test]
fn answers_to_others_are_none() {
    let mut bench = signing();
    until_unplugged(&mut bench);
    let end = request(&mut bench);
    let other = SignedRequest {
        reference: "1-0".into(),
        ..end.clone()
    };
    answer(&mut bench, &other, Ok("OCMF|{}|{}"));
    let begin = SignedRequest {
        moment: Moment::Begin,
        ..end.clone()
    };
    answer(&mut bench, &begin, Ok("OCMF|{}|{}"));
    assert_eq!(stop(&mut bench), None);
    answer(&mut bench, &end, Ok(END));
    assert!(stop(&mut bench).is_some());
}

#[test]
fn a_restart_loses_neither_begin_nor_end() {
    let mut bench = signing();
    until_unplugged(&mut bench);
    let end = request(&mut bench);
    // The process dies while the meter signs; the answer is kept for the next one.
    let mut bench = bench.restart();
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    bench.input(Input::Reading(meter(2_000)));
    bench.pass(1);
    assert_eq!(request(&mut bench).reference, end.reference);
    answer(&mut bench, &end, Ok(END));
    bench.open();
    bench.accept_boot();
    let data = stop(&mut bench).unwrap()["transactionData"].clone();
    assert_eq!(data[0]["sampledValue"][0]["value"], json!(BEGIN));
    assert_eq!(data[1]["sampledValue"][0]["value"], json!(END));
}

#[test]
fn an_offline_transaction_after_power_loss_keeps_its_signed_values() {
    let mut bench = signing();
    let change = json!({"key": "AllowOfflineTxForUnknownId", "value": "true"});
    assert_eq!(bench.status("ChangeConfiguration", change), "Accepted");
    bench.input(Input::SocketClosed);
    bench.tag("driver");
    bench.evse(EvseSession::Connected);
    bench.evse(EvseSession::Charging);
    let begin = request(&mut bench);
    answer(&mut bench, &begin, Ok(BEGIN));

    // The power fails; afterwards nobody charges any more.
    bench.station.session = EvseSession::Idle;
    bench.station.ev_present = Some(false);
    let mut bench = bench.restart();
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    bench.input(Input::Reading(meter(2_500)));
    let end = request(&mut bench);
    assert_eq!(
        (end.moment, &end.reference),
        (Moment::End, &begin.reference)
    );
    answer(&mut bench, &end, Ok(END));
    bench.open();
    bench.accept_boot();
    let stop = stop(&mut bench).unwrap();
    assert_eq!(stop["reason"], json!("PowerLoss"));
    let data = &stop["transactionData"];
    assert_eq!(data[0]["sampledValue"][0]["value"], json!(BEGIN));
    assert_eq!(data[1]["sampledValue"][0]["value"], json!(END));
}

#[test]
fn a_meter_that_does_not_sign_is_not_asked() {
    let mut bench = Bench::online();
    bench.charge();
    unplug(&mut bench);
    assert_eq!(stop(&mut bench).unwrap().get("transactionData"), None);
    assert_eq!(requests(&mut bench), []);
}

// covers: OC-061, OC-062
#[test]
fn the_keys_tell_what_the_meter_is() {
    let mut bench = Bench::online();
    let format = configuration(&mut bench, "StopTransactionSignatureFormat");
    let row = |key: &str, value: &str| json!({"configurationKey": [{"key": key, "readonly": true, "value": value}]});
    assert_eq!(format, row("StopTransactionSignatureFormat", "MR"));

    let unknown = json!({"unknownKey": ["Meter1PublicKey"]});
    assert_eq!(configuration(&mut bench, "Meter1PublicKey"), unknown);
    let all = bench.call("GetConfiguration", json!({}));
    assert!(!all.to_string().contains("Meter1PublicKey"));
    let change = json!({"key": "Meter1PublicKey", "value": "00"});
    assert_eq!(
        bench.status("ChangeConfiguration", change.clone()),
        "NotSupported"
    );

    for key in ["", KEY] {
        bench.input(Input::MeterPublicKey(Some(key.into())));
        bench.drain();
        let told = configuration(&mut bench, "Meter1PublicKey");
        assert_eq!(told, row("Meter1PublicKey", key));
    }
    assert_eq!(bench.status("ChangeConfiguration", change), "Rejected");
    bench.input(Input::MeterPublicKey(None));
    assert_eq!(configuration(&mut bench, "Meter1PublicKey"), unknown);
}

/// The transfers of public keys among what is sent.
fn transfers(bench: &mut Bench) -> Vec<Value> {
    let sent = bench.drain().into_iter();
    sent.filter(|(action, _)| action == "DataTransfer")
        .map(|(_, payload)| payload)
        .collect()
}

// covers: ODT-015
#[test]
fn the_key_is_sent_after_every_boot_notification() {
    let mut bench = Bench::new();
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    for _ in 0..2 {
        bench.open();
        bench.accept_boot();
        let sent = transfers(&mut bench);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert_eq!(sent[0]["vendorId"], json!("generalConfiguration"));
        assert_eq!(sent[0]["messageId"], json!("setMeterConfiguration"));
        let data: Value = serde_json::from_str(sent[0]["data"].as_str().unwrap()).unwrap();
        assert_eq!(
            data,
            json!({"meters": [{
                "connectorId": 1, "meterSerial": "", "type": "SIGNATURE", "publicKey": KEY
            }]})
        );
        bench.input(Input::SocketClosed);
        // A connection without a BootNotification is none.
        bench.open();
        assert_eq!(transfers(&mut bench), Vec::<Value>::new());
        bench.input(Input::SocketClosed);
        let on = json!({"key": "bootNotificationOnReconnect", "value": "true"});
        bench.open();
        bench.status("ChangeConfiguration", on);
        bench.input(Input::SocketClosed);
    }

    bench.open();
    let off = json!({"key": "sendMeterPublicKeyOnBootNotification", "value": "false"});
    assert_eq!(bench.status("ChangeConfiguration", off), "Accepted");
    bench.accept_boot();
    assert_eq!(transfers(&mut bench), Vec::<Value>::new());
}

#[test]
fn a_key_that_becomes_known_late_is_sent_then() {
    let mut bench = Bench::online();
    bench.input(Input::MeterPublicKey(None));
    assert_eq!(transfers(&mut bench), Vec::<Value>::new());
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    assert_eq!(transfers(&mut bench).len(), 1);
    // It is told again whenever the broker comes back.
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    assert_eq!(transfers(&mut bench), Vec::<Value>::new());
}

// covers: ODT-016
#[test]
fn whatever_becomes_of_the_transfer_is_ignored() {
    for answer in [
        json!([3, "", {"status": "Rejected"}]),
        json!([3, "", {}]),
        json!([4, "", "NotSupported", "", {}]),
    ] {
        let mut bench = Bench::online();
        bench.input(Input::MeterPublicKey(Some(KEY.into())));
        let (id, _) = bench.expect_call("DataTransfer");
        let mut answer = answer;
        answer[1] = json!(id);
        bench.input(Input::Frame(answer.to_string()));
        bench.pass(600);
        assert_eq!(transfers(&mut bench), Vec::<Value>::new());
    }
    let mut bench = Bench::online();
    bench.input(Input::MeterPublicKey(Some(KEY.into())));
    bench.expect_call("DataTransfer");
    bench.pass(600);
    assert_eq!(transfers(&mut bench), Vec::<Value>::new());
}

// covers: MET-029
#[test]
fn without_a_meter_nobody_may_charge() {
    let mut bench = Bench::online();
    let remote = json!({"idTag": "driver"});
    assert_eq!(
        bench.status("RemoteStartTransaction", remote.clone()),
        "Accepted"
    );
    assert_eq!(bench.permit, Some(true));
    // The meter falls silent before the EV comes.
    bench.faults(&[Fault::MeterCommunication]);
    assert_eq!(bench.permit, Some(false));
    bench.evse(EvseSession::Connected);
    bench.drain();
    assert!(bench.stored.transactions.is_empty());
    // It answers again in time.
    bench.faults(&[]);
    assert_eq!(bench.permit, Some(true));
    assert_eq!(bench.stored.transactions.len(), 1);

    let mut bench = Bench::online();
    bench.faults(&[Fault::MeterCommunication]);
    assert_eq!(bench.status("RemoteStartTransaction", remote), "Rejected");
    assert_eq!(bench.reported().last().map(String::as_str), Some("Faulted"));
}
