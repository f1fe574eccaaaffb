//! The broker of the product, mosquitto, as a child process for tests and the demo.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const START_LIMIT: Duration = Duration::from_secs(10);
/// Its log, in its directory.
const LOG: &str = "mosquitto.log";
/// The pause between two looks whether it listens.
const LOOK: Duration = Duration::from_millis(5);

/// A mosquitto on a loopback port of its own, without persistence; killed when dropped.
#[derive(Debug)]
pub struct Mosquitto {
    process: Option<Child>,
    port: u16,
    directory: PathBuf,
}

impl Mosquitto {
    /// Start one whose configuration and log lie in `directory`.
    ///
    /// # Errors
    /// When mosquitto is not installed or does not listen within 10 s; the message
    /// holds its log.
    pub fn start(directory: &Path) -> io::Result<Self> {
        let mut attempts = 0..5;
        loop {
            let mut broker = Self {
                process: None,
                port: free_port()?,
                directory: directory.to_owned(),
            };
            match broker.run() {
                Ok(()) => return Ok(broker),
                // Between our look and its bind somebody else may have taken the port.
                Err(error) if attempts.next().is_none() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// End it; clients lose their connection.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only for a process that has ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Run it again on the same port. It has forgotten everything.
    ///
    /// # Errors
    /// As [`Mosquitto::start`].
    pub fn run(&mut self) -> io::Result<()> {
        self.stop();
        let configuration = self.directory.join("mosquitto.conf");
        let text = format!("listener {} 127.0.0.1\nallow_anonymous true\n", self.port);
        std::fs::write(&configuration, text)?;
        let log = File::create(self.directory.join(LOG))?;
        let process = Command::new(program())
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program())))?;
        let process = self.process.insert(process);
        let deadline = Instant::now() + START_LIMIT;
        let mut probe = None;
        loop {
            let log = std::fs::read_to_string(self.directory.join(LOG)).unwrap_or_default();
            // Another process may answer on the port: ours must have seen this connection.
            if let Some(address) = &probe
                && log.contains(&format!("New connection from {address}"))
            {
                return Ok(());
            }
            if process.try_wait()?.is_some() || Instant::now() >= deadline {
                return Err(io::Error::other(format!(
                    "mosquitto does not listen on port {}:\n{log}",
                    self.port
                )));
            }
            if probe.is_none()
                && let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            {
                probe = Some(stream.local_addr()?);
            }
            thread::park_timeout(LOOK);
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Debian keeps it in /usr/sbin, which is not on every user's path.
fn program() -> &'static str {
    const DEBIAN: &str = "/usr/sbin/mosquitto";
    if Path::new(DEBIAN).exists() {
        DEBIAN
    } else {
        "mosquitto"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_else_serves_is_an_error() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Mosquitto::start(one.path()).unwrap();
        let mut second = Mosquitto::start(other.path()).unwrap();
        second.port = first.port;
        let error = second.run().unwrap_err().to_string();
        assert!(error.contains("Address already in use"), "{error}");
    }
}
