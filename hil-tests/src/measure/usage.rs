//! What the kernel says about a process (proc(5)).

use std::ops::Sub;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// USER_HZ, the unit of CPU times in /proc, is 100 on every architecture of interest.
const TICK: Duration = Duration::from_millis(10);

/// Memory of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its name.
    pub daemon: &'static str,
    /// Proportional set size in KiB: shared pages are divided among their users.
    pub pss: u64,
    /// Resident set size in KiB.
    pub rss: u64,
}

/// What a daemon has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Its name.
    pub daemon: &'static str,
    /// CPU time in user and kernel mode, all threads; in steps of 10 ms.
    pub cpu: Duration,
    /// Bytes that were sent to storage, whole pages.
    pub written: u64,
}

impl Sub for Used {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            daemon: self.daemon,
            cpu: self.cpu.saturating_sub(before.cpu),
            written: self.written.saturating_sub(before.written),
        }
    }
}

/// Memory of the process `id`.
pub(super) fn memory(daemon: &'static str, id: u32) -> Memory {
    let rollup = read(id, "smaps_rollup");
    Memory {
        daemon,
        pss: field(&rollup, "Pss:"),
        rss: field(&rollup, "Rss:"),
    }
}

/// What the process `id` has used since its start.
pub(super) fn used(daemon: &'static str, id: u32) -> Used {
    let (_, ticks) = parent_and_ticks(&read(id, "stat"));
    Used {
        daemon,
        cpu: TICK * ticks,
        written: field(&read(id, "io"), "write_bytes:"),
    }
}

/// Kill all children of this process. The release profile aborts on a panic, so
/// nothing else would end them.
pub fn end_children() {
    let ids = std::fs::read_dir("/proc").into_iter().flatten();
    let ids = ids.flatten().filter_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        (parent_and_ticks(&stat).0 == std::process::id()).then_some(id)
    });
    for id in ids {
        // One that has just ended is fine, too.
        let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
    }
}

fn read(id: u32, file: &str) -> String {
    let path = format!("/proc/{id}/{file}");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Parent, and utime + stime. The name before them may hold blanks and parentheses.
fn parent_and_ticks(stat: &str) -> (u32, u32) {
    let (_, after_name) = stat.rsplit_once(')').expect("a name in parentheses");
    let fields: Vec<_> = after_name.split_whitespace().collect();
    let number = |index: usize| parsed::<u32>(fields[index]);
    (number(1), number(11) + number(12))
}

/// The number behind a label at the start of a line.
fn field(text: &str, label: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .and_then(|rest| rest.split_whitespace().next())
        .map_or_else(|| panic!("no {label} in {text}"), parsed)
}

fn parsed<T: FromStr>(word: &str) -> T {
    word.parse()
        .unwrap_or_else(|_| panic!("{word} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) (b c) S 7 42 42 0 -1 4194304 100 0 0 0 23 19 0 0 20 0 2 0 99";
        assert_eq!(parent_and_ticks(stat), (7, 42));
    }

    #[test]
    fn fields_are_found_by_their_label() {
        let io = "wchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!(field(io, "write_bytes:"), 4096);
        let rollup = "0-1 ---p 0 00:00 0 [rollup]\nRss:  1616 kB\nPss:  254 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(field(rollup, "Pss:"), 254);
    }

    #[test]
    fn a_running_process_uses_memory_and_time() {
        let id = std::process::id();
        let memory = memory("evsed", id);
        assert!(memory.pss > 0 && memory.pss <= memory.rss, "{memory:?}");
        let before = used("evsed", id);
        while (used("evsed", id) - before).cpu < TICK {}
    }
}
