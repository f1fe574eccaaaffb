//! What is built into the station (guide 14.1 table 47, 15.20 table 82).

use crate::customer::{
    ContactorFeedback, MeterProtocol, Parity, PlugLockType, Polarity, RecloserProtocol,
    RfidProtocol, SwitchFeedback, VentilationControl,
};
use crate::key::{Initial, Key, Kind, TextRule};

/// The i.MX6ULL has five banks of 32 lines.
const LAST_GPIO: i64 = 5 * 32 - 1;
/// The greatest current that a duty cycle can offer (IEC 61851-1 table A.8).
const MAX_OFFER: i64 = 80;
const MAX_BAUD: i64 = 115_200;
const TABLE_47: &str = "guide 14.1 table 47";
const MODE3: &str = "mode3";
const TABLE_82: &str = "guide 15.20 table 82";

const fn gpio(path: &'static str, initial: i64) -> Key {
    Key::integer(path, 0, LAST_GPIO, initial)
        .refused_when_wrong()
        .over_ocpp()
}

const fn polarity(path: &'static str) -> Key {
    Key::choice(path, Polarity::WORDS, Initial::Text("active_high"))
        .refused_when_wrong()
        .over_ocpp()
}

const fn device(path: &'static str) -> Key {
    Key::text(path, 64, TextRule::Device, Initial::Text("/dev/ttymxc0")).over_ocpp()
}

const fn baud(path: &'static str, initial: Initial) -> Key {
    let kind = Kind::Integer {
        min: 300,
        max: MAX_BAUD,
        or: None,
    };
    Key::new(path, kind, initial).unit("bit/s").over_ocpp()
}

const fn address(path: &'static str) -> Key {
    Key::new(
        path,
        Kind::Integer {
            min: 1,
            max: 247,
            or: None,
        },
        Initial::Absent,
    )
    .over_ocpp()
}

