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
}
