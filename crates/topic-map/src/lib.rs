//! Every MQTT topic once: name, payload, retain flag and permitted publisher.
//!
//! No topic string stands anywhere else in the product.

mod payload;
mod topic;

pub use payload::{Payload, PayloadError};
pub use topic::{Class, Publisher, Topic, TopicFamily, TopicInfo};
/// Whether a daemon is there; its last will is "0".
pub const DAEMON_AVAILABLE: TopicFamily<bool> = TopicFamily::new(TopicInfo {
    name: "ci/global/daemon/+/available",
    guide_name: "",
    publisher: Publisher::Daemon("any"),
    class: Class::State,
    retain: true,
    meaning: "1 while the daemon is connected",
    source: "mode3",
});

impl Payload for bool {
    const FORM: &'static str = "0 or 1";

    fn encode(&self) -> String {
        if *self { "1".into() } else { "0".into() }
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        match payload {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(PayloadError::new(payload, Self::FORM)),
        }
    }
}
