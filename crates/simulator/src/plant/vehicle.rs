//! The vehicle: it watches the pilot, closes its switch S2 and draws current.

use serde::{Deserialize, Serialize};

use super::pilot::Generator;

/// The vehicle's resistors in ohms (IEC 61851-1 table A.3).
const LOAD_B: f64 = 2740.0;
const S2_BRANCH: f64 = 1300.0;
const S2_BRANCH_VENTILATION: f64 = 270.0;

/// What kind of vehicle it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct VehicleSettings {
    /// The most that the charger draws per phase, in amperes.
    pub max_current: f64,
    /// Phases that the charger uses, 1 to 3.
    pub phases: u8,
    /// From a valid duty cycle to S2 closed, in ms.
    pub start_ms: u32,
    /// From the end of the duty cycle to S2 open, in ms.
    pub stop_ms: u32,
    /// How long the current takes for a swing of 80 A, in ms (the standard allows
    /// 5 s for any change).
    pub current_ms: u32,
    /// Asks for ventilation: presents the load of D instead of C.
    pub needs_ventilation: bool,
    /// Goes on drawing, with S2 closed, when the duty cycle ends.
    pub stubborn: bool,
    /// Sleeps when it is plugged in, and never closes S2 while it does.
    pub asleep: bool,
    /// The pilot at 0 V for this long wakes it, in ms; 0: nothing wakes it.
    pub wake_up_ms: u32,
}

impl Default for VehicleSettings {
    fn default() -> Self {
        Self {
            max_current: 32.0,
            phases: 3,
            start_ms: 100,
            stop_ms: 300,
            current_ms: 100,
            needs_ventilation: false,
            stubborn: false,
            asleep: false,
            wake_up_ms: 0,
        }
    }
}

/// A vehicle at the end of the cable, or away.
#[derive(Clone, Debug, Default)]
pub struct Vehicle {
    /// What kind it is.
    pub settings: VehicleSettings,
    connected: bool,
    wants_energy: bool,
    s2_closed: bool,
    offer: f64,
    offer_age_us: u64,
    taken_offer: f64,
    pulse_us: u64,
    woken: bool,
}

impl Vehicle {
    /// The coupler is plugged into the inlet.
    pub fn connect(&mut self) {
        self.connected = true;
    }

    /// The coupler is pulled out of the inlet.
    pub fn disconnect(&mut self) {
        *self = Self {
            settings: self.settings.clone(),
            ..Self::default()
        };
    }

    /// The charger wants energy from now on.
    pub fn request_energy(&mut self) {
        self.wants_energy = true;
    }

    /// The charger is done: no current and S2 open at once.
    pub fn stop_request(&mut self) {
        self.wants_energy = false;
        self.s2_closed = false;
        self.taken_offer = 0.0;
    }

    /// Whether the coupler is in the inlet.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether the charger wants energy.
    pub fn wants_energy(&self) -> bool {
        self.wants_energy
    }

    /// The load on the pilot in ohms.
    pub fn load(&self) -> Option<f64> {
        let parallel = |branch: f64| LOAD_B * branch / (LOAD_B + branch);
        match self.state() {
            'A' => None,
            'C' => Some(parallel(S2_BRANCH)),
            'D' => Some(parallel(S2_BRANCH_VENTILATION)),
            _ => Some(LOAD_B),
        }
    }

    /// The pilot state that the vehicle's load stands for: A, B, C or D.
    pub fn state(&self) -> char {
        match (
            self.connected,
            self.s2_closed,
            self.settings.needs_ventilation,
        ) {
            (false, _, _) => 'A',
            (true, false, _) => 'B',
            (true, true, false) => 'C',
            (true, true, true) => 'D',
        }
    }

    /// What the charger draws per phase when its supply is live, in amperes.
    pub fn demand(&self) -> f64 {
        if self.s2_closed {
            self.taken_offer.min(self.settings.max_current)
        } else {
            0.0
        }
    }

    /// Let time pass while the pilot at the inlet looks like this.
    pub fn advance(&mut self, dt_us: u64, pilot: Generator) {
        if !self.connected {
            return;
        }
        self.feel_pulse(dt_us, pilot);
        let offer = offered_current(pilot);
        // S2's delays run from the offer's beginning or end, not from its changes.
        let goes_on = (offer > 0.0) == (self.offer > 0.0);
        self.offer_age_us = if goes_on {
            self.offer_age_us.saturating_add(dt_us)
        } else {
            0
        };
        self.offer = offer;
        self.switch_s2();
        self.follow_offer(dt_us);
    }

    /// A pilot at 0 V wakes; the -12 V of state F doesn't.
    fn feel_pulse(&mut self, dt_us: u64, pilot: Generator) {
        self.pulse_us = match pilot {
            Generator::Released => self.pulse_us.saturating_add(dt_us),
            Generator::Driven(_) => 0,
        };
        let wake_up_ms = self.settings.wake_up_ms;
        if wake_up_ms > 0 && self.pulse_us >= u64::from(wake_up_ms) * 1000 {
            self.woken = true;
        }
    }

    fn sleeps(&self) -> bool {
        self.settings.asleep && !self.woken
    }

    fn switch_s2(&mut self) {
        let age_ms = self.offer_age_us / 1000;
        let settings = &self.settings;
        if self.offer > 0.0 {
            if self.wants_energy && !self.sleeps() && age_ms >= u64::from(settings.start_ms) {
                self.s2_closed = true;
            }
        } else if !settings.stubborn && age_ms >= u64::from(settings.stop_ms) {
            self.s2_closed = false;
        }
    }

