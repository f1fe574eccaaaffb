//! The daemon between simulated readers and real brokers.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends where it fails"
)]

mod support;

use std::time::Duration;

use simulator::bus::{Fault, SharedLine};
use simulator::rfid::{Field, ModbusReader, Sl032};
use support::{Bench, Broker, PROFILE};
use topic_map::SessionState;

const CARD: [u8; 4] = [0xDE, 0xAD, 0xBE, 0xEF];
const REQUEST: &str = "[\"ISO14443\",\"DEADBEEF\"]";
const OTHER_CARD: [u8; 7] = [0x1F, 0x2D, 0x3A, 0x4F, 0x55, 0x06, 0xC7];
const OTHER_REQUEST: &str = "[\"ISO14443\",\"1F2D3A4F5506C7\"]";

fn sl032(field: &Field) -> SharedLine {
    SharedLine::start(vec![Box::new(Sl032::new(field.clone()))]).unwrap()
}

// covers: RFID-001, RFID-003, RFID-004, RFID-006
#[tokio::test]
async fn a_card_is_told_on_both_topics_and_not_retained() {
    let field = Field::default();
    let line = sl032(&field);
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(true).await;
    for (card, request) in [(&CARD[..], REQUEST), (&OTHER_CARD, OTHER_REQUEST)] {
        field.clear();
        field.hold(card);
        bench
            .until("request", |seen| {
                seen.requests.last().is_some_and(|last| last == request)
            })
            .await;
        bench
            .until("old topic", |seen| {
                seen.deprecated.last().is_some_and(|last| last == request)
            })
            .await;
    }
    let mut late = bench.observe("late").await;
    late.until("available", |seen| seen.available.is_some())
        .await;
    assert!(late.seen.requests.is_empty() && late.seen.deprecated.is_empty());
    // What came back on the old topic was not taken for somebody else's.
    assert_eq!(bench.seen.requests, [REQUEST, OTHER_REQUEST]);
}

// covers: RFID-027
#[tokio::test]
async fn a_held_card_means_one_request_and_a_second_tap_another() {
    let field = Field::default();
    let line = sl032(&field);
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(true).await;
    field.hold(&CARD);
    bench
        .until("request", |seen| seen.requests.len() == 1)
        .await;
    bench.until_looks(&field, 20).await;
    assert_eq!(bench.seen.requests, [REQUEST]);
    field.clear();
    bench.until_looks(&field, 6).await;
    field.hold(&CARD);
    bench
        .until("second request", |seen| seen.requests.len() == 2)
        .await;
}

// covers: RFID-010, RFID-011
#[tokio::test]
async fn a_reader_may_come_late_go_and_come_again() {
    let field = Field::default();
    let line = sl032(&field);
    line.inject(0, Fault::Silence);
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(false).await;
    bench.until_said("no answer within").await;
    for _ in 0..2 {
        line.repair(0);
        bench.until_available(true).await;
        line.inject(0, Fault::Silence);
        bench.until_available(false).await;
    }
    field.hold(&CARD);
    line.repair(0);
    bench
        .until("request", |seen| !seen.requests.is_empty())
        .await;
}

// covers: RFID-010
#[tokio::test]
async fn a_port_that_does_not_exist_is_tried_again_for_ever() {
    let mut bench = Bench::on_port("/dev/no-such-port", "\"enable\": true").await;
    bench.until_available(false).await;
    bench.until_said("open /dev/no-such-port").await;
    assert!(bench.is_running());
}

#[tokio::test]
async fn damaged_late_and_half_answers_are_no_cards() {
    let field = Field::default();
    let line = sl032(&field);
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(true).await;
    for fault in [
        Fault::DamagedAnswer,
        Fault::TruncatedAnswer,
        Fault::Delay(Duration::from_millis(1100)),
    ] {
        line.inject(0, fault);
        field.hold(&CARD);
        bench.until_available(false).await;
        field.clear();
        line.repair(0);
        bench.until_available(true).await;
    }
    assert!(bench.seen.requests.is_empty(), "{:?}", bench.seen.requests);
}

