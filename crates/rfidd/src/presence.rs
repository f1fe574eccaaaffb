//! From sightings to presentations: a card is held for seconds, seen many times, and
//! means one request. Pure, time comes in.

use std::time::{Duration, Instant};

use topic_map::RfidTag;

/// A card is gone when the reader has said so for this long.
const GONE_AFTER: Duration = Duration::from_millis(500);

/// What one look at the reader showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// This card.
    Card(RfidTag),
    /// No card.
    Nothing,
    /// Something, but not what: several cards at once.
    Unclear,
}

/// The cards in front of the reader.
///
/// Only an answer of the reader ends a presentation: one that falls silent with a card
/// on it has not seen the card leave.
#[derive(Debug, Default)]
pub struct Presence {
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    tag: RfidTag,
    missed_since: Option<Instant>,
}

impl Presence {
    /// The card whose presentation begins with this sighting.
    pub fn see(&mut self, now: Instant, sighting: Sighting) -> Option<RfidTag> {
        match sighting {
            Sighting::Unclear => None,
            Sighting::Nothing => {
                self.miss_all_but(now, None);
                None
            }
            Sighting::Card(tag) => {
                self.miss_all_but(now, Some(&tag));
                if self.held.iter().any(|held| held.tag == tag) {
                    return None;
                }
                self.held.push(Held {
                    tag: tag.clone(),
                    missed_since: None,
                });
                Some(tag)
            }
        }
    }

    fn miss_all_but(&mut self, now: Instant, seen: Option<&RfidTag>) {
        for held in &mut self.held {
            held.missed_since = match held.missed_since {
                _ if Some(&held.tag) == seen => None,
                None => Some(now),
                since => since,
            };
        }
        self.held.retain(|held| {
            held.missed_since
                .is_none_or(|since| now.saturating_duration_since(since) < GONE_AFTER)
        });
    }
}

#[cfg(test)]
mod tests {
    use topic_map::TagStandard;

    use super::*;

    const LOOK: Duration = Duration::from_millis(200);

    fn tag(uid: &str) -> RfidTag {
        RfidTag {
            standard: TagStandard::Iso14443,
            uid: uid.into(),
        }
    }

    /// The requests that a series of looks leads to; `.` no card, `?` unclear.
    fn requests(looks: &str) -> String {
        let start = Instant::now();
        let mut presence = Presence::default();
        let mut requests = String::new();
        for (number, look) in (0..).zip(looks.chars()) {
            let sighting = match look {
                '.' => Sighting::Nothing,
                '?' => Sighting::Unclear,
                card => Sighting::Card(tag(&card.to_string())),
            };
            if let Some(tag) = presence.see(start + LOOK * number, sighting) {
                requests += &tag.uid;
            }
        }
        requests
    }

    // covers: RFID-027
    #[test]
    fn a_held_card_means_one_request() {
        assert_eq!(requests(&"A".repeat(50)), "A");
    }

    #[test]
    fn a_card_that_flickers_means_one_request() {
        assert_eq!(requests("AA.A..AA?A.?.A"), "A");
    }

    #[test]
    fn a_card_that_comes_again_means_another_request() {
        assert_eq!(requests("AA....A"), "AA");
    }

    #[test]
    fn another_card_means_another_request_at_once() {
        assert_eq!(requests("AAB"), "AB");
    }

    #[test]
    fn two_cards_seen_by_turns_mean_two_requests() {
        assert_eq!(requests("ABABABABAB"), "AB");
    }

    #[test]
    fn what_is_unclear_is_no_card_and_no_end() {
        assert_eq!(requests("????"), "");
        assert_eq!(requests("A??????A"), "A");
    }

    #[test]
    fn a_reader_that_was_silent_for_long_has_seen_no_card_leave() {
        let start = Instant::now();
        let mut presence = Presence::default();
        let card = Sighting::Card(tag("A"));
        assert!(presence.see(start, card.clone()).is_some());
        assert!(presence.see(start + LOOK * 300, card.clone()).is_none());
        assert!(
            presence
                .see(start + LOOK * 301, Sighting::Nothing)
                .is_none()
        );
        assert!(presence.see(start + LOOK * 302, card).is_none());
    }
}
