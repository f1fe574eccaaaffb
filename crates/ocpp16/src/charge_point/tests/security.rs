//! The security extension: events and certificates.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test takes what it asked for"
)]

use serde_json::{Value, json};

use super::bench::{Bench, settings, start_of_time};
use crate::security::{
    Access, CertificateAnswer, CertificateHash, CertificateOrder, CertificateUse, Certificates,
    HashAlgorithm, InstallRefusal, Removal, SecurityEvent, SecurityEventKind, SecuritySettings,
};
use crate::{Configuration, Input, Output, Stored, Timestamp};

pub(super) const KEY: &str = "000102030405060708090a0b0c0d0e0f";
pub(super) const OTHER_KEY: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/// A station with these keys and certificates, online.
pub(super) fn station(pairs: &[(&str, &str)], security: SecuritySettings) -> Bench {
    let mut configuration = Configuration::default();
    for (name, value) in pairs {
        configuration.set(name, value).unwrap();
    }
    let settings = crate::Settings {
        security,
        ..settings("first")
    };
    let mut bench = Bench::with(settings, configuration, Stored::default());
    bench.connect();
    bench
}

pub(super) fn installed(
    central_system_roots: usize,
    station_until: Option<Timestamp>,
) -> SecuritySettings {
    SecuritySettings {
        certificates: Certificates {
            central_system_roots,
            station_until,
        },
        ..SecuritySettings::default()
    }
}

pub(super) fn change(bench: &mut Bench, key: &str, value: &str) -> String {
    bench.status("ChangeConfiguration", json!({"key": key, "value": value}))
}

/// The ways to connect that were put out, and forgets them.
pub(super) fn connects(bench: &mut Bench) -> Vec<Access> {
    let others = std::mem::take(&mut bench.others);
    let access = |output| match output {
        Output::Connect(access) => Some(access),
        _ => None,
    };
    others.into_iter().filter_map(access).collect()
}

pub(super) fn logged(bench: &Bench) -> Vec<SecurityEventKind> {
    let kind = |output: &Output| match output {
        Output::SecurityEvent(SecurityEvent { kind, .. }) => Some(*kind),
        _ => None,
    };
    bench.others.iter().filter_map(kind).collect()
}

pub(super) fn reopen(bench: &mut Bench) {
    bench.input(Input::SocketClosed);
    bench.open();
}

pub(super) fn password(key: &str) -> Option<Vec<u8>> {
    crate::security::password(key)
}

fn order(bench: &mut Bench) -> CertificateOrder {
    let place = bench
        .others
        .iter()
        .position(|output| matches!(output, Output::Certificate(_)))
        .unwrap();
    match bench.others.remove(place) {
        Output::Certificate(order) => *order,
        _ => unreachable!(),
    }
}

/// Sends a CALL, and answers the order to the store; returns the payload of the CALLRESULT.
fn certificate_call(
    bench: &mut Bench,
    action: &str,
    payload: Value,
    answer: impl FnOnce(CertificateOrder) -> CertificateAnswer,
) -> Value {
    bench.input(Input::Frame(json!([2, "c1", action, payload]).to_string()));
    bench.expect_silence();
    let answer = answer(order(bench));
    bench.input(Input::Certificate(
        Box::new(answer),
        Certificates::default(),
    ));
    let frame = bench.sent.pop_front().unwrap();
    assert_eq!((&frame[0], &frame[1]), (&json!(3), &json!("c1")), "{frame}");
    frame[2].clone()
}

