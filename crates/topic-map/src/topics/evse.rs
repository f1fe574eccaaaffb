//! V2G parameters of the station, published by the customer (guide 15.5.3-15.5.6).

use crate::{
    ChargeService, EpochMillis, EvseId, EvseNotification, EvseProcessing, NotificationDelay,
    PaymentOptions, PhysicalValue, Publisher, ScheduleList, SessionId, TopicInfo,
};
use serde_json::Value;

topics! {
    /// Session id; after the initialisation phase has started.
    EVSE_INIT_SESSIONID: Topic<SessionId> =
        TopicInfo::event(
            "port0/ci/evse/init/sessionid",
            Publisher::Customer,
            "guide 15.5.3 table 60; 15.1; 15.3",
        )
        .named("TOPIC_EVSE_INIT_SESSIONID");

    /// EVSEID; absent: `evse_id` of customer.json. The guide's table says integer,
    /// customer.json a string.
    EVSE_INIT_EVSEID: Topic<EvseId> =
        TopicInfo::event("port0/ci/evse/init/evseid", Publisher::Customer, "guide 15.5.3 table 60")
            .named("TOPIC_EVSE_INIT_EVSEID");

    /// The station's time in ms since 1970.
    EVSE_INIT_DATETIMENOW: Topic<EpochMillis> =
        TopicInfo::event(
            "port0/ci/evse/init/datetimenow",
            Publisher::Customer,
            "guide 15.5.3 table 60",
        )
        .named("TOPIC_EVSE_INIT_DATETIMENOW");

    /// Payment options offered.
    EVSE_INIT_PAYMENTOPTIONS: Topic<PaymentOptions> =
        TopicInfo::event(
            "port0/ci/evse/init/paymentoptions",
            Publisher::Customer,
            "guide 15.5.3 table 60; 15.22",
        )
        .named("TOPIC_EVSE_INIT_PAYMENTOPTIONS");

    /// Charge service offered.
    EVSE_INIT_CHARGESERVICE: Topic<ChargeService> =
        TopicInfo::event(
            "port0/ci/evse/init/chargeservice",
            Publisher::Customer,
            "guide 15.5.3 table 60",
        )
        .named("TOPIC_EVSE_INIT_CHARGESERVICE");

    /// Value added services; the guide gives no schema.
    EVSE_INIT_SERVICELIST: Topic<Value> =
        TopicInfo::event(
            "port0/ci/evse/init/servicelist",
            Publisher::Customer,
            "guide 15.5.3 table 60",
        )
        .named("TOPIC_EVSE_INIT_SERVICELIST");

    /// Parameters of the value added services; the guide gives no schema.
    EVSE_INIT_SERVICEPARAMETERLIST: Topic<Value> =
        TopicInfo::event(
            "port0/ci/evse/init/serviceparameterlist",
            Publisher::Customer,
            "guide 15.5.3 table 60",
        )
        .named("TOPIC_EVSE_INIT_SERVICEPARAMETERLIST");

    /// GenChallenge of the authentication phase; the guide gives no schema.
    EVSE_AUTH_GENCHALLENGE: Topic<Value> =
        TopicInfo::event(
            "port0/ci/evse/auth/genchallenge",
            Publisher::Customer,
            "guide 15.5.4 table 61",
        )
        .named("TOPIC_EVSE_AUTH_GENCHALLENGE");

    /// Holds or releases the authentication phase.
    EVSE_AUTH_EVSEPROCESSING: Topic<EvseProcessing> =
        TopicInfo::event(
            "port0/ci/evse/auth/evseprocessing",
            Publisher::Customer,
            "guide 15.5.4 table 61; 15.4",
        )
        .named("TOPIC_EVSE_AUTH_EVSEPROCESSING");

    /// 1: authentication failed; also ends a session.
    EVSE_AUTH_ERROR: Topic<bool> =
        TopicInfo::event(
            "port0/ci/evse/auth/error",
            Publisher::Customer,
            "guide 15.5.4 table 61; 15.9",
        )
        .named("TOPIC_EVSE_AUTH_ERROR");

    /// Holds or releases the parameter phase.
    EVSE_PARAMETER_EVSEPROCESSING: Topic<EvseProcessing> =
        TopicInfo::event(
            "port0/ci/evse/parameter/evseprocessing",
            Publisher::Customer,
            "guide 15.5.5 table 62; 15.4; 15.11",
        )
        .named("TOPIC_EVSE_PARAMETER_EVSEPROCESSING");

    /// Charging schedule offered.
    EVSE_PARAMETER_SASCHEDULELIST: Topic<ScheduleList> =
        TopicInfo::event(
            "port0/ci/evse/parameter/saschedulelist",
            Publisher::Customer,
            "guide 15.5.5 table 62; 15.11; 15.22",
        )
        .named("TOPIC_EVSE_PARAMETER_SASCHEDULELIST");

    /// Sales tariffs; the guide gives no schema.
    EVSE_PARAMETER_SALESTARIFF: Topic<Value> =
        TopicInfo::event(
            "port0/ci/evse/parameter/salestariff",
            Publisher::Customer,
            "guide 15.5.5 table 62",
        )
        .named("TOPIC_EVSE_PARAMETER_SALESTARIFF");

    /// Greatest current of the station in A.
    EVSE_PARAMETER_MAXCURRENTLIMIT: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/evse/parameter/maxcurrentlimit",
            Publisher::Customer,
            "guide 15.5.5 table 62; 15.7 table 69",
        )
        .named("TOPIC_EVSE_PARAMETER_MAXCURRENTLIMIT");

    /// Seconds to react to a notification, parameter phase.
    EVSE_PARAMETER_NOTIFICATIONMAXDELAY: Topic<NotificationDelay> =
        TopicInfo::event(
            "port0/ci/evse/parameter/notificationmaxdelay",
            Publisher::Customer,
            "guide 15.5.5 table 62",
        )
        .named("TOPIC_EVSE_PARAMETER_NOTIFICATIONMAXDELAY");

    /// Notification in the parameter phase.
    EVSE_PARAMETER_NOTIFICATION: Topic<EvseNotification> =
        TopicInfo::event(
            "port0/ci/evse/parameter/notification",
            Publisher::Customer,
            "guide 15.5.5 table 62; 15.9; 15.11",
        )
        .named("TOPIC_EVSE_PARAMETER_NOTIFICATION");

    /// Nominal voltage of the supply in V.
    EVSE_PARAMETER_NOMINALVOLTAGE: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/evse/parameter/nominalvoltage",
            Publisher::Customer,
            "guide 15.5.5 table 62; 15.7 table 69",
        )
        .named("TOPIC_EVSE_PARAMETER_NOMINALVOLTAGE");

    /// RCD status of the V2G message.
    EVSE_PARAMETER_RCD: Topic<bool> =
        TopicInfo::event(
            "port0/ci/evse/parameter/rcd",
            Publisher::Customer,
            "guide 15.5.5 table 62",
        )
        .named("TOPIC_EVSE_PARAMETER_RCD");

    /// Seconds to react to a notification, charge phase.
    EVSE_CHARGE_NOTIFICATIONMAXDELAY: Topic<NotificationDelay> =
        TopicInfo::event(
            "port0/ci/evse/charge/notificationmaxdelay",
            Publisher::Customer,
            "guide 15.5.6 table 63",
        )
        .named("TOPIC_EVSE_CHARGE_NOTIFICATIONMAXDELAY");

    /// Notification in the charge phase.
    EVSE_CHARGE_NOTIFICATION: Topic<EvseNotification> =
        TopicInfo::event(
            "port0/ci/evse/charge/notification",
            Publisher::Customer,
            "guide 15.5.6 table 63; 15.9; 15.11",
        )
        .named("TOPIC_EVSE_CHARGE_NOTIFICATION");

    /// Meter information in the charge phase; the guide gives no schema.
    EVSE_CHARGE_METERINFO: Topic<Value> =
        TopicInfo::event(
            "port0/ci/evse/charge/meterinfo",
            Publisher::Customer,
            "guide 15.5.6 table 63",
        )
        .named("TOPIC_EVSE_CHARGE_METERINFO");

    /// 1: a metering receipt is required; the guide leaves the type open.
    EVSE_CHARGE_RECEIPTREQUIRED: Topic<bool> =
        TopicInfo::event(
            "port0/ci/evse/charge/receiptrequired",
            Publisher::Customer,
            "guide 15.5.6 table 63",
        )
        .named("TOPIC_EVSE_CHARGE_RECEIPTREQUIRED");
}
