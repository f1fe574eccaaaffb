//! One row of the errors: what breaks, what the station shows, how it ends.

use std::collections::HashMap;
use std::time::Duration;

use hil_tests::{Bench, LATER, Observer, SOON, Seen, Settings, trace_directory};
use serde_json::{Value, json};
use simulator::central_system::{CentralSystem, Options};
use simulator::edges::Signal;
use simulator::plant::Plant;
use simulator::plant::lock::Bolt;

const SESSION: &str = "port0/session/state";
pub const FAULT: &str = "port0/session/fault";
pub const DUTY: &str = "port0/cp/duty_cycle";
pub const RCD: &str = "port0/rcd/error";
pub const LOCK: &str = "port0/plug_lock/permanent_failure";
pub const PROXIMITY: &str = "port0/session/proximity_error";
pub const CONTACTOR: &str = "port0/contactor/error";
pub const EMERGENCY: &str = "port0/emergency_shutdown";
const METER: &str = "port0/metering/meter/available";
/// All conditions of guide 3.3.4 that evsed publishes, with their text while all is well.
const CONDITIONS: [(&str, &str); 5] = [
    (CONTACTOR, "0"),
    (EMERGENCY, "0"),
    (RCD, ""),
    (LOCK, ""),
    (PROXIMITY, ""),
];
/// The motor's capacitor is given up after 5 s, and driven from twice.
pub const CAPACITOR: Duration = Duration::from_secs(60);

/// Where the session stands when something breaks.
#[derive(Clone, Copy, PartialEq)]
pub enum During {
    Idle,
    PlugIn,
    Charging,
}

/// What the status LED shows; the colours are those of [`LEDS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Light {
    /// Yellow: recoverable.
    Error,
    /// Red: unrecoverable.
    Failure,
    /// Green: charging goes on.
    Charge,
}

const LEDS: &str = r#"{"leds":[{"gpios":[85,86,88],"behaviors":[
    {"condition":"ready","color":"blue"},
    {"condition":"charge","color":"green"},
    {"condition":"error","color":"yellow"},
    {"condition":"failure","color":"red"}
]}]}"#;

/// How an error ends.
pub enum End {
    /// The station heals itself.
    ByItself,
    /// With its cause.
    Repaired(fn(&mut Plant)),
    /// When the central system has the plug unlocked, not with its cause.
    Unlock(fn(&mut Plant)),
    /// When the EV has left, not with its cause.
    EvLeaves(fn(&mut Plant)),
    /// With a restart, not with its cause nor the EV.
    Restart(fn(&mut Plant)),
}

/// A row of guide table 3, or of a fault that it doesn't know, as this station shows it.
pub struct Row {
    /// `errorCode` and `vendorErrorCode`.
    pub report: (&'static str, &'static str),
    /// The condition's topic and text.
    pub told: (&'static str, &'static str),
    /// Text of [`FAULT`]; empty where the session goes on.
    pub fault: &'static str,
    pub during: During,
    pub mishap: fn(&mut Plant),
    /// Text of [`DUTY`].
    pub duty: &'static str,
    pub bolt: Bolt,
    pub light: Light,
    pub end: End,
}

/// A station with every protection and a central system.
pub struct Station {
    pub bench: Bench,
    pub central: CentralSystem,
}

impl Station {
    pub fn start() -> Self {
        Self::start_with(|settings| settings)
    }

    /// With a second contactor that switches L2 and L3.
    pub fn switching_phases() -> Self {
        let station = Self::start_with(|settings| {
            let switch = json!({ "enable": true, "switch_delay": 10 });
            settings.with("ports[0]/switch3to1phase", switch)
        });
        station.plant(|plant| plant.relay_2_switches_l2_l3 = true);
        station
    }

    fn start_with(more: impl FnOnce(Settings) -> Settings) -> Self {
        let central = CentralSystem::start(Options {
            trace_dir: Some(trace_directory()),
            ..Options::default()
        })
        .unwrap();
        let settings = Settings::default()
            .with_central_system(central.uri())
            .with("ports[0]/user_authentication", "free")
            .with("ports[0]/emergency_alarm", json!({ "enable": true }))
            .with("ports[0]/rcd_monitor", json!({ "enable": true }));
        let mut bench = Bench::prepare(&more(settings));
        bench.write_file("config/leds.json", LEDS);
        {
            let station = bench.station();
            let mut plant = station.plant();
            plant.emergency.input = 1;
            plant.rcd.settings.feedback_input = 2;
            plant.rcd.settings.test_output = 4;
        }
        for daemon in ["evsed", "meteringd", "ocppd"] {
            bench.start_daemon(daemon);
        }
        let station = Self { bench, central };
        station.expect_report("NoError", "", "Available");
        station.expect_tested();
        station
    }

