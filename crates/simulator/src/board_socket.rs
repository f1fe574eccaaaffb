//! The board's terminals behind a Unix socket, in the board's wire format.
//!
//! Like real lines they keep their levels when a client goes away, and belong to one
//! client at a time: the kernel refuses a line that another process holds.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use board::wire::{FRAME_LEN, Reply, Request};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::station::StationHandle;

/// The client that holds the lines, or the last one that did.
#[derive(Default)]
pub(crate) struct Holder(Mutex<Option<UnixStream>>);

impl Holder {
    /// Give the lines to `client`, unless another one is still there.
    fn take(&self, client: &UnixStream) -> io::Result<()> {
        let mut holder = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = &*holder
            && !has_left(other)?
        {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        *holder = Some(client.try_clone()?);
        Ok(())
    }
}

/// Whether the other end is closed, seen at once and without reading.
fn has_left(client: &UnixStream) -> io::Result<bool> {
    let mut looks = [PollFd::new(client.as_fd(), PollFlags::empty())];
    poll(&mut looks, PollTimeout::ZERO)?;
    let seen = looks
        .first()
        .and_then(PollFd::revents)
        .unwrap_or(PollFlags::empty());
    Ok(seen.contains(PollFlags::POLLHUP))
}

/// Serve one client until it leaves or sends what is no request. One that comes while
/// another one is there is sent away.
pub(crate) fn converse(
    mut stream: &UnixStream,
    station: &StationHandle,
    holder: &Holder,
) -> io::Result<()> {
    holder.take(stream)?;
    let mut frame = [0; FRAME_LEN];
    loop {
        stream.read_exact(&mut frame)?;
        let (sequence, request) = Request::decode(&frame)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(reply) = answer(request, station) {
            stream.write_all(&reply.encode(sequence))?;
        }
    }
}

/// `None` when the board was told to be silent.
fn answer(request: Request, station: &StationHandle) -> Option<Reply> {
    let done = |done: bool| if done { Reply::Done } else { Reply::Refused };
    let mut plant = station.plant();
    if plant.board_is_silent {
        return None;
    }
    Some(match request {
        Request::SetLines(levels) => done(plant.set_lines(levels)),
        Request::SetPilotPwm { duty_ns, enabled } => done(plant.set_pilot_pwm(duty_ns, enabled)),
        Request::Read => Reply::Readings {
            adc: plant.adc_counts(),
            lines: plant.input_levels(),
        },
    })
}
