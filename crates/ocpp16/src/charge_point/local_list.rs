//! The local authorization list. Not carried out yet.

use super::ChargePoint;
use super::calls::Answer;
use crate::CallError;
use crate::message::incoming::local_list::LocalList;

impl ChargePoint {
    pub(super) fn local_list(&mut self, _call: &str, request: &LocalList) -> Answer {
        match request {
            LocalList::GetLocalListVersion => Err(CallError::not_supported("GetLocalListVersion")),
            LocalList::SendLocalList(_) => Err(CallError::not_supported("SendLocalList")),
        }
    }
}
