use super::*;
use rcgen::{BasicConstraints, CertificateSigningRequestParams, IsCa, Issuer, date_time_ymd};
use std::os::unix::fs::PermissionsExt;

struct Authority {
    parameters: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn authority(name: &str, until: i32) -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let pem = parameters.self_signed(&key).unwrap().pem();
    Authority {
        parameters,
        key,
        pem,
    }
}

impl Authority {
    fn sign(&self, request: &str, until: i32) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        request.params.not_before = date_time_ymd(2020, 1, 1);
        request.params.not_after = date_time_ymd(until, 1, 1);
        let issuer = Issuer::from_params(&self.parameters, &self.key);
        request.signed_by(&issuer).unwrap().pem()
    }
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path(), "SN-1");
    (directory, store)
}

const ROOT: CertificateUse = CertificateUse::CentralSystemRoot;

#[test]
fn a_signed_certificate_is_verified_and_kept_with_its_key() {
    let (directory, store) = store();
    let authority = authority("An authority", 2099);
    let request = store.request("An operator").unwrap();
    let other = store.request("").unwrap();
    assert!(store.identity().is_none());
    let refusals = [
        ("".to_owned(), "there is no certificate"),
        ("-----BEGIN CERTIFICATE-----\nx".to_owned(), "no PEM"),
        (authority.sign(&request, 2099), "not for a key"),
        (authority.sign(&other, 2021), "expired"),
        (
            format!(
                "{}{}",
                authority.sign(&other, 2099),
                super::tests::authority("Else", 2099).pem
            ),
            "order",
        ),
    ];
    for (chain, reason) in refusals {
        let error = store.accept(&chain).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let forger = super::tests::authority("An authority", 2099);
    store.install(ROOT, &authority.pem).unwrap();
    let error = store.accept(&forger.sign(&other, 2099)).unwrap_err();
    assert!(error.contains("root of that name"), "{error}");
    let chain = format!("{}{}", forger.sign(&other, 2099), authority.pem);
    assert!(store.accept(&chain).unwrap_err().contains("signature"));

    assert!(store.identity().is_none());
    store
        .accept(&format!(
            "{}{}",
            authority.sign(&other, 2099),
            authority.pem
        ))
        .unwrap();
    assert_eq!(store.identity().unwrap().chain.len(), 2);
    assert_eq!(
        store.known().station_until.unwrap().to_string(),
        "2099-01-01T00:00:00.000Z"
    );
    let mode = |name: &str| {
        let path = directory.path().join(DIRECTORY).join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(STATION), 0o600);
    // A renewal for the same key, and one for a new key, which is as secret.
    store.accept(&authority.sign(&other, 2098)).unwrap();
    store.request("").unwrap();
    assert_eq!(mode(REQUESTED), 0o600);
}

#[test]
fn a_root_must_be_valid_and_its_own_issuer() {
    let (_directory, store) = store();
    let authority = authority("An authority", 2099);
    let request = store.request("").unwrap();
    let expired = super::tests::authority("Another", 2021).pem;
    for (pem, reason) in [
        ("x".to_owned(), "0 certificates"),
        (format!("{0}{0}", authority.pem), "2 certificates"),
        (authority.sign(&request, 2099), "not signed by itself"),
        (expired, "expired"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            "no certificate",
        ),
    ] {
        let InstallRefusal::Invalid(error) = store.install(ROOT, &pem).unwrap_err() else {
            panic!("{reason}");
        };
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(store.known(), Certificates::default());
}

#[test]
fn the_store_is_full_at_its_advertised_length_and_not_before() {
    let (_directory, store) = store();
    let manufacturer = authority("Manufacturer", 2099);
    store
        .install(CertificateUse::ManufacturerRoot, &manufacturer.pem)
        .unwrap();
    let roots: Vec<Authority> = (0..MAX_CERTIFICATES)
        .map(|n| authority(&format!("Root {n}"), 2099))
        .collect();
    for root in &roots[..MAX_CERTIFICATES - 1] {
        store.install(ROOT, &root.pem).unwrap();
    }
    assert_eq!(
        store.install(ROOT, &roots[MAX_CERTIFICATES - 1].pem),
        Err(InstallRefusal::Full)
    );
    store.install(ROOT, &roots[0].pem).unwrap();
    assert_eq!(
        store.roots(ROOT).len(),
        MAX_CERTIFICATES - 1,
        "the same again is no other"
    );
}

#[test]
fn the_last_root_stays_where_it_is_needed() {
    let (_directory, store) = store();
    let [first, second] = ["First", "Second"].map(|name| authority(name, 2099));
    store.install(ROOT, &first.pem).unwrap();
    store.install(ROOT, &second.pem).unwrap();
    for algorithm in [HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        let hashes: Vec<_> = store
            .roots(ROOT)
            .iter()
            .map(|root| x509::hash(root, algorithm).unwrap())
            .collect();
        let padded = CertificateHash {
            serial_number: format!("00{}", hashes[0].serial_number.to_uppercase()),
            ..hashes[0].clone()
        };
        if hashes.len() == 2 {
            assert_eq!(store.remove(&padded, true), Removal::Removed);
            assert_eq!(store.remove(&padded, true), Removal::NotFound);
        } else {
            assert_eq!(store.remove(&padded, true), Removal::Failed);
            assert_eq!(store.remove(&padded, false), Removal::Removed);
        }
    }
    assert!(store.roots(ROOT).is_empty());
}
