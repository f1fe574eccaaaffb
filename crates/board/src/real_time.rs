//! Threads that run before all that can wait.

use std::io;

use thread_priority::{
    Error, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use crate::BoardError;

/// Puts the calling thread into the real-time class SCHED_FIFO, at its lowest priority: above
/// every program that has no such class, below the kernel's own threads.
///
/// # Errors
/// The unit (`LimitRTPRIO`) or the kernel refuses: the thread keeps the niceness of its process.
pub fn claim() -> Result<(), BoardError> {
    let class = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, class).map_err(
        |error| {
            let source = if let Error::OS(code) = error {
                io::Error::from_raw_os_error(code)
            } else {
                io::Error::other(error)
            };
            BoardError::new("claim the real-time class SCHED_FIFO", source)
        },
    )
}
