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
    /// The channel of the positive peak is frozen at the voltage of state C.
    FrozenAtC,
    /// Every other round is wrong: C, then a voltage in no band.
    Flutter,
}

/// How the contactor and its feedback behave. Where the feedback is stuck nobody can
/// tell from it whether the contactor is, too: the rules must hold for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContactorDefect {
    None,
    /// Feedback says closed for ever: the contacts are welded, or it lies.
    Welded,
    /// Feedback says open for ever: the coil is broken, or it lies.
    NeverCloses,
    /// Feedback says the opposite in every round.
    Flutter,
    /// The input can't be read, nor can any other.
    Unreadable,
}

impl ContactorDefect {
    const fn feedback(self, relay: bool, odd_round: bool) -> bool {
        match self {
            Self::Welded => true,
            Self::NeverCloses => false,
            Self::Flutter => odd_round,
            Self::None | Self::Unreadable => relay,
        }
    }
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
    /// The capacitor stays empty, and the motor doesn't turn.
    Starved,
    /// The motor's driver reports a fault.
    Driver,
}

/// What the residual current device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RcdDefect {
    None,
    /// A residual current flows, or the feedback wire is broken.
    Tripped,
    /// The test finds nothing.
    Deaf,
    /// Doesn't recover from a test.
    Sticky,
    /// Tripped in every other round.
    Flutter,
}

