//! The binary: it announces itself, obeys its control socket and ends cleanly.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mode3-sim"))
}

struct Bench {
    process: Child,
    dir: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut process = program()
            .arg("--board-socket")
            .arg(dir.path().join("board.sock"))
            .arg("--control-socket")
            .arg(dir.path().join("control.sock"))
            .args(["--broker", "0", "--energy-factor", "60"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let announced: Vec<_> = lines
            .map(Result::unwrap)
            .take_while(|line| line != "ready")
            .collect();
        let words: Vec<_> = announced
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(words, ["board", "control", "broker"]);
        Self { process, dir }
    }

    fn ctl(&self, words: &str) -> Output {
        let socket = self.dir.path().join("control.sock");
        program()
            .arg("ctl")
            .arg("--socket")
            .arg(socket)
            .args(words.split(' '))
            .output()
            .unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn person_can_play_and_end_it() {
    let mut bench = Bench::start();
    assert!(bench.ctl("plug 32").status.success());
    let state: serde_json::Value = serde_json::from_slice(&bench.ctl("state").stdout).unwrap();
    assert_eq!(
        (&state["cable"], &state["vehicle"]),
        (&"a32".into(), &"B".into())
    );
    let mistake = bench.ctl("dance");
    assert!(!mistake.status.success());
    assert!(String::from_utf8(mistake.stdout).unwrap().contains("dance"));

    kill(Pid::from_raw(bench.process.id() as i32), Signal::SIGTERM).unwrap();
    assert!(bench.process.wait().unwrap().success());
    assert!(!bench.dir.path().join("board.sock").exists());
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, hint) in [
        (vec![], "--board-socket"),
        (vec!["--board-socket"], "needs a value"),
        (vec!["--banana"], "--banana"),
        (
            vec!["--board-socket", "/tmp/x", "--broker", "70000"],
            "70000",
        ),
        (vec!["--board-socket", "/nonexistent/x"], "/nonexistent/x"),
        (
            vec!["ctl", "--socket", "/nonexistent/x", "state"],
            "/nonexistent/x",
        ),
    ] {
        let output = program().args(&arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(hint), "{arguments:?}: {text}");
    }
}
