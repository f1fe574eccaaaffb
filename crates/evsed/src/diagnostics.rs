//! What has happened: a line in the log for each change of the pilot, and a black
//! box of the latest events that a fault freezes.
//!
//! The control thread only notices and hands over small values ([`Watch`]); the
//! text is made where nobody waits for it ([`BlackBox`]).

use std::collections::VecDeque;
use std::fmt;

use evse_core::{
    Actuation, CpState, Input, Inputs, LockDrive, Millis, Millivolts, PilotOutput, PilotPeaks,
    Request, Sample, SensorFault, SessionState, Status,
};
use topic_map::{EventLines, SessionFault};

use crate::publications;

/// Events that the black box keeps.
const CAPACITY: usize = 200;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Note {
    /// Since evsed started.
    at: Millis,
    what: What,
    /// Notes before this one that found no place on their way.
    lost: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Sample(Sample),
    Request(Request),
    Actuation(Actuation),
    Pilot {
        before: Option<CpState>,
        state: Option<CpState>,
        peaks: Result<PilotPeaks, SensorFault>,
        pilot: PilotOutput,
        session: SessionState,
    },
    Fault(Option<SessionFault>),
}

/// The control thread's side: sees what changes.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The last sample that was worth a note.
    noted: Option<Sample>,
    /// The peaks of the last sample.
    peaks: Option<Result<PilotPeaks, SensorFault>>,
    actuation: Option<Actuation>,
    cp_state: Option<CpState>,
    fault: Option<SessionFault>,
    lost: u32,
}

impl Watch {
    /// Look at a step; `tell` says whether a note was taken.
    pub(crate) fn look(
        &mut self,
        now: Millis,
        input: &Input,
        actuation: &Actuation,
        status: &Status,
        mut tell: impl FnMut(Note) -> bool,
    ) {
        let mut note = |what, lost: &mut u32| {
            let at = now;
            let taken = tell(Note {
                at,
                what,
                lost: *lost,
            });
            *lost = if taken { 0 } else { lost.saturating_add(1) };
        };
        if let Input::Request(request) = input {
            note(What::Request(*request), &mut self.lost);
        }
        if let Input::Sample(sample) = input {
            self.peaks = Some(sample.pilot);
        }
        if let Some(sample) = self.measured(input)
            && self.noted.is_none_or(|noted| differs(&noted, &sample))
        {
            self.noted = Some(sample);
            note(What::Sample(sample), &mut self.lost);
        }
        if self.cp_state != status.cp_state {
            let before = std::mem::replace(&mut self.cp_state, status.cp_state);
            let pilot = What::Pilot {
                before,
                state: status.cp_state,
                peaks: self.peaks.unwrap_or(Err(SensorFault)),
                pilot: status.pilot,
                session: status.session,
            };
            note(pilot, &mut self.lost);
        }
        if self.actuation != Some(*actuation) {
            self.actuation = Some(*actuation);
            note(What::Actuation(*actuation), &mut self.lost);
        }
        let fault = publications::fault(status);
        if self.fault != fault {
            self.fault = fault;
            note(What::Fault(fault), &mut self.lost);
        }
    }
}

impl Watch {
    /// A look at the inputs alone tells nothing new about the rest.
    fn measured(&self, input: &Input) -> Option<Sample> {
        match input {
            Input::Sample(sample) => Some(*sample),
            Input::Inputs(inputs) => self.noted.map(|noted| Sample {
                inputs: *inputs,
                ..noted
            }),
            Input::Request(_) | Input::Tick => None,
        }
    }
}

