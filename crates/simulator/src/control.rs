//! The control socket: one JSON object per line in, one per line out.
//!
//! `{"do":"plug_in","cable":"a32"}` is answered by `{"ok":true}`,
//! `{"get":"state"}` by the state, and a mistake by `{"ok":false,"error":"..."}`.

mod action;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::plant::Plant;
use crate::plant::lock::Bolt;
use crate::plant::pilot::Generator;
use crate::plant::plug::Cable;
use crate::plant::sensors::RotarySwitch;
use crate::socket_server::SocketServer;
use crate::station::StationHandle;
use action::Action;

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
    rcd_tripped: bool,
    emergency_pressed: bool,
    fan_turns: bool,
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
            rcd_tripped: plant.rcd.is_tripped(),
            emergency_pressed: plant.emergency.pressed,
            fan_turns: plant.fan_turns(),
            voltage: readings.voltage,
            current: readings.current.map(hundredths),
            energy_wh: hundredths(readings.energy_wh),
        }
    }
}

#[cfg(test)]
mod tests {
    use board::lines::OutputLine;

    use super::*;
    use crate::Station;
    use crate::plant::contactor::ContactorFault;
    use crate::plant::pilot::Diode;
    use crate::plant::rcd::StuckFeedback;

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
            r#"{"do":"emergency","input":6,"pressed_high":false,"pressed":true}"#,
            r#"{"do":"rcd","set":{"feedback_input":2,"trip_ms":0},"residual_ma":30}"#,
            r#"{"do":"rcd","stuck_feedback":"normal","test_wire_broken":true,"reset":true}"#,
            r#"{"do":"adc","channel":"proximity","fault":{"frozen":77}}"#,
            r#"{"do":"fail","output":"RELAY_1_ENABLE","silent":true}"#,
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
        assert_eq!(state["emergency_pressed"], true);
        assert_eq!(state["fan_turns"], false);
        let plant = station.plant();
        assert_eq!(plant.vehicle.settings.max_current, 16.0);
        assert_eq!(plant.emergency.level(), Some((6, false)));
        assert_eq!(plant.rcd.settings.feedback_input, 2);
        assert_eq!(plant.rcd.stuck_feedback, StuckFeedback::Normal);
        assert!(plant.rcd.is_tripped() && plant.rcd.test_wire_broken);
        assert_eq!(plant.diode, Diode::Shorted);
        assert_eq!(plant.contactors[1].fault, ContactorFault::Welded);
        assert_eq!(plant.adc_counts().proximity.unwrap().get(), 77);
        assert_eq!(plant.refused_line, Some(OutputLine::Relay1Enable));
        assert!(plant.board_is_silent);
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
            (r#"{"do":"vehicle","set":{"phases":4}}"#, "1 to 3"),
            (r#"{"do":"emergency","input":7}"#, "1 to 6"),
            (r#"{"do":"rcd","set":{"feedback_input":7}}"#, "1 to 6"),
            (r#"{"do":"rcd","set":{"colour":"red"}}"#, "colour"),
            (r#"{"do":"supply","energy_factor":-1}"#, "0 and more"),
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
