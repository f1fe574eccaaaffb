//! A contactor alone, with its feedback in all its moods.

use super::*;

fn inputs(active: bool) -> Result<Inputs, SensorFault> {
    Ok(Inputs {
        relay_1_sense: active,
        ..Inputs::default()
    })
}

/// A contactor, normally open feedback, that rests open at 7 s.
fn rested() -> Contactor {
    let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::NormallyOpen);
    contactor.observe(Millis(7_000), inputs(false));
    assert!(contactor.may_close(Millis(7_000)));
    contactor
}

fn closed() -> Contactor {
    let mut contactor = rested();
    contactor.close(Millis(7_000));
    contactor.observe(Millis(7_030), inputs(true));
    contactor.observe(Millis(7_040), inputs(true));
    assert_eq!(contactor.motion, Motion::Closed);
    contactor
}

// covers: CON-003, CON-004, CON-006, CON-007
#[test]
fn feedback_types_read_the_sense_input_their_way() {
    use ContactorPosition::{Closed, Opened, Unknown};
    for (feedback, active, position) in [
        (Feedback::NormallyOpen, true, Closed),
        (Feedback::NormallyOpen, false, Opened),
        (Feedback::NormallyClosed, true, Opened),
        (Feedback::NormallyClosed, false, Closed),
        (Feedback::None, true, Unknown),
        (Feedback::None, false, Unknown),
    ] {
        let mut contactor = Contactor::new(Millis(0), Relay::One, feedback);
        contactor.observe(Millis(10), inputs(active));
        assert_eq!(contactor.position(), position, "{feedback:?} {active}");
    }
    assert_eq!(Feedback::default(), Feedback::NormallyOpen);
}

// covers: CON-008, CON-019
#[test]
fn a_contactor_that_does_not_close_in_250_ms_is_a_fault() {
    let mut contactor = rested();
    contactor.close(Millis(7_000));
    contactor.observe(Millis(7_249), inputs(false));
    assert!(contactor.is_commanded_closed());
    contactor.observe(Millis(7_250), inputs(false));
    assert_eq!(contactor.fault(), Some(ContactorFault::NotClosed));
    assert!(!contactor.is_commanded_closed());
}

// covers: CON-012, CON-014
#[test]
fn a_contactor_that_does_not_open_in_250_ms_is_welded_for_good() {
    let mut contactor = closed();
    contactor.open(Millis(8_000));
    contactor.observe(Millis(8_249), inputs(true));
    assert_eq!(contactor.fault(), None);
    contactor.observe(Millis(8_250), inputs(true));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    assert!(!contactor.is_proven_open());
    contactor.observe(Millis(9_000), inputs(false));
    contactor.observe(Millis(9_010), inputs(false));
    contactor.expire(Millis(9_249));
    assert!(!contactor.is_proven_open(), "it has contradicted");
    contactor.expire(Millis(9_250));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    assert!(contactor.is_proven_open(), "the plug may be released now");
    contactor.observe(Millis(9_260), inputs(true));
    contactor.observe(Millis(9_265), inputs(false));
    contactor.observe(Millis(9_275), inputs(false));
    contactor.expire(Millis(9_500));
    assert!(!contactor.is_proven_open(), "and again");
    assert!(!contactor.may_close(Millis(100_000)));
}

#[test]
fn a_contactor_that_is_closed_at_start_is_welded() {
    let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::NormallyOpen);
    contactor.observe(Millis(10), inputs(true));
    assert_eq!(
        (contactor.fault(), contactor.is_proven_open()),
        (None, false)
    );
    contactor.observe(Millis(250), inputs(true));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
}

#[test]
fn unexpected_edges_are_faults_after_10_ms() {
    let mut contactor = closed();
    contactor.observe(Millis(8_000), inputs(false));
    contactor.observe(Millis(8_009), inputs(false));
    assert_eq!(contactor.fault(), None);
    contactor.observe(Millis(8_010), inputs(false));
    assert_eq!(contactor.fault(), Some(ContactorFault::OpenedByItself));

    let mut contactor = rested();
    contactor.observe(Millis(8_000), inputs(true));
    assert!(
        !contactor.is_proven_open(),
        "doubt is enough to keep the plug locked"
    );
    contactor.observe(Millis(8_010), inputs(true));
    assert_eq!(contactor.fault(), Some(ContactorFault::ClosedByItself));
}

