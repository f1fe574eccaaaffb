//! How the station introduces itself to the central system.

/// The allowed values of AuthorizationKey in words.
pub(crate) const AUTHORIZATION_KEY: &str =
    "32 to 40 hexadecimal digits (16 to 20 bytes), or a text of 16 to 20 bytes";

/// How to connect from now on.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// 0 to 3; from 2 on the connection is TLS, and the certificate is verified.
    pub profile: u8,
    /// For HTTP Basic, with the station's identity as user; instead of what the address contains.
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "***");
        f.debug_struct("Access")
            .field("profile", &self.profile)
            .field("password", &password)
            .finish()
    }
}

/// The password that `key` stands for; `None` when it can't be one.
///
/// The white paper writes its 16 to 20 bytes as hexadecimal digits. Many central systems send the
/// password itself: a text of that length, which is too short for digits, is taken literally.
pub(crate) fn password(key: &str) -> Option<Vec<u8>> {
    match key.len() {
        16..=20 => Some(key.as_bytes().to_vec()),
        32..=40 if key.len().is_multiple_of(2) => bytes(key),
        _ => None,
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Defect 48 of the field: the digits themselves were sent.
    #[test]
    fn hexadecimal_keys_are_bytes_and_short_ones_are_text() {
        let hex = "4f43415f4f4354545f61646d696e5f74657374";
        assert_eq!(password(hex), Some(b"OCA_OCTT_admin_test".to_vec()));
        assert_eq!(password(&hex.to_uppercase()), password(hex));
        let cases = [
            ("0123456789abcde", None),
            ("0123456789abcdef", Some(b"0123456789abcdef".to_vec())),
            (
                "a password of 20 ch.",
                Some(b"a password of 20 ch.".to_vec()),
            ),
            ("a password of 21 char", None),
            ("000102030405060708090a0b0c0d0e0", None),
            ("000102030405060708090a0b0c0d0e0f", Some((0..16).collect())),
            ("000102030405060708090a0b0c0d0e0fg", None),
            ("000102030405060708090a0b0c0d0e0g", None),
            (
                "000102030405060708090a0b0c0d0e0f10111213",
                Some((0..20).collect()),
            ),
            ("000102030405060708090a0b0c0d0e0f1011121314", None),
            ("", None),
        ];
        for (key, expected) in cases {
            assert_eq!(password(key), expected, "{key}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let access = Access {
            profile: 1,
            password: Some(b"a secret".to_vec()),
        };
        let shown = format!("{access:?}");
        assert!(
            shown.contains("profile: 1") && !shown.contains("secret"),
            "{shown}"
        );
        assert!(!shown.contains("97"), "nor its bytes: {shown}");
    }
}
