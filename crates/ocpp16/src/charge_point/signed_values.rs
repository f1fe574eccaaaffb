//! Signed meter values: asked for at begin and end of a transaction, sent with its
//! StopTransaction, and the meter's public key (guide 3.3.7, 3.3.10).
//!
//! The meter is asked over and over until it has answered, or until that takes too long: a
//! StopTransaction is never lost because of a meter. Whoever makes the records knows one that
//! was made already, so that asking again, also after a restart, does no harm.

use serde_json::json;

use super::link::Kind;
use super::session::Session;
use super::{ChargePoint, Output};
use crate::configuration::Key;
use crate::message::notification::DataTransfer;
use crate::message::outgoing::{MeterValue, ReadingContext, SampledValue, ValueFormat};
use crate::transaction::{Change, SignedForm, SignedValues, Transaction};
use crate::{CiString, IdToken, Millis, Timestamp, oca};

/// The meter is asked again after this time. Who makes the record forgets an order that is not
/// repeated for 30 s.
const ASK_AGAIN_S: u64 = 10;
/// How long the value of a begin is asked for: it is in the record of the end as well.
const BEGIN_LIMIT_S: u64 = 60;
/// How long a StopTransaction waits for the signed value of the end. The slowest meter, a
/// BSM-WS36A, may take ten seconds for each of a dozen requests.
const END_LIMIT_S: u64 = 120;

const ENERGY: &str = "Energy.Active.Import.Register";

/// Asks for a signed record of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// Which end of it.
    pub moment: Moment,
    /// Our name for the transaction; the answer carries it, too.
    pub reference: String,
    /// Who charges.
    pub id_tag: IdToken,
    /// When the transaction began.
    pub started: Timestamp,
    /// What time it is.
    pub time: Timestamp,
}

/// Which end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Its begin.
    Begin,
    /// Its end.
    End,
}

/// What is under way with the meter.
#[derive(Debug, Default)]
pub(super) struct Signing {
    asked: Option<Asked>,
    end: EndRecord,
    /// A BootNotification was accepted, and the key has not been sent since.
    announce_key: bool,
}

#[derive(Debug)]
struct Asked {
    moment: Moment,
    again_at: Millis,
    until: Millis,
}

/// The record of the end of the transaction that is ending.
#[derive(Debug, Default)]
enum EndRecord {
    #[default]
    NotAsked,
    Awaited,
    /// It came, or it never will.
    Settled(Option<String>),
}

impl ChargePoint {
    /// The meter signs, and this verifies it; empty where it can't tell. `None`: it doesn't sign.
    pub(super) fn meter_key_known(&mut self, key: Option<String>) {
        self.configuration.set_meter_public_key(key);
        self.announce_meter_key();
    }

    /// After each BootNotification, whatever becomes of it.
    pub(super) fn announce_meter_key_again(&mut self) {
        self.signing.announce_key = true;
        self.announce_meter_key();
    }

    /// What a new transaction keeps of signed values; `None` with a meter that doesn't sign.
    pub(super) fn signed_values(&self) -> Option<SignedValues> {
        self.configuration.meter_public_key()?;
        let form = if self.configuration.flag(Key::SampledDataSignReadings) {
            SignedForm::Oca
        } else if self.configuration.value(Key::CalibrationLawFormat) == "ocmf,hex" {
            SignedForm::Hex
        } else {
            SignedForm::Plain
        };
        Some(SignedValues { form, begin: None })
    }

    /// Asks for the value of the begin, where the running transaction lacks it.
    pub(super) fn ask_signed_begin(&mut self) {
        let lacks = |running: &Transaction| {
            running
                .signed
                .as_ref()
                .is_some_and(|one| one.begin.is_none())
        };
        if self.transaction().is_some_and(lacks) {
            self.ask_signed(Moment::Begin, BEGIN_LIMIT_S);
        }
    }

    /// Whether the record of the end was asked for.
    pub(super) fn signed_end_asked(&self) -> bool {
        !matches!(self.signing.end, EndRecord::NotAsked)
    }

    /// Until when the transaction that is ending has to wait for its signed value; `None` when
    /// it need not.
    pub(super) fn signed_end_awaited(&mut self) -> Option<Millis> {
        let signs = self
            .transaction()
            .is_some_and(|ending| ending.signed.is_some());
        if signs && !self.signed_end_asked() {
            self.signing.end = EndRecord::Awaited;
            self.ask_signed(Moment::End, END_LIMIT_S);
        }
        match self.signing.end {
            EndRecord::Awaited => self.signing_deadline(),
            EndRecord::NotAsked | EndRecord::Settled(_) => None,
        }
    }

