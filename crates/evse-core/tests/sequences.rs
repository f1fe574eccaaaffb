//! The sequences of IEC 61851-1 table A.6 that apply to basic charging; what doesn't
//! apply, and why, stands in docs/explanation/safety.md.

mod bench;

use bench::*;
use evse_core::*;

fn cp(bench: &Bench) -> (Option<CpState>, u16) {
    (bench.status().cp_state, bench.duty())
}

/// A bench with an EV in B2 that is offered 32 A.
fn offered() -> Bench {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    bench.request(Request::Authorization(Grant::OneSession));
    bench.plug(Ev::B);
    bench.run_until(1_000, |bench| bench.duty() == 5_333);
    bench
}

/// A bench that charges with 32 A.
fn charging() -> Bench {
    let mut bench = offered();
    bench.charge();
    bench.run(500);
    bench.take_events();
    bench
}

// covers: CP-003, CP-005, CP-019, AUTH-002
#[test]
fn sequence_1_1_plug_in_with_s2() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    assert_eq!(cp(&bench), (Some(CpState::A), 10_000));
    bench.plug(Ev::B);
    bench.run(20);
    assert_eq!(cp(&bench), (Some(CpState::B), 10_000));
    bench.run(60_000);
    assert_eq!(cp(&bench), (Some(CpState::B), 10_000));
    assert_eq!(bench.session(), SessionState::Connected);
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
}

// covers: AUTH-001, CP-008, PL-024
#[test]
fn sequence_1_2_plug_in_with_s2_always_closed() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.plug(Ev::C);
    bench.run(20);
    assert_eq!(cp(&bench), (Some(CpState::C), 10_000));
    let locked = bench.run_until(2_000, |bench| bench.duty() == 5_333);
    assert_eq!(locked, 600 + 100, "drive and brake of the default motor");
    assert!(!bench.actuation.relay_1 && bench.status().lock == Some(LockPosition::Locked));
    bench.run(20);
    assert!(bench.actuation.relay_1);
    assert_eq!(bench.session(), SessionState::Charging);
}

// covers: CP-004, CP-027, PL-023
#[test]
fn sequence_2_1_unplug_in_b() {
    let mut bench = offered();
    bench.plug(Ev::A);
    bench.run(20);
    assert_eq!(cp(&bench), (Some(CpState::A), 10_000));
    assert_eq!(bench.actuation.lock_drive, LockDrive::Unlock);
    assert_eq!(bench.status().stop_reason, Some(StopReason::EvDisconnected));
    bench.run_until(1_000, |bench| {
        bench.status().lock == Some(LockPosition::Unlocked)
    });
    assert_eq!(bench.session(), SessionState::Idle);
}

// covers: CP-004, CP-029, PL-023, PL-025
#[test]
fn sequence_2_2_unplug_in_c() {
    let mut bench = charging();
    bench.plug(Ev::A);
    bench.cycle();
    assert!(bench.actuation.relay_1, "one round may be a disturbance");
    bench.cycle();
    assert!(!bench.actuation.relay_1, "two are not");
    assert_eq!(
        bench.actuation.lock_drive,
        LockDrive::Coast,
        "feedback doesn't say open yet"
    );
    assert_eq!(cp(&bench), (Some(CpState::A), 10_000));
    let unlocks = bench.run_until(250, |bench| bench.actuation.lock_drive == LockDrive::Unlock);
    assert!(unlocks <= 20, "as soon as the feedback says open");
    assert_eq!(
        bench.take_events(),
        [
            Event::ChargingStopped(StopReason::EvDisconnected),
            Event::SessionEnded(StopReason::EvDisconnected)
        ]
    );
}

// covers: AUTH-002, AUTH-004, CP-007
#[test]
fn sequence_3_1_power_becomes_available_in_b() {
    let mut bench = Bench::rested(socket(Authentication::Mqtt));
    bench.plug(Ev::B);
    bench.request(Request::OcppLimit(Some(Amperes::new(16))));
    bench.run(1_000);
    bench.request(Request::Authorization(Grant::Permanent));
    assert_eq!(bench.duty(), 10_000, "the plug is locked first");
    bench.run_until(1_000, |bench| bench.duty() == 2_667);
    assert_eq!(bench.status().lock, Some(LockPosition::Locked));
    assert_eq!(bench.session(), SessionState::SuspendedEv);
    bench.run(120_000);
    assert_eq!(cp(&bench), (Some(CpState::B), 2_667));
}

