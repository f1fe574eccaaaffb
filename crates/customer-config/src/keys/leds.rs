//! leds.json (guide 14.1 table 49).

use crate::key::{Initial, Key, Kind};
use crate::leds::{Color, Condition, Mode};

const TABLE_49: &str = "guide 14.1 table 49";
const GPIO: Kind = Kind::Integer {
    min: 0,
    max: 5 * 32 - 1,
    or: None,
};

/// The guide's print leaves open whether the suffix belongs to the words.
const CONDITION: Kind = Kind::Choice {
    words: Condition::WORDS,
    also: &[("charge", "charge_1"), ("ventilation", "ventilation_1")],
};

/// The keys of leds.json.
pub const LEDS: &[Key] = &[
    Key::new("leds", Kind::Items { max: 8 }, Initial::Json("[]"))
        .means("The status LEDs", TABLE_49),
    Key::new("leds[]/gpios", Kind::List(&GPIO), Initial::Json("[84]")).means(
        "Linux GPIO numbers of red, green and blue, or one number; 84 is \
             PUSH_PULL_OUT_1",
        TABLE_49,
    ),
    Key::new(
        "leds[]/behaviors",
        Kind::Items { max: 64 },
        Initial::Json("[]"),
    )
    .means("What the LED shows when", TABLE_49),
    Key::new("leds[]/behaviors[]/condition", CONDITION, Initial::Absent).means(
        "When this behavior applies; charge and ventilation are read as charge_1 \
             and ventilation_1",
        TABLE_49,
    ),
    Key::choice(
        "leds[]/behaviors[]/mode",
        Mode::WORDS,
        Initial::Text("solid"),
    )
    .means(
        "Steady, 1 s on and 1 s off, or 100 ms on and 100 ms off",
        TABLE_49,
    ),
    Key::choice(
        "leds[]/behaviors[]/color",
        Color::WORDS,
        Initial::Text("white"),
    )
    .means(
        "Color; black is off, a single LED is on with any other",
        TABLE_49,
    ),
    Key::integer("leds[]/behaviors[]/duration", 0, i32::MAX as i64, 0)
        .unit("100 ms")
        .means(
            "How long the behavior lasts; 0: as long as the condition",
            TABLE_49,
        ),
];