/// More than noise, and not the capacitor's usual way up and down.
fn differs(a: &Sample, b: &Sample) -> bool {
    let moved =
        |a: Result<Millivolts, SensorFault>, b: Result<Millivolts, SensorFault>, mv| match (a, b) {
            (Ok(a), Ok(b)) => a.0.abs_diff(b.0) > mv,
            (Err(_), Err(_)) => false,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => true,
        };
    let positive = |sample: &Sample| sample.pilot.map(|peaks| peaks.positive);
    let negative = |sample: &Sample| sample.pilot.map(|peaks| peaks.negative);
    moved(positive(a), positive(b), 500)
        || moved(negative(a), negative(b), 500)
        || moved(a.proximity, b.proximity, 150)
        || moved(a.lock_sense, b.lock_sense, 300)
        || moved(a.lock_capacitor, b.lock_capacitor, 2_000)
        || a.inputs != b.inputs
}

/// The latest events, and those before the latest fault.
#[derive(Debug, Default)]
pub(crate) struct BlackBox {
    latest: VecDeque<Note>,
    before_fault: Option<VecDeque<Note>>,
}

impl BlackBox {
    /// Keep a note, and log it when it is about the pilot or a fault.
    pub(crate) fn keep(&mut self, note: Note) {
        if self.latest.len() == CAPACITY {
            self.latest.pop_front();
        }
        self.latest.push_back(note);
        match note.what {
            What::Pilot { .. } => tracing::info!("{note}"),
            What::Fault(Some(_)) => {
                tracing::warn!("{note}: the black box keeps what was before");
                self.before_fault = Some(self.latest.clone());
            }
            What::Fault(None) => tracing::info!("{note}"),
            What::Sample(_) | What::Request(_) | What::Actuation(_) => {}
        }
    }

    /// The latest events into the log: nobody can ask for them any more.
    pub(crate) fn log(&self) {
        for note in &self.latest {
            tracing::warn!("black box: {note}");
        }
    }

    /// What was before the latest fault; where there was none, what was until now.
    pub(crate) fn lines(&self) -> EventLines {
        let notes = self.before_fault.as_ref().unwrap_or(&self.latest);
        EventLines(notes.iter().map(Note::to_string).collect())
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Millis(at) = self.at;
        write!(f, "{}.{:03} s ", at / 1_000, at % 1_000)?;
        if self.lost > 0 {
            write!(f, "({} events before this one are lost) ", self.lost)?;
        }
        match &self.what {
            What::Sample(sample) => show_sample(f, sample),
            What::Request(request) => write!(f, "request {request:?}"),
            What::Actuation(actuation) => show_actuation(f, actuation),
            What::Pilot {
                before,
                state,
                peaks,
                pilot,
                session,
            } => write!(
                f,
                "pilot {} to {}: {}, {}, session {}",
                state_name(*before),
                state_name(*state),
                shown_peaks(peaks),
                shown_pilot(*pilot),
                session.as_str()
            ),
            What::Fault(Some(fault)) => write!(f, "fault {fault}"),
            What::Fault(None) => f.write_str("no fault any more"),
        }
    }
}

fn show_sample(f: &mut fmt::Formatter<'_>, sample: &Sample) -> fmt::Result {
    write!(
        f,
        "measured pilot {}, proximity {}, lock {}, capacitor {}",
        shown_peaks(&sample.pilot),
        shown_volts(sample.proximity),
        shown_volts(sample.lock_sense),
        shown_volts(sample.lock_capacitor),
    )?;
    match &sample.inputs {
        Ok(inputs) => show_inputs(f, inputs),
        Err(SensorFault) => f.write_str(", inputs not readable"),
    }
}

fn show_inputs(f: &mut fmt::Formatter<'_>, inputs: &Inputs) -> fmt::Result {
    write!(
        f,
        ", relays sensed {} {}, digital inputs 6 to 1 {:06b}",
        u8::from(inputs.relay_1_sense),
        u8::from(inputs.relay_2_sense),
        inputs.digital.0
    )?;
    if inputs.lock_driver_fault {
        f.write_str(", lock driver fault")?;
    }
    Ok(())
}

