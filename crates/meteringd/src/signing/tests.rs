use std::time::{Duration, Instant};

use super::record::{began, dataset, has_ended, ocmf, text, words};
use super::*;
use crate::maps::signing_of;

/// A record that a WM3M4C has really signed, as published with the test data of the
/// S.A.F.E. transparency software ("testEfT").
const MESSAGE: &str = concat!(
    r#"{"FV":"1.0","GI":"eSystemsMtg OcppChargePoint_v0 ESY-00101.01.2201234567","GS":"000007","#,
    r#""GV":"PWR P0037","PG":"T241","MV":"Iskra","MM":"WM3M4C","MS":"W4155775","MF":"2.05","#,
    r#""IS":true,"IT":"UNDEFINED","ID":"0480423a4b5880","CT":"CBIDC","CI":"KHStation","#,
    r#""RD":[{"TM":"2023-04-14T11:51:06,000+0000 S","TX":"B","RV":80.77,"RI":"1-b:1.8.0","#,
    r#""RU":"kWh","RT":"AC","EF":"t","ST":"G"},{"TM":"2023-04-14T11:54:43,000+0000 S","TX":"E","#,
    r#""RV":80.97,"RI":"1-b:1.8.0","RU":"kWh","RT":"AC","EF":"t","ST":"G"}]}"#
);
const SIGNATURE: &str = "30450220331E469735684E31F6F5903457C6DD8873CEAE1DFDBE4001FFBF94D124481DE7\
                         022100B8375F730A0B719B99B2DB89BA5B03CFDF4CE1A8829816BF7BBB75C3042C289D";

