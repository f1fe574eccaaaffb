//! A hostile central system on a real WebSocket: the daemon answers what can be
//! answered, in time, and leaves only where WebSocket itself is violated.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

#[path = "../../ocpp16/src/charge_point/tests/mutation.rs"]
mod mutation;
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mutation::{Dice, Due, due, is_right, mutated};
use serde_json::{Value, json};
use support::{Bench, SOON, until};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, WebSocket, accept_hdr};

/// Mutated frames; a tenth of `MODE3_FUZZ`.
const FRAMES: usize = 2_000;
/// Nearly all answers come within a second; a loaded machine may stand still for longer.
const USUAL_ANSWER: Duration = Duration::from_secs(1);
const LATEST_ANSWER: Duration = Duration::from_secs(30);
/// Beyond this, memory does not count as flat.
const GROWTH_KIB: u64 = 1024;

/// The central system: it answers the station, whatever else it does.
struct Central {
    listener: TcpListener,
    socket: WebSocket<TcpStream>,
    /// Actions of the station's calls.
    heard: Vec<String>,
}

/// ocppd and its central system, past the first reports.
fn start() -> (Bench, Central) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("ws://{}/CP1", listener.local_addr().unwrap());
    let bench = Bench::start(&uri, json!({}));
    let mut central = Central {
        socket: accept(&listener),
        listener,
        heard: Vec::new(),
    };
    central.booted();
    (bench, central)
}

fn take(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut taken = None;
    until("the station comes", || {
        taken = listener.accept().ok();
        taken.is_some()
    });
    let (stream, _) = taken.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

#[allow(
    clippy::result_large_err,
    reason = "the form of the library's callback"
)]
fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
    let stream = take(listener);
    let socket = accept_hdr(stream, |_: &Request, mut response: Response| {
        let protocol = HeaderValue::from_static("ocpp1.6");
        let headers = response.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", protocol);
        Ok(response)
    })
    .unwrap();
    let patience = Duration::from_millis(20);
    socket.get_ref().set_read_timeout(Some(patience)).unwrap();
    socket
}

impl Central {
    fn booted(&mut self) {
        self.heard.clear();
        let deadline = Instant::now() + SOON;
        while !self
            .heard
            .iter()
            .any(|action| action == "StatusNotification")
        {
            assert!(Instant::now() < deadline, "{:?}", self.heard);
            self.listen();
        }
    }

