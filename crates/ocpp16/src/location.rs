//! Addresses of files and folders on servers. They may carry credentials, which are never shown.

use serde::{Deserialize, Serialize};

/// An HTTP, HTTPS, FTP or FTPS address that is safe to hand to a transfer program.
///
/// `Display` and `Debug` hide the credentials; [`Location::revealed`] has them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location {
    text: String,
    scheme: Scheme,
}

/// How a location is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ftp`
    Ftp,
    /// `ftps`
    Ftps,
}

const SCHEMES: [(&str, Scheme); 4] = [
    ("http", Scheme::Http),
    ("https", Scheme::Https),
    ("ftp", Scheme::Ftp),
    ("ftps", Scheme::Ftps),
];

/// Why an address can't be used; the address is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// None of the four.
    #[error("none of http://, https://, ftp:// and ftps://")]
    Scheme,
    /// Missing, or something that is no host name.
    #[error("no valid host name")]
    Host,
    /// Not 1 to 65535.
    #[error("the port is not 1 to 65535")]
    Port,
    /// Blanks, quotes and control characters, also percent-encoded ones.
    #[error("a character that an address can't have")]
    Character,
}

impl Location {
    /// Reads `scheme://[user[:password]@]host[:port][/path]`. The scheme may be in upper case.
    ///
    /// # Errors
    /// When it is anything else, or might be taken for something else by a transfer program.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let (scheme, rest) = text.split_once("://").ok_or(LocationError::Scheme)?;
        let known = SCHEMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        let (name, scheme) = *known.ok_or(LocationError::Scheme)?;
        if !rest.bytes().all(is_allowed) || has_encoded_control(rest) {
            return Err(LocationError::Character);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        check_host(authority.rsplit('@').next().unwrap_or(authority))?;
        Ok(Self {
            text: format!("{name}://{rest}"),
            scheme,
        })
    }

    /// The address with its credentials.
    pub fn revealed(&self) -> &str {
        &self.text
    }

    /// How it is reached.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The TCP port, where one is named.
    pub fn port(&self) -> Option<u16> {
        let authority = self.rest().split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        host.rsplit_once(':')?.1.parse().ok()
    }

    /// The name of the file, where the address is not one of a folder. A folder ends with a slash
    /// or has no path (guide 3.3.12).
    pub fn file_name(&self) -> Option<&str> {
        let (_, path) = self.rest().split_once('/')?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Without the scheme.
    fn rest(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }
}

/// The characters of RFC 3986.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// `%0a` would end a command of FTP and begin another.
fn has_encoded_control(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let code = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        code.is_none_or(|code| code.is_ascii_control())
    })
}

fn check_host(host: &str) -> Result<(), LocationError> {
    let (host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, after)) => {
            address
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| LocationError::Host)?;
            ("ipv6", after)
        }
        None => host
            .find(':')
            .map_or((host, ""), |colon| host.split_at(colon)),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.is_empty() || host.starts_with('-') || !host.bytes().all(is_name) {
        return Err(LocationError::Host);
    }
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().map_err(|_| LocationError::Port)?,
        None if port.is_empty() => 1,
        None => 0_u16,
    };
    if port == 0 {
        return Err(LocationError::Port);
    }
    Ok(())
}

/// `text` with `***` in place of the credentials of every address in it.
pub fn hide_credentials(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || c == '"' || c == '\'';
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(ends) {
        match credentials(word) {
            Some((before, after)) => shown.extend([before, "***", after]),
            None => shown.push_str(word),
        }
    }
    shown
}

/// What stands before and after the credentials in `word`. They end at its last @: a password may
/// hold one, or a slash or another address, that should have been encoded.
fn credentials(word: &str) -> Option<(&str, &str)> {
    // The second form is that of JSON with escaped slashes.
    const AFTER_SCHEME: [&str; 2] = ["://", r":\/\/"];
    let end = |mark: &&str| word.find(*mark).map(|place| place + mark.len());
    let begin = AFTER_SCHEME.iter().filter_map(end).min()?;
    let at = word.rfind('@').filter(|at| *at >= begin)?;
    Some((word.get(..begin)?, word.get(at..)?))
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hide_credentials(&self.text))
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Location({self})")
    }
}

