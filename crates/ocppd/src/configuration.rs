//! Keys of customer.json, which configd writes.

use customer_config::keys;
use daemon_kit::{Bus, Message};
use ocpp16::Input;
use topic_map as topics;
use topics::{ConfigurationAnswer, ConfigurationChange, ConfigurationRequest};

use crate::address::Address;
use crate::station::value;

/// OCPP's name of `ocpp/uri`.
const CENTRAL_SYSTEM: &str = "CentralSystemURI";

pub(crate) fn subscribe(bus: &Bus) {
    bus.subscribe(&topics::CONFIGURATION_RESULT);
    bus.subscribe(&topics::CONFIGURATION_CHANGED);
}

/// What `message` means to the charge point.
pub(crate) fn input(message: &Message) -> Option<Input> {
    // An old event is no event.
    if message.retained {
        return None;
    }
    if let Some(ConfigurationAnswer { id, error }) = value(message, &topics::CONFIGURATION_RESULT) {
        if let Some(error) = &error {
            tracing::warn!("configd: {error}");
        }
        return Some(Input::Configured {
            request: id,
            accepted: error.is_none(),
        });
    }
    let ConfigurationChange { path, value } = value(message, &topics::CONFIGURATION_CHANGED)?;
    let name = keys::find(&path)?.ocpp_name()?;
    // A key for any name is known by its path.
    let name = if name.contains('*') {
        path
    } else {
        name.to_owned()
    };
    Some(Input::ConfigurationChanged { name, value })
}

/// The request to configd. `None` for a value with which this station could never connect again:
/// nobody could take it back from afar.
pub(crate) fn request(id: String, name: &str, value: String) -> Option<ConfigurationRequest> {
    if name == CENTRAL_SYSTEM
        && let Err(error) = Address::parse(&value)
    {
        tracing::warn!("{error}; refused");
        return None;
    }
    let (path, _) = keys::find_by_ocpp_name(name)?;
    Some(ConfigurationRequest { id, path, value })
}

/// Whether customer.json has a place for the key called `name`.
pub(crate) fn in_customer_json(name: &str) -> bool {
    keys::find_by_ocpp_name(name).is_some()
}
