//! The safety rules S1 to S6, S8 and S9, judged from what goes into the
//! machine and what comes out of it, without a look at its code or its state.
//!
//! Like the machine it remembers only deadlines, so equal situations at
//! different times can be recognised as equal.

mod alarms;
mod feedback;
mod readings;
mod wishes;

use evse_core::*;
use readings::*;
use wishes::Memory;

/// The machine opens 15 ms after a doubtful round; the rule allows 20 ms (S2).
const OPEN_MS: u64 = 20;
const STALE_MS: u64 = 100;
/// 250 ms reaction, 10 ms debouncing, one round.
const FEEDBACK_MS: u64 = 270;
/// The same for one that says something else all the time: one slow round more.
const UNSTEADY_MS: u64 = 360;
/// The machine's 10 ms of debouncing.
const BOUNCE_MS: u64 = 10;
/// What a contactor takes to open. Until then a feedback that has contradicted is no proof.
const DROP_MS: u64 = 250;
/// The key switch bounces for less.
const KEY_MS: u64 = 50;
/// A little less than the 10 s of an open feedback that end its being unreadable.
const TRUST_MS: u64 = 9_900;
/// 100 ms monitoring and one round.
const LOCK_MS: u64 = 120;
/// 250 ms without a working reset, 15 ms and one slow round.
const FROZEN_MS: u64 = 360;
/// More contradicting rounds out of 20 are no disturbance.
const ODD_ROUNDS: u32 = 7;
/// 50 ms settling and one round.
const CABLE_MS: u64 = 70;
/// 100 ms without agreement and one slow round.
const FLUTTER_MS: u64 = 200;
const GRACE_MS: u64 = 6_000;
const REST_MS: u64 = 6_000;
const PERIOD_MS: u64 = 10_000;

/// Since when a condition holds, expressed as when it has held for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Since(Option<Millis>);

impl Since {
    fn hold(&mut self, holds: bool, until: Millis) {
        self.0 = if holds { self.0.or(Some(until)) } else { None };
    }

    fn too_long(self, now: Millis) -> bool {
        self.0.is_some_and(|until| now >= until)
    }
}

/// An input that must open the contactor at its first edge (S3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Alarm {
    /// The last look; `None` when it failed.
    on: Option<bool>,
    /// The last two looks showed it on.
    twice: bool,
}

