//! Updates of the firmware: UpdateFirmware and SignedUpdateFirmware.
//!
//! Another daemon downloads and installs (guide 11.5); here is decided when it is asked, what its
//! states mean to the central system, and when the station restarts:
//!
//! ```text
//!   Scheduled ─▶ Ordered ─▶ Downloading ─▶ Downloaded ─▶ Installing ─▶ Installed ─▶ restart
//!                   └───────────┴──────────────┴─────────────┴──▶ Ended ◀──────────────┘
//! ```

use serde_json::json;

use super::calls::{Answer, status};
use super::notices::Notice;
use super::session::Session;
use super::{ChargePoint, EvseSession, Output};
use crate::firmware_update::{
    FirmwareOrder, FirmwareOutcome, FirmwareSignature, FirmwareUpdate, Installer, Phase,
};
use crate::message::incoming::firmware_management::FirmwareUpdate as UpdateRequest;
use crate::message::incoming::security::SignedFirmware;
use crate::message::notification::{
    FirmwareStatus, FirmwareStatusNotification, SignedFirmwareStatus,
    SignedFirmwareStatusNotification,
};
use crate::security::SecurityEventKind;
use crate::transaction::Change;
use crate::{CallError, ErrorCode, Location, Millis, Timestamp};

/// How long the installer may take to say anything, or to come back when it is gone.
const ANSWER_S: u64 = 60;
/// How long a restart waits for the delivery of messages, which are stored anyway.
const DELIVERY_S: u64 = 30;
/// From a restart that did not happen to the next attempt.
const RESTART_AGAIN_S: u64 = 300;
/// Attempts to download where the central system leaves it to us (guide 11.6).
const TRIALS: u32 = 3;
/// Seconds between them.
const INTERVAL_S: u32 = 60;

/// The update and its installer.
#[derive(Debug, Default)]
pub(super) struct Firmware {
    update: Option<FirmwareUpdate>,
    /// Whether this process has looked at the update of the last one.
    resumed: bool,
    /// `None` while unknown.
    installer: Option<Installer>,
    /// A failure that another attempt of the installer may heal.
    failing: Option<FirmwareOutcome>,
    /// When the installer has been silent for too long.
    until: Option<Millis>,
    restart: Restart,
}

/// The restart into new firmware.
#[derive(Clone, Copy, Debug, Default)]
enum Restart {
    /// A session runs, or nothing is installed.
    #[default]
    Waiting,
    /// Messages are being delivered, until then at the latest.
    Delivering(Millis),
    /// Commanded; once more then, if this process still lives.
    Commanded(Millis),
}

impl Firmware {
    pub(super) fn new(update: Option<FirmwareUpdate>) -> Self {
        Self {
            update,
            ..Self::default()
        }
    }

    /// Whether a restart would interrupt an installation, whoever began it.
    pub(super) fn installing(&self) -> bool {
        self.installer == Some(Installer::Installing)
            || self
                .update
                .as_ref()
                .is_some_and(|update| update.phase == Phase::Installing)
    }

    fn phase(&self) -> Option<Phase> {
        self.update.as_ref().map(|update| update.phase)
    }

    /// Whether a new request would have to wait for an installation.
    fn busy(&self) -> bool {
        let ours = self
            .phase()
            .is_some_and(|phase| phase.underway() || phase == Phase::Installed);
        ours || self.installer.is_some_and(Installer::busy)
    }
}

impl ChargePoint {
    pub(super) fn update_firmware(&mut self, request: &UpdateRequest) -> Answer {
        let location = Location::parse(&request.location).map_err(|error| {
            CallError::new(
                ErrorCode::PropertyConstraintViolation,
                format!("location: {error}"),
            )
        })?;
        if self.firmware.busy() {
            self.warn("UpdateFirmware ignored: an update is under way");
            return Ok(Some(json!({})));
        }
        let order = order(location, request.retries, request.retry_interval);
        self.schedule(order, request.retrieve, None);
        Ok(Some(json!({})))
    }

