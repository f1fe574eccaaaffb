//! The residual current device (guide 15.15, 3.3.4.12 to 3.3.4.14).

mod bench;

use bench::*;
use evse_core::*;

const TEST_MS: u64 = 815 + 410;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn rested() -> Bench {
    Bench::rested(with_rcd(socket(Authentication::Free)))
}

fn charging() -> Bench {
    let mut bench = rested();
    bench.plug(Ev::C);
    bench.run_until(4_000, |bench| bench.actuation.relay_1);
    bench.run(500);
    bench.take_events();
    bench
}

fn tests_ended(bench: &mut Bench) -> usize {
    let ended = |event: &Event| *event == Event::RcdTestEnded;
    bench.take_events().into_iter().filter(ended).count()
}

/// Runs until the trigger is on, then until it is off, and says how long it was on.
fn trigger_time(bench: &mut Bench) -> u64 {
    bench.run_until(20_000, |bench| bench.world.rcd_trigger_is_on());
    bench.run_until(20_000, |bench| !bench.world.rcd_trigger_is_on())
}

fn timed(trigger_ms: u64, check_tripped_ms: u64, check_normal_ms: u64) -> Config {
    let mut config = with_rcd(socket(Authentication::Free));
    if let Some(RcdMonitor {
        test: Some(test), ..
    }) = &mut config.rcd
    {
        test.trigger_ms = trigger_ms;
        test.check_tripped_ms = check_tripped_ms;
        test.check_normal_ms = check_normal_ms;
    }
    config
}

// The self test.

// covers: RCD-009, RCD-010, RCD-011, RCD-013, RCD-015, RCD-016, RCD-018
#[test]
fn the_test_at_start_drives_the_trigger_and_checks_twice() {
    let mut bench = Bench::new(with_rcd(socket(Authentication::Free)));
    assert_eq!(trigger_time(&mut bench), 820, "815 ms, seen every 10 ms");
    assert_eq!(tests_ended(&mut bench), 0);
    let until_normal = bench.run_until(1_000, |bench| !bench.events.is_empty());
    assert_eq!(until_normal, 410);
    assert_eq!(tests_ended(&mut bench), 1);
    assert_eq!(bench.status().rcd_error, None);
    bench.run(60_000);
    assert_eq!(tests_ended(&mut bench), 0);
}

// covers: RCD-012
#[test]
fn the_tripped_check_may_lie_after_a_short_pulse() {
    let mut bench = Bench::new(timed(50, 750, 2_000));
    bench.run_until(20_000, |bench| bench.world.rcd_trigger_is_on());
    bench.run_until(100, |bench| !bench.world.rcd_trigger_is_on());
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.run(1_000);
    bench.world.rcd_defect = RcdDefect::None;
    bench.run(1_100);
    assert_eq!(tests_ended(&mut bench), 1);
    assert_eq!(bench.status().rcd_error, None);
}

// covers: RCD-013, RCD-014, RCD-033, RCD-034
#[test]
fn a_test_that_does_not_trip_or_recover_is_an_error_until_restart() {
    for defect in [RcdDefect::Deaf, RcdDefect::Sticky] {
        let mut bench = rested();
        bench.take_events();
        bench.world.rcd_defect = defect;
        bench.request(Request::TestRcd);
        bench.run(TEST_MS + 50);
        assert_eq!(tests_ended(&mut bench), 1);
        bench.world.rcd_defect = RcdDefect::None;
        bench.run(60_000);
        assert_eq!(bench.status().rcd_error, Some(RcdError::TestFailed));
        assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
        assert_eq!(bench.status().lock_target, LockPosition::Unlocked);
        bench.plug(Ev::C);
        bench.run(20_000);
        assert!(!bench.actuation.relay_1);
    }
}

/// Whoever can't see the device trip has not seen it trip (S8).
#[test]
fn a_test_whose_feedback_can_not_be_read_is_made_again() {
    let mut config = timed(815, 810, 410);
    config.contactor_feedback = Feedback::None;
    for readable_after in [200, 1_000] {
        let mut bench = Bench::new(config);
        // It would not trip: only a test that is not made in full can pass.
        bench.world.rcd_defect = RcdDefect::Deaf;
        bench.run_until(20_000, |bench| bench.world.rcd_trigger_is_on());
        bench.run(700);
        bench.world.inputs_fail = true;
        bench.run(readable_after);
        assert!(!bench.world.rcd_trigger_is_on());
        bench.world.inputs_fail = false;
        bench.run(500);
        assert_eq!(tests_ended(&mut bench), 0);
        bench.plug(Ev::C);
        bench.run(20_000);
        assert!(!bench.actuation.relay_1, "{readable_after}");
        assert_eq!(bench.status().rcd_error, Some(RcdError::TestFailed));
        assert_eq!(tests_ended(&mut bench), 1);
    }
}

