//! The broker of the product, mosquitto, as a process of its own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Process, pause};

/// A mosquitto on a loopback port of its own, without persistence.
#[derive(Debug)]
pub struct Broker {
    process: Option<Process>,
    port: u16,
    directory: PathBuf,
}

impl Broker {
    /// Start one whose configuration and log lie in `directory`.
    pub fn start(directory: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let mut broker = Self {
            process: None,
            port,
            directory: directory.to_owned(),
        };
        broker.run();
        broker
    }

    /// TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// End it; clients lose their connection.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Run it again on the same port. It has forgotten everything.
    pub fn run(&mut self) {
        let configuration = self.directory.join("mosquitto.conf");
        let text = format!("listener {} 127.0.0.1\nallow_anonymous true\n", self.port);
        std::fs::write(&configuration, text).expect("the configuration can be written");
        let mut command = Command::new(program());
        command.arg("-c").arg(&configuration);
        let mut process = Process::start(&mut command, &self.directory.join("mosquitto.log"));
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                process.is_running() && Instant::now() < deadline,
                "mosquitto does not listen on {}:\n{}",
                self.port,
                process.log()
            );
            pause();
        }
        self.process = Some(process);
    }
}

/// Debian keeps it in /usr/sbin, which is not on every user's path.
fn program() -> &'static str {
    if Path::new("/usr/sbin/mosquitto").exists() {
        "/usr/sbin/mosquitto"
    } else {
        "mosquitto"
    }
}
