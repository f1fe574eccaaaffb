//! Numbers as they stand in registers.

/// Types on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned, one register.
    U16,
    /// Signed, one register.
    S16,
    /// Unsigned, two registers.
    U32,
    /// Signed, two registers.
    S32,
    /// Unsigned, four registers.
    U64,
    /// IEEE 754, two registers.
    F32,
    /// Iskra's T5: a signed power of ten in the high byte, an unsigned number in the
    /// other three.
    T5,
    /// Iskra's T6: as T5, with a signed number.
    T6,
}

/// Which word of a number comes first; inside a word it is always the high byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordOrder {
    /// The high word.
    HighFirst,
    /// The low word.
    LowFirst,
}

/// What a meter sends for a value that it doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMeasured {
    /// No such mark is known: everything is a value.
    Never,
    /// The greatest number of the type.
    Greatest,
    /// SunSpec: the least signed number, or no number.
    SunSpec,
}

impl Kind {
    /// Registers of one value.
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::S16 => 1,
            Self::U32 | Self::S32 | Self::F32 | Self::T5 | Self::T6 => 2,
            Self::U64 => 4,
        }
    }

    /// The number that `bits` stand for.
    pub(super) fn number(self, bits: u64) -> f64 {
        match self {
            Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::S16 => f64::from(bits as u16 as i16),
            Self::S32 => f64::from(bits as u32 as i32),
            Self::F32 => shortest(f32::from_bits(bits as u32)),
            Self::T5 => decade(bits, f64::from(bits as u32 & 0x00FF_FFFF)),
            // The shift there and back carries the sign of the 24 bits.
            Self::T6 => decade(bits, f64::from(((bits as u32) << 8) as i32 >> 8)),
        }
    }

    /// Whether `bits` say that there is no value.
    pub(super) fn is_not_measured(self, bits: u64, mark: NotMeasured) -> bool {
        match (mark, self) {
            (NotMeasured::Never, _) => false,
            (NotMeasured::Greatest, Self::U16) => bits == 0xFFFF,
            (NotMeasured::Greatest, Self::S16) => bits == 0x7FFF,
            (NotMeasured::Greatest, Self::U32) => bits == 0xFFFF_FFFF,
            (NotMeasured::Greatest, Self::S32) => bits == 0x7FFF_FFFF,
            (NotMeasured::Greatest, Self::U64) => bits == u64::MAX,
            (NotMeasured::SunSpec, Self::U16) => bits == 0xFFFF,
            (NotMeasured::SunSpec, Self::S16) => bits == 0x8000,
            (NotMeasured::SunSpec, Self::F32) => f32::from_bits(bits as u32).is_nan(),
            // A counter of SunSpec counts from zero, which marks it as absent as well: a
            // new meter must not lack its energy.
            (NotMeasured::SunSpec, Self::U32) => false,
            (NotMeasured::Greatest, Self::F32 | Self::T5 | Self::T6)
            | (NotMeasured::SunSpec, Self::S32 | Self::U64 | Self::T5 | Self::T6) => false,
        }
    }
}

impl WordOrder {
    /// The bits of up to four words.
    pub(super) fn join(self, words: &[u16]) -> u64 {
        let append = |bits: u64, word: &u16| bits << 16 | u64::from(*word);
        match self {
            Self::HighFirst => words.iter().fold(0, append),
            Self::LowFirst => words.iter().rev().fold(0, append),
        }
    }
}

/// `number` x 10^`exponent` x `scale`. No number for an exponent that no meter needs:
/// the reading is refused then.
pub(super) fn scaled(number: f64, exponent: i16, scale: f64) -> f64 {
    if !(-10..=10).contains(&exponent) {
        return f64::NAN;
    }
    tidy(number * 10f64.powi(exponent.into()) * scale)
}

fn decade(bits: u64, number: f64) -> f64 {
    let exponent = (bits as u32 >> 24) as u8 as i8;
    scaled(number, exponent.into(), 1.0)
}

/// The decimal number that a meter means by a float: 11.04, not 11.039999961853027.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// Without the noise of the multiplication.
fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(kind: Kind, order: WordOrder, words: &[u16]) -> f64 {
        kind.number(order.join(words))
    }

    #[test]
    fn numbers_are_decoded_in_either_word_order() {
        use WordOrder::{HighFirst, LowFirst};
        assert_eq!(number(Kind::F32, HighFirst, &[0x4130, 0xA3D7]), 11.04);
        assert_eq!(number(Kind::F32, LowFirst, &[0xA3D7, 0x4130]), 11.04);
        assert_eq!(number(Kind::U32, HighFirst, &[0x0001, 0xAF40]), 110_400.0);
        assert_eq!(number(Kind::S32, LowFirst, &[0xAF40, 0x0001]), 110_400.0);
        let energy = [0x0000, 0x0001, 0x0000, 0x0002];
        assert_eq!(number(Kind::U64, HighFirst, &energy), 4_294_967_298.0);
        assert!(number(Kind::F32, HighFirst, &[0x7FC0, 0x0000]).is_nan());
    }

    #[test]
    fn signed_types_have_a_sign_and_unsigned_ones_none() {
        use WordOrder::{HighFirst, LowFirst};
        assert_eq!(number(Kind::S16, HighFirst, &[0xFE90]), -368.0);
        assert_eq!(number(Kind::U16, HighFirst, &[0xFE90]), 65_168.0);
        assert_eq!(number(Kind::S32, LowFirst, &[0xFFFE, 0xFFFF]), -2.0);
        assert_eq!(
            number(Kind::U32, HighFirst, &[0xFFFF, 0xFFFE]),
            4_294_967_294.0
        );
    }

    // The example of the meter's manual: FD01 E240 is 123456e-3.
    #[test]
    fn iskras_numbers_carry_their_power_of_ten() {
        let decade = |kind, words: &[u16]| number(kind, WordOrder::HighFirst, words);
        assert_eq!(decade(Kind::T5, &[0xFD01, 0xE240]), 123.456);
        assert_eq!(decade(Kind::T6, &[0xFD01, 0xE240]), 123.456);
        assert_eq!(decade(Kind::T6, &[0xFEFF, 0xFFFF]), -0.01);
        assert_eq!(decade(Kind::T5, &[0x0200, 0x0005]), 500.0);
        assert!(decade(Kind::T5, &[0x7F00, 0x0005]).is_nan());
    }

    #[test]
    fn exponents_scale_and_absurd_ones_give_no_number() {
        assert_eq!(scaled(12_345_678.0, -3, 1000.0), 12_345_678.0);
        assert_eq!(scaled(1_234_567.0, 1, 1.0), 12_345_670.0);
        assert!(scaled(1.0, i16::MIN, 1.0).is_nan());
        assert!(scaled(0.0, 11, 1.0).is_nan());
    }

    #[test]
    fn what_is_not_measured_is_told_by_its_mark() {
        use NotMeasured::{Greatest, Never, SunSpec};
        assert!(Kind::U32.is_not_measured(0xFFFF_FFFF, Greatest));
        assert!(!Kind::U32.is_not_measured(0xFFFF_FFFF, Never));
        assert!(Kind::S16.is_not_measured(0x8000, SunSpec));
        assert!(!Kind::S16.is_not_measured(0, SunSpec));
        assert!(Kind::F32.is_not_measured(0x7FC0_0000, SunSpec));
        assert!(!Kind::F32.is_not_measured(0x7FC0_0000, Never));
        assert!(!Kind::U32.is_not_measured(0, SunSpec));
    }
}
