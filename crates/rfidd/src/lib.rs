//! Reads RFID cards and asks for authorization, here or at the stations that share
//! the reader.
//!
//! One task looks at the reader ([`poll`]); the main loop tells presentations from
//! sightings ([`presence`]) and for whom they are meant ([`sharing`]).

mod deprecated;
pub mod poll;
pub mod presence;
pub mod profile;
pub mod reader;
pub mod remote;
pub mod setup;
pub mod sharing;
pub mod sl032;
mod watch;

use std::time::{Duration, Instant};

use daemon_kit::{Context, DaemonOption, Error, Event, Message};
use rs485::{Bus, LocalEcho};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use topic_map::{
    RFID_AUTHORIZATION_REQUEST, RFID_AUTHORIZEREQ, RFID_AVAILABLE, RfidTag, SESSION_STATE,
};

use deprecated::OwnMessages;
use poll::Finding;
use presence::Presence;
use reader::Reader;
use remote::Remotes;
use setup::Source;
use sharing::{Place, Stations};
use watch::Watch;

const NO_LOCAL_ECHO: &str = "no-local-echo";
/// How long a daemon that can't work waits for the broker, to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// This station's place among those that share the reader.
const HERE: Place = 0;

/// The daemon's own options.
pub const OPTIONS: &[DaemonOption] = &[DaemonOption {
    name: NO_LOCAL_ECHO,
    value: None,
    help: "the EIA-485 adapter does not hear itself, other than the board's",
}];

/// Read cards and publish them until asked to stop.
///
/// # Errors
/// When the configuration can't be used; the reader is then marked unavailable.
pub async fn run(mut ctx: Context) -> Result<(), Error> {
    let echo = match ctx.arguments.option(NO_LOCAL_ECHO) {
        Some(_) => LocalEcho::Absent,
        None => LocalEcho::Present,
    };
    let customer = ctx.customer()?;
    let rfid = &customer.port().rfid;
    let source = match Source::new(rfid, &ctx.arguments.config_dir, echo) {
        Ok(source) => source,
        Err(error) => {
            say_unavailable(&mut ctx).await;
            return Err(Error::Configuration(error.to_string()));
        }
    };
    let shared_with = match source {
        Source::Reader(..) => remote::addresses(rfid),
        Source::None | Source::Elsewhere => Vec::new(),
    };
    Daemon::new(ctx, &shared_with).run(source).await;
    Ok(())
}

/// A station whose reader is misconfigured should not look well (guide 3.3.4.11).
async fn say_unavailable(ctx: &mut Context) {
    ctx.bus.publish(&RFID_AVAILABLE, &false);
    let connected = async { while !matches!(ctx.bus.recv().await, Event::Connected) {} };
    if timeout(LAST_WORDS, connected).await.is_err() {
        tracing::warn!("no broker to tell that the reader is unavailable");
    }
}

struct Daemon {
    ctx: Context,
    remotes: Remotes,
    stations: Stations,
    presence: Presence,
    own: OwnMessages,
    is_ready: bool,
    /// The last trouble told, so that it is told once and not every second.
    complaint: Option<String>,
}

impl Daemon {
    fn new(ctx: Context, shared_with: &[remote::Address]) -> Self {
        let remotes = Remotes::connect(shared_with);
        Self {
            ctx,
            stations: Stations::new(remotes.count()),
            remotes,
            presence: Presence::default(),
            own: OwnMessages::default(),
            is_ready: false,
            complaint: None,
        }
    }

    async fn run(self, source: Source) {
        self.ctx.bus.subscribe(&RFID_AUTHORIZEREQ);
        match source {
            Source::None => {
                tracing::info!("ports[0]/rfid/enable is false: there is no reader");
                self.run_without_reader().await;
            }
            Source::Elsewhere => {
                tracing::info!("tags come from another station's reader");
                // Whether that reader works is told by the station that has it.
                self.ctx.bus.publish(&RFID_AVAILABLE, &true);
                self.run_without_reader().await;
            }
            Source::Reader(line, protocol) => {
                tracing::info!(
                    port = %line.port.display(),
                    baud_rate = line.baud_rate.bits_per_second(),
                    parity = ?line.parity,
                    ?protocol,
                    shared_with = self.remotes.count(),
                    "reading cards"
                );
                if self.remotes.count() > 0 {
                    self.ctx.bus.subscribe(&SESSION_STATE);
                }
                self.run_reader(Reader::new(Bus::new(line), protocol)).await;
            }
        }
    }

    async fn run_without_reader(mut self) {
        self.ctx.supervisor.ready();
        loop {
            let heartbeat = Instant::now() + self.ctx.supervisor.heartbeat();
            tokio::select! {
                () = self.ctx.shutdown.requested() => return,
                event = self.ctx.bus.recv() => self.hear(event),
                () = sleep_until(heartbeat.into()) => {}
            }
            self.ctx.supervisor.alive();
        }
    }

