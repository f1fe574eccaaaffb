//! State of charge read by a short high level session (guide 15.21).

use crate::{MacAddress, Publisher, SocStatus, StateOfCharge, Timestamp, TopicInfo};

topics! {
    /// State of charge in percent, once at the start of the high level session.
    EV_PARAMETER_RESSSOC: Topic<StateOfCharge> =
        TopicInfo::event(
            "port0/ci/ev/parameter/resssoc",
            Publisher::Daemon("iso15118d"),
            "guide 15.21 table 83",
        )
        .named("TOPIC_EV_PARAMETER_RESSSOC");

    /// The EV's MAC address from SLAC.
    V2G_MAC: Topic<MacAddress> =
        TopicInfo::event(
            "port0/session/v2g_mac",
            Publisher::Daemon("iso15118d"),
            "guide 15.21 table 83",
        )
        .named("TOPIC_V2G_MAC");

    /// State of charge in percent; unknown at start and after unplugging.
    EV_SOC_ACTUAL: Topic<SocStatus> =
        TopicInfo::state(
            "port0/ci/ev/soc/actual",
            Publisher::Daemon("iso15118d"),
            "guide 15.21 table 83",
        )
        .named("TOPIC_EV_SOC_ACTUAL");

    /// When EV_SOC_ACTUAL last changed.
    EV_SOC_TIMESTAMP: Topic<Timestamp> =
        TopicInfo::state(
            "port0/ci/ev/soc/timestamp",
            Publisher::Daemon("iso15118d"),
            "guide 15.21 table 83",
        )
        .named("TOPIC_EV_SOC_TIMESTAMP");
}
