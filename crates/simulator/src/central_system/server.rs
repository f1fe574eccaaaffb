//! The socket side: accepts stations, reads what they say, says what the script wants.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::Handshake;
use super::state::{Line, Outgoing, Reply, Shared};

/// How long the answer to BootNotification waits for the station's answers to earlier CALLs.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a peer may take for the TLS and WebSocket handshakes.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const SUBPROTOCOL: &str = "ocpp1.6";

/// What the handle asks of the thread; each is confirmed once it is done.
pub(super) enum Control {
    /// Drop all connections and refuse new ones.
    Close(mpsc::Sender<io::Result<()>>),
    /// Drop all connections and accept new ones.
    Reopen(mpsc::Sender<io::Result<()>>),
}

/// What the handle asks of one connection.
pub(super) enum Order {
    Send(Outgoing),
    Ping(Bytes),
    /// Neither read nor answer, while true: a peer that hangs.
    Freeze(bool),
    /// End the TCP connection without a WebSocket close.
    Drop,
}

/// While the central system is stopped its port stays bound, so that nobody else gets it
/// and connection attempts are refused.
enum Door {
    Open(TcpListener),
    Closed(TcpSocket),
    /// Neither listening nor bound, after the system refused one of them.
    Broken,
}

/// Bind to 127.0.0.1; port 0 chooses a free one.
pub(super) fn bind(port: u16) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serve until the handle is dropped.
pub(super) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut controls: UnboundedReceiver<Control>,
) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut door = Door::Open(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            control = controls.recv() => {
                let Some(control) = control else { return };
                connections.shutdown().await;
                shared.with(|state| state.line = None);
                let (done, moved) = match control {
                    Control::Close(done) => {
                        // The listener has to be gone before its port can be bound again.
                        drop(std::mem::replace(&mut door, Door::Broken));
                        (done, reserve(address).map(Door::Closed))
                    }
                    Control::Reopen(done) => {
                        let socket = match std::mem::replace(&mut door, Door::Broken) {
                            Door::Closed(socket) => Ok(socket),
                            Door::Open(listener) => {
                                drop(listener);
                                reserve(address)
                            }
                            Door::Broken => reserve(address),
                        };
                        (done, socket.and_then(|socket| socket.listen(16)).map(Door::Open))
                    }
                };
                let outcome = moved.map(|moved| door = moved);
                // Nobody waits any more when the handle is gone.
                let _ = done.send(outcome);
            }
            // An attempt that failed on its way in is nobody's loss.
            stream = accept(&door) => if let Some(stream) = stream {
                connections.spawn(receive_station(Arc::clone(&shared), stream, tls.clone()));
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn accept(door: &Door) -> Option<TcpStream> {
    match door {
        Door::Open(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
        Door::Closed(_) | Door::Broken => std::future::pending().await,
    }
}

fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}
type Socket = WebSocketStream<Box<dyn ByteStream>>;

/// One connection from its handshakes to its end.
async fn receive_station(shared: Arc<Shared>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    let handshakes = accept_websocket(&shared, stream, tls);
    let Ok(Some((station, socket))) = timeout(HANDSHAKE_TIME, handshakes).await else {
        return;
    };
    let (orders, received_orders) = unbounded_channel();
    let connection = shared.with(|state| {
        state.connections += 1;
        state.line = Some(Line {
            station,
            connection: state.connections,
            orders: orders.clone(),
        });
        state.connections
    });
    let conversation = Conversation {
        shared,
        connection,
        socket,
        orders,
        withheld: None,
    };
    conversation.run(received_orders).await;
}

/// The station's identity and its socket; none where a handshake failed.
async fn accept_websocket(
    shared: &Shared,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> Option<(String, Socket)> {
    let stream: Box<dyn ByteStream> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await.ok()?),
        None => Box::new(stream),
    };
    let mut station = String::new();
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let judge = |request: &Request, mut response: Response| {
        let handshake = read_handshake(request);
        station.clone_from(&handshake.station);
        if let Err(status) = judge_handshake(shared, handshake) {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = status;
            return Err(refusal);
        }
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
        Ok(response)
    };
    let socket = accept_hdr_async(stream, judge).await.ok()?;
    Some((station, socket))
}

fn read_handshake(request: &Request) -> Handshake {
    let header = |name| {
        let value: &HeaderValue = request.headers().get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let station = request.uri().path().rsplit('/').next();
    Handshake {
        station: station.unwrap_or_default().to_owned(),
        subprotocols: header(SEC_WEBSOCKET_PROTOCOL).unwrap_or_default(),
        authorization: header(AUTHORIZATION),
    }
}

/// Record the attempt; the error is the HTTP status of a refusal.
fn judge_handshake(shared: &Shared, handshake: Handshake) -> Result<(), StatusCode> {
    let mut offers = handshake.subprotocols.split(',').map(str::trim);
    let speaks_ocpp = offers.any(|offer| offer == SUBPROTOCOL);
    let scripted = shared.with(|state| {
        state.handshakes.push(handshake);
        state.script.refusal
    });
    match scripted {
        Some(status) => Err(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)),
        None if speaks_ocpp => Ok(()),
        None => Err(StatusCode::BAD_REQUEST),
    }
}

struct Conversation {
    shared: Arc<Shared>,
    connection: u32,
    socket: Socket,
    /// The sending end of this connection's own orders, for answers that come later.
    orders: UnboundedSender<Order>,
    withheld: Option<Withheld>,
}

/// The answer to BootNotification while the station owes answers to earlier CALLs.
struct Withheld {
    reply: Reply,
    owed: HashSet<String>,
    until: Instant,
}

impl Conversation {
    /// Talk until either side ends the connection.
    async fn run(mut self, mut received_orders: UnboundedReceiver<Order>) {
        let mut frozen = false;
        loop {
            let patience_ends = self.withheld.as_ref().map(|withheld| withheld.until);
            let go_on = tokio::select! {
                // Orders first: what comes after a freeze stays unread.
                biased;
                order = received_orders.recv() => match order {
                    Some(Order::Send(outgoing)) => self.send(outgoing).await,
                    Some(Order::Ping(payload)) => self.write(Message::Ping(payload)).await,
                    Some(Order::Freeze(freeze)) => { frozen = freeze; true }
                    Some(Order::Drop) | None => false,
                },
                message = self.socket.next(), if !frozen => match message {
                    Some(Ok(message)) => self.receive(message).await,
                    Some(Err(_)) | None => false,
                },
                () = sleep_until(patience_ends.unwrap_or_else(Instant::now)),
                    if patience_ends.is_some() && !frozen =>
                {
                    self.release_withheld();
                    true
                }
            };
            if !go_on {
                break;
            }
        }
        self.shared.with(|state| {
            if state
                .line
                .as_ref()
                .is_some_and(|line| line.connection == self.connection)
            {
                state.line = None;
            }
        });
    }

    /// Handle one WebSocket message; false ends the connection.
    async fn receive(&mut self, message: Message) -> bool {
        let message = match message {
            Message::Text(text) => serde_json::from_str(text.as_str())
                .unwrap_or_else(|_| Value::String(text.as_str().to_owned())),
            Message::Binary(bytes) => Value::String(format!("{} binary bytes", bytes.len())),
            Message::Ping(_) => {
                self.shared.with(|state| state.pings += 1);
                return true;
            }
            Message::Pong(payload) => {
                self.shared.with(|state| state.pongs.push(payload));
                return true;
            }
            // Reading on completes the closing handshake.
            Message::Close(_) | Message::Frame(_) => return true,
        };
        let heard = self
            .shared
            .with(|state| state.hear(self.connection, message));
        if let Some(withheld) = &mut self.withheld
            && let Some(id) = &heard.answered_id
        {
            withheld.owed.remove(id);
            if withheld.owed.is_empty() {
                self.release_withheld();
            }
        }
        if let Some(reply) = heard.reply {
            if heard.calls_first.is_empty() {
                self.schedule(reply);
            } else {
                let owed = heard.calls_first.iter().map(|(id, _)| id.clone()).collect();
                self.withheld = Some(Withheld {
                    reply,
                    owed,
                    until: Instant::now() + PATIENCE,
                });
                for (_, call) in heard.calls_first {
                    if !self.send(call).await {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn release_withheld(&mut self) {
        if let Some(withheld) = self.withheld.take() {
            self.schedule(withheld.reply);
        }
    }

    /// Give the answer when its time has come.
    fn schedule(&self, reply: Reply) {
        let order = Order::Send(reply.outgoing);
        if reply.delay.is_zero() {
            // The receiving end lives as long as this conversation.
            let _ = self.orders.send(order);
            return;
        }
        let orders = self.orders.clone();
        tokio::spawn(async move {
            sleep_until(Instant::now() + reply.delay).await;
            // The connection may have ended meanwhile; its answer is lost with it.
            let _ = orders.send(order);
        });
    }

    async fn send(&mut self, outgoing: Outgoing) -> bool {
        let text = outgoing.text.clone();
        self.shared
            .with(|state| state.say(self.connection, outgoing));
        self.write(Message::text(text)).await
    }

    async fn write(&mut self, message: Message) -> bool {
        self.socket.send(message).await.is_ok()
    }
}
