//! What is told about the recloser, and when: pure, time comes in.

use std::time::{Duration, Instant};

use topic_map::{RecloserAnswer, RecloserState};

/// Without an answer for this long the recloser counts as gone. A single lost one, which
/// costs almost four seconds, is no outage.
pub const UNAVAILABLE_AFTER: Duration = Duration::from_secs(5);
/// A change is answered within 10 s (guide 3.4 table 14); the rest is for the way.
const CHANGE_LIMIT: Duration = Duration::from_secs(9);

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The recloser does not answer, or does again.
    Error(bool),
    /// Its state; `None` while unknown.
    State(Option<RecloserState>),
    /// The end of the change under way.
    Answer(RecloserAnswer),
}

/// Watches over one recloser and the change under way.
#[derive(Debug)]
pub struct Watch {
    last_answer: Instant,
    /// `None`: neither found nor missed since start.
    is_available: Option<bool>,
    state: Option<RecloserState>,
    /// The number of the change under way, and its end.
    change: Option<(u64, Instant)>,
    changes: u64,
}

impl Watch {
    /// A recloser that has until [`UNAVAILABLE_AFTER`] from `now` on to show itself.
    pub const fn new(now: Instant) -> Self {
        Self {
            last_answer: now,
            is_available: None,
            state: None,
            change: None,
            changes: 0,
        }
    }

    /// The recloser told its state.
    pub fn seen(&mut self, now: Instant, state: Option<RecloserState>) -> Vec<Told> {
        self.last_answer = now;
        let mut told = Vec::new();
        if self.is_available.replace(true) != Some(true) {
            told.extend([Told::Error(false), Told::State(state)]);
        } else if state != self.state {
            told.push(Told::State(state));
        }
        self.state = state;
        told
    }

    /// Somebody asks for a change; a change under way is given up for it. The number of
    /// the new one, or the refusal.
    ///
    /// # Errors
    /// When the recloser's state isn't known: nothing is commanded blindly.
    pub fn request(&mut self, now: Instant) -> Result<u64, RecloserAnswer> {
        self.change = None;
        if self.is_available != Some(true) || self.state.is_none() {
            return Err(RecloserAnswer::NotAvailable);
        }
        self.changes += 1;
        self.change = Some((self.changes, now + CHANGE_LIMIT));
        Ok(self.changes)
    }

    /// The target of change `number` was read back.
    pub fn reached(&mut self, number: u64) -> Option<Told> {
        let answer = match self.state? {
            RecloserState::Open => RecloserAnswer::Open,
            RecloserState::Close => RecloserAnswer::Close,
        };
        self.end(number, answer)
    }

    /// Change `number` won't be carried out.
    pub fn gave_up(&mut self, number: u64) -> Option<Told> {
        self.end(number, RecloserAnswer::NotAvailable)
    }

    fn end(&mut self, number: u64, answer: RecloserAnswer) -> Option<Told> {
        self.change.take_if(|(current, _)| *current == number)?;
        Some(Told::Answer(answer))
    }

