//! A contactor with coil delays, bouncing contacts, and its feedback contact.

use serde::{Deserialize, Serialize};

/// How the auxiliary contact is wired to the sense input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// Active when closed.
    #[default]
    No,
    /// Active when open.
    Nc,
    /// Not wired: never active.
    None,
}

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactorFault {
    /// Nothing.
    #[default]
    None,
    /// Once closed the contacts stay closed.
    Welded,
    /// The contacts never close.
    StuckOpen,
}

/// Coil, power contacts and auxiliary contact.
#[derive(Clone, Debug)]
pub struct Contactor {
    /// From coil on to contacts closed, in ms.
    pub close_ms: u32,
    /// From coil off to contacts open, in ms.
    pub open_ms: u32,
    /// How long the contacts bounce at each end, in ms.
    pub bounce_ms: u32,
    /// Wiring of the auxiliary contact.
    pub feedback: Feedback,
    /// What is broken.
    pub fault: ContactorFault,
    /// A sense line that is stuck at this level.
    pub stuck_sense: Option<bool>,
    coil: bool,
    coil_age_us: u64,
    closed: bool,
}

impl Default for Contactor {
    fn default() -> Self {
        Self {
            close_ms: 15,
            open_ms: 10,
            bounce_ms: 3,
            feedback: Feedback::default(),
            fault: ContactorFault::default(),
            stuck_sense: None,
            coil: false,
            // Its last movement is long past.
            coil_age_us: u64::MAX,
            closed: false,
        }
    }
}

impl Contactor {
    /// Energise or release the coil.
    pub fn set_coil(&mut self, on: bool) {
        if on != self.coil {
            self.coil = on;
            self.coil_age_us = 0;
        }
    }

    /// Whether the coil is energised.
    pub fn coil(&self) -> bool {
        self.coil
    }

    /// Whether the power contacts conduct.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Level of the sense input: `true` is active.
    pub fn sense(&self) -> bool {
        self.stuck_sense.unwrap_or(match self.feedback {
            Feedback::No => self.closed,
            Feedback::Nc => !self.closed,
            Feedback::None => false,
        })
    }

    /// Let time pass.
    pub fn advance(&mut self, dt_us: u64) {
        self.coil_age_us = self.coil_age_us.saturating_add(dt_us);
        let delay_ms = if self.coil {
            self.close_ms
        } else {
            self.open_ms
        };
        let Some(since_arrival) = self.coil_age_us.checked_sub(u64::from(delay_ms) * 1000) else {
            return;
        };
        let bounced =
            since_arrival < u64::from(self.bounce_ms) * 1000 && since_arrival / 1000 % 2 == 1;
        let closed = self.coil != bounced;
        self.closed = match self.fault {
            ContactorFault::None => closed,
            ContactorFault::Welded => self.closed || closed,
            ContactorFault::StuckOpen => false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(contactor: &mut Contactor, ms: u32) {
        for _ in 0..ms {
            contactor.advance(1000);
        }
    }

    #[test]
    fn contacts_follow_the_coil_after_their_delay() {
        let mut contactor = Contactor {
            bounce_ms: 0,
            ..Contactor::default()
        };
        contactor.set_coil(true);
        run(&mut contactor, 14);
        assert!(!contactor.is_closed());
        run(&mut contactor, 1);
        assert!(contactor.is_closed());
        contactor.set_coil(false);
        run(&mut contactor, 9);
        assert!(contactor.is_closed());
        run(&mut contactor, 1);
        assert!(!contactor.is_closed());
    }

    #[test]
    fn contacts_bounce_and_settle() {
        let mut contactor = Contactor::default();
        contactor.set_coil(true);
        run(&mut contactor, 15);
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(contactor.is_closed());
            run(&mut contactor, 1);
        }
        assert_eq!(seen, [true, false, true, true, true]);
    }

    #[test]
    fn short_pulse_moves_nothing() {
        let mut contactor = Contactor::default();
        contactor.set_coil(true);
        run(&mut contactor, 5);
        contactor.set_coil(false);
        run(&mut contactor, 100);
        assert!(!contactor.is_closed());
    }

    #[test]
    fn welded_contacts_stay_closed_and_open_ones_stay_open() {
        let mut contactor = Contactor {
            fault: ContactorFault::Welded,
            ..Contactor::default()
        };
        run(&mut contactor, 100);
        assert!(!contactor.is_closed(), "a weld needs a closing");
        contactor.set_coil(true);
        run(&mut contactor, 100);
        contactor.set_coil(false);
        run(&mut contactor, 100);
        assert!(contactor.is_closed() && contactor.sense());

        let mut contactor = Contactor {
            fault: ContactorFault::StuckOpen,
            ..Contactor::default()
        };
        contactor.set_coil(true);
        run(&mut contactor, 100);
        assert!(!contactor.is_closed());
    }

    #[test]
    fn feedback_follows_its_wiring() {
        let sense = |feedback, stuck_sense| {
            Contactor {
                feedback,
                stuck_sense,
                ..Contactor::default()
            }
            .sense()
        };
        assert!(!sense(Feedback::No, None));
        assert!(sense(Feedback::Nc, None));
        assert!(!sense(Feedback::None, None));
        assert!(sense(Feedback::No, Some(true)));
    }
}
