//! Who may charge (guide 14.1 table 48, 15.21 table 83).

use crate::{DigitalInput, Inputs, Millis, SensorFault};

/// The key switch must hold its new position for this long.
const KEY_SETTLE_MS: u64 = 50;

/// How a user is authorised (`user_authentication`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Everybody may charge.
    #[default]
    Free,
    /// Charging is allowed while the input is on.
    KeySwitch(DigitalInput),
    /// A customer application grants over MQTT.
    Mqtt,
    /// The central system grants.
    Ocpp,
}

/// What a granting party has said last (`port0/session/authorization_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Grant {
    /// Charging is not allowed (payload 0).
    #[default]
    Revoked,
    /// One session, until the EV leaves (payload 1, not retained).
    OneSession,
    /// Until revoked (payload 1, retained).
    Permanent,
}

/// The connection to the local broker. A grant that can no longer be revoked
/// must not start anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Broker {
    Connected,
    Lost,
}

/// The key switch after debouncing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Off,
    TurningOn { at: Millis },
    On,
    TurningOff { at: Millis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Authorization {
    method: Authentication,
    grant: Grant,
    broker: Broker,
    key: Key,
}

impl Authorization {
    pub(crate) const fn new(method: Authentication) -> Self {
        Self {
            method,
            grant: Grant::Revoked,
            broker: Broker::Lost,
            key: Key::Off,
        }
    }

    /// Looks at the key switch; one that can't be read is off (S8).
    pub(crate) fn observe(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>) {
        let Authentication::KeySwitch(input) = self.method else {
            return;
        };
        let on = inputs.is_ok_and(|inputs| input.is_on(inputs.digital));
        let at = now.after(KEY_SETTLE_MS);
        self.key = match (self.key, on) {
            (Key::Off | Key::TurningOn { .. }, false) => Key::Off,
            (Key::Off, true) => Key::TurningOn { at },
            (Key::TurningOn { at }, true) if now < at => Key::TurningOn { at },
            (Key::TurningOn { .. } | Key::On | Key::TurningOff { .. }, true) => Key::On,
            (Key::On, false) => Key::TurningOff { at },
            (Key::TurningOff { at }, false) if now < at => Key::TurningOff { at },
            (Key::TurningOff { .. }, false) => Key::Off,
        };
    }

    /// A grant has arrived; it counts only where grants are the method.
    pub(crate) fn set(&mut self, grant: Grant) {
        match self.method {
            Authentication::Mqtt | Authentication::Ocpp => self.grant = grant,
            Authentication::Free | Authentication::KeySwitch(_) => {}
        }
    }

    /// The EV has left: a grant for one session is used up (AUTH-007).
    pub(crate) fn use_up(&mut self) {
        self.grant = match self.grant {
            Grant::OneSession | Grant::Revoked => Grant::Revoked,
            Grant::Permanent => Grant::Permanent,
        };
    }

    pub(crate) fn broker_connected(&mut self) {
        self.broker = Broker::Connected;
    }

    /// The grant that runs a session stays, for this session alone: the broker
    /// repeats a permanent one unless it is no longer true. A grant that waits for
    /// an EV is dropped, because it would be stale when the EV comes.
    pub(crate) fn broker_lost(&mut self, session_runs: bool) {
        self.broker = Broker::Lost;
        self.grant = match (self.grant, session_runs) {
            (Grant::OneSession | Grant::Permanent, true) => Grant::OneSession,
            (Grant::OneSession | Grant::Permanent, false) | (Grant::Revoked, _) => Grant::Revoked,
        };
    }

    /// A running session may go on.
    pub(crate) const fn is_granted(&self) -> bool {
        match self.method {
            Authentication::Free => true,
            Authentication::KeySwitch(_) => match self.key {
                Key::Off | Key::TurningOn { .. } => false,
                Key::On | Key::TurningOff { .. } => true,
            },
            Authentication::Mqtt | Authentication::Ocpp => match self.grant {
                Grant::Revoked => false,
                Grant::OneSession | Grant::Permanent => true,
            },
        }
    }

    /// A new session may start.
    pub(crate) const fn may_start(&self) -> bool {
        let revocable = match (self.method, self.broker) {
            (Authentication::Free | Authentication::KeySwitch(_), _) => true,
            (Authentication::Mqtt | Authentication::Ocpp, Broker::Connected) => true,
            (Authentication::Mqtt | Authentication::Ocpp, Broker::Lost) => false,
        };
        self.is_granted() && revocable
    }

    /// A grant for one session waits for its EV.
    pub(crate) fn awaits_ev(&self) -> bool {
        self.is_granted() && self.grant == Grant::OneSession
    }
}
