//! The loop: every input goes to the charge point, every output is carried out in order.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use customer_config::ConfigError;
use daemon_kit::{Bus, Context, Error, Event as BusEvent, Message};
use ocpp16::{
    Access, ChargePoint, DeciAmperes, Fault, Input, Millis, Output, RecloserState, SignedRequest,
    StopReason, Stored, Time, Timestamp, hide_credentials,
};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use topic_map as topics;
use topic_map::RequestId;
use topics::{AuthorizationResult, Availability, CurrentLimit};

use crate::certificates::Clerk;
use crate::configuration;
use crate::connection::{self, Command, Event, Line, Ping};
use crate::data_transfer::{self, Services};
use crate::database::Database;
use crate::database::authorizations::{Authorizations, Order};
use crate::installer;
use crate::keys;
use crate::security_log::SecurityLog;
use crate::settings::Station;
use crate::station::{Levels, evse_started, signed_request};
use crate::upload::Uploader;

/// A fault of the database shows at least that long: one that is over before the central system
/// can be told would never be noticed, though records are lost.
const FAULT_SHOWS: Duration = Duration::from_secs(20);

/// `ocpp/enable` is false: say so, and wait for the end.
pub(crate) async fn stay_away(mut context: Context) -> Result<(), Error> {
    tracing::info!("ocpp/enable is false: no connection");
    context.bus.publish(&topics::OCPP_ONLINE, &false);
    context.supervisor.ready();
    loop {
        tokio::select! {
            () = context.shutdown.requested() => return Ok(()),
            _ = context.bus.recv() => {}
            () = sleep_until(Instant::now() + context.supervisor.heartbeat()) => context.supervisor.alive(),
        }
    }
}

/// Connects the station until asked to stop.
pub(crate) async fn serve(mut context: Context, station: Station) -> Result<(), Error> {
    let authorises = station.settings.authorises;
    let (database, mut stored, fault) = open_database(&station);
    let uri = station.address.uri.to_string();
    let (authorizations, identifiers, mut authorized) =
        Authorizations::open(&station.state_dir, &uri);
    stored.identifiers = identifiers;
    stored.tried = station.tried;
    let point = ChargePoint::new(station.settings, station.configuration, stored);
    let (ping, ping_changes) = watch::channel(ping_of(&point));
    let uploads = Uploader::new(&station.state_dir, station.logs);
    let (uploads, mut upload_ends) = uploads;
    let (access, access_changes) = watch::channel(point.access());
    let line = Line {
        address: station.address,
        verify_certificate: station.verify_certificate,
        certificates: station.certificates.clone(),
        access: access_changes,
    };
    let mut events = connection::start(line, ping_changes);
    let certificates = station
        .certificates
        .start()
        .map_err(|error| Error::failed("start a thread", error.to_string()))?;
    Levels::subscribe(&context.bus);
    configuration::subscribe(&context.bus);
    Services::subscribe(&context.bus);
    context.bus.subscribe(&topics::EVSE_BASIC_MAXCURRENTLIMIT);
    context.bus.subscribe(&topics::AUTHORIZATION_STATUS);
    let installer = installer::Watched::subscribe(&context.bus);
    context.bus.publish(&topics::OCPP_ONLINE, &false);

    let mut daemon = Daemon {
        point,
        bus: context.bus,
        bus_connected: false,
        database,
        authorizations,
        commands: None,
        ping,
        levels: Levels::new(station.peripherals),
        services: Services::default(),
        authorises,
        permit: None,
        limit: None,
        state_dir: station.state_dir,
        stored_fault: fault,
        fault_until: Instant::now() + FAULT_SHOWS,
        started: Instant::now(),
        clock_noted: false,
        reboot_command: station.reboot_command,
        set_clock_command: station.set_clock_command,
        uploads,
        installer,
        access,
        certificates,
        security_log: station.security_log,
    };
    if daemon.now().wall.is_some() {
        daemon.bus.publish(&topics::GLOBAL_TIME_SET_STATUS, &true);
    }
    daemon.handle(Input::StoreFault(fault)).await;
    context.supervisor.ready();
    let mut alive = Instant::now();
    loop {
        let wake = daemon.wake().map_or(alive, |deadline| deadline.min(alive));
        tokio::select! {
            () = context.shutdown.requested() => break,
            event = daemon.bus.recv() => daemon.bus_event(event).await,
            event = events.recv() => match event {
                Some(event) => daemon.connection_event(event).await,
                None => return Err(Error::failed("keep the connection", "its task has ended")),
            },
            Some((answer, known)) = daemon.certificates.answer() => {
                daemon.handle(Input::Certificate(Box::new(answer), known)).await;
            }
            Some(input) = authorized.recv() => daemon.handle(input).await,
            Some((number, outcome)) = upload_ends.recv() => {
                daemon.handle(Input::UploadEnded { number, outcome }).await;
            }
            () = sleep_until(wake) => {
                daemon.handle(Input::Tick).await;
                if Instant::now() >= alive {
                    context.supervisor.alive();
                    alive = Instant::now() + context.supervisor.heartbeat();
                }
            }
        }
    }
    daemon.farewell().await;
    Ok(())
}

