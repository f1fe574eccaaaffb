//! Network and mobile uplink (guide 14.2 tables 51 and 56).

use crate::key::{Initial, Key, Kind, TextRule};

const TABLE_51: &str = "guide 14.2 table 51";
const TABLE_56: &str = "guide 14.2.1 table 56";

const IPV4: Kind = Kind::Text {
    max_chars: 15,
    rule: TextRule::Ipv4,
};
const HOST: Kind = Kind::Text {
    max_chars: 253,
    rule: TextRule::Host,
};
const TEXT: Kind = Kind::Text {
    max_chars: 255,
    rule: TextRule::Any,
};

/// The network keys of customer.json.
pub const NETWORK: &[Key] = &[
    Key::boolean("network/skip_configuration", false)
        .over_ocpp()
        .means("The network is managed by somebody else", TABLE_51),
    Key::boolean("network/ipv4/dhcp", true)
        .over_ocpp()
        .means("The address comes from DHCP", TABLE_51),
    Key::text(
        "network/ipv4/address",
        18,
        TextRule::Ipv4Network,
        Initial::Absent,
    )
    .over_ocpp()
    .means("Fixed address, used without DHCP", TABLE_51),
    Key::new(
        "network/ipv4/gateway",
        Kind::OneOrMany(&IPV4),
        Initial::Json("[]"),
    )
    .over_ocpp()
    .means("Default gateway", TABLE_51),
    Key::new(
        "network/ipv4/dns",
        Kind::OneOrMany(&IPV4),
        Initial::Json("[]"),
    )
    .over_ocpp()
    .means("Name servers", TABLE_51),
    Key::new("network/ntp", Kind::OneOrMany(&HOST), Initial::Json("[]"))
        .over_ocpp()
        .means("Time servers in place of the system's", TABLE_51),
    Key::text("uplink/apn_name", 255, TextRule::Any, Initial::Text(""))
        .over_ocpp()
        .means(
            "Access point of the mobile network; empty: no mobile uplink",
            TABLE_56,
        ),
    Key::new("uplink/apn_username", Kind::OrNull(&TEXT), Initial::Absent)
        .over_ocpp()
        .means("User name for the access point", TABLE_56),
    Key::new("uplink/apn_password", Kind::OrNull(&TEXT), Initial::Absent)
        .over_ocpp()
        .means("Password for the access point", TABLE_56),
];
