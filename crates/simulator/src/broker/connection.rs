//! One client's connection, from CONNECT to its end.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, PubComp, PubRec, Publish,
    UnsubAck,
};
use rumqttc::mqttbytes::{Error, Protocol, QoS};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::filter;
use super::router::{Router, Session};

/// The first packet must come within this time.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const MAX_PACKET: usize = 1024 * 1024;

type SharedRouter = Arc<Mutex<Router>>;

/// How a connection ended: only a DISCONNECT silences the last will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Disconnected,
    Lost,
}

pub(super) async fn serve(stream: TcpStream, router: SharedRouter) {
    let (reader, mut writer) = stream.into_split();
    let mut packets = PacketReader {
        reader,
        buffer: BytesMut::new(),
    };
    let Ok(Some(Packet::Connect(connect))) = timeout(CONNECT_DEADLINE, packets.next()).await else {
        return;
    };
    if connect.protocol != Protocol::V4 {
        let refusal = ConnAck::new(ConnectReturnCode::RefusedProtocolVersion, false);
        // It is going to be closed either way.
        let _ = write(&mut writer, &[Packet::ConnAck(refusal)]).await;
        return;
    }
    let (session, inbox) = lock(&router).join(&connect.client_id);
    let accepted = ConnAck::new(ConnectReturnCode::Success, false);
    lock(&router).send(&session, Packet::ConnAck(accepted));
    let end = tokio::select! {
        end = read_all(&mut packets, &connect, &session, &router) => end,
        _ = write_all(writer, inbox) => End::Lost,
    };
    lock(&router).leave(&session);
    if let (End::Lost, Some(will)) = (end, connect.last_will) {
        publish_will(&will, &router);
    }
}

async fn read_all(
    packets: &mut PacketReader,
    connect: &Connect,
    session: &Session,
    router: &SharedRouter,
) -> End {
    loop {
        let Some(packet) = within_keep_alive(connect.keep_alive, packets.next()).await else {
            return End::Lost;
        };
        match packet {
            Packet::Publish(publish) if filter::is_topic(&publish.topic) => {
                take_publish(&publish, session, router);
            }
            Packet::PubRel(release) => {
                lock(router).send(session, Packet::PubComp(PubComp::new(release.pkid)));
            }
            Packet::Subscribe(subscribe) => {
                let filters = subscribe
                    .filters
                    .into_iter()
                    .map(|filter| filter.path)
                    .collect();
                lock(router).subscribe(session, subscribe.pkid, filters);
            }
            Packet::Unsubscribe(unsubscribe) => {
                lock(router).unsubscribe(session, &unsubscribe.topics);
                lock(router).send(session, Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
            }
            Packet::PingReq => lock(router).send(session, Packet::PingResp),
            Packet::Disconnect => return End::Disconnected,
            // What only a broker sends, a second CONNECT, a publish to a wildcard.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::Publish(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => return End::Lost,
        }
    }
}

fn take_publish(publish: &Publish, session: &Session, router: &SharedRouter) {
    let mut router = lock(router);
    router.publish(&publish.topic, &publish.payload, publish.retain);
    match publish.qos {
        QoS::AtMostOnce => {}
        QoS::AtLeastOnce => router.send(session, Packet::PubAck(PubAck::new(publish.pkid))),
        QoS::ExactlyOnce => router.send(session, Packet::PubRec(PubRec::new(publish.pkid))),
    }
}

fn publish_will(will: &LastWill, router: &SharedRouter) {
    if filter::is_topic(&will.topic) {
        lock(router).publish(&will.topic, &will.message, will.retain);
    }
}

/// `None` when one and a half keep-alive times pass without a packet.
async fn within_keep_alive(
    seconds: u16,
    packet: impl Future<Output = Option<Packet>>,
) -> Option<Packet> {
    if seconds == 0 {
        return packet.await;
    }
    timeout(Duration::from_millis(u64::from(seconds) * 1500), packet)
        .await
        .ok()
        .flatten()
}

/// Ends when the router drops the connection or the client is gone.
async fn write_all(mut writer: OwnedWriteHalf, mut inbox: mpsc::Receiver<Packet>) {
    let mut batch = Vec::new();
    while inbox.recv_many(&mut batch, 256).await > 0 {
        if write(&mut writer, &batch).await.is_err() {
            return;
        }
        batch.clear();
    }
}

async fn write(writer: &mut OwnedWriteHalf, packets: &[Packet]) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet
            .write(&mut bytes, MAX_PACKET)
            .map_err(io::Error::other)?;
    }
    writer.write_all(&bytes).await
}

struct PacketReader {
    reader: OwnedReadHalf,
    buffer: BytesMut,
}

impl PacketReader {
    /// `None` when the client is gone or sends what is no packet.
    async fn next(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.buffer, MAX_PACKET) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(_) => return None,
            }
            if self.reader.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}

fn lock(router: &SharedRouter) -> MutexGuard<'_, Router> {
    // The router is plain data: a panic elsewhere leaves it usable.
    router.lock().unwrap_or_else(PoisonError::into_inner)
}