impl Alarm {
    fn look(&mut self, on: Option<bool>) {
        self.twice = on == Some(true) && self.on == Some(true);
        self.on = on;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Oracle {
    config: Config,
    // what went in
    rounds_without_request: u8,
    rounds_with_request: u8,
    last_level: Level,
    /// The last round showed more than an EV leaves of the 12 V.
    unloaded: bool,
    ev_seen: bool,
    no_request: Since,
    stale: Since,
    frozen: Since,
    /// Which of the last 20 rounds with a closed contactor showed no request.
    odd_rounds: u32,
    feedback: Option<bool>,
    mismatch: Since,
    /// A feedback that contradicts the command, and is no bounce.
    contradicts: Since,
    contradicted: bool,
    /// The feedback has said the same for long enough to mean it.
    steady: Since,
    unsteady: Since,
    overdue: Since,
    blind: bool,
    /// An opening that the feedback did not speak for is over.
    dropped: Since,
    seen_open: Since,
    unlocked: Since,
    locked_now: bool,
    cable_band: u8,
    bad_cable: Since,
    bad_cable_for_long: Since,
    cable: Option<Amperes>,
    cable_settling: Since,
    cable_settling_for_long: Since,
    dynamic: [Option<Amperes>; DynamicSlot::COUNT],
    ocpp: Option<Amperes>,
    limit_seen: bool,
    grant: Grant,
    key: bool,
    key_turning: Since,
    broker: bool,
    backend: Operation,
    customer: Operation,
    memory: Memory,
    unlocked_on_request: bool,
    emergency: Alarm,
    /// An emergency has met an EV that has not left since.
    emergency_latched: bool,
    rcd: Alarm,
    rcd_latched: bool,
    rcd_settled_at: Millis,
    second_feedback: Option<bool>,
    second_mismatch: Since,
    ventilation_announced: (bool, bool),
    /// The fan's feedback says that it runs although relay 2 is off.
    fan_contradicts: Since,
    fan_lies: bool,
    // what came out
    triggered: bool,
    testing: bool,
    /// The running test has seen the device tripped.
    trip_seen: bool,
    /// A test has ended since the EV came, and has seen it.
    tested: bool,
    relay_2: bool,
    pulled_in: Since,
    relay: bool,
    driven: PilotOutput,
    may_close: Since,
    withdrawn: Since,
    condemned: bool,
}

impl Oracle {
    pub fn new(config: Config, now: Millis) -> Self {
        Self {
            config,
            rounds_without_request: 0,
            rounds_with_request: 0,
            last_level: Level::Unclear,
            unloaded: false,
            ev_seen: false,
            no_request: Since::default(),
            stale: Since(Some(now.after(STALE_MS))),
            frozen: Since::default(),
            odd_rounds: 0,
            feedback: None,
            mismatch: Since::default(),
            contradicts: Since::default(),
            contradicted: false,
            steady: Since::default(),
            unsteady: Since::default(),
            overdue: Since::default(),
            blind: false,
            dropped: Since(Some(now)),
            seen_open: Since::default(),
            unlocked: Since::default(),
            locked_now: false,
            cable_band: 0,
            bad_cable: Since::default(),
            bad_cable_for_long: Since::default(),
            cable: None,
            cable_settling: Since::default(),
            cable_settling_for_long: Since::default(),
            dynamic: [None; DynamicSlot::COUNT],
            ocpp: None,
            limit_seen: false,
            grant: Grant::Revoked,
            key: false,
            key_turning: Since::default(),
            broker: false,
            backend: Operation::Operative,
            customer: Operation::Operative,
            memory: Memory::new(now),
            unlocked_on_request: false,
            emergency: Alarm::default(),
            emergency_latched: false,
            rcd: Alarm::default(),
            rcd_latched: false,
            rcd_settled_at: now.after(1_000),
            second_feedback: None,
            second_mismatch: Since::default(),
            ventilation_announced: (false, false),
            fan_contradicts: Since::default(),
            fan_lies: false,
            triggered: false,
            testing: false,
            trip_seen: false,
            tested: false,
            relay_2: false,
            pulled_in: Since::default(),
            relay: false,
            driven: Actuation::SAFE.pilot,
            may_close: Since(Some(now.after(REST_MS))),
            withdrawn: Since::default(),
            condemned: false,
        }
    }

    fn has_feedback(&self) -> bool {
        self.config.contactor_feedback != Feedback::None
    }

    /// Takes note of an input and of what the machine makes of it.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn judge(&mut self, now: Millis, input: &Input, step: &Step) -> Result<(), &'static str> {
        match input {
            Input::Sample(sample) => {
                self.look(now, sample.inputs);
                self.measure(now, sample);
            }
            Input::Inputs(inputs) => self.look(now, *inputs),
            Input::Request(request) => self.request(now, *request),
            Input::Tick => {}
        }
        let verdict = self.rules(now, input, step);
        self.note(now, step);
        verdict
    }

    fn look(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>) {
        let on = |input: DigitalInput| inputs.ok().map(|inputs| input.is_on(inputs.digital));
        if let Some(input) = self.config.emergency {
            self.emergency.look(on(input));
            self.emergency_latched |= self.emergency.twice && self.ev_seen;
        }
        if let Some(monitor) = self.config.rcd {
            self.rcd.look(on(monitor.feedback));
            let counts = self.rcd.twice && !self.testing && now > self.rcd_settled_at;
            self.rcd_latched |= counts;
            self.trip_seen |= self.testing && self.rcd.on == Some(true);
        }
    }

    fn measure(&mut self, now: Millis, sample: &Sample) {
        let accepts_state_d = self.accepts_state_d(now, sample.inputs);
        let requested = requests(sample.pilot, self.driven, accepts_state_d);
        match requested {
            Some(true) => {
                self.rounds_with_request = (self.rounds_with_request + 1).min(2);
                self.rounds_without_request = 0;
                self.no_request.hold(false, now);
            }
            Some(false) => {
                self.rounds_with_request = 0;
                self.rounds_without_request = (self.rounds_without_request + 1).min(2);
                self.no_request.hold(true, now.after(OPEN_MS));
            }
            None => {}
        }
        self.odd_rounds = if self.relay {
            (self.odd_rounds << 1 | u32::from(requested == Some(false))) & 0xF_FFFF
        } else {
            0
        };
        self.frozen.hold(!lets_go(sample), now.after(FROZEN_MS));
        let level = level(sample.pilot, self.driven);
        if !self.stale.too_long(now) && self.last_level == level {
            self.watch_ev(level);
        }
        self.last_level = level;
        self.unloaded = sample
            .pilot
            .is_ok_and(|peaks| (10_000..=13_000).contains(&peaks.positive.0));
        if sample.pilot.is_ok() {
            self.stale = Since(Some(now.after(STALE_MS)));
        }
        self.measure_feedback(now, sample);
        self.measure_key(now, sample.inputs);
        if let Connection::Socket { .. } = self.config.connection {
            self.locked_now = sample
                .lock_sense
                .is_ok_and(|sense| (0..=850).contains(&sense.0));
            self.unlocked.hold(!self.locked_now, now.after(LOCK_MS));
            self.measure_cable(now, sample.proximity);
        }
    }

    fn measure_cable(&mut self, now: Millis, voltage: Result<Millivolts, SensorFault>) {
        let band = voltage.map_or(0, band);
        let cable = rating(band);
        if band != self.cable_band {
            self.bad_cable.hold(false, now);
            self.cable_settling.hold(false, now);
        }
        self.cable_band = band;
        self.bad_cable.hold(cable.is_none(), now.after(CABLE_MS));
        self.bad_cable_for_long
            .hold(cable.is_none(), now.after(FLUTTER_MS));
        self.cable_settling
            .hold(self.cable != cable, now.after(CABLE_MS));
        self.cable_settling_for_long
            .hold(self.cable != cable, now.after(FLUTTER_MS));
        let settled =
            self.cable_settling.too_long(now) || self.cable_settling_for_long.too_long(now);
        if settled || self.cable.is_none() {
            self.cable = cable;
            self.cable_settling = Since::default();
            self.cable_settling_for_long = Since::default();
        }
    }

    fn cable_is_bad(&self, now: Millis) -> bool {
        self.bad_cable.too_long(now) || self.bad_cable_for_long.too_long(now)
    }

    /// Two rounds agree on `level`. A grant for one session ends with the EV's leaving.
    fn watch_ev(&mut self, level: Level) {
        match level {
            Level::B | Level::C | Level::D => {
                self.tested &= self.ev_seen;
                self.ev_seen = true;
            }
            Level::A if self.ev_seen => {
                self.ev_seen = false;
                self.unlocked_on_request = false;
                self.emergency_latched &= self.emergency.on != Some(false);
                self.rcd_latched &= self.rcd.on != Some(false);
                if self.grant == Grant::OneSession {
                    self.grant = Grant::Revoked;
                }
            }
            Level::A => {
                self.emergency_latched &= self.emergency.on != Some(false);
                self.rcd_latched &= self.rcd.on != Some(false);
            }
            Level::Unclear => {}
        }
    }

    fn limit(&self) -> Amperes {
        let fixed = match self.config.connection {
            Connection::FixedCable { limit } => Some(limit),
            Connection::Socket { .. } => self.cable,
        };
        let failsafe = if self.limit_seen {
            None
        } else {
            self.config.failsafe
        };
        let physical = self.config.evse_limit.min(self.config.grid_limit);
        self.dynamic
            .iter()
            .copied()
            .chain([fixed, failsafe, self.ocpp])
            .flatten()
            .fold(physical, Amperes::min)
    }

    fn rules(&self, now: Millis, input: &Input, step: &Step) -> Result<(), &'static str> {
        let a = &step.actuation;
        let socket = matches!(self.config.connection, Connection::Socket { .. });
        let granted = self.is_granted();
        let offered = match a.pilot {
            PilotOutput::Duty(duty) => duty.offered(),
            PilotOutput::Released => None,
        };
        let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };

