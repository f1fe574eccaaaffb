//! The ADC behind a thread of its own, so that one that hangs holds up nobody.
//!
//! The kernel's driver waits up to 100 ms for each of five conversions. The control
//! thread gives up much sooner, counts all channels as failed, opens the contactor
//! and goes on looking at its inputs; it asks again when the conversion has ended.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::{BoardError, real_time};

/// For all channels together; they take well under 1 ms.
const PATIENCE: Duration = Duration::from_millis(5);

/// What is to be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    All,
    Pilot,
}

/// Conversions that are asked for in one thread and made in another.
pub(super) struct Converter<T> {
    requests: SyncSender<Channels>,
    answers: Receiver<T>,
    /// An answer is owed.
    pending: bool,
}

impl<T: Send + 'static> Converter<T> {
    /// A thread that makes conversions with `convert`; it ends with this value, after
    /// the conversion it is at.
    pub(super) fn start(
        mut convert: impl FnMut(Channels) -> T + Send + 'static,
    ) -> Result<Self, BoardError> {
        let (requests, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let serve = move || {
            // The control thread, which waits for this one, tells when that is refused.
            let _ = real_time::claim();
            while let Ok(channels) = asked.recv() {
                if answer.send(convert(channels)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("adc".into())
            .spawn(serve)
            .map_err(|source| BoardError::new("start the thread of the ADC", source))?;
        Ok(Self {
            requests,
            answers,
            pending: false,
        })
    }

    /// Converts; `None` when that takes more than 5 ms, or at once while an earlier
    /// conversion still hangs.
    pub(super) fn convert(&mut self, channels: Channels) -> Option<T> {
        if self.pending {
            // It comes late, so it says nothing of now.
            self.answers.try_recv().ok()?;
        }
        self.pending = false;
        self.requests.send(channels).ok()?;
        self.pending = true;
        let value = self.answers.recv_timeout(PATIENCE).ok()?;
        self.pending = false;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    /// Conversions until one is answered in time, which a busy host may fail to do.
    fn answer<T: Send + 'static>(converter: &mut Converter<T>, channels: Channels) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            assert!(Instant::now() < deadline, "never answered");
            if let Some(answer) = converter.convert(channels) {
                return answer;
            }
        }
    }

    /// The scheduling class of the calling thread (proc_pid_stat(5), field 41).
    fn class() -> u32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(38).unwrap().parse().unwrap()
    }

    #[test]
    fn conversions_have_the_class_of_the_thread_that_waits_for_them() {
        let mut converter = Converter::start(|_| class()).unwrap();
        let waiting = std::thread::spawn(|| {
            let allowed = real_time::claim().is_ok();
            (allowed, class())
        });
        let (allowed, own) = waiting.join().unwrap();
        assert_eq!(own, u32::from(allowed), "SCHED_FIFO is 1");
        assert_eq!(answer(&mut converter, Channels::All), own);
    }

    #[test]
    fn a_conversion_that_hangs_is_given_up_and_its_late_answer_thrown_away() {
        let hangs = Arc::new(AtomicBool::new(false));
        let (release, released) = channel::<()>();
        let mut number = 0;
        let mut converter = Converter::start({
            let hangs = hangs.clone();
            move |channels| {
                number += 1;
                if hangs.load(SeqCst) {
                    released.recv().unwrap();
                }
                (channels, number)
            }
        })
        .unwrap();
        let (channels, first) = answer(&mut converter, Channels::All);
        assert_eq!(channels, Channels::All);

        hangs.store(true, SeqCst);
        let start = Instant::now();
        assert_eq!(converter.convert(Channels::All), None);
        assert!(start.elapsed() >= PATIENCE);
        let start = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(converter.convert(Channels::All), None);
        }
        assert!(start.elapsed() < PATIENCE * 200, "not waited for again");

        // The late answer is for all channels.
        hangs.store(false, SeqCst);
        release.send(()).unwrap();
        let (channels, next) = answer(&mut converter, Channels::Pilot);
        assert_eq!(channels, Channels::Pilot);
        assert!(next > first + 1);
    }
}
