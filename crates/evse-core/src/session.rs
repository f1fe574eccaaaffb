//! The charging session: which state follows which, and why.
//!
//! ```text
//!                  Starting
//!                     | contactor proven open, pilot read
//!                     v
//!                  Vacant <------------ the EV leaves, from every state below (seq. 2.1, 2.2)
//!                     | the EV plugs in (seq. 1.1, 1.2)
//!                     v
//!   +-- revoked -> Connected <-- revoked, cable invalid --+
//!   |                 | granted, operative, cable valid   |
//!   |                 v                                   |
//!   |              Securing ------------------------------+
//!   |                 | plug locked
//!   |                 v
//!   +------------- Ready <-----------------------------------------+
//!   |                 | the EV requests energy (seq. 4)            |
//!   |                 v                                            |
//!   |              Charging -- the EV stops (seq. 8.1), fault -----+
//!   |                 | limit below 6 A, revoked, unlock (seq. 9.1)|
//!   |                 v                                            |
//!   +------------- Withdrawing -- the EV stops (seq. 10.1),        |
//!                                 or 6 s are over (seq. 10.2) -----+
//!
//!   Finished  the plug is released although the EV is still there: unlock requested,
//!             plug lock failed,
//!             or an emergency is over; until the EV leaves or (not after an
//!             emergency) a new grant comes
//!   Failed    contactor error, RCD error without an EV: until restart, or until a
//!             feedback that could not be read is back; emergency: until it is
//!             over; from every state. What was Finished before is so afterwards
//! ```
//! "seq." is a sequence of IEC 61851-1 table A.6.

use crate::{ContactorFault, CpState, LockFailure, Millis, PilotFault, ProximityError, RcdError};

/// How long an EV may go on to draw current after the offer is withdrawn before
/// the contactor opens under load (IEC 61851-1 table A.6 sequence 10.2; S5).
const WITHDRAWAL_MS: u64 = 6_000;

/// A plug lock that moves without having been told to.
const UNSECURED: StopReason = StopReason::LockFailure(LockFailure::UnexpectedOpen);

/// Why charging stopped, or why it can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The EV went back to state B (sequence 8.1) and may come again.
    EvPaused,
    /// The EV left (state A).
    EvDisconnected,
    /// The EV asks for ventilation, and there is none (guide 15.19, table 80).
    VentilationUnavailable,
    /// The limits leave less than 6 A.
    NoCurrentAvailable,
    /// The number of phases changes.
    PhaseSwitch,
    /// The grant was revoked, or the key switch turned off.
    AuthorizationRevoked,
    /// Somebody asked to unlock the plug.
    UnlockRequested,
    /// The pilot shows state E: shorted to PE.
    PilotShort,
    /// The pilot shows state F although the station doesn't drive it.
    PilotNegative,
    /// The pilot can't be trusted.
    PilotFault(PilotFault),
    /// The cable can't be trusted.
    ProximityError(ProximityError),
    /// The plug lock can't be relied on.
    LockFailure(LockFailure),
    /// The contactor can't be trusted.
    ContactorFault(ContactorFault),
    /// The residual current device tripped or failed its test.
    RcdError(RcdError),
    /// The emergency input was asserted.
    EmergencyShutdown,
}

/// Whether an EV is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ev {
    Absent,
    Present,
    /// The pilot doesn't tell (E, F, fault); the last knowledge holds.
    Unclear,
}

/// What the plug lock contributes; a fixed cable is always secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Plug {
    Secured,
    /// Locked and at rest, but the feedback disagrees for the moment: enough to
    /// go on, not enough to close a contactor.
    Doubtful,
    Moving,
    Stuck(LockFailure),
}

/// Everything that a transition depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub ev: Ev,
    pub pilot_known: bool,
    pub cp_state: Option<CpState>,
    pub energy_requested: bool,
    /// The request was measured while current was offered (C2, D2).
    pub offer_answered: bool,
    /// The input is a round of measurements: nothing else may close a contactor (S9).
    pub measured_now: bool,
    /// The limits leave 6 A or more.
    pub current_available: bool,
    /// The EV asks for ventilation, and there is none.
    pub ventilation_refused: bool,
    /// The number of phases changes, so that no current is available.
    pub phases_switching: bool,
    pub granted: bool,
    /// Granted, operative, and the broker there where the grant came from it.
    pub may_start: bool,
    pub unlock_requested: bool,
    pub plug: Plug,
    /// What forbids charging but can go away by itself.
    pub inhibition: Option<StopReason>,
    /// What is unrecoverable, the strongest first.
    pub failure: Option<Failure>,
    /// The emergency input is asserted, whatever else has failed.
    pub emergency: bool,
    /// The residual current device protects: no test runs and none is due.
    pub rcd_ready: bool,
    pub contactor_open: bool,
    pub contactor_may_close: bool,
    /// A second contactor is where it has to be for the first one to close.
    pub second_contactor_ready: bool,
}

