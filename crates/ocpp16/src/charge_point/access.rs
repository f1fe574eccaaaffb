//! SecurityProfile and AuthorizationKey: a change is tried before it holds.
//!
//! ```text
//!   stored beside the old one ──▶ connect anew ──opened──▶ holds
//!                                   │      ▲
//!                         3 failures│      │1 failure
//!                                   ▼      │
//!                                 connect as before ──opened──▶ forgotten
//! ```
//!
//! The two take turns until one connects: whatever the central system has made of the change, the
//! station finds back to it. Both are kept until then, so that a restart in between loses neither:
//! without the right AuthorizationKey the station could never connect again.

use serde_json::Value;

use super::calls::status;
use super::keys::Pending;
use super::{ChargePoint, Output};
use crate::Millis;
use crate::configuration::{Configuration, Key, Setting};
use crate::security::{Access, SecurityEventKind, password};

/// Failed attempts before the other way to connect is tried.
const NEW_ATTEMPTS: u32 = 3;
const OLD_ATTEMPTS: u32 = 1;
/// From this profile on the certificate of the central system is verified.
const TLS_PROFILE: u64 = 2;
/// In this profile the station has a certificate, and no password.
const CERTIFICATE_PROFILE: u64 = 3;
/// From a failed write of what was proven until the next one.
const SETTLE_AGAIN_AFTER_S: u64 = 30;

/// A change that is not proven yet.
#[derive(Debug)]
pub(super) struct Trial {
    setting: Setting,
    /// Whether the change is tried, or what held before it.
    changed: bool,
    failures: u32,
}

impl Trial {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            changed: true,
            failures: 0,
        }
    }
}

/// What was proven, and is not known to be stored yet.
#[derive(Debug)]
pub(super) struct Settling {
    request: String,
    setting: Setting,
    /// When it is written again.
    again_at: Option<Millis>,
}

impl ChargePoint {
    /// How to connect when the process starts; [`Output::Connect`] tells what changes.
    pub fn access(&self) -> Access {
        match &self.trial {
            Some(Trial {
                setting,
                changed: true,
                ..
            }) => {
                let mut changed = self.configuration.clone();
                changed.apply(setting);
                self.access_by(&changed)
            }
            Some(_) | None => self.access_by(&self.configuration),
        }
    }

    /// Carries out a change of SecurityProfile or AuthorizationKey; `None` while it is written.
    pub(super) fn change_access(&mut self, call: &str, setting: Setting) -> Option<Value> {
        let Some(key) = setting.key else {
            return Some(status("Rejected"));
        };
        if self.configuration.value(key) == setting.value {
            return Some(status("Accepted"));
        }
        if let Err(reason) = self.check_access(key, &setting.value) {
            self.warn(format!(
                "ChangeConfiguration of {} rejected: {reason}",
                setting.name
            ));
            return Some(status("Rejected"));
        }
        let used = key != Key::AuthorizationKey || self.uses_password(self.profile());
        self.write(call, setting, used)
    }

    /// The change is stored beside what holds.
    pub(super) fn try_access(&mut self, setting: Setting) -> Value {
        self.trial = Some(Trial::new(setting));
        self.connect_anew = true;
        status("Accepted")
    }

    /// The station's certificate has changed.
    pub(super) fn reconnect(&mut self) {
        self.connect_anew = true;
    }

    /// After the answer to the request that asked for it.
    pub(super) fn advance_access(&mut self) {
        if std::mem::take(&mut self.connect_anew) {
            let access = self.access();
            self.outputs.push(Output::Connect(access));
        }
    }

    /// A connection was opened by `access`, which is proven.
    pub(super) fn access_proven(&mut self, access: &Access) {
        // What was under way when another way's turn came proves nothing about that.
        if self.trial.is_some() && *access != self.access() {
            self.connect_anew = true;
            return;
        }
        let Some(trial) = self.trial.take() else {
            return;
        };
        let mut setting = trial.setting;
        if trial.changed {
            self.take_effect(&setting);
        } else {
            self.warn(format!(
                "{}: the new value does not connect; the old one holds",
                setting.name
            ));
            let old = setting.key.map(|key| self.configuration.value(key));
            setting.value = old.unwrap_or_default().to_owned();
        }
        self.settle_access(setting);
    }

