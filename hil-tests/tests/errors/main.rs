//! Every error of evsed, provoked by physics: the reactions on topics, at the board's
//! outputs and at the central system, and how the error ends (guide 3.3.4 and 15.13).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it fails"
)]

mod table;

use hil_tests::{LATER, SOON, Seen};
use simulator::plant::Plant;
use simulator::plant::contactor::ContactorFault;
use simulator::plant::lock::{Bolt, Jam};
use simulator::plant::pilot::{Diode, PilotWire};
use simulator::plant::plug::Cable;
use simulator::plant::sensors::{AdcFault, AdcFaults};

use table::{
    CAPACITOR, CONTACTOR, DUTY, During, EMERGENCY, End, FAULT, LOCK, Light, PROXIMITY, RCD, Row,
    Station, check, check_at,
};

/// What the converter counts while the car draws, and at the pilot's low level.
const STATE_C: u16 = 2_848;
const MINUS_12_V: u16 = 570;

// covers: CON-013, CON-019
#[test]
fn a_contactor_that_does_not_follow() {
    let rows = [
        Row {
            report: ("PowerSwitchFailure", ""),
            told: (CONTACTOR, "1"),
            fault: "contactor_error",
            during: During::PlugIn,
            mishap: |plant| plant.contactors[0].fault = ContactorFault::StuckOpen,
            duty: "0.00",
            // Proven open: the plug is released, as the guide says.
            bolt: Bolt::Unlocked,
            light: Light::Failure,
            end: End::Restart(|plant| plant.contactors[0].fault = ContactorFault::None),
        },
        Row {
            report: ("PowerSwitchFailure", ""),
            told: (CONTACTOR, "1"),
            fault: "contactor_error",
            during: During::Charging,
            mishap: |plant| {
                plant.contactors[0].fault = ContactorFault::Welded;
                plant.stop_request();
            },
            duty: "0.00",
            // The plug may be live.
            bolt: Bolt::Locked,
            light: Light::Failure,
            end: End::Restart(|plant| plant.contactors[0].fault = ContactorFault::None),
        },
        Row {
            report: ("PowerSwitchFailure", ""),
            told: (CONTACTOR, "1"),
            fault: "contactor_error",
            during: During::Idle,
            mishap: |plant| plant.contactors[0].stuck_sense = Some(true),
            duty: "0.00",
            bolt: Bolt::Unlocked,
            light: Light::Failure,
            end: End::Restart(|plant| plant.contactors[0].stuck_sense = None),
        },
    ];
    rows.iter().for_each(check);
}

// covers: CON-013, PH-018
#[test]
fn a_second_contactor_that_does_not_follow() {
    let row = |during, mishap, bolt, end| Row {
        report: ("PowerSwitchFailure", ""),
        told: (CONTACTOR, "1"),
        fault: "contactor_error",
        during,
        mishap,
        duty: "0.00",
        bolt,
        light: Light::Failure,
        end,
    };
    let rows = [
        row(
            During::PlugIn,
            |plant| plant.contactors[1].fault = ContactorFault::StuckOpen,
            Bolt::Unlocked,
            End::Restart(|plant| plant.contactors[1].fault = ContactorFault::None),
        ),
        row(
            During::Charging,
            |plant| {
                plant.contactors[1].fault = ContactorFault::Welded;
                plant.stop_request();
            },
            // L2 and L3 may be live.
            Bolt::Locked,
            End::Restart(|plant| plant.contactors[1].fault = ContactorFault::None),
        ),
    ];
    for row in &rows {
        check_at(Station::switching_phases(), row);
    }
}

