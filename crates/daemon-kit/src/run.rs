//! The one main function of all daemons.

use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use customer_config::Customer;

use crate::arguments::Parsed;
use crate::{Arguments, Bus, DaemonOption, Error, Shutdown, Supervisor, logging};

/// How long the last publications may take at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a daemon is given to work with.
#[derive(Debug)]
pub struct Context {
    /// The command line.
    pub arguments: Arguments,
    /// The MQTT bus.
    pub bus: Bus,
    /// The request to stop.
    pub shutdown: Shutdown,
    /// systemd.
    pub supervisor: Supervisor,
}

impl Context {
    /// customer.json of the configuration directory; what it warns of is logged.
    ///
    /// # Errors
    /// [`Error::Configuration`] when the file is missing or unusable.
    pub fn customer(&self) -> Result<Customer, Error> {
        let path = self.arguments.config_dir.join("customer.json");
        let (customer, warnings) = Customer::load(&path)
            .map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
        for warning in warnings {
            tracing::warn!("{}: {warning}", path.display());
        }
        Ok(customer)
    }
}

/// Run a daemon until it ends or is asked to stop.
pub fn main<F, R>(daemon: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Context) -> R,
    R: Future<Output = Result<(), Error>>,
{
    main_with_options(daemon, &[], run)
}

/// As [`main`], with options of the daemon's own.
pub fn main_with_options<F, R>(
    daemon: &'static str,
    options: &'static [DaemonOption],
    run: F,
) -> ExitCode
where
    F: FnOnce(Context) -> R,
    R: Future<Output = Result<(), Error>>,
{
    let arguments = match Arguments::parse(daemon, options, std::env::args_os()) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Print(text)) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{daemon}: {error}");
            return error.exit_code();
        }
    };
    logging::start(daemon, arguments.log);
    match block_on(daemon, arguments, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

fn block_on<F, R>(daemon: &'static str, arguments: Arguments, run: F) -> Result<(), Error>
where
    F: FnOnce(Context) -> R,
    R: Future<Output = Result<(), Error>>,
{
    // One thread: the product has one core, and every daemon one loop.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed("start the tokio runtime", error))?;
    let result = runtime.block_on(async {
        let bus = Bus::connect(daemon, &arguments.mqtt_host, arguments.mqtt_port);
        let publisher = bus.publisher();
        let context = Context {
            arguments,
            bus,
            shutdown: Shutdown::listen()?,
            supervisor: Supervisor::from_environment(),
        };
        let result = run(context).await;
        publisher.farewell(FAREWELL).await;
        result
    });
    // A name server that does not answer must not hold up the end.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use simulator::mosquitto::Mosquitto;
    use topic_map::DAEMON_AVAILABLE;

    use super::*;
    use crate::Event;

    fn arguments(port: u16) -> Arguments {
        let address = format!("--mqtt=127.0.0.1:{port}");
        match Arguments::parse("test", &[], ["test".into(), address.into()]) {
            Ok(Parsed::Run(arguments)) => arguments,
            Ok(Parsed::Print(_)) | Err(_) => panic!("the arguments are valid"),
        }
    }

    #[test]
    fn a_daemon_says_good_bye_with_its_last_values() {
        let directory = tempfile::tempdir().unwrap();
        let broker = Mosquitto::start(directory.path()).unwrap();
        let run = |mut context: Context| async move {
            context
                .bus
                .publish_member(&DAEMON_AVAILABLE, "last", &false);
            while !matches!(context.bus.recv().await, Event::Connected) {}
            context.bus.publish_member(&DAEMON_AVAILABLE, "last", &true);
            Ok(())
        };
        block_on("leaving", arguments(broker.port()), run).unwrap();

        let watch = |mut context: Context| async move {
            context.bus.subscribe_family(&DAEMON_AVAILABLE);
            let mut seen = std::collections::BTreeMap::new();
            while seen.len() < 2 {
                if let Event::Message(message) = context.bus.recv().await
                    && let Some((member, Ok(available))) = message.in_family(&DAEMON_AVAILABLE)
                    && member != "watching"
                {
                    seen.insert(member.to_owned(), available);
                }
            }
            assert!(seen["last"], "the last value is lost");
            assert!(!seen["leaving"], "the daemon seems to be there");
            Ok(())
        };
        block_on("watching", arguments(broker.port()), watch).unwrap();
    }

    #[test]
    fn neither_a_mute_broker_nor_a_stuck_thread_holds_up_the_end() {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_stuck, release) = std::sync::mpsc::channel::<()>();
        let start = Instant::now();
        let run = |context: Context| async move {
            context.bus.publish_member(&DAEMON_AVAILABLE, "last", &true);
            // As a name server that does not answer.
            tokio::task::spawn_blocking(move || release.recv());
            tokio::task::yield_now().await;
            Ok(())
        };
        block_on("leaving", arguments(mute.local_addr().unwrap().port()), run).unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }
}
