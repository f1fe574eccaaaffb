//! Texts: what the meter is told, and what it has signed.

use chrono::DateTime;

use crate::maps::Signing;

/// What stands before X and Y in the DER of a public key on secp256r1 (RFC 5480).
const KEY_HEAD: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
/// Bytes of X and Y.
const POINT_LENGTH: usize = 64;

/// What a record says about the station.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Maker and model of the station.
    pub gateway: String,
    /// Its serial number.
    pub serial: String,
    /// The EVSE's identification.
    pub evse: String,
}

/// The dataset of a WM3M4C: names in this order, no blanks between them; the meter fills
/// in what is empty.
pub(super) fn dataset(labels: &Labels, id_tag: &str) -> String {
    // Lengths of the Open Charge Metering Format 1.0.
    let [gateway, serial, evse] = [
        label(&labels.gateway, 41),
        label(&labels.serial, 25),
        label(&labels.evse, 37),
    ];
    let id_tag = label(id_tag, 40);
    format!(
        "{{\"FV\":\"1.0\",\"GI\":\"{gateway}\",\"GS\":\"{serial}\",\"PG\":\"\",\"MV\":\"\",\
         \"MM\":\"\",\"MS\":\"\",\"MF\":\"\",\"IS\":true,\"IF\":[],\"IT\":\"UNDEFINED\",\
         \"ID\":\"{id_tag}\",\"CT\":\"EVSEID\",\"CI\":\"{evse}\",\"RD\":[]}}"
    )
}

/// The text without what would end a JSON text or an OCMF part, cut to `longest`.
pub(super) fn label(text: &str, longest: usize) -> String {
    text.chars()
        .filter(|one| matches!(one, ' '..='~') && !matches!(one, '"' | '\\' | '|'))
        .take(longest)
        .collect()
}

/// The record of `message` and its signature in DER.
pub(super) fn ocmf(message: &str, signature: &[u8]) -> String {
    let signature = canonical(signature).unwrap_or_else(|| signature.to_vec());
    let digits: String = signature.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("OCMF|{message}|{{\"SD\":\"{digits}\"}}")
}

/// When the first reading in `text` was taken, Unix time in s.
pub(super) fn began(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once("\"TM\":\"")?;
    // "2023-04-14T11:51:06,000+0000 S": the letter tells how the clock was set.
    let (time, _) = rest.split_once(' ')?;
    let time = DateTime::parse_from_str(&time.replace(',', "."), "%Y-%m-%dT%H:%M:%S%.f%z");
    Some(time.ok()?.timestamp())
}

/// Whether `text` holds the reading of an end.
pub(super) fn has_ended(text: &str) -> bool {
    text.contains("\"TX\":\"E\"")
}

/// `length` bytes of registers as text, when they are one.
pub(super) fn text(words: &[u16], length: usize) -> Option<String> {
    let mut bytes = bytes(words);
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

/// Two bytes in a register, first one high.
pub(super) fn bytes(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// `text` in registers, padded with NUL.
pub(super) fn words(text: &str) -> Vec<u16> {
    let pair = |pair: &[u8]| {
        let high = pair.first().copied().unwrap_or(0);
        u16::from_be_bytes([high, pair.get(1).copied().unwrap_or(0)])
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

/// The public key in the registers of [`Signing::key`], as hexadecimal digits of its DER;
/// empty when there is none.
pub fn public_key(signing: &Signing, words: &[u16]) -> String {
    let content = bytes(words);
    let (head, key) = match signing {
        Signing::Transaction(_) => (KEY_HEAD, content.get(..POINT_LENGTH)),
        Signing::Snapshot(_) => {
            let length = words.get(1).copied().map_or(0, usize::from);
            ("", content.get(4..4 + length))
        }
    };
    match key {
        Some(key) if key.iter().any(|byte| *byte != 0) => {
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{head}{digits}")
        }
        Some(_) | None => String::new(),
    }
}

/// The signature with its two numbers as short as DER wants them: some meters put zeros
/// before them, and verifiers refuse that.
fn canonical(signature: &[u8]) -> Option<Vec<u8>> {
    let [0x30, _, rest @ ..] = signature else {
        return None;
    };
    let (r, rest) = integer(rest)?;
    let (s, _) = integer(rest)?;
    let length = u8::try_from(4 + r.len() + s.len()).ok()?;
    let mut der = vec![0x30, length];
    for number in [r, s] {
        der.extend([0x02, number.len() as u8]);
        der.extend(number);
    }
    Some(der)
}

/// A DER integer without needless zeros, and what follows it.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = der else {
        return None;
    };
    let (mut number, rest) = rest.split_at_checked(usize::from(*length))?;
    while let [0, next, ..] = number
        && *next < 0x80
    {
        number = &number[1..];
    }
    Some((number, rest))
}
