//! openssl as a certificate authority, and TLS servers with what it signed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A certificate authority of the test's own.
pub struct Authority {
    directory: tempfile::TempDir,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Self { directory };
        authority.openssl(&format!(
            "req -x509 {NEW_KEY} -keyout ca.key -out ca.pem -days 30 -subj /CN={name}"
        ));
        authority
    }

    /// Its root certificate.
    pub fn pem(&self) -> String {
        self.read("ca.pem")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Certificate and key of a server at 127.0.0.1.
    pub fn server(&self) -> (String, String) {
        self.openssl(&format!(
            "req {NEW_KEY} -keyout server.key -out server.csr -subj /CN=127.0.0.1"
        ));
        let pem = self.sign(&self.read("server.csr"), "subjectAltName=IP:127.0.0.1");
        (pem, self.read("server.key"))
    }

    /// A self-signed certificate that is no authority, and its key.
    pub fn pinned(&self) -> (String, String) {
        self.openssl(&format!(
            "req -x509 {NEW_KEY} -keyout pinned.key -out pinned.pem -days 30 -subj /CN=127.0.0.1 \
             -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
        ));
        (self.read("pinned.pem"), self.read("pinned.key"))
    }

    /// The certificate for a request, whose signature openssl verifies.
    pub fn sign(&self, request: &str, extension: &str) -> String {
        std::fs::write(self.path("request.csr"), request).unwrap();
        std::fs::write(self.path("extensions"), extension).unwrap();
        self.openssl("req -in request.csr -noout -verify");
        self.openssl(
            "x509 -req -in request.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 \
             -extfile extensions -out signed.pem",
        );
        self.read("signed.pem")
    }

    /// Runs openssl; what it prints.
    pub fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .expect("openssl is installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

/// A server with this certificate and key; with `clients` it asks for a certificate by them.
pub fn tls(
    (pem, key): &(String, String),
    clients: Option<&Authority>,
) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
            roots.add(root).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}
