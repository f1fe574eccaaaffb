//! Additions of ours to the guide's map, in its style.

use crate::{
    AuthorizationResult, Availability, ConfigurationAnswer, ConfigurationChange,
    ConfigurationRequest, EventLines, FirmwareSignature, MeterError, MeterIdentity, MeterPublicKey,
    MeterValues, Publisher, RecloserAnswer, RecloserState, RequestId, SessionFault, SessionState,
    Signal, SignatureVerdict, SignedAnswer, SignedRequest, StopReason, TopicInfo, UnlockAnswer,
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

    /// What became of an authorization request.
    AUTHORIZATION_RESULT: Topic<AuthorizationResult> =
        TopicInfo::event(
            "port0/session/authorization_result",
            Publisher::Daemon("ocppd"),
            SOURCE,
        );

    /// 1: the connector is reserved.
    SESSION_RESERVED: Topic<bool> =
        TopicInfo::state("port0/session/reserved", Publisher::Daemon("ocppd"), SOURCE);

    /// Asks for BLACK_BOX.
    BLACK_BOX_REQUEST: Topic<Signal> =
        TopicInfo::event("port0/session/black_box/request", Publisher::Customer, SOURCE);

    /// What happened before the latest fault or, where there was none, until now: at most 200
    /// lines, oldest first. When evsed ends because the board fails, they are in its log.
    BLACK_BOX: Topic<EventLines> =
        TopicInfo::event("port0/session/black_box", Publisher::Daemon("evsed"), SOURCE);

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

    /// The key of a meter that signs; empty when the meter doesn't.
    METERING_SIGNED_PUBLIC_KEY: Topic<Option<MeterPublicKey>> =
        TopicInfo::state(
            "port0/metering/meter/signed/public_key",
            Publisher::Daemon("meteringd"),
            SOURCE,
        );

    /// Asks the meter for a signed record of a transaction's begin or end. Repeated every 10 s
    /// by whoever still wants it, and dropped after 30 s without: a retained message is ignored,
    /// and so a record is never made late. A newer request replaces one under way.
    METERING_SIGNED_REQUEST: Topic<SignedRequest> =
        TopicInfo::event(
            "port0/metering/meter/signed/request",
            Publisher::Daemon("ocppd"),
            SOURCE,
        );

    /// The last answer to METERING_SIGNED_REQUEST. Retained, so that an asker that was away
    /// finds it; its reference tells whose it is.
    METERING_SIGNED_ANSWER: Topic<SignedAnswer> =
        TopicInfo::state(
            "port0/metering/meter/signed/answer",
            Publisher::Daemon("meteringd"),
            SOURCE,
        );

    /// The recloser's contacts; empty while unknown. Old when RCD_RECLOSER_ERROR is 1 or
    /// recloserd is gone.
    RCD_RECLOSER_STATE_ACTUAL: Topic<Option<RecloserState>> =
        TopicInfo::state("port0/rcd/recloser/state/actual", Publisher::Daemon("recloserd"), SOURCE);

    /// Opens or closes the recloser, once. A retained message is ignored: a command must
    /// not come late. A newer one replaces one under way, which then gets no answer.
    RCD_RECLOSER_STATE_TARGET: Topic<RecloserState> =
        TopicInfo::event("port0/rcd/recloser/state/target", Publisher::Daemon("ocppd"), SOURCE);

    /// What became of RCD_RECLOSER_STATE_TARGET, within 10 s: the state that was read back,
    /// or why not.
    RCD_RECLOSER_STATE_CONFIRM: Topic<RecloserAnswer> =
        TopicInfo::event("port0/rcd/recloser/state/confirm", Publisher::Daemon("recloserd"), SOURCE);

    /// The central system's wish; combined with AVAILABILITY_TARGET to AVAILABILITY_ACTUAL.
    OCPP_AVAILABILITY_TARGET: Topic<Availability> =
        TopicInfo::state("ocpp/availability/target", Publisher::Daemon("ocppd"), SOURCE);

    /// Unlock the plug (OCPP UnlockConnector); a running session ends first. The payload is
    /// of the asker's choice; the answer repeats it.
    PLUG_LOCK_UNLOCK_REQUEST: Topic<RequestId> =
        TopicInfo::event("port0/plug_lock/unlock/request", Publisher::Daemon("ocppd"), SOURCE);

    /// The answer to PLUG_LOCK_UNLOCK_REQUEST, within 19 s.
    PLUG_LOCK_UNLOCK_RESULT: Topic<UnlockAnswer> =
        TopicInfo::event("port0/plug_lock/unlock/result", Publisher::Daemon("evsed"), SOURCE);

    /// What the file of FIRMWARE_UPDATE_TARGET_URL must be signed with (OCPP
    /// SignedUpdateFirmware), published before it as the other targets are; empty: nothing.
    FIRMWARE_UPDATE_TARGET_SIGNATURE: Topic<Option<FirmwareSignature>> =
        TopicInfo::event("firmware/update/target/signature", Publisher::Daemon("ocppd"), SOURCE);

    /// What came of FIRMWARE_UPDATE_TARGET_SIGNATURE, after the download and before anything is
    /// installed. Without `valid` nothing may be installed.
    FIRMWARE_UPDATE_RESULT_SIGNATURE: Topic<SignatureVerdict> =
        TopicInfo::event("firmware/update/result/signature", Publisher::Daemon("fwupdated"), SOURCE);

    /// Has a key of customer.json written. The value is a text as OCPP writes it: lists with
    /// commas, objects as JSON.
    CONFIGURATION_SET: Topic<ConfigurationRequest> =
        TopicInfo::event("ci/global/configuration/set", Publisher::Daemon("ocppd"), SOURCE);

    /// The answer to CONFIGURATION_SET, when the file is written or has been left alone.
    CONFIGURATION_RESULT: Topic<ConfigurationAnswer> =
        TopicInfo::event("ci/global/configuration/result", Publisher::Daemon("configd"), SOURCE);

    /// A key of customer.json has a new value.
    CONFIGURATION_CHANGED: Topic<ConfigurationChange> =
        TopicInfo::event("ci/global/configuration/changed", Publisher::Daemon("configd"), SOURCE);

    /// 1: the daemon of this name runs; 0, by its last will, when it is gone.
    DAEMON_AVAILABLE: TopicFamily<bool> =
        TopicInfo::state("ci/global/daemon/+/available", Publisher::Daemon("any"), SOURCE);
}