// One answer comes late, the reader works on, and the card has left meanwhile. At the latest
// it comes when something else was asked: then nothing is asked for two seconds.
#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_look() {
    for is_modbus in [false, true] {
        for late in [750, 1000, 1300] {
            let field = Field::default();
            let line = match is_modbus {
                false => sl032(&field),
                true => {
                    SharedLine::start(vec![Box::new(ModbusReader::new(17, field.clone()))]).unwrap()
                }
            };
            let mut bench = match is_modbus {
                false => Bench::start(&line, "\"enable\": true").await,
                true => {
                    let settings = "\"enable\": true, \"protocol\": \"stronglink-modbus\"";
                    Bench::with_profile(&line, settings, PROFILE).await
                }
            };
            bench.until_available(true).await;
            let outages = bench.seen.outages;
            line.inject(0, Fault::Delay(Duration::from_millis(late)));
            field.hold(&CARD);
            bench.until("look", |_| !line.is_idle(0)).await;
            field.clear();
            line.repair(0);
            bench.until("its answer", |_| line.is_idle(0)).await;
            bench.until_looks(&field, 6).await;
            let told = &bench.seen.requests;
            assert!(told.is_empty(), "{told:?} {late} ms late");
            assert_eq!(bench.seen.outages, outages, "{late} ms late");
        }
    }
}

// covers: RFID-009
#[tokio::test]
async fn a_modbus_reader_is_read_with_its_profile() {
    let field = Field::default();
    let line = SharedLine::start(vec![Box::new(ModbusReader::new(17, field.clone()))]).unwrap();
    let settings = "\"enable\": true, \"protocol\": \"stronglink-modbus\"";
    let mut bench = Bench::with_profile(&line, settings, PROFILE).await;
    bench.until_available(true).await;
    field.hold(&OTHER_CARD);
    bench
        .until("request", |seen| seen.requests == [OTHER_REQUEST])
        .await;
}

#[tokio::test]
async fn a_card_whose_acknowledgement_is_not_confirmed_is_not_told() {
    let field = Field::default();
    let settings = "\"enable\": true, \"protocol\": \"stronglink-modbus\"";
    // The simulated reader has the registers 0 to 5 and refuses to write any other.
    for (register, is_confirmed) in [(99, false), (0, true)] {
        let reader = ModbusReader::new(17, field.clone());
        let line = SharedLine::start(vec![Box::new(reader)]).unwrap();
        let acknowledge = format!("{{\"acknowledge\": {{\"register\": {register}, \"value\": 1}},");
        let profile = PROFILE.replacen('{', &acknowledge, 1);
        let mut bench = Bench::with_profile(&line, settings, &profile).await;
        bench.until_available(true).await;
        field.hold(&OTHER_CARD);
        if is_confirmed {
            bench
                .until("request", |seen| seen.requests == [OTHER_REQUEST])
                .await;
        } else {
            bench.until_available(false).await;
            bench.until_said("refuses with exception 2").await;
            assert!(bench.seen.requests.is_empty(), "{:?}", bench.seen.requests);
        }
        field.clear();
    }
}

// covers: RFID-008
#[tokio::test]
async fn what_is_not_known_ends_the_daemon_with_the_code_for_bad_configuration() {
    for (protocol, message) in [
        ("smarttec-mcr-legic", "protocol is not public"),
        ("stronglink-modbus", "profiles/stronglink-modbus.json"),
    ] {
        let settings = format!("\"enable\": true, \"protocol\": \"{protocol}\"");
        let line = sl032(&Field::default());
        let mut bench = Bench::start(&line, &settings).await;
        bench.until_available(false).await;
        assert_eq!(bench.exit_status().await.code(), Some(78));
        bench.until_said(message).await;
    }
}

// covers: RFID-015
#[tokio::test]
async fn with_mqtt_no_port_is_opened_and_tags_come_from_the_broker() {
    let field = Field::default();
    let line = sl032(&field);
    let settings = "\"enable\": true, \"protocol\": \"mqtt\"";
    let mut bench = Bench::start(&line, settings).await;
    bench.until_available(true).await;
    field.hold(&CARD);
    // Customer software with the old topic serves as the fence.
    bench.publish_deprecated(OTHER_REQUEST);
    bench
        .until("repeated", |seen| !seen.requests.is_empty())
        .await;
    assert_eq!(bench.seen.requests, [OTHER_REQUEST]);
    assert_eq!(field.looks(), 0);
}

#[tokio::test]
async fn a_retained_request_on_the_old_topic_is_not_repeated() {
    let broker = Broker::start();
    broker.retain("port0/rfid/authorizeReq", REQUEST).await;
    let settings = "\"enable\": true, \"protocol\": \"mqtt\"";
    let mut bench = Bench::at(broker, "/dev/null", settings, None).await;
    bench.until_said("retained; ignored").await;
    bench.publish_deprecated(OTHER_REQUEST);
    bench
        .until("repeated", |seen| !seen.requests.is_empty())
        .await;
    assert_eq!(bench.seen.requests, [OTHER_REQUEST]);
}

