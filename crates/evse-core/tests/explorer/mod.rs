//! Plays all sequences of symbols and remembers which situations it has seen.

use crate::bench::*;
use crate::oracle::Oracle;
use crate::symbols::*;
use evse_core::*;
use std::collections::{BTreeSet, HashSet};
use std::hash::{Hash, Hasher};

/// A machine in a world, watched by an oracle.
#[derive(Clone)]
struct Situation {
    config: Config,
    now: Millis,
    machine: Machine,
    world: World,
    oracle: Oracle,
    deadline: Option<Millis>,
}

#[derive(Default)]
pub struct Tally {
    steps: u64,
    pub closings: u64,
    pub states: BTreeSet<&'static str>,
}

impl Situation {
    fn new(config: Config) -> Self {
        let now = Millis(1_000);
        Self {
            config,
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
                self.world.turn(EMERGENCY, pressed);
                self.look(tally)
            }
            Symbol::Key(on) => {
                self.world.turn(KEY, on);
                self.round(10, tally)
            }
            Symbol::Restart => {
                self.world.apply(&self.config.safe());
                self.machine = Machine::new(self.config, self.now);
                self.oracle = Oracle::new(self.config, self.now);
                self.deadline = None;
                self.round(10, tally)
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
pub fn explore(
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
    for length in 1..=depth {
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
                    // Nothing follows on the last symbol, so it need not be kept.
                    if length == depth {
                        continue;
                    }
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
