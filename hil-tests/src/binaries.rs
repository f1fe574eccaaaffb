//! Where the daemons' binaries are, built from the sources as they stand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of one of our binaries, of the same profile as the running program.
pub fn binary(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let directory = profile_directory();
        build(directory.ends_with("release"));
        directory
    });
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "{} is missing: is there a binary {name}?",
        path.display()
    );
    path
}

/// `target/debug` or `target/release`: tests run in its `deps`, programs in itself.
fn profile_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the running program has a path");
    let directory = program.parent().expect("the program lies in a directory");
    if directory.ends_with("deps") {
        directory
            .parent()
            .expect("deps lies in a directory")
            .to_owned()
    } else {
        directory.to_owned()
    }
}

/// A test of yesterday's daemon proves nothing, so build first; a moment when nothing changed.
fn build(release: bool) {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo
        .args(["build", "--quiet", "--locked", "--workspace", "--bins"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if release {
        cargo.arg("--release");
    }
    // What `cargo test` and `cargo run` tell us of ourselves makes build scripts that look
    // at it run again, and everything above them: ring's does.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the daemons do not build");
}
