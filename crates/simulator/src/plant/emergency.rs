//! The emergency switch: a contact on a digital input.

use serde::{Deserialize, Serialize};

/// The switch and its wiring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct EmergencySwitch {
    /// The digital input, 1 to 6, that it drives; 0 is not wired.
    pub input: u8,
    /// Level of the input while it is pressed.
    pub pressed_high: bool,
    /// Pressed and latched.
    pub pressed: bool,
}

impl Default for EmergencySwitch {
    fn default() -> Self {
        Self {
            input: 0,
            pressed_high: true,
            pressed: false,
        }
    }
}

impl EmergencySwitch {
    /// The digital input, 1 to 6, that it drives, and that input's level.
    pub fn level(&self) -> Option<(u8, bool)> {
        (1..=6)
            .contains(&self.input)
            .then_some((self.input, self.pressed == self.pressed_high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiring_decides_the_level() {
        let level = |input, pressed_high, pressed| {
            EmergencySwitch {
                input,
                pressed_high,
                pressed,
            }
            .level()
        };
        assert_eq!(level(0, true, true), None);
        assert_eq!(level(1, true, false), Some((1, false)));
        assert_eq!(level(1, true, true), Some((1, true)));
        assert_eq!(level(6, false, false), Some((6, true)));
        assert_eq!(level(6, false, true), Some((6, false)));
    }
}
