//! The security extension: profiles, certificates and events over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::central_system::{CentralSystem, Options};
use support::authority::{Authority, tls};
use support::{Bench, SOON, central, traces, until_within};

const KEY: &str = "4f43415f4f4354545f61646d696e5f74657374";
/// HTTP Basic of `CP1` and the bytes of the key, `OCA_OCTT_admin_test`.
const BASIC: &str = "Basic Q1AxOk9DQV9PQ1RUX2FkbWluX3Rlc3Q=";
/// Three attempts in vain and the waits between them, on a busy machine.
const LATER: Duration = Duration::from_secs(60);

fn change(central: &CentralSystem, key: &str, value: &str) -> Value {
    let payload = json!({"key": key, "value": value});
    central.call("ChangeConfiguration", payload, SOON).unwrap()["status"].clone()
}

fn profile(central: &CentralSystem) -> Value {
    let payload = json!({"key": ["SecurityProfile"]});
    let answer = central.call("GetConfiguration", payload, SOON).unwrap();
    answer["configurationKey"][0]["value"].clone()
}

/// Another central system at the same port.
fn replace(old: CentralSystem, server: Option<Arc<rustls::ServerConfig>>) -> CentralSystem {
    let address = old.uri().split("://").nth(1).unwrap();
    let port = address.split([':', '/']).nth(1).unwrap().parse().unwrap();
    drop(old);
    CentralSystem::start(Options {
        port,
        tls: server,
        trace_dir: Some(traces()),
        ..Options::default()
    })
    .unwrap()
}

fn start(central: &CentralSystem) -> Bench {
    Bench::start(&format!("{}/CP1", central.uri()), json!({}))
}

/// What is kept from an earlier life: profile 2 and the root certificate `pem`.
fn in_profile_2(central: &CentralSystem, pem: &str) -> Bench {
    let mut bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    let keys = json!({"SecurityProfile": "2", "AuthorizationKey": KEY}).to_string();
    std::fs::write(bench.path("ocpp_data.json"), keys).unwrap();
    let roots = bench.path("certificates/central-system");
    std::fs::create_dir_all(&roots).unwrap();
    std::fs::write(roots.join("root.pem"), pem).unwrap();
    bench.run();
    bench
}

fn security_log(bench: &Bench) -> String {
    std::fs::read_to_string(bench.path("security.log")).unwrap_or_default()
}

