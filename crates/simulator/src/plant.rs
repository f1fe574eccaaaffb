//! The plant: everything physical at and behind the board's terminals, advanced
//! by a clock that others own.

pub mod contactor;
pub mod emergency;
pub mod lock;
pub mod pilot;
pub mod plug;
pub mod rcd;
pub mod sensors;
pub mod vehicle;

use board::electrics::{AdcCounts, SensorFault};
pub use board::lines::OutputLine;
use board::lines::{InputLevels, InputLine, OutputLevels};

use crate::Readings;
use crate::edges::{EdgeLog, Signal};
use contactor::Contactor;
use emergency::EmergencySwitch;
use lock::{Bolt, Lock};
use pilot::{Diode, Extremes, Generator, PeakDetectors, PilotWire};
use plug::{Cable, PlugHeld};
use rcd::Rcd;
use sensors::{AdcFaults, RotarySwitch};
use vehicle::Vehicle;

/// Physics never takes a longer step than this.
const STEP_US: u64 = 1000;
const PILOT_PERIOD_NS: u32 = 1_000_000;

/// The physical world of one station. Its public fields are what a tester may
/// turn, break or replace; what the board drives goes through
/// [`set_lines`](Self::set_lines) and [`set_pilot_pwm`](Self::set_pilot_pwm).
#[derive(Debug)]
pub struct Plant {
    /// The vehicle, at the cable or away.
    pub vehicle: Vehicle,
    /// The vehicle's diode.
    pub diode: Diode,
    /// The pilot's wire.
    pub pilot_wire: PilotWire,
    /// The plug lock.
    pub lock: Lock,
    /// The contactors of relay 1 and relay 2.
    pub contactors: [Contactor; 2],
    /// Relay 2 switches L2 and L3 in series with relay 1; otherwise relay 1
    /// switches all phases and relay 2 something else.
    pub relay_2_switches_l2_l3: bool,
    /// The residual current device.
    pub rcd: Rcd,
    /// The emergency switch.
    pub emergency: EmergencySwitch,
    /// Broken ADC channels.
    pub adc_faults: AdcFaults,
    /// The rotary switch SW2.
    pub rotary: RotarySwitch,
    /// The input lines can't be read.
    pub input_lines_fail: bool,
    /// An output line that refuses to be written.
    pub refused_line: Option<OutputLine>,
    /// The pilot's generator refuses to be written.
    pub pilot_pwm_refused: bool,
    /// The board takes requests, does nothing and doesn't answer.
    pub board_is_silent: bool,
    /// Phase to neutral, in volts.
    pub voltage: [f64; 3],
    /// In hertz.
    pub frequency: f64,
    /// Energy runs this many times faster than the clock.
    pub energy_factor: f64,
    cable: Option<Cable>,
    digital_inputs: u8,
    outputs: [bool; OutputLine::ALL.len()],
    duty_ns: u32,
    pwm_enabled: bool,
    peaks: PeakDetectors,
    energy_wh: f64,
    now_us: u64,
    edges: EdgeLog,
}

impl Plant {
    /// A healthy station without a cable, all lines as the board's boot loader
    /// leaves them, at this time of the monotonic clock.
    pub fn new(now_us: u64) -> Self {
        let mut plant = Self {
            vehicle: Vehicle::default(),
            diode: Diode::default(),
            pilot_wire: PilotWire::default(),
            lock: Lock::default(),
            contactors: Default::default(),
            relay_2_switches_l2_l3: false,
            rcd: Rcd::default(),
            emergency: EmergencySwitch::default(),
            adc_faults: AdcFaults::default(),
            rotary: RotarySwitch::default(),
            input_lines_fail: false,
            refused_line: None,
            pilot_pwm_refused: false,
            board_is_silent: false,
            voltage: [230.0, 230.0, 230.0],
            frequency: 50.0,
            energy_factor: 1.0,
            cable: None,
            digital_inputs: 0,
            outputs: [false; OutputLine::ALL.len()],
            duty_ns: 0,
            pwm_enabled: false,
            peaks: PeakDetectors::default(),
            energy_wh: 12_345_678.0,
            now_us,
            edges: EdgeLog::default(),
        };
        // The boot loader drives the lock motor's inverted input high early.
        plant.outputs[OutputLine::Motor1In1N as usize] = true;
        plant.note_edges();
        plant
    }

