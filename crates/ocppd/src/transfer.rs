//! The transfer of a file to a server, by curl (ADR 0034).
//!
//! The address and its credentials go to curl's standard input: the list of processes shows
//! arguments.

use std::path::Path;
use std::process::Stdio;

use ocpp16::{Location, Scheme, UploadFailure, hide_credentials};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// In the background: a charging session comes first.
const PROGRAM: [&str; 4] = ["nice", "-n", "19", "curl"];

/// No configuration of the user, no redirects, nothing but these protocols, no patience with a
/// server that stalls.
const OPTIONS: [&str; 21] = [
    "--disable",
    "--config",
    "-",
    "--silent",
    "--show-error",
    "--globoff",
    "--fail",
    "--proto",
    "=http,https,ftp,ftps",
    "--connect-timeout",
    "30",
    "--max-time",
    "1800",
    "--speed-limit",
    "1",
    "--speed-time",
    "60",
    "--write-out",
    "%{response_code}",
    "--output",
    "/dev/null",
];

/// The most that is kept of what curl complains about.
const LONGEST_COMPLAINT: usize = 300;

/// Where a file goes, in curl's terms.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// With credentials.
    url: String,
    file_name: String,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// POST as a form with the field `file` (guide 3.3: using method POST).
    Http,
    Ftp(Tls),
}

/// How FTP is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// Not at all.
    Off,
    /// AUTH TLS where the server offers it. Any certificate will do: plain text would, too.
    Opportunistic,
    /// AUTH TLS or nothing.
    Required,
    /// From the first byte on.
    Implicit,
}

/// Why a transfer failed; credentials are not repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("curl can't be run: {0}")]
    Program(#[from] std::io::Error),
    #[error("curl ended with {exit}, the server's answer was {response}: {complaint}")]
    Refused {
        exit: i32,
        response: u32,
        complaint: String,
    },
}

impl Target {
    /// `location` is a folder, or has a file name of its own (guide 3.3.12).
    pub(crate) fn new(location: &Location, file_name: &str, upgrade_ftp: bool) -> Self {
        let way = match location.scheme() {
            Scheme::Http | Scheme::Https => Way::Http,
            Scheme::Ftp if upgrade_ftp => Way::Ftp(Tls::Opportunistic),
            Scheme::Ftp => Way::Ftp(Tls::Off),
            // The port of plain FTP: such a server wants AUTH TLS.
            Scheme::Ftps if location.port() == Some(21) => Way::Ftp(Tls::Required),
            Scheme::Ftps => Way::Ftp(Tls::Implicit),
        };
        let mut url = location.revealed().to_owned();
        if way == Way::Ftp(Tls::Required) {
            url = url.replacen("ftps://", "ftp://", 1);
        }
        if matches!(way, Way::Ftp(_)) && location.file_name().is_none() {
            if !url.ends_with('/') {
                url.push('/');
            }
            url.push_str(file_name);
        }
        Self {
            url,
            file_name: file_name.to_owned(),
            way,
        }
    }

    /// The lines of curl's configuration.
    fn configuration(&self, file: &Path) -> String {
        let file = file.display().to_string();
        let mut lines = vec![format!("url = {}", quoted(&self.url))];
        match self.way {
            Way::Http => {
                let form = format!(
                    "file=@{};filename={};type=application/gzip",
                    quoted(&file),
                    quoted(&self.file_name)
                );
                lines.push(format!("form = {}", quoted(&form)));
            }
            Way::Ftp(tls) => {
                lines.push(format!("upload-file = {}", quoted(&file)));
                match tls {
                    Tls::Off | Tls::Implicit => {}
                    Tls::Opportunistic => lines.extend(["ssl".to_owned(), "insecure".to_owned()]),
                    Tls::Required => lines.push("ssl-reqd".to_owned()),
                }
            }
        }
        lines.join("\n")
    }
}

impl TransferError {
    /// What the central system is told.
    pub(crate) fn failure(&self) -> UploadFailure {
        /// curl's exit codes for a protocol it lacks, a refused folder and a refused login.
        const UNSUPPORTED: i32 = 1;
        const DENIED: [i32; 2] = [9, 67];
        match self {
            Self::Program(_) => UploadFailure::Failed,
            Self::Refused { exit, response, .. } => match (*exit, *response) {
                (UNSUPPORTED, _) | (_, 405 | 501) => UploadFailure::NotSupported,
                (_, 401 | 403 | 407 | 530 | 550 | 553) => UploadFailure::PermissionDenied,
                (exit, _) if DENIED.contains(&exit) => UploadFailure::PermissionDenied,
                _ => UploadFailure::Failed,
            },
        }
    }
}

