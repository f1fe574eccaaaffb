//! The security extension: its requests. Events, certificates and access have files of their own.

use super::ChargePoint;
use super::calls::Answer;
use crate::message::incoming::security::Security;
use crate::security::CertificateOrder;

impl ChargePoint {
    pub(super) fn security(&mut self, id: &str, request: Security) -> Answer {
        let call = id.to_owned();
        let order = match request {
            Security::CertificateSigned { chain } => CertificateOrder::Accept { call, chain },
            Security::DeleteCertificate(certificate) => CertificateOrder::Remove {
                call,
                certificate,
                keep_last_root: self.verifies_central_system(),
            },
            Security::GetInstalledCertificateIds(certificate_use) => CertificateOrder::List {
                call,
                certificate_use,
            },
            Security::GetLog(request) => return self.get_log(&request),
            Security::InstallCertificate {
                certificate_use,
                certificate,
            } => CertificateOrder::Install {
                call,
                certificate_use,
                certificate,
            },
            Security::SignedUpdateFirmware(request) => {
                return self.update_signed_firmware(&request);
            }
        };
        Ok(self.order_certificate(id, order))
    }
}