#[test]
fn roots_are_installed_listed_and_removed() {
    let mut bench = Bench::online();
    let request = json!({"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"});
    let invalid = || Err(InstallRefusal::Invalid("it has expired".to_owned()));
    for (outcome, status, event) in [
        (
            Ok(()),
            "Accepted",
            Some(SecurityEventKind::ReconfigurationOfSecurityParameters),
        ),
        (
            invalid(),
            "Rejected",
            Some(SecurityEventKind::InvalidCentralSystemCertificate),
        ),
        (Err(InstallRefusal::Full), "Rejected", None),
        (Err(InstallRefusal::NotStored), "Failed", None),
    ] {
        bench.others.clear();
        let answer = |order| match order {
            CertificateOrder::Install {
                call,
                certificate_use,
                certificate,
            } => {
                assert_eq!(certificate_use, CertificateUse::CentralSystemRoot);
                assert_eq!(certificate, "PEM");
                CertificateAnswer::Installed {
                    call,
                    certificate_use,
                    outcome: outcome.clone(),
                }
            }
            other => panic!("{other:?}"),
        };
        let result = certificate_call(&mut bench, "InstallCertificate", request.clone(), answer);
        assert_eq!(result, json!({"status": status}));
        assert_eq!(logged(&bench), event.into_iter().collect::<Vec<_>>());
        bench.drain();
    }
    let hash = CertificateHash {
        algorithm: HashAlgorithm::Sha256,
        issuer_name: "aa".to_owned(),
        issuer_key: "bb".to_owned(),
        serial_number: "1f".to_owned(),
    };
    let data = json!({"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1f"});
    for (certificates, expected) in [
        (
            vec![hash.clone()],
            json!({"status": "Accepted", "certificateHashData": [data]}),
        ),
        (Vec::new(), json!({"status": "NotFound"})),
    ] {
        let answer = |order| match order {
            CertificateOrder::List {
                call,
                certificate_use,
            } => {
                assert_eq!(certificate_use, CertificateUse::ManufacturerRoot);
                CertificateAnswer::Listed { call, certificates }
            }
            other => panic!("{other:?}"),
        };
        let request = json!({"certificateType": "ManufacturerRootCertificate"});
        let result = certificate_call(&mut bench, "GetInstalledCertificateIds", request, answer);
        assert_eq!(result, expected);
    }
    for (outcome, status) in [
        (Removal::Removed, "Accepted"),
        (Removal::Failed, "Failed"),
        (Removal::NotFound, "NotFound"),
    ] {
        let answer = |order| match order {
            CertificateOrder::Remove {
                call,
                certificate,
                keep_last_root,
            } => {
                assert_eq!(certificate, hash);
                assert!(!keep_last_root);
                CertificateAnswer::Removed { call, outcome }
            }
            other => panic!("{other:?}"),
        };
        let request = json!({"certificateHashData": data});
        let result = certificate_call(&mut bench, "DeleteCertificate", request, answer);
        assert_eq!(result, json!({"status": status}));
    }
}

#[test]
fn a_slow_store_is_answered_for_within_a_second() {
    let mut bench = Bench::online();
    let request = json!({"certificateType": "ManufacturerRootCertificate"});
    let frame = json!([2, "c1", "GetInstalledCertificateIds", request]).to_string();
    bench.input(Input::Frame(frame.clone()));
    bench.expect_silence();
    bench.pass(1);
    assert_eq!(
        bench.sent.pop_front(),
        Some(json!([3, "c1", {"status": "NotFound"}]))
    );
    let late = CertificateAnswer::Listed {
        call: "c1".to_owned(),
        certificates: Vec::new(),
    };
    bench.input(Input::Certificate(Box::new(late), Certificates::default()));
    bench.expect_silence();
    for number in 0..20 {
        bench.input(Input::Frame(frame.replace("c1", &format!("d{number}"))));
    }
    bench.expect_silence();
    let crowded = bench.call_frame(&frame);
    assert_eq!(crowded, json!([3, "c1", {"status": "NotFound"}]));
}

