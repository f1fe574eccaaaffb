//! Updates of the firmware: what the installer says and what the central system hears.

use serde_json::{Value, json};

use super::bench::{Bench, settings};
use crate::{
    Boot, Configuration, EvseSession, FirmwareOrder, Input, Installer, Output, Settings, Stored,
};

const URL: &str = "http://user:secret@host/fw.image";
pub const PEM: &str = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n";

fn request(bench: &mut Bench, location: &str, retries: u32, in_seconds: i64) {
    let at = bench.wall().plus_seconds(in_seconds).to_string();
    let payload =
        json!({"location": location, "retrieveDate": at, "retries": retries, "retryInterval": 10});
    assert_eq!(bench.call("UpdateFirmware", payload), json!({}));
}

pub fn signed(bench: &mut Bench, change: impl FnOnce(&mut Value)) -> String {
    let mut payload = json!({"requestId": 7, "retries": 1, "firmware": {"location": URL,
        "retrieveDateTime": bench.wall().to_string(), "signingCertificate": PEM, "signature": "c2ln"}});
    change(&mut payload);
    bench.status("SignedUpdateFirmware", payload)
}

/// The orders to the installer so far.
pub fn orders(bench: &Bench) -> Vec<FirmwareOrder> {
    let order = |output: &Output| {
        if let Output::Install(order) = output {
            Some((**order).clone())
        } else {
            None
        }
    };
    bench.others.iter().filter_map(order).collect()
}

pub fn reboots(bench: &Bench) -> usize {
    let reboot = |output: &&Output| **output == Output::Reboot;
    bench.others.iter().filter(reboot).count()
}

pub fn installer(bench: &mut Bench, state: Installer) {
    bench.input(Input::Installer(Some(state)));
}

/// The statuses that are sent now, all acknowledged.
pub fn told(bench: &mut Bench) -> Vec<String> {
    let status = |(action, payload): (String, Value)| {
        action
            .ends_with("FirmwareStatusNotification")
            .then(|| payload["status"].as_str().unwrap().to_owned())
    };
    bench.drain().into_iter().filter_map(status).collect()
}

pub fn idle_installer() -> Bench {
    let mut bench = Bench::online();
    installer(&mut bench, Installer::Idle);
    bench
}

fn install(bench: &mut Bench) {
    for state in [
        Installer::Downloading,
        Installer::DownloadSucceeded,
        Installer::Installing,
        Installer::InstallSucceeded,
    ] {
        installer(bench, state);
    }
}

/// The next start of the station, on `system`.
pub fn reboot(bench: &Bench, system: &str) -> Bench {
    let settings = Settings {
        boot: Boot {
            id: "next boot".to_owned(),
            system: system.to_owned(),
        },
        ..settings("second")
    };
    let mut next = Bench::with(settings, Configuration::default(), bench.stored.clone());
    next.open();
    next.accept_boot();
    next
}

// covers: OFW-003, OFW-004, OFW-005
#[test]
fn installed_is_told_after_the_restart_into_the_new_system() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 3, 0);
    let orders = orders(&bench);
    assert_eq!(orders.len(), 1);
    assert_eq!(
        (
            orders[0].location.revealed(),
            orders[0].trials,
            orders[0].interval_s
        ),
        (URL, 3, 10)
    );
    install(&mut bench);
    assert_eq!(
        told(&mut bench),
        ["Downloading", "Downloaded", "Installing"]
    );
    assert_eq!(reboots(&bench), 1);
    let mut new = reboot(&bench, "B");
    assert_eq!(told(&mut new), ["Installed"]);
    assert_eq!(new.stored.firmware, None);
    let mut later = reboot(&new, "B");
    assert_eq!(told(&mut later), Vec::<String>::new(), "told once");
}

#[test]
fn the_old_system_after_the_restart_is_a_failed_installation() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    install(&mut bench);
    let mut old = reboot(&bench, "A");
    assert_eq!(told(&mut old), ["InstallationFailed"]);
}

// covers: OFW-005
#[test]
fn the_restart_waits_for_the_end_of_the_session() {
    let mut bench = idle_installer();
    bench.charge();
    request(&mut bench, URL, 1, 0);
    install(&mut bench);
    told(&mut bench);
    bench.pass(3_600);
    bench.drain();
    assert_eq!(reboots(&bench), 0);
    bench.status("RemoteStopTransaction", json!({"transactionId": 7}));
    bench.evse(EvseSession::Connected);
    bench.pass(10);
    bench.drain();
    assert_eq!(reboots(&bench), 1);
    bench.pass(200);
    bench.drain();
    assert_eq!(reboots(&bench), 1, "a restart takes its time");
    bench.pass(200);
    bench.drain();
    assert_eq!(reboots(&bench), 2, "a restart that did not happen");
}

