//! Transactions with a simulated meter on an echoing line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rs485::{BaudRate, Bus, DeviceAddress, Error, Line, LocalEcho, Parity, ReadFunction};
use simulator::meter::{Fault, MeterConfig, MeterPort};
use simulator::{MeterSource, Readings};

const DEVICE: DeviceAddress = DeviceAddress::new(1).unwrap();
/// Voltage of L1 and the current of L1 on an SDM630: two answers of the same form.
const VOLTAGE: u16 = 0x0000;
const CURRENT: u16 = 0x0006;
const VOLTAGE_WORDS: [u16; 2] = [0x4366, 0x0000];
const CURRENT_WORDS: [u16; 2] = [0x4180, 0x0000];

struct SteadyLoad;

impl MeterSource for SteadyLoad {
    fn readings(&self) -> Readings {
        Readings {
            voltage: [230.0; 3],
            current: [16.0; 3],
            energy_wh: 1e6,
            frequency: 50.0,
        }
    }
}

fn meter(model: &str) -> MeterPort {
    let config = MeterConfig {
        model: model.into(),
        address: 1,
        link: None,
    };
    MeterPort::start(config, SteadyLoad).unwrap()
}

fn bus(port: &Path, echo: LocalEcho) -> Bus {
    let baud_rate = BaudRate::new(115_200).unwrap();
    Bus::new(Line {
        port: port.into(),
        baud_rate,
        parity: Parity::None,
        echo,
    })
}

async fn read(bus: &mut Bus, start: u16) -> Result<Vec<u16>, Error> {
    bus.read(DEVICE, ReadFunction::Input, start, 2).await
}

// covers: MET-025, MET-028
#[tokio::test]
async fn a_read_on_an_echoing_line_gives_the_registers() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    for _ in 0..20 {
        assert_eq!(read(&mut bus, VOLTAGE).await.unwrap(), VOLTAGE_WORDS);
        assert_eq!(read(&mut bus, CURRENT).await.unwrap(), CURRENT_WORDS);
    }
}

// covers: MET-026
#[tokio::test]
async fn a_line_without_echo_works_with_the_removal_switched_off() {
    let meter = meter("eastron/sdm630");
    meter.inject(Fault::NoEcho);
    let answer = read(&mut bus(meter.path(), LocalEcho::Absent), VOLTAGE).await;
    assert_eq!(answer.unwrap(), VOLTAGE_WORDS);
    let error = read(&mut bus(meter.path(), LocalEcho::Present), VOLTAGE)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Collision { .. } | Error::NoEcho { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_write_is_confirmed_by_the_device_and_only_by_it() {
    let meter = meter("klefr/694x");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    bus.write_register(DEVICE, 0x4003, 7).await.unwrap();
    let read_back = bus
        .read(DEVICE, ReadFunction::Holding, 0x4003, 1)
        .await
        .unwrap();
    assert_eq!(read_back, [7]);

    // The echo equals the confirmation: a dead device must not seem to obey.
    meter.go_silent();
    let error = bus.write_register(DEVICE, 0x4003, 8).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    // Nor may it seem so when the line is set up for an echo that isn't there.
    meter.inject(Fault::NoEcho);
    let error = bus.write_register(DEVICE, 0x4003, 9).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoEcho { sent: 8, heard: 0 } | Error::NoAnswer { .. }
        ),
        "{error}"
    );
    meter.answer();
    let read_back = bus
        .read(DEVICE, ReadFunction::Holding, 0x4003, 1)
        .await
        .unwrap();
    assert_ne!(read_back, [8]);
}