fn show_actuation(f: &mut fmt::Formatter<'_>, actuation: &Actuation) -> fmt::Result {
    let relay = |closed| if closed { "closed" } else { "open" };
    let lock = match actuation.lock_drive {
        LockDrive::Coast => "free",
        LockDrive::Lock => "driven to lock",
        LockDrive::Unlock => "driven to unlock",
        LockDrive::Brake => "held",
    };
    write!(
        f,
        "outputs pilot {}, relay 1 {}, relay 2 {}, lock motor {lock}, digital outputs 6 to 1 {:06b}",
        shown_pilot(actuation.pilot),
        relay(actuation.relay_1),
        relay(actuation.relay_2),
        actuation.outputs.0
    )
}

fn state_name(state: Option<CpState>) -> &'static str {
    match state {
        Some(CpState::A) => "A",
        Some(CpState::B) => "B",
        Some(CpState::C) => "C",
        Some(CpState::D) => "D",
        Some(CpState::E) => "E",
        Some(CpState::F) => "F",
        None => "unknown",
    }
}

fn shown_pilot(pilot: PilotOutput) -> String {
    match pilot {
        PilotOutput::Duty(duty) => {
            let hundredths = duty.hundredths();
            format!("{}.{:02} %", hundredths / 100, hundredths % 100)
        }
        PilotOutput::Released => "released".into(),
    }
}

fn shown_peaks(peaks: &Result<PilotPeaks, SensorFault>) -> String {
    match peaks {
        Ok(peaks) => format!(
            "{} / {}",
            shown_volts(Ok(peaks.positive)),
            shown_volts(Ok(peaks.negative))
        ),
        Err(SensorFault) => "not readable".into(),
    }
}

fn shown_volts(millivolts: Result<Millivolts, SensorFault>) -> String {
    match millivolts {
        Ok(Millivolts(mv)) => format!("{:.2} V", f64::from(mv) / 1_000.0),
        Err(SensorFault) => "not readable".into(),
    }
}

#[cfg(test)]
mod tests {
    use evse_core::{Amperes, Config, Connection, ContactorFault, DutyCycle, Feedback, Machine};

    use super::*;

    const IDLE: Sample = Sample {
        pilot: Ok(PilotPeaks {
            positive: Millivolts(11_956),
            negative: Millivolts(-11_615),
        }),
        pilot_in_reset: None,
        proximity: Ok(Millivolts(1_030)),
        lock_sense: Ok(Millivolts(3_100)),
        lock_capacitor: Ok(Millivolts(12_000)),
        inputs: Err(SensorFault),
    };

    fn status() -> Status {
        let config = Config {
            connection: Connection::FixedCable {
                limit: Amperes::new(32),
            },
            evse_limit: Amperes::new(32),
            grid_limit: Amperes::new(32),
            failsafe: None,
            contactor_feedback: Feedback::NormallyOpen,
            authentication: evse_core::Authentication::Free,
            always_accept_state_d: false,
            rcd: None,
            emergency: None,
            relay_2: evse_core::SecondRelay::Ventilation(evse_core::Ventilation::NONE),
            wake_up: evse_core::WakeUp {
                after_authorization: false,
                after_timeout: false,
            },
        };
        Machine::new(config, Millis(0)).status()
    }

    fn look(watch: &mut Watch, now: u64, input: Input, status: &Status) -> Vec<Note> {
        let mut notes = Vec::new();
        watch.look(Millis(now), &input, &Actuation::SAFE, status, |note| {
            notes.push(note);
            true
        });
        notes
    }

