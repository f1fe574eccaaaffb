//! The messages of OCPP 1.6: what is sent is strict by type, what is taken is lenient by field.

pub mod answer;
pub mod incoming;
pub mod notification;
pub mod outgoing;
