//! OCPP DataTransfer for customer software (guide 3.3.8).

use crate::{DataTransferAnswer, DataTransferCall, Publisher, ServiceId, TopicInfo};

topics! {
    /// A DataTransfer of the central system for a registered vendor and message.
    OCPP_DATA_TRANSFER_FROM_CS_REQUEST: Topic<DataTransferCall> =
        TopicInfo::event(
            "ocpp/data_transfer_from_cs/request",
            Publisher::Daemon("ocppd"),
            "guide 3.3.8.1 tables 7-8",
        );

    /// The customer's answer, with the request's id, within `confirmTimeout`.
    OCPP_DATA_TRANSFER_FROM_CS_CONFIRM: Topic<DataTransferAnswer> =
        TopicInfo::event(
            "ocpp/data_transfer_from_cs/confirm",
            Publisher::Customer,
            "guide 3.3.8.1 tables 7-8",
        );

    /// Registers a service of the customer's that will send requests.
    OCPP_DATA_TRANSFER_TO_CS_SERVICE_ID: Topic<ServiceId> =
        TopicInfo::event(
            "ocpp/data_transfer_to_cs/service_id",
            Publisher::Customer,
            "guide 3.3.8.2 table 11",
        );

    /// A DataTransfer that is forwarded to the central system.
    OCPP_DATA_TRANSFER_TO_CS_REQUEST: TopicFamily<DataTransferCall> =
        TopicInfo::event(
            "ocpp/data_transfer_to_cs/+/request",
            Publisher::Customer,
            "guide 3.3.8.2 tables 10-11",
        );

    /// The central system's answer, or an error when the request could not be forwarded.
    OCPP_DATA_TRANSFER_TO_CS_CONFIRM: TopicFamily<DataTransferAnswer> =
        TopicInfo::event(
            "ocpp/data_transfer_to_cs/+/confirm",
            Publisher::Daemon("ocppd"),
            "guide 3.3.8.2-3.3.8.3 tables 10-11",
        );
}