#[test]
fn a_certificate_is_asked_for_signed_and_used() {
    let until = Some(start_of_time().plus_seconds(86_400 * 365));
    let keys = [("SecurityProfile", "3"), ("CpoName", "An Operator")];
    let mut bench = station(&keys, installed(1, until));
    let trigger = json!({"requestedMessage": "SignChargePointCertificate"});
    assert_eq!(bench.status("ExtendedTriggerMessage", trigger), "Accepted");
    let organization = "An Operator".to_owned();
    assert_eq!(
        order(&mut bench),
        CertificateOrder::Request { organization }
    );
    let known = Certificates {
        central_system_roots: 1,
        station_until: until,
    };
    let requested = CertificateAnswer::Requested(Ok("the request".to_owned()));
    bench.input(Input::Certificate(Box::new(requested), known));
    let sent = bench.answer("SignCertificate", json!({"status": "Accepted"}));
    assert_eq!(sent, json!({"csr": "the request"}));
    for (outcome, status, events) in [
        (
            Err("it is for another key".to_owned()),
            "Rejected",
            [SecurityEventKind::InvalidChargePointCertificate],
        ),
        (
            Ok(()),
            "Accepted",
            [SecurityEventKind::ReconfigurationOfSecurityParameters],
        ),
    ] {
        bench.others.clear();
        let accepted = outcome.is_ok();
        let answer = |order| match order {
            CertificateOrder::Accept { call, chain } => {
                assert_eq!(chain, "PEM");
                CertificateAnswer::Accepted { call, outcome }
            }
            other => panic!("{other:?}"),
        };
        let chain = json!({"certificateChain": "PEM"});
        let result = certificate_call(&mut bench, "CertificateSigned", chain, answer);
        assert_eq!(result, json!({"status": status}));
        assert_eq!(logged(&bench), events);
        assert_eq!(
            connects(&mut bench).len(),
            usize::from(accepted),
            "used at once"
        );
        bench.drain();
    }
}

#[test]
fn of_the_certificate_requests_that_wait_only_the_newest_is_sent() {
    let mut bench = Bench::online();
    let heartbeat = json!({"requestedMessage": "Heartbeat"});
    assert_eq!(bench.status("TriggerMessage", heartbeat), "Accepted");
    // A central system that takes its time for one answer, and asks on.
    for number in 0..100 {
        let trigger = json!({"requestedMessage": "SignChargePointCertificate"});
        bench.status("ExtendedTriggerMessage", trigger);
        let requested = CertificateAnswer::Requested(Ok(number.to_string()));
        bench.input(Input::Certificate(
            Box::new(requested),
            Certificates::default(),
        ));
    }
    let time = bench.wall().to_string();
    bench.answer("Heartbeat", json!({"currentTime": time}));
    let sent = bench.answer("SignCertificate", json!({"status": "Accepted"}));
    assert_eq!(sent, json!({"csr": "99"}));
    bench.expect_silence();
}

#[test]
fn a_certificate_is_renewed_in_time_and_daily() {
    let until = start_of_time().plus_seconds(86_400 * 40);
    let mut bench = station(&[], installed(0, Some(until)));
    let asked = |bench: &mut Bench, days: u64| {
        bench.others.clear();
        for _ in 0..days {
            bench.pass(86_400);
            bench.drain();
        }
        let requests = |output: &&Output| matches!(output, Output::Certificate(_));
        bench.others.iter().filter(requests).count()
    };
    assert_eq!(asked(&mut bench, 9), 0);
    assert!((1..=2).contains(&asked(&mut bench, 2)));
    assert!(
        (2..=3).contains(&asked(&mut bench, 3)),
        "daily until there is a new one"
    );
}

#[test]
fn the_start_of_the_board_is_told_once() {
    let mut bench = Bench::new();
    bench.stored.security.boot = "an earlier one".to_owned();
    let mut bench = bench.restart();
    assert_eq!(logged(&bench), [SecurityEventKind::StartupOfTheDevice]);
    bench.connect_with_events();
    let event = bench.answer("SecurityEventNotification", json!({}));
    assert_eq!(event["type"], "StartupOfTheDevice");
    assert_eq!(event["timestamp"], bench.wall().to_string());
    bench.expect_silence();
    assert!(bench.stored.security.waiting.is_empty());
    let again = bench.restart();
    assert_eq!(logged(&again), [], "the process, not the board");
}

