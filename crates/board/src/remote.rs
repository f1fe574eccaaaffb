//! The board behind a Unix socket: the simulator's electrics in [`crate::wire`]'s format.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::BoardError;
use crate::conversion::AdcRaw;
use crate::electrics::{AdcCounts, Electrics, SensorFault};
use crate::lines::{InputLevels, OutputLevels};
use crate::wire::{FRAME_LEN, Frame, Reply, Request};

/// No answer within this time is an error: the control thread must not hang, and
/// one late answer must still leave time to open a contactor within 100 ms.
const DEADLINE: Duration = Duration::from_millis(50);

/// Electrics at the other end of a socket.
///
/// A late answer fails one request; a closed connection or a broken frame fails
/// every later one.
pub struct Remote {
    stream: UnixStream,
    sequence: u16,
    inbox: Frame,
    filled: usize,
    lost: bool,
}

impl Remote {
    /// Connect to the socket at `path`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(path: &Path) -> Result<Self, BoardError> {
        let connect = || -> io::Result<UnixStream> {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(DEADLINE))?;
            stream.set_write_timeout(Some(DEADLINE))?;
            Ok(stream)
        };
        let stream = connect().map_err(|source| {
            BoardError::new(format!("connect to board at {}", path.display()), source)
        })?;
        Ok(Self {
            stream,
            sequence: 0,
            inbox: [0; FRAME_LEN],
            filled: 0,
            lost: false,
        })
    }

    fn exchange(&mut self, request: Request) -> io::Result<Reply> {
        if self.lost {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the board's socket was lost",
            ));
        }
        let result = self.try_exchange(request);
        if let Err(error) = &result {
            self.lost = !is_timeout(error);
        }
        result
    }

    fn try_exchange(&mut self, request: Request) -> io::Result<Reply> {
        self.sequence = self.sequence.wrapping_add(1);
        self.stream
            .write_all(&request.encode(self.sequence))
            .map_err(|error| {
                // Half a frame may be out: the stream can't be trusted any more.
                io::Error::new(io::ErrorKind::BrokenPipe, error)
            })?;
        let start = Instant::now();
        loop {
            let frame = self.receive(start)?;
            let (sequence, reply) = Reply::decode(&frame)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if sequence == self.sequence {
                return Ok(reply);
            }
            // The late answer to a request that was given up; a peer that sends
            // nothing else must not hold us.
            if start.elapsed() > DEADLINE {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// One frame; what arrived of it before a timeout is kept.
    fn receive(&mut self, start: Instant) -> io::Result<Frame> {
        while let Some(free @ [_, ..]) = self.inbox.get_mut(self.filled..) {
            match self.stream.read(free) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if start.elapsed() > DEADLINE && self.filled < FRAME_LEN {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        self.filled = 0;
        Ok(self.inbox)
    }

    fn write(&mut self, request: Request, what: impl FnOnce() -> String) -> Result<(), BoardError> {
        match self.exchange(request) {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Refused) => Err(BoardError::new(
                what(),
                io::Error::other("refused by the simulated board"),
            )),
            Ok(Reply::Readings { .. }) => Err(BoardError::new(what(), unexpected_reply())),
            Err(source) => Err(BoardError::new(what(), source)),
        }
    }
}

impl Electrics for Remote {
    fn set_lines(&mut self, levels: OutputLevels) -> Result<(), BoardError> {
        self.write(Request::SetLines(levels), || {
            let lines: Vec<_> = levels
                .iter()
                .map(|(line, high)| format!("{}={}", line.name(), u8::from(high)))
                .collect();
            format!("set {}", lines.join(" "))
        })
    }

    fn set_pilot_pwm(&mut self, duty_ns: u32, enabled: bool) -> Result<(), BoardError> {
        self.write(Request::SetPilotPwm { duty_ns, enabled }, || {
            format!("set pilot PWM to {duty_ns} ns, enabled {enabled}")
        })
    }

    fn input_levels(&mut self) -> Result<InputLevels, BoardError> {
        let what = "read input lines";
        match self.exchange(Request::Read) {
            Ok(Reply::Readings {
                lines: Ok(levels), ..
            }) => Ok(levels),
            Ok(Reply::Readings { lines: Err(_), .. }) => Err(BoardError::new(
                what,
                io::Error::other("failed in the simulated board"),
            )),
            Ok(Reply::Done | Reply::Refused) => Err(BoardError::new(what, unexpected_reply())),
            Err(source) => Err(BoardError::new(what, source)),
        }
    }

    fn adc_counts(&mut self) -> AdcCounts {
        match self.exchange(Request::Read) {
            Ok(Reply::Readings { adc, .. }) => adc,
            Ok(Reply::Done | Reply::Refused) | Err(_) => AdcCounts::FAILED,
        }
    }

    fn pilot_counts(&mut self) -> [Result<AdcRaw, SensorFault>; 2] {
        let counts = self.adc_counts();
        [counts.pilot_positive, counts.pilot_negative]
    }
}

fn is_timeout(error: &io::Error) -> bool {
    // A read timeout of a socket shows as WouldBlock.
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn unexpected_reply() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a reply of another kind")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    struct Peer {
        remote: Remote,
        stream: UnixStream,
        _dir: tempfile::TempDir,
    }

    fn peer() -> Peer {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("board.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let remote = Remote::connect(&path).unwrap();
        Peer {
            remote,
            stream: listener.accept().unwrap().0,
            _dir: dir,
        }
    }

    fn receive(stream: &mut UnixStream) -> (u16, Request) {
        let mut frame = [0; FRAME_LEN];
        stream.read_exact(&mut frame).unwrap();
        Request::decode(&frame).unwrap()
    }

    fn readings(raw: u16) -> Reply {
        let adc = AdcCounts {
            proximity: AdcRaw::new(raw).ok_or(SensorFault),
            ..AdcCounts::FAILED
        };
        Reply::Readings {
            adc,
            lines: Ok(InputLevels::default()),
        }
    }

    #[test]
    fn nobody_listening_is_an_error_with_the_path() {
        let error = Remote::connect(Path::new("/nonexistent/board.sock"))
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("/nonexistent/board.sock"),
            "{error}"
        );
    }

    #[test]
    fn closed_socket_is_a_fault_for_ever() {
        let Peer {
            mut remote,
            stream,
            _dir,
        } = peer();
        drop(stream);
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        assert!(remote.input_levels().is_err());
        assert!(remote.set_lines(OutputLevels::NONE).is_err());
    }

    #[test]
    fn silence_ends_at_the_deadline_and_a_late_answer_is_not_taken_for_the_next() {
        let Peer {
            mut remote,
            mut stream,
            _dir,
        } = peer();
        let start = Instant::now();
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        assert!(start.elapsed() >= DEADLINE);

        let (late, _) = receive(&mut stream);
        stream.write_all(&readings(1).encode(late)).unwrap();
        let answer = thread::spawn(move || {
            let (sequence, _) = receive(&mut stream);
            stream.write_all(&readings(2).encode(sequence)).unwrap();
            stream
        });
        assert_eq!(
            remote.adc_counts().proximity,
            AdcRaw::new(2).ok_or(SensorFault)
        );
        answer.join().unwrap();
    }

    #[test]
    fn answer_in_pieces_is_put_together() {
        let Peer {
            mut remote,
            mut stream,
            _dir,
        } = peer();
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        let (late, _) = receive(&mut stream);
        let (head, tail) = {
            let frame = readings(1).encode(late);
            let (head, tail) = frame.split_at(10);
            (head.to_vec(), tail.to_vec())
        };
        stream.write_all(&head).unwrap();
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        let (second, _) = receive(&mut stream);
        stream.write_all(&tail).unwrap();
        stream.write_all(&readings(2).encode(second)).unwrap();
        // The answering thread may be slow; what is late is not the question here.
        remote
            .stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let answer = thread::spawn(move || {
            let (third, _) = receive(&mut stream);
            stream.write_all(&readings(3).encode(third)).unwrap();
            stream
        });
        assert_eq!(
            remote.adc_counts().proximity,
            AdcRaw::new(3).ok_or(SensorFault)
        );
        answer.join().unwrap();
    }

    #[test]
    fn flood_of_late_answers_ends_at_the_deadline() {
        let Peer {
            mut remote,
            mut stream,
            _dir,
        } = peer();
        let flood = thread::spawn(move || {
            let frame = readings(1).encode(u16::MAX);
            while stream.write_all(&frame).is_ok() {}
        });
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        drop(remote);
        flood.join().unwrap();
    }

    #[test]
    fn garbage_is_a_fault_for_ever() {
        let Peer {
            mut remote,
            mut stream,
            _dir,
        } = peer();
        stream.write_all(&[b'x'; FRAME_LEN]).unwrap();
        assert_eq!(remote.adc_counts(), AdcCounts::FAILED);
        let error = remote.input_levels().unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::NotConnected);
    }

    #[test]
    fn refused_write_names_the_line() {
        let Peer {
            mut remote,
            mut stream,
            _dir,
        } = peer();
        let answer = thread::spawn(move || {
            let (sequence, _) = receive(&mut stream);
            stream.write_all(&Reply::Refused.encode(sequence)).unwrap();
            stream
        });
        let open = OutputLevels::NONE.with(crate::lines::OutputLine::Relay1Enable, false);
        let error = remote.set_lines(open).unwrap_err();
        assert!(error.to_string().contains("RELAY_1_ENABLE=0"), "{error}");
        answer.join().unwrap();
    }
}
