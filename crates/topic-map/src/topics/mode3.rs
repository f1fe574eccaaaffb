//! Additions of ours to the guide's map, in its style.

use crate::{
    Availability, MeterError, MeterIdentity, MeterValues, Publisher, SessionFault, SessionState,
    StopReason, TopicInfo,
};

const SOURCE: &str = "mode3";

topics! {
    /// Where the session at the connector stands.
    SESSION_STATE: Topic<SessionState> =
        TopicInfo::state("port0/session/state", Publisher::Daemon("evsed"), SOURCE);

    /// Why charging last stopped or paused; `none` while charging.
    SESSION_STOP_REASON: Topic<StopReason> =
        TopicInfo::state("port0/session/stop_reason", Publisher::Daemon("evsed"), SOURCE);

    /// The fault that holds the station back; empty while there is none.
    EVSE_FAULT: Topic<Option<SessionFault>> =
        TopicInfo::state("port0/session/fault", Publisher::Daemon("evsed"), SOURCE);

    /// The latest reading of the meter.
    METERING_METER_VALUES: Topic<MeterValues> =
        TopicInfo::state("port0/metering/meter/values", Publisher::Daemon("meteringd"), SOURCE);

    /// Which meter answers.
    METERING_METER_IDENTITY: Topic<MeterIdentity> =
        TopicInfo::state("port0/metering/meter/identity", Publisher::Daemon("meteringd"), SOURCE);

    /// Why the meter can't be used; empty while it can. Published before
    /// METERING_METER_AVAILABLE changes.
    METERING_METER_ERROR: Topic<Option<MeterError>> =
        TopicInfo::state("port0/metering/meter/error", Publisher::Daemon("meteringd"), SOURCE);

    /// The central system's wish; combined with AVAILABILITY_TARGET to AVAILABILITY_ACTUAL.
    OCPP_AVAILABILITY_TARGET: Topic<Availability> =
        TopicInfo::state("ocpp/availability/target", Publisher::Daemon("ocppd"), SOURCE);

    /// 1: the daemon of this name runs; 0, by its last will, when it is gone.
    DAEMON_AVAILABLE: TopicFamily<bool> =
        TopicInfo::state("ci/global/daemon/+/available", Publisher::Daemon("any"), SOURCE);
}
