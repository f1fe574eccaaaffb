//! Switching between one and three phases (guide 15.20).

use crate::{PhaseActual, PhaseTarget, Publisher, SwitchDelay, TopicInfo};

topics! {
    /// Requested number of phases; other values are ignored.
    EVSE_PHASE_TARGET: Topic<PhaseTarget> =
        TopicInfo::state("port0/ci/evse/phase/target", Publisher::Customer, "guide 15.20 table 81")
            .named("TOPIC_EVSE_PHASE_TARGET");

    /// Phases switched through.
    EVSE_PHASE_ACTUAL: Topic<PhaseActual> =
        TopicInfo::state(
            "port0/ci/evse/phase/actual",
            Publisher::Daemon("evsed"),
            "guide 15.20 table 81",
        )
        .named("TOPIC_EVSE_PHASE_ACTUAL");

    /// Seconds between opening the contactors and offering current again; other values are
    /// ignored.
    EVSE_PHASE_SWITCH_DELAY: Topic<SwitchDelay> =
        TopicInfo::state(
            "port0/ci/evse/phase/switch_delay",
            Publisher::Customer,
            "guide 15.20 table 81",
        )
        .named("TOPIC_EVSE_PHASE_SWITCH_DELAY");
}
