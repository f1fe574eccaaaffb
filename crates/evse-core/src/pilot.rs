//! The control pilot as an input: from two voltages to a state (IEC 61851-1
//! table A.4), with hysteresis, agreement of two rounds and supervision.

use crate::machine::Deadline;
use crate::{DutyCycle, Millis, Millivolts, PilotOutput, PilotPeaks, SensorFault};

/// A reading outside C/D must be disproved within this time or counts as true.
/// The rounds come every 5 to 10 ms, so a single disturbed round is forgiven
/// and the open command still goes out within 20 ms (S2).
const DOUBT_MS: u64 = 15;
/// Without a valid round for this long the pilot is not known any more (S8).
const STALE_MS: u64 = 100;
/// A fault that went away by itself stays reported for this long, so that a
/// loose contact doesn't turn the offer on and off many times a second.
const RECOVERY_MS: u64 = 3_000;

/// States of the control pilot (IEC 61851-1 table A.4, guide 15.3 table 57).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpState {
    /// +12 V: no EV.
    A,
    /// +9 V: EV connected, not ready.
    B,
    /// +6 V: EV requests energy.
    C,
    /// +3 V: EV requests energy and ventilation.
    D,
    /// 0 V: pilot shorted to PE, or no supply.
    E,
    /// -12 V: station not available.
    F,
}

/// Why the pilot can't be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PilotFault {
    /// The sensor gave no value.
    Sensor,
    /// No round arrived in time: the control loop or the sensor is frozen.
    Stale,
    /// A peak lies outside every band of table A.4.
    OutOfRange,
    /// The negative half wave mirrors the positive one: the EV's diode is missing
    /// or shorted. Latched until the EV leaves.
    Diode,
    /// The line doesn't follow the output stage (an oscillation without negative
    /// half wave, or one where none is commanded). Latched until the EV leaves.
    Output,
}

/// What one round shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reading {
    State(CpState),
    Fault(PilotFault),
}

/// The band of one peak; `Outside` is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Band {
    A,
    B,
    C,
    D,
    E,
    F,
    Outside,
}

impl Band {
    /// Between two bands the one that was seen before wins.
    fn of(peak: Millivolts, before: Self) -> Self {
        match peak.0 {
            13_001.. => Self::Outside,
            11_000..=13_000 => Self::A,
            10_000..=10_999 => match before {
                Self::A => Self::A,
                Self::B | Self::C | Self::D | Self::E | Self::F | Self::Outside => Self::B,
            },
            8_000..=9_999 => Self::B,
            7_000..=7_999 => match before {
                Self::A | Self::B => Self::B,
                Self::C | Self::D | Self::E | Self::F | Self::Outside => Self::C,
            },
            5_000..=6_999 => Self::C,
            4_000..=4_999 => match before {
                Self::A | Self::B | Self::C => Self::C,
                Self::D | Self::E | Self::F | Self::Outside => Self::D,
            },
            2_000..=3_999 => Self::D,
            -1_000..=1_999 => Self::E,
            -2_000..=-1_001 => match before {
                Self::A | Self::B | Self::C | Self::D | Self::E => Self::E,
                Self::F | Self::Outside => Self::Outside,
            },
            -10_000..=-2_001 => Self::Outside,
            -11_000..=-10_001 => match before {
                Self::F => Self::F,
                Self::A | Self::B | Self::C | Self::D | Self::E | Self::Outside => Self::Outside,
            },
            -13_000..=-11_001 => Self::F,
            ..=-13_001 => Self::Outside,
        }
    }
}

/// Both bands of the last valid round: the memory of the hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bands {
    positive: Band,
    negative: Band,
}

impl Bands {
    /// What the peaks mean while `driven` is on the line.
    fn judge(self, peaks: PilotPeaks, driven: PilotOutput) -> Reading {
        let (positive, negative) = (peaks.positive.0, peaks.negative.0);
        let mirrored = positive.saturating_add(negative).saturating_abs() <= 1_200;
        let (modulated, steady_minus) = match driven {
            // A released line floats: whatever is measured, it is state E.
            PilotOutput::Released => return Reading::State(CpState::E),
            PilotOutput::Duty(duty) => (duty.is_modulated(), duty == DutyCycle::ZERO),
        };
        // A short to PE: no positive half wave, and no negative one either.
        if positive < 2_000
            && if modulated {
                mirrored
            } else {
                negative > -10_000
            }
        {
            return Reading::State(CpState::E);
        }
        if modulated && mirrored && self.positive != Band::A {
            return Reading::Fault(PilotFault::Diode);
        }
        let state = match (self.positive, self.negative) {
            (Band::Outside, _) | (_, Band::Outside) => {
                return Reading::Fault(PilotFault::OutOfRange);
            }
            (Band::E | Band::F, Band::F) => CpState::F,
            (Band::A, _) => CpState::A,
            (Band::B, _) => CpState::B,
            (Band::C, _) => CpState::C,
            (Band::D, _) => CpState::D,
            (Band::E, _) => CpState::E,
            (Band::F, _) => CpState::F,
        };
        // The negative half wave must be there exactly when the stage oscillates.
        let follows = match state {
            CpState::A | CpState::B | CpState::C | CpState::D => {
                !steady_minus && modulated == (self.negative == Band::F)
            }
            CpState::E | CpState::F => true,
        };
        if follows {
            Reading::State(state)
        } else {
            Reading::Fault(PilotFault::Output)
        }
    }
}