#[test]
fn critical_events_are_kept_until_they_are_delivered() {
    let mut bench = Bench::online();
    bench.call("Reset", json!({"type": "Hard"}));
    let (_, event) = bench.expect_call("SecurityEventNotification");
    assert_eq!(event["type"], "ResetOrReboot");
    bench.input(Input::SocketClosed);
    let mut bench = bench.restart();
    bench.connect_with_events();
    let event = bench.answer("SecurityEventNotification", json!({}));
    assert_eq!(event["type"], "ResetOrReboot");
    bench.expect_silence();
}

#[test]
fn an_event_is_not_repeated_because_of_a_callerror_nor_for_ever() {
    let mut bench = Bench::online();
    bench.call("Reset", json!({"type": "Soft"}));
    bench.answer_error("SecurityEventNotification", "NotImplemented");
    bench.expect_silence();
    assert!(bench.stored.security.waiting.is_empty());
    let invalid = "[2]";
    for _ in 0..100 {
        bench.input(Input::Frame(invalid.to_owned()));
    }
    let invalid = |kind: &&SecurityEventKind| **kind == SecurityEventKind::InvalidMessages;
    assert_eq!(
        logged(&bench).iter().filter(invalid).count(),
        1,
        "the flash wears"
    );
}

#[test]
fn the_events_that_wait_are_bounded() {
    let mut bench = Bench::new();
    for number in 0..60 {
        let reason = (number % 2 == 0).then_some(());
        bench.pass(600);
        let kind = match reason {
            Some(()) => SecurityEventKind::InvalidCentralSystemCertificate,
            None => SecurityEventKind::SecurityLogWasCleared,
        };
        bench.input(Input::ConnectionFailed(Some((kind, number.to_string()))));
    }
    let waiting = &bench.stored.security.waiting;
    assert_eq!(waiting.len(), 50);
    let critical = waiting.iter().filter(|event| event.kind.critical()).count();
    assert_eq!(critical, 30, "critical ones are the last to go");
}

#[test]
fn a_cleared_log_is_an_event() {
    let mut stored = Stored::default();
    stored.security.boot = "an earlier one".to_owned();
    for (stored, expected) in [(Stored::default(), false), (stored, true)] {
        let security = SecuritySettings {
            log_is_empty: true,
            ..SecuritySettings::default()
        };
        let settings = crate::Settings {
            security,
            ..settings("first")
        };
        let mut point = crate::ChargePoint::new(settings, Configuration::default(), stored);
        let time = crate::Time::new(crate::Millis(1), Some(start_of_time()));
        let outputs = point.handle(time, Input::Tick);
        let cleared = outputs.iter().any(|output| {
            matches!(output, Output::SecurityEvent(event) if event.kind == SecurityEventKind::SecurityLogWasCleared)
        });
        assert_eq!(cleared, expected);
    }
}

#[test]
fn the_advertised_lengths_are_those_that_hold() {
    let configuration = Configuration::default();
    let number = |name: &str| {
        let key = configuration.key(name).unwrap();
        configuration.value(key).parse::<usize>().unwrap()
    };
    assert_eq!(
        number("CertificateStoreMaxLength"),
        crate::security::MAX_CERTIFICATES
    );
    let chain = number("CertificateSignedMaxChainSize");
    for (length, taken) in [(chain, true), (chain + 1, false)] {
        let mut bench = Bench::online();
        let payload = json!({"certificateChain": "x".repeat(length)});
        let frame = json!([2, "c1", "CertificateSigned", payload]).to_string();
        bench.input(Input::Frame(frame));
        let refusal = bench.sent.pop_front();
        let code = refusal.map(|frame| frame[2].clone());
        let expected = (!taken).then(|| json!("PropertyConstraintViolation"));
        assert_eq!(code, expected, "{length}");
        let ordered = |output: &Output| matches!(output, Output::Certificate(_));
        assert_eq!(bench.others.iter().any(ordered), taken, "{length}");
    }
}
