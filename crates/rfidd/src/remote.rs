//! The other stations that share the reader (guide 15.18).

use customer_config::Rfid;
use daemon_kit::{Bus, Event, Publisher};
use tokio::sync::mpsc;
use topic_map::SESSION_STATE;

use crate::sharing::Place;

const MQTT_PORT: u16 = 1883;
/// Only so many items of `remote_ports` count (guide 14.1 table 47).
const MOST: usize = 3;
/// Messages of other stations that may wait for the daemon.
const INBOX: usize = 64;

/// Where a station's broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// The address in `mqtt://host[:port]`; an IPv6 address stands in brackets.
    pub fn parse(uri: &str) -> Option<Self> {
        let authority = uri.strip_prefix("mqtt://")?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            Some(_) | None => (authority, MQTT_PORT),
        };
        let in_brackets = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        // A path, or a bare IPv6 address whose end was taken for a port.
        let is_bare = in_brackets.is_none() && host.contains([':', '/']);
        let host = in_brackets.unwrap_or(host);
        (!host.is_empty() && !is_bare && port != 0).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// The stations of `remote_ports`; items without `uri` count, those beyond the third don't.
pub fn addresses(rfid: &Rfid) -> Vec<Address> {
    let items = rfid.remote_ports.iter().take(MOST);
    let uris = items.filter_map(|item| item.uri.as_deref());
    uris.filter_map(|uri| {
        let address = Address::parse(uri);
        if address.is_none() {
            tracing::error!(
                uri,
                "ports[0]/rfid/remote_ports: not mqtt://host[:port]; ignored"
            );
        }
        address
    })
    .collect()
}

/// The connections to the other stations.
#[derive(Debug)]
pub struct Remotes {
    publishers: Vec<Publisher>,
    events: mpsc::Receiver<(Place, Event)>,
}

impl Remotes {
    /// Connect to all, each on its own: one that is away delays no other.
    pub fn connect(addresses: &[Address]) -> Self {
        let (sender, events) = mpsc::channel(INBOX);
        let publishers = (1..)
            .zip(addresses)
            .map(|(place, address)| {
                let mut bus = Bus::visit("rfidd", &address.host, address.port);
                bus.subscribe(&SESSION_STATE);
                let publisher = bus.publisher();
                let sender = sender.clone();
                tokio::spawn(async move {
                    while sender.send((place, bus.recv().await)).await.is_ok() {}
                });
                publisher
            })
            .collect();
        Self { publishers, events }
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.publishers.len()
    }

    /// The sending half for the station at `place`, 1 for the first.
    pub fn publisher(&self, place: Place) -> Option<&Publisher> {
        self.publishers.get(place.checked_sub(1)?)
    }

    /// What a station says; never, where there is none. Cancel safe.
    pub async fn recv(&mut self) -> (Place, Event) {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use customer_config::Customer;

    use super::*;

    fn parse(uri: &str) -> Option<(String, u16)> {
        Address::parse(uri).map(|address| (address.host, address.port))
    }

    // covers: RFID-018
    #[test]
    fn the_port_is_1883_unless_given() {
        assert_eq!(
            parse("mqtt://192.168.1.5"),
            Some(("192.168.1.5".into(), 1883))
        );
        assert_eq!(
            parse("mqtt://192.168.0.1:9001"),
            Some(("192.168.0.1".into(), 9001))
        );
        assert_eq!(parse("mqtt://[fe80::1]"), Some(("fe80::1".into(), 1883)));
        assert_eq!(parse("mqtt://[::1]:99"), Some(("::1".into(), 99)));
        for wrong in [
            "h",
            "mqtt://",
            "mqtt://:1",
            "mqtt://h:0",
            "mqtt://h:x",
            "http://h",
            "mqtt://h/",
            "mqtt://h/a:1",
            "mqtt://fe80::1",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    // covers: RFID-016, RFID-017
    #[test]
    fn items_without_uri_count_and_a_fourth_does_not() {
        let hosts = |remote_ports: &str| -> Vec<String> {
            let text = format!(
                "{{ \"ports\": [ {{ \"rfid\": {{ \"remote_ports\": {remote_ports} }} }} ] }}"
            );
            let (customer, _) = Customer::parse(&text).unwrap();
            let addresses = addresses(&customer.port().rfid);
            addresses.into_iter().map(|address| address.host).collect()
        };
        let uri = |host: &str| format!("{{ \"uri\": \"mqtt://{host}\" }}");
        let four = ["a", "b", "c", "d"].map(uri).join(",");
        assert_eq!(hosts(&format!("[{four}]")), ["a", "b", "c"]);
        assert_eq!(hosts(&format!("[{{}}, {}]", uri("b"))), ["b"]);
        assert!(hosts(&format!("[{{}}, {{}}, {{}}, {}]", uri("d"))).is_empty());
    }
}
