//! What can be done to a station, as it stands in a line of the control socket.

use board::lines::OutputLine;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::plant::Plant;
use crate::plant::contactor::{Contactor, ContactorFault, Feedback};
use crate::plant::lock::{Jam, LockType};
use crate::plant::pilot::{Diode, PilotWire};
use crate::plant::plug::Cable;
use crate::plant::rcd::{RcdSettings, StuckFeedback};
use crate::plant::sensors::{AdcFault, RotarySwitch};
use crate::plant::vehicle::VehicleSettings;

/// What can be done; a field that is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    PlugIn {
        cable: Cable,
    },
    InsertCable {
        cable: Cable,
    },
    ConnectVehicle {},
    DisconnectVehicle {},
    Unplug {},
    PullOut {},
    RequestEnergy {},
    StopRequest {},
    /// Some of [`VehicleSettings`].
    Vehicle {
        set: Map<String, Value>,
    },
    Pilot {
        wire: Option<PilotWire>,
        diode: Option<Diode>,
    },
    Contactor {
        relay: Relay,
        fault: Option<ContactorFault>,
        feedback: Option<Feedback>,
        sense: Option<Sense>,
        close_ms: Option<u32>,
        open_ms: Option<u32>,
        bounce_ms: Option<u32>,
    },
    Lock {
        motor: Option<LockType>,
        jam: Option<Jam>,
        /// 0.0 unlocked to 1.0 locked, moved by hand.
        position: Option<f64>,
        /// Millivolts, or -1 to let the end switch speak again.
        stuck_sense_mv: Option<i32>,
        driver_fault: Option<bool>,
        capacitor: Option<f64>,
        charge_ms: Option<u32>,
        travel_ms: Option<u32>,
    },
    Rotary {
        position: u8,
        #[serde(default)]
        between: bool,
    },
    DigitalInput {
        input: u8,
        high: bool,
    },
    Emergency {
        pressed: Option<bool>,
        input: Option<u8>,
        pressed_high: Option<bool>,
    },
    /// Some of [`RcdSettings`].
    Rcd {
        set: Option<Map<String, Value>>,
        residual_ma: Option<f64>,
        stuck_feedback: Option<StuckFeedback>,
        test_wire_broken: Option<bool>,
        #[serde(default)]
        reset: bool,
    },
    Adc {
        channel: AdcChannel,
        fault: AdcFault,
    },
    /// Input lines that can't be read, an output line that can't be written
    /// (`""` for none), a generator that can't be set, a board that doesn't answer.
    Fail {
        inputs: Option<bool>,
        output: Option<String>,
        pilot_pwm: Option<bool>,
        silent: Option<bool>,
    },
    Supply {
        voltage: Option<[f64; 3]>,
        frequency: Option<f64>,
        energy_factor: Option<f64>,
        relay_2_switches_l2_l3: Option<bool>,
    },
}

/// One of the two relays.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u8")]
pub(super) enum Relay {
    One,
    Two,
}

impl TryFrom<u8> for Relay {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("relay {other}: there are 1 and 2")),
        }
    }
}

/// What a sense line does.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sense {
    Free,
    StuckActive,
    StuckInactive,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AdcChannel {
    LockSense,
    PilotPositive,
    PilotNegative,
    LockCapacitor,
    Proximity,
}

