//! Profile LocalAuthListManagement. An update is answered, and takes effect, once it is durable:
//! the flash needs its time for 10 000 entries, and everything else goes on meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};

use super::calls::{Answer, status};
use super::identifiers::Storing;
use super::{ChargePoint, Output};
use crate::identifiers::Refusal;
use crate::message::incoming::local_list::{ListUpdate, LocalList};

impl ChargePoint {
    pub(super) fn local_list(&mut self, call: &str, request: LocalList) -> Answer {
        Ok(match request {
            LocalList::GetLocalListVersion => Some(json!({"listVersion": self.list_version()})),
            LocalList::SendLocalList(update) => self.send_local_list(call, update),
        })
    }

    /// What became of [`Output::StoreList`].
    pub(super) fn list_stored(&mut self, durable: bool) {
        let Some(Storing { call, update }) = self.identifiers.storing.take() else {
            return;
        };
        if durable {
            self.identifiers.list.apply(&update);
            self.identifiers.conflict = false;
            self.note(format!(
                "the local list has version {}",
                self.identifiers.list.version()
            ));
        } else {
            self.warn("the local list can't be stored; the old one stays");
        }
        if let Some(call) = call {
            self.answer_call(&call, status(if durable { "Accepted" } else { "Failed" }));
        }
    }

    /// -1 is "no local list at all".
    fn list_version(&self) -> i64 {
        if self.list_enabled() {
            self.identifiers.list.version()
        } else {
            -1
        }
    }

    fn send_local_list(&mut self, call: &str, update: ListUpdate) -> Option<Value> {
        if !self.list_enabled() {
            return Some(status("NotSupported"));
        }
        if self.identifiers.storing.is_some() {
            self.note("SendLocalList failed: the one before it is still being stored");
            return Some(status("Failed"));
        }
        match self.identifiers.list.check(&update) {
            Err(Refusal::VersionMismatch) => return Some(status("VersionMismatch")),
            Err(Refusal::Failed(why)) => {
                self.note(format!("SendLocalList failed: {why}"));
                return Some(status("Failed"));
            }
            Ok(()) => {}
        }
        let update = Arc::new(update);
        self.identifiers.storing = Some(Storing {
            call: Some(call.to_owned()),
            update: Arc::clone(&update),
        });
        self.outputs.push(Output::StoreList(update));
        None
    }
}
