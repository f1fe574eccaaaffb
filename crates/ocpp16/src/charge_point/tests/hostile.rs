use serde_json::{Value, json};

use super::bench::Bench;
use super::mutation::{Dice, Due, due, is_right, mutated};
use crate::{EvseSession, Input, Output};

/// Mutated frames; `MODE3_FUZZ=1000000` for a long run.
const FRAMES: usize = 100_000;

/// The longest time for which the station waits for another daemon before it answers.
const LONGEST_DEFERRAL_S: u64 = 20;

fn is_answer(frame: &Value) -> bool {
    frame[0] != json!(2)
}

// covers: OC-047, OC-048
#[test]
fn mutated_frames_are_answered_rightly_or_not_at_all() {
    let frames = std::env::var("MODE3_FUZZ").map_or(FRAMES, |number| number.parse().unwrap());
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut bench = Bench::online();
    for round in 0..frames {
        let text = mutated(&mut dice);
        bench.others.clear();
        let before = bench.sent.len();
        bench.input(Input::Frame(text.clone()));
        let is_answered = |bench: &Bench| bench.sent.iter().skip(before).any(is_answer);
        if !is_answered(&bench) && due(&text) != Due::Silence {
            // Somebody else has to say something first, and doesn't.
            bench.pass(LONGEST_DEFERRAL_S);
        }
        let answer = bench
            .sent
            .iter()
            .skip(before)
            .find(|frame| is_answer(frame));
        match (due(&text), answer) {
            (Due::Silence, answer) => assert_eq!(answer, None, "{text}"),
            (due, Some(answer)) => assert!(is_right(&due, answer), "{text}: {answer}"),
            (due, None) => panic!("{text}: {due:?}, but there is no answer"),
        }
        assert!(!bench.others.contains(&Output::Disconnect), "{text}");
        match round % 97 {
            0 => bench.evse(EvseSession::Connected),
            13 => bench.evse(EvseSession::Charging),
            29 => bench.evse(EvseSession::Idle),
            41 => bench.tag("driver"),
            53 => bench.pass(1),
            67 => {
                bench.sent.retain(|frame| frame[0] == json!(2));
                let _ = bench.drain();
            }
            _ => {}
        }
    }
}

#[test]
fn deep_and_wide_json_is_survived() {
    let mut bench = Bench::online();
    bench.input(Input::Frame("[".repeat(1_000_000)));
    bench.input(Input::Frame(format!(
        r#"[2,"a","DataTransfer",{}]"#,
        "{\"a\":".repeat(10_000)
    )));
    let wide = format!(
        r#"[2,"a","GetConfiguration",{{"key":[{}"x"]}}]"#,
        "\"x\",".repeat(100_000)
    );
    assert_eq!(
        bench.call_frame(&wide)[2],
        json!("OccurenceConstraintViolation")
    );
    assert_eq!(bench.status("ClearCache", json!({})), "Accepted");
}
