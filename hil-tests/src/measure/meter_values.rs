//! What MeterValues cost ocppd.

use std::time::Duration;

use serde_json::json;

use super::rig::Rig;
use crate::SOON;

/// The cost of many MeterValues within a transaction.
#[derive(Clone, Copy, Debug)]
pub struct MeterValues {
    /// How many were sent.
    pub count: usize,
    /// CPU time that ocppd took for all of them.
    pub cpu: Duration,
    /// Resident memory of ocppd before them, in KiB.
    pub rss_before: u64,
    /// The same after them.
    pub rss_after: u64,
}

/// MeterValues one by one, each asked for by the central system and acknowledged: the
/// shortest interval between sampled ones is 10 s. The car is charging.
pub(super) fn meter_values(rig: &Rig, count: usize) -> MeterValues {
    let (rss_before, before) = (rss(rig), rig.used("ocppd").cpu);
    for _ in 0..count {
        rig.central.mark();
        let trigger = json!({ "requestedMessage": "MeterValues", "connectorId": 1 });
        let answer = rig.central.call("TriggerMessage", trigger, SOON);
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer["status"], "Accepted");
        if let Err(report) = rig.central.wait_for("MeterValues", |_| true, SOON) {
            panic!("{report}");
        }
    }
    MeterValues {
        count,
        cpu: rig.used("ocppd").cpu.saturating_sub(before),
        rss_before,
        rss_after: rss(rig),
    }
}

/// Of ocppd, in KiB.
fn rss(rig: &Rig) -> u64 {
    let memory = rig.memory();
    let ocppd = memory.iter().find(|memory| memory.daemon == "ocppd");
    ocppd.expect("one of the daemons").rss
}
