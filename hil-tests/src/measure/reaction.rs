//! From a cause to its effect, in microseconds of the simulator's edge log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::edges::Signal;
use simulator::plant::Plant;
use simulator::plant::pilot::Generator;
use simulator::station::monotonic_us;

use super::Samples;
use super::rig::{Rig, run, spend};
use crate::{Bench, LATER, SOON, Settings};

/// What EVs that leave state C have shown.
#[derive(Debug, Default)]
pub struct Departures {
    /// The EV opens S2 -> relay 1 is commanded open.
    pub samples: Samples,
    /// The supervisor's last words when relay 1 opened although the EV stayed.
    pub interruptions: Vec<String>,
}

/// EVs leave state C, `times` each, on several stations at once.
pub(super) fn departures(stations: usize, times: usize) -> Departures {
    let all: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..stations)
            .map(|station| scope.spawn(move || departures_of_one(station as u64, times)))
            .collect();
        let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.map(|one| one.expect("its departures")).collect()
    });
    let (samples, interruptions): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Departures {
        samples: samples.into_iter().flatten().collect(),
        interruptions: interruptions.into_iter().flatten().collect(),
    }
}

fn departures_of_one(station: u64, times: usize) -> (Vec<Duration>, Vec<String>) {
    let mut chance = Chance(station);
    let (mut samples, mut interruptions) = (Vec::new(), Vec::new());
    while samples.len() < times {
        let bench = Bench::prepare(&Settings::default());
        let evsed = run(&bench, "evsed", &bench.path("evsed.log"));
        bench.expect("port0/session/state", "idle", SOON);
        bench.plug_in();
        let left = times - samples.len();
        samples.extend((0..left).map_while(|_| departure(&bench, &mut chance)));
        if samples.len() < times {
            interruptions.push(last_words(&evsed.log()));
            // Otherwise the station can't be measured, and the run would never end.
            assert!(interruptions.len() <= times, "{interruptions:#?}");
        }
    }
    (samples, interruptions)
}

fn last_words(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(4)..].join("\n")
}

/// The EV charges and leaves; `None` when relay 1 had opened before.
fn departure(bench: &Bench, chance: &mut Chance) -> Option<Duration> {
    let station = bench.station();
    station.plant().request_energy();
    // The contacts of the last departure may still carry the current that comes back.
    bench.wait_for("current flows through a closed relay", LATER, |plant| {
        plant.relay_commands()[0] && plant.line_currents()[0] > 5.0
    });
    // The stations must not leave together, nor in step with the control loop.
    spend(chance.up_to(Duration::from_secs(1)));
    let start = {
        let mut plant = station.plant();
        let start = plant.now_us();
        let closed = plant.relay_commands()[0];
        plant.stop_request();
        closed.then_some(start)
    }?;
    bench.wait_for("relay 1 opens", SOON, |plant| !plant.relay_commands()[0]);
    let edge = |since, signal, value| {
        station
            .first_edge(since, signal, value)
            .unwrap_or_else(|| panic!("no edge of {signal:?} to {value}"))
    };
    let left = edge(start, Signal::VehicleLoad, 1);
    let opened = edge(left, Signal::Relay1Command, 0);
    Some(Duration::from_micros(opened - left))
}

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
    duty_cycles(rig, count, |amperes| {
        let answer = rig
            .central
            .call("SetChargingProfile", profile(amperes), SOON)
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer["status"], "Accepted");
    })
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

/// Each time another current; what is measured is the one edge that it causes.
fn duty_cycles(rig: &Rig, count: usize, mut set: impl FnMut(u32)) -> Samples {
    let station = rig.bench.station();
    let mut chance = Chance(0);
    let mut amperes = 32;
    let change = |_| {
        amperes = if amperes < 31 { amperes + 1 } else { 6 };
        // Not in step with the control loop.
        spend(chance.up_to(Duration::from_millis(20)));
        let start = monotonic_us();
        set(amperes);
        rig.bench
            .wait_for(&format!("{amperes} A are offered"), SOON, |plant| {
                offers(plant, amperes)
            });
        let edges = station.edges_since(start);
        let mut duty_cycles = edges
            .iter()
            .filter(|edge| edge.signal == Signal::PilotDutyNs);
        let edge = duty_cycles.next().expect("the edge of the new duty cycle");
        assert_eq!(duty_cycles.next(), None, "one cause, two duty cycles");
        Duration::from_micros(edge.at_us - start)
    };
    (0..count).map(change).collect()
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
struct Chance(u64);

impl Chance {
    fn up_to(&mut self, most: Duration) -> Duration {
        // Zero would stay zero.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let share = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32;
        most.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}
