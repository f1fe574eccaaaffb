//! `docs/reference/ocpp-support.md`, from the tables that the code itself works with.

use std::fmt::Write as _;

use crate::configuration::{KeyRow, key_rows};
use crate::feature::Feature;
use crate::message::{incoming, outgoing};
use crate::metering::Measurand;

const HEAD: &str = "\
<!-- Generated from crates/ocpp16 by `just docs`; a test fails when it is stale. -->
# OCPP support

OCPP 1.6J, edition 2 with the errata of 2025-04, over `ws` and `wss`. These are the facts; how the \
station behaves is told in [OCPP](../explanation/ocpp.md) and \
[OCPP transactions](../explanation/ocpp-transactions.md), what it does otherwise than its \
specification in [deviations](deviations.md).
";

/// The page.
#[must_use]
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Feature profiles\n\n");
    row(&mut page, &["profile", "advertised"]);
    row(&mut page, &["---", "---"]);
    for (feature, name) in Feature::PROFILES {
        row(&mut page, &[name, yes_or_no(feature.carried_out())]);
    }

    page.push_str(
        "\n## Messages from the central system\n\n\
         What is not carried out is answered with the CALLERROR `NotSupported`, any other action \
         with `NotImplemented`.\n\n",
    );
    messages(&mut page, incoming::actions().collect());

    page.push_str("\n## Messages to the central system\n\n");
    messages(&mut page, outgoing::actions().collect());

    page.push_str(
        "\n## Configuration keys\n\n\
         Keys are found without regard to case. R: read, W: write. A changed value takes effect at \
         once, unless the last column says otherwise. It is kept in customer.json where that has a \
         place for it, else in `ocpp_data.json` of the state directory.\n\n",
    );
    row(&mut page, &["key", "access", "values", "default", "remark"]);
    row(&mut page, &["---", "---", "---", "---", "---"]);
    for KeyRow {
        name,
        access,
        values,
        default,
        remark,
    } in key_rows()
    {
        let default = match default.as_str() {
            "" => String::new(),
            text => format!("`{text}`"),
        };
        row(&mut page, &[name, access, &values, &default, remark]);
    }
    page.push_str(
        "\nBeside these, every key of [customer.json](customer-json.md) that is marked there for \
         OCPP is a key under its path, e.g. `ports[0]/evse_current_limit`. The other daemons read \
         it when they start, so a change is answered with `RebootRequired`.\n",
    );

    page.push_str("\n## Measurands\n\nOnly what the meter delivers is accepted.\n\n");
    row(&mut page, &["measurand", "unit", "with a phase"]);
    row(&mut page, &["---", "---", "---"]);
    for measurand in Measurand::ALL {
        let phases = measurand.phases().map_or(String::new(), |phases| {
            phases
                .map(|phase| format!("`{}.{phase}`", measurand.name()))
                .join(", ")
        });
        let unit = measurand.unit().unwrap_or_default();
        row(&mut page, &[measurand.name(), unit, &phases]);
    }
    page
}

fn messages(page: &mut String, mut all: Vec<(Feature, &'static str)>) {
    all.sort_by_key(|(_, name)| *name);
    row(page, &["message", "profile", "carried out"]);
    row(page, &["---", "---", "---"]);
    for (feature, name) in all {
        let profile = Feature::PROFILES
            .iter()
            .find(|(profile, _)| *profile == feature);
        let profile = profile.map_or("security extension", |(_, name)| *name);
        row(page, &[name, profile, yes_or_no(feature.carried_out())]);
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

fn row(page: &mut String, cells: &[&str]) {
    // Writing to a String does not fail.
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}
