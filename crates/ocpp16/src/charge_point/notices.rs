//! What became of long work: status messages about firmware and uploads.
//!
//! They are told in their order, each once. A CALLERROR or a time-out counts as told: a station
//! that repeats them is a nuisance. Only those that the connection took along are told again.

use std::collections::VecDeque;

use super::ChargePoint;
use super::link::Kind;
use crate::message::notification::{
    DiagnosticsStatusNotification, FirmwareStatusNotification, LogStatusNotification,
    SignedFirmwareStatusNotification,
};

/// Notices that wait for the connection or their turn.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: VecDeque<Notice>,
    /// Whether the first one is on its way.
    telling: bool,
}

/// A status message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Notice {
    Diagnostics(DiagnosticsStatusNotification),
    Firmware(FirmwareStatusNotification),
    Log(LogStatusNotification),
    SignedFirmware(SignedFirmwareStatusNotification),
}

impl Notice {
    fn kind(&self) -> Kind {
        match self {
            Self::Diagnostics(_) => Kind::DiagnosticsStatus,
            Self::Firmware(_) => Kind::FirmwareStatus,
            Self::Log(_) => Kind::LogStatus,
            Self::SignedFirmware(_) => Kind::SignedFirmwareStatus,
        }
    }
}

impl Notices {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a notice about firmware is still to be told.
    pub(super) fn about_firmware(&self) -> bool {
        self.waiting
            .iter()
            .any(|notice| matches!(notice, Notice::Firmware(_) | Notice::SignedFirmware(_)))
    }
}

impl ChargePoint {
    pub(super) fn tell(&mut self, notice: Notice) {
        self.notices.waiting.push_back(notice);
    }

    /// Sends the first notice when nothing else is under way, so that it is never dropped.
    pub(super) fn tell_notices(&mut self) {
        if self.notices.telling || !self.link.online() || !self.link.idle() {
            return;
        }
        if let Some(notice) = self.notices.waiting.front().copied() {
            self.notices.telling = true;
            self.send_notice(notice, false);
        }
    }

    pub(super) fn send_notice(&mut self, notice: Notice, triggered: bool) {
        let kind = notice.kind();
        match notice {
            Notice::Diagnostics(message) => self.send_optional_message(kind, &message, triggered),
            Notice::Firmware(message) => self.send_optional_message(kind, &message, triggered),
            Notice::Log(message) => self.send_optional_message(kind, &message, triggered),
            Notice::SignedFirmware(message) => {
                self.send_optional_message(kind, &message, triggered);
            }
        }
    }

    /// An answer of any kind, or none within its time.
    pub(super) fn notice_told(&mut self, kind: Kind) {
        let first = self.notices.waiting.front().map(Notice::kind);
        // Triggered ones come on top.
        if self.notices.telling && first == Some(kind) {
            self.notices.telling = false;
            self.notices.waiting.pop_front();
            self.forget_told_firmware();
        }
    }

    pub(super) fn notice_lost(&mut self, kind: Kind) {
        if self.link.open {
            return self.notice_told(kind);
        }
        self.notices.telling = false;
    }
}