/// A round and what it was measured under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Round {
    reading: Reading,
    /// A duty cycle that offers current was on the line.
    under_offer: bool,
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
    last: Option<Round>,
    /// What two rounds in a row agreed on.
    state: Option<CpState>,
    demand: Demand,
    supervision: Supervision,
    /// When the last valid round is too old.
    stale_at: Millis,
}

impl Pilot {
    pub(crate) const fn new(now: Millis, accepts_state_d: bool) -> Self {
        Self {
            accepts_state_d,
            bands: Bands {
                positive: Band::Outside,
                negative: Band::Outside,
            },
            last: None,
            state: None,
            demand: Demand::Absent,
            supervision: Supervision::Healthy,
            stale_at: now.after(STALE_MS),
        }
    }

    /// What time alone decides; to be called before a new round is looked at, so
    /// that a late round can't excuse its own lateness.
    pub(crate) fn expire(&mut self, now: Millis) {
        if now >= self.stale_at {
            self.accept(now, Reading::Fault(PilotFault::Stale));
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

    /// Looks at one round, measured while `driven` was on the line.
    pub(crate) fn observe(
        &mut self,
        now: Millis,
        round: Result<PilotPeaks, SensorFault>,
        driven: PilotOutput,
    ) {
        let reading = match round {
            Err(SensorFault) => Reading::Fault(PilotFault::Sensor),
            Ok(peaks) => {
                self.stale_at = now.after(STALE_MS);
                self.bands = Bands {
                    positive: Band::of(peaks.positive, self.bands.positive),
                    negative: Band::of(peaks.negative, self.bands.negative),
                };
                self.bands.judge(peaks, driven)
            }
        };
        let agreed = match (self.last.map(|round| round.reading), reading) {
            (Some(Reading::State(before)), Reading::State(state)) => before == state,
            // Two different faults in a row are still a fault.
            (Some(Reading::Fault(_)), Reading::Fault(_)) => true,
            (None | Some(Reading::State(_) | Reading::Fault(_)), _) => false,
        };
        self.last = Some(Round {
            reading,
            under_offer: match driven {
                PilotOutput::Duty(duty) => duty.offered().is_some(),
                PilotOutput::Released => false,
            },
        });
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
                self.last = Some(Round {
                    reading,
                    under_offer: false,
                });
                self.demand = Demand::Absent;
                self.supervision = match (self.supervision, fault) {
                    (Supervision::Latched { fault }, _) => Supervision::Latched { fault },
                    (_, PilotFault::Diode | PilotFault::Output) => Supervision::Latched { fault },
                    (_, PilotFault::Sensor | PilotFault::Stale | PilotFault::OutOfRange) => {
                        Supervision::Faulty {
                            fault,
                            until: now.after(RECOVERY_MS),
                        }
                    }
                };
            }
        }
    }

    /// The state that two rounds agreed on; `None` while it is not known.
    pub(crate) const fn state(&self) -> Option<CpState> {
        self.state
    }

    /// The EV asks for energy (C, or D where that is accepted), and nothing of
    /// the last 15 ms contradicts it for good.
    pub(crate) const fn energy_requested(&self) -> bool {
        match self.demand {
            Demand::Absent => false,
            Demand::Present | Demand::Doubtful { .. } => true,
        }
    }

    /// The last round showed a request while current was offered: C2 or D2. A
    /// request seen at +12 V steady (C1) is not enough to close a contactor.
    pub(crate) fn answers_offer(&self) -> bool {
        self.last
            .is_some_and(|round| round.under_offer && self.requests_energy(round.reading))
    }

    /// The fault that forbids charging.
    pub(crate) const fn fault(&self) -> Option<PilotFault> {
        match self.supervision {
            Supervision::Healthy => None,
            Supervision::Faulty { fault, .. } | Supervision::Latched { fault } => Some(fault),
        }
    }

    /// When time alone changes something.
    pub(crate) fn deadlines(&self) -> [Option<Deadline>; 3] {
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
        ]
    }
}
