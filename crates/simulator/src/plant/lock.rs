//! The plug lock: motor, bolt, end switch and the capacitor that feeds the motor.

use serde::{Deserialize, Serialize};

/// Below this the motor doesn't turn, in volts.
const MOTOR_MINIMUM: f64 = 6.0;
/// What a turning motor takes from the capacitor, in volts per second.
const MOTOR_DRAIN: f64 = 3.5;
/// The end switch changes when the bolt is this far out.
const SWITCH_POINT: f64 = 0.9;

/// The motors of the guide by their names in customer.json.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the serialised name says it")]
pub enum LockType {
    #[serde(rename = "KUESTER-02S")]
    Kuester02S,
    #[serde(rename = "KUESTER-04S")]
    Kuester04S,
    #[default]
    #[serde(rename = "EV-T2M3S-E-LOCK12V")]
    PhoenixT2M3S,
    #[serde(rename = "EV-T2M3SM-E-LOCK12V")]
    PhoenixT2M3SM,
    #[serde(rename = "HELLA-MICRO-ACTUATOR-1")]
    Hella,
    #[serde(rename = "WALTHER-WERKE-9798999009")]
    Walther,
    #[serde(rename = "INTRAMCO-603205")]
    Intramco,
    #[serde(rename = "SCAME-200.23260BS")]
    Scame60Bs,
    #[serde(rename = "SCAME-200.23261BS")]
    Scame61Bs,
    #[serde(rename = "SCAME-200.23261BP")]
    Scame61Bp,
    #[serde(rename = "SCAME-200.23261BL")]
    Scame61Bl,
}

impl LockType {
    /// Sense voltage when unlocked and when locked, in mV: within the published
    /// bands, away from their middle where the wiring gives a reason.
    fn sense_mv(self) -> (i32, i32) {
        match self {
            Self::Kuester02S | Self::PhoenixT2M3S | Self::PhoenixT2M3SM => (3100, 300),
            Self::Kuester04S => (3000, 1500),
            Self::Hella | Self::Walther | Self::Intramco => (3100, 500),
            Self::Scame60Bs | Self::Scame61Bs => (3100, 300),
            Self::Scame61Bp => (3000, 500),
            // No feedback: the input hangs in the air.
            Self::Scame61Bl => (1650, 1650),
        }
    }
}

/// What keeps the bolt from moving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jam {
    /// Nothing.
    #[default]
    None,
    /// The bolt doesn't come further out than half way.
    CannotLock,
    /// The bolt doesn't go further in than it is.
    CannotUnlock,
}

/// Where the bolt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bolt {
    /// Fully in: the plug is free.
    Unlocked,
    /// Past the end switch: the plug is held.
    Locked,
    /// Between: the plug is held.
    Between,
}

/// Motor, bolt and capacitor.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Which motor it is.
    pub kind: LockType,
    /// From end to end, in ms.
    pub travel_ms: u32,
    /// What keeps the bolt from moving.
    pub jam: Jam,
    /// A sense line that is stuck at this voltage, in mV.
    pub stuck_sense_mv: Option<i32>,
    /// The driver's fault output.
    pub driver_fault: bool,
    /// Time constant of the capacitor's charging, in ms.
    pub charge_ms: u32,
    /// What the capacitor is charged to, in volts.
    pub supply: f64,
    capacitor: f64,
    position: f64,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            kind: LockType::default(),
            travel_ms: 300,
            jam: Jam::default(),
            stuck_sense_mv: None,
            driver_fault: false,
            charge_ms: 500,
            supply: 12.0,
            capacitor: 12.0,
            position: 0.0,
        }
    }
}

impl Lock {
    /// Put the bolt there by hand: 0.0 in to 1.0 out.
    pub fn tamper(&mut self, position: f64) {
        self.position = position.clamp(0.0, 1.0);
    }

    /// Set the capacitor's voltage.
    pub fn charge(&mut self, volts: f64) {
        self.capacitor = volts.max(0.0);
    }

    /// 0.0 in to 1.0 out.
    pub fn position(&self) -> f64 {
        self.position
    }

    /// Where the bolt is.
    pub fn bolt(&self) -> Bolt {
        if self.position >= SWITCH_POINT {
            Bolt::Locked
        } else if self.position <= 1.0 - SWITCH_POINT {
            Bolt::Unlocked
        } else {
            Bolt::Between
        }
    }

