//! Random disturbances of a line that three daemons share: nothing wrong is ever
//! published, all is well again within three polls, the port is never left locked, and
//! nobody's memory grows.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use hil_tests::line_bench::{AVAILABLE, LineBench, METER, READER, RECLOSER, is_free};
use hil_tests::{LATER, SOON, Seen};
use serde_json::Value;
use simulator::bus::Fault;

/// Requests on all lines together; `MODE3_SOAK=20000` for a long soak.
const TRANSACTIONS: usize = 400;
/// Lines side by side for a long soak; two for a short one.
const LINES: usize = 4;
const POLLS_TO_RECOVER: usize = 3;
/// Beyond this, memory does not count as flat. The allocator's own ups and downs are less.
const GROWTH_KIB: u64 = 512;
/// A stalled machine may cut clients off from the broker this often, and once more in so
/// many rounds; what is seen more often is no accident.
const CUT_OFFS: u32 = 2;
const ROUNDS_PER_CUT_OFF: u32 = 10;
/// A round of faults adds as much to the meter's register.
const ENERGY_STEP_WH: f64 = 20.0;
/// Voltages, currents and powers by phase: no two are the same.
const LOAD: [f32; 9] = [
    229.0, 230.0, 231.0, 14.0, 15.0, 16.0, 3206.0, 3450.0, 3696.0,
];
const VALUES: &str = "port0/metering/meter/values";
const REQUEST: &str = "port0/rfid/authorization_request";
const STATE: &str = "port0/rcd/recloser/state/actual";

/// Chance that repeats itself from its seed (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn fault(&mut self) -> Fault {
        match self.below(11) {
            0 => Fault::Silence,
            1..=3 => Fault::Delay(Duration::from_millis(100 + self.below(1900))),
            4 => Fault::Noise(1 + self.below(20) as usize),
            5 => Fault::WrongSlave,
            6 => Fault::Exception(1 + self.below(6) as u8),
            7 => Fault::DamagedAnswer,
            8 => Fault::TruncatedAnswer,
            _ => Fault::PowerCycle(Duration::from_millis(self.below(2500))),
        }
    }
}

/// One line, and the truth about its devices.
struct Soak {
    bench: LineBench,
    chance: Chance,
    energy_wh: f64,
    cards: u32,
    /// How much of the observer's history was checked.
    checked: usize,
    /// The lowest energy that may still be published.
    least_wh: f64,
    told: HashSet<String>,
    is_closed: bool,
    /// The recloser's states since the last one that was published, in their order.
    states: Vec<&'static str>,
    /// How often something was asked for once more because a client had lost the broker.
    cut_offs: u32,
    rounds: u32,
}

impl Soak {
    fn start(rfid_protocol: &str, seed: u64) -> Self {
        let mut soak = Self {
            bench: LineBench::start(rfid_protocol),
            chance: Chance(seed),
            energy_wh: 1_000_000.0,
            cards: 0,
            checked: 0,
            least_wh: 1_000_000.0,
            told: HashSet::new(),
            is_closed: true,
            states: vec!["close"],
            cut_offs: 0,
            rounds: 0,
        };
        soak.bench.recloser.set_travel(Duration::from_millis(50));
        let mark = soak.bench.observer.mark();
        soak.set_register(soak.energy_wh);
        let load = format!("\"l1\":{:.1}", LOAD[0]);
        let seen = soak.bench.observer.wait_since(mark, SOON, |seen| {
            seen.topic == VALUES && seen.payload.contains(&load)
        });
        assert!(seen.is_some(), "the load is read");
        // What was published before was of another load.
        soak.checked = soak.bench.observer.mark();
        soak
    }

    /// Requests that the devices have heard so far.
    fn transactions(&self) -> usize {
        let requests = |place| self.bench.line.requests(place);
        requests(METER) + requests(READER) + requests(RECLOSER)
    }