    fn expect_tested(&self) {
        let ended = |last: &HashMap<String, String>| last.contains_key("port0/rcd/test/timestamp");
        assert!(self.bench.observer.wait(SOON, ended), "no test at start");
    }

    /// Wait for a StatusNotification of connector 1 since the last mark.
    pub fn expect_report(&self, code: &str, vendor_code: &str, status: &str) {
        self.expect_report_of(1, code, vendor_code, status);
    }

    fn expect_report_of(&self, connector: u32, code: &str, vendor_code: &str, status: &str) {
        let fits = |report: &Value| {
            report["connectorId"] == connector
                && names(report, code, vendor_code)
                && report["status"] == status
        };
        let reported = self.central.wait_for("StatusNotification", fits, LATER);
        assert!(
            reported.is_ok(),
            "no {code} {vendor_code:?} {status} of connector {connector}: {reported:?}"
        );
    }

    /// What the central system was told of connector 1 since its last mark names no other
    /// error. Where the machine that runs the tests was too slow for the control thread, that
    /// is an error of its own, which `mark` of the observer finds; where it was too slow for the
    /// simulated meter, the meter's daemon says so, and no row is about it.
    pub fn expect_no_report_but(&self, mark: usize, code: &str, vendor_code: &str) {
        let reports = self.central.calls("StatusNotification");
        // What explains a report was published before it.
        self.bench.observer.fence();
        let stalled = self.bench.observer.has_stalled(mark, Duration::ZERO);
        let was_away = self.meter_was_away(mark);
        let others: Vec<_> = reports
            .into_iter()
            .filter(|report| report["connectorId"] == 1 && report["errorCode"] != "NoError")
            .filter(|report| !(stalled && report["errorCode"] == "InternalError"))
            .filter(|report| {
                !(was_away && names(report, "PowerMeterFailure", "CommunicationError"))
            })
            .filter(|report| !names(report, code, vendor_code))
            .collect();
        assert!(others.is_empty(), "not {code} {vendor_code:?}: {others:#?}");
    }

    /// Whether the meter's daemon has told, at `mark` of the observer or since, that the meter
    /// doesn't answer.
    fn meter_was_away(&self, mark: usize) -> bool {
        let told = self.bench.observer.history();
        let is_of_meter = |seen: &&Seen| seen.topic == METER;
        let before = told[..mark].iter().rfind(is_of_meter).into_iter();
        let mut seen = before.chain(told[mark..].iter().filter(is_of_meter));
        seen.any(|seen| seen.payload == "0")
    }

    pub fn plant(&self, act: impl FnOnce(&mut Plant)) {
        act(&mut self.bench.station().plant());
    }
}

/// Whether a StatusNotification names this error.
fn names(report: &Value, code: &str, vendor_code: &str) -> bool {
    report["errorCode"] == code
        && report["vendorErrorCode"].as_str().unwrap_or_default() == vendor_code
}

pub fn check(row: &Row) {
    check_at(Station::start(), row);
}

pub fn check_at(mut station: Station, row: &Row) {
    let during = row.during;
    if during == During::Charging {
        station.bench.charge();
        station.expect_report("NoError", "", "Charging");
    }
    let mark = station.bench.observer.mark();
    let since = station.bench.station().plant().now_us();
    station.central.mark();
    station.plant(row.mishap);
    if during == During::PlugIn {
        station.bench.plug_in();
    }
    station.expect_reaction(row, mark, since);
    let status = if row.fault.is_empty() {
        "Charging"
    } else {
        "Faulted"
    };
    let (code, vendor_code) = row.report;
    station.expect_report(code, vendor_code, status);
    if row.told.0 == EMERGENCY {
        // It is the whole station's (guide table 3: connector 0 and up).
        station.expect_report_of(0, code, vendor_code, "Faulted");
    }
    station.end(row, mark);
}

