//! Certificates: the station's own, and the roots that it trusts.
//!
//! The store is the shell's; its answers become those to the central system.

use serde_json::{Map, Value, json};

use super::calls::{accepted_or_rejected, status};
use super::link::Kind;
use super::{ChargePoint, Output};
use crate::configuration::Key;
use crate::message::notification::SignCertificate;
use crate::security::{
    CertificateAnswer, CertificateHash, CertificateOrder, CertificateUse, Certificates,
    HashAlgorithm, InstallRefusal, Removal, SecurityEventKind,
};
use crate::{CiString, Millis};

/// A new certificate is asked for so long before the old one ends, and then daily.
const RENEW_BEFORE_S: i64 = 30 * 86_400;
const RENEW_AGAIN_S: u64 = 86_400;

/// When an order is answered at the latest, so that it is within the second of guide 3.4 table 14.
const ANSWER_MS: u64 = 900;
/// Orders that may wait for the store at a time.
const MOST_OWED: usize = 20;

/// A CALL that waits for the store.
#[derive(Debug)]
struct Owed {
    call: String,
    /// The answer when the store is too slow.
    late: &'static str,
    until: Millis,
}

/// What is installed, and what is asked for.
#[derive(Debug, Default)]
pub(super) struct CertificateKeeping {
    pub(super) known: Certificates,
    /// Before that no renewal is asked for.
    renew_at: Millis,
    /// Whether the request that is being made was asked for by the central system.
    triggered: bool,
    owed: Vec<Owed>,
}

impl CertificateKeeping {
    pub(super) fn new(known: Certificates) -> Self {
        Self {
            known,
            renew_at: Millis(0),
            triggered: false,
            owed: Vec::new(),
        }
    }
}

impl ChargePoint {
    /// Has the store carry out what `call` asks for; the payload of the CALLRESULT when it can't.
    pub(super) fn order_certificate(
        &mut self,
        call: &str,
        order: CertificateOrder,
    ) -> Option<Value> {
        let late = match &order {
            CertificateOrder::Request { .. } | CertificateOrder::Accept { .. } => "Rejected",
            CertificateOrder::Install { .. } | CertificateOrder::Remove { .. } => "Failed",
            CertificateOrder::List { .. } => "NotFound",
        };
        let owed = &mut self.certificates.owed;
        if owed.len() >= MOST_OWED || owed.iter().any(|owed| owed.call == call) {
            return Some(status(late));
        }
        owed.push(Owed {
            call: call.to_owned(),
            late,
            until: self.now.monotonic.after(ANSWER_MS),
        });
        self.outputs.push(Output::Certificate(Box::new(order)));
        None
    }

    /// Answers for the store where it takes too long.
    pub(super) fn answer_for_certificates(&mut self) {
        let now = self.now.monotonic;
        while let Some(place) = (self.certificates.owed.iter()).position(|owed| owed.until <= now) {
            let Owed { call, late, .. } = self.certificates.owed.remove(place);
            self.warn("the certificates are not to hand in time");
            self.answer_call(&call, status(late));
        }
    }

    pub(super) fn certificates_deadline(&self) -> Option<Millis> {
        self.certificates.owed.iter().map(|owed| owed.until).min()
    }

    /// The connection took the CALLs along.
    pub(super) fn forget_certificate_calls(&mut self) {
        self.certificates.owed.clear();
    }

    fn answer_certificate_call(&mut self, call: &str, payload: Value) {
        let owed = &mut self.certificates.owed;
        if let Some(place) = owed.iter().position(|owed| owed.call == call) {
            owed.remove(place);
            self.answer_call(call, payload);
        }
    }

    /// `ExtendedTriggerMessage(SignChargePointCertificate)`
    pub(super) fn trigger_certificate_request(&mut self) {
        self.certificates.triggered = true;
        self.request_certificate();
    }

    /// Asks for a new certificate in time.
    pub(super) fn renew_certificate(&mut self) {
        let now = self.now.monotonic;
        let (Some(until), Some(wall)) = (self.certificates.known.station_until, self.wall()) else {
            return;
        };
        let due = wall.plus_seconds(RENEW_BEFORE_S) >= until;
        if due && self.link.online() && self.certificates.renew_at <= now {
            self.note(format!("the station's certificate ends at {until}"));
            self.certificates.triggered = false;
            self.request_certificate();
        }
    }

    fn request_certificate(&mut self) {
        self.certificates.renew_at = self.now.monotonic.after_seconds(RENEW_AGAIN_S);
        let organization = self.configuration.value(Key::CpoName).to_owned();
        let order = CertificateOrder::Request { organization };
        self.outputs.push(Output::Certificate(Box::new(order)));
    }

