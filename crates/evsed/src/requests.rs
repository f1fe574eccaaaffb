//! MQTT messages as requests to the machine.

use std::collections::BTreeSet;

use daemon_kit::Message;
use evse_core::{Amperes, Authentication, DynamicSlot, Grant, Operation, PhaseCount, Request};
use topic_map::{
    AUTHORIZATION_STATUS, AVAILABILITY_TARGET, Availability, BLACK_BOX_REQUEST, CurrentLimit,
    EVSE_BASIC_MAXCURRENTLIMIT, EVSE_PHASE_SWITCH_DELAY, EVSE_PHASE_TARGET,
    GLOBAL_DYN_CURRENT_LIMIT, OCPP_AVAILABILITY_TARGET, PLUG_LOCK_UNLOCK_REQUEST, PayloadError,
    PhaseTarget, RCD_TEST_PERFORM, SwitchDelay, VENTILATION_AVAILABLE, VENTILATION_STATE_ACTUAL,
    VENTILATION_STATE_TARGET,
};

use crate::complaints::Complaints;

/// Names from outside that are remembered as refused.
const NAMES: usize = 32;

/// Turns messages into requests; a payload that does not fit changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    authentication: Authentication,
    /// The last word on authorisation that was not kept, on this connection.
    live: Option<bool>,
    names: DynamicNames,
    complaints: Complaints,
    /// Requests to unlock that wait for their answer.
    unlocking: Vec<String>,
}

impl Requests {
    /// For a station that authorises like this.
    pub(crate) fn new(authentication: Authentication) -> Self {
        Self {
            authentication,
            ..Self::default()
        }
    }

    /// A new connection: what the broker has kept is news again.
    pub(crate) fn connected(&mut self) {
        self.live = None;
    }

    /// The request of `message`, if it holds one.
    pub(crate) fn translate(&mut self, message: &Message) -> Option<Request> {
        if message.on(&BLACK_BOX_REQUEST).is_some() {
            // Not for the machine, see [`Self::wants_black_box`].
            return None;
        }
        let request = self.request(message);
        self.complaints.sift(&message.topic, request)
    }

    /// Whether `message` asks for the black box, now.
    pub(crate) fn wants_black_box(&mut self, message: &Message) -> bool {
        let Some(signal) = message.on(&BLACK_BOX_REQUEST) else {
            return false;
        };
        let wanted = signal.map(|_| (!message.retained).then_some(()));
        self.complaints.sift(&message.topic, wanted).is_some()
    }

    fn request(&mut self, message: &Message) -> Result<Option<Request>, PayloadError> {
        if let Some(target) = message.on(&AVAILABILITY_TARGET) {
            return target.map(|target| Some(Request::CustomerOperation(operation(target))));
        }
        if let Some(target) = message.on(&OCPP_AVAILABILITY_TARGET) {
            return target.map(|target| Some(Request::BackendOperation(operation(target))));
        }
        if let Some(allowed) = message.on(&AUTHORIZATION_STATUS) {
            return allowed.map(|allowed| self.authorization(allowed, message.retained));
        }
        if let Some(limit) = message.on(&EVSE_BASIC_MAXCURRENTLIMIT) {
            return limit.map(|limit| Some(Request::OcppLimit(amperes(limit))));
        }
        if let Some(signal) = message.on(&RCD_TEST_PERFORM) {
            // A signal that the broker has kept is an old one.
            return signal.map(|_| (!message.retained).then_some(Request::TestRcd));
        }
        if let Some(id) = message.on(&PLUG_LOCK_UNLOCK_REQUEST) {
            return id.map(|id| self.unlock(id.as_str(), message.retained));
        }
        if let Some(target) = message.on(&EVSE_PHASE_TARGET) {
            return target.map(|target| Some(Request::Phases(phase_count(target))));
        }
        if let Some(delay) = message.on(&EVSE_PHASE_SWITCH_DELAY) {
            return delay.map(|delay| Some(Request::PhaseSwitchDelay(milliseconds(delay))));
        }
        if let Some(available) = message.on(&VENTILATION_AVAILABLE) {
            return available.map(|available| Some(Request::VentilationAvailable(available)));
        }
        if let Some(runs) = message.on(&VENTILATION_STATE_ACTUAL) {
            return runs.map(|runs| Some(Request::VentilationActual(runs)));
        }
        if let Some(on) = message.on(&VENTILATION_STATE_TARGET) {
            return on.map(|on| Some(Request::VentilationTarget(on)));
        }
        if let Some((name, limit)) = message.in_family(&GLOBAL_DYN_CURRENT_LIMIT) {
            return limit.map(|limit| self.names.request(name, limit));
        }
        Ok(None)
    }

