//! Frames of other protocols on an echoing line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

use std::time::{Duration, Instant};

use rs485::{BaudRate, Bus, Error, Line, LocalEcho, Parity};
use simulator::bus::{Fault, SharedLine};
use simulator::rfid::{Field, Sl032};

const SELECT: [u8; 4] = [0xBA, 0x02, 0x01, 0xB9];
const NO_TAG: [u8; 5] = [0xBD, 0x03, 0x01, 0x01, 0xBE];
const LIMIT: Duration = Duration::from_millis(300);

fn bench() -> (SharedLine, Bus) {
    let line = SharedLine::start(vec![Box::new(Sl032::new(Field::default()))]).unwrap();
    let bus = Bus::new(Line {
        port: line.path().into(),
        baud_rate: BaudRate::new(115_200).unwrap(),
        parity: Parity::None,
        echo: LocalEcho::Present,
    });
    (line, bus)
}

/// Everything heard, once there are so many bytes.
fn bytes(count: usize) -> impl Fn(&[u8]) -> Option<Vec<u8>> {
    move |heard| (heard.len() >= count).then(|| heard.to_vec())
}

#[tokio::test]
async fn the_answer_comes_without_the_echo() {
    let (_line, mut bus) = bench();
    let heard = bus.ask(&SELECT, LIMIT, bytes(NO_TAG.len())).await;
    assert_eq!(heard.unwrap(), NO_TAG);
}

#[tokio::test]
async fn a_dead_device_answers_nothing_not_even_the_echo() {
    let (line, mut bus) = bench();
    line.inject(0, Fault::Silence);
    let heard = bus.ask(&SELECT, LIMIT, bytes(1)).await;
    assert!(
        matches!(heard, Err(Error::Unanswered { limit }) if limit == LIMIT),
        "{heard:?}"
    );
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_one() {
    let (line, mut bus) = bench();
    line.inject(0, Fault::Delay(LIMIT + Duration::from_millis(100)));
    let heard = bus.ask(&SELECT, LIMIT, bytes(1)).await;
    assert!(matches!(heard, Err(Error::Unanswered { .. })), "{heard:?}");
    // The late one has come meanwhile, and nothing follows it.
    line.inject(0, Fault::Silence);
    let heard = bus.ask(&SELECT, LIMIT, bytes(1)).await;
    assert!(matches!(heard, Err(Error::Unanswered { .. })), "{heard:?}");
}

#[tokio::test]
async fn the_time_limit_is_never_longer_than_the_bus_may_be_held() {
    let (line, mut bus) = bench();
    line.inject(0, Fault::Silence);
    let start = Instant::now();
    let heard = bus.ask(&SELECT, Duration::from_secs(60), bytes(1)).await;
    let took = start.elapsed();
    let most = Duration::from_millis(900);
    assert!(
        matches!(heard, Err(Error::Unanswered { limit }) if limit <= most),
        "{heard:?}"
    );
    // What is told was also kept, as well as a busy machine lets it be.
    assert!(took < Duration::from_secs(10), "{took:?}");
}
