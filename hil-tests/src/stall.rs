//! Whether the machine that runs the tests stood still: by a thread of the tests that slept too
//! long, not by the word of a daemon that may be slow itself.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::process::LOOK;

/// Overslept by so much, a fifth of the time in which the control thread needs a valid round.
const LATE: Duration = Duration::from_millis(20);
/// From a stall to the message that evsed has stopped.
const AFTERMATH: Duration = Duration::from_secs(1);

static NAPS: OnceLock<Mutex<Naps>> = OnceLock::new();

/// Naps one after the other, of which the late ones are kept.
#[derive(Debug)]
struct Naps {
    begun: Instant,
    late: Vec<(Instant, Instant)>,
}

impl Naps {
    const fn begin(now: Instant) -> Self {
        Self {
            begun: now,
            late: Vec::new(),
        }
    }

    fn is_late(begun: Instant, ended: Instant) -> bool {
        ended.duration_since(begun) >= LOOK + LATE
    }

    fn wake(&mut self, now: Instant) {
        if Self::is_late(self.begun, now) {
            self.late.push((self.begun, now));
        }
        self.begun = now;
    }

    /// Whether a late nap, be it the one that lasts until `now`, explains what came at `at`.
    fn explain(&self, at: Instant, now: Instant) -> bool {
        let lasting = Self::is_late(self.begun, now).then_some((self.begun, now));
        let mut late = self.late.iter().copied().chain(lasting);
        late.any(|(begun, ended)| begun < at && at < ended + AFTERMATH)
    }
}

/// Watch from now on, until the tests end.
pub(crate) fn watch() {
    NAPS.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                crate::process::pause();
                with_naps(|naps| naps.wake(Instant::now()));
            }
        });
        Mutex::new(Naps::begin(Instant::now()))
    });
}

/// Whether the machine stood still shortly before `at`.
pub(crate) fn explains(at: Instant) -> bool {
    with_naps(|naps| naps.explain(at, Instant::now())).unwrap_or(false)
}

fn with_naps<T>(act: impl FnOnce(&mut Naps) -> T) -> Option<T> {
    let naps = NAPS.get()?;
    Some(act(&mut naps
        .lock()
        .unwrap_or_else(PoisonError::into_inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_late_nap_explains_what_came_soon_after_it() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut naps = Naps::begin(start);
        for ms in [5, 12, 20] {
            naps.wake(after(ms));
        }
        let explain = |naps: &Naps, at, now| naps.explain(after(at), after(now));
        assert!(!explain(&naps, 20, 25), "a little late is no stall");
        assert!(explain(&naps, 40, 45), "it has not woken yet");
        naps.wake(after(50));
        naps.wake(after(55));
        assert!(!explain(&naps, 19, 60), "before the stall");
        assert!(explain(&naps, 40, 60) && explain(&naps, 1_000, 1_001));
        naps.begun = after(2_000);
        assert!(!explain(&naps, 1_050, 2_001), "long after it");
    }
}
