//! The configuration keys as rows of the reference page.

use super::Configuration;
use super::table::{Form, SPECIFICATIONS};

/// A key for the reference page.
pub(crate) struct KeyRow {
    pub(crate) name: &'static str,
    pub(crate) access: &'static str,
    pub(crate) values: String,
    pub(crate) default: String,
    pub(crate) remark: &'static str,
}

/// All keys whose features are carried out.
pub(crate) fn key_rows() -> impl Iterator<Item = KeyRow> {
    let defaults = Configuration::default();
    let there = SPECIFICATIONS
        .iter()
        .filter(|specification| specification.feature.carried_out());
    there.map(move |specification| KeyRow {
        name: specification.name,
        access: match (specification.form == Form::ReadOnly, specification.readable) {
            (true, _) => "R",
            (false, true) => "RW",
            (false, false) => "W",
        },
        values: specification.allowed(),
        default: defaults.value(specification.key).to_owned(),
        remark: specification.remark(),
    })
}
