//! The security extension: certificates and security events. Not carried out yet.

use super::ChargePoint;
use super::calls::Answer;
use crate::CallError;
use crate::message::incoming::security::Security;

impl ChargePoint {
    pub(super) fn security(&mut self, _call: &str, request: &Security) -> Answer {
        match request {
            Security::CertificateSigned { .. } => {
                Err(CallError::not_supported("CertificateSigned"))
            }
            Security::DeleteCertificate(_) => Err(CallError::not_supported("DeleteCertificate")),
            Security::GetInstalledCertificateIds(_) => {
                Err(CallError::not_supported("GetInstalledCertificateIds"))
            }
            Security::GetLog(request) => self.get_log(request),
            Security::InstallCertificate { .. } => {
                Err(CallError::not_supported("InstallCertificate"))
            }
            Security::SignedUpdateFirmware(request) => self.update_signed_firmware(request),
        }
    }
}
