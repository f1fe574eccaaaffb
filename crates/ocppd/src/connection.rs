//! The WebSocket to the central system: one task owns it, for ever.
//!
//! Each connection has a command channel of its own, so that nothing meant for one is sent on
//! the next.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::address::Address;
use crate::tls::{self, TlsError};

/// TCP, TLS and WebSocket handshake together.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// A peer that does not take a frame for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(20);
/// The largest message that is taken; longer ones end the connection. A list of 10 000 users with
/// group and expiry date has about 1.6 MB.
const LARGEST_MESSAGE: usize = 2 << 20;
/// The first wait after a lost connection, doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that held so long was good: the next wait is the first one again.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// Frames that may wait for the loop before the socket is no longer read.
const WAITING_FRAMES: usize = 64;

/// What happened to the connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// Open; commands go here.
    Opened(mpsc::UnboundedSender<Command>),
    /// A text frame.
    Frame(String),
    /// Closed, for whatever reason.
    Closed,
}

/// What to do with one connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send a text frame.
    Send(String),
    /// Close in order, after all that was sent before.
    Close,
}

/// `WebSocketPingInterval` (zero is off) and `webSocketPingTimeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ping {
    pub interval: Duration,
    pub timeout: Duration,
}

#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("no connection within {} s", HANDSHAKE_LIMIT.as_secs())]
    TimedOut,
    #[error("TCP: {0}")]
    Tcp(#[source] io::Error),
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    #[error(transparent)]
    TlsSetup(#[from] TlsError),
    #[error("{0:?} is no host name for TLS")]
    HostName(String),
    #[error("WebSocket: {0}")]
    WebSocket(#[source] Box<tungstenite::Error>),
}

/// Starts the task.
pub(crate) fn start(
    address: Address,
    verify_certificate: bool,
    ping: watch::Receiver<Ping>,
) -> mpsc::Receiver<Event> {
    if address.secure && !verify_certificate {
        tracing::warn!(
            "ocpp/verifyCert is false: the central system's certificate is not verified"
        );
    }
    let (events, inbox) = mpsc::channel(WAITING_FRAMES);
    tokio::spawn(keep_connected(address, verify_certificate, ping, events));
    inbox
}

async fn keep_connected(
    address: Address,
    verify_certificate: bool,
    ping: watch::Receiver<Ping>,
    events: mpsc::Sender<Event>,
) {
    let mut wait = FIRST_WAIT;
    loop {
        match connect(&address, verify_certificate).await {
            Ok(socket) => {
                tracing::info!(uri = %address.uri, "connected");
                let opened = Instant::now();
                let (commands, orders) = mpsc::unbounded_channel();
                if events.send(Event::Opened(commands)).await.is_err() {
                    return;
                }
                let reason = serve(socket, orders, ping.clone(), &events).await;
                tracing::warn!(reason, "disconnected");
                if events.send(Event::Closed).await.is_err() {
                    return;
                }
                if opened.elapsed() >= GOOD_AFTER {
                    wait = FIRST_WAIT;
                }
            }
            Err(error) => tracing::warn!(uri = %address.uri, "{error}"),
        }
        if events.is_closed() {
            return;
        }
        let jittered = jitter(wait);
        tracing::info!(
            milliseconds = jittered.as_millis(),
            "the next attempt waits"
        );
        sleep_until(Instant::now() + jittered).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Between half and all of `wait`: after a power cut a whole street must not come at once.
fn jitter(wait: Duration) -> Duration {
    let mut random = [0_u8; 2];
    // Without randomness there is no jitter, which is better than no connection.
    let share = getrandom::fill(&mut random).map_or(1.0, |()| {
        f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX)
    });
    wait.mul_f64(0.5 + share / 2.0)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Socket = WebSocketStream<Box<dyn Stream>>;

async fn connect(address: &Address, verify_certificate: bool) -> Result<Socket, ConnectError> {
    timeout(HANDSHAKE_LIMIT, shake_hands(address, verify_certificate))
        .await
        .map_err(|_| ConnectError::TimedOut)?
}

async fn shake_hands(address: &Address, verify_certificate: bool) -> Result<Socket, ConnectError> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(ConnectError::Tcp)?;
    // A limit of the central system must not wait for more bytes.
    tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
    let stream: Box<dyn Stream> = if address.secure {
        let config = tls::config(verify_certificate)?;
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| ConnectError::HostName(address.host.clone()))?;
        let connector = TlsConnector::from(std::sync::Arc::new(config));
        Box::new(
            connector
                .connect(name, tcp)
                .await
                .map_err(ConnectError::Tls)?,
        )
    } else {
        Box::new(tcp)
    };
    let mut request = ClientRequestBuilder::new(address.uri.clone()).with_sub_protocol("ocpp1.6");
    if let Some(authorization) = &address.authorization {
        request = request.with_header("Authorization", authorization);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
        .read_buffer_size(8 << 10)
        .write_buffer_size(0);
    // Redirects are not followed (guide 3.3.1): they are an error here.
    let (socket, _) = client_async_with_config(request, stream, Some(config))
        .await
        .map_err(|error| ConnectError::WebSocket(Box::new(error)))?;
    Ok(socket)
}

/// Serves one connection to its end; the reason for the end.
async fn serve(
    mut socket: Socket,
    mut orders: mpsc::UnboundedReceiver<Command>,
    mut ping: watch::Receiver<Ping>,
    events: &mpsc::Sender<Event>,
) -> String {
    let mut last_received = Instant::now();
    // When the oldest ping without any sign of life since was sent.
    let mut unanswered: Option<Instant> = None;
    let mut last_ping = Instant::now();
    loop {
        let Ping {
            interval,
            timeout: limit,
        } = *ping.borrow_and_update();
        let due = match unanswered {
            Some(sent) => Some(sent + limit),
            None => (interval > Duration::ZERO).then(|| last_ping + interval),
        };
        tokio::select! {
            message = socket.next() => {
                last_received = Instant::now();
                unanswered = None;
                match message {
                    Some(Ok(Message::Text(text))) => {
                        if events.send(Event::Frame(text.as_str().to_owned())).await.is_err() {
                            return "the daemon ends".to_owned();
                        }
                    }
                    Some(Ok(Message::Binary(_))) => tracing::warn!("a binary frame was ignored"),
                    // Pongs are answered by the next read; a close ends the stream.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_))) => {}
                    Some(Err(error)) => return error.to_string(),
                    None => return "closed by the central system".to_owned(),
                }
            }
            order = orders.recv() => match order {
                Some(Command::Send(text)) => {
                    tracing::debug!(frame = text, "sent");
                    if let Err(reason) = send(&mut socket, Message::text(text)).await {
                        return reason;
                    }
                }
                Some(Command::Close) | None => {
                    let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
                    return "closed by this station".to_owned();
                }
            },
            _ = ping.changed() => {}
            () = sleep_until(due.unwrap_or(last_received)), if due.is_some() => {
                if unanswered.is_some() {
                    return format!("no pong within {} s", limit.as_secs());
                }
                last_ping = Instant::now();
                unanswered = Some(last_ping);
                if let Err(reason) = send(&mut socket, Message::Ping(Bytes::new())).await {
                    return reason;
                }
            }
        }
    }
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), String> {
    match timeout(SEND_LIMIT, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "a frame was not taken within {} s",
            SEND_LIMIT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_spreads_over_the_second_half() {
        let wait = Duration::from_secs(8);
        let waits: Vec<Duration> = (0..100).map(|_| jitter(wait)).collect();
        assert!(waits.iter().all(|one| (wait / 2..=wait).contains(one)));
        assert!(waits.iter().any(|one| *one != waits[0]));
    }
}
