//! `evsed --safe-state`: the stop command of the unit, run however evsed ended.

use board::TarragonConfig;
use daemon_kit::{Context, Error};
use evse_core::Actuation;

use crate::lines::Lines;
use crate::{configuration, leds, status_light};

/// Open the relays, free the lock's motor, drive the pilot to -12 V, and leave,
/// whatever the state and whatever the files say. Then, as far as the configuration
/// can be read, bring the trigger of the RCD's test and the LEDs to rest.
pub(crate) fn enter(name: &str, context: &Context) -> Result<(), Error> {
    open(name, &TarragonConfig::default(), &Actuation::SAFE)?;
    tracing::info!("relays open, pilot at -12 V");
    if let Err(error) = rest_outputs(name, context) {
        tracing::warn!("the digital outputs stay as they are: {error}");
    }
    status_light::show(status_light::find(name).as_ref(), false);
    Ok(())
}

fn rest_outputs(name: &str, context: &Context) -> Result<(), Error> {
    let customer = context.customer()?;
    let mut lines = Lines::default();
    let config = configuration::machine(&customer, &mut lines)?;
    leds::panel(&leds::load(&context.arguments.config_dir)?, &mut lines)?;
    let board = configuration::board(&customer, &config, lines.used());
    open(name, &board, &config.safe())
}

/// Take the board, set it, and leave it.
fn open(name: &str, config: &TarragonConfig, actuation: &Actuation) -> Result<(), Error> {
    let failed = |error| Error::failed(format!("safe state of board {name}"), error);
    let mut board = board::open(name, config).map_err(failed)?;
    board.apply(actuation).map_err(failed)
}
