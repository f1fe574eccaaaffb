//! Quantities as types: a bare number never crosses a module border.

/// A point on the monotonic clock in milliseconds. Wall time never enters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The instant `duration` milliseconds later, saturating.
    pub const fn after(self, duration: u64) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Milliseconds since `earlier`, zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A voltage in millivolts, signed: the control pilot reaches from -12 V to +12 V.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millivolts(pub i32);

/// A current per phase with the resolution of the topic map, 0.1 A (guide 15.16).
///
/// Never negative; "no limit" is `Option::None`, never a magic number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amperes {
    deci: u32,
}

impl Amperes {
    /// 0 A.
    pub const ZERO: Self = Self { deci: 0 };
    /// The smallest current that can be offered, 6 A (IEC 61851-1 table A.7).
    pub const MINIMUM_OFFER: Self = Self { deci: 60 };

    /// Whole amperes.
    pub const fn new(amperes: u32) -> Self {
        Self {
            deci: amperes.saturating_mul(10),
        }
    }

    /// Tenths of an ampere.
    pub const fn from_deci(deci: u32) -> Self {
        Self { deci }
    }

    /// Tenths of an ampere.
    pub const fn deci(self) -> u32 {
        self.deci
    }
}

/// A control pilot duty cycle in hundredths of a percent, 0.00 to 100.00 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DutyCycle {
    hundredths: u16,
}

impl DutyCycle {
    /// 0 %: -12 V steady, state F.
    pub const ZERO: Self = Self { hundredths: 0 };
    /// 100 %: +12 V steady, no current offered (states A1, B1, C1).
    pub const FULL: Self = Self { hundredths: 10_000 };

    /// From hundredths of a percent; `None` above 100.00 %.
    pub const fn from_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths <= 10_000 {
            Some(Self { hundredths })
        } else {
            None
        }
    }

    /// Hundredths of a percent, 0 to 10 000.
    pub const fn hundredths(self) -> u16 {
        self.hundredths
    }

    /// The duty cycle that offers `current` (IEC 61851-1 table A.7), rounded to
    /// the nearest 0.01 %: below 6 A no current is offered (100 %), up to 51 A it
    /// is I/0.6, from 52.5 A I/2.5 + 64. Between the two the standard defines
    /// nothing, so 51 A is offered; above 80 A it is 80 A.
    pub const fn offering(current: Amperes) -> Self {
        let deci = current.deci();
        if deci < Amperes::MINIMUM_OFFER.deci() {
            return Self::FULL;
        }
        // Both products stay below 10 000: deci is at most 800 here.
        let hundredths = match deci {
            0..=510 => (deci * 100 + 3) / 6,
            511..=524 => 8_500,
            525..=800 => deci * 4 + 6_400,
            _ => 9_600,
        };
        Self {
            hundredths: hundredths as u16,
        }
    }

    /// The current that an EV may draw at this duty cycle (IEC 61851-1 table A.8),
    /// `None` where it may draw none or only after digital communication.
    pub const fn offered(self) -> Option<Amperes> {
        let hundredths = self.hundredths as u32;
        match hundredths {
            0..=799 => None,
            800..=1_000 => Some(Amperes::MINIMUM_OFFER),
            1_001..=8_500 => Some(Amperes::from_deci(hundredths * 6 / 100)),
            8_501..=9_600 => Some(Amperes::from_deci((hundredths - 6_400) / 4)),
            9_601..=9_700 => Some(Amperes::new(80)),
            _ => None,
        }
    }

    /// `true` when the pilot oscillates at this duty cycle, `false` at steady +12 V or -12 V.
    pub const fn is_modulated(self) -> bool {
        0 < self.hundredths && self.hundredths < Self::FULL.hundredths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: CP-013, CP-014, CP-015, CP-020
    #[test]
    fn duty_cycle_follows_table_a7() {
        for (deci, hundredths) in [
            (0, 10_000),
            (59, 10_000),
            (60, 1_000),
            (61, 1_017),
            (70, 1_167),
            (100, 1_667),
            (110, 1_833),
            (130, 2_167),
            (160, 2_667),
            (200, 3_333),
            (320, 5_333),
            (400, 6_667),
            (510, 8_500),
            (511, 8_500),
            (524, 8_500),
            (525, 8_500),
            (526, 8_504),
            (630, 8_920),
            (700, 9_200),
            (800, 9_600),
            (801, 9_600),
            (u32::MAX, 9_600),
        ] {
            let duty = DutyCycle::offering(Amperes::from_deci(deci));
            assert_eq!(duty.hundredths(), hundredths, "{deci} dA");
        }
    }

    // covers: CP-013, CP-014
    #[test]
    fn every_offer_is_100_or_between_8_and_97_percent_and_reads_back_as_no_more() {
        for deci in 0..=1_000 {
            let current = Amperes::from_deci(deci);
            let duty = DutyCycle::offering(current);
            if current < Amperes::MINIMUM_OFFER {
                assert_eq!(duty, DutyCycle::FULL);
                assert_eq!(duty.offered(), None);
            } else {
                assert!((800..=9_700).contains(&duty.hundredths()));
                assert!(duty.offered() <= Some(current), "{deci} dA");
            }
        }
    }

    #[test]
    fn current_follows_table_a8() {
        for (hundredths, deci) in [
            (0, None),
            (500, None),
            (799, None),
            (800, Some(60)),
            (1_000, Some(60)),
            (2_667, Some(160)),
            (5_333, Some(319)),
            (8_500, Some(510)),
            (8_920, Some(630)),
            (9_600, Some(800)),
            (9_700, Some(800)),
            (9_701, None),
            (10_000, None),
        ] {
            let duty = DutyCycle::from_hundredths(hundredths).unwrap();
            assert_eq!(duty.offered().map(Amperes::deci), deci, "{hundredths}");
        }
        assert_eq!(DutyCycle::from_hundredths(10_001), None);
    }
}