/// Without a database nobody can charge, but the central system is told why.
fn open_database(station: &Station) -> (Option<Database>, Stored, Option<Fault>) {
    match Database::open(&station.state_dir, &station.address.uri.to_string()) {
        Ok(opened) => (Some(opened.database), opened.stored, opened.set_aside),
        Err(error) => {
            tracing::error!(
                "{}: {error}; charging is not possible",
                station.state_dir.display()
            );
            (None, Stored::default(), Some(error.fault()))
        }
    }
}

fn ping_of(point: &ChargePoint) -> Ping {
    let (interval, timeout) = point.ping();
    Ping {
        interval: Duration::from_secs(interval),
        timeout: Duration::from_secs(timeout),
    }
}

struct Daemon {
    point: ChargePoint,
    bus: Bus,
    bus_connected: bool,
    database: Option<Database>,
    authorizations: Authorizations,
    /// Of the connection that is open.
    commands: Option<mpsc::UnboundedSender<Command>>,
    ping: watch::Sender<Ping>,
    levels: Levels,
    services: Services,
    authorises: bool,
    /// The permission last decided; `None` before that, and when somebody else decides.
    permit: Option<bool>,
    /// The limit last published; `None` before the first one.
    limit: Option<Option<DeciAmperes>>,
    state_dir: PathBuf,
    stored_fault: Option<Fault>,
    /// Until then it shows even if the database works again.
    fault_until: Instant,
    started: Instant,
    clock_noted: bool,
    reboot_command: String,
    set_clock_command: Option<String>,
    uploads: Uploader,
    installer: installer::Watched,
    /// How to connect.
    access: watch::Sender<Access>,
    certificates: Clerk,
    security_log: SecurityLog,
}

/// Keeps the value of a key.
type Save = fn(&Path, &str, &str) -> Result<(), ConfigError>;

impl Daemon {
    fn wake(&self) -> Option<Instant> {
        self.point
            .deadline()
            .map(|Millis(at)| self.started + Duration::from_millis(at))
    }

    async fn bus_event(&mut self, event: BusEvent) {
        match event {
            // Not retained, so it is sent again: the broker may have restarted.
            BusEvent::Connected => {
                self.bus_connected = true;
                self.publish_permit();
            }
            BusEvent::Disconnected => self.bus_connected = false,
            BusEvent::Message(message) => self.message(&message).await,
        }
    }

    async fn message(&mut self, message: &Message) {
        if evse_started(message) {
            self.publish_permit();
        }
        if message.retained
            && let Some(Ok(limit)) = message.on(&topics::EVSE_BASIC_MAXCURRENTLIMIT)
        {
            return self.correct_limit(limit);
        }
        if let Some(Ok(permit)) = message.on(&topics::AUTHORIZATION_STATUS) {
            return self.correct_permit(permit);
        }
        let input = configuration::input(message)
            .or_else(|| self.installer.take(message))
            .or_else(|| self.services.take(&self.bus, message))
            .or_else(|| self.levels.take(message));
        if let Some(input) = input {
            self.handle(input).await;
        }
    }

    async fn connection_event(&mut self, event: Event) {
        match event {
            Event::Opened { access, commands } => {
                self.commands = Some(commands);
                self.bus.publish(&topics::OCPP_ONLINE, &true);
                self.handle(Input::SocketOpened(access)).await;
            }
            Event::Frame(text) => {
                tracing::debug!(frame = without_secrets(&text), "received");
                self.handle(Input::Frame(text)).await;
            }
            Event::Failed(reason) => self.handle(Input::ConnectionFailed(reason)).await,
            Event::Closed => {
                self.commands = None;
                self.bus.publish(&topics::OCPP_ONLINE, &false);
                self.handle(Input::SocketClosed).await;
            }
        }
    }

