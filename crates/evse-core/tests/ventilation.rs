//! State D and the fan on relay 2 (guide 15.19, tables 78 to 80).

mod bench;

use VentilationControl::{External, Internal};
use bench::*;
use evse_core::*;

fn config(enabled: bool, control: VentilationControl, feedback: Feedback) -> Config {
    Config {
        relay_2: SecondRelay::Ventilation(Ventilation {
            enabled,
            control,
            feedback,
        }),
        ..socket(Authentication::Free)
    }
}

/// An EV that asks for ventilation has had 2 s.
fn ventilated(config: Config, say: &[Request]) -> Bench {
    let mut bench = Bench::rested(config);
    say.iter().for_each(|request| bench.request(*request));
    bench.plug(Ev::D);
    bench.run(2_000);
    bench
}

const PRESENT: [Request; 2] = [
    Request::VentilationAvailable(true),
    Request::VentilationActual(true),
];

// covers: VENT-001, VENT-002, VENT-003, VENT-005, VENT-014
#[test]
fn each_use_case_publishes_its_topics() {
    for (enabled, control, available, target, actual) in [
        (false, Internal, Some(false), None, Some(false)),
        (false, External, None, None, Some(false)),
        (true, Internal, Some(true), Some(false), Some(false)),
        (true, External, None, Some(false), None),
    ] {
        let mut bench = Bench::rested(config(enabled, control, Feedback::NormallyOpen));
        let expected = VentilationStatus {
            available,
            target,
            actual,
        };
        assert_eq!(
            bench.status().ventilation,
            expected,
            "{enabled} {control:?}"
        );
        bench.plug(Ev::D);
        bench.run(2_000);
        let target = enabled.then_some(true);
        assert_eq!(
            bench.status().ventilation.target,
            target,
            "{enabled} {control:?}"
        );
    }
}

// covers: VENT-010, VENT-011, VENT-012, VENT-013
#[test]
fn state_d_is_charged_where_the_table_says_so() {
    for always in [true, false] {
        for enabled in [true, false] {
            for control in [Internal, External] {
                for announced in [true, false] {
                    let config = Config {
                        always_accept_state_d: always,
                        ..config(enabled, control, Feedback::NormallyOpen)
                    };
                    let say: &[Request] = if announced { &PRESENT } else { &[] };
                    let bench = ventilated(config, say);
                    let serves = enabled && (control == Internal || announced);
                    let case = format!("{always} {enabled} {control:?} {announced}");
                    assert_eq!(bench.actuation.relay_1, always || serves, "{case}");
                    assert_eq!(bench.duty() < 10_000, always || serves, "{case}");
                    let refused = bench.status().ventilation_refused;
                    assert_eq!(refused, !(always || serves), "{case}");
                    assert_eq!(bench.status().lock, Some(LockPosition::Locked), "{case}");
                }
            }
        }
    }
}

// covers: VENT-003, VENT-007, VENT-012, VENT-018
#[test]
fn the_fan_runs_before_the_ev_is_charged_and_stops_with_state_d() {
    let mut bench = Bench::rested(config(true, Internal, Feedback::NormallyOpen));
    bench.plug(Ev::D);
    bench.run_until(2_000, |bench| bench.actuation.relay_2);
    assert!(!bench.actuation.relay_1);
    assert!(!bench.status().ventilation_refused, "it is about to run");
    bench.run_until(200, |bench| bench.actuation.relay_1);
    for after in [Ev::C, Ev::B, Ev::A] {
        bench.plug(Ev::D);
        bench.run_until(20_000, |bench| bench.actuation.relay_2);
        bench.plug(after);
        bench.run(50);
        assert!(!bench.actuation.relay_2, "{after:?}");
        assert_eq!(bench.status().ventilation.target, Some(false));
    }
}

// covers: VENT-008, VENT-017
#[test]
fn actual_is_the_sense_input_read_by_its_type() {
    for (feedback, defect, at_rest) in [
        (Feedback::NormallyOpen, ContactorDefect::None, false),
        (Feedback::NormallyOpen, ContactorDefect::Welded, true),
        (Feedback::NormallyClosed, ContactorDefect::NeverCloses, true),
        (Feedback::NormallyClosed, ContactorDefect::Welded, false),
    ] {
        let mut bench = Bench::new(config(true, Internal, feedback));
        bench.world.relay_2_defect = defect;
        bench.run(100);
        assert_eq!(bench.status().ventilation.actual, Some(at_rest));
    }
}

// covers: VENT-009
#[test]
fn without_feedback_actual_repeats_the_target() {
    let mut bench = Bench::rested(config(true, Internal, Feedback::None));
    bench.world.relay_2_defect = ContactorDefect::Welded;
    bench.run(100);
    assert_eq!(bench.status().ventilation.actual, Some(false));
    bench.plug(Ev::D);
    bench.run(2_000);
    assert_eq!(bench.status().ventilation.actual, Some(true));
    // So it does where the station only watches relay 2, for whoever owns it.
    let mut bench = Bench::rested(config(false, External, Feedback::None));
    for on in [true, false] {
        bench.request(Request::VentilationTarget(on));
        bench.run(100);
        assert_eq!(bench.status().ventilation.actual, Some(on));
    }
}

#[test]
fn a_fan_that_does_not_start_is_no_ventilation() {
    let mut bench = Bench::rested(config(true, Internal, Feedback::NormallyOpen));
    bench.world.relay_2_defect = ContactorDefect::NeverCloses;
    bench.plug(Ev::D);
    bench.run(5_000);
    assert!(!bench.actuation.relay_1);
    assert_eq!(bench.duty(), 10_000);
}