/// DIGITAL_IN_1, see [`with_emergency`].
pub const EMERGENCY: u8 = 0b1;
/// DIGITAL_IN_3, [`DigitalInput::KEY_SWITCH`].
pub const KEY: u8 = 0b100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub ev: Ev,
    /// Whether this round is the wrong one of what flutters.
    pub odd_round: bool,
    /// Voltage of the proximity pilot.
    pub proximity: i32,
    pub contactor_defect: ContactorDefect,
    pub lock_defect: LockDefect,
    pub locked: bool,
    pub relay_1: bool,
    pub pilot: PilotOutput,
    pub digital: u8,
    pub outputs: DigitalOutputs,
    pub rcd_defect: RcdDefect,
    pub relay_2: bool,
    pub relay_2_defect: ContactorDefect,
    /// The inputs can't be read.
    pub inputs_fail: bool,
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
            odd_round: false,
            proximity: PP_32,
            contactor_defect: ContactorDefect::None,
            lock_defect: LockDefect::None,
            locked: false,
            relay_1: false,
            pilot: Actuation::SAFE.pilot,
            digital: 0,
            outputs: DigitalOutputs(0),
            rcd_defect: RcdDefect::None,
            relay_2: false,
            relay_2_defect: ContactorDefect::None,
            inputs_fail: false,
        }
    }

    /// Turns a digital input on or off.
    pub fn turn(&mut self, input: u8, on: bool) {
        self.digital = self.digital & !input | if on { input } else { 0 };
    }

    /// Takes over the machine's outputs; motors and coils follow at once.
    pub fn apply(&mut self, actuation: &Actuation) {
        self.relay_1 = actuation.relay_1;
        self.relay_2 = actuation.relay_2;
        self.pilot = actuation.pilot;
        self.outputs = actuation.outputs;
        if self.rcd_defect == RcdDefect::Sticky && self.rcd_trigger_is_on() {
            self.rcd_defect = RcdDefect::Tripped;
        }
        if !matches!(self.lock_defect, LockDefect::Jammed | LockDefect::Starved) {
            match actuation.lock_drive {
                LockDrive::Lock => self.locked = true,
                LockDrive::Unlock => self.locked = false,
                LockDrive::Coast | LockDrive::Brake => {}
            }
        }
    }

    fn flutters(&self) -> bool {
        let contactors = [self.contactor_defect, self.relay_2_defect];
        self.ev == Ev::Flutter
            || contactors.contains(&ContactorDefect::Flutter)
            || self.rcd_defect == RcdDefect::Flutter
    }

    pub fn peaks(&self) -> Result<PilotPeaks, SensorFault> {
        let duty = match self.pilot {
            PilotOutput::Duty(duty) => duty,
            PilotOutput::Released => return Ok(peaks(0, 0)),
        };
        let level = match self.ev {
            Ev::A => 12_000,
            Ev::B => 9_000,
            Ev::C | Ev::NoDiode | Ev::FrozenAtC => 6_000,
            Ev::Flutter if self.odd_round => return Ok(peaks(14_500, -5_000)),
            Ev::Flutter => 6_000,
            Ev::D => 3_000,
            Ev::Short => 0,
            Ev::OutOfRange => return Ok(peaks(14_500, -5_000)),
            Ev::SensorFault => return Err(SensorFault),
        };
        Ok(match self.ev {
            Ev::Short => peaks(0, 0),
            Ev::FrozenAtC if duty == DutyCycle::ZERO => peaks(level, -12_000),
            _ if duty == DutyCycle::ZERO => peaks(-12_000, -12_000),
            _ if duty == DutyCycle::FULL => peaks(level, 60),
            Ev::NoDiode => peaks(level, -level),
            Ev::A
            | Ev::B
            | Ev::C
            | Ev::D
            | Ev::OutOfRange
            | Ev::SensorFault
            | Ev::FrozenAtC
            | Ev::Flutter => peaks(level, -11_950),
        })
    }

    /// The same while the peak detectors are held in reset.
    pub fn peaks_in_reset(&self) -> Result<PilotPeaks, SensorFault> {
        match self.ev {
            Ev::SensorFault => Err(SensorFault),
            Ev::FrozenAtC => Ok(peaks(6_000, 60)),
            Ev::A
            | Ev::B
            | Ev::C
            | Ev::D
            | Ev::Short
            | Ev::NoDiode
            | Ev::OutOfRange
            | Ev::Flutter => Ok(peaks(60, 60)),
        }
    }

    /// DIGITAL_OUT_4 is high.
    pub fn rcd_trigger_is_on(&self) -> bool {
        self.outputs.0 & 0b1000 != 0
    }

    /// DIGITAL_IN_2 is high in normal operation.
    pub fn rcd_is_tripped(&self) -> bool {
        match self.rcd_defect {
            RcdDefect::None | RcdDefect::Sticky => self.rcd_trigger_is_on(),
            RcdDefect::Tripped => true,
            RcdDefect::Deaf => false,
            RcdDefect::Flutter => self.odd_round,
        }
    }

    pub fn inputs(&self) -> Result<Inputs, SensorFault> {
        let unreadable =
            [self.contactor_defect, self.relay_2_defect].contains(&ContactorDefect::Unreadable);
        if self.inputs_fail || unreadable {
            return Err(SensorFault);
        }
        let rcd_feedback = u8::from(!self.rcd_is_tripped()) << 1;
        Ok(Inputs {
            relay_1_sense: self.contactor_defect.feedback(self.relay_1, self.odd_round),
            relay_2_sense: self.relay_2_defect.feedback(self.relay_2, self.odd_round),
            lock_driver_fault: self.lock_defect == LockDefect::Driver,
            digital: DigitalInputs(self.digital & !0b10 | rcd_feedback),
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
    pub fn sample(&mut self) -> Sample {
        let charged = !matches!(
            self.lock_defect,
            LockDefect::CapacitorEmpty | LockDefect::Starved
        );
        self.odd_round = self.flutters() && !self.odd_round;
        Sample {
            pilot: self.peaks(),
            pilot_in_reset: Some(self.peaks_in_reset()),
            proximity: Ok(Millivolts(self.proximity)),
            lock_sense: Ok(self.lock_sense()),
            lock_capacitor: Ok(Millivolts(if charged { 11_800 } else { 2_000 })),
            inputs: self.inputs(),
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
        rcd: None,
        emergency: None,
        relay_2: SecondRelay::Ventilation(Ventilation::NONE),
        wake_up: WakeUp::default(),
    }
}

/// The factory's wiring: feedback on DIGITAL_IN_2, high is normal, trigger on
/// DIGITAL_OUT_4, and the times of a Western Automation RCM14-01.
pub fn with_rcd(config: Config) -> Config {
    let test = DigitalOutput::new(4, true).map(|trigger| RcdTest {
        trigger,
        trigger_ms: 815,
        check_tripped_ms: 810,
        check_normal_ms: 410,
    });
    let rcd = DigitalInput::new(2, false).map(|feedback| RcdMonitor { feedback, test });
    Config { rcd, ..config }
}

/// The emergency input on DIGITAL_IN_1, high is the alarm.
pub fn with_emergency(config: Config) -> Config {
    Config {
        emergency: DigitalInput::new(1, true),
        ..config
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
    pub pace: Pace,
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
            pace: Pace::Brisk,
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
        self.pace = step.pace;
        self.events.extend(step.events.iter());
        self.world.apply(&step.actuation);
    }

    pub fn request(&mut self, request: Request) {
        self.input(Input::Request(request));
    }

    /// One cycle: 10 ms pass, then a round of measurements.
    pub fn cycle(&mut self) {
        self.now = self.now.after(CYCLE_MS);
        let sample = self.world.sample();
        self.input(Input::Sample(sample));
    }

    /// A quick look at the inputs, without a round.
    pub fn look(&mut self) {
        self.input(Input::Inputs(self.world.inputs()));
    }

    pub fn run(&mut self, duration: u64) {
        for _ in 0..duration / CYCLE_MS {
            self.cycle();
        }
    }

    /// As [`Bench::run`] with a round every 90 ms, for hours and days.
    pub fn run_long(&mut self, duration: u64) {
        for _ in 0..duration / 90 {
            self.now = self.now.after(90);
            let sample = self.world.sample();
            self.input(Input::Sample(sample));
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
