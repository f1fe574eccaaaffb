//! What certificates say, and whether that is to be believed.

use ocpp16::{CertificateHash, HashAlgorithm, Timestamp};
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates in a chain at most.
const LONGEST_CHAIN: usize = 8;

/// Why a certificate is not valid at a time.
#[derive(Debug, thiserror::Error)]
enum Outdated {
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
}

/// Until when `certificate` is valid; `None` for what is none.
pub(super) fn valid_until(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let certificate = parse(certificate).ok()?;
    Some(time(certificate.validity().not_after))
}

/// Whether `certificate` is valid at this time, in seconds since 1970.
///
/// # Errors
/// Why not.
pub(crate) fn verify_validity(
    certificate: &CertificateDer<'_>,
    now_s: u64,
) -> Result<(), CertificateError> {
    let now = i64::try_from(now_s)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000);
    let now = Some(Timestamp::from_unix_millis(now));
    let certificate = parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
    check_validity(&certificate, now).map_err(|outdated| match outdated {
        Outdated::Expired => CertificateError::Expired,
        Outdated::NotYet => CertificateError::NotValidYet,
    })
}

/// Whether `certificate` is for this public key (`SubjectPublicKeyInfo`, DER).
pub(super) fn is_for(certificate: &CertificateDer<'_>, public_key: &[u8]) -> bool {
    parse(certificate).is_ok_and(|certificate| certificate.public_key().raw == public_key)
}

/// How OCPP names a root certificate, which is its own issuer.
pub(super) fn hash(
    certificate: &CertificateDer<'_>,
    algorithm: HashAlgorithm,
) -> Option<CertificateHash> {
    let certificate = parse(certificate).ok()?;
    let by = match algorithm {
        HashAlgorithm::Sha256 => &SHA256,
        HashAlgorithm::Sha384 => &SHA384,
        HashAlgorithm::Sha512 => &SHA512,
    };
    Some(CertificateHash {
        algorithm,
        issuer_name: hex(by, certificate.issuer().as_raw()),
        issuer_key: hex(by, &certificate.public_key().subject_public_key.data),
        serial_number: format!("{:x}", certificate.serial),
    })
}

/// Tells certificates apart.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex(&SHA256, certificate)
}

/// Whether `certificate` can be trusted on its own.
///
/// # Errors
/// Why not.
pub(super) fn verify_root(
    certificate: &CertificateDer<'_>,
    now: Option<Timestamp>,
) -> Result<(), String> {
    let certificate = parse(certificate)?;
    check_validity(&certificate, now).map_err(|outdated| outdated.to_string())?;
    check_signature(&certificate, &certificate).map_err(|_| "it is not signed by itself".to_owned())
}

/// Whether each certificate of `chain` is signed by the next one, and the last one by a root that
/// is known, where its issuer is known at all.
///
/// # Errors
/// Why not.
pub(super) fn verify_chain(
    chain: &[CertificateDer<'_>],
    roots: &[CertificateDer<'_>],
    now: Option<Timestamp>,
) -> Result<(), String> {
    if chain.len() > LONGEST_CHAIN {
        return Err(format!("more than {LONGEST_CHAIN} certificates"));
    }
    let chain: Vec<X509Certificate<'_>> = chain.iter().map(parse).collect::<Result<_, _>>()?;
    for certificate in &chain {
        check_validity(certificate, now).map_err(|outdated| outdated.to_string())?;
    }
    for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
        check_signature(certificate, issuer)?;
    }
    let Some(last) = chain.last() else {
        return Err("there is no certificate in it".to_owned());
    };
    let roots: Vec<X509Certificate<'_>> = roots.iter().flat_map(parse).collect();
    let mut issuers = roots
        .iter()
        .filter(|root| root.subject().as_raw() == last.issuer().as_raw())
        .peekable();
    let known = issuers.peek().is_some();
    if known && !issuers.any(|root| check_signature(last, root).is_ok()) {
        return Err("it is not signed by the root of that name".to_owned());
    }
    Ok(())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    X509Certificate::from_der(certificate)
        .map(|(_, certificate)| certificate)
        .map_err(|error| format!("no certificate: {error}"))
}

/// Without a valid time nothing has expired.
fn check_validity(
    certificate: &X509Certificate<'_>,
    now: Option<Timestamp>,
) -> Result<(), Outdated> {
    let validity = certificate.validity();
    match now {
        Some(now) if time(validity.not_after) < now => Err(Outdated::Expired),
        Some(now) if now < time(validity.not_before) => Err(Outdated::NotYet),
        Some(_) | None => Ok(()),
    }
}

fn check_signature(
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
) -> Result<(), String> {
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return Err("the chain is not in its order".to_owned());
    }
    certificate
        .verify_signature(Some(issuer.public_key()))
        .map_err(|_| "a signature is wrong".to_owned())
}

fn time(at: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_unix_millis(at.timestamp().saturating_mul(1_000))
}

fn hex(by: &'static Algorithm, bytes: &[u8]) -> String {
    let digest = digest(by, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