// covers: OFW-005
#[test]
fn without_authorisation_the_vehicle_tells_of_a_session() {
    let mut settings = settings("first");
    settings.authorises = false;
    let mut bench = Bench::with(settings, Configuration::default(), Stored::default());
    bench.connect();
    installer(&mut bench, Installer::Idle);
    bench.evse(EvseSession::SuspendedEv);
    request(&mut bench, URL, 1, 0);
    install(&mut bench);
    bench.drain();
    assert_eq!(reboots(&bench), 0);
    bench.evse(EvseSession::Idle);
    bench.drain();
    assert_eq!(reboots(&bench), 1);
}

// covers: OFW-003, OFW-016
#[test]
fn failures_are_told_and_nothing_restarts() {
    let before: [(&[Installer], &str); 4] = [
        (
            &[Installer::Downloading, Installer::DownloadFailed],
            "DownloadFailed",
        ),
        (&[Installer::Downloading, Installer::Idle], "DownloadFailed"),
        (
            &[
                Installer::Downloading,
                Installer::DownloadSucceeded,
                Installer::Installing,
                Installer::InstallFailed,
            ],
            "InstallationFailed",
        ),
        (
            &[
                Installer::Downloading,
                Installer::Installing,
                Installer::Idle,
            ],
            "InstallationFailed",
        ),
    ];
    for (states, expected) in before {
        let mut bench = idle_installer();
        request(&mut bench, URL, 1, 0);
        for state in states {
            installer(&mut bench, *state);
        }
        assert_eq!(told(&mut bench).last().unwrap(), expected);
        assert_eq!((reboots(&bench), &bench.stored.firmware), (0, &None));
        request(&mut bench, URL, 1, 0);
        assert_eq!(orders(&bench).len(), 2, "the next one is taken");
    }
}

// covers: OFW-003
#[test]
fn an_installer_that_is_silent_or_gone_is_a_failure_in_the_end() {
    let mut bench = Bench::online();
    request(&mut bench, URL, 3, 0);
    assert_eq!(orders(&bench).len(), 1);
    bench.pass(59);
    assert_eq!(told(&mut bench), Vec::<String>::new());
    bench.pass(1);
    assert_eq!(told(&mut bench), ["DownloadFailed"]);

    for (comes_back, expected) in [
        (Some(Installer::Installing), vec![]),
        (Some(Installer::Idle), vec!["InstallationFailed"]),
        (None, vec!["InstallationFailed"]),
    ] {
        let mut bench = idle_installer();
        request(&mut bench, URL, 3, 0);
        installer(&mut bench, Installer::Downloading);
        installer(&mut bench, Installer::Installing);
        told(&mut bench);
        bench.input(Input::Installer(None));
        bench.pass(30);
        bench.input(Input::Installer(comes_back));
        bench.pass(60);
        assert_eq!(told(&mut bench), expected, "{comes_back:?}");
    }
}

// covers: OFW-010
#[test]
fn a_failed_attempt_is_no_failure_until_all_have_failed() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 2, 0);
    installer(&mut bench, Installer::Downloading);
    installer(&mut bench, Installer::DownloadFailed);
    assert_eq!(told(&mut bench), ["Downloading"]);
    bench.pass(10);
    installer(&mut bench, Installer::Downloading);
    assert_eq!(told(&mut bench), Vec::<String>::new());
    installer(&mut bench, Installer::DownloadFailed);
    bench.input(Input::InstallerGaveUp);
    assert_eq!(told(&mut bench), ["DownloadFailed"]);

    request(&mut bench, URL, 2, 0);
    installer(&mut bench, Installer::Downloading);
    installer(&mut bench, Installer::DownloadFailed);
    told(&mut bench);
    bench.pass(69);
    assert_eq!(told(&mut bench), Vec::<String>::new());
    bench.pass(1);
    assert_eq!(
        told(&mut bench),
        ["DownloadFailed"],
        "no word of the next attempt"
    );

    for (retries, trials) in [(json!(null), 3), (json!(0), 1), (json!(5), 5)] {
        let at = bench.wall().to_string();
        bench.call(
            "UpdateFirmware",
            json!({"location": URL, "retrieveDate": at, "retries": retries}),
        );
        assert_eq!(orders(&bench).last().unwrap().trials, trials);
        bench.input(Input::InstallerGaveUp);
        told(&mut bench);
    }
}

