//! Updates of the firmware, with the test as the installer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod support;

use std::fs;

use serde_json::{Value, json};
use simulator::central_system::CentralSystem;
use support::{Bench, SOON, central, until};

const PLAIN: &str = "FirmwareStatusNotification";
const SIGNED: &str = "SignedFirmwareStatusNotification";
const PAST: &str = "2026-01-01T00:00:00Z";

/// What the kernel would tell after this start.
fn booted(bench: &Bench, id: &str, slot: &str) {
    let proc = bench.path("proc");
    fs::create_dir_all(proc.join("sys/kernel/random")).unwrap();
    fs::write(proc.join("sys/kernel/random/boot_id"), id).unwrap();
    fs::write(
        proc.join("cmdline"),
        format!("root=/dev/x rauc.slot={slot}\n"),
    )
    .unwrap();
}

fn station(central: &CentralSystem) -> Bench {
    let mut bench = Bench::prepare(&format!("{}/CP1", central.uri()), json!({}));
    booted(&bench, "one", "A");
    let proc = bench.path("proc").display().to_string();
    bench.option("--proc", &proc);
    bench.run();
    let known = |status: &Value| status["connectorId"] == 1;
    central.wait_for("StatusNotification", known, SOON).unwrap();
    bench
}

fn installer(bench: &Bench, state: &str) {
    bench
        .mqtt
        .publish("firmware/update/state/actual", state, true);
}

fn told(central: &CentralSystem, message: &str, status: &str) {
    central
        .wait_for(message, |told| told["status"] == status, SOON)
        .unwrap();
}

/// Whatever was published before has had its effect, and the central system has heard of it.
fn fence(bench: &Bench, central: &CentralSystem) {
    // Nobody has registered this service, so ocppd itself answers.
    let confirm = "ocpp/data_transfer_to_cs/fence/confirm";
    let before = bench.mqtt.history(confirm).len();
    let request = json!([2, "fence", "DataTransfer", {"vendorId": "v"}]);
    let topic = "ocpp/data_transfer_to_cs/fence/request";
    bench.mqtt.publish(topic, &request.to_string(), false);
    until("the fence is answered", || {
        bench.mqtt.history(confirm).len() > before
    });
    let trigger = json!({"requestedMessage": "Heartbeat"});
    central.call("TriggerMessage", trigger, SOON).unwrap();
    central.wait_for("Heartbeat", |_| true, SOON).unwrap();
}

// covers: OFW-003, OFW-004, OFW-005, OFW-006, OFW-007, OFW-014
#[test]
fn an_update_from_its_request_to_the_new_system() {
    let central = central();
    let mut bench = station(&central);
    installer(&bench, "idle");
    bench.charge(&central);
    let url = "https://user:se%2Bcret@localhost/fw.image";
    let request = json!({"location": url, "retrieveDate": PAST, "retries": 3, "retryInterval": 5});
    assert_eq!(
        central.call("UpdateFirmware", request, SOON).unwrap(),
        json!({})
    );
    bench.mqtt.wait("firmware/update/target/url", url);
    let target = |name: &str| {
        bench
            .mqtt
            .history(&format!("firmware/update/target/{name}"))
    };
    assert_eq!(
        (
            target("max_trials"),
            target("interval"),
            target("signature")
        ),
        (vec!["3".into()], vec!["5".into()], vec![String::new()])
    );
    for (state, status) in [
        ("downloading", "Downloading"),
        ("download-succeeded", "Downloaded"),
        ("installing", "Installing"),
    ] {
        installer(&bench, state);
        told(&central, PLAIN, status);
    }
    let reset = central
        .call("Reset", json!({"type": "Hard"}), SOON)
        .unwrap();
    assert_eq!(reset, json!({"status": "Rejected"}));
    installer(&bench, "install-succeeded");
    fence(&bench, &central);
    assert!(!bench.path("rebooted").exists(), "a session runs");
    bench.mqtt.station("idle", "A");
    bench.mqtt.meter(2_000.0);
    central.wait_for("StopTransaction", |_| true, SOON).unwrap();
    until("the station restarts", || bench.path("rebooted").exists());
    bench.kill();
    assert!(!bench.log().contains("cret@"), "{}", bench.log());

    booted(&bench, "two", "B");
    installer(&bench, "idle");
    bench.run();
    told(&central, PLAIN, "Installed");
    // An update over USB.
    central.mark();
    for state in ["installing", "install-succeeded"] {
        installer(&bench, state);
    }
    fence(&bench, &central);
    assert!(central.calls(PLAIN).is_empty());
}

// covers: OFW-010, OFW-016
#[test]
fn the_installer_has_the_last_word_on_attempts_and_bundles() {
    let central = central();
    let bench = station(&central);
    installer(&bench, "idle");
    let request =
        json!({"location": "ftp://localhost//abs/fw.raucb", "retrieveDate": PAST, "retries": 2});
    for (states, status) in [
        (&["downloading", "download-failed"][..], "DownloadFailed"),
        (
            &[
                "downloading",
                "download-succeeded",
                "installing",
                "install-failed",
            ],
            "InstallationFailed",
        ),
    ] {
        central.mark();
        bench.mqtt.forget();
        central
            .call("UpdateFirmware", request.clone(), SOON)
            .unwrap();
        bench.mqtt.wait(
            "firmware/update/target/url",
            "ftp://localhost//abs/fw.raucb",
        );
        for state in states {
            installer(&bench, state);
        }
        bench
            .mqtt
            .publish("firmware/update/result/state", "failed", true);
        told(&central, PLAIN, status);
        assert!(!bench.path("rebooted").exists());
    }
}

#[test]
fn a_signed_update_needs_the_word_of_the_installer() {
    let central = central();
    let bench = station(&central);
    let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----";
    for (request, verdict, last) in [
        (1, "valid", "Installing"),
        (2, "invalid", "InvalidSignature"),
    ] {
        installer(&bench, "idle");
        central.mark();
        bench.mqtt.forget();
        let firmware = json!({"location": "http://localhost/fw", "retrieveDateTime": PAST,
            "signingCertificate": pem, "signature": "c2ln"});
        let call = json!({"requestId": request, "retries": 1, "firmware": firmware});
        let answer = central.call("SignedUpdateFirmware", call, SOON).unwrap();
        assert_eq!(answer, json!({"status": "Accepted"}));
        bench
            .mqtt
            .wait("firmware/update/target/url", "http://localhost/fw");
        let signature = bench
            .mqtt
            .history("firmware/update/target/signature")
            .remove(0);
        assert_eq!(
            serde_json::from_str::<Value>(&signature).unwrap(),
            json!({"certificate": pem, "signature": "c2ln"})
        );
        installer(&bench, "downloading");
        installer(&bench, "download-succeeded");
        told(&central, SIGNED, "Downloaded");
        bench
            .mqtt
            .publish("firmware/update/result/signature", verdict, false);
        installer(&bench, "installing");
        let last = |told: &Value| told["status"] == last && told["requestId"] == request;
        central.wait_for(SIGNED, last, SOON).unwrap();
        installer(&bench, "install-failed");
        assert!(!bench.path("rebooted").exists());
        if verdict == "valid" {
            told(&central, SIGNED, "InstallationFailed");
        }
    }
}
