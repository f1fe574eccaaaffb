//! When the reader counts as available: pure, time comes in.

use std::time::{Duration, Instant};

/// Without an answer for this long the reader counts as gone. A single late one, which may
/// cost more than four seconds until it can't be taken for the next, is no outage.
pub const UNAVAILABLE_AFTER: Duration = Duration::from_secs(5);

/// Watches over one reader.
#[derive(Debug)]
pub struct Watch {
    last_answer: Instant,
    /// `None`: neither found nor missed since start.
    is_available: Option<bool>,
}

impl Watch {
    /// A reader that has until [`UNAVAILABLE_AFTER`] from `now` on to show itself.
    pub const fn new(now: Instant) -> Self {
        Self {
            last_answer: now,
            is_available: None,
        }
    }

    /// The reader answered; whether it has thereby become available.
    pub fn answered(&mut self, now: Instant) -> bool {
        self.last_answer = now;
        self.is_available.replace(true) != Some(true)
    }

    /// When [`Watch::overdue`] is to be called; `None` once the reader is unavailable.
    pub fn deadline(&self) -> Option<Instant> {
        (self.is_available != Some(false)).then(|| self.last_answer + UNAVAILABLE_AFTER)
    }

    /// Whether the reader has just become unavailable.
    pub fn overdue(&mut self, now: Instant) -> bool {
        let overdue = self.deadline().is_some_and(|deadline| now >= deadline);
        if overdue {
            self.is_available = Some(false);
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: RFID-011
    #[test]
    fn each_change_is_told_once() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert!(watch.answered(start));
        assert!(!watch.answered(start));
        let deadline = watch.deadline().unwrap();
        assert_eq!(deadline, start + UNAVAILABLE_AFTER);
        assert!(!watch.overdue(deadline - Duration::from_millis(1)));
        assert!(watch.overdue(deadline));
        assert!(!watch.overdue(deadline + UNAVAILABLE_AFTER));
        assert_eq!(watch.deadline(), None);
        assert!(watch.answered(deadline));
    }

    #[test]
    fn a_reader_that_never_answers_becomes_unavailable_too() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert!(!watch.overdue(start));
        assert!(watch.overdue(start + UNAVAILABLE_AFTER));
    }
}
