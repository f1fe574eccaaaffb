//! The status LEDs: what they show, from the machine's status and a few notices
//! (guide 7.9.2; 14.1 table 49).
//!
//! Several conditions can hold together: an EV that charges is also connected. An
//! LED shows, of all that hold, the highest that it has a behavior for; one whose
//! time is over counts as if it weren't there.

use crate::{Availability, CpState, DigitalOutputs, Millis, RcdError, SessionState, Status};

/// How long an accepted or rejected authorization is shown when its behavior has
/// no duration.
const ANSWER_MS: u64 = 3_000;
/// Who has not answered an authorization after this time doesn't any more.
const PENDING_MS: u64 = 60_000;
/// When a behavior applies; the guide names them and leaves their meaning open.
/// In order of rank, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedCondition {
    /// Unrecoverable safe state (guide 15.13).
    Failure,
    /// Recoverable safe state (guide 15.13).
    Error,
    /// A firmware update runs.
    Updating,
    /// Out of service.
    Deactivated,
    /// The EV charges in state D.
    Ventilation,
    /// The EV charges.
    Charge,
    /// An authorization was rejected just now.
    AuthRejected,
    /// An authorization was accepted just now.
    AuthAccepted,
    /// An authorization waits for its answer.
    AuthPending,
    /// The EV is in state D and gets no energy yet.
    VentilationRequest,
    /// The EV is in state C or D and gets no energy yet.
    ChargeRequest,
    /// An EV is connected.
    Connected,
    /// Nobody but the holder of the reservation can charge.
    Reserved,
    /// In order and in service.
    Ready,
    /// The station starts.
    Init,
}

impl LedCondition {
    /// Every condition, the highest rank first.
    pub const ALL: [Self; 15] = [
        Self::Failure,
        Self::Error,
        Self::Updating,
        Self::Deactivated,
        Self::Ventilation,
        Self::Charge,
        Self::AuthRejected,
        Self::AuthAccepted,
        Self::AuthPending,
        Self::VentilationRequest,
        Self::ChargeRequest,
        Self::Connected,
        Self::Reserved,
        Self::Ready,
        Self::Init,
    ];
}

/// Steady or blinking; blinking begins with on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedMode {
    /// Steady.
    Solid,
    /// 1 s on, 1 s off.
    BlinkSlow,
    /// 100 ms on, 100 ms off.
    BlinkFast,
}

impl LedMode {
    const fn is_on(self, age_ms: u64) -> bool {
        match self {
            Self::Solid => true,
            Self::BlinkSlow => (age_ms / 1_000).is_multiple_of(2),
            Self::BlinkFast => (age_ms / 100).is_multiple_of(2),
        }
    }
}

/// What an LED shows under one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LedBehavior {
    /// Steady or blinking.
    pub mode: LedMode,
    /// Outputs that are high while the LED is on; none is black.
    pub lit: DigitalOutputs,
    /// For how long, in ms; 0 is as long as the condition holds.
    pub duration_ms: u64,
}

/// One LED: a behavior for some of the conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Led {
    behaviors: [Option<LedBehavior>; LedCondition::ALL.len()],
}

impl Led {
    /// The same with a behavior for `condition`; the latest one given counts.
    #[must_use]
    pub const fn with(mut self, condition: LedCondition, behavior: LedBehavior) -> Self {
        self.behaviors[condition as usize] = Some(behavior);
        self
    }

    const fn behavior(&self, condition: LedCondition) -> Option<LedBehavior> {
        self.behaviors[condition as usize]
    }
}

/// What the status doesn't tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedNotice {
    /// A firmware update runs, or has ended.
    Updating(bool),
    /// The connector is reserved, or free again.
    Reserved(bool),
    /// Somebody asks to be authorized.
    AuthorizationRequested,
    /// The answer; counts only after a request.
    AuthorizationAnswered {
        /// Whether charging is allowed.
        accepted: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Awaited,
    Accepted,
    Rejected,
}

/// All LEDs and what they have to remember.
#[derive(Clone, Debug)]
pub struct LedPanel {
    leds: [Led; Self::LEDS],
    updating: bool,
    reserved: bool,
    answer: Option<(Answer, Millis)>,
    /// Authorized at the last look; `None` before the station was ready.
    authorized: Option<bool>,
    /// Since when each condition holds.
    since: [Option<Millis>; LedCondition::ALL.len()],
}

impl LedPanel {
    /// The most LEDs that there can be: as many as outputs.
    pub const LEDS: usize = 6;

    /// All off until the first [`show`](Self::show).
    pub const fn new(leds: [Led; Self::LEDS]) -> Self {
        Self {
            leds,
            updating: false,
            reserved: false,
            answer: None,
            authorized: None,
            since: [None; LedCondition::ALL.len()],
        }
    }