// covers: PL-010, PL-011, PL-012, PL-013
#[test]
fn a_plug_lock_that_comes_right_by_itself() {
    let rows = [
        Row {
            report: ("ConnectorLockFailure", "PlugLockMotorCapNotCharged"),
            told: (LOCK, "PlugLockMotorCapNotCharged"),
            fault: "plug_lock_failure",
            during: During::PlugIn,
            // Too low to wait for, but the motor turns.
            mishap: |plant| {
                plant.lock.supply = 8.0;
                plant.lock.charge(8.0);
            },
            duty: "100.00",
            bolt: Bolt::Locked,
            light: Light::Error,
            end: End::ByItself,
        },
        Row {
            report: ("ConnectorLockFailure", "PlugLockMotorUnexpectedOpen"),
            told: (LOCK, "PlugLockMotorUnexpectedOpen"),
            fault: "plug_lock_failure",
            during: During::Charging,
            mishap: |plant| plant.lock.tamper(0.5),
            duty: "100.00",
            bolt: Bolt::Locked,
            light: Light::Error,
            end: End::ByItself,
        },
        Row {
            report: ("ConnectorLockFailure", "PlugLockMotorUnexpectedClose"),
            told: (LOCK, "PlugLockMotorUnexpectedClose"),
            fault: "plug_lock_failure",
            during: During::Idle,
            mishap: |plant| plant.lock.tamper(1.0),
            duty: "100.00",
            bolt: Bolt::Unlocked,
            light: Light::Error,
            end: End::ByItself,
        },
    ];
    rows.iter().for_each(check);
}

// covers: PL-014, PL-015, PL-016, PL-017, PL-019, CP-017
#[test]
fn a_plug_lock_that_is_jammed() {
    let rows = [
        Row {
            report: ("ConnectorLockFailure", "PlugLockCannotLock"),
            told: (LOCK, "PlugLockCannotLock"),
            fault: "plug_lock_failure",
            during: During::PlugIn,
            mishap: |plant| plant.lock.jam = Jam::CannotLock,
            duty: "100.00",
            bolt: Bolt::Unlocked,
            light: Light::Error,
            end: End::EvLeaves(|plant| plant.lock.jam = Jam::None),
        },
        Row {
            report: ("ConnectorLockFailure", "PlugLockCannotUnlock"),
            told: (LOCK, "PlugLockCannotUnlock"),
            fault: "plug_lock_failure",
            during: During::Charging,
            mishap: |plant| {
                plant.lock.jam = Jam::CannotUnlock;
                plant.disconnect_vehicle();
            },
            duty: "100.00",
            bolt: Bolt::Locked,
            light: Light::Error,
            end: End::Unlock(|plant| plant.lock.jam = Jam::None),
        },
    ];
    rows.iter().for_each(check);
}

// covers: PL-011, OS-004
#[test]
fn a_plug_lock_whose_supply_is_too_low_to_turn_the_motor() {
    let station = Station::start();
    let mark = station.bench.observer.mark();
    station.central.mark();
    station.plant(|plant| {
        plant.lock.supply = 3.0;
        plant.lock.charge(3.0);
    });
    station.bench.plug_in();
    let named = ("ConnectorLockFailure", "PlugLockMotorCapNotCharged");
    station.expect_report(named.0, named.1, "Faulted");
    // Three drives in vain, each after 5 s; then the plug is given up.
    let given_up =
        |seen: &Seen| seen.topic == "port0/plug_lock/state/target" && seen.payload == "0";
    assert!(
        station
            .bench
            .observer
            .wait_since(mark, CAPACITOR, given_up)
            .is_some()
    );
    station.plant(|plant| plant.lock.supply = 12.0);
    station.expect_still(LOCK, named.1);
    station.expect_no_report_but(mark, named.0, named.1);
    station.bench.unplug();
    station.bench.expect(LOCK, "", LATER);
    station.bench.charge();
}

