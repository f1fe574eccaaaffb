//! Uploads of logs: GetDiagnostics and GetLog. One at a time; a newer request takes its place.

use serde_json::json;

use super::calls::{Answer, status};
use super::notices::Notice;
use super::{ChargePoint, Output};
use crate::configuration::Key;
use crate::message::incoming::firmware_management::Diagnostics;
use crate::message::incoming::security::{LogKind, LogRequest};
use crate::message::notification::{
    DiagnosticsStatus, DiagnosticsStatusNotification, LogStatus, LogStatusNotification,
};
use crate::upload::{Upload, UploadFailure, UploadedLog};
use crate::{CallError, ErrorCode, Location, Millis, Timestamp};

/// How far back logs go where the central system does not say.
const DAYS: i64 = 7;
/// Attempts where the central system leaves it to us.
const TRIALS: u32 = 3;
/// Seconds between them.
const INTERVAL_S: u32 = 60;
/// The longest `fileName` and `filename`.
const LONGEST_NAME: usize = 255;

/// The upload under way, if any.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    current: Option<Current>,
    last_number: u64,
}

#[derive(Debug)]
struct Current {
    upload: Upload,
    asker: Asker,
    trials_left: u32,
    interval_s: u32,
    /// When the next attempt begins; `None` during one.
    again_at: Option<Millis>,
}

/// Which message asked, and so which one reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    GetDiagnostics,
    GetLog { request: i64 },
}

/// What is told of an upload, in the words of GetLog.
impl Asker {
    fn notice(self, status: LogStatus) -> Notice {
        match self {
            Self::GetDiagnostics => Notice::Diagnostics(DiagnosticsStatusNotification {
                status: match status {
                    LogStatus::Idle => DiagnosticsStatus::Idle,
                    LogStatus::Uploading => DiagnosticsStatus::Uploading,
                    LogStatus::Uploaded => DiagnosticsStatus::Uploaded,
                    LogStatus::BadMessage
                    | LogStatus::NotSupportedOperation
                    | LogStatus::PermissionDenied
                    | LogStatus::UploadFailure => DiagnosticsStatus::UploadFailed,
                },
            }),
            Self::GetLog { request } => Notice::Log(LogStatusNotification {
                status,
                request_id: Some(request),
            }),
        }
    }
}

impl ChargePoint {
    pub(super) fn get_diagnostics(&mut self, request: &Diagnostics) -> Answer {
        let refused = |field: &str, why: &dyn std::fmt::Display| {
            CallError::new(
                ErrorCode::PropertyConstraintViolation,
                format!("{field}: {why}"),
            )
        };
        let location =
            Location::parse(&request.location).map_err(|error| refused("location", &error))?;
        if !in_order(request.start, request.stop) {
            return Err(refused("stopTime", &"before startTime"));
        }
        let upload = self.upload(
            UploadedLog::Diagnostics,
            location,
            request.start,
            request.stop,
        );
        let file_name = upload.file_name.clone();
        self.begin_upload(Current {
            upload,
            asker: Asker::GetDiagnostics,
            trials_left: request.retries.unwrap_or(TRIALS).max(1),
            interval_s: request.retry_interval.unwrap_or(INTERVAL_S),
            again_at: None,
        });
        Ok(Some(json!({"fileName": file_name})))
    }

    pub(super) fn get_log(&mut self, request: &LogRequest) -> Answer {
        let location = match Location::parse(&request.location) {
            Ok(location) if in_order(request.oldest, request.latest) => location,
            Ok(_) => {
                self.warn("GetLog rejected: latestTimestamp is before oldestTimestamp");
                return Ok(Some(status("Rejected")));
            }
            Err(error) => {
                self.warn(format!("GetLog rejected: remoteLocation: {error}"));
                return Ok(Some(status("Rejected")));
            }
        };
        let log = match request.kind {
            LogKind::Diagnostics => UploadedLog::Diagnostics,
            LogKind::Security => UploadedLog::Security,
        };
        let upload = self.upload(log, location, request.oldest, request.latest);
        let file_name = upload.file_name.clone();
        let replaced = self.begin_upload(Current {
            upload,
            asker: Asker::GetLog {
                request: request.request,
            },
            trials_left: request.retries.unwrap_or(TRIALS).max(1),
            interval_s: request.retry_interval.unwrap_or(INTERVAL_S),
            again_at: None,
        });
        let answer = if replaced {
            "AcceptedCanceled"
        } else {
            "Accepted"
        };
        Ok(Some(json!({"status": answer, "filename": file_name})))
    }

