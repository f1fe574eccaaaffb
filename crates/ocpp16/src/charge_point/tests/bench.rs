//! A charge point with its shell and its central system replaced by lists.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::trace::Trace;
use crate::{
    Boot, BootNotification, CacheChange, Change, ChargePoint, CiString, Configuration, DeciAmperes,
    EvseSession, Fault, IdTagInfo, Input, ListUpdate, Millis, Output, Reading, SecuritySettings,
    Settings, Station, Stored, StoredIdentifiers, Time, Timestamp,
};

pub struct Bench {
    pub point: ChargePoint,
    pub now: Millis,
    pub wall_at_zero: Option<Timestamp>,
    pub station: Station,
    pub sent: VecDeque<Value>,
    pub stored: Stored,
    pub configured: Vec<(&'static str, String)>,
    pub permit: Option<bool>,
    pub limit: Option<DeciAmperes>,
    /// Whether the EVSE offers no more than the limit.
    pub evse_follows: bool,
    evse_heard: bool,
    pub operative: Option<bool>,
    pub others: Vec<Output>,
    /// Whether list and cache can be stored.
    pub flash_works: bool,
    pub reserved: Option<bool>,
    /// What the writer of keys answers; `None`: it is silent.
    pub writer: Option<bool>,
    /// Requests that it has not answered.
    pub requested: Vec<String>,
    trace: Trace,
}

/// What the EVSE offers when nothing limits it.
const RATING: DeciAmperes = DeciAmperes(160);

pub fn settings(prefix: &str) -> Settings {
    let identity = BootNotification {
        charge_point_vendor: CiString::truncated("mode3"),
        charge_point_model: CiString::truncated("bench"),
        charge_point_serial_number: None,
        firmware_version: None,
        iccid: None,
        imsi: None,
        meter_type: None,
        meter_serial_number: None,
    };
    Settings {
        identity,
        message_id_prefix: prefix.to_owned(),
        authorises: true,
        status_delay_ms: 0,
        pluggable: true,
        autocharge: true,
        recloser: true,
        transfers: Vec::new(),
        hardware_limit: DeciAmperes(320),
        boot: Boot {
            id: "first boot".to_owned(),
            system: "A".to_owned(),
        },
        offline_after_ms: 120_000,
        security: SecuritySettings::default(),
    }
}

pub fn start_of_time() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

pub fn meter(energy_wh: i64) -> Reading {
    Reading {
        energy_wh: Some(energy_wh),
        current_a: Some(16.0),
        ..Reading::default()
    }
}

/// Applies what a shell would make durable.
pub fn apply(stored: &mut Stored, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::PutTransaction(new) => {
                stored.transactions.retain(|old| old.number != new.number);
                stored.transactions.push(new);
            }
            Change::DeleteTransaction(number) => {
                stored.transactions.retain(|old| old.number != number)
            }
            Change::PutMessage(new) => {
                stored.messages.retain(|old| old.sequence != new.sequence);
                stored.messages.push(new);
            }
            Change::DeleteMessage(sequence) => {
                stored.messages.retain(|old| old.sequence != sequence)
            }
            Change::PutInterim(new) => {
                stored.interim.retain(|old| old.place != new.place);
                stored.interim.push(new);
            }
            Change::DeleteInterim(place) => stored.interim.retain(|old| old.place != place),
            Change::Profiles(profiles) => stored.profiles = profiles,
            Change::Availability { station, connector } => {
                stored.station_operative = station;
                stored.connector_operative = connector;
            }
            Change::Reservation(reservation) => stored.reservation = reservation,
            Change::Registered => stored.registered = true,
            Change::Security(state) => stored.security = *state,
            Change::Firmware(update) => stored.firmware = update.map(|update| *update),
        }
    }
}

fn apply_list(identifiers: &mut StoredIdentifiers, update: &ListUpdate) {
    identifiers.list_version = update.version;
    if update.full {
        identifiers.list.clear();
    }
    for entry in &update.entries {
        let id_tag = entry.id_tag.folded();
        if !update.full {
            identifiers.list.retain(|(known, _)| *known != id_tag);
        }
        let info = entry.info.clone();
        identifiers.list.extend(info.map(|info| (id_tag, info)));
    }
}

