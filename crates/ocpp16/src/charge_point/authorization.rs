//! Who may charge: identifiers, remote starts, and what the central system says about them.

use super::session::Session;
use super::{ChargePoint, EvseSession, Output};
use crate::configuration::Key;
use crate::fault::most_important;
use crate::message::answer::{AuthorizationStatus, IdTagInfo};
use crate::message::outgoing::StopReason;
use crate::profile::{InstalledProfile, Profile, Purpose};
use crate::{IdToken, Millis};

/// An identifier that the central system is asked about.
#[derive(Debug)]
pub(super) struct Asking {
    id_tag: IdToken,
    intent: Intent,
    /// Whether the question is on its way; a station that has just started waits for its
    /// connection.
    asked: bool,
}

/// What an accepted identifier leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Start,
    StartRemotely,
    Stop { number: u64 },
}

impl ChargePoint {
    /// A user presented `text` at the station.
    pub(super) fn id_tag_presented(&mut self, text: &str) {
        let Ok(id_tag) = IdToken::new(text) else {
            self.outputs.push(Output::IdTagAnswer(false));
            return self.warn("identifier ignored: it has more than 20 characters");
        };
        if id_tag.is_empty() {
            self.outputs.push(Output::IdTagAnswer(false));
            return self.warn("identifier ignored: it is empty");
        }
        if self.asking.is_some() {
            return self.note("identifier ignored: another one is being checked");
        }
        match self.session {
            Session::Active { number } => self.stop_by_tag(number, id_tag),
            Session::Idle { .. } => self.start_by_tag(id_tag),
            Session::Granted { .. } | Session::Interrupted { .. } | Session::Ending { .. } => {
                self.note("identifier ignored: the session is changing")
            }
        }
    }

    /// `RemoteStartTransaction`; true when it is going to be carried out.
    pub(super) fn remote_start(&mut self, id_tag: IdToken, profile: Option<Profile>) -> bool {
        if let Some(why) = self.refusal() {
            self.note(format!("RemoteStartTransaction rejected: {why}"));
            return false;
        }
        if self.asking.is_some() || id_tag.is_empty() {
            return false;
        }
        if let Some(profile) = profile {
            if profile.purpose != Purpose::Tx {
                return false;
            }
            let installed = InstalledProfile {
                connector: 1,
                profile,
                received: self.wall(),
            };
            if let Err(why) = self.profiles.install(installed) {
                self.note(format!("RemoteStartTransaction rejected: {why}"));
                return false;
            }
            self.profiles_changed();
        }
        if self.configuration.flag(Key::AuthorizeRemoteTxRequests) {
            self.ask(id_tag, Intent::StartRemotely);
        } else {
            self.grant(id_tag, None);
        }
        true
    }

    /// The central system could not be asked: what holds offline holds.
    pub(super) fn authorization_unanswered(&mut self) {
        let starts = match self.asking.as_ref().map(|asking| asking.intent) {
            Some(Intent::Start | Intent::StartRemotely) => {
                self.configuration.flag(Key::AllowOfflineTxForUnknownId)
            }
            Some(Intent::Stop { .. }) | None => false,
        };
        let accepted = IdTagInfo {
            status: AuthorizationStatus::Accepted,
            parent: None,
            expiry: None,
        };
        self.authorization_answered(starts.then_some(accepted));
    }

    pub(super) fn authorization_answered(&mut self, info: Option<IdTagInfo>) {
        let Some(Asking { id_tag, intent, .. }) = self.asking.take() else {
            return;
        };
        let status = info.as_ref().map(|info| info.status);
        let parent = info.and_then(|info| info.parent);
        let accepted = status == Some(AuthorizationStatus::Accepted);
        if !accepted {
            self.note(format!("identifier not accepted: {status:?}"));
        }
        match intent {
            Intent::Start | Intent::StartRemotely => {
                // The world may have changed while the question was open.
                let refusal = self.refusal();
                let starts = accepted && refusal.is_none();
                if intent == Intent::Start {
                    self.outputs.push(Output::IdTagAnswer(starts));
                }
                if starts {
                    self.grant(id_tag, parent);
                } else {
                    self.clear_transaction_profiles();
                }
            }
            Intent::Stop { number } => {
                let same = self.transaction().is_some_and(|transaction| {
                    transaction.number == number
                        && transaction.parent.is_some()
                        && transaction.parent == parent
                });
                self.outputs.push(Output::IdTagAnswer(accepted && same));
                if accepted && same {
                    self.end_transaction(StopReason::Local, Some(id_tag));
                }
            }
        }
    }

