//! Signed meter values in the form of the Open Charge Alliance's application note "Signed Meter
//! Values in OCPP" 1.0 (2025-02-10), sections 3.2.1 and 3.2.2.

use serde_json::{Value, json};

/// What an OCMF record is signed by that does not say it.
const OCMF_DEFAULT: &str = "ECDSA-secp256r1-SHA256";

/// An OCMF record as the value of a `SampledValue`: an object as text. `public_key` is as
/// [`public_key`] has it, empty where it is not sent.
pub(crate) fn signed_value(record: &str, public_key: &str) -> String {
    let signature = record.rsplit('|').next().unwrap_or_default();
    let signature: Value = serde_json::from_str(signature).unwrap_or_default();
    let says_it = signature.get("SA").is_some();
    json!({
        "signedMeterData": base64(record.as_bytes()),
        "signingMethod": if says_it { "" } else { OCMF_DEFAULT },
        "encodingMethod": "OCMF",
        "publicKey": public_key,
    })
    .to_string()
}

/// The value of `MeterPublicKey1` for a key in ASN.1 as hexadecimal digits; empty where the meter
/// has not told it.
pub(crate) fn public_key(hex: Option<&str>) -> String {
    match hex {
        None | Some("") => String::new(),
        Some(hex) => base64(format!("oca:base16:asn1:{hex}").as_bytes()),
    }
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, place: u32| {
        let index = group >> (18 - 6 * place) & 63;
        usize::try_from(index)
            .ok()
            .and_then(|index| DIGITS.get(index))
            .map_or('=', |digit| char::from(*digit))
    };
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (place, needed) in [(0, 1), (1, 1), (2, 2), (3, 3)] {
            text.push(if chunk.len() < needed {
                '='
            } else {
                digit(group, place)
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}\u{3fe}>?", "z7/Pvj4/"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_method_is_named_where_the_record_does_not() {
        for (record, expected) in [
            (r#"OCMF|{}|{"SD":"00"}"#, "ECDSA-secp256r1-SHA256"),
            (r#"OCMF|{}|{"SA":"ECDSA-secp192r1-SHA256","SD":"00"}"#, ""),
        ] {
            let value: Value = serde_json::from_str(&signed_value(record, "")).unwrap();
            assert_eq!(value["signingMethod"], expected);
        }
    }

    #[test]
    fn a_public_key_says_what_it_is() {
        assert_eq!(public_key(None), "");
        assert_eq!(public_key(Some("")), "");
        // base64 of oca:base16:asn1:3056
        let expected = "b2NhOmJhc2UxNjphc24xOjMwNTY=";
        assert_eq!(public_key(Some("3056")), expected);
    }
}
