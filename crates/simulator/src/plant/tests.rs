//! The parts together: a cable, a vehicle, and a board that is driven by hand.

use board::lines::OutputLine as Out;

use super::contactor::ContactorFault;
use super::*;

fn driven(duty: f64) -> Plant {
    let mut plant = Plant::new(0);
    drive(&mut plant, duty);
    plant
}

fn drive(plant: &mut Plant, duty: f64) {
    assert!(plant.set_pilot_pwm((duty * 1e6) as u32, true));
    assert!(plant.set_lines(OutputLevels::NONE.with(Out::CpInvert, true)));
}

fn relay_1(plant: &mut Plant, closed: bool) {
    assert!(plant.set_lines(OutputLevels::NONE.with(Out::Relay1Enable, closed)));
}

fn charging() -> Plant {
    let mut plant = driven(0.2667);
    plant.plug_in(Cable::A32);
    plant.request_energy();
    plant.advance(1_000_000);
    assert_eq!(plant.vehicle.state(), 'C');
    relay_1(&mut plant, true);
    plant.advance(1_000_000);
    plant
}

#[test]
fn boot_levels_hold_the_lock_and_the_relays() {
    let mut plant = Plant::new(0);
    plant.lock.tamper(1.0);
    plant.advance(2_000_000);
    assert_eq!(plant.lock.bolt(), Bolt::Locked);
    assert_eq!(plant.relay_commands(), [false, false]);
    assert_eq!(plant.generator(), Generator::Released);
}

#[test]
fn current_flows_only_through_closed_contacts() {
    let mut plant = driven(0.2667);
    plant.plug_in(Cable::A32);
    plant.request_energy();
    plant.advance(1_000_000);
    assert_eq!(plant.line_currents(), [0.0; 3]);
    relay_1(&mut plant, true);
    plant.advance(1_000_000);
    for current in plant.line_currents() {
        assert!((current - 16.0).abs() < 0.01, "{current}");
    }
}

#[test]
fn vehicle_with_one_phase_loads_one_phase() {
    let mut plant = charging();
    plant.vehicle.settings.phases = 1;
    let [l1, l2, l3] = plant.line_currents();
    assert!(l1 > 15.0 && l2 == 0.0 && l3 == 0.0);
}

#[test]
fn relay_2_can_switch_two_phases() {
    let mut plant = charging();
    plant.relay_2_switches_l2_l3 = true;
    assert_eq!(plant.line_currents()[1], 0.0);
    plant.set_lines(OutputLevels::NONE.with(Out::Relay2Enable, true));
    plant.advance(100_000);
    assert!(plant.line_currents()[1] > 15.0);
}

#[test]
fn energy_is_power_by_time_by_factor() {
    let mut plant = charging();
    plant.energy_factor = 60.0;
    let before = plant.readings().energy_wh;
    plant.advance(60_000_000);
    // 3 x 230 V x 16 A for a minute, sixty times faster.
    let gained = plant.readings().energy_wh - before;
    assert!((gained - 11_040.0).abs() < 20.0, "{gained}");
}

#[test]
fn welded_contactor_feeds_a_stubborn_vehicle_after_the_opening_command() {
    let mut plant = charging();
    plant.contactors[0].fault = ContactorFault::Welded;
    plant.vehicle.settings.stubborn = true;
    relay_1(&mut plant, false);
    drive(&mut plant, 1.0);
    plant.advance(5_000_000);
    assert!(plant.line_currents()[0] > 15.0);
    assert!(
        plant
            .input_levels()
            .unwrap()
            .is_high(InputLine::Relay1Sense)
    );
}

#[test]
fn locked_plug_can_be_pulled_only_by_force() {
    let mut plant = charging();
    plant.lock.tamper(1.0);
    assert_eq!(plant.unplug(), Err(PlugHeld));
    assert!(plant.vehicle.is_connected());
    plant.pull_out();
    assert_eq!((plant.cable(), plant.vehicle.state()), (None, 'A'));
    assert_eq!(plant.line_currents(), [0.0; 3]);
}

#[test]
fn attached_cable_has_no_lock_and_no_proximity() {
    let mut plant = driven(1.0);
    plant.plug_in(Cable::Fixed);
    plant.lock.tamper(1.0);
    let none = plant.adc_counts().proximity;
    assert_eq!(plant.unplug(), Ok(()));
    assert_eq!(plant.adc_counts().proximity, none);
}

#[test]
fn unplugging_under_load_needs_the_bolt_out_of_the_way_first() {
    let mut plant = charging();
    plant.lock.tamper(1.0);
    assert!(plant.unplug().is_err());
    let unlock = OutputLevels::NONE
        .with(Out::Motor1In1N, false)
        .with(Out::Motor1In2, false);
    plant.set_lines(unlock);
    plant.advance(600_000);
    assert_eq!(plant.unplug(), Ok(()));
}

