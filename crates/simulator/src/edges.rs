//! What happened when: every change of an output and of the physics behind it.

use std::collections::VecDeque;

use serde::Serialize;

/// Older edges are dropped beyond this many.
const CAPACITY: usize = 8192;

/// Something that changes between levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// RELAY_1_ENABLE as commanded: 1 is closed.
    Relay1Command,
    /// RELAY_2_ENABLE as commanded: 1 is closed.
    Relay2Command,
    /// The first contactor's power contacts: 1 is closed.
    Contact1,
    /// The second contactor's power contacts: 1 is closed.
    Contact2,
    /// Active time of the pilot in ns; 0 is steady -12 V, 1 000 000 steady +12 V.
    PilotDutyNs,
    /// The pilot's output stage: 1 drives, 0 is released.
    PilotDriven,
    /// What the vehicle presents on the pilot: 0 nothing, 1, 2, 3 the loads of B, C, D.
    VehicleLoad,
    /// The plug lock's bolt: 0 unlocked, 1 locked, 2 between.
    LockBolt,
    /// DIGITAL_IN levels, one bit each.
    DigitalInputs,
    /// DIGITAL_OUT levels, one bit each.
    DigitalOutputs,
    /// The residual current device: 1 has tripped.
    RcdTripped,
    /// The emergency switch: 1 is pressed.
    EmergencyPressed,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Microseconds of the machine's monotonic clock, comparable between processes.
    pub at_us: u64,
    /// What changed.
    pub signal: Signal,
    /// The new level.
    pub value: i64,
}

/// The edges of one plant, oldest first.
#[derive(Debug, Default)]
pub struct EdgeLog {
    edges: VecDeque<Edge>,
    levels: std::collections::BTreeMap<Signal, i64>,
}

impl EdgeLog {
    /// Note the level of `signal`; only a change is an edge. The first level
    /// noted is where the signal starts, not an edge.
    pub(crate) fn note(&mut self, at_us: u64, signal: Signal, value: i64) {
        match self.levels.insert(signal, value) {
            None => {}
            Some(last) if last == value => {}
            Some(_) => {
                if self.edges.len() == CAPACITY {
                    self.edges.pop_front();
                }
                self.edges.push_back(Edge {
                    at_us,
                    signal,
                    value,
                });
            }
        }
    }

    /// All edges at or after `since_us`.
    pub fn since(&self, since_us: u64) -> Vec<Edge> {
        self.edges
            .iter()
            .filter(|edge| edge.at_us >= since_us)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_edges() {
        let mut log = EdgeLog::default();
        for (at, value) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 0)] {
            log.note(at, Signal::Contact1, value);
        }
        let times: Vec<_> = log.since(0).iter().map(|edge| edge.at_us).collect();
        assert_eq!(times, [3, 5]);
        assert_eq!(log.since(4).len(), 1);
    }

    #[test]
    fn oldest_edges_are_dropped() {
        let mut log = EdgeLog::default();
        for n in 0..CAPACITY as u64 + 11 {
            log.note(n, Signal::PilotDutyNs, n as i64);
        }
        assert_eq!(log.since(0).len(), CAPACITY);
        assert_eq!(log.since(0)[0].at_us, 11);
    }
}