#[test]
fn a_glitch_shorter_than_10_ms_is_not_an_edge() {
    let mut contactor = closed();
    for now in (8_000..9_000).step_by(5) {
        contactor.observe(Millis(now), inputs(now % 20 != 0));
    }
    assert_eq!(
        (contactor.fault(), contactor.motion),
        (None, Motion::Closed)
    );
}

// covers: CON-008, CON-010
#[test]
fn a_feedback_that_flutters_is_unreadable() {
    // At 8000 it says closed.
    for (mut contactor, changed) in [(closed(), 8_005), (rested(), 8_000)] {
        let was_closed = contactor.is_commanded_closed();
        for now in (8_000..18_000).step_by(5) {
            contactor.expire(Millis(now));
            contactor.observe(Millis(now), inputs(now % 10 == 0));
            let fault = (now >= changed + 250).then_some(ContactorFault::FeedbackUnreadable);
            assert_eq!(contactor.fault(), fault, "{now}");
            assert_eq!(
                contactor.is_commanded_closed(),
                was_closed && fault.is_none()
            );
            assert!(!contactor.is_proven_open(), "{now}");
        }
    }
    // So is one that can be read in every other round.
    let mut contactor = closed();
    for now in (8_000..8_300).step_by(5) {
        let readable = now % 10 == 0;
        contactor.observe(
            Millis(now),
            if readable {
                inputs(true)
            } else {
                Err(SensorFault)
            },
        );
    }
    assert_eq!(contactor.fault(), Some(ContactorFault::FeedbackUnreadable));
}

/// A broken wire says "open" under load, while the contactor is still to open.
#[test]
fn the_feedback_of_a_contactor_error_is_no_proof_for_250_ms() {
    let mut by_itself = closed();
    by_itself.observe(Millis(8_000), inputs(false));
    by_itself.observe(Millis(8_010), inputs(false));
    let mut not_closed = rested();
    not_closed.close(Millis(7_760));
    not_closed.observe(Millis(8_010), inputs(false));
    let mut unreadable = closed();
    unreadable.observe(Millis(7_760), Err(SensorFault));
    unreadable.observe(Millis(8_010), Err(SensorFault));
    for (mut contactor, proven_at) in [(by_itself, 8_260), (not_closed, 8_260), (unreadable, 8_274)]
    {
        assert!(contactor.fault().is_some());
        for now in 8_015..8_500 {
            contactor.expire(Millis(now));
            contactor.observe(Millis(now), inputs(false));
            assert_eq!(contactor.is_proven_open(), now >= proven_at, "{now}");
        }
    }
}

#[test]
fn a_contactor_that_opens_because_of_its_feedback_has_250_ms_to_do_so() {
    for (opened, fault) in [
        (8_490, ContactorFault::FeedbackUnreadable),
        (8_500, ContactorFault::Welded),
    ] {
        let mut contactor = closed();
        contactor.observe(Millis(8_000), Err(SensorFault));
        contactor.observe(Millis(8_250), Err(SensorFault));
        for now in (8_260..9_000).step_by(10) {
            contactor.observe(Millis(now), inputs(now <= opened));
        }
        assert_eq!(contactor.fault(), Some(fault));
    }
}

#[test]
fn a_closing_that_is_broken_off_may_twitch() {
    let mut contactor = rested();
    contactor.close(Millis(7_000));
    contactor.observe(Millis(7_010), inputs(false));
    contactor.open(Millis(7_010));
    for (now, active) in [(7_020, false), (7_030, true), (7_040, true), (7_050, false)] {
        contactor.observe(Millis(now), inputs(active));
        assert!(!contactor.is_proven_open());
    }
    contactor.observe(Millis(7_060), inputs(false));
    contactor.observe(Millis(7_260), inputs(false));
    assert_eq!(
        (contactor.fault(), contactor.is_proven_open()),
        (None, true)
    );
    contactor.close(Millis(17_000));
    contactor.open(Millis(17_010));
    contactor.observe(Millis(17_020), inputs(true));
    contactor.observe(Millis(17_260), inputs(true));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
}

#[test]
fn an_unreadable_feedback_is_a_fault_after_250_ms() {
    let mut contactor = closed();
    contactor.observe(Millis(8_000), Err(SensorFault));
    assert_eq!(contactor.position(), ContactorPosition::Unknown);
    contactor.observe(Millis(8_249), Err(SensorFault));
    assert_eq!(contactor.fault(), None);
    contactor.observe(Millis(8_250), Err(SensorFault));
    assert_eq!(contactor.fault(), Some(ContactorFault::FeedbackUnreadable));
}

