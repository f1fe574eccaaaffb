//! The board's terminals behind a Unix socket, in the board's wire format.
//!
//! Like real lines they keep their levels when a client goes away, and any number
//! of clients may drive them at the same time.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use board::wire::{FRAME_LEN, Reply, Request};

use crate::station::StationHandle;

/// Listens until it is dropped; then its connections end too.
pub(crate) struct BoardSocket {
    path: PathBuf,
    clients: Arc<Clients>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Clients {
    stop: AtomicBool,
    next: AtomicU64,
    streams: Mutex<HashMap<u64, UnixStream>>,
}

impl BoardSocket {
    pub(crate) fn listen(path: &Path, station: StationHandle) -> io::Result<Self> {
        let listener = bind(path)?;
        let clients = Arc::new(Clients::default());
        let accepted = clients.clone();
        let accept = move || {
            for stream in listener.incoming() {
                if accepted.stop.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    accepted.serve(stream, station.clone());
                }
            }
        };
        let acceptor = thread::Builder::new()
            .name("board-socket".into())
            .spawn(accept)?;
        Ok(Self {
            path: path.to_path_buf(),
            clients,
            acceptor: Some(acceptor),
        })
    }
}

impl Drop for BoardSocket {
    fn drop(&mut self) {
        self.clients.stop.store(true, Ordering::Relaxed);
        self.clients.close();
        // The acceptor waits for a client: be one.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Clients {
    fn serve(self: &Arc<Self>, stream: UnixStream, station: StationHandle) {
        let Ok(twin) = stream.try_clone() else { return };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.streams().insert(id, twin);
        let clients = self.clone();
        let client = move || {
            // A client that leaves or sends garbage loses its connection, no more.
            let _ = converse(&stream, &station);
            let _ = stream.shutdown(Shutdown::Both);
            clients.streams().remove(&id);
        };
        let _ = thread::Builder::new()
            .name("board-client".into())
            .spawn(client);
    }

    fn close(&self) {
        for stream in self.streams().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replace a socket file that a process left behind.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => UnixListener::bind(path),
    }
}

fn converse(mut stream: &UnixStream, station: &StationHandle) -> io::Result<()> {
    let mut frame = [0; FRAME_LEN];
    loop {
        stream.read_exact(&mut frame)?;
        let (sequence, request) = Request::decode(&frame)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        stream.write_all(&answer(request, station).encode(sequence))?;
    }
}

fn answer(request: Request, station: &StationHandle) -> Reply {
    let done = |done: bool| if done { Reply::Done } else { Reply::Refused };
    let mut plant = station.plant();
    match request {
        Request::SetLines(levels) => done(plant.set_lines(levels)),
        Request::SetPilotPwm { duty_ns, enabled } => done(plant.set_pilot_pwm(duty_ns, enabled)),
        Request::Read => Reply::Readings {
            adc: plant.adc_counts(),
            lines: plant.input_levels(),
        },
    }
}
