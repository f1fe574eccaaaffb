//! TLS towards the central system (guide 14.3).

use std::sync::Arc;

use ocpp16::SecurityEventKind;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error,
    PeerIncompatible, RootCertStore, SignatureScheme,
};

use crate::certificates::{Identity, verify_validity};

/// 2024-01-01T00:00:00Z: a clock that shows less was never set.
const EARLIEST_VALID_S: u64 = 1_704_067_200;
/// Certificates in a chain, each of which may be younger than an unset clock.
const LONGEST_CHAIN: usize = 8;

/// How a central system refuses our cipher suites, and our certificate.
const CIPHER_SUITE: [AlertDescription; 2] = [
    AlertDescription::HandshakeFailure,
    AlertDescription::InsufficientSecurity,
];
const OUR_CERTIFICATE: [AlertDescription; 9] = [
    AlertDescription::AccessDenied,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateUnknown,
    AlertDescription::DecryptError,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];
/// What a central system is that speaks only old versions.
const VERSION: [PeerIncompatible; 2] = [
    PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
    PeerIncompatible::ServerDoesNotSupportTls12Or13,
];

/// Why no TLS connection can be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("there is no certificate authority to trust")]
    NoRoots,
    #[error("TLS can't be set up: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("TLS can't be set up: {0}")]
    Config(#[from] Error),
}

/// Who vouches for the central system.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Nobody: its certificate is not verified.
    Unverified,
    /// The certificate authorities of the system, and these.
    System(Vec<CertificateDer<'static>>),
    /// These alone.
    Only(Vec<CertificateDer<'static>>),
}

/// The configuration of a connection. The system's certificates are read anew each time, so that
/// `update-ca-certificates` takes effect without a restart.
///
/// # Errors
/// When certificates are to be verified and there is none to trust, or when the station's own
/// certificate and key can't be used.
pub(crate) fn config(trust: Trust, identity: Option<Identity>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let checks = match trust {
        Trust::Unverified => None,
        Trust::System(more) => {
            let mut certificates = of_the_system();
            certificates.extend(more);
            Some(trusted(certificates, &provider)?)
        }
        Trust::Only(certificates) => Some(trusted(certificates, &provider)?),
    };
    let verifier = Verifier {
        checks,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match identity {
        Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
        None => builder.with_no_client_auth(),
    })
}

/// The security event that a failed handshake is; `None` for what is no matter of security.
pub(crate) fn security_event(error: &Error) -> Option<SecurityEventKind> {
    if let Error::InvalidCertificate(_) = error {
        return Some(SecurityEventKind::InvalidCentralSystemCertificate);
    }
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else goes wrong is none"
    )]
    let (alert, incompatibility) = match error {
        Error::AlertReceived(alert) => (Some(alert), None),
        Error::PeerIncompatible(incompatibility) => (None, Some(incompatibility)),
        _ => (None, None),
    };
    let is_alert = |alerts: &[AlertDescription]| alert.is_some_and(|one| alerts.contains(one));
    let is = |these: &[PeerIncompatible]| incompatibility.is_some_and(|one| these.contains(one));
    if is_alert(&CIPHER_SUITE) || is(&[PeerIncompatible::NoCipherSuitesInCommon]) {
        Some(SecurityEventKind::InvalidTlsCipherSuite)
    } else if is_alert(&[AlertDescription::ProtocolVersion]) || is(&VERSION) {
        Some(SecurityEventKind::InvalidTlsVersion)
    } else if is_alert(&OUR_CERTIFICATE) {
        Some(SecurityEventKind::FailedToAuthenticateAtCentralSystem)
    } else {
        None
    }
}

fn of_the_system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!("{error}");
    }
    found.certs
}

fn trusted(
    certificates: Vec<CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Trusted, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()?;
    Ok(Trusted {
        web,
        installed: certificates,
    })
}

/// What the system trusts.
#[derive(Debug)]
struct Trusted {
    web: Arc<WebPkiServerVerifier>,
    installed: Vec<CertificateDer<'static>>,
}

/// Verifies the central system's certificate; `checks` is `None` for `ocpp/verifyCert` false.
#[derive(Debug)]
struct Verifier {
    checks: Option<Trusted>,
    provider: Arc<CryptoProvider>,
}