    /// The certificate's chain is verified by the installer, as the signature is.
    pub(super) fn update_signed_firmware(&mut self, request: &SignedFirmware) -> Answer {
        let location = match Location::parse(&request.location) {
            Ok(location) => location,
            Err(error) => {
                self.warn(format!("SignedUpdateFirmware rejected: location: {error}"));
                return Ok(Some(status("Rejected")));
            }
        };
        if !is_pem(&request.signing_certificate) {
            let kind = SecurityEventKind::InvalidFirmwareSigningCertificate;
            self.raise_seldom(kind, "it is no PEM");
            return Ok(Some(status("InvalidCertificate")));
        }
        if self.firmware.busy() {
            self.warn("SignedUpdateFirmware rejected: an update is under way");
            return Ok(Some(status("Rejected")));
        }
        let mut order = order(location, request.retries, request.retry_interval);
        order.signature = Some(FirmwareSignature {
            certificate: request.signing_certificate.clone(),
            signature: request.signature.clone(),
        });
        // The installer downloads and installs in one go, so both wait for the later time.
        let not_before = request
            .install
            .map_or(request.retrieve, |install| install.max(request.retrieve));
        let replaced = self.firmware.phase() == Some(Phase::Scheduled);
        self.schedule(order, not_before, Some(request.request));
        if self.wall().is_some_and(|now| now < not_before) {
            self.tell_firmware(SignedFirmwareStatus::DownloadScheduled);
        }
        let answer = if replaced {
            "AcceptedCanceled"
        } else {
            "Accepted"
        };
        Ok(Some(status(answer)))
    }

    /// The last writer wins (guide 11.6).
    fn schedule(&mut self, order: FirmwareOrder, not_before: Timestamp, request: Option<i64>) {
        self.note(format!(
            "firmware update from {} scheduled for {not_before}",
            order.location
        ));
        self.firmware.update = Some(FirmwareUpdate {
            order,
            not_before,
            request,
            phase: Phase::Scheduled,
            verified: false,
            boot: self.settings.boot.clone(),
        });
        self.enter(Phase::Scheduled);
    }

    /// The installer's state, or `None` when it is gone.
    pub(super) fn installer_changed(&mut self, installer: Option<Installer>) {
        let before = std::mem::replace(&mut self.firmware.installer, installer);
        let Some(phase) = self.firmware.phase().filter(|phase| phase.underway()) else {
            return;
        };
        if before == installer {
            return;
        }
        let Some(installer) = installer else {
            return self.expect_installer(ANSWER_S);
        };
        match installer {
            Installer::Idle if phase == Phase::Ordered => {}
            Installer::Idle => self.end_update(phase.failure()),
            Installer::Downloading => self.proceed(Phase::Downloading),
            Installer::DownloadSucceeded => self.proceed(Phase::Downloaded),
            Installer::Installing => self.proceed_if_verified(Phase::Installing),
            // What is left of another update, in the eyes of a process that has just started.
            Installer::InstallSucceeded | Installer::DownloadFailed | Installer::InstallFailed
                if phase == Phase::Ordered && before.is_none() => {}
            Installer::InstallSucceeded => self.proceed_if_verified(Phase::Installed),
            Installer::DownloadFailed => self.attempt_failed(FirmwareOutcome::DownloadFailed),
            Installer::InstallFailed => self.attempt_failed(FirmwareOutcome::InstallationFailed),
        }
    }

    /// All attempts of the installer have failed.
    pub(super) fn installer_gave_up(&mut self) {
        if let Some(phase) = self.firmware.phase().filter(|phase| phase.underway()) {
            let outcome = self.firmware.failing.unwrap_or(phase.failure());
            self.end_update(outcome);
        }
    }

