//! The port and how it speaks.

use std::path::PathBuf;
use std::time::Duration;

/// Start, eight data bits, parity or second stop bit, stop.
const BITS_PER_CHARACTER: u32 = 11;

/// A port with its settings; eight data bits, one stop bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Device, e.g. `/dev/ttymxc0`.
    pub port: PathBuf,
    /// Speed.
    pub baud_rate: BaudRate,
    /// Parity bit.
    pub parity: Parity,
    /// Whether the transceiver hears itself.
    pub echo: LocalEcho,
}

/// A speed in bit/s, 1200 to 115 200 (guide 7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaudRate(u32);

/// Parity bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Odd number of ones.
    Odd,
    /// Even number of ones.
    Even,
}

/// Whether every byte sent comes back (guide 7.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalEcho {
    /// It does, as on this board: it is compared and removed.
    Present,
    /// It does not, as with most USB adapters.
    Absent,
}

/// A Modbus device address, 1 to 247: a broadcast has no answer to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAddress(u8);

impl BaudRate {
    /// 9600 bit/s.
    pub const B9600: Self = Self(9600);
    /// 19 200 bit/s.
    pub const B19200: Self = Self(19_200);
    /// 38 400 bit/s.
    pub const B38400: Self = Self(38_400);
    /// 115 200 bit/s.
    pub const B115200: Self = Self(115_200);

    /// `None` outside 1200 to 115 200 bit/s.
    pub const fn new(bits_per_second: u32) -> Option<Self> {
        match bits_per_second {
            1200..=115_200 => Some(Self(bits_per_second)),
            _ => None,
        }
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u32 {
        self.0
    }

    /// How long so many characters are on the line.
    pub(crate) fn duration_of(self, characters: u32) -> Duration {
        Duration::from_secs(1) * (characters * BITS_PER_CHARACTER) / self.0
    }

    /// The silence between two frames: 3.5 characters, from 19 200 bit/s on 1.75 ms
    /// (Modbus serial line specification, 2.5.1.1).
    pub(crate) fn silence(self) -> Duration {
        (self.duration_of(7) / 2).max(Duration::from_micros(1750))
    }
}

impl DeviceAddress {
    /// `None` outside 1 to 247.
    pub const fn new(address: u8) -> Option<Self> {
        match address {
            1..=247 => Some(Self(address)),
            _ => None,
        }
    }

    /// 1 to 247.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl std::fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_follows_the_speed_down_to_its_floor() {
        let silence = |rate| BaudRate::new(rate).unwrap().silence();
        assert_eq!(silence(9600), Duration::from_nanos(4_010_416));
        assert_eq!(silence(115_200), Duration::from_micros(1750));
    }

    // covers: MET-028
    #[test]
    fn speeds_up_to_115200_are_taken() {
        assert_eq!(
            BaudRate::new(115_200).map(BaudRate::bits_per_second),
            Some(115_200)
        );
        assert_eq!(BaudRate::new(115_201), None);
        assert_eq!(BaudRate::new(0), None);
    }

    #[test]
    fn a_broadcast_is_no_device() {
        assert_eq!(DeviceAddress::new(0), None);
        assert_eq!(
            DeviceAddress::new(247).map(DeviceAddress::number),
            Some(247)
        );
        assert_eq!(DeviceAddress::new(248), None);
    }
}
