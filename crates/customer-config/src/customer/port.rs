//! `ports[0]` of customer.json: one field per key; [`keys::HARDWARE`](crate::keys::HARDWARE)
//! and [`keys::SOFTWARE`](crate::keys::SOFTWARE) tell ranges and defaults.

use serde::{Deserialize, Serialize};

use super::words::*;

/// The charging port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// A socket; otherwise a fixed cable.
    pub pluggable: bool,
    /// The proximity pilot.
    pub pp: Proximity,
    /// Rating of the station's own wiring in A per phase.
    pub evse_current_limit: u32,
    /// Limit in A per phase until another arrives; -1: none.
    pub failsafe_current_limit: i32,
    /// The main contactor.
    pub contactor: Contactor,
    /// The fan on relay 2.
    pub ventilation: Ventilation,
    /// The emergency input.
    pub emergency_alarm: EmergencyAlarm,
    /// The residual current device.
    pub rcd_monitor: RcdMonitor,
    /// The plug lock.
    pub plug_lock: PlugLock,
    /// The electricity meter.
    pub meter: Meter,
    /// The recloser of the residual current device.
    pub recloser: Recloser,
    /// The RFID reader.
    pub rfid: Rfid,
    /// Switching between one and three phases.
    pub switch3to1phase: PhaseSwitch,
    /// Protocol of high level communication.
    pub hlc_protocols: HlcProtocol,
    /// An EV that asks for ventilation is charged without.
    pub always_accept_cp_state_d: bool,
    /// Wake the EV after each authorization.
    pub force_wake_up: bool,
    /// Wake the EV when it has not asked for energy after 30 s.
    pub wake_up_after_timeout: bool,
    /// How the station charges.
    pub charging_type: ChargingType,
    /// Who allows charging.
    pub user_authentication: UserAuthentication,
    /// The key switch that authorises where `user_authentication` says so.
    pub key_switch: KeySwitch,
    /// Authentication of a high level session.
    pub highlevel_authentication_mode: AuthenticationMode,
    /// TLS towards the EV.
    pub tls_security: TlsSecurity,
    /// EVSEID, at most 37 characters.
    pub evse_id: String,
}

/// The proximity pilot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proximity {
    /// Rating of a fixed cable in A per phase.
    pub cable_current_limit: u32,
}

/// The main contactor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contactor {
    /// Its auxiliary contact.
    pub feedback_type: ContactorFeedback,
}

/// The fan on relay 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ventilation {
    /// There is one.
    pub enable: bool,
    /// Who controls it.
    pub control: VentilationControl,
    /// Its auxiliary contact.
    pub feedback_type: ContactorFeedback,
}

/// The emergency input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmergencyAlarm {
    /// It is monitored.
    pub enable: bool,
    /// Linux GPIO number.
    pub gpio: u32,
    /// Level of the alarm.
    pub polarity: Polarity,
}

/// The residual current device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RcdMonitor {
    /// It is monitored.
    pub enable: bool,
    /// Linux GPIO number of the feedback.
    pub gpio: u32,
    /// Level of the feedback in normal operation.
    pub polarity: Polarity,
    /// Linux GPIO number of the self test's trigger; -1: no self test.
    pub test_gpio: i32,
    /// Level of the trigger while the test runs.
    pub test_gpio_polarity: Polarity,
    /// How long the trigger is active, in ms.
    pub test_trigger_time: u32,
    /// From the trigger's start to the check for tripped, in ms.
    pub test_check_tripped_time: u32,
    /// From the trigger's end to the check for normal, in ms.
    pub test_check_normal_time: u32,
}

/// The plug lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlugLock {
    /// Model of its motor.
    #[serde(rename = "type")]
    pub motor: PlugLockType,
}

/// The electricity meter; an absent setting is the protocol's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    /// There is one.
    pub enable: bool,
    /// Its serial interface.
    pub port: String,
    /// Its model.
    pub protocol: MeterProtocol,
    /// Baud rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baudrate: Option<u32>,
    /// Parity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
    /// Modbus address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u8>,
    /// Publication of its values.
    pub publish_settings: PublishSettings,
}

/// Publication of meter values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishSettings {
    /// Interval in s.
    pub timer: u32,
}

/// The recloser of the residual current device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recloser {
    /// There is one.
    pub enable: bool,
    /// Its serial interface.
    pub port: String,
    /// Its model.
    pub protocol: RecloserProtocol,
    /// Baud rate.
    pub baudrate: u32,
    /// Parity.
    pub parity: Parity,
    /// Modbus address; absent: the protocol's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u8>,
}

/// The RFID reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rfid {
    /// There is one.
    pub enable: bool,
    /// Its serial interface.
    pub port: String,
    /// Its model.
    pub protocol: RfidProtocol,
    /// Baud rate.
    pub baudrate: u32,
    /// Parity.
    pub parity: Parity,
    /// Modbus address; absent: the protocol's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u8>,
    /// Stations that share the reader, at most three.
    pub remote_ports: Vec<RemotePort>,
}

/// A station that shares the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemotePort {
    /// Its MQTT broker, `mqtt://host[:port]`; absent: the item is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// The key switch of the user authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeySwitch {
    /// Linux GPIO number.
    pub gpio: u32,
    /// Level that allows charging.
    pub polarity: Polarity,
}

/// Switching between one and three phases with relay 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseSwitch {
    /// It is wired.
    pub enable: bool,
    /// Auxiliary contact of the second contactor.
    pub feedback_type: SwitchFeedback,
    /// Time with all phases off in s.
    pub switch_delay: u32,
}
