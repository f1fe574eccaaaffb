//! The fan on relay 2 and what it means for state D (guide 15.19, tables 78 to 80).

use crate::step::Deadline;
use crate::{Feedback, Inputs, Millis, SensorFault};

/// The feedback must follow the command within this time.
const REACTION_MS: u64 = 250;

/// Who controls the fan (`ventilation/control`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VentilationControl {
    /// The station.
    Internal,
    /// A customer application: it says whether there is ventilation and whether it runs.
    External,
}

/// The fan as configured; the four combinations of `enabled` and `control` are the
/// use cases of guide 15.19 table 79 and the one that it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ventilation {
    /// The fan serves EVs in state D; otherwise relay 2 is the customer's or unused.
    pub enabled: bool,
    /// Who controls it.
    pub control: VentilationControl,
    /// Its auxiliary contact.
    pub feedback: Feedback,
}

impl Ventilation {
    /// No fan, relay 2 unused.
    pub const NONE: Self = Self {
        enabled: false,
        control: VentilationControl::Internal,
        feedback: Feedback::NormallyOpen,
    };
}

/// What the station publishes of the fan; `None` is left to the customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VentilationStatus {
    /// `port0/ventilation/available`.
    pub available: Option<bool>,
    /// `port0/ventilation/state/target`.
    pub target: Option<bool>,
    /// `port0/ventilation/state/actual`.
    pub actual: Option<bool>,
}

/// What a customer application has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Announced {
    available: bool,
    running: bool,
}

impl Announced {
    const NOTHING: Self = Self {
        available: false,
        running: false,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fan {
    ventilation: Ventilation,
    /// An EV in state D wants it.
    wanted: bool,
    /// The level of relay 2.
    on: bool,
    /// The feedback must have followed the command by then.
    follows_by: Millis,
    /// It doesn't.
    late: bool,
    /// The feedback has shown the fan at rest since it last claimed to see it running
    /// without the relay; before that it proves nothing (S8).
    trusted: bool,
    /// The sense input; `None` while it can't be read.
    sense: Option<bool>,
    announced: Announced,
}

impl Fan {
    pub(crate) const fn new(ventilation: Ventilation) -> Self {
        Self {
            ventilation,
            wanted: false,
            on: false,
            follows_by: Millis(0),
            late: false,
            trusted: false,
            sense: None,
            announced: Announced::NOTHING,
        }
    }

    pub(crate) fn observe(&mut self, inputs: Result<Inputs, SensorFault>) {
        self.sense = inputs.ok().map(|inputs| inputs.relay_2_sense);
    }

    /// A customer application says whether there is ventilation.
    pub(crate) fn announce_available(&mut self, available: bool) {
        self.announced.available = available;
    }

    /// A customer application says whether the fan runs.
    pub(crate) fn announce_running(&mut self, running: bool) {
        self.announced.running = running;
    }

    /// A target has been published; the last one holds, whoever published it.
    pub(crate) fn set_target(&mut self, on: bool) {
        match self.ventilation.control {
            VentilationControl::External => self.on = on,
            VentilationControl::Internal => {}
        }
    }

    /// What was announced can no longer be taken back, so it doesn't hold.
    pub(crate) fn broker_lost(&mut self) {
        self.announced = Announced::NOTHING;
    }

    /// Whether an EV in state D wants it now.
    pub(crate) fn want(&mut self, now: Millis, wanted: bool) {
        if self.ventilation.enabled && wanted != self.wanted {
            self.wanted = wanted;
            self.on = wanted;
            self.follows_by = now.after(REACTION_MS);
        }
        let is_due = now >= self.follows_by;
        self.late = self.wanted && !self.runs() && is_due;
        self.trusted = match self.sense {
            Some(_) if !self.runs() => true,
            Some(_) if !self.on && is_due => false,
            Some(_) | None => self.trusted,
        };
    }

    /// The unrecoverable safe state (guide 15.13 table 70).
    pub(crate) fn shut_down(&mut self) {
        self.on = false;
    }

    /// The level of relay 2.
    pub(crate) const fn is_on(&self) -> bool {
        self.on
    }

    /// As sensed; without feedback the command is all that is known.
    fn runs(&self) -> bool {
        match self.ventilation.feedback {
            Feedback::NormallyOpen => self.sense == Some(true),
            Feedback::NormallyClosed => self.sense == Some(false),
            Feedback::None => self.on,
        }
    }

    fn is_believed(&self) -> bool {
        self.trusted || self.ventilation.feedback == Feedback::None
    }

    /// An EV in state D may charge now (guide 15.19 table 80).
    pub(crate) fn serves(&self) -> bool {
        let runs = match self.ventilation.control {
            VentilationControl::Internal => self.on && self.runs() && self.is_believed(),
            VentilationControl::External => self.announced.available && self.announced.running,
        };
        self.ventilation.enabled && self.wanted && runs
    }

    /// An EV in state D may hope: there is ventilation, running or about to.
    pub(crate) fn is_available(&self) -> bool {
        let available = match self.ventilation.control {
            VentilationControl::Internal => !self.late && self.is_believed(),
            VentilationControl::External => self.announced.available,
        };
        self.ventilation.enabled && available
    }

    pub(crate) fn status(&self) -> VentilationStatus {
        let enabled = self.ventilation.enabled;
        match self.ventilation.control {
            VentilationControl::Internal => VentilationStatus {
                available: Some(enabled),
                target: enabled.then_some(self.on),
                actual: Some(self.runs()),
            },
            VentilationControl::External => VentilationStatus {
                available: None,
                target: enabled.then_some(self.wanted),
                actual: (!enabled).then(|| self.runs()),
            },
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.wanted.then_some((self.follows_by, "ventilation"))
    }
}
