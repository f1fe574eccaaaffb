//! Certificates on the flash: roots that the central system installed, and the station's own.
//!
//! ```text
//!   certificates/central-system/HASH.pem   verify the central system
//!   certificates/manufacturer/HASH.pem     verify who signed firmware
//!   certificates/station.pem               private key, certificate and its issuers
//!   certificates/previous.pem              what station.pem was before
//!   certificates/requested.key             private key of the certificate that is asked for
//! ```

mod x509;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use ocpp16::{
    CertificateAnswer, CertificateHash, CertificateOrder, CertificateUse, Certificates,
    HashAlgorithm, InstallRefusal, MAX_CERTIFICATES, Removal, Timestamp,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc;

use crate::private_file;
pub(crate) use x509::verify_validity;

const DIRECTORY: &str = "certificates";
const STATION: &str = "station.pem";
const PREVIOUS: &str = "previous.pem";
const REQUESTED: &str = "requested.key";

/// The certificates below the state directory.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    /// `CN` of the station's certificate.
    name: String,
}

/// What the station proves its identity with.
pub(crate) struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Store {
    /// `name` is what the station's certificate is made out for.
    pub(crate) fn new(state_dir: &Path, name: &str) -> Self {
        Self {
            directory: state_dir.join(DIRECTORY),
            name: name.to_owned(),
        }
    }

    /// Carries out orders on a thread of its own: the flash is slow.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(self) -> io::Result<Clerk> {
        let (orders, inbox) = std::sync::mpsc::channel::<CertificateOrder>();
        let (outbox, answers) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || {
                for order in inbox {
                    let answer = self.carry_out(order);
                    if outbox.send((answer, self.known())).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Clerk { orders, answers })
    }

    /// What is installed.
    pub(crate) fn known(&self) -> Certificates {
        let until = |identity: Identity| x509::valid_until(identity.chain.first()?);
        Certificates {
            central_system_roots: self.roots(CertificateUse::CentralSystemRoot).len(),
            station_until: self.identity().and_then(until),
        }
    }

    /// The installed roots for `certificate_use`. What can't be read is left out.
    pub(crate) fn roots(&self, certificate_use: CertificateUse) -> Vec<CertificateDer<'static>> {
        let entries = fs::read_dir(self.folder(certificate_use));
        let paths = entries.into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = paths.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pem"));
        paths.sort();
        paths
            .iter()
            .filter_map(|path| {
                CertificateDer::from_pem_file(path)
                    .inspect_err(|error| tracing::error!("{}: {error}", path.display()))
                    .ok()
            })
            .collect()
    }

    /// The station's own certificate; `None` without one.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.read_identity(STATION)
    }

    /// The one before that, which the central system may still take.
    pub(crate) fn previous_identity(&self) -> Option<Identity> {
        self.read_identity(PREVIOUS)
    }

    fn read_identity(&self, name: &str) -> Option<Identity> {
        let pem = fs::read(self.directory.join(name)).ok()?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let identity = chain.and_then(|chain| {
            let key = PrivateKeyDer::from_pem_slice(&pem)?;
            Ok(Identity { chain, key })
        });
        identity
            .inspect_err(|error| tracing::error!("{name}: {error}"))
            .ok()
    }

    fn carry_out(&self, order: CertificateOrder) -> CertificateAnswer {
        match order {
            CertificateOrder::Request { organization } => {
                CertificateAnswer::Requested(self.request(&organization))
            }
            CertificateOrder::Accept { call, chain } => CertificateAnswer::Accepted {
                call,
                outcome: self.accept(&chain),
            },
            CertificateOrder::Install {
                call,
                certificate_use,
                certificate,
            } => CertificateAnswer::Installed {
                call,
                certificate_use,
                outcome: self.install(certificate_use, &certificate),
            },
            CertificateOrder::Remove {
                call,
                certificate,
                keep_last_root,
            } => CertificateAnswer::Removed {
                call,
                outcome: self.remove(&certificate, keep_last_root),
            },
            CertificateOrder::List {
                call,
                certificate_use,
            } => CertificateAnswer::Listed {
                call,
                certificates: self
                    .roots(certificate_use)
                    .iter()
                    .filter_map(|root| x509::hash(root, HashAlgorithm::Sha256))
                    .collect(),
            },
        }
    }

    /// A new key pair, and the request for its certificate in PEM form.
    fn request(&self, organization: &str) -> Result<String, String> {
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, self.name.as_str());
        if !organization.is_empty() {
            subject.push(DnType::OrganizationName, organization);
        }
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = subject;
        let request = parameters
            .serialize_request(&key)
            .and_then(|request| request.pem())
            .map_err(|error| error.to_string())?;
        self.write(REQUESTED, &key.serialize_pem())?;
        Ok(request)
    }

    fn accept(&self, pem: &str) -> Result<(), String> {
        let chain = certificates(pem)?;
        let leaf = chain.first().ok_or("there is no certificate in it")?;
        let key = self
            .keys()
            .find(|key| x509::is_for(leaf, &key.subject_public_key_info()))
            .ok_or("it is not for a key of this station")?;
        x509::verify_chain(
            &chain,
            &self.roots(CertificateUse::CentralSystemRoot),
            wall(),
        )?;
        if let Ok(before) = fs::read_to_string(self.directory.join(STATION)) {
            self.write(PREVIOUS, &before)?;
        }
        self.write(STATION, &format!("{}{pem}\n", key.serialize_pem()))?;
        // Of no use any more; the next request replaces it.
        let _ = fs::remove_file(self.directory.join(REQUESTED));
        Ok(())
    }

    /// The key that was asked for last, and the one in use.
    fn keys(&self) -> impl Iterator<Item = KeyPair> {
        [REQUESTED, STATION].into_iter().filter_map(|name| {
            let text = fs::read(self.directory.join(name)).ok()?;
            let key = PrivateKeyDer::from_pem_slice(&text).ok()?;
            KeyPair::try_from(&key).ok()
        })
    }

    fn install(&self, certificate_use: CertificateUse, pem: &str) -> Result<(), InstallRefusal> {
        let chain = certificates(pem).map_err(InstallRefusal::Invalid)?;
        let [root] = chain.as_slice() else {
            let reason = format!("{} certificates where 1 is expected", chain.len());
            return Err(InstallRefusal::Invalid(reason));
        };
        x509::verify_root(root, wall()).map_err(InstallRefusal::Invalid)?;
        let installed = self.roots(certificate_use);
        if installed.contains(root) {
            return Ok(());
        }
        if self.count() >= MAX_CERTIFICATES {
            return Err(InstallRefusal::Full);
        }
        let path = self.folder(certificate_use).join(file_name(root));
        write(&path, pem).map_err(|error| {
            tracing::error!("{error}");
            InstallRefusal::NotStored
        })
    }

    fn remove(&self, wanted: &CertificateHash, keep_last_root: bool) -> Removal {
        let algorithm = wanted.algorithm;
        let matches = |root: &CertificateDer<'_>| {
            x509::hash(root, algorithm).is_some_and(|hash| {
                hash.issuer_name.eq_ignore_ascii_case(&wanted.issuer_name)
                    && hash.issuer_key.eq_ignore_ascii_case(&wanted.issuer_key)
                    && hash
                        .serial_number
                        .eq_ignore_ascii_case(wanted.serial_number.trim_start_matches('0'))
            })
        };
        for certificate_use in [
            CertificateUse::CentralSystemRoot,
            CertificateUse::ManufacturerRoot,
        ] {
            let roots = self.roots(certificate_use);
            let Some(root) = roots.iter().find(|root| matches(root)) else {
                continue;
            };
            let of_use = certificate_use == CertificateUse::CentralSystemRoot;
            if keep_last_root && of_use && roots.len() == 1 {
                tracing::warn!("the last root of the central system stays");
                return Removal::Failed;
            }
            let path = self.folder(certificate_use).join(file_name(root));
            return match fs::remove_file(&path) {
                Ok(()) => Removal::Removed,
                Err(error) => {
                    tracing::error!("{}: {error}", path.display());
                    Removal::Failed
                }
            };
        }
        Removal::NotFound
    }

    fn count(&self) -> usize {
        self.roots(CertificateUse::CentralSystemRoot).len()
            + self.roots(CertificateUse::ManufacturerRoot).len()
    }

    fn folder(&self, certificate_use: CertificateUse) -> PathBuf {
        self.directory.join(match certificate_use {
            CertificateUse::CentralSystemRoot => "central-system",
            CertificateUse::ManufacturerRoot => "manufacturer",
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        write(&self.directory.join(name), text)
    }
}

/// Where orders go, and answers come from, in their order.
#[derive(Debug)]
pub(crate) struct Clerk {
    orders: std::sync::mpsc::Sender<CertificateOrder>,
    answers: mpsc::UnboundedReceiver<(CertificateAnswer, Certificates)>,
}

impl Clerk {
    pub(crate) fn order(&self, order: CertificateOrder) {
        if self.orders.send(order).is_err() {
            tracing::error!("the certificates' thread has ended");
        }
    }

    /// The next answer; `None` when there will be none.
    pub(crate) async fn answer(&mut self) -> Option<(CertificateAnswer, Certificates)> {
        self.answers.recv().await
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("no PEM: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| private_file::write(path, text));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Each certificate has its own.
fn file_name(certificate: &CertificateDer<'_>) -> String {
    format!("{}.pem", x509::fingerprint(certificate))
}

/// The system time; `None` while it was never set.
fn wall() -> Option<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = Timestamp::from_unix_millis(i64::try_from(since.as_millis()).ok()?);
    (now >= Timestamp::EARLIEST_VALID).then_some(now)
}

#[cfg(test)]
mod tests;
