//! The levels that follow from the state: permission, limit, availability.

use super::{ChargePoint, Output};

impl ChargePoint {
    /// A change of availability waits while an EV is there or a session goes on (guide 3.3.1).
    pub(super) fn apply_availability(&mut self) {
        let busy = self.busy();
        for (wanted, in_effect) in self
            .availability
            .wanted
            .iter()
            .zip(&mut self.availability.in_effect)
        {
            if *wanted || !busy {
                *in_effect = *wanted;
            }
        }
    }

    pub(super) fn publish_levels(&mut self) {
        let permit = self.permit();
        if let Some(permit) = permit
            && self.settings.authorises
            && self.published.permit != Some(permit)
        {
            self.published.permit = Some(permit);
            self.outputs.push(Output::Permit(permit));
        }
        let limit = self.limit();
        if self.published.limit != Some(limit) {
            self.published.limit = Some(limit);
            self.outputs.push(Output::Limit(limit));
        }
        let operative = self.availability.in_effect == [true, true];
        if self.published.operative != Some(operative) {
            self.published.operative = Some(operative);
            self.outputs.push(Output::Operative(operative));
        }
    }
}
