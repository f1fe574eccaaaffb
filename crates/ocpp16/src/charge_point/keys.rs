//! ChangeConfiguration and GetConfiguration.
//!
//! The charge point's own keys take effect here and at once, but not before they are written: an
//! accepted value survives the loss of power. What customer.json holds is written by another
//! process, whose word decides the answer if it comes in time. What it has no place for is written
//! by this process, which does nothing else meanwhile: that answer comes when the flash is done.

use serde_json::{Map, Value, json};

use super::calls::status;
use super::{ChargePoint, Output};
use crate::configuration::{ChangeError, Entry, Kept, Key, MAX_REQUESTED_KEYS, Setting};
use crate::{CallError, CiString, ErrorCode, Millis};

/// When a change is answered at the latest, so that it is within the second of guide 3.4 table 14.
const WRITE_MS: u64 = 900;
/// Changes that may wait for the file at a time.
const MOST_PENDING: usize = 50;
/// `CiString500`: a longer value is not told.
const LONGEST_VALUE: usize = 500;

/// A ChangeConfiguration that waits for the file.
#[derive(Debug)]
pub(super) struct Pending {
    call: String,
    /// What the request to the writer carries.
    request: String,
    pub(super) setting: Setting,
    /// The value when it was asked for; `None` where nothing was set.
    before: Option<String>,
    /// Whether it is to be tried before it holds.
    tried: bool,
    until: Millis,
}

impl ChargePoint {
    /// `ChangeConfiguration`; `None` while the value is being written.
    pub(super) fn change_configuration(
        &mut self,
        call: &str,
        key: &CiString<50>,
        value: &CiString<500>,
    ) -> Option<Value> {
        let meter = self.reading.as_ref().map(|(_, reading)| reading);
        let setting = match self
            .configuration
            .check(key.as_str(), value.as_str(), meter)
        {
            Ok(setting) => setting,
            Err(ChangeError::Unknown(_)) => return Some(status("NotSupported")),
            Err(error @ (ChangeError::ReadOnly(_) | ChangeError::Value { .. })) => {
                self.note(format!("ChangeConfiguration rejected: {error}"));
                return Some(status("Rejected"));
            }
        };
        if setting.key.is_some_and(Key::is_access) {
            return self.change_access(call, setting);
        }
        match setting.key.map_or(Kept::Customer, Key::kept) {
            Kept::Customer | Kept::Here => self.write(call, setting, false),
            Kept::Nowhere => Some(self.take_effect(&setting)),
        }
    }

    /// What became of [`Output::Configure`] or [`Output::Try`] `request`.
    pub(super) fn configured(&mut self, request: &str, accepted: bool) {
        self.access_settled(request, accepted);
        let place = self
            .pending
            .iter()
            .position(|pending| pending.request == request);
        let Some(pending) = place.map(|place| self.pending.remove(place)) else {
            self.taken_back(request, accepted);
            return self.take_back(request, accepted);
        };
        let answer = match (accepted, pending.tried) {
            (false, _) => status("Rejected"),
            (true, false) => self.take_effect(&pending.setting),
            (true, true) => self.try_access(pending.setting),
        };
        self.answer_call(&pending.call, answer);
    }

    /// Somebody changed a key of customer.json.
    pub(super) fn configuration_changed(&mut self, name: &str, value: &str) {
        match self.configuration.check(name, value, None) {
            Ok(setting) => {
                self.take_effect(&setting);
            }
            Err(ChangeError::Unknown(_) | ChangeError::ReadOnly(_)) => {}
            Err(error @ ChangeError::Value { .. }) => {
                self.warn(format!("{error}; the value of before holds"));
            }
        }
    }

    pub(super) fn keys_deadline(&self) -> Option<Millis> {
        self.pending.iter().map(|pending| pending.until).min()
    }

    /// Answers for the changes that took too long.
    pub(super) fn refuse_unwritten(&mut self) {
        let now = self.now.monotonic;
        while let Some(place) = self.pending.iter().position(|pending| pending.until <= now) {
            let pending = self.pending.remove(place);
            let name = &pending.setting.name;
            self.warn(format!("{name} was not written in time: rejected"));
            self.answer_call(&pending.call, status("Rejected"));
            self.refused.truncate(MOST_PENDING - 1);
            self.refused.push_front(pending);
        }
    }

