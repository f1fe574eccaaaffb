//! What a meter in the supply line of the bench measures.

/// One look at the supply line, in the units of the physics: the meters scale it
/// to their registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// Phase to neutral, L1 to L3, in volts.
    pub voltage: [f64; 3],
    /// L1 to L3, in amperes; zero in a phase that carries nothing.
    pub current: [f64; 3],
    /// Energy imported since the meter was made, in watt hours: never falls and
    /// doesn't start at zero.
    pub energy_wh: f64,
    /// Mains frequency in hertz.
    pub frequency: f64,
}

/// The supply line as the simulated meters see it.
pub trait MeterSource: Send {
    /// The values of this instant.
    fn readings(&self) -> Readings;
}
