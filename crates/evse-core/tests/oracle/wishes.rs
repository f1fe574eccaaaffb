//! What others wish, and the rules of availability and of a plug unlocked on request.

use super::*;

/// What the broker has kept since before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Memory {
    /// From here on it is known, or nobody is there to tell.
    known_at: Millis,
    /// The broker has been there.
    told: bool,
}

impl Memory {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            known_at: now.after(5_000),
            told: false,
        }
    }
}

impl Oracle {
    pub(super) fn request(&mut self, now: Millis, request: Request) {
        self.hear(now, request);
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
                self.ventilation_announced = (false, false);
                if !self.ev_seen {
                    self.grant = Grant::Revoked;
                }
            }
            Request::BrokerConnected => self.broker = true,
            Request::CustomerOperation(wish) => self.customer = wish,
            Request::BackendOperation(wish) => self.backend = wish,
            Request::Unlock
            | Request::TestRcd
            | Request::Phases(_)
            | Request::PhaseSwitchDelay(_)
            | Request::VentilationTarget(_) => {}
            Request::VentilationAvailable(available) => self.ventilation_announced.0 = available,
            Request::VentilationActual(runs) => self.ventilation_announced.1 = runs,
        }
    }

    fn hear(&mut self, now: Millis, request: Request) {
        if request == Request::BrokerConnected && !self.memory.told {
            self.memory = Memory {
                known_at: now.after(2_000),
                told: true,
            };
        }
        if request == Request::Authorization(Grant::Revoked) {
            self.unlocked_on_request = false;
        }
    }

    pub(super) fn wish_rules(&self, now: Millis, step: &Step) -> Result<(), &'static str> {
        let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };
        let operative =
            (self.backend, self.customer) == (Operation::Operative, Operation::Operative);
        let is_told = self.memory.told && now < self.memory.known_at;
        let offers = match step.actuation.pilot {
            PilotOutput::Duty(duty) => duty.offered().is_some(),
            PilotOutput::Released => false,
        };
        rule(
            !offers || !is_told || operative,
            "AV-010: a session that began unaware ends when the broker tells",
        )?;
        if step
            .events
            .iter()
            .any(|event| event == Event::SessionStarted)
        {
            rule(
                operative,
                "AV-010: no session starts when inoperative is wanted",
            )?;
            rule(
                now >= self.memory.known_at,
                "AV-010: nor before that can be known",
            )?;
            rule(
                !self.unlocked_on_request,
                "PL-021: nor after an unlocking, with the grant of before",
            )?;
        }
        Ok(())
    }

    /// The plug was unlocked on request; it stays so until the EV leaves or the grant ends.
    pub(super) fn note_unlocking(&mut self, step: &Step) {
        let ended = step
            .events
            .iter()
            .any(|event| event == Event::SessionEnded(StopReason::UnlockRequested));
        self.unlocked_on_request |= ended && self.is_granted();
    }

    pub(super) fn is_granted(&self) -> bool {
        match self.config.authentication {
            Authentication::Free => true,
            Authentication::KeySwitch(_) => self.key,
            Authentication::Mqtt | Authentication::Ocpp => self.grant != Grant::Revoked,
        }
    }

    /// One that can't be read is off (S8).
    pub(super) fn measure_key(&mut self, now: Millis, inputs: Result<Inputs, SensorFault>) {
        if let Authentication::KeySwitch(input) = self.config.authentication {
            let on = inputs.is_ok_and(|inputs| input.is_on(inputs.digital));
            self.key_turning.hold(on != self.key, now.after(KEY_MS));
            if self.key_turning.too_long(now) {
                self.key = on;
                self.key_turning = Since::default();
            }
        }
    }
}
