//! The keys of the three files, in the order of the reference page.

mod hardware;
mod leds;
mod network;
mod ocpp;
mod rotary_encoder;
mod software;

pub use hardware::HARDWARE;
pub use leds::LEDS;
pub use network::NETWORK;
pub use ocpp::OCPP;
pub use rotary_encoder::ROTARY_ENCODER;
pub use software::SOFTWARE;

use crate::Key;
use crate::tree::{self, matches_path};

/// The parts of customer.json with their headings.
pub const CUSTOMER: &[(&str, &[Key])] = &[
    ("Hardware", HARDWARE),
    ("Software", SOFTWARE),
    ("OCPP", OCPP),
    ("Network", NETWORK),
];

/// Every key of customer.json.
pub fn customer() -> impl Iterator<Item = &'static Key> {
    CUSTOMER.iter().flat_map(|(_, keys)| keys.iter())
}

/// The key of customer.json at a path such as `ports[0]/meter/port` or
/// `fake_highlevel_dc_vendors/Tesla/oui`.
pub fn find(path: &str) -> Option<&'static Key> {
    let path = tree::segments(path)?;
    customer().find(|key| matches_path(key.path, &path))
}

/// Path and key of customer.json behind an OCPP configuration key; `None` when there is none
/// or OCPP has no access to it.
///
/// Keys of guide table 6 are known by their last part, all others by their path (the guide
/// leaves the names open), `ocpp/uri` as `CentralSystemURI` only.
pub fn find_by_ocpp_name(name: &str) -> Option<(String, &'static Key)> {
    let own = customer().find(|key| key.ocpp_name() == Some(name));
    if let Some(key) = own {
        return Some((key.path.to_owned(), key));
    }
    let by_path = find(name).filter(|key| key.ocpp_name() == Some(key.path));
    by_path.map(|key| (name.to_owned(), key))
}
