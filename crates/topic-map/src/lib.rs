//! Every MQTT topic once: name, payload, retain flag and permitted publisher.
//!
//! No topic string stands anywhere else in the product.

mod payload;
mod topic;

pub use payload::{Payload, PayloadError};
pub use topic::{Class, Publisher, Topic, TopicFamily, TopicInfo};