    /// When [`Watch::overdue`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let silence =
            (self.is_available != Some(false)).then(|| self.last_answer + UNAVAILABLE_AFTER);
        let change = self.change.map(|(_, end)| end);
        silence.into_iter().chain(change).min()
    }

    /// What has become too late by `now`.
    pub fn overdue(&mut self, now: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        let is_silent = now >= self.last_answer + UNAVAILABLE_AFTER;
        if is_silent && self.is_available.replace(false) != Some(false) {
            self.state = None;
            told.extend([Told::Error(true), Told::State(None)]);
        }
        let is_unavailable = self.is_available == Some(false);
        if self
            .change
            .take_if(|(_, end)| is_unavailable || now >= *end)
            .is_some()
        {
            told.push(Told::Answer(RecloserAnswer::NotAvailable));
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Option<RecloserState> = Some(RecloserState::Open);
    const CLOSE: Option<RecloserState> = Some(RecloserState::Close);
    const NOT_AVAILABLE: Told = Told::Answer(RecloserAnswer::NotAvailable);
    const SECOND: Duration = Duration::from_secs(1);

    fn found(start: Instant) -> Watch {
        let mut watch = Watch::new(start);
        watch.seen(start, CLOSE);
        watch
    }

    // covers: REC-003, REC-012
    #[test]
    fn silence_is_an_error_that_clears_with_the_next_answer() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(
            watch.seen(start, CLOSE),
            [Told::Error(false), Told::State(CLOSE)]
        );
        assert_eq!(watch.seen(start + SECOND, CLOSE), []);
        let deadline = watch.deadline().unwrap();
        assert_eq!(watch.overdue(deadline - Duration::from_millis(1)), []);
        assert_eq!(
            watch.overdue(deadline),
            [Told::Error(true), Told::State(None)]
        );
        assert_eq!(watch.overdue(deadline + SECOND), []);
        assert_eq!(watch.deadline(), None);
        assert_eq!(
            watch.seen(deadline + SECOND, OPEN),
            [Told::Error(false), Told::State(OPEN)]
        );
    }

    #[test]
    fn a_recloser_that_never_answers_is_an_error_too() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(
            watch.overdue(start + UNAVAILABLE_AFTER),
            [Told::Error(true), Told::State(None)]
        );
    }

    #[test]
    fn a_change_is_answered_once_with_the_state_that_was_read() {
        let start = Instant::now();
        let mut watch = found(start);
        let number = watch.request(start).unwrap();
        watch.seen(start + SECOND, OPEN);
        assert_eq!(
            watch.reached(number),
            Some(Told::Answer(RecloserAnswer::Open))
        );
        assert_eq!(watch.reached(number), None);
        assert_eq!(watch.gave_up(number), None);
    }

    // covers: REC-010
    #[test]
    fn a_change_that_is_not_reached_fails_within_10_s() {
        let start = Instant::now();
        let mut watch = found(start);
        let number = watch.request(start).unwrap();
        for second in 1..9 {
            let now = start + SECOND * second;
            watch.seen(now, CLOSE);
            assert_eq!(watch.overdue(now), []);
        }
        watch.seen(start + CHANGE_LIMIT, CLOSE);
        assert_eq!(watch.overdue(start + CHANGE_LIMIT), [NOT_AVAILABLE]);
        assert!(CHANGE_LIMIT < 10 * SECOND);
        assert_eq!(watch.reached(number), None, "too late");
    }

    #[test]
    fn a_recloser_that_falls_silent_ends_the_change() {
        let start = Instant::now();
        let mut watch = found(start);
        watch.request(start).unwrap();
        assert_eq!(
            watch.overdue(start + UNAVAILABLE_AFTER),
            [Told::Error(true), Told::State(None), NOT_AVAILABLE]
        );
    }

    #[test]
    fn nothing_is_commanded_blindly() {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        assert_eq!(watch.request(start), Err(RecloserAnswer::NotAvailable));
        watch.seen(start, None);
        assert_eq!(watch.request(start), Err(RecloserAnswer::NotAvailable));
        watch.seen(start, OPEN);
        assert!(watch.request(start).is_ok());
        watch.overdue(start + UNAVAILABLE_AFTER);
        assert_eq!(
            watch.request(start + UNAVAILABLE_AFTER),
            Err(RecloserAnswer::NotAvailable)
        );
    }

    #[test]
    fn a_newer_change_replaces_the_one_under_way() {
        let start = Instant::now();
        let mut watch = found(start);
        let first = watch.request(start).unwrap();
        let second = watch.request(start + SECOND).unwrap();
        assert_eq!(watch.gave_up(first), None);
        assert_eq!(watch.gave_up(second), Some(NOT_AVAILABLE));
    }
}
