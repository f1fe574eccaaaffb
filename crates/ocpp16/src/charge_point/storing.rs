//! Changes of the durable state, and what happens while they can't be made.

use super::{ChargePoint, Output};
use crate::fault::Fault;
use crate::transaction::Change;

/// From a failed change of the durable state until all of it is tried again.
const STORE_AGAIN_AFTER_S: u64 = 30;

impl ChargePoint {
    /// Changes next to each other become one: they are atomic, and one write to flash.
    pub(super) fn store(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        if let Some(Output::Store(last)) = self.outputs.last_mut() {
            last.extend(changes);
        } else {
            self.outputs.push(Output::Store(changes));
        }
    }

    /// The first success ends a fault; what failed before it must be stored as well.
    pub(super) fn take_store_fault(&mut self, fault: Option<Fault>) {
        let before = std::mem::replace(&mut self.store_fault, fault);
        self.store_again_at = match fault {
            Some(_) => Some(self.now.monotonic.after_seconds(STORE_AGAIN_AFTER_S)),
            None => before.map(|_| self.now.monotonic),
        };
    }

    /// Catches up on what could not be stored.
    pub(super) fn store_again(&mut self) {
        if self
            .store_again_at
            .is_some_and(|at| at <= self.now.monotonic)
        {
            self.store_again_at = self
                .store_fault
                .map(|_| self.now.monotonic.after_seconds(STORE_AGAIN_AFTER_S));
            let [station, connector] = self.availability.wanted;
            let mut changes = vec![
                Change::Availability { station, connector },
                self.firmware_change(),
                Change::Reservation(self.reserving.held.clone()),
            ];
            changes.extend(
                self.transactions
                    .values()
                    .cloned()
                    .map(Change::PutTransaction),
            );
            changes.extend(self.queue.all().cloned().map(Change::PutMessage));
            changes.extend(self.interim.iter().cloned().map(Change::PutInterim));
            changes.push(Change::Profiles(self.profiles.all().to_vec()));
            changes.extend(self.registered.then_some(Change::Registered));
            self.store(changes);
        }
    }
}