#[test]
fn a_feedback_that_could_never_be_read_is_a_fault_as_well() {
    let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::NormallyOpen);
    contactor.observe(Millis(10), Err(SensorFault));
    assert_eq!(contactor.fault(), None);
    contactor.observe(Millis(260), Err(SensorFault));
    assert_eq!(contactor.fault(), Some(ContactorFault::FeedbackUnreadable));
    assert!(!contactor.is_proven_open() && !contactor.may_close(Millis(100_000)));
}

#[test]
fn an_unreadable_feedback_is_trusted_again_after_10_s_of_open() {
    let blind = || {
        let mut contactor = closed();
        contactor.observe(Millis(8_000), Err(SensorFault));
        contactor.observe(Millis(8_250), Err(SensorFault));
        assert!(!contactor.is_proven_open() && !contactor.is_commanded_closed());
        contactor
    };
    let fault = Some(ContactorFault::FeedbackUnreadable);
    let mut contactor = blind();
    contactor.observe(Millis(19_990), inputs(false));
    contactor.observe(Millis(20_000), inputs(false));
    assert_eq!(
        contactor.deadline(),
        Some((Millis(30_000), "contactor feedback is back"))
    );
    contactor.expire(Millis(20_240));
    assert!(contactor.is_proven_open(), "the plug may be released");
    // A gap begins the time anew.
    contactor.observe(Millis(28_990), Err(SensorFault));
    assert_eq!((contactor.fault(), contactor.deadline()), (fault, None));
    contactor.observe(Millis(29_000), inputs(false));
    contactor.observe(Millis(29_010), inputs(false));
    contactor.observe(Millis(39_009), inputs(false));
    assert_eq!(contactor.fault(), fault);
    assert!(!contactor.may_close(Millis(39_009)));
    contactor.observe(Millis(39_010), inputs(false));
    assert_eq!(contactor.fault(), None);
    assert!(contactor.may_close(Millis(39_010)));

    // What reads closed was welded meanwhile, and stays so.
    let mut contactor = blind();
    contactor.observe(Millis(20_000), inputs(true));
    contactor.observe(Millis(20_010), inputs(true));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
    let mut contactor = blind();
    contactor.observe(Millis(19_990), inputs(false));
    contactor.observe(Millis(20_000), inputs(false));
    contactor.observe(Millis(25_000), inputs(true));
    contactor.observe(Millis(25_010), inputs(true));
    contactor.observe(Millis(25_020), inputs(false));
    contactor.observe(Millis(60_000), inputs(false));
    assert_eq!(contactor.fault(), Some(ContactorFault::Welded));
}

// covers: CON-015
#[test]
fn closing_waits_6_s_from_opening_and_10_s_from_closing() {
    let mut contactor = closed();
    contactor.open(Millis(7_500));
    contactor.observe(Millis(7_520), inputs(false));
    contactor.observe(Millis(7_530), inputs(false));
    assert!(!contactor.may_close(Millis(16_999)) && contactor.may_close(Millis(17_000)));

    let mut contactor = closed();
    contactor.open(Millis(60_000));
    contactor.observe(Millis(60_020), inputs(false));
    contactor.observe(Millis(60_030), inputs(false));
    assert!(!contactor.may_close(Millis(65_999)) && contactor.may_close(Millis(66_000)));
}

// covers: CON-005
#[test]
fn without_feedback_a_motion_takes_its_time_and_nothing_is_a_fault() {
    let mut contactor = Contactor::new(Millis(0), Relay::One, Feedback::None);
    contactor.expire(Millis(249));
    assert!(!contactor.is_proven_open());
    contactor.expire(Millis(250));
    assert!(contactor.is_proven_open() && contactor.may_close(Millis(6_000)));
    contactor.close(Millis(6_000));
    for now in 6_000..7_000 {
        contactor.expire(Millis(now));
        contactor.observe(Millis(now), inputs(now % 7 == 0));
    }
    assert_eq!(
        (contactor.fault(), contactor.motion),
        (None, Motion::Closed)
    );
    contactor.open(Millis(7_000));
    assert!(!contactor.is_proven_open());
    contactor.expire(Millis(7_250));
    assert!(contactor.is_proven_open());
}