    /// Let time pass.
    pub fn advance(&mut self, dt_us: u64) {
        let mut left = dt_us;
        while left > 0 {
            let step = left.min(STEP_US);
            self.step(step);
            left -= step;
        }
    }

    /// Let time pass until the monotonic clock shows `now_us`.
    pub fn advance_to(&mut self, now_us: u64) {
        self.advance(now_us.saturating_sub(self.now_us));
    }

    fn step(&mut self, dt_us: u64) {
        self.now_us += dt_us;
        let seen_by_vehicle = self.pilot_at_inlet();
        self.vehicle.advance(dt_us, seen_by_vehicle);
        for contactor in &mut self.contactors {
            contactor.advance(dt_us);
        }
        let (in1, in2) = (
            !self.output(OutputLine::Motor1In1N),
            self.output(OutputLine::Motor1In2),
        );
        self.lock.advance(dt_us, in1, in2);
        self.rcd.advance(dt_us, self.digital_outputs());
        self.see_peaks();
        self.meter(dt_us);
        self.note_edges();
    }

    fn see_peaks(&mut self) {
        let seen = self.pilot_extremes();
        let positive_reset = self.output(OutputLine::CpPositivePeakReset);
        let negative_reset = self.output(OutputLine::CpNegativePeakReset);
        self.peaks.see(seen, positive_reset, negative_reset);
    }

    fn meter(&mut self, dt_us: u64) {
        let power: f64 = self
            .voltage
            .iter()
            .zip(self.line_currents())
            .map(|(u, i)| u * i)
            .sum();
        self.energy_wh += power * dt_us as f64 / 3.6e9 * self.energy_factor;
    }

    fn note_edges(&mut self) {
        let outputs =
            (0..6).map(|n| u8::from(self.outputs[OutputLine::DigitalOut1 as usize + n]) << n);
        let levels = [
            (
                Signal::Relay1Command,
                i64::from(self.output(OutputLine::Relay1Enable)),
            ),
            (
                Signal::Relay2Command,
                i64::from(self.output(OutputLine::Relay2Enable)),
            ),
            (Signal::Contact1, i64::from(self.contactors[0].is_closed())),
            (Signal::Contact2, i64::from(self.contactors[1].is_closed())),
            (Signal::PilotDutyNs, i64::from(self.duty_ns)),
            (
                Signal::PilotDriven,
                i64::from(self.output(OutputLine::CpInvert)),
            ),
            (
                Signal::VehicleLoad,
                self.vehicle.state() as i64 - 'A' as i64,
            ),
            (
                Signal::LockBolt,
                match self.lock.bolt() {
                    Bolt::Unlocked => 0,
                    Bolt::Locked => 1,
                    Bolt::Between => 2,
                },
            ),
            (Signal::DigitalInputs, self.digital_inputs().into()),
            (Signal::DigitalOutputs, outputs.sum::<u8>().into()),
            (Signal::RcdTripped, i64::from(self.rcd.is_tripped())),
            (Signal::EmergencyPressed, i64::from(self.emergency.pressed)),
        ];
        for (signal, level) in levels {
            self.edges.note(self.now_us, signal, level);
        }
    }
}

/// The board's side of the terminals.
impl Plant {
    /// Drive output lines; `false` when one of them refuses.
    pub fn set_lines(&mut self, levels: OutputLevels) -> bool {
        if self
            .refused_line
            .is_some_and(|line| levels.level(line).is_some())
        {
            return false;
        }
        for (line, high) in levels.iter() {
            self.outputs[line as usize] = high;
        }
        self.contactors[0].set_coil(self.output(OutputLine::Relay1Enable));
        self.contactors[1].set_coil(self.output(OutputLine::Relay2Enable));
        self.see_peaks();
        self.note_edges();
        true
    }

    /// Drive the pilot's generator; `false` when it refuses.
    pub fn set_pilot_pwm(&mut self, duty_ns: u32, enabled: bool) -> bool {
        if self.pilot_pwm_refused {
            return false;
        }
        self.duty_ns = duty_ns.min(PILOT_PERIOD_NS);
        self.pwm_enabled = enabled;
        self.note_edges();
        true
    }