    /// Take a notice.
    pub fn note(&mut self, now: Millis, notice: LedNotice) {
        match notice {
            LedNotice::Updating(updating) => self.updating = updating,
            LedNotice::Reserved(reserved) => self.reserved = reserved,
            LedNotice::AuthorizationRequested => self.answer = Some((Answer::Awaited, now)),
            LedNotice::AuthorizationAnswered { accepted } => {
                if matches!(self.answer, Some((Answer::Awaited, _))) {
                    let answer = if accepted {
                        Answer::Accepted
                    } else {
                        Answer::Rejected
                    };
                    self.answer = Some((answer, now));
                }
            }
        }
    }

    /// The outputs' levels at `now`.
    pub fn show(&mut self, now: Millis, status: &Status) -> DigitalOutputs {
        self.follow_authorization(now, status);
        for condition in LedCondition::ALL {
            let since = &mut self.since[condition as usize];
            *since = if holds(condition, status, self.updating, self.reserved, self.answer) {
                since.or(Some(now))
            } else {
                None
            };
        }
        let lit = self
            .leds
            .iter()
            .fold(0, |lit, led| lit | self.lit(led, now));
        DigitalOutputs(lit)
    }

    fn lit(&self, led: &Led, now: Millis) -> u8 {
        LedCondition::ALL
            .into_iter()
            .find_map(|condition| {
                let age = now.since(self.since[condition as usize]?);
                let behavior = led.behavior(condition)?;
                let is_over = behavior.duration_ms != 0 && age >= behavior.duration_ms;
                (!is_over).then_some((behavior, age))
            })
            .map_or(0, |(behavior, age)| {
                if behavior.mode.is_on(age) {
                    behavior.lit.0
                } else {
                    0
                }
            })
    }

    /// A grant is an answer, whoever gave it: card, key switch or central system.
    fn follow_authorization(&mut self, now: Millis, status: &Status) {
        if is_operational(status) {
            match self.authorized.replace(status.authorized) {
                Some(false) if status.authorized => self.answer = Some((Answer::Accepted, now)),
                // The card that ends a session has had its effect.
                Some(true) if !status.authorized => self.answer = None,
                Some(_) | None => {}
            }
        }
        if let Some((answer, since)) = self.answer
            && now.since(since) >= self.answer_ms(answer)
        {
            self.answer = None;
        }
    }

    /// As long as the LED that shows it longest.
    fn answer_ms(&self, answer: Answer) -> u64 {
        let condition = match answer {
            Answer::Awaited => return PENDING_MS,
            Answer::Accepted => LedCondition::AuthAccepted,
            Answer::Rejected => LedCondition::AuthRejected,
        };
        self.leds
            .iter()
            .filter_map(|led| led.behavior(condition))
            .map(|behavior| match behavior.duration_ms {
                0 => ANSWER_MS,
                duration => duration,
            })
            .max()
            .unwrap_or(ANSWER_MS)
    }
}

fn holds(
    condition: LedCondition,
    status: &Status,
    updating: bool,
    reserved: bool,
    answer: Option<(Answer, Millis)>,
) -> bool {
    use LedCondition as C;
    let session = status.session;
    let operational = is_operational(status);
    let charges = operational && status.contactor_target;
    let has_ev = match session {
        SessionState::Connected
        | SessionState::SuspendedEv
        | SessionState::SuspendedEvse
        | SessionState::Charging => true,
        SessionState::Idle
        | SessionState::Authorized
        | SessionState::Faulted
        | SessionState::Inoperative => false,
    };
    let asks_for_ventilation = status.cp_state == Some(CpState::D);
    let asks = asks_for_ventilation || status.cp_state == Some(CpState::C);
    let answered = answer.map(|(answer, _)| answer);
    let out_of_service =
        session == SessionState::Inoperative && status.availability == Availability::Inoperative;
    match condition {
        C::Failure => is_unrecoverable(status),
        // Of a file that has no failure yet, error tells both.
        C::Error => session == SessionState::Faulted,
        C::Updating => updating,
        C::Deactivated => out_of_service,
        C::Ventilation => charges && asks_for_ventilation,
        C::Charge => charges,
        C::AuthRejected => answered == Some(Answer::Rejected),
        C::AuthAccepted => answered == Some(Answer::Accepted),
        C::AuthPending => answered == Some(Answer::Awaited),
        C::VentilationRequest => has_ev && !charges && asks_for_ventilation,
        C::ChargeRequest => has_ev && !charges && asks,
        C::Connected => has_ev,
        C::Reserved => operational && reserved && !has_ev,
        C::Ready => operational && (!reserved || has_ev),
        C::Init => session == SessionState::Inoperative && !out_of_service,
    }
}

const fn is_operational(status: &Status) -> bool {
    match status.session {
        SessionState::Idle
        | SessionState::Authorized
        | SessionState::Connected
        | SessionState::SuspendedEv
        | SessionState::SuspendedEvse
        | SessionState::Charging => true,
        SessionState::Faulted | SessionState::Inoperative => false,
    }
}

/// What doesn't go away by itself (guide 15.13).
const fn is_unrecoverable(status: &Status) -> bool {
    let rcd = match status.rcd_error {
        Some(RcdError::Spurious | RcdError::TestFailed) => true,
        Some(RcdError::GroundFailure) | None => false,
    };
    status.contactor_fault.is_some() || status.emergency || rcd
}