/// The contact that would leave an EV's gas in the room: it shows a fan that doesn't turn.
#[test]
fn a_feedback_that_shows_a_fan_without_relay_2_is_not_believed() {
    for (feedback, lie, honest) in [
        (
            Feedback::NormallyOpen,
            ContactorDefect::Welded,
            ContactorDefect::None,
        ),
        (
            Feedback::NormallyClosed,
            ContactorDefect::NeverCloses,
            ContactorDefect::Welded,
        ),
    ] {
        let mut bench = Bench::new(config(true, Internal, feedback));
        bench.world.relay_2_defect = lie;
        bench.plug(Ev::D);
        bench.run(20_000);
        assert!(!bench.actuation.relay_1, "from the start, {feedback:?}");
        assert_eq!(bench.duty(), 10_000);
        assert!(bench.status().ventilation_refused);
        // Unreadable is not at rest.
        bench.world.inputs_fail = true;
        bench.run(100);
        bench.world.inputs_fail = false;
        bench.run(1_000);
        assert!(!bench.actuation.relay_1);
        // Seen at rest, and not late for it.
        bench.plug(Ev::A);
        bench.world.relay_2_defect = honest;
        bench.run(1_000);
        bench.world.relay_2_defect = ContactorDefect::None;
        if feedback == Feedback::NormallyOpen {
            bench.plug(Ev::D);
            bench.run_until(20_000, |bench| bench.actuation.relay_1);
            // It sticks while the fan runs: found out when the relay has been off.
            bench.world.relay_2_defect = lie;
            bench.plug(Ev::C);
            bench.run(1_000);
            bench.plug(Ev::D);
            bench.run(20_000);
            assert!(!bench.actuation.relay_1);
        }
    }
}

/// The EV no longer asks for the fan just as its feedback takes the offer back.
#[test]
fn the_contactor_does_not_close_in_the_step_that_withdraws_the_offer() {
    let mut paused = ventilated(config(true, Internal, Feedback::NormallyOpen), &[]);
    paused.plug(Ev::B);
    paused.run(12_000);
    paused.world.relay_2_defect = ContactorDefect::NeverCloses;
    paused.plug(Ev::D);
    paused.run(1_000);
    assert!(!paused.actuation.relay_1);
    for fluttering in [1, 2] {
        let mut bench = Bench {
            events: Vec::new(),
            ..paused
        };
        bench.world.relay_2_defect = ContactorDefect::None;
        bench.cycle();
        bench.world.relay_2_defect = ContactorDefect::Flutter;
        bench.run(fluttering * CYCLE_MS);
        assert!(!bench.actuation.relay_1);
        bench.plug(Ev::C);
        bench.run_until(1_000, |bench| bench.actuation.relay_1);
        assert!(bench.duty() < 10_000, "{fluttering}");
    }
}

#[test]
fn a_fan_may_take_250_ms_to_stop() {
    let mut bench = ventilated(config(true, Internal, Feedback::NormallyOpen), &[]);
    for (stops_after, charges) in [(200, true), (260, false)] {
        bench.world.relay_2_defect = ContactorDefect::Welded;
        bench.plug(Ev::B);
        bench.run_until(100, |bench| !bench.actuation.relay_2);
        bench.run(stops_after);
        bench.plug(Ev::D);
        bench.run(12_000);
        assert_eq!(bench.actuation.relay_1, charges, "{stops_after}");
    }
}

#[test]
fn a_fan_that_fails_or_is_withdrawn_stops_the_charge_within_20_ms() {
    let mut bench = ventilated(config(true, Internal, Feedback::NormallyOpen), &[]);
    assert!(bench.actuation.relay_1);
    bench.world.relay_2_defect = ContactorDefect::NeverCloses;
    assert!(bench.run_until(100, |bench| !bench.actuation.relay_1) <= 20);

    for request in [
        Request::VentilationAvailable(false),
        Request::VentilationActual(false),
        Request::BrokerLost,
    ] {
        let mut bench = ventilated(config(true, External, Feedback::NormallyOpen), &PRESENT);
        assert!(bench.actuation.relay_1);
        bench.request(request);
        let opened = bench.run_until(100, |bench| !bench.actuation.relay_1);
        assert!(opened <= 20, "{request:?} {opened}");
        let reason = Some(StopReason::VentilationUnavailable);
        assert_eq!(bench.status().stop_reason, reason);
    }
}

// covers: VENT-002, VENT-007
#[test]
fn the_customer_switches_relay_2_only_with_external_control() {
    for enabled in [true, false] {
        for control in [Internal, External] {
            let mut bench = Bench::rested(config(enabled, control, Feedback::NormallyOpen));
            bench.request(Request::VentilationTarget(true));
            bench.run(100);
            assert_eq!(bench.actuation.relay_2, control == External);
            assert!(!bench.actuation.relay_1);
            bench.request(Request::VentilationTarget(false));
            assert!(!bench.actuation.relay_2);
        }
    }
}

// covers: VENT-015
#[test]
fn the_safe_states_stop_the_fan() {
    for control in [Internal, External] {
        for (fault, duty) in [(Ev::NoDiode, 10_000), (Ev::D, 0)] {
            let mut bench = ventilated(config(true, control, Feedback::NormallyOpen), &PRESENT);
            assert!(bench.actuation.relay_2);
            bench.plug(fault);
            if fault == Ev::D {
                bench.world.contactor_defect = ContactorDefect::NeverCloses;
            }
            bench.run(500);
            assert_eq!(
                (bench.duty(), bench.session()),
                (duty, SessionState::Faulted)
            );
            assert!(!bench.actuation.relay_2, "{control:?} {fault:?}");
            assert_eq!(bench.status().ventilation.target, Some(false));
        }
    }
}