// covers: RCD-027, RCD-028, RCD-033, RCD-034, RCD-035, OS-019
#[test]
fn a_residual_current_device_that_trips_or_fails_its_test() {
    let rows = [
        Row {
            report: ("GroundFailure", "SpuriousRcdError"),
            told: (RCD, "SpuriousRcdError"),
            fault: "rcd_error",
            during: During::Idle,
            mishap: |plant| plant.leak(30.0),
            duty: "0.00",
            bolt: Bolt::Unlocked,
            light: Light::Failure,
            end: End::Restart(|plant| plant.leak(0.0)),
        },
        Row {
            report: ("GroundFailure", "RcdTestError"),
            told: (RCD, "RcdTestError"),
            fault: "rcd_error",
            during: During::PlugIn,
            mishap: |plant| plant.rcd.test_wire_broken = true,
            duty: "100.00",
            bolt: Bolt::Locked,
            light: Light::Failure,
            end: End::Restart(|plant| plant.rcd.test_wire_broken = false),
        },
        Row {
            report: ("GroundFailure", "RcdGroundFailure"),
            told: (RCD, "RcdGroundFailure"),
            fault: "rcd_error",
            during: During::Charging,
            mishap: |plant| plant.leak(30.0),
            duty: "100.00",
            bolt: Bolt::Locked,
            light: Light::Error,
            end: End::EvLeaves(|plant| plant.leak(0.0)),
        },
    ];
    rows.iter().for_each(check);
}

// covers: RCD-026, RCD-031
#[test]
fn a_ground_failure_that_outlasts_its_ev_is_spurious() {
    let station = Station::start();
    station.bench.charge();
    station.plant(|plant| plant.leak(30.0));
    station.bench.expect(RCD, "RcdGroundFailure", SOON);
    station.bench.expect(DUTY, "100.00", SOON);
    station.central.mark();
    station.bench.station().plant().disconnect_vehicle();
    station.bench.expect(RCD, "SpuriousRcdError", LATER);
    station.bench.expect(DUTY, "0.00", SOON);
    station.bench.expect("port0/rcd/state/actual", "0", SOON);
    let told = station.bench.observer.history();
    let texts = told.iter().filter(|seen| seen.topic == RCD);
    let texts: Vec<_> = texts.map(|seen| seen.payload.as_str()).collect();
    assert!(
        texts.ends_with(&["RcdGroundFailure", "SpuriousRcdError"]),
        "{texts:?}"
    );
    station
        .bench
        .wait_for("the plug is released", SOON, |plant| {
            plant.lock.bolt() == Bolt::Unlocked
        });
    station.expect_report("GroundFailure", "SpuriousRcdError", "Faulted");
}

// covers: EMG-006
#[test]
fn an_emergency() {
    let emergency = |during, end| Row {
        report: ("OtherError", "EmergencyShutdown"),
        told: (EMERGENCY, "1"),
        fault: "emergency_shutdown",
        during,
        mishap: |plant| plant.press_emergency(true),
        duty: "0.00",
        bolt: Bolt::Unlocked,
        light: Light::Failure,
        end,
    };
    check(&emergency(
        During::Idle,
        End::Repaired(|plant| plant.press_emergency(false)),
    ));
    check(&emergency(
        During::Charging,
        End::EvLeaves(|plant| plant.press_emergency(false)),
    ));
}

// covers: PP-005, PP-006, PP-007, PP-008, PP-009, PP-011
#[test]
fn a_proximity_pilot_that_is_wrong() {
    fn repair(plant: &mut Plant) {
        plant.insert_cable(Cable::A32);
    }
    let broken = |text, during, mishap, bolt| Row {
        report: ("OtherError", text),
        told: (PROXIMITY, text),
        fault: "proximity_error",
        during,
        mishap,
        duty: "100.00",
        bolt,
        light: Light::Error,
        end: End::Repaired(repair),
    };
    let rows = [
        broken(
            "ProximityNoCable",
            During::Idle,
            |plant| plant.plug_in(Cable::Open),
            Bolt::Unlocked,
        ),
        broken(
            "ProximityInvalid",
            During::Idle,
            |plant| plant.plug_in(Cable::Invalid),
            Bolt::Unlocked,
        ),
        broken(
            "ProximityNoCable",
            During::Charging,
            |plant| plant.insert_cable(Cable::Open),
            Bolt::Locked,
        ),
        broken(
            "ProximityInvalid",
            During::Charging,
            |plant| plant.insert_cable(Cable::Invalid),
            Bolt::Locked,
        ),
        Row {
            report: ("OtherError", "ProximityChanged"),
            told: (PROXIMITY, "ProximityChanged"),
            fault: "",
            during: During::Charging,
            mishap: |plant| plant.insert_cable(Cable::A20),
            duty: "33.33",
            bolt: Bolt::Locked,
            light: Light::Charge,
            end: End::EvLeaves(repair),
        },
    ];
    rows.iter().for_each(check);
}

