//! Switching between one and three phases (guide 15.20).

mod bench;

use PhaseCount::{One, Three};
use bench::*;
use evse_core::*;

const DELAY_MS: u64 = 20_000;

fn config() -> Config {
    Config {
        relay_2: SecondRelay::PhaseSwitch(PhaseSwitch {
            feedback: Feedback::NormallyOpen,
            delay_ms: 20_000,
        }),
        ..socket(Authentication::Free)
    }
}

fn charging() -> Bench {
    let mut bench = Bench::rested(config());
    bench.charge();
    bench.run(500);
    bench.take_events();
    bench
}

/// The phases switched through; `None` also where none are.
fn through(bench: &Bench) -> Option<PhaseCount> {
    bench.status().phases.flatten()
}

// covers: PH-007, PH-012, PH-013
#[test]
fn the_second_contactor_closes_first_and_opens_last() {
    let mut bench = Bench::rested(config());
    assert_eq!(through(&bench), None);
    bench.plug(Ev::C);
    bench.run_until(2_000, |bench| bench.actuation.relay_2);
    assert!(!bench.actuation.relay_1);
    let pull_in = bench.run_until(1_000, |bench| bench.actuation.relay_1);
    assert_eq!(pull_in, 100);
    assert!(bench.actuation.relay_2);
    bench.run(100);
    assert_eq!(through(&bench), Some(Three));
    bench.plug(Ev::B);
    bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert!(bench.actuation.relay_2, "the first one opens first");
    bench.run_until(300, |bench| !bench.actuation.relay_2);
    assert_eq!(through(&bench), None);
}

// covers: LIM-003, LIM-030
#[test]
fn a_limit_counts_for_each_phase_however_many_there_are() {
    for deciamperes in [60, 99, 160, 320] {
        let limit = Some(Amperes::from_deci(deciamperes));
        let offer = |phases| {
            let mut bench = Bench::rested(config());
            bench.request(Request::Phases(phases));
            bench.request(Request::OcppLimit(limit));
            bench.run(DELAY_MS + 1_000);
            bench.charge();
            bench.run(500);
            assert_eq!(through(&bench), Some(phases));
            (bench.duty(), bench.status().offered_limit)
        };
        assert_eq!(offer(One), offer(Three));
        assert_eq!(offer(One).1, Amperes::from_deci(deciamperes));
    }
}

// covers: PH-007, PH-010, PH-011, PH-014, PH-015
#[test]
fn a_switch_pauses_the_session_for_the_delay_and_resumes_it() {
    let mut bench = charging();
    bench.request(Request::Phases(One));
    assert_eq!(bench.duty(), 10_000);
    bench.run(1_000);
    assert!(bench.actuation.relay_1, "the EV has its time to stop");
    bench.plug(Ev::B);
    bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!(bench.status().stop_reason, Some(StopReason::PhaseSwitch));
    bench.plug(Ev::C);
    let mut waited = 0;
    while bench.duty() == 10_000 {
        assert!(!bench.actuation.relay_1 && through(&bench) != Some(One));
        bench.cycle();
        waited += CYCLE_MS;
    }
    assert!((DELAY_MS..DELAY_MS + 30).contains(&waited), "{waited}");
    bench.run_until(200, |bench| bench.actuation.relay_1);
    bench.run(500);
    assert_eq!(through(&bench), Some(One));
    assert!(!bench.actuation.relay_2);
    let ended =
        |event: &Event| matches!(event, Event::SessionEnded(_)) || *event == Event::SessionStarted;
    assert!(!bench.take_events().iter().any(ended));

    bench.request(Request::Phases(Three));
    bench.run_until(30_000, |bench| bench.actuation.relay_2);
    bench.run(500);
    assert_eq!(through(&bench), Some(Three));
}

#[test]
fn an_ev_that_does_not_stop_is_switched_off_after_6_s() {
    let mut bench = charging();
    bench.request(Request::Phases(One));
    let opened = bench.run_until(10_000, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 6_000);
    let offered = bench.run_until(30_000, |bench| bench.duty() < 10_000);
    assert!((DELAY_MS..DELAY_MS + 30).contains(&offered), "{offered}");
}

