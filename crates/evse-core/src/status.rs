//! What the machine tells: a snapshot of everything that is published, and edges.

use crate::{
    Amperes, Availability, ContactorFault, ContactorPosition, CpState, LockFailure, LockPosition,
    PhaseCount, PilotFault, PilotOutput, ProximityError, RcdError, StopReason, VentilationStatus,
};

/// The session as others need it; an OCPP client derives its status from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// No EV, and nobody waits for one. Also when everybody may charge.
    Idle,
    /// No EV, but a grant for one session waits for it.
    Authorized,
    /// An EV without permission to charge, one whose plug is being locked, or one
    /// whose session is over.
    Connected,
    /// Current is offered, the EV doesn't take it.
    SuspendedEv,
    /// The session runs, but no current is offered, or the contactor has to rest.
    SuspendedEvse,
    /// The contactor is commanded closed.
    Charging,
    /// Safe state: see the faults in [`Status`].
    Faulted,
    /// Out of operation, or still starting.
    Inoperative,
}

impl SessionState {
    /// The payload of `port0/session/state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Authorized => "authorized",
            Self::Connected => "connected",
            Self::SuspendedEv => "suspended_ev",
            Self::SuspendedEvse => "suspended_evse",
            Self::Charging => "charging",
            Self::Faulted => "faulted",
            Self::Inoperative => "inoperative",
        }
    }
}

/// A snapshot of everything that gets published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// Measured pilot state; `None` while it is not known (start, pilot fault).
    pub cp_state: Option<CpState>,
    /// What is driven onto the pilot.
    pub pilot: PilotOutput,
    /// Why the pilot can't be trusted.
    pub pilot_fault: Option<PilotFault>,
    /// The contactor is commanded closed; also `port0/charging`.
    pub contactor_target: bool,
    /// The contactor as sensed.
    pub contactor: ContactorPosition,
    /// `Some` is `port0/contactor/error` = 1, until restart.
    pub contactor_fault: Option<ContactorFault>,
    /// Relay 2 is commanded closed.
    pub relay_2: bool,
    /// What is published of the fan.
    pub ventilation: VentilationStatus,
    /// The EV asks for ventilation, and there is none (guide 15.19 table 80); it is offered
    /// nothing, but it may ask for less at any time, so this is no fault of the station.
    pub ventilation_refused: bool,
    /// Where phases are switched: how many are switched through, `None` is none of them.
    pub phases: Option<Option<PhaseCount>>,
    /// `port0/rcd/error`.
    pub rcd_error: Option<RcdError>,
    /// `port0/emergency_shutdown`: the emergency input is asserted, or was and the
    /// EV has not left since.
    pub emergency: bool,
    /// Where the plug lock should be; unlocked with a fixed cable.
    pub lock_target: LockPosition,
    /// Where the plug lock is sensed; `None` is unknown.
    pub lock: Option<LockPosition>,
    /// `port0/plug_lock/permanent_failure`.
    pub lock_failure: Option<LockFailure>,
    /// `port0/session/proximity_error`.
    pub proximity_error: Option<ProximityError>,
    /// Rating of the cable in the socket; `None` is -1 on the topic.
    pub cable_limit: Option<Amperes>,
    /// Minimum of grid, station and cable.
    pub physical_limit: Amperes,
    /// Minimum of all limits; below 6 A nothing is offered.
    pub offered_limit: Amperes,
    /// Combined wish of central system and customer.
    pub availability: Availability,
    /// Charging is authorised now.
    pub authorized: bool,
    /// The session.
    pub session: SessionState,
    /// Why charging or the session stopped last; `None` from the next session or
    /// charging on.
    pub stop_reason: Option<StopReason>,
}

/// What became of a request to unlock (OCPP UnlockConnector).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnlockResult {
    /// The plug can be taken out.
    Unlocked,
    /// It can't, or it took too long.
    Failed,
    /// A fixed cable has no lock.
    NotSupported,
}

/// Something that happened in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A permitted EV: the plug is about to be locked.
    SessionStarted,
    /// The contactor is commanded closed.
    ChargingStarted,
    /// The contactor is commanded open, or current is no longer offered.
    ChargingStopped(StopReason),
    /// The session is over.
    SessionEnded(StopReason),
    /// A limit has arrived: the offered limit is to be published even if it is
    /// the same (guide 15.16, table 74).
    LimitReceived,
    /// The answer to a request to unlock.
    Unlock(UnlockResult),
    /// A self test of the residual current device is over; [`Status::rcd_error`]
    /// tells how it went.
    RcdTestEnded,
}

/// The events of one step, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Events {
    items: [Option<Event>; Self::CAPACITY],
}

impl Events {
    /// One step brings fewer than this.
    const CAPACITY: usize = 8;

    pub(crate) fn push(&mut self, event: Event) {
        if let Some(place) = self.items.iter_mut().find(|place| place.is_none()) {
            *place = Some(event);
        }
    }

    /// All events, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.items.iter().copied().flatten()
    }
}