/// What leads to the unrecoverable safe state (guide 15.13, table 70).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Failure {
    Contactor(ContactorFault),
    Rcd(RcdError),
    Emergency,
}

impl Failure {
    const fn reason(self) -> StopReason {
        match self {
            Self::Contactor(fault) => StopReason::ContactorFault(fault),
            Self::Rcd(error) => StopReason::RcdError(error),
            Self::Emergency => StopReason::EmergencyShutdown,
        }
    }
}

/// Why an offer is withdrawn while the EV draws current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Withdrawal {
    NoCurrentAvailable,
    PhaseSwitch,
    AuthorizationRevoked,
    UnlockRequested,
}

impl Withdrawal {
    /// What the station no longer wants, the strongest first.
    fn wanted(facts: &Facts) -> Option<Self> {
        if facts.unlock_requested {
            Some(Self::UnlockRequested)
        } else if !facts.granted {
            Some(Self::AuthorizationRevoked)
        } else if facts.phases_switching {
            Some(Self::PhaseSwitch)
        } else if !facts.current_available {
            Some(Self::NoCurrentAvailable)
        } else {
            None
        }
    }

    const fn reason(self) -> StopReason {
        match self {
            Self::NoCurrentAvailable => StopReason::NoCurrentAvailable,
            Self::PhaseSwitch => StopReason::PhaseSwitch,
            Self::AuthorizationRevoked => StopReason::AuthorizationRevoked,
            Self::UnlockRequested => StopReason::UnlockRequested,
        }
    }
}

/// Why a session is over although the EV is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Finish {
    /// The driver is to have the plug. A grant locks it again only where the one of
    /// before has ended.
    UnlockRequested {
        grant_ended: bool,
    },
    LockFailed(LockFailure),
    /// The emergency is over; nothing starts before the EV has left.
    Emergency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Session {
    /// Nothing is known yet; recoverable safe state (guide 15.13).
    Starting,
    /// A1.
    Vacant,
    /// B1, C1: no permission to charge.
    Connected,
    /// B1, C1: permitted, the plug is being locked.
    Securing,
    /// B2 when current is available, else B1: the EV decides.
    Ready,
    /// C2, D2: the contactor is commanded closed.
    Charging,
    /// C1, D1: the offer is withdrawn, the contactor opens at `open_by` at the latest.
    Withdrawing { open_by: Millis, cause: Withdrawal },
    /// B1, C1: over, the plug is released.
    Finished(Finish),
    /// F: unrecoverable safe state (guide 15.13); afterwards Finished, if at all.
    Failed {
        failure: Failure,
        then: Option<Finish>,
    },
}

impl Session {
    /// The next state and, where charging or the session stops, the reason;
    /// `None` while nothing changes.
    pub(crate) fn next(self, now: Millis, facts: &Facts) -> Option<(Self, Option<StopReason>)> {
        let stop = |next, reason| Some((next, Some(reason)));
        let go = |next| Some((next, None));
        // Guide 3.3.4.1, 3.3.4.12, 3.3.4.15: unrecoverable, from every state.
        if let Some(failure) = facts.failure {
            let then = self.finish(facts);
            let next = Self::Failed { failure, then };
            return if self == next {
                None
            } else {
                stop(next, failure.reason())
            };
        }
        match self {
            // Guide 15.13: feedback and command are compared before anything else.
            Self::Starting if facts.contactor_open && facts.pilot_known => go(Self::Vacant),
            Self::Starting => None,
            // Sequences 1.1 and 1.2: plug-in.
            Self::Vacant if facts.ev == Ev::Present => go(Self::Connected),
            Self::Vacant => None,
            // Sequences 2.1 and 2.2: unplug, from every state with an EV.
            Self::Connected
            | Self::Securing
            | Self::Ready
            | Self::Charging
            | Self::Withdrawing { .. }
            | Self::Finished(_)
                if facts.ev == Ev::Absent =>
            {
                stop(Self::Vacant, StopReason::EvDisconnected)
            }
            Self::Connected => {
                let permitted = facts.may_start
                    && facts.ev == Ev::Present
                    && facts.inhibition.is_none()
                    && !facts.unlock_requested;
                if permitted { go(Self::Securing) } else { None }
            }
            Self::Securing => Self::secure(facts),
            Self::Ready => Self::ready(facts),
            Self::Charging => Self::charge(now, facts),
            Self::Withdrawing { open_by, cause } => Self::withdraw(now, facts, open_by, cause),
            Self::Finished(_) => None,
            Self::Failed {
                failure: Failure::Rcd(_),
                ..
            } => None,
            // The emergency is over or the feedback back. In state F nobody saw whether
            // the EV has left; that shows only at +12 V.
            Self::Failed {
                failure: Failure::Contactor(_) | Failure::Emergency,
                then,
            } => go(then.map_or(Self::Vacant, Self::Finished)),
        }
    }