    #[test]
    fn a_change_of_the_pilot_is_one_line_with_voltages_duty_and_states() {
        let mut watch = Watch::default();
        look(&mut watch, 0, Input::Sample(IDLE), &status());
        let in_b = Sample {
            pilot: Ok(PilotPeaks {
                positive: Millivolts(8_957),
                negative: Millivolts(-11_615),
            }),
            ..IDLE
        };
        let now = Status {
            cp_state: Some(CpState::B),
            pilot: PilotOutput::Duty(DutyCycle::offering(Amperes::new(32))),
            session: SessionState::Connected,
            ..status()
        };
        let lines: Vec<_> = look(&mut watch, 12_034, Input::Sample(in_b), &now)
            .iter()
            .map(Note::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "12.034 s measured pilot 8.96 V / -11.62 V, proximity 1.03 V, lock 3.10 V, \
                 capacitor 12.00 V, inputs not readable",
                "12.034 s pilot unknown to B: 8.96 V / -11.62 V, 53.33 %, session connected",
            ]
        );
    }

    #[test]
    fn noise_is_no_event_and_every_change_is() {
        let mut watch = Watch::default();
        let begin = look(&mut watch, 0, Input::Sample(IDLE), &status());
        assert_eq!(begin.len(), 2, "first sample and first outputs");
        let noisy = Sample {
            proximity: Ok(Millivolts(1_100)),
            lock_capacitor: Ok(Millivolts(11_000)),
            ..IDLE
        };
        for now in 1..1_000 {
            assert_eq!(
                look(&mut watch, now, Input::Sample(noisy), &status()),
                vec![]
            );
        }
        let inputs = Sample {
            inputs: Ok(Inputs::default()),
            ..noisy
        };
        assert_eq!(
            look(&mut watch, 1_000, Input::Sample(inputs), &status()).len(),
            1
        );
        let request = Input::Request(Request::Unlock);
        assert_eq!(look(&mut watch, 1_001, request, &status()).len(), 1);
        let request = Input::Request(Request::Unlock);
        assert_eq!(look(&mut watch, 1_002, request, &status()).len(), 1);
    }

    #[test]
    fn lost_notes_are_counted() {
        let mut watch = Watch::default();
        let refuse = |_| false;
        let request = Input::Request(Request::Unlock);
        watch.look(Millis(0), &request, &Actuation::SAFE, &status(), refuse);
        let notes = look(&mut watch, 1, request, &status());
        assert_eq!(notes[0].lost, 2, "a request and the first outputs");
        assert!(notes[0].to_string().contains("2 events"), "{}", notes[0]);
        assert_eq!(look(&mut watch, 2, request, &status())[0].lost, 0);
    }

    #[test]
    fn a_fault_freezes_the_last_200_events() {
        let mut watch = Watch::default();
        let mut recorder = BlackBox::default();
        let mut record = |recorder: &mut BlackBox, now, status: &Status| {
            for note in look(&mut watch, now, Input::Request(Request::Unlock), status) {
                recorder.keep(note);
            }
        };
        for now in 0..1_000 {
            record(&mut recorder, now, &status());
        }
        let EventLines(lines) = recorder.lines();
        assert_eq!(lines.len(), CAPACITY);
        assert_eq!(lines[CAPACITY - 1], "0.999 s request Unlock");
        let welded = Status {
            contactor_fault: Some(ContactorFault::Welded),
            ..status()
        };
        for now in 1_000..2_000 {
            record(&mut recorder, now, &welded);
        }
        let EventLines(lines) = recorder.lines();
        assert_eq!(lines.len(), CAPACITY);
        assert_eq!(lines[CAPACITY - 1], "1.000 s fault contactor_error");
        assert_eq!(lines[CAPACITY - 2], "1.000 s request Unlock");
        assert!(lines[0].starts_with("0.8"), "{}", lines[0]);
    }

    #[test]
    fn a_line_is_short_however_much_it_tells() {
        let longest = Sample {
            inputs: Ok(Inputs {
                lock_driver_fault: true,
                ..Inputs::default()
            }),
            ..IDLE
        };
        for what in [What::Sample(longest), What::Actuation(Actuation::SAFE)] {
            let note = Note {
                at: Millis(u64::MAX),
                what,
                lost: u32::MAX,
            };
            assert!(note.to_string().len() < 300, "{note}");
        }
    }
}
