//! StartTransaction, StopTransaction and the MeterValues between them: sent in order, each until
//! it is answered or given up.

use serde_json::{Map, Value};

use super::ChargePoint;
use super::link::Kind;
use crate::configuration::Key;
use crate::message::answer::{IdTagInfo, Start};
use crate::transaction::{Body, Change};
use crate::{ErrorCode, IdToken};

impl ChargePoint {
    /// What waits in the queue must survive a crash as soon as it can't be sent at once.
    pub(super) fn keep_queue(&mut self) {
        let unstored = self.queue.store_all();
        self.store(unstored.into_iter().map(Change::PutMessage).collect());
    }

    pub(super) fn send_transaction_message(&mut self) {
        let Some(message) = self.queue.front() else {
            return;
        };
        let central_id = self
            .transactions
            .get(&message.transaction)
            .and_then(|transaction| transaction.central_id);
        let (action, payload) = message.call(central_id);
        let id = message.message_id.clone();
        self.link.transaction_sent_last = true;
        self.send_call(id, Kind::Transaction, action, payload);
    }

    /// Without `StartTransaction.conf` the later messages of a transaction have no
    /// `transactionId`; once its StartTransaction was given up they can never be sent.
    pub(super) fn drop_unknown_transactions(&mut self) {
        while let Some(message) = self.queue.front() {
            let number = message.transaction;
            let known = self
                .transactions
                .get(&number)
                .is_some_and(|transaction| transaction.central_id.is_some());
            if known || matches!(message.body, Body::Start(_)) {
                return;
            }
            self.warn(format!("transaction {number} was never accepted by the central system; its messages are dropped"));
            self.forget_messages(number);
        }
    }

    /// It may have arrived, so it is repeated with the same id.
    pub(super) fn transaction_message_unanswered(&mut self) {
        let interval = self
            .configuration
            .number(Key::TransactionMessageRetryInterval);
        self.link.retry_at = self.now.monotonic.after_seconds(interval);
        self.keep_queue();
    }

    pub(super) fn transaction_message_answered(
        &mut self,
        payload: &Map<String, Value>,
        remarks: &mut Vec<String>,
    ) {
        let is_start = self
            .queue
            .front()
            .is_some_and(|message| matches!(message.body, Body::Start(_)));
        let start = match is_start
            .then(|| Start::decode(payload, remarks))
            .transpose()
        {
            Ok(start) => start,
            Err(error) => {
                self.warn(format!("StartTransaction.conf: {error}"));
                return self.transaction_message_refused(ErrorCode::FormationViolation.name());
            }
        };
        let Some(entry) = self.queue.pop() else {
            return;
        };
        self.link.retry_at = self.now.monotonic;
        let number = entry.message.transaction;
        let confirmed = start.as_ref().and_then(|start| {
            let transaction = self.transactions.get_mut(&number)?;
            transaction.central_id = Some(start.transaction_id);
            transaction.refused = !start.accepted();
            let info = start.id_tag_info.as_ref();
            if let Some(parent) = info.and_then(|info| info.parent.clone()) {
                transaction.parent = Some(parent);
            }
            Some(Change::PutTransaction(transaction.clone()))
        });
        let deleted = entry
            .stored
            .then_some(Change::DeleteMessage(entry.message.sequence));
        self.store(confirmed.into_iter().chain(deleted).collect());
        match (entry.message.body, start) {
            (Body::Start(message), Some(start)) => {
                // First: the end of a refused transaction belongs to the same change.
                self.start_authorization_answered(number, start.id_tag_info.as_ref());
                self.learn_from_answer(&message.id_tag, start.id_tag_info);
            }
            (Body::Stop(message), _) => {
                self.forget_transaction(number);
                if let Some(id_tag) = message.id_tag {
                    self.learn_from_answer(&id_tag, IdTagInfo::decode(payload, remarks));
                }
            }
            (Body::Start(_), None) | (Body::Meter(_), _) => {}
        }
    }

    fn learn_from_answer(&mut self, id_tag: &IdToken, info: Option<IdTagInfo>) {
        if let Some(info) = info {
            self.learn(id_tag, &info);
        }
    }

    /// Repeats the front later with a new id, `TransactionMessageAttempts` times in all. (Time-outs
    /// don't count: the message may never have arrived.) Meter values that the central system does
    /// not support at all are dropped at once: they would only delay the end of the transaction.
    pub(super) fn transaction_message_refused(&mut self, code: &str) {
        let attempts = self.configuration.number(Key::TransactionMessageAttempts);
        let interval = self
            .configuration
            .number(Key::TransactionMessageRetryInterval);
        let id = self.message_id();
        let now = self.now.monotonic;
        let Some(entry) = self.queue.front_mut() else {
            return;
        };
        entry.message.refusals += 1;
        let refusals = u64::from(entry.message.refusals);
        let unwanted = [
            ErrorCode::NotImplemented.name(),
            ErrorCode::NotSupported.name(),
        ]
        .contains(&code)
            && matches!(entry.message.body, Body::Meter(_));
        if refusals < attempts && !unwanted {
            entry.message.message_id = id;
            entry.stored = true;
            let message = entry.message.clone();
            self.link.retry_at = now.after_seconds(interval.saturating_mul(refusals));
            return self.store(vec![Change::PutMessage(message)]);
        }
        let (number, body, sequence) = (
            entry.message.transaction,
            entry.message.body.clone(),
            entry.message.sequence,
        );
        self.warn(format!("the central system refused a message of transaction {number} {refusals} times; it is dropped"));
        self.link.retry_at = now;
        match body {
            Body::Start(_) => self.forget_messages(number),
            Body::Stop(_) => {
                self.forget_messages(number);
                self.forget_transaction(number);
            }
            Body::Meter(_) => {
                self.queue.pop();
                self.store(vec![Change::DeleteMessage(sequence)]);
            }
        }
    }

    /// Drops the messages of a transaction, and the transaction when its end was among them.
    fn forget_messages(&mut self, number: u64) {
        let removed = self.queue.remove_transaction(number);
        self.store(
            removed
                .iter()
                .map(|message| Change::DeleteMessage(message.sequence))
                .collect(),
        );
        if removed
            .iter()
            .any(|message| matches!(message.body, Body::Stop(_)))
        {
            self.forget_transaction(number);
        }
    }

    fn forget_transaction(&mut self, number: u64) {
        if self.transactions.remove(&number).is_some() {
            self.store(vec![Change::DeleteTransaction(number)]);
        }
    }
}