    fn send(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// The next frame that is no call, if one comes soon.
    fn listen(&mut self) -> Option<Value> {
        let text = match self.socket.read() {
            Ok(Message::Text(text)) => text,
            Ok(_) => return None,
            Err(error) if is_silence(&error) => return None,
            Err(error) => panic!("the station has left: {error}"),
        };
        let frame: Value = serde_json::from_str(text.as_str()).unwrap();
        if frame[0] != 2 {
            return Some(frame);
        }
        let action = frame[2].as_str().unwrap();
        let payload = match action {
            "BootNotification" => json!({
                "status": "Accepted", "currentTime": "2026-03-01T12:00:00Z", "interval": 300
            }),
            "Heartbeat" => json!({ "currentTime": "2026-03-01T12:00:00Z" }),
            "Authorize" => json!({ "idTagInfo": { "status": "Accepted" } }),
            "StartTransaction" => {
                json!({ "transactionId": 7, "idTagInfo": { "status": "Accepted" } })
            }
            "DataTransfer" | "SignCertificate" => json!({ "status": "Accepted" }),
            _ => json!({}),
        };
        self.heard.push(action.to_owned());
        self.send(Message::text(json!([3, frame[1], payload]).to_string()));
        None
    }

    /// The answer to the call `id`, and how long it took.
    fn answer(&mut self, id: &str) -> (Value, Duration) {
        let asked = Instant::now();
        loop {
            if let Some(frame) = self.listen().filter(|frame| frame[1] == id) {
                return (frame, asked.elapsed());
            }
            assert!(asked.elapsed() < LATEST_ANSWER, "{id} is not answered");
        }
    }

    /// Still there, with the same connection.
    fn is_answered(&mut self) {
        let call = json!([2, "still there", "GetConfiguration", { "key": ["HeartbeatInterval"] }]);
        self.send(Message::text(call.to_string()));
        let (answer, _) = self.answer("still there");
        assert_eq!(answer[0], 3, "{answer}");
        self.listener.set_nonblocking(true).unwrap();
        assert!(self.listener.accept().is_err(), "the station came again");
    }

    /// The station leaves, and comes again.
    fn is_left(&mut self) {
        let deadline = Instant::now() + SOON;
        while !matches!(self.socket.read(), Err(error) if !is_silence(&error)) {
            assert!(Instant::now() < deadline, "the station stays");
        }
        self.socket = accept(&self.listener);
        self.is_answered();
    }
}

/// Whether nothing came in time, and nothing is wrong.
fn is_silence(error: &Error) -> bool {
    let silence = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    matches!(error, Error::Io(error) if silence.contains(&error.kind()))
}

/// Resident memory of ocppd in KiB.
fn memory(bench: &Bench) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bench.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

// covers: OC-047, OC-049
#[test]
fn mutated_frames_on_a_socket_are_answered_in_time_and_end_nothing() {
    let wanted = std::env::var("MODE3_FUZZ").map(|number| number.parse::<usize>().unwrap() / 10);
    let frames = wanted.unwrap_or(FRAMES);
    let (bench, mut central) = start();
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    let mut slow = 0;
    // Answers that may come at any time, under an id that another call has as well.
    let mut owed = 0;
    let mut before = 0;
    for round in 0..frames {
        let text = mutated(&mut dice);
        central.send(Message::text(text.clone()));
        let due = due(&text);
        match &due {
            Due::Silence => {}
            // Answered when the lock has spoken, which it doesn't here.
            Due::Answer(_) if text.contains("UnlockConnector") => owed += 1,
            Due::Error(id, _) | Due::Answer(id) => {
                let (mut answer, took) = central.answer(id);
                while !is_right(&due, &answer) && owed > 0 {
                    owed -= 1;
                    (answer, _) = central.answer(id);
                }
                assert!(is_right(&due, &answer), "{text}: {answer}");
                slow += usize::from(took > USUAL_ANSWER);
            }
        }
        match round % 97 {
            0 => bench.mqtt.station("connected", "B"),
            13 => bench.mqtt.station("charging", "C"),
            29 => bench.mqtt.station("idle", "A"),
            41 => bench.mqtt.tag("04A1B2C3D4"),
            _ => {}
        }
        if round == frames / 4 {
            before = memory(&bench);
        }
    }
    central.is_answered();
    let after = memory(&bench);
    assert!(after <= before + GROWTH_KIB, "from {before} to {after} KiB");
    assert!(slow * 100 <= frames, "{slow} of {frames} answers were late");
}

/// A CALL as it goes over the wire in pieces of so many bytes, with a ping after each.
fn in_fragments(text: &str, size: usize) -> Vec<Message> {
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
    let last = pieces.len() - 1;
    pieces
        .into_iter()
        .enumerate()
        .flat_map(|(place, piece)| {
            let kind = if place == 0 {
                Data::Text
            } else {
                Data::Continue
            };
            let piece = Bytes::copy_from_slice(piece);
            let frame = Frame::message(piece, OpCode::Data(kind), place == last);
            [Message::Frame(frame), Message::Ping(Bytes::new())]
        })
        .collect()
}

// covers: OC-047, OC-049
#[test]
fn fragments_pipelines_bombs_and_repeated_ids_are_answered() {
    let (_bench, mut central) = start();
    let call = |id: &str| json!([2, id, "GetConfiguration", { "key": ["HeartbeatInterval"] }]);
    for size in [1, 7, 40] {
        let id = format!("in pieces of {size}");
        for message in in_fragments(&call(&id).to_string(), size) {
            central.send(message);
        }
        assert_eq!(central.answer(&id).0[0], 3, "{id}");
    }

    let ids: Vec<String> = (0..500).map(|number| format!("p{number}")).collect();
    for id in &ids {
        central
            .socket
            .write(Message::text(call(id).to_string()))
            .unwrap();
    }
    central.socket.flush().unwrap();
    for id in &ids {
        assert_eq!(central.answer(id).0[0], 3, "{id}");
    }

    for _ in 0..2 {
        central.send(Message::text(call("same").to_string()));
    }
    for _ in 0..2 {
        assert_eq!(central.answer("same").0[0], 3);
    }

    let deep = format!(
        r#"[2,"deep","DataTransfer",{}"#,
        r#"{"a":["#.repeat(100_000)
    );
    let wide = format!(
        "[2,\"wide\",\"DataTransfer\",{{\"a\":[{}1]}}]",
        "1,".repeat(400_000)
    );
    central.send(Message::text("[".repeat(900_000)));
    central.send(Message::text(deep));
    central.send(Message::text(wide));
    let (answer, _) = central.answer("wide");
    assert_eq!(answer[0], 4, "{answer}");
    central.send(Message::binary(vec![0xFF; 1000]));
    central.is_answered();
}

#[test]
fn only_violations_of_websocket_end_the_connection_and_none_the_daemon() {
    let too_long = [
        &[0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 1][..],
        &[b' '; 0x20_0001],
    ]
    .concat();
    for violation in [
        // A text that is not UTF-8; an opcode that is reserved; a continuation of nothing;
        // a ping of 126 bytes; a reserved bit; more than fits.
        &[0x81, 0x02, 0xFF, 0xFE][..],
        &[0x83, 0x00],
        &[0x80, 0x01, b'x'],
        &[[0x89, 126, 0, 126].as_slice(), &[0; 126]].concat(),
        &[0xC1, 0x01, b'x'],
        &too_long,
    ] {
        // A new one each time: the pauses between two connections grow.
        let (_bench, mut central) = start();
        // The station may leave before it has taken all of it.
        let _ = central.socket.get_mut().write_all(violation);
        central.is_left();
    }
}

#[test]
fn a_handshake_that_never_ends_is_given_up_and_blocks_nothing() {
    let (
        bench,
        Central {
            listener, socket, ..
        },
    ) = start();
    drop(socket);
    let mut stream = take(&listener);
    let patience = Duration::from_millis(20);
    stream.set_read_timeout(Some(patience)).unwrap();
    let started = Instant::now();
    let beginning = b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: ";
    let mut dribble = beginning.iter().chain(std::iter::repeat(&b'x'));
    bench.mqtt.station("connected", "B");
    bench.mqtt.tag("04A1B2C3D4");
    let is_permitted = || {
        let history = bench.mqtt.history("port0/session/authorization_status");
        history.last().is_some_and(|last| last == "1")
    };
    let mut was_permitted = false;
    loop {
        let byte = dribble.next().copied().unwrap();
        let mut request = [0; 1024];
        let is_gone = stream.write_all(&[byte]).is_err()
            || stream.read(&mut request).is_ok_and(|count| count == 0);
        was_permitted |= is_permitted();
        if is_gone {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "it still waits"
        );
    }
    assert!(was_permitted, "nobody could charge meanwhile");
    let mut central = Central {
        socket: accept(&listener),
        listener,
        heard: Vec::new(),
    };
    // It says first what has happened.
    central.is_answered();
}