    /// The `idTagInfo` of `StartTransaction.conf`, which is already part of the transaction.
    pub(super) fn start_authorization_answered(&mut self, number: u64, info: &IdTagInfo) {
        let running = match self.session {
            Session::Active { number } | Session::Interrupted { number, .. } => Some(number),
            Session::Idle { .. } | Session::Granted { .. } | Session::Ending { .. } => None,
        };
        if running != Some(number) || info.status == AuthorizationStatus::Accepted {
            return;
        }
        // Before anything else is put out: the end belongs to the same change of the durable state.
        if self.configuration.flag(Key::StopTransactionOnInvalidId) {
            self.end_transaction(StopReason::DeAuthorized, None);
        }
        self.warn(format!(
            "the central system does not accept the user of transaction {number}: {:?}",
            info.status
        ));
    }

    /// Why nobody may start now.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        if !self.settings.authorises {
            return Some("user_authentication is not ocpp");
        }
        if !matches!(self.session, Session::Idle { .. }) {
            return Some("a session is going on");
        }
        if self.availability.wanted != [true, true] {
            return Some("the connector is, or is going to be, inoperative");
        }
        if self.reset_by.is_some() {
            return Some("the station is going to restart");
        }
        if most_important(self.faults().filter(|fault| fault.report().blocks)).is_some() {
            return Some("a fault prevents charging");
        }
        match self.station.as_ref().map(|station| station.session) {
            None => return Some("the EVSE is not known yet"),
            Some(EvseSession::Faulted | EvseSession::Inoperative) => {
                return Some("the EVSE is out of operation");
            }
            Some(
                EvseSession::Idle
                | EvseSession::Authorized
                | EvseSession::Connected
                | EvseSession::SuspendedEv
                | EvseSession::SuspendedEvse
                | EvseSession::Charging,
            ) => {}
        }
        // Offline it is possible; then nobody is told (guide 3.3.2).
        if self.wall().is_none()
            && self.link.online()
            && !self.configuration.flag(Key::AllowTxWithInvalidTime)
        {
            return Some("there is no valid time");
        }
        (!self.registered).then_some("the central system has never accepted this station")
    }

    fn start_by_tag(&mut self, id_tag: IdToken) {
        if self.configuration.flag(Key::RfidRequiresEvPresent) && self.ev_present() != Some(true) {
            return self.note("identifier ignored: no EV is connected");
        }
        if let Some(why) = self.refusal() {
            self.outputs.push(Output::IdTagAnswer(false));
            return self.note(format!("identifier refused: {why}"));
        }
        if self.link.online() || self.connecting() {
            self.ask(id_tag, Intent::Start);
        } else {
            let accepted = self.configuration.flag(Key::AllowOfflineTxForUnknownId);
            self.outputs.push(Output::IdTagAnswer(accepted));
            if accepted {
                self.grant(id_tag, None);
            } else {
                self.note("identifier refused: the central system can't be asked");
            }
        }
    }

    fn stop_by_tag(&mut self, number: u64, id_tag: IdToken) {
        if !self.configuration.flag(Key::RfidStopTransaction) {
            return self.note("identifier ignored: tags don't stop a transaction here");
        }
        let Some(transaction) = self.transactions.get(&number) else {
            return;
        };
        if transaction.id_tag == id_tag {
            self.outputs.push(Output::IdTagAnswer(true));
            self.end_transaction(StopReason::Local, Some(id_tag));
        } else if transaction.parent.is_some() && self.link.online() {
            self.ask(id_tag, Intent::Stop { number });
        } else {
            self.outputs.push(Output::IdTagAnswer(false));
            self.note("identifier refused: the transaction belongs to another user");
        }
    }

    fn ask(&mut self, id_tag: IdToken, intent: Intent) {
        self.asking = Some(Asking {
            id_tag,
            intent,
            asked: false,
        });
    }

    /// Whether the first connection of this process is still to be waited for.
    fn connecting(&self) -> bool {
        !self.was_online && self.now.monotonic < Millis(self.settings.offline_after_ms)
    }

    /// Sends the question as soon as that is possible, or decides as offline.
    pub(super) fn advance_asking(&mut self) {
        let (online, connecting) = (self.link.online(), self.connecting());
        self.was_online |= online;
        let Some(asking) = self.asking.as_mut().filter(|asking| !asking.asked) else {
            return;
        };
        if online {
            asking.asked = true;
            let id_tag = asking.id_tag.clone();
            self.ask_authorization(id_tag);
        } else if !connecting {
            self.authorization_unanswered();
        }
    }

    pub(super) fn asking_deadline(&self) -> Option<Millis> {
        let waits = self.asking.as_ref().is_some_and(|asking| !asking.asked);
        waits.then_some(Millis(self.settings.offline_after_ms))
    }

    fn grant(&mut self, id_tag: IdToken, parent: Option<IdToken>) {
        let until = match self.configuration.number(Key::ConnectionTimeOut) {
            0 => None,
            seconds => Some(self.now.monotonic.after_seconds(seconds)),
        };
        self.session = Session::Granted {
            id_tag,
            parent,
            until,
        };
    }
}
