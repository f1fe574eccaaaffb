//! Whether the station takes new sessions (guide 3.3.5).

use crate::Millis;
use crate::step::Deadline;

/// How long the first session waits for a broker that may know of a wish. The contactor
/// has to rest for longer after start, so nobody waits for this.
const SILENCE_MS: u64 = 5_000;
/// How long the broker may take for telling what it has kept, from the first connection on.
const TELLING_MS: u64 = 2_000;

/// One party's wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Sessions are welcome.
    #[default]
    Operative,
    /// No new sessions.
    Inoperative,
}

/// The result of both wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Availability {
    /// Both parties want operation.
    Operative,
    /// Inoperative is wanted and takes effect when the EV leaves; until then a
    /// running session goes on and no new one starts. `port0/availability/actual`
    /// still says `operative`.
    Scheduled,
    /// Out of operation.
    Inoperative,
}

/// What is known of the wishes from before the start; the broker keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Memory {
    /// No broker yet. From `until` on the rules for a lost broker hold: a session starts
    /// without knowing.
    Silent { until: Millis },
    /// The broker is telling, until then.
    Telling { until: Millis },
}

/// Both wishes and what has come of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wishes {
    backend: Operation,
    customer: Operation,
    result: Availability,
    memory: Memory,
}

impl Wishes {
    pub(crate) const fn new(now: Millis) -> Self {
        Self {
            backend: Operation::Operative,
            customer: Operation::Operative,
            result: Availability::Operative,
            memory: Memory::Silent {
                until: now.after(SILENCE_MS),
            },
        }
    }

    /// A broker is there. Only the first connection tells something that is old news to
    /// everybody else.
    pub(crate) fn broker_connected(&mut self, now: Millis) {
        self.memory = match self.memory {
            Memory::Silent { .. } => Memory::Telling {
                until: now.after(TELLING_MS),
            },
            Memory::Telling { until } => Memory::Telling { until },
        };
    }

    pub(crate) fn set_backend(&mut self, wish: Operation) {
        self.backend = wish;
    }

    pub(crate) fn set_customer(&mut self, wish: Operation) {
        self.customer = wish;
    }

    /// Combines the wishes (guide 3.3.5 table 4); taking effect waits for the EV
    /// to leave, a return doesn't. What the broker tells after the start has been in
    /// effect before, so it doesn't wait.
    pub(crate) fn combine(&mut self, now: Millis, vacant: bool) {
        let at_once = vacant || self.is_being_told(now);
        self.result = match (self.backend, self.customer) {
            (Operation::Operative, Operation::Operative) => Availability::Operative,
            (Operation::Inoperative, _) | (_, Operation::Inoperative) => {
                if at_once || self.result == Availability::Inoperative {
                    Availability::Inoperative
                } else {
                    Availability::Scheduled
                }
            }
        };
    }

    pub(crate) const fn result(&self) -> Availability {
        self.result
    }

    /// Sessions are welcome, as far as can be known.
    pub(crate) fn allow_start(&self, now: Millis) -> bool {
        let (Memory::Silent { until } | Memory::Telling { until }) = self.memory;
        now >= until && self.result == Availability::Operative
    }

    /// The session that runs was started without knowing that none is wanted.
    pub(crate) fn forbid_running(&self, now: Millis) -> bool {
        self.is_being_told(now) && self.result == Availability::Inoperative
    }

    fn is_being_told(&self, now: Millis) -> bool {
        match self.memory {
            Memory::Silent { .. } => false,
            Memory::Telling { until } => now < until,
        }
    }

    pub(crate) const fn deadline(&self) -> Deadline {
        let (Memory::Silent { until } | Memory::Telling { until }) = self.memory;
        (until, "wishes known")
    }
}
