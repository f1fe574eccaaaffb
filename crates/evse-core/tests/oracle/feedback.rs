//! What the feedback of the contactors says, and for how long.

use super::*;

impl Oracle {
    pub(super) fn measure_feedback(&mut self, now: Millis, sample: &Sample) {
        if let SecondRelay::PhaseSwitch(switch) = self.config.relay_2 {
            let active_is_closed = switch.feedback == Feedback::NormallyOpen;
            self.second_feedback = sample
                .inputs
                .ok()
                .map(|inputs| inputs.relay_2_sense == active_is_closed);
            let first = sample.inputs.ok().map(|inputs| inputs.relay_1_sense);
            // Its coil may hang on the first contactor's output.
            let is_fed = self.relay && first == Some(true);
            let mismatch = match self.second_feedback {
                Some(true) => !self.relay_2,
                Some(false) => self.relay_2 && is_fed,
                None => false,
            };
            self.second_mismatch
                .hold(mismatch, now.after(FEEDBACK_MS + 50));
            self.condemned |= self.second_mismatch.too_long(now);
        }
        if !self.has_feedback() {
            return;
        }
        let active_is_closed = self.config.contactor_feedback == Feedback::NormallyOpen;
        let before = self.feedback;
        self.feedback = sample
            .inputs
            .ok()
            .map(|inputs| inputs.relay_1_sense == active_is_closed);
        let mismatch = self.feedback.is_some_and(|closed| closed != self.relay);
        self.mismatch.hold(mismatch, now.after(FEEDBACK_MS));
        self.contradicts.hold(mismatch, now.after(BOUNCE_MS));
        self.contradicted = self.contradicts.too_long(now);
        if self.feedback != before {
            self.steady = Since::default();
        }
        // Nothing flutters while nobody looks.
        if self.overdue.too_long(now) {
            self.unsteady = Since::default();
        }
        self.overdue = Since(Some(now.after(STALE_MS)));
        self.steady
            .hold(self.feedback.is_some(), now.after(BOUNCE_MS));
        self.unsteady
            .hold(!self.steady.too_long(now), now.after(UNSTEADY_MS));
        self.condemned |= self.mismatch.too_long(now);
        self.blind |= self.unsteady.too_long(now);
        let seen_open = self.blind && self.feedback == Some(false);
        self.seen_open.hold(seen_open, now.after(TRUST_MS));
        self.blind &= !self.seen_open.too_long(now);
    }
}
