//! The central system as a raw WebSocket client sees it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::Receiver;

use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::*;

const SOON: Duration = Duration::from_secs(10);
const AT_ONCE: Duration = Duration::from_millis(1);

fn central() -> CentralSystem {
    CentralSystem::start(Options::default()).unwrap()
}

/// A station without any mind of its own.
struct Station<S: Read + Write>(WebSocket<S>);

impl Station<TcpStream> {
    fn connect(central: &CentralSystem, identity: &str) -> Self {
        Self::attempt(central, identity, "ocpp1.6").unwrap()
    }

    fn attempt(central: &CentralSystem, identity: &str, subprotocol: &str) -> Option<Self> {
        Self::over(tcp(central)?, central, identity, subprotocol)
    }
}

impl<S: Read + Write> Station<S> {
    fn over(stream: S, central: &CentralSystem, identity: &str, protocol: &str) -> Option<Self> {
        let uri = format!("{}/{identity}", central.uri());
        let mut request = uri.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert(
            "Sec-WebSocket-Protocol",
            HeaderValue::from_str(protocol).unwrap(),
        );
        headers.insert("Authorization", HeaderValue::from_static("Basic eDp5"));
        let (socket, response) = client(request, stream).ok()?;
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "ocpp1.6");
        Some(Self(socket))
    }

    fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).unwrap();
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    }

    /// The answer to a CALL.
    fn call(&mut self, id: &str, action: &str, payload: Value) -> Value {
        self.send(json!([2, id, action, payload]));
        self.receive()
    }
}

fn tcp(central: &CentralSystem) -> Option<TcpStream> {
    let address = central.uri().split('/').nth(2).unwrap();
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    Some(stream)
}

#[test]
fn it_answers_as_a_willing_central_system() {
    let central = central();
    let mut station = Station::connect(&central, "CP-1");
    assert_eq!(central.wait_connected(SOON).unwrap(), "CP-1");
    let boot = station.call("1", "BootNotification", json!({}));
    assert_eq!(
        (&boot[0], &boot[1], &boot[2]["status"]),
        (&json!(3), &json!("1"), &json!("Accepted"))
    );
    assert_eq!(boot[2]["interval"], 300);
    assert!(boot[2]["currentTime"].as_str().unwrap().ends_with('Z'));
    let authorized = station.call("2", "Authorize", json!({ "idTag": "A" }));
    assert_eq!(
        authorized,
        json!([3, "2", { "idTagInfo": { "status": "Accepted" } }])
    );
    assert_eq!(
        station.call("3", "StatusNotification", json!({})),
        json!([3, "3", {}])
    );
    assert_eq!(
        station.call("4", "Nonsense", json!({})),
        json!([4, "4", "NotImplemented", "", {}])
    );
}

#[test]
fn it_gives_counting_transaction_ids_and_the_same_one_to_a_repetition() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    let start = |meter: i64| json!({ "connectorId": 1, "idTag": "A", "meterStart": meter });
    let mut id = |message: &str, meter| {
        station.call(message, "StartTransaction", start(meter))[2]["transactionId"].clone()
    };
    assert_eq!(
        (id("1", 0), id("2", 0), id("3", 5)),
        (json!(1), json!(1), json!(2))
    );
    station.call("4", "MeterValues", json!({ "transactionId": 2 }));
    station.call(
        "5",
        "StopTransaction",
        json!({ "transactionId": 2, "idTag": "A" }),
    );
    let transactions = central.transactions();
    let ids: Vec<_> = transactions
        .iter()
        .map(|transaction| transaction.id)
        .collect();
    assert_eq!(ids, [Some(1), Some(2)]);
    assert!(transactions[0].is_running());
    assert_eq!(
        (
            transactions[1].meter_values.len(),
            transactions[1].stops.len()
        ),
        (1, 1)
    );
}

#[test]
fn scripted_answers_come_in_order_and_then_the_permanent_one() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    central.answer("Heartbeat", Answer::Hostile(json!({ "currentTime": 5 })));
    central.answer_next(2, "Heartbeat", Answer::call_error("NotSupported", "no"));
    let payload = Answer::Payload(json!({ "currentTime": "2026-01-01T00:00:00Z" }));
    central.answer_next(
        1,
        "Heartbeat",
        Answer::delayed(Duration::from_millis(20), payload),
    );
    assert_eq!(
        station.call("1", "Heartbeat", json!({})),
        json!([4, "1", "NotSupported", "no", {}])
    );
    assert_eq!(station.call("2", "Heartbeat", json!({}))[0], 4);
    let asked = Instant::now();
    assert_eq!(
        station.call("3", "Heartbeat", json!({}))[2]["currentTime"],
        "2026-01-01T00:00:00Z"
    );
    assert!(asked.elapsed() >= Duration::from_millis(20));
    assert_eq!(
        station.call("4", "Heartbeat", json!({}))[2]["currentTime"],
        5
    );
    let hostile: Vec<_> = central.frames().iter().map(|frame| frame.hostile).collect();
    assert_eq!(
        hostile,
        [false, false, false, false, false, false, false, true]
    );
    central.answer("Heartbeat", Answer::Default);
    assert!(station.call("5", "Heartbeat", json!({}))[2]["currentTime"].is_string());
}