impl TryFrom<String> for Location {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        Self::parse(&text)
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: OFW-001
    #[test]
    fn four_schemes_are_taken_with_credentials_ports_and_paths() {
        for (text, scheme, port, file) in [
            ("http://host/fw.image", Scheme::Http, None, Some("fw.image")),
            (
                "https://u:p@host:8443/a/b/",
                Scheme::Https,
                Some(8443),
                None,
            ),
            (
                "FTP://u:p%40ss@10.0.0.1//abs/fw.raucb",
                Scheme::Ftp,
                None,
                Some("fw.raucb"),
            ),
            ("ftps://[fe80::1]:990/x", Scheme::Ftps, Some(990), Some("x")),
            ("ftp://host", Scheme::Ftp, None, None),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(
                (location.scheme(), location.port(), location.file_name()),
                (scheme, port, file),
                "{text}"
            );
        }
        let shouted = Location::parse("HTTP://Host/Path").unwrap();
        assert_eq!(shouted.revealed(), "http://Host/Path");
    }

    #[test]
    fn what_is_no_harmless_address_is_refused() {
        for (text, error) in [
            ("", LocationError::Scheme),
            ("-o/etc/passwd", LocationError::Scheme),
            ("file:///etc/passwd", LocationError::Scheme),
            ("gopher://host/1", LocationError::Scheme),
            ("scp://host/x", LocationError::Scheme),
            ("http:/host", LocationError::Scheme),
            ("ftp://", LocationError::Host),
            ("http:///x", LocationError::Host),
            ("http://-oProxy/x", LocationError::Host),
            ("http://a%20b/x", LocationError::Host),
            ("http://[nonsense]/x", LocationError::Host),
            ("http://user@/x", LocationError::Host),
            ("http://host:0/x", LocationError::Port),
            ("http://host:99999/x", LocationError::Port),
            ("ftp://user:pa/ss@host/x", LocationError::Port),
            ("http://host/a b", LocationError::Character),
            (
                "http://host/\"\noutput = \"/etc/passwd",
                LocationError::Character,
            ),
            ("ftp://host/a%0d%0aDELE b", LocationError::Character),
            ("ftp://u%0A:p@host/", LocationError::Character),
            ("http://host/%zz", LocationError::Character),
            ("http://hóst/", LocationError::Character),
        ] {
            assert_eq!(Location::parse(text).unwrap_err(), error, "{text}");
        }
    }

    // covers: OFW-014
    #[test]
    fn credentials_are_not_shown() {
        let location = Location::parse("ftp://user:secret@host/dir/").unwrap();
        assert_eq!(location.to_string(), "ftp://***@host/dir/");
        assert_eq!(format!("{location:?}"), "Location(ftp://***@host/dir/)");
        assert!(location.revealed().contains("secret"));
        for (text, shown) in [
            ("nothing", "nothing"),
            (
                r#"{"a":"ftp://u:p@h/","b":"http://h/@x"}"#,
                r#"{"a":"ftp://***@h/","b":"http://***@x"}"#,
            ),
            ("ftp://u:p@ss@h x://y", "ftp://***@h x://y"),
            ("ftp://u:p/w@h", "ftp://***@h"),
            (r#"{"a":"ftp:\/\/u:p@h\/"}"#, r#"{"a":"ftp:\/\/***@h\/"}"#),
        ] {
            assert_eq!(hide_credentials(text), shown);
        }
    }

    #[test]
    fn the_credentials_of_a_hostile_log_are_hidden_in_no_time() {
        // Quadratic, this would take minutes.
        for (hostile, times) in [("http://h ", 400_000), ("http://h", 400_000)] {
            let text = hostile.repeat(times);
            assert!(hide_credentials(&text) == text);
        }
    }
}