impl Action {
    pub(super) fn carry_out(self, plant: &mut Plant) -> Result<(), String> {
        match self {
            Self::PlugIn { cable } => plant.plug_in(cable),
            Self::InsertCable { cable } => plant.insert_cable(cable),
            Self::ConnectVehicle {} => plant.connect_vehicle(),
            Self::DisconnectVehicle {} => plant.disconnect_vehicle(),
            Self::Unplug {} => plant.unplug().map_err(|held| held.to_string())?,
            Self::PullOut {} => plant.pull_out(),
            Self::RequestEnergy {} => plant.request_energy(),
            Self::StopRequest {} => plant.stop_request(),
            Self::Vehicle { set } => change_vehicle(plant, set)?,
            Self::Pilot { wire, diode } => {
                put(&mut plant.pilot_wire, wire);
                put(&mut plant.diode, diode);
            }
            Self::Contactor {
                relay,
                fault,
                feedback,
                sense,
                close_ms,
                open_ms,
                bounce_ms,
            } => {
                let contactor = contactor(plant, relay);
                put(&mut contactor.fault, fault);
                put(&mut contactor.feedback, feedback);
                put(&mut contactor.stuck_sense, sense.map(Sense::stuck));
                put(&mut contactor.close_ms, close_ms);
                put(&mut contactor.open_ms, open_ms);
                put(&mut contactor.bounce_ms, bounce_ms);
            }
            Self::Lock {
                motor,
                jam,
                position,
                stuck_sense_mv,
                driver_fault,
                capacitor,
                charge_ms,
                travel_ms,
            } => {
                let lock = &mut plant.lock;
                put(&mut lock.kind, motor);
                put(&mut lock.jam, jam);
                put(
                    &mut lock.stuck_sense_mv,
                    stuck_sense_mv.map(|mv| (mv >= 0).then_some(mv)),
                );
                put(&mut lock.driver_fault, driver_fault);
                put(&mut lock.charge_ms, charge_ms);
                put(&mut lock.travel_ms, travel_ms);
                if let Some(position) = position {
                    lock.tamper(position);
                }
                if let Some(volts) = capacitor {
                    lock.charge(volts);
                }
            }
            Self::Rotary { position, between } => {
                if position > 15 {
                    return Err(format!("position {position}: allowed are 0 to 15"));
                }
                plant.rotary = if between {
                    RotarySwitch::Between(position)
                } else {
                    RotarySwitch::At(position)
                };
            }
            Self::DigitalInput { input, high } => {
                if !(1..=6).contains(&input) {
                    return Err(format!("input {input}: allowed are 1 to 6"));
                }
                plant.set_digital_input(input, high);
            }
            Self::Emergency {
                pressed,
                input,
                pressed_high,
            } => {
                if let Some(input) = input {
                    plant.emergency.input = wired_line("input", input)?;
                }
                put(&mut plant.emergency.pressed_high, pressed_high);
                let pressed = pressed.unwrap_or(plant.emergency.pressed);
                plant.press_emergency(pressed);
            }
            Self::Rcd {
                set,
                residual_ma,
                stuck_feedback,
                test_wire_broken,
                reset,
            } => {
                if let Some(changes) = set {
                    plant.rcd.settings = changed_rcd(&plant.rcd.settings, changes)?;
                }
                put(&mut plant.rcd.residual_ma, residual_ma);
                put(&mut plant.rcd.stuck_feedback, stuck_feedback);
                put(&mut plant.rcd.test_wire_broken, test_wire_broken);
                if reset {
                    plant.rcd.reset();
                }
            }
            Self::Adc { channel, fault } => break_channel(plant, channel, fault)?,
            Self::Fail {
                inputs,
                output,
                pilot_pwm,
                silent,
            } => {
                put(&mut plant.board_is_silent, silent);
                put(&mut plant.input_lines_fail, inputs);
                put(&mut plant.pilot_pwm_refused, pilot_pwm);
                if let Some(name) = output {
                    plant.refused_line = output_line(&name)?;
                }
            }
            Self::Supply {
                voltage,
                frequency,
                energy_factor,
                relay_2_switches_l2_l3,
            } => {
                if let Some(factor @ ..0.0) = energy_factor {
                    return Err(format!("energy_factor {factor}: allowed are 0 and more"));
                }
                put(&mut plant.voltage, voltage);
                put(&mut plant.frequency, frequency);
                put(&mut plant.energy_factor, energy_factor);
                put(&mut plant.relay_2_switches_l2_l3, relay_2_switches_l2_l3);
            }
        }
        Ok(())
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn contactor(plant: &mut Plant, relay: Relay) -> &mut Contactor {
    let [first, second] = &mut plant.contactors;
    match relay {
        Relay::One => first,
        Relay::Two => second,
    }
}

impl Sense {
    fn stuck(self) -> Option<bool> {
        match self {
            Self::Free => None,
            Self::StuckActive => Some(true),
            Self::StuckInactive => Some(false),
        }
    }
}

fn change_vehicle(plant: &mut Plant, changes: Map<String, Value>) -> Result<(), String> {
    let changed: VehicleSettings = merged(&plant.vehicle.settings, changes)?;
    if !(1..=3).contains(&changed.phases) {
        return Err(format!("phases {}: allowed are 1 to 3", changed.phases));
    }
    if changed.max_current < 0.0 {
        return Err(format!(
            "max_current {}: allowed are 0 and more",
            changed.max_current
        ));
    }
    plant.vehicle.settings = changed;
    Ok(())
}

fn changed_rcd(settings: &RcdSettings, changes: Map<String, Value>) -> Result<RcdSettings, String> {
    let changed: RcdSettings = merged(settings, changes)?;
    wired_line("feedback_input", changed.feedback_input)?;
    wired_line("test_output", changed.test_output)?;
    Ok(changed)
}

/// `settings` with some of their fields changed.
fn merged<T: Serialize + DeserializeOwned>(
    settings: &T,
    changes: Map<String, Value>,
) -> Result<T, String> {
    let text = |error: serde_json::Error| error.to_string();
    let mut merged = serde_json::to_value(settings).map_err(text)?;
    if let Value::Object(merged) = &mut merged {
        merged.extend(changes);
    }
    serde_json::from_value(merged).map_err(text)
}

fn wired_line(what: &str, number: u8) -> Result<u8, String> {
    if number > 6 {
        return Err(format!(
            "{what} {number}: allowed are 1 to 6, and 0 for not wired"
        ));
    }
    Ok(number)
}

fn break_channel(plant: &mut Plant, channel: AdcChannel, fault: AdcFault) -> Result<(), String> {
    if let AdcFault::Frozen(count @ 4096..) = fault {
        return Err(format!("frozen at {count}: allowed are 0 to 4095"));
    }
    let faults = &mut plant.adc_faults;
    *match channel {
        AdcChannel::LockSense => &mut faults.lock_sense,
        AdcChannel::PilotPositive => &mut faults.pilot_positive,
        AdcChannel::PilotNegative => &mut faults.pilot_negative,
        AdcChannel::LockCapacitor => &mut faults.lock_capacitor,
        AdcChannel::Proximity => &mut faults.proximity,
    } = fault;
    Ok(())
}

fn output_line(name: &str) -> Result<Option<OutputLine>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let line = OutputLine::ALL.into_iter().find(|line| line.name() == name);
    line.map(Some)
        .ok_or_else(|| format!("no output line is called {name}"))
}