#[test]
fn silence_is_no_answer() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    central.answer_next(1, "Heartbeat", Answer::Silent);
    station.send(json!([2, "1", "Heartbeat", {}]));
    // The next answer is the first one.
    assert_eq!(station.call("2", "Heartbeat", json!({}))[1], "2");
}

#[test]
fn the_answer_to_boot_waits_for_the_answers_to_earlier_calls() {
    let central = central();
    central.before_boot_answer(vec![
        ("GetConfiguration", json!({})),
        ("ClearCache", json!({})),
    ]);
    let mut station = Station::connect(&central, "A");
    let first = station.call("b", "BootNotification", json!({}));
    let second = station.receive();
    assert_eq!(
        (&first[2], &second[2]),
        (&json!("GetConfiguration"), &json!("ClearCache"))
    );
    station.send(json!([3, first[1], { "configurationKey": [] }]));
    // An answer to the station's own call does not release it, nor does one of two.
    assert_eq!(station.call("h", "Heartbeat", json!({}))[1], "h");
    station.send(json!([4, second[1], "NotSupported", "", {}]));
    let boot = station.receive();
    assert_eq!(
        (&boot[1], &boot[2]["status"]),
        (&json!("b"), &json!("Accepted"))
    );
    central.before_boot_answer(vec![]);
    assert_eq!(station.call("c", "BootNotification", json!({}))[1], "c");
}

#[test]
fn a_call_returns_the_result_the_error_or_the_lack_of_either() {
    let central = central();
    assert!(matches!(
        central.call("Reset", json!({}), SOON),
        Err(CallError::NotConnected)
    ));
    let mut station = Station::connect(&central, "A");
    central.wait_connected(SOON).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let call = station.receive();
            assert_eq!(
                (&call[0], &call[2], &call[3]),
                (&json!(2), &json!("Reset"), &json!({ "type": "Soft" }))
            );
            station.send(json!([3, call[1], { "status": "Accepted" }]));
            let call = station.receive();
            station.send(json!([4, call[1], "NotSupported", "not today", { "a": 1 }]));
        });
        let result = central
            .call("Reset", json!({ "type": "Soft" }), SOON)
            .unwrap();
        assert_eq!(result, json!({ "status": "Accepted" }));
        let refused = central.call("ClearCache", json!({}), SOON).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.contains("NotSupported") && text.contains("not today"),
            "{text}"
        );
    });
    let missing = central
        // Long enough for the CALL to leave.
        .call("GetConfiguration", json!({}), Duration::from_secs(1))
        .unwrap_err();
    assert!(
        missing.to_string().contains("\"GetConfiguration\""),
        "{missing}"
    );
}

#[test]
fn raw_text_goes_out_as_it_is_and_is_marked_hostile() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    central.wait_connected(SOON).unwrap();
    central.send_raw("[2,\"cut").unwrap();
    assert_eq!(station.0.read().unwrap(), Message::text("[2,\"cut"));
    central.send_raw(r#"[2,"x","Reset",{}]"#).unwrap();
    assert_eq!(station.receive()[1], "x");
    station.send(json!([4, "x", "FormationViolation", "type", {}]));
    let answer = central.wait_for_reply("x", SOON);
    assert!(matches!(answer, Err(CallError::Refused { code, .. }) if code == "FormationViolation"));
    let frames = central.frames();
    assert!(frames[0].hostile && frames[1].hostile && !frames[2].hostile);
    assert_eq!(frames[0].message, "[2,\"cut");
}

#[test]
fn waiting_sees_only_what_came_after_the_mark() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    station.call("1", "StatusNotification", json!({ "status": "Available" }));
    let status = |wanted: &'static str| move |payload: &Value| payload["status"] == wanted;
    central
        .wait_for("StatusNotification", status("Available"), SOON)
        .unwrap();
    central.mark();
    assert!(central.calls("StatusNotification").is_empty());
    let report = central
        .wait_for("StatusNotification", status("Available"), AT_ONCE)
        .unwrap_err();
    assert!(
        report.to_string().ends_with("frames since the mark: none"),
        "{report}"
    );
    station.call("2", "StatusNotification", json!({ "status": "Charging" }));
    let report = central
        .wait_for("StatusNotification", status("Available"), AT_ONCE)
        .unwrap_err();
    assert!(report.to_string().contains("Charging"), "{report}");
    let found = central
        .wait_for("StatusNotification", status("Charging"), SOON)
        .unwrap();
    assert_eq!(central.calls("StatusNotification"), [found]);
    assert_eq!(central.frames().len(), 4);
}

#[test]
fn a_dropped_connection_ends_and_the_next_one_is_served() {
    let central = central();
    let mut first = Station::connect(&central, "A");
    central.wait_connected(SOON).unwrap();
    central.drop_connection();
    central.wait_disconnected(SOON).unwrap();
    assert!(first.0.read().is_err());
    let mut second = Station::connect(&central, "B");
    second.call("1", "Heartbeat", json!({}));
    assert_eq!(central.wait_connected(SOON).unwrap(), "B");
    assert_eq!(central.frames()[0].connection, 2);
    second.0.close(None).unwrap();
    central.wait_disconnected(SOON).unwrap();
}

