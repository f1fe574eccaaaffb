//! What an operator does with a station beside charging: access and certificates, messages for
//! the customer's software, and new firmware.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hil_tests::{Bench, LATER, SOON, StrictCentralSystem};
use serde_json::{Value, json};

use super::accepted;

/// DataTransfers of this vendor go to customer software.
pub(super) const VENDOR: &str = "com.vendor";
/// Sixteen bytes in hexadecimal digits.
const AUTHORIZATION_KEY: &str = "000102030405060708090a0b0c0d0e0f";
const INSTALLER: &str = "firmware/update/state/actual";

/// HTTP Basic with a password of sixteen bytes, a root certificate, and one for the station.
pub(super) fn security(central: &mut StrictCentralSystem) {
    let key = |key: &str, value: &str| json!({ "key": key, "value": value });
    let password = key("AuthorizationKey", AUTHORIZATION_KEY);
    accepted(central, "ChangeConfiguration", password);
    central.mark();
    accepted(central, "ChangeConfiguration", key("SecurityProfile", "1"));
    let with_password = |event: &Value| event["password"] == AUTHORIZATION_KEY;
    central.expect("connected", with_password, LATER);

    let authority = Authority::new();
    let kind = json!({ "certificateType": "CentralSystemRootCertificate" });
    let mut root = kind.clone();
    root["certificate"] = authority.read("ca.pem").into();
    accepted(central, "InstallCertificate", root);
    let installed = central.call("GetInstalledCertificateIds", kind, SOON);
    let hashes = installed["certificateHashData"].as_array().unwrap();
    assert_eq!(hashes.len(), 1, "{installed}");

    central.mark();
    let trigger = json!({ "requestedMessage": "SignChargePointCertificate" });
    accepted(central, "ExtendedTriggerMessage", trigger);
    let request = central.expect("sign", |_| true, SOON);
    let chain = authority.sign(request["payload"]["csr"].as_str().unwrap());
    let chain = json!({ "certificateChain": chain });
    accepted(central, "CertificateSigned", chain);
    let root = json!({ "certificateHashData": hashes[0] });
    accepted(central, "DeleteCertificate", root);
}

/// A message to customer software and its answer, and the other way round.
pub(super) fn data_transfers(central: &mut StrictCentralSystem, bench: &Bench) {
    const REQUEST: &str = "ocpp/data_transfer_from_cs/request";
    let observer = bench.observer.clone();
    let mark = observer.mark();
    let software = std::thread::spawn(move || {
        let asked = observer.wait_since(mark, SOON, |seen| seen.topic == REQUEST);
        let request: Value = serde_json::from_str(&asked.expect("a request").payload).unwrap();
        let confirm = json!([3, request[1], { "status": "Accepted", "data": "pong" }]);
        let topic = "ocpp/data_transfer_from_cs/confirm";
        observer.publish_raw(topic, &confirm.to_string(), false);
        request[3].clone()
    });
    let ping = json!({ "vendorId": VENDOR, "messageId": "ping", "data": "ping" });
    let answer = central.call("DataTransfer", ping.clone(), LATER);
    assert_eq!(answer, json!({ "status": "Accepted", "data": "pong" }));
    assert_eq!(software.join().unwrap(), ping);

    central.mark();
    let service = "ocpp/data_transfer_to_cs";
    let publish = |topic: &str, text: &str| {
        let topic = format!("{service}/{topic}");
        bench.observer.publish_raw(&topic, text, false);
    };
    publish("service_id", "software");
    let request = json!([2, "of-software", "DataTransfer", ping]);
    publish("software/request", &request.to_string());
    let told = central.expect("data", |_| true, SOON);
    assert_eq!(told["payload"], ping);
    let confirmed = json!([3, "of-software", { "status": "Accepted" }]);
    let topic = format!("{service}/software/confirm");
    let answer = bench
        .observer
        .wait_since(mark, SOON, |seen| seen.topic == topic)
        .expect("a confirm");
    let answer: Value = serde_json::from_str(&answer.payload).unwrap();
    assert_eq!(answer, confirmed);
}

/// New firmware, with the test as the installer, until it runs.
pub(super) fn firmware(central: &mut StrictCentralSystem, bench: &mut Bench) {
    let url = "http://127.0.0.1:1/new.image";
    let installer = |bench: &Bench, state: &str| {
        bench.observer.publish_raw(INSTALLER, state, true);
    };
    let told = |status: &'static str| move |event: &Value| event["payload"]["status"] == status;
    installer(bench, "idle");
    central.mark();
    let update = json!({ "location": url, "retrieveDate": "2026-01-01T00:00:00Z", "retries": 1 });
    assert_eq!(central.call("UpdateFirmware", update, SOON), json!({}));
    bench.expect("firmware/update/target/url", url, SOON);
    for (state, status) in [
        ("downloading", "Downloading"),
        ("download-succeeded", "Downloaded"),
        ("installing", "Installing"),
    ] {
        installer(bench, state);
        central.expect("firmware", told(status), SOON);
    }
    installer(bench, "install-succeeded");
    central.expect("disconnected", |_| true, LATER);
    let deadline = Instant::now() + LATER;
    while !bench.path("rebooted").exists() {
        assert!(Instant::now() < deadline, "{}", bench.log("ocppd"));
        std::thread::park_timeout(Duration::from_millis(5));
    }
    bench.stop_daemon("ocppd");
    bench.boot("second", "B");
    installer(bench, "idle");
    bench.start_daemon("ocppd");
    central.expect("boot", |_| true, LATER);
    central.expect("firmware", told("Installed"), LATER);
}

/// openssl as a certificate authority.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new() -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
             -out ca.pem -days 30 -subj /CN=Operator",
        );
        authority
    }

    /// The certificate for a request.
    fn sign(&self, request: &str) -> String {
        std::fs::write(self.path().join("request.csr"), request).unwrap();
        self.openssl(
            "x509 -req -in request.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 \
             -out signed.pem",
        );
        self.read("signed.pem")
    }

    fn openssl(&self, arguments: &str) {
        let mut openssl = Command::new("openssl");
        openssl.args(arguments.split_whitespace());
        let output = openssl.current_dir(self.path()).output();
        let output = output.expect("openssl is installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {error}");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}