#[test]
fn sequence_3_2_power_becomes_available_in_c() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    bench.plug(Ev::C);
    bench.run(1_000);
    assert_eq!(cp(&bench), (Some(CpState::C), 10_000));
    bench.request(Request::Authorization(Grant::OneSession));
    let closed = bench.run_until(3_000, |bench| bench.actuation.relay_1);
    assert!(
        closed <= 800,
        "locking takes 700 ms, then 3 s are allowed, took {closed}"
    );
}

// covers: CP-008
#[test]
fn sequence_4_ev_is_ready() {
    let mut bench = offered();
    bench.plug(Ev::C);
    let closed = bench.run_until(3_000, |bench| bench.actuation.relay_1);
    assert_eq!(closed, 20, "3 s are allowed");
    assert_eq!(bench.take_events().last(), Some(&Event::ChargingStarted));
    assert!(bench.status().contactor_target);
}

/// The station can't see it: nothing may depend on it.
#[test]
fn sequences_5_and_7_current_begins_and_ends() {
    let mut bench = charging();
    let before = bench.status();
    bench.run(600_000);
    assert_eq!(
        bench.status(),
        before,
        "an EV may stay in C without current"
    );
    assert!(bench.take_events().is_empty());
}

// covers: CP-020, CP-021, LIM-015, LIM-028
#[test]
fn sequence_6_current_change() {
    let slot = DynamicSlot::new(3).unwrap();
    let mut bench = charging();
    for (amperes, duty) in [
        (6, 1_000),
        (7, 1_167),
        (11, 1_833),
        (16, 2_667),
        (32, 5_333),
    ] {
        bench.request(Request::DynamicLimit(slot, Some(Amperes::new(amperes))));
        assert_eq!(bench.duty(), duty, "at once");
        bench.run(100);
        assert!(bench.actuation.relay_1 && bench.session() == SessionState::Charging);
    }
}

// covers: CP-030, CON-015
#[test]
fn sequence_8_1_ev_opens_s2_with_pwm() {
    let mut bench = charging();
    bench.plug(Ev::B);
    let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 20);
    assert_eq!(
        (bench.duty(), bench.session()),
        (5_333, SessionState::SuspendedEv)
    );
    assert_eq!(bench.status().stop_reason, Some(StopReason::EvPaused));
    assert_eq!(bench.status().lock_target, LockPosition::Locked);
    let opened_at = bench.now;
    bench.run(1_500);
    bench.plug(Ev::C);
    bench.run_until(10_000, |bench| bench.actuation.relay_1);
    let rested = bench.now.since(opened_at);
    assert!((6_000..10_000).contains(&rested), "rested {rested}");
    assert_eq!(bench.status().stop_reason, None);
}

#[test]
fn sequence_8_2_ev_opens_s2_without_pwm() {
    let mut bench = charging();
    bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
    bench.run(1_000);
    assert!(bench.actuation.relay_1);
    bench.plug(Ev::B);
    let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 20);
    assert_eq!(cp(&bench), (Some(CpState::B), 10_000));
}

/// 4 and 8.1 where the EV asks for ventilation, and there is some.
#[test]
fn sequences_4_and_8_1_in_state_d() {
    let mut bench = Bench::rested(Config {
        always_accept_state_d: true,
        ..socket(Authentication::Free)
    });
    bench.plug(Ev::B);
    bench.run_until(1_000, |bench| bench.duty() == 5_333);
    bench.plug(Ev::D);
    let closed = bench.run_until(3_000, |bench| bench.actuation.relay_1);
    assert_eq!(closed, 20, "3 s are allowed");
    bench.run(1_000);
    bench.plug(Ev::B);
    let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 20, "100 ms are allowed");
    // 8.2: without PWM.
    bench.plug(Ev::D);
    bench.run_until(12_000, |bench| bench.actuation.relay_1);
    bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
    bench.run(500);
    bench.plug(Ev::B);
    let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
    assert_eq!((opened, bench.duty()), (20, 10_000));
}