    /// Faults of one or two devices at once, their end, and the recovery of all.
    fn round(&mut self) {
        self.rounds += 1;
        let first = self.chance.below(3) as usize;
        let mut faults = vec![(first, self.chance.fault())];
        if self.chance.below(4) == 0 {
            faults.push(((first + 1) % 3, self.chance.fault()));
        }
        for (place, fault) in &faults {
            self.bench.line.inject(*place, *fault);
        }
        let wrong_register = self.chance.below(6);
        match wrong_register {
            // As after a rollover, or in a new meter.
            0 => self.set_register(self.energy_wh % 1e6),
            1 => self.set_register(0.0),
            _ => {}
        }
        self.disturbed();
        for (place, _) in &faults {
            self.bench.line.repair(*place);
        }
        let idle = |place| self.bench.line.is_idle(place);
        let has_come = comes(|| (METER..=RECLOSER).all(idle));
        assert!(has_come, "a late answer of {faults:?}");
        self.recover(&format!("{faults:?}, register {wrong_register}"));
    }

    /// Somebody uses the station while its line is disturbed, for up to three seconds.
    fn disturbed(&mut self) {
        let end = Instant::now() + Duration::from_millis(300 + self.chance.below(2700));
        if self.chance.below(3) == 0 {
            let uid = self.next_card();
            self.bench.field.hold(&uid);
        }
        if self.chance.below(3) == 0 {
            self.order();
        }
        while Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        self.bench.field.clear();
    }

    /// Success is told only when the contacts have moved.
    fn order(&mut self) {
        let target = if self.chance.below(2) == 0 {
            "open"
        } else {
            "close"
        };
        let answer = loop {
            let mark = self.bench.observer.mark();
            self.bench
                .observer
                .publish_raw("port0/rcd/recloser/state/target", target, false);
            let answer = self.bench.observer.wait_since(mark, LATER, |seen| {
                seen.topic == "port0/rcd/recloser/state/confirm"
            });
            if let Some(answer) = answer {
                break answer.payload;
            }
            assert!(
                self.was_cut_off(mark),
                "an order to {target} is not answered\n{}\n{}",
                self.bench.observer.tail(),
                self.bench.logs()
            );
        };
        let reached = self.see_contacts();
        assert!(
            answer == "notAvailable" || (answer == target && reached == target),
            "{answer} to {target}, but it is {reached}\n{}",
            self.bench.logs()
        );
    }