    async fn run_reader(mut self, reader: Reader) {
        let (sender, mut findings) = mpsc::channel(1);
        tokio::spawn(poll::run(reader, sender));
        let mut watch = Watch::new(Instant::now());
        loop {
            let deadline = watch.deadline();
            tokio::select! {
                () = self.ctx.shutdown.requested() => break,
                event = self.ctx.bus.recv() => self.hear(event),
                (place, event) = self.remotes.recv() => self.hear_remote(place, event),
                Some(finding) = findings.recv() => self.found(&mut watch, finding),
                () = until(deadline) => if watch.overdue(Instant::now()) {
                    tracing::error!("the reader does not answer: it counts as unavailable");
                    self.publish_available(false);
                },
            }
        }
        // Nobody looks at the reader any more.
        self.ctx.bus.publish(&RFID_AVAILABLE, &false);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Connected => {}
            Event::Disconnected => self.own.lost(),
            Event::Message(message) => {
                self.hear_session(HERE, &message);
                self.hear_deprecated(&message);
            }
        }
    }

    fn hear_remote(&mut self, place: Place, event: Event) {
        match event {
            Event::Connected => self.stations.set_away(place, false),
            Event::Disconnected => self.stations.set_away(place, true),
            Event::Message(message) => self.hear_session(place, &message),
        }
    }

    fn hear_session(&mut self, place: Place, message: &Message) {
        match message.on(&SESSION_STATE) {
            Some(Ok(state)) => {
                self.stations
                    .hear(Instant::now(), place, state, message.retained);
            }
            Some(Err(error)) => tracing::warn!(place, topic = message.topic, %error, "ignored"),
            None => {}
        }
    }

    /// Customer software may still use the old topic (guide 15.17 note).
    fn hear_deprecated(&mut self, message: &Message) {
        match message.on(&RFID_AUTHORIZEREQ) {
            // An old request is no request.
            Some(Ok(_)) if message.retained => {
                tracing::warn!(topic = message.topic, "retained; ignored");
            }
            Some(Ok(tag)) if !self.own.has(Instant::now(), &tag) => {
                self.ctx.bus.publish(&RFID_AUTHORIZATION_REQUEST, &tag);
            }
            Some(Err(error)) => tracing::warn!(topic = message.topic, %error, "ignored"),
            Some(Ok(_)) | None => {}
        }
    }

    fn found(&mut self, watch: &mut Watch, finding: Finding) {
        // The findings come from the task whose health matters.
        self.ctx.supervisor.alive();
        let now = Instant::now();
        match finding {
            Finding::Seen(sighting) => {
                self.complaint = None;
                if watch.answered(now) {
                    tracing::info!("the reader answers");
                    self.publish_available(true);
                }
                if let Some(tag) = self.presence.see(now, sighting) {
                    self.present(now, &tag);
                }
            }
            Finding::Failed(error) => self.complain(error.to_string()),
        }
    }

    fn publish_available(&mut self, available: bool) {
        self.ctx.bus.publish(&RFID_AVAILABLE, &available);
        if !self.is_ready {
            self.is_ready = true;
            self.ctx.supervisor.ready();
        }
    }

    /// A card was held to the reader.
    fn present(&mut self, now: Instant, tag: &RfidTag) {
        if self.remotes.count() == 0 {
            tracing::info!(standard = %tag.standard, "card presented");
            return self.request_here(now, tag);
        }
        match self.stations.select(now) {
            Ok(HERE) => {
                tracing::info!(standard = %tag.standard, "card presented, meant for this station");
                self.request_here(now, tag);
            }
            Ok(place) => {
                tracing::info!(standard = %tag.standard, place, "card presented, meant for a remote station");
                if let Some(remote) = self.remotes.publisher(place) {
                    remote.publish(&RFID_AUTHORIZATION_REQUEST, tag);
                }
            }
            Err(reason) => tracing::info!(standard = %tag.standard, "card ignored: {reason}"),
        }
    }

    fn request_here(&mut self, now: Instant, tag: &RfidTag) {
        self.ctx.bus.publish(&RFID_AUTHORIZATION_REQUEST, tag);
        // What was never sent doesn't come back: the same tag is somebody else's then.
        if self.ctx.bus.try_publish(&RFID_AUTHORIZEREQ, tag) {
            self.own.sent(now, tag.clone());
        }
    }

    fn complain(&mut self, trouble: String) {
        if self.complaint.as_ref() != Some(&trouble) {
            tracing::warn!("{trouble}");
            self.complaint = Some(trouble);
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
