//! The supervisor daemon: the shell around `evse_core`.
//!
//! The control thread samples the board, steps the machine and applies its
//! actuation. This thread speaks MQTT: it turns messages into requests and the
//! machine's status into publications. Neither waits for the other.

mod configuration;
mod control;
mod inbox;
mod publications;
mod requests;
mod safe_state;

use daemon_kit::{Context, DaemonOption, Error, Event};
use evse_core::{Actuation, Grant, Request};
use tokio::time::{Instant, MissedTickBehavior};
use topic_map::{
    AUTHORIZATION_STATUS, AVAILABILITY_TARGET, EVSE_BASIC_MAXCURRENTLIMIT,
    GLOBAL_DYN_CURRENT_LIMIT, OCPP_AVAILABILITY_TARGET,
};

use control::{Control, Report};
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
        help: "open relays, pilot to -12 V, and leave; safe to run at any time",
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
        return safe_state::enter(&name);
    }
    let customer = context.customer()?;
    let mut board = board::open(&name, &configuration::board(&customer))
        .map_err(|error| Error::failed(format!("open board {name}"), error))?;
    // Whatever ran before: relays open before anything else.
    board
        .apply(&Actuation::SAFE)
        .map_err(|error| Error::failed("begin in the safe state", error))?;
    let config = configuration::machine(&customer, &context.arguments.config_dir, board.as_mut())?;

    let mut publications = Publications::new(context.bus.publisher(), &config);
    let mut requests = Requests::new(config.authentication);
    context.bus.subscribe(&AVAILABILITY_TARGET);
    context.bus.subscribe(&OCPP_AVAILABILITY_TARGET);
    context.bus.subscribe(&AUTHORIZATION_STATUS);
    context.bus.subscribe(&EVSE_BASIC_MAXCURRENTLIMIT);
    context.bus.subscribe_family(&GLOBAL_DYN_CURRENT_LIMIT);
    let mut control = Control::start(board, config)
        .map_err(|error| Error::failed("start the control thread", error))?;
    tracing::info!(board = name, ?config, "supervising");

    let mut heartbeat = tokio::time::interval_at(Instant::now(), context.supervisor.heartbeat());
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ready = false;
    loop {
        tokio::select! {
            () = context.shutdown.requested() => break,
            report = control.report() => match report {
                Report::Status(status, limits) => {
                    if publications.publish(&status, limits)
                        && !std::mem::replace(&mut ready, true)
                    {
                        context.supervisor.ready();
                    }
                }
                Report::Ended(reason) => {
                    publications.publish_safe();
                    return Err(Error::failed("control the board", reason));
                }
            },
            event = context.bus.recv() => match event {
                Event::Message(message) => {
                    if let Some(request) = requests.translate(&message) {
                        control.request(request);
                        if request == Request::Authorization(Grant::OneSession) {
                            // If it was kept, the broker says so, and it holds for all sessions.
                            context.bus.refresh(&AUTHORIZATION_STATUS);
                        }
                    }
                }
                Event::Connected => {
                    requests.connected();
                    control.request(Request::BrokerConnected);
                }
                Event::Disconnected => control.request(Request::BrokerLost),
            },
            _ = heartbeat.tick() => {
                // systemd hears from us only while the control thread makes progress.
                if control.has_progressed() {
                    context.supervisor.alive();
                }
            }
        }
    }
    control.stop();
    publications.publish_safe();
    tracing::info!("stopped with relays open");
    Ok(())
}
