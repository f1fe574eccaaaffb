//! The installer of firmware on the broker (guide 11.5).

use daemon_kit::{Bus, Message};
use ocpp16::{FirmwareOrder, Input, Installer};
use topic_map as topics;
use topics::{FirmwareSignature, FirmwareUrl, MaxTrials, SignatureVerdict, TrialInterval};
use topics::{UpdateResult, UpdateState};

const INSTALLER_DAEMON: &str = "fwupdated";

/// What is known of the installer.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Its daemon has gone: what the broker kept of it means nothing.
    gone: bool,
}

impl Watched {
    /// The family of daemons must be subscribed before.
    pub(crate) fn subscribe(bus: &Bus) -> Self {
        bus.subscribe(&topics::FIRMWARE_UPDATE_STATE_ACTUAL);
        bus.subscribe(&topics::FIRMWARE_UPDATE_RESULT_STATE);
        bus.subscribe(&topics::FIRMWARE_UPDATE_RESULT_SIGNATURE);
        Self::default()
    }

    /// What `message` says about an update.
    pub(crate) fn take(&mut self, message: &Message) -> Option<Input> {
        if let Some((INSTALLER_DAEMON, Ok(available))) =
            message.in_family(&topics::DAEMON_AVAILABLE)
        {
            self.gone = !available;
            return self.gone.then_some(Input::Installer(None));
        }
        if let Some(Ok(state)) = message.on(&topics::FIRMWARE_UPDATE_STATE_ACTUAL) {
            let stale = self.gone && message.retained;
            return (!stale).then_some(Input::Installer(Some(installer(state))));
        }
        // The results of a former update are none of this one.
        if message.retained {
            return None;
        }
        if let Some(Ok(result)) = message.on(&topics::FIRMWARE_UPDATE_RESULT_STATE) {
            let failed = result == Some(UpdateResult::Failed);
            return failed.then_some(Input::InstallerGaveUp);
        }
        let verdict = message
            .on(&topics::FIRMWARE_UPDATE_RESULT_SIGNATURE)?
            .ok()?;
        Some(Input::FirmwareSignature(verdict == SignatureVerdict::Valid))
    }
}

/// Asks for an update; the address is last, because it starts it.
pub(crate) fn order(bus: &Bus, order: &FirmwareOrder) {
    let Some(url) = FirmwareUrl::new(order.location.revealed()) else {
        tracing::error!("the address of the firmware is too long for the broker; not asked");
        return;
    };
    let trials = std::num::NonZeroU32::new(order.trials).unwrap_or(std::num::NonZeroU32::MIN);
    bus.publish(
        &topics::FIRMWARE_UPDATE_TARGET_MAX_TRIALS,
        &MaxTrials(trials),
    );
    let interval = TrialInterval {
        seconds: order.interval_s,
    };
    bus.publish(&topics::FIRMWARE_UPDATE_TARGET_INTERVAL, &interval);
    let signature = order.signature.as_ref().map(|signature| FirmwareSignature {
        certificate: signature.certificate.clone(),
        signature: signature.signature.clone(),
    });
    bus.publish(&topics::FIRMWARE_UPDATE_TARGET_SIGNATURE, &signature);
    bus.publish(&topics::FIRMWARE_UPDATE_TARGET_URL, &url);
}

fn installer(state: UpdateState) -> Installer {
    match state {
        UpdateState::Idle => Installer::Idle,
        UpdateState::Downloading => Installer::Downloading,
        UpdateState::DownloadSucceeded => Installer::DownloadSucceeded,
        UpdateState::DownloadFailed => Installer::DownloadFailed,
        UpdateState::Installing => Installer::Installing,
        UpdateState::InstallSucceeded => Installer::InstallSucceeded,
        UpdateState::InstallFailed => Installer::InstallFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str, retained: bool) -> Message {
        Message {
            topic: topic.to_owned(),
            payload: payload.as_bytes().to_vec(),
            retained,
        }
    }

    #[test]
    fn what_the_broker_kept_of_a_dead_installer_counts_for_nothing() {
        let mut watched = Watched::default();
        let available = topics::DAEMON_AVAILABLE.topic(INSTALLER_DAEMON).unwrap();
        let state = topics::FIRMWARE_UPDATE_STATE_ACTUAL.name();
        let dead = watched.take(&message(&available, "0", true));
        assert!(matches!(dead, Some(Input::Installer(None))));
        assert!(watched.take(&message(state, "installing", true)).is_none());
        let alive = watched.take(&message(state, "idle", false));
        assert!(matches!(
            alive,
            Some(Input::Installer(Some(Installer::Idle)))
        ));
    }

    #[test]
    fn old_results_are_no_results() {
        let mut watched = Watched::default();
        let result = topics::FIRMWARE_UPDATE_RESULT_STATE.name();
        assert!(watched.take(&message(result, "failed", true)).is_none());
        assert!(watched.take(&message(result, "", false)).is_none());
        let failed = watched.take(&message(result, "failed", false));
        assert!(matches!(failed, Some(Input::InstallerGaveUp)));
    }
}
