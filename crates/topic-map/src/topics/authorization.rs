//! Who may charge.

use crate::{Publisher, RfidTag, TopicInfo};

topics! {
    /// 1: charging is allowed. The customer's with `user_authentication` `mqtt`, ocppd's with
    /// `ocpp`. Retained 1 authorizes permanently, not retained 1 for one session.
    AUTHORIZATION_STATUS: Topic<bool> =
        TopicInfo::state(
            "port0/session/authorization_status",
            Publisher::Either("ocppd"),
            "guide 15.21 table 83; 14.1 table 48",
        )
        .named("TOPIC_AUTHORIZATION_STATUS");

    /// 0: the RFID reader does not answer.
    RFID_AVAILABLE: Topic<bool> =
        TopicInfo::state("port0/rfid/available", Publisher::Daemon("rfidd"), "guide 3.3.4.11");

    /// A tag was held to the reader; a remote reader or a customer's daemon may publish it too.
    RFID_AUTHORIZATION_REQUEST: Topic<RfidTag> =
        TopicInfo::event(
            "port0/rfid/authorization_request",
            Publisher::Either("rfidd"),
            "guide 15.17 table 75",
        )
        .named("TOPIC_RFID_AUTHORIZATION_REQUEST");

    /// Deprecated spelling of RFID_AUTHORIZATION_REQUEST. rfidd publishes it beside that one,
    /// and repeats there what others publish here.
    RFID_AUTHORIZEREQ: Topic<RfidTag> =
        TopicInfo::event("port0/rfid/authorizeReq", Publisher::Either("rfidd"), "guide 15.17 note")
            .named("TOPIC_RFID_AUTHORIZEREQ");
}
