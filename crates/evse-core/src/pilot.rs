//! The control pilot as an input: agreement of two rounds, the EV's request for
//! energy, and supervision.

use crate::detectors::Detectors;
use crate::reading::{Bands, Reading};
use crate::step::Deadline;
use crate::{CpState, Millis, PilotFault, PilotOutput, Sample, SensorFault};

/// A reading outside C/D must be disproved within this time or counts as true.
/// The rounds come every 5 to 10 ms, so a single disturbed round is forgiven
/// and the open command still goes out within 20 ms (S2).
const DOUBT_MS: u64 = 15;
/// What a forgiven round costs, what a good one gives back, and what may be spent:
/// four in a row of "good, odd" are too many, one in five is not.
const ODD_ROUND: u8 = 4;
const GOOD_ROUND: u8 = 1;
const FORGIVENESS: u8 = 12;
/// Without a valid round for this long the pilot is not known any more (S8).
const STALE_MS: u64 = 100;
/// A fault that went away by itself stays reported for this long, so that a
/// loose contact doesn't turn the offer on and off many times a second.
const RECOVERY_MS: u64 = 3_000;

/// The EV's answer to an offer of current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    /// No request, or no offer.
    None,
    /// The last round showed a request.
    Once,
    /// The last two rounds did.
    Twice,
}

/// Whether the EV asks for energy, decided faster than the published state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Demand {
    /// It doesn't.
    Absent,
    /// Two rounds in a row showed that it does.
    Present,
    /// It did, but the last round says otherwise; believed at `by` at the latest.
    Doubtful { by: Millis },
}

/// The supervision of the pilot's faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Supervision {
    Healthy,
    /// The fault is there, or was until less than [`RECOVERY_MS`] before `until`.
    Faulty {
        fault: PilotFault,
        until: Millis,
    },
    /// Stays until the EV leaves: judging it anew needs a new offer.
    Latched {
        fault: PilotFault,
    },
}

/// The control pilot as measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pilot {
    accepts_state_d: bool,
    bands: Bands,
    /// The last round, waiting for a second one that agrees.
    last: Option<Reading>,
    /// What two rounds in a row agreed on.
    state: Option<CpState>,
    demand: Demand,
    /// What the rounds that were forgiven have cost and good ones not given back.
    spent: u8,
    answer: Answer,
    supervision: Supervision,
    detectors: Detectors,
    /// When the last valid round is too old.
    stale_at: Millis,
}

impl Pilot {
    pub(crate) const fn new(now: Millis, accepts_state_d: bool) -> Self {
        Self {
            accepts_state_d,
            bands: Bands::UNKNOWN,
            last: None,
            state: None,
            demand: Demand::Absent,
            spent: 0,
            answer: Answer::None,
            supervision: Supervision::Healthy,
            detectors: Detectors::new(now),
            stale_at: now.after(STALE_MS),
        }
    }

    /// What time alone decides; to be called before a new round is looked at, so
    /// that a late round can't excuse its own lateness.
    pub(crate) fn expire(&mut self, now: Millis) {
        if now >= self.stale_at {
            self.accept(now, Reading::Fault(PilotFault::Stale));
        } else if self.detectors.are_frozen(now) {
            self.accept(now, Reading::Fault(PilotFault::Frozen));
        }
        match self.demand {
            Demand::Doubtful { by } if now >= by => self.demand = Demand::Absent,
            Demand::Absent | Demand::Present | Demand::Doubtful { .. } => {}
        }
        match self.supervision {
            Supervision::Faulty { until, .. } if self.state.is_some() && now >= until => {
                self.supervision = Supervision::Healthy;
            }
            Supervision::Healthy | Supervision::Faulty { .. } | Supervision::Latched { .. } => {}
        }
    }

    /// Whether state D counts as a request for energy from the next round on.
    pub(crate) fn accept_state_d(&mut self, accepts: bool) {
        self.accepts_state_d = accepts;
    }

