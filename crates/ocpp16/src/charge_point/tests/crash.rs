//! The process dies at every instant between two outputs; the central system must end with one
//! start and one stop for each transaction.

use serde_json::{Value, json};

use super::bench::{apply, meter, settings, start_of_time};
use super::mutation::Dice;
use crate::{
    ChargePoint, Configuration, DeciAmperes, EvseSession, Input, Millis, Output, Station, Stored,
    Time,
};

/// A central system that recognises a repeated message by its id, as OCPP-J intends.
#[derive(Default)]
struct Central {
    answered: Vec<(String, Value)>,
    starts: Vec<Value>,
    stops: Vec<Value>,
    samples: Vec<(i64, i64)>,
}

impl Central {
    fn answer(&mut self, frame: &Value) -> Value {
        let id = frame[1].as_str().unwrap();
        if let Some((_, answer)) = self.answered.iter().find(|(known, _)| known == id) {
            return answer.clone();
        }
        let payload = &frame[3];
        let answer = match frame[2].as_str().unwrap() {
            "BootNotification" => {
                json!({"status": "Accepted", "currentTime": start_of_time().to_string(), "interval": 3600})
            }
            "Authorize" => json!({"idTagInfo": {"status": "Accepted"}}),
            "StartTransaction" => {
                self.starts.push(payload.clone());
                json!({"transactionId": self.starts.len(), "idTagInfo": {"status": "Accepted"}})
            }
            "StopTransaction" => {
                self.stops.push(payload.clone());
                json!({})
            }
            "MeterValues" => {
                let value = payload["meterValue"][0]["sampledValue"][0]["value"]
                    .as_str()
                    .unwrap();
                self.samples.push((
                    payload["transactionId"].as_i64().unwrap(),
                    value.parse().unwrap(),
                ));
                json!({})
            }
            _ => json!({}),
        };
        let answer = json!([3, id, answer]);
        self.answered.push((id.to_owned(), answer.clone()));
        answer
    }

    fn assert_consistent(&self, story: &str) {
        assert_eq!(self.stops.len(), self.starts.len(), "{story}");
        for (start, id) in self.starts.iter().zip(1..) {
            let stops: Vec<&Value> = self
                .stops
                .iter()
                .filter(|stop| stop["transactionId"] == json!(id))
                .collect();
            assert_eq!(stops.len(), 1, "{story}: transaction {id}");
            let (first, last) = (
                start["meterStart"].as_i64().unwrap(),
                stops[0]["meterStop"].as_i64().unwrap(),
            );
            let mut values = vec![first];
            values.extend(
                self.samples
                    .iter()
                    .filter(|(of, _)| *of == id)
                    .map(|(_, value)| *value),
            );
            values.push(last);
            assert!(values.is_sorted(), "{story}: {values:?}");
            assert!(
                stops[0]["timestamp"].as_str() >= start["timestamp"].as_str(),
                "{story}"
            );
        }
    }
}

/// The world outside of the process: it goes on when the process dies.
struct World {
    central: Central,
    stored: Stored,
    now: u64,
    energy: i64,
    session: EvseSession,
    online: bool,
    process: u32,
    /// Outputs until the process dies; `None` lives on.
    fuse: Option<usize>,
    /// Permissions of this process.
    permits: Vec<bool>,
    point: ChargePoint,
}

impl World {
    fn new(fuse: Option<usize>) -> Self {
        let stored = Stored::default();
        let point = process(1, &stored);
        let mut world = Self {
            central: Central::default(),
            stored,
            now: 0,
            energy: 1_000,
            session: EvseSession::Idle,
            online: true,
            process: 1,
            fuse,
            permits: Vec::new(),
            point,
        };
        world.greet();
        world
    }

    /// What a new process learns at once.
    fn greet(&mut self) {
        self.feed(Input::Reading(meter(self.energy)));
        self.feed(Input::Station(self.station()));
        if self.online {
            self.feed(Input::SocketOpened(self.point.access()));
        }
    }

    fn station(&self) -> Station {
        let ev_present = Some(self.session != EvseSession::Idle);
        Station {
            session: self.session,
            ev_present,
            offered: DeciAmperes(160),
            physical: None,
            phases: None,
            recloser: None,
            faults: Vec::new(),
        }
    }