    /// All requests that wait get the same answer: the plug is one.
    fn unlock(&mut self, id: &str, retained: bool) -> Option<Request> {
        if retained {
            return None;
        }
        // Bounded, because requests come from outside.
        if self.unlocking.len() < 16 {
            self.unlocking.push(id.to_owned());
        }
        Some(Request::Unlock)
    }

    /// The requests to unlock that the machine has answered now.
    pub(crate) fn unlocked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unlocking)
    }

    fn authorization(&mut self, allowed: bool, kept: bool) -> Option<Request> {
        // The OCPP client's word is for one session and never kept by the broker:
        // what is, was left there by somebody else (AUTH-006).
        let foreign = kept && self.authentication == Authentication::Ocpp;
        // Every change arrives live: a kept word that differs from it is older.
        let old = kept && self.live.is_some_and(|live| live != allowed);
        if !kept {
            self.live = Some(allowed);
        }
        (!foreign && !old).then(|| Request::Authorization(grant(allowed, kept)))
    }
}

fn operation(target: Availability) -> Operation {
    match target {
        Availability::Operative => Operation::Operative,
        Availability::Inoperative => Operation::Inoperative,
    }
}

const fn phase_count(target: PhaseTarget) -> PhaseCount {
    match target {
        PhaseTarget::One => PhaseCount::One,
        PhaseTarget::Three => PhaseCount::Three,
    }
}

/// The topic's range is 10 to 300 s.
fn milliseconds(delay: SwitchDelay) -> u32 {
    u32::try_from(delay.value())
        .unwrap_or(u32::MAX)
        .saturating_mul(1_000)
}

/// Retained is permanent, not retained is one session (guide 15.21).
fn grant(allowed: bool, retained: bool) -> Grant {
    match (allowed, retained) {
        (false, _) => Grant::Revoked,
        (true, false) => Grant::OneSession,
        (true, true) => Grant::Permanent,
    }
}

fn amperes(limit: CurrentLimit) -> Option<Amperes> {
    limit.deciamperes().map(Amperes::from_deci)
}

/// Which name has which of the five slots (guide 15.16.1).
#[derive(Debug, Default)]
struct DynamicNames {
    slots: [Option<String>; DynamicSlot::COUNT],
    refused: BTreeSet<String>,
}