    /// Looks at one round, measured while `driven` was on the line.
    pub(crate) fn observe(&mut self, now: Millis, sample: &Sample, driven: PilotOutput) {
        let reading = match sample.pilot {
            Err(SensorFault) => Reading::Fault(PilotFault::Sensor),
            Ok(peaks) => {
                self.stale_at = now.after(STALE_MS);
                if let Some(Ok(in_reset)) = sample.pilot_in_reset {
                    self.detectors.observe(now, in_reset, peaks);
                }
                match driven {
                    PilotOutput::Duty(duty) => self.bands.read(peaks, duty),
                    // Nothing is driven, so nothing can be learnt of the EV.
                    PilotOutput::Released => {
                        self.last = None;
                        self.answer = Answer::None;
                        self.demand = Demand::Absent;
                        return;
                    }
                }
            }
        };
        let agreed = match (self.last, reading) {
            (Some(Reading::State(before)), Reading::State(state)) => before == state,
            // Two different faults in a row are still a fault.
            (Some(Reading::Fault(_)), Reading::Fault(_)) => true,
            (None | Some(Reading::State(_) | Reading::Fault(_)), _) => false,
        };
        self.last = Some(reading);
        if self.is_unsteady(reading) {
            self.accept(now, Reading::Fault(PilotFault::Unsteady));
            return;
        }
        let offered = match driven {
            PilotOutput::Duty(duty) => duty.offered().is_some(),
            PilotOutput::Released => false,
        };
        self.answer = match (offered && self.requests_energy(reading), self.answer) {
            (false, _) => Answer::None,
            (true, Answer::None) => Answer::Once,
            (true, Answer::Once | Answer::Twice) => Answer::Twice,
        };
        self.demand = match (self.demand, self.requests_energy(reading)) {
            (Demand::Present | Demand::Doubtful { .. }, true) => Demand::Present,
            (Demand::Absent, true) if agreed => Demand::Present,
            (Demand::Present, false) => Demand::Doubtful {
                by: now.after(DOUBT_MS),
            },
            (Demand::Absent, _) | (Demand::Doubtful { .. }, false) => Demand::Absent,
        };
        if agreed {
            self.accept(now, reading);
        }
    }

    /// Keeps account of the rounds that contradict a request, and says when they are
    /// too many to be forgiven.
    fn is_unsteady(&mut self, reading: Reading) -> bool {
        if self.demand != Demand::Present || self.requests_energy(reading) {
            self.spent = self.spent.saturating_sub(GOOD_ROUND);
            return false;
        }
        self.spent = self.spent.saturating_add(ODD_ROUND);
        if self.spent <= FORGIVENESS {
            return false;
        }
        self.spent = 0;
        true
    }

    const fn requests_energy(&self, reading: Reading) -> bool {
        match reading {
            Reading::State(CpState::C) => true,
            Reading::State(CpState::D) => self.accepts_state_d,
            Reading::State(CpState::A | CpState::B | CpState::E | CpState::F) => false,
            Reading::Fault(_) => false,
        }
    }

    fn accept(&mut self, now: Millis, reading: Reading) {
        match reading {
            Reading::State(state) => {
                self.state = Some(state);
                if state == CpState::A {
                    self.supervision = Supervision::Healthy;
                }
            }
            Reading::Fault(fault) => {
                self.state = None;
                self.last = Some(reading);
                self.answer = Answer::None;
                self.demand = Demand::Absent;
                self.supervision = match (self.supervision, fault) {
                    (Supervision::Latched { fault }, _) => Supervision::Latched { fault },
                    (_, PilotFault::Diode | PilotFault::Output) => Supervision::Latched { fault },
                    (
                        _,
                        PilotFault::Sensor
                        | PilotFault::Stale
                        | PilotFault::Frozen
                        | PilotFault::Unsteady
                        | PilotFault::OutOfRange,
                    ) => Supervision::Faulty {
                        fault,
                        until: now.after(RECOVERY_MS),
                    },
                };
            }
        }
    }

    /// The state that two rounds agreed on; `None` while it is not known.
    pub(crate) const fn state(&self) -> Option<CpState> {
        self.state
    }

    /// State A, and the last round says so as well.
    pub(crate) fn shows_no_ev(&self) -> bool {
        self.state == Some(CpState::A) && self.last == Some(Reading::State(CpState::A))
    }

    /// The EV asks for energy (C, or D where that is accepted), and nothing of
    /// the last 15 ms contradicts it for good.
    pub(crate) const fn energy_requested(&self) -> bool {
        match self.demand {
            Demand::Absent => false,
            Demand::Present | Demand::Doubtful { .. } => true,
        }
    }

    /// The last two rounds showed a request while current was offered: C2 or D2.
    /// A request seen at +12 V steady (C1) is not enough to close a contactor.
    pub(crate) fn answers_offer(&self) -> bool {
        self.answer == Answer::Twice
    }

