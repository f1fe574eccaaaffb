//! All input sequences up to a depth, from several starting points, judged by the oracle.
//!
//! Machine and oracle remember only deadlines, so a situation is fully described
//! by how far each deadline lies ahead. Equal situations are explored once, which
//! covers every sequence that leads to them.
//!
//! `EVSE_CORE_DEEPER=1 cargo test --release -p evse-core --test exhaustive` goes one
//! symbol deeper everywhere.

#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a broken rule is told with its story, and the tally is worth reading"
)]

mod bench;
mod explorer;
mod oracle;
mod symbols;

use bench::*;
use evse_core::*;
use explorer::explore;
use symbols::*;

/// From power on until a grant has arrived and the contactor has rested.
const GRANTED: [Symbol; 5] = [
    Symbol::Request(Request::BrokerConnected),
    Symbol::Wait,
    Symbol::Wait,
    Symbol::Wait,
    Symbol::Request(Request::Authorization(Grant::OneSession)),
];
/// The EV requests energy, the plug is locked, the contactor closes.
const CHARGE: [Symbol; 5] = [
    Symbol::Ev(Ev::C),
    Symbol::Wait,
    Symbol::Wait,
    Symbol::Wait,
    Symbol::Wait,
];
const LIMIT_GONE: Symbol = Symbol::Request(Request::DynamicLimit(SLOT, Some(Amperes::ZERO)));

fn charging(then: &[Symbol]) -> Vec<Symbol> {
    [&GRANTED[..], &CHARGE, then].concat()
}

/// The EV has paused for long enough that the contactor may close again.
const PAUSED: [Symbol; 4] = [Symbol::Ev(Ev::B), Symbol::Round, Symbol::Wait, Symbol::Wait];

#[test]
fn every_sequence_from_power_on() {
    let config = socket(Authentication::Free);
    explore("power on", config, &[], &everything(), 4);
    let plugged_in = [
        Symbol::Request(Request::BrokerConnected),
        Symbol::Ev(Ev::C),
        Symbol::Wait,
        Symbol::Wait,
    ];
    let tally = explore(
        "plugged in at power on",
        config,
        &plugged_in,
        &everything(),
        4,
    );
    assert!(
        tally.states.contains("suspended_evse"),
        "the contactor rests after power on"
    );
}

#[test]
fn every_sequence_from_charging() {
    let config = socket(Authentication::Ocpp);
    let tally = explore("charging", config, &charging(&[]), &everything(), 4);
    assert_eq!(tally.states.len(), 8, "{:?}", tally.states);
}

#[test]
fn every_sequence_from_situations_on_the_edge() {
    let config = socket(Authentication::Ocpp);
    let revoke = Symbol::Request(Request::Authorization(Grant::Revoked));
    let welded = [
        Symbol::Contactor(ContactorDefect::Welded),
        Symbol::Ev(Ev::A),
    ];
    let jammed = [
        Symbol::Lock(LockDefect::Jammed),
        Symbol::Ev(Ev::C),
        Symbol::Wait,
    ];
    let drained = [LIMIT_GONE, Symbol::Wait, Symbol::Wait, Symbol::Wait];
    for (name, prefix) in [
        ("granted, no EV", GRANTED.to_vec()),
        (
            "locking",
            [&GRANTED[..], &[Symbol::Ev(Ev::C), Symbol::Round]].concat(),
        ),
        ("offer withdrawn", charging(&[LIMIT_GONE])),
        ("no current for long", charging(&drained)),
        ("grant withdrawn", charging(&[revoke])),
        (
            "unlock requested",
            charging(&[Symbol::Request(Request::Unlock)]),
        ),
        ("EV in doubt", charging(&[Symbol::Ev(Ev::B)])),
        ("EV paused", charging(&PAUSED)),
        ("unplugged, contactor welded", charging(&welded)),
        (
            "contactor welded for long",
            [&charging(&welded)[..], &[Symbol::Wait; 3]].concat(),
        ),
        ("plug lock jammed", [&GRANTED[..], &jammed].concat()),
    ] {
        explore(name, config, &prefix, &everything(), 3);
    }
}

#[test]
fn every_sequence_with_a_fixed_cable_and_no_feedback() {
    let config = Config {
        contactor_feedback: Feedback::None,
        always_accept_state_d: true,
        ..fixed_cable(Authentication::Free)
    };
    let alphabet = [&TIME[..], &PILOT, &REQUESTS].concat();
    let tally = explore("fixed cable", config, &charging(&PAUSED), &alphabet, 5);
    assert!(tally.closings > 100);
}

