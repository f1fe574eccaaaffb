//! leds.json as behaviors of the machine's LED panel, and messages as notices to it.

use std::path::Path;

use customer_config::{Condition, Leds, Mode};
use daemon_kit::{Bus, Error, Message};
use evse_core::{
    Authentication, DigitalOutput, DigitalOutputs, Led, LedBehavior, LedCondition, LedMode,
    LedNotice, LedPanel,
};
use topic_map::{
    AUTHORIZATION_RESULT, AuthorizationResult, FIRMWARE_UPDATE_STATE_ACTUAL, PayloadError,
    RFID_AUTHORIZATION_REQUEST, SESSION_RESERVED, UpdateState,
};

use crate::complaints::Complaints;
use crate::lines::Lines;

/// The factory's file, where there is none (guide 7.9.2).
const FACTORY: &str = include_str!("../../../config/leds.json");
/// leds.json counts durations in steps of this many ms.
const DURATION_STEP_MS: u64 = 100;

/// leds.json of the configuration directory.
///
/// # Errors
/// When the file is unusable.
pub(crate) fn load(directory: &Path) -> Result<Leds, Error> {
    let path = directory.join("leds.json");
    let read = if path.exists() {
        Leds::load(&path)
    } else {
        Leds::parse(FACTORY)
    };
    let (leds, warnings) =
        read.map_err(|error| Error::Configuration(format!("{}: {error}", path.display())))?;
    for warning in warnings {
        tracing::warn!("{}: {warning}", path.display());
    }
    Ok(leds)
}

/// The panel, on outputs of its own.
///
/// # Errors
/// When a number is no digital output, or something else hangs on it.
pub(crate) fn panel(leds: &Leds, lines: &mut Lines) -> Result<LedPanel, Error> {
    let mut panel = [Led::default(); LedPanel::LEDS];
    for (n, led) in leds.leds.iter().enumerate() {
        let outputs = outputs(n, led, lines)?;
        // Never more LEDs than places: each has an output.
        if let Some(place) = panel.get_mut(n) {
            *place = shown_by(led, &outputs);
        }
    }
    Ok(LedPanel::new(panel))
}

fn outputs(
    n: usize,
    led: &customer_config::Led,
    lines: &mut Lines,
) -> Result<Vec<DigitalOutput>, Error> {
    led.gpios
        .iter()
        .enumerate()
        .map(|(m, gpio)| lines.output(&format!("leds[{n}]/gpios[{m}]"), *gpio, true))
        .collect()
}

fn shown_by(led: &customer_config::Led, outputs: &[DigitalOutput]) -> Led {
    led.behaviors
        .iter()
        .fold(Led::default(), |shown, behavior| {
            let behavior_shown = LedBehavior {
                mode: mode(behavior.mode),
                lit: lit(outputs, behavior.color),
                duration_ms: u64::from(behavior.duration) * DURATION_STEP_MS,
            };
            shown.with(condition(behavior.condition), behavior_shown)
        })
}

/// Red, green and blue in this order; a single LED is lit in every color but black.
fn lit(outputs: &[DigitalOutput], color: customer_config::Color) -> DigitalOutputs {
    let channels = match outputs {
        [_] => [color != customer_config::Color::Black; 3],
        _ => color.channels(),
    };
    let lit = outputs
        .iter()
        .zip(channels)
        .filter(|(_, on)| *on)
        .fold(0, |lit, (output, _)| lit | output.level(true).0);
    DigitalOutputs(lit)
}

const fn mode(mode: Mode) -> LedMode {
    match mode {
        Mode::Solid => LedMode::Solid,
        Mode::BlinkSlow => LedMode::BlinkSlow,
        Mode::BlinkFast => LedMode::BlinkFast,
    }
}

const fn condition(condition: Condition) -> LedCondition {
    match condition {
        Condition::Init => LedCondition::Init,
        Condition::Updating => LedCondition::Updating,
        Condition::AuthPending => LedCondition::AuthPending,
        Condition::AuthAccepted => LedCondition::AuthAccepted,
        Condition::AuthRejected => LedCondition::AuthRejected,
        Condition::Ready => LedCondition::Ready,
        Condition::Deactivated => LedCondition::Deactivated,
        Condition::Reserved => LedCondition::Reserved,
        Condition::Connected => LedCondition::Connected,
        Condition::ChargeRequest => LedCondition::ChargeRequest,
        Condition::VentilationRequest => LedCondition::VentilationRequest,
        Condition::Charge => LedCondition::Charge,
        Condition::Ventilation => LedCondition::Ventilation,
        Condition::Error => LedCondition::Error,
        Condition::Failure => LedCondition::Failure,
    }
}

/// Messages that matter to the LEDs alone.
#[derive(Debug)]
pub(crate) struct Notices {
    /// A card asks somebody; with free charging and a key switch nobody answers.
    cards_are_answered: bool,
    complaints: Complaints,
}

