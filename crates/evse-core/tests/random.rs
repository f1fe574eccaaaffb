//! Long random lives of machine and bench, judged by the oracle. The world lies
//! as badly as it can.
//!
//! `EVSE_CORE_RANDOM_STEPS=10000000 cargo test -p evse-core --test random` runs longer.

#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a broken rule is told with its story, and the tally is worth reading"
)]

mod bench;
mod oracle;

use bench::*;
use evse_core::*;
use oracle::Oracle;
use std::collections::BTreeMap;

struct Dice(u64);

impl Dice {
    /// Xorshift64*.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.roll(choice.len() as u64) as usize]
    }

    fn request(&mut self) -> Request {
        let limits = [
            None,
            Some(0),
            Some(59),
            Some(60),
            Some(110),
            Some(163),
            Some(800),
        ];
        let limit = self.pick(&limits).map(Amperes::from_deci);
        let slot = DynamicSlot::new(self.roll(5) as usize).unwrap();
        match self.roll(22) {
            14 | 15 => Request::TestRcd,
            16 => Request::Phases(self.pick(&[PhaseCount::One, PhaseCount::Three])),
            17 => Request::PhaseSwitchDelay(10_000),
            18 => Request::VentilationAvailable(self.roll(4) != 0),
            19 | 20 => Request::VentilationActual(self.roll(4) != 0),
            21 => Request::VentilationTarget(self.roll(2) == 0),
            0 | 1 => Request::DynamicLimit(slot, limit),
            2 => Request::RemoveDynamicLimit(slot),
            3 => Request::OcppLimit(limit),
            4 => Request::Authorization(Grant::Revoked),
            5 | 6 => Request::Authorization(Grant::OneSession),
            7 | 8 => Request::Authorization(Grant::Permanent),
            9 => Request::CustomerOperation(self.pick(&[
                Operation::Operative,
                Operation::Operative,
                Operation::Inoperative,
            ])),
            10 => Request::BrokerLost,
            11 | 12 => Request::BrokerConnected,
            _ => Request::Unlock,
        }
    }

    /// Mostly a working world, so that sessions happen.
    fn change(&mut self, world: &mut World, lethal: bool) {
        match self.roll(44) {
            30 => world.turn(EMERGENCY, self.roll(3) == 0),
            31..=33 => world.turn(EMERGENCY, false),
            40 => world.turn(KEY, self.roll(3) != 0),
            41 => world.turn(KEY, true),
            // For long enough that it is an alarm, and where there is a feedback a fault.
            42 => world.inputs_fail = self.roll(4) == 0,
            43 => world.inputs_fail = false,
            // For good are a trip without an EV and a failed test.
            34 if lethal => {
                world.rcd_defect = self.pick(&[
                    RcdDefect::Tripped,
                    RcdDefect::Deaf,
                    RcdDefect::Sticky,
                    RcdDefect::Flutter,
                ]);
            }
            34 if world.ev != Ev::A => world.rcd_defect = RcdDefect::Tripped,
            34..=37 => world.rcd_defect = RcdDefect::None,
            38 if lethal => {
                world.relay_2_defect = self.pick(&[
                    ContactorDefect::Welded,
                    ContactorDefect::NeverCloses,
                    ContactorDefect::Flutter,
                ]);
            }
            38 | 39 => world.relay_2_defect = ContactorDefect::None,
            0..=5 => world.ev = Ev::C,
            6..=8 => world.ev = Ev::B,
            9 | 10 => world.ev = Ev::A,
            11 => world.ev = Ev::D,
            12 => {
                world.ev = self.pick(&[
                    Ev::Short,
                    Ev::NoDiode,
                    Ev::OutOfRange,
                    Ev::SensorFault,
                    Ev::FrozenAtC,
                    Ev::Flutter,
                ]);
            }
            13 | 14 => world.proximity = self.pick(&[PP_32, PP_32, PP_63, PP_20, PP_13]),
            15 => world.proximity = self.pick(&[PP_NONE, PP_INVALID, PP_32, PP_20]),
            16 => {
                world.lock_defect = self.pick(&[
                    LockDefect::Jammed,
                    LockDefect::Senseless,
                    LockDefect::CapacitorEmpty,
                ]);
            }
            17..=20 => world.lock_defect = LockDefect::None,
            21..=23 => world.proximity = PP_32,
            24..=26 => world.ev = Ev::C,
            27 | 28 => world.ev = Ev::A,
            _ if lethal && self.roll(2) == 0 => {
                world.contactor_defect = self.pick(&[
                    ContactorDefect::Welded,
                    ContactorDefect::NeverCloses,
                    ContactorDefect::Flutter,
                    ContactorDefect::Unreadable,
                ]);
            }
            _ => world.contactor_defect = ContactorDefect::None,
        }
    }

    /// A sample with noise, and now and then one reading that is plain wrong.
    fn distort(&mut self, sample: &mut Sample) {
        let mut noise = || self.roll(600) as i32 - 300;
        if let Ok(peaks) = &mut sample.pilot {
            peaks.positive.0 += noise();
            peaks.negative.0 += noise();
        }
        match self.roll(1_000) {
            0 => sample.pilot = Err(SensorFault),
            1 => {
                let positive = self.roll(32_000) as i32 - 16_000;
                let negative = self.roll(32_000) as i32 - 16_000;
                sample.pilot = Ok(peaks(positive, negative));
            }
            2 => sample.proximity = Ok(Millivolts(self.roll(3_300) as i32)),
            3 => sample.proximity = Err(SensorFault),
            4 => sample.lock_sense = Err(SensorFault),
            5 => sample.lock_capacitor = Err(SensorFault),
            6 => sample.inputs = Err(SensorFault),
            8 => {
                if let Ok(inputs) = &mut sample.inputs {
                    inputs.digital.0 ^= self.pick(&[1, 2]);
                }
            }
            7 => {
                if let Ok(inputs) = &mut sample.inputs {
                    inputs.relay_1_sense = !inputs.relay_1_sense;
                }
            }
            _ => {}
        }
    }
}