    /// What [`Output::Configure`] `request` was about may have been proven.
    pub(super) fn access_settled(&mut self, request: &str, stored: bool) {
        let again_at = self.now.monotonic.after_seconds(SETTLE_AGAIN_AFTER_S);
        let settling = self.settling.as_mut();
        let Some(settling) = settling.filter(|settling| settling.request == request) else {
            return;
        };
        if stored {
            self.settling = None;
        } else {
            settling.again_at = Some(again_at);
        }
    }

    pub(super) fn settling_deadline(&self) -> Option<Millis> {
        self.settling.as_ref()?.again_at
    }

    /// Writes what was proven once more.
    pub(super) fn settle_again(&mut self) {
        let due = self.settling_deadline();
        if due.is_some_and(|at| at <= self.now.monotonic)
            && let Some(Settling { setting, .. }) = self.settling.take()
        {
            self.settle_access(setting);
        }
    }

    /// An attempt to connect failed, for a reason that may be a security event.
    pub(super) fn connection_failed(&mut self, reason: Option<(SecurityEventKind, String)>) {
        if let Some((kind, text)) = reason {
            self.raise_seldom(kind, &text);
        }
        let Some(trial) = &mut self.trial else { return };
        trial.failures += 1;
        let most = if trial.changed {
            NEW_ATTEMPTS
        } else {
            OLD_ATTEMPTS
        };
        if trial.failures >= most {
            trial.failures = 0;
            trial.changed = !trial.changed;
            self.connect_anew = true;
        }
    }

    pub(super) fn verifies_central_system(&self) -> bool {
        self.profile() >= TLS_PROFILE
    }

    pub(super) fn identifies_by_certificate(&self) -> bool {
        self.profile() >= CERTIFICATE_PROFILE
    }

    fn profile(&self) -> u64 {
        self.configuration.number(Key::SecurityProfile)
    }

    /// Whether a change of `key` to `value` may be tried.
    fn check_access(&self, key: Key, value: &str) -> Result<(), &'static str> {
        let pending = |pending: &Pending| pending.setting.key.is_some_and(Key::is_access);
        if self.trial.is_some() || self.pending.iter().any(pending) {
            return Err("another change is being tried");
        }
        if self.settling.is_some() {
            return Err("the last change could not be stored yet");
        }
        if key != Key::SecurityProfile {
            return Ok(());
        }
        let wanted: u64 = value.parse().unwrap_or(0);
        let installed = self.certificates.known;
        let has_password = self.settings.security.password_in_uri
            || !self.configuration.value(Key::AuthorizationKey).is_empty();
        if wanted < self.profile() {
            // White paper A00.FR.005
            return Err("a profile is never lowered over OCPP");
        }
        if wanted < CERTIFICATE_PROFILE && !has_password {
            return Err("AuthorizationKey is not set");
        }
        if wanted >= TLS_PROFILE && installed.central_system_roots == 0 {
            return Err("no CentralSystemRootCertificate is installed");
        }
        if wanted >= CERTIFICATE_PROFILE && installed.station_until.is_none() {
            return Err("the station has no certificate");
        }
        Ok(())
    }

    fn access_by(&self, configuration: &Configuration) -> Access {
        let profile = configuration.number(Key::SecurityProfile);
        let key = configuration.value(Key::AuthorizationKey);
        Access {
            // The key's range.
            profile: u8::try_from(profile).unwrap_or_default(),
            password: self.uses_password(profile).then(|| password(key)).flatten(),
        }
    }

    /// Without a profile the password in the address is what is used.
    fn uses_password(&self, profile: u64) -> bool {
        match profile {
            0 => self.settings.security.password_in_uri,
            _ => profile < CERTIFICATE_PROFILE,
        }
    }

    fn settle_access(&mut self, setting: Setting) {
        let request = self.message_id();
        self.outputs.push(Output::Configure {
            request: request.clone(),
            name: setting.name.clone(),
            value: setting.value.clone(),
        });
        self.settling = Some(Settling {
            request,
            setting,
            again_at: None,
        });
    }
}
