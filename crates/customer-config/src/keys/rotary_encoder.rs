//! rotaryencd.json (guide 14.1 table 50).

use crate::key::{Initial, Key, Kind};

const TABLE_50: &str = "guide 14.1 table 50";

/// The keys of rotaryencd.json.
pub const ROTARY_ENCODER: &[Key] = &[
    Key::new(
        "rotary_switch_1",
        Kind::Items { max: 16 },
        Initial::Json("[]"),
    )
    .means(
        "Meaning of the coded switch's positions 0 to F in this order",
        "guide 4.2.2 table 16",
    ),
    Key::new(
        "rotary_switch_1[]/phase_count",
        Kind::Integer {
            min: 3,
            max: 3,
            or: Some(1),
        },
        Initial::Absent,
    )
    .refused_when_wrong()
    .means(
        "Phases of the supply: 1 or 3; without the key, 1 up to position 7 and 3 \
             from 8",
        TABLE_50,
    ),
    Key::new(
        "rotary_switch_1[]/current_limit",
        Kind::Integer {
            min: 1,
            max: 10_000,
            or: None,
        },
        Initial::Absent,
    )
    .unit("A per phase")
    .refused_when_wrong()
    .means(
        "Rating of the supply; without the key, 6, 10, 13, 16, 20, 32, 40, 63 for \
             0 to 7 and for 8 to F",
        TABLE_50,
    ),
];
