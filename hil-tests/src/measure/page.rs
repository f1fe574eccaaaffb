//! The report as docs/reference/performance.md.

use std::time::Duration;

use super::machine::load;
use super::peers::peers;
use super::rig::METER_VALUES_INTERVAL;
use super::{DAEMONS, Machine, Memory, Report, Samples, Switching, Used};

/// In KiB.
const MEMORY: u64 = 24 * 1024;
/// In bytes.
const FLASH: u64 = 16 * 1024 * 1024;
/// In bytes.
const TRANSACTION: u64 = 100_000;
/// In percent of one Cortex-A7 core.
const CPU: f64 = 3.0;

/// The budget belongs to a board that was not measured, and the host keeps it.
const OPEN: &str = "open: a budget of the board";

/// The whole page; `machine` was looked at before the run.
pub fn page(report: &Report, machine: &Machine) -> String {
    [
        head(machine),
        reactions(report),
        loaded_reactions(report),
        resources(report),
        daemons(report),
        peers(report),
        method(report),
    ]
    .join("\n")
}

fn head(machine: &Machine) -> String {
    let Machine {
        cpu,
        cores,
        kernel,
        load: load_before,
        date,
        version,
    } = machine;
    let load_after = load();
    format!(
        "# Performance

Written by `just bench`; don't edit. [How to measure](../how-to/measure.md).

**All figures are of the host below.** The daemons are the product's release build, but board, EV,
meter and central system are simulated and share the cores with the daemons. The emulated armv7
machine and a real board are not measured here; only the sizes of the armv7 binaries hold for both.

| | |
|---|---|
| machine | {cpu}, {cores} cores |
| kernel | Linux {kernel} |
| load average before, after (1, 5, 15 min) | {load_before}; {load_after} |
| date | {date} |
| version | {version} |

A load average near the number of cores before the run means that others used the machine: then
the slow end of the reaction times is theirs.
"
    )
}

fn reactions(report: &Report) -> String {
    [
        "## Reaction times\n\nThe budgets are for p99.\n\n",
        REACTIONS_HEAD,
        &switching_rows(&report.switching),
        &row(LIMIT, Some(50), &report.limits),
        &row(
            "SetChargingProfile sent → new duty cycle",
            Some(100),
            &report.profiles,
        ),
        &row("small call sent → answer received", None, &report.calls),
        &row("start of all daemons → ready", Some(2000), &report.starts),
        &interruptions(&report.switching),
    ]
    .concat()
}

const REACTIONS_HEAD: &str = "| from → to | budget | p50 ms | p99 ms | max ms | n | verdict |\n\
     |---|---|---|---|---|---|---|\n";
const LIMIT: &str = "dynamic limit published → new duty cycle";

fn loaded_reactions(report: &Report) -> String {
    [
        "## Reaction times under load\n\nWhile as many threads as there are cores do nothing but \
         count, at normal priority.\n\n",
        REACTIONS_HEAD,
        &switching_rows(&report.loaded_switching),
        &row(LIMIT, Some(50), &report.loaded_limits),
        &interruptions(&report.loaded_switching),
    ]
    .concat()
}

fn switching_rows(switching: &Switching) -> String {
    [
        row(
            "EV leaves C → relay 1 commanded open",
            Some(20),
            &switching.departures,
        ),
        row(
            "emergency edge → relay 1 commanded open",
            Some(5),
            &switching.emergencies,
        ),
        row(
            "RCD edge → relay 1 commanded open",
            Some(5),
            &switching.trips,
        ),
        row(
            "EV enters C → relay 1 commanded closed",
            None,
            &switching.closings,
        ),
    ]
    .concat()
}

fn row(what: &str, budget: Option<u64>, samples: &Samples) -> String {
    let (limit, verdict) = match budget.map(Duration::from_millis) {
        Some(limit) => (
            format!("{} ms", limit.as_millis()),
            verdict(samples.percentile(99) <= limit),
        ),
        None => ("none".into(), ""),
    };
    format!(
        "| {what} | {limit} | {} | {} | {} | {} | {verdict} |\n",
        milliseconds(samples.percentile(50)),
        milliseconds(samples.percentile(99)),
        milliseconds(samples.max()),
        samples.count(),
    )
}

