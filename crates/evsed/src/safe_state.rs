//! `evsed --safe-state`: the stop command of the unit, run however evsed ended.

use board::TarragonConfig;
use daemon_kit::Error;
use evse_core::Actuation;

use crate::status_light;

/// Open the relays, free the lock's motor, drive the pilot to -12 V, and leave,
/// whatever the state. No file is read: digital outputs keep their level until evsed
/// starts again.
pub(crate) fn enter(name: &str) -> Result<(), Error> {
    let failed = |error| Error::failed(format!("safe state of board {name}"), error);
    let mut board = board::open(name, &TarragonConfig::default()).map_err(failed)?;
    board.apply(&Actuation::SAFE).map_err(failed)?;
    tracing::info!("relays open, pilot at -12 V");
    status_light::show(status_light::find(name).as_ref(), false);
    Ok(())
}
