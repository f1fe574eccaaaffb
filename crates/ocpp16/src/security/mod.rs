//! What the security extension tells its surroundings: events, certificates, how to connect.

mod access;
mod certificate;
mod event;

pub use access::Access;
pub(crate) use access::{AUTHORIZATION_KEY, password};
pub use certificate::{
    CertificateAnswer, CertificateHash, CertificateOrder, CertificateUse, Certificates,
    HashAlgorithm, InstallRefusal, MAX_CERTIFICATES, Removal,
};
pub use event::{SecurityEvent, SecurityEventKind, SecurityState};

/// What the security extension needs to know when the process starts.
#[derive(Clone, Debug, Default)]
pub struct SecuritySettings {
    /// The certificates that are installed.
    pub certificates: Certificates,
    /// Whether the address of the central system contains a password.
    pub password_in_uri: bool,
    /// Whether [`crate::Output::SetClock`] has an effect.
    pub sets_clock: bool,
    /// Whether the security log is not there, or empty.
    pub log_is_empty: bool,
}
