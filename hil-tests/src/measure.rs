//! Measures the station against its budgets: reaction times, start, memory, CPU,
//! writes, size. It measures and never judges a run as failed: a figure over its
//! budget is a figure.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::env::override_temp_dir;

mod binaries;
mod contactor;
mod load;
mod machine;
mod meter_values;
mod page;
mod peers;
mod reaction;
mod replay;
mod rig;
mod samples;
mod usage;

pub use binaries::{Sizes, sizes};
pub use contactor::Switching;
pub use machine::Machine;
pub use meter_values::MeterValues;
pub use page::page;
pub use replay::Replay;
pub use samples::Samples;
pub use usage::{Memory, Used, end_children};

use contactor::switching;
use load::Load;
use meter_values::meter_values;
use reaction::{answers, limits, profiles};
use replay::replay;
use rig::Rig;

/// Daemons of a complete station, in the order of every table.
pub const DAEMONS: [&str; 6] = [
    "evsed",
    "meteringd",
    "ocppd",
    "rfidd",
    "recloserd",
    "configd",
];

/// How often and how long each thing is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Starts of all daemons.
    pub starts: usize,
    /// Stations whose relay 1 is switched side by side: each contactor rests for 6 s.
    pub stations: usize,
    /// The same while the cores are loaded: more of them, because their work is part of it.
    pub crowd: usize,
    /// How often each cause opens relay 1 while the cores are idle.
    pub switching: usize,
    /// The same, and changes of a dynamic limit, while the cores are loaded.
    pub loaded: usize,
    /// Changes of a dynamic limit while the cores are idle.
    pub limits: usize,
    /// Charging profiles.
    pub profiles: usize,
    /// Small calls of the central system.
    pub calls: usize,
    /// MeterValues within a transaction.
    pub meter_values: usize,
    /// Messages that wait for the central system's return; two for each of the 336 transactions
    /// that may wait at most.
    pub queued: usize,
    /// Transactions whose writes are counted.
    pub transactions: usize,
    /// How long each of them charges.
    pub transaction: Duration,
    /// Over which CPU time and writes are taken.
    pub window: Duration,
}

impl Plan {
    /// The figures of the documentation, in about fifteen minutes.
    pub const FULL: Self = Self {
        starts: 10,
        stations: 24,
        crowd: 40,
        switching: 100,
        loaded: 1000,
        limits: 1000,
        profiles: 500,
        calls: 10_000,
        meter_values: 1000,
        queued: 670,
        transactions: 3,
        transaction: Duration::from_secs(25),
        window: Duration::from_secs(30),
    };

    /// Whether everything can be measured, in about a minute.
    pub const QUICK: Self = Self {
        starts: 2,
        stations: 4,
        crowd: 4,
        switching: 3,
        loaded: 3,
        limits: 50,
        profiles: 30,
        calls: 100,
        meter_values: 50,
        queued: 20,
        transactions: 1,
        transaction: Duration::from_secs(3),
        window: Duration::from_secs(5),
    };
}

/// What was measured.
#[derive(Debug)]
pub struct Report {
    /// What was asked for.
    pub plan: Plan,
    /// What switches relay 1.
    pub switching: Switching,
    /// The same while the cores are loaded.
    pub loaded_switching: Switching,
    /// A dynamic limit is published -> its duty cycle is on the pilot.
    pub limits: Samples,
    /// The same while the cores are loaded.
    pub loaded_limits: Samples,
    /// SetChargingProfile is sent -> its duty cycle is on the pilot.
    pub profiles: Samples,
    /// A small call is sent -> its answer is there.
    pub calls: Samples,
    /// CPU time that ocppd took for each of these calls.
    pub cpu_per_call: Duration,
    /// What MeterValues cost.
    pub meter_values: MeterValues,
    /// What was kept while not connected, and how quickly it went out.
    pub replay: Replay,
    /// The first daemon is started -> idle, meter available, central system connected.
    pub starts: Samples,
    /// Of each daemon, idle and connected.
    pub memory: Vec<Memory>,
    /// Of each daemon, still charging, after all the work of the run.
    pub memory_after: Vec<Memory>,
    /// Over the window, idle and connected.
    pub idle: Vec<Used>,
    /// Over the window, charging with all phases.
    pub charging: Vec<Used>,
    /// In all transactions together.
    pub transactions: Vec<Used>,
    /// Of the binaries.
    pub sizes: Sizes,
}

/// Measure everything; `tell` hears what is being done.
///
/// Panics, with the reason, when the station does not do what is measured.
pub fn measure(plan: Plan, tell: impl Fn(&str)) -> Report {
    work_on_disk();
    tell("sizes of the binaries");
    let sizes = sizes(&scratch());

    tell("starts");
    let mut starts: Vec<_> = (1..plan.starts).map(|_| Rig::start().1).collect();
    let (rig, start) = Rig::start();
    starts.push(start);

    rig.settle();
    tell("memory, CPU and writes while idle");
    let memory = rig.memory();
    let idle = rig.used_in(plan.window);

    tell("small calls of the central system");
    let before = rig.used("ocppd").cpu;
    let calls = answers(&rig, plan.calls);
    let calls_cpu = rig.used("ocppd").cpu.saturating_sub(before);

    tell("writes of transactions");
    let transactions = rig.used_while(|| {
        for _ in 0..plan.transactions {
            rig.begin_transaction();
            rig.spend(plan.transaction);
            rig.end_transaction();
        }
    });

    tell("CPU and writes while charging");
    rig.begin_transaction();
    rig.settle();
    let charging = rig.used_in(plan.window);

    tell("dynamic limits");
    let limits = limits(&rig, plan.limits);
    tell("charging profiles");
    let profiles = profiles(&rig, plan.profiles);
    tell("MeterValues");
    let meter_values = meter_values(&rig, plan.meter_values);
    let memory_after = rig.memory();

    tell("messages kept while not connected");
    let replay = replay(plan.queued);

    // The complete station goes on to charge meanwhile.
    tell("EVs that come and leave, emergencies and residual currents");
    let quiet = switching(plan.stations, plan.switching);
    let load = Load::start();
    tell("the same while all cores are loaded");
    let loaded_switching = switching(plan.crowd, plan.loaded);
    tell("dynamic limits while all cores are loaded");
    let loaded_limits = reaction::limits(&rig, plan.loaded);
    drop(load);
    Report {
        plan,
        switching: quiet,
        loaded_switching,
        limits,
        loaded_limits,
        profiles,
        cpu_per_call: calls_cpu / u32::try_from(plan.calls.max(1)).expect("a moderate number"),
        calls,
        meter_values,
        replay,
        starts: starts.into_iter().collect(),
        memory,
        memory_after,
        idle,
        charging,
        transactions,
        sizes,
    }
}

/// What is written to a tmpfs does not count as written, so the benches lie on disk.
fn work_on_disk() {
    std::fs::create_dir_all(scratch()).expect("a directory for the benches");
    // Refused only when it was said before: then it is this one.
    let _ = override_temp_dir(&scratch());
}

fn scratch() -> PathBuf {
    target().join("bench")
}

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the workspace")
        .join("target")
}