    /// Voltage of the sense line in mV.
    pub fn sense_mv(&self) -> i32 {
        let (unlocked, locked) = self.kind.sense_mv();
        let by_switch = if self.position >= SWITCH_POINT {
            locked
        } else {
            unlocked
        };
        self.stuck_sense_mv.unwrap_or(by_switch)
    }

    /// Voltage of the capacitor.
    pub fn capacitor(&self) -> f64 {
        self.capacitor
    }

    /// Let time pass with the H bridge's inputs like this: forward unlocks.
    pub fn advance(&mut self, dt_us: u64, in1: bool, in2: bool) {
        let seconds = dt_us as f64 / 1e6;
        if in1 == in2 {
            let share = (seconds * 1000.0 / f64::from(self.charge_ms.max(1))).min(1.0);
            self.capacitor += (self.supply - self.capacitor) * share;
            return;
        }
        if self.capacitor >= MOTOR_MINIMUM {
            self.turn(seconds * 1000.0 / f64::from(self.travel_ms.max(1)), in2);
        }
        self.capacitor = (self.capacitor - MOTOR_DRAIN * seconds).max(0.0);
    }

    fn turn(&mut self, step: f64, out: bool) {
        self.position = match (out, self.jam) {
            (true, Jam::CannotLock) => (self.position + step).min(self.position.max(0.5)),
            (true, Jam::None | Jam::CannotUnlock) => (self.position + step).min(1.0),
            (false, Jam::CannotUnlock) => self.position,
            (false, Jam::None | Jam::CannotLock) => (self.position - step).max(0.0),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: (bool, bool) = (false, true);
    const UNLOCK: (bool, bool) = (true, false);
    const COAST: (bool, bool) = (false, false);

    fn drive(lock: &mut Lock, ms: u32, (in1, in2): (bool, bool)) {
        for _ in 0..ms {
            lock.advance(1000, in1, in2);
        }
    }

    #[test]
    fn bolt_travels_and_the_switch_changes_near_the_end() {
        let mut lock = Lock::default();
        drive(&mut lock, 150, LOCK);
        assert_eq!((lock.bolt(), lock.sense_mv()), (Bolt::Between, 3100));
        drive(&mut lock, 151, LOCK);
        assert_eq!((lock.bolt(), lock.sense_mv()), (Bolt::Locked, 300));
        drive(&mut lock, 301, UNLOCK);
        assert_eq!((lock.bolt(), lock.sense_mv()), (Bolt::Unlocked, 3100));
    }

    #[test]
    fn jams_hold_the_bolt() {
        let mut lock = Lock {
            jam: Jam::CannotLock,
            ..Lock::default()
        };
        drive(&mut lock, 600, LOCK);
        assert_eq!(lock.bolt(), Bolt::Between);
        drive(&mut lock, 600, UNLOCK);
        assert_eq!(lock.bolt(), Bolt::Unlocked);

        let mut lock = Lock::default();
        lock.tamper(1.0);
        lock.jam = Jam::CannotUnlock;
        drive(&mut lock, 600, UNLOCK);
        assert_eq!(lock.bolt(), Bolt::Locked);
    }

    #[test]
    fn motor_drains_the_capacitor_and_coasting_fills_it() {
        let mut lock = Lock::default();
        drive(&mut lock, 600, LOCK);
        assert!(lock.capacitor() < 10.0, "{}", lock.capacitor());
        drive(&mut lock, 3000, COAST);
        assert!(lock.capacitor() > 11.9, "{}", lock.capacitor());
    }

    #[test]
    fn empty_capacitor_moves_nothing() {
        let mut lock = Lock::default();
        lock.charge(0.0);
        drive(&mut lock, 600, LOCK);
        assert_eq!(lock.bolt(), Bolt::Unlocked);
    }

    #[test]
    fn every_motor_of_the_guide_has_a_name() {
        for name in [
            "KUESTER-02S",
            "KUESTER-04S",
            "EV-T2M3S-E-LOCK12V",
            "EV-T2M3SM-E-LOCK12V",
            "HELLA-MICRO-ACTUATOR-1",
            "WALTHER-WERKE-9798999009",
            "INTRAMCO-603205",
            "SCAME-200.23260BS",
            "SCAME-200.23261BS",
            "SCAME-200.23261BP",
            "SCAME-200.23261BL",
        ] {
            let kind: LockType = serde_json::from_value(name.into()).unwrap();
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }
}
