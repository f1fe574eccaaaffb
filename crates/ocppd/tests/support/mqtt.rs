//! The other daemons, played by the test, and what ocppd publishes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use super::until;

const SET: &str = "ci/global/configuration/set";
const RESULT: &str = "ci/global/configuration/result";

/// As configd does it.
fn configure(file: &Path, request: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(request).unwrap();
    let text = |name: &str| request[name].as_str().unwrap();
    let written = customer_config::keys::find(text("path"))
        .unwrap()
        .value_of_text(text("value"))
        .and_then(|value| {
            let before = std::fs::read_to_string(file).unwrap();
            customer_config::edit(&before, text("path"), &value)
        })
        .and_then(|after| customer_config::write_atomically(file, &after));
    let mut answer = serde_json::json!({"id": request["id"]});
    if let Err(error) = written {
        answer["error"] = error.to_string().into();
    }
    answer.to_string()
}

/// A client that sees everything and speaks for configd, evsed, meteringd and rfidd.
pub struct Mqtt {
    client: Client,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    customer_json: Arc<Mutex<Option<PathBuf>>>,
}

impl Mqtt {
    pub fn connect(port: u16) -> Self {
        let mut options = MqttOptions::new("test", "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_max_packet_size(1 << 20, 1 << 20);
        let (client, mut connection) = Client::new(options, 256);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (subscriber, record) = (client.clone(), Arc::clone(&seen));
        let customer_json = Arc::new(Mutex::new(None));
        let file: Arc<Mutex<Option<PathBuf>>> = Arc::clone(&customer_json);
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        subscriber.try_subscribe("#", QoS::AtMostOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
                        let file = file.lock().unwrap().clone();
                        if let Some(file) = file.filter(|_| publish.topic == SET) {
                            let result = configure(&file, &payload);
                            subscriber
                                .try_publish(RESULT, QoS::AtMostOnce, false, result)
                                .unwrap();
                        }
                        record.lock().unwrap().push((publish.topic, payload));
                    }
                    Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
                    Ok(_) => {}
                    // The broker is away, on purpose: come back soon.
                    Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
                }
            }
        });
        let mqtt = Self {
            client,
            seen,
            customer_json,
        };
        // From here on nothing is missed.
        until("the subscription holds", || {
            mqtt.publish("test/fence", "x", false);
            !mqtt.history("test/fence").is_empty()
        });
        mqtt
    }

    /// Speaks for configd from now on.
    pub fn write_customer_json(&self, path: &Path) {
        *self.customer_json.lock().unwrap() = Some(path.to_owned());
    }

    /// configd is gone.
    pub fn write_nothing(&self) {
        *self.customer_json.lock().unwrap() = None;
    }

    pub fn publish(&self, topic: &str, payload: &str, retain: bool) {
        self.client
            .publish(topic, QoS::AtMostOnce, retain, payload)
            .unwrap();
    }

    /// What evsed says about the session and the pilot.
    pub fn station(&self, session: &str, pilot: &str) {
        self.publish("port0/ci/charge/cp/status", pilot, true);
        self.publish("port0/ci/evse/basic/offered_current_limit", "16.0", true);
        self.publish("port0/session/state", session, true);
    }

    pub fn meter(&self, energy_wh: f64) {
        let values = serde_json::json!({
            "timestamp": "2026-01-02T03:04:05Z", "energy_wh": energy_wh,
            "power_w": {"total": 11040.0}, "current_a": {"l1": 16.0, "l2": 16.0, "l3": 16.0},
            "voltage_v": {"l1": 230.0, "l2": 230.0, "l3": 230.0},
        });
        self.publish("port0/metering/meter/values", &values.to_string(), true);
    }

    pub fn tag(&self, uid: &str) {
        self.publish(
            "port0/rfid/authorization_request",
            &format!(r#"["ISO14443","{uid}"]"#),
            false,
        );
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// All payloads of `topic` in their order.
    pub fn history(&self, topic: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(of, _)| of == topic)
            .map(|(_, payload)| payload.clone())
            .collect()
    }

    /// Waits until the last payload of `topic` is `payload`.
    pub fn wait(&self, topic: &str, payload: &str) {
        until(&format!("{topic} is {payload}"), || {
            self.history(topic)
                .last()
                .is_some_and(|last| last == payload)
        });
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        let _ = self.client.disconnect();
    }
}
