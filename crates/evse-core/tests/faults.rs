//! What can break in contactor, cable and pilot, one at a time.

mod bench;

use bench::*;
use evse_core::*;

const LOCKED: Option<LockPosition> = Some(LockPosition::Locked);
const UNLOCKED: Option<LockPosition> = Some(LockPosition::Unlocked);

fn free() -> Bench {
    Bench::rested(socket(Authentication::Free))
}

fn charging() -> Bench {
    let mut bench = free();
    bench.charge();
    bench.run(500);
    bench.take_events();
    bench
}

/// Guide 15.13, table 70.
fn assert_safe_state(bench: &Bench, duty: u16) {
    assert!(!bench.actuation.relay_1 && !bench.status().contactor_target);
    assert_eq!(
        (bench.duty(), bench.session()),
        (duty, SessionState::Faulted)
    );
}

// The contactor.

// covers: CON-009, CON-010, CON-011, CON-012, CON-017, CON-018, CP-018, PL-010
#[test]
fn a_contactor_that_does_not_close_is_a_contactor_error_until_restart() {
    let mut bench = free();
    bench.world.contactor_defect = ContactorDefect::NeverCloses;
    bench.charge();
    let failed = bench.run_until(1_000, |bench| bench.status().contactor_fault.is_some());
    assert_eq!(failed, 250);
    assert_safe_state(&bench, 0);
    assert_eq!(bench.status().lock_target, LockPosition::Unlocked);
    bench.run_until(1_000, |bench| bench.status().lock == UNLOCKED);
    bench.world.contactor_defect = ContactorDefect::None;
    bench.plug(Ev::A);
    bench.run(60_000);
    bench.plug(Ev::C);
    bench.run(60_000);
    assert_safe_state(&bench, 0);
    assert_eq!(
        bench.status().contactor_fault,
        Some(ContactorFault::NotClosed)
    );
}

// covers: CON-014
#[test]
fn a_welded_contactor_keeps_the_plug_locked() {
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::Welded;
    bench.plug(Ev::A);
    bench.run_until(1_000, |bench| bench.status().contactor_fault.is_some());
    assert_eq!(bench.status().contactor_fault, Some(ContactorFault::Welded));
    assert_safe_state(&bench, 0);
    bench.request(Request::Unlock);
    bench.run(60_000);
    assert_eq!(bench.status().lock, LOCKED, "S4 wins over guide 3.3.4.1");
    assert!(
        bench
            .take_events()
            .contains(&Event::Unlock(UnlockResult::Failed))
    );
    // The weld breaks: the plug is released, the error stays.
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run_until(1_000, |bench| bench.status().lock == UNLOCKED);
    assert_safe_state(&bench, 0);
}

#[test]
fn a_contactor_that_is_closed_at_start_keeps_the_plug_as_it_is() {
    let mut bench = Bench::new(socket(Authentication::Free));
    bench.world.contactor_defect = ContactorDefect::Welded;
    bench.world.locked = true;
    bench.run(240);
    assert_eq!(
        bench.session(),
        SessionState::Inoperative,
        "nothing is offered before it is known"
    );
    bench.run(10_000);
    assert_safe_state(&bench, 0);
    assert_eq!(
        (bench.status().lock, bench.status().contactor),
        (LOCKED, ContactorPosition::Closed)
    );
}

/// A contactor that has rested and an EV that requests energy: still, neither a
/// message nor the passing of time closes it.
#[test]
fn only_a_round_of_measurements_closes_the_contactor() {
    let rest_is_over = |inputs: &[Input]| {
        let mut bench = Bench::rested(socket(Authentication::Ocpp));
        bench.request(Request::Authorization(Grant::Permanent));
        bench.charge();
        let closed_at = bench.now;
        bench.plug(Ev::B);
        bench.run(1_000);
        bench.plug(Ev::C);
        while bench.now.since(closed_at) < 9_990 {
            bench.cycle();
        }
        bench.now = bench.now.after(20);
        for input in inputs {
            bench.input(*input);
        }
        bench
    };
    let mut bench = rest_is_over(&[
        Input::Tick,
        Input::Request(Request::BrokerConnected),
        Input::Request(Request::Authorization(Grant::OneSession)),
        Input::Request(Request::OcppLimit(None)),
        Input::Tick,
    ]);
    assert!(!bench.actuation.relay_1 && bench.duty() == 5_333);
    bench.cycle();
    assert!(bench.actuation.relay_1);
}

