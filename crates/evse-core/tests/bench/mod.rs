//! A bench for the machine: an EV, a cable, a contactor and a plug lock that do
//! what physics and the chosen defect say, and nothing else.
#![allow(dead_code, reason = "each test file uses its part of the bench")]

use evse_core::*;

/// What the EV's side of the control pilot looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ev {
    A,
    B,
    C,
    D,
    /// Pilot shorted to PE.
    Short,
    /// State C without the diode.
    NoDiode,
    /// A voltage in no band.
    OutOfRange,
    /// The sensor gives no value.
    SensorFault,
}

/// How the contactor and its feedback behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactorDefect {
    None,
    /// Contacts closed for ever; feedback says so.
    Welded,
    /// The coil is broken; feedback says open.
    NeverCloses,
    /// The input can't be read.
    Unreadable,
}

/// How the plug lock and its feedback behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockDefect {
    None,
    /// The bolt doesn't move.
    Jammed,
    /// The feedback is in neither band.
    Senseless,
    /// The capacitor stays empty; the motor works all the same.
    CapacitorEmpty,
    /// The motor's driver reports a fault.
    Driver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub ev: Ev,
    /// Voltage of the proximity pilot.
    pub proximity: i32,
    pub contactor_defect: ContactorDefect,
    pub lock_defect: LockDefect,
    pub locked: bool,
    pub relay_1: bool,
    pub pilot: PilotOutput,
    pub digital: u8,
}

pub const PP_NONE: i32 = 3_000;
pub const PP_13: i32 = 2_000;
pub const PP_20: i32 = 1_500;
pub const PP_32: i32 = 1_000;
pub const PP_63: i32 = 800;
pub const PP_INVALID: i32 = 300;

impl World {
    pub fn new() -> Self {
        Self {
            ev: Ev::A,
            proximity: PP_32,
            contactor_defect: ContactorDefect::None,
            lock_defect: LockDefect::None,
            locked: false,
            relay_1: false,
            pilot: Actuation::SAFE.pilot,
            digital: 0,
        }
    }

    /// Takes over the machine's outputs; motors and coils follow at once.
    pub fn apply(&mut self, actuation: &Actuation) {
        self.relay_1 = actuation.relay_1;
        self.pilot = actuation.pilot;
        if self.lock_defect != LockDefect::Jammed {
            match actuation.lock_drive {
                LockDrive::Lock => self.locked = true,
                LockDrive::Unlock => self.locked = false,
                LockDrive::Coast | LockDrive::Brake => {}
            }
        }
    }

    /// Whether the outlet is live.
    pub fn contacts_closed(&self) -> bool {
        match self.contactor_defect {
            ContactorDefect::Welded => true,
            ContactorDefect::NeverCloses => false,
            ContactorDefect::None | ContactorDefect::Unreadable => self.relay_1,
        }
    }

    pub fn peaks(&self) -> Result<PilotPeaks, SensorFault> {
        let duty = match self.pilot {
            PilotOutput::Duty(duty) => duty,
            PilotOutput::Released => return Ok(peaks(0, 0)),
        };
        let level = match self.ev {
            Ev::A => 12_000,
            Ev::B => 9_000,
            Ev::C | Ev::NoDiode => 6_000,
            Ev::D => 3_000,
            Ev::Short => 0,
            Ev::OutOfRange => return Ok(peaks(14_500, -5_000)),
            Ev::SensorFault => return Err(SensorFault),
        };
        Ok(match self.ev {
            Ev::Short => peaks(0, 0),
            _ if duty == DutyCycle::ZERO => peaks(-12_000, -12_000),
            _ if duty == DutyCycle::FULL => peaks(level, 60),
            Ev::NoDiode => peaks(level, -level),
            Ev::A | Ev::B | Ev::C | Ev::D | Ev::OutOfRange | Ev::SensorFault => {
                peaks(level, -11_950)
            }
        })
    }

    pub fn lock_sense(&self) -> Millivolts {
        Millivolts(match (self.lock_defect, self.locked) {
            (LockDefect::Senseless, _) => 1_500,
            (_, true) => 300,
            (_, false) => 3_100,
        })
    }

