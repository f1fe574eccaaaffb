//! One step: what goes in and what comes out.

use crate::{
    Actuation, Amperes, DynamicSlot, Events, Grant, Inputs, Millis, Operation, PhaseCount, Sample,
    SensorFault,
};

/// When something happens by time alone, and what.
pub(crate) type Deadline = (Millis, &'static str);

/// What others ask for. A request can permit, limit or stop; none closes a contactor (S9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// A dynamic current limit; `None` is "no limit".
    DynamicLimit(DynamicSlot, Option<Amperes>),
    /// A dynamic limit's name is gone.
    RemoveDynamicLimit(DynamicSlot),
    /// The central system's current limit; `None` is "no limit".
    OcppLimit(Option<Amperes>),
    /// A grant; counts only with [`Authentication::Mqtt`] and [`Authentication::Ocpp`].
    Authorization(Grant),
    /// The customer's wish.
    CustomerOperation(Operation),
    /// The central system's wish.
    BackendOperation(Operation),
    /// The local broker is reachable.
    BrokerConnected,
    /// The local broker is gone.
    BrokerLost,
    /// Unlock the plug; a running session ends first (OCPP UnlockConnector).
    Unlock,
    /// Test the residual current device as soon as the contactor is open.
    TestRcd,
    /// How many phases are wanted (guide 15.20).
    Phases(PhaseCount),
    /// From opening to offering again while phases are switched, in ms.
    PhaseSwitchDelay(u32),
    /// A customer application says whether there is ventilation (guide 15.19).
    VentilationAvailable(bool),
    /// A customer application says whether the fan runs.
    VentilationActual(bool),
    /// The last published target of the fan.
    VentilationTarget(bool),
}

/// What makes the machine step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A round of measurements, taken while the last step's actuation was applied.
    Sample(Sample),
    /// A quick look at the on/off inputs between two rounds, for the inputs that
    /// must open the contactor within 5 ms (S3).
    Inputs(Result<Inputs, SensorFault>),
    /// A request.
    Request(Request),
    /// A deadline has come.
    Tick,
}

/// How soon the next round of measurements is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Every 5 to 10 ms: there is an EV, or something moves.
    Brisk,
    /// Every 25 ms are enough, and spare the processor.
    Relaxed,
}

/// What a step brings.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The level of every output.
    pub actuation: Actuation,
    /// When to step again with [`Input::Tick`] unless something else comes first,
    /// and what for.
    pub deadline: Option<(Millis, &'static str)>,
    /// How soon the next round is wanted.
    pub pace: Pace,
    /// What happened.
    pub events: Events,
}
