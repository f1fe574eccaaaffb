//! The board's own client against the simulated terminals: conversions,
//! polarities and sequences end to end.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use board::{Board, TarragonConfig};
use evse_core::{Actuation, DutyCycle, LockDrive, PilotOutput, SensorFault};
use simulator::Station;
use simulator::edges::Signal;
use simulator::plant::lock::Bolt;
use simulator::plant::plug::Cable;
use simulator::station::monotonic_us;

struct Bench {
    station: Station,
    socket: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("board.sock");
        Self {
            station: Station::start(&socket).unwrap(),
            socket,
            _dir: dir,
        }
    }

    fn board(&self) -> Box<dyn Board> {
        board::open(
            &format!("unix:{}", self.socket.display()),
            &TarragonConfig::default(),
        )
        .unwrap()
    }
}

const LONG: Duration = Duration::from_secs(5);

fn duty(hundredths: u16) -> Actuation {
    let pilot = PilotOutput::Duty(DutyCycle::from_hundredths(hundredths).unwrap());
    Actuation {
        pilot,
        ..Actuation::SAFE
    }
}

fn pilot_within(board: &mut dyn Board, positive: i32, negative: i32) {
    let peaks = board.sample().pilot.unwrap();
    let near = |actual: i32, nominal: i32| (actual - nominal).abs() <= 150;
    assert!(
        near(peaks.positive.0, positive) && near(peaks.negative.0, negative),
        "{peaks:?} is not {positive}/{negative}"
    );
}

#[test]
fn pilot_voltages_are_those_of_a_real_board() {
    let bench = Bench::start();
    let mut board = bench.board();
    board.apply(&duty(10_000)).unwrap();
    pilot_within(&mut *board, 11_956, 55);
    bench.station.plant().plug_in(Cable::A32);
    pilot_within(&mut *board, 8_919, 65);
    board.apply(&duty(2167)).unwrap();
    pilot_within(&mut *board, 8_957, -11_615);
    bench.station.plant().request_energy();
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| plant.vehicle.state() == 'C')
    );
    pilot_within(&mut *board, 5_900, -11_625);
    board.apply(&Actuation::SAFE).unwrap();
    pilot_within(&mut *board, 55, -11_615);
    board
        .apply(&Actuation {
            pilot: PilotOutput::Released,
            ..Actuation::SAFE
        })
        .unwrap();
    pilot_within(&mut *board, 0, 0);
}

#[test]
fn proximity_lock_and_inputs_are_read() {
    let bench = Bench::start();
    let mut board = bench.board();
    bench.station.plant().insert_cable(Cable::A20);
    bench.station.plant().set_digital_input(1, true);
    let sample = board.sample();
    assert!((1170..=1812).contains(&sample.proximity.unwrap().0));
    assert!((2900..=3300).contains(&sample.lock_sense.unwrap().0));
    assert!(sample.lock_capacitor.unwrap().0 >= 10_000);
    let inputs = sample.inputs.unwrap();
    assert_eq!(inputs.digital.0, 1);
    assert!(!inputs.lock_driver_fault && !inputs.relay_1_sense);
    assert_eq!(board.rotary_position().unwrap().index(), 13);
}

// covers: PL-003, PL-004
#[test]
fn lock_motor_turns_the_right_way() {
    let bench = Bench::start();
    let mut board = bench.board();
    board
        .apply(&Actuation {
            lock_drive: LockDrive::Lock,
            ..Actuation::SAFE
        })
        .unwrap();
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| plant.lock.bolt() == Bolt::Locked)
    );
    assert!(board.sample().lock_sense.unwrap().0 <= 700);
    board
        .apply(&Actuation {
            lock_drive: LockDrive::Unlock,
            ..Actuation::SAFE
        })
        .unwrap();
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| plant.lock.bolt() == Bolt::Unlocked)
    );
}

#[test]
fn relays_follow_and_answer() {
    let bench = Bench::start();
    let mut board = bench.board();
    board
        .apply(&Actuation {
            relay_1: true,
            ..Actuation::SAFE
        })
        .unwrap();
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| plant.contactors[0].is_closed())
    );
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| !plant.contactors[1].is_closed())
    );
    let closed = std::iter::repeat_with(|| board.inputs().unwrap().relay_1_sense);
    assert!(closed.take(1000).any(|sense| sense));
}

