//! The pages lead somewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::path::{Path, PathBuf};

/// README and its neighbours, and all below docs.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a readable folder");
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut left = entries(&root);
    left.retain(|path| path.is_file() || path.ends_with("docs"));
    let mut pages = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(entries(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages
}

#[test]
fn every_link_to_a_file_of_ours_resolves() {
    let pages = pages();
    let mut links = 0;
    let mut dead = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a readable page");
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            links += 1;
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !page.with_file_name(file).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(links > 20, "only {links} links in {pages:?}");
    assert!(dead.is_empty(), "{dead:#?}");
}

// covers: RCD-038
#[test]
fn the_feedback_of_a_residual_current_device_must_not_float() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/explanation/safety.md")).unwrap();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let demanded = "The RCD's feedback line must not float: it needs the pull resistor";
    assert!(words.contains(demanded));
}

#[test]
fn every_test_that_the_field_faults_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = root.join("docs/explanation/field-faults.md");
    let page = std::fs::read_to_string(page).expect("a readable page");
    let mut missing = Vec::new();
    let mut faults = std::collections::BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let number = row.split('|').nth(1).map(str::trim).unwrap_or_default();
        faults.extend(number.parse::<u32>());
        let named = row.split('`').filter_map(|word| word.split_once(".rs::"));
        for (file, function) in named {
            let text = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
            if !text.contains(&format!("#[test]\n    fn {function}()"))
                && !text.contains(&format!("#[test]\nfn {function}()"))
            {
                missing.push(format!("{file}.rs::{function}"));
            }
        }
    }
    assert!(faults.into_iter().eq(1..=50), "one row for each of the 50");
    assert!(missing.is_empty(), "{missing:#?}");
}