#[test]
fn every_deep_sequence_of_the_pilot_while_charging() {
    let alphabet = [&TIME[..], &PILOT].concat();
    let config = socket(Authentication::Free);
    let tally = explore("pilot while charging", config, &charging(&[]), &alphabet, 6);
    assert!(tally.closings > 100);
}

#[test]
fn every_deep_sequence_of_the_pilot_while_paused() {
    let alphabet = [&TIME[..], &PILOT].concat();
    let config = socket(Authentication::Free);
    let tally = explore(
        "pilot while paused",
        config,
        &charging(&PAUSED),
        &alphabet,
        7,
    );
    assert!(tally.closings > 40);
}

#[test]
fn every_deep_sequence_of_requests() {
    let alphabet = [&TIME[..], &REQUESTS, &[Symbol::Ev(Ev::C)]].concat();
    let config = socket(Authentication::Ocpp);
    explore(
        "requests while charging",
        config,
        &charging(&[]),
        &alphabet,
        6,
    );
    let tally = explore(
        "requests while paused",
        config,
        &charging(&PAUSED),
        &alphabet,
        5,
    );
    assert!(tally.closings > 50);
}

#[test]
fn every_deep_sequence_of_contactor_and_plug_lock_defects() {
    let alphabet = [
        &TIME[..],
        &CONTACTOR,
        &PLUG,
        &[Symbol::Ev(Ev::A), Symbol::Ev(Ev::C)],
    ]
    .concat();
    let config = socket(Authentication::Free);
    explore(
        "defects while charging",
        config,
        &charging(&[]),
        &alphabet,
        5,
    );
    explore(
        "defects while paused",
        config,
        &charging(&PAUSED),
        &alphabet,
        4,
    );
}

/// From power on with a residual current device, which is tested first, to charging.
fn charging_with_rcd(then: &[Symbol]) -> Vec<Symbol> {
    [&charging(&[Symbol::Wait; 12])[..], then].concat()
}

/// The emergency input was pressed for a while.
const EMERGENCY_OVER: [Symbol; 6] = [
    Symbol::Emergency(true),
    Symbol::Look,
    Symbol::Wait,
    Symbol::Emergency(false),
    Symbol::Round,
    Symbol::Round,
];

#[test]
fn every_sequence_of_alarms() {
    let config = with_rcd(with_emergency(socket(Authentication::Free)));
    let alphabet = [
        &TIME[..],
        &ALARMS,
        &[
            Symbol::Ev(Ev::A),
            Symbol::Ev(Ev::C),
            Symbol::Contactor(ContactorDefect::Welded),
            Symbol::Restart,
        ],
    ]
    .concat();
    explore("alarms from power on", config, &[], &alphabet, 4);
    let charging = charging_with_rcd(&[]);
    let tally = explore("alarms while charging", config, &charging, &alphabet, 4);
    assert!(tally.states.contains("faulted") && tally.states.contains("charging"));
    let paused = charging_with_rcd(&PAUSED);
    let tally = explore("alarms while paused", config, &paused, &alphabet, 4);
    assert!(tally.closings > 20);
    let after = charging_with_rcd(&EMERGENCY_OVER);
    explore("alarms after an emergency", config, &after, &alphabet, 4);
}

/// The inputs can't be read for so long that the contactor is in error, too, which ranks
/// higher. Without a residual current device, which would be in error for good.
#[test]
fn every_sequence_after_an_emergency_and_unreadable_inputs() {
    let config = with_emergency(socket(Authentication::Free));
    let alphabet = [
        &TIME[..],
        &ALARMS[..2],
        &ALARMS[7..10],
        &PILOT[..4],
        &[Symbol::Restart],
    ]
    .concat();
    let unreadable = [
        Symbol::Contactor(ContactorDefect::Unreadable),
        Symbol::Wait,
        Symbol::Wait,
    ];
    let readable = [
        &[Symbol::Contactor(ContactorDefect::None)],
        &[Symbol::Wait; 8][..],
    ]
    .concat();
    for (name, then) in [
        (
            "alarms after an emergency and unreadable inputs",
            [&EMERGENCY_OVER[..], &unreadable, &readable].concat(),
        ),
        (
            "alarms after an emergency while inputs were unreadable",
            [
                &unreadable[..],
                &readable[..2],
                &EMERGENCY_OVER,
                &[Symbol::Wait; 8],
            ]
            .concat(),
        ),
    ] {
        explore(name, config, &charging(&then), &alphabet, 4);
    }
}

