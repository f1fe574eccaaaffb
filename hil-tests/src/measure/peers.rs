//! ocppd beside two other charge points.

use super::page::{mebibytes, milliseconds};
use super::{DAEMONS, Report};

/// The section of the page; the others' figures are facts, measured once.
pub(super) fn peers(report: &Report) -> String {
    let ocppd = DAEMONS.iter().position(|daemon| *daemon == "ocppd");
    let ocppd = ocppd.expect("one of the daemons");
    let window = report.plan.window;
    let cpu = match report.idle[ocppd].cpu.as_millis() {
        0 => "under 10".into(),
        milliseconds => milliseconds.to_string(),
    };
    let (p50, p99) = (report.calls.percentile(50), report.calls.percentile(99));
    format!(
        "## Beside two other charge points

Both were measured once each, on an x86-64 machine over loopback and plain ws, with another central
system than ours: they show orders of magnitude, not a race. What was not measured of them is empty.

| | ocppd | MicroOcppSimulator | open-ocpp example |
|---|---|---|---|
| RSS, connected and idle | {} MiB | 4.8 MB | 15.1 MB |
| CPU while idle | {cpu} ms in {} s | 18 ms in 30 s | 30 ms in 30 s |
| call latency p50 / p99 | {} / {} ms | 0.139 / 0.233 ms | 0.207 / 4.29 ms |
| CPU per small call | {:.3} ms | 0.032 ms | 0.067 ms |
{}",
        mebibytes(report.memory[ocppd].rss),
        window.as_secs(),
        milliseconds(p50),
        milliseconds(p99),
        report.cpu_per_call.as_secs_f64() * 1000.0,
        messages(report),
    )
}

/// Many messages in a row.
fn messages(report: &Report) -> String {
    let (values, replay) = (report.meter_values, report.replay);
    let hundred = values.cpu.as_secs_f64() * 1e5 / values.count.max(1) as f64;
    let rate = replay.messages as f64 / replay.took.as_secs_f64();
    format!(
        "| CPU over 100 MeterValues | {hundred:.1} ms | | |
| RSS over {} MeterValues | {} → {} MiB | | |
| replay of {} kept messages | {rate:.0} in a second, {} ms of CPU | | |
",
        values.count,
        mebibytes(values.rss_before),
        mebibytes(values.rss_after),
        replay.messages,
        replay.used.cpu.as_millis(),
    )
}
