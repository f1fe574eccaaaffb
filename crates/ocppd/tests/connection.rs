//! The connection: back-off, pings, TLS, credentials.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use simulator::central_system::{CentralSystem, Options};
use support::{Bench, SOON, central, until, until_within};

fn booted(central: &CentralSystem) {
    central
        .wait_for(
            "StatusNotification",
            |status| status["connectorId"] == 1,
            SOON,
        )
        .unwrap();
}

// covers: OC-008, OC-013, OO-014, OO-017
#[test]
fn after_a_short_drop_it_is_back_within_10_seconds_without_a_boot_notification() {
    let central = central();
    let bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    bench.charge(&central);
    central.stop().unwrap();
    bench.mqtt.wait("ocpp/online", "0");
    central.restart_on_same_port().unwrap();
    central.mark();
    central.wait_connected(Duration::from_secs(10)).unwrap();
    bench.mqtt.wait("ocpp/online", "1");
    let answer = central
        .call(
            "TriggerMessage",
            json!({"requestedMessage": "Heartbeat"}),
            SOON,
        )
        .unwrap();
    assert_eq!(answer, json!({"status": "Accepted"}));
    central.wait_for("Heartbeat", |_| true, SOON).unwrap();
    assert_eq!(
        central.calls("BootNotification"),
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(
        bench
            .mqtt
            .history("port0/session/authorization_status")
            .last()
            .unwrap(),
        "1"
    );
}

// covers: OC-014
#[test]
fn a_boot_notification_follows_a_reconnect_where_configured() {
    let central = central();
    let _bench = Bench::start(
        &format!("{}/CP1", central.uri()),
        json!({"bootNotificationOnReconnect": true}),
    );
    booted(&central);
    central.mark();
    central.drop_connection();
    central
        .wait_for("BootNotification", |_| true, SOON)
        .unwrap();
}

// covers: OC-051, OC-009
#[test]
fn a_central_system_that_refuses_is_tried_less_and_less() {
    for refusal in [404, 401, 302] {
        let central = central();
        central.refuse_handshakes(Some(refusal));
        let bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
        let started = Instant::now();
        until("three attempts", || central.handshakes().len() >= 3);
        assert!(
            started.elapsed() > Duration::from_millis(1_200),
            "half of 1 s and of 2 s at least"
        );
        central.refuse_handshakes(None);
        central.wait_connected(SOON).unwrap();
        assert!(
            bench.log().contains(&refusal.to_string()),
            "{}",
            bench.log()
        );
    }
}

#[test]
fn a_central_system_that_closes_right_after_the_handshake_is_tried_less_and_less() {
    let central = central();
    let _bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    central.wait_connected(SOON).unwrap();
    let started = Instant::now();
    for _ in 0..3 {
        central.drop_connection();
        central.wait_connected(SOON).unwrap();
    }
    assert!(
        started.elapsed() > Duration::from_millis(3_400),
        "half of 1 s, of 2 s and of 4 s at least"
    );
}

// covers: OC-003, OC-004, OC-006
#[test]
fn pings_go_both_ways_and_a_hung_peer_is_left() {
    let central = central();
    let keys = json!({"WebSocketPingInterval": 1, "webSocketPingTimeout": 2});
    let bench = Bench::start(&format!("{}/CP1", central.uri()), keys);
    booted(&central);
    central.ping(SOON).unwrap();
    until("pings", || central.pings_received() >= 2);
    central.freeze();
    bench.mqtt.wait("ocpp/online", "0");
    until("it says why", || bench.log().contains("no pong"));
}

// covers: OC-005
#[test]
fn pings_can_be_switched_on_while_connected() {
    let central = central();
    let _bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    booted(&central);
    assert_eq!(central.pings_received(), 0);
    central
        .call(
            "ChangeConfiguration",
            json!({"key": "WebSocketPingInterval", "value": "1"}),
            SOON,
        )
        .unwrap();
    until("pings", || central.pings_received() >= 2);
}

#[test]
fn credentials_of_the_uri_are_basic_authentication() {
    let central = central();
    let uri = central.uri().replace("ws://", "ws://CP1:s%3Acret@");
    let bench = Bench::start(&format!("{uri}/CP1"), json!({}));
    booted(&central);
    // CP1:s:cret
    assert_eq!(
        central.handshakes()[0].authorization.as_deref(),
        Some("Basic Q1AxOnM6Y3JldA==")
    );
    assert!(!bench.log().contains("s%3Acret"), "no password in the log");
}

// covers: OC-047
#[test]
fn a_frame_beyond_the_limit_ends_the_connection_but_not_the_daemon() {
    let central = central();
    let _bench = Bench::start(&format!("{}/CP1", central.uri()), json!({}));
    booted(&central);
    central
        .send_raw(&format!(
            r#"[2,"big","DataTransfer",{{"vendorId":"{}"}}]"#,
            "x".repeat(2 << 20)
        ))
        .unwrap();
    until("it came back", || central.handshakes().len() >= 2);
    central.wait_connected(SOON).unwrap();
}

/// A self-signed certificate marked as an authority, as `openssl req -x509` makes it.
fn self_signed() -> (Arc<rustls::ServerConfig>, String) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key_der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key_der)
        .unwrap();
    (Arc::new(config), certificate.pem())
}

// covers: TLS-001, TLS-002, TLS-005
#[test]
fn wss_verifies_as_configured() {
    for (verify, trusted, connects) in [
        (true, true, true),
        (true, false, false),
        (false, false, true),
    ] {
        let (tls, pem) = self_signed();
        let options = Options {
            tls: Some(tls),
            trace_dir: Some(support::traces()),
            ..Options::default()
        };
        let central = CentralSystem::start(options).unwrap();
        let uri = format!("{}/CP1", central.uri().replace("127.0.0.1", "localhost"));
        assert!(uri.starts_with("wss://"), "{uri}");
        let mut bench = Bench::prepare(&uri, json!({"verifyCert": verify}));
        let other = if trusted { pem } else { self_signed().1 };
        std::fs::write(bench.path("roots.pem"), other).unwrap();
        let roots = bench.path("roots.pem");
        bench.environment("SSL_CERT_FILE", roots.to_str().unwrap());
        bench.run();
        if connects {
            booted(&central);
        } else {
            until_within(SOON, "a refusal", || bench.log().contains("TLS: "));
            assert_eq!(central.handshakes(), []);
        }
        assert_eq!(bench.log().contains("not verified"), !verify);
    }
}