fn from_digits(digits: &str) -> Vec<u8> {
    let digits: Vec<char> = digits.chars().filter(|one| *one != ' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

fn to_words(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
        .collect()
}

fn order(action: Action, started: i64, received: Instant) -> Order {
    Order {
        action,
        id_tag: "04A1B2C3".into(),
        started,
        time: started,
        received,
    }
}

#[test]
fn a_published_record_is_put_together_as_it_was_published() {
    let registers = words(MESSAGE);
    assert_eq!(text(&registers, MESSAGE.len()).as_deref(), Some(MESSAGE));
    let signature = from_digits(SIGNATURE);
    let expected = format!("OCMF|{MESSAGE}|{{\"SD\":\"{SIGNATURE}\"}}");
    assert_eq!(ocmf(MESSAGE, &signature), expected);
    assert_eq!(began(MESSAGE), Some(1_681_473_066));
    assert!(has_ended(MESSAGE));
}

#[test]
fn needless_zeros_are_taken_out_of_a_signature() {
    // R has one zero too many, S none.
    let long = from_digits("3008 0203 000033 0201 44");
    assert_eq!(ocmf("{}", &long), "OCMF|{}|{\"SD\":\"3006020133020144\"}");
    // A zero before a set bit is needed: the numbers are positive.
    let short = from_digits("3007 0202 0080 0201 44");
    assert_eq!(
        ocmf("{}", &short),
        "OCMF|{}|{\"SD\":\"300702020080020144\"}"
    );
    // What is no signature is told as it is.
    assert_eq!(ocmf("{}", &[1, 2]), "OCMF|{}|{\"SD\":\"0102\"}");
}

#[test]
fn keys_are_told_as_asn_1_and_empty_ones_not_at_all() {
    let iskra = signing_of("iskra", "WM3M4C").unwrap();
    // The example of guide 3.3.7.
    let point = "3865f715c28598e21598e37da6e5db4e97c7501d9db9228ddbc8ae9a5aee7055\
                 72d9da78e231378dcc1435dfce5e9b30cc5b8f3a016773205791cbf7be78e23f";
    let key = public_key(iskra, &to_words(&from_digits(point)));
    let head = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
    assert_eq!(key, format!("{head}{point}"));
    assert_eq!(public_key(iskra, &[0; 32]), "");
    assert_eq!(public_key(iskra, &[1; 8]), "");

    // Registers 40449 and following of a BSM-WS36A, from a published recording.
    let bsm = signing_of("sunspec", "BSM-WS36A").unwrap();
    let key = "3059301306072a8648ce3d020106082a8648ce3d030107034200044bfd02c1d85272ceea9977db26d7\
               2cc401d9e5602faeee7ec7b6b62f9c0cce34ad8d345d5ac0e8f65deb5ff0bb402b1b87926bd1b7fc2d\
               bc3a9774e8e70c7254";
    let recorded = from_digits(&format!("0030005b{key}0000000000"));
    assert_eq!(public_key(bsm, &to_words(&recorded)), key.replace(' ', ""));
    assert_eq!(public_key(bsm, &[0; 50]), "");
}

#[test]
fn no_label_can_break_the_dataset() {
    let labels = Labels {
        gateway: "a|b\"c\\d\n\u{fc}".into(),
        serial: "1".repeat(99),
        evse: "DE*INT*ECH1234567890".into(),
    };
    let text = dataset(&labels, "tag|\"");
    let serial = "1".repeat(25);
    assert_eq!(
        text,
        format!(
            "{{\"FV\":\"1.0\",\"GI\":\"abcd\",\"GS\":\"{serial}\",\"PG\":\"\",\"MV\":\"\",\
             \"MM\":\"\",\"MS\":\"\",\"MF\":\"\",\"IS\":true,\"IF\":[],\"IT\":\"UNDEFINED\",\
             \"ID\":\"tag\",\"CT\":\"EVSEID\",\"CI\":\"DE*INT*ECH1234567890\",\"RD\":[]}}"
        )
    );
}

/// Carries the job out on what `meter` answers, with a clock of its own; what came of it,
/// and how long it took.
fn carry_out(
    job: &mut Job,
    start: Instant,
    mut meter: impl FnMut(&Step) -> Option<Vec<u16>>,
) -> (Result<String, Refused>, Duration) {
    let mut now = start;
    for _ in 0..100_000 {
        now += Duration::from_millis(10);
        match job.step(now) {
            Step::Finished(result) => return (result, now - start),
            Step::Wait(until) => now = until,
            step => match meter(&step) {
                Some(words) => job.done(now, &words),
                None => job.failed(now),
            },
        }
    }
    panic!("it never ends");
}

#[test]
fn a_meter_that_never_finishes_is_given_up_after_three_attempts() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let order = order(Action::End, 1_700_000_000, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let mut commands = 0;
    let (result, took) = carry_out(&mut job, start, |step| match step {
        Step::Read { start: 7000, .. } => Some(vec![1]),
        Step::Read { start: 7052, .. } => Some(vec![2, 0]),
        Step::Command {
            register: 7051,
            word,
        } => {
            assert_eq!(*word, 0x7200);
            commands += 1;
            Some(vec![])
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(result, Err(Refused::Unfinished));
    assert_eq!(commands, 3);
    assert!(took > Duration::from_secs(45) && took < Duration::from_secs(60));
}

#[test]
fn a_command_that_the_meter_refuses_is_told_with_its_status() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let order = order(Action::End, 1_700_000_000, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let (result, took) = carry_out(&mut job, start, |step| match step {
        Step::Read { start: 7000, .. } => Some(vec![1]),
        Step::Read { start: 7052, .. } => Some(vec![254, 0]),
        _ => Some(vec![]),
    });
    assert_eq!(result, Err(Refused::Status(254)));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_dataset_that_arrives_changed_is_never_signed() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let order = order(Action::Begin, 1_700_000_000, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let (result, _) = carry_out(&mut job, start, |step| match step {
        Step::Read { start: 7000, .. } => Some(vec![0]),
        Step::Read { count, .. } => Some(vec![0x4141; usize::from(*count)]),
        Step::Command { register: 7051, .. } => panic!("begun"),
        _ => Some(vec![]),
    });
    assert_eq!(result, Err(Refused::Unintelligible));
}

#[test]
fn the_line_may_fail_at_every_step_and_nothing_is_ended_twice() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let mut failing = 0;
    loop {
        let start = Instant::now();
        let order = order(Action::End, 1_681_473_066, start);
        let mut job = Job::new(signing, &Labels::default(), order);
        let (mut ended, mut commands, mut asked) = (false, 0, 0);
        let (result, _) = carry_out(&mut job, start, |step| {
            let answer = match step {
                Step::Read { start: 7000, .. } => vec![u16::from(!ended)],
                Step::Read { start: 7052, .. } => vec![if ended { 15 } else { 1 }, 0],
                Step::Read { start: 7056, .. } => {
                    vec![0, MESSAGE.len() as u16, (SIGNATURE.len() / 2) as u16]
                }
                Step::Read { start, count } => {
                    let (from, all) = match start {
                        7612..8124 => (7612, words(MESSAGE)),
                        _ => (8188, to_words(&from_digits(SIGNATURE))),
                    };
                    let first = usize::from(start - from);
                    all[first..first + usize::from(*count)].to_vec()
                }
                Step::Command { register: 7051, .. } => {
                    commands += 1;
                    ended = true;
                    vec![]
                }
                other => panic!("{other:?}"),
            };
            asked += 1;
            // It was done, but its answer was lost.
            (asked != failing).then_some(answer)
        });
        assert!(result.unwrap().contains("\"TX\":\"E\""), "{failing}");
        assert_eq!(commands, 1, "{failing}");
        if failing > asked {
            break;
        }
        failing += 1;
    }
    assert!(failing > 5);
}

#[test]
fn the_record_of_an_older_transaction_is_never_told() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let older = 1_681_473_066;
    let order = order(Action::End, older + 3, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let (result, _) = carry_out(&mut job, start, |step| match step {
        Step::Read { start: 7000, .. } => Some(vec![0]),
        Step::Read { start: 7052, .. } => Some(vec![15, 0]),
        Step::Read { start: 7056, .. } => {
            Some(vec![0, MESSAGE.len() as u16, (SIGNATURE.len() / 2) as u16])
        }
        Step::Read { start, count } => {
            let (from, all) = match start {
                7612..8124 => (7612, words(MESSAGE)),
                _ => (8188, to_words(&from_digits(SIGNATURE))),
            };
            let first = usize::from(start - from);
            Some(all[first..first + usize::from(*count)].to_vec())
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(result, Err(Refused::NoTransaction));
}

#[test]
fn a_record_that_is_not_the_transactions_is_read_once_more() {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let order = order(Action::End, 1_681_473_066, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let (mut ended, mut reads) = (false, 0);
    let (result, _) = carry_out(&mut job, start, |step| {
        Some(match step {
            Step::Read { start: 7000, .. } => vec![u16::from(!ended)],
            Step::Read { start: 7052, .. } => vec![15, 0],
            Step::Read { start: 7056, .. } => {
                vec![0, MESSAGE.len() as u16, (SIGNATURE.len() / 2) as u16]
            }
            Step::Read { start, count } => {
                let (from, all) = match start {
                    7612..8124 => (7612, words(MESSAGE)),
                    _ => (8188, to_words(&from_digits(SIGNATURE))),
                };
                let mut first = usize::from(start - from);
                // The second piece is the first one again.
                if *start == 7732 {
                    reads += 1;
                    first = if reads == 1 { 0 } else { first };
                }
                all[first..first + usize::from(*count)].to_vec()
            }
            Step::Command { register: 7051, .. } => {
                ended = true;
                vec![]
            }
            other => panic!("{other:?}"),
        })
    });
    assert!(result.unwrap().contains(MESSAGE));
    assert_eq!(reads, 2);
}

/// A begin of a meter that is idle, whose record is older than the transaction so often as
/// it is read; what came of it, and the commands.
fn begin(mut strange: u32) -> (Result<String, Refused>, Vec<u16>) {
    let signing = signing_of("iskra", "WM3M4C").unwrap();
    let start = Instant::now();
    let order = order(Action::Begin, 1_681_473_066 + 4, start);
    let mut job = Job::new(signing, &Labels::default(), order);
    let mut dataset = Vec::new();
    let mut commands = Vec::new();
    let (result, _) = carry_out(&mut job, start, |step| {
        Some(match step {
            Step::Read { start: 7000, .. } => vec![u16::from(commands.last() == Some(&0x4200))],
            Step::Read { start: 7052, .. } => vec![15, 0],
            Step::Read { start: 7056, .. } => {
                vec![0, MESSAGE.len() as u16, (SIGNATURE.len() / 2) as u16]
            }
            Step::Read { start, count } => {
                let (from, all) = match start {
                    7100..7612 => (7100, dataset.clone()),
                    7612..8124 if strange == 0 => {
                        (7612, words(&MESSAGE.replace("11:51:06", "11:51:10")))
                    }
                    7612..8124 => (7612, words(MESSAGE)),
                    _ => (8188, to_words(&from_digits(SIGNATURE))),
                };
                if *start == 8188 {
                    strange = strange.saturating_sub(1);
                }
                let first = usize::from(start - from);
                all[first..first + usize::from(*count)].to_vec()
            }
            Step::Write {
                start: 7100..,
                words,
            } => {
                dataset.extend(words);
                vec![]
            }
            Step::Command {
                register: 7051,
                word,
            } => {
                commands.push(*word);
                vec![]
            }
            _ => vec![],
        })
    });
    (result, commands)
}

#[test]
fn a_measurement_that_was_just_begun_is_never_ended_for_a_strange_record() {
    for strange in [0, 1, 2] {
        let (result, commands) = begin(strange);
        assert!(result.unwrap().contains("11:51:10"), "{strange}");
        assert_eq!(commands, [0x4200], "{strange}");
    }
    assert_eq!(begin(9), (Err(Refused::NoTransaction), vec![0x4200]));
}
