//! What is rendered from the topic map: the reference page and the LAN's access list.

use topic_map::{ALL, AUTHORIZATION_STATUS, Publisher, broker_acl, reference_page};

#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/topics.md"
    );
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == reference_page(),
        "docs/reference/topics.md is stale: run `just docs`"
    );
}

#[test]
fn the_access_list_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/mosquitto.acl");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == broker_acl(&[]),
        "config/mosquitto.acl is stale: run `just docs`"
    );
}

fn writable(acl: &str) -> Vec<&str> {
    acl.lines()
        .filter_map(|line| line.strip_prefix("pattern write "))
        .collect()
}

#[test]
fn the_lan_may_publish_only_what_belongs_to_the_customer() {
    let acl = broker_acl(&[]);
    let expected: Vec<_> = ALL
        .iter()
        .filter(|info| info.publisher == Publisher::Customer)
        .flat_map(|info| std::iter::once(info.name).chain(info.aliases.iter().copied()))
        .collect();
    assert_eq!(writable(&acl), expected);
    for line in acl.lines() {
        let known = line.is_empty()
            || line.starts_with('#')
            || line == "pattern read #"
            || line.starts_with("pattern deny ")
            || line.starts_with("pattern write ");
        assert!(known, "{line}");
    }
}

#[test]
fn no_access_list_reaches_what_the_station_owns() {
    let everything_granted = broker_acl(ALL);
    for info in ALL
        .iter()
        .filter(|info| matches!(info.publisher, Publisher::Daemon(_)))
    {
        for rule in writable(&everything_granted) {
            assert!(
                !matches_filter(rule, info.name),
                "{rule} lets the LAN publish {}",
                info.name
            );
        }
    }
}

#[test]
fn the_authorization_is_granted_only_when_it_is_the_customers() {
    assert!(!writable(&broker_acl(&[])).contains(&AUTHORIZATION_STATUS.name()));
    let granted = broker_acl(&[&AUTHORIZATION_STATUS.info]);
    assert!(writable(&granted).contains(&AUTHORIZATION_STATUS.name()));
}

/// MQTT filter matching, `+` only.
fn matches_filter(filter: &str, topic: &str) -> bool {
    let (filter, topic): (Vec<_>, Vec<_>) =
        (filter.split('/').collect(), topic.split('/').collect());
    filter.len() == topic.len() && filter.iter().zip(&topic).all(|(f, t)| *f == "+" || f == t)
}