/// The supervisor prefers to open when a measurement comes late or fails.
fn interruptions(switching: &Switching) -> String {
    let times = switching.interruptions.len();
    let charges = times + switching.closings.count();
    format!(
        "
Relay 1 opened, or did not close, {times} times in {charges} charges although the EV charged: the
supervisor takes a measurement that fails or comes late for a fault. A quiet machine should show
0. Such charges are not in the rows.
"
    )
}

fn resources(report: &Report) -> String {
    let pss = |memory: &[Memory]| memory.iter().map(|memory| memory.pss).sum::<u64>();
    let idle_memory = pss(&report.memory);
    let cpu = |used: &[Used]| used.iter().map(|used| percent(used, report)).sum::<f64>();
    let idle_cpu = cpu(&report.idle);
    let seconds = report.plan.window.as_secs();
    let idle_writes = written(&report.idle);
    let transactions = report.plan.transactions.max(1) as u64;
    let transaction = written(&report.transactions) / transactions;
    let host: u64 = report.sizes.host.iter().sum();
    let rows = [
        format!(
            "| memory of all daemons, idle and connected (PSS) | 24 MiB on armv7 | {} MiB | 1 | {} |",
            mebibytes(idle_memory),
            of_the_board(idle_memory <= MEMORY),
        ),
        format!(
            "| the same after the run, charging | none | {} MiB | 1 | |",
            mebibytes(pss(&report.memory_after)),
        ),
        format!(
            "| CPU of all daemons, idle and connected | 3 % of a Cortex-A7 core | {idle_cpu:.2} % of \
             a core of this host | {seconds} s | {} |",
            of_the_board(idle_cpu <= CPU),
        ),
        format!(
            "| CPU of all daemons, charging | none | {:.2} % of a core of this host | {seconds} s | |",
            cpu(&report.charging),
        ),
        format!(
            "| written while idle | 0 bytes | {idle_writes} bytes | {seconds} s | {} |",
            verdict(idle_writes == 0),
        ),
        format!(
            "| written per transaction | 100 kB | {} kB | {transactions} | {} |",
            kilobytes(transaction),
            verdict(transaction < TRANSACTION),
        ),
        format!(
            "| flash, all stripped binaries, host | none | {} MiB | 1 | |",
            mebibytes(host / 1024),
        ),
        flash_of_armv7(report),
    ];
    format!(
        "## Resources\n\n| what | budget | figure | n | verdict |\n|---|---|---|---|---|\n{}\n",
        rows.join("\n")
    )
}

fn flash_of_armv7(report: &Report) -> String {
    let what = "flash, all stripped binaries, armv7";
    match &report.sizes.armv7 {
        Some(sizes) => {
            let sum: u64 = sizes.iter().sum();
            let (figure, verdict) = (mebibytes(sum / 1024), verdict(sum <= FLASH));
            format!("| {what} | 16 MiB | {figure} MiB | 1 | {verdict} |")
        }
        None => format!("| {what} | 16 MiB | | 0 | not measured: run `just cross` first |"),
    }
}

fn daemons(report: &Report) -> String {
    let seconds = report.plan.window.as_secs();
    let transactions = report.plan.transactions.max(1) as u64;
    let mut text = format!(
        "## Each daemon\n\n\
         | daemon | PSS idle KiB | PSS charging KiB | RSS idle KiB | CPU idle | CPU charging \
         | written idle, {seconds} s | written charging, {seconds} s | written per transaction \
         | stripped, host kB | stripped, armv7 kB |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for (index, daemon) in DAEMONS.iter().enumerate() {
        let Memory { pss, rss, .. } = report.memory[index];
        let charging_pss = report.memory_after[index].pss;
        let (idle, charging) = (&report.idle[index], &report.charging[index]);
        let armv7 = report.sizes.armv7.as_ref();
        text += &format!(
            "| {daemon} | {pss} | {charging_pss} | {rss} | {:.2} % | {:.2} % | {} B | {} B | {} B | {} | {} |\n",
            percent(idle, report),
            percent(charging, report),
            idle.written,
            charging.written,
            report.transactions[index].written / transactions,
            report.sizes.host[index] / 1000,
            armv7.map_or_else(|| "-".into(), |sizes| (sizes[index] / 1000).to_string()),
        );
    }
    text
}

