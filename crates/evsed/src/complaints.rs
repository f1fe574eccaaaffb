//! Messages that don't fit their topic: ignored, and said so once.

use std::collections::BTreeSet;

use topic_map::PayloadError;

/// Topics that are remembered; they come from outside.
const TOPICS: usize = 32;

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
                if self.topics.len() < TOPICS && self.topics.insert(topic.to_owned()) {
                    tracing::warn!(topic, "{error}: ignored");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ever_new_topics_with_garbage_fill_no_memory() {
        let mut complaints = Complaints::default();
        let garbage = || Err::<Option<()>, _>(PayloadError::new(b"x", "0 or 1"));
        for number in 0..1_000 {
            assert_eq!(complaints.sift(&format!("topic {number}"), garbage()), None);
        }
        assert_eq!(complaints.topics.len(), TOPICS);
        assert_eq!(complaints.sift("topic 1", Ok(Some(()))), Some(()));
        assert_eq!(complaints.topics.len(), TOPICS - 1);
    }
}