    /// Feeds `input`, and what its outputs lead to.
    async fn handle(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.point.handle(self.now(), input) {
                inputs.extend(self.carry_out(output).await);
            }
        }
        let ping = ping_of(&self.point);
        self.ping
            .send_if_modified(|known| std::mem::replace(known, ping) != ping);
    }

    async fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send(text) => self.command(Command::Send(text)),
            Output::Store(changes) => return self.store(changes).await,
            Output::StoreList(update) => self.authorizations.order(Order::List(update)),
            Output::StoreCache(changes) => self.authorizations.order(Order::Cache(changes)),
            Output::ClearCache => self.authorizations.order(Order::ClearCache),
            Output::Reserved(reserved) => {
                self.bus.publish(&topics::SESSION_RESERVED, &reserved);
            }
            Output::Permit(permit) => {
                self.permit = Some(permit);
                self.publish_permit();
            }
            Output::Limit(limit) => self.publish_limit(limit),
            Output::Operative(operative) => {
                let availability = if operative {
                    Availability::Operative
                } else {
                    Availability::Inoperative
                };
                self.bus
                    .publish(&topics::OCPP_AVAILABILITY_TARGET, &availability);
            }
            Output::IdTagAnswer(accepted) => {
                tracing::info!(accepted, "identifier checked");
                let result = if accepted {
                    AuthorizationResult::Accepted
                } else {
                    AuthorizationResult::Rejected
                };
                self.bus.publish(&topics::AUTHORIZATION_RESULT, &result);
            }
            Output::Unlock(request) => match RequestId::new(&request) {
                Some(request) => self
                    .bus
                    .publish(&topics::PLUG_LOCK_UNLOCK_REQUEST, &request),
                None => tracing::error!(request, "no name for a request: not unlocked"),
            },
            Output::Recloser(wanted) => {
                let target = match wanted {
                    RecloserState::Open => topics::RecloserState::Open,
                    RecloserState::Close => topics::RecloserState::Close,
                };
                self.bus
                    .publish(&topics::RCD_RECLOSER_STATE_TARGET, &target);
            }
            Output::Install(order) => installer::order(&self.bus, &order),
            Output::Upload(upload) => self.uploads.start(*upload),
            Output::Sign(request) => self.ask_signature(&request),
            Output::TransferRequest { id, transfer } => {
                data_transfer::request(&self.bus, id, transfer);
            }
            Output::TransferConfirm {
                service,
                id,
                answer,
            } => data_transfer::confirm(&self.bus, &service, id, answer),
            Output::Configure {
                request,
                name,
                value,
            } if !configuration::in_customer_json(&name) => {
                return Some(self.keep(request, name, value, keys::save).await);
            }
            Output::Try {
                request,
                name,
                value,
            } => return Some(self.keep(request, name, value, keys::save_tried).await),
            Output::Configure {
                request,
                name,
                value,
            } => match configuration::request(request.clone(), &name, value) {
                Some(request) => self.bus.publish(&topics::CONFIGURATION_SET, &request),
                None => {
                    return Some(Input::Configured {
                        request,
                        accepted: false,
                    });
                }
            },
            Output::Connect(access) => {
                tracing::info!(profile = access.profile, "connecting anew");
                // Also when it is the same: the station's certificate may be another.
                self.access.send_replace(access);
                self.command(Command::Close);
            }
            Output::Certificate(order) => self.certificates.order(*order),
            Output::SecurityEvent(event) => self.security_log.add(&event),
            Output::SetClock(time) => self.set_clock(time),
            Output::Disconnect => {
                tracing::warn!("the central system is silent: the connection is given up");
                self.command(Command::Close);
            }
            Output::Reboot => {
                tracing::warn!(command = self.reboot_command, "restarting the station");
                self.command(Command::Close);
                run(&self.reboot_command, None);
            }
            Output::Log(true, text) => tracing::warn!("{text}"),
            Output::Log(false, text) => tracing::info!("{text}"),
        }
        None
    }

    /// Returns when the changes are durable; a change of the database's health is an input.
    async fn store(&mut self, changes: Vec<ocpp16::Change>) -> Option<Input> {
        let database = self.database.as_ref()?;
        let fault = match database.apply(changes).await {
            Ok(()) => self
                .stored_fault
                .filter(|_| Instant::now() < self.fault_until),
            Err(error) => {
                tracing::error!("{error}");
                self.fault_until = Instant::now() + FAULT_SHOWS;
                Some(error.fault())
            }
        };
        let changed = fault != self.stored_fault;
        self.stored_fault = fault;
        changed.then_some(Input::StoreFault(fault))
    }

    /// Writes a key that customer.json has no place for; returns when it is durable, or is not.
    async fn keep(&self, request: String, name: String, value: String, save: Save) -> Input {
        let state_dir = self.state_dir.clone();
        let saved = spawn_blocking(move || save(&state_dir, &name, &value)).await;
        let error = match saved {
            Ok(saved) => saved.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = &error {
            tracing::error!("{error}");
        }
        let accepted = error.is_none();
        Input::Configured { request, accepted }
    }

    fn command(&self, command: Command) {
        // A connection that has just ended takes no command; the charge point hears of it next.
        if let Some(commands) = &self.commands
            && commands.send(command).is_err()
        {
            tracing::debug!("the connection has ended");
        }
    }

    /// One permission is for one session, so it is not retained (guide 15.21).
    fn publish_permit(&self) {
        if let Some(permit) = self.permit.filter(|_| self.bus_connected) {
            self.bus
                .publish_once(&topics::AUTHORIZATION_STATUS, &permit);
        }
    }

    /// Nobody else decides who may charge (guide 15.21). Our own word comes back too.
    fn correct_permit(&mut self, seen: bool) {
        if self.authorises && self.permit.is_some_and(|permit| permit != seen) {
            tracing::info!(
                seen,
                "the permission on the broker is not the one decided here"
            );
            self.publish_permit();
        }
    }

    /// "No limit" is not published before there was one: it would end the failsafe limit, which
    /// holds until the central system has set a limit (guide 14.1 table 47).
    fn publish_limit(&mut self, limit: Option<DeciAmperes>) {
        if limit.is_some() || self.limit.is_some() {
            self.limit = Some(limit);
            self.bus
                .publish(&topics::EVSE_BASIC_MAXCURRENTLIMIT, &current_limit(limit));
        }
    }

    /// The broker kept a limit of a former process: it must not outlive its profile.
    fn correct_limit(&mut self, retained: CurrentLimit) {
        let limit = self.limit.flatten();
        if retained != current_limit(limit) {
            self.limit = Some(limit);
            self.bus
                .publish(&topics::EVSE_BASIC_MAXCURRENTLIMIT, &current_limit(limit));
        }
    }

    fn ask_signature(&self, request: &SignedRequest) {
        if let Some(request) = signed_request(request) {
            self.bus.publish(&topics::METERING_SIGNED_REQUEST, &request);
        }
    }

    fn set_clock(&mut self, time: Timestamp) {
        match &self.set_clock_command {
            Some(command) => {
                tracing::info!(%time, "setting the system clock");
                run(command, Some(time.to_string()));
                self.bus.publish(&topics::GLOBAL_TIME_SET_STATUS, &true);
            }
            // Said once: it comes with every heartbeat.
            None if !self.clock_noted => {
                self.clock_noted = true;
                tracing::warn!(%time, "the system clock differs from the central system's; it is not set");
            }
            None => {}
        }
    }

    /// Nobody may charge without a record: permission ends, and the transaction with it.
    async fn farewell(&mut self) {
        self.handle(Input::StopRequested(StopReason::Reboot)).await;
        if self.authorises {
            self.bus.publish_once(&topics::AUTHORIZATION_STATUS, &false);
        }
        self.bus.publish(&topics::OCPP_ONLINE, &false);
        self.command(Command::Close);
    }

    fn now(&self) -> Time {
        let monotonic = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let wall = wall
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .map(Timestamp::from_unix_millis);
        Time::new(Millis(monotonic), wall)
    }
}

fn current_limit(limit: Option<DeciAmperes>) -> CurrentLimit {
    CurrentLimit::from_deciamperes(limit.map(|DeciAmperes(deci)| deci))
}

/// A received frame as it may be logged.
fn without_secrets(text: &str) -> String {
    if text.to_ascii_lowercase().contains("authorizationkey") {
        "with an AuthorizationKey, not shown".to_owned()
    } else {
        hide_credentials(text)
    }
}

/// Runs a command of the configuration, its words separated by blanks, beside the loop.
fn run(command: &str, argument: Option<String>) {
    let mut words = command
        .split_whitespace()
        .map(str::to_owned)
        .chain(argument);
    let Some(program) = words.next() else { return };
    let mut process = Process::new(program);
    process.args(words);
    let command = command.to_owned();
    std::thread::spawn(move || match process.status() {
        Ok(status) if status.success() => tracing::info!(command, "done"),
        Ok(status) => tracing::error!(command, "{status}"),
        Err(error) => tracing::error!(command, "{error}"),
    });
}
