//! The search for a meter whose address follows from its serial number (guide 7.3.6.1).

use std::time::Duration;

use rs485::{Bus, DeviceAddress};
use tokio::time::{Instant, sleep_until};

use crate::maps::{Model, Phase, Quantity, Register};
use crate::meter::Progress;

/// How fast the addresses are asked.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long each address has to answer.
    pub limit: Duration,
    /// How long the port stays free between two addresses.
    pub rest: Duration,
}

impl Pace {
    /// All addresses in less than the guide's minute, and rests as long as another
    /// daemon waits at most before it tries again.
    pub const USUAL: Self = Self {
        limit: Duration::from_millis(280),
        rest: Duration::from_millis(100),
    };
}

/// Mains frequencies in hertz: what tells the meter from another device on the bus.
const MAINS_FREQUENCY: std::ops::RangeInclusive<f64> = 45.0..=65.0;

/// The address of the one meter of `model` on the bus, asked once each.
pub async fn find(
    bus: &mut Bus,
    model: &Model,
    pace: Pace,
    progress: &Progress,
) -> Option<DeviceAddress> {
    let register = model.register(Quantity::Frequency, Phase::Total)?;
    let started = Instant::now();
    let mut found = None;
    for device in candidates() {
        if is_there(bus, register, device, pace.limit).await {
            found = Some(device);
            break;
        }
        progress.note();
        sleep_until(Instant::now() + pace.rest).await;
    }
    tracing::info!(
        address = found.map(DeviceAddress::number),
        seconds = started.elapsed().as_secs(),
        "searched the bus for the meter"
    );
    found
}

/// Noise and foreign frames are no meter; the next address is asked all the same.
async fn is_there(
    bus: &mut Bus,
    register: &Register,
    device: DeviceAddress,
    limit: Duration,
) -> bool {
    let read = register.alone();
    let answer = bus
        .probe(device, read.function, read.start, read.count, limit)
        .await;
    match answer {
        Ok(Some(words)) => {
            let hertz = register.value(&read, &words);
            let is_meter = hertz.is_some_and(|hertz| MAINS_FREQUENCY.contains(&hertz));
            if !is_meter {
                tracing::info!(%device, ?words, "a device answers, but not as this meter does");
            }
            is_meter
        }
        Ok(None) => false,
        Err(error) => {
            tracing::debug!(%device, %error, "searching");
            false
        }
    }
}

/// Every address that the guide's "01 - 99" can mean: two decimal digits taken as
/// hexadecimal ones, as the maker does, then what is left of 1 to 99.
fn candidates() -> impl Iterator<Item = DeviceAddress> {
    let is_packed = |address: &u8| address & 0x0F <= 9;
    let packed = (0x01..=0x99).filter(move |address| is_packed(address));
    let plain = (1..=99).filter(move |address| !is_packed(address));
    packed.chain(plain).filter_map(DeviceAddress::new)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    // covers: MET-006
    #[test]
    fn every_address_is_asked_once_and_all_within_a_minute() {
        let asked: Vec<u8> = candidates().map(DeviceAddress::number).collect();
        assert_eq!(asked[0], 1);
        assert_eq!(asked[98], 0x99);
        let distinct: HashSet<u8> = asked.iter().copied().collect();
        assert_eq!(distinct.len(), asked.len());
        for address in 1..=99 {
            assert!(distinct.contains(&address), "{address}");
            let packed = address / 10 * 16 + address % 10;
            assert!(distinct.contains(&packed), "{packed:#x}");
        }
        // Eight characters out, nine back, and the gap between two frames.
        let on_the_line = Duration::from_millis(25);
        let worst = (Pace::USUAL.limit + Pace::USUAL.rest + on_the_line) * asked.len() as u32;
        assert!(worst < Duration::from_secs(60), "{worst:?}");
    }
}
