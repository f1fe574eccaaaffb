//! The security extension (OCA white paper "Improved security for OCPP 1.6-J", edition 3).
//! `ExtendedTriggerMessage` is in `remote_trigger`.
#![allow(dead_code, reason = "not carried out yet")]

use super::{Decoder, Request};
use crate::Timestamp;

const LONGEST_CERTIFICATE: usize = 5500;
const LONGEST_CHAIN: usize = 10_000;
const LONGEST_LOCATION: usize = 512;
const LONGEST_SIGNATURE: usize = 800;

/// A request of the security extension.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    /// The chain in PEM form, the station's certificate first.
    CertificateSigned {
        chain: String,
    },
    DeleteCertificate(CertificateHash),
    GetInstalledCertificateIds(CertificateUse),
    GetLog(LogRequest),
    /// The certificate in PEM form.
    InstallCertificate {
        certificate_use: CertificateUse,
        certificate: String,
    },
    SignedUpdateFirmware(SignedFirmware),
}

/// `CertificateHashDataType`: which certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateHash {
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
pub(crate) enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// `CertificateUseEnumType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateUse {
    CentralSystemRoot,
    ManufacturerRoot,
}

/// `GetLog.req`
#[derive(Clone, Debug)]
pub(crate) struct LogRequest {
    pub kind: LogKind,
    pub request: i64,
    pub retries: Option<u32>,
    /// Seconds.
    pub retry_interval: Option<u32>,
    /// Address of the folder to which the file is to be uploaded.
    pub location: String,
    pub oldest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
}

/// `LogEnumType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogKind {
    Diagnostics,
    Security,
}

/// `SignedUpdateFirmware.req`
#[derive(Clone, Debug)]
pub(crate) struct SignedFirmware {
    pub request: i64,
    pub retries: Option<u32>,
    /// Seconds.
    pub retry_interval: Option<u32>,
    /// Address of the file.
    pub location: String,
    /// Not to be downloaded earlier.
    pub retrieve: Timestamp,
    /// Not to be installed earlier.
    pub install: Option<Timestamp>,
    /// PEM form.
    pub signing_certificate: String,
    /// Base64.
    pub signature: String,
}

const USES: [(&str, CertificateUse); 2] = [
    (
        "CentralSystemRootCertificate",
        CertificateUse::CentralSystemRoot,
    ),
    (
        "ManufacturerRootCertificate",
        CertificateUse::ManufacturerRoot,
    ),
];

pub(super) const ACTIONS: [(&str, Decoder); 4] = [
    ("CertificateSigned", |fields| {
        let chain = fields.string("certificateChain", LONGEST_CHAIN)?;
        Ok(Request::Security(Security::CertificateSigned { chain }))
    }),
    ("DeleteCertificate", |fields| {
        let hash = fields.object("certificateHashData")?;
        let algorithms = [
            ("SHA256", HashAlgorithm::Sha256),
            ("SHA384", HashAlgorithm::Sha384),
            ("SHA512", HashAlgorithm::Sha512),
        ];
        Ok(Request::Security(Security::DeleteCertificate(
            CertificateHash {
                algorithm: hash.choice("hashAlgorithm", &algorithms)?,
                issuer_name: hash.string("issuerNameHash", 128)?,
                issuer_key: hash.string("issuerKeyHash", 128)?,
                serial_number: hash.string("serialNumber", 40)?,
            },
        )))
    }),
    ("GetInstalledCertificateIds", |fields| {
        let certificate_use = fields.choice("certificateType", &USES)?;
        Ok(Request::Security(Security::GetInstalledCertificateIds(
            certificate_use,
        )))
    }),
    ("InstallCertificate", |fields| {
        Ok(Request::Security(Security::InstallCertificate {
            certificate_use: fields.choice("certificateType", &USES)?,
            certificate: fields.string("certificate", LONGEST_CERTIFICATE)?,
        }))
    }),
];

pub(super) const TRANSFER_ACTIONS: [(&str, Decoder); 2] = [
    ("GetLog", |fields| {
        let kinds = [
            ("DiagnosticsLog", LogKind::Diagnostics),
            ("SecurityLog", LogKind::Security),
        ];
        let log = fields.object("log")?;
        Ok(Request::Security(Security::GetLog(LogRequest {
            kind: fields.choice("logType", &kinds)?,
            request: fields.integer("requestId")?,
            retries: fields.optional_count("retries")?,
            retry_interval: fields.optional_count("retryInterval")?,
            location: log.string("remoteLocation", LONGEST_LOCATION)?,
            oldest: log.optional_timestamp("oldestTimestamp")?,
            latest: log.optional_timestamp("latestTimestamp")?,
        })))
    }),
    ("SignedUpdateFirmware", |fields| {
        let firmware = fields.object("firmware")?;
        Ok(Request::Security(Security::SignedUpdateFirmware(
            SignedFirmware {
                request: fields.integer("requestId")?,
                retries: fields.optional_count("retries")?,
                retry_interval: fields.optional_count("retryInterval")?,
                location: firmware.string("location", LONGEST_LOCATION)?,
                retrieve: firmware.timestamp("retrieveDateTime")?,
                install: firmware.optional_timestamp("installDateTime")?,
                signing_certificate: firmware.string("signingCertificate", LONGEST_CERTIFICATE)?,
                signature: firmware.string("signature", LONGEST_SIGNATURE)?,
            },
        )))
    }),
];