impl DynamicNames {
    /// An empty payload frees the name's slot, so that another name fits.
    fn request(&mut self, name: &str, limit: Option<CurrentLimit>) -> Option<Request> {
        let known = self
            .slots
            .iter()
            .position(|slot| slot.as_deref() == Some(name));
        let Some(limit) = limit else {
            let index = known?;
            self.slots[index] = None;
            return DynamicSlot::new(index).map(Request::RemoveDynamicLimit);
        };
        let Some(index) = known.or_else(|| self.slots.iter().position(Option::is_none)) else {
            if self.refused.len() < NAMES && self.refused.insert(name.to_owned()) {
                tracing::warn!(name, "all five dynamic current limits have a name: ignored");
            }
            return None;
        };
        self.slots[index] = Some(name.to_owned());
        let slot = DynamicSlot::new(index)?;
        Some(Request::DynamicLimit(slot, amperes(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: &str, retained: bool) -> Message {
        Message {
            topic: topic.into(),
            payload: payload.as_bytes().to_vec(),
            retained,
        }
    }

    fn limit(requests: &mut Requests, name: &str, payload: &str) -> Option<Request> {
        requests.translate(&message(
            &format!("ci/global/dyn_current_limit/{name}"),
            payload,
            true,
        ))
    }

    fn set(index: usize, deci: Option<u32>) -> Option<Request> {
        let slot = DynamicSlot::new(index).unwrap();
        Some(Request::DynamicLimit(slot, deci.map(Amperes::from_deci)))
    }

    // covers: LIM-014, LIM-015
    #[test]
    fn five_names_have_a_limit_and_the_sixth_is_ignored() {
        let mut requests = Requests::default();
        for (index, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            assert_eq!(limit(&mut requests, name, "10"), set(index, Some(100)));
        }
        assert_eq!(limit(&mut requests, "f", "6"), None);
        assert_eq!(limit(&mut requests, "b", "20.25"), set(1, Some(202)));
        assert_eq!(limit(&mut requests, "b", "-1"), set(1, None));
        assert_eq!(limit(&mut requests, "f", "6"), None, "-1 keeps the name");
    }

    #[test]
    fn an_empty_message_frees_the_name() {
        let mut requests = Requests::default();
        for name in ["a", "b", "c", "d", "e"] {
            limit(&mut requests, name, "10");
        }
        assert_eq!(
            limit(&mut requests, "c", ""),
            DynamicSlot::new(2).map(Request::RemoveDynamicLimit)
        );
        assert_eq!(limit(&mut requests, "f", "6"), set(2, Some(60)));
        assert_eq!(limit(&mut requests, "unknown", ""), None);
    }

    // covers: LIM-019, AUTH-005, AV-003
    #[test]
    fn garbage_changes_nothing() {
        let mut requests = Requests::default();
        for payload in [
            "",
            "x",
            "1,5",
            "NaN",
            "-2",
            "1e3",
            "\0",
            "999999999999999999999",
        ] {
            for topic in [
                "ci/evse/basic/maxcurrentlimit",
                "port0/ci/availability/target",
                "port0/session/authorization_status",
            ] {
                assert_eq!(
                    requests.translate(&message(topic, payload, false)),
                    None,
                    "{topic} {payload:?}"
                );
            }
            if !payload.is_empty() {
                assert_eq!(limit(&mut requests, "a", payload), None, "{payload:?}");
            }
        }
        assert_eq!(
            requests.translate(&message("port0/contactor/state/target", "1", true)),
            None
        );
    }

    // covers: RCD-022, RCD-023
    #[test]
    fn a_signal_is_obeyed_but_not_a_kept_one() {
        let mut requests = Requests::default();
        let mut perform =
            |retained| requests.translate(&message("port0/rcd/test/perform", "", retained));
        assert_eq!(perform(false), Some(Request::TestRcd));
        assert_eq!(perform(true), None);
        let mut asks = |retained| {
            requests.wants_black_box(&message("port0/session/black_box/request", "", retained))
        };
        assert!(asks(false) && !asks(true));
    }

    // covers: PH-006, PH-008
    #[test]
    fn phases_are_1_or_3_and_their_delay_10_to_300_s() {
        let mut requests = Requests::default();
        let mut translate =
            |topic: &str, payload: &str| requests.translate(&message(topic, payload, true));
        let target = "port0/ci/evse/phase/target";
        let delay = "port0/ci/evse/phase/switch_delay";
        assert_eq!(
            translate(target, "1"),
            Some(Request::Phases(PhaseCount::One))
        );
        assert_eq!(
            translate(target, "3"),
            Some(Request::Phases(PhaseCount::Three))
        );
        for (payload, delay_ms) in [("10", 10_000), ("300", 300_000)] {
            let expected = Some(Request::PhaseSwitchDelay(delay_ms));
            assert_eq!(translate(delay, payload), expected);
        }
        for payload in ["0", "2", "4", "x", "", "1.0", "-1"] {
            assert_eq!(translate(target, payload), None, "{payload}");
        }
        for payload in ["9", "301", "x", "", "10.5"] {
            assert_eq!(translate(delay, payload), None, "{payload}");
        }
    }

    // covers: VENT-002, VENT-005, VENT-013
    #[test]
    fn a_customer_announces_and_switches_ventilation() {
        let mut requests = Requests::default();
        for (topic, on) in [
            ("available", Request::VentilationAvailable(true)),
            ("state/actual", Request::VentilationActual(true)),
            ("state/target", Request::VentilationTarget(true)),
        ] {
            let topic = format!("port0/ventilation/{topic}");
            assert_eq!(requests.translate(&message(&topic, "1", true)), Some(on));
            assert_eq!(requests.translate(&message(&topic, "on", true)), None);
        }
    }

    #[test]
    fn requests_to_unlock_wait_for_one_answer() {
        let mut requests = Requests::default();
        let mut unlock = |id, retained| {
            requests.translate(&message("port0/plug_lock/unlock/request", id, retained))
        };
        assert_eq!(unlock("7", false), Some(Request::Unlock));
        assert_eq!(unlock("8", false), Some(Request::Unlock));
        assert_eq!(unlock("9", true), None, "kept by the broker");
        assert_eq!(requests.unlocked(), ["7", "8"]);
        assert!(requests.unlocked().is_empty());
    }

    #[test]
    fn with_ocpp_a_kept_authorisation_is_not_the_central_system_s() {
        let mut requests = Requests::new(Authentication::Ocpp);
        let mut grant = |payload, retained| {
            requests.translate(&message(
                "port0/session/authorization_status",
                payload,
                retained,
            ))
        };
        assert_eq!(grant("1", true), None, "left by an MQTT application");
        let one_session = Some(Request::Authorization(Grant::OneSession));
        assert_eq!(grant("1", false), one_session);
        assert_eq!(grant("0", true), None, "older than the grant");
        assert_eq!(
            grant("0", false),
            Some(Request::Authorization(Grant::Revoked))
        );
    }

    #[test]
    fn what_the_broker_kept_does_not_overrule_what_came_after_it() {
        let mut requests = Requests::default();
        let mut grant = |payload, retained, reconnected| {
            if reconnected {
                requests.connected();
            }
            match requests.translate(&message(
                "port0/session/authorization_status",
                payload,
                retained,
            )) {
                Some(Request::Authorization(grant)) => Some(grant),
                _ => None,
            }
        };
        for (payload, retained, reconnected, granted) in [
            ("0", true, true, Some(Grant::Revoked)),
            ("1", false, false, Some(Grant::OneSession)),
            ("0", true, false, None),
            ("1", true, false, Some(Grant::Permanent)),
            ("0", false, false, Some(Grant::Revoked)),
            ("1", true, false, None),
            ("1", true, true, Some(Grant::Permanent)),
        ] {
            assert_eq!(
                grant(payload, retained, reconnected),
                granted,
                "{payload} {retained} {reconnected}"
            );
        }
    }

    // covers: AUTH-007, AUTH-008
    #[test]
    fn a_retained_grant_is_permanent() {
        let mut requests = Requests::default();
        let mut grant = |payload, retained| {
            requests.translate(&message(
                "port0/session/authorization_status",
                payload,
                retained,
            ))
        };
        assert_eq!(
            grant("1", true),
            Some(Request::Authorization(Grant::Permanent))
        );
        assert_eq!(
            grant("0", true),
            Some(Request::Authorization(Grant::Revoked))
        );
        assert_eq!(
            grant("1", false),
            Some(Request::Authorization(Grant::OneSession))
        );
    }
}
