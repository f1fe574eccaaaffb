//! Every model but those of SunSpec under random disturbances, with a neighbour on the line:
//! nothing wrong is ever taken for a reading or for another meter, and a reading comes back
//! soon.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::time::Duration;

use meteringd::meter::{Identity, Meter};
use meteringd::protocol::Protocol;
use meteringd::reading::{Judge, Reading};
use rs485::{BaudRate, Bus, DeviceAddress, Line, LocalEcho, Parity, ReadFunction};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Requests on all lines together; `MODE3_SOAK=20000` for a long soak.
const TRANSACTIONS: usize = 1500;
const POLLS_TO_RECOVER: usize = 3;
/// So many meters at once: more would starve on a small machine.
const SIDE_BY_SIDE: usize = 8;

const LOAD: Readings = Readings {
    voltage: [231.0, 232.0, 233.0],
    current: [6.0, 10.0, 16.0],
    energy_wh: 2_500_000.0,
    frequency: 50.0,
};

struct Load;

impl MeterSource for Load {
    fn readings(&self) -> Readings {
        LOAD
    }
}

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
        match self.below(14) {
            0 => Fault::Silence,
            1..=3 => Fault::Delay(Duration::from_millis(100 + self.below(1900))),
            4 => Fault::Noise(1 + self.below(20) as usize),
            5 => Fault::WrongSlave,
            6 => Fault::Exception(1 + self.below(6) as u8),
            7 => Fault::DamagedAnswer,
            8 => Fault::ShortAnswer,
            9 => Fault::Collision,
            10 => Fault::Nonsense(f32::NAN),
            11 => Fault::Rollover(1_000_000.0),
            12 => Fault::Reset,
            _ => Fault::PowerCycle(Duration::from_millis(self.below(1000))),
        }
    }
}

fn transactions() -> usize {
    std::env::var("MODE3_SOAK").map_or(TRANSACTIONS, |number| number.parse().unwrap())
}

fn line(port: &MeterPort) -> Line {
    Line {
        port: port.path().into(),
        baud_rate: BaudRate::B9600,
        parity: Parity::None,
        echo: LocalEcho::Present,
    }
}

/// One meter on its line until `transactions` requests were heard.
async fn soak(model: &'static str, protocol: &'static str, seed: u64, transactions: usize) {
    let config = MeterConfig {
        model: model.into(),
        address: 1,
        link: None,
    };
    let port = MeterPort::start(config, Load).unwrap();
    let device = DeviceAddress::new(1).unwrap();
    let protocol = Protocol::named(protocol).unwrap();
    let meter = Meter::new(Bus::new(line(&port)), device, protocol);
    let mut reader = Reader::new(meter).await;
    let neighbour = tokio::spawn(neighbour(Bus::new(line(&port))));
    let mut chance = Chance(seed);
    while port.heard_in_all() < transactions {
        let fault = chance.fault();
        port.inject(fault);
        if chance.below(4) == 0 {
            reader.lose();
        }
        for _ in 0..=chance.below(2) {
            reader.poll(fault).await;
        }
        port.answer();
        let mut polls = 1;
        while !reader.poll(fault).await {
            assert!(
                polls < POLLS_TO_RECOVER,
                "{model} does not recover from {fault:?}, seed {seed}"
            );
            polls += 1;
        }
    }
    neighbour.abort();
}

struct Reader {
    meter: Meter,
    identity: Identity,
    /// After an outage the meter is identified afresh.
    is_identified: bool,
    judge: Judge,
    right: Reading,
}

impl Reader {
    async fn new(mut meter: Meter) -> Self {
        let identity = meter.identify().await.unwrap();
        let mut judge = Judge::default();
        let right = meter.read(identity.model).await.unwrap();
        let right = judge.judge(right).unwrap();
        Self {
            meter,
            identity,
            is_identified: true,
            judge,
            right,
        }
    }

    fn lose(&mut self) {
        self.is_identified = false;
    }

    /// Whether the meter was found; it must be the right one.
    async fn identify(&mut self, fault: Fault) -> bool {
        let Ok(found) = self.meter.identify().await else {
            return false;
        };
        let right = &self.identity;
        assert_eq!(found.model.name, right.model.name, "under {fault:?}");
        if found.serial.is_some() {
            assert_eq!(found.serial, right.serial, "{} under {fault:?}", right.name);
        }
        self.is_identified = true;
        true
    }

    /// Whether there was a reading to be published; it must be the right one.
    async fn poll(&mut self, fault: Fault) -> bool {
        if !self.is_identified && !self.identify(fault).await {
            return false;
        }
        let model = self.identity.model;
        let Ok(reading) = self.meter.read(model).await else {
            return false;
        };
        let Ok(published) = self.judge.judge(reading) else {
            return false;
        };
        assert_eq!(published, self.right, "{} under {fault:?}", model.name);
        true
    }
}

/// Another daemon that asks for a device of its own, which is not there.
async fn neighbour(mut bus: Bus) {
    let device = DeviceAddress::new(17).unwrap();
    loop {
        let limit = Duration::from_millis(50);
        // It only disturbs.
        let _ = bus.probe(device, ReadFunction::Holding, 0, 5, limit).await;
        sleep_until(Instant::now() + Duration::from_millis(400)).await;
    }
}

#[tokio::test]
async fn under_random_disturbances_no_wrong_value_is_published_and_readings_come_back() {
    let models = [
        ("dzg/dvh4013", "dzg"),
        ("eastron/sdm630", "eastron"),
        ("eastron/sdm230", "eastron"),
        ("eastron/sdm72dm-v1", "eastron,sdm72dm-v1"),
        ("eastron/sdm72dm-v2", "eastron,sdm72dm-v2"),
        ("elecnova/dts1946", "elecnova,dts1946"),
        ("elecnova/dds1946", "elecnova,dds1946"),
        ("gavazzi/em300", "gavazzi"),
        ("gavazzi/em100", "gavazzi"),
        ("klefr/694x", "klefr"),
        ("klefr/693x", "klefr"),
        ("eem-350-d-mcb/eem-350-d-mcb", "eem-350-d-mcb"),
        ("abb/ev3-012-100", "abb"),
        ("iskra/wm3m4c", "iskra"),
        ("iskra/wm3m4", "iskra"),
        ("socomec/countis-e03-e04", "socomec"),
    ];
    let each = transactions() / models.len();
    let mut lines = JoinSet::new();
    for (seed, (model, protocol)) in (1..).zip(models) {
        if lines.len() == SIDE_BY_SIDE {
            lines.join_next().await.unwrap().unwrap();
        }
        lines.spawn(soak(model, protocol, seed * 0x9E37_79B9, each));
    }
    while let Some(line) = lines.join_next().await {
        line.unwrap();
    }
}
