//! The pilot's two peak detectors as sensors: a channel that gives the same voltage
//! whatever happens is frozen, and a frozen voltage of state C is the worst of lies.
//!
//! Held in reset a detector lets go of its peak. One that doesn't within
//! [`PROOF_MS`] is frozen, or its reset is broken; either way its peaks say nothing
//! of the line as it is now (S8).

use crate::step::Deadline;
use crate::{Millis, PilotPeaks};

/// For how long a reset that was seen to work vouches for the peaks.
const PROOF_MS: u64 = 250;
/// A peak nearer to 0 V than this has nothing to let go of; no such peak closes a
/// contactor.
const PEAK_MV: i32 = 2_000;
/// In reset a detector shows a voltage this much nearer to 0 V than its peak: far more
/// than noise, and far less than the 3 V that the smallest peak of an EV loses.
const LET_GO_MV: i32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Detectors {
    frozen_at: Millis,
}

impl Detectors {
    pub(crate) const fn new(now: Millis) -> Self {
        Self {
            frozen_at: now.after(PROOF_MS),
        }
    }

    /// Compares what both detectors showed in reset with the peaks of the same round.
    pub(crate) fn observe(&mut self, now: Millis, in_reset: PilotPeaks, peaks: PilotPeaks) {
        let positive = peaks.positive.0 < PEAK_MV
            || in_reset.positive.0 <= peaks.positive.0.saturating_sub(LET_GO_MV);
        let negative = peaks.negative.0 > -PEAK_MV
            || in_reset.negative.0 >= peaks.negative.0.saturating_add(LET_GO_MV);
        if positive && negative {
            self.frozen_at = now.after(PROOF_MS);
        }
    }

    /// Neither detector has let go of its peak for too long.
    pub(crate) fn are_frozen(&self, now: Millis) -> bool {
        now >= self.frozen_at
    }

    pub(crate) const fn deadline(&self) -> Deadline {
        (self.frozen_at, "control pilot frozen")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Millivolts;

    fn peaks(positive: i32, negative: i32) -> PilotPeaks {
        PilotPeaks {
            positive: Millivolts(positive),
            negative: Millivolts(negative),
        }
    }

    #[test]
    fn each_detector_lets_go_of_its_peak_or_proves_nothing() {
        for (in_reset, round, proves) in [
            ((60, 60), (5_900, -11_625), true),
            ((60, 60), (3_000, -11_625), true),
            ((60, 60), (11_956, 55), true),
            // Nothing to let go of: E, F, released.
            ((20, -30), (20, -30), true),
            ((-30, -11_600), (-30, -11_600), false),
            ((-30, -30), (-30, -11_600), true),
            // A reset that has to work against the line, yet works.
            ((4_900, -10_600), (5_900, -11_625), true),
            ((1_000, 0), (2_000, -11_625), true),
            // Frozen, with noise.
            ((5_900, 60), (5_900, -11_625), false),
            ((4_901, 60), (5_900, -11_625), false),
            ((60, -11_625), (5_900, -11_625), false),
            ((60, -10_626), (5_900, -11_625), false),
            ((1_001, 60), (2_000, -11_625), false),
            ((60, -1_001), (5_900, -2_000), false),
            ((1_999, -1_999), (1_999, -1_999), true),
        ] {
            let mut detectors = Detectors::new(Millis(0));
            detectors.observe(
                Millis(100),
                peaks(in_reset.0, in_reset.1),
                peaks(round.0, round.1),
            );
            let proven_until = if proves { 350 } else { 250 };
            assert!(!detectors.are_frozen(Millis(proven_until - 1)), "{round:?}");
            assert!(detectors.are_frozen(Millis(proven_until)), "{round:?}");
        }
    }
}
