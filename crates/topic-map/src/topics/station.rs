//! Topics of the station as a whole.

use crate::{Availability, Publisher, TopicInfo};

topics! {
    /// The customer's wish; the station serves only when the central system wants it too.
    /// Absent: operative.
    AVAILABILITY_TARGET: Topic<Availability> =
        TopicInfo::state(
            "port0/ci/availability/target",
            Publisher::Customer,
            "guide 3.3.5 table 5",
        );

    /// Whether the station serves: the customer's wish and the central system's combined.
    AVAILABILITY_ACTUAL: Topic<Availability> =
        TopicInfo::state(
            "port0/availability/actual",
            Publisher::Daemon("evsed"),
            "guide 3.3.5 table 5",
        );

    /// Version of the charging software; present once it is operational, e.g. `0.7.0`.
    GLOBAL_VERSION_CHARGING_SOFTWARE: Topic<String> =
        TopicInfo::state(
            "ci/global/version/charging_software",
            Publisher::Daemon("evsed"),
            "guide 15.5.2 table 59; 11; 11.8.2",
        )
        .named("TOPIC_GLOBAL_VERSION_CHARGING_SOFTWARE");

    /// 1: the system time has been set by the central system or NTP.
    GLOBAL_TIME_SET_STATUS: Topic<bool> =
        TopicInfo::state(
            "ci/global/time_set/status",
            Publisher::Daemon("ocppd"),
            "guide 15.5.2 table 59",
        )
        .named("TOPIC_GLOBAL_TIME_SET_STATUS");

    /// 1: connected to the central system.
    OCPP_ONLINE: Topic<bool> =
        TopicInfo::state("ocpp/online", Publisher::Daemon("ocppd"), "guide 15.5.2 table 59")
            .named("TOPIC_OCPP_ONLINE");

    /// 0: the meter does not answer.
    METERING_METER_AVAILABLE: Topic<bool> =
        TopicInfo::state(
            "port0/metering/meter/available",
            Publisher::Daemon("meteringd"),
            "guide 3.3.4.7",
        );
}
