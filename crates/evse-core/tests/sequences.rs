//! The sequences of IEC 61851-1 table A.6 that apply to basic charging.

mod bench;

use bench::*;
use evse_core::*;

// covers: CP-003, CP-005, CP-019, AUTH-002
#[test]
fn sequence_1_1_plug_in_with_s2() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    assert_eq!(
        (bench.status().cp_state, bench.duty()),
        (Some(CpState::A), 10_000)
    );
    bench.plug(Ev::B);
    bench.run(20);
    assert_eq!(
        (bench.status().cp_state, bench.duty()),
        (Some(CpState::B), 10_000)
    );
    assert_eq!(bench.session(), SessionState::Connected);
}

// covers: AUTH-001, CP-007, CP-008, PL-024
#[test]
fn sequence_1_2_plug_in_with_s2_always_closed() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.plug(Ev::C);
    bench.run(20);
    assert_eq!(
        (bench.status().cp_state, bench.duty()),
        (Some(CpState::C), 10_000)
    );
    let locked = bench.run_until(2_000, |bench| bench.duty() == 5_333);
    assert_eq!(locked, 600 + 100, "drive and brake of the default motor");
    assert!(!bench.actuation.relay_1 && bench.status().lock == Some(LockPosition::Locked));
    bench.cycle();
    assert!(bench.actuation.relay_1);
    assert_eq!(bench.session(), SessionState::Charging);
}
