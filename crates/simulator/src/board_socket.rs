//! The board's terminals behind a Unix socket, in the board's wire format.
//!
//! Like real lines they keep their levels when a client goes away, and any number
//! of clients may drive them at the same time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use board::wire::{FRAME_LEN, Reply, Request};

use crate::station::StationHandle;

/// Serve one client until it leaves or sends what is no request.
pub(crate) fn converse(mut stream: &UnixStream, station: &StationHandle) -> io::Result<()> {
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
