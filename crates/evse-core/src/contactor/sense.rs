//! The sense input of a contactor's auxiliary contact, debounced.

use super::{ContactorPosition, REACTION_MS};
use crate::Millis;

/// The contact bounces for less than this.
const DEBOUNCE_MS: u64 = 10;

/// The sense input after debouncing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sense {
    /// Not read yet.
    Unread,
    /// The same for long enough.
    Settled(ContactorPosition),
    /// `from` was settled. Now the input says `now`, which is believed at `at`, unless it
    /// is unknown. What settles nowhere is as good as unreadable at `give_up`.
    Doubtful {
        from: ContactorPosition,
        now: ContactorPosition,
        at: Millis,
        give_up: Millis,
    },
}

impl Sense {
    /// `read` is one more reading; unknown is one that has failed.
    pub(super) fn after(self, now: Millis, read: ContactorPosition) -> Self {
        let (from, give_up) = match self {
            // The first reading is as good as any.
            Self::Unread if read != ContactorPosition::Unknown => return Self::Settled(read),
            Self::Unread => (ContactorPosition::Unknown, now.after(REACTION_MS)),
            Self::Settled(position) if read == position => return self,
            Self::Settled(position) => (position, now.after(REACTION_MS)),
            Self::Doubtful {
                now: doubted, at, ..
            } if read == doubted => {
                let settled = now >= at && read != ContactorPosition::Unknown;
                return if settled { Self::Settled(read) } else { self };
            }
            Self::Doubtful { from, give_up, .. } => (from, give_up),
        };
        Self::Doubtful {
            from,
            now: read,
            at: now.after(DEBOUNCE_MS),
            give_up,
        }
    }

    /// As sensed.
    pub(super) const fn position(self) -> ContactorPosition {
        match self {
            Self::Settled(position) => position,
            Self::Unread
            | Self::Doubtful {
                now: ContactorPosition::Unknown,
                ..
            } => ContactorPosition::Unknown,
            Self::Doubtful { from, .. } => from,
        }
    }
}
