//! The central system's address: `ocpp/uri` of customer.json.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::http::Uri;

/// Where the central system is. The path ends with this station's identity and is used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// wss.
    pub secure: bool,
    /// Host name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// TCP port, 80 or 443 where none is named.
    pub port: u16,
    /// Without user and password: fit for logs and for comparison.
    pub uri: Uri,
    /// The value of the header `Authorization`.
    pub authorization: Option<String>,
    /// The last segment of the path, percent-decoded: who this station is.
    pub identity: Vec<u8>,
}

/// Why an `ocpp/uri` can't be used; the password is never repeated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum AddressError {
    #[error("ocpp/uri is empty; allowed: ws://host/identity or wss://host/identity")]
    Empty,
    #[error("ocpp/uri: the scheme is neither ws:// nor wss:// in lower case")]
    Scheme,
    #[error("ocpp/uri: not a URI: {0}")]
    Form(String),
    #[error("ocpp/uri: user and password are not percent-encoded UTF-8")]
    Credentials,
}

impl Address {
    /// Reads `ws[s]://[user[:password]@]host[:port]/path`.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (secure, rest) = match (text.strip_prefix("wss://"), text.strip_prefix("ws://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(AddressError::Scheme),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        let (credentials, rest) = match authority.rfind('@') {
            Some(place) => {
                let (credentials, rest) = rest.split_at(place);
                (Some(credentials), rest.trim_start_matches('@'))
            }
            None => (None, rest),
        };
        let scheme = if secure { "wss" } else { "ws" };
        let uri: Uri = format!("{scheme}://{rest}")
            .parse()
            .map_err(|error| AddressError::Form(format!("{error}")))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| AddressError::Form("no host".to_owned()))?;
        Ok(Self {
            secure,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authorization: credentials.map(basic).transpose()?,
            identity: identity(&uri),
            uri,
        })
    }

    /// The same over TLS: with the port that is named, else with the one of `wss`.
    pub(crate) fn over_tls(&self) -> Self {
        let text = self.uri.to_string();
        let rest = text.strip_prefix("ws://");
        let uri = rest.and_then(|rest| format!("wss://{rest}").parse::<Uri>().ok());
        match uri {
            Some(uri) => Self {
                secure: true,
                port: uri.port_u16().unwrap_or(443),
                uri,
                ..self.clone()
            },
            None => self.clone(),
        }
    }

    /// The header `Authorization` for the identity and `password` (RFC 7617).
    pub(crate) fn authorization(&self, password: &[u8]) -> String {
        let credentials = [self.identity.as_slice(), b":", password].concat();
        format!("Basic {}", STANDARD.encode(credentials))
    }
}

fn identity(uri: &Uri) -> Vec<u8> {
    let segment = uri.path().rsplit('/').next().unwrap_or_default();
    decode(segment).unwrap_or_else(|_| segment.as_bytes().to_vec())
}

/// HTTP Basic (RFC 7617).
fn basic(credentials: &str) -> Result<String, AddressError> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let decoded = [decode(user)?, b":".to_vec(), decode(password)?].concat();
    Ok(format!("Basic {}", STANDARD.encode(decoded)))
}

/// Percent-decoding (RFC 3986).
fn decode(text: &str) -> Result<Vec<u8>, AddressError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()]
            .map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
        let [Some(high), Some(low)] = digits else {
            return Err(AddressError::Credentials);
        };
        decoded.push(u8::try_from(high * 16 + low).map_err(|_| AddressError::Credentials)?);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: OC-002
    #[test]
    fn only_ws_and_wss_in_lower_case() {
        for text in [
            "http://h/x",
            "WS://h/x",
            "Wss://h/x",
            "h/x",
            "ws:/h",
            "ws://",
            "ws:///x",
            "ws://h h/x",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let plain = Address::parse("ws://host/ocpp/CP%201").unwrap();
        assert_eq!(
            (plain.secure, plain.host.as_str(), plain.port),
            (false, "host", 80)
        );
        assert_eq!(plain.uri.path(), "/ocpp/CP%201");
        let secure = Address::parse("wss://[::1]:8443/a?b=c").unwrap();
        assert_eq!(
            (secure.secure, secure.host.as_str(), secure.port),
            (true, "::1", 8443)
        );
    }

    // Defect 48 of the field: the password is bytes, which need not be text.
    #[test]
    fn the_identity_authenticates_with_bytes() {
        let address = Address::parse("ws://host/ocpp/CP%201").unwrap();
        let header = address.authorization(&[0, 255, b':']);
        let credentials = STANDARD.decode(header.strip_prefix("Basic ").unwrap());
        assert_eq!(credentials.unwrap(), b"CP 1:\x00\xff:");
    }

    #[test]
    fn tls_changes_the_scheme_and_the_port_that_is_not_named() {
        for (plain, secure, port) in [
            ("ws://host/CP1", "wss://host/CP1", 443),
            ("ws://host:9000/CP1?a=b", "wss://host:9000/CP1?a=b", 9000),
            ("wss://host:1/CP1", "wss://host:1/CP1", 1),
        ] {
            let address = Address::parse(plain).unwrap().over_tls();
            assert_eq!(
                (address.uri.to_string().as_str(), address.port),
                (secure, port)
            );
            assert!(address.secure);
        }
    }

    #[test]
    fn user_and_password_become_a_header_and_leave_the_uri() {
        let address = Address::parse("ws://CP1:p%40ss%3A@host:9000/CP1").unwrap();
        assert_eq!(address.uri.to_string(), "ws://host:9000/CP1");
        assert_eq!(
            address.authorization.unwrap(),
            format!("Basic {}", STANDARD.encode("CP1:p@ss:"))
        );
        assert_eq!(
            Address::parse("ws://a:%4@host/x"),
            Err(AddressError::Credentials)
        );
    }
}