fn apply_cache(cache: &mut Vec<(String, IdTagInfo)>, changes: Vec<CacheChange>) {
    for change in changes {
        let (CacheChange::Put(id_tag, _) | CacheChange::Delete(id_tag)) = &change;
        cache.retain(|(known, _)| known != id_tag);
        if let CacheChange::Put(id_tag, info) = change {
            cache.push((id_tag, info));
        }
    }
}

impl Bench {
    /// Not connected; the station is known and idle, the meter shows 1000 Wh.
    pub fn new() -> Self {
        Self::with(
            settings("first"),
            Configuration::default(),
            Stored::default(),
        )
    }

    pub fn with(settings: Settings, configuration: Configuration, mut stored: Stored) -> Self {
        // The board has been running for a while.
        stored.security.boot.clone_from(&settings.boot.id);
        let station = Station {
            session: EvseSession::Idle,
            ev_present: Some(false),
            offered: RATING,
            physical: None,
            phases: None,
            recloser: None,
            faults: Vec::new(),
        };
        let mut bench = Self {
            point: ChargePoint::new(settings, configuration, stored.clone()),
            now: Millis(1_000),
            wall_at_zero: Some(start_of_time()),
            station,
            sent: VecDeque::new(),
            stored,
            configured: Vec::new(),
            permit: None,
            limit: None,
            evse_follows: true,
            evse_heard: false,
            operative: None,
            others: Vec::new(),
            flash_works: true,
            reserved: None,
            writer: Some(true),
            requested: Vec::new(),
            trace: Trace::start("ocpp16"),
        };
        bench.station(|_| {});
        bench.input(Input::Reading(meter(1_000)));
        bench
    }

    /// Connected, accepted with a heartbeat interval of a day, and reported.
    pub fn online() -> Self {
        let mut bench = Self::new();
        bench.connect();
        bench
    }

    pub fn configured(pairs: &[(&str, &str)]) -> Self {
        let mut configuration = Configuration::default();
        for (name, value) in pairs {
            configuration.set(name, value).unwrap();
        }
        Self::with(settings("first"), configuration, Stored::default())
    }

    /// A connection opens in the way that was asked for last.
    pub fn open(&mut self) {
        self.input(Input::SocketOpened(self.point.access()));
    }

    pub fn connect(&mut self) {
        self.open();
        self.accept_boot();
        self.answer("StatusNotification", json!({}));
        self.answer("StatusNotification", json!({}));
        self.expect_silence();
    }

    /// As [`Self::connect`], with security events to follow.
    pub fn connect_with_events(&mut self) {
        self.open();
        self.accept_boot();
        self.answer("StatusNotification", json!({}));
        self.answer("StatusNotification", json!({}));
    }

    /// Connected once more, when the central system knows the station already.
    pub fn connect_again(&mut self) {
        self.open();
        self.drain();
    }

    pub fn accept_boot(&mut self) {
        let time = self.wall().to_string();
        self.answer(
            "BootNotification",
            json!({"status": "Accepted", "currentTime": time, "interval": 86_400}),
        );
    }

    pub fn wall(&self) -> Timestamp {
        start_of_time().plus_millis(i64::try_from(self.now.0).unwrap())
    }

    pub fn time(&self) -> Time {
        let millis = i64::try_from(self.now.0).unwrap();
        Time::new(
            self.now,
            self.wall_at_zero.map(|wall| wall.plus_millis(millis)),
        )
    }

