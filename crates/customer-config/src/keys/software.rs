//! How the station charges (guide 14.1 table 48).

use crate::customer::{
    AuthenticationMode, ChargingType, HlcProtocol, TlsSecurity, UserAuthentication, VendorEnd,
};
use crate::key::{Initial, Key, Kind, TextRule};

const TABLE_48: &str = "guide 14.1 table 48";
const FAKE_HLC: &str = "guide 14.1 table 48, 15.21";

/// The guide names the two vendors; Tesla's prefixes are its example, Volkswagen's are not told.
const VENDORS: &str = r#"{
    "Tesla": { "oui": ["98:ED:5C", "4C:FC:AA", "54:F8:F0", "0C:29:8F", "DC:44:27:1"] },
    "Volkswagen": { "oui": [] }
}"#;

/// The software keys of customer.json.
pub const SOFTWARE: &[Key] = &[
    Key::choice(
        "ports[0]/hlc_protocols",
        HlcProtocol::WORDS,
        Initial::Text("urn:iso:15118:2:2013"),
    )
    .over_ocpp()
    .means("Protocol of high level communication", TABLE_48),
    Key::boolean("ports[0]/always_accept_cp_state_d", false)
        .over_ocpp()
        .means(
            "An EV that asks for ventilation is charged without",
            "guide 14.1 table 48, 15.19 table 80",
        ),
    Key::boolean("ports[0]/force_wake_up", false)
        .over_ocpp()
        .means(
            "After each authorization the control pilot goes to 0 V for a moment, to \
             wake old EVs",
            TABLE_48,
        ),
    Key::boolean("ports[0]/wake_up_after_timeout", false)
        .over_ocpp()
        .means(
            "The same when the EV has not asked for energy after 30 s",
            TABLE_48,
        ),
    Key::choice(
        "ports[0]/charging_type",
        ChargingType::WORDS,
        Initial::Text("basic"),
    )
    .over_ocpp()
    .means(
        "IEC 61851 only, ISO 15118 only, or IEC 61851 after a short high level \
             session that reads the state of charge",
        FAKE_HLC,
    ),
    Key::choice(
        "ports[0]/user_authentication",
        UserAuthentication::WORDS,
        Initial::Text("free"),
    )
    .refused_when_wrong()
    .over_ocpp()
    .means(
        "Who allows charging: anybody, the central system, a client on MQTT, or a \
             key switch",
        TABLE_48,
    ),
    Key::choice(
        "ports[0]/highlevel_authentication_mode",
        AuthenticationMode::WORDS,
        Initial::Text("eim"),
    )
    .over_ocpp()
    .means(
        "Authentication of a high level session: external identification means",
        TABLE_48,
    ),
    Key::choice(
        "ports[0]/tls_security",
        TlsSecurity::WORDS,
        Initial::Text("prohibit"),
    )
    .over_ocpp()
    .means("TLS towards the EV in high level communication", TABLE_48),
    Key::text(
        "ports[0]/evse_id",
        37,
        TextRule::Any,
        Initial::Text("DE*INT*ECH1234567890"),
    )
    .over_ocpp()
    .means("EVSEID", TABLE_48),
    Key::integer("ports[0]/meter/publish_settings/timer", 1, 86_400, 30)
        .unit("s")
        .over_ocpp()
        .means(
            "Interval in which meter values are published on MQTT",
            TABLE_48,
        ),
    Key::new(
        "fake_highlevel_dc_vendors",
        Kind::Object,
        Initial::Json(VENDORS),
    )
    .over_ocpp()
    .means(
        "Settings per vendor for charging_type basic+fake_highlevel_dc; an object \
             per freely named vendor",
        FAKE_HLC,
    ),
    Key::new(
        "fake_highlevel_dc_vendors/*/oui",
        Kind::List(&Kind::Text {
            max_chars: 17,
            rule: TextRule::MacPrefix,
        }),
        Initial::Json("[]"),
    )
    .over_ocpp()
    .means(
        "Beginnings of the EV's MAC address, of any length, that tell the vendor",
        FAKE_HLC,
    ),
    Key::choice(
        "fake_highlevel_dc_vendors/*/hlc_terminates_after",
        VendorEnd::WORDS,
        Initial::Text("SoC"),
    )
    .over_ocpp()
    .means(
        "What ends the short high level session: the MAC address or the state of \
             charge is known",
        FAKE_HLC,
    ),
    Key::integer("fake_highlevel_dc_vendors/*/switch_method", 1, 4, 1)
        .over_ocpp()
        .means(
            "How the station changes from high level communication to the duty cycle; \
             the guide does not tell more",
            FAKE_HLC,
        ),
    Key::new("grid", Kind::Object, Initial::Json("{}")).means(
        "Parameters of the supply for high level communication; the guide does \
             not list them",
        "guide 15.8",
    ),
];