    /// What holds for this EV until it leaves, whatever fails meanwhile.
    fn finish(self, facts: &Facts) -> Option<Finish> {
        match self {
            _ if facts.emergency => Some(Finish::Emergency),
            Self::Finished(finish) => Some(finish),
            Self::Failed { then, .. } => then,
            Self::Starting
            | Self::Vacant
            | Self::Connected
            | Self::Securing
            | Self::Ready
            | Self::Charging
            | Self::Withdrawing { .. } => None,
        }
    }

    fn secure(facts: &Facts) -> Option<(Self, Option<StopReason>)> {
        if let Some(over) = Self::over(facts) {
            return Some(over);
        }
        match (facts.plug, facts.inhibition) {
            // Guide 3.3.4.34: not charging, so the plug stays unlocked.
            (_, Some(reason @ StopReason::ProximityError(_))) => {
                Some((Self::Connected, Some(reason)))
            }
            (Plug::Secured, _) if facts.rcd_ready => Some((Self::Ready, None)),
            (Plug::Secured | Plug::Doubtful | Plug::Moving | Plug::Stuck(_), _) => None,
        }
    }

    fn ready(facts: &Facts) -> Option<(Self, Option<StopReason>)> {
        if let Some(over) = Self::over(facts) {
            return Some(over);
        }
        // Sequence 4: the contactor closes within 3 s of C2, unless it has to rest.
        let close =
            facts.measured_now && facts.second_contactor_ready && Self::closing_wanted(facts);
        if close {
            Some((Self::Charging, None))
        } else {
            None
        }
    }

    /// All that has to hold for the first contactor to close, but for the round that
    /// shows it and the second contactor.
    fn closing_wanted(facts: &Facts) -> bool {
        facts.inhibition.is_none()
            && facts.plug == Plug::Secured
            && facts.rcd_ready
            && facts.current_available
            && !facts.ventilation_refused
            && facts.energy_requested
            && facts.offer_answered
            && facts.contactor_may_close
    }

    /// The first contactor is closed, or nothing but the second one is missing.
    pub(crate) fn wants_power(self, facts: &Facts) -> bool {
        match self {
            Self::Ready => Self::over(facts).is_none() && Self::closing_wanted(facts),
            Self::Charging | Self::Withdrawing { .. } => true,
            Self::Starting
            | Self::Vacant
            | Self::Connected
            | Self::Securing
            | Self::Finished(_)
            | Self::Failed { .. } => false,
        }
    }

    /// What ends a session that doesn't charge.
    fn over(facts: &Facts) -> Option<(Self, Option<StopReason>)> {
        // Guide 3.3.4.5: it did not lock at the second attempt either.
        if let Plug::Stuck(failure) = facts.plug {
            let reason = StopReason::LockFailure(failure);
            return Some((Self::Finished(Finish::LockFailed(failure)), Some(reason)));
        }
        if facts.unlock_requested {
            let reason = StopReason::UnlockRequested;
            return Some((Self::Finished(facts.unlocked()), Some(reason)));
        }
        // Guide 3.3.4.13, 3.3.4.14: the plug is kept closed until the EV leaves.
        if !facts.granted && !facts.rcd_holds_plug() {
            return Some((Self::Connected, Some(StopReason::AuthorizationRevoked)));
        }
        None
    }

