//! What the machine is told once, at start.

use crate::{
    Actuation, Amperes, Authentication, DigitalInput, Feedback, LockProfile, PhaseSwitch,
    RcdMonitor, Ventilation, WakeUp,
};

/// How the EV is connected (`ports[0]/pluggable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Connection {
    /// A socket with a plug lock; the cable is rated by the proximity pilot.
    Socket {
        /// The plug lock motor.
        lock: LockProfile,
    },
    /// An attached cable.
    FixedCable {
        /// Its rating per phase.
        limit: Amperes,
    },
}

/// What relay 2 is for: ventilation and phase switching exclude each other (guide 15.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecondRelay {
    /// A fan, the customer's purposes, or nothing.
    Ventilation(Ventilation),
    /// The contactor of L2 and L3.
    PhaseSwitch(PhaseSwitch),
}

/// What never changes while the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Socket or attached cable.
    pub connection: Connection,
    /// Rating of the station per phase (`evse_current_limit`).
    pub evse_limit: Amperes,
    /// Rating of the grid connection per phase, from the rotary switch.
    pub grid_limit: Amperes,
    /// Applies from start until the first limit arrives, and 30 s after the broker
    /// was lost (`failsafe_current_limit`); `None` is off.
    pub failsafe: Option<Amperes>,
    /// Wiring of the contactor's auxiliary contact.
    pub contactor_feedback: Feedback,
    /// How users are authorised.
    pub authentication: Authentication,
    /// Charge an EV that asks for ventilation although there is none.
    pub always_accept_state_d: bool,
    /// The residual current device, where it is monitored.
    pub rcd: Option<RcdMonitor>,
    /// The emergency input, where there is one; "on" is the alarm.
    pub emergency: Option<DigitalInput>,
    /// What relay 2 is for.
    pub relay_2: SecondRelay,
    /// When an EV is woken.
    pub wake_up: WakeUp,
}

impl Config {
    /// [`Actuation::SAFE`] with the outputs at rest: the level at process start and end.
    /// A trigger that is active low rests high.
    pub const fn safe(&self) -> Actuation {
        let mut safe = Actuation::SAFE;
        if let Some(RcdMonitor {
            test: Some(test), ..
        }) = self.rcd
        {
            safe.outputs = test.trigger.level(false);
        }
        safe
    }
}