// Defect 48 of the field: the key's digits were sent, and a new key was not used.
#[test]
fn from_no_profile_to_certificates_on_both_sides() {
    let authority = Authority::new("Operator");
    let server = authority.server();
    let central = central();
    let bench = start(&central);
    central.wait_connected(SOON).unwrap();
    assert_eq!(
        change(&central, "SecurityProfile", "1"),
        "Rejected",
        "without a key"
    );
    assert_eq!(change(&central, "AuthorizationKey", KEY), "Accepted");
    assert_eq!(change(&central, "CpoName", "Operator"), "Accepted");
    assert_eq!(change(&central, "SecurityProfile", "1"), "Accepted");
    let header = |central: &CentralSystem| {
        central
            .handshakes()
            .last()
            .and_then(|last| last.authorization.clone())
    };
    until_within(LATER, "profile 1", || {
        header(&central).as_deref() == Some(BASIC)
    });
    central.wait_connected(SOON).unwrap();

    assert_eq!(
        change(&central, "SecurityProfile", "2"),
        "Rejected",
        "without a root"
    );
    let root =
        json!({"certificateType": "CentralSystemRootCertificate", "certificate": authority.pem()});
    let installed = central.call("InstallCertificate", root, SOON).unwrap();
    assert_eq!(installed, json!({"status": "Accepted"}));
    let which = json!({"certificateType": "CentralSystemRootCertificate"});
    let ids = central
        .call("GetInstalledCertificateIds", which, SOON)
        .unwrap();
    let judged = authority
        .openssl("ocsp -sha256 -issuer ca.pem -cert ca.pem -req_text")
        .to_lowercase();
    for field in ["issuerNameHash", "issuerKeyHash", "serialNumber"] {
        let ours = ids["certificateHashData"][0][field].as_str().unwrap();
        assert!(judged.contains(ours), "{field} {ours}: {judged}");
    }
    assert_eq!(change(&central, "SecurityProfile", "2"), "Accepted");
    let central = replace(central, Some(tls(&server, None)));
    until_within(LATER, "profile 2", || {
        header(&central).as_deref() == Some(BASIC)
    });
    central.wait_connected(SOON).unwrap();
    assert_eq!(profile(&central), "2");
    assert_eq!(
        change(&central, "SecurityProfile", "1"),
        "Rejected",
        "lowered"
    );
    let hash = json!({"certificateHashData": ids["certificateHashData"][0]});
    let deleted = central.call("DeleteCertificate", hash, SOON).unwrap();
    assert_eq!(deleted, json!({"status": "Failed"}), "it is needed");

    assert_eq!(
        change(&central, "SecurityProfile", "3"),
        "Rejected",
        "without a certificate"
    );
    renew(&central, &authority, &bench);
    assert_eq!(change(&central, "SecurityProfile", "3"), "Accepted");
    let central = replace(central, Some(tls(&server, Some(&authority))));
    central.wait_connected(LATER).unwrap();
    assert_eq!(profile(&central), "3");
    assert_eq!(header(&central), None, "no password");
    // A new certificate is used at once.
    let before = central.handshakes().len();
    renew(&central, &authority, &bench);
    until_within(LATER, "a new connection", || {
        central.handshakes().len() > before
    });
    central.wait_connected(SOON).unwrap();

    // One that the central system does not take gives way to the one before it.
    let before = central.handshakes().len();
    let stranger = Authority::new("Another");
    renew(&central, &stranger, &bench);
    until_within(LATER, "the old certificate", || {
        central.handshakes().len() > before
    });
    central.wait_connected(LATER).unwrap();

    let log = bench.log();
    assert!(!log.to_lowercase().contains(KEY) && !log.contains("PRIVATE KEY"));
    assert!(security_log(&bench).contains("ReconfigurationOfSecurityParameters"));
}

/// A certificate for the station, by its request and openssl.
fn renew(central: &CentralSystem, authority: &Authority, bench: &Bench) {
    central.mark();
    let trigger = json!({"requestedMessage": "SignChargePointCertificate"});
    let answer = central
        .call("ExtendedTriggerMessage", trigger, SOON)
        .unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    let request = central.wait_for("SignCertificate", |_| true, SOON).unwrap();
    let csr = request["csr"].as_str().unwrap();
    let signed = authority.sign(csr, "extendedKeyUsage=clientAuth");
    let forger = Authority::new("Operator").sign(csr, "extendedKeyUsage=clientAuth");
    for (chain, expected) in [(forger, "Rejected"), (signed, "Accepted")] {
        let chain = json!({"certificateChain": chain});
        let answer = central.call("CertificateSigned", chain, SOON).unwrap();
        assert_eq!(answer, json!({"status": expected}));
    }
    let subject = authority.openssl("x509 -in signed.pem -noout -subject");
    assert!(
        subject.contains("Operator") && subject.contains("CP1"),
        "{subject}"
    );
    let event = |event: &Value| event["type"] == "InvalidChargePointCertificate";
    assert!(security_log(bench).contains("InvalidChargePointCertificate"));
    central
        .wait_for("SecurityEventNotification", event, SOON)
        .unwrap();
}

#[test]
fn a_profile_that_does_not_connect_is_taken_back() {
    let authority = Authority::new("Operator");
    let central = central();
    let bench = start(&central);
    central.wait_connected(SOON).unwrap();
    let root =
        json!({"certificateType": "CentralSystemRootCertificate", "certificate": authority.pem()});
    central.call("InstallCertificate", root, SOON).unwrap();
    change(&central, "AuthorizationKey", KEY);
    let before = central.handshakes().len();
    assert_eq!(change(&central, "SecurityProfile", "2"), "Accepted");
    // There is no TLS at the other end.
    until_within(LATER, "the old profile again", || {
        central.handshakes().len() > before
    });
    central.wait_connected(LATER).unwrap();
    assert_eq!(profile(&central), "0");
    assert!(bench.log().contains("the old one holds"));
}