    /// The store's answer, and what is installed after it.
    pub(super) fn certificate_answered(&mut self, answer: CertificateAnswer, known: Certificates) {
        self.certificates.known = known;
        match answer {
            CertificateAnswer::Requested(Ok(csr)) => self.send_certificate_request(&csr),
            CertificateAnswer::Requested(Err(reason)) => {
                self.warn(format!("no certificate can be asked for: {reason}"));
            }
            CertificateAnswer::Accepted { call, outcome } => {
                self.answer_certificate_call(&call, accepted_or_rejected(outcome.is_ok()));
                self.certificate_accepted(outcome);
            }
            CertificateAnswer::Installed {
                call,
                certificate_use,
                outcome,
            } => {
                let answer = match &outcome {
                    Ok(()) => "Accepted",
                    Err(InstallRefusal::Invalid(_) | InstallRefusal::Full) => "Rejected",
                    Err(InstallRefusal::NotStored) => "Failed",
                };
                self.answer_certificate_call(&call, status(answer));
                self.certificate_installed(certificate_use, outcome);
            }
            CertificateAnswer::Removed { call, outcome } => {
                let answer = match outcome {
                    Removal::Removed => "Accepted",
                    Removal::Failed => "Failed",
                    Removal::NotFound => "NotFound",
                };
                self.answer_certificate_call(&call, status(answer));
                if outcome == Removal::Removed {
                    self.reconfigured("a root certificate was removed");
                }
            }
            CertificateAnswer::Listed { call, certificates } => {
                self.answer_certificate_call(&call, certificate_list(&certificates));
            }
        }
    }

    /// `SignCertificate.conf`
    pub(super) fn certificate_request_answered(&mut self, payload: &Map<String, Value>) {
        if payload.get("status").and_then(Value::as_str) != Some("Accepted") {
            self.warn("the central system does not sign a certificate for this station");
        }
    }

    fn send_certificate_request(&mut self, csr: &str) {
        match CiString::new(csr) {
            Ok(csr) => {
                let triggered = self.certificates.triggered;
                self.send_optional_message(
                    Kind::SignCertificate,
                    &SignCertificate { csr },
                    triggered,
                );
            }
            Err(error) => self.warn(format!("no certificate can be asked for: {error}")),
        }
    }

    fn certificate_accepted(&mut self, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => {
                self.reconfigured("the station has a new certificate");
                self.certificates.renew_at = self.now.monotonic.after_seconds(RENEW_AGAIN_S);
                if self.identifies_by_certificate() {
                    self.reconnect();
                }
            }
            Err(reason) => {
                self.warn(format!("CertificateSigned rejected: {reason}"));
                self.raise(SecurityEventKind::InvalidChargePointCertificate, &reason);
            }
        }
    }

    fn certificate_installed(
        &mut self,
        certificate_use: CertificateUse,
        outcome: Result<(), InstallRefusal>,
    ) {
        match (outcome, certificate_use) {
            (Ok(()), _) => self.reconfigured("a root certificate was installed"),
            (Err(InstallRefusal::Invalid(reason)), CertificateUse::CentralSystemRoot) => {
                self.warn(format!("InstallCertificate rejected: {reason}"));
                self.raise(SecurityEventKind::InvalidCentralSystemCertificate, &reason);
            }
            (Err(InstallRefusal::Invalid(reason)), CertificateUse::ManufacturerRoot) => {
                self.warn(format!("InstallCertificate rejected: {reason}"));
            }
            (Err(refusal @ (InstallRefusal::Full | InstallRefusal::NotStored)), _) => {
                self.warn(format!("InstallCertificate: {refusal:?}"));
            }
        }
    }
}

fn certificate_list(certificates: &[CertificateHash]) -> Value {
    if certificates.is_empty() {
        return status("NotFound");
    }
    let list: Vec<Value> = certificates
        .iter()
        .map(|certificate| {
            json!({
                "hashAlgorithm": match certificate.algorithm {
                    HashAlgorithm::Sha256 => "SHA256",
                    HashAlgorithm::Sha384 => "SHA384",
                    HashAlgorithm::Sha512 => "SHA512",
                },
                "issuerNameHash": certificate.issuer_name,
                "issuerKeyHash": certificate.issuer_key,
                "serialNumber": certificate.serial_number,
            })
        })
        .collect();
    json!({"status": "Accepted", "certificateHashData": list})
}
