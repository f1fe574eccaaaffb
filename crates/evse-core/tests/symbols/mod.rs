//! The alphabets of the exploration.

use crate::bench::*;
use evse_core::*;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub enum Symbol {
    /// 10 ms pass, then a round of measurements of an unchanged world.
    Round,
    /// 90 ms pass, then a round.
    SlowRound,
    /// The loop freezes for 150 ms, then a round.
    Freeze,
    /// The next deadline comes without a round.
    Tick,
    /// Slow rounds until something published changes, at most 11 s.
    Wait,
    /// The world changes, 10 ms pass, a round.
    Ev(Ev),
    Contactor(ContactorDefect),
    Lock(LockDefect),
    Proximity(i32),
    SecondContactor(ContactorDefect),
    /// DIGITAL_IN_1, the emergency input, or the residual current device changes; a
    /// quick look, no round.
    Emergency(bool),
    Rcd(RcdDefect),
    /// DIGITAL_IN_3, the key switch, is turned; 10 ms, a round.
    Key(bool),
    /// The process dies and starts again in the world as it is; 10 ms, a round.
    Restart,
    /// A quick look 1 ms later.
    Look,
    /// A request, at once.
    Request(Request),
}

pub const TIME: [Symbol; 5] = [
    Symbol::Round,
    Symbol::SlowRound,
    Symbol::Freeze,
    Symbol::Tick,
    Symbol::Wait,
];

pub const PILOT: [Symbol; 10] = [
    Symbol::Ev(Ev::A),
    Symbol::Ev(Ev::B),
    Symbol::Ev(Ev::C),
    Symbol::Ev(Ev::D),
    Symbol::Ev(Ev::Short),
    Symbol::Ev(Ev::NoDiode),
    Symbol::Ev(Ev::OutOfRange),
    Symbol::Ev(Ev::SensorFault),
    Symbol::Ev(Ev::FrozenAtC),
    Symbol::Ev(Ev::Flutter),
];

pub const CONTACTOR: [Symbol; 5] = [
    Symbol::Contactor(ContactorDefect::None),
    Symbol::Contactor(ContactorDefect::Welded),
    Symbol::Contactor(ContactorDefect::NeverCloses),
    Symbol::Contactor(ContactorDefect::Unreadable),
    Symbol::Contactor(ContactorDefect::Flutter),
];

pub const PLUG: [Symbol; 8] = [
    Symbol::Lock(LockDefect::None),
    Symbol::Lock(LockDefect::Jammed),
    Symbol::Lock(LockDefect::Senseless),
    Symbol::Lock(LockDefect::CapacitorEmpty),
    Symbol::Proximity(PP_32),
    Symbol::Proximity(PP_13),
    Symbol::Proximity(PP_NONE),
    Symbol::Proximity(PP_INVALID),
];

pub const SLOT: DynamicSlot = DynamicSlot::new(0).unwrap();

pub const REQUESTS: [Symbol; 9] = [
    Symbol::Request(Request::DynamicLimit(SLOT, Some(Amperes::new(16)))),
    Symbol::Request(Request::DynamicLimit(SLOT, Some(Amperes::from_deci(59)))),
    Symbol::Request(Request::Authorization(Grant::OneSession)),
    Symbol::Request(Request::Authorization(Grant::Revoked)),
    Symbol::Request(Request::CustomerOperation(Operation::Inoperative)),
    Symbol::Request(Request::CustomerOperation(Operation::Operative)),
    Symbol::Request(Request::BrokerLost),
    Symbol::Request(Request::BrokerConnected),
    Symbol::Request(Request::Unlock),
];

pub const ALARMS: [Symbol; 11] = [
    Symbol::Emergency(true),
    Symbol::Emergency(false),
    Symbol::Rcd(RcdDefect::Tripped),
    Symbol::Rcd(RcdDefect::Deaf),
    Symbol::Rcd(RcdDefect::Sticky),
    Symbol::Rcd(RcdDefect::Flutter),
    Symbol::Rcd(RcdDefect::None),
    Symbol::Contactor(ContactorDefect::Unreadable),
    Symbol::Contactor(ContactorDefect::None),
    Symbol::Look,
    Symbol::Request(Request::TestRcd),
];

pub const PHASES: [Symbol; 8] = [
    Symbol::SecondContactor(ContactorDefect::None),
    Symbol::SecondContactor(ContactorDefect::Welded),
    Symbol::SecondContactor(ContactorDefect::NeverCloses),
    Symbol::SecondContactor(ContactorDefect::Flutter),
    Symbol::SecondContactor(ContactorDefect::Unreadable),
    Symbol::Request(Request::Phases(PhaseCount::One)),
    Symbol::Request(Request::Phases(PhaseCount::Three)),
    Symbol::Request(Request::PhaseSwitchDelay(10_000)),
];

pub const VENTILATION: [Symbol; 11] = [
    Symbol::SecondContactor(ContactorDefect::None),
    Symbol::SecondContactor(ContactorDefect::Welded),
    Symbol::SecondContactor(ContactorDefect::NeverCloses),
    Symbol::SecondContactor(ContactorDefect::Flutter),
    Symbol::SecondContactor(ContactorDefect::Unreadable),
    Symbol::Request(Request::VentilationAvailable(true)),
    Symbol::Request(Request::VentilationAvailable(false)),
    Symbol::Request(Request::VentilationActual(true)),
    Symbol::Request(Request::VentilationActual(false)),
    Symbol::Request(Request::VentilationTarget(true)),
    Symbol::Request(Request::VentilationTarget(false)),
];

pub fn everything() -> Vec<Symbol> {
    let restart = [Symbol::Restart];
    [&TIME[..], &PILOT, &CONTACTOR, &PLUG, &REQUESTS, &restart].concat()
}
