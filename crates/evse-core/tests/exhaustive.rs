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
mod oracle;
mod symbols;

use bench::*;
use evse_core::*;
use oracle::Oracle;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use symbols::*;

/// A machine in a world, watched by an oracle.
#[derive(Clone)]
struct Situation {
    now: Millis,
    machine: Machine,
    world: World,
    oracle: Oracle,
    deadline: Option<Millis>,
}

#[derive(Default)]
struct Tally {
    steps: u64,
    closings: u64,
    states: BTreeSet<&'static str>,
}

impl Situation {
    fn new(config: Config) -> Self {
        let now = Millis(1_000);
        Self {
            now,
            machine: Machine::new(config, now),
            world: World::new(),
            oracle: Oracle::new(config, now),
            deadline: None,
        }
    }

    fn input(&mut self, input: Input, tally: &mut Tally) -> Result<(), &'static str> {
        let before = self.world.relay_1;
        let step = self.machine.step(self.now, input);
        self.world.apply(&step.actuation);
        self.deadline = step.deadline.map(|(at, _)| at);
        tally.steps += 1;
        tally.closings += u64::from(step.actuation.relay_1 && !before);
        self.oracle.judge(self.now, &input, &step)
    }

    fn round(&mut self, after: u64, tally: &mut Tally) -> Result<(), &'static str> {
        self.now = self.now.after(after);
        let sample = self.world.sample();
        self.input(Input::Sample(sample), tally)
    }

    fn play(&mut self, symbol: Symbol, tally: &mut Tally) -> Result<(), &'static str> {
        match symbol {
            Symbol::Round => self.round(10, tally),
            Symbol::SlowRound => self.round(90, tally),
            Symbol::Freeze => self.round(150, tally),
            Symbol::Tick => {
                self.now = self.deadline.unwrap_or(self.now).max(self.now);
                self.input(Input::Tick, tally)
            }
            Symbol::Wait => {
                let (before, start) = (self.machine.status(), self.now);
                while self.machine.status() == before && self.now.since(start) < 11_000 {
                    self.round(90, tally)?;
                }
                Ok(())
            }
            Symbol::Ev(ev) => {
                self.world.ev = ev;
                self.round(10, tally)
            }
            Symbol::Contactor(defect) => {
                self.world.contactor_defect = defect;
                self.round(10, tally)
            }
            Symbol::Lock(defect) => {
                self.world.lock_defect = defect;
                self.round(10, tally)
            }
            Symbol::Proximity(voltage) => {
                self.world.proximity = voltage;
                self.round(10, tally)
            }
            Symbol::SecondContactor(defect) => {
                self.world.relay_2_defect = defect;
                self.round(10, tally)
            }
            Symbol::Emergency(pressed) => {
                self.world.digital = u8::from(pressed);
                self.look(tally)
            }
            Symbol::Rcd(defect) => {
                self.world.rcd_defect = defect;
                self.look(tally)
            }
            Symbol::Look => self.look(tally),
            Symbol::Request(request) => self.input(Input::Request(request), tally),
        }
    }

    fn look(&mut self, tally: &mut Tally) -> Result<(), &'static str> {
        self.now = self.now.after(1);
        self.input(Input::Inputs(self.world.inputs()), tally)
    }

    fn fingerprint(&self) -> (u64, u64) {
        let mut hasher = RelativeTime {
            now: self.now.0,
            first: 1,
            second: 2,
        };
        self.machine.hash(&mut hasher);
        self.oracle.hash(&mut hasher);
        self.world.hash(&mut hasher);
        self.deadline.hash(&mut hasher);
        (hasher.first, hasher.second)
    }
}

/// Hashes every `u64` as the time that is left until then: `Millis` are the only
/// ones, apart from the lock's drive time, which is constant. 128 bits, so that two
/// situations out of millions are not taken for one by chance.
struct RelativeTime {
    now: u64,
    first: u64,
    second: u64,
}