/// Transfers `file`; breaking off ends curl as well.
///
/// # Errors
/// When the server did not confirm that it has all of it.
pub(crate) async fn send(file: &Path, target: &Target) -> Result<(), TransferError> {
    let [nice, words @ ..] = PROGRAM;
    let mut curl = Command::new(nice)
        .args(words)
        .args(OPTIONS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = curl.stdin.take() {
        input
            .write_all(target.configuration(file).as_bytes())
            .await?;
    }
    let output = curl.wait_with_output().await?;
    let exit = output.status.code().unwrap_or(-1);
    let response = String::from_utf8_lossy(&output.stdout);
    let response = response.trim().parse().unwrap_or(0);
    // A redirect, for example, is no error to curl.
    let confirmed = (200..300).contains(&response);
    if output.status.success() && confirmed {
        return Ok(());
    }
    let complaint = hide_credentials(&String::from_utf8_lossy(&output.stderr));
    let complaint = complaint.lines().next().unwrap_or_default();
    let complaint = complaint.chars().take(LONGEST_COMPLAINT).collect();
    Err(TransferError::Refused {
        exit,
        response,
        complaint,
    })
}

/// A word of curl's configuration, or of its forms.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(location: &str, upgrade_ftp: bool) -> Target {
        Target::new(
            &Location::parse(location).unwrap(),
            "log.tar.gz",
            upgrade_ftp,
        )
    }

    // covers: ODG-004, ODG-005, ODG-006
    #[test]
    fn the_file_is_put_where_the_guide_says() {
        for (location, upgrade, url, way) in [
            (
                "ftp://u:p@h/dir/",
                false,
                "ftp://u:p@h/dir/log.tar.gz",
                Way::Ftp(Tls::Off),
            ),
            ("ftp://h", false, "ftp://h/log.tar.gz", Way::Ftp(Tls::Off)),
            (
                "ftp://h//abs/",
                true,
                "ftp://h//abs/log.tar.gz",
                Way::Ftp(Tls::Opportunistic),
            ),
            (
                "ftp://h/mine",
                true,
                "ftp://h/mine",
                Way::Ftp(Tls::Opportunistic),
            ),
            (
                "ftps://h/dir/",
                true,
                "ftps://h/dir/log.tar.gz",
                Way::Ftp(Tls::Implicit),
            ),
            (
                "ftps://h:21/dir/",
                false,
                "ftp://h:21/dir/log.tar.gz",
                Way::Ftp(Tls::Required),
            ),
            ("https://h/up/?a=b", false, "https://h/up/?a=b", Way::Http),
        ] {
            let target = target(location, upgrade);
            assert_eq!((target.url.as_str(), target.way), (url, way), "{location}");
        }
    }

    #[test]
    fn curl_reads_the_names_as_they_are() {
        let file = Path::new("/tmp/a \"b\"\\c;d");
        let http = target("http://h/", false).configuration(file);
        assert_eq!(
            http,
            "url = \"http://h/\"\nform = \"file=@\\\"/tmp/a \\\\\\\"b\\\\\\\"\\\\\\\\c;d\\\";filename=\\\"log.tar.gz\\\";type=application/gzip\""
        );
        let ftp = target("ftp://h/", true).configuration(Path::new("/x"));
        assert_eq!(
            ftp,
            "url = \"ftp://h/log.tar.gz\"\nupload-file = \"/x\"\nssl\ninsecure"
        );
    }

    #[test]
    fn refusals_are_told_from_failures() {
        for (exit, response, expected) in [
            (67, 530, UploadFailure::PermissionDenied),
            (22, 401, UploadFailure::PermissionDenied),
            (9, 0, UploadFailure::PermissionDenied),
            (22, 405, UploadFailure::NotSupported),
            (1, 0, UploadFailure::NotSupported),
            (22, 500, UploadFailure::Failed),
            (0, 302, UploadFailure::Failed),
            (28, 0, UploadFailure::Failed),
        ] {
            let complaint = String::new();
            let error = TransferError::Refused {
                exit,
                response,
                complaint,
            };
            assert_eq!(error.failure(), expected, "{exit} {response}");
        }
    }
}