    /// Carries out the outputs one by one, dying when the fuse says so; answers come at once.
    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let wall = start_of_time().plus_millis(i64::try_from(self.now).unwrap());
            for output in self
                .point
                .handle(Time::new(Millis(self.now), Some(wall)), input.clone())
            {
                if self.fuse == Some(0) {
                    self.fuse = None;
                    return self.die();
                }
                self.fuse = self.fuse.map(|fuse| fuse - 1);
                match output {
                    Output::Store(changes) => apply(&mut self.stored, changes),
                    Output::Send(text) if self.online => {
                        let answer = self.central.answer(&serde_json::from_str(&text).unwrap());
                        // The instant between arrival and answer.
                        if self.fuse == Some(0) {
                            self.fuse = None;
                            return self.die();
                        }
                        self.fuse = self.fuse.map(|fuse| fuse - 1);
                        inputs.push(Input::Frame(answer.to_string()));
                    }
                    Output::Permit(permit) => self.permits.push(permit),
                    Output::Send(_)
                    | Output::StoreList(_)
                    | Output::StoreCache(_)
                    | Output::ClearCache
                    | Output::Limit(_)
                    | Output::Reserved(_)
                    | Output::Operative(_)
                    | Output::IdTagAnswer(_)
                    | Output::Unlock(_)
                    | Output::Recloser(_)
                    | Output::Install(_)
                    | Output::Upload(_)
                    | Output::Sign(_)
                    | Output::Connect(_)
                    | Output::Certificate(_)
                    | Output::SecurityEvent(_)
                    | Output::SetClock(_)
                    | Output::Disconnect
                    | Output::Reboot
                    | Output::Configure { .. }
                    | Output::Try { .. }
                    | Output::TransferRequest { .. }
                    | Output::TransferConfirm { .. }
                    | Output::Log(..) => {}
                }
            }
        }
    }

    /// What goes on while the process is dead must go on afterwards.
    fn die(&mut self) {
        self.process += 1;
        self.permits.clear();
        self.point = process(self.process, &self.stored);
        let open = |stored: &Stored| {
            let open = stored.transactions.iter().filter(|one| one.end.is_none());
            open.map(|one| one.number).collect::<Vec<_>>()
        };
        let before = open(&self.stored);
        self.greet();
        if self.session == EvseSession::Charging && !before.is_empty() {
            assert_eq!((before, &self.permits), (open(&self.stored), &vec![true]));
        }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1_000;
            if self.session == EvseSession::Charging {
                self.energy += 3;
                self.feed(Input::Reading(meter(self.energy)));
            }
            self.feed(Input::Tick);
        }
    }

    fn evse(&mut self, session: EvseSession) {
        self.session = session;
        self.feed(Input::Station(self.station()));
    }

    fn set_online(&mut self, online: bool) {
        if self.online != online {
            self.online = online;
            self.feed(if online {
                Input::SocketOpened(self.point.access())
            } else {
                Input::SocketClosed
            });
        }
    }

    fn settle(&mut self) {
        self.evse(EvseSession::Idle);
        self.pass(30);
        self.set_online(true);
        self.pass(400);
    }
}

fn process(number: u32, stored: &Stored) -> ChargePoint {
    let mut configuration = Configuration::default();
    for (name, value) in [
        ("MeterValueSampleInterval", "10"),
        ("AllowOfflineTxForUnknownId", "true"),
        ("HeartbeatInterval", "3600"),
    ] {
        configuration.set(name, value).unwrap();
    }
    ChargePoint::new(
        settings(&format!("process{number}")),
        configuration,
        stored.clone(),
    )
}

/// Two sessions: one online that goes offline, one that starts offline.
fn two_sessions(world: &mut World) {
    world.feed(Input::IdTagPresented("one".to_owned()));
    world.evse(EvseSession::Connected);
    world.evse(EvseSession::Charging);
    world.pass(35);
    world.set_online(false);
    world.pass(25);
    world.evse(EvseSession::Idle);
    world.pass(5);
    world.feed(Input::IdTagPresented("two".to_owned()));
    world.evse(EvseSession::Charging);
    world.pass(25);
    world.set_online(true);
    world.pass(15);
    world.settle();
}

// covers: OC-041, OO-003
#[test]
fn dying_after_any_output_leaves_one_start_and_one_stop() {
    let mut whole = World::new(None);
    two_sessions(&mut whole);
    assert_eq!(whole.central.starts.len(), 2);
    whole.central.assert_consistent("no crash");
    for fuse in 0.. {
        let mut world = World::new(Some(fuse));
        two_sessions(&mut world);
        world
            .central
            .assert_consistent(&format!("crash after {fuse} outputs"));
        assert!(
            world.stored.messages.is_empty() && world.stored.transactions.is_empty(),
            "crash after {fuse} outputs"
        );
        if world.fuse.is_some() {
            assert!(fuse > 60, "the story is too short: {fuse}");
            return;
        }
    }
}

// covers: OC-041
#[test]
fn dying_at_random_again_and_again() {
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    for story in 0..300 {
        let mut world = World::new(Some(dice.below(30)));
        for _ in 0..40 {
            match dice.below(8) {
                0 => world.set_online(false),
                1 => world.set_online(true),
                2 => world.feed(Input::IdTagPresented("user".to_owned())),
                3 => world.evse(EvseSession::Connected),
                4 => world.evse(EvseSession::Charging),
                5 => world.evse(EvseSession::Idle),
                _ => world.pass(u64::try_from(dice.below(20)).unwrap()),
            }
            if world.fuse.is_none() && dice.below(3) == 0 {
                world.fuse = Some(dice.below(20));
            }
        }
        world.fuse = None;
        world.settle();
        world.central.assert_consistent(&format!("story {story}"));
        assert!(
            world.stored.messages.is_empty() && world.stored.transactions.is_empty(),
            "story {story}"
        );
    }
}

#[test]
fn an_interrupted_transaction_closes_with_power_loss_and_the_saved_reading_of_a_silent_meter() {
    let mut world = World::new(None);
    world.feed(Input::IdTagPresented("one".to_owned()));
    world.evse(EvseSession::Charging);
    world.pass(30);
    let saved = world.energy;
    world.session = EvseSession::Idle;
    world.process += 1;
    world.point = process(world.process, &world.stored);
    world.feed(Input::Station(world.station()));
    world.feed(Input::SocketOpened(world.point.access()));
    assert_eq!(world.central.stops.len(), 0, "it waits for the meter first");
    world.pass(11);
    assert_eq!(world.central.stops.len(), 1);
    assert_eq!(world.central.stops[0]["reason"], json!("PowerLoss"));
    assert_eq!(world.central.stops[0]["meterStop"], json!(saved));
}
