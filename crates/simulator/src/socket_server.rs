//! A Unix socket with a thread per client.

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Listens until it is dropped; then its connections end too.
pub struct SocketServer {
    path: PathBuf,
    clients: Arc<Clients>,
    acceptor: Option<JoinHandle<()>>,
}

type Converse = dyn Fn(&UnixStream) -> io::Result<()> + Send + Sync;

struct Clients {
    converse: Box<Converse>,
    stop: AtomicBool,
    next: AtomicU64,
    streams: Mutex<HashMap<u64, UnixStream>>,
}

impl SocketServer {
    /// Listen at `path` and talk to each client with `converse`; the connection
    /// ends when that returns. A socket file that was left behind is replaced.
    ///
    /// # Errors
    /// When the socket or its thread can't be made.
    pub fn listen(
        path: &Path,
        converse: impl Fn(&UnixStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = bind(path)?;
        let clients = Arc::new(Clients {
            converse: Box::new(converse),
            stop: AtomicBool::new(false),
            next: AtomicU64::new(0),
            streams: Mutex::new(HashMap::new()),
        });
        let accepted = clients.clone();
        let accept = move || {
            for stream in listener.incoming() {
                if accepted.stop.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    accepted.serve(stream);
                }
            }
        };
        let acceptor = thread::Builder::new()
            .name("acceptor".into())
            .spawn(accept)?;
        Ok(Self {
            path: path.to_path_buf(),
            clients,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        self.clients.stop.store(true, Ordering::Relaxed);
        // The acceptor waits for a client: be one.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
        for stream in self.clients.streams().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Clients {
    fn serve(self: &Arc<Self>, stream: UnixStream) {
        let Ok(twin) = stream.try_clone() else { return };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.streams().insert(id, twin);
        let clients = self.clone();
        let client = move || {
            // A client that leaves or sends garbage loses its connection, no more.
            let _ = (clients.converse)(&stream);
            let _ = stream.shutdown(Shutdown::Both);
            clients.streams().remove(&id);
        };
        if thread::Builder::new()
            .name("client".into())
            .spawn(client)
            .is_err()
        {
            self.streams().remove(&id);
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => UnixListener::bind(path),
    }
}
