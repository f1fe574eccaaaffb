//! Servers that take files, written by others (`file_server.py`).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;

use super::until;

/// A server on a free port of 127.0.0.1; its user is `user` with the password `se+cret`.
pub struct FileServer {
    process: Child,
    port: u16,
    scheme: &'static str,
    directory: tempfile::TempDir,
    events: Arc<Mutex<Vec<Value>>>,
}

impl FileServer {
    /// `kind` is http, https, ftp, ftp+tls or ftps; options as in `file_server.py`.
    pub fn start(kind: &'static str, options: &[&str]) -> Self {
        let interpreter = std::env::var_os("MODE3_JUDGES")
            .expect("MODE3_JUDGES names a Python interpreter: run ./dev test");
        let directory = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/file_server.py");
        let (certificate, key) = certificate(directory.path());
        let mut process = Command::new(interpreter)
            .args([script, kind])
            .arg(directory.path())
            .arg("--certificate")
            .arg(certificate)
            .arg("--key")
            .arg(key)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap();
                record.lock().unwrap().push(event);
            }
        });
        Self {
            process,
            port: port.trim().parse().unwrap(),
            scheme: kind.split('+').next().unwrap(),
            directory,
            events,
        }
    }

    /// An address of this server with the right credentials.
    pub fn location(&self, path: &str) -> String {
        format!(
            "{}://user:se%2Bcret@localhost:{}/{path}",
            self.scheme, self.port
        )
    }

    /// What trusts this server's certificate.
    pub fn trust(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    /// Waits for the next file; its path and whether TLS was used.
    pub fn stored(&self) -> (PathBuf, bool) {
        let mut stored = None;
        until("a file is stored", || {
            stored = self
                .events()
                .pop()
                .filter(|event| event["stored"].is_string());
            stored.is_some()
        });
        let stored = stored.unwrap();
        let path = self
            .directory
            .path()
            .join(stored["stored"].as_str().unwrap());
        (path, stored["tls"].as_bool().unwrap())
    }
}

/// A certificate for localhost and its key.
fn certificate(directory: &Path) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    let paths = (directory.join("certificate.pem"), directory.join("key.pem"));
    std::fs::write(&paths.0, certificate.pem()).unwrap();
    std::fs::write(&paths.1, key.serialize_pem()).unwrap();
    paths
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