    /// What the board measures now; the contactor is wired normally open.
    pub fn sample(&self) -> Sample {
        let inputs = Inputs {
            relay_1_sense: self.contacts_closed(),
            relay_2_sense: false,
            lock_driver_fault: self.lock_defect == LockDefect::Driver,
            digital: DigitalInputs(self.digital),
        };
        let charged = self.lock_defect != LockDefect::CapacitorEmpty;
        Sample {
            pilot: self.peaks(),
            proximity: Ok(Millivolts(self.proximity)),
            lock_sense: Ok(self.lock_sense()),
            lock_capacitor: Ok(Millivolts(if charged { 11_800 } else { 2_000 })),
            inputs: if self.contactor_defect == ContactorDefect::Unreadable {
                Err(SensorFault)
            } else {
                Ok(inputs)
            },
        }
    }
}

pub const fn peaks(positive: i32, negative: i32) -> PilotPeaks {
    PilotPeaks {
        positive: Millivolts(positive),
        negative: Millivolts(negative),
    }
}

pub fn socket(authentication: Authentication) -> Config {
    Config {
        connection: Connection::Socket {
            lock: LockProfile::DEFAULT,
        },
        evse_limit: Amperes::new(32),
        grid_limit: Amperes::new(32),
        failsafe: None,
        contactor_feedback: Feedback::NormallyOpen,
        authentication,
        always_accept_state_d: false,
    }
}

pub fn fixed_cable(authentication: Authentication) -> Config {
    Config {
        connection: Connection::FixedCable {
            limit: Amperes::new(20),
        },
        ..socket(authentication)
    }
}

/// A machine on the bench, sampled every 10 ms.
pub struct Bench {
    pub machine: Machine,
    pub world: World,
    pub now: Millis,
    pub actuation: Actuation,
    pub events: Vec<Event>,
    pub deadline: Option<(Millis, &'static str)>,
}

pub const CYCLE_MS: u64 = 10;

impl Bench {
    pub fn new(config: Config) -> Self {
        let now = Millis(1_000);
        Self {
            machine: Machine::new(config, now),
            world: World::new(),
            now,
            actuation: Actuation::SAFE,
            events: Vec::new(),
            deadline: None,
        }
    }

    /// A bench whose machine has started and whose contactor has rested.
    pub fn rested(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.request(Request::BrokerConnected);
        bench.run(7_000);
        bench
    }

    pub fn input(&mut self, input: Input) {
        let step = self.machine.step(self.now, input);
        self.actuation = step.actuation;
        self.deadline = step.deadline;
        self.events.extend(step.events.iter());
        self.world.apply(&step.actuation);
    }

    pub fn request(&mut self, request: Request) {
        self.input(Input::Request(request));
    }

    /// One cycle: 10 ms pass, then a round of measurements.
    pub fn cycle(&mut self) {
        self.now = self.now.after(CYCLE_MS);
        self.input(Input::Sample(self.world.sample()));
    }

    pub fn run(&mut self, duration: u64) {
        for _ in 0..duration / CYCLE_MS {
            self.cycle();
        }
    }

    /// Runs until `reached` holds and says how long that took.
    pub fn run_until(&mut self, limit: u64, reached: impl Fn(&Self) -> bool) -> u64 {
        let start = self.now;
        while !reached(self) {
            assert!(
                self.now.since(start) < limit,
                "not within {limit} ms: {:#?}",
                self.status()
            );
            self.cycle();
        }
        self.now.since(start)
    }

    pub fn plug(&mut self, ev: Ev) {
        self.world.ev = ev;
    }

    pub fn status(&self) -> Status {
        self.machine.status()
    }

    /// Duty cycle in hundredths of a percent; `u16::MAX` for a released pilot.
    pub fn duty(&self) -> u16 {
        match self.actuation.pilot {
            PilotOutput::Duty(duty) => duty.hundredths(),
            PilotOutput::Released => u16::MAX,
        }
    }

    pub fn charge(&mut self) {
        self.plug(Ev::C);
        self.run_until(2_000, |bench| bench.actuation.relay_1);
    }

    pub fn session(&self) -> SessionState {
        self.status().session
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
