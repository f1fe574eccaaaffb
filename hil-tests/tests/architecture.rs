//! Who may depend on whom (docs/explanation/architecture.md): broken rows fail here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Package, and all that its product code may use. Development dependencies are free.
const RULES: &[(&str, &[&str])] = &[
    ("evse-core", &[]),
    ("topic-map", &["serde", "serde_json", "thiserror"]),
    (
        "customer-config",
        &["jsonc-parser", "serde", "serde_json", "thiserror"],
    ),
    (
        "ocpp16",
        &["base64", "chrono", "serde", "serde_json", "thiserror"],
    ),
    (
        "board",
        &[
            "evse-core",
            "gpiocdev",
            "gpio-cdev",
            "thiserror",
            "thread-priority",
        ],
    ),
    (
        "rs485",
        &[
            "thiserror",
            "tokio",
            "tokio-modbus",
            "tokio-serial",
            "tracing",
        ],
    ),
    (
        "daemon-kit",
        &[
            "customer-config",
            "getrandom",
            "lexopt",
            "rumqttc",
            "sd-notify",
            "thiserror",
            "tokio",
            "topic-map",
            "tracing",
            "tracing-subscriber",
        ],
    ),
    (
        "evsed",
        &[
            "board",
            "chrono",
            "customer-config",
            "daemon-kit",
            "evse-core",
            "thiserror",
            "tokio",
            "topic-map",
            "tracing",
        ],
    ),
    (
        "ocppd",
        &[
            "base64",
            "chrono",
            "customer-config",
            "daemon-kit",
            "futures-util",
            "getrandom",
            "ocpp16",
            "rcgen",
            "ring",
            "rusqlite",
            "rustls",
            "rustls-native-certs",
            "serde",
            "serde_json",
            "socket2",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tokio-tungstenite",
            "topic-map",
            "tracing",
            "x509-parser",
        ],
    ),
    (
        "configd",
        &[
            "customer-config",
            "daemon-kit",
            "thiserror",
            "tokio",
            "topic-map",
            "tracing",
        ],
    ),
    (
        "meteringd",
        &[
            "chrono",
            "customer-config",
            "daemon-kit",
            "rs485",
            "thiserror",
            "tokio",
            "tokio-modbus",
            "topic-map",
            "tracing",
        ],
    ),
    (
        "rfidd",
        &[
            "customer-config",
            "daemon-kit",
            "rs485",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "topic-map",
            "tracing",
        ],
    ),
    (
        "recloserd",
        &[
            "customer-config",
            "daemon-kit",
            "rs485",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "topic-map",
            "tracing",
        ],
    ),
    (
        "simulator",
        &[
            "board",
            "bytes",
            "chrono",
            "futures-util",
            "nix",
            "ring",
            "rumqttc",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "tokio-rustls",
            "tokio-tungstenite",
        ],
    ),
    (
        "hil-tests",
        &[
            "customer-config",
            "nix",
            "rumqttc",
            "serde",
            "serde_json",
            "simulator",
            "tempfile",
            "tokio",
            "topic-map",
        ],
    ),
];

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
            "--offline",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo metadata runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Product dependencies of every package of the workspace.
fn product_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            let product = dependencies
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().expect("name").to_owned());
            (
                package["name"].as_str().expect("name").to_owned(),
                product.collect(),
            )
        })
        .collect()
}

#[test]
fn every_package_uses_only_what_its_row_allows() {
    let rules: BTreeMap<&str, BTreeSet<&str>> = RULES
        .iter()
        .map(|(name, allowed)| (*name, allowed.iter().copied().collect()))
        .collect();
    let mut complaints = Vec::new();
    for (package, dependencies) in product_dependencies() {
        let Some(allowed) = rules.get(package.as_str()) else {
            complaints.push(format!("{package} has no row in RULES"));
            continue;
        };
        for dependency in dependencies
            .iter()
            .filter(|name| !allowed.contains(name.as_str()))
        {
            complaints.push(format!("{package} must not depend on {dependency}"));
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_package_whose_name_ends_in_d_is_a_daemon_and_no_library_of_others() {
    let dependencies = product_dependencies();
    let daemons: BTreeSet<_> = dependencies
        .keys()
        .filter(|name| name.ends_with('d') && dependencies[*name].contains("daemon-kit"))
        .collect();
    assert!(daemons.len() >= 3, "found only {daemons:?}");
    for (package, used) in &dependencies {
        for daemon in &daemons {
            assert!(
                !used.contains(*daemon),
                "{package} uses the daemon {daemon} as a library"
            );
        }
    }
}

/// Product sources without their unit tests, which stand at the end of a file.
fn product_sources() -> Vec<(PathBuf, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut folders = vec![crates];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !["tests", "examples", "simulator", "target"].contains(&&*name) {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                let product = text.split("#[cfg(test)]").next().unwrap_or_default();
                sources.push((path, product.to_owned()));
            }
        }
    }
    sources
}

#[test]
fn topic_strings_stand_in_the_topic_map_alone() {
    let mut found = Vec::new();
    for (path, source) in product_sources() {
        if path
            .components()
            .any(|part| part.as_os_str() == "topic-map")
        {
            continue;
        }
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        for line in source.lines().filter(is_code) {
            if ["\"port0/", "\"ci/", "\"firmware/update/"]
                .iter()
                .any(|topic| line.contains(topic))
            {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn source_files_stay_small() {
    let long: Vec<_> = product_sources()
        .into_iter()
        .map(|(path, source)| (source.lines().count(), path))
        .filter(|(lines, _)| *lines > 600)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
