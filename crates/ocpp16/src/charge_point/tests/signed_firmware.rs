//! Signed updates of the firmware (security white paper, use case L01).

use serde_json::{Value, json};

use super::firmware::{PEM, idle_installer, installer, orders, reboot, reboots, signed, told};
use crate::{Input, Installer};

#[test]
fn a_signed_update_is_told_with_its_request() {
    let mut bench = idle_installer();
    assert_eq!(signed(&mut bench, |_| {}), "Accepted");
    let signature = orders(&bench)[0].signature.clone().unwrap();
    assert_eq!(
        (signature.certificate.as_str(), signature.signature.as_str()),
        (PEM, "c2ln")
    );
    installer(&mut bench, Installer::Downloading);
    installer(&mut bench, Installer::DownloadSucceeded);
    bench.input(Input::FirmwareSignature(true));
    installer(&mut bench, Installer::Installing);
    installer(&mut bench, Installer::InstallSucceeded);
    let sent = bench.drain();
    let statuses: Vec<&Value> = sent.iter().map(|(_, payload)| &payload["status"]).collect();
    assert_eq!(
        statuses,
        [
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "Installing",
            "InstallRebooting"
        ]
    );
    for (action, payload) in &sent {
        assert_eq!(action, "SignedFirmwareStatusNotification");
        assert_eq!(payload["requestId"], json!(7));
    }
    assert_eq!(reboots(&bench), 1);
    let mut next = reboot(&bench, "B");
    let (action, payload) = next
        .drain()
        .into_iter()
        .find(|(action, _)| action.ends_with("FirmwareStatusNotification"))
        .unwrap();
    assert_eq!(
        (action.as_str(), payload),
        (
            "SignedFirmwareStatusNotification",
            json!({"status": "Installed", "requestId": 7})
        )
    );
}

#[test]
fn nothing_is_started_whose_signature_nobody_has_confirmed() {
    let verdicts: [(Option<bool>, &[Installer]); 3] = [
        (None, &[Installer::DownloadSucceeded, Installer::Installing]),
        (None, &[Installer::InstallSucceeded]),
        (Some(false), &[]),
    ];
    for (verdict, states) in verdicts {
        let mut bench = idle_installer();
        signed(&mut bench, |_| {});
        installer(&mut bench, Installer::Downloading);
        if let Some(valid) = verdict {
            bench.input(Input::FirmwareSignature(valid));
        }
        for state in states {
            installer(&mut bench, *state);
        }
        installer(&mut bench, Installer::InstallSucceeded);
        bench.pass(60);
        assert_eq!(told(&mut bench).last().unwrap(), "InvalidSignature");
        assert_eq!(reboots(&bench), 0);
    }
}

#[test]
fn a_signing_certificate_that_is_none_is_refused_and_told() {
    let mut bench = idle_installer();
    let wrong = |payload: &mut Value| payload["firmware"]["signingCertificate"] = json!("x");
    assert_eq!(signed(&mut bench, wrong), "InvalidCertificate");
    let told = bench.answer("SecurityEventNotification", json!({}));
    assert_eq!(told["type"], json!("InvalidFirmwareSigningCertificate"));
    // The central system can cause it at will.
    assert_eq!(signed(&mut bench, wrong), "InvalidCertificate");
    bench.pass(60);
    assert!(orders(&bench).is_empty());
    bench.expect_silence();
}

#[test]
fn a_signed_update_waits_for_its_installation_date() {
    let mut bench = idle_installer();
    let install = bench.wall().plus_seconds(600).to_string();
    let later = |payload: &mut Value| payload["firmware"]["installDateTime"] = json!(install);
    assert_eq!(signed(&mut bench, later), "Accepted");
    assert_eq!(told(&mut bench), ["DownloadScheduled"]);
    assert_eq!(signed(&mut bench, later), "AcceptedCanceled");
    bench.pass(599);
    assert!(orders(&bench).is_empty());
    bench.pass(1);
    assert_eq!(orders(&bench).len(), 1);
}
