//! DataTransfer of the central system. Only the recloser's messages are carried out here.

use serde_json::{Value, json};

use super::ChargePoint;
use super::deferred::recloser_status;
use crate::message::incoming::core::DataTransfer;

/// The recloser's DataTransfers keep this vendor beside the station's own, because central systems
/// know it (guide 3.3.9 table 12).
const RECLOSER_VENDOR: &str = "com.in-tech.smartcharging";

impl ChargePoint {
    /// `DataTransfer`; `None` while the recloser has not answered.
    pub(super) fn data_transfer(&mut self, call: &str, transfer: &DataTransfer) -> Option<Value> {
        let own = self.settings.identity.charge_point_vendor.as_str();
        if ![own, RECLOSER_VENDOR].contains(&transfer.vendor.as_str()) {
            return Some(json!({"status": "UnknownVendorId"}));
        }
        let data = transfer.text();
        match transfer.message.as_ref().map(|message| message.as_str()) {
            Some("rcdRecloserGetState") => Some(recloser_status(self.recloser_state(&data))),
            Some("rcdRecloserChangeState") => self.change_recloser(call, &data),
            Some(_) | None => Some(json!({"status": "UnknownMessageId"})),
        }
    }
}
