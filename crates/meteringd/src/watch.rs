//! When the meter counts as available and which readings are published: pure, time
//! comes in.

use std::time::{Duration, Instant};

use crate::reading::Reading;

/// What follows from a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The meter has become available: to be published.
    pub became_available: bool,
    /// The reading is to be published.
    pub publish: bool,
}

/// Watches over the readings of one meter.
#[derive(Debug)]
pub struct Watch {
    unavailable_after: Duration,
    /// `ports[0]/meter/publish_settings/timer`.
    interval: Duration,
    last_good: Instant,
    availability: Availability,
    session: Session,
    next_publication: Option<Instant>,
    published: Option<Reading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Availability {
    /// Neither found nor missed since start.
    Unknown,
    Available,
    Unavailable,
}

/// While it runs and until the register has settled, every change is published.
#[derive(Clone, Copy, Debug)]
enum Session {
    Running,
    Over { settled: Instant },
}

/// The reading that closes a transaction comes after the session: the meter
/// counts what has flowed, and we read it, a moment later.
const SETTLING: Duration = Duration::from_secs(5);

impl Watch {
    /// A meter that has until `now` + `unavailable_after` to show itself.
    pub const fn new(now: Instant, unavailable_after: Duration, interval: Duration) -> Self {
        Self {
            unavailable_after,
            interval,
            last_good: now,
            availability: Availability::Unknown,
            session: Session::Over { settled: now },
            next_publication: None,
            published: None,
        }
    }

    /// Whether a session runs.
    pub fn session(&mut self, now: Instant, runs: bool) {
        self.session = match (self.session, runs) {
            (_, true) => Session::Running,
            (Session::Running, false) => Session::Over {
                settled: now + SETTLING,
            },
            (Session::Over { settled }, false) => Session::Over { settled },
        };
    }

    /// A good reading came.
    pub fn good(&mut self, now: Instant, reading: &Reading) -> Verdict {
        self.last_good = now;
        let became_available = self.availability != Availability::Available;
        self.availability = Availability::Available;
        let due = self.next_publication.is_none_or(|next| now >= next);
        let changed = self.published.as_ref() != Some(reading);
        let settled = match self.session {
            Session::Running => false,
            Session::Over { settled } => now >= settled,
        };
        let publish = due || became_available || (changed && !settled);
        if publish {
            self.published = Some(reading.clone());
        }
        if due {
            // From the appointed time on, so that lateness doesn't add up.
            let from = self
                .next_publication
                .filter(|next| now < *next + self.interval);
            self.next_publication = Some(from.unwrap_or(now) + self.interval);
        }
        Verdict {
            became_available,
            publish,
        }
    }

    /// The meter answers, but gives no reading: it is busy with a signature.
    pub fn busy(&mut self, now: Instant) {
        if self.availability == Availability::Available {
            self.last_good = now;
        }
    }

    /// When [`Watch::overdue`] is to be called; `None` once the meter is unavailable.
    pub fn deadline(&self) -> Option<Instant> {
        (self.availability != Availability::Unavailable)
            .then(|| self.last_good + self.unavailable_after)
    }

    /// Whether the meter counts as unavailable.
    pub fn is_unavailable(&self) -> bool {
        self.availability == Availability::Unavailable
    }

    /// Whether the meter has just become unavailable.
    pub fn overdue(&mut self, now: Instant) -> bool {
        let overdue = self.deadline().is_some_and(|deadline| now >= deadline);
        if overdue {
            self.availability = Availability::Unavailable;
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn reading(energy: f64) -> Reading {
        Reading {
            energy: Some(energy),
            ..Reading::default()
        }
    }

    fn watch(start: Instant) -> Watch {
        Watch::new(start, 2 * SECOND, 30 * SECOND)
    }

    // covers: MET-011
    #[test]
    fn a_silent_meter_becomes_unavailable_after_its_time_and_only_once() {
        let start = Instant::now();
        for limit in [2, 10] {
            let mut watch = Watch::new(start, limit * SECOND, 30 * SECOND);
            assert!(watch.good(start, &reading(1.0)).became_available);
            let limit = start + limit * SECOND;
            assert_eq!(watch.deadline(), Some(limit));
            assert!(!watch.overdue(limit - Duration::from_millis(1)));
            assert!(watch.overdue(limit));
            assert!(!watch.overdue(limit + SECOND));
            assert_eq!(watch.deadline(), None);
        }
    }

    #[test]
    fn a_meter_that_never_answers_becomes_unavailable_too() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert!(!watch.overdue(start + SECOND));
        assert!(watch.overdue(start + 2 * SECOND));
    }

    #[test]
    fn a_meter_that_is_busy_signing_is_not_silent() {
        let start = Instant::now();
        let mut watch = watch(start);
        watch.busy(start + SECOND);
        assert!(watch.overdue(start + 2 * SECOND), "it has no reading yet");
        watch.good(start + 3 * SECOND, &reading(1.0));
        watch.busy(start + 4 * SECOND);
        assert!(!watch.overdue(start + 5 * SECOND));
        assert!(watch.overdue(start + 6 * SECOND));
    }

    // covers: MET-010
    #[test]
    fn a_meter_that_answers_again_is_available_and_published_at_once() {
        let start = Instant::now();
        let mut watch = watch(start);
        watch.good(start, &reading(1.0));
        watch.overdue(start + 2 * SECOND);
        let verdict = watch.good(start + 5 * SECOND, &reading(1.0));
        assert_eq!(
            verdict,
            Verdict {
                became_available: true,
                publish: true
            }
        );
        let verdict = watch.good(start + 6 * SECOND, &reading(1.0));
        assert_eq!(verdict, Verdict::default());
    }

    // covers: MET-017
    #[test]
    fn without_a_session_readings_are_published_at_the_interval_without_drift() {
        let start = Instant::now();
        let mut watch = watch(start);
        let late = Duration::from_millis(400);
        let published: Vec<u64> = (0..100)
            .filter(|n| {
                watch
                    .good(start + SECOND * *n + late, &reading(f64::from(*n)))
                    .publish
            })
            .map(u64::from)
            .collect();
        assert_eq!(published, [0, 30, 60, 90]);
    }

    #[test]
    fn in_a_session_every_change_is_published_and_the_interval_kept() {
        let start = Instant::now();
        let mut watch = watch(start);
        watch.good(start, &reading(1.0));
        watch.session(start, true);
        assert!(watch.good(start + SECOND, &reading(2.0)).publish);
        assert!(!watch.good(start + 2 * SECOND, &reading(2.0)).publish);
        assert!(watch.good(start + 30 * SECOND, &reading(2.0)).publish);
        watch.session(start + 31 * SECOND, false);
        assert!(
            watch.good(start + 32 * SECOND, &reading(3.0)).publish,
            "the closing reading"
        );
        assert!(!watch.good(start + 36 * SECOND, &reading(4.0)).publish);
    }
}