    /// The fault that forbids charging.
    pub(crate) const fn fault(&self) -> Option<PilotFault> {
        match self.supervision {
            Supervision::Healthy => None,
            Supervision::Faulty { fault, .. } | Supervision::Latched { fault } => Some(fault),
        }
    }

    /// When time alone changes something.
    pub(crate) fn deadlines(&self) -> [Option<Deadline>; 4] {
        let doubt = match self.demand {
            Demand::Doubtful { by } => Some((by, "control pilot left C")),
            Demand::Absent | Demand::Present => None,
        };
        let recovery = match self.supervision {
            Supervision::Faulty { until, .. } if self.state.is_some() => {
                Some((until, "control pilot recovers"))
            }
            Supervision::Healthy | Supervision::Faulty { .. } | Supervision::Latched { .. } => None,
        };
        [
            doubt,
            recovery,
            Some((self.stale_at, "control pilot stale")),
            Some(self.detectors.deadline()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amperes, DutyCycle, Millivolts, PilotPeaks};

    const OFFER: PilotOutput = PilotOutput::Duty(DutyCycle::offering(Amperes::new(16)));
    const PLUS: PilotOutput = PilotOutput::Duty(DutyCycle::FULL);
    const MINUS: PilotOutput = PilotOutput::Duty(DutyCycle::ZERO);

    fn peaks(positive: i32, negative: i32) -> Result<PilotPeaks, SensorFault> {
        Ok(PilotPeaks {
            positive: Millivolts(positive),
            negative: Millivolts(negative),
        })
    }

    fn round(positive: i32, negative: i32) -> Sample {
        Sample {
            pilot: peaks(positive, negative),
            pilot_in_reset: Some(peaks(60, 60)),
            ..Sample::FAILED
        }
    }

    /// A pilot that has seen these rounds, 10 ms apart.
    fn after(driven: PilotOutput, rounds: &[(i32, i32)]) -> Pilot {
        let mut pilot = Pilot::new(Millis(0), false);
        for (number, (positive, negative)) in (1_u64..).zip(rounds) {
            pilot.expire(Millis(number * 10));
            pilot.observe(Millis(number * 10), &round(*positive, *negative), driven);
        }
        pilot
    }

    // covers: CP-003, CP-004, CP-005, CP-007, CP-008, CP-010, CP-011, CP-012
    #[test]
    fn both_peaks_together_make_the_state() {
        use CpState::*;
        for (driven, positive, negative, state) in [
            // As measured on the real board.
            (PLUS, 11_956, 55, A),
            (PLUS, 8_919, 65, B),
            (OFFER, 5_900, -11_625, C),
            (OFFER, 8_957, -11_615, B),
            (OFFER, 11_947, -11_615, A),
            (OFFER, 3_000, -11_615, D),
            (PLUS, 6_000, 60, C),
            (PLUS, 3_000, 60, D),
            (MINUS, -11_951, -11_951, F),
            (MINUS, -55, -11_951, F),
            (OFFER, 20, -30, E),
            (PLUS, 20, -30, E),
            (MINUS, 20, -30, E),
            (OFFER, 1_000, -1_900, E),
            (PLUS, 1_999, -9_999, E),
        ] {
            let pilot = after(driven, &[(positive, negative); 2]);
            assert_eq!(pilot.state(), Some(state), "{positive} {negative}");
            assert_eq!(pilot.fault(), None, "{positive} {negative}");
        }
    }

    #[test]
    fn what_fits_no_state_is_a_fault() {
        for (driven, positive, negative, fault) in [
            (OFFER, 8_919, -8_900, PilotFault::Diode),
            (OFFER, 6_000, -4_900, PilotFault::Diode),
            (OFFER, 3_000, -3_000, PilotFault::Diode),
            (OFFER, 14_000, -11_615, PilotFault::OutOfRange),
            (OFFER, 8_919, -14_000, PilotFault::OutOfRange),
            (OFFER, 11_950, -10_500, PilotFault::OutOfRange),
            (PLUS, 8_919, -5_000, PilotFault::OutOfRange),
            // Stuck output stage.
            (OFFER, 5_900, 60, PilotFault::Output),
            (PLUS, 5_900, -11_625, PilotFault::Output),
            (MINUS, 5_900, 60, PilotFault::Output),
        ] {
            let pilot = after(driven, &[(positive, negative); 2]);
            assert_eq!(pilot.state(), None, "{positive} {negative}");
            assert_eq!(pilot.fault(), Some(fault), "{positive} {negative}");
        }
    }

    // covers: CP-025
    #[test]
    fn a_released_line_tells_nothing() {
        let mut pilot = after(PLUS, &[(8_919, 65); 2]);
        for number in 3..500 {
            pilot.expire(Millis(number * 10));
            pilot.observe(Millis(number * 10), &round(20, -30), PilotOutput::Released);
            assert_eq!((pilot.state(), pilot.fault()), (Some(CpState::B), None));
            assert!(!pilot.energy_requested() && !pilot.answers_offer());
        }
    }

    #[test]
    fn a_diode_is_not_judged_in_state_a() {
        let pilot = after(OFFER, &[(11_950, -11_950); 3]);
        assert_eq!((pilot.state(), pilot.fault()), (Some(CpState::A), None));
    }

    #[test]
    fn one_odd_round_is_forgiven() {
        let c = (5_900, -11_625);
        for odd in [(8_957, -11_615), (20, -30), (14_500, -11_615)] {
            let pilot = after(OFFER, &[c, c, odd, c, odd, c]);
            assert!(
                pilot.energy_requested() && pilot.state() == Some(CpState::C),
                "{odd:?}"
            );
            assert_eq!(pilot.fault(), None);
        }
    }

    #[test]
    fn many_odd_rounds_are_a_fault_until_the_line_is_steady_for_3_s() {
        let c = (5_900, -11_625);
        for odd in [(8_957, -11_615), (20, -30), (14_500, -11_615)] {
            let mut pilot = after(OFFER, &[c, c, odd, c, odd, c, odd, c]);
            assert!(pilot.energy_requested() && pilot.fault().is_none());
            pilot.observe(Millis(90), &round(odd.0, odd.1), OFFER);
            assert!(!pilot.energy_requested() && !pilot.answers_offer());
            assert_eq!(
                (pilot.fault(), pilot.state()),
                (Some(PilotFault::Unsteady), None)
            );
            for number in 0..310 {
                assert_eq!(pilot.fault().is_some(), number < 300, "{number}");
                let now = Millis(100 + number * 10);
                pilot.expire(now);
                pilot.observe(now, &round(c.0, c.1), OFFER);
            }
        }
        // The last of the budget may be spent, no more.
        let odd = (20, -30);
        let mut pilot = after(OFFER, &[c, c, odd, c, odd, c, odd, c, c, odd, c]);
        assert!(pilot.energy_requested() && pilot.fault().is_none());
        pilot.observe(Millis(120), &round(odd.0, odd.1), OFFER);
        assert_eq!(pilot.fault(), Some(PilotFault::Unsteady));
        // One in six is forgiven for ever.
        let mut pilot = after(OFFER, &[c, c]);
        for number in 0..1_000 {
            let seen = if number % 6 == 5 { (20, -30) } else { c };
            pilot.observe(Millis(30 + number * 10), &round(seen.0, seen.1), OFFER);
            assert!(pilot.energy_requested() && pilot.fault().is_none());
        }
    }

    #[test]
    fn a_channel_that_does_not_follow_its_reset_is_a_fault_wherever_it_froze() {
        for (positive, negative) in [(5_900, -11_625), (8_957, -11_615), (11_947, -11_615)] {
            let frozen = Sample {
                pilot_in_reset: Some(peaks(positive, 60)),
                ..round(positive, negative)
            };
            let mut pilot = after(OFFER, &[(positive, negative); 2]);
            let first = Millis(20);
            let mut faulty_at = None;
            for number in 3..100 {
                let now = Millis(number * 10);
                pilot.expire(now);
                pilot.observe(now, &frozen, OFFER);
                if pilot.fault().is_some() {
                    faulty_at = faulty_at.or(Some(now.since(first)));
                }
                assert_eq!(pilot.fault().is_some(), faulty_at.is_some(), "for good");
            }
            assert_eq!(faulty_at, Some(250));
            assert_eq!(
                (pilot.fault(), pilot.state(), pilot.energy_requested()),
                (Some(PilotFault::Frozen), None, false)
            );
        }
    }

    #[test]
    fn a_look_that_fails_or_is_missing_proves_nothing() {
        for in_reset in [None, Some(Err(SensorFault))] {
            let unproven = Sample {
                pilot_in_reset: in_reset,
                ..round(8_919, 65)
            };
            let mut pilot = after(PLUS, &[(8_919, 65); 2]);
            assert_eq!(
                pilot.deadlines()[3],
                Some((Millis(270), "control pilot frozen"))
            );
            for number in 3..27 {
                pilot.expire(Millis(number * 10));
                pilot.observe(Millis(number * 10), &unproven, PLUS);
                assert_eq!(pilot.fault(), None);
            }
            pilot.expire(Millis(270));
            assert_eq!(pilot.fault(), Some(PilotFault::Frozen));
        }
    }

    /// A line that collapses from C passes through the voltage of D.
    #[test]
    fn a_short_that_passes_through_d_is_never_d() {
        let pilot = after(
            OFFER,
            &[
                (5_900, -11_625),
                (5_900, -11_625),
                (3_000, -6_000),
                (20, -30),
            ],
        );
        assert_eq!(
            (pilot.state(), pilot.energy_requested()),
            (Some(CpState::C), false)
        );
        let mut pilot = pilot;
        pilot.observe(Millis(50), &round(20, -30), OFFER);
        assert_eq!((pilot.state(), pilot.fault()), (Some(CpState::E), None));
    }

    #[test]
    fn two_different_rounds_out_of_c_open_before_the_state_is_known() {
        let c = (5_900, -11_625);
        let pilot = after(OFFER, &[c, c, (8_957, -11_615), (11_947, -11_615)]);
        assert!(!pilot.energy_requested());
        assert_eq!(pilot.state(), Some(CpState::C), "B and A don't agree");
    }

    #[test]
    fn an_odd_round_without_a_successor_counts_after_15_ms() {
        let mut pilot = after(
            OFFER,
            &[(5_900, -11_625), (5_900, -11_625), (8_957, -11_615)],
        );
        assert_eq!(
            pilot.deadlines()[0],
            Some((Millis(45), "control pilot left C"))
        );
        pilot.expire(Millis(44));
        assert!(pilot.energy_requested());
        pilot.expire(Millis(45));
        assert!(!pilot.energy_requested());
    }

    #[test]
    fn a_request_counts_after_two_rounds_under_an_offer() {
        let c1 = after(PLUS, &[(5_900, 60); 5]);
        assert!(c1.energy_requested() && !c1.answers_offer());
        let b = (8_957, -11_615);
        let once = after(OFFER, &[b, b, (5_900, -11_625)]);
        assert!(!once.energy_requested() && !once.answers_offer());
        let mut pilot = c1;
        pilot.observe(Millis(60), &round(5_900, -11_625), OFFER);
        assert!(!pilot.answers_offer());
        pilot.observe(Millis(70), &round(5_900, -11_625), OFFER);
        assert!(pilot.answers_offer());
    }

    #[test]
    fn silence_of_100_ms_is_a_fault_that_needs_3_s_to_heal() {
        let mut pilot = after(PLUS, &[(8_919, 65); 2]);
        pilot.expire(Millis(119));
        assert_eq!(pilot.fault(), None);
        pilot.expire(Millis(120));
        assert_eq!(
            (pilot.fault(), pilot.state()),
            (Some(PilotFault::Stale), None)
        );
        for number in 1..=302 {
            let now = Millis(120 + number * 10);
            pilot.expire(now);
            pilot.observe(now, &round(8_919, 65), PLUS);
            assert_eq!(pilot.fault().is_some(), number < 301, "{number}");
        }
        assert_eq!(pilot.state(), Some(CpState::B));
    }

    #[test]
    fn a_missing_diode_is_latched_until_the_ev_leaves() {
        let mut pilot = after(OFFER, &[(5_900, -5_900); 2]);
        for number in 3..1_000 {
            pilot.expire(Millis(number * 10));
            pilot.observe(Millis(number * 10), &round(5_900, 60), PLUS);
        }
        assert_eq!(pilot.fault(), Some(PilotFault::Diode));
        assert_eq!(pilot.state(), Some(CpState::C));
        pilot.observe(Millis(10_000), &round(11_956, 55), PLUS);
        pilot.observe(Millis(10_010), &round(11_956, 55), PLUS);
        assert_eq!(pilot.fault(), None);
    }
}
