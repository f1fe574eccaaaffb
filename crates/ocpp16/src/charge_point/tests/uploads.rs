//! Uploads of logs: GetDiagnostics and GetLog.

use serde_json::{Value, json};

use super::bench::Bench;
use crate::{Input, Output, Upload, UploadFailure, UploadedLog};

const FOLDER: &str = "ftp://user:secret@host/dir/";

fn uploads(bench: &Bench) -> Vec<Upload> {
    let upload = |output: &Output| {
        if let Output::Upload(upload) = output {
            Some((**upload).clone())
        } else {
            None
        }
    };
    bench.others.iter().filter_map(upload).collect()
}

fn ended(bench: &mut Bench, outcome: Result<(), UploadFailure>) {
    let number = uploads(bench).last().unwrap().number;
    bench.input(Input::UploadEnded { number, outcome });
}

fn diagnostics(bench: &mut Bench, location: &str) -> String {
    let answer = bench.call(
        "GetDiagnostics",
        json!({"location": location, "retries": 1}),
    );
    answer["fileName"].as_str().unwrap().to_owned()
}

fn log(bench: &mut Bench, kind: &str, request: i64) -> Value {
    let payload = json!({"logType": kind, "requestId": request, "retries": 1, "log": {"remoteLocation": FOLDER}});
    bench.call("GetLog", payload)
}

/// Actions and statuses that are sent now, all acknowledged.
fn told(bench: &mut Bench) -> Vec<(String, Value)> {
    bench
        .drain()
        .into_iter()
        .map(|(action, payload)| {
            (
                action.replace("StatusNotification", ""),
                payload["status"].clone(),
            )
        })
        .collect()
}

fn diagnostics_told(status: &str) -> (String, Value) {
    ("Diagnostics".to_owned(), json!(status))
}

// covers: ODG-001, ODG-002
#[test]
fn the_answer_names_the_file_and_notifications_follow() {
    for (outcome, last) in [
        (Ok(()), "Uploaded"),
        (Err(UploadFailure::Failed), "UploadFailed"),
        (Err(UploadFailure::PermissionDenied), "UploadFailed"),
        (Err(UploadFailure::NotSupported), "UploadFailed"),
    ] {
        let mut bench = Bench::online();
        let name = diagnostics(&mut bench, FOLDER);
        let uploads = uploads(&bench);
        assert_eq!(uploads.len(), 1);
        assert_eq!(
            (&uploads[0].file_name, uploads[0].log),
            (&name, UploadedLog::Diagnostics)
        );
        assert!(name.starts_with("diagnostics-bench-20260301T1200") && name.ends_with(".tar.gz"));
        assert_eq!(told(&mut bench), [diagnostics_told("Uploading")]);
        ended(&mut bench, outcome);
        assert_eq!(told(&mut bench), [diagnostics_told(last)]);
        bench.pass(3_600);
        bench.expect_silence();
    }
}

// covers: ODG-005
#[test]
fn only_an_ftp_address_without_a_slash_at_its_end_names_the_file() {
    let mut bench = Bench::online();
    for (location, named) in [
        ("ftp://h/dir/", false),
        ("ftp://h", false),
        ("ftps://h//dir/", false),
        ("ftp://h/dir/mine.tgz", true),
        ("ftps://h//mine.tgz", true),
        ("http://h/upload", false),
        ("https://h/upload/mine.tgz", false),
    ] {
        assert_eq!(
            diagnostics(&mut bench, location) == "mine.tgz",
            named,
            "{location}"
        );
    }
}

