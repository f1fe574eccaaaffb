//! Topics and OCPP frames as one line each, for people who watch.

use serde_json::Value;
use simulator::central_system::Frame;
use topic_map::{
    CHARGE_CONTACTOR_STATUS, CHARGE_CP_STATUS, CHARGE_PLUG_STATUS, CHARGE_PWM_STATUS,
    CONTACTOR_ERROR, CpState, EVSE_BASIC_OFFERED_CURRENT_LIMIT, EVSE_FAULT, METERING_METER_VALUES,
    OCPP_ONLINE, PLUG_LOCK_PERMANENT_FAILURE, SESSION_PROXIMITY_ERROR, SESSION_STATE, Topic,
};

use crate::Seen;

/// Who speaks, and what: `None` for a message that tells a viewer nothing.
pub fn of_topic(seen: &Seen) -> Option<(&'static str, String)> {
    if let Some(state) = on(&CHARGE_CP_STATUS, seen) {
        return Some(("control pilot", format!("{state}: {}", meaning(state))));
    }
    if on(&CHARGE_PWM_STATUS, seen).is_some() {
        let offer = match seen.payload.as_str() {
            "100.00" => "no current offered",
            "0.00" => "station unavailable",
            _ => "current offered",
        };
        return Some(("duty cycle", format!("{} %: {offer}", seen.payload)));
    }
    if on(&EVSE_BASIC_OFFERED_CURRENT_LIMIT, seen).is_some() {
        return Some(("limit", format!("{} A for each phase", seen.payload)));
    }
    if let Some(values) = on(&METERING_METER_VALUES, seen) {
        let amperes = [
            values.current_a.l1,
            values.current_a.l2,
            values.current_a.l3,
        ];
        let amperes: Vec<_> = amperes
            .iter()
            .flatten()
            .map(|ampere| format!("{ampere:.1} A"))
            .collect();
        let energy = values
            .energy_wh
            .map(|energy| format!("{energy:.0} Wh"))
            .unwrap_or_default();
        return Some(("meter", format!("{}, register {energy}", amperes.join(" "))));
    }
    let plain = [
        (CHARGE_PLUG_STATUS.name(), "plug lock"),
        (CHARGE_CONTACTOR_STATUS.name(), "contactor"),
        (SESSION_STATE.name(), "session"),
    ];
    if let Some((_, who)) = plain.iter().find(|(topic, _)| *topic == seen.topic) {
        return Some((who, seen.payload.clone()));
    }
    let faults = [
        EVSE_FAULT.name(),
        PLUG_LOCK_PERMANENT_FAILURE.name(),
        SESSION_PROXIMITY_ERROR.name(),
    ];
    let is_fault = faults.contains(&seen.topic.as_str()) && !seen.payload.is_empty();
    if is_fault || on(&CONTACTOR_ERROR, seen) == Some(true) {
        return Some(("FAULT", format!("{} = {}", seen.topic, seen.payload)));
    }
    on(&OCPP_ONLINE, seen).map(|online| {
        let text = if online {
            "connected to the central system"
        } else {
            "offline"
        };
        ("ocpp", text.to_owned())
    })
}

/// A CALL or its error; results are left out.
pub fn of_frame(frame: &Frame) -> Option<(&'static str, String)> {
    let who = if frame.from_station {
        "OCPP  -->"
    } else {
        "OCPP  <--"
    };
    let kind = frame.message.get(0)?.as_u64()?;
    match kind {
        2 => {
            let action = frame.message.get(2)?.as_str()?;
            Some((
                who,
                format!("{action} {}", shortened(frame.message.get(3)?)),
            ))
        }
        4 => Some((who, format!("CALLERROR {}", frame.message.get(2)?))),
        _ => None,
    }
}

fn on<T: topic_map::Payload>(topic: &Topic<T>, seen: &Seen) -> Option<T> {
    (topic.name() == seen.topic).then(|| topic.decode(seen.payload.as_bytes()).ok())?
}

fn meaning(state: CpState) -> &'static str {
    match state {
        CpState::A => "no car",
        CpState::B => "car connected",
        CpState::C => "car asks for energy",
        CpState::D => "car asks for energy and ventilation",
        CpState::E => "short circuit",
        CpState::F => "station unavailable",
    }
}

fn shortened(payload: &Value) -> String {
    const LONGEST: usize = 150;
    let text = payload.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text,
    }
}
