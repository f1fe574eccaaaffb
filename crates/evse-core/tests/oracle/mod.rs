//! The safety rules S1, S2, S4, S5, S6, S8 and S9, judged from what goes into the
//! machine and what comes out of it, without a look at its code or its state.
//!
//! Like the machine it remembers only deadlines, so equal situations at
//! different times can be recognised as equal.

use evse_core::*;

/// The machine opens 15 ms after a doubtful round; the rule allows 20 ms (S2).
const OPEN_MS: u64 = 20;
const STALE_MS: u64 = 100;
/// 250 ms reaction, 10 ms debouncing, one round.
const FEEDBACK_MS: u64 = 270;
/// 500 ms monitoring and one round.
const LOCK_MS: u64 = 520;
/// 50 ms settling and one round.
const CABLE_MS: u64 = 70;
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Oracle {
    config: Config,
    // what went in
    rounds_without_request: u8,
    rounds_with_request: u8,
    last_level: Level,
    ev_seen: bool,
    no_request: Since,
    stale: Since,
    feedback: Option<bool>,
    mismatch: Since,
    unreadable: Since,
    unlocked: Since,
    locked_now: bool,
    bad_cable: Since,
    cable: Option<Amperes>,
    cable_settling: Since,
    dynamic: [Option<Amperes>; DynamicSlot::COUNT],
    ocpp: Option<Amperes>,
    limit_seen: bool,
    grant: Grant,
    broker: bool,
    backend: Operation,
    customer: Operation,
    // what came out
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
            ev_seen: false,
            no_request: Since::default(),
            stale: Since(Some(now.after(STALE_MS))),
            feedback: None,
            mismatch: Since::default(),
            unreadable: Since::default(),
            unlocked: Since::default(),
            locked_now: false,
            bad_cable: Since::default(),
            cable: None,
            cable_settling: Since::default(),
            dynamic: [None; DynamicSlot::COUNT],
            ocpp: None,
            limit_seen: false,
            grant: Grant::Revoked,
            broker: false,
            backend: Operation::Operative,
            customer: Operation::Operative,
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
            Input::Sample(sample) => self.measure(now, sample),
            Input::Request(request) => self.request(*request),
            Input::Inputs(_) | Input::Tick => {}
        }
        let verdict = self.rules(now, input, step);
        self.note(now, &step.actuation);
        verdict
    }

    fn measure(&mut self, now: Millis, sample: &Sample) {
        let requested = requests(sample.pilot, self.driven, self.config.always_accept_state_d);
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
        let level = level(sample.pilot, self.driven);
        if !self.stale.too_long(now) && self.last_level == level {
            self.watch_ev(level);
        }
        self.last_level = level;
        if sample.pilot.is_ok() {
            self.stale = Since(Some(now.after(STALE_MS)));
        }
        self.measure_feedback(now, sample);
        if let Connection::Socket { .. } = self.config.connection {
            self.locked_now = sample
                .lock_sense
                .is_ok_and(|sense| (0..=850).contains(&sense.0));
            self.unlocked.hold(!self.locked_now, now.after(LOCK_MS));
            let cable = sample.proximity.ok().and_then(cable_rating);
            self.bad_cable.hold(cable.is_none(), now.after(CABLE_MS));
            self.cable_settling
                .hold(self.cable != cable, now.after(CABLE_MS));
            if self.cable_settling.too_long(now) || self.cable.is_none() {
                self.cable = cable;
                self.cable_settling = Since::default();
            }
        }
    }

    /// Two rounds agree on `level`. A grant for one session ends with the EV's leaving.
    fn watch_ev(&mut self, level: Level) {
        match level {
            Level::B | Level::C | Level::D => self.ev_seen = true,
            Level::A if self.ev_seen => {
                self.ev_seen = false;
                if self.grant == Grant::OneSession {
                    self.grant = Grant::Revoked;
                }
            }
            Level::A | Level::Unclear => {}
        }
    }

    fn measure_feedback(&mut self, now: Millis, sample: &Sample) {
        if !self.has_feedback() {
            return;
        }
        let active_is_closed = self.config.contactor_feedback == Feedback::NormallyOpen;
        self.feedback = sample
            .inputs
            .ok()
            .map(|inputs| inputs.relay_1_sense == active_is_closed);
        let mismatch = self.feedback.is_some_and(|closed| closed != self.relay);
        self.mismatch.hold(mismatch, now.after(FEEDBACK_MS));
        self.unreadable
            .hold(self.feedback.is_none(), now.after(FEEDBACK_MS));
        self.condemned |= self.mismatch.too_long(now) || self.unreadable.too_long(now);
    }

    fn request(&mut self, request: Request) {
        let method = self.config.authentication;
        match request {
            Request::DynamicLimit(slot, limit) => {
                self.limit_seen = true;
                if let Some(index) = index(slot) {
                    self.dynamic[index] = limit;
                }
            }
            Request::RemoveDynamicLimit(slot) => {
                if let Some(index) = index(slot) {
                    self.dynamic[index] = None;
                }
            }
            Request::OcppLimit(limit) => {
                self.limit_seen = true;
                self.ocpp = limit;
            }
            Request::Authorization(grant) => match method {
                Authentication::Mqtt | Authentication::Ocpp => self.grant = grant,
                Authentication::Free | Authentication::KeySwitch(_) => {}
            },
            Request::BrokerLost => {
                self.broker = false;
                if !self.ev_seen {
                    self.grant = Grant::Revoked;
                }
            }
            Request::BrokerConnected => self.broker = true,
            Request::CustomerOperation(wish) => self.customer = wish,
            Request::BackendOperation(wish) => self.backend = wish,
            Request::Unlock | Request::TestRcd => {}
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
        let granted = match self.config.authentication {
            Authentication::Free | Authentication::KeySwitch(_) => true,
            Authentication::Mqtt | Authentication::Ocpp => self.grant != Grant::Revoked,
        };
        let offered = match a.pilot {
            PilotOutput::Duty(duty) => duty.offered(),
            PilotOutput::Released => None,
        };
        let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };

        rule(
            !a.relay_2 && a.outputs == DigitalOutputs(0),
            "only relay 1 is in use",
        )?;
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
            let operative =
                (self.backend, self.customer) == (Operation::Operative, Operation::Operative);
            rule(
                operative,
                "AV-010: no session starts when inoperative is wanted",
            )?;
            rule(self.ev_seen, "a session starts with an EV")?;
            rule(
                !socket || !self.bad_cable.too_long(now),
                "PP-008: or with a bad cable",
            )?;
        }
        if a.lock_drive == LockDrive::Unlock {
            rule(!a.relay_1, "S4: no unlocking while commanded closed")?;
            let open = !self.has_feedback() || self.feedback == Some(false);
            rule(open, "S4: no unlocking without proof of an open contactor")?;
        }
        if !socket {
            rule(
                a.lock_drive == LockDrive::Coast,
                "a fixed cable has no lock",
            )?;
        }
        if self.condemned {
            rule(!a.relay_1, "S8: a contradicting contactor stays open")?;
            let minus = a.pilot == PilotOutput::Duty(DutyCycle::ZERO);
            rule(minus, "S8: a contactor error is state F until restart")?;
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
            rule(!self.stale.too_long(now), "S8: a frozen pilot opens")?;
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
                    !self.bad_cable.too_long(now),
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

    fn note(&mut self, now: Millis, actuation: &Actuation) {
        if actuation.relay_1 != self.relay {
            let ready = self.may_close.0.unwrap_or(now);
            let wait = if actuation.relay_1 {
                PERIOD_MS
            } else {
                REST_MS
            };
            self.may_close = Since(Some(ready.max(now.after(wait))));
            // A new command gives the contactor its time again.
            self.mismatch = Since::default();
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

fn level(round: Result<PilotPeaks, SensorFault>, driven: PilotOutput) -> Level {
    let (Ok(peaks), PilotOutput::Duty(duty)) = (round, driven) else {
        return Level::Unclear;
    };
    let negative = peaks.negative.0;
    let in_range = (-13_000..-11_000).contains(&negative) || (-1_000..=13_000).contains(&negative);
    if duty.offered().is_some() != (negative < -11_000) || !in_range {
        return Level::Unclear;
    }
    match peaks.positive.0 {
        11_000..=13_000 => Level::A,
        8_000..=9_999 => Level::B,
        5_000..=6_999 => Level::C,
        2_000..=3_999 => Level::D,
        _ => Level::Unclear,
    }
}

/// Whether a round shows a request for energy; `None` in a band of hysteresis.
fn requests(
    round: Result<PilotPeaks, SensorFault>,
    driven: PilotOutput,
    accepts_state_d: bool,
) -> Option<bool> {
    match level(round, driven) {
        Level::C => Some(true),
        Level::D => Some(accepts_state_d),
        Level::A | Level::B => Some(false),
        Level::Unclear => match round {
            Ok(peaks) if [4, 7].contains(&(peaks.positive.0 / 1_000)) => None,
            Ok(_) | Err(SensorFault) => Some(false),
        },
    }
}

fn cable_rating(voltage: Millivolts) -> Option<Amperes> {
    match voltage.0 {
        1_813..=2_458 => Some(Amperes::new(13)),
        1_170..=1_812 => Some(Amperes::new(20)),
        891..=1_169 => Some(Amperes::new(32)),
        751..=890 => Some(Amperes::new(63)),
        _ => None,
    }
}

fn index(slot: DynamicSlot) -> Option<usize> {
    (0..DynamicSlot::COUNT).find(|index| DynamicSlot::new(*index) == Some(slot))
}
