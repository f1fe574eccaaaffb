//! Command line arguments: the common ones and those that a daemon adds.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, ValueExt};

use crate::Error;

/// An option that one daemon adds to the common ones.
#[derive(Clone, Copy, Debug)]
pub struct DaemonOption {
    /// Long name without the dashes.
    pub name: &'static str,
    /// Placeholder of its value; `None` for a flag.
    pub value: Option<&'static str>,
    /// One line for `--help`.
    pub help: &'static str,
}

/// What the command line said.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Directory of customer.json, leds.json and rotaryencd.json.
    pub config_dir: PathBuf,
    /// Directory for the daemon's own files.
    pub state_dir: PathBuf,
    /// Host of the MQTT broker.
    pub mqtt_host: String,
    /// TCP port of the MQTT broker.
    pub mqtt_port: u16,
    /// Most detailed log level that is written.
    pub log: tracing::Level,
    options: BTreeMap<&'static str, String>,
}

/// Either run with these arguments, or print this text and end.
pub(crate) enum Parsed {
    Run(Arguments),
    Print(String),
}

impl Arguments {
    /// The value of a daemon's own option, or an empty string for a flag that was given.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(crate) fn parse(
        daemon: &str,
        options: &'static [DaemonOption],
        arguments: impl IntoIterator<Item = std::ffi::OsString>,
    ) -> Result<Parsed, Error> {
        let mut parsed = Self {
            config_dir: PathBuf::from("/etc/secc"),
            state_dir: PathBuf::from("/var/lib").join(daemon),
            mqtt_host: "127.0.0.1".into(),
            mqtt_port: 1883,
            log: tracing::Level::INFO,
            options: BTreeMap::new(),
        };
        let mut parser = lexopt::Parser::from_iter(arguments);
        let bad = |error: lexopt::Error| Error::Configuration(format!("{error} (try --help)"));
        while let Some(argument) = parser.next().map_err(bad)? {
            match argument {
                Long("config-dir") => parsed.config_dir = parser.value().map_err(bad)?.into(),
                Long("state-dir") => parsed.state_dir = parser.value().map_err(bad)?.into(),
                Long("mqtt") => {
                    let address = parser.value().and_then(ValueExt::string).map_err(bad)?;
                    (parsed.mqtt_host, parsed.mqtt_port) = split_address(&address)?;
                }
                Long("log") => parsed.log = parser.value().and_then(|v| v.parse()).map_err(bad)?,
                Long("help") | Short('h') => return Ok(Parsed::Print(help(daemon, options))),
                Long("version") | Short('V') => {
                    return Ok(Parsed::Print(format!(
                        "{daemon} {}",
                        env!("CARGO_PKG_VERSION")
                    )));
                }
                Long(name) => {
                    let Some(option) = options.iter().find(|option| option.name == name) else {
                        return Err(bad(argument.unexpected()));
                    };
                    let value = match option.value {
                        Some(_) => parser.value().and_then(ValueExt::string).map_err(bad)?,
                        None => String::new(),
                    };
                    parsed.options.insert(option.name, value);
                }
                Short(_) | lexopt::Arg::Value(_) => return Err(bad(argument.unexpected())),
            }
        }
        Ok(Parsed::Run(parsed))
    }
}

fn split_address(address: &str) -> Result<(String, u16), Error> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "1883"));
    let port: NonZeroU16 = port.parse().map_err(|_| {
        Error::Configuration(format!("--mqtt {address}: the port must be 1 to 65535"))
    })?;
    Ok((host.to_owned(), port.get()))
}

fn help(daemon: &str, options: &[DaemonOption]) -> String {
    let mut text = format!(
        "Usage: {daemon} [options]\n\n\
         \x20 --config-dir DIR     customer.json, leds.json, rotaryencd.json (/etc/secc)\n\
         \x20 --state-dir DIR      the daemon's own files (/var/lib/{daemon})\n\
         \x20 --mqtt HOST[:PORT]   MQTT broker (127.0.0.1:1883)\n\
         \x20 --log LEVEL          error, warn, info, debug or trace (info)\n"
    );
    for option in options {
        let name = format!("--{} {}", option.name, option.value.unwrap_or_default());
        text.push_str(&format!("  {name:<20} {}\n", option.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[DaemonOption] = &[
        DaemonOption {
            name: "board",
            value: Some("BOARD"),
            help: "which board",
        },
        DaemonOption {
            name: "safe-state",
            value: None,
            help: "open and leave",
        },
    ];

    fn parse(words: &[&str]) -> Result<Parsed, Error> {
        Arguments::parse("evsed", OPTIONS, words.iter().map(Into::into))
    }

    fn run(words: &[&str]) -> Arguments {
        match parse(words) {
            Ok(Parsed::Run(arguments)) => arguments,
            Ok(Parsed::Print(text)) => panic!("printed {text}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn defaults_are_those_of_the_product() {
        let arguments = run(&["evsed"]);
        assert_eq!(arguments.config_dir, PathBuf::from("/etc/secc"));
        assert_eq!(arguments.state_dir, PathBuf::from("/var/lib/evsed"));
        assert_eq!(
            (arguments.mqtt_host.as_str(), arguments.mqtt_port),
            ("127.0.0.1", 1883)
        );
        assert_eq!(arguments.option("board"), None);
    }

    #[test]
    fn a_daemon_adds_its_own_options() {
        let arguments = run(&[
            "evsed",
            "--board",
            "unix:/b",
            "--safe-state",
            "--mqtt=[::1]:99",
        ]);
        assert_eq!(arguments.option("board"), Some("unix:/b"));
        assert_eq!(arguments.option("safe-state"), Some(""));
        assert_eq!(
            (arguments.mqtt_host.as_str(), arguments.mqtt_port),
            ("[::1]", 99)
        );
    }

    #[test]
    fn unknown_words_and_bad_ports_are_refused_by_name() {
        for (words, named) in [
            (&["evsed", "--bord", "x"][..], "--bord"),
            (&["evsed", "stray"], "stray"),
            (&["evsed", "--mqtt", "h:0x"], "h:0x"),
            (&["evsed", "--mqtt", "h:0"], "h:0"),
        ] {
            let Err(error) = parse(words) else {
                panic!("{words:?} was taken")
            };
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn help_names_every_option() {
        let Ok(Parsed::Print(text)) = parse(&["evsed", "--help"]) else {
            panic!("no help")
        };
        for name in [
            "--config-dir",
            "--state-dir",
            "--mqtt",
            "--log",
            "--board",
            "--safe-state",
        ] {
            assert!(text.contains(name), "{name} is missing in {text}");
        }
    }
}
