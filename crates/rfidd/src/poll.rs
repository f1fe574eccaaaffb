//! The task that keeps looking at the reader.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::presence::Sighting;
use crate::reader::{Error, Reader};

/// From one look to the next: a card is held for half a second at least.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// A reader that is silent for this long is asked less often, whether or not it counts as
/// gone yet: each search holds the bus for half a second, and a meter that shares it has
/// two seconds for all its answers.
const SEARCH_AFTER: Duration = Duration::from_secs(2);
/// From one failed search to the next.
const SEARCH_PAUSE: Duration = Duration::from_secs(1);

/// What a look gave.
#[derive(Debug)]
pub enum Finding {
    /// The reader answered.
    Seen(Sighting),
    /// It did not.
    Failed(Error),
}

/// Look, and report each finding, until nobody listens.
pub async fn run(mut reader: Reader, findings: mpsc::Sender<Finding>) {
    let mut last_answer = Instant::now();
    while !findings.is_closed() {
        let started = Instant::now();
        let finding = match reader.look().await {
            Ok(sighting) => {
                last_answer = Instant::now();
                Finding::Seen(sighting)
            }
            Err(error) => Finding::Failed(error),
        };
        let next = if last_answer.elapsed() < SEARCH_AFTER {
            started + LOOK_INTERVAL
        } else {
            Instant::now() + SEARCH_PAUSE
        };
        // A closed channel ends the loop.
        let _ = findings.send(finding).await;
        sleep_until(next).await;
    }
}
