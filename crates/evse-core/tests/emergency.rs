//! The emergency input (guide 15.14, 3.3.4.15).

mod bench;

use bench::*;
use evse_core::*;

const ALARM: u8 = 0b1;

fn charging() -> Bench {
    let mut bench = Bench::rested(with_emergency(socket(Authentication::Free)));
    bench.charge();
    bench.run(500);
    bench.take_events();
    bench
}

// covers: EMG-003, EMG-004, EMG-005
#[test]
fn the_first_look_opens_and_the_second_shuts_down() {
    let mut bench = charging();
    bench.world.digital = ALARM;
    bench.look();
    assert!(
        !bench.actuation.relay_1,
        "at the first look, without a round"
    );
    bench.look();
    assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
    let status = bench.status();
    assert!(status.emergency && !status.contactor_target);
    assert_eq!(status.lock_target, LockPosition::Unlocked);
    assert_eq!(status.stop_reason, Some(StopReason::EmergencyShutdown));
    let unlocked = Some(LockPosition::Unlocked);
    bench.run_until(1_000, |bench| bench.status().lock == unlocked);
    assert!(
        bench
            .take_events()
            .contains(&Event::SessionEnded(StopReason::EmergencyShutdown))
    );
}

#[test]
fn a_glitch_pauses_and_ends_nothing() {
    let mut bench = charging();
    bench.world.digital = ALARM;
    bench.look();
    bench.world.digital = 0;
    bench.look();
    assert!(!bench.actuation.relay_1 && !bench.status().emergency);
    bench.run_until(11_000, |bench| bench.actuation.relay_1);
    assert!(
        !bench
            .take_events()
            .iter()
            .any(|event| matches!(event, Event::SessionEnded(_)))
    );
}

/// Release alone is not enough: nobody who has pressed it expects the EV to go on.
#[test]
fn after_release_the_station_waits_until_the_ev_has_left() {
    let mut bench = charging();
    bench.world.digital = ALARM;
    bench.run(10_000);
    bench.world.digital = 0;
    bench.run(60_000);
    assert_eq!(
        (bench.duty(), bench.session()),
        (10_000, SessionState::Faulted)
    );
    assert!(bench.status().emergency && !bench.actuation.relay_1);
    bench.request(Request::Unlock);
    bench.request(Request::Authorization(Grant::OneSession));
    bench.run(1_000);
    assert_eq!(bench.session(), SessionState::Faulted);
    bench.plug(Ev::A);
    bench.run(100);
    assert_eq!(bench.session(), SessionState::Idle);
    assert!(!bench.status().emergency);
    bench.charge();
}

/// A contactor error ranks higher, and one that ends by itself must not end this, too.
// covers: EMG-003
#[test]
fn a_contactor_error_does_not_let_the_ev_go_on_after_an_emergency() {
    let press = |bench: &mut Bench| {
        bench.world.digital = ALARM;
        bench.run(1_000);
        bench.world.digital = 0;
    };
    for (defect, pressed_first) in [
        (ContactorDefect::Unreadable, true),
        (ContactorDefect::Flutter, true),
        (ContactorDefect::Flutter, false),
    ] {
        let mut bench = charging();
        if pressed_first {
            press(&mut bench);
            bench.run(1_000);
        }
        bench.world.contactor_defect = defect;
        bench.run_until(1_000, |bench| bench.status().contactor_fault.is_some());
        bench.world.contactor_defect = ContactorDefect::None;
        if !pressed_first {
            press(&mut bench);
            bench.take_events();
        }
        bench.run(60_000);
        assert_eq!(bench.status().contactor_fault, None);
        assert_eq!(
            (bench.duty(), bench.session()),
            (10_000, SessionState::Faulted)
        );
        assert!(bench.status().emergency && !bench.actuation.relay_1);
        assert!(!bench.take_events().contains(&Event::ChargingStarted));
        bench.plug(Ev::A);
        bench.run(100);
        assert!(!bench.status().emergency);
        bench.charge();
    }
}

// covers: EMG-007, EMG-008
#[test]
fn the_wrong_polarity_is_a_permanent_emergency() {
    let config = Config {
        emergency: DigitalInput::new(1, false),
        ..socket(Authentication::Free)
    };
    let mut bench = Bench::rested(config);
    bench.plug(Ev::C);
    bench.run(20_000);
    assert!(bench.status().emergency && !bench.actuation.relay_1);
    assert_eq!((bench.duty(), bench.session()), (0, SessionState::Faulted));
    bench.world.digital = ALARM;
    bench.plug(Ev::A);
    bench.run(100);
    assert_eq!(bench.session(), SessionState::Idle);
}

// covers: EMG-001
#[test]
fn without_monitoring_the_input_means_nothing() {
    let mut bench = Bench::rested(socket(Authentication::Free));
    bench.world.digital = ALARM;
    bench.charge();
    bench.run(1_000);
    assert!(bench.actuation.relay_1 && !bench.status().emergency);
}

#[test]
fn an_emergency_input_that_can_not_be_read_is_an_emergency() {
    let config = Config {
        contactor_feedback: Feedback::None,
        ..with_emergency(socket(Authentication::Free))
    };
    let mut bench = Bench::rested(config);
    bench.world.inputs_fail = true;
    let time = bench.run_until(1_000, |bench| bench.status().emergency);
    assert_eq!(time, 110);
}
