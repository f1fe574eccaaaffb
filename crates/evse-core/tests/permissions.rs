//! Who may charge, when, and how much.

mod bench;

use bench::*;
use evse_core::*;

fn charging(config: Config) -> Bench {
    let mut bench = Bench::rested(config);
    bench.request(Request::Authorization(Grant::OneSession));
    bench.charge();
    bench.run(500);
    bench.take_events();
    bench
}

fn grant(bench: &mut Bench, grant: Grant) {
    bench.request(Request::Authorization(grant));
}

// covers: AUTH-001, AUTH-009
#[test]
fn free_needs_no_grant_and_heeds_none() {
    assert_eq!(Authentication::default(), Authentication::Free);
    let mut bench = Bench::rested(socket(Authentication::Free));
    grant(&mut bench, Grant::Revoked);
    bench.charge();
    grant(&mut bench, Grant::Revoked);
    bench.run(10_000);
    assert_eq!(bench.session(), SessionState::Charging);
}

// covers: AUTH-002, AUTH-004, CP-019, CON-021
#[test]
fn without_a_grant_an_ev_waits_at_100_percent() {
    for method in [Authentication::Mqtt, Authentication::Ocpp] {
        let mut bench = Bench::rested(socket(method));
        bench.plug(Ev::C);
        bench.run(60_000);
        assert_eq!(
            (bench.duty(), bench.session()),
            (10_000, SessionState::Connected)
        );
        assert!(!bench.actuation.relay_1 && !bench.status().authorized);
        grant(&mut bench, Grant::OneSession);
        bench.run_until(2_000, |bench| bench.actuation.relay_1);
    }
}

// covers: AUTH-007
#[test]
fn a_grant_for_one_session_is_used_up_when_the_ev_leaves() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    grant(&mut bench, Grant::OneSession);
    assert_eq!(bench.session(), SessionState::Authorized);
    bench.charge();
    bench.plug(Ev::A);
    bench.run(2_000);
    assert_eq!(
        (bench.session(), bench.status().authorized),
        (SessionState::Idle, false)
    );
    bench.plug(Ev::C);
    bench.run(20_000);
    assert_eq!(bench.session(), SessionState::Connected);
}

#[test]
fn a_grant_that_arrives_before_the_first_round_is_kept() {
    let mut bench = Bench::new(socket(Authentication::Ocpp));
    bench.request(Request::BrokerConnected);
    grant(&mut bench, Grant::OneSession);
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Authorized);
}

// covers: AUTH-008
#[test]
fn a_permanent_grant_lasts_for_many_sessions() {
    let mut bench = Bench::rested(socket(Authentication::Mqtt));
    grant(&mut bench, Grant::Permanent);
    assert_eq!(bench.session(), SessionState::Idle, "open to everybody");
    for _ in 0..3 {
        bench.plug(Ev::C);
        bench.run_until(12_000, |bench| bench.actuation.relay_1);
        bench.plug(Ev::A);
        bench.run(2_000);
    }
}

#[test]
fn a_revoked_grant_ends_the_session_and_releases_the_plug() {
    let mut bench = charging(socket(Authentication::Ocpp));
    grant(&mut bench, Grant::Revoked);
    assert_eq!((bench.duty(), bench.actuation.relay_1), (10_000, true));
    bench.run(1_000);
    bench.plug(Ev::B);
    bench.run(20);
    assert!(!bench.actuation.relay_1);
    assert_eq!(
        bench.take_events(),
        [
            Event::ChargingStopped(StopReason::AuthorizationRevoked),
            Event::SessionEnded(StopReason::AuthorizationRevoked)
        ]
    );
    bench.run(2_000);
    assert_eq!(bench.session(), SessionState::Connected);
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
    grant(&mut bench, Grant::OneSession);
    assert_eq!(
        bench.take_events(),
        [Event::SessionStarted],
        "the same EV may charge again"
    );
}