// covers: PH-019
#[test]
fn the_same_target_and_one_taken_back_in_time_switch_nothing() {
    let mut bench = charging();
    bench.request(Request::Phases(Three));
    bench.run(1_000);
    assert!(bench.duty() < 10_000);
    bench.request(Request::Phases(One));
    bench.run(1_000);
    bench.request(Request::Phases(Three));
    bench.run(10_000);
    assert!(bench.actuation.relay_1 && bench.duty() < 10_000);
    assert_eq!(through(&bench), Some(Three));
}

// covers: PH-021
#[test]
fn without_an_ev_only_the_target_changes() {
    let mut bench = Bench::rested(config());
    bench.request(Request::Phases(One));
    bench.run(1_000);
    assert!(!bench.actuation.relay_1 && !bench.actuation.relay_2);
    bench.charge();
    bench.run(100);
    assert_eq!(through(&bench), Some(One));
    assert!(!bench.actuation.relay_2);
}

// covers: PH-001
#[test]
fn a_station_without_the_second_contactor_ignores_targets() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.charge();
    bench.run(100);
    bench.request(Request::Phases(One));
    bench.run(1_000);
    assert!(bench.actuation.relay_1 && bench.duty() < 10_000);
    assert_eq!(bench.status().phases, None);
}

// covers: PH-008, PH-020
#[test]
fn the_delay_follows_the_request_and_the_contactor_still_rests() {
    let mut bench = charging();
    bench.request(Request::PhaseSwitchDelay(10_000));
    bench.request(Request::Phases(One));
    bench.plug(Ev::B);
    bench.run_until(100, |bench| !bench.actuation.relay_1);
    bench.plug(Ev::C);
    let closed = bench.run_until(30_000, |bench| bench.actuation.relay_1);
    assert!((10_000..10_100).contains(&closed), "{closed}");
}

// covers: PH-018
#[test]
fn a_second_contactor_that_contradicts_is_a_contactor_error() {
    for (defect, at) in [
        (ContactorDefect::NeverCloses, "while closing"),
        (ContactorDefect::Welded, "at rest"),
        (ContactorDefect::Welded, "after opening"),
    ] {
        let mut bench = if at == "after opening" {
            charging()
        } else {
            Bench::rested(config())
        };
        bench.world.relay_2_defect = defect;
        bench.plug(Ev::C);
        bench.run(3_000);
        bench.plug(Ev::B);
        bench.run(1_000);
        assert!(bench.status().contactor_fault.is_some(), "{at}");
        assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
        assert!(!bench.actuation.relay_1 && !bench.actuation.relay_2);
        let welded = defect == ContactorDefect::Welded;
        let locked = bench.status().lock == Some(LockPosition::Locked);
        assert_eq!(
            locked,
            at == "after opening",
            "S4: L2 and L3 are live: {welded}"
        );
    }
}

/// Its coil may hang on the first contactor's output.
#[test]
fn a_second_contactor_that_follows_only_the_first_one_is_no_error() {
    let mut bench = Bench::rested(config());
    bench.plug(Ev::C);
    for _ in 0..400 {
        let fed = bench.world.relay_1;
        bench.world.relay_2_defect = if fed {
            ContactorDefect::None
        } else {
            ContactorDefect::NeverCloses
        };
        bench.cycle();
        if bench.now.0.is_multiple_of(2_000) {
            bench.plug(Ev::B);
        }
    }
    assert_eq!(bench.status().contactor_fault, None);
}

#[test]
fn a_welded_first_contactor_does_not_keep_the_second_one_closed() {
    let mut bench = charging();
    bench.world.contactor_defect = ContactorDefect::Welded;
    bench.plug(Ev::B);
    bench.run(500);
    assert!(bench.status().contactor_fault.is_some());
    assert!(!bench.actuation.relay_2);
    assert_eq!(bench.status().lock, Some(LockPosition::Locked));
}

// covers: PH-016
#[test]
fn after_a_switch_a_sleeping_ev_is_not_woken() {
    let mut bench = Bench::rested(Config {
        wake_up: WakeUp {
            after_authorization: true,
            after_timeout: true,
        },
        ..config()
    });
    bench.charge();
    bench.run(500);
    bench.request(Request::Phases(One));
    bench.plug(Ev::B);
    for _ in 0..12_000 {
        bench.cycle();
        assert_ne!(bench.actuation.pilot, PilotOutput::Released);
    }
}