    fn charge(now: Millis, facts: &Facts) -> Option<(Self, Option<StopReason>)> {
        // S1, S2: what makes the outlet unsafe opens at once.
        if let Some(reason) = facts.inhibition {
            return Some((Self::Ready, Some(reason)));
        }
        match facts.plug {
            Plug::Secured | Plug::Doubtful => {}
            Plug::Moving => return Some((Self::Ready, Some(UNSECURED))),
            Plug::Stuck(failure) => {
                return Some((Self::Ready, Some(StopReason::LockFailure(failure))));
            }
        }
        if !facts.energy_requested {
            return Some((Self::Ready, Some(facts.why_not_requested())));
        }
        // Sequence 9.1: what the station no longer wants is withdrawn politely.
        let cause = Withdrawal::wanted(facts)?;
        let open_by = now.after(WITHDRAWAL_MS);
        Some((Self::Withdrawing { open_by, cause }, Some(cause.reason())))
    }

    fn withdraw(
        now: Millis,
        facts: &Facts,
        open_by: Millis,
        cause: Withdrawal,
    ) -> Option<(Self, Option<StopReason>)> {
        // Sequence 10.1: the EV has stopped. Sequence 10.2: it had its time.
        let over = now >= open_by || !facts.energy_requested || facts.inhibition.is_some();
        if over {
            let next = match cause {
                Withdrawal::NoCurrentAvailable | Withdrawal::PhaseSwitch => Self::Ready,
                Withdrawal::AuthorizationRevoked if facts.rcd_holds_plug() => Self::Ready,
                // A grant that has come meanwhile begins another session.
                Withdrawal::AuthorizationRevoked => Self::Connected,
                Withdrawal::UnlockRequested => Self::Finished(facts.unlocked()),
            };
            return Some((next, None));
        }
        match (cause, Withdrawal::wanted(facts)) {
            // Sequence 9.1 taken back before the EV has stopped.
            (Withdrawal::NoCurrentAvailable | Withdrawal::PhaseSwitch, None) => {
                Some((Self::Charging, None))
            }
            // The pause becomes an end; the EV's time doesn't start anew.
            (
                Withdrawal::NoCurrentAvailable | Withdrawal::PhaseSwitch,
                Some(cause @ (Withdrawal::AuthorizationRevoked | Withdrawal::UnlockRequested)),
            ) => Some((Self::Withdrawing { open_by, cause }, Some(cause.reason()))),
            (
                Withdrawal::NoCurrentAvailable | Withdrawal::PhaseSwitch,
                Some(Withdrawal::NoCurrentAvailable | Withdrawal::PhaseSwitch),
            ) => None,
            (Withdrawal::AuthorizationRevoked | Withdrawal::UnlockRequested, _) => None,
        }
    }

    /// The contactor's target.
    pub(crate) const fn closes_contactor(self) -> bool {
        match self {
            Self::Charging | Self::Withdrawing { .. } => true,
            Self::Starting
            | Self::Vacant
            | Self::Connected
            | Self::Securing
            | Self::Ready
            | Self::Finished(_)
            | Self::Failed { .. } => false,
        }
    }

    /// The plug lock's target: locked from the permission on until the session ends.
    pub(crate) const fn locks_plug(self) -> bool {
        match self {
            Self::Securing | Self::Ready | Self::Charging | Self::Withdrawing { .. } => true,
            Self::Starting
            | Self::Vacant
            | Self::Connected
            | Self::Finished(_)
            | Self::Failed { .. } => false,
        }
    }

    /// Current is or was offered: the EV's request counts.
    pub(crate) const fn offers(self) -> bool {
        match self {
            Self::Ready | Self::Charging | Self::Withdrawing { .. } => true,
            Self::Starting
            | Self::Vacant
            | Self::Connected
            | Self::Securing
            | Self::Finished(_)
            | Self::Failed { .. } => false,
        }
    }

    /// An EV was there when the pilot could last be trusted.
    pub(crate) const fn has_ev(self) -> bool {
        match self {
            Self::Connected | Self::Finished(_) => true,
            Self::Securing | Self::Ready | Self::Charging | Self::Withdrawing { .. } => true,
            Self::Starting | Self::Vacant | Self::Failed { .. } => false,
        }
    }

    /// A session runs: granted, and an EV there.
    pub(crate) const fn is_running(self) -> bool {
        self.locks_plug()
    }
}

impl Facts {
    const fn rcd_holds_plug(&self) -> bool {
        matches!(self.inhibition, Some(StopReason::RcdError(_)))
    }

    const fn unlocked(&self) -> Finish {
        Finish::UnlockRequested {
            grant_ended: !self.granted,
        }
    }

    const fn why_not_requested(&self) -> StopReason {
        match self.cp_state {
            Some(CpState::D) => StopReason::VentilationUnavailable,
            Some(CpState::A | CpState::B | CpState::C | CpState::E | CpState::F) | None => {
                StopReason::EvPaused
            }
        }
    }
}