#[tokio::test]
async fn a_write_of_several_registers_is_confirmed_by_the_device_and_only_by_it() {
    const DATASET: u16 = 7100;
    let meter = meter("iskra/wm3m4c");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    let words: Vec<u16> = (1..=120).collect();
    bus.write_registers(DEVICE, DATASET, &words).await.unwrap();
    let dataset = bus.read(DEVICE, ReadFunction::Holding, DATASET, 120).await;
    assert_eq!(dataset.unwrap(), words);

    // 121 registers are too many for this meter, and 124 for any.
    let error = bus.write_registers(DEVICE, DATASET, &[7; 121]).await;
    assert!(matches!(error, Err(Error::Refused { code: 3, .. })));
    let heard = meter.heard_in_all();
    for count in [0, 124] {
        let error = bus.write_registers(DEVICE, DATASET, &vec![7; count]).await;
        assert!(matches!(error, Err(Error::Unwritable { .. })));
    }
    assert_eq!(meter.heard_in_all(), heard, "something was sent");

    for fault in [
        Fault::Silence,
        Fault::NoEcho,
        Fault::WrongSlave,
        Fault::DamagedAnswer,
        Fault::Collision,
    ] {
        meter.inject(fault);
        let result = bus.write_registers(DEVICE, DATASET, &[8, 9]).await;
        assert!(result.is_err(), "{fault:?} passes for an answer");
    }
    meter.go_silent();
    let error = bus.write_registers(DEVICE, DATASET, &[8, 9]).await;
    assert!(
        matches!(error, Err(Error::NoAnswer { .. })),
        "a dead device obeys"
    );
}

#[tokio::test]
async fn a_collision_is_told() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    meter.inject(Fault::Collision);
    let error = read(&mut bus, VOLTAGE).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Collision {
                sent: 0x01,
                heard: 0x11
            }
        ),
        "{error}"
    );
    meter.answer();
    assert_eq!(read(&mut bus, VOLTAGE).await.unwrap(), VOLTAGE_WORDS);
}

#[tokio::test]
async fn noise_before_the_answer_is_survived() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    meter.inject(Fault::Noise(5));
    assert_eq!(read(&mut bus, VOLTAGE).await.unwrap(), VOLTAGE_WORDS);
}

#[tokio::test]
async fn answers_that_are_not_the_right_one_are_refused() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    for fault in [Fault::WrongSlave, Fault::ShortAnswer] {
        meter.inject(fault);
        let error = read(&mut bus, VOLTAGE).await.unwrap_err();
        assert!(
            matches!(error, Error::ForeignAnswer { .. }),
            "{fault:?}: {error}"
        );
    }
    meter.inject(Fault::DamagedAnswer);
    let error = read(&mut bus, VOLTAGE).await.unwrap_err();
    assert!(
        matches!(error, Error::Line(_) | Error::NoAnswer { .. }),
        "{error}"
    );
    meter.inject(Fault::Exception(2));
    let error = read(&mut bus, VOLTAGE).await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: 2, .. }), "{error}");
    meter.answer();
    assert_eq!(read(&mut bus, VOLTAGE).await.unwrap(), VOLTAGE_WORDS);
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    for late in [610, 650, 700, 750, 800] {
        meter.inject(Fault::Delay(Duration::from_millis(late)));
        let error = read(&mut bus, VOLTAGE).await.unwrap_err();
        assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
        meter.answer();
        // The voltage is on its way while the current is asked for.
        for _ in 0..10 {
            assert_eq!(read(&mut bus, CURRENT).await.unwrap(), CURRENT_WORDS);
        }
    }
}

#[tokio::test]
async fn a_very_late_answer_is_told_by_its_length() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    meter.inject(Fault::Delay(Duration::from_millis(1000)));
    let end = Instant::now() + Duration::from_millis(1300);
    read(&mut bus, VOLTAGE).await.unwrap_err();
    meter.answer();
    let mut good = 0;
    let deadline = end + Duration::from_secs(10);
    while Instant::now() < end || good < 4 {
        assert!(Instant::now() < deadline, "{good} good answers");
        match bus.read(DEVICE, ReadFunction::Input, CURRENT, 4).await {
            Ok(words) => {
                assert_eq!(words[..2], CURRENT_WORDS);
                good += 1;
            }
            Err(Error::Collision { .. } | Error::ForeignAnswer { .. } | Error::NoAnswer { .. }) => {
            }
            Err(error) => panic!("{error}"),
        }
    }
}

