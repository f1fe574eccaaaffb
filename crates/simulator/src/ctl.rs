//! Words of a command line to one line for the control socket, and back.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Map, Value, json};

/// What can be said, for `--help`.
pub const HELP: &str = "\
  plug 13|20|32|63|fixed|invalid|open   put a cable between station and vehicle
  unplug                                pull at the plug (the lock may hold it)
  pull                                  take the plug out by force
  request                               the vehicle wants energy
  stop                                  the vehicle is done
  vehicle KEY=VALUE...                  max_current, phases, start_ms, stop_ms, current_ms,
                                        needs_ventilation, stubborn, asleep, wake_up_ms
  state                                 what instruments would show
  edges [since_us=N]                    what changed when
  ACTION KEY=VALUE...                   any other action of docs/reference/simulator.md,
                                        e.g. contactor relay=1 fault=welded
";

/// The request for these words.
///
/// # Errors
/// Says which word isn't understood.
pub fn request(words: &[String]) -> Result<Value, String> {
    let Some((first, rest)) = words.split_first() else {
        return Err(format!("say what to do:\n{HELP}"));
    };
    match (first.as_str(), rest) {
        ("plug", [cable]) => Ok(json!({"do": "plug_in", "cable": cable_name(cable)})),
        ("plug", _) => Err("plug needs one cable: 13, 20, 32, 63, fixed, invalid or open".into()),
        ("pull", []) => Ok(json!({"do": "pull_out"})),
        ("request", []) => Ok(json!({"do": "request_energy"})),
        ("stop", []) => Ok(json!({"do": "stop_request"})),
        ("vehicle", settings) => Ok(json!({"do": "vehicle", "set": pairs(settings)?})),
        ("state" | "edges", query) => object("get", first, query),
        (_, action) => object("do", first, action),
    }
}

fn cable_name(word: &str) -> String {
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        format!("a{word}")
    } else {
        word.to_owned()
    }
}

fn object(verb: &str, name: &str, words: &[String]) -> Result<Value, String> {
    let mut object = pairs(words)?;
    object.insert(verb.to_owned(), name.into());
    Ok(object.into())
}

/// `key=value` words; a value that is no JSON is a string.
fn pairs(words: &[String]) -> Result<Map<String, Value>, String> {
    let pair = |word: &String| {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word}: expected KEY=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok((key.to_owned(), value))
    };
    words.iter().map(pair).collect()
}

/// Send one request to the control socket at `path` and return its answer.
///
/// # Errors
/// When nobody answers there.
pub fn send(path: &Path, request: &Value) -> io::Result<Value> {
    let mut stream = UnixStream::connect(path)?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Station, control};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_word_of_the_help_is_understood_by_the_station() {
        let dir = tempfile::tempdir().unwrap();
        let station = Station::start(&dir.path().join("board.sock")).unwrap();
        let control = dir.path().join("control.sock");
        let _server = control::listen(&control, station.handle()).unwrap();
        for line in [
            "plug 32",
            "plug fixed",
            "request",
            "stop",
            "vehicle max_current=16 stubborn=true",
            "unplug",
            "pull",
            "contactor relay=1 fault=welded",
            "rotary position=5",
            "adc channel=proximity fault=error",
        ] {
            let answer = send(&control, &request(&words(line)).unwrap()).unwrap();
            assert_eq!(answer, json!({"ok": true}), "{line}");
        }
        let state = send(&control, &request(&words("state")).unwrap()).unwrap();
        assert_eq!(state["vehicle"], "A");
        let edges = send(&control, &request(&words("edges since_us=0")).unwrap()).unwrap();
        assert!(edges.as_array().is_some_and(|edges| !edges.is_empty()));
    }

    #[test]
    fn misunderstandings_are_explained() {
        assert!(request(&[]).unwrap_err().contains("plug"));
        assert!(request(&words("plug")).unwrap_err().contains("cable"));
        assert!(
            request(&words("rotary 5"))
                .unwrap_err()
                .contains("KEY=VALUE")
        );
    }
}