impl Notices {
    /// Subscribes to them.
    pub(crate) fn subscribe(bus: &Bus, authentication: Authentication) -> Self {
        bus.subscribe(&FIRMWARE_UPDATE_STATE_ACTUAL);
        bus.subscribe(&RFID_AUTHORIZATION_REQUEST);
        bus.subscribe(&AUTHORIZATION_RESULT);
        bus.subscribe(&SESSION_RESERVED);
        Self::new(authentication)
    }

    fn new(authentication: Authentication) -> Self {
        let cards_are_answered = match authentication {
            Authentication::Mqtt | Authentication::Ocpp => true,
            Authentication::Free | Authentication::KeySwitch(_) => false,
        };
        Self {
            cards_are_answered,
            complaints: Complaints::default(),
        }
    }

    /// The notice of `message`, if it holds one.
    pub(crate) fn translate(&mut self, message: &Message) -> Option<LedNotice> {
        let notice = self.notice(message);
        self.complaints.sift(&message.topic, notice)
    }

    /// A swipe and its answer are events: what the broker has kept of them is over.
    fn notice(&self, message: &Message) -> Result<Option<LedNotice>, PayloadError> {
        if let Some(state) = message.on(&FIRMWARE_UPDATE_STATE_ACTUAL) {
            return state.map(|state| Some(LedNotice::Updating(is_updating(state))));
        }
        if let Some(tag) = message.on(&RFID_AUTHORIZATION_REQUEST) {
            return tag.map(|_| {
                (self.cards_are_answered && !message.retained)
                    .then_some(LedNotice::AuthorizationRequested)
            });
        }
        if let Some(result) = message.on(&AUTHORIZATION_RESULT) {
            return result.map(|result| {
                let accepted = result == AuthorizationResult::Accepted;
                (!message.retained).then_some(LedNotice::AuthorizationAnswered { accepted })
            });
        }
        if let Some(reserved) = message.on(&SESSION_RESERVED) {
            return reserved.map(|reserved| Some(LedNotice::Reserved(reserved)));
        }
        Ok(None)
    }
}

/// An update that is installed ends with the restart.
const fn is_updating(state: UpdateState) -> bool {
    match state {
        UpdateState::Downloading
        | UpdateState::DownloadSucceeded
        | UpdateState::Installing
        | UpdateState::InstallSucceeded => true,
        UpdateState::Idle | UpdateState::DownloadFailed | UpdateState::InstallFailed => false,
    }
}

#[cfg(test)]
mod tests {
    use customer_config::Color;

    use super::*;

    fn colored(gpios: &[u32], color: Color) -> DigitalOutputs {
        let led = customer_config::Led {
            gpios: gpios.to_vec(),
            behaviors: vec![],
        };
        lit(&outputs(0, &led, &mut Lines::default()).unwrap(), color)
    }

    fn only_led(leds: &Leds) -> Led {
        assert_eq!(leds.leds.len(), 1);
        let outputs = outputs(0, &leds.leds[0], &mut Lines::default()).unwrap();
        shown_by(&leds.leds[0], &outputs)
    }

    // covers: LED-008, LED-009
    #[test]
    fn colors_mix_red_green_and_blue() {
        for (color, bits) in [
            (Color::Black, 0b000),
            (Color::Red, 0b001),
            (Color::Green, 0b010),
            (Color::Yellow, 0b011),
            (Color::Blue, 0b100),
            (Color::Magenta, 0b101),
            (Color::Cyan, 0b110),
            (Color::White, 0b111),
        ] {
            assert_eq!(
                colored(&[84, 85, 86], color),
                DigitalOutputs(bits),
                "{color}"
            );
            let single = if color == Color::Black { 0 } else { 0b1000 };
            assert_eq!(colored(&[87], color), DigitalOutputs(single), "{color}");
        }
        // The order of the file counts, not that of the lines.
        assert_eq!(
            colored(&[89, 85, 84], Color::Red),
            DigitalOutputs(0b10_0000)
        );
        assert_eq!(colored(&[85, 86], Color::White), DigitalOutputs(0b110));
    }