// covers: RCD-019
#[test]
fn nothing_is_offered_while_a_test_that_was_broken_off_is_still_due() {
    let mut config = with_rcd(socket(Authentication::Free));
    config.contactor_feedback = Feedback::None;
    let mut bench = Bench::rested(config);
    bench.plug(Ev::C);
    bench.run_until(4_000, |bench| bench.world.rcd_trigger_is_on());
    let locked = Some(LockPosition::Locked);
    bench.run_until(4_000, |bench| bench.status().lock == locked);
    bench.run(200);
    bench.world.inputs_fail = true;
    bench.cycle();
    bench.world.inputs_fail = false;
    bench.take_events();
    bench.run_until(10_000, |bench| {
        assert!(!bench.actuation.relay_1);
        bench.duty() < 10_000
    });
    assert_eq!(tests_ended(&mut bench), 1, "before any offer");
}

// covers: RCD-019
#[test]
fn each_ev_is_preceded_by_a_test() {
    let mut bench = rested();
    for _ in 0..2 {
        bench.take_events();
        bench.plug(Ev::C);
        bench.run_until(4_000, |bench| bench.duty() < 10_000);
        assert_eq!(tests_ended(&mut bench), 1, "before any offer");
        bench.run_until(20_000, |bench| bench.actuation.relay_1);
        bench.plug(Ev::A);
        bench.run(10_000);
        assert_eq!(tests_ended(&mut bench), 0);
    }
}

// covers: RCD-033
#[test]
fn a_test_that_fails_at_plug_in_holds_the_plug_until_the_ev_leaves() {
    let mut bench = rested();
    bench.world.rcd_defect = RcdDefect::Deaf;
    bench.plug(Ev::C);
    bench.run_until(4_000, |bench| bench.status().rcd_error.is_some());
    bench.run(60_000);
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::Faulted)
    );
    assert!(!bench.actuation.relay_1);
    assert_eq!(bench.status().lock, Some(LockPosition::Locked));
    bench.plug(Ev::A);
    bench.run(1_000);
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
    assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
}

// covers: RCD-020, RCD-022
#[test]
fn a_test_is_made_after_a_day_and_on_request() {
    let mut bench = rested();
    bench.take_events();
    bench.run_long(DAY_MS - 10_000);
    assert_eq!(tests_ended(&mut bench), 0);
    bench.run(15_000);
    assert_eq!(tests_ended(&mut bench), 1);
    bench.request(Request::TestRcd);
    bench.run(TEST_MS + 50);
    assert_eq!(tests_ended(&mut bench), 1);
}

// covers: RCD-021
#[test]
fn a_running_charge_is_not_tested_but_its_pause_is() {
    let mut bench = charging();
    bench.request(Request::TestRcd);
    bench.run_long(DAY_MS + 10_000);
    assert!(bench.actuation.relay_1);
    assert_eq!(tests_ended(&mut bench), 0);
    bench.plug(Ev::B);
    bench.run(500);
    assert!(bench.world.rcd_trigger_is_on());
    assert_eq!(bench.duty(), 10_000, "no offer that could not be kept");
    bench.run(1_500);
    assert_eq!(tests_ended(&mut bench), 1);
    assert!(bench.duty() < 10_000);
}

// covers: RCD-002
#[test]
fn monitoring_works_without_a_test() {
    let mut config = with_rcd(socket(Authentication::Free));
    if let Some(rcd) = &mut config.rcd {
        rcd.test = None;
    }
    let mut bench = Bench::rested(config);
    bench.request(Request::TestRcd);
    bench.charge();
    bench.run(1_000);
    assert_eq!(tests_ended(&mut bench), 0);
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.run(20);
    assert_eq!(bench.status().rcd_error, Some(RcdError::GroundFailure));
}

// Monitoring.

// covers: RCD-001
#[test]
fn without_monitoring_the_input_means_nothing() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.request(Request::TestRcd);
    bench.charge();
    bench.run(1_000);
    assert!(bench.actuation.relay_1);
    assert_eq!(bench.actuation.outputs, DigitalOutputs(0));
}

// covers: RCD-029, RCD-030, RCD-032, RCD-036
#[test]
fn a_trip_while_charging_opens_at_once_and_holds_the_plug() {
    let mut bench = charging();
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.look();
    assert!(
        !bench.actuation.relay_1,
        "at the first look, without a round"
    );
    bench.look();
    assert_eq!(bench.status().rcd_error, Some(RcdError::GroundFailure));
    bench.world.rcd_defect = RcdDefect::None;
    bench.run(60_000);
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::Faulted)
    );
    assert_eq!(bench.status().lock, Some(LockPosition::Locked));
    assert!(!bench.actuation.relay_1);
    bench.plug(Ev::A);
    bench.run(1_000);
    assert_eq!(bench.status().rcd_error, None);
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
    assert_eq!(bench.session(), SessionState::Idle);
    bench.plug(Ev::C);
    bench.run_until(20_000, |bench| bench.actuation.relay_1);
}