/// A new grant within the EV's 6 s must not merge two sessions into one.
#[test]
fn a_grant_while_the_offer_is_withdrawn_begins_another_session() {
    let mut bench = charging(socket(Authentication::Ocpp));
    grant(&mut bench, Grant::Revoked);
    bench.run(1_000);
    grant(&mut bench, Grant::OneSession);
    bench.run(1_000);
    assert_eq!(bench.duty(), 10_000);
    bench.run_until(20_000, |bench| {
        bench.events.last() == Some(&Event::ChargingStarted)
    });
    assert_eq!(
        bench.take_events(),
        [
            Event::ChargingStopped(StopReason::AuthorizationRevoked),
            Event::SessionEnded(StopReason::AuthorizationRevoked),
            Event::SessionStarted,
            Event::ChargingStarted
        ]
    );
}

// covers: AUTH-003
#[test]
fn the_key_switch_grants_while_it_is_on() {
    let method = Authentication::KeySwitch(DigitalInput::KEY_SWITCH);
    let mut bench = Bench::rested(socket(method));
    bench.request(Request::BrokerLost);
    bench.plug(Ev::C);
    grant(&mut bench, Grant::Permanent);
    bench.run(2_000);
    assert_eq!(bench.session(), SessionState::Connected);
    bench.world.digital = 0b000_100;
    bench.run(40);
    bench.world.digital = 0;
    bench.run(2_000);
    assert_eq!(bench.session(), SessionState::Connected, "a spike");
    bench.world.digital = 0b000_100;
    bench.run(50);
    assert!(!bench.status().authorized);
    bench.run(10);
    assert!(bench.status().authorized);
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
    bench.world.digital = 0;
    bench.run(40);
    assert!(bench.status().authorized, "it may bounce for 50 ms");
    bench.run(20);
    assert_eq!((bench.duty(), bench.status().authorized), (10_000, false));
    assert_eq!(
        bench.status().stop_reason,
        Some(StopReason::AuthorizationRevoked)
    );
}

#[test]
fn a_key_switch_that_can_not_be_read_is_off() {
    let mut bench = Bench::rested(Config {
        contactor_feedback: Feedback::None,
        ..socket(Authentication::KeySwitch(DigitalInput::KEY_SWITCH))
    });
    bench.world.digital = 0b000_100;
    bench.plug(Ev::C);
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
    bench.world.contactor_defect = ContactorDefect::Unreadable;
    bench.run(60);
    assert_eq!((bench.duty(), bench.status().authorized), (10_000, false));
}

// The broker.

// covers: CON-024
#[test]
fn a_session_outlives_the_broker() {
    let mut bench = charging(Config {
        failsafe: Some(Amperes::new(8)),
        ..socket(Authentication::Ocpp)
    });
    bench.request(Request::OcppLimit(Some(Amperes::new(16))));
    bench.request(Request::BrokerLost);
    bench.run(29_990);
    assert_eq!(
        (bench.duty(), bench.session()),
        (2_667, SessionState::Charging)
    );
    bench.run(10);
    assert_eq!(
        (bench.duty(), bench.session()),
        (1_333, SessionState::Charging)
    );
    bench.request(Request::BrokerConnected);
    bench.request(Request::OcppLimit(Some(Amperes::new(16))));
    assert_eq!(bench.duty(), 2_667);
}

#[test]
fn without_failsafe_the_last_limits_outlive_the_broker() {
    let mut bench = charging(socket(Authentication::Ocpp));
    bench.request(Request::OcppLimit(Some(Amperes::new(11))));
    bench.request(Request::BrokerLost);
    bench.run(600_000);
    assert_eq!(
        (bench.duty(), bench.session()),
        (1_833, SessionState::Charging)
    );
}

