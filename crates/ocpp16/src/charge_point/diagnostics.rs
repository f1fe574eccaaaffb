//! Uploads of logs: GetDiagnostics and GetLog. Not carried out yet.

use super::ChargePoint;
use super::calls::Answer;
use crate::CallError;
use crate::message::incoming::firmware_management::Diagnostics;
use crate::message::incoming::security::LogRequest;

impl ChargePoint {
    pub(super) fn get_diagnostics(&mut self, _call: &str, _request: &Diagnostics) -> Answer {
        Err(CallError::not_supported("GetDiagnostics"))
    }

    pub(super) fn get_log(&mut self, _call: &str, _request: &LogRequest) -> Answer {
        Err(CallError::not_supported("GetLog"))
    }
}