/// 2.2 from state D, and 2.1 and 2.2 while the offer is withdrawn.
#[test]
fn sequence_2_2_unplug_in_d_and_in_c1() {
    let config = Config {
        always_accept_state_d: true,
        ..socket(Authentication::Free)
    };
    for (ev, withdrawn) in [(Ev::D, false), (Ev::C, true), (Ev::D, true)] {
        let mut bench = Bench::rested(config);
        bench.plug(ev);
        bench.run_until(3_000, |bench| bench.actuation.relay_1);
        bench.run(500);
        if withdrawn {
            bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
            bench.run(500);
            assert!(bench.actuation.relay_1 && bench.duty() == 10_000);
        }
        bench.plug(Ev::A);
        let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
        assert_eq!(opened, 20, "100 ms are allowed");
        bench.run_until(2_000, |bench| {
            bench.status().lock == Some(LockPosition::Unlocked)
        });
        assert_eq!(bench.status().stop_reason, Some(StopReason::EvDisconnected));
    }
}

// covers: LIM-012, CON-022
#[test]
fn sequence_9_1_station_requests_to_stop_and_10_1_ev_responds() {
    let mut bench = charging();
    bench.request(Request::OcppLimit(Some(Amperes::from_deci(59))));
    assert_eq!((bench.duty(), bench.actuation.relay_1), (10_000, true));
    bench.run(2_900);
    assert!(bench.actuation.relay_1, "the EV has 3 s to stop");
    bench.plug(Ev::B);
    bench.run(20);
    assert!(!bench.actuation.relay_1);
    assert_eq!(bench.session(), SessionState::SuspendedEvse);
    assert_eq!(
        bench.status().stop_reason,
        Some(StopReason::NoCurrentAvailable)
    );
    assert_eq!(
        bench.take_events()[1..],
        [Event::ChargingStopped(StopReason::NoCurrentAvailable)],
        "the session goes on"
    );
}

#[test]
fn sequence_9_2_station_stops_pwm_in_b() {
    let mut bench = offered();
    bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::SuspendedEvse)
    );
    bench.request(Request::OcppLimit(Some(Amperes::new(10))));
    assert_eq!(
        (bench.duty(), bench.session()),
        (1_667, SessionState::SuspendedEv)
    );
}

// covers: CP-004
#[test]
fn sequence_9_3_station_stops_pwm_in_a() {
    let mut bench = offered();
    bench.plug(Ev::A);
    bench.cycle();
    assert_eq!(bench.duty(), 5_333, "A2 for one round");
    bench.cycle();
    assert_eq!(bench.duty(), 10_000, "then A1");
}

// covers: CON-022
#[test]
fn sequence_10_2_ev_does_not_respond() {
    let mut bench = charging();
    bench.request(Request::OcppLimit(Some(Amperes::ZERO)));
    let opened = bench.run_until(7_000, |bench| !bench.actuation.relay_1);
    assert_eq!(opened, 6_000, "under load");
    assert_eq!(bench.session(), SessionState::SuspendedEvse);
    bench.request(Request::OcppLimit(Some(Amperes::new(11))));
    assert_eq!(bench.duty(), 1_833);
    bench.run_until(10_000, |bench| bench.actuation.relay_1);
}

// covers: CP-010, CP-011, CP-018
#[test]
fn sequence_12_error_states_open_from_everywhere() {
    for (ev, reason) in [
        (Ev::Short, StopReason::PilotShort),
        (Ev::NoDiode, StopReason::PilotFault(PilotFault::Diode)),
        (
            Ev::OutOfRange,
            StopReason::PilotFault(PilotFault::OutOfRange),
        ),
        (Ev::SensorFault, StopReason::PilotFault(PilotFault::Sensor)),
    ] {
        let mut bench = charging();
        bench.plug(ev);
        let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
        assert_eq!(opened, 20, "{ev:?}");
        assert_eq!(bench.take_events(), [Event::ChargingStopped(reason)]);
        bench.cycle();
        assert_eq!(
            (bench.duty(), bench.session()),
            (10_000, SessionState::Faulted),
            "{ev:?}"
        );
        assert_eq!(bench.status().lock_target, LockPosition::Locked, "{ev:?}");
        let expected = if ev == Ev::Short {
            Some(CpState::E)
        } else {
            None
        };
        if ev != Ev::NoDiode {
            assert_eq!(bench.status().cp_state, expected, "{ev:?}");
        }
    }
}