#[test]
fn an_unreadable_feedback_opens_and_keeps_the_plug_locked() {
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::Unreadable;
    bench.run_until(300, |bench| bench.status().contactor_fault.is_some());
    assert_eq!(
        bench.status().contactor_fault,
        Some(ContactorFault::FeedbackUnreadable)
    );
    assert_safe_state(&bench, 0);
    bench.run(10_000);
    assert_eq!(bench.status().lock, LOCKED);
    // It is back, and says open: the plug is released, and after 10 s the station is well.
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run_until(1_000, |bench| bench.status().lock == UNLOCKED);
    assert_safe_state(&bench, 0);
    let well = bench.run_until(15_000, |bench| bench.status().contactor_fault.is_none());
    assert!((9_000..=10_010).contains(&well), "{well}");
    bench.run_until(5_000, |bench| bench.actuation.relay_1);
}

// covers: CON-008, CON-009, CON-010, CON-011
#[test]
fn a_feedback_that_flutters_opens_and_keeps_the_plug_locked() {
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::Flutter;
    bench.run_until(300, |bench| bench.status().contactor_fault.is_some());
    assert_eq!(
        bench.status().contactor_fault,
        Some(ContactorFault::FeedbackUnreadable)
    );
    assert_safe_state(&bench, 0);
    for _ in 0..1_000 {
        bench.cycle();
        assert_eq!(
            bench.actuation.lock_drive,
            LockDrive::Coast,
            "not even for a moment"
        );
    }
    assert_eq!(bench.status().lock, LOCKED);
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run_until(1_000, |bench| bench.status().lock == UNLOCKED);
    bench.run_until(25_000, |bench| bench.actuation.relay_1);
}

/// With `free` nothing else would say that the driver wanted the plug.
#[test]
fn a_plug_unlocked_on_request_stays_so_through_a_feedback_that_was_unreadable() {
    let mut bench = charging();
    bench.request(Request::Unlock);
    bench.run_until(10_000, |bench| bench.status().lock == UNLOCKED);
    bench.world.contactor_defect = ContactorDefect::Flutter;
    bench.run_until(1_000, |bench| bench.status().contactor_fault.is_some());
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run(60_000);
    assert_eq!(
        (bench.session(), bench.status().lock),
        (SessionState::Connected, UNLOCKED)
    );
    bench.plug(Ev::A);
    bench.run(1_000);
    bench.charge();
}

// covers: CON-010, CON-014
#[test]
fn a_feedback_that_has_contradicted_is_no_proof_before_the_contactor_has_had_its_time() {
    let unlocks = |bench: &mut Bench| {
        bench.run_until(1_000, |bench| !bench.actuation.relay_1);
        bench.run_until(1_000, |bench| {
            bench.actuation.lock_drive == LockDrive::Unlock
        })
    };
    // A wire breaks under load.
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::NeverCloses;
    assert_eq!(unlocks(&mut bench), 250);
    // It was broken from the start.
    let mut bench = free();
    bench.world.contactor_defect = ContactorDefect::NeverCloses;
    bench.charge();
    assert_eq!(unlocks(&mut bench), 250);
}

#[test]
fn a_contactor_that_welds_while_its_feedback_is_unreadable_is_found_out() {
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::Unreadable;
    bench.run_until(300, |bench| bench.status().contactor_fault.is_some());
    bench.world.contactor_defect = ContactorDefect::Welded;
    let found = bench.run_until(1_000, |bench| {
        bench.status().contactor_fault == Some(ContactorFault::Welded)
    });
    assert_eq!(found, 250, "the time that any contactor has to open");
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run(60_000);
    assert_safe_state(&bench, 0);
}

/// In state F nobody sees whether the EV has left: what was granted to one is not the next one's.
#[test]
fn a_grant_for_one_session_does_not_survive_an_unreadable_feedback() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    bench.request(Request::Authorization(Grant::OneSession));
    bench.charge();
    bench.world.contactor_defect = ContactorDefect::Unreadable;
    bench.run(1_000);
    bench.world.contactor_defect = ContactorDefect::None;
    bench.run(20_000);
    assert_eq!(bench.status().contactor_fault, None);
    assert_eq!(bench.session(), SessionState::Connected);
    assert!(!bench.status().authorized);
}

