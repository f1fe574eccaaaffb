//! Texts with rules of their own.

use super::{Payload, PayloadError};

/// Longest plain text, in bytes; certificates travel as JSON.
const MAX_TEXT: usize = 4096;

impl Payload for String {
    const FORM: &'static str = "UTF-8 text of at most 4096 bytes without control characters";

    fn encode(&self) -> String {
        self.clone()
    }

    fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
        checked(payload, Self::FORM, |text| {
            text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
        })
    }
}

macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident: $form:literal, $is_valid:expr;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// `None` when the text breaks the rule.
            pub fn new(text: &str) -> Option<Self> {
                Self::decode(text.as_bytes()).ok()
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Payload for $name {
            const FORM: &'static str = $form;

            fn encode(&self) -> String {
                self.0.clone()
            }

            fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
                checked(payload, Self::FORM, $is_valid).map(Self)
            }
        }
    )*};
}

texts! {
    /// An EVSEID (ISO 15118-2, at most 37 characters).
    EvseId: "1 to 37 printable ASCII characters",
        |text| (1..=37).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    /// What a request and its answer have in common; the asker's choice.
    RequestId: "1 to 64 ASCII letters, digits and hyphens",
        |text| (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    /// The name under which a customer service exchanges DataTransfer messages (guide 3.3.8.2).
    ServiceId: "1 to 64 characters without slash, blank, plus, hash and dollar",
        |text| (1..=64).contains(&text.chars().count())
            && !text.contains(['/', ' ', '+', '#', '$'])
            && !text.chars().any(char::is_control);
    /// Where a firmware file is fetched from; may contain credentials, so it is not for logs.
    FirmwareUrl: "a URL that begins with http://, https://, ftp:// or ftps://",
        is_firmware_url;
    /// An Ethernet address.
    MacAddress: "six upper-case hex bytes with colons, e.g. 00:12:34:56:78:9A",
        is_mac_address;
}

fn is_firmware_url(text: &str) -> bool {
    let rest = ["http://", "https://", "ftp://", "ftps://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let printable = text.len() <= MAX_TEXT && !text.contains(|c: char| c.is_control() || c == ' ');
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) && printable
}

fn is_mac_address(text: &str) -> bool {
    let is_byte = |byte: &str| {
        byte.len() == 2 && byte.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))
    };
    text.split(':').count() == 6 && text.split(':').all(is_byte)
}

fn checked(
    payload: &[u8],
    form: &'static str,
    is_valid: impl FnOnce(&str) -> bool,
) -> Result<String, PayloadError> {
    let text = super::text(payload, form)?;
    if is_valid(text) {
        Ok(text.to_owned())
    } else {
        Err(PayloadError::new(payload, form))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_rules() {
        assert!(EvseId::new("DE*INT*ECH1234567890").is_some());
        assert!(EvseId::new(&"X".repeat(38)).is_none());
        assert!(RequestId::new("9651eeb6adce-6").is_some());
        assert!(RequestId::new(&"7".repeat(65)).is_none());
        for wrong in ["", " ", "a b", "\"1\"", "{}", "7.5", "\u{661}", "1\n"] {
            assert!(RequestId::new(wrong).is_none(), "{wrong}");
        }
        assert!(ServiceId::new("pid-4711").is_some());
        for wrong in ["", "a/b", "a b", "a+", "#", "$SYS"] {
            assert!(ServiceId::new(wrong).is_none(), "{wrong}");
        }
        assert!(MacAddress::new("00:12:34:56:78:9A").is_some());
        for wrong in [
            "00:12:34:56:78:9a",
            "00:12:34:56:78",
            "0:12:34:56:78:9A0",
            "",
        ] {
            assert!(MacAddress::new(wrong).is_none(), "{wrong}");
        }
        assert!(FirmwareUrl::new("ftp://user:secret@host/fw.image").is_some());
        for wrong in [
            "",
            "http://",
            "https:///x",
            "file:///etc/passwd",
            "http://a b",
            "HTTP",
        ] {
            assert!(FirmwareUrl::new(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn plain_text_refuses_control_characters_and_size() {
        assert!(String::decode(b"a\0b").is_err());
        assert!(String::decode(&[0xC3, 0x28]).is_err());
        assert!(String::decode("x".repeat(4097).as_bytes()).is_err());
        assert_eq!(String::decode(b""), Ok(String::new()));
    }
}
