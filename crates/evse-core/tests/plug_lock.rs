//! The plug lock: what it does, and what can break in it.

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

fn failure(bench: &Bench) -> Option<&'static str> {
    bench
        .status()
        .lock_failure
        .map(LockFailure::vendor_error_code)
}

/// Guide 15.13, table 70.
fn assert_safe_state(bench: &Bench, duty: u16) {
    assert!(!bench.actuation.relay_1 && !bench.status().contactor_target);
    assert_eq!(
        (bench.duty(), bench.session()),
        (duty, SessionState::Faulted)
    );
}

#[test]
fn the_plug_is_unlocked_once_at_start() {
    let mut bench = Bench::new(socket(Authentication::Free));
    bench.world.locked = true;
    bench.run(1_000);
    assert_eq!(bench.status().lock, UNLOCKED);
    let mut bench = Bench::new(socket(Authentication::Free));
    bench.run_until(100, |bench| bench.actuation.lock_drive == LockDrive::Unlock);
    let driven = bench.run_until(1_000, |bench| {
        bench.actuation.lock_drive != LockDrive::Unlock
    });
    assert_eq!(
        (driven, bench.actuation.lock_drive),
        (600, LockDrive::Brake)
    );
    let braked = bench.run_until(1_000, |bench| {
        bench.actuation.lock_drive != LockDrive::Brake
    });
    assert_eq!(
        (braked, bench.actuation.lock_drive),
        (100, LockDrive::Coast)
    );
}

// covers: PL-001
#[test]
fn every_type_of_motor_locks_and_unlocks_in_a_session() {
    for profile in LockProfile::ALL {
        let connection = Connection::Socket { lock: profile };
        let mut bench = Bench::rested(Config {
            connection,
            ..socket(Authentication::Free)
        });
        bench.plug(Ev::B);
        bench.run_until(100, |bench| bench.actuation.lock_drive == LockDrive::Lock);
        let driven = bench.run_until(1_000, |bench| bench.actuation.lock_drive != LockDrive::Lock);
        assert_eq!(driven, profile.drive_ms(), "{}", profile.name());
        bench.run_until(200, |bench| bench.duty() == 5_333);
        let known = profile.has_feedback();
        assert_eq!(
            bench.status().lock,
            LOCKED.filter(|_| known),
            "{}",
            profile.name()
        );
        bench.plug(Ev::A);
        bench.run(1_000);
        assert_eq!(
            bench.status().lock,
            UNLOCKED.filter(|_| known),
            "{}",
            profile.name()
        );
        assert_eq!(bench.session(), SessionState::Idle, "{}", profile.name());
    }
}

/// A motor without feedback: its driver's word is all there is (S8).
#[test]
fn a_motor_without_feedback_is_trusted_only_while_its_driver_reports_no_fault() {
    let config = Config {
        connection: Connection::Socket {
            lock: LockProfile::by_name("SCAME-200.23261BL").unwrap(),
        },
        contactor_feedback: Feedback::None,
        ..socket(Authentication::Free)
    };
    let mut bench = Bench::rested(config);
    bench.charge();
    for (lock, contactor) in [
        (LockDefect::Driver, ContactorDefect::None),
        (LockDefect::None, ContactorDefect::Unreadable),
    ] {
        let mut bench = Bench::rested(config);
        bench.world.lock_defect = lock;
        bench.world.contactor_defect = contactor;
        bench.plug(Ev::C);
        for _ in 0..2_000 {
            bench.cycle();
            assert!(!bench.actuation.relay_1, "{lock:?} {contactor:?}");
        }
        assert!(failure(&bench).is_some());
    }
}

// covers: PL-011, PL-016, PL-017
#[test]
fn an_empty_capacitor_is_waited_for_400_s_at_start_and_5_s_later() {
    let mut bench = Bench::new(socket(Authentication::Free));
    bench.world.lock_defect = LockDefect::CapacitorEmpty;
    bench.run(399_900);
    assert_eq!(
        (failure(&bench), bench.session()),
        (None, SessionState::Idle)
    );
    bench.run_until(300, |bench| bench.actuation.lock_drive == LockDrive::Unlock);
    assert_eq!(failure(&bench), Some("PlugLockMotorCapNotCharged"));
    assert_safe_state(&bench, 10_000);
    bench.run_until(1_000, |bench| failure(bench).is_none());

    bench.plug(Ev::C);
    bench.run_until(100, |bench| {
        bench.status().lock_target == LockPosition::Locked
    });
    let waited = bench.run_until(6_000, |bench| bench.actuation.lock_drive == LockDrive::Lock);
    assert_eq!(waited, 5_000, "then it is tried anyway");
    assert_eq!(failure(&bench), Some("PlugLockMotorCapNotCharged"));
    assert_safe_state(&bench, 10_000);
    bench.run_until(1_000, |bench| bench.actuation.relay_1);
    assert_eq!(failure(&bench), None, "it did lock");
}

