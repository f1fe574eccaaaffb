//! The supervisor daemon: the shell around `evse_core`.
//!
//! The control thread samples the board, steps the machine and applies its
//! actuation. This thread speaks MQTT: it turns messages into requests and the
//! machine's status into publications. Neither waits for the other.

mod complaints;
mod configuration;
mod control;
mod diagnostics;
mod inbox;
mod leds;
mod lines;
mod publications;
mod requests;
mod safe_state;
mod status_light;

use board::Board;
use daemon_kit::{Bus, Context, DaemonOption, Error, Event};
use evse_core::{Config, Grant, Request, SecondRelay, VentilationControl};
use tokio::time::{Instant, MissedTickBehavior};
use topic_map as topics;

use control::{Control, Report};
use diagnostics::BlackBox;
use lines::Lines;
use publications::Publications;
use requests::Requests;

/// What evsed takes beside the common options.
pub const OPTIONS: &[DaemonOption] = &[
    DaemonOption {
        name: "board",
        value: Some("BOARD"),
        help: "tarragon, or unix:PATH for a simulated one (tarragon)",
    },
    DaemonOption {
        name: "safe-state",
        value: None,
        help: "open relays, pilot to -12 V, and leave; fails while an evsed holds the board",
    },
];

/// Supervise until asked to stop.
///
/// # Errors
/// Unusable configuration, or a board that can't be opened.
pub async fn run(mut context: Context) -> Result<(), Error> {
    let name = context
        .arguments
        .option("board")
        .unwrap_or("tarragon")
        .to_owned();
    if context.arguments.option("safe-state").is_some() {
        return safe_state::enter(&name, &context);
    }
    let customer = context.customer()?;
    let directory = &context.arguments.config_dir;
    let mut lines = Lines::default();
    let mut config = configuration::machine(&customer, &mut lines)?;
    let panel = leds::panel(&leds::load(directory)?, &mut lines)?;
    let mut board = board::open(
        &name,
        &configuration::board(&customer, &config, lines.used()),
    )
    .map_err(|error| Error::failed(format!("open board {name}"), error))?;
    begin_safe(board.as_mut(), &config)?;
    configuration::connect_grid(&mut config, &customer, directory, board.as_mut())?;

    let mut publications = Publications::new(context.bus.publisher(), &config);
    let mut requests = Requests::new(config.authentication);
    subscribe(&context.bus, &config);
    let mut notices = leds::Notices::subscribe(&context.bus, config.authentication);
    let mut black_box = BlackBox::default();
    let indicator = status_light::find(&name);
    let mut control = Control::start(board, config, panel)
        .map_err(|error| Error::failed("start the control thread", error))?;
    tracing::info!(board = name, ?config, "supervising");

    let mut heartbeat = tokio::time::interval_at(Instant::now(), context.supervisor.heartbeat());
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ready = false;
    loop {
        tokio::select! {
            () = context.shutdown.requested() => break,
            report = control.report() => match report {
                Report::Status(status, happened) => {
                    if let Some(result) = publications.unlock_answered(happened) {
                        publications.answer_unlock(requests.unlocked(), result);
                    }
                    if publications.publish(&status, happened)
                        && !std::mem::replace(&mut ready, true)
                    {
                        context.supervisor.ready();
                        status_light::show(indicator.as_ref(), true);
                    }
                }
                Report::Note(note) => black_box.keep(note),
                Report::Ended(reason) => {
                    publications.publish_safe(false);
                    black_box.log();
                    return Err(Error::failed("control the board", reason));
                }
            },
            event = context.bus.recv() => match event {
                Event::Message(message) => {
                    if let Some(notice) = notices.translate(&message) {
                        control.notice(notice);
                    }
                    if requests.wants_black_box(&message) {
                        context.bus.publish(&topics::BLACK_BOX, &black_box.lines());
                    }
                    if let Some(request) = requests.translate(&message) {
                        control.request(request);
                        if request == Request::Authorization(Grant::OneSession) {
                            // If it was kept, the broker says so, and it holds for all sessions.
                            context.bus.refresh(&topics::AUTHORIZATION_STATUS);
                        }
                    }
                }
                Event::Connected => {
                    requests.connected();
                    control.request(Request::BrokerConnected);
                }
                Event::Disconnected => control.request(Request::BrokerLost),
            },
            _ = heartbeat.tick() => control.vouch(|| context.supervisor.alive()),
        }
    }
    let opened = control.stop();
    publications.publish_safe(opened.is_ok());
    status_light::show(indicator.as_ref(), false);
    opened.map_err(|reason| Error::failed("open the relays", reason))?;
    tracing::info!("stopped with relays open");
    Ok(())
}

/// Whatever ran before: relays open before anything else. A board that was late once is
/// asked again here, because a restart would leave them as they are for a second.
fn begin_safe(board: &mut dyn Board, config: &Config) -> Result<(), Error> {
    const RETRIES: usize = 4;
    let mut begun = board.apply(&config.safe());
    for _ in 0..RETRIES {
        begun = begun.or_else(|_| board.apply(&config.safe()));
    }
    begun.map_err(|error| Error::failed("begin in the safe state", error))
}

fn subscribe(bus: &Bus, config: &Config) {
    bus.subscribe(&topics::AVAILABILITY_TARGET);
    bus.subscribe(&topics::OCPP_AVAILABILITY_TARGET);
    bus.subscribe(&topics::AUTHORIZATION_STATUS);
    bus.subscribe(&topics::EVSE_BASIC_MAXCURRENTLIMIT);
    bus.subscribe(&topics::PLUG_LOCK_UNLOCK_REQUEST);
    bus.subscribe(&topics::RCD_TEST_PERFORM);
    bus.subscribe(&topics::BLACK_BOX_REQUEST);
    bus.subscribe_family(&topics::GLOBAL_DYN_CURRENT_LIMIT);
    match config.relay_2 {
        SecondRelay::PhaseSwitch(_) => {
            bus.subscribe(&topics::EVSE_PHASE_TARGET);
            bus.subscribe(&topics::EVSE_PHASE_SWITCH_DELAY);
        }
        // Otherwise these topics are the station's own.
        SecondRelay::Ventilation(fan) if fan.control == VentilationControl::External => {
            bus.subscribe(&topics::VENTILATION_AVAILABLE);
            bus.subscribe(&topics::VENTILATION_STATE_ACTUAL);
            bus.subscribe(&topics::VENTILATION_STATE_TARGET);
        }
        SecondRelay::Ventilation(_) => {}
    }
}