// covers: OFW-002, OFW-009
#[test]
fn an_update_waits_for_its_date_and_gives_way_to_a_newer_one() {
    let mut bench = idle_installer();
    request(&mut bench, "http://host/first", 1, 3_600);
    bench.pass(600);
    request(&mut bench, "http://host/second", 1, 3_600);
    bench.pass(3_599);
    bench.drain();
    assert!(orders(&bench).is_empty());
    bench.pass(1);
    let orders = orders(&bench);
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].location.revealed(), "http://host/second");
}

#[test]
fn a_scheduled_update_survives_a_restart() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 3_600);
    let mut next = reboot(&bench, "A");
    next.drain();
    assert!(orders(&next).is_empty());
    next.pass(3_700);
    assert_eq!(orders(&next).len(), 1);
}

// covers: OFW-011, OO-010
#[test]
fn an_update_begins_only_with_a_connection() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 60);
    bench.input(Input::SocketClosed);
    bench.pass(3_600);
    assert!(orders(&bench).is_empty());
    bench.open();
    assert_eq!(orders(&bench).len(), 1);
}

// covers: OFW-008
#[test]
fn a_request_during_an_update_is_answered_and_ignored() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    installer(&mut bench, Installer::Downloading);
    installer(&mut bench, Installer::Installing);
    request(&mut bench, "http://host/other", 1, 0);
    assert_eq!(signed(&mut bench, |_| {}), "Rejected");
    installer(&mut bench, Installer::InstallFailed);
    bench.pass(60);
    told(&mut bench);
    assert_eq!(orders(&bench).len(), 1);
}

// covers: OFW-006
#[test]
fn updates_of_others_are_not_told() {
    let mut bench = idle_installer();
    install(&mut bench);
    installer(&mut bench, Installer::InstallFailed);
    bench.input(Input::InstallerGaveUp);
    bench.pass(60);
    assert_eq!(told(&mut bench), Vec::<String>::new());
    assert_eq!(reboots(&bench), 0);
    installer(&mut bench, Installer::Downloading);
    request(&mut bench, URL, 1, 0);
    installer(&mut bench, Installer::Idle);
    bench.pass(60);
    assert!(orders(&bench).is_empty(), "it was ignored");
}

#[test]
fn a_scheduled_update_waits_for_that_of_another() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 60);
    installer(&mut bench, Installer::Installing);
    bench.pass(120);
    assert!(orders(&bench).is_empty());
    installer(&mut bench, Installer::InstallFailed);
    assert_eq!(orders(&bench).len(), 1);
    installer(&mut bench, Installer::Downloading);
    assert_eq!(told(&mut bench), ["Downloading"]);
}

// covers: OFW-007
#[test]
fn reset_is_rejected_during_an_installation() {
    for ours in [true, false] {
        let mut bench = idle_installer();
        if ours {
            request(&mut bench, URL, 1, 0);
        }
        installer(&mut bench, Installer::Downloading);
        installer(&mut bench, Installer::Installing);
        bench.drain();
        for kind in ["Soft", "Hard"] {
            assert_eq!(bench.status("Reset", json!({"type": kind})), "Rejected");
        }
        installer(&mut bench, Installer::InstallFailed);
        bench.drain();
        assert_eq!(bench.status("Reset", json!({"type": "Hard"})), "Accepted");
    }
}

// covers: OFW-017
#[test]
fn a_refused_notification_is_not_repeated_and_the_update_goes_on() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    installer(&mut bench, Installer::Downloading);
    bench.answer_error("FirmwareStatusNotification", "NotSupported");
    bench.pass(600);
    bench.expect_silence();
    installer(&mut bench, Installer::DownloadSucceeded);
    // No answer at all counts as told as well.
    bench.expect_call("FirmwareStatusNotification");
    bench.pass(600);
    bench.expect_silence();
    installer(&mut bench, Installer::Installing);
    installer(&mut bench, Installer::InstallSucceeded);
    assert_eq!(told(&mut bench), ["Installing"]);
    assert_eq!(reboots(&bench), 1);
}

#[test]
fn what_the_connection_took_along_is_told_on_the_next_one() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    installer(&mut bench, Installer::Downloading);
    bench.expect_call("FirmwareStatusNotification");
    bench.input(Input::SocketClosed);
    installer(&mut bench, Installer::DownloadFailed);
    assert!(
        bench.stored.firmware.is_some(),
        "a restart would still tell it"
    );
    bench.sent.clear();
    bench.open();
    assert_eq!(told(&mut bench), ["Downloading", "DownloadFailed"]);
    assert!(bench.stored.firmware.is_none());
}

