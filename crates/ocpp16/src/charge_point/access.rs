//! SecurityProfile and AuthorizationKey: a change is tried before it holds.
//!
//! ```text
//!   changed ──▶ connect anew ──opened──▶ stored
//!                 │      ▲
//!       3 failures│      │1 failure
//!                 ▼      │
//!               connect as before ──opened──▶ forgotten
//! ```
//!
//! The two take turns until one connects: whatever the central system has made of the change, the
//! station finds back to it.

use serde_json::Value;

use super::calls::status;
use super::{ChargePoint, Output};
use crate::configuration::{Configuration, Key, Setting};
use crate::security::{Access, SecurityEventKind, password};
use crate::transaction::Change;

/// Failed attempts before the other way to connect is tried.
const NEW_ATTEMPTS: u32 = 3;
const OLD_ATTEMPTS: u32 = 1;
/// From this profile on the certificate of the central system is verified.
const TLS_PROFILE: u64 = 2;
/// In this profile the station has a certificate, and no password.
const CERTIFICATE_PROFILE: u64 = 3;

/// A change that is not proven yet.
#[derive(Debug)]
pub(super) struct Trial {
    setting: Setting,
    /// Whether the change is tried, or what held before it.
    changed: bool,
    failures: u32,
}

impl ChargePoint {
    /// How to connect when the process starts; [`Output::Connect`] tells what changes.
    pub fn access(&self) -> Access {
        self.access_by(&self.configuration)
    }

    /// Carries out a change of SecurityProfile or AuthorizationKey.
    pub(super) fn change_access(&mut self, setting: Setting) -> Value {
        let Some(key) = setting.key else {
            return status("Rejected");
        };
        if self.configuration.value(key) == setting.value {
            return status("Accepted");
        }
        if let Err(reason) = self.check_access(key, &setting.value) {
            self.warn(format!(
                "ChangeConfiguration of {} rejected: {reason}",
                setting.name
            ));
            return status("Rejected");
        }
        if key == Key::AuthorizationKey && !self.uses_password(self.profile()) {
            self.keep_access(&setting);
        } else {
            self.trial = Some(Trial {
                setting,
                changed: true,
                failures: 0,
            });
            self.connect_anew = true;
        }
        status("Accepted")
    }

    /// The station's certificate has changed.
    pub(super) fn reconnect(&mut self) {
        self.connect_anew = true;
    }

    /// After the answer to the request that asked for it.
    pub(super) fn advance_access(&mut self) {
        if std::mem::take(&mut self.connect_anew) {
            let access = match &self.trial {
                Some(Trial {
                    setting,
                    changed: true,
                    ..
                }) => {
                    let mut changed = self.configuration.clone();
                    changed.apply(setting);
                    self.access_by(&changed)
                }
                Some(_) | None => self.access(),
            };
            self.outputs.push(Output::Connect(access));
        }
    }

    /// A connection is open: what was tried for it works.
    pub(super) fn access_proven(&mut self) {
        if self.connect_anew {
            return;
        }
        match self.trial.take() {
            Some(Trial {
                setting,
                changed: true,
                ..
            }) => self.keep_access(&setting),
            Some(Trial { setting, .. }) => {
                self.warn(format!(
                    "{}: the new value does not connect; the old one holds",
                    setting.name
                ));
            }
            None => {}
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
        if self.trial.is_some() {
            return Err("another change is being tried");
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

    fn keep_access(&mut self, setting: &Setting) {
        self.configuration.apply(setting);
        self.store(vec![Change::Configuration {
            name: setting.key.map_or("", Key::name),
            value: setting.value.clone(),
        }]);
        self.reconfigured(&format!("{} was changed", setting.name));
    }
}
