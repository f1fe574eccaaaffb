//! The control socket: one JSON object per line in, one per line out.
//!
//! `{"do":"plug_in","cable":"a32"}` is answered by `{"ok":true}`,
//! `{"get":"state"}` by the state, and a mistake by `{"ok":false,"error":"..."}`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use board::lines::OutputLine;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::plant::Plant;
use crate::plant::contactor::{Contactor, ContactorFault, Feedback};
use crate::plant::lock::{Bolt, Jam, LockType};
use crate::plant::pilot::{Diode, Generator, PilotWire};
use crate::plant::plug::Cable;
use crate::plant::sensors::{AdcFault, RotarySwitch};
use crate::socket_server::SocketServer;
use crate::station::StationHandle;

/// A longer line is no command.
const LINE_LIMIT: u64 = 64 * 1024;

/// Offer a station's knobs and dials at `path` until the server is dropped.
///
/// # Errors
/// When the socket can't be made.
pub fn listen(path: &Path, station: StationHandle) -> io::Result<SocketServer> {
    SocketServer::listen(path, move |client| converse(client, &station))
}

fn converse(mut stream: &UnixStream, station: &StationHandle) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if (&mut lines).take(LINE_LIMIT).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut answer = execute(&line, station).to_string();
        answer.push('\n');
        stream.write_all(answer.as_bytes())?;
    }
}

/// Carry out one line.
pub fn execute(line: &str, station: &StationHandle) -> Value {
    let result =
        serde_json::from_str::<Map<String, Value>>(line).map_err(|error| error.to_string());
    match result.and_then(|object| dispatch(object, station)) {
        Ok(answer) => answer,
        Err(error) => json!({"ok": false, "error": error}),
    }
}

fn dispatch(object: Map<String, Value>, station: &StationHandle) -> Result<Value, String> {
    let text = |error: serde_json::Error| error.to_string();
    if object.contains_key("get") {
        let query: Query = serde_json::from_value(object.into()).map_err(text)?;
        return query.answer(station).map_err(text);
    }
    let action: Action = serde_json::from_value(object.into()).map_err(text)?;
    action.carry_out(&mut station.plant())?;
    Ok(json!({"ok": true}))
}

/// What can be looked at.
#[derive(Debug, Deserialize)]
#[serde(tag = "get", rename_all = "snake_case", deny_unknown_fields)]
enum Query {
    State {},
    Edges {
        #[serde(default)]
        since_us: u64,
    },
}

/// What can be done; a field that is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Action {
    PlugIn {
        cable: Cable,
    },
    InsertCable {
        cable: Cable,
    },
    ConnectVehicle {},
    DisconnectVehicle {},
    Unplug {},
    PullOut {},
    RequestEnergy {},
    StopRequest {},
    /// Some of [`VehicleSettings`](crate::plant::vehicle::VehicleSettings).
    Vehicle {
        set: Map<String, Value>,
    },
    Pilot {
        wire: Option<PilotWire>,
        diode: Option<Diode>,
    },
    Contactor {
        relay: Relay,
        fault: Option<ContactorFault>,
        feedback: Option<Feedback>,
        sense: Option<Sense>,
        close_ms: Option<u32>,
        open_ms: Option<u32>,
        bounce_ms: Option<u32>,
    },
    Lock {
        motor: Option<LockType>,
        jam: Option<Jam>,
        /// 0.0 unlocked to 1.0 locked, moved by hand.
        position: Option<f64>,
        /// Millivolts, or -1 to let the end switch speak again.
        stuck_sense_mv: Option<i32>,
        driver_fault: Option<bool>,
        capacitor: Option<f64>,
        charge_ms: Option<u32>,
        travel_ms: Option<u32>,
    },
    Rotary {
        position: u8,
        #[serde(default)]
        between: bool,
    },
    DigitalInput {
        input: u8,
        high: bool,
    },
    Adc {
        channel: AdcChannel,
        fault: AdcFault,
    },
    /// Input lines that can't be read, an output line that can't be written
    /// (`""` for none), a generator that can't be set.
    Fail {
        inputs: Option<bool>,
        output: Option<String>,
        pilot_pwm: Option<bool>,
    },
    Supply {
        voltage: Option<[f64; 3]>,
        frequency: Option<f64>,
        energy_factor: Option<f64>,
        relay_2_switches_l2_l3: Option<bool>,
    },
}

