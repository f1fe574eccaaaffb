//! Uploads of logs to real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use simulator::central_system::CentralSystem;
use support::file_server::FileServer;
use support::{Bench, SOON, central, until};

/// ocppd, connected, with a journal of our own.
fn station(central: &CentralSystem, ocpp: Value, trust: Option<&FileServer>) -> Bench {
    let uri = format!(
        "ws://charger:pass-word@{}/CP1",
        central.uri().trim_start_matches("ws://")
    );
    let mut bench = Bench::prepare(&uri, ocpp);
    let script = bench.path("journal.sh");
    let journal = "echo \"asked $*\"; echo 'received ftp://u:hidden@host/'; echo a line";
    fs::write(&script, journal).unwrap();
    let log_dir = bench.path("logs");
    fs::create_dir(&log_dir).unwrap();
    fs::write(log_dir.join("evsed.log"), "evsed INFO all is well\n").unwrap();
    bench.option("--journal-command", &format!("sh {}", script.display()));
    bench.option("--log-dir", &log_dir.display().to_string());
    if let Some(server) = trust {
        bench.environment("CURL_CA_BUNDLE", &server.trust().display().to_string());
    }
    bench.run();
    let known = |status: &Value| status["connectorId"] == 1;
    central.wait_for("StatusNotification", known, SOON).unwrap();
    bench
}

fn told(central: &CentralSystem, message: &str, status: &str) {
    central
        .wait_for(message, |told| told["status"] == status, SOON)
        .unwrap();
}

fn statuses(central: &CentralSystem, message: &str) -> Vec<Value> {
    let calls = central.calls(message);
    calls.iter().map(|told| told["status"].clone()).collect()
}

fn unpack(archive: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    let tar = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(into)
        .status();
    assert!(tar.unwrap().success());
}

// covers: ODG-001, ODG-002, ODG-003, ODG-005, ODG-007, OFW-014
#[test]
fn diagnostics_reach_servers_of_all_kinds_without_secrets() {
    for kind in ["ftp", "ftps", "http", "https"] {
        let central = central();
        let server = FileServer::start(kind, &[]);
        let bench = station(&central, json!({}), Some(&server));
        let request = json!({"location": server.location("dir/"), "retries": 1,
            "startTime": "2026-03-01T00:00:00Z", "stopTime": "2026-03-02T00:00:00Z"});
        let answer = central.call("GetDiagnostics", request, SOON).unwrap();
        let name = answer["fileName"].as_str().unwrap();
        let (path, tls) = server.stored();
        assert_eq!(
            (path.file_name().unwrap().to_str(), tls),
            (Some(name), kind.ends_with('s'))
        );
        let in_folder = path.ends_with(Path::new("login/dir").join(name));
        assert_eq!(in_folder, kind.starts_with("ftp"), "{}", path.display());
        told(&central, "DiagnosticsStatusNotification", "Uploaded");
        assert_eq!(
            statuses(&central, "DiagnosticsStatusNotification"),
            ["Uploading", "Uploaded"]
        );
        let unpacked = bench.path("unpacked");
        unpack(&path, &unpacked);
        let read = |name: &str| fs::read_to_string(unpacked.join(name)).unwrap();
        assert_eq!(
            read("journal.log"),
            "asked --lines=40000 --since=@1772323200 --until=@1772409600\nreceived ftp://***@host/\na line\n"
        );
        assert!(
            read("customer.json").contains("ws://***@"),
            "{}",
            read("customer.json")
        );
        assert!(read("about.txt").contains("from 2026-03-01T00:00:00.000Z"));
        assert_eq!(read("evsed.log"), "evsed INFO all is well\n");
        let mut search = Command::new("grep");
        search
            .args(["-rE", "hidden|pass-word|se.*cret"])
            .arg(&unpacked);
        let found = search.output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&found), "");
        assert!(!bench.log().contains("cret@"), "{}", bench.log());
        until("the archive is deleted", || {
            fs::read_dir(bench.path("upload")).unwrap().next().is_none()
        });
    }
}

// covers: ODG-004
#[test]
fn plain_ftp_becomes_tls_where_the_server_offers_it_and_goes_on_where_not() {
    let central = central();
    let _bench = station(&central, json!({"ftpTryTLSUpgrade": true}), None);
    for (kind, expected) in [("ftp+tls", true), ("ftp", false)] {
        let server = FileServer::start(kind, &[]);
        let request = json!({"location": server.location("dir/"), "retries": 1});
        central.call("GetDiagnostics", request, SOON).unwrap();
        assert_eq!(server.stored().1, expected, "{kind}");
    }
}

// covers: ODG-004, ODG-005, ODG-006, OFW-012
#[test]
fn ftp_paths_begin_where_the_login_leads_or_at_the_root() {
    let central = central();
    let _bench = station(&central, json!({}), None);
    let server = FileServer::start("ftp+tls", &[]);
    for (path, expected) in [
        ("dir/", "login/dir"),
        ("", "login"),
        ("/abs/", "abs"),
        ("dir/mine.tgz", "login/dir"),
    ] {
        let before = server.events().len();
        let request = json!({"location": server.location(path), "retries": 1});
        let answer = central.call("GetDiagnostics", request, SOON).unwrap();
        until("a file is stored", || server.events().len() > before);
        let (stored, tls) = server.stored();
        let name = answer["fileName"].as_str().unwrap();
        assert!(
            stored.ends_with(Path::new(expected).join(name)),
            "{}",
            stored.display()
        );
        assert!(!tls, "nobody asked for an upgrade");
    }
}

