use serde_json::{Value, json};

use super::bench::{Bench, settings};
use crate::{
    CiString, Configuration, Input, Output, Stored, Transfer, TransferAnswer, TransferRoute,
};

fn bench() -> Bench {
    let route = |vendor: &str, message: Option<&str>, timeout_ms| TransferRoute {
        vendor: CiString::truncated(vendor),
        message: message.map(CiString::truncated),
        timeout_ms,
    };
    let mut settings = settings("first");
    settings.transfers = vec![
        route("com.all", None, 5_000),
        route("com.one", Some("fooBar"), 1_000),
    ];
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    bench
}

fn transfer(data: &str) -> Transfer {
    Transfer {
        vendor: CiString::truncated("com.vendor"),
        message: Some(CiString::truncated("fooBar")),
        data: Some(data.to_owned()),
    }
}

fn ask(bench: &mut Bench, id: &str, payload: Value) {
    bench.input(Input::Frame(
        json!([2, id, "DataTransfer", payload]).to_string(),
    ));
}

fn confirm(bench: &mut Bench, id: &str, status: &str, data: Option<&str>) {
    bench.input(Input::TransferConfirmed {
        id: id.to_owned(),
        answer: TransferAnswer::Result {
            status: status.to_owned(),
            data: data.map(str::to_owned),
        },
    });
}

fn confirms(bench: &mut Bench) -> Vec<(String, String, TransferAnswer)> {
    let all = std::mem::take(&mut bench.others);
    let confirm = |output| {
        let Output::TransferConfirm {
            service,
            id,
            answer,
        } = output
        else {
            return None;
        };
        Some((service, id, answer))
    };
    all.into_iter().filter_map(confirm).collect()
}

// covers: ODT-001, ODT-002, ODT-003, ODT-013, ODT-017
#[test]
fn a_registered_message_is_answered_by_customer_software() {
    let mut bench = bench();
    let id = "73a0d9a1-12d1-4223-ad16-90928d30de1e";
    let data = "+/=".repeat(20_000);
    ask(
        &mut bench,
        id,
        json!({"vendorId": "com.one", "messageId": "fooBar", "data": data}),
    );
    let expected = Output::TransferRequest {
        id: id.to_owned(),
        transfer: Transfer {
            vendor: CiString::truncated("com.one"),
            message: Some(CiString::truncated("fooBar")),
            data: Some(data.clone()),
        },
    };
    assert!(bench.others.contains(&expected));
    confirm(&mut bench, "another", "Accepted", None);
    bench.expect_silence();
    confirm(&mut bench, id, "Accepted", Some(&data));
    assert_eq!(
        bench.sent.pop_front().unwrap(),
        json!([3, id, {"status": "Accepted", "data": data}])
    );
    confirm(&mut bench, id, "Rejected", None);
    bench.expect_silence();
}

// covers: ODT-004
#[test]
fn without_a_confirm_in_time_it_fails() {
    let mut bench = bench();
    ask(&mut bench, "slow", json!({"vendorId": "com.all"}));
    ask(
        &mut bench,
        "fast",
        json!({"vendorId": "com.one", "messageId": "fooBar"}),
    );
    bench.pass(1);
    assert_eq!(
        bench.sent.pop_front().unwrap(),
        json!([3, "fast", {"status": "Rejected"}])
    );
    bench.expect_silence();
    bench.pass(4);
    assert_eq!(
        bench.sent.pop_front().unwrap(),
        json!([3, "slow", {"status": "Rejected"}])
    );
}