/// One of the two relays.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u8")]
enum Relay {
    One,
    Two,
}

impl TryFrom<u8> for Relay {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("relay {other}: there are 1 and 2")),
        }
    }
}

/// What a sense line does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sense {
    Free,
    StuckActive,
    StuckInactive,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AdcChannel {
    LockSense,
    PilotPositive,
    PilotNegative,
    LockCapacitor,
    Proximity,
}

impl Action {
    fn carry_out(self, plant: &mut Plant) -> Result<(), String> {
        match self {
            Self::PlugIn { cable } => plant.plug_in(cable),
            Self::InsertCable { cable } => plant.insert_cable(cable),
            Self::ConnectVehicle {} => plant.connect_vehicle(),
            Self::DisconnectVehicle {} => plant.disconnect_vehicle(),
            Self::Unplug {} => plant.unplug().map_err(|held| held.to_string())?,
            Self::PullOut {} => plant.pull_out(),
            Self::RequestEnergy {} => plant.request_energy(),
            Self::StopRequest {} => plant.stop_request(),
            Self::Vehicle { set } => change_vehicle(plant, set)?,
            Self::Pilot { wire, diode } => {
                put(&mut plant.pilot_wire, wire);
                put(&mut plant.diode, diode);
            }
            Self::Contactor {
                relay,
                fault,
                feedback,
                sense,
                close_ms,
                open_ms,
                bounce_ms,
            } => {
                let contactor = contactor(plant, relay);
                put(&mut contactor.fault, fault);
                put(&mut contactor.feedback, feedback);
                put(&mut contactor.stuck_sense, sense.map(Sense::stuck));
                put(&mut contactor.close_ms, close_ms);
                put(&mut contactor.open_ms, open_ms);
                put(&mut contactor.bounce_ms, bounce_ms);
            }
            Self::Lock {
                motor,
                jam,
                position,
                stuck_sense_mv,
                driver_fault,
                capacitor,
                charge_ms,
                travel_ms,
            } => {
                let lock = &mut plant.lock;
                put(&mut lock.kind, motor);
                put(&mut lock.jam, jam);
                put(
                    &mut lock.stuck_sense_mv,
                    stuck_sense_mv.map(|mv| (mv >= 0).then_some(mv)),
                );
                put(&mut lock.driver_fault, driver_fault);
                put(&mut lock.charge_ms, charge_ms);
                put(&mut lock.travel_ms, travel_ms);
                if let Some(position) = position {
                    lock.tamper(position);
                }
                if let Some(volts) = capacitor {
                    lock.charge(volts);
                }
            }
            Self::Rotary { position, between } => {
                if position > 15 {
                    return Err(format!("position {position}: allowed are 0 to 15"));
                }
                plant.rotary = if between {
                    RotarySwitch::Between(position)
                } else {
                    RotarySwitch::At(position)
                };
            }
            Self::DigitalInput { input, high } => {
                if !(1..=6).contains(&input) {
                    return Err(format!("input {input}: allowed are 1 to 6"));
                }
                plant.set_digital_input(input, high);
            }
            Self::Adc { channel, fault } => break_channel(plant, channel, fault)?,
            Self::Fail {
                inputs,
                output,
                pilot_pwm,
            } => {
                put(&mut plant.input_lines_fail, inputs);
                put(&mut plant.pilot_pwm_refused, pilot_pwm);
                if let Some(name) = output {
                    plant.refused_line = output_line(&name)?;
                }
            }
            Self::Supply {
                voltage,
                frequency,
                energy_factor,
                relay_2_switches_l2_l3,
            } => {
                put(&mut plant.voltage, voltage);
                put(&mut plant.frequency, frequency);
                put(&mut plant.energy_factor, energy_factor);
                put(&mut plant.relay_2_switches_l2_l3, relay_2_switches_l2_l3);
            }
        }
        Ok(())
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn contactor(plant: &mut Plant, relay: Relay) -> &mut Contactor {
    let [first, second] = &mut plant.contactors;
    match relay {
        Relay::One => first,
        Relay::Two => second,
    }
}

impl Sense {
    fn stuck(self) -> Option<bool> {
        match self {
            Self::Free => None,
            Self::StuckActive => Some(true),
            Self::StuckInactive => Some(false),
        }
    }
}

fn change_vehicle(plant: &mut Plant, changes: Map<String, Value>) -> Result<(), String> {
    let settings = &mut plant.vehicle.settings;
    let text = |error: serde_json::Error| error.to_string();
    let mut merged = serde_json::to_value(&*settings).map_err(text)?;
    if let Value::Object(merged) = &mut merged {
        merged.extend(changes);
    }
    *settings = serde_json::from_value(merged).map_err(text)?;
    Ok(())
}

fn break_channel(plant: &mut Plant, channel: AdcChannel, fault: AdcFault) -> Result<(), String> {
    if let AdcFault::Frozen(count @ 4096..) = fault {
        return Err(format!("frozen at {count}: allowed are 0 to 4095"));
    }
    let faults = &mut plant.adc_faults;
    *match channel {
        AdcChannel::LockSense => &mut faults.lock_sense,
        AdcChannel::PilotPositive => &mut faults.pilot_positive,
        AdcChannel::PilotNegative => &mut faults.pilot_negative,
        AdcChannel::LockCapacitor => &mut faults.lock_capacitor,
        AdcChannel::Proximity => &mut faults.proximity,
    } = fault;
    Ok(())
}

fn output_line(name: &str) -> Result<Option<OutputLine>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let line = OutputLine::ALL.into_iter().find(|line| line.name() == name);
    line.map(Some)
        .ok_or_else(|| format!("no output line is called {name}"))
}

impl Query {
    fn answer(self, station: &StationHandle) -> serde_json::Result<Value> {
        match self {
            Self::State {} => serde_json::to_value(State::of(&station.plant())),
            Self::Edges { since_us } => serde_json::to_value(station.edges_since(since_us)),
        }
    }
}

/// What a person with instruments sees, as JSON.
#[derive(Debug, Serialize)]
struct State {
    at_us: u64,
    cable: Option<Cable>,
    vehicle: char,
    wants_energy: bool,
    pilot_driven: bool,
    /// Percent with two decimals; absent while released.
    duty: Option<f64>,
    pilot_high: f64,
    pilot_low: f64,
    relay_commands: [bool; 2],
    contacts: [bool; 2],
    bolt: Bolt,
    lock_capacitor: f64,
    lock_sense_mv: i32,
    rotary: RotarySwitch,
    digital_outputs: [bool; 6],
    voltage: [f64; 3],
    current: [f64; 3],
    energy_wh: f64,
}

impl State {
    fn of(plant: &Plant) -> Self {
        let hundredths = |value: f64| (value * 100.0).round() / 100.0;
        let generator = plant.generator();
        let pilot = plant.pilot_extremes();
        let readings = plant.readings();
        Self {
            at_us: plant.now_us(),
            cable: plant.cable(),
            vehicle: plant.vehicle.state(),
            wants_energy: plant.vehicle.wants_energy(),
            pilot_driven: generator != Generator::Released,
            duty: match generator {
                Generator::Driven(duty) => Some(hundredths(duty * 100.0)),
                Generator::Released => None,
            },
            pilot_high: hundredths(pilot.high),
            pilot_low: hundredths(pilot.low),
            relay_commands: plant.relay_commands(),
            contacts: [
                plant.contactors[0].is_closed(),
                plant.contactors[1].is_closed(),
            ],
            bolt: plant.lock.bolt(),
            lock_capacitor: hundredths(plant.lock.capacitor()),
            lock_sense_mv: plant.lock.sense_mv(),
            rotary: plant.rotary,
            digital_outputs: plant.digital_outputs(),
            voltage: readings.voltage,
            current: readings.current.map(hundredths),
            energy_wh: hundredths(readings.energy_wh),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Station;

    fn station() -> (Station, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Station::start(&dir.path().join("board.sock")).unwrap(), dir)
    }

    #[test]
    fn actions_act_and_the_state_shows_it() {
        let (station, _dir) = station();
        for line in [
            r#"{"do":"plug_in","cable":"a32"}"#,
            r#"{"do":"request_energy"}"#,
            r#"{"do":"vehicle","set":{"max_current":16,"phases":1}}"#,
            r#"{"do":"pilot","diode":"shorted"}"#,
            r#"{"do":"contactor","relay":2,"fault":"welded","feedback":"nc","sense":"stuck_active"}"#,
            r#"{"do":"lock","motor":"KUESTER-04S","jam":"cannot_unlock","position":1.0,"capacitor":5}"#,
            r#"{"do":"rotary","position":5,"between":true}"#,
            r#"{"do":"digital_input","input":1,"high":true}"#,
            r#"{"do":"adc","channel":"proximity","fault":{"frozen":77}}"#,
            r#"{"do":"fail","output":"RELAY_1_ENABLE"}"#,
            r#"{"do":"supply","energy_factor":60}"#,
        ] {
            assert_eq!(execute(line, &station), json!({"ok": true}), "{line}");
        }
        let state = execute(r#"{"get":"state"}"#, &station);
        assert_eq!(state["cable"], "a32");
        assert_eq!(state["vehicle"], "B");
        assert_eq!(state["bolt"], "locked");
        assert_eq!(state["rotary"], json!({"between": 5}));
        assert_eq!(state["duty"], Value::Null);
        let plant = station.plant();
        assert_eq!(plant.vehicle.settings.max_current, 16.0);
        assert_eq!(plant.diode, Diode::Shorted);
        assert_eq!(plant.contactors[1].fault, ContactorFault::Welded);
        assert_eq!(plant.adc_counts().proximity.unwrap().get(), 77);
        assert_eq!(plant.refused_line, Some(OutputLine::Relay1Enable));
        assert_eq!(plant.energy_factor, 60.0);
    }

    #[test]
    fn edges_can_be_read() {
        let (station, _dir) = station();
        execute(r#"{"do":"plug_in","cable":"a13"}"#, &station);
        let edges = execute(r#"{"get":"edges"}"#, &station);
        assert_eq!(edges[0]["signal"], "vehicle_load");
        assert_eq!(edges[0]["value"], 1);
        let later = json!({"get": "edges", "since_us": u64::MAX}).to_string();
        assert_eq!(execute(&later, &station), json!([]));
    }

    #[test]
    fn mistakes_are_explained_and_change_nothing() {
        let (station, _dir) = station();
        for (line, hint) in [
            ("", "EOF"),
            ("[]", "map"),
            ("{}", "do"),
            (r#"{"do":"explode"}"#, "explode"),
            (r#"{"do":"plug_in","cable":"a99"}"#, "a99"),
            (r#"{"do":"plug_in","cable":"a32","extra":1}"#, "extra"),
            (r#"{"do":"contactor","relay":3}"#, "there are 1 and 2"),
            (r#"{"do":"rotary","position":16}"#, "0 to 15"),
            (r#"{"do":"digital_input","input":0,"high":true}"#, "1 to 6"),
            (
                r#"{"do":"adc","channel":"proximity","fault":{"frozen":4096}}"#,
                "0 to 4095",
            ),
            (r#"{"do":"vehicle","set":{"colour":"red"}}"#, "colour"),
            (r#"{"do":"fail","output":"NO_SUCH_LINE"}"#, "NO_SUCH_LINE"),
            (r#"{"get":"weather"}"#, "weather"),
        ] {
            let answer = execute(line, &station);
            assert_eq!(answer["ok"], false, "{line}");
            assert!(
                answer["error"].as_str().unwrap().contains(hint),
                "{line}: {answer}"
            );
        }
        assert_eq!(station.plant().cable(), None);
    }

    #[test]
    fn locked_plug_says_so() {
        let (station, _dir) = station();
        station.plant().plug_in(Cable::A32);
        station.plant().lock.tamper(1.0);
        assert_eq!(
            execute(r#"{"do":"unplug"}"#, &station)["error"],
            "the plug is locked"
        );
        assert_eq!(
            execute(r#"{"do":"pull_out"}"#, &station),
            json!({"ok": true})
        );
    }

    #[test]
    fn lines_travel_over_the_socket() {
        let (station, dir) = station();
        let path = dir.path().join("control.sock");
        let server = listen(&path, station.handle()).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        client
            .write_all(b"{\"do\":\"plug_in\",\"cable\":\"a20\"}\nnonsense\n")
            .unwrap();
        let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), r#"{"ok":true}"#);
        assert!(lines.next().unwrap().unwrap().contains("\"ok\":false"));
        drop(server);
        assert!(
            lines.next().is_none(),
            "the server's end is the connection's end"
        );
        assert!(!path.exists());
    }
}
