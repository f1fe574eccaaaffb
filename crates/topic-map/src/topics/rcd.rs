//! Residual current monitoring (guide 15.15).

use crate::{Publisher, RcdError, Signal, Timestamp, TopicInfo};

topics! {
    /// 1: not tripped, also during a test; 0: residual current or spurious error.
    RCD_STATE_ACTUAL: Topic<bool> =
        TopicInfo::state(
            "port0/rcd/state/actual",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73",
        )
        .named("TOPIC_RCD_STATE_ACTUAL");

    /// 1: monitoring is configured.
    RCD_FEEDBACK_AVAILABLE: Topic<bool> =
        TopicInfo::state(
            "port0/rcd/feedback/available",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73",
        )
        .named("TOPIC_RCD_FEEDBACK_AVAILABLE");

    /// 1: the self test is configured.
    RCD_TEST_AVAILABLE: Topic<bool> =
        TopicInfo::state(
            "port0/rcd/test/available",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73",
        )
        .named("TOPIC_RCD_TEST_AVAILABLE");

    /// A self test starts; RCD_ERROR tells its end.
    RCD_TEST_PERFORM: Topic<Signal> =
        TopicInfo::event(
            "port0/rcd/test/perform",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73",
        )
        .named("TOPIC_RCD_TEST_PERFORM");

    /// When the latest self test ended.
    RCD_TEST_TIMESTAMP: Topic<Timestamp> =
        TopicInfo::state(
            "port0/rcd/test/timestamp",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73",
        )
        .named("TOPIC_RCD_TEST_TIMESTAMP");

    /// The error; empty after each passed test and when a ground failure is gone.
    RCD_ERROR: Topic<Option<RcdError>> =
        TopicInfo::state(
            "port0/rcd/error",
            Publisher::Daemon("evsed"),
            "guide 15.15.5 table 73; 3.3.4.12-3.3.4.14",
        )
        .named("TOPIC_RCD_ERROR");
}
