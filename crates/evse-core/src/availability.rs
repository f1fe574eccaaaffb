//! Whether the station takes new sessions (guide 3.3.5).

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

/// Both wishes and what has come of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wishes {
    backend: Operation,
    customer: Operation,
    result: Availability,
}

impl Wishes {
    pub(crate) const fn new() -> Self {
        Self {
            backend: Operation::Operative,
            customer: Operation::Operative,
            result: Availability::Operative,
        }
    }

    pub(crate) fn set_backend(&mut self, wish: Operation) {
        self.backend = wish;
    }

    pub(crate) fn set_customer(&mut self, wish: Operation) {
        self.customer = wish;
    }

    /// Combines the wishes (guide 3.3.5 table 4); taking effect waits for the EV
    /// to leave, a return doesn't.
    pub(crate) fn combine(&mut self, vacant: bool) {
        self.result = match (self.backend, self.customer) {
            (Operation::Operative, Operation::Operative) => Availability::Operative,
            (Operation::Inoperative, _) | (_, Operation::Inoperative) => {
                if vacant || self.result == Availability::Inoperative {
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
}