    fn upload(
        &mut self,
        log: UploadedLog,
        location: Location,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Upload {
        self.uploads.last_number += 1;
        let (kind, newest) = match log {
            UploadedLog::Diagnostics => ("diagnostics", to.or(self.wall())),
            // It is short and kept for long.
            UploadedLog::Security => ("security", None),
        };
        let file_name = match location.file_name() {
            Some(name) if is_ftp(&location) && name.len() <= LONGEST_NAME => name.to_owned(),
            Some(_) | None => self.archive_name(kind),
        };
        Upload {
            number: self.uploads.last_number,
            log,
            location,
            file_name,
            from: from.or(newest.map(|newest| newest.plus_seconds(-DAYS * 86_400))),
            to,
            upgrade_ftp: self.configuration.flag(Key::FtpTryTlsUpgrade),
        }
    }

    /// Tells the station, and differs between two requests.
    fn archive_name(&self, kind: &str) -> String {
        let identity = &self.settings.identity;
        let station = identity
            .charge_point_serial_number
            .as_ref()
            .map_or(identity.charge_point_model.as_str(), |serial| {
                serial.as_str()
            });
        let station: String = station
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let time: String = self
            .timestamp()
            .to_string()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let number = self.uploads.last_number;
        format!("{kind}-{station}-{time}-{number}.tar.gz")
    }

    /// Whether it takes the place of another.
    fn begin_upload(&mut self, current: Current) -> bool {
        let replaced = self.uploads.current.take();
        // A newer request of the same kind tells that its forerunner is over.
        if let Some(old) = &replaced
            && std::mem::discriminant(&old.asker) != std::mem::discriminant(&current.asker)
        {
            self.tell(old.asker.notice(LogStatus::UploadFailure));
        }
        self.note(format!(
            "{} is uploaded to {}",
            current.upload.file_name, current.upload.location
        ));
        self.tell(current.asker.notice(LogStatus::Uploading));
        self.outputs
            .push(Output::Upload(Box::new(current.upload.clone())));
        self.uploads.current = Some(current);
        replaced.is_some()
    }

    /// What became of an attempt.
    pub(super) fn upload_ended(&mut self, number: u64, outcome: Result<(), UploadFailure>) {
        let now = self.now.monotonic;
        let Some(current) = self
            .uploads
            .current
            .as_mut()
            .filter(|current| current.upload.number == number && current.again_at.is_none())
        else {
            return;
        };
        let status = match outcome {
            Err(_) if current.trials_left > 1 => {
                current.trials_left -= 1;
                current.again_at = Some(now.after_seconds(u64::from(current.interval_s).max(1)));
                return;
            }
            Ok(()) => LogStatus::Uploaded,
            Err(UploadFailure::PermissionDenied) => LogStatus::PermissionDenied,
            Err(UploadFailure::NotSupported) => LogStatus::NotSupportedOperation,
            Err(UploadFailure::Failed) => LogStatus::UploadFailure,
        };
        let notice = current.asker.notice(status);
        self.uploads.current = None;
        self.tell(notice);
    }

    pub(super) fn advance_upload(&mut self) {
        let now = self.now.monotonic;
        if let Some(current) = &mut self.uploads.current
            && current.again_at.take_if(|at| *at <= now).is_some()
        {
            let upload = current.upload.clone();
            self.outputs.push(Output::Upload(Box::new(upload)));
        }
    }

    pub(super) fn upload_deadline(&self) -> Option<Millis> {
        self.uploads
            .current
            .as_ref()
            .and_then(|current| current.again_at)
    }

    pub(super) fn trigger_diagnostics_status(&mut self) {
        let asker = self.uploads.current.as_ref().map(|current| current.asker);
        let status = match asker {
            Some(Asker::GetDiagnostics) => LogStatus::Uploading,
            Some(Asker::GetLog { .. }) | None => LogStatus::Idle,
        };
        self.send_notice(Asker::GetDiagnostics.notice(status), true);
    }

    pub(super) fn trigger_log_status(&mut self) {
        let asker = self.uploads.current.as_ref().map(|current| current.asker);
        let notice = match asker {
            Some(asker @ Asker::GetLog { .. }) => asker.notice(LogStatus::Uploading),
            Some(Asker::GetDiagnostics) | None => Notice::Log(LogStatusNotification {
                status: LogStatus::Idle,
                request_id: None,
            }),
        };
        self.send_notice(notice, true);
    }
}

fn in_order(start: Option<Timestamp>, stop: Option<Timestamp>) -> bool {
    start.zip(stop).is_none_or(|(start, stop)| start <= stop)
}

fn is_ftp(location: &Location) -> bool {
    use crate::location::Scheme;
    matches!(location.scheme(), Scheme::Ftp | Scheme::Ftps)
}
