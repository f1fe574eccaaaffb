//! What closes and opens relay 1, again and again, on many stations at once.

use std::time::Duration;

use serde_json::json;
use simulator::StationHandle;
use simulator::edges::Signal;
use simulator::plant::Plant;
use simulator::plant::plug::Cable;

use super::Samples;
use super::reaction::Chance;
use super::rig::{run, spend};
use crate::{Bench, LATER, Process, SOON, Settings};

/// From the start of evsed, as from each opening, to the next closing (guide 3.4 table 14).
const REST: Duration = Duration::from_secs(6);
/// The stations' physics moves by itself this often; evsed moves it more often.
const TICK: Duration = Duration::from_millis(10);

/// What relay 1 has shown.
#[derive(Clone, Debug, Default)]
pub struct Switching {
    /// The EV closes S2 -> relay 1 is commanded closed.
    pub closings: Samples,
    /// The EV opens S2 -> relay 1 is commanded open.
    pub departures: Samples,
    /// The emergency switch is pressed -> relay 1 is commanded open.
    pub emergencies: Samples,
    /// The residual current device's feedback changes -> relay 1 is commanded open.
    pub trips: Samples,
    /// The supervisor's last words when relay 1 opened although nothing had happened.
    pub interruptions: Vec<String>,
}

/// Why relay 1 has to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Departure,
    Emergency,
    Trip,
}

impl Cause {
    const ALL: [Self; 3] = [Self::Departure, Self::Emergency, Self::Trip];

    fn happen(self, plant: &mut Plant) {
        match self {
            Self::Departure => plant.stop_request(),
            Self::Emergency => plant.press_emergency(true),
            // It trips after its own delay.
            Self::Trip => plant.leak(30.0),
        }
    }

    /// The edge that the reaction counts from.
    const fn edge(self) -> (Signal, i64) {
        match self {
            Self::Departure => (Signal::VehicleLoad, 1),
            Self::Emergency => (Signal::EmergencyPressed, 1),
            Self::Trip => (Signal::RcdTripped, 1),
        }
    }

    fn pass(plant: &mut Plant) {
        plant.stop_request();
        plant.press_emergency(false);
        plant.leak(0.0);
    }
}

/// One closing and opening.
struct Cycle {
    closing: Duration,
    cause: Cause,
    opening: Duration,
}

/// Each cause opens relay 1 `times`, shared by this many stations.
pub(super) fn switching(stations: usize, times: usize) -> Switching {
    let all: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..stations)
            .map(|station| {
                let cycles = Cause::ALL.len() * times;
                let share = cycles / stations + usize::from(station < cycles % stations);
                scope.spawn(move || one_station(station, share))
            })
            .collect();
        let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.map(|one| one.expect("its cycles")).collect()
    });
    let (cycles, interruptions): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let cycles: Vec<Cycle> = cycles.into_iter().flatten().collect();
    let openings = |cause| {
        let of_it = cycles.iter().filter(move |cycle| cycle.cause == cause);
        of_it.map(|cycle| cycle.opening).collect()
    };
    Switching {
        closings: cycles.iter().map(|cycle| cycle.closing).collect(),
        departures: openings(Cause::Departure),
        emergencies: openings(Cause::Emergency),
        trips: openings(Cause::Trip),
        interruptions: interruptions.into_iter().flatten().collect(),
    }
}

/// The causes take turns, so that all stations together have each of them equally often.
fn one_station(station: usize, cycles: usize) -> (Vec<Cycle>, Vec<String>) {
    let mut chance = Chance::new(station as u64);
    let bench = prepare();
    let (mut done, mut interruptions) = (Vec::new(), Vec::new());
    while done.len() < cycles {
        // A restart makes the contactor rest for 6 s; going on, it would be 10 s.
        let mark = bench.observer.mark();
        let evsed = run(&bench, "evsed", &bench.path("evsed.log"));
        let cause = Cause::ALL[(station + done.len()) % Cause::ALL.len()];
        // A simulated board that answers late ends evsed; the product would restart it.
        let started = bench
            .observer
            .wait_since(mark, SOON, |seen| seen.topic == "port0/session/state");
        match started.and_then(|_| cycle(&bench, cause, &mut chance)) {
            Some(cycle) => done.push(cycle),
            None => interruptions.push(last_words(&evsed)),
        }
        // Otherwise the station can't be measured, and the run would never end.
        assert!(interruptions.len() <= cycles + 3, "{interruptions:#?}");
        drop(evsed);
        Cause::pass(&mut bench.station().plant());
    }
    (done, interruptions)
}

fn prepare() -> Bench {
    let settings = Settings::default()
        .with("ports[0]/emergency_alarm", json!({ "enable": true }))
        .with("ports[0]/rcd_monitor", json!({ "enable": true }));
    let bench = Bench::prepare_ticking(&settings, TICK);
    {
        let station = bench.station();
        let mut plant = station.plant();
        plant.emergency.input = 1;
        plant.rcd.settings.feedback_input = 2;
        plant.rcd.settings.test_output = 4;
        plant.plug_in(Cable::A32);
    }
    bench
}

/// The EV charges until the cause; `None` when nothing was offered, or relay 1
/// did not close or opened before.
fn cycle(bench: &Bench, cause: Cause, chance: &mut Chance) -> Option<Cycle> {
    let station = bench.station();
    spend(REST);
    if !station.wait_for(LATER, |plant| plant.generator().toggles()) {
        return None;
    }
    // The stations must not act together, nor in step with the control loop.
    spend(chance.up_to(Duration::from_millis(500)));
    let start = act(&station, Plant::request_energy);
    let charges = |plant: &Plant| plant.relay_commands()[0] && plant.line_currents()[0] > 5.0;
    if !station.wait_for(SOON, charges) {
        return None;
    }
    let requested = edge(&station, start, (Signal::VehicleLoad, 2));
    let closed = edge(&station, requested, (Signal::Relay1Command, 1));

    spend(chance.up_to(Duration::from_millis(500)));
    let start = {
        let mut plant = station.plant();
        let start = plant.now_us();
        let still_closed = plant.relay_commands()[0];
        cause.happen(&mut plant);
        still_closed.then_some(start)
    }?;
    bench.wait_for("relay 1 opens", SOON, |plant| !plant.relay_commands()[0]);
    let opened = edge(&station, start, (Signal::Relay1Command, 0));
    // It opened for another reason while the device was about to trip.
    let caused = station
        .edges_since(start)
        .into_iter()
        .find(|edge| (edge.signal, edge.value) == cause.edge() && edge.at_us <= opened)?;
    Some(Cycle {
        closing: Duration::from_micros(closed - requested),
        cause,
        opening: Duration::from_micros(opened - caused.at_us),
    })
}

/// When it was done.
fn act(station: &StationHandle, act: impl FnOnce(&mut Plant)) -> u64 {
    let mut plant = station.plant();
    act(&mut plant);
    plant.now_us()
}

fn edge(station: &StationHandle, since: u64, (signal, value): (Signal, i64)) -> u64 {
    let edge = station.first_edge(since, signal, value);
    edge.unwrap_or_else(|| panic!("no edge of {signal:?} to {value}"))
}

fn last_words(evsed: &Process) -> String {
    let log = evsed.log();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(4)..].join("\n")
}