    /// What the installer found about the signature that it was given.
    pub(super) fn signature_checked(&mut self, valid: bool) {
        let Some(update) = &mut self.firmware.update else {
            return;
        };
        if update.order.signature.is_none() || !update.phase.underway() {
            return;
        }
        if !valid {
            return self.end_update(FirmwareOutcome::InvalidSignature);
        }
        update.verified = true;
        let phase = update.phase;
        self.enter(phase);
        self.tell_firmware(SignedFirmwareStatus::SignatureVerified);
    }

    fn attempt_failed(&mut self, outcome: FirmwareOutcome) {
        let again = self
            .firmware
            .update
            .as_ref()
            .map(|update| &update.order)
            .filter(|order| order.trials > 1);
        match again.map(|order| u64::from(order.interval_s)) {
            None => self.end_update(outcome),
            Some(interval) => {
                self.firmware.failing = Some(outcome);
                self.expect_installer(interval.saturating_add(ANSWER_S));
            }
        }
    }

    /// What nobody has verified is not started, whatever the installer says.
    fn proceed_if_verified(&mut self, phase: Phase) {
        let unverified = self
            .firmware
            .update
            .as_ref()
            .is_some_and(|update| update.order.signature.is_some() && !update.verified);
        if unverified {
            return self.end_update(FirmwareOutcome::InvalidSignature);
        }
        self.proceed(phase);
    }

    fn proceed(&mut self, phase: Phase) {
        self.firmware.until = None;
        self.firmware.failing = None;
        // Another attempt, or an installer that came back.
        if self.firmware.phase() == Some(phase) {
            return;
        }
        self.enter(phase);
        match phase {
            Phase::Downloading => self.tell_firmware(SignedFirmwareStatus::Downloading),
            Phase::Downloaded => self.tell_firmware(SignedFirmwareStatus::Downloaded),
            Phase::Installing => self.tell_firmware(SignedFirmwareStatus::Installing),
            Phase::Scheduled | Phase::Ordered | Phase::Installed | Phase::Ended(_) => {}
        }
    }

