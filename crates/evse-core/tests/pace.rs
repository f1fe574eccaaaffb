//! When a round of measurements may be late, and when not.

mod bench;

use bench::*;
use evse_core::*;

fn is_relaxed(bench: &Bench) -> bool {
    bench.pace == Pace::Relaxed
}

#[test]
fn without_an_ev_rounds_may_be_rare_until_the_first_look_that_shows_something() {
    for config in [
        socket(Authentication::Free),
        fixed_cable(Authentication::Ocpp),
        with_rcd(with_emergency(socket(Authentication::Mqtt))),
    ] {
        for ev in [Ev::B, Ev::C, Ev::Short, Ev::OutOfRange, Ev::SensorFault] {
            let mut bench = Bench::rested(config);
            assert!(is_relaxed(&bench));
            bench.plug(ev);
            bench.cycle();
            assert!(!is_relaxed(&bench), "{ev:?}");
            bench.run(10_000);
            assert!(!is_relaxed(&bench), "{ev:?}");
            bench.plug(Ev::A);
            bench.run_until(10_000, is_relaxed);
        }
    }
}

#[test]
fn what_moves_is_watched_closely() {
    let config = with_rcd(with_emergency(socket(Authentication::Free)));
    let mut bench = Bench::new(config);
    bench.run(1_000);
    assert!(!is_relaxed(&bench), "the plug lock is driven");
    bench.run_until(5_000, is_relaxed);
    assert!(
        bench.now >= Millis(1_000 + 2_000),
        "after the RCD's first test"
    );
    bench.request(Request::TestRcd);
    while bench.world.rcd_trigger_is_on() {
        assert!(!is_relaxed(&bench));
        bench.cycle();
    }
    bench.run_until(5_000, is_relaxed);
    bench.request(Request::Unlock);
    assert!(!is_relaxed(&bench));
    bench.run_until(5_000, is_relaxed);
    bench.world.digital = 1;
    bench.look();
    assert!(!is_relaxed(&bench), "one look at the emergency input");
    let mut bench = Bench::rested(config);
    bench.world.contactor_defect = ContactorDefect::Welded;
    bench.cycle();
    assert!(!is_relaxed(&bench));
    let mut bench = Bench::rested(config);
    bench.world.lock_defect = LockDefect::Senseless;
    bench.run(1_000);
    assert!(!is_relaxed(&bench));
}