    // covers: LED-007, LED-011
    #[test]
    fn leds_json_names_every_condition_and_its_duration() {
        let behaviors = Condition::WORDS
            .iter()
            .map(|word| {
                format!(
                    r#"{{"condition":"{word}","mode":"blink_fast","color":"green","duration":25}}"#
                )
            })
            .collect::<Vec<_>>()
            .join(",");
        let text = format!(r#"{{"leds":[{{"gpios":[84,85,86],"behaviors":[{behaviors}]}}]}}"#);
        let (leds, _) = Leds::parse(&text).unwrap();
        let expected = LedCondition::ALL
            .into_iter()
            .fold(Led::default(), |led, c| {
                led.with(
                    c,
                    LedBehavior {
                        mode: LedMode::BlinkFast,
                        lit: DigitalOutputs(0b010),
                        duration_ms: 2_500,
                    },
                )
            });
        assert_eq!(only_led(&leds), expected);
    }

    #[test]
    fn both_spellings_of_charge_count() {
        let led = |word: &str| {
            let text =
                format!(r#"{{"leds":[{{"gpios":[84],"behaviors":[{{"condition":"{word}"}}]}}]}}"#);
            only_led(&Leds::parse(&text).unwrap().0)
        };
        assert_ne!(led("charge"), Led::default());
        assert_eq!(led("charge"), led("charge_1"));
        assert_eq!(led("ventilation"), led("ventilation_1"));
    }

    // covers: LED-004, LED-005, LED-006
    #[test]
    fn the_factory_has_one_led_for_ready_charging_and_error() {
        let directory = tempfile::tempdir().unwrap();
        let leds = load(directory.path()).unwrap();
        let behavior = |mode| LedBehavior {
            mode,
            lit: DigitalOutputs(1),
            duration_ms: 0,
        };
        let expected = Led::default()
            .with(LedCondition::Ready, behavior(LedMode::Solid))
            .with(LedCondition::Charge, behavior(LedMode::BlinkSlow))
            .with(LedCondition::Ventilation, behavior(LedMode::BlinkSlow))
            .with(LedCondition::Error, behavior(LedMode::BlinkFast))
            .with(LedCondition::Failure, behavior(LedMode::BlinkFast));
        assert_eq!(only_led(&leds), expected);
    }

    #[test]
    fn leds_conflict_with_other_functions_and_with_each_other() {
        let mut lines = Lines::default();
        lines
            .output("ports[0]/rcd_monitor/test_gpio", 87, true)
            .unwrap();
        for (gpios, named) in [
            (
                "[85,86,87]",
                ["ports[0]/rcd_monitor/test_gpio", "leds[0]/gpios[2]"],
            ),
            ("[84,84]", ["leds[0]/gpios[0]", "leds[0]/gpios[1]"]),
        ] {
            let text = format!(r#"{{"leds":[{{"gpios":{gpios}}}]}}"#);
            let (leds, _) = Leds::parse(&text).unwrap();
            let error = panel(&leds, &mut lines).unwrap_err().to_string();
            assert!(named.iter().all(|name| error.contains(name)), "{error}");
        }
    }

    #[test]
    fn a_broken_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("leds.json"), "{").unwrap();
        let error = load(directory.path()).unwrap_err().to_string();
        assert!(error.contains("leds.json"), "{error}");
    }

    fn message(topic: &str, payload: &str) -> Message {
        Message {
            topic: topic.into(),
            payload: payload.as_bytes().to_vec(),
            retained: false,
        }
    }

    // covers: AUTH-017
    #[test]
    fn messages_become_notices() {
        let mut notices = Notices::new(Authentication::Ocpp);
        let mut notice = |topic, payload| notices.translate(&message(topic, payload));
        let tag = r#"["ISO14443","04A1B2C3"]"#;
        let answered = |accepted| Some(LedNotice::AuthorizationAnswered { accepted });
        for (topic, payload, expected) in [
            (
                "port0/rfid/authorization_request",
                tag,
                Some(LedNotice::AuthorizationRequested),
            ),
            ("port0/rfid/authorization_request", "04A1B2C3", None),
            (
                "port0/session/authorization_result",
                "accepted",
                answered(true),
            ),
            (
                "port0/session/authorization_result",
                "rejected",
                answered(false),
            ),
            ("port0/session/authorization_result", "1", None),
            (
                "port0/session/reserved",
                "1",
                Some(LedNotice::Reserved(true)),
            ),
            (
                "firmware/update/state/actual",
                "installing",
                Some(LedNotice::Updating(true)),
            ),
            (
                "firmware/update/state/actual",
                "install-failed",
                Some(LedNotice::Updating(false)),
            ),
            ("port0/session/state", "idle", None),
        ] {
            assert_eq!(notice(topic, payload), expected, "{topic} {payload}");
        }
        for (topic, payload, expected) in [
            ("port0/rfid/authorization_request", tag, None),
            ("port0/session/authorization_result", "accepted", None),
            (
                "port0/session/reserved",
                "1",
                Some(LedNotice::Reserved(true)),
            ),
        ] {
            let kept = Message {
                retained: true,
                ..message(topic, payload)
            };
            assert_eq!(notices.translate(&kept), expected, "{topic} kept");
        }
        let mut free = Notices::new(Authentication::Free);
        let swipe = message("port0/rfid/authorization_request", tag);
        assert_eq!(free.translate(&swipe), None);
    }
}