    pub fn input(&mut self, input: Input) {
        let time = self.time();
        let timestamp = self.wall().to_string();
        if matches!(input, Input::SocketOpened(_)) {
            self.trace = Trace::start("ocpp16");
        }
        if let Input::Frame(text) = &input {
            self.trace.of_test(&timestamp, text);
        }
        let mut stored = None;
        let mut written = Vec::new();
        let mut follow = false;
        for output in self.point.handle(time, input) {
            match output {
                Output::StoreList(update) => {
                    if self.flash_works {
                        apply_list(&mut self.stored.identifiers, &update);
                    }
                    stored = Some(Input::ListStored(self.flash_works));
                }
                Output::StoreCache(changes) => {
                    apply_cache(&mut self.stored.identifiers.cache, changes)
                }
                Output::ClearCache => {
                    self.stored.identifiers.cache.clear();
                    stored = Some(Input::CacheCleared(self.flash_works));
                }
                Output::Reserved(reserved) => self.reserved = Some(reserved),
                Output::Send(text) => {
                    self.trace.of_station(&timestamp, &text);
                    self.sent.push_back(serde_json::from_str(&text).unwrap());
                }
                Output::Store(changes) => apply(&mut self.stored, changes),
                Output::Permit(permit) => self.permit = Some(permit),
                Output::Limit(limit) => {
                    self.limit = limit;
                    follow = self.evse_follows;
                }
                Output::Operative(operative) => self.operative = Some(operative),
                Output::Configure {
                    request,
                    name,
                    value,
                } => {
                    written.push(request);
                    if self.writer == Some(true) {
                        self.stored.tried.take_if(|(tried, _)| *tried == name);
                        self.configured
                            .push((Box::leak(name.into_boxed_str()), value));
                    }
                }
                Output::Try {
                    request,
                    name,
                    value,
                } => {
                    written.push(request);
                    if self.writer == Some(true) {
                        self.stored.tried = Some((name, value));
                    }
                }
                other @ (Output::IdTagAnswer(_)
                | Output::Unlock(_)
                | Output::Recloser(_)
                | Output::Install(_)
                | Output::Upload(_)
                | Output::Sign(_)
                | Output::TransferRequest { .. }
                | Output::TransferConfirm { .. }
                | Output::Connect(_)
                | Output::Certificate(_)
                | Output::SecurityEvent(_)
                | Output::SetClock(_)
                | Output::Disconnect
                | Output::Reboot
                | Output::Log(..)) => self.others.push(other),
            }
        }
        let deadline = self.point.deadline();
        assert!(
            deadline.is_none_or(|at| at > self.now),
            "a deadline in the past would spin: {deadline:?}"
        );
        if let Some(stored) = stored {
            self.input(stored);
        }
        if let Some(accepted) = self.writer {
            for request in written {
                self.input(Input::Configured { request, accepted });
            }
        } else {
            self.requested.extend(written);
        }
        if follow && self.evse_heard {
            let offered = self.limit.map_or(RATING, |limit| limit.min(RATING));
            self.station(|station| station.offered = offered);
        }
    }

