//! A mosquitto of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::until;

/// A mosquitto on a free port of 127.0.0.1, without persistence.
pub struct Broker {
    process: Child,
    port: u16,
    directory: tempfile::TempDir,
}

impl Broker {
    pub fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let directory = tempfile::tempdir().unwrap();
        let process = run(&directory, port);
        Self {
            process,
            port,
            directory,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// It forgets everything.
    pub fn restart(&mut self) {
        self.stop();
        self.process = run(&self.directory, self.port);
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(directory: &tempfile::TempDir, port: u16) -> Child {
    let configuration = directory.path().join("mosquitto.conf");
    std::fs::write(
        &configuration,
        format!("listener {port} 127.0.0.1\nallow_anonymous true\n"),
    )
    .unwrap();
    let process = Command::new("/usr/sbin/mosquitto")
        .arg("-c")
        .arg(&configuration)
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto is installed");
    until("mosquitto listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    process
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}
