//! What the status LEDs show, condition by condition and millisecond by millisecond.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use evse_core::{
    Amperes, Authentication, Availability, Config, Connection, ContactorFault, CpState,
    DigitalOutputs, Feedback, Led, LedBehavior, LedCondition as C, LedMode, LedNotice, LedPanel,
    Machine, Millis, RcdError, SessionState, Status,
};

fn status(session: SessionState) -> Status {
    let config = Config {
        connection: Connection::FixedCable {
            limit: Amperes::new(32),
        },
        evse_limit: Amperes::new(32),
        grid_limit: Amperes::new(32),
        failsafe: None,
        contactor_feedback: Feedback::NormallyOpen,
        authentication: Authentication::Mqtt,
        always_accept_state_d: false,
        rcd: None,
        emergency: None,
        relay_2: evse_core::SecondRelay::Ventilation(evse_core::Ventilation::NONE),
        wake_up: evse_core::WakeUp {
            after_authorization: false,
            after_timeout: false,
        },
    };
    Status {
        cp_state: Some(CpState::A),
        session,
        ..Machine::new(config, Millis(0)).status()
    }
}

fn charging(cp_state: CpState) -> Status {
    Status {
        cp_state: Some(cp_state),
        contactor_target: true,
        ..status(SessionState::Charging)
    }
}

fn behavior(mode: LedMode, lit: u8, duration_ms: u64) -> LedBehavior {
    LedBehavior {
        mode,
        lit: DigitalOutputs(lit),
        duration_ms,
    }
}

fn solid(lit: u8) -> LedBehavior {
    behavior(LedMode::Solid, lit, 0)
}

fn panel(leds: &[Led]) -> LedPanel {
    let mut all = [Led::default(); LedPanel::LEDS];
    all[..leds.len()].copy_from_slice(leds);
    LedPanel::new(all)
}

/// An LED whose output shows the condition's number, counted from 1.
fn numbering() -> LedPanel {
    panel(&[C::ALL.into_iter().fold(Led::default(), |led, condition| {
        led.with(condition, solid(condition as u8 + 1))
    })])
}

fn shown(panel: &mut LedPanel, now: u64, status: &Status) -> C {
    let number = panel.show(Millis(now), status).0;
    C::ALL[usize::from(number) - 1]
}

fn status_led() -> Led {
    Led::default()
        .with(C::Ready, solid(1))
        .with(C::Charge, behavior(LedMode::BlinkSlow, 1, 0))
        .with(C::Error, behavior(LedMode::BlinkFast, 1, 0))
}

fn is_lit(panel: &mut LedPanel, now: u64, status: &Status) -> bool {
    panel.show(Millis(now), status).0 & 1 == 1
}

// covers: LED-007, LED-012, AV-013
#[test]
fn every_status_has_its_condition() {
    use SessionState as S;
    let in_state = |session, cp_state| Status {
        cp_state: Some(cp_state),
        ..status(session)
    };
    let out_of_service = Status {
        availability: Availability::Inoperative,
        ..status(S::Inoperative)
    };
    // A session that ends before the station goes out of service.
    let last_session = Status {
        availability: Availability::Scheduled,
        ..charging(CpState::C)
    };
    let welded = Status {
        contactor_fault: Some(ContactorFault::Welded),
        ..status(S::Faulted)
    };
    let rcd = |error| Status {
        rcd_error: Some(error),
        ..status(S::Faulted)
    };
    let emergency = Status {
        emergency: true,
        ..status(S::Faulted)
    };
    let faulted_with_ev = in_state(S::Faulted, CpState::C);
    for (now, expected) in [
        (status(S::Inoperative), C::Init),
        (out_of_service, C::Deactivated),
        (status(S::Idle), C::Ready),
        (status(S::Authorized), C::Ready),
        (in_state(S::Connected, CpState::B), C::Connected),
        (in_state(S::SuspendedEv, CpState::B), C::Connected),
        (in_state(S::Connected, CpState::C), C::ChargeRequest),
        (in_state(S::SuspendedEvse, CpState::C), C::ChargeRequest),
        (
            in_state(S::SuspendedEvse, CpState::D),
            C::VentilationRequest,
        ),
        (charging(CpState::C), C::Charge),
        (charging(CpState::D), C::Ventilation),
        (last_session, C::Charge),
        (faulted_with_ev, C::Error),
        (rcd(RcdError::GroundFailure), C::Error),
        (rcd(RcdError::Spurious), C::Failure),
        (rcd(RcdError::TestFailed), C::Failure),
        (emergency, C::Failure),
        (welded, C::Failure),
    ] {
        assert_eq!(shown(&mut numbering(), 0, &now), expected, "{now:?}");
    }
}

// covers: LED-007
#[test]
fn notices_have_their_conditions_and_rank() {
    let idle = status(SessionState::Idle);
    let mut panel = numbering();
    panel.note(Millis(0), LedNotice::Reserved(true));
    assert_eq!(shown(&mut panel, 0, &idle), C::Reserved);
    panel.note(Millis(1), LedNotice::AuthorizationRequested);
    assert_eq!(shown(&mut panel, 1, &idle), C::AuthPending);
    assert_eq!(shown(&mut panel, 2, &charging(CpState::C)), C::Charge);
    panel.note(Millis(3), LedNotice::Updating(true));
    assert_eq!(shown(&mut panel, 3, &charging(CpState::C)), C::Updating);
    assert_eq!(
        shown(&mut panel, 4, &status(SessionState::Faulted)),
        C::Error
    );
    panel.note(Millis(5), LedNotice::Updating(false));
    panel.note(Millis(5), LedNotice::Reserved(false));
    assert_eq!(shown(&mut panel, 60_001, &idle), C::Ready);
}