#[test]
fn proximity_counts_lie_in_the_published_bands() {
    for (cable, from, below) in [
        (None, 3053, 4096),
        (Some(Cable::A13), 2251, 3053),
        (Some(Cable::A20), 1453, 2251),
        (Some(Cable::A32), 1106, 1453),
        (Some(Cable::A63), 933, 1106),
        (Some(Cable::Invalid), 0, 933),
    ] {
        let mut plant = Plant::new(0);
        if let Some(cable) = cable {
            plant.insert_cable(cable);
        }
        let raw = plant.adc_counts().proximity.unwrap().get();
        assert!((from..below).contains(&raw), "{cable:?}: {raw}");
    }
}

#[test]
fn adc_channels_fail_one_by_one() {
    let mut plant = driven(1.0);
    plant.adc_faults.proximity = sensors::AdcFault::Error;
    plant.adc_faults.pilot_positive = sensors::AdcFault::Frozen(1234);
    let counts = plant.adc_counts();
    assert_eq!(counts.proximity, Err(SensorFault));
    assert_eq!(counts.pilot_positive.unwrap().get(), 1234);
    assert!(counts.lock_sense.is_ok());
    plant.input_lines_fail = true;
    assert_eq!(plant.input_levels(), Err(SensorFault));
}

#[test]
fn rotary_switch_chatters_between_positions() {
    let mut plant = Plant::new(0);
    let mut seen = |rotary| {
        plant.rotary = rotary;
        let mut positions = std::collections::BTreeSet::new();
        for _ in 0..20 {
            positions.insert(plant.input_levels().unwrap().rotary_position().index());
            plant.advance(1000);
        }
        positions.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(seen(RotarySwitch::At(5)), [5]);
    assert_eq!(seen(RotarySwitch::Between(5)), [5, 6]);
    assert_eq!(seen(RotarySwitch::Between(15)), [0, 15]);
}

#[test]
fn rcd_and_emergency_switch_drive_their_inputs() {
    let digital = |plant: &Plant| plant.input_levels().unwrap().inputs().digital.0;
    let mut plant = driven(1.0);
    plant.set_digital_input(3, true);
    plant.rcd.settings.feedback_input = 2;
    plant.rcd.settings.test_output = 4;
    plant.emergency.input = 1;
    assert_eq!(digital(&plant), 0b110);
    plant.set_digital_input(2, false);
    assert_eq!(digital(&plant), 0b110, "the device drives it");
    plant.advance(1_000);
    let from = plant.now_us();
    plant.set_lines(OutputLevels::NONE.with(Out::DigitalOut4, true));
    plant.advance(100_000);
    assert_eq!(digital(&plant), 0b100);
    plant.advance(1_000);
    plant.press_emergency(true);
    assert_eq!(digital(&plant), 0b101);
    let edges = plant.edges().since(from + 1);
    let signals: Vec<_> = edges.iter().map(|edge| edge.signal).collect();
    assert_eq!(
        signals,
        [
            Signal::DigitalInputs,
            Signal::RcdTripped,
            Signal::DigitalInputs,
            Signal::EmergencyPressed,
        ]
    );
}

#[test]
fn residual_current_trips_the_device_and_switches_nothing() {
    let mut plant = charging();
    plant.rcd.settings.feedback_input = 2;
    plant.leak(30.0);
    plant.advance(100_000);
    assert!(plant.rcd.is_tripped());
    assert!(plant.line_currents()[0] > 15.0, "that is the station's job");
}

#[test]
fn fan_turns_with_relay_2_and_its_contact_tells() {
    let mut plant = driven(1.0);
    plant.set_lines(OutputLevels::NONE.with(Out::Relay2Enable, true));
    plant.advance(100_000);
    assert!(plant.fan_turns());
    assert!(
        plant
            .input_levels()
            .unwrap()
            .is_high(InputLine::Relay2Sense)
    );
    plant.contactors[1].fault = ContactorFault::StuckOpen;
    plant.advance(100_000);
    assert!(!plant.fan_turns());
    assert!(
        !plant
            .input_levels()
            .unwrap()
            .is_high(InputLine::Relay2Sense)
    );
}

#[test]
fn refused_writes_change_nothing() {
    let mut plant = charging();
    plant.refused_line = Some(Out::Relay1Enable);
    let both = OutputLevels::NONE
        .with(Out::Relay1Enable, false)
        .with(Out::CpInvert, false);
    assert!(!plant.set_lines(both));
    assert!(plant.relay_commands()[0]);
    plant.pilot_pwm_refused = true;
    assert!(!plant.set_pilot_pwm(0, true));
    assert!(plant.generator().toggles());
}

#[test]
fn edges_tell_the_order_of_events() {
    let mut plant = charging();
    let from = plant.now_us();
    plant.stop_request();
    plant.advance(5000);
    relay_1(&mut plant, false);
    plant.advance(100_000);
    let edges: Vec<_> = plant
        .edges()
        .since(from)
        .into_iter()
        .map(|edge| (edge.signal, edge.value, edge.at_us - from))
        .collect();
    assert_eq!(edges[0], (Signal::VehicleLoad, 1, 0));
    assert_eq!(edges[1], (Signal::Relay1Command, 0, 5000));
    assert_eq!(edges[2].0, Signal::Contact1);
    assert_eq!(edges[2].2, 15_000);
}
