//! The only writer of customer.json: two writers would lose each other's changes.
//!
//! Whoever wants a key changed asks for it on a topic. The value is checked against the key's type
//! and range and against the rest of the file, written so that comments and a loss of power do no
//! harm, and announced.

mod customer_file;

use daemon_kit::{Context, Error, Event, Message};
use tokio::time::{Instant, sleep_until};
use topic_map::{
    CONFIGURATION_CHANGED, CONFIGURATION_RESULT, CONFIGURATION_SET, ConfigurationAnswer,
    ConfigurationChange, ConfigurationRequest,
};

use customer_file::CustomerFile;

/// Serves requests until asked to stop.
///
/// # Errors
/// None: an unusable file is a refusal to each request, and may be repaired meanwhile.
pub async fn run(mut context: Context) -> Result<(), Error> {
    let file = CustomerFile::below(&context.arguments.config_dir);
    context.bus.subscribe(&CONFIGURATION_SET);
    context.supervisor.ready();
    loop {
        tokio::select! {
            () = context.shutdown.requested() => return Ok(()),
            event = context.bus.recv() => {
                if let Event::Message(message) = event {
                    serve(&context, &file, &message);
                }
            }
            () = sleep_until(Instant::now() + context.supervisor.heartbeat()) => {
                context.supervisor.alive();
            }
        }
    }
}

/// The write is done in the loop: nothing else waits for it.
fn serve(context: &Context, file: &CustomerFile, message: &Message) {
    // An old request is none: its asker has long been told that it failed.
    if message.retained {
        return;
    }
    let request = match message.on(&CONFIGURATION_SET) {
        Some(Ok(request)) => request,
        Some(Err(error)) => return tracing::warn!("{error}; ignored"),
        None => return,
    };
    let ConfigurationRequest { id, path, value } = request;
    let error = match file.set(&path, &value) {
        Ok(None) => None,
        Ok(Some(value)) => {
            tracing::info!(path, "changed");
            let change = ConfigurationChange { path, value };
            context.bus.publish(&CONFIGURATION_CHANGED, &change);
            None
        }
        Err(error) => {
            tracing::warn!("refused: {error}");
            Some(error.to_string())
        }
    };
    let answer = ConfigurationAnswer { id, error };
    context.bus.publish(&CONFIGURATION_RESULT, &answer);
}