// covers: AUTH-017
#[test]
fn an_authorization_is_pending_until_it_is_answered() {
    let idle = status(SessionState::Idle);
    let mut panel = numbering();
    let answer = |accepted| LedNotice::AuthorizationAnswered { accepted };
    panel.note(Millis(0), answer(false));
    assert_eq!(shown(&mut panel, 0, &idle), C::Ready, "nobody has asked");
    panel.note(Millis(0), LedNotice::AuthorizationRequested);
    assert_eq!(shown(&mut panel, 59_999, &idle), C::AuthPending);
    panel.note(Millis(59_999), answer(false));
    assert_eq!(shown(&mut panel, 62_998, &idle), C::AuthRejected);
    assert_eq!(shown(&mut panel, 62_999, &idle), C::Ready);
    panel.note(Millis(70_000), LedNotice::AuthorizationRequested);
    panel.note(Millis(70_001), answer(true));
    assert_eq!(shown(&mut panel, 70_001, &idle), C::AuthAccepted);
    panel.note(Millis(80_000), LedNotice::AuthorizationRequested);
    assert_eq!(shown(&mut panel, 139_999, &idle), C::AuthPending);
    assert_eq!(shown(&mut panel, 140_000, &idle), C::Ready, "given up");
}

// covers: AUTH-017
#[test]
fn a_grant_is_an_answer_and_an_old_one_is_not() {
    let idle = status(SessionState::Idle);
    let granted = Status {
        authorized: true,
        ..status(SessionState::Authorized)
    };
    let mut panel = numbering();
    assert_eq!(shown(&mut panel, 0, &granted), C::Ready, "granted before");
    assert_eq!(shown(&mut panel, 1, &idle), C::Ready);
    assert_eq!(shown(&mut panel, 2, &granted), C::AuthAccepted);
    assert_eq!(shown(&mut panel, 3_002, &granted), C::Ready);
    panel.note(Millis(4_000), LedNotice::AuthorizationRequested);
    assert_eq!(shown(&mut panel, 4_000, &granted), C::AuthPending);
    assert_eq!(shown(&mut panel, 4_001, &idle), C::Ready, "ended by card");
}

// covers: LED-004, LED-005, LED-006, LED-010
#[test]
fn modes_keep_their_times() {
    let on_and_off = |status: &Status, begin: u64, period: u64| {
        let mut panel = panel(&[status_led()]);
        for n in 0..6 {
            let from = begin + n * period;
            for now in [from, from + period - 1] {
                assert_eq!(is_lit(&mut panel, now, status), n % 2 == 0, "at {now} ms");
            }
        }
    };
    on_and_off(&charging(CpState::C), 1_234, 1_000);
    on_and_off(&status(SessionState::Faulted), 77, 100);
    let mut panel = panel(&[status_led()]);
    for now in (0..10_000).step_by(50) {
        assert!(is_lit(&mut panel, now, &status(SessionState::Idle)));
    }
}

#[test]
fn an_led_without_a_behavior_shows_the_next_condition_that_holds() {
    let mut panel = panel(&[status_led()]);
    let welded = Status {
        contactor_fault: Some(ContactorFault::Welded),
        ..status(SessionState::Faulted)
    };
    assert!(is_lit(&mut panel, 0, &status(SessionState::Connected)));
    assert!(is_lit(&mut panel, 1_000, &charging(CpState::D)));
    assert!(!is_lit(&mut panel, 2_000, &charging(CpState::D)), "blinks");
    assert!(is_lit(&mut panel, 3_000, &welded));
    assert!(!is_lit(&mut panel, 3_100, &welded), "blinks fast");
    let out_of_service = Status {
        availability: Availability::Inoperative,
        ..status(SessionState::Inoperative)
    };
    assert!(!is_lit(&mut panel, 4_000, &out_of_service), "not ready");
    panel.note(Millis(5_000), LedNotice::Reserved(true));
    assert!(!is_lit(&mut panel, 5_000, &status(SessionState::Idle)));
}

// covers: LED-011
#[test]
fn a_behavior_ends_after_its_duration_or_with_its_condition() {
    let mut panel = panel(&[Led::default()
        .with(C::Ready, solid(1))
        .with(C::Connected, behavior(LedMode::Solid, 2, 500))
        .with(C::AuthRejected, behavior(LedMode::Solid, 4, 10_000))]);
    let connected = status(SessionState::Connected);
    let mut lit = |now, status: &Status| panel.show(Millis(now), status).0;
    assert_eq!(lit(0, &connected), 2);
    assert_eq!(lit(499, &connected), 2);
    assert_eq!(lit(500, &connected), 1);
    assert_eq!(lit(600, &status(SessionState::Idle)), 1);
    assert_eq!(lit(700, &connected), 2, "holds anew");
    panel.note(Millis(2_000), LedNotice::AuthorizationRequested);
    panel.note(
        Millis(2_000),
        LedNotice::AuthorizationAnswered { accepted: false },
    );
    assert_eq!(panel.show(Millis(11_999), &connected).0, 4);
    assert_eq!(panel.show(Millis(12_000), &connected).0, 1);
}

#[test]
fn leds_show_side_by_side() {
    let mut panel = panel(&[
        Led::default().with(C::Ready, solid(0b011)),
        Led::default().with(C::Charge, behavior(LedMode::BlinkSlow, 0b100, 0)),
    ]);
    assert_eq!(panel.show(Millis(0), &charging(CpState::C)).0, 0b111);
    assert_eq!(panel.show(Millis(1_000), &charging(CpState::C)).0, 0b011);
}