// covers: MET-024
#[tokio::test]
async fn a_transaction_with_a_dead_device_is_over_within_a_second() {
    let meter = meter("eastron/sdm630");
    meter.go_silent();
    let mut slow = Bus::new(Line {
        port: meter.path().into(),
        baud_rate: BaudRate::new(1200).unwrap(),
        parity: Parity::Even,
        echo: LocalEcho::Present,
    });
    let start = Instant::now();
    let error = slow
        .read(DEVICE, ReadFunction::Input, VOLTAGE, 80)
        .await
        .unwrap_err();
    let Error::NoAnswer { limit, .. } = error else {
        panic!("{error}")
    };
    let took = start.elapsed();
    // At this speed it would be 2.2 s; the rest of the second is for opening the port, and
    // the next one for a busy machine.
    assert!(limit <= Duration::from_millis(900), "{limit:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_port_that_does_not_exist_is_named() {
    let mut bus = bus(Path::new("/dev/ttynone"), LocalEcho::Present);
    let error = read(&mut bus, VOLTAGE).await.unwrap_err();
    assert!(matches!(error, Error::Open { .. }));
    assert!(error.to_string().contains("/dev/ttynone"), "{error}");
}

/// Another process that holds a port exclusively until it is ended.
struct Holder(Child);

/// Tells this test binary to be that process.
const HOLD: &str = "RS485_TEST_HOLD_PORT";

impl Holder {
    fn of(port: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "hold_the_port_named_in_the_environment",
                "--nocapture",
                "--ignored",
            ])
            .env(HOLD, port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let held = lines
            .map_while(Result::ok)
            .any(|line| line.contains("held"));
        assert!(held, "the other process could not take the port");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // End of input is the request to let go.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[tokio::test]
#[ignore = "not a test: what the other process does"]
async fn hold_the_port_named_in_the_environment() {
    let port = PathBuf::from(std::env::var_os(HOLD).unwrap());
    let settings = tokio_serial::new(port.to_string_lossy(), 9600);
    let _held = tokio_serial::SerialStream::open(&settings).unwrap();
    println!("\nheld");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

// covers: MET-023
#[tokio::test]
async fn a_port_held_by_another_process_is_waited_for_and_never_disturbed() {
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    let holder = Holder::of(meter.path());
    let error = read(&mut bus, VOLTAGE).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert_eq!(
        meter.heard(),
        [],
        "something was sent on a line held by another process"
    );

    let waiting = tokio::spawn(async move { read(&mut bus, VOLTAGE).await });
    tokio::task::yield_now().await;
    drop(holder);
    assert_eq!(waiting.await.unwrap().unwrap(), VOLTAGE_WORDS);
}

// covers: MET-027
#[tokio::test]
async fn two_readers_share_a_line_without_disturbing_each_other() {
    let meter = meter("eastron/sdm630");
    let reader = |start, words: [u16; 2]| {
        let mut bus = bus(meter.path(), LocalEcho::Present);
        tokio::spawn(async move {
            for _ in 0..20 {
                assert_eq!(read(&mut bus, start).await.unwrap(), words);
            }
        })
    };
    let voltage = reader(VOLTAGE, VOLTAGE_WORDS);
    let current = reader(CURRENT, CURRENT_WORDS);
    voltage.await.unwrap();
    current.await.unwrap();
    assert_eq!(meter.heard().len(), 40, "a request was lost or repeated");
}

#[tokio::test]
async fn a_probe_of_nobody_is_no_error_and_the_next_one_follows_at_once() {
    const NOBODIES: u32 = 24;
    let meter = meter("eastron/sdm630");
    let mut bus = bus(meter.path(), LocalEcho::Present);
    let nobody = DeviceAddress::new(2).unwrap();
    let start = Instant::now();
    for _ in 0..NOBODIES {
        let limit = Duration::from_millis(30);
        let found = bus
            .probe(nobody, ReadFunction::Input, VOLTAGE, 2, limit)
            .await;
        assert_eq!(found.unwrap(), None);
    }
    let limit = Duration::from_secs(1);
    let found = bus
        .probe(DEVICE, ReadFunction::Input, VOLTAGE, 2, limit)
        .await;
    assert_eq!(found.unwrap().unwrap(), VOLTAGE_WORDS);
    // After a failed read the line rests for a quarter of a second each time.
    let took = start.elapsed();
    assert!(took < NOBODIES * Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_patient_bus_waits_for_a_slow_device() {
    let meter = meter("eastron/sdm630");
    meter.inject(Fault::Delay(Duration::from_millis(1500)));
    let limit = Duration::from_secs(3);
    let mut bus = bus(meter.path(), LocalEcho::Present).with_answer_limit(limit);
    assert_eq!(read(&mut bus, CURRENT).await.unwrap(), CURRENT_WORDS);
}
