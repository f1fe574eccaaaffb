//! Log lines for journald: priority, message, `field=value`.

use std::io::Write;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::FormattedFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, format};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// ERROR needs a human, WARN is worth a look, INFO tells the story, DEBUG explains it.
pub(crate) fn start(daemon: &'static str, level: Level) {
    // systemd sets this where stderr goes to the journal, which reads `<N>`.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .event_format(Lines { daemon, journal })
        .with_filter(tracing_subscriber::filter::LevelFilter::from_level(level));
    let subscriber = tracing_subscriber::registry().with(layer);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        // A second start in one process (tests) keeps the first subscriber.
        let _ = writeln!(std::io::stderr(), "{daemon}: logging was already started");
    }
}

struct Lines {
    daemon: &'static str,
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            write!(writer, "{} {level:<5} ", self.daemon)?;
        }
        format::DefaultFields::new().format_fields(writer.by_ref(), event)?;
        if let Some(scope) = context.event_scope() {
            for span in scope {
                if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                    write!(writer, " {fields}")?;
                }
            }
        }
        writeln!(writer)
    }
}

/// The syslog priority of sd-daemon(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
