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
    runtime.block_on(async {
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
    })
}