    /// The state in which the recloser is now.
    fn see_contacts(&mut self) -> &'static str {
        self.is_closed = self.bench.recloser.is_closed();
        let state = if self.is_closed { "close" } else { "open" };
        if self.states.last() != Some(&state) {
            self.states.push(state);
        }
        state
    }

    /// Whether a client has lost the broker since `mark`, as when the machine stalls for
    /// longer than their keep-alive: what is no state is not sent again then, on purpose.
    fn was_cut_off(&mut self, mark: usize) -> bool {
        let is_loss = |seen: &Seen| {
            // The observer's new subscription brings what is retained.
            let is_gone = seen.topic.starts_with("ci/global/daemon/") && seen.payload == "0";
            seen.retained || is_gone
        };
        let is_cut_off = self.bench.observer.since(mark).iter().any(is_loss);
        self.cut_offs += u32::from(is_cut_off);
        assert!(
            self.cut_offs <= CUT_OFFS + self.rounds / ROUNDS_PER_CUT_OFF,
            "a client has lost the broker {} times in {} rounds\n{}",
            self.cut_offs,
            self.rounds,
            self.bench.logs()
        );
        is_cut_off
    }

    /// All three devices are read rightly within three polls.
    fn recover(&mut self, what: &str) {
        self.energy_wh += ENERGY_STEP_WH;
        self.set_register(self.energy_wh);
        let uid = self.next_card();
        let before = self.see_contacts();
        self.bench.recloser.move_by_hand(before == "open");
        let state = self.see_contacts();
        let (meter, recloser) = (self.meter_polls(), self.recloser_polls());
        let mark = self.bench.observer.mark();
        // A card that is gone after so many looks was seen in time.
        self.bench.field.hold_for(&uid, POLLS_TO_RECOVER);
        let card = text_of(&uid);
        let mut polls: HashMap<&str, usize> = HashMap::new();
        let is_well = comes(|| {
            // Before the look: what is polled while this test waits for a core came later.
            let meter = self.meter_polls() - meter;
            let recloser = self.recloser_polls() - recloser;
            let seen = self.bench.observer.since(mark);
            let seen = |fits: &dyn Fn(&Seen) -> bool| seen.iter().any(fits);
            if seen(&|seen| seen.topic == VALUES && energy(seen) >= self.energy_wh - 1.0) {
                polls.entry("meter").or_insert(meter);
            }
            if seen(&|seen| seen.topic == REQUEST && seen.payload.contains(&card)) {
                polls.entry("reader").or_insert(POLLS_TO_RECOVER);
            }
            if seen(&|seen| seen.topic == STATE && seen.payload == state) {
                polls.entry("recloser").or_insert(recloser);
            }
            polls.len() == 3
        });
        let is_late = polls.values().any(|polls| *polls > POLLS_TO_RECOVER);
        if (!is_well || is_late) && self.was_cut_off(mark) {
            return self.recover(what);
        }
        assert!(
            is_well,
            "only {polls:?} after {what}, card {card}\n{}\n{}",
            self.bench.observer.tail(),
            self.bench.logs()
        );
        for (device, polls) in polls {
            assert!(
                polls <= POLLS_TO_RECOVER,
                "the {device} took {polls} polls after {what}\n{}",
                self.bench.logs()
            );
        }
        for (topic, good) in AVAILABLE {
            self.bench.observer.expect(topic, good, SOON);
        }
        let enough = self.looks() + 8;
        assert!(comes(|| self.looks() >= enough), "the card has left");
        self.check(what);
    }

    /// Whatever was published since the last check was true.
    fn check(&mut self, what: &str) {
        let history = self.bench.observer.since(self.checked);
        self.checked += history.len();
        for seen in &history {
            let is_true = match seen.topic.as_str() {
                VALUES => self.is_right(seen),
                REQUEST => self.is_new(seen),
                STATE => self.was_so(seen),
                _ => true,
            };
            assert!(is_true, "{seen:?} after {what}\n{}", self.bench.logs());
        }
        let truth = if self.is_closed { "close" } else { "open" };
        self.bench.observer.expect(STATE, truth, SOON);
        let port = self.bench.line.path();
        assert!(comes(|| is_free(port)), "the port is locked after {what}");
    }

    /// The load, and an energy between the last one and that of the register.
    fn is_right(&mut self, seen: &Seen) -> bool {
        let values: Value = serde_json::from_str(&seen.payload).unwrap();
        let phases = ["voltage_v", "current_a", "power_w"]
            .iter()
            .flat_map(|quantity| ["l1", "l2", "l3"].map(|phase| &values[quantity][phase]));
        let is_load = phases
            .zip(LOAD)
            .all(|(value, right)| value.as_f64() == Some(f64::from(right)));
        let energy = energy(seen);
        let is_energy = (self.least_wh - 1.0..self.energy_wh + 1.0).contains(&energy);
        self.least_wh = energy;
        let is_total =
            values["power_w"]["total"] == 11_040.0 && values["current_a"]["total"] == 48.0;
        is_load && is_total && is_energy && values["frequency_hz"] == 50.0
    }

    /// A card that was held to the reader, and is told for the first time.
    fn is_new(&mut self, seen: &Seen) -> bool {
        let was_held = (1..=self.cards)
            .any(|card| seen.payload == format!("[\"ISO14443\",\"{}\"]", text_of(&uid_of(card))));
        was_held && self.told.insert(seen.payload.clone())
    }

    /// A state that the recloser had, and none from before the one published last.
    fn was_so(&mut self, seen: &Seen) -> bool {
        let place = self.states.iter().position(|state| *state == seen.payload);
        if let Some(place) = place {
            self.states.drain(..place);
        }
        place.is_some() || seen.payload.is_empty()
    }

    fn set_register(&self, energy_wh: f64) {
        self.bench.meter.set_floats(4, 0x00, &LOAD);
        self.bench
            .meter
            .set_floats(4, 0x48, &[(energy_wh / 1000.0) as f32]);
    }

    fn next_card(&mut self) -> [u8; 4] {
        self.cards += 1;
        uid_of(self.cards)
    }

    /// Each poll of this meter begins with its first register.
    fn meter_polls(&self) -> usize {
        self.bench.meter.reads_from(4, 0)
    }

    fn looks(&self) -> usize {
        self.bench.line.requests(READER)
    }

    fn recloser_polls(&self) -> usize {
        self.bench.line.requests(RECLOSER)
    }

    /// Resident memory of the daemons in KiB, in the order of their names.
    fn memory(&self) -> Vec<(&'static str, u64)> {
        let rss = |id: u32| {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:"));
            let number = line.unwrap().split_whitespace().nth(1).unwrap();
            number.parse::<u64>().unwrap()
        };
        let daemons = self.bench.daemons.iter();
        let mut memory: Vec<_> = daemons
            .map(|(daemon, process)| (*daemon, rss(process.id())))
            .collect();
        memory.sort_unstable();
        memory
    }
}