// covers: PP-012
#[test]
fn a_proximity_error_ranks_below_every_other() {
    let station = Station::start();
    station.plant(|plant| plant.plug_in(Cable::Invalid));
    station.expect_report("OtherError", "ProximityInvalid", "Faulted");
    station.central.mark();
    station.plant(|plant| plant.press_emergency(true));
    station.expect_report("OtherError", "EmergencyShutdown", "Faulted");
    station.bench.expect(PROXIMITY, "ProximityInvalid", SOON);
}

/// The guide's table doesn't know these.
#[test]
fn a_control_pilot_that_is_wrong() {
    let row = |text, mishap, end| Row {
        report: ("InternalError", ""),
        told: (FAULT, text),
        fault: text,
        during: During::Charging,
        mishap,
        duty: "100.00",
        bolt: Bolt::Locked,
        light: Light::Error,
        end,
    };
    let rows = [
        row(
            "pilot_short",
            |plant| plant.pilot_wire = PilotWire::ShortedToPe,
            End::Repaired(|plant| plant.pilot_wire = PilotWire::Whole),
        ),
        row(
            "pilot_diode",
            |plant| plant.diode = Diode::Shorted,
            End::EvLeaves(|plant| plant.diode = Diode::Good),
        ),
    ];
    rows.iter().for_each(check);
}

/// A frozen converter shows a charging EV for ever; only the detector's reset betrays it.
#[test]
fn a_sensor_of_the_pilot_that_freezes() {
    fn mend(plant: &mut Plant) {
        plant.adc_faults = AdcFaults::default();
    }
    let row = |fault, mishap, end| Row {
        report: ("InternalError", ""),
        told: (FAULT, fault),
        fault,
        during: During::Charging,
        mishap,
        duty: "100.00",
        bolt: Bolt::Locked,
        light: Light::Error,
        end,
    };
    let rows = [
        row(
            "sensor_failure",
            |plant| plant.adc_faults.pilot_positive = AdcFault::Frozen(STATE_C),
            End::Repaired(mend),
        ),
        // With a steady +12 V driven, a low level of -12 V is worse than frozen.
        row(
            "pilot_fault",
            |plant| plant.adc_faults.pilot_negative = AdcFault::Frozen(MINUS_12_V),
            End::EvLeaves(mend),
        ),
        row(
            "sensor_failure",
            |plant| plant.adc_faults.pilot_positive = AdcFault::Error,
            End::Repaired(mend),
        ),
    ];
    rows.iter().for_each(check);
}

// covers: VENT-011
#[test]
fn an_ev_that_needs_ventilation_where_there_is_none() {
    let station = Station::start();
    station.central.mark();
    let mark = station.bench.observer.mark();
    station.plant(|plant| plant.vehicle.settings.needs_ventilation = true);
    station.bench.plug_in();
    let refused = ("OtherError", "VentilationUnavailable");
    station.expect_report(refused.0, refused.1, "SuspendedEVSE");
    station.expect_no_report_but(mark, refused.0, refused.1);
    for (topic, text) in [
        (FAULT, "ventilation_unavailable"),
        (DUTY, "100.00"),
        ("port0/charging", "0"),
        ("port0/ci/charge/plug/status", "locked"),
    ] {
        station.bench.expect(topic, text, SOON);
    }
    station.central.mark();
    // It asks for less.
    station.plant(|plant| plant.vehicle.settings.needs_ventilation = false);
    station.expect_report("NoError", "", "Charging");
    station.expect_no_report_but(mark, refused.0, refused.1);
    station.bench.expect(FAULT, "", SOON);
}