// covers: PL-011
#[test]
fn a_supply_too_low_for_the_motor_is_named_rather_than_what_follows_from_it() {
    let mut bench = free();
    bench.world.lock_defect = LockDefect::Starved;
    bench.plug(Ev::C);
    // Three drives, each after 5 s of waiting; then it is stuck.
    bench.run_until(6_000, |bench| failure(bench).is_some());
    for _ in 0..8_000 {
        assert_eq!(failure(&bench), Some("PlugLockMotorCapNotCharged"));
        assert!(!bench.actuation.relay_1);
        bench.cycle();
    }
    // With power, what remains is the motor's own.
    bench.world.lock_defect = LockDefect::Jammed;
    bench.plug(Ev::A);
    bench.run(2_000);
    bench.plug(Ev::C);
    bench.run_until(10_000, |bench| failure(bench) == Some("PlugLockCannotLock"));
}

// covers: PL-014, PL-016, PL-017, CP-017
#[test]
fn a_jammed_lock_is_tried_again_and_then_released_until_the_ev_leaves() {
    let mut bench = free();
    bench.world.lock_defect = LockDefect::Jammed;
    bench.plug(Ev::C);
    bench.run_until(1_000, |bench| failure(bench).is_some());
    assert_eq!(failure(&bench), Some("PlugLockCannotLock"));
    assert_safe_state(&bench, 10_000);
    bench.run_until(20, |bench| bench.actuation.lock_drive == LockDrive::Unlock);
    bench.run_until(800, |bench| bench.actuation.lock_drive == LockDrive::Lock);
    bench.run_until(2_000, |bench| {
        bench.status().lock_target == LockPosition::Unlocked
    });
    bench.run(60_000);
    assert_eq!(
        failure(&bench),
        Some("PlugLockCannotLock"),
        "reported while the EV is there"
    );
    assert_safe_state(&bench, 10_000);
    assert_eq!(bench.status().lock, UNLOCKED);

    bench.world.lock_defect = LockDefect::None;
    bench.plug(Ev::A);
    bench.run(100);
    assert_eq!(
        (failure(&bench), bench.session()),
        (None, SessionState::Idle)
    );
    bench.charge();
}

// covers: PL-018
#[test]
fn a_lock_that_moves_at_the_second_attempt_has_no_failure() {
    let mut bench = free();
    bench.world.lock_defect = LockDefect::Jammed;
    bench.plug(Ev::C);
    bench.run_until(1_000, |bench| failure(bench).is_some());
    bench.world.lock_defect = LockDefect::None;
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
    assert_eq!(failure(&bench), None);
}

#[test]
fn a_new_grant_tries_a_failed_lock_again_and_a_repeated_one_does_not() {
    for first in [Grant::OneSession, Grant::Permanent] {
        let grant = |bench: &mut Bench, grant| bench.request(Request::Authorization(grant));
        let mut bench = Bench::rested(socket(Authentication::Mqtt));
        grant(&mut bench, first);
        bench.world.lock_defect = LockDefect::Jammed;
        bench.plug(Ev::C);
        bench.run(20_000);
        bench.world.lock_defect = LockDefect::None;
        if first == Grant::Permanent {
            for said in [Grant::Permanent, Grant::Revoked] {
                grant(&mut bench, said);
                bench.run(20_000);
                assert_eq!(failure(&bench), Some("PlugLockCannotLock"), "{said:?}");
                assert_eq!(bench.session(), SessionState::Faulted, "{said:?}");
            }
        }
        // Each grant for one session is another user's, or another swipe.
        grant(&mut bench, first);
        bench.run_until(2_000, |bench| bench.actuation.relay_1);
        assert_eq!(failure(&bench), None);
    }
}