impl Trusted {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // A self-signed certificate that was installed as such is trusted for its name, although
        // it is marked as an authority, as `openssl req -x509` makes it.
        if self
            .installed
            .iter()
            .any(|installed| installed == end_entity)
        {
            rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
            if now.as_secs() >= EARLIEST_VALID_S {
                verify_validity(end_entity, now.as_secs())?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        // An unset clock must not lock the station out of its time source: then validity is
        // judged at the time from which the certificates hold.
        let mut at = now;
        for _ in 0..LONGEST_CHAIN {
            match self
                .web
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, at)
            {
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if now.as_secs() < EARLIEST_VALID_S => {
                    at = not_before;
                }
                result => return result,
            }
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.checks {
            Some(trusted) => trusted.verify(end_entity, intermediates, name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use std::time::Duration;

    #[test]
    fn a_failed_handshake_is_its_event() {
        use SecurityEventKind as Kind;
        let cases = [
            (
                Error::InvalidCertificate(CertificateError::Expired),
                Some(Kind::InvalidCentralSystemCertificate),
            ),
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                Some(Kind::InvalidTlsCipherSuite),
            ),
            (
                Error::AlertReceived(AlertDescription::ProtocolVersion),
                Some(Kind::InvalidTlsVersion),
            ),
            (
                Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                Some(Kind::InvalidTlsVersion),
            ),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                Some(Kind::FailedToAuthenticateAtCentralSystem),
            ),
            (Error::AlertReceived(AlertDescription::InternalError), None),
            (Error::HandshakeNotComplete, None),
        ];
        for (error, expected) in cases {
            assert_eq!(security_event(&error), expected, "{error}");
        }
    }

    fn self_signed(authority: bool) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(vec!["central.example".to_owned()]).unwrap();
        if authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        parameters.not_before = date_time_ymd(2025, 1, 1);
        parameters.not_after = date_time_ymd(2040, 1, 1);
        parameters
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .clone()
    }

    fn trusting(installed: &CertificateDer<'static>) -> Trusted {
        let mut roots = RootCertStore::empty();
        roots.add(installed.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        Trusted {
            web,
            installed: vec![installed.clone()],
        }
    }

    fn verify(
        trusted: &Trusted,
        certificate: &CertificateDer<'_>,
        name: &str,
        now_s: u64,
    ) -> Result<(), Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
        let verified = trusted.verify(certificate, &[], &name, &[], now);
        verified.map(|_| ())
    }

    fn trusts(trusted: &Trusted, certificate: &CertificateDer<'_>, name: &str, now_s: u64) -> bool {
        verify(trusted, certificate, name, now_s).is_ok()
    }

    const IN_2026: u64 = 1_780_000_000;

    // covers: TLS-001
    #[test]
    fn an_installed_self_signed_certificate_is_trusted_for_its_name_only() {
        let installed = self_signed(true);
        let trusted = trusting(&installed);
        assert!(trusts(&trusted, &installed, "central.example", IN_2026));
        assert!(!trusts(&trusted, &installed, "other.example", IN_2026));
        assert!(!trusts(
            &trusted,
            &self_signed(true),
            "central.example",
            IN_2026
        ));
        // It holds from 2025 to 2040.
        for (now_s, expected) in [
            (60, Ok(())),
            (1_710_000_000, Err(CertificateError::NotValidYet)),
            (2_300_000_000, Err(CertificateError::Expired)),
        ] {
            let result = verify(&trusted, &installed, "central.example", now_s);
            assert_eq!(
                result,
                expected.map_err(Error::InvalidCertificate),
                "{now_s}"
            );
        }
    }

    // covers: TLS-006
    #[test]
    fn an_unset_clock_does_not_lock_the_station_out() {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.not_before = date_time_ymd(2025, 1, 1);
        parameters.not_after = date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate().unwrap();
        let authority = parameters.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(parameters, key);
        let mut leaf = CertificateParams::new(vec!["central.example".to_owned()]).unwrap();
        leaf.not_before = date_time_ymd(2026, 1, 1);
        leaf.not_after = date_time_ymd(2027, 1, 1);
        let leaf = leaf
            .signed_by(&KeyPair::generate().unwrap(), &issuer)
            .unwrap();
        let trusted = trusting(authority.der());
        assert!(trusts(&trusted, leaf.der(), "central.example", IN_2026));
        assert!(
            trusts(&trusted, leaf.der(), "central.example", 60),
            "at 1970"
        );
        assert!(
            !trusts(&trusted, leaf.der(), "central.example", 1_740_000_000),
            "set, and too early"
        );
        assert!(
            !trusts(&trusted, leaf.der(), "central.example", 1_900_000_000),
            "expired"
        );
    }
}
