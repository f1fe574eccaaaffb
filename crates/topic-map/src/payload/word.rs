//! Closed sets of words (and of the numbers that ISO 15118-2 gives its enumerations).

use super::{MaybeEmpty, Payload, PayloadError};

macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $(#[$first_meta:meta])* $first:ident = $first_text:literal $(| $first_alias:literal)?,
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal $(| $alias:literal)?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[$first_meta])* $first,
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Every value, in the guide's order.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant,)*];

            /// The word as published.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Payload for $name {
            const FORM: &'static str = concat!("one of: ", $first_text, $(", ", $text,)*);

            fn encode(&self) -> String {
                self.as_str().to_owned()
            }

            fn decode(payload: &[u8]) -> Result<Self, PayloadError> {
                let text = super::text(payload, Self::FORM)?;
                match text {
                    $first_text $(| $first_alias)? => Ok(Self::$first),
                    $($text $(| $alias)? => Ok(Self::$variant),)*
                    _ => Err(PayloadError::new(payload, Self::FORM)),
                }
            }
        }

        impl MaybeEmpty for $name {
            const FORM_OR_EMPTY: &'static str =
                concat!("empty or one of: ", $first_text, $(", ", $text,)*);
        }
    )*};
}

words! {
    /// Whether the station offers its service (guide 3.3.5).
    Availability {
        /// In service.
        Operative = "operative",
        /// Out of service.
        Inoperative = "inoperative",
    }

    /// The answer to an authorization request (a topic of ours).
    AuthorizationResult {
        /// The user may charge.
        Accepted = "accepted",
        /// The user may not.
        Rejected = "rejected",
    }

    /// The control pilot's state (guide 15.3 table 57, IEC 61851-1 table A.2).
    CpState {
        /// No EV: 12 V.
        A = "A",
        /// EV connected, does not take energy: 9 V.
        B = "B",
        /// EV takes energy: 6 V.
        C = "C",
        /// EV takes energy and asks for ventilation: 3 V.
        D = "D",
        /// Short circuit or loss of supply: 0 V.
        E = "E",
        /// Station not available: -12 V.
        F = "F",
    }

    /// The plug lock as detected.
    PlugStatus {
        /// Locked.
        Locked = "locked",
        /// Unlocked.
        Unlocked = "unlocked",
        /// Can't be detected.
        Unknown = "unknown",
    }

    /// The contactor as detected.
    ContactorStatus {
        /// Closed.
        Closed = "closed",
        /// Open.
        Opened = "opened",
        /// Can't be detected.
        Unknown = "unknown",
    }

    /// The protocol of the running session.
    ChargeProtocol {
        /// High level communication.
        Iso15118 = "ISO15118",
        /// Control pilot only.
        Iec61851 = "IEC61851",
    }

    /// A phase of the session.
    PhaseStatus {
        /// The phase has begun.
        Started = "started",
        /// The phase is over.
        Finished = "finished",
    }

    /// Why the plug lock failed for good; equals the `vendorErrorCode` (guide 3.3.4.2-3.3.4.6).
    PlugLockFailure {
        /// The capacitor that opens the lock on power loss does not charge.
        MotorCapNotCharged = "PlugLockMotorCapNotCharged",
        /// Opened without a command.
        MotorUnexpectedOpen = "PlugLockMotorUnexpectedOpen",
        /// Closed without a command.
        MotorUnexpectedClose = "PlugLockMotorUnexpectedClose",
        /// Does not lock.
        CannotLock = "PlugLockCannotLock",
        /// Does not unlock.
        CannotUnlock = "PlugLockCannotUnlock",
    }

    /// What is wrong at the proximity pilot; equals the `vendorErrorCode`
    /// (guide 3.3.4.34-3.3.4.36).
    ProximityError {
        /// No cable where one must be.
        NoCable = "ProximityNoCable",
        /// A resistance outside every range.
        Invalid = "ProximityInvalid",
        /// Another cable than at the start of the session.
        Changed = "ProximityChanged",
    }

    /// What the RCD monitoring reports; equals the `vendorErrorCode` (guide 3.3.4.12-3.3.4.14).
    RcdError {
        /// Residual current while an EV is connected.
        GroundFailure = "RcdGroundFailure",
        /// Tripped while no EV is connected.
        Spurious = "SpuriousRcdError",
        /// The self test failed.
        Test = "RcdTestError",
    }

    /// State of a firmware update (guide 11.5).
    UpdateState {
        /// Nothing to do.
        Idle = "idle",
        /// Download running.
        Downloading = "downloading",
        /// Download complete.
        DownloadSucceeded = "download-succeeded",
        /// Download failed.
        DownloadFailed = "download-failed",
        /// Installation running.
        Installing = "installing",
        /// Installed.
        InstallSucceeded = "install-succeeded",
        /// Installation failed.
        InstallFailed = "install-failed",
    }

    /// Outcome of the last firmware update since boot.
    UpdateResult {
        /// Installed.
        Succeeded = "succeeded",
        /// All attempts failed.
        Failed = "failed",
    }

    /// What the installer found about the signature of a firmware file (a topic of ours).
    SignatureVerdict {
        /// By the certificate that came with it, which the manufacturer's root has signed.
        Valid = "valid",
        /// By anybody else, or by nobody.
        Invalid = "invalid",
    }

    /// Requested number of phases.
    PhaseTarget {
        /// One phase.
        One = "1",
        /// Three phases.
        Three = "3",
    }

    /// Number of phases switched through.
    PhaseActual {
        /// None, e.g. during switching.
        None = "0",
        /// One phase.
        One = "1",
        /// Three phases.
        Three = "3",
    }

    /// The standard of an RFID tag (guide 15.17).
    TagStandard {
        /// ISO 14443.
        Iso14443 = "ISO14443",
        /// ISO 15693.
        Iso15693 = "ISO15693",
        /// The reader does not say.
        Unknown = "UNKNOWN",
    }

    /// EVSEProcessingType of ISO 15118-2.
    EvseProcessing {
        /// The phase may end.
        Finished = "0",
        /// The EV has to wait.
        Ongoing = "1",
    }

    /// EVSENotificationType as the guide numbers it (15.9, 15.11).
    ///
    /// ISO 15118-2 numbers renegotiation 2, which is read as well.
    EvseNotification {
        /// Nothing to notify.
        None = "0",
        /// The EV shall stop.
        StopCharging = "1",
        /// The EV shall negotiate again.
        Renegotiation = "3" | "2",
    }

    /// serviceCategoryType of ISO 15118-2.
    ServiceCategory {
        /// Charging.
        EvCharging = "0",
        /// Internet access.
        Internet = "1",
        /// Contract certificates.
        ContractCertificate = "2",
        /// Anything else.
        OtherCustom = "3",
    }

    /// paymentOptionType of ISO 15118-2.
    PaymentOption {
        /// Contract certificate.
        Contract = "0",
        /// External identification means.
        ExternalPayment = "1",
    }

    /// EnergyTransferModeType of ISO 15118-2.
    EnergyTransferMode {
        /// AC, one phase.
        AcSinglePhaseCore = "0",
        /// AC, three phases.
        AcThreePhaseCore = "1",
        /// DC, core pins.
        DcCore = "2",
        /// DC, extended pins.
        DcExtended = "3",
        /// DC, combo connector on core pins.
        DcComboCore = "4",
        /// DC, unique connector.
        DcUnique = "5",
    }

    /// chargeProgressType of ISO 15118-2.
    ChargeProgress {
        /// Start.
        Start = "0",
        /// Stop.
        Stop = "1",
        /// Negotiate again.
        Renegotiate = "2",
    }

    /// chargingSessionType of ISO 15118-2.
    ChargingSession {
        /// The session ends.
        Terminate = "0",
        /// The session pauses.
        Pause = "1",
    }

    /// The contacts of the recloser, in the words of guide 3.3.9.
    RecloserState {
        /// The supply is interrupted.
        Open = "open",
        /// The supply is on.
        Close = "close",
    }

    /// What became of a change of the recloser: the data of the DataTransfer's answer
    /// (guide 3.3.9).
    RecloserAnswer {
        /// Accepted: it is open.
        Open = "open",
        /// Accepted: it is closed.
        Close = "close",
        /// Rejected: none is configured.
        NotPresent = "notPresent",
        /// Rejected: it does not answer, or did not reach the state in time.
        NotAvailable = "notAvailable",
        /// Rejected: not a state.
        InvalidRequestData = "invalidRequestData",
    }

    /// Where the session at the connector stands (a topic of ours).
    SessionState {
        /// No EV, nobody authorized.
        Idle = "idle",
        /// Authorized, waiting for the EV.
        Authorized = "authorized",
        /// EV connected, not (yet) authorized or still being prepared.
        Connected = "connected",
        /// Authorized and offered current, but the EV takes none.
        SuspendedEv = "suspended_ev",
        /// The station offers no current.
        SuspendedEvse = "suspended_evse",
        /// Contactor closed, current offered.
        Charging = "charging",
        /// An error prevents charging.
        Faulted = "faulted",
        /// Out of service.
        Inoperative = "inoperative",
    }

    /// Why charging last stopped or paused (a topic of ours).
    StopReason {
        /// Charging, or nothing has stopped since start.
        None = "none",
        /// The EV was unplugged.
        EvDisconnected = "ev_disconnected",
        /// The EV left state C or D by itself.
        EvPaused = "ev_paused",
        /// The user or central system ended the authorization.
        AuthorizationWithdrawn = "authorization_withdrawn",
        /// A limit below 6 A left nothing to offer.
        LimitBelowMinimum = "limit_below_minimum",
        /// The emergency input.
        Emergency = "emergency",
        /// The residual current device tripped or failed its test.
        Rcd = "rcd",
        /// Any other fault; `port0/session/fault` or a guide topic names it.
        Fault = "fault",
        /// The station was taken out of service.
        Inoperative = "inoperative",
        /// The station restarts or shuts down.
        Restart = "restart",
    }

    /// A fault for which the guide has no topic, or the first cause of several (a topic of ours).
    SessionFault {
        /// The feedback contradicts the contactor's command, e.g. welded.
        ContactorError = "contactor_error",
        /// The plug lock failed for good.
        PlugLockFailure = "plug_lock_failure",
        /// The control pilot is shorted (state E).
        PilotShort = "pilot_short",
        /// The EV's diode is missing.
        PilotDiode = "pilot_diode",
        /// The pilot's levels fit no state.
        PilotFault = "pilot_fault",
        /// The EV asks for ventilation that is not available.
        VentilationUnavailable = "ventilation_unavailable",
        /// The proximity pilot is invalid.
        ProximityError = "proximity_error",
        /// The emergency input is asserted.
        EmergencyShutdown = "emergency_shutdown",
        /// The residual current device reports an error.
        RcdError = "rcd_error",
        /// A measurement is missing, frozen or implausible.
        SensorFailure = "sensor_failure",
        /// The control loop missed its deadline.
        ControlStalled = "control_stalled",
    }

    /// Why the meter can't be used, in the words of guide 3.3.4.7 to 3.3.4.10 (a topic of ours).
    MeterError {
        /// It does not answer, or what comes is damaged.
        CommunicationError = "CommunicationError",
        /// It answers, but refuses, or as no known model does.
        InternalError = "InternalError",
        /// It tells values that can't be believed, while no session runs.
        IdleMeterError = "IdleMeterError",
        /// It tells values that can't be believed, in a session.
        ActiveMeterError = "ActiveMeterError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_compared_exactly() {
        assert_eq!(CpState::decode(b"C"), Ok(CpState::C));
        for wrong in [&b""[..], b"c", b"C ", b"CC", b"G", b"C\0", b"\xFF"] {
            let error = CpState::decode(wrong).unwrap_err();
            assert_eq!(error.expected, "one of: A, B, C, D, E, F");
        }
    }

    #[test]
    fn empty_means_none_where_it_is_allowed() {
        assert_eq!(Option::<RcdError>::decode(b""), Ok(None));
        assert_eq!(None::<RcdError>.encode(), "");
        let error = Option::<RcdError>::decode(b"x").unwrap_err();
        assert_eq!(
            error.expected,
            "empty or one of: RcdGroundFailure, SpuriousRcdError, RcdTestError"
        );
    }

    #[test]
    fn renegotiation_is_read_in_both_numberings() {
        assert_eq!(
            EvseNotification::decode(b"2"),
            Ok(EvseNotification::Renegotiation)
        );
        assert_eq!(EvseNotification::Renegotiation.encode(), "3");
    }
}
