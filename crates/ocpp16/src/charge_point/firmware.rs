//! Updates of the firmware: UpdateFirmware and SignedUpdateFirmware. Not carried out yet.

use super::ChargePoint;
use super::calls::Answer;
use crate::CallError;
use crate::message::incoming::firmware_management::FirmwareUpdate;
use crate::message::incoming::security::SignedFirmware;

impl ChargePoint {
    pub(super) fn update_firmware(&mut self, _call: &str, _request: &FirmwareUpdate) -> Answer {
        Err(CallError::not_supported("UpdateFirmware"))
    }

    pub(super) fn update_signed_firmware(
        &mut self,
        _call: &str,
        _request: &SignedFirmware,
    ) -> Answer {
        Err(CallError::not_supported("SignedUpdateFirmware"))
    }
}
