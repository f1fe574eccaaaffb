//! Signed meter values in the form of the Open Charge Alliance's application note "Signed Meter
//! Values in OCPP" 1.0 (2025-02-10), sections 3.2.1 and 3.2.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        "signedMeterData": STANDARD.encode(record),
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
        Some(hex) => STANDARD.encode(format!("oca:base16:asn1:{hex}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
