//! All current limits and their minimum (guide 15.16).

use crate::machine::Deadline;
use crate::{Amperes, Millis};

/// Without the broker for this long the failsafe limit applies again.
const BROKER_GRACE_MS: u64 = 30_000;

/// One of the five places for dynamic current limits (guide 15.16.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DynamicSlot(u8);

impl DynamicSlot {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// 0 to 4; `None` above.
    pub const fn new(index: usize) -> Option<Self> {
        if index < Self::COUNT {
            Some(Self(index as u8))
        } else {
            None
        }
    }
}

/// When the failsafe limit takes part in the minimum (guide 14.1, table 47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Failsafe {
    /// Since start, or since the broker was missed for too long.
    Applies,
    /// A limit has arrived.
    Suspended,
    /// The broker is away; applies at `at`.
    Pending { at: Millis },
}

/// The limits that can change at run time. Rotary switch and station rating are
/// fixed and stand in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limits {
    evse: Amperes,
    grid: Amperes,
    failsafe_limit: Option<Amperes>,
    failsafe: Failsafe,
    dynamic: [Option<Amperes>; DynamicSlot::COUNT],
    ocpp: Option<Amperes>,
}

impl Limits {
    pub(crate) const fn new(evse: Amperes, grid: Amperes, failsafe: Option<Amperes>) -> Self {
        Self {
            evse,
            grid,
            failsafe_limit: failsafe,
            failsafe: Failsafe::Applies,
            dynamic: [None; DynamicSlot::COUNT],
            ocpp: None,
        }
    }

    /// A dynamic limit has arrived; `None` is "no limit" (-1 on the topic).
    pub(crate) fn set_dynamic(&mut self, slot: DynamicSlot, limit: Option<Amperes>) {
        self.failsafe = Failsafe::Suspended;
        self.remove_dynamic(slot);
        if let Some(place) = self.dynamic.get_mut(usize::from(slot.0)) {
            *place = limit;
        }
    }

    /// A dynamic limit's name is gone. Nobody stated a limit, so the failsafe
    /// limit stays as it is.
    pub(crate) fn remove_dynamic(&mut self, slot: DynamicSlot) {
        if let Some(place) = self.dynamic.get_mut(usize::from(slot.0)) {
            *place = None;
        }
    }

    /// The central system's limit has arrived; `None` is "no limit".
    pub(crate) fn set_ocpp(&mut self, limit: Option<Amperes>) {
        self.failsafe = Failsafe::Suspended;
        self.ocpp = limit;
    }

    pub(crate) fn broker_lost(&mut self, now: Millis) {
        self.failsafe = match self.failsafe {
            Failsafe::Applies => Failsafe::Applies,
            Failsafe::Suspended => Failsafe::Pending {
                at: now.after(BROKER_GRACE_MS),
            },
            Failsafe::Pending { at } => Failsafe::Pending { at },
        };
    }

    pub(crate) fn broker_connected(&mut self) {
        self.failsafe = match self.failsafe {
            // Limits are re-sent after a reconnection; the first one ends it.
            Failsafe::Applies => Failsafe::Applies,
            Failsafe::Suspended | Failsafe::Pending { .. } => Failsafe::Suspended,
        };
    }

    pub(crate) fn expire(&mut self, now: Millis) {
        match self.failsafe {
            Failsafe::Pending { at } if now >= at => self.failsafe = Failsafe::Applies,
            Failsafe::Applies | Failsafe::Suspended | Failsafe::Pending { .. } => {}
        }
    }

    /// What the installation bears: the minimum of grid, station and cable.
    pub(crate) fn physical(&self, cable: Option<Amperes>) -> Amperes {
        let fixed = self.evse.min(self.grid);
        cable.map_or(fixed, |cable| cable.min(fixed))
    }

    /// The minimum of all limits (S6).
    pub(crate) fn offered(&self, cable: Option<Amperes>) -> Amperes {
        let failsafe = match self.failsafe {
            Failsafe::Applies => self.failsafe_limit,
            Failsafe::Suspended | Failsafe::Pending { .. } => None,
        };
        self.dynamic
            .into_iter()
            .chain([self.ocpp, failsafe])
            .flatten()
            .fold(self.physical(cable), Amperes::min)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        match self.failsafe {
            Failsafe::Pending { at } => Some((at, "failsafe current limit")),
            Failsafe::Applies | Failsafe::Suspended => None,
        }
    }
}