impl RelativeTime {
    fn mix(&mut self, value: u64) {
        self.first = (self.first ^ value)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29);
        self.second = (self.second.rotate_left(23) ^ value).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        self.second ^= self.second >> 32;
    }
}

impl Hasher for RelativeTime {
    fn finish(&self) -> u64 {
        self.first
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.mix(u64::from(value.cast_unsigned()));
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value.saturating_sub(self.now));
    }
}

/// Plays every sequence of `depth` symbols of `alphabet` after `prefix`.
fn explore(
    name: &str,
    config: Config,
    prefix: &[Symbol],
    alphabet: &[Symbol],
    depth: u32,
) -> Tally {
    let deeper = std::env::var("EVSE_CORE_DEEPER").map_or(0, |deeper| {
        deeper
            .parse()
            .expect("EVSE_CORE_DEEPER is a number of symbols")
    });
    let depth = depth + deeper;
    let mut tally = Tally::default();
    let mut start = Situation::new(config);
    for symbol in prefix {
        start
            .play(*symbol, &mut tally)
            .unwrap_or_else(|rule| panic!("{name}, prefix: {rule}"));
    }
    let mut seen = HashSet::from([start.fingerprint()]);
    // Each situation knows which one it came from, and by what: a failure is a story.
    let mut history: Vec<(usize, Symbol)> = Vec::new();
    let mut frontier = vec![(start, usize::MAX)];
    for _ in 0..depth {
        let mut next = Vec::new();
        for (situation, origin) in &frontier {
            for symbol in alphabet {
                let mut after = situation.clone();
                if let Err(rule) = after.play(*symbol, &mut tally) {
                    let mut story = vec![*symbol];
                    let mut at = *origin;
                    while let Some((earlier, symbol)) = history.get(at) {
                        story.push(*symbol);
                        at = *earlier;
                    }
                    story.reverse();
                    panic!(
                        "{name}: {rule}\nafter {prefix:?}\nthen {story:?}\n{:#?}",
                        after.machine
                    );
                }
                if seen.insert(after.fingerprint()) {
                    tally.states.insert(after.machine.status().session.as_str());
                    history.push((*origin, *symbol));
                    next.push((after, history.len() - 1));
                }
            }
        }
        frontier = next;
    }
    println!(
        "{name}: all {}^{depth} sequences, {} situations, {} steps, {} closings, {:?}",
        alphabet.len(),
        seen.len(),
        tally.steps,
        tally.closings,
        tally.states,
    );
    tally
}

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
        ],
    ]
    .concat();
    explore("alarms from power on", config, &[], &alphabet, 5);
    let charging = charging_with_rcd(&[]);
    let tally = explore("alarms while charging", config, &charging, &alphabet, 5);
    assert!(tally.states.contains("faulted") && tally.states.contains("charging"));
    let paused = charging_with_rcd(&PAUSED);
    let tally = explore("alarms while paused", config, &paused, &alphabet, 5);
    assert!(tally.closings > 20);
    let emergency_over = [
        Symbol::Emergency(true),
        Symbol::Look,
        Symbol::Wait,
        Symbol::Emergency(false),
        Symbol::Round,
        Symbol::Round,
    ];
    let after = charging_with_rcd(&emergency_over);
    explore("alarms after an emergency", config, &after, &alphabet, 5);
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
        ],
    ]
    .concat();
    let tally = explore(
        "phases while charging",
        config,
        &charging(&[]),
        &alphabet,
        5,
    );
    assert!(tally.states.contains("charging"));
    let one = [Symbol::Request(Request::Phases(PhaseCount::One))];
    let switching = [&PAUSED[..], &one].concat();
    let tally = explore(
        "phases while paused",
        config,
        &charging(&PAUSED),
        &alphabet,
        5,
    );
    assert!(tally.closings > 20);
    explore(
        "phases while switched",
        config,
        &charging(&switching),
        &alphabet,
        5,
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