// covers: ODT-005, ODT-006
#[test]
fn what_nobody_registered_is_unknown() {
    let mut bench = bench();
    for (payload, expected) in [
        (json!({"vendorId": "x"}), "UnknownVendorId"),
        (json!({"vendorId": "com.one"}), "UnknownMessageId"),
        (
            json!({"vendorId": "com.one", "messageId": "other"}),
            "UnknownMessageId",
        ),
        (json!({"vendorId": "mode3"}), "UnknownMessageId"),
    ] {
        assert_eq!(bench.status("DataTransfer", payload), expected);
    }
    for payload in [
        json!({"vendorId": "com.all"}),
        json!({"vendorId": "com.all", "messageId": "any"}),
        json!({"vendorId": "com.all", "data": {"not": "a text"}}),
    ] {
        ask(&mut bench, "a", payload);
        bench.expect_silence();
        confirm(&mut bench, "a", "Accepted", None);
        bench.sent.pop_front().unwrap();
    }
}

#[test]
fn a_confirm_that_is_none_is_never_passed_on() {
    let mut bench = bench();
    ask(&mut bench, "a", json!({"vendorId": "com.all"}));
    confirm(&mut bench, "a", "Okay", None);
    assert_eq!(
        bench.sent.pop_front().unwrap(),
        json!([3, "a", {"status": "Rejected"}])
    );
    for (code, details, sent) in [
        (
            "Whatever",
            json!({}),
            json!([4, "b", "GenericError", "why", {}]),
        ),
        (
            "InternalError",
            json!({"line": 3}),
            json!([4, "b", "InternalError", "why", {"line": 3}]),
        ),
        (
            "InternalError",
            json!("no object"),
            json!([4, "b", "InternalError", "why", {}]),
        ),
    ] {
        ask(&mut bench, "b", json!({"vendorId": "com.all"}));
        bench.input(Input::TransferConfirmed {
            id: "b".to_owned(),
            answer: TransferAnswer::Error {
                code: code.to_owned(),
                description: "why".to_owned(),
                details,
            },
        });
        assert_eq!(bench.sent.pop_front().unwrap(), sent);
    }
}

// covers: ODT-009, ODT-011
#[test]
fn each_service_gets_the_answers_to_its_own_requests() {
    let mut bench = bench();
    for service in ["one", "two"] {
        bench.input(Input::TransferRequested {
            service: service.to_owned(),
            id: "same".to_owned(),
            transfer: transfer(service),
        });
    }
    let sent = bench.answer("DataTransfer", json!({"status": "Accepted", "data": "yes"}));
    assert_eq!(
        sent,
        json!({"vendorId": "com.vendor", "messageId": "fooBar", "data": "one"})
    );
    let (id, _) = bench.expect_call("DataTransfer");
    bench.input(Input::Frame(
        json!([4, id, "InternalError", "no", {"x": 1}]).to_string(),
    ));
    let accepted = TransferAnswer::Result {
        status: "Accepted".to_owned(),
        data: Some("yes".to_owned()),
    };
    let refused = TransferAnswer::Error {
        code: "InternalError".to_owned(),
        description: "no".to_owned(),
        details: json!({"x": 1}),
    };
    let expected = [("one", accepted), ("two", refused)]
        .map(|(service, answer)| (service.to_owned(), "same".to_owned(), answer));
    assert_eq!(confirms(&mut bench), expected);
}

// covers: ODT-010
#[test]
fn what_can_not_be_forwarded_is_answered_here() {
    let request = |bench: &mut Bench| {
        bench.input(Input::TransferRequested {
            service: "one".to_owned(),
            id: "a".to_owned(),
            transfer: transfer("x"),
        });
    };
    let codes = |bench: &mut Bench| -> Vec<String> {
        let code = |(_, _, answer)| match answer {
            TransferAnswer::Error { code, .. } => code,
            TransferAnswer::Result { status, .. } => status,
        };
        confirms(bench).into_iter().map(code).collect()
    };
    let mut bench = bench();
    request(&mut bench);
    bench.pass(31);
    assert_eq!(codes(&mut bench), ["GenericError"], "no answer");
    bench.sent.clear();
    request(&mut bench);
    bench.input(Input::SocketClosed);
    assert_eq!(codes(&mut bench), ["GenericError"], "connection lost");
    request(&mut bench);
    assert_eq!(codes(&mut bench), ["GenericError"], "offline");
}