// covers: CON-005, CON-007
#[test]
fn without_feedback_the_contactor_is_unknown_and_never_an_error() {
    let config = Config {
        contactor_feedback: Feedback::None,
        ..socket(Authentication::Free)
    };
    let mut bench = Bench::rested(config);
    bench.world.contactor_defect = ContactorDefect::NeverCloses;
    bench.charge();
    bench.run(5_000);
    assert_eq!(bench.session(), SessionState::Charging);
    assert_eq!(bench.status().contactor, ContactorPosition::Unknown);
    bench.plug(Ev::A);
    bench.run(20);
    assert_eq!(
        bench.actuation.lock_drive,
        LockDrive::Coast,
        "it may take 250 ms to open"
    );
    let unlocks = bench.run_until(1_000, |bench| {
        bench.actuation.lock_drive == LockDrive::Unlock
    });
    assert_eq!(unlocks, 250);
}

// The proximity pilot.

// covers: PP-001, PP-002
#[test]
fn each_cable_has_its_limit_while_its_ev_is_there() {
    let mut bench = free();
    for (voltage, amperes, physical) in [
        (PP_13, 13, 13),
        (PP_20, 20, 20),
        (PP_32, 32, 32),
        (PP_63, 63, 32),
    ] {
        bench.world.proximity = voltage;
        bench.run(100);
        assert_eq!(bench.status().cable_limit, None, "no EV, nothing to judge");
        bench.plug(Ev::B);
        bench.run(100);
        assert_eq!(bench.status().cable_limit, Some(Amperes::new(amperes)));
        assert_eq!(bench.status().physical_limit, Amperes::new(physical));
        bench.plug(Ev::A);
        bench.run(1_000);
    }
}

// covers: PP-005, PP-006, PP-008
#[test]
fn without_a_valid_cable_nothing_is_locked_or_offered() {
    for (voltage, error) in [
        (PP_NONE, "ProximityNoCable"),
        (PP_INVALID, "ProximityInvalid"),
    ] {
        let mut bench = free();
        bench.world.proximity = voltage;
        bench.run(1_000);
        assert_eq!(
            bench.status().proximity_error,
            None,
            "no EV, nothing to judge"
        );
        bench.plug(Ev::C);
        bench.run(10_000);
        assert_eq!(
            bench
                .status()
                .proximity_error
                .map(ProximityError::vendor_error_code),
            Some(error)
        );
        assert_safe_state(&bench, 10_000);
        assert_eq!(
            (bench.status().lock_target, bench.status().lock),
            (LockPosition::Unlocked, UNLOCKED)
        );
        bench.world.proximity = PP_32;
        bench.run_until(2_000, |bench| bench.actuation.relay_1);
    }
}

// covers: PP-007
#[test]
fn losing_the_cable_while_charging_interrupts_and_keeps_the_plug_locked() {
    for (voltage, error) in [
        (PP_NONE, ProximityError::NoCable),
        (PP_INVALID, ProximityError::Invalid),
    ] {
        let mut bench = charging();
        bench.world.proximity = voltage;
        let opened = bench.run_until(200, |bench| !bench.actuation.relay_1);
        assert_eq!(opened, 60);
        assert_eq!(
            bench.take_events(),
            [Event::ChargingStopped(StopReason::ProximityError(error))]
        );
        bench.run(10_000);
        assert_safe_state(&bench, 10_000);
        assert_eq!(
            (bench.status().lock_target, bench.status().lock),
            (LockPosition::Locked, LOCKED)
        );
    }
}

// covers: PP-009, PP-010
#[test]
fn a_cable_that_changes_while_charging_lowers_the_limit_for_this_ev() {
    let mut bench = charging();
    for (voltage, duty) in [
        (PP_20, 3_333),
        (PP_32, 3_333),
        (PP_13, 2_167),
        (PP_63, 2_167),
    ] {
        bench.world.proximity = voltage;
        bench.run(100);
        assert_eq!(
            (bench.duty(), bench.session()),
            (duty, SessionState::Charging)
        );
        assert_eq!(
            bench.status().proximity_error,
            Some(ProximityError::Changed)
        );
    }
    bench.plug(Ev::A);
    bench.run(1_000);
    assert_eq!(bench.status().proximity_error, None);
}

