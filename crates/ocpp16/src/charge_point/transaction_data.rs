//! `transactionData` of StopTransaction: `StopTxnSampledData` and `StopTxnAlignedData`.
//!
//! The values of the begin are part of the transaction. Those in between are stored one by one,
//! because rewriting all for each new one would wear out the flash.

use super::ChargePoint;
use crate::Timestamp;
use crate::configuration::Key;
use crate::message::outgoing::{MeterValue, ReadingContext};
use crate::metering::{Reading, sample};
use crate::transaction::{Change, Interim};

impl ChargePoint {
    /// Keeps the values of `key` for the StopTransaction of `number`.
    pub(super) fn keep_for_stop(&mut self, number: u64, key: Key, context: ReadingContext) {
        let sampled_value = self.values(&self.configuration.measurands(key), context);
        if sampled_value.is_empty() {
            return;
        }
        let interim = Interim {
            place: self
                .interim
                .last()
                .map_or(1, |last| last.place.saturating_add(1)),
            transaction: number,
            value: MeterValue {
                timestamp: self.timestamp(),
                sampled_value,
            },
        };
        self.interim.push(interim.clone());
        self.store(vec![Change::PutInterim(interim)]);
        self.thin_out_interim();
    }

    /// What StopTransaction carries: the begin, what was in between, and the end.
    pub(super) fn transaction_data(
        &mut self,
        number: u64,
        begin: Vec<MeterValue>,
        end: Vec<MeterValue>,
    ) -> Vec<MeterValue> {
        let interim = std::mem::take(&mut self.interim);
        self.store(
            interim
                .iter()
                .map(|one| Change::DeleteInterim(one.place))
                .collect(),
        );
        let between = interim
            .into_iter()
            .filter(|one| one.transaction == number)
            .map(|one| one.value);
        begin.into_iter().chain(between).chain(end).collect()
    }

    /// The values of `StopTxnSampledData` at `at`, with the register at `energy`.
    pub(super) fn stop_values(
        &self,
        context: ReadingContext,
        at: Timestamp,
        energy: i64,
    ) -> Vec<MeterValue> {
        let list = self.configuration.measurands(Key::StopTxnSampledData);
        let reading = self
            .reading
            .as_ref()
            .map(|(_, reading)| reading.clone())
            .unwrap_or_default();
        let reading = Reading {
            energy_wh: Some(energy),
            ..reading
        };
        let sampled_value = sample(&reading, self.offered(), &list, context);
        if sampled_value.is_empty() {
            Vec::new()
        } else {
            vec![MeterValue {
                timestamp: at,
                sampled_value,
            }]
        }
    }

    /// Drops every other value when there are too many: the shape stays, the detail goes, and begin
    /// and end are never dropped (erratum 3.91).
    fn thin_out_interim(&mut self) {
        const BEGIN_AND_END: u64 = 2;
        let most = self
            .configuration
            .number(Key::StopTransactionMaxMeterValues)
            .saturating_sub(BEGIN_AND_END);
        if u64::try_from(self.interim.len()).is_ok_and(|count| count <= most) {
            return;
        }
        let mut odd = false;
        let mut dropped = Vec::new();
        self.interim.retain(|one| {
            odd = !odd;
            if odd {
                dropped.push(Change::DeleteInterim(one.place));
            }
            !odd
        });
        self.store(dropped);
    }
}