// covers: PL-015, PL-019
#[test]
fn a_lock_that_does_not_open_is_reported_and_can_be_tried_again() {
    let mut bench = charging();
    bench.world.lock_defect = LockDefect::Jammed;
    bench.plug(Ev::A);
    bench.run_until(2_000, |bench| failure(bench).is_some());
    assert_eq!(failure(&bench), Some("PlugLockCannotUnlock"));
    bench.run(30_000);
    assert_eq!(
        (failure(&bench), bench.status().lock),
        (Some("PlugLockCannotUnlock"), LOCKED)
    );
    assert_safe_state(&bench, 10_000);

    bench.request(Request::Unlock);
    bench.run(5_000);
    assert!(
        bench
            .take_events()
            .contains(&Event::Unlock(UnlockResult::Failed))
    );
    bench.world.lock_defect = LockDefect::None;
    bench.request(Request::Unlock);
    bench.run(1_000);
    assert_eq!(bench.take_events(), [Event::Unlock(UnlockResult::Unlocked)]);
    assert_eq!(
        (failure(&bench), bench.session()),
        (None, SessionState::Idle)
    );
}

// covers: PL-012
#[test]
fn a_lock_that_leaves_its_position_while_charging_opens_the_contactor() {
    let mut bench = charging();
    bench.world.locked = false;
    bench.world.lock_defect = LockDefect::Jammed;
    let opened = bench.run_until(1_000, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 110, "monitored for 100 ms");
    assert_eq!(failure(&bench), Some("PlugLockMotorUnexpectedOpen"));
    assert_safe_state(&bench, 10_000);
    let reason = StopReason::LockFailure(LockFailure::UnexpectedOpen);
    assert_eq!(bench.take_events(), [Event::ChargingStopped(reason)]);
    bench.run(10_000);
    assert_eq!(
        bench.status().lock_target,
        LockPosition::Unlocked,
        "the retry failed as well"
    );
    assert_safe_state(&bench, 10_000);
}

/// S1: for less than the 100 ms after which it is an error.
#[test]
fn a_lock_in_doubt_closes_no_contactor() {
    let mut bench = free();
    bench.plug(Ev::B);
    bench.run_until(2_000, |bench| bench.duty() == 5_333);
    bench.run_long(10_000);
    bench.world.locked = false;
    bench.plug(Ev::C);
    for _ in 0..9 {
        bench.cycle();
        assert!(!bench.actuation.relay_1 && failure(&bench).is_none());
    }
    bench.world.locked = true;
    bench.run_until(1_000, |bench| bench.actuation.relay_1);
}

// covers: PL-018
#[test]
fn a_lock_that_comes_back_by_its_retry_lets_charging_resume() {
    let mut bench = charging();
    bench.world.locked = false;
    bench.run_until(1_000, |bench| !bench.actuation.relay_1);
    bench.run_until(20_000, |bench| bench.actuation.relay_1);
    assert_eq!((failure(&bench), bench.status().lock), (None, LOCKED));
}

// covers: PL-013
#[test]
fn a_lock_that_closes_by_itself_forbids_charging() {
    let mut bench = free();
    bench.world.lock_defect = LockDefect::Senseless;
    bench.run_until(1_000, |bench| failure(bench).is_some());
    assert_eq!(failure(&bench), Some("PlugLockMotorUnexpectedClose"));
    bench.plug(Ev::C);
    bench.run(20_000);
    assert_safe_state(&bench, 10_000);
    assert_eq!(bench.status().lock, None);
    bench.world.lock_defect = LockDefect::None;
    bench.run_until(3_000, |bench| bench.actuation.relay_1);
}

// covers: PL-009, PL-022, PL-026, PP-003, PP-014
#[test]
fn a_fixed_cable_has_no_lock_and_no_proximity_pilot() {
    let mut bench = Bench::rested(fixed_cable(Authentication::Free));
    bench.world.proximity = PP_INVALID;
    bench.world.lock_defect = LockDefect::Senseless;
    bench.plug(Ev::C);
    let closed = bench.run_until(100, |bench| bench.actuation.relay_1);
    assert_eq!(closed, 40);
    let status = bench.status();
    assert_eq!(
        (status.lock, status.lock_target),
        (None, LockPosition::Unlocked)
    );
    assert_eq!(
        (status.cable_limit, status.offered_limit),
        (None, Amperes::new(20))
    );
    bench.take_events();
    bench.request(Request::Unlock);
    assert_eq!(
        bench.take_events(),
        [Event::Unlock(UnlockResult::NotSupported)]
    );
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Charging);
    assert_eq!(bench.actuation.lock_drive, LockDrive::Coast);
}