fn uid_of(card: u32) -> [u8; 4] {
    (0xCA00_0000 + card).to_be_bytes()
}

fn text_of(uid: &[u8]) -> String {
    uid.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").unwrap();
        text
    })
}

fn energy(seen: &Seen) -> f64 {
    let values: Value = serde_json::from_str(&seen.payload).unwrap();
    values["energy_wh"].as_f64().unwrap()
}

/// Wait for something; false when it does not come.
fn comes(mut is_there: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + LATER;
    while !is_there() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    true
}

/// Rounds on one line until it has seen `transactions`; what to print about it.
fn soak(rfid_protocol: &str, seed: u64, transactions: usize) -> String {
    let mut soak = Soak::start(rfid_protocol, seed);
    let start = Instant::now();
    // What a daemon needs once, for each kind of trouble, it has after a quarter.
    while soak.transactions() < transactions / 4 {
        soak.round();
    }
    let before = soak.memory();
    while soak.transactions() < transactions {
        soak.round();
    }
    let after = soak.memory();
    for ((daemon, before), (_, after)) in before.iter().zip(&after) {
        assert!(
            *after <= before + GROWTH_KIB,
            "{daemon} has grown from {before} to {after} KiB"
        );
    }
    format!(
        "{rfid_protocol}, seed {seed:#x}: {} transactions and {} rounds in {} s, \
         {} times a client had lost the broker, resident KiB {before:?} -> {after:?}",
        soak.transactions(),
        soak.rounds,
        start.elapsed().as_secs(),
        soak.cut_offs,
    )
}

#[test]
fn under_random_faults_three_daemons_publish_the_truth_and_recover() {
    let wanted = std::env::var("MODE3_SOAK").map(|number| number.parse().unwrap());
    let (transactions, lines) = match wanted {
        Ok(transactions) => (transactions, LINES),
        Err(_) => (TRANSACTIONS, 2),
    };
    std::thread::scope(|scope| {
        let protocols = ["stronglink-modbus", "Stronglink"].into_iter().cycle();
        let running: Vec<_> = (1..)
            .zip(protocols)
            .take(lines)
            .map(|(seed, protocol)| {
                scope.spawn(move || {
                    println!(
                        "{}",
                        soak(protocol, seed * 0x9E37_79B9, transactions / lines)
                    )
                })
            })
            .collect();
        for line in running {
            line.join().expect("a line without a fault of ours");
        }
    });
}
