//! Which machine measures, when, and what.

use std::process::Command;

/// Figures mean nothing without it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// CPU model.
    pub cpu: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Kernel release and architecture.
    pub kernel: String,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: String,
    /// UTC.
    pub date: String,
    /// Version of the workspace, and the commit where there is a checkout.
    pub version: String,
}

impl Machine {
    /// This machine now.
    pub fn look() -> Self {
        let commit = said("git", &["describe", "--always", "--dirty=, with changes"]);
        Self {
            cpu: cpu().unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: format!(
                "{} {}",
                file("/proc/sys/kernel/osrelease").trim(),
                std::env::consts::ARCH
            ),
            load: load(),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_default(),
            version: match commit {
                Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
                None => env!("CARGO_PKG_VERSION").into(),
            },
        }
    }
}

/// Load averages of 1, 5 and 15 minutes.
pub(super) fn load() -> String {
    let load = file("/proc/loadavg");
    let averages: Vec<_> = load.split_whitespace().take(3).collect();
    averages.join(" ")
}

/// x86 calls it "model name"; a board's kernel says "Model" or "Hardware".
fn cpu() -> Option<String> {
    let text = file("/proc/cpuinfo");
    ["model name", "Model", "Hardware"]
        .iter()
        .find_map(|label| {
            let line = text.lines().find(|line| line.starts_with(label))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
}

fn file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// What a command prints when it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