#[test]
fn no_session_starts_without_the_broker_that_could_end_it() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    grant(&mut bench, Grant::OneSession);
    bench.request(Request::BrokerLost);
    assert_eq!(
        bench.session(),
        SessionState::Idle,
        "a waiting grant would be stale"
    );
    bench.plug(Ev::C);
    bench.run(20_000);
    assert_eq!(bench.session(), SessionState::Connected);
    grant(&mut bench, Grant::Permanent);
    bench.run(20_000);
    assert_eq!(bench.session(), SessionState::Connected);
    bench.request(Request::BrokerConnected);
    bench.run_until(2_000, |bench| bench.actuation.relay_1);

    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.request(Request::BrokerLost);
    bench.charge();
}

/// A restarted broker may have forgotten the retained grant, or kept its revocation.
#[test]
fn a_permanent_grant_that_the_broker_does_not_repeat_ends_with_the_session() {
    for repeated in [false, true] {
        let mut bench = Bench::rested(socket(Authentication::Mqtt));
        grant(&mut bench, Grant::Permanent);
        bench.charge();
        bench.request(Request::BrokerLost);
        bench.request(Request::BrokerConnected);
        if repeated {
            grant(&mut bench, Grant::Permanent);
        }
        assert_eq!(bench.session(), SessionState::Charging);
        bench.plug(Ev::A);
        bench.run(1_000);
        bench.plug(Ev::C);
        bench.run(20_000);
        assert_eq!(bench.actuation.relay_1, repeated);
    }
}

// Availability.

// covers: AV-001, AV-002, AV-006
#[test]
fn both_parties_must_want_operation() {
    use Operation::{Inoperative, Operative};
    for (backend, customer, result) in [
        (Inoperative, Operative, Availability::Inoperative),
        (Inoperative, Inoperative, Availability::Inoperative),
        (Operative, Inoperative, Availability::Inoperative),
        (Operative, Operative, Availability::Operative),
    ] {
        let mut bench = Bench::rested(socket(Authentication::Free));
        assert_eq!(bench.status().availability, Availability::Operative);
        bench.request(Request::BackendOperation(backend));
        bench.request(Request::CustomerOperation(customer));
        assert_eq!(
            bench.status().availability,
            result,
            "{backend:?} {customer:?}"
        );
        let session = if result == Availability::Operative {
            SessionState::Idle
        } else {
            SessionState::Inoperative
        };
        assert_eq!(bench.session(), session);
    }
}

// covers: AV-007
#[test]
fn an_inoperative_station_refuses_new_sessions() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.request(Request::BackendOperation(Operation::Inoperative));
    bench.plug(Ev::C);
    bench.run(20_000);
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::Inoperative)
    );
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
    bench.request(Request::BackendOperation(Operation::Operative));
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
}

// covers: AV-009, AV-010, AV-011, AV-012
#[test]
fn becoming_inoperative_waits_for_the_ev_to_leave() {
    for request in [
        Request::BackendOperation(Operation::Inoperative),
        Request::CustomerOperation(Operation::Inoperative),
    ] {
        let mut bench = charging(socket(Authentication::Ocpp));
        bench.request(request);
        bench.run(10_000);
        assert_eq!(bench.status().availability, Availability::Scheduled);
        assert_eq!(
            bench.session(),
            SessionState::Charging,
            "the session goes on"
        );
        grant(&mut bench, Grant::Revoked);
        bench.run(10_000);
        grant(&mut bench, Grant::OneSession);
        bench.run(10_000);
        assert_eq!(
            bench.session(),
            SessionState::Connected,
            "another one doesn't start"
        );
        bench.plug(Ev::A);
        bench.run(20);
        assert_eq!(bench.status().availability, Availability::Inoperative);
        assert_eq!(bench.session(), SessionState::Inoperative);
    }
}

