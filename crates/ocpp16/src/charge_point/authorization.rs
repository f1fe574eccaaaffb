//! Who may charge: identifiers, remote starts, and what the central system says about them.

use super::identifiers::Known;
use super::session::Session;
use super::{ChargePoint, EvseSession, Output};
use crate::configuration::Key;
use crate::fault::most_important;
use crate::message::answer::{AuthorizationStatus, IdTagInfo};
use crate::message::outgoing::StopReason;
use crate::profile::{InstalledProfile, Profile, Purpose};
use crate::transaction::Transaction;
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

/// What to do about a user who wants to start.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    /// Charge, as a member of this group.
    Grant(Option<IdToken>),
    /// The central system knows.
    Ask,
    /// Why not.
    Refuse(&'static str),
}

impl ChargePoint {
    /// A user presented `text` at the station.
    pub(super) fn id_tag_presented(&mut self, text: &str) {
        if !self.settings.authorises {
            // Whoever authorises answers; a refusal of ours would come first and be shown.
            return self.note("identifier left to others: user_authentication is not ocpp");
        }
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

    /// The vehicle told its MAC address, which is an identifier like a card (guide 15.21), but for
    /// the start only: a vehicle that is looked at again does not want to stop.
    pub(super) fn vehicle_identified(&mut self, mac: &str) {
        let Ok(id_tag) = IdToken::new(&format!("VID:{mac}")) else {
            return self.warn("vehicle ignored: its MAC address is too long");
        };
        let idle = matches!(self.session, Session::Idle { .. });
        let ours = self.settings.authorises && self.settings.autocharge;
        if ours && idle && self.asking.is_none() {
            self.start_by_tag(id_tag);
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
        let verdict = self.judge_remote(&id_tag);
        if let Verdict::Refuse(why) = verdict {
            self.note(format!("RemoteStartTransaction rejected: {why}"));
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
        match verdict {
            Verdict::Grant(parent) => self.grant(id_tag, parent),
            Verdict::Ask => self.ask(id_tag, Intent::StartRemotely),
            Verdict::Refuse(_) => {}
        }
        true
    }

    /// The central system could not be asked: what holds offline holds.
    pub(super) fn authorization_unanswered(&mut self) {
        let Some(Asking { id_tag, intent, .. }) = self.asking.take() else {
            return;
        };
        let verdict = match intent {
            Intent::Start | Intent::StartRemotely => self.judge_offline(&id_tag),
            Intent::Stop { .. } => Verdict::Refuse("the central system did not answer"),
        };
        match verdict {
            Verdict::Grant(parent) => self.start_asked(id_tag, parent, intent),
            Verdict::Ask => {}
            Verdict::Refuse(why) => self.refuse_asked(intent, why),
        }
    }

    /// `None` is an answer that can't be used.
    pub(super) fn authorization_answered(&mut self, info: Option<IdTagInfo>) {
        let Some(Asking { id_tag, intent, .. }) = self.asking.take() else {
            return;
        };
        let Some(info) = info else {
            return self.refuse_asked(intent, "there is no usable answer");
        };
        let starts = match intent {
            Intent::Start | Intent::StartRemotely => info.status == AuthorizationStatus::Accepted,
            // Whoever charges elsewhere may still end this.
            Intent::Stop { number } => {
                [
                    AuthorizationStatus::Accepted,
                    AuthorizationStatus::ConcurrentTx,
                ]
                .contains(&info.status)
                    && self.transaction().is_some_and(|transaction| {
                        transaction.number == number
                            && transaction.parent.is_some()
                            && transaction.parent == info.parent
                    })
            }
        };
        if !starts {
            self.refuse_asked(intent, info.status.name());
        } else if let Intent::Stop { .. } = intent {
            self.outputs.push(Output::IdTagAnswer(true));
            self.end_transaction(StopReason::Local, Some(id_tag.clone()));
        } else {
            self.start_asked(id_tag.clone(), info.parent.clone(), intent);
        }
        self.learn(&id_tag, &info);
    }

    /// The `idTagInfo` of `StartTransaction.conf`, which is already part of the transaction.
    pub(super) fn start_authorization_answered(&mut self, number: u64, info: Option<&IdTagInfo>) {
        let running = match self.session {
            Session::Active { number } | Session::Interrupted { number, .. } => Some(number),
            Session::Idle { .. } | Session::Granted { .. } | Session::Ending { .. } => None,
        };
        let status = info.map(|info| info.status);
        if running != Some(number) || status == Some(AuthorizationStatus::Accepted) {
            return;
        }
        // Before anything else is put out: the end belongs to the same change of the durable state.
        if self.configuration.flag(Key::StopTransactionOnInvalidId) {
            self.end_transaction(StopReason::DeAuthorized, None);
        }
        self.warn(format!(
            "the central system does not accept the user of transaction {number}: {}",
            status.map_or("no status", AuthorizationStatus::name)
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
        match self.judge(&id_tag) {
            Verdict::Grant(parent) => {
                self.outputs.push(Output::IdTagAnswer(true));
                self.grant(id_tag, parent);
            }
            Verdict::Ask => self.ask(id_tag, Intent::Start),
            Verdict::Refuse(why) => {
                self.outputs.push(Output::IdTagAnswer(false));
                self.note(format!("identifier refused: {why}"));
            }
        }
    }

    /// Whether a user who presents `id_tag` may start, as far as this station can tell.
    fn judge(&self, id_tag: &IdToken) -> Verdict {
        if !self.link.online() && !self.connecting() {
            return self.judge_offline(id_tag);
        }
        let known = self.known(id_tag);
        let parent = known.as_ref().and_then(|known| known.parent.clone());
        if self.reserved_for_another(id_tag, parent.as_ref()) {
            return self.judge_stranger();
        }
        let at_once = self.configuration.flag(Key::LocalPreAuthorize);
        if at_once && known.is_some_and(|known| known.accepted()) {
            Verdict::Grant(parent)
        } else {
            // Also for who is known as blocked: the central system may think better of it.
            Verdict::Ask
        }
    }

    /// The same while the central system can't be asked. What is known counts before what isn't:
    /// who is blocked does not start because unknown users may.
    fn judge_offline(&self, id_tag: &IdToken) -> Verdict {
        let known = self.known(id_tag);
        let parent = known.as_ref().and_then(|known| known.parent.clone());
        if self.reserved_for_another(id_tag, parent.as_ref()) {
            return Verdict::Refuse("the connector is reserved for another user");
        }
        let anybody = self.configuration.flag(Key::AllowOfflineTxForUnknownId);
        let listed = self.configuration.flag(Key::LocalAuthorizeOffline);
        match known {
            Some(known) if !known.accepted() => Verdict::Refuse("known, but not accepted"),
            Some(_) if listed || anybody => Verdict::Grant(parent),
            None if anybody => Verdict::Grant(None),
            Some(_) | None => Verdict::Refuse("the central system can't be asked"),
        }
    }

    /// The same for a remote start: without `AuthorizeRemoteTxRequests` whoever sent it knows what
    /// they do.
    fn judge_remote(&self, id_tag: &IdToken) -> Verdict {
        if self.configuration.flag(Key::AuthorizeRemoteTxRequests) {
            return self.judge(id_tag);
        }
        let parent = self.known(id_tag).and_then(|known| known.parent);
        if self.reserved_for_another(id_tag, parent.as_ref()) {
            self.judge_stranger()
        } else {
            Verdict::Grant(parent)
        }
    }

    /// Somebody who is not known to belong to the group for which the connector is reserved.
    fn judge_stranger(&self) -> Verdict {
        if self.reserved_for_a_group() {
            Verdict::Ask
        } else {
            Verdict::Refuse("the connector is reserved for another user")
        }
    }

    /// The central system, or what holds offline, lets the user start.
    fn start_asked(&mut self, id_tag: IdToken, parent: Option<IdToken>, intent: Intent) {
        // The world may have changed while the question was open.
        if let Some(why) = self.refusal() {
            return self.refuse_asked(intent, why);
        }
        if self.reserved_for_another(&id_tag, parent.as_ref()) {
            return self.refuse_asked(intent, "the connector is reserved for another user");
        }
        if intent == Intent::Start {
            self.outputs.push(Output::IdTagAnswer(true));
        }
        self.grant(id_tag, parent);
    }

    fn refuse_asked(&mut self, intent: Intent, why: &str) {
        self.note(format!("identifier not accepted: {why}"));
        match intent {
            Intent::Start => self.outputs.push(Output::IdTagAnswer(false)),
            Intent::StartRemotely => {}
            Intent::Stop { .. } => return self.outputs.push(Output::IdTagAnswer(false)),
        }
        self.clear_transaction_profiles();
    }

    fn stop_by_tag(&mut self, number: u64, id_tag: IdToken) {
        if !self.configuration.flag(Key::RfidStopTransaction) {
            return self.note("identifier ignored: tags don't stop a transaction here");
        }
        let Some(transaction) = self.transactions.get(&number) else {
            return;
        };
        if transaction.id_tag == id_tag || self.known_member(&id_tag, transaction) {
            self.outputs.push(Output::IdTagAnswer(true));
            self.end_transaction(StopReason::Local, Some(id_tag));
        } else if transaction.parent.is_some() && self.link.online() {
            self.ask(id_tag, Intent::Stop { number });
        } else {
            self.outputs.push(Output::IdTagAnswer(false));
            self.note("identifier refused: the transaction belongs to another user");
        }
    }

    /// Whether `id_tag` is accepted and of the group of who started `transaction`.
    fn known_member(&self, id_tag: &IdToken, transaction: &Transaction) -> bool {
        let known = self.known(id_tag).filter(Known::accepted);
        let group = known.and_then(|known| known.parent);
        group.is_some() && group == transaction.parent
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