/// As the kernel does with lines that a process holds.
#[test]
fn a_second_client_is_refused_while_the_first_is_there() {
    let bench = Bench::start();
    let mut first = bench.board();
    first
        .apply(&Actuation {
            relay_1: true,
            ..duty(10_000)
        })
        .unwrap();
    for _ in 0..10 {
        let mut second = bench.board();
        assert!(second.apply(&Actuation::SAFE).is_err());
        assert!(second.inputs().is_err());
        assert!(bench.station.plant().relay_commands()[0]);
        assert!(first.inputs().is_ok());
    }
    // It is the next one's as soon as the first has gone.
    for _ in 0..100 {
        drop(first);
        first = bench.board();
        first.apply(&Actuation::SAFE).unwrap();
    }
}

/// Real lines keep their level when a process dies: that is what makes
/// `evsed --safe-state` necessary.
#[test]
fn levels_outlive_their_client_and_the_next_one_may_change_them() {
    let bench = Bench::start();
    let mut first = bench.board();
    first
        .apply(&Actuation {
            relay_1: true,
            ..duty(10_000)
        })
        .unwrap();
    drop(first);
    let mut second = bench.board();
    assert!(
        bench
            .station
            .wait_for(LONG, |plant| plant.contactors[0].is_closed())
    );
    assert!(bench.station.plant().relay_commands()[0]);

    let from = monotonic_us();
    second.apply(&Actuation::SAFE).unwrap();
    assert!(!bench.station.plant().relay_commands()[0]);
    let opened = bench.station.first_edge(from, Signal::Relay1Command, 0);
    let steady = bench.station.first_edge(from, Signal::PilotDutyNs, 0);
    assert!(
        opened.unwrap() <= steady.unwrap(),
        "relays open before anything else"
    );
}

#[test]
fn failing_channel_is_a_fault_and_the_others_go_on() {
    let bench = Bench::start();
    let mut board = bench.board();
    bench.station.plant().adc_faults.pilot_negative = simulator::plant::sensors::AdcFault::Error;
    let sample = board.sample();
    assert_eq!(sample.pilot, Err(SensorFault));
    assert!(sample.proximity.is_ok());
    bench.station.plant().input_lines_fail = true;
    assert_eq!(board.sample().inputs, Err(SensorFault));
    assert!(board.rotary_position().is_err());
}

#[test]
fn refused_write_is_an_error_and_is_tried_again() {
    let bench = Bench::start();
    let mut board = bench.board();
    bench.station.plant().refused_line = Some(board::lines::OutputLine::CpInvert);
    let error = board
        .apply(&Actuation {
            relay_1: true,
            ..duty(10_000)
        })
        .unwrap_err();
    assert!(error.to_string().contains("CP_INVERT"), "{error}");
    assert!(!bench.station.plant().relay_commands()[0]);
    bench.station.plant().refused_line = None;
    board
        .apply(&Actuation {
            relay_1: true,
            ..duty(10_000)
        })
        .unwrap();
    assert!(bench.station.plant().relay_commands()[0]);
}

#[test]
fn station_that_ends_leaves_faults_not_values() {
    let bench = Bench::start();
    let mut board = bench.board();
    assert!(board.sample().pilot.is_ok());
    drop(bench);
    let sample = board.sample();
    assert_eq!(sample.pilot, Err(SensorFault));
    assert_eq!(sample.inputs, Err(SensorFault));
    assert!(board.apply(&Actuation::SAFE).is_err());
}

#[test]
fn board_that_falls_silent_is_a_fault_and_recovers() {
    let bench = Bench::start();
    let mut board = bench.board();
    bench.station.plant().board_is_silent = true;
    let from = std::time::Instant::now();
    assert!(board.inputs().is_err());
    assert!(from.elapsed() < LONG, "the control thread must not hang");
    bench.station.plant().board_is_silent = false;
    assert!(board.inputs().is_ok());
}

#[test]
fn garbage_ends_a_connection_and_the_next_client_is_served() {
    let bench = Bench::start();
    let mut vandal = UnixStream::connect(&bench.socket).unwrap();
    vandal.write_all(&[0xFF; 240]).unwrap();
    vandal.set_read_timeout(Some(LONG)).unwrap();
    let mut rest = Vec::new();
    // Closed with unread bytes: an end or a reset, but no answer.
    let _ = std::io::Read::read_to_end(&mut vandal, &mut rest);
    assert!(rest.is_empty(), "{rest:?}");
    drop(vandal);
    let mut board = bench.board();
    assert!(board.sample().pilot.is_ok());
}

/// Two samples can't be closer than the peak detectors need.
#[test]
fn sample_takes_the_time_of_the_peak_detectors() {
    let bench = Bench::start();
    let mut board = bench.board();
    let from = monotonic_us();
    for _ in 0..10 {
        assert!(board.sample().pilot.is_ok());
    }
    let round = (monotonic_us() - from) / 10;
    assert!(round >= 3500, "{round} us");
}