/// What happened in all lives: proof that the rules were not kept by idling.
#[derive(Default)]
struct Chronicle {
    steps: u64,
    restarts: u64,
    closings: u64,
    unlocks: u64,
    states: BTreeMap<String, u64>,
    stops: BTreeMap<String, u64>,
}

fn live(config: Config, seed: u64, steps: u64, chronicle: &mut Chronicle) {
    let mut dice = Dice(seed);
    let mut now = Millis(1_000);
    let mut machine = Machine::new(config, now);
    let mut oracle = Oracle::new(config, now);
    let mut world = World::new();
    let mut relay = false;
    // One life in four has contactor errors, which only a restart ends; the others would
    // not last otherwise.
    let lethal = seed.is_multiple_of(4);
    for number in 0..steps {
        if dice.roll(8_000) == 0 {
            world.apply(&config.safe());
            machine = Machine::new(config, now);
            oracle = Oracle::new(config, now);
            chronicle.restarts += 1;
        }
        let input = match dice.roll(4_000) {
            _ if number < 10 => {
                now = now.after(CYCLE_MS);
                Input::Sample(world.sample())
            }
            0..=7 => Input::Request(dice.request()),
            8..=15 => {
                now = now.after(dice.roll(15));
                Input::Tick
            }
            16 if dice.roll(4) == 0 => {
                now = now.after(dice.roll(400));
                Input::Tick
            }
            17..=300 => {
                now = now.after(1);
                Input::Inputs(world.inputs())
            }
            roll => {
                if roll < 336 {
                    dice.change(&mut world, lethal && number > steps / 2);
                }
                now = now.after(dice.pick(&[5, 8, 10, 10, 12, 90, 90]));
                let mut sample = world.sample();
                dice.distort(&mut sample);
                Input::Sample(sample)
            }
        };
        let step = machine.step(now, input);
        world.apply(&step.actuation);
        if let Err(rule) = oracle.judge(now, &input, &step) {
            panic!(
                "seed {seed}, step {number}: {rule}\n{input:?}\n{step:?}\n{machine:#?}\n{oracle:#?}"
            );
        }
        let status = machine.status();
        chronicle.steps += 1;
        chronicle.closings += u64::from(step.actuation.relay_1 && !relay);
        relay = step.actuation.relay_1;
        *chronicle
            .states
            .entry(status.session.as_str().to_owned())
            .or_default() += 1;
        for event in step.events.iter() {
            match event {
                Event::ChargingStopped(reason) => {
                    *chronicle.stops.entry(format!("{reason:?}")).or_default() += 1;
                }
                Event::Unlock(_) => chronicle.unlocks += 1,
                Event::SessionStarted
                | Event::ChargingStarted
                | Event::SessionEnded(_)
                | Event::RcdTestEnded
                | Event::LimitReceived => {}
            }
        }
    }
}