    /// One conversion of each channel.
    pub fn adc_counts(&self) -> AdcCounts {
        let fault = &self.adc_faults;
        AdcCounts {
            lock_sense: fault.lock_sense.distort(self.lock_sense_raw()),
            pilot_positive: fault
                .pilot_positive
                .distort(pilot::adc_raw(self.peaks.positive)),
            pilot_negative: fault
                .pilot_negative
                .distort(pilot::adc_raw(self.peaks.negative)),
            lock_capacitor: fault.lock_capacitor.distort(self.capacitor_raw()),
            proximity: fault.proximity.distort(self.proximity_raw()),
        }
    }

    /// Levels of all input lines.
    ///
    /// # Errors
    /// When they were made to fail.
    pub fn input_levels(&self) -> Result<InputLevels, SensorFault> {
        use InputLine as L;
        if self.input_lines_fail {
            return Err(SensorFault);
        }
        let mut levels = InputLevels::default()
            .with(L::Relay1Sense, self.contactors[0].sense())
            .with(L::Relay2Sense, self.contactors[1].sense())
            .with(L::Motor1FaultN, !self.lock.driver_fault);
        let digital = self.digital_inputs();
        for (n, line) in L::DIGITAL.into_iter().enumerate() {
            levels = levels.with(line, digital >> n & 1 == 1);
        }
        // A contact that is on pulls its line low.
        let position = self.rotary.contacts(self.now_us);
        for (n, line) in [L::Rotary1N, L::Rotary2N, L::Rotary4N, L::Rotary8N]
            .into_iter()
            .enumerate()
        {
            levels = levels.with(line, position >> n & 1 == 0);
        }
        Ok(levels)
    }

    /// What is wired to an input drives it; the others have the level set by hand.
    fn digital_inputs(&self) -> u8 {
        [self.rcd.feedback(), self.emergency.level()]
            .into_iter()
            .flatten()
            .fold(self.digital_inputs, |levels, (input, high)| {
                with_input(levels, input, high)
            })
    }

    fn output(&self, line: OutputLine) -> bool {
        self.outputs[line as usize]
    }

    fn lock_sense_raw(&self) -> u16 {
        count(f64::from(self.lock.sense_mv()) / 1000.0)
    }

    fn capacitor_raw(&self) -> u16 {
        count(self.lock.capacitor() * 22.0 / 90.0)
    }

    fn proximity_raw(&self) -> u16 {
        count(f64::from(plug::proximity_mv(self.cable)) / 1000.0)
    }
}

/// What a person or a mishap does.
impl Plant {
    /// Put a cable between station and vehicle. An attached cable ([`Cable::Fixed`])
    /// only gets its vehicle.
    pub fn plug_in(&mut self, cable: Cable) {
        self.insert_cable(cable);
        self.connect_vehicle();
    }

    /// Put a cable's plug into the socket; its other end hangs free.
    pub fn insert_cable(&mut self, cable: Cable) {
        self.cable = Some(cable);
        self.note_edges();
    }

    /// Plug the cable's coupler into the vehicle.
    pub fn connect_vehicle(&mut self) {
        self.vehicle.connect();
        self.note_edges();
    }

    /// Take the coupler out of the vehicle; the cable stays in the socket.
    pub fn disconnect_vehicle(&mut self) {
        self.vehicle.disconnect();
        self.note_edges();
    }

    /// Pull at the plug.
    ///
    /// # Errors
    /// When the bolt holds it: nothing has changed then.
    pub fn unplug(&mut self) -> Result<(), PlugHeld> {
        let held = self.cable.is_some_and(|cable| cable != Cable::Fixed);
        if held && self.lock.bolt() != Bolt::Unlocked {
            return Err(PlugHeld);
        }
        self.pull_out();
        Ok(())
    }

    /// Take the plug out, bolt or not.
    pub fn pull_out(&mut self) {
        self.cable = None;
        self.disconnect_vehicle();
    }

