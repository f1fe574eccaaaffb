//! The broker's access list for the LAN.

use std::fmt::Write as _;

use crate::{ALL, CONFIGURATION_CHANGED, CONFIGURATION_SET, Publisher, TopicInfo};

/// The text of the `acl_file` for mosquitto's LAN listener.
///
/// Every authenticated client may read everything but secrets, and publish the topics that the guide
/// gives to the customer. Topics that belong to the customer only in some configurations
/// ([`Publisher::Either`]) are added when they are in `granted`, e.g.
/// `AUTHORIZATION_STATUS` with `user_authentication` `mqtt`: otherwise a LAN client could
/// allow charging past the central system. Those that are not granted are listed as
/// comments.
pub fn broker_acl(granted: &[&TopicInfo]) -> String {
    // `pattern` rules hold for every user of the listener; no rule means no access.
    let mut acl = String::from(HEADER);
    for secret in SECRETS {
        // Writing to a String can't fail.
        let _ = writeln!(acl, "pattern deny {}", secret.name);
    }
    rules(&mut acl, "", |topic| is_publishable(topic, granted));
    acl.push_str(WITHHELD);
    rules(&mut acl, "# ", |topic| {
        matches!(topic.publisher, Publisher::Either(_)) && !is_publishable(topic, granted)
    });
    acl
}

fn rules(acl: &mut String, prefix: &str, belong: impl Fn(&TopicInfo) -> bool) {
    for topic in ALL.iter().filter(|topic| belong(topic)) {
        for name in std::iter::once(&topic.name).chain(topic.aliases) {
            // Writing to a String can't fail.
            let _ = writeln!(acl, "{prefix}pattern write {name}");
        }
    }
}

/// Values of customer.json, passwords among them.
const SECRETS: [&TopicInfo; 2] = [&CONFIGURATION_SET.info, &CONFIGURATION_CHANGED.info];

const HEADER: &str = "\
# What a client in the LAN may do; generated from the topic map, don't edit.
pattern read #
";

const WITHHELD: &str = "
# The customer's in some configurations only. With `ocpp` authentication a client that
# may write authorization_status could allow charging past the central system.
";

fn is_publishable(topic: &TopicInfo, granted: &[&TopicInfo]) -> bool {
    match topic.publisher {
        Publisher::Customer => true,
        Publisher::Either(_) => granted.iter().any(|other| other.name == topic.name),
        Publisher::Daemon(_) => false,
    }
}