        let rests = !a.relay_1 && !a.relay_2 && a.lock_drive == LockDrive::Coast;
        rule(
            step.pace == Pace::Brisk || (rests && self.unloaded),
            "S2: only without an EV a round may be late",
        )?;
        self.alarm_rules(step)?;
        self.wish_rules(now, step)?;
        self.second_relay_rules(now, input, step)?;
        rule(
            step.deadline.is_none_or(|(at, _)| at > now),
            "a deadline lies in the future",
        )?;
        rule(step.events.iter().count() < 8, "no event is lost")?;
        rule(offered.is_none() || granted, "S1: no offer without a grant")?;
        rule(
            offered.is_none_or(|current| current <= self.limit()),
            "S6: never above a limit",
        )?;
        let enough = self.limit() >= Amperes::MINIMUM_OFFER;
        rule(
            offered.is_none() || enough,
            "S5: nothing is offered below 6 A",
        )?;
        if step
            .events
            .iter()
            .any(|event| event == Event::SessionStarted)
        {
            let revocable = match self.config.authentication {
                Authentication::Free | Authentication::KeySwitch(_) => true,
                Authentication::Mqtt | Authentication::Ocpp => self.broker,
            };
            rule(
                granted && revocable,
                "AUTH: a session starts with a grant that can be revoked",
            )?;
            rule(self.ev_seen, "a session starts with an EV")?;
            rule(
                !socket || !self.cable_is_bad(now),
                "PP-008: or with a bad cable",
            )?;
        }
        if a.lock_drive == LockDrive::Unlock {
            rule(!a.relay_1, "S4: no unlocking while commanded closed")?;
            let open = !self.has_feedback() || self.feedback == Some(false);
            rule(open, "S4: no unlocking without proof of an open contactor")?;
            rule(
                self.dropped.too_long(now),
                "S4: no unlocking on the word of a feedback that has just contradicted",
            )?;
            rule(
                self.second_feedback != Some(true),
                "S4: no unlocking while L2 and L3 are live",
            )?;
        }
        if !socket {
            rule(
                a.lock_drive == LockDrive::Coast,
                "a fixed cable has no lock",
            )?;
        }
        if self.condemned || self.blind {
            rule(!a.relay_1, "S8: a contradicting contactor stays open")?;
            let minus = a.pilot == PilotOutput::Duty(DutyCycle::ZERO);
            rule(minus, "S8: a contactor error is state F")?;
        }
        if a.relay_1 {
            rule(
                self.rounds_without_request < 2,
                "S2: two rounds without request open",
            )?;
            rule(
                !self.no_request.too_long(now),
                "S2: open 20 ms after the EV has left C",
            )?;
            rule(!self.stale.too_long(now), "S8: a silent pilot opens")?;
            rule(!self.frozen.too_long(now), "S8: a frozen pilot opens")?;
            rule(
                self.odd_rounds.count_ones() < ODD_ROUNDS,
                "S8: a pilot that flutters opens",
            )?;
            rule(
                !self.withdrawn.too_long(now),
                "S5: open 6 s after the offer ended",
            )?;
            if socket {
                rule(
                    !self.unlocked.too_long(now),
                    "S1: closed only with a locked plug",
                )?;
                rule(
                    !self.cable_is_bad(now),
                    "S1: closed only with a valid cable",
                )?;
            }
        }
        if a.relay_1 && !self.relay {
            rule(
                matches!(input, Input::Sample(_)),
                "S9: only a measurement closes",
            )?;
            rule(self.rounds_with_request == 2, "S1: closes only in C or D")?;
            rule(offered.is_some(), "S1: closes only under an offer")?;
            let offer_seen = match self.driven {
                PilotOutput::Duty(duty) => duty.offered().is_some(),
                PilotOutput::Released => false,
            };
            rule(offer_seen, "S1: closes only after a round under an offer")?;
            rule(
                self.may_close.too_long(now),
                "CON-015: closes only after its rest",
            )?;
            rule(self.feedback != Some(true), "S8: closes only from open")?;
            rule(
                !socket || self.locked_now,
                "S1: closes only with a locked plug",
            )?;
            rule(
                a.lock_drive == LockDrive::Coast,
                "S1: closes only with the lock at rest",
            )?;
        }
        Ok(())
    }

    fn note(&mut self, now: Millis, step: &Step) {
        self.note_unlocking(step);
        let actuation = &step.actuation;
        if let Some(test) = self.config.rcd.and_then(|monitor| monitor.test) {
            let triggered = actuation.outputs == test.trigger.level(true);
            self.trip_seen &= self.triggered || !triggered;
            self.triggered = triggered;
            self.testing |= triggered;
            if step.events.iter().any(|event| event == Event::RcdTestEnded) {
                self.testing = false;
                self.tested = self.trip_seen;
            }
        }
        if actuation.relay_2 != self.relay_2 {
            self.second_mismatch = Since::default();
        }
        self.relay_2 = actuation.relay_2;
        self.pulled_in.hold(self.relay_2, now.after(100));
        if actuation.relay_1 != self.relay {
            let ready = self.may_close.0.unwrap_or(now);
            let wait = if actuation.relay_1 {
                PERIOD_MS
            } else {
                REST_MS
            };
            self.may_close = Since(Some(ready.max(now.after(wait))));
            let proven = actuation.relay_1 || !self.contradicted;
            self.dropped = Since(Some(now.after(if proven { 0 } else { DROP_MS })));
            // A new command gives the contactor its time again.
            self.mismatch = Since::default();
            self.contradicts = Since::default();
            self.contradicted = false;
            self.unsteady = Since::default();
        }
        self.relay = actuation.relay_1;
        self.driven = actuation.pilot;
        let offers = match actuation.pilot {
            PilotOutput::Duty(duty) => duty.offered().is_some(),
            PilotOutput::Released => false,
        };
        self.withdrawn
            .hold(self.relay && !offers, now.after(GRACE_MS));
    }
}

/// What a round shows when the voltages keep clear of the bands of hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    A,
    B,
    C,
    D,
    Unclear,
}
