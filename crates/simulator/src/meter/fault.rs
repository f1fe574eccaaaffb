//! What can go wrong between a meter and its reader.

use std::time::Duration;

/// A disturbance that stays until the next one or until the port answers again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The meter is gone; the line still echoes.
    Silence,
    /// Each answer comes late by this much, even when the reader has given up and
    /// something else has been asked meanwhile.
    Delay(Duration),
    /// The next answer comes late by `first`, those after it by `then`: the meter was busy
    /// for a moment.
    Stall {
        /// Delay of the next answer.
        first: Duration,
        /// Delay of each answer after it.
        then: Duration,
    },
    /// Reads that begin at this register or behind it are not answered: old firmware.
    SilentFrom(u16),
    /// This many stray bytes precede each answer.
    Noise(usize),
    /// The answers carry the address of another device.
    WrongSlave,
    /// Each request is refused with this exception code.
    Exception(u8),
    /// One bit of each answer is flipped after its checksum was computed.
    DamagedAnswer,
    /// Each answer holds one register less than was asked for.
    ShortAnswer,
    /// Every measured value reads as this, e.g. NaN.
    Nonsense(f32),
    /// Reads that reach beyond one value are refused with exception 2.
    SingleValuesOnly,
    /// One bit of each echo is flipped: somebody else drives the line.
    Collision,
    /// The supply failed and came back: the meter is silent while it checks itself, for
    /// this long, then well again.
    PowerCycle(Duration),
    /// The energy register has rolled over at this many watt hours.
    Rollover(f64),
    /// The energy register starts again at zero, as in a new or broken meter.
    Reset,
    /// Signing ends with this status of the WM3M4C: 2 for never, from 128 on for an error;
    /// a BSM fails its snapshots then.
    Signing(u16),
    /// The line doesn't echo, like an adapter with a half-duplex receiver.
    NoEcho,
}