    /// What was rejected, but written all the same, gives way to what was there before, unless
    /// somebody has changed it since, or is about to.
    fn take_back(&mut self, request: &str, written: bool) {
        let mut refused = self.refused.iter();
        let place = refused.position(|refused| refused.request == request);
        let refused = place.and_then(|place| self.refused.remove(place));
        let Some(Pending {
            setting, before, ..
        }) = refused.filter(|_| written)
        else {
            return;
        };
        let now = self.configuration.text(&setting);
        let name = setting.name;
        let newer = self.pending.iter().any(|one| one.setting.name == name);
        match before {
            Some(value) if !newer && (now == Some(&value) || now == Some(&setting.value)) => {
                self.warn(format!("{name} was written after all: it is taken back"));
                let request = self.message_id();
                self.taking_back.truncate(MOST_PENDING - 1);
                self.taking_back.push_front((request.clone(), name.clone()));
                self.outputs.push(Output::Configure {
                    request,
                    name,
                    value,
                });
            }
            Some(_) | None => self.warn(format!("{name} was written after all")),
        }
    }

    /// What became of the request with which [`Self::take_back`] had the value of before written.
    fn taken_back(&mut self, request: &str, written: bool) {
        let mut taking_back = self.taking_back.iter();
        let place = taking_back.position(|(its, _)| its == request);
        let taking_back = place.and_then(|place| self.taking_back.remove(place));
        if let Some((_, name)) = taking_back.filter(|_| !written) {
            self.warn(format!(
                "{name} could not be taken back: the rejected value holds"
            ));
        }
    }

    /// No keys, whether absent or an empty list, asks for all.
    pub(super) fn configuration_report(&self, keys: &[CiString<50>]) -> Result<Value, CallError> {
        if keys.len() > MAX_REQUESTED_KEYS {
            let description = format!(
                "key: {} keys where at most {MAX_REQUESTED_KEYS} are allowed",
                keys.len()
            );
            return Err(CallError::new(
                ErrorCode::OccurenceConstraintViolation,
                description,
            ));
        }
        if keys.is_empty() {
            let all: Vec<Value> = self.configuration.all().map(entry_json).collect();
            return Ok(json!({"configurationKey": all}));
        }
        let known: Vec<Value> = keys
            .iter()
            .filter_map(|key| self.configuration.find(key))
            .map(entry_json)
            .collect();
        let unknown: Vec<&str> = keys
            .iter()
            .filter(|key| self.configuration.find(key).is_none())
            .map(CiString::as_str)
            .collect();
        let mut report = Map::new();
        if !known.is_empty() {
            report.insert("configurationKey".to_owned(), known.into());
        }
        if !unknown.is_empty() {
            report.insert("unknownKey".to_owned(), unknown.into());
        }
        Ok(Value::Object(report))
    }

    /// Has `setting` written, to hold or to be tried; the answer follows.
    pub(super) fn write(&mut self, call: &str, setting: Setting, tried: bool) -> Option<Value> {
        if self.pending.len() >= MOST_PENDING {
            return Some(status("Rejected"));
        }
        let request = self.message_id();
        let (name, value) = (setting.name.clone(), setting.value.clone());
        self.outputs.push(if tried {
            Output::Try {
                request: request.clone(),
                name,
                value,
            }
        } else {
            Output::Configure {
                request: request.clone(),
                name,
                value,
            }
        });
        self.pending.push(Pending {
            call: call.to_owned(),
            request,
            before: self.configuration.text(&setting).map(str::to_owned),
            setting,
            tried,
            until: self.now.monotonic.after(WRITE_MS),
        });
        None
    }

    /// Own keys hold from now on, except for those that need a reboot; other daemons read theirs
    /// when they start.
    pub(super) fn take_effect(&mut self, setting: &Setting) -> Value {
        self.configuration.apply(setting);
        match setting.key {
            Some(Key::HeartbeatInterval) => self.restart_heartbeat(),
            Some(Key::MeterValueSampleInterval) => self.restart_sampling(),
            // Set to true, the time that is known stays until the next one comes.
            Some(Key::UseAsTimeSource) if setting.value == "false" => self.clock.forget(),
            Some(key) if key.is_access() => {
                self.reconfigured(&format!("{} was changed", setting.name));
            }
            Some(_) | None => {}
        }
        let at_once = setting.key.is_some_and(|key| !key.after_reboot());
        status(if at_once {
            "Accepted"
        } else {
            "RebootRequired"
        })
    }
}

fn entry_json(entry: Entry<'_>) -> Value {
    let mut told = Map::new();
    told.insert("key".to_owned(), entry.name.into());
    told.insert("readonly".to_owned(), entry.readonly.into());
    let value = entry
        .value
        .filter(|value| value.chars().count() <= LONGEST_VALUE);
    told.extend(value.map(|value| ("value".to_owned(), value.into())));
    Value::Object(told)
}
