//! The OCPP client (guide 14.1 table 48, 3.3.3 table 2, 3.3.8.1 table 9, 3.3.7 table 6).

use crate::customer::{CalibrationLawFormat, Measurand};
use crate::key::Applies::{Immediately, NextTransaction};
use crate::key::{Initial, Key, Kind, TextRule};

const TABLE_48: &str = "guide 14.1 table 48";
const TABLE_2: &str = "guide 3.3.3 table 2";
const TABLE_6: &str = "guide 3.3.7 table 6";
const TABLE_9: &str = "guide 3.3.8.1 table 9";
/// Greatest number of an OCPP integer key.
const MAX: i64 = i32::MAX as i64;

const fn measurands(path: &'static str, initial: &'static str) -> Key {
    const MEASURAND: Kind = Kind::Choice {
        words: Measurand::WORDS,
        also: &[],
    };
    Key::new(path, Kind::List(&MEASURAND), Initial::Json(initial))
        .over_ocpp()
        .applies(NextTransaction)
}

const fn identity(path: &'static str, max_chars: usize) -> Key {
    Key::text(path, max_chars, TextRule::Any, Initial::Text(""))
}

/// The OCPP keys of customer.json.
pub const OCPP: &[Key] = &[
    Key::boolean("ocpp/enable", false).means("The station connects to a central system", TABLE_48),
    Key::text("ocpp/uri", 500, TextRule::WebSocketUri, Initial::Text(""))
        .over_ocpp_as("CentralSystemURI")
        .means(
            "Where the central system is; ws:// or wss:// in lower case. Changing it \
             drops stored transactions",
            "guide 14.1 table 48, 3.3.7 table 6",
        ),
    Key::boolean("ocpp/verifyCert", true)
        .means("The central system's TLS certificate is verified", TABLE_48),
    Key::boolean("ocpp/rfidStopTransaction", true)
        .over_ocpp_as("ocpp/rfidStopTransaction")
        .means(
            "The same tag held again ends the session",
            "guide 14.1 table 48, 15.18",
        ),
    Key::boolean("ocpp/rfidRequiresEvPresent", false)
        .over_ocpp_as("ocpp/rfidRequiresEvPresent")
        .means(
            "A tag counts only while an EV is connected",
            "guide 14.1 table 48, 15.18",
        ),
    identity("ocpp/chargePointModel", 20).means("Model told to the central system", TABLE_48),
    identity("ocpp/chargePointVendor", 20).means("Vendor told to the central system", TABLE_48),
    identity("ocpp/chargePointSerialNumber", 25)
        .means("Serial number told to the central system", TABLE_48),
    Key::boolean("ocpp/ftpTryTLSUpgrade", false)
        .read_over_ocpp()
        .means(
            "FTP is upgraded to TLS where the server can",
            "guide 14.1 table 48, 3.3.7 table 6",
        ),
    Key::boolean("ocpp/AllowOfflineTxForUnknownId", false)
        .over_ocpp()
        .applies(Immediately)
        .means("Offline, unknown tags may charge", TABLE_48),
    Key::boolean("ocpp/allowTxWithInvalidTime", false)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "Transactions may start before the system time is set",
            TABLE_48,
        ),
    Key::boolean("ocpp/AuthorizationCacheEnabled", true)
        .over_ocpp()
        .means(
            "Answers of the central system about tags are kept",
            TABLE_48,
        ),
    Key::boolean("ocpp/AuthorizeRemoteTxRequests", false)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "The tag of RemoteStartTransaction is authorized before the start",
            TABLE_48,
        ),
    Key::choice(
        "ocpp/calibrationLawFormat",
        CalibrationLawFormat::WORDS,
        Initial::Text("ocmf,plain"),
    )
    .over_ocpp()
    .applies(NextTransaction)
    .means("Form of signed meter values", TABLE_48),
    Key::special("ocpp/ClockAlignedDataInterval", 0, 10, 86_400, 0)
        .unit("s")
        .over_ocpp()
        .means("Interval of clock-aligned meter values; 0: none", TABLE_48),
    Key::special("ocpp/ConnectionTimeOut", 0, 10, MAX, 60)
        .unit("s")
        .over_ocpp()
        .applies(Immediately)
        .means("How long an authorization waits for the EV", TABLE_48),
    Key::boolean("ocpp/LocalAuthListEnabled", true)
        .over_ocpp()
        .means("The local authorization list is used", TABLE_48),
    Key::boolean("ocpp/LocalPreAuthorize", true)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "A tag known here starts without asking the central system",
            TABLE_48,
        ),
    Key::boolean("ocpp/LocalAuthorizeOffline", true)
        .over_ocpp()
        .applies(Immediately)
        .means("Offline, a tag known here may charge", TABLE_48),
    Key::special("ocpp/MeterValueSampleInterval", 0, 10, 86_400, 60)
        .unit("s")
        .over_ocpp()
        .applies(NextTransaction)
        .means(
            "Interval of meter values during a transaction; 0: none",
            TABLE_48,
        ),
    measurands(
        "ocpp/MeterValuesSampledData",
        r#"["Energy.Active.Import.Register"]"#,
    )
    .means("What MeterValues holds", "guide 14.1 table 48, 3.3.6"),
    measurands("ocpp/MeterValuesAlignedData", "[]")
        .means("What clock-aligned MeterValues holds", TABLE_6),
    Key::boolean("ocpp/StopTransactionOnInvalidId", true)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "A transaction that the central system does not accept is stopped",
            TABLE_48,
        ),
    measurands("ocpp/StopTxnSampledData", "[]").means(
        "What StopTransaction holds of the samples",
        "guide 14.1 table 48, 3.3.6",
    ),
    measurands("ocpp/StopTxnAlignedData", "[]").means(
        "What StopTransaction holds of the clock-aligned values",
        TABLE_6,
    ),
    Key::integer("ocpp/TransactionMessageAttempts", 1, MAX, 3)
        .over_ocpp()
        .means(
            "How often a transaction message is sent that the central system fails to \
             process",
            TABLE_48,
        ),
    Key::integer("ocpp/TransactionMessageRetryInterval", 0, MAX, 30)
        .unit("s")
        .over_ocpp()
        .means(
            "How long to wait before each repetition, times the number of tries so far",
            TABLE_48,
        ),
    Key::boolean("ocpp/useAsTimeSource", true)
        .over_ocpp()
        .applies(Immediately)
        .means("The system time follows the central system", TABLE_48),
    Key::boolean("ocpp/bootNotificationOnReconnect", false)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "BootNotification is sent after each reconnection; OCPP does not want that",
            TABLE_48,
        ),
    Key::boolean("ocpp/sendMeterPublicKeyOnBootNotification", true)
        .over_ocpp()
        .applies(Immediately)
        .means(
            "The meter's public key follows each BootNotification",
            "guide 3.3.7 table 6, 3.3.10",
        ),
    Key::integer("ocpp/WebSocketPingInterval", 0, MAX, 0)
        .unit("s")
        .over_ocpp()
        .applies(Immediately)
        .means("Interval of WebSocket pings; 0: none", TABLE_2),
    Key::integer("ocpp/webSocketPingTimeout", 1, MAX, 120)
        .unit("s")
        .over_ocpp()
        .applies(Immediately)
        .means(
            "Without a pong for so long the connection counts as lost",
            TABLE_2,
        ),
    Key::new(
        "ocpp/csDataTransfers",
        Kind::Items { max: 32 },
        Initial::Json("[]"),
    )
    .means(
        "DataTransfer messages of the central system that customer software \
             answers on MQTT",
        TABLE_9,
    ),
    Key::text(
        "ocpp/csDataTransfers[]/vendorId",
        255,
        TextRule::Any,
        Initial::Text(""),
    )
    .means("Vendor of the messages", TABLE_9),
    Key::text(
        "ocpp/csDataTransfers[]/messageId",
        50,
        TextRule::Any,
        Initial::Absent,
    )
    .means(
        "Kind of message; without the key, all of the vendor",
        TABLE_9,
    ),
    Key::integer("ocpp/csDataTransfers[]/confirmTimeout", 1, 60, 1)
        .unit("s")
        .means("How long customer software may take to answer", TABLE_9),
];
