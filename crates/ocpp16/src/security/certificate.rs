//! Certificates: what is asked of their store, and what it answers.

use crate::Timestamp;

/// Certificates that can be installed at a time, of both uses together.
pub const MAX_CERTIFICATES: usize = 10;

/// What is installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Roots of the central system.
    pub central_system_roots: usize,
    /// Until when the station's own certificate is valid; `None` without one.
    pub station_until: Option<Timestamp>,
}

/// `CertificateHashDataType`: which certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateHash {
    /// Of the two hashes.
    pub algorithm: HashAlgorithm,
    /// Hexadecimal, of the issuer's distinguished name.
    pub issuer_name: String,
    /// Hexadecimal, of the issuer's public key.
    pub issuer_key: String,
    /// Hexadecimal, without leading zeros.
    pub serial_number: String,
}

/// `HashAlgorithmEnumType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

/// `CertificateUseEnumType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateUse {
    /// Verifies the central system.
    CentralSystemRoot,
    /// Verifies who signed firmware.
    ManufacturerRoot,
}

/// Something to do with certificates. `call` comes back in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateOrder {
    /// Make a key pair, and a request for a certificate of it.
    Request {
        /// `O` of the subject, left out when empty.
        organization: String,
    },
    /// Verify and store the certificate that was made on request, before its issuers.
    Accept {
        /// Comes back.
        call: String,
        /// PEM.
        chain: String,
    },
    /// Verify and store a root certificate.
    Install {
        /// Comes back.
        call: String,
        /// What it verifies.
        certificate_use: CertificateUse,
        /// PEM.
        certificate: String,
    },
    /// Remove a root certificate.
    Remove {
        /// Comes back.
        call: String,
        /// Which one.
        certificate: CertificateHash,
        /// Whether the last root of the central system stays: without it there is no connection.
        keep_last_root: bool,
    },
    /// Tell which root certificates there are.
    List {
        /// Comes back.
        call: String,
        /// Of this use.
        certificate_use: CertificateUse,
    },
}

/// What became of a [`CertificateOrder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateAnswer {
    /// The request in PEM form, or why there is none.
    Requested(Result<String, String>),
    /// Whether the certificate is in use from the next connection on, or why not.
    Accepted {
        /// Of the order.
        call: String,
        /// How it went.
        outcome: Result<(), String>,
    },
    /// Whether the root is installed.
    Installed {
        /// Of the order.
        call: String,
        /// What it was for.
        certificate_use: CertificateUse,
        /// How it went.
        outcome: Result<(), InstallRefusal>,
    },
    /// Whether the root is gone.
    Removed {
        /// Of the order.
        call: String,
        /// How it went.
        outcome: Removal,
    },
    /// The roots, by SHA-256.
    Listed {
        /// Of the order.
        call: String,
        /// All of them.
        certificates: Vec<CertificateHash>,
    },
}

/// Why a root certificate is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallRefusal {
    /// It is not valid, with the reason.
    Invalid(String),
    /// There are [`MAX_CERTIFICATES`] already.
    Full,
    /// It could not be stored.
    NotStored,
}

/// What became of the order to remove a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// It could not be removed, or must not be.
    Failed,
    /// There is no such certificate.
    NotFound,
}