// covers: ODG-003
#[test]
fn the_window_is_that_of_the_request_or_the_last_week() {
    let mut bench = Bench::online();
    let (start, stop) = ("2026-02-01T00:00:00.000Z", "2026-02-02T00:00:00.000Z");
    bench.call(
        "GetDiagnostics",
        json!({"location": FOLDER, "startTime": start, "stopTime": stop}),
    );
    bench.call(
        "GetDiagnostics",
        json!({"location": FOLDER, "stopTime": stop}),
    );
    bench.call("GetDiagnostics", json!({"location": FOLDER}));
    let now = bench.wall();
    let windows: Vec<(Option<String>, Option<String>)> = uploads(&bench)
        .iter()
        .map(|upload| {
            (
                upload.from.map(|at| at.to_string()),
                upload.to.map(|at| at.to_string()),
            )
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(windows[0], (some(start), some(stop)));
    assert_eq!(windows[1], (some("2026-01-26T00:00:00.000Z"), some(stop)));
    assert_eq!(
        windows[2],
        (some(&now.plus_seconds(-7 * 86_400).to_string()), None)
    );
    let backwards = json!([2, "a", "GetDiagnostics", {"location": FOLDER, "startTime": stop, "stopTime": start}]);
    assert_eq!(
        bench.call_frame(&backwards.to_string())[3],
        json!("stopTime: before startTime")
    );
}

// covers: ODG-008
#[test]
fn a_failed_upload_is_tried_as_often_as_asked() {
    let mut bench = Bench::online();
    bench.call(
        "GetDiagnostics",
        json!({"location": FOLDER, "retries": 3, "retryInterval": 20}),
    );
    assert_eq!(told(&mut bench), [diagnostics_told("Uploading")]);
    for attempt in 1..3 {
        ended(&mut bench, Err(UploadFailure::Failed));
        bench.pass(19);
        assert_eq!(uploads(&bench).len(), attempt);
        bench.pass(1);
        assert_eq!(uploads(&bench).len(), attempt + 1);
        bench.expect_silence();
    }
    ended(&mut bench, Err(UploadFailure::Failed));
    assert_eq!(told(&mut bench), [diagnostics_told("UploadFailed")]);

    bench.call("GetDiagnostics", json!({"location": FOLDER}));
    for _ in 0..2 {
        ended(&mut bench, Err(UploadFailure::Failed));
        bench.pass(60);
    }
    ended(&mut bench, Ok(()));
    assert_eq!(told(&mut bench).pop(), Some(diagnostics_told("Uploaded")));
}

// covers: ODG-010
#[test]
fn idle_is_told_only_when_asked_for() {
    let mut bench = Bench::online();
    let ask = |bench: &mut Bench, action: &str, message: &str| {
        assert_eq!(
            bench.status(action, json!({"requestedMessage": message})),
            "Accepted"
        );
        bench.drain().pop().unwrap().1
    };
    bench.pass(3_600);
    bench.expect_silence();
    let trigger = "DiagnosticsStatusNotification";
    assert_eq!(
        ask(&mut bench, "TriggerMessage", trigger),
        json!({"status": "Idle"})
    );
    diagnostics(&mut bench, FOLDER);
    bench.drain();
    assert_eq!(
        ask(&mut bench, "TriggerMessage", trigger),
        json!({"status": "Uploading"})
    );
    let trigger = "LogStatusNotification";
    assert_eq!(
        ask(&mut bench, "ExtendedTriggerMessage", trigger),
        json!({"status": "Idle"})
    );
    log(&mut bench, "SecurityLog", 4);
    bench.drain();
    assert_eq!(
        ask(&mut bench, "ExtendedTriggerMessage", trigger),
        json!({"status": "Uploading", "requestId": 4})
    );
}

#[test]
fn a_log_is_told_with_its_request_and_why_it_failed() {
    for (kind, uploaded, outcome, last) in [
        ("SecurityLog", UploadedLog::Security, Ok(()), "Uploaded"),
        (
            "DiagnosticsLog",
            UploadedLog::Diagnostics,
            Err(UploadFailure::Failed),
            "UploadFailure",
        ),
        (
            "SecurityLog",
            UploadedLog::Security,
            Err(UploadFailure::PermissionDenied),
            "PermissionDenied",
        ),
        (
            "SecurityLog",
            UploadedLog::Security,
            Err(UploadFailure::NotSupported),
            "NotSupportedOperation",
        ),
    ] {
        let mut bench = Bench::online();
        let answer = log(&mut bench, kind, 9);
        assert_eq!(answer["status"], json!("Accepted"));
        let upload = uploads(&bench).pop().unwrap();
        assert_eq!(
            (json!(upload.file_name), upload.log),
            (answer["filename"].clone(), uploaded)
        );
        ended(&mut bench, outcome);
        let payloads: Vec<Value> = bench
            .drain()
            .into_iter()
            .map(|(_, payload)| payload)
            .collect();
        assert_eq!(
            payloads,
            [
                json!({"status": "Uploading", "requestId": 9}),
                json!({"status": last, "requestId": 9})
            ]
        );
    }
}

#[test]
fn a_newer_request_takes_the_place_of_an_older_one() {
    let mut bench = Bench::online();
    diagnostics(&mut bench, FOLDER);
    assert_eq!(
        log(&mut bench, "SecurityLog", 1)["status"],
        json!("AcceptedCanceled")
    );
    assert_eq!(
        log(&mut bench, "SecurityLog", 2)["status"],
        json!("AcceptedCanceled")
    );
    let log_told = |status: &str| ("Log".to_owned(), json!(status));
    assert_eq!(
        told(&mut bench),
        [
            diagnostics_told("Uploading"),
            diagnostics_told("UploadFailed"),
            log_told("Uploading"),
            log_told("Uploading")
        ]
    );
    bench.input(Input::UploadEnded {
        number: 1,
        outcome: Ok(()),
    });
    bench.expect_silence();
    ended(&mut bench, Ok(()));
    assert_eq!(told(&mut bench), [log_told("Uploaded")]);
}

#[test]
fn the_result_is_told_when_the_connection_is_back() {
    let mut bench = Bench::online();
    diagnostics(&mut bench, FOLDER);
    told(&mut bench);
    bench.input(Input::SocketClosed);
    ended(&mut bench, Ok(()));
    bench.pass(60);
    bench.expect_silence();
    bench.open();
    assert_eq!(told(&mut bench), [diagnostics_told("Uploaded")]);
}

// covers: OFW-014
#[test]
fn hostile_addresses_are_refused_and_credentials_not_logged() {
    let mut bench = Bench::online();
    for location in [
        "file:///etc/shadow",
        "gopher://h/",
        "-o/etc/x",
        "ftp://u:secret@h/a\nb",
        "x",
    ] {
        let call = json!([2, "a", "GetDiagnostics", {"location": location}]);
        let answer = bench.call_frame(&call.to_string());
        assert_eq!(answer[2], json!("PropertyConstraintViolation"), "{answer}");
        assert!(!answer.to_string().contains("secret"));
        let payload =
            json!({"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": location}});
        assert_eq!(bench.status("GetLog", payload), "Rejected");
    }
    assert!(uploads(&bench).is_empty());
    diagnostics(&mut bench, FOLDER);
    for output in &bench.others {
        if let Output::Log(_, text) = output {
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
