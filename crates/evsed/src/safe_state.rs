//! `evsed --safe-state`: the stop command of the unit, run however evsed ended.

use daemon_kit::Error;
use evse_core::Actuation;

/// Write the safe level to every output, whatever the state, and leave.
pub(crate) fn enter(board: &str) -> Result<(), Error> {
    let failed = |error| Error::failed(format!("safe state of board {board}"), error);
    let mut board = board::open(board, &board::TarragonConfig::default()).map_err(failed)?;
    board.apply(&Actuation::SAFE).map_err(failed)?;
    tracing::info!("relays open, pilot at -12 V");
    Ok(())
}