// A card that nobody could be told of says nothing about what comes on the old topic.
#[tokio::test]
async fn a_card_read_while_the_broker_is_away_hides_no_request_on_the_old_topic() {
    let field = Field::default();
    let line = sl032(&field);
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(true).await;
    bench.stop_broker();
    bench.until_said("broker away").await;
    field.hold(&CARD);
    bench.until_said("card presented").await;
    bench.run_broker();
    let mut customer = bench.observe("customer").await;
    // It comes after the subscriptions.
    customer
        .until("available", |seen| seen.available == Some(true))
        .await;
    customer.publish_deprecated(REQUEST);
    customer
        .until("repeated", |seen| seen.requests == [REQUEST])
        .await;
}

// covers: RFID-007
#[tokio::test]
async fn without_a_reader_configured_none_is_missed() {
    let field = Field::default();
    let line = sl032(&field);
    let mut bench = Bench::start(&line, "").await;
    bench.until_said("rfid/enable is false").await;
    bench.publish_deprecated(REQUEST);
    bench
        .until("repeated", |seen| !seen.requests.is_empty())
        .await;
    assert_eq!(bench.seen.available, None);
    assert_eq!(field.looks(), 0);
}

// covers: RFID-016, RFID-017, RFID-021, RFID-022
#[tokio::test]
async fn a_shared_readers_card_goes_to_the_station_that_waits_for_it() {
    let field = Field::default();
    let line = sl032(&field);
    let remotes = [(); 3].map(|()| Broker::start());
    let uri = |broker: &Broker| format!("{{ \"uri\": \"mqtt://127.0.0.1:{}\" }}", broker.port());
    // An item without uri counts: the third broker is the fourth item.
    let uris = [
        uri(&remotes[0]),
        "{}".into(),
        uri(&remotes[1]),
        uri(&remotes[2]),
    ]
    .join(",");
    let settings = format!("\"enable\": true, \"remote_ports\": [{uris}]");
    let mut bench = Bench::start(&line, &settings).await;
    bench.until_available(true).await;
    let mut stations = Vec::new();
    for remote in &remotes {
        stations.push(remote.observe("station").await);
    }
    for station in &stations[..2] {
        station.session(SessionState::Idle);
    }
    stations[2].session(SessionState::Connected);
    bench.session(SessionState::Charging);

    // Nobody but the unused fourth item's EV waits.
    let ignored = "card ignored: every connected EV has its session";
    bench.tap_until_said(&field, &CARD, ignored).await;
    stations[1].session(SessionState::Connected);
    bench.tap_until(&field, &CARD, &mut stations[1]).await;
    assert_eq!(
        stations[1].seen.requests.last().map(String::as_str),
        Some(REQUEST)
    );
    for quiet in [0, 2] {
        stations[quiet].fence().await;
        assert!(stations[quiet].seen.requests.is_empty(), "station {quiet}");
    }
    bench.fence().await;
    assert!(bench.seen.requests.is_empty(), "{:?}", bench.seen.requests);
}

// covers: RFID-026
#[tokio::test]
async fn a_remote_broker_that_is_away_hinders_nobody_and_is_found_again() {
    let field = Field::default();
    let line = sl032(&field);
    let mut remote = Broker::start();
    remote.stop();
    let settings = format!(
        "\"enable\": true, \"remote_ports\": [{{ \"uri\": \"mqtt://127.0.0.1:{}\" }}]",
        remote.port()
    );
    let mut bench = Bench::start(&line, &settings).await;
    bench.until_available(true).await;
    bench.session(SessionState::Connected);
    let mut requests = 0;
    while bench.seen.requests.is_empty() {
        bench.tap(&field, &CARD).await;
        requests += 1;
        assert!(requests < 5, "{:#?}", bench.log());
    }

    remote.run();
    let mut station = remote.observe("station").await;
    bench.session(SessionState::Charging);
    station.session(SessionState::Connected);
    bench.tap_until(&field, &OTHER_CARD, &mut station).await;
    assert_eq!(
        station.seen.requests.last().map(String::as_str),
        Some(OTHER_REQUEST)
    );
}

#[tokio::test]
async fn on_shutdown_the_reader_is_marked_unavailable() {
    let line = sl032(&Field::default());
    let mut bench = Bench::start(&line, "\"enable\": true").await;
    bench.until_available(true).await;
    bench.terminate();
    bench.until_available(false).await;
    assert!(bench.exit_status().await.success());
}