#[test]
fn after_a_restart_no_session_starts_before_the_broker_has_told_its_wishes() {
    for wish in [
        Request::CustomerOperation(Operation::Inoperative),
        Request::BackendOperation(Operation::Inoperative),
    ] {
        let mut bench = Bench::new(socket(Authentication::Free));
        bench.plug(Ev::C);
        bench.run(4_000);
        assert_eq!(bench.session(), SessionState::Connected);
        bench.request(Request::BrokerConnected);
        bench.run(1_900);
        assert_eq!(bench.session(), SessionState::Connected, "still listening");
        bench.request(wish);
        bench.run(60_000);
        assert!(bench.take_events().is_empty(), "no session");
        assert_eq!(bench.session(), SessionState::Inoperative);
        assert_eq!(bench.status().availability, Availability::Inoperative);
    }
    let mut bench = Bench::new(socket(Authentication::Free));
    bench.plug(Ev::C);
    bench.request(Request::BrokerConnected);
    let locking = bench.run_until(5_000, |bench| {
        bench.status().lock_target == LockPosition::Locked
    });
    assert_eq!(locking, 2_000, "nothing was kept");
}

#[test]
fn with_the_broker_away_a_session_starts_unaware_and_ends_when_the_broker_tells() {
    let unaware = || {
        let mut bench = Bench::new(socket(Authentication::Free));
        bench.plug(Ev::C);
        let locking = bench.run_until(10_000, |bench| {
            bench.status().lock_target == LockPosition::Locked
        });
        assert_eq!(locking, 5_000);
        bench.run_until(10_000, |bench| bench.actuation.relay_1);
        bench.request(Request::BrokerConnected);
        bench.run(500);
        assert_eq!(bench.session(), SessionState::Charging);
        bench
    };
    let inoperative = Request::CustomerOperation(Operation::Inoperative);
    let mut bench = unaware();
    bench.request(inoperative);
    assert_eq!((bench.duty(), bench.actuation.relay_1), (10_000, true));
    bench.run_until(6_100, |bench| !bench.actuation.relay_1);
    bench.run(60_000);
    assert_eq!(bench.session(), SessionState::Inoperative);
    assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
    // Later the wish is a new one, and waits for the EV to leave.
    let mut bench = unaware();
    bench.run(2_000);
    bench.request(inoperative);
    bench.run(60_000);
    assert_eq!(bench.session(), SessionState::Charging);
    assert_eq!(bench.status().availability, Availability::Scheduled);
}

// Unlocking.

// covers: PL-019, PL-021, PL-025
#[test]
fn an_unlock_request_ends_the_session_before_it_unlocks() {
    for response in [Ev::B, Ev::C] {
        let mut bench = charging(socket(Authentication::Free));
        bench.request(Request::Unlock);
        assert_eq!((bench.duty(), bench.actuation.relay_1), (10_000, true));
        bench.plug(response);
        let answered = bench.run_until(20_000, |bench| {
            matches!(bench.events.last(), Some(Event::Unlock(_)))
        });
        assert!(answered < 7_000, "took {answered}");
        assert_eq!(
            bench.take_events(),
            [
                Event::ChargingStopped(StopReason::UnlockRequested),
                Event::SessionEnded(StopReason::UnlockRequested),
                Event::Unlock(UnlockResult::Unlocked)
            ]
        );
        assert_eq!(bench.status().lock, Some(LockPosition::Unlocked));
        bench.run(60_000);
        assert_eq!(
            bench.session(),
            SessionState::Connected,
            "not locked again by itself"
        );
        bench.plug(Ev::A);
        bench.run(1_000);
        bench.charge();
    }
}

