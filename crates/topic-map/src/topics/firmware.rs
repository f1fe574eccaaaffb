//! Firmware update over MQTT (guide 11.5).

use crate::{
    FirmwareUrl, MaxTrials, Progress, Publisher, TopicInfo, TrialInterval, UpdateResult,
    UpdateState,
};

topics! {
    /// Where the firmware lies; starts the update and is therefore published last. May contain
    /// credentials.
    FIRMWARE_UPDATE_TARGET_URL: Topic<FirmwareUrl> =
        TopicInfo::event("firmware/update/target/url", Publisher::Customer, "guide 11.5");

    /// Number of attempts.
    FIRMWARE_UPDATE_TARGET_MAX_TRIALS: Topic<MaxTrials> =
        TopicInfo::event("firmware/update/target/max_trials", Publisher::Customer, "guide 11.5");

    /// Seconds between attempts.
    FIRMWARE_UPDATE_TARGET_INTERVAL: Topic<TrialInterval> =
        TopicInfo::event("firmware/update/target/interval", Publisher::Customer, "guide 11.5");

    /// State of the update; `idle` after boot.
    FIRMWARE_UPDATE_STATE_ACTUAL: Topic<UpdateState> =
        TopicInfo::state(
            "firmware/update/state/actual",
            Publisher::Daemon("fwupdated"),
            "guide 11.5",
        );

    /// Estimated progress of the running step in percent.
    FIRMWARE_UPDATE_STATE_PROGRESS: Topic<Progress> =
        TopicInfo::state(
            "firmware/update/state/progress",
            Publisher::Daemon("fwupdated"),
            "guide 11.5",
        );

    /// Outcome after the last attempt or the first success; empty before.
    FIRMWARE_UPDATE_RESULT_STATE: Topic<Option<UpdateResult>> =
        TopicInfo::state(
            "firmware/update/result/state",
            Publisher::Daemon("fwupdated"),
            "guide 11.5",
        );

    /// Error text in English, or empty.
    FIRMWARE_UPDATE_RESULT_MESSAGE: Topic<String> =
        TopicInfo::state(
            "firmware/update/result/message",
            Publisher::Daemon("fwupdated"),
            "guide 11.5",
        );
}
