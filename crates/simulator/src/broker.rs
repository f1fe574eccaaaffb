//! A small MQTT 3.1.1 broker for machines without mosquitto.
//!
//! Retained messages, wildcards, last wills, keep-alive and takeover of a client
//! id behave like mosquitto's. Everything is delivered with QoS 0, sessions are
//! always clean, and anybody may do anything: it is for the bench only.

mod connection;
mod filter;
mod router;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use router::Router;

/// A broker on a thread of its own that runs until it is dropped; its retained
/// messages and connections end with it.
pub struct Broker {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listen on the loopback interface; port 0 takes a free one.
    ///
    /// # Errors
    /// When the port is taken or the thread can't be made.
    pub fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = accept(listener) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = thread::Builder::new().name("broker".into()).spawn(serve)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A broker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = Arc::new(Mutex::new(Router::default()));
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // Small messages at once: latencies are measured through this broker.
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection::serve(stream, router.clone()));
        }
    }
}