fn method(report: &Report) -> String {
    let (plan, daemons) = (report.plan, DAEMONS.len());
    format!(
        "## Method

* Daemons: release build, log level info into nothing (the product's journal is not theirs), one
  process each, mosquitto as broker. The broker is not counted.
* Percentiles are of the nearest rank: always a sample that was seen. With fewer than 100 samples,
  p99 is the maximum.
* Reaction times end at an edge in the simulator's log: microseconds of CLOCK_MONOTONIC when the
  output changed at the simulated board. Before each cause, a random pause keeps it out of step
  with the 5 ms of the control loop.
* Relay 1: {} stations side by side ({} under load), each with a broker and an evsed, beside the complete station
  that charges. From S2 moving at the EV (not from the sample that shows it), the emergency switch
  closing, or the feedback of the residual current device changing, to the command of relay 1. A
  contactor rests for 6 s after each start of evsed, hence side by side, and hence a new evsed for
  each cycle; the load of the others is in the figures, quiet or loaded.
* evsed's control thread and the simulated boards have the lowest real-time class, and the rest of
  evsed the niceness of its unit, -10, where the user who measures may set them. What the boards
  need to notice an edge, and to take a command, is in the figures.
* The period of the control loop is not measured: the log does not show when the pilot is sampled.
  Up to one period is part of the time from the EV to the relay.
* Dynamic limit: from handing the message to an MQTT client, through the broker, while charging.
  A change during which the supervisor withdraws the offer for another reason is made once more.
* SetChargingProfile: a TxDefaultProfile with one period, from handing the call to the simulated
  central system, through ocppd (which stores it), broker and evsed, while charging.
* Small call: GetConfiguration of one key, thread to thread through the simulated central system.
* MeterValues: each asked for by TriggerMessage in a transaction and acknowledged, through the
  simulated central system; the CPU time of the trigger is in it.
* Kept messages: starts and stops of offline transactions, published to ocppd as evsed would; from
  the first to the last at the simulated central system, each acknowledged before the next.
* Start: from starting the first of the {daemons} processes until the session is `idle`, meter, RFID
  reader and recloser are available and `ocpp/online` is 1; nothing was stored before.
* Memory: /proc/PID/smaps_rollup, a few seconds after the start, and again after all calls,
  transactions, limits and profiles. Pages shared with other programs
  count in part.
* CPU: utime + stime of /proc/PID/stat, in steps of 10 ms per daemon.
* Writes: write_bytes of /proc/PID/io on a disk, whole pages. A page that is changed again before it
  is stored counts once. A transaction charges for {} s, with
  MeterValues every {METER_VALUES_INTERVAL} s, from plug to unplug.
",
        plan.stations,
        plan.crowd,
        plan.transaction.as_secs(),
    )
}

fn percent(used: &Used, report: &Report) -> f64 {
    100.0 * used.cpu.as_secs_f64() / report.plan.window.as_secs_f64()
}

fn written(used: &[Used]) -> u64 {
    used.iter().map(|used| used.written).sum()
}

fn verdict(within: bool) -> &'static str {
    if within {
        "within budget"
    } else {
        "over budget"
    }
}

/// What is too much on the host is too much; what is not proves nothing for the board.
fn of_the_board(within: bool) -> &'static str {
    if within { OPEN } else { verdict(false) }
}

pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

