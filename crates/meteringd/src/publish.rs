//! Readings, identities and signed records as the topic map wants them.

use std::time::Instant;

use chrono::{DateTime, SecondsFormat, Utc};
use daemon_kit::Message;
use topic_map::{
    METERING_SIGNED_REQUEST, MeterIdentity, MeterValues, SignedAction, SignedAnswer, SignedRecord,
    Timestamp,
};

use crate::desk::{Answer, Request};
use crate::meter::Identity;
use crate::reading::Reading;
use crate::signing::{Action, Order};

/// The payload of `port0/metering/meter/values`; `None` for a time that RFC 3339
/// can't express.
pub fn values(reading: Reading, time: DateTime<Utc>) -> Option<MeterValues> {
    let timestamp = Timestamp::new(&time.to_rfc3339_opts(SecondsFormat::Millis, true))?;
    let Reading {
        energy,
        power,
        voltage,
        current,
        frequency,
    } = reading;
    Some(MeterValues {
        timestamp,
        energy_wh: energy,
        power_w: power,
        voltage_v: voltage,
        current_a: current,
        frequency_hz: frequency,
    })
}

/// The payload of `port0/metering/meter/identity`.
pub fn identity(identity: Identity) -> MeterIdentity {
    MeterIdentity {
        protocol: identity.model.protocol.to_owned(),
        model: identity.name,
        serial: identity.serial,
        address: identity.address.number(),
    }
}

/// The request for a signed record in `message`, heard at `now`. A retained one is old, and
/// no request.
pub fn request(message: &Message, now: Instant) -> Option<Request> {
    let request = match message.on(&METERING_SIGNED_REQUEST)? {
        Ok(request) if !message.retained => request,
        Ok(_) => return None,
        Err(error) => {
            tracing::warn!(topic = message.topic, %error, "ignored");
            return None;
        }
    };
    Some(Request {
        order: Order {
            action: match request.action {
                SignedAction::Begin => Action::Begin,
                SignedAction::End => Action::End,
            },
            id_tag: request.id_tag,
            started: unix_seconds(&request.started)?,
            time: unix_seconds(&request.time)?,
            received: now,
        },
        reference: request.reference,
    })
}

/// The payload of `port0/metering/meter/signed/answer`.
pub fn answer(answer: Answer, public_key: String) -> SignedAnswer {
    let (record, error) = match answer.result {
        Ok(text) => {
            let record = SignedRecord {
                format: "OCMF".into(),
                encoding: "plain".into(),
                text,
                public_key,
            };
            (Some(record), None)
        }
        Err(refused) => (None, Some(refused.to_string())),
    };
    SignedAnswer {
        action: match answer.action {
            Action::Begin => SignedAction::Begin,
            Action::End => SignedAction::End,
        },
        reference: answer.reference,
        record,
        error,
    }
}

/// `None` for a leap second, which Unix time doesn't have.
fn unix_seconds(time: &Timestamp) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(time.as_str()).ok()?;
    Some(time.timestamp())
}

#[cfg(test)]
mod tests {
    use topic_map::{Payload, PerPhase};

    use super::*;
    use crate::maps::SDM630;

    #[test]
    fn a_retained_request_is_old_and_acts_no_more() {
        let text = r#"{"action":"end","reference":"1-2","id_tag":"driver","started":"2026-03-01T12:00:00Z","time":"2026-03-01T12:00:05.500Z"}"#;
        let message = |retained, payload: &str| Message {
            topic: METERING_SIGNED_REQUEST.name().to_owned(),
            payload: payload.as_bytes().to_vec(),
            retained,
        };
        let now = Instant::now();
        let heard = request(&message(false, text), now).unwrap();
        assert_eq!(heard.reference, "1-2");
        assert_eq!(heard.order.action, Action::End);
        assert_eq!(
            (heard.order.started, heard.order.time),
            (1_772_366_400, 1_772_366_405)
        );
        assert_eq!(request(&message(true, text), now), None);
        assert_eq!(request(&message(false, "{}"), now), None);
    }

    // covers: MET-015
    #[test]
    fn a_single_phase_meter_publishes_l1_and_no_other_phase() {
        let reading = Reading {
            energy: Some(12_345_678.0),
            power: PerPhase {
                total: Some(3680.0),
                l1: Some(3680.0),
                ..PerPhase::default()
            },
            voltage: PerPhase {
                l1: Some(230.0),
                ..PerPhase::default()
            },
            current: PerPhase {
                l1: Some(16.0),
                ..PerPhase::default()
            },
            frequency: Some(50.0),
        };
        let time = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        assert_eq!(
            values(reading, time).unwrap().encode(),
            "{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"energy_wh\":12345678.0,\
             \"power_w\":{\"total\":3680.0,\"l1\":3680.0},\"voltage_v\":{\"l1\":230.0},\
             \"current_a\":{\"l1\":16.0},\"frequency_hz\":50.0}"
        );
    }

    #[test]
    fn an_identity_names_the_protocol_that_was_found() {
        let found = Identity {
            model: &SDM630,
            name: SDM630.name.to_owned(),
            serial: Some("12345678".into()),
            address: rs485::DeviceAddress::new(1).unwrap(),
        };
        assert_eq!(
            identity(found).encode(),
            "{\"protocol\":\"eastron,sdm630\",\"model\":\"Eastron SDM630\",\
             \"serial\":\"12345678\",\"address\":1}"
        );
    }
}