#[test]
fn after_an_unlock_request_a_grant_that_is_merely_repeated_does_not_take_the_plug_back() {
    for again in [Grant::Permanent, Grant::OneSession] {
        let mut bench = Bench::rested(socket(Authentication::Mqtt));
        grant(&mut bench, again);
        bench.charge();
        bench.request(Request::Unlock);
        bench.run(20_000);
        grant(&mut bench, again);
        bench.run(60_000);
        // Nor does a broker that has gone and tells it when it is back.
        bench.request(Request::BrokerLost);
        bench.run(1_000);
        bench.request(Request::BrokerConnected);
        grant(&mut bench, again);
        bench.run(60_000);
        assert_eq!(
            bench.status().lock,
            Some(LockPosition::Unlocked),
            "{again:?}"
        );
        grant(&mut bench, Grant::Revoked);
        bench.run(10_000);
        grant(&mut bench, Grant::Permanent);
        bench.run_until(20_000, |bench| bench.actuation.relay_1);
        assert_eq!(bench.status().stop_reason, None);
    }
}

#[test]
fn a_first_grant_after_an_unlock_request_starts_a_session() {
    let mut bench = Bench::rested(socket(Authentication::Ocpp));
    bench.plug(Ev::C);
    bench.run(1_000);
    bench.request(Request::Unlock);
    bench.run(1_000);
    grant(&mut bench, Grant::OneSession);
    bench.run_until(2_000, |bench| bench.actuation.relay_1);
}

// covers: PL-020
#[test]
fn an_unlock_request_is_answered_within_20_s_whatever_happens() {
    for defect in [
        LockDefect::Jammed,
        LockDefect::Senseless,
        LockDefect::CapacitorEmpty,
    ] {
        let mut bench = charging(socket(Authentication::Free));
        bench.world.lock_defect = defect;
        bench.request(Request::Unlock);
        bench.run_until(20_000, |bench| {
            bench
                .events
                .iter()
                .any(|event| matches!(event, Event::Unlock(_)))
        });
    }
}

// Limits.

// covers: LIM-007, LIM-010, LIM-012, CP-013, CP-020
#[test]
fn limits_take_effect_at_once_and_are_acknowledged() {
    let mut bench = charging(socket(Authentication::Free));
    let slot = DynamicSlot::new(0).unwrap();
    for (deci, duty) in [
        (320, 5_333),
        (320, 5_333),
        (630, 5_333),
        (200, 3_333),
        (59, 10_000),
    ] {
        bench.take_events();
        bench.request(Request::DynamicLimit(slot, Some(Amperes::from_deci(deci))));
        assert!(bench.take_events().contains(&Event::LimitReceived));
        assert_eq!(bench.duty(), duty);
        assert_eq!(bench.status().pilot, bench.actuation.pilot);
        assert_eq!(bench.status().offered_limit.deci(), deci.min(320));
        assert_eq!(bench.status().physical_limit, Amperes::new(32));
    }
    assert!(bench.actuation.relay_1);
    bench.request(Request::RemoveDynamicLimit(slot));
    assert_eq!(bench.duty(), 5_333, "within the 6 s of the withdrawal");
    bench.run(10_000);
    assert!(bench.actuation.relay_1);
}

/// A wallbox in the field took 6, 7 and 11 A, ignored 0 A and went on charging.
#[test]
fn a_commanded_0_a_ends_the_flow_of_energy_and_11_a_resumes_it() {
    let mut bench = charging(socket(Authentication::Ocpp));
    for (amperes, duty) in [(6, 1_000), (7, 1_167), (11, 1_833), (0, 10_000)] {
        bench.request(Request::OcppLimit(Some(Amperes::new(amperes))));
        assert_eq!(bench.duty(), duty);
        bench.run(10_000);
    }
    assert!(!bench.actuation.relay_1, "although this EV never left C");
    assert_eq!(bench.session(), SessionState::SuspendedEvse);
    bench.request(Request::OcppLimit(Some(Amperes::new(11))));
    bench.run_until(6_000, |bench| bench.actuation.relay_1);
    assert_eq!(
        (bench.duty(), bench.session()),
        (1_833, SessionState::Charging)
    );
    assert!(
        !bench
            .take_events()
            .iter()
            .any(|event| matches!(event, Event::SessionEnded(_)))
    );
}