    /// The signed values of `transaction`, which ended at `end`, as transaction data.
    pub(super) fn take_signed_values(
        &mut self,
        transaction: &Transaction,
        end: Timestamp,
    ) -> Vec<MeterValue> {
        let ended = std::mem::take(&mut self.signing.end);
        self.signing.asked = None;
        let Some(signed) = &transaction.signed else {
            return Vec::new();
        };
        let at_end = match ended {
            EndRecord::Settled(text) => text,
            EndRecord::NotAsked | EndRecord::Awaited => None,
        };
        let key = |sent: bool| {
            let key = self.configuration.value(Key::MeterPublicKey1);
            if sent { key } else { "" }
        };
        let value = |timestamp, context, text: &String, sends_key| MeterValue {
            timestamp,
            sampled_value: vec![SampledValue {
                value: written(text, signed.form, key(sends_key)),
                context,
                format: Some(ValueFormat::SignedData),
                measurand: ENERGY.to_owned(),
                phase: None,
                unit: None,
            }],
        };
        // Once means with the last one.
        let policy = self.configuration.value(Key::PublicKeyWithSignedMeterValue);
        let (always, once) = (policy == "EveryMeterValue", policy == "OncePerTransaction");
        let begin = signed.begin.as_ref().map(|text| {
            let context = ReadingContext::TransactionBegin;
            let sends_key = always || (once && at_end.is_none());
            value(transaction.started, context, text, sends_key)
        });
        let end = at_end.as_ref().map(|text| {
            let context = ReadingContext::TransactionEnd;
            value(end, context, text, always || once)
        });
        begin.into_iter().chain(end).collect()
    }

    /// What became of a [`SignedRequest`], also of one that a former process made.
    pub(super) fn signed_answered(
        &mut self,
        moment: Moment,
        reference: &str,
        result: Result<String, String>,
    ) {
        let number = match (&self.session, moment) {
            (Session::Active { number }, Moment::Begin)
            | (Session::Ending { number, .. }, Moment::End) => *number,
            _ => return,
        };
        let Some(transaction) = self
            .transactions
            .get_mut(&number)
            .filter(|one| reference_of(one) == reference)
        else {
            return;
        };
        let Some(signed) = &mut transaction.signed else {
            return;
        };
        self.signing.asked.take_if(|asked| asked.moment == moment);
        match (moment, result) {
            (Moment::Begin, Ok(text)) => {
                signed.begin = Some(text);
                let change = Change::PutTransaction(transaction.clone());
                self.store(vec![change]);
            }
            (Moment::End, Ok(text)) => self.signing.end = EndRecord::Settled(Some(text)),
            (moment, Err(why)) => self.no_signed_value(moment, &why),
        }
    }

    pub(super) fn advance_signing(&mut self) {
        let now = self.now.monotonic;
        let Some(asked) = &mut self.signing.asked else {
            return;
        };
        let moment = asked.moment;
        if asked.until <= now {
            self.signing.asked = None;
            self.no_signed_value(moment, "the meter does not answer in time");
        } else if asked.again_at <= now {
            asked.again_at = now.after_seconds(ASK_AGAIN_S);
            self.request_signed(moment);
        }
    }

    pub(super) fn signing_deadline(&self) -> Option<Millis> {
        let asked = self.signing.asked.as_ref();
        asked.map(|asked| asked.again_at.min(asked.until))
    }

    fn ask_signed(&mut self, moment: Moment, limit_s: u64) {
        let now = self.now.monotonic;
        self.signing.asked = Some(Asked {
            moment,
            again_at: now.after_seconds(ASK_AGAIN_S),
            until: now.after_seconds(limit_s),
        });
        self.request_signed(moment);
    }

    fn request_signed(&mut self, moment: Moment) {
        let Some(transaction) = self.transaction() else {
            return;
        };
        let request = SignedRequest {
            moment,
            reference: reference_of(transaction),
            id_tag: transaction.id_tag.clone(),
            started: transaction.started,
            time: self.timestamp(),
        };
        self.outputs.push(Output::Sign(request));
    }

    fn no_signed_value(&mut self, moment: Moment, why: &str) {
        self.warn(format!("no signed meter value of the {moment:?}: {why}"));
        if moment == Moment::End {
            self.signing.end = EndRecord::Settled(None);
        }
    }

    fn announce_meter_key(&mut self) {
        let Some(public_key) = self.configuration.meter_public_key() else {
            return;
        };
        if !std::mem::take(&mut self.signing.announce_key) || public_key.is_empty() {
            return;
        }
        if !self
            .configuration
            .flag(Key::SendMeterPublicKeyOnBootNotification)
        {
            return;
        }
        let serial = self.settings.identity.meter_serial_number.as_ref();
        let meter = json!({
            "connectorId": 1,
            "meterSerial": serial.map_or("", |serial| serial.as_str()),
            "type": "SIGNATURE",
            "publicKey": public_key,
        });
        let transfer = DataTransfer {
            vendor_id: CiString::truncated("generalConfiguration"),
            message_id: Some(CiString::truncated("setMeterConfiguration")),
            data: Some(json!({"meters": [meter]}).to_string()),
        };
        self.send_optional_message(Kind::MeterKey, &transfer, false);
    }
}

/// Unlike its number, no other transaction ever has this.
fn reference_of(transaction: &Transaction) -> String {
    format!(
        "{}-{}",
        transaction.number,
        transaction.started.unix_millis()
    )
}

fn written(text: &str, form: SignedForm, public_key: &str) -> String {
    match form {
        SignedForm::Plain => text.to_owned(),
        SignedForm::Hex => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        SignedForm::Oca => oca::signed_value(text, public_key),
    }
}
