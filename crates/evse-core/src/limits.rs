//! All current limits and their minimum (guide 15.16).

use crate::step::Deadline;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(index: usize) -> DynamicSlot {
        DynamicSlot::new(index).unwrap()
    }

    fn limits() -> Limits {
        Limits::new(Amperes::new(40), Amperes::new(32), None)
    }

    // covers: LIM-001, LIM-002, LIM-007
    #[test]
    fn the_offered_limit_is_the_minimum_of_all() {
        let values = [None, Some(0), Some(59), Some(60), Some(163), Some(400)];
        let mut seed = 1_u64;
        let mut pick = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            values[(seed >> 33) as usize % values.len()].map(Amperes::from_deci)
        };
        for _ in 0..10_000 {
            let mut limits = limits();
            let mut expected = 320;
            let cable = pick();
            let chosen = [pick(), pick(), pick(), pick(), pick()];
            let ocpp = pick();
            for (index, limit) in chosen.into_iter().enumerate() {
                limits.set_dynamic(slot(index), limit);
            }
            limits.set_ocpp(ocpp);
            let physical = limits.physical(cable);
            assert_eq!(
                physical.deci(),
                cable.map_or(320, |cable| cable.deci().min(320))
            );
            for limit in chosen.into_iter().chain([cable, ocpp]).flatten() {
                expected = expected.min(limit.deci());
            }
            assert_eq!(limits.offered(cable).deci(), expected);
        }
    }

    // covers: LIM-014, LIM-015, LIM-016
    #[test]
    fn the_guide_s_example_gives_6_a_and_then_13_a() {
        let mut limits = limits();
        limits.set_dynamic(slot(0), Some(Amperes::new(16)));
        limits.set_dynamic(slot(1), Some(Amperes::new(13)));
        limits.set_dynamic(slot(2), Some(Amperes::new(6)));
        assert_eq!(limits.offered(None), Amperes::new(6));
        limits.set_dynamic(slot(2), Some(Amperes::new(20)));
        assert_eq!(limits.offered(None), Amperes::new(13));
        limits.remove_dynamic(slot(1));
        assert_eq!(limits.offered(None), Amperes::new(16));
        assert_eq!(DynamicSlot::new(5), None);
    }

    // covers: LIM-020, LIM-021, LIM-022
    #[test]
    fn the_failsafe_limit_applies_until_a_limit_arrives_and_never_raises() {
        for (failsafe, at_start) in [(None, 32), (Some(8), 8), (Some(63), 32), (Some(3), 3)] {
            let failsafe = failsafe.map(Amperes::new);
            let fresh = Limits::new(Amperes::new(40), Amperes::new(32), failsafe);
            assert_eq!(fresh.offered(None), Amperes::new(at_start), "{failsafe:?}");

            let mut limits = fresh;
            limits.remove_dynamic(slot(0));
            assert_eq!(limits.offered(None), Amperes::new(at_start), "not a limit");
            limits.set_dynamic(slot(0), Some(Amperes::new(16)));
            assert_eq!(limits.offered(None), Amperes::new(16));

            let mut limits = fresh;
            limits.set_ocpp(None);
            assert_eq!(
                limits.offered(None),
                Amperes::new(32),
                "said to be no limit"
            );
        }
    }

    #[test]
    fn the_failsafe_limit_applies_again_30_s_after_the_broker_was_lost() {
        let mut limits = Limits::new(Amperes::new(32), Amperes::new(32), Some(Amperes::new(8)));
        limits.set_ocpp(Some(Amperes::new(16)));
        limits.broker_lost(Millis(1_000));
        limits.broker_lost(Millis(20_000));
        assert_eq!(
            limits.deadline(),
            Some((Millis(31_000), "failsafe current limit"))
        );
        limits.expire(Millis(30_999));
        assert_eq!(limits.offered(None), Amperes::new(16));
        limits.expire(Millis(31_000));
        assert_eq!(limits.offered(None), Amperes::new(8));
        limits.broker_connected();
        assert_eq!(
            limits.offered(None),
            Amperes::new(8),
            "until a limit arrives"
        );
        limits.set_dynamic(slot(4), Some(Amperes::new(20)));
        assert_eq!(limits.offered(None), Amperes::new(16));

        limits.broker_lost(Millis(100_000));
        limits.broker_connected();
        limits.expire(Millis(200_000));
        assert_eq!(limits.offered(None), Amperes::new(16), "back in time");
    }
}
