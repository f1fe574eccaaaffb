//! LED1 on the board: steady while the station is operational (guide 4.1.1).

use std::path::Path;

use board::Indicator;

/// The board's LED; a simulated board has none.
pub(crate) fn find(board: &str) -> Option<Indicator> {
    if board != "tarragon" {
        return None;
    }
    match Indicator::find(Path::new("/sys")) {
        Ok(indicator) => Some(indicator),
        Err(error) => {
            tracing::warn!("{error}: LED1 stays as it is");
            None
        }
    }
}

/// A light that doesn't obey is no reason to stop.
pub(crate) fn show(indicator: Option<&Indicator>, operational: bool) {
    if let Some(Err(error)) = indicator.map(|indicator| indicator.show(operational)) {
        tracing::warn!("{error}");
    }
}
