//! openssl's judgement of signed records.

use std::process::Command;

/// Whether the OCMF `text` is signed by the key whose DER has these hexadecimal digits.
pub fn is_signed_by(text: &str, key: &str) -> bool {
    let [format, message, signature] = text.split('|').collect::<Vec<_>>()[..] else {
        panic!("not three parts: {text}")
    };
    assert_eq!(format, "OCMF");
    let (_, digits) = signature.split_once("\"SD\":\"").unwrap();
    let digits = digits.trim_end_matches("\"}");
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-keyform", "DER", "-verify"])
        .arg(file("key.der", &bytes(key)))
        .arg("-signature")
        .arg(file("signature.der", &bytes(digits)))
        .arg(file("message", message.as_bytes()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match (output.status.success(), said.trim()) {
        (true, "Verified OK") => true,
        (false, "Verification failure" | "Verification Failure") => false,
        _ => panic!("openssl: {output:?}"),
    }
}

/// It is.
#[allow(dead_code, reason = "not every test that includes this file needs it")]
pub fn assert_signed_by(text: &str, key: &str) {
    assert!(is_signed_by(text, key), "{text} is not signed by {key}");
}

fn bytes(digits: &str) -> Vec<u8> {
    assert!(
        digits.len().is_multiple_of(2) && digits.is_ascii(),
        "{digits:?}"
    );
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}
