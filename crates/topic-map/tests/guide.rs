//! The constants against the guide's table of topics, both ways.
//!
//! `guide_topics.csv` holds the table's facts. Its payload column follows the guide but for
//! four rows that the project decided otherwise: the authorization status is a boolean, the
//! EVSEID a text, the numbers of phases are closed sets. `retained` is the guide's word where
//! it has one, else the rule that states are retained and events are not.

#![allow(clippy::panic, reason = "a test's way to fail")]

use std::collections::BTreeSet;

use topic_map::{ALL, Class, Publisher, TopicInfo};

struct Row {
    name: &'static str,
    topic: &'static str,
    publisher: &'static str,
    payload: &'static str,
    retained: &'static str,
    class: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    include_str!("guide_topics.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<_> = line.split(',').collect();
            let [name, topic, publisher, payload, retained, class] = columns[..] else {
                panic!("six columns: {line}")
            };
            Row {
                name,
                topic,
                publisher,
                payload,
                retained,
                class,
            }
        })
}

/// Rows that name a family of constants, or a constant without a topic string.
fn is_topic(row: &Row) -> bool {
    !matches!(row.class, "pattern" | "unspecified")
}

fn find(row: &Row) -> &'static TopicInfo {
    ALL.iter()
        .find(|info| info.name == row.topic || info.aliases.contains(&row.topic))
        .unwrap_or_else(|| panic!("no constant for {} {}", row.name, row.topic))
}

#[test]
fn every_row_of_the_guide_is_a_constant() {
    for row in rows().filter(is_topic) {
        let info = find(&row);
        assert_eq!(info.guide_name, row.name, "{}", row.topic);
        let publisher = match info.publisher {
            Publisher::Daemon("iso15118d") if row.publisher == "ev" => "ev",
            Publisher::Daemon(_) => "stack",
            Publisher::Customer => "customer",
            Publisher::Either(_) => "either",
        };
        // A customer's RFID daemon may replace ours, so tags are `either` here.
        let replaceable = info.name.starts_with("port0/rfid/auth");
        assert!(
            publisher == row.publisher || replaceable,
            "publisher of {}",
            row.topic
        );
        assert_eq!(
            if info.retain { "yes" } else { "no" },
            row.retained,
            "{}",
            row.topic
        );
    }
}

#[test]
fn every_constant_is_a_row_of_the_guide_or_marked_as_ours() {
    for info in ALL.iter().filter(|info| !info.is_ours()) {
        let row = rows().find(|row| row.topic == info.name || info.aliases.contains(&row.topic));
        assert!(
            row.is_some_and(|row| is_topic(&row)),
            "{} is not in the guide",
            info.name
        );
        assert!(info.source.starts_with("guide "), "{}", info.name);
    }
    for info in ALL.iter().filter(|info| info.is_ours()) {
        assert!(
            rows().all(|row| row.topic != info.name),
            "{} is the guide's",
            info.name
        );
    }
}

#[test]
fn names_that_are_no_topics_stay_out() {
    let left_out: Vec<_> = rows()
        .filter(|row| !is_topic(row))
        .map(|row| row.name)
        .collect();
    assert_eq!(
        left_out,
        [
            "TOPIC_CHARGE_PRECHARGE_STATUS",
            "TOPIC_CHARGE",
            "TOPIC_EV",
            "TOPIC_EVSE",
            "TOPIC_EVSE_*_NOTIFICATION",
        ]
    );
    assert!(ALL.iter().all(|info| !left_out.contains(&info.guide_name)));
}

// covers: CFG-023
#[test]
fn the_payload_has_the_form_of_the_guide() {
    for row in rows().filter(is_topic) {
        let form = find(&row).form;
        let fits = match row.payload {
            "bool" => form == "0 or 1",
            "enum" => form.starts_with("one of: ") || form.starts_with("empty or one of: "),
            "json" => form.starts_with("JSON"),
            "float1" => form.starts_with("amperes"),
            "float2" => form.contains("two decimals"),
            "integer" => form.contains("integer") || form.starts_with("whole amperes"),
            "rfc3339" => form.contains("RFC 3339"),
            "signal" => form.starts_with("any payload"),
            "string" => !form.contains("JSON") && !form.contains("one of"),
            other => panic!("unknown payload {other}"),
        };
        assert!(fits, "{}: {} is not {form}", row.topic, row.payload);
    }
}

#[test]
fn constants_are_named_like_the_guide_names_them() {
    for info in ALL.iter().filter(|info| !info.guide_name.is_empty()) {
        assert_eq!(info.guide_name.strip_prefix("TOPIC_"), Some(info.constant));
    }
}

#[test]
fn every_topic_is_unique_and_complete() {
    let mut names = BTreeSet::new();
    for info in ALL {
        for name in std::iter::once(&info.name).chain(info.aliases) {
            assert!(names.insert(*name), "{name} twice");
            assert!(
                !name.contains('#') && name.matches('+').count() <= 1,
                "{name}"
            );
        }
        assert!(
            !info.form.is_empty() && !info.meaning.trim().is_empty(),
            "{}",
            info.name
        );
        assert_eq!(info.retain, info.class == Class::State, "{}", info.name);
    }
}
