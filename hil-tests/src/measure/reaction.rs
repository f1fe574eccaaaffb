//! From a cause to its effect, in microseconds of the simulator's edge log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::edges::Signal;
use simulator::plant::Plant;
use simulator::plant::pilot::Generator;
use simulator::station::monotonic_us;

use super::Samples;
use super::rig::{Rig, spend};
use crate::SOON;

/// A dynamic limit is handed to the client -> its duty cycle is on the pilot.
pub(super) fn limits(rig: &Rig, count: usize) -> Samples {
    let topic = "ci/global/dyn_current_limit/bench";
    let observer = &rig.bench.observer;
    let samples = duty_cycles(rig, count, |amperes| {
        observer.publish_raw(topic, &amperes.to_string(), true);
    });
    observer.publish_raw(topic, "-1", true);
    rig.bench
        .wait_for("32 A are offered again", SOON, |plant| offers(plant, 32));
    samples
}

/// SetChargingProfile is handed to the central system -> its duty cycle is on the pilot.
pub(super) fn profiles(rig: &Rig, count: usize) -> Samples {
    let set = |amperes| {
        let answer = rig
            .central
            .call("SetChargingProfile", profile(amperes), SOON)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer["status"], "Accepted");
    };
    let samples = duty_cycles(rig, count, set);
    set(32);
    rig.bench
        .wait_for("32 A are offered again", SOON, |plant| offers(plant, 32));
    samples
}

fn profile(amperes: u32) -> Value {
    json!({
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": amperes }]
            }
        }
    })
}

/// Each time another current; what is measured is the one edge that it causes. When the
/// supervisor takes a late measurement for a fault meanwhile, there are more, and the
/// current is set once more.
fn duty_cycles(rig: &Rig, count: usize, mut set: impl FnMut(u32)) -> Samples {
    let station = rig.bench.station();
    let mut chance = Chance::new(0);
    let mut amperes = 32;
    let mut change = |_| {
        amperes = if amperes < 31 { amperes + 1 } else { 6 };
        // Not in step with the control loop.
        spend(chance.up_to(Duration::from_millis(20)));
        let start = monotonic_us();
        set(amperes);
        rig.bench
            .wait_for(&format!("{amperes} A are offered"), SOON, |plant| {
                offers(plant, amperes)
            });
        let mut edges = station.edges_since(start);
        edges.retain(|edge| edge.signal == Signal::PilotDutyNs);
        match edges.as_slice() {
            [edge] => Some(Duration::from_micros(edge.at_us - start)),
            _ => None,
        }
    };
    let samples: Samples = (0..2 * count).filter_map(&mut change).take(count).collect();
    assert_eq!(samples.count(), count, "the pilot is disturbed too often");
    samples
}

/// Up to 51 A, 0.6 A for each percent (IEC 61851-1 table A.8).
fn offers(plant: &Plant, amperes: u32) -> bool {
    let expected = f64::from(amperes) / 60.0;
    matches!(plant.generator(), Generator::Driven(duty) if (duty - expected).abs() < 0.0005)
}

/// A small GetConfiguration is handed to the central system -> the answer is there.
pub(super) fn answers(rig: &Rig, count: usize) -> Samples {
    let answer = |_| {
        let start = Instant::now();
        let payload = json!({ "key": ["HeartbeatInterval"] });
        let answer = rig.central.call("GetConfiguration", payload, SOON);
        let took = start.elapsed();
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer["configurationKey"][0]["key"], "HeartbeatInterval");
        took
    };
    (0..count).map(answer).collect()
}

/// Chance that repeats itself: the same pauses in each run (xorshift64*).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        // Zero would stay zero.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let share = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32;
        most.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}
