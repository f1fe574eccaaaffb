//! Messages that don't fit their topic: ignored, and said so once.

use std::collections::BTreeSet;

use topic_map::PayloadError;

/// Which topics were complained about.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    topics: BTreeSet<String>,
}

impl Complaints {
    /// The value, or a line in the log: once for each topic until it is right
    /// again, so that a chatty peer can't fill the log.
    pub(crate) fn sift<T>(
        &mut self,
        topic: &str,
        value: Result<Option<T>, PayloadError>,
    ) -> Option<T> {
        match value {
            Ok(value) => {
                self.topics.remove(topic);
                value
            }
            Err(error) => {
                if self.topics.insert(topic.to_owned()) {
                    tracing::warn!(topic, "{error}: ignored");
                }
                None
            }
        }
    }
}