// covers: RCD-029
#[test]
fn a_revoked_grant_does_not_release_the_plug_of_a_ground_failure() {
    let mut bench = Bench::rested(with_rcd(socket(Authentication::Ocpp)));
    bench.request(Request::Authorization(Grant::OneSession));
    bench.plug(Ev::C);
    bench.run_until(4_000, |bench| bench.actuation.relay_1);
    for before in [true, false] {
        let mut bench = Bench {
            events: Vec::new(),
            ..bench
        };
        if before {
            bench.request(Request::Authorization(Grant::Revoked));
        }
        bench.world.rcd_defect = RcdDefect::Tripped;
        bench.run(20);
        bench.request(Request::Authorization(Grant::Revoked));
        bench.run(10_000);
        assert_eq!(bench.status().lock, Some(LockPosition::Locked));
        assert!(!bench.actuation.relay_1);
    }
}

// covers: RCD-026, RCD-027, RCD-028
#[test]
fn a_trip_without_an_ev_is_spurious_until_restart() {
    let mut bench = rested();
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.run(20);
    bench.world.rcd_defect = RcdDefect::None;
    for ev in [Ev::A, Ev::C, Ev::A] {
        bench.plug(ev);
        bench.run(60_000);
        assert_eq!(bench.status().rcd_error, Some(RcdError::Spurious));
        assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
        assert_eq!(bench.status().lock_target, LockPosition::Unlocked);
        assert!(!bench.actuation.relay_1);
    }
}

// covers: RCD-031
#[test]
fn a_ground_failure_that_outlives_the_ev_becomes_spurious() {
    let mut bench = charging();
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.run(1_000);
    assert_eq!(bench.status().rcd_error, Some(RcdError::GroundFailure));
    bench.plug(Ev::A);
    let spurious = |bench: &Bench| bench.status().rcd_error == Some(RcdError::Spurious);
    let time = bench.run_until(10_000, spurious);
    assert!((5_000..5_050).contains(&time), "{time}");
    assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
}

/// The fault leaves with the EV, and the device takes its time to notice.
#[test]
fn a_device_that_returns_to_normal_after_the_ev_has_left_is_well() {
    let mut bench = charging();
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.run(1_000);
    bench.plug(Ev::A);
    bench.run(4_000);
    assert!(!bench.actuation.relay_1);
    bench.world.rcd_defect = RcdDefect::None;
    bench.run(50);
    assert_eq!(bench.status().rcd_error, None);
    assert_eq!(bench.session(), SessionState::Idle);
}

/// While the pilot tells nothing the EV that was last seen is still there, and none is not.
#[test]
fn a_trip_under_a_failed_pilot_is_judged_by_what_was_seen_before() {
    for (mut bench, error) in [
        (charging(), RcdError::GroundFailure),
        (rested(), RcdError::Spurious),
    ] {
        bench.plug(Ev::SensorFault);
        bench.run(500);
        assert_eq!(bench.status().cp_state, None);
        bench.world.rcd_defect = RcdDefect::Tripped;
        bench.run(20);
        assert_eq!(bench.status().rcd_error, Some(error));
    }
}

#[test]
fn a_glitch_of_the_feedback_pauses_and_ends_nothing() {
    let mut bench = charging();
    bench.world.rcd_defect = RcdDefect::Tripped;
    bench.look();
    bench.world.rcd_defect = RcdDefect::None;
    bench.run_until(11_000, |bench| bench.actuation.relay_1);
    assert_eq!(bench.status().rcd_error, None);
}

/// Connected is not A, E and F; a pilot that can't be trusted is as before.
#[test]
fn the_pilot_decides_what_a_trip_is() {
    for (ev, error) in [
        (Ev::B, RcdError::GroundFailure),
        (Ev::NoDiode, RcdError::GroundFailure),
        (Ev::SensorFault, RcdError::GroundFailure),
        (Ev::Short, RcdError::Spurious),
    ] {
        let mut bench = charging();
        bench.plug(ev);
        bench.run(200);
        bench.world.rcd_defect = RcdDefect::Tripped;
        bench.run(20);
        assert_eq!(bench.status().rcd_error, Some(error), "{ev:?}");
    }
}

#[test]
fn a_trigger_that_is_active_low_rests_high_before_and_after_the_machine() {
    let config = with_rcd(socket(Authentication::Free));
    assert_eq!(config.safe(), Actuation::SAFE);
    let mut low = config;
    if let Some(RcdMonitor {
        test: Some(test), ..
    }) = &mut low.rcd
    {
        test.trigger = DigitalOutput::new(4, false).unwrap();
    }
    let expected = Actuation {
        outputs: DigitalOutputs(0b1000),
        ..Actuation::SAFE
    };
    assert_eq!(low.safe(), expected);
    assert_eq!(socket(Authentication::Free).safe(), Actuation::SAFE);
    // It goes on as it began.
    let step = Machine::new(low, Millis(0)).step(Millis(0), Input::Tick);
    assert_eq!(step.actuation.outputs, expected.outputs);
}
