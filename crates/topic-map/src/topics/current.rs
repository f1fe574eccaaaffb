//! Current limits per phase (guide 15.16).

use crate::{CurrentLimit, OfferedCurrent, Publisher, TopicInfo, WholeAmperes, WholeCurrentLimit};

topics! {
    /// Rating of the cable from the proximity pilot in A; -1 with a fixed cable.
    CABLE_CURRENT_LIMIT: Topic<WholeCurrentLimit> =
        TopicInfo::state(
            "port0/cable_current_limit",
            Publisher::Daemon("evsed"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_CABLE_CURRENT_LIMIT");

    /// Rating of the supply in A, from the rotary switch; published once.
    EVSE_GRID_CURRENT_LIMIT_ACTUAL: Topic<WholeAmperes> =
        TopicInfo::state(
            "port0/ci/evse/basic/grid_current_limit/actual",
            Publisher::Daemon("evsed"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_EVSE_GRID_CURRENT_LIMIT_ACTUAL");

    /// Rating of the station's own wiring in A, from `evse_current_limit`; published once.
    EVSE_EVSE_CURRENT_LIMIT_ACTUAL: Topic<WholeAmperes> =
        TopicInfo::state(
            "port0/ci/evse/basic/evse_current_limit/actual",
            Publisher::Daemon("evsed"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_EVSE_EVSE_CURRENT_LIMIT_ACTUAL");

    /// Limit of OCPP smart charging for the whole station in A; below 6 counts as 0.
    EVSE_BASIC_MAXCURRENTLIMIT: Topic<CurrentLimit> =
        TopicInfo::state(
            "ci/evse/basic/maxcurrentlimit",
            Publisher::Daemon("ocppd"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_EVSE_BASIC_MAXCURRENTLIMIT");

    /// Up to five limits of the customer's, freely named, in A; below 6 counts as 0; an empty
    /// payload frees the name.
    GLOBAL_DYN_CURRENT_LIMIT: TopicFamily<Option<CurrentLimit>> =
        TopicInfo::state(
            "ci/global/dyn_current_limit/+",
            Publisher::Customer,
            "guide 15.16 table 74; 15.16.1",
        )
        .named("TOPIC_GLOBAL_DYN_CURRENT_LIMIT");

    /// Minimum of all limits in A, 0.0 where that is below 6 A and nothing is offered;
    /// published each time a limit arrives, changed or not.
    EVSE_BASIC_OFFERED_CURRENT_LIMIT: Topic<OfferedCurrent> =
        TopicInfo::state(
            "port0/ci/evse/basic/offered_current_limit",
            Publisher::Daemon("evsed"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_EVSE_BASIC_OFFERED_CURRENT_LIMIT");

    /// Minimum of supply, station and cable rating in A, without the dynamic limits.
    EVSE_BASIC_PHYSICAL_CURRENT_LIMIT: Topic<WholeAmperes> =
        TopicInfo::state(
            "port0/ci/evse/basic/physical_current_limit",
            Publisher::Daemon("evsed"),
            "guide 15.16 table 74",
        )
        .named("TOPIC_EVSE_BASIC_PHYSICAL_CURRENT_LIMIT");
}
