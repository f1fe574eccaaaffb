//! Conditions that OCPP reports in StatusNotification (guide 3.3.4).

use crate::{PlugLockFailure, ProximityError, Publisher, TopicInfo};

topics! {
    /// 1: the feedback contradicts the contactor's command.
    CONTACTOR_ERROR: Topic<bool> =
        TopicInfo::state("port0/contactor/error", Publisher::Daemon("evsed"), "guide 3.3.4.1");

    /// Why the plug lock failed for good; empty while it works.
    PLUG_LOCK_PERMANENT_FAILURE: Topic<Option<PlugLockFailure>> =
        TopicInfo::state(
            "port0/plug_lock/permanent_failure",
            Publisher::Daemon("evsed"),
            "guide 3.3.4.2-3.3.4.6",
        );

    /// 1: the RCD recloser does not answer.
    RCD_RECLOSER_ERROR: Topic<bool> =
        TopicInfo::state(
            "port0/rcd/recloser/error",
            Publisher::Daemon("recloserd"),
            "guide 3.3.4.16",
        );

    /// 1: the emergency input is asserted.
    EMERGENCY_SHUTDOWN: Topic<bool> =
        TopicInfo::state("port0/emergency_shutdown", Publisher::Daemon("evsed"), "guide 3.3.4.15");

    /// What is wrong at the proximity pilot; empty while nothing is.
    SESSION_PROXIMITY_ERROR: Topic<Option<ProximityError>> =
        TopicInfo::state(
            "port0/session/proximity_error",
            Publisher::Daemon("evsed"),
            "guide 3.3.4.34-3.3.4.36",
        );
}
