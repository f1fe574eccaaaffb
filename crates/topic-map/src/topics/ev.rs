//! V2G parameters of the EV, published by the high level communication daemon
//! (guide 15.5.7-15.5.11).

use crate::{
    ChargeProgress, ChargingProfile, ChargingSession, DepartureTime, EnergyTransferMode,
    PaymentOption, PhysicalValue, Publisher, ScheduleTuples, ServiceCategory, TopicInfo,
    V2gServiceId,
};
use serde_json::Value;

topics! {
    /// The EV's id, mostly its MAC address.
    EV_INIT_EVCCID: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/init/evccid",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.7 table 64",
        )
        .named("TOPIC_EV_INIT_EVCCID");

    /// Scope of the EV's service discovery.
    EV_INIT_SERVICESCOPE: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/init/servicescope",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.7 table 64",
        )
        .named("TOPIC_EV_INIT_SERVICESCOPE");

    /// Category of the EV's service discovery.
    EV_INIT_SERVICECATEGORY: Topic<ServiceCategory> =
        TopicInfo::event(
            "port0/ci/ev/init/servicecategory",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.7 table 64",
        )
        .named("TOPIC_EV_INIT_SERVICECATEGORY");

    /// Service chosen by the EV.
    EV_INIT_SELECTEDSERVICEID: Topic<V2gServiceId> =
        TopicInfo::event(
            "port0/ci/ev/init/selectedserviceid",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.7 table 64",
        )
        .named("TOPIC_EV_INIT_SELECTEDSERVICEID");

    /// Payment option chosen by the EV.
    EV_INIT_SELECTEDPAYMENTOPTION: Topic<PaymentOption> =
        TopicInfo::event(
            "port0/ci/ev/init/selectedpaymentoption",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.7 table 64",
        )
        .named("TOPIC_EV_INIT_SELECTEDPAYMENTOPTION");

    /// Contract id; the guide's topic string differs from its constant's name, both are read.
    EV_AUTH_EMAID: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/auth/emaaid",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.8 table 65",
        )
        .named("TOPIC_EV_AUTH_EMAID")
        .or(&["port0/ci/ev/auth/emaid"]);

    /// Contract certificate and its chain; the guide gives no schema.
    EV_AUTH_CONTRACTSIGNATURECERTCHAIN: Topic<Value> =
        TopicInfo::event(
            "port0/ci/ev/auth/contractsignaturecertificatechain",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.8 table 65",
        )
        .named("TOPIC_EV_AUTH_CONTRACTSIGNATURECERTCHAIN");

    /// Contract id.
    EV_AUTH_CONTRACTID: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/auth/contractid",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.8 table 65",
        )
        .named("TOPIC_EV_AUTH_CONTRACTID");

    /// The challenge as returned by the EV.
    EV_AUTH_GENCHALLENGE: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/auth/genchallenge",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.8 table 65",
        )
        .named("TOPIC_EV_AUTH_GENCHALLENGE");

    /// Schedule entries that the EV takes; the guide's topic string lacks a letter, both are
    /// read.
    EV_PARAMETER_MAXSASCHEDULETUPLES: Topic<ScheduleTuples> =
        TopicInfo::event(
            "port0/ci/ev/parameter/maxsascheduletuples",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_MAXSASCHEDULETUPLES")
        .or(&["port0/ci/ev/parameter/maxsascheduleuples"]);

    /// Energy transfer mode requested.
    EV_PARAMETER_REQUESTEDENERGYTYPE: Topic<EnergyTransferMode> =
        TopicInfo::event(
            "port0/ci/ev/parameter/requestedenergytype",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_REQUESTEDENERGYTYPE");

    /// Seconds until departure.
    EV_PARAMETER_DEPARTURETIME: Topic<DepartureTime> =
        TopicInfo::event(
            "port0/ci/ev/parameter/departuretime",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_DEPARTURETIME");

    /// Energy that the EV expects to take in Wh.
    EV_PARAMETER_EAMOUNT: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/ev/parameter/eamount",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_EAMOUNT");

    /// The EV's greatest voltage in V.
    EV_PARAMETER_MAXVOLTAGELIMIT: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/ev/parameter/maxvoltagelimit",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_MAXVOLTAGELIMIT");

    /// The EV's greatest current in A.
    EV_PARAMETER_MAXCURRENTLIMIT: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/ev/parameter/maxcurrentlimit",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_MAXCURRENTLIMIT");

    /// The EV's smallest current in A.
    EV_PARAMETER_MINCURRENTLIMIT: Topic<PhysicalValue> =
        TopicInfo::event(
            "port0/ci/ev/parameter/mincurrentlimit",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.9 table 66",
        )
        .named("TOPIC_EV_PARAMETER_MINCURRENTLIMIT");

    /// Whether the EV wants to start, stop or negotiate again.
    EV_CHARGE_READYTOCHARGESTATE: Topic<ChargeProgress> =
        TopicInfo::event(
            "port0/ci/ev/charge/readytochargestate",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.10 table 67; 15.6; 15.11; 15.22",
        )
        .named("TOPIC_EV_CHARGE_READYTOCHARGESTATE");

    /// Id of the schedule chosen by the EV.
    EV_CHARGE_CHARGINGPROFILETUPLEID: Topic<String> =
        TopicInfo::event(
            "port0/ci/ev/charge/chargingprofiletupleid",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.10 table 67",
        )
        .named("TOPIC_EV_CHARGE_CHARGINGPROFILETUPLEID");

    /// Charging profile chosen by the EV.
    EV_CHARGE_CHARGINGPROFILEENTRY: Topic<ChargingProfile> =
        TopicInfo::event(
            "port0/ci/ev/charge/chargingprofileentry",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.10 table 67",
        )
        .named("TOPIC_EV_CHARGE_CHARGINGPROFILEENTRY");

    /// The EV ends or pauses the session.
    EV_STOP_PROGRESS: Topic<ChargingSession> =
        TopicInfo::event(
            "port0/ci/ev/stop/progress",
            Publisher::Daemon("iso15118d"),
            "guide 15.5.11 table 68",
        )
        .named("TOPIC_EV_STOP_PROGRESS");
}
