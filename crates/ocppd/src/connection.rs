//! The WebSocket to the central system: one task owns it, for ever.
//!
//! Each connection has a command channel of its own, so that nothing meant for one is sent on
//! the next.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ocpp16::{Access, CertificateUse, SecurityEventKind};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::address::Address;
use crate::certificates::Store;
use crate::tls::{self, TlsError, Trust};

/// TCP, TLS and WebSocket handshake together.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// A peer that does not take a frame for so long is gone.
const SEND_LIMIT: Duration = Duration::from_secs(20);
/// A dead link must show without pings, too, which are off by default: after so much silence TCP
/// asks the peer, again and again, and gives up what the peer has not acknowledged for so long.
const ASK_AFTER: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(60);
/// The largest message that is taken; longer ones end the connection. A list of 10 000 users with
/// group and expiry date has about 1.6 MB.
const LARGEST_MESSAGE: usize = 2 << 20;
/// The first wait after a lost connection, doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A connection that held so long was good: the next wait is the first one again.
const GOOD_AFTER: Duration = Duration::from_secs(30);
/// From this security profile on the connection is TLS, and the central system is verified.
const TLS_PROFILE: u8 = 2;
/// From this one on a certificate proves who the station is, and no password.
const CERTIFICATE_PROFILE: u8 = 3;
/// Frames that may wait for the loop before the socket is no longer read; each may be one of the
/// largest.
const WAITING_FRAMES: usize = 4;