impl Station {
    fn expect_reaction(&self, row: &Row, mark: usize, since: u64) {
        let observer = &self.bench.observer;
        let (topic, text) = row.told;
        let told = |seen: &Seen| seen.topic == topic && seen.payload == text;
        let tail = || observer.tail();
        assert!(
            observer.wait_since(mark, CAPACITOR, told).is_some(),
            "{topic} is never {text}\n{}",
            tail()
        );
        let mut expected = vec![(topic, text), (DUTY, row.duty), (FAULT, row.fault)];
        if !row.fault.is_empty() {
            expected.extend([
                (SESSION, "faulted"),
                ("port0/charging", "0"),
                ("port0/contactor/state/target", "0"),
            ]);
        }
        assert!(
            observer.wait_together(mark, SOON, &expected),
            "never all of {expected:?}\n{}",
            tail()
        );
        self.bench.wait_for("the light", SOON, |plant| {
            let now = plant.digital_outputs();
            let then = plant.edges().since(since);
            let mut then = then
                .iter()
                .filter(|edge| edge.signal == Signal::DigitalOutputs);
            shows(row.light, now) || then.any(|edge| shows(row.light, levels(edge.value)))
        });
        if row.fault.is_empty() {
            assert!(
                self.bench.station().plant().relay_commands()[0],
                "{}",
                tail()
            );
        } else {
            self.bench
                .wait_for("relay 1 is open", SOON, |plant| !plant.relay_commands()[0]);
        }
        self.bench
            .wait_for("the bolt", SOON, |plant| plant.lock.bolt() == row.bolt);
        for (other, calm) in CONDITIONS {
            let raised = |seen: &Seen| seen.topic == other && seen.payload != calm;
            let others: Vec<_> = observer.since(mark).into_iter().filter(raised).collect();
            assert!(other == topic || others.is_empty(), "{others:?}");
        }
    }

    /// Who comes late learns of it, too.
    fn expect_retained(&self, (topic, text): (&str, &str)) {
        let late = Observer::connect("late", self.bench.broker.port());
        late.expect(topic, text, SOON);
        let kept = |seen: &Seen| seen.topic == topic && seen.retained;
        assert!(late.history().iter().any(kept), "{topic} is not retained");
    }

    fn end(&mut self, row: &Row, mark: usize) {
        let (topic, text) = row.told;
        let calm = CONDITIONS.iter().find(|(name, _)| *name == topic);
        let calm = calm.map_or("", |(_, calm)| *calm);
        if !matches!(row.end, End::ByItself) {
            self.expect_retained(row.told);
            self.bench.expect(DUTY, row.duty, SOON);
        }
        if topic == LOCK && !matches!(row.end, End::ByItself) {
            // It tries a second time by itself.
            self.expect_still(topic, text);
        }
        let (code, vendor_code) = row.report;
        self.expect_no_report_but(mark, code, vendor_code);
        self.central.mark();
        match row.end {
            End::ByItself => {}
            End::Repaired(repair) => self.plant(repair),
            End::Unlock(repair) => {
                self.plant(repair);
                self.expect_still(topic, text);
                let unlock = json!({ "connectorId": 1 });
                let answer = self.central.call("UnlockConnector", unlock, LATER).unwrap();
                assert_eq!(answer["status"], "Unlocked");
            }
            End::EvLeaves(repair) => {
                self.plant(repair);
                self.expect_still(topic, text);
                self.bench.unplug();
            }
            End::Restart(repair) => {
                self.plant(repair);
                if self.bench.station().plant().cable().is_some() {
                    self.bench.unplug();
                }
                self.expect_no_service();
                self.expect_still(topic, text);
                assert!(self.bench.stop_daemon("evsed").success());
                self.bench.start_daemon("evsed");
            }
        }
        self.bench.expect(topic, calm, LATER);
        self.bench.expect(FAULT, "", LATER);
        if self.bench.station().plant().cable().is_some() {
            self.bench.unplug();
        }
        self.expect_report("NoError", "", "Available");
        // A station that restarts has no supervisor for a while, and says so.
        if !matches!(row.end, End::Restart(_)) {
            self.expect_no_report_but(mark, code, vendor_code);
        }
        self.bench.charge();
    }

    /// The next EV finds a steady -12 V and a plug that isn't held.
    fn expect_no_service(&self) {
        let since = self.bench.station().plant().now_us();
        self.bench.plug_in();
        self.bench.expect(DUTY, "0.00", SOON);
        self.bench.observer.fence();
        let edges = self.bench.station().edges_since(since);
        let moved = |signal| edges.iter().any(|edge| edge.signal == signal);
        assert!(!moved(Signal::Relay1Command) && !moved(Signal::LockBolt));
    }

    /// Time enough for an error that goes with its cause to go.
    pub fn expect_still(&self, topic: &str, text: &str) {
        let observer = &self.bench.observer;
        let gone =
            |last: &HashMap<String, String>| last.get(topic).map(String::as_str) != Some(text);
        assert!(
            !observer.wait(Duration::from_secs(4), gone),
            "{topic} was to stay {text}\n{}",
            observer.tail()
        );
    }
}

fn levels(bits: i64) -> [bool; 6] {
    std::array::from_fn(|n| bits >> n & 1 == 1)
}

fn shows(light: Light, [_, red, green, _, blue, _]: [bool; 6]) -> bool {
    let color = match light {
        Light::Failure => [true, false, false],
        Light::Error => [true, true, false],
        Light::Charge => [false, true, false],
    };
    [red, green, blue] == color
}
