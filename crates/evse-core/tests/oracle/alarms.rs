//! The rules of emergency input, residual current device and second relay.

use super::*;

impl Oracle {
    /// Whether an EV in state D may charge (guide 15.19 table 80).
    pub(super) fn accepts_state_d(
        &mut self,
        now: Millis,
        inputs: Result<Inputs, SensorFault>,
    ) -> bool {
        let ventilated = match self.config.relay_2 {
            SecondRelay::PhaseSwitch(_) => false,
            SecondRelay::Ventilation(fan) => {
                fan.enabled
                    && match fan.control {
                        VentilationControl::External => self.ventilation_announced == (true, true),
                        VentilationControl::Internal => self.fan_runs(now, fan.feedback, inputs),
                    }
            }
        };
        self.config.always_accept_state_d || ventilated
    }

    /// A feedback that said so without the fan is not believed until it has shown rest.
    fn fan_runs(
        &mut self,
        now: Millis,
        feedback: Feedback,
        inputs: Result<Inputs, SensorFault>,
    ) -> bool {
        if feedback == Feedback::None {
            return self.relay_2;
        }
        let active_is_running = feedback == Feedback::NormallyOpen;
        let runs = inputs
            .ok()
            .map(|inputs| inputs.relay_2_sense == active_is_running);
        let contradicts = runs == Some(true) && !self.relay_2;
        self.fan_contradicts
            .hold(contradicts, now.after(FEEDBACK_MS));
        self.fan_lies |= self.fan_contradicts.too_long(now);
        self.fan_lies &= runs != Some(false);
        self.relay_2 && runs == Some(true) && !self.fan_lies
    }

    /// S3, and what the residual current device asks for.
    pub(super) fn alarm_rules(&self, step: &Step) -> Result<(), &'static str> {
        let a = &step.actuation;
        let closes = a.relay_1 && !self.relay;
        let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };
        rule(
            self.emergency.on != Some(true) || !a.relay_1,
            "S3: an emergency opens at the first look",
        )?;
        rule(
            !self.emergency.twice || a.pilot == PilotOutput::Duty(DutyCycle::ZERO),
            "EMG-004: an emergency is state F",
        )?;
        rule(
            !closes || !self.emergency_latched,
            "S1: after an emergency the EV has to leave",
        )?;
        rule(
            self.rcd.on != Some(true) || !a.relay_1,
            "S3: a tripped RCD opens at the first look",
        )?;
        rule(
            !closes || !self.rcd_latched,
            "S1: after a ground failure the EV has to leave",
        )?;
        let test = self.config.rcd.and_then(|monitor| monitor.test);
        match test {
            None => rule(a.outputs == DigitalOutputs(0), "no output is in use"),
            Some(test) if a.outputs == test.trigger.level(true) => {
                rule(!a.relay_1, "RCD-021: no test of a closed contactor")?;
                rule(self.feedback != Some(true), "RCD-021: nor of a welded one")
            }
            Some(test) => {
                rule(
                    a.outputs == test.trigger.level(false),
                    "only the trigger is in use",
                )?;
                rule(!closes || !self.testing, "S1: no closing in a test")?;
                rule(!closes || self.tested, "RCD-019: no session without a test")
            }
        }
    }

    pub(super) fn second_relay_rules(
        &self,
        now: Millis,
        input: &Input,
        step: &Step,
    ) -> Result<(), &'static str> {
        let a = &step.actuation;
        let failed = a.pilot == PilotOutput::Duty(DutyCycle::ZERO);
        let rule = |holds: bool, name| if holds { Ok(()) } else { Err(name) };
        if a.pilot == PilotOutput::Released {
            let wake_up = self.config.wake_up;
            rule(
                wake_up.after_authorization || wake_up.after_timeout,
                "CP-024: no wake-up unless configured",
            )?;
            rule(!a.relay_1, "S1: no closed contactor without a pilot")?;
        }
        match self.config.relay_2 {
            SecondRelay::Ventilation(fan) => {
                let customers = fan.control == VentilationControl::External;
                rule(
                    !a.relay_2 || fan.enabled || customers,
                    "VENT-001: relay 2 is unused",
                )?;
                rule(!a.relay_2 || !failed, "VENT-015: no fan in the safe state")
            }
            SecondRelay::PhaseSwitch(_) if a.relay_2 && !self.relay_2 => {
                rule(!a.relay_1, "PH-012: the second contactor closes first")?;
                rule(
                    matches!(input, Input::Sample(_)),
                    "S9: only a measurement closes",
                )
            }
            SecondRelay::PhaseSwitch(_) if !a.relay_2 && self.relay_2 => {
                rule(
                    !a.relay_1 && (!self.relay || failed),
                    "PH-013: and opens last",
                )?;
                rule(
                    self.feedback != Some(true) || failed,
                    "PH-013: when the first one is open",
                )
            }
            SecondRelay::PhaseSwitch(_) if a.relay_1 && !self.relay => {
                let in_place = if a.relay_2 {
                    self.pulled_in.too_long(now)
                } else {
                    self.second_feedback == Some(false)
                };
                rule(in_place, "PH-012: the second contactor is in its place")
            }
            SecondRelay::PhaseSwitch(_) => Ok(()),
        }
    }
}
