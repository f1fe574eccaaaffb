//! What evsed commands and senses. Published, not obeyed: no message closes a contactor.

use crate::{DutyPercent, Publisher, TopicInfo};

topics! {
    /// 1: relay 1, the main contactor, is commanded closed.
    CONTACTOR_STATE_TARGET: Topic<bool> =
        TopicInfo::state(
            "port0/contactor/state/target",
            Publisher::Daemon("evsed"),
            "guide 7.7 table 24; 15.13 table 70",
        )
        .named("TOPIC_CONTACTOR_STATE_TARGET");

    /// 1: relay 1's load is sensed closed; while nothing can be sensed, what was sensed last.
    CONTACTOR_STATE_ACTUAL: Topic<bool> =
        TopicInfo::state(
            "port0/contactor/state/actual",
            Publisher::Daemon("evsed"),
            "guide 7.7 table 24",
        );

    /// 1: relay 2 is to close, fan on; the customer's where `ventilation/control` is
    /// `external`.
    VENTILATION_STATE_TARGET: Topic<bool> =
        TopicInfo::state(
            "port0/ventilation/state/target",
            Publisher::Either("evsed"),
            "guide 7.7 table 24; 15.13 table 70; 15.19 tables 78-80",
        )
        .named("TOPIC_VENTILATION_STATE_TARGET");

    /// 1: relay 2 is closed; without feedback it repeats the target.
    VENTILATION_STATE_ACTUAL: Topic<bool> =
        TopicInfo::state(
            "port0/ventilation/state/actual",
            Publisher::Either("evsed"),
            "guide 7.7 table 24; 15.19 tables 78-80",
        )
        .named("TOPIC_VENTILATION_STATE_ACTUAL");

    /// 1: ventilation is available; the customer's where `ventilation/control` is `external`.
    VENTILATION_AVAILABLE: Topic<bool> =
        TopicInfo::state(
            "port0/ventilation/available",
            Publisher::Either("evsed"),
            "guide 15.19 tables 78-80",
        )
        .named("TOPIC_VENTILATION_AVAILABLE");

    /// 1: energy may flow.
    CHARGING: Topic<bool> =
        TopicInfo::state("port0/charging", Publisher::Daemon("evsed"), "guide 15.13 table 70")
            .named("TOPIC_CHARGING");

    /// 1: the plug lock is commanded locked.
    PLUG_LOCK: Topic<bool> =
        TopicInfo::state(
            "port0/plug_lock/state/target",
            Publisher::Daemon("evsed"),
            "guide 15.13 table 70",
        )
        .named("TOPIC_PLUG_LOCK");

    /// Commanded duty cycle of the control pilot in percent.
    CP_DUTY_CYCLE: Topic<DutyPercent> =
        TopicInfo::state("port0/cp/duty_cycle", Publisher::Daemon("evsed"), "guide 15.13 table 70")
            .named("TOPIC_CP_DUTY_CYCLE");
}