// covers: ODG-008
#[test]
fn a_server_that_refuses_or_breaks_off_gets_the_archive_later() {
    for option in ["--refusals", "--breaks"] {
        let central = central();
        let server = FileServer::start("http", &[option, "2"]);
        let _bench = station(&central, json!({}), None);
        let request = json!({"location": server.location("up"), "retries": 3, "retryInterval": 1});
        central.call("GetDiagnostics", request, SOON).unwrap();
        told(&central, "DiagnosticsStatusNotification", "Uploaded");
        assert_eq!(server.events().len(), 3, "{:?}", server.events());
        assert_eq!(
            statuses(&central, "DiagnosticsStatusNotification"),
            ["Uploading", "Uploaded"]
        );
    }
}

// covers: ODG-002
#[test]
fn what_can_not_be_delivered_is_told_with_its_reason() {
    let central = central();
    let _bench = station(&central, json!({}), None);
    let redirecting = FileServer::start("http", &["--refusals", "9", "--status", "302"]);
    let refusing = FileServer::start("http", &["--refusals", "9", "--status", "405"]);
    let untrusted = FileServer::start("https", &[]);
    let ftp = FileServer::start("ftp", &[]);
    let nobody = "ftp://localhost:1/".to_owned();
    for (request, (location, expected)) in [
        (redirecting.location(""), "UploadFailure"),
        (refusing.location(""), "NotSupportedOperation"),
        (untrusted.location(""), "UploadFailure"),
        (
            untrusted.location("").replace("se%2Bcret", "wrong"),
            "UploadFailure",
        ),
        (
            refusing.location("").replace("se%2Bcret", "wrong"),
            "PermissionDenied",
        ),
        (
            ftp.location("").replace("se%2Bcret", "wrong"),
            "PermissionDenied",
        ),
        (ftp.location("missing/"), "PermissionDenied"),
        (nobody, "UploadFailure"),
    ]
    .into_iter()
    .enumerate()
    {
        let log = json!({"logType": "SecurityLog", "requestId": request, "retries": 1,
            "log": {"remoteLocation": location}});
        let answer = central.call("GetLog", log, SOON).unwrap();
        assert_eq!(answer["status"], json!("Accepted"), "{request}");
        let ended = |told: &Value| told["requestId"] == request && told["status"] != "Uploading";
        let told = central
            .wait_for("LogStatusNotification", ended, SOON)
            .unwrap();
        assert_eq!(told["status"], json!(expected), "{request}");
    }
    let call = json!({"location": "file:///etc/passwd"});
    assert!(central.call("GetDiagnostics", call, SOON).is_err());
}

#[test]
fn the_security_log_is_uploaded_within_its_window() {
    let central = central();
    let bench = station(&central, json!({}), None);
    let server = FileServer::start("http", &[]);
    let event = |day: u32| format!(r#"{{"type":"Reset","timestamp":"2026-03-0{day}T12:00:00Z"}}"#);
    let events: String = (1..=3).map(|day| event(day) + "\n").collect();
    fs::write(bench.path("security.log"), events).unwrap();
    let log = json!({"logType": "SecurityLog", "requestId": 3, "log": {"remoteLocation": server.location("up"),
        "oldestTimestamp": "2026-03-02T00:00:00Z", "latestTimestamp": "2026-03-03T00:00:00Z"}});
    let answer = central.call("GetLog", log, SOON).unwrap();
    let (path, _) = server.stored();
    assert_eq!(
        json!(path.file_name().unwrap().to_str()),
        answer["filename"]
    );
    unpack(&path, &bench.path("unpacked"));
    let security = fs::read_to_string(bench.path("unpacked/security.log")).unwrap();
    assert_eq!(security, event(2) + "\n");
    assert!(!bench.path("unpacked/journal.log").exists());
}

// covers: ODG-009
#[test]
fn a_charge_goes_on_during_an_upload() {
    let central = central();
    let server = FileServer::start("http", &["--breaks", "1"]);
    let bench = station(&central, json!({"MeterValueSampleInterval": 10}), None);
    let id = bench.charge(&central);
    let permits = bench.mqtt.history("port0/session/authorization_status");
    central.mark();
    let request = json!({"location": server.location("up"), "retries": 2, "retryInterval": 1});
    central.call("GetDiagnostics", request, SOON).unwrap();
    told(&central, "DiagnosticsStatusNotification", "Uploaded");
    assert_eq!(
        bench.mqtt.history("port0/session/authorization_status"),
        permits
    );
    assert!(central.calls("StopTransaction").is_empty());
    assert!(central.calls("StatusNotification").is_empty());
    let stop = json!({"transactionId": id});
    let answer = central.call("RemoteStopTransaction", stop, SOON).unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
}