#[test]
fn a_stopped_central_system_refuses_until_it_restarts_with_the_same_address() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    station.call("1", "Heartbeat", json!({}));
    let uri = central.uri().to_owned();
    central.stop().unwrap();
    assert!(station.0.read().is_err());
    assert!(tcp(&central).is_none());
    central.stop().unwrap();
    for _ in 0..2 {
        central.restart_on_same_port().unwrap();
        assert_eq!(central.uri(), uri);
        let mut station = Station::connect(&central, "A");
        station.call("2", "Heartbeat", json!({}));
    }
    assert_eq!(central.calls("Heartbeat").len(), 3);
}

#[test]
fn only_ocpp_1_6_is_spoken_and_refusals_are_recorded() {
    let central = central();
    assert!(Station::attempt(&central, "A", "ocpp2.0.1").is_none());
    central.refuse_handshakes(Some(404));
    assert!(Station::attempt(&central, "B", "ocpp1.6").is_none());
    central.refuse_handshakes(None);
    Station::attempt(&central, "C", "ocpp2.0.1, ocpp1.6").unwrap();
    let handshakes = central.handshakes();
    let stations: Vec<_> = handshakes.iter().map(|it| it.station.as_str()).collect();
    assert_eq!(stations, ["A", "B", "C"]);
    assert_eq!(handshakes[1].authorization.as_deref(), Some("Basic eDp5"));
}

#[test]
fn pings_and_pongs_are_counted_and_a_frozen_peer_gives_none() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    central.wait_connected(SOON).unwrap();
    std::thread::scope(|scope| {
        let ping = scope.spawn(|| central.ping(SOON));
        assert!(matches!(station.0.read().unwrap(), Message::Ping(_)));
        station.0.flush().unwrap();
        ping.join().unwrap().unwrap();
    });
    assert_eq!((central.pings_received(), central.pongs_received()), (0, 1));

    central.freeze();
    station
        .0
        .send(Message::Ping(Bytes::from_static(b"?")))
        .unwrap();
    station
        .0
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let silence = station.0.read().unwrap_err();
    assert!(matches!(silence, tungstenite::Error::Io(_)), "{silence}");
    assert_eq!(central.pings_received(), 0);

    station.0.get_ref().set_read_timeout(Some(SOON)).unwrap();
    central.thaw();
    assert!(matches!(station.0.read().unwrap(), Message::Pong(_)));
    assert_eq!(central.pings_received(), 1);
}

#[test]
fn every_frame_goes_to_the_trace_and_to_the_commentary() {
    let directory = tempfile::tempdir().unwrap();
    let traces = directory.path().join("new");
    let (commentary, comments): (_, Receiver<Frame>) = mpsc::channel();
    let central = CentralSystem::start(Options {
        trace_dir: Some(traces.clone()),
        commentary: Some(commentary),
        ..Options::default()
    })
    .unwrap();
    let mut station = Station::connect(&central, "A");
    station.call("1", "Heartbeat", json!({}));
    central.send_raw("[]").unwrap();
    station.receive();
    drop(central);
    let files: Vec<_> = std::fs::read_dir(&traces).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["direction"], "CS_TO_CSMS");
    assert_eq!(lines[0]["message"], json!([2, "1", "Heartbeat", {}]));
    assert_eq!(
        (&lines[1]["direction"], &lines[1]["hostile"]),
        (&json!("CSMS_TO_CS"), &Value::Null)
    );
    assert_eq!(lines[2]["hostile"], true);
    assert!(lines[2]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(comments.iter().count(), 3);
}

#[test]
fn broken_frames_of_the_station_are_recorded_and_left_unanswered() {
    let central = central();
    let mut station = Station::connect(&central, "A");
    station.0.send(Message::text("[2,")).unwrap();
    station.0.send(Message::binary(vec![1, 2])).unwrap();
    station.send(json!([2, "1", "Heartbeat"]));
    assert_eq!(station.call("2", "Heartbeat", json!({}))[1], "2");
    let frames = central.frames();
    assert_eq!(
        (&frames[0].message, &frames[1].message),
        (&json!("[2,"), &json!("2 binary bytes"))
    );
    assert_eq!(central.calls("Heartbeat").len(), 1);
}

#[test]
fn it_serves_wss_with_a_given_certificate() {
    let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = identity.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(identity.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.unwrap())
        .unwrap();
    let options = Options {
        tls: Some(Arc::new(server)),
        ..Options::default()
    };
    let central = CentralSystem::start(options).unwrap();
    assert!(central.uri().starts_with("wss://127.0.0.1:"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let stream = rustls::StreamOwned::new(session, tcp(&central).unwrap());
    let mut station = Station::over(stream, &central, "A", "ocpp1.6").unwrap();
    assert_eq!(station.call("1", "Heartbeat", json!({}))[0], 3);
}