/// What happened to the connection.
#[derive(Debug)]
pub(crate) enum Event {
    /// Open.
    Opened {
        /// How it was opened, whatever has changed since.
        access: Access,
        /// Where its commands go.
        commands: mpsc::UnboundedSender<Command>,
    },
    /// A text frame.
    Frame(String),
    /// Closed, for whatever reason.
    Closed,
    /// It could not be opened; with the security event that this is, and its details.
    Failed(Option<(SecurityEventKind, String)>),
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

impl ConnectError {
    fn security_event(&self) -> Option<(SecurityEventKind, String)> {
        let kind = match self {
            Self::Tls(error) => of_tls(error),
            Self::WebSocket(error) => of_websocket(error),
            Self::TimedOut | Self::Tcp(_) | Self::TlsSetup(_) | Self::HostName(_) => None,
        };
        kind.map(|kind| (kind, self.to_string()))
    }
}

fn of_websocket(error: &tungstenite::Error) -> Option<SecurityEventKind> {
    if let tungstenite::Error::Http(response) = error {
        let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
        return refused
            .contains(&response.status())
            .then_some(SecurityEventKind::FailedToAuthenticateAtCentralSystem);
    }
    // A certificate of ours that TLS 1.3 refuses, it refuses after the handshake.
    if let tungstenite::Error::Io(error) = error {
        return of_tls(error);
    }
    None
}

fn of_tls(error: &io::Error) -> Option<SecurityEventKind> {
    tls::security_event(error.get_ref()?.downcast_ref()?)
}

/// What there is to connect with.
#[derive(Debug)]
pub(crate) struct Line {
    pub address: Address,
    /// `ocpp/verifyCert`; from profile 2 on it is always verified.
    pub verify_certificate: bool,
    pub certificates: Store,
    /// How to connect; a change holds from the next attempt on.
    pub access: watch::Receiver<Access>,
}

/// Starts the task.
pub(crate) fn start(line: Line, ping: watch::Receiver<Ping>) -> mpsc::Receiver<Event> {
    let verifies = line.verify_certificate || line.access.borrow().profile >= TLS_PROFILE;
    if line.address.secure && !verifies {
        tracing::warn!(
            "ocpp/verifyCert is false: the central system's certificate is not verified"
        );
    }
    let (events, inbox) = mpsc::channel(WAITING_FRAMES);
    tokio::spawn(keep_connected(line, ping, events));
    inbox
}

async fn keep_connected(mut line: Line, ping: watch::Receiver<Ping>, events: mpsc::Sender<Event>) {
    let mut wait = FIRST_WAIT;
    let mut previous = false;
    loop {
        // A change starts with the newest certificate.
        previous &= !line.access.has_changed().unwrap_or(false);
        let access = line.access.borrow_and_update().clone();
        let attempt = Attempt::new(&line, &access, previous);
        match attempt.connect().await {
            Ok(socket) => {
                tracing::info!(uri = %attempt.address.uri, profile = access.profile, "connected");
                let opened = Instant::now();
                let (commands, orders) = mpsc::unbounded_channel();
                let opening = Event::Opened { access, commands };
                if events.send(opening).await.is_err() {
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
                if line.access.has_changed().unwrap_or(false) {
                    // Closed for this.
                    continue;
                }
            }
            Err(error) => {
                tracing::warn!(uri = %attempt.address.uri, profile = access.profile, "{error}");
                // A new certificate must not lock the station out: the one before it takes turns.
                previous ^= matches!(error, ConnectError::Tls(_) | ConnectError::WebSocket(_));
                let failed = Event::Failed(error.security_event());
                if events.send(failed).await.is_err() {
                    return;
                }
            }
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

/// One try to open a connection.
struct Attempt<'a> {
    address: Address,
    access: &'a Access,
    line: &'a Line,
    /// With the certificate before the newest one.
    previous: bool,
}

impl<'a> Attempt<'a> {
    fn new(line: &'a Line, access: &'a Access, previous: bool) -> Self {
        let address = if access.profile >= TLS_PROFILE {
            line.address.over_tls()
        } else {
            line.address.clone()
        };
        Self {
            address,
            access,
            line,
            previous,
        }
    }

    async fn connect(&self) -> Result<Socket, ConnectError> {
        timeout(HANDSHAKE_LIMIT, self.shake_hands())
            .await
            .map_err(|_| ConnectError::TimedOut)?
    }

    async fn shake_hands(&self) -> Result<Socket, ConnectError> {
        let address = &self.address;
        let tcp = dial(&address.host, address.port)
            .await
            .map_err(ConnectError::Tcp)?;
        let stream: Box<dyn Stream> = if address.secure {
            Box::new(self.secure(tcp).await?)
        } else {
            Box::new(tcp)
        };
        let mut request =
            ClientRequestBuilder::new(address.uri.clone()).with_sub_protocol("ocpp1.6");
        if let Some(authorization) = self.authorization() {
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

    async fn secure(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, ConnectError> {
        let store = &self.line.certificates;
        let roots = store.roots(CertificateUse::CentralSystemRoot);
        let trust = match self.access.profile {
            TLS_PROFILE.. if !roots.is_empty() => Trust::Only(roots),
            TLS_PROFILE.. => Trust::System(roots),
            _ if self.line.verify_certificate => Trust::System(roots),
            _ => Trust::Unverified,
        };
        let proves = self.access.profile >= CERTIFICATE_PROFILE;
        let older = (proves && self.previous).then(|| store.previous_identity());
        let newest = || proves.then(|| store.identity()).flatten();
        let identity = older.flatten().or_else(newest);
        let config = tls::config(trust, identity)?;
        let host = &self.address.host;
        let name =
            ServerName::try_from(host.clone()).map_err(|_| ConnectError::HostName(host.clone()))?;
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .map_err(ConnectError::Tls)
    }

    fn authorization(&self) -> Option<String> {
        if self.access.profile >= CERTIFICATE_PROFILE {
            return None;
        }
        match &self.access.password {
            Some(password) => Some(self.address.authorization(password)),
            None => self.address.authorization.clone(),
        }
    }
}

async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    // A limit of the central system must not wait for more bytes.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp);
    let ask = TcpKeepalive::new()
        .with_time(ASK_AFTER)
        .with_interval(ASK_AGAIN);
    socket.set_tcp_keepalive(&ask)?;
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGE_LIMIT))?;
    Ok(tcp)
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
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    use tokio_tungstenite::tungstenite::http::HeaderValue;

    #[test]
    fn jitter_spreads_over_the_second_half() {
        let wait = Duration::from_secs(8);
        let waits: Vec<Duration> = (0..100).map(|_| jitter(wait)).collect();
        assert!(waits.iter().all(|one| (wait / 2..=wait).contains(one)));
        assert!(waits.iter().any(|one| *one != waits[0]));
    }

    #[test]
    fn a_connection_is_of_the_way_it_was_opened_in_whatever_changed_meanwhile() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let before = Access {
            profile: 0,
            password: None,
        };
        let after = Access {
            profile: 1,
            ..before.clone()
        };
        let opening = async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let uri = format!("ws://{}/CP1", listener.local_addr().unwrap());
            let (access, changes) = watch::channel(before.clone());
            let line = Line {
                address: Address::parse(&uri).unwrap(),
                verify_certificate: false,
                certificates: Store::new(std::path::Path::new("nowhere"), "CP1"),
                access: changes,
            };
            let off = Ping {
                interval: Duration::ZERO,
                timeout: Duration::ZERO,
            };
            let (_ping, pings) = watch::channel(off);
            let mut events = start(line, pings);
            let (tcp, _) = listener.accept().await.unwrap();
            access.send_replace(after);
            #[allow(clippy::result_large_err, reason = "it is the library's")]
            let accept = |_: &Request, mut response: Response| {
                let protocol = HeaderValue::from_static("ocpp1.6");
                let headers = response.headers_mut();
                headers.insert("Sec-WebSocket-Protocol", protocol);
                Ok(response)
            };
            let _server = accept_hdr_async(tcp, accept).await.unwrap();
            events.recv().await
        };
        match runtime.block_on(async { timeout(HANDSHAKE_LIMIT, opening).await }) {
            Ok(Some(Event::Opened { access, .. })) => assert_eq!(access, before),
            other => panic!("{other:?}"),
        }
    }

    // What the kernel makes of it takes a minute and a link that swallows packets.
    #[test]
    fn a_dead_link_shows_within_two_minutes_without_pings() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let tcp = runtime.block_on(dial("127.0.0.1", port)).unwrap();
        let socket = SockRef::from(&tcp);
        assert!(socket.keepalive().unwrap());
        let asks = socket.tcp_keepalive_time().unwrap() + socket.tcp_keepalive_interval().unwrap();
        // The user time-out ends the asking, too, at the first question after it.
        let silence = socket.tcp_user_timeout().unwrap().unwrap();
        assert!(asks >= silence && asks <= Duration::from_secs(120));
    }
}
