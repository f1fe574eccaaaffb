//! The deprecated topic `authorizeReq`: what this daemon publishes there comes back to
//! it and must not be taken for somebody else's tag.

use std::time::{Duration, Instant};

use topic_map::RfidTag;

/// An own message comes back within this time or not at all: the broker gives up a client
/// that is stalled for longer than one and a half times its keep-alive of 5 s.
const ROUND_TRIP: Duration = Duration::from_secs(10);

/// Own messages under way.
#[derive(Debug, Default)]
pub struct OwnMessages {
    under_way: Vec<(RfidTag, Instant)>,
}

impl OwnMessages {
    /// This daemon published `tag`.
    pub fn sent(&mut self, now: Instant, tag: RfidTag) {
        self.forget(now);
        self.under_way.push((tag, now));
    }

    /// Whether `tag`, which came just now, is an own message.
    pub fn has(&mut self, now: Instant, tag: &RfidTag) -> bool {
        self.forget(now);
        let found = self.under_way.iter().position(|(own, _)| own == tag);
        if let Some(place) = found {
            self.under_way.remove(place);
        }
        found.is_some()
    }

    /// The connection is lost, and with it what was under way.
    pub fn lost(&mut self) {
        self.under_way.clear();
    }

    fn forget(&mut self, now: Instant) {
        self.under_way
            .retain(|(_, sent)| now.saturating_duration_since(*sent) < ROUND_TRIP);
    }
}

#[cfg(test)]
mod tests {
    use topic_map::TagStandard;

    use super::*;

    #[test]
    fn an_own_message_is_known_once_and_for_a_short_time() {
        let tag = RfidTag {
            standard: TagStandard::Unknown,
            uid: "00".into(),
        };
        let start = Instant::now();
        let mut own = OwnMessages::default();
        assert!(!own.has(start, &tag));
        own.sent(start, tag.clone());
        assert!(own.has(start, &tag));
        assert!(!own.has(start, &tag), "the second is somebody else's");
        own.sent(start, tag.clone());
        assert!(!own.has(start + ROUND_TRIP, &tag));
        own.sent(start, tag.clone());
        own.lost();
        assert!(!own.has(start, &tag));
    }

    #[test]
    fn an_own_message_is_known_after_a_stall_that_the_broker_bears() {
        let tag = RfidTag {
            standard: TagStandard::Unknown,
            uid: "00".into(),
        };
        let start = Instant::now();
        let mut own = OwnMessages::default();
        own.sent(start, tag.clone());
        assert!(own.has(start + Duration::from_millis(7_500), &tag));
    }
}