    fn end_update(&mut self, outcome: FirmwareOutcome) {
        self.firmware.until = None;
        self.firmware.failing = None;
        self.enter(Phase::Ended(outcome));
        self.tell_firmware(outcome.status());
        match outcome {
            FirmwareOutcome::Installed => {
                self.note("firmware update: the new firmware runs");
                self.raise(SecurityEventKind::FirmwareUpdated, "");
            }
            FirmwareOutcome::DownloadFailed
            | FirmwareOutcome::InstallationFailed
            | FirmwareOutcome::InvalidSignature => {
                self.warn(format!("firmware update ended: {outcome:?}"));
                if outcome == FirmwareOutcome::InvalidSignature {
                    self.raise(SecurityEventKind::InvalidFirmwareSignature, "");
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(update) = &mut self.firmware.update {
            update.phase = phase;
            update.boot = self.settings.boot.clone();
            let update = update.clone();
            self.store(vec![Change::Firmware(Some(Box::new(update)))]);
        }
    }

    /// All that has to be stored.
    pub(super) fn firmware_change(&self) -> Change {
        Change::Firmware(self.firmware.update.clone().map(Box::new))
    }

    fn expect_installer(&mut self, seconds: u64) {
        self.firmware.until = Some(self.now.monotonic.after_seconds(seconds));
    }

    pub(super) fn advance_firmware(&mut self) {
        if !std::mem::replace(&mut self.firmware.resumed, true) {
            self.resume_update();
        }
        self.order_update();
        if self
            .firmware
            .until
            .is_some_and(|until| until <= self.now.monotonic)
        {
            self.warn("firmware update: the installer does not answer");
            self.installer_gave_up();
            self.firmware.until = None;
        }
        self.restart_into_firmware();
    }

    /// Judges what the last process has left: has the station restarted, and into which system?
    fn resume_update(&mut self) {
        let Some(update) = &self.firmware.update else {
            return;
        };
        let (phase, here) = (update.phase, &self.settings.boot);
        let restarted = update.boot.id != here.id;
        let new_system = update.boot.system != here.system;
        match phase {
            Phase::Ended(outcome) => self.tell_firmware(outcome.status()),
            Phase::Installed if restarted && new_system => {
                self.end_update(FirmwareOutcome::Installed);
            }
            Phase::Installed if restarted => self.end_update(FirmwareOutcome::InstallationFailed),
            // Not begun anew: what takes the power away once may do so for ever.
            Phase::Ordered | Phase::Downloading | Phase::Downloaded | Phase::Installing
                if restarted =>
            {
                self.end_update(phase.failure());
            }
            Phase::Ordered | Phase::Downloading | Phase::Downloaded | Phase::Installing => {
                self.expect_installer(ANSWER_S);
            }
            Phase::Scheduled | Phase::Installed => {}
        }
    }

    /// Asks the installer, once it is time (guide 3.3.2: and there is a connection).
    fn order_update(&mut self) {
        if self.update_due_in() != Some(0) {
            return;
        }
        if let Some(update) = &self.firmware.update {
            let order = update.order.clone();
            self.enter(Phase::Ordered);
            self.expect_installer(ANSWER_S);
            self.outputs.push(Output::Install(Box::new(order)));
        }
    }

    /// Milliseconds until the scheduled update may begin; `None` while it waits for more than
    /// time. Without a valid time it may begin at once.
    fn update_due_in(&self) -> Option<u64> {
        let update = self.firmware.update.as_ref()?;
        let busy = self.firmware.installer.is_some_and(Installer::busy);
        if update.phase != Phase::Scheduled || busy || !self.link.online() {
            return None;
        }
        let wait = self.wall().map_or(0, |now| {
            update
                .not_before
                .unix_millis()
                .saturating_sub(now.unix_millis())
        });
        Some(u64::try_from(wait).unwrap_or(0))
    }

    /// The guide's rule (11.6): at once, unless a charging session is active.
    fn restart_into_firmware(&mut self) {
        if self.firmware.phase() != Some(Phase::Installed) || self.in_session() {
            self.firmware.restart = Restart::Waiting;
            return;
        }
        let now = self.now.monotonic;
        if matches!(self.firmware.restart, Restart::Waiting) {
            self.firmware.restart = Restart::Delivering(now.after_seconds(DELIVERY_S));
            self.tell_firmware(SignedFirmwareStatus::InstallRebooting);
        }
        let delivered = !self.link.online()
            || (self.queue.is_empty() && self.link.idle() && self.notices.is_empty());
        let due = match self.firmware.restart {
            Restart::Waiting => false,
            Restart::Delivering(until) => delivered || until <= now,
            Restart::Commanded(again) => again <= now,
        };
        if due {
            self.firmware.restart = Restart::Commanded(now.after_seconds(RESTART_AGAIN_S));
            self.note("restarting into the new firmware");
            self.reset_by = Some(now);
        }
    }

    /// Whether somebody would notice a restart.
    fn in_session(&self) -> bool {
        let Some(station) = &self.station else {
            return true;
        };
        match station.session {
            EvseSession::Charging => true,
            EvseSession::SuspendedEv
            | EvseSession::SuspendedEvse
            | EvseSession::Connected
            | EvseSession::Authorized
                if !self.settings.authorises =>
            {
                true
            }
            EvseSession::Idle
            | EvseSession::Authorized
            | EvseSession::Connected
            | EvseSession::SuspendedEv
            | EvseSession::SuspendedEvse
            | EvseSession::Faulted
            | EvseSession::Inoperative => !matches!(self.session, Session::Idle { .. }),
        }
    }

    pub(super) fn firmware_deadline(&self) -> Option<Millis> {
        let due = self.update_due_in().filter(|wait| *wait > 0);
        let restart = match self.firmware.restart {
            Restart::Waiting => None,
            Restart::Delivering(at) | Restart::Commanded(at) => Some(at),
        };
        due.map(|wait| self.now.monotonic.after(wait))
            .into_iter()
            .chain(self.firmware.until)
            .chain(restart)
            .min()
    }

    fn tell_firmware(&mut self, status: SignedFirmwareStatus) {
        let request = self.firmware.update.as_ref().and_then(|one| one.request);
        let notice = match request {
            Some(request) => Some(signed(status, Some(request))),
            None => plain(status).map(plain_notice),
        };
        if let Some(notice) = notice {
            self.tell(notice);
        }
    }

    /// Once its outcome has been told, an update is history.
    pub(super) fn forget_told_firmware(&mut self) {
        if matches!(self.firmware.phase(), Some(Phase::Ended(_))) && !self.notices.about_firmware()
        {
            self.firmware.update = None;
            self.store(vec![Change::Firmware(None)]);
        }
    }

    /// `FirmwareStatusNotification`, or with `extended` its signed form.
    pub(super) fn trigger_firmware_status(&mut self, extended: bool) {
        let update = self.firmware.update.as_ref();
        let now = update.map(|update| (update.status(), update.request));
        let notice = if extended {
            let (status, request) = now.unwrap_or((SignedFirmwareStatus::Idle, None));
            // Only Idle may come without a request.
            let status = request.map_or(SignedFirmwareStatus::Idle, |_| status);
            signed(status, request)
        } else {
            let status = now.and_then(|(status, _)| plain(status));
            plain_notice(status.unwrap_or(FirmwareStatus::Idle))
        };
        self.send_notice(notice, true);
    }
}

/// The central system tells how often to try, not how often to try again.
fn order(location: Location, retries: Option<u32>, interval_s: Option<u32>) -> FirmwareOrder {
    FirmwareOrder {
        location,
        trials: retries.unwrap_or(TRIALS).max(1),
        interval_s: interval_s.unwrap_or(INTERVAL_S),
        signature: None,
    }
}

fn is_pem(certificate: &str) -> bool {
    let certificate = certificate.trim();
    certificate.starts_with("-----BEGIN CERTIFICATE-----")
        && certificate.ends_with("-----END CERTIFICATE-----")
}

fn signed(status: SignedFirmwareStatus, request_id: Option<i64>) -> Notice {
    Notice::SignedFirmware(SignedFirmwareStatusNotification { status, request_id })
}

fn plain_notice(status: FirmwareStatus) -> Notice {
    Notice::Firmware(FirmwareStatusNotification { status })
}

/// The word of OCPP 1.6 for a status, if it has one.
fn plain(status: SignedFirmwareStatus) -> Option<FirmwareStatus> {
    match status {
        SignedFirmwareStatus::Downloaded => Some(FirmwareStatus::Downloaded),
        SignedFirmwareStatus::DownloadFailed => Some(FirmwareStatus::DownloadFailed),
        SignedFirmwareStatus::Downloading => Some(FirmwareStatus::Downloading),
        SignedFirmwareStatus::Idle => Some(FirmwareStatus::Idle),
        SignedFirmwareStatus::InstallationFailed
        | SignedFirmwareStatus::InvalidSignature
        | SignedFirmwareStatus::InstallVerificationFailed => {
            Some(FirmwareStatus::InstallationFailed)
        }
        SignedFirmwareStatus::Installed => Some(FirmwareStatus::Installed),
        SignedFirmwareStatus::Installing => Some(FirmwareStatus::Installing),
        SignedFirmwareStatus::DownloadPaused
        | SignedFirmwareStatus::DownloadScheduled
        | SignedFirmwareStatus::InstallRebooting
        | SignedFirmwareStatus::InstallScheduled
        | SignedFirmwareStatus::SignatureVerified => None,
    }
}
