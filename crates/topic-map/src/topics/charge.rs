//! Status of the charging session (guide 15.5.1).

use crate::{
    ChargeProtocol, ContactorStatus, CpState, DutyPercent, PhaseStatus, PlugStatus, Publisher,
    Signal, TopicInfo,
};

topics! {
    /// Protocol of the running session.
    CHARGE_INIT_PROTOCOL: Topic<ChargeProtocol> =
        TopicInfo::state(
            "port0/ci/charge/init/protocol",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_INIT_PROTOCOL");

    /// Initialisation phase: SLAC to PaymentDetails. Not published yet: nobody speaks
    /// ISO 15118.
    CHARGE_INIT_STATUS: Topic<PhaseStatus> =
        TopicInfo::state(
            "port0/ci/charge/init/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_INIT_STATUS");

    /// Authentication phase. Not published yet, as `init/status`.
    CHARGE_AUTH_STATUS: Topic<PhaseStatus> =
        TopicInfo::state(
            "port0/ci/charge/auth/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_AUTH_STATUS");

    /// ChargeParameterDiscovery phase. Not published yet, as `init/status`.
    CHARGE_PARAMETER_STATUS: Topic<PhaseStatus> =
        TopicInfo::state(
            "port0/ci/charge/parameter/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_PARAMETER_STATUS");

    /// Charge phase: PowerDelivery, ChargingStatus, MeteringReceipt. Not published yet, as
    /// `init/status`.
    CHARGE_CHARGE_STATUS: Topic<PhaseStatus> =
        TopicInfo::state(
            "port0/ci/charge/charge/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_CHARGE_STATUS");

    /// Measured state of the control pilot.
    CHARGE_CP_STATUS: Topic<CpState> =
        TopicInfo::state(
            "port0/ci/charge/cp/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58; 15.3 table 57",
        )
        .named("TOPIC_CHARGE_CP_STATUS");

    /// Duty cycle on the control pilot in percent.
    CHARGE_PWM_STATUS: Topic<DutyPercent> =
        TopicInfo::state(
            "port0/ci/charge/pwm/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58; 15.3 table 57",
        )
        .named("TOPIC_CHARGE_PWM_STATUS");

    /// 1: TCP connection between EV and station. Not published yet, as `init/status`.
    CHARGE_TCP_STATUS: Topic<bool> =
        TopicInfo::state(
            "port0/ci/charge/tcp/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58; 15.3",
        )
        .named("TOPIC_CHARGE_TCP_STATUS");

    /// Plug lock as sensed.
    CHARGE_PLUG_STATUS: Topic<PlugStatus> =
        TopicInfo::state(
            "port0/ci/charge/plug/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_PLUG_STATUS");

    /// Contactor as sensed.
    CHARGE_CONTACTOR_STATUS: Topic<ContactorStatus> =
        TopicInfo::state(
            "port0/ci/charge/contactor/status",
            Publisher::Daemon("evsed"),
            "guide 15.5.1 table 58",
        )
        .named("TOPIC_CHARGE_CONTACTOR_STATUS");

    /// Starts a high level session in between to read the state of charge again.
    CHARGE_REINIT_SESSION: Topic<Signal> =
        TopicInfo::event(
            "port0/ci/charge/reinit_session",
            Publisher::Customer,
            "guide 15.21 table 83",
        )
        .named("TOPIC_CHARGE_REINIT_SESSION");
}
