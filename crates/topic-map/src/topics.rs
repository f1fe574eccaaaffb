//! The topic map, one file per area.

use crate::TopicInfo;

/// Declares constants with their documentation, and the area's list of them.
macro_rules! topics {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident: $kind:ident<$payload:ty> = $info:expr;
    )*) => {
        $(
            $(#[doc = $meaning])+
            pub const $name: crate::$kind<$payload> = crate::$kind::new(
                $info.documented(stringify!($name), concat!($($meaning),+)),
            );
        )*

        pub(super) const AREA: &[&crate::TopicInfo] = &[$(&$name.info,)*];
    };
}

mod authorization;
mod charge;
mod current;
mod data_transfer;
mod ev;
mod evse;
mod faults;
mod firmware;
mod mode3;
mod outputs;
mod phases;
mod rcd;
mod soc;
mod station;

pub use authorization::*;
pub use charge::*;
pub use current::*;
pub use data_transfer::*;
pub use ev::*;
pub use evse::*;
pub use faults::*;
pub use firmware::*;
pub use mode3::*;
pub use outputs::*;
pub use phases::*;
pub use rcd::*;
pub use soc::*;
pub use station::*;

/// The areas with their headings, in the order of the reference page.
pub const AREAS: &[(&str, &[&TopicInfo])] = &[
    ("Station", station::AREA),
    ("Charging status", charge::AREA),
    ("Outputs and inputs", outputs::AREA),
    ("Current limits", current::AREA),
    ("Authorization and RFID", authorization::AREA),
    ("Faults", faults::AREA),
    ("Residual current monitoring", rcd::AREA),
    ("Phase switching", phases::AREA),
    ("Firmware update", firmware::AREA),
    ("OCPP DataTransfer", data_transfer::AREA),
    ("State of charge", soc::AREA),
    ("ISO 15118: parameters of the station", evse::AREA),
    ("ISO 15118: parameters of the EV", ev::AREA),
    ("mode3 additions", mode3::AREA),
];

const COUNT: usize = {
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].1.len();
        area += 1;
    }
    count
};

/// Every topic.
pub const ALL: &[&TopicInfo] = &{
    let mut all = [AREAS[0].1[0]; COUNT];
    let (mut at, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut row = 0;
        while row < AREAS[area].1.len() {
            all[at] = AREAS[area].1[row];
            at += 1;
            row += 1;
        }
        area += 1;
    }
    all
};