#[test]
fn a_key_that_the_central_system_refuses_gives_way_to_the_old_one() {
    const OTHER: &str = "a password as text";
    let central = central();
    let bench = start(&central);
    central.wait_connected(SOON).unwrap();
    change(&central, "AuthorizationKey", KEY);
    change(&central, "SecurityProfile", "1");
    let headers = |central: &CentralSystem| {
        let handshakes = central.handshakes().into_iter();
        handshakes.map(|one| one.authorization).collect::<Vec<_>>()
    };
    until_within(LATER, "profile 1", || headers(&central).len() == 2);
    central.wait_connected(LATER).unwrap();
    central.refuse_handshakes(Some(401));
    assert_eq!(change(&central, "AuthorizationKey", OTHER), "Accepted");
    until_within(LATER, "the old key again", || headers(&central).len() >= 6);
    let headers = headers(&central);
    let old = Some(BASIC.to_owned());
    let changed: Vec<bool> = headers[1..6].iter().map(|header| *header != old).collect();
    assert_eq!(changed, [false, true, true, true, false], "{headers:?}");
    until_within(SOON, "the event", || {
        security_log(&bench).contains("FailedToAuthenticateAtCentralSystem")
    });
    assert!(!bench.log().contains(OTHER));
}

/// The central system takes a key that a station has never connected with.
#[test]
fn a_key_that_was_accepted_is_not_lost_with_the_power() {
    const OTHER: &str = "a password as text";
    let central = central();
    let mut bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    let keys = json!({"SecurityProfile": "1", "AuthorizationKey": KEY}).to_string();
    std::fs::write(bench.path("ocpp_data.json"), keys).unwrap();
    bench.run();
    central.wait_connected(SOON).unwrap();
    central.refuse_handshakes(Some(503));
    assert_eq!(change(&central, "AuthorizationKey", OTHER), "Accepted");
    bench.kill();
    let before = central.handshakes().len();
    central.refuse_handshakes(None);
    bench.run();
    until_within(LATER, "the new key", || central.handshakes().len() > before);
    let new = central.handshakes().pop().unwrap().authorization;
    assert_ne!(new.as_deref(), Some(BASIC));
    central.wait_connected(LATER).unwrap();
    until_within(SOON, "the new key holds", || {
        let kept = std::fs::read_to_string(bench.path("ocpp_data.json")).unwrap();
        kept.contains(OTHER) && !kept.contains("tried")
    });
}

#[test]
fn a_central_system_is_known_by_its_root_or_not_at_all() {
    let (authority, stranger) = (Authority::new("Operator"), Authority::new("Operator"));
    let (wrong, right) = (stranger.server(), authority.server());
    let central = CentralSystem::start(Options {
        tls: Some(tls(&wrong, None)),
        trace_dir: Some(traces()),
        ..Options::default()
    })
    .unwrap();
    let bench = in_profile_2(&central, &authority.pem());
    until_within(LATER, "the event", || {
        security_log(&bench).contains("InvalidCentralSystemCertificate")
    });
    assert!(central.handshakes().is_empty());
    let central = replace(central, Some(tls(&right, None)));
    central.wait_connected(LATER).unwrap();
    let event = |event: &Value| event["type"] == "InvalidCentralSystemCertificate";
    central
        .wait_for("SecurityEventNotification", event, LATER)
        .unwrap();
}

#[test]
fn a_pinned_certificate_is_that_one_alone() {
    let (one, other) = (
        Authority::new("One").pinned(),
        Authority::new("Other").pinned(),
    );
    let central = CentralSystem::start(Options {
        tls: Some(tls(&other, None)),
        trace_dir: Some(traces()),
        ..Options::default()
    })
    .unwrap();
    let bench = in_profile_2(&central, &one.0);
    until_within(LATER, "the event", || {
        security_log(&bench).contains("InvalidCentralSystemCertificate")
    });
    let central = replace(central, Some(tls(&one, None)));
    central.wait_connected(LATER).unwrap();
}
