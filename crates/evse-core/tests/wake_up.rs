//! Waking an EV that sleeps (guide 14.1 table 48).

mod bench;

use bench::*;
use evse_core::*;

fn config(after_authorization: bool, after_timeout: bool) -> Config {
    Config {
        wake_up: WakeUp {
            after_authorization,
            after_timeout,
        },
        ..socket(Authentication::Ocpp)
    }
}

/// An EV in B whose session has just been authorised and secured.
fn authorized(config: Config) -> Bench {
    let mut bench = Bench::rested(config);
    bench.plug(Ev::B);
    bench.run(1_000);
    bench.request(Request::Authorization(Grant::OneSession));
    bench.run_until(2_000, |bench| bench.duty() != 10_000);
    bench
}

fn calls(bench: &Bench) -> bool {
    bench.actuation.pilot == PilotOutput::Released
}

fn assert_no_fault(bench: &Bench) {
    let status = bench.status();
    assert_ne!(status.session, SessionState::Faulted);
    assert_eq!(
        (status.cp_state, status.pilot_fault),
        (Some(CpState::B), None)
    );
}

// covers: CP-022, CP-025
#[test]
fn a_forced_call_follows_the_authorization() {
    let mut bench = authorized(config(true, false));
    assert!(calls(&bench), "before any offer");
    bench.take_events();
    while calls(&bench) {
        assert_no_fault(&bench);
        assert!(!bench.actuation.relay_1);
        assert_eq!(bench.status().lock, Some(LockPosition::Locked));
        bench.cycle();
    }
    assert!(bench.duty() < 10_000);
    assert_eq!(bench.take_events(), []);
    bench.run(120_000);
    assert_no_fault(&bench);
    assert!(!calls(&bench));
    bench.charge();
}

// covers: CP-022
#[test]
fn a_call_takes_4_s() {
    let mut bench = authorized(config(true, false));
    assert_eq!(bench.run_until(10_000, |bench| !calls(bench)), 4_000);
}

// covers: CP-023, CP-025
#[test]
fn an_ev_that_does_not_react_is_called_once_after_30_s() {
    let mut bench = authorized(config(false, true));
    assert_eq!(bench.run_until(60_000, calls), 30_000);
    let length = bench.run_until(10_000, |bench| {
        assert_no_fault(bench);
        !calls(bench)
    });
    assert_eq!(length, 4_000);
    for _ in 0..12_000 {
        bench.cycle();
        assert!(!calls(&bench));
    }
    bench.charge();
}

// covers: CP-024
#[test]
fn nobody_is_called_by_default() {
    let mut bench = authorized(config(false, false));
    for _ in 0..12_000 {
        bench.cycle();
        assert!(!calls(&bench) && bench.duty() < 10_000);
    }
}

#[test]
fn an_ev_that_has_charged_is_not_asleep_but_a_new_offer_is_a_new_chance() {
    let mut bench = authorized(config(false, true));
    bench.charge();
    bench.run(1_000);
    bench.plug(Ev::B);
    for _ in 0..6_000 {
        bench.cycle();
        assert!(!calls(&bench));
    }
    bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
    bench.run(1_000);
    bench.request(Request::OcppLimit(None));
    assert_eq!(bench.run_until(60_000, calls), 30_000);
}

#[test]
fn a_call_ends_with_the_permission() {
    let mut bench = authorized(config(true, false));
    bench.run(1_000);
    bench.request(Request::Authorization(Grant::Revoked));
    assert_eq!(bench.duty(), 10_000);
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Connected);
}

/// An EV that already asks needs no call.
#[test]
fn an_ev_that_requests_energy_is_not_called() {
    let mut bench = Bench::rested(config(true, true));
    bench.request(Request::Authorization(Grant::OneSession));
    bench.plug(Ev::C);
    for _ in 0..300 {
        bench.cycle();
        assert!(!calls(&bench));
    }
    assert!(bench.actuation.relay_1);
}

#[test]
fn an_ev_unplugged_during_a_call_is_noticed_after_it() {
    let mut bench = authorized(config(true, false));
    bench.plug(Ev::A);
    bench.run(4_100);
    assert_eq!(bench.session(), SessionState::Idle);
    assert_eq!(bench.status().lock_target, LockPosition::Unlocked);
}
