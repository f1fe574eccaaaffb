//! Every MQTT topic once: name, payload, retain flag and permitted publisher.
//!
//! No topic string stands anywhere else in the product. [`ALL`] lists the topics;
//! the reference page ([`reference_page`]) and the broker's access list
//! ([`broker_acl`]) are rendered from it.

mod acl;
mod payload;
mod reference;
mod topic;
mod topics;

pub use acl::broker_acl;
pub use payload::*;
pub use reference::reference_page;
pub use topic::{Class, Publisher, Topic, TopicFamily, TopicInfo};
pub use topics::*;