/// The hardware keys of customer.json.
pub const HARDWARE: &[Key] = &[
    Key::boolean("ports[0]/pluggable", true).over_ocpp().means(
        "true: a socket, whose proximity pilot is wired and read; false: a fixed \
             cable",
        TABLE_47,
    ),
    Key::integer("ports[0]/pp/cable_current_limit", 0, MAX_OFFER, 6)
        .unit("A per phase")
        .over_ocpp()
        .means(
            "Rating of the fixed cable; not used with a socket",
            TABLE_47,
        ),
    Key::integer("ports[0]/evse_current_limit", 0, MAX_OFFER, 6)
        .unit("A per phase")
        .over_ocpp()
        .means("Rating of the station's own wiring", TABLE_47),
    Key::special("ports[0]/failsafe_current_limit", -1, 0, MAX_OFFER, -1)
        .unit("A per phase")
        .refused_when_wrong()
        .over_ocpp()
        .means(
            "Limit until OCPP or a dynamic MQTT limit has arrived; -1: none. Less \
             than 6 A offers nothing",
            TABLE_47,
        ),
    Key::choice(
        "ports[0]/contactor/feedback_type",
        ContactorFeedback::WORDS,
        Initial::Text("no"),
    )
    .over_ocpp()
    .means(
        "Auxiliary contact of relay 1: normally closed, normally open, or none, \
             which means unchecked",
        TABLE_47,
    ),
    Key::boolean("ports[0]/ventilation/enable", false)
        .over_ocpp()
        .means("A fan hangs on relay 2; excludes phase switching", TABLE_47),
    Key::choice(
        "ports[0]/ventilation/control",
        VentilationControl::WORDS,
        Initial::Text("internal"),
    )
    .over_ocpp()
    .means(
        "Who controls the fan: the station or a client on MQTT (guide 15.19)",
        TABLE_47,
    ),
    Key::choice(
        "ports[0]/ventilation/feedback_type",
        ContactorFeedback::WORDS,
        Initial::Text("no"),
    )
    .over_ocpp()
    .means("Auxiliary contact of relay 2", TABLE_47),
    Key::boolean("ports[0]/emergency_alarm/enable", false)
        .refused_when_wrong()
        .over_ocpp()
        .means("The emergency input is monitored", TABLE_47),
    gpio("ports[0]/emergency_alarm/gpio", 121).means(
        "Linux GPIO number of the emergency input: a digital input that nothing else uses; \
             121 is DIG_IN_1",
        TABLE_47,
    ),
    polarity("ports[0]/emergency_alarm/polarity").means("Level of the alarm", TABLE_47),
    Key::boolean("ports[0]/rcd_monitor/enable", false)
        .refused_when_wrong()
        .over_ocpp()
        .means("The residual current device is monitored", TABLE_47),
    gpio("ports[0]/rcd_monitor/gpio", 122).means(
        "Linux GPIO number of the feedback: a digital input that nothing else uses; \
             122 is DIG_IN_2",
        TABLE_47,
    ),
    polarity("ports[0]/rcd_monitor/polarity").means(
        "Level of the feedback in normal operation: 0 V normal and 12 V tripped \
             is active_low",
        TABLE_47,
    ),
    Key::special("ports[0]/rcd_monitor/test_gpio", -1, 0, LAST_GPIO, 87)
        .over_ocpp()
        .means(
            "Linux GPIO number that triggers the self test: a digital output that \
             nothing else uses; 87 is PUSH_PULL_OUT_4, -1: no self test",
            TABLE_47,
        ),
    Key::choice(
        "ports[0]/rcd_monitor/test_gpio_polarity",
        Polarity::WORDS,
        Initial::Text("active_high"),
    )
    .over_ocpp()
    .means("Level of the trigger while the self test runs", TABLE_47),
    Key::integer("ports[0]/rcd_monitor/test_trigger_time", 1, 5000, 815)
        .unit("ms")
        .over_ocpp()
        .means(
            "How long the trigger is active",
            "guide 14.1 table 47, 15.15.4",
        ),
    Key::integer("ports[0]/rcd_monitor/test_check_tripped_time", 1, 5000, 810)
        .unit("ms")
        .over_ocpp()
        .means(
            "From the trigger's start until the feedback must say tripped; less than \
             test_trigger_time + test_check_normal_time",
            "guide 14.1 table 47, 15.15.4",
        ),
    Key::integer("ports[0]/rcd_monitor/test_check_normal_time", 1, 5000, 410)
        .unit("ms")
        .over_ocpp()
        .means(
            "From the trigger's end until the feedback must say normal",
            "guide 14.1 table 47, 15.15.4",
        ),
    gpio("ports[0]/key_switch/gpio", 124).means(
        "Linux GPIO number of the key switch that authorises: a digital input that \
             nothing else uses; 124 is DIG_IN_3",
        MODE3,
    ),
    polarity("ports[0]/key_switch/polarity").means("Level that allows charging", MODE3),
    Key::choice(
        "ports[0]/plug_lock/type",
        PlugLockType::WORDS,
        Initial::Text("EV-T2M3S-E-LOCK12V"),
    )
    .refused_when_wrong()
    .over_ocpp()
    .means("Model of the plug lock's motor", TABLE_47),
    Key::boolean("ports[0]/meter/enable", false)
        .over_ocpp()
        .means("There is an electricity meter; OCPP needs one", TABLE_47),
    device("ports[0]/meter/port").means(
        "Serial interface of the meter; ttymxc0 is X7, ttymxc4 is X8",
        TABLE_47,
    ),
    Key::choice(
        "ports[0]/meter/protocol",
        MeterProtocol::WORDS,
        Initial::Text("dzg"),
    )
    .over_ocpp()
    .means(
        "Model of the meter; eastron finds the model by itself; BZR Bauer BSM is \
             sunspec",
        TABLE_47,
    ),
    baud("ports[0]/meter/baudrate", Initial::Absent).means(
        "Baud rate; without the key, the protocol's (guide 7.3.2)",
        "guide 14.1 table 47, 7.3.1",
    ),
    Key::choice("ports[0]/meter/parity", Parity::WORDS, Initial::Absent)
        .over_ocpp()
        .means(
            "Parity; without the key, the protocol's (guide 7.3.2). DZG meters leave \
             the factory with even",
            TABLE_47,
        ),
    address("ports[0]/meter/address").means(
        "Modbus address; without the key, the protocol's, and dzg looks for it \
             from 1 to 99",
        "guide 14.1 table 47, 7.3.6.1",
    ),
    Key::boolean("ports[0]/recloser/enable", false)
        .over_ocpp()
        .means(
            "There is a recloser for the residual current device",
            TABLE_47,
        ),
    device("ports[0]/recloser/port").means("Serial interface of the recloser", TABLE_47),
    Key::choice(
        "ports[0]/recloser/protocol",
        RecloserProtocol::WORDS,
        Initial::Text("geya"),
    )
    .over_ocpp()
    .means("Model of the recloser", TABLE_47),
    baud("ports[0]/recloser/baudrate", Initial::Integer(9600)).means("Baud rate", TABLE_47),
    Key::choice(
        "ports[0]/recloser/parity",
        Parity::WORDS,
        Initial::Text("none"),
    )
    .over_ocpp()
    .means("Parity", TABLE_47),
    address("ports[0]/recloser/address").means(
        "Modbus address; without the key, the protocol's: 3 for geya",
        "guide 14.1 table 47, 7.3.2",
    ),
    Key::boolean("ports[0]/rfid/enable", false)
        .over_ocpp()
        .means("There is an RFID reader", TABLE_47),
    device("ports[0]/rfid/port").means("Serial interface of the reader", TABLE_47),
    Key::new(
        "ports[0]/rfid/protocol",
        Kind::Choice {
            words: RfidProtocol::WORDS,
            also: &[("stronglink", "Stronglink")],
        },
        Initial::Text("Stronglink"),
    )
    .over_ocpp()
    .means(
        "Model of the reader; mqtt: tags come from another station's reader",
        "guide 14.1 table 47, 15.18",
    ),
    baud("ports[0]/rfid/baudrate", Initial::Integer(9600)).means("Baud rate", TABLE_47),
    Key::choice("ports[0]/rfid/parity", Parity::WORDS, Initial::Text("none"))
        .over_ocpp()
        .means("Parity", TABLE_47),
    address("ports[0]/rfid/address").means(
        "Modbus address; without the key, the protocol's: 17 for stronglink-modbus",
        "guide 14.1 table 47, 7.3.2",
    ),
    Key::new(
        "ports[0]/rfid/remote_ports",
        Kind::Items { max: 3 },
        Initial::Json("[]"),
    )
    .over_ocpp()
    .means(
        "Stations that share this reader; an item without uri is not used but counts",
        "guide 14.1 table 47, 15.18",
    ),
    Key::text(
        "ports[0]/rfid/remote_ports[]/uri",
        255,
        TextRule::MqttUri,
        Initial::Absent,
    )
    .over_ocpp()
    .means(
        "The other station's MQTT broker; port 1883 unless given; its port0 gets \
             the tags",
        "guide 14.1 table 47, 15.18",
    ),
    Key::boolean("ports[0]/switch3to1phase/enable", false).means(
        "Relay 2 switches between one and three phases; excludes ventilation",
        TABLE_82,
    ),
    Key::choice(
        "ports[0]/switch3to1phase/feedback_type",
        SwitchFeedback::WORDS,
        Initial::Text("no"),
    )
    .means("Auxiliary contact of the second contactor", TABLE_82),
    Key::integer("ports[0]/switch3to1phase/switch_delay", 10, 300, 20)
        .unit("s")
        .means(
            "Time with all phases off while their number changes",
            TABLE_82,
        ),
    Key::integer("io/digital_input_threshold_voltage", 0, 12_000, 6000)
        .unit("mV")
        .over_ocpp()
        .means(
            "Threshold of all digital inputs",
            "guide 14.1 table 47, 7.9.1",
        ),
];