// The control pilot.

#[test]
fn a_frozen_loop_opens_the_contactor() {
    let mut bench = charging();
    let (at, name) = bench.deadline.unwrap();
    assert_eq!((at.since(bench.now), name), (100, "control pilot stale"));
    bench.now = at;
    bench.input(Input::Tick);
    assert_safe_state(&bench, 10_000);
    assert_eq!(bench.status().cp_state, None);
    // The same when the loop comes back late, with a sample that looks fine.
    let mut bench = charging();
    bench.now = bench.now.after(140);
    let sample = bench.world.sample();
    bench.input(Input::Sample(sample));
    assert_safe_state(&bench, 10_000);
    // It heals.
    bench.run_until(15_000, |bench| bench.actuation.relay_1);
}

/// The lie that would leave a pulled cable live: the sensor goes on to show state C.
#[test]
fn a_frozen_peak_detector_opens_the_contactor_while_it_shows_an_ev() {
    for config in [
        fixed_cable(Authentication::Free),
        socket(Authentication::Free),
    ] {
        let mut bench = Bench::rested(config);
        bench.charge();
        bench.run(500);
        bench.plug(Ev::FrozenAtC);
        let opened = bench.run_until(1_000, |bench| !bench.actuation.relay_1);
        assert_eq!(opened, 250);
        let fault = StopReason::PilotFault(PilotFault::Frozen);
        assert_eq!(bench.status().stop_reason, Some(fault));
        bench.run(60_000);
        assert_safe_state(&bench, 10_000);
        bench.plug(Ev::C);
        bench.run_until(15_000, |bench| bench.actuation.relay_1);
    }
    // One that was frozen from the start never closes.
    let mut bench = Bench::new(fixed_cable(Authentication::Free));
    bench.plug(Ev::FrozenAtC);
    for _ in 0..6_000 {
        bench.cycle();
        assert!(!bench.actuation.relay_1);
    }
}

#[test]
fn a_pilot_that_flutters_opens_the_contactor() {
    let mut bench = charging();
    bench.plug(Ev::Flutter);
    let opened = bench.run_until(1_000, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 70);
    let fault = StopReason::PilotFault(PilotFault::Unsteady);
    assert_eq!(bench.status().stop_reason, Some(fault));
    for _ in 0..6_000 {
        bench.cycle();
        assert!(!bench.actuation.relay_1);
    }
    bench.plug(Ev::C);
    bench.run_until(15_000, |bench| bench.actuation.relay_1);
}

// covers: CON-020, PL-027, CP-012
#[test]
fn ventilation_is_refused_with_100_percent_and_a_locked_plug() {
    let mut bench = free();
    bench.plug(Ev::D);
    bench.run(10_000);
    assert_eq!(bench.status().cp_state, Some(CpState::D));
    assert!(!bench.actuation.relay_1 && bench.status().lock == LOCKED);
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::SuspendedEvse)
    );

    let mut bench = charging();
    bench.plug(Ev::D);
    let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!((opened, bench.duty()), (20, 10_000));
    assert_eq!(
        bench.status().stop_reason,
        Some(StopReason::VentilationUnavailable)
    );
    assert_eq!(bench.status().lock_target, LockPosition::Locked);
}

// covers: CON-020
#[test]
fn ventilation_is_accepted_where_the_configuration_says_so() {
    let config = Config {
        always_accept_state_d: true,
        ..socket(Authentication::Free)
    };
    let mut bench = Bench::rested(config);
    bench.plug(Ev::D);
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
    bench.plug(Ev::C);
    bench.run(1_000);
    bench.plug(Ev::D);
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Charging);
    assert!(bench.actuation.relay_1);
}

#[test]
fn a_missing_diode_forbids_charging_until_the_ev_leaves() {
    let mut bench = free();
    bench.plug(Ev::NoDiode);
    bench.run(60_000);
    assert!(!bench.actuation.relay_1);
    assert_eq!(bench.status().pilot_fault, Some(PilotFault::Diode));
    assert_safe_state(&bench, 10_000);
    let offers = bench.take_events();
    assert!(!offers.contains(&Event::ChargingStarted));
    bench.plug(Ev::A);
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Idle);
    bench.charge();
}
