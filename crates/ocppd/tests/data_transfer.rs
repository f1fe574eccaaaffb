//! DataTransfer between customer software on the broker and the central system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use serde_json::{Value, json};
use simulator::central_system::{Answer, CentralSystem};
use support::{Bench, SOON, central, until};

const REQUEST: &str = "ocpp/data_transfer_from_cs/request";
const CONFIRM: &str = "ocpp/data_transfer_from_cs/confirm";
const SERVICE: &str = "ocpp/data_transfer_to_cs/service_id";

fn start(central: &CentralSystem) -> Bench {
    let registered = json!([
        {"vendorId": "com.vendor", "messageId": "fooBar", "confirmTimeout": 10},
        {"vendorId": "com.all"},
    ]);
    let bench = Bench::start(
        &format!("{}/CP1", central.uri()),
        json!({"csDataTransfers": registered}),
    );
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
    bench
}

fn frames(bench: &Bench, topic: &str) -> Vec<Value> {
    let all = bench.mqtt.history(topic);
    all.iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect()
}

/// Sends a request of `service`; returns what is confirmed.
fn ask(bench: &Bench, service: &str, request: &str) -> Value {
    let topic = format!("ocpp/data_transfer_to_cs/{service}/confirm");
    let before = bench.mqtt.history(&topic).len();
    bench.mqtt.publish(
        &format!("ocpp/data_transfer_to_cs/{service}/request"),
        request,
        false,
    );
    until("the request is confirmed", || {
        bench.mqtt.history(&topic).len() > before
    });
    frames(bench, &topic).pop().unwrap()
}

// covers: ODT-001, ODT-002, ODT-012, ODT-014, ODT-017
#[test]
fn the_central_system_talks_to_customer_software() {
    let central = central();
    let bench = start(&central);
    let data = "base64encodedData+/=".repeat(4_000);
    let payload = json!({"vendorId": "com.vendor", "messageId": "fooBar", "data": data});
    let answer = std::thread::scope(|scope| {
        let call = scope.spawn(|| central.call("DataTransfer", payload.clone(), SOON).unwrap());
        until("the request is published", || {
            !frames(&bench, REQUEST).is_empty()
        });
        let request = frames(&bench, REQUEST).pop().unwrap();
        assert_eq!(
            (&request[0], &request[2], &request[3]),
            (&json!(2), &json!("DataTransfer"), &payload)
        );
        let confirm =
            |status: &str| json!([3, request[1], {"status": status, "data": data}]).to_string();
        // Neither an old word nor another's counts.
        bench
            .mqtt
            .publish(CONFIRM, "[3, \"other\", {\"status\": \"Rejected\"}]", false);
        bench.mqtt.publish(CONFIRM, "nonsense", false);
        bench.mqtt.publish(CONFIRM, &confirm("Accepted"), false);
        call.join().unwrap()
    });
    assert_eq!(answer, json!({"status": "Accepted", "data": data}));

    for (vendor, message, expected) in [
        ("com.all", "any", "Rejected"),
        ("com.vendor", "other", "UnknownMessageId"),
        ("com.other", "any", "UnknownVendorId"),
    ] {
        let payload = json!({"vendorId": vendor, "messageId": message});
        let answer = central.call("DataTransfer", payload, SOON).unwrap();
        assert_eq!(answer["status"], expected, "{vendor} {message}");
    }
}

// covers: ODT-007, ODT-008, ODT-009, ODT-010, ODT-012, ODT-013, ODT-014, ODT-017
#[test]
fn customer_software_talks_to_the_central_system() {
    let central = central();
    let bench = start(&central);
    let id = "73a0d9a1-12d1-4223-ad16-90928d30de1e";
    let data = "+/=".repeat(20_000);
    let request =
        json!([2, id, "DataTransfer", {"vendorId": "com.vendor", "messageId": "m", "data": data}]);

    let early = ask(&bench, "pid1", &request.to_string());
    assert_eq!(
        (&early[0], &early[1]),
        (&json!(4), &json!(id)),
        "not registered"
    );
    for service in ["pid1", "a/b", "a b", "#", ""] {
        bench.mqtt.publish(SERVICE, service, false);
    }
    central.answer(
        "DataTransfer",
        Answer::Payload(json!({"status": "Accepted", "data": data})),
    );
    let confirm = ask(&bench, "pid1", &request.to_string());
    assert_eq!(
        confirm,
        json!([3, id, {"status": "Accepted", "data": data}])
    );
    assert_eq!(central.calls("DataTransfer"), [request[3].clone()]);
    let nameless = ask(&bench, "a b", &request.to_string());
    assert_eq!(
        (&nameless[2], &nameless[3]),
        (&json!("GenericError"), &json!("register the service first"))
    );

    central.answer(
        "DataTransfer",
        Answer::call_error("SecurityError", "not you"),
    );
    let confirm = ask(&bench, "pid1", &request.to_string());
    assert_eq!(
        (&confirm[0], &confirm[1], &confirm[2], &confirm[3]),
        (
            &json!(4),
            &json!(id),
            &json!("SecurityError"),
            &json!("not you")
        )
    );

    for (malformed, expected) in [
        (json!([2, "i", "Heartbeat", {}]).to_string(), "i"),
        (json!([3, "i", {}]).to_string(), "i"),
        ("nonsense".to_owned(), "-1"),
    ] {
        let confirm = ask(&bench, "pid1", &malformed);
        assert_eq!(
            (&confirm[0], &confirm[1], &confirm[2]),
            (&json!(4), &json!(expected), &json!("FormationViolation")),
            "{malformed}"
        );
    }
    let long = json!([2, "i", "DataTransfer", {"vendorId": "v".repeat(256)}]);
    assert_eq!(
        ask(&bench, "pid1", &long.to_string())[2],
        "PropertyConstraintViolation"
    );
}

// covers: ODT-010, ODT-014
#[test]
fn offline_requests_fail_and_retained_ones_are_none() {
    let central = central();
    let uri = format!("{}/CP1", central.uri());
    let mut bench = Bench::prepare(&uri, json!({}));
    let request = json!([2, "old", "DataTransfer", {"vendorId": "com.vendor"}]).to_string();
    // A registration may be kept, a request may not.
    bench.mqtt.publish(SERVICE, "pid1", true);
    bench
        .mqtt
        .publish("ocpp/data_transfer_to_cs/pid1/request", &request, true);
    bench.run();
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
    let fence = json!([2, "new", "DataTransfer", {"vendorId": "com.vendor"}]).to_string();
    assert_eq!(ask(&bench, "pid1", &fence)[1], "new");
    assert_eq!(central.calls("DataTransfer").len(), 1);

    drop(central);
    bench.mqtt.wait("ocpp/online", "0");
    let confirm = ask(&bench, "pid1", &fence);
    assert_eq!(
        (&confirm[0], &confirm[2]),
        (&json!(4), &json!("GenericError"))
    );
}