const fn ventilation(control: VentilationControl) -> SecondRelay {
    SecondRelay::Ventilation(Ventilation {
        enabled: true,
        control,
        feedback: Feedback::NormallyOpen,
    })
}

// covers: CON-016, CON-020, CON-021, PL-025, LIM-001, LIM-022, CP-013
#[test]
fn no_random_life_breaks_a_safety_rule() {
    let total = match std::env::var("EVSE_CORE_RANDOM_STEPS") {
        Ok(steps) => steps
            .parse()
            .expect("EVSE_CORE_RANDOM_STEPS is a number of steps"),
        Err(_) => 2_000_000,
    };
    let configs = [
        socket(Authentication::Free),
        socket(Authentication::Ocpp),
        Config {
            failsafe: Some(Amperes::new(8)),
            ..socket(Authentication::Mqtt)
        },
        fixed_cable(Authentication::Ocpp),
        Config {
            contactor_feedback: Feedback::None,
            always_accept_state_d: true,
            ..fixed_cable(Authentication::Free)
        },
        Config {
            always_accept_state_d: true,
            ..socket(Authentication::Free)
        },
        with_rcd(with_emergency(socket(Authentication::Free))),
        with_emergency(socket(Authentication::KeySwitch(DigitalInput::KEY_SWITCH))),
        Config {
            contactor_feedback: Feedback::None,
            ..with_rcd(fixed_cable(Authentication::Free))
        },
        Config {
            relay_2: SecondRelay::PhaseSwitch(PhaseSwitch {
                feedback: Feedback::NormallyOpen,
                delay_ms: 10_000,
            }),
            ..with_emergency(socket(Authentication::Ocpp))
        },
        Config {
            relay_2: ventilation(VentilationControl::Internal),
            wake_up: WakeUp {
                after_authorization: false,
                after_timeout: true,
            },
            ..socket(Authentication::Free)
        },
        Config {
            relay_2: ventilation(VentilationControl::External),
            wake_up: WakeUp {
                after_authorization: true,
                after_timeout: true,
            },
            ..with_rcd(fixed_cable(Authentication::Ocpp))
        },
    ];
    let life = 20_000;
    let mut chronicle = Chronicle::default();
    for seed in 1..=total / life {
        let config = configs[seed as usize % configs.len()];
        live(config, seed, life, &mut chronicle);
    }
    println!(
        "{} steps, {} restarts, {} closings",
        chronicle.steps, chronicle.restarts, chronicle.closings
    );
    println!("{:#?}\n{:#?}", chronicle.states, chronicle.stops);
    assert!(
        chronicle.closings > 200,
        "charging must happen to be judged"
    );
    assert!(chronicle.unlocks > 100);
    assert_eq!(
        chronicle.states.len(),
        8,
        "every session state must happen: {:?}",
        chronicle.states
    );
    assert!(
        chronicle.stops.len() >= 10,
        "many ways to stop must happen: {:?}",
        chronicle.stops
    );
}