#[test]
fn every_sequence_of_a_self_test_without_a_contactor_feedback() {
    let config = Config {
        contactor_feedback: Feedback::None,
        ..with_rcd(socket(Authentication::Free))
    };
    let alphabet = [&TIME[..], &ALARMS[2..], &[Symbol::Ev(Ev::C)]].concat();
    let testing = charging_with_rcd(&[&PAUSED[..], &[Symbol::Request(Request::TestRcd)]].concat());
    explore("self test", config, &testing, &alphabet, 5);
}

#[test]
fn every_sequence_with_a_key_switch() {
    let config = socket(Authentication::KeySwitch(DigitalInput::KEY_SWITCH));
    let alphabet = [
        &TIME[..],
        &CONTACTOR,
        &[
            Symbol::Key(true),
            Symbol::Key(false),
            Symbol::Ev(Ev::A),
            Symbol::Ev(Ev::B),
            Symbol::Ev(Ev::C),
            Symbol::Request(Request::Unlock),
            Symbol::Request(Request::BrokerLost),
            Symbol::Restart,
        ],
    ]
    .concat();
    explore("key switch from power on", config, &[], &alphabet, 4);
    let on = [&[Symbol::Key(true)], &charging(&[])[..]].concat();
    let tally = explore("key switch while charging", config, &on, &alphabet, 4);
    assert!(tally.states.contains("charging"));
    let paused = [&on[..], &PAUSED].concat();
    let tally = explore("key switch while paused", config, &paused, &alphabet, 4);
    assert!(tally.closings > 20);
}

#[test]
fn every_sequence_of_phase_switching() {
    let config = Config {
        relay_2: SecondRelay::PhaseSwitch(PhaseSwitch {
            feedback: Feedback::NormallyOpen,
            delay_ms: 10_000,
        }),
        ..socket(Authentication::Free)
    };
    let alphabet = [
        &TIME[..],
        &PHASES,
        &[
            Symbol::Ev(Ev::A),
            Symbol::Ev(Ev::B),
            Symbol::Ev(Ev::C),
            Symbol::Contactor(ContactorDefect::Welded),
            Symbol::Contactor(ContactorDefect::Flutter),
            Symbol::Restart,
        ],
    ]
    .concat();
    let tally = explore(
        "phases while charging",
        config,
        &charging(&[]),
        &alphabet,
        4,
    );
    assert!(tally.states.contains("charging"));
    let one = [Symbol::Request(Request::Phases(PhaseCount::One))];
    let switching = [&PAUSED[..], &one].concat();
    let tally = explore(
        "phases while paused",
        config,
        &charging(&PAUSED),
        &alphabet,
        4,
    );
    assert!(tally.closings > 20);
    explore(
        "phases while switched",
        config,
        &charging(&switching),
        &alphabet,
        4,
    );
}

#[test]
fn every_sequence_of_ventilation() {
    for control in [VentilationControl::Internal, VentilationControl::External] {
        let config = Config {
            relay_2: SecondRelay::Ventilation(Ventilation {
                enabled: true,
                control,
                feedback: Feedback::NormallyOpen,
            }),
            ..socket(Authentication::Free)
        };
        let alphabet = [
            &TIME[..],
            &VENTILATION,
            &[
                Symbol::Ev(Ev::A),
                Symbol::Ev(Ev::C),
                Symbol::Ev(Ev::D),
                Symbol::Request(Request::BrokerLost),
                Symbol::Restart,
            ],
        ]
        .concat();
        let prefix = [&charging(&PAUSED)[..], &[Symbol::Ev(Ev::D)]].concat();
        let tally = explore("ventilation", config, &prefix, &alphabet, 5);
        assert!(tally.closings > 20, "{control:?}");
    }
}

#[test]
fn every_sequence_of_a_wake_up() {
    let config = Config {
        wake_up: WakeUp {
            after_authorization: true,
            after_timeout: true,
        },
        ..socket(Authentication::Free)
    };
    let prefix = [
        &GRANTED[..],
        &[Symbol::Ev(Ev::B), Symbol::Wait, Symbol::Wait],
    ]
    .concat();
    let alphabet = [&TIME[..], &PILOT, &[LIMIT_GONE]].concat();
    explore("wake-up", config, &prefix, &alphabet, 6);
}