    /// Lets time pass, waking the charge point at each of its deadlines.
    pub fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1_000);
    }

    pub fn pass_ms(&mut self, milliseconds: u64) {
        let end = self.now.after(milliseconds);
        while let Some(at) = self.point.deadline().filter(|at| *at <= end) {
            self.now = at;
            self.input(Input::Tick);
        }
        self.now = end;
        self.input(Input::Tick);
    }

    pub fn station(&mut self, change: impl FnOnce(&mut Station)) {
        change(&mut self.station);
        self.evse_heard = true;
        let station = self.station.clone();
        self.input(Input::Station(station));
    }

    pub fn evse(&mut self, session: EvseSession) {
        self.station(|station| {
            station.session = session;
            station.ev_present = Some(!matches!(
                session,
                EvseSession::Idle | EvseSession::Authorized
            ));
        });
    }

    pub fn faults(&mut self, faults: &[Fault]) {
        self.station(|station| station.faults = faults.to_vec());
    }

    pub fn tag(&mut self, text: &str) {
        self.input(Input::IdTagPresented(text.to_owned()));
    }

    /// The next frame, which must be a CALL of `action`: its id and payload.
    pub fn expect_call(&mut self, action: &str) -> (String, Value) {
        let frame = self
            .sent
            .pop_front()
            .unwrap_or_else(|| panic!("no {action} was sent"));
        assert_eq!(
            (&frame[0], &frame[2]),
            (&json!(2), &json!(action)),
            "{frame}"
        );
        (frame[1].as_str().unwrap().to_owned(), frame[3].clone())
    }

    /// Nothing was sent that is not taken.
    pub fn expect_silence(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    pub fn result(&mut self, id: &str, payload: Value) {
        self.input(Input::Frame(json!([3, id, payload]).to_string()));
    }

    /// Answers the next CALL, which must be one of `action`; returns its payload.
    pub fn answer(&mut self, action: &str, payload: Value) -> Value {
        let (id, request) = self.expect_call(action);
        self.result(&id, payload);
        request
    }

    /// Answers the next CALL with a CALLERROR; returns its id.
    pub fn answer_error(&mut self, action: &str, code: &str) -> String {
        let (id, _) = self.expect_call(action);
        self.input(Input::Frame(json!([4, id, code, "no", {}]).to_string()));
        id
    }

    /// Sends a CALL; returns the payload of its CALLRESULT.
    pub fn call(&mut self, action: &str, payload: Value) -> Value {
        let frame = self.call_frame(&json!([2, "server-1", action, payload]).to_string());
        assert_eq!(frame[0], json!(3), "{frame}");
        frame[2].clone()
    }

    /// Sends `text`; returns the answer, which must come before anything else that is sent.
    pub fn call_frame(&mut self, text: &str) -> Value {
        let before = self.sent.len();
        self.input(Input::Frame(text.to_owned()));
        self.sent
            .remove(before)
            .unwrap_or_else(|| panic!("{text} was not answered"))
    }

    pub fn status(&mut self, action: &str, payload: Value) -> String {
        self.call(action, payload)["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Acknowledges whatever is sent until all is quiet; returns actions and payloads.
    pub fn drain(&mut self) -> Vec<(String, Value)> {
        let mut seen = Vec::new();
        while let Some(frame) = self.sent.pop_front() {
            let action = frame[2].as_str().unwrap().to_owned();
            let payload = match action.as_str() {
                "StartTransaction" => {
                    json!({"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
                }
                "Authorize" => json!({"idTagInfo": {"status": "Accepted"}}),
                "Heartbeat" => json!({"currentTime": self.wall().to_string()}),
                _ => json!({}),
            };
            let id = frame[1].as_str().unwrap().to_owned();
            seen.push((action, frame[3].clone()));
            self.result(&id, payload);
        }
        seen
    }

    /// The reported states of connector 1 among what is sent now, all acknowledged.
    pub fn reported(&mut self) -> Vec<String> {
        let ours = |(action, payload): (String, Value)| {
            (action == "StatusNotification" && payload["connectorId"] == json!(1))
                .then(|| payload["status"].as_str().unwrap().to_owned())
        };
        self.drain().into_iter().filter_map(ours).collect()
    }

    /// From idle and online to a running transaction with id 7, started remotely.
    pub fn charge(&mut self) {
        assert_eq!(
            self.status("RemoteStartTransaction", json!({"idTag": "driver"})),
            "Accepted"
        );
        self.evse(EvseSession::Connected);
        self.evse(EvseSession::Charging);
        self.drain();
        assert_eq!(self.permit, Some(true));
    }

    /// A new process after the old one died, with the state of its EVSE.
    pub fn restart(&self) -> Self {
        let mut bench = self.new_process();
        bench.station(|_| {});
        bench
    }

    /// A new process that has not heard of its EVSE and its meter yet.
    pub fn new_process(&self) -> Self {
        let mut configuration = Configuration::default();
        for (name, value) in &self.configured {
            configuration.set(name, value).unwrap();
        }
        Self {
            point: ChargePoint::new(settings("second"), configuration, self.stored.clone()),
            now: self.now,
            wall_at_zero: self.wall_at_zero,
            station: self.station.clone(),
            sent: VecDeque::new(),
            stored: self.stored.clone(),
            configured: self.configured.clone(),
            permit: None,
            limit: None,
            evse_follows: true,
            evse_heard: false,
            operative: None,
            others: Vec::new(),
            flash_works: true,
            reserved: None,
            writer: self.writer,
            requested: Vec::new(),
            trace: Trace::start("ocpp16"),
        }
    }
}