#[test]
fn losing_power_during_an_update_is_a_failure_and_no_second_attempt() {
    for (states, expected) in [
        (vec![], "DownloadFailed"),
        (vec![Installer::Downloading], "DownloadFailed"),
        (
            vec![Installer::Downloading, Installer::Installing],
            "InstallationFailed",
        ),
    ] {
        let mut bench = idle_installer();
        request(&mut bench, URL, 1, 0);
        for state in states {
            installer(&mut bench, state);
        }
        let mut next = reboot(&bench, "A");
        assert_eq!(told(&mut next), [expected]);
        assert!(orders(&next).is_empty());
    }
}

#[test]
fn a_restart_of_the_daemon_alone_does_not_end_the_update() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    installer(&mut bench, Installer::Downloading);
    told(&mut bench);
    let mut next = bench.restart();
    next.open();
    next.accept_boot();
    installer(&mut next, Installer::Downloading);
    next.drain();
    installer(&mut next, Installer::DownloadSucceeded);
    installer(&mut next, Installer::Installing);
    assert_eq!(told(&mut next), ["Downloaded", "Installing"]);
    let mut silent = bench.restart();
    silent.open();
    silent.accept_boot();
    silent.pass(60);
    assert_eq!(told(&mut silent), ["DownloadFailed"]);
}

#[test]
fn useless_requests_are_refused_without_repeating_them() {
    let mut bench = idle_installer();
    let at = bench.wall().to_string();
    for location in [
        "file:///etc/passwd",
        "-o/tmp/x",
        "ftp://u:secret@ho st/x",
        "",
    ] {
        let call = json!([2, "a", "UpdateFirmware", {"location": location, "retrieveDate": at}]);
        let answer = bench.call_frame(&call.to_string());
        assert_eq!(answer[2], json!("PropertyConstraintViolation"), "{answer}");
        assert!(!answer.to_string().contains("secret"));
        let status = signed(&mut bench, |payload| {
            payload["firmware"]["location"] = json!(location)
        });
        assert_eq!(status, "Rejected");
    }
    bench.pass(60);
    assert!(orders(&bench).is_empty());
    bench.expect_silence();
}

#[test]
fn triggers_tell_where_the_update_is() {
    let mut bench = idle_installer();
    let ask = |bench: &mut Bench, action: &str| {
        let asked = json!({"requestedMessage": "FirmwareStatusNotification"});
        assert_eq!(bench.status(action, asked), "Accepted");
        let (action, payload) = bench.drain().pop().unwrap();
        (action, payload)
    };
    let plain = |status: &str| {
        (
            "FirmwareStatusNotification".to_owned(),
            json!({"status": status}),
        )
    };
    let extended = |payload: Value| ("SignedFirmwareStatusNotification".to_owned(), payload);
    assert_eq!(ask(&mut bench, "TriggerMessage"), plain("Idle"));
    assert_eq!(
        ask(&mut bench, "ExtendedTriggerMessage"),
        extended(json!({"status": "Idle"}))
    );
    signed(&mut bench, |_| {});
    installer(&mut bench, Installer::Downloading);
    bench.drain();
    assert_eq!(ask(&mut bench, "TriggerMessage"), plain("Downloading"));
    assert_eq!(
        ask(&mut bench, "ExtendedTriggerMessage"),
        extended(json!({"status": "Downloading", "requestId": 7}))
    );
}

// covers: OFW-014
#[test]
fn credentials_of_an_update_are_not_logged() {
    let mut bench = idle_installer();
    request(&mut bench, URL, 1, 0);
    signed(&mut bench, |_| {});
    installer(&mut bench, Installer::Downloading);
    installer(&mut bench, Installer::DownloadFailed);
    for output in &bench.others {
        if let Output::Log(_, text) = output {
            assert!(!text.contains("secret"), "{text}");
        }
    }
    assert!(
        orders(&bench)[0]
            .location
            .revealed()
            .contains("user:secret@")
    );
}

// covers: OFW-018
#[test]
fn the_ways_to_transfer_a_file_are_advertised() {
    let mut bench = Bench::online();
    let asked = json!({"key": ["SupportedFileTransferProtocols", "SupportedFeatureProfiles"]});
    let known = bench.call("GetConfiguration", asked)["configurationKey"].clone();
    assert_eq!(known[0]["value"], json!("FTP,FTPS,HTTP,HTTPS"));
    let profiles = known[1]["value"].as_str().unwrap();
    assert!(profiles.split(',').any(|one| one == "FirmwareManagement"));
}