    /// The vehicle's charger wants energy from now on.
    pub fn request_energy(&mut self) {
        self.vehicle.request_energy();
        self.note_edges();
    }

    /// The vehicle's charger is done: S2 opens at once.
    pub fn stop_request(&mut self) {
        self.vehicle.stop_request();
        self.note_edges();
    }

    /// Set one digital input, 1 to 6; others don't exist. An input that the
    /// residual current device or the emergency switch drives keeps its level.
    pub fn set_digital_input(&mut self, input: u8, high: bool) {
        if (1..=6).contains(&input) {
            self.digital_inputs = with_input(self.digital_inputs, input, high);
            self.note_edges();
        }
    }

    /// Press the emergency switch, or pull it out again.
    pub fn press_emergency(&mut self, pressed: bool) {
        self.emergency.pressed = pressed;
        self.note_edges();
    }

    /// Let a current flow to earth, in mA.
    pub fn leak(&mut self, milliamperes: f64) {
        self.rcd.residual_ma = milliamperes;
    }
}

/// What a person with instruments sees.
impl Plant {
    /// Microseconds of the monotonic clock.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// The edges so far.
    pub fn edges(&self) -> &EdgeLog {
        &self.edges
    }

    /// Whether relay 1 or 2 (index 0 or 1) is commanded closed.
    pub fn relay_commands(&self) -> [bool; 2] {
        [
            self.output(OutputLine::Relay1Enable),
            self.output(OutputLine::Relay2Enable),
        ]
    }

    /// What the pilot's output stage does.
    pub fn generator(&self) -> Generator {
        if !self.output(OutputLine::CpInvert) {
            return Generator::Released;
        }
        // A generator that is switched off rests low.
        let active = if self.pwm_enabled { self.duty_ns } else { 0 };
        Generator::Driven(f64::from(active) / f64::from(PILOT_PERIOD_NS))
    }

    /// Voltages at the board's pilot terminal.
    pub fn pilot_extremes(&self) -> Extremes {
        pilot::extremes(
            self.generator(),
            self.pilot_wire,
            self.vehicle.load(),
            self.diode,
        )
    }

    /// The cable in the socket.
    pub fn cable(&self) -> Option<Cable> {
        self.cable
    }

    /// DIGITAL_OUT_1 to DIGITAL_OUT_6.
    pub fn digital_outputs(&self) -> [bool; 6] {
        std::array::from_fn(|n| self.outputs[OutputLine::DigitalOut1 as usize + n])
    }

    /// Whether the fan on relay 2 turns: not where relay 2 switches phases.
    pub fn fan_turns(&self) -> bool {
        !self.relay_2_switches_l2_l3 && self.contactors[1].is_closed()
    }

    /// Current in L1 to L3, in amperes: only through closed contacts into a
    /// vehicle that is there.
    pub fn line_currents(&self) -> [f64; 3] {
        let l1 = self.contactors[0].is_closed();
        let l2_l3 = l1 && (!self.relay_2_switches_l2_l3 || self.contactors[1].is_closed());
        let demand = self.vehicle.demand();
        let phases = usize::from(self.vehicle.settings.phases);
        let live = [l1, l2_l3, l2_l3];
        std::array::from_fn(|n| if live[n] && n < phases { demand } else { 0.0 })
    }

    /// The supply line as a meter sees it.
    pub fn readings(&self) -> Readings {
        Readings {
            voltage: self.voltage,
            current: self.line_currents(),
            energy_wh: self.energy_wh,
            frequency: self.frequency,
        }
    }

    fn pilot_at_inlet(&self) -> Generator {
        match self.pilot_wire {
            PilotWire::Whole => self.generator(),
            PilotWire::ShortedToPe | PilotWire::Cut => Generator::Released,
        }
    }
}

/// `levels` with the input of this number, 1 to 6, changed.
fn with_input(levels: u8, input: u8, high: bool) -> u8 {
    let bit = 1 << (input - 1);
    if high { levels | bit } else { levels & !bit }
}

/// Raw count of the 12 bit ADC for a voltage at its pin.
fn count(volts: f64) -> u16 {
    (volts / 3.3 * 4095.0).round().clamp(0.0, 4095.0) as u16
}

#[cfg(test)]
mod tests;