    fn follow_offer(&mut self, dt_us: u64) {
        let goal = if self.offer > 0.0 || !self.settings.stubborn {
            self.offer
        } else {
            self.taken_offer
        };
        let step = 80.0 * dt_us as f64 / 1000.0 / f64::from(self.settings.current_ms.max(1));
        self.taken_offer += (goal - self.taken_offer).clamp(-step, step);
    }
}

/// The current that a duty cycle allows per phase (IEC 61851-1 table A.8).
/// Digital communication isn't spoken: 5 % allows nothing.
pub fn offered_current(pilot: Generator) -> f64 {
    let Generator::Driven(duty) = pilot else {
        return 0.0;
    };
    let percent = duty * 100.0;
    if !(8.0..=97.0).contains(&percent) {
        0.0
    } else if percent < 10.0 {
        6.0
    } else if percent <= 85.0 {
        percent * 0.6
    } else if percent <= 96.0 {
        (percent - 64.0) * 2.5
    } else {
        80.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    fn run(vehicle: &mut Vehicle, ms: u64, pilot: Generator) {
        for _ in 0..ms {
            vehicle.advance(MS, pilot);
        }
    }

    fn charging() -> Vehicle {
        let mut vehicle = Vehicle::default();
        vehicle.connect();
        vehicle.request_energy();
        run(&mut vehicle, 500, Generator::Driven(0.2667));
        assert_eq!(vehicle.state(), 'C');
        vehicle
    }

    #[test]
    fn duty_cycle_allows_current() {
        for (duty, amps) in [
            (0.05, 0.0),
            (0.079, 0.0),
            (0.08, 6.0),
            (0.10, 6.0),
            (0.5, 30.0),
            (0.85, 51.0),
            (0.90, 65.0),
            (0.965, 80.0),
            (0.98, 0.0),
            (1.0, 0.0),
        ] {
            let offered = offered_current(Generator::Driven(duty));
            assert!((offered - amps).abs() < 1e-9, "{duty}: {offered}");
        }
        assert_eq!(offered_current(Generator::Released), 0.0);
    }

    #[test]
    fn vehicle_asks_when_offered_and_wanting() {
        let vehicle = charging();
        assert!(
            (vehicle.demand() - 16.0).abs() < 0.01,
            "{}",
            vehicle.demand()
        );
    }

    #[test]
    fn vehicle_without_wish_or_asleep_stays_in_b() {
        let mut vehicle = Vehicle::default();
        vehicle.connect();
        run(&mut vehicle, 1000, Generator::Driven(0.5));
        assert_eq!(vehicle.state(), 'B');
        vehicle.settings.asleep = true;
        vehicle.request_energy();
        run(&mut vehicle, 1000, Generator::Driven(0.5));
        assert_eq!(vehicle.state(), 'B');
    }

    #[test]
    fn sleeping_vehicle_wakes_by_zero_volts_that_last() {
        let mut vehicle = Vehicle::default();
        vehicle.settings.asleep = true;
        vehicle.settings.wake_up_ms = 1500;
        vehicle.connect();
        vehicle.request_energy();
        let offered = Generator::Driven(0.5);
        for too_little in [
            (5000, Generator::Driven(0.0)),
            (5000, Generator::Driven(1.0)),
            (1499, Generator::Released),
        ] {
            run(&mut vehicle, too_little.0, too_little.1);
            run(&mut vehicle, 1000, offered);
            assert_eq!(vehicle.state(), 'B', "{too_little:?}");
        }
        run(&mut vehicle, 1500, Generator::Released);
        run(&mut vehicle, 1000, offered);
        assert_eq!(vehicle.state(), 'C');
        vehicle.disconnect();
        vehicle.connect();
        vehicle.request_energy();
        run(&mut vehicle, 1000, offered);
        assert_eq!(vehicle.state(), 'B', "it sleeps again");
    }

    #[test]
    fn vehicle_leaves_c_after_the_offer_ends() {
        let mut vehicle = charging();
        run(&mut vehicle, 299, Generator::Driven(1.0));
        assert_eq!(vehicle.state(), 'C');
        assert_eq!(vehicle.demand(), 0.0);
        run(&mut vehicle, 3, Generator::Driven(1.0));
        assert_eq!(vehicle.state(), 'B');
    }

    #[test]
    fn stubborn_vehicle_goes_on_drawing() {
        let mut vehicle = charging();
        vehicle.settings.stubborn = true;
        run(&mut vehicle, 10_000, Generator::Driven(1.0));
        assert_eq!(vehicle.state(), 'C');
        assert!(vehicle.demand() > 15.0);
    }

    #[test]
    fn current_follows_a_new_offer_within_its_time() {
        let mut vehicle = charging();
        run(&mut vehicle, 100, Generator::Driven(0.10));
        assert!((vehicle.demand() - 6.0).abs() < 0.01);
        assert_eq!(vehicle.state(), 'C');
    }

    #[test]
    fn stop_request_is_immediate() {
        let mut vehicle = charging();
        vehicle.stop_request();
        assert_eq!((vehicle.state(), vehicle.demand()), ('B', 0.0));
    }

    #[test]
    fn ventilated_vehicle_presents_d() {
        let mut vehicle = charging();
        vehicle.settings.needs_ventilation = true;
        assert_eq!(vehicle.state(), 'D');
        assert!(vehicle.load().unwrap() < 250.0);
    }
}