pub(super) fn mebibytes(kibibytes: u64) -> String {
    format!("{:.1}", kibibytes as f64 / 1024.0)
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::{MeterValues, Plan, Replay, Sizes};
    use super::*;

    fn report() -> Report {
        let samples: Samples = [1, 2, 60].map(Duration::from_millis).into_iter().collect();
        let switching = Switching {
            closings: samples.clone(),
            departures: samples.clone(),
            emergencies: samples.clone(),
            trips: samples.clone(),
            interruptions: Vec::new(),
        };
        let used = DAEMONS.map(|daemon| Used {
            daemon,
            cpu: Duration::from_millis(150),
            written: 4096,
        });
        let memory = DAEMONS.map(|daemon| Memory {
            daemon,
            pss: 1024,
            rss: 2048,
        });
        Report {
            plan: Plan::FULL,
            switching: switching.clone(),
            loaded_switching: switching,
            limits: samples.clone(),
            loaded_limits: samples.clone(),
            profiles: samples.clone(),
            calls: samples.clone(),
            cpu_per_call: Duration::from_micros(20),
            meter_values: MeterValues {
                count: 1000,
                cpu: Duration::from_millis(250),
                rss_before: 5120,
                rss_after: 5376,
            },
            replay: Replay {
                messages: 1000,
                took: Duration::from_secs(4),
                used: used[2],
            },
            starts: samples,
            memory: memory.into(),
            memory_after: memory.map(|idle| Memory { pss: 1536, ..idle }).into(),
            idle: used.into(),
            charging: used.into(),
            transactions: used.into(),
            sizes: Sizes {
                host: vec![1_000_000; DAEMONS.len()],
                armv7: None,
            },
        }
    }

    /// The row whose first cell begins so.
    fn row(what: &str) -> String {
        let page = page(&report(), &Machine::look());
        let mut rows = page.lines().filter(|line| line.starts_with("| "));
        let row = rows.find(|line| line[2..].starts_with(what));
        row.unwrap_or_else(|| panic!("no row {what} in {page}"))
            .into()
    }

    #[test]
    fn a_budget_is_for_the_99th_percentile() {
        assert!(row("EV leaves C").ends_with("| 20 ms | 2.00 | 60.00 | 60.00 | 3 | over budget |"));
        assert!(
            row("SetChargingProfile")
                .ends_with("| 100 ms | 2.00 | 60.00 | 60.00 | 3 | within budget |")
        );
        assert!(
            row("emergency edge").ends_with("| 5 ms | 2.00 | 60.00 | 60.00 | 3 | over budget |")
        );
    }

    #[test]
    fn what_the_host_keeps_proves_nothing_for_the_board() {
        assert!(row("memory of all").ends_with("| 6.0 MiB | 1 | open: a budget of the board |"));
        let cpu = row("CPU of all daemons, idle");
        assert!(
            cpu.contains("| 3.00 % of a core of this host | 30 s | open"),
            "{cpu}"
        );
    }

    #[test]
    fn each_daemon_has_its_memory_idle_and_charging() {
        let evsed = row("evsed ");
        assert!(
            evsed.starts_with("| evsed | 1024 | 1536 | 2048 | 0.50 % |"),
            "{evsed}"
        );
    }

    #[test]
    fn figures_of_many_messages_are_told_for_a_hundred_and_a_second() {
        assert!(
            row("CPU over 100 MeterValues").starts_with("| CPU over 100 MeterValues | 25.0 ms |")
        );
        let rss = row("RSS over");
        assert!(
            rss.starts_with("| RSS over 1000 MeterValues | 5.0 → 5.2 MiB |"),
            "{rss}"
        );
        let replay = row("replay of 1000");
        assert!(
            replay.starts_with("| replay of 1000 kept messages | 250 in a second, 150 ms of CPU |"),
            "{replay}"
        );
    }

    #[test]
    fn what_was_not_measured_is_said() {
        assert!(row("flash, all stripped binaries, armv7").contains("run `just cross`"));
    }

    #[test]
    fn writes_are_of_all_daemons_and_one_transaction() {
        assert!(row("written while idle").ends_with("| 24576 bytes | 30 s | over budget |"));
        assert!(row("written per transaction").ends_with("| 8.2 kB | 3 | within budget |"));
    }
}
