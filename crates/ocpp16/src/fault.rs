//! What can be wrong, and how it is reported (guide 3.3.4 table 3).

use crate::message::outgoing::StatusErrorCode;

/// A condition of guide 3.3.4 whose source exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The contactor does not follow (guide 3.3.4.1).
    Contactor,
    /// Guide 3.3.4.2.
    PlugLockMotorCapNotCharged,
    /// Guide 3.3.4.3.
    PlugLockMotorUnexpectedOpen,
    /// Guide 3.3.4.4.
    PlugLockMotorUnexpectedClose,
    /// Guide 3.3.4.5.
    PlugLockCannotLock,
    /// Guide 3.3.4.6.
    PlugLockCannotUnlock,
    /// The meter does not answer (guide 3.3.4.7).
    MeterCommunication,
    /// The meter refuses, or answers as no known one does (guide 3.3.4.8).
    MeterInternal,
    /// The meter's values can't be believed, without a session (guide 3.3.4.9).
    MeterIdle,
    /// The meter's values can't be believed, in a session (guide 3.3.4.10).
    MeterActive,
    /// The RFID reader does not answer (guide 3.3.4.11).
    Reader,
    /// Guide 3.3.4.12.
    SpuriousRcdError,
    /// Guide 3.3.4.13.
    RcdTestError,
    /// Guide 3.3.4.14.
    RcdGroundFailure,
    /// The emergency input (guide 3.3.4.15).
    EmergencyShutdown,
    /// The recloser does not answer (guide 3.3.4.16).
    RcdRecloserFailure,
    /// The database can't be opened (guide 3.3.4.17).
    PersistenceOpenFailed,
    /// The database can't be written (guide 3.3.4.19).
    PersistenceReadOnly,
    /// A change can't be begun or committed (guide 3.3.4.27).
    PersistenceTransactionFailed,
    /// A broken database can't be set aside (guide 3.3.4.18).
    PersistenceUnlinkDenied,
    /// The database is damaged, or holds what no version of this program wrote (guide 3.3.4.20).
    PersistenceInvalidType,
    /// What belongs to another central system can't be erased (guide 3.3.4.22).
    PersistenceClearError,
    /// The database can't be read (guide 3.3.4.24).
    PersistencePrepareFailed,
    /// A record can't be changed (guide 3.3.4.25).
    PersistenceUpdateFailed,
    /// The tables can't be created or migrated (guide 3.3.4.28).
    PersistenceCreateFailed,
    /// A record can't be added (guide 3.3.4.29).
    PersistenceInsertFailed,
    /// A record can't be removed (guide 3.3.4.30).
    PersistenceDeleteFailed,
    /// Too many transactions wait for delivery (guide 3.3.4.31).
    PersistenceTooManyTransactions,
    /// The central system contradicts the local list (guide 3.3.4.33).
    LocalListConflict,
    /// Guide 3.3.4.34.
    ProximityNoCable,
    /// Guide 3.3.4.35.
    ProximityInvalid,
    /// Guide 3.3.4.36.
    ProximityChanged,
    /// The EV needs ventilation, and there is none; ours, ranked as the guide's unnumbered ones.
    Ventilation,
    /// The EVSE offers more than the central system allows; ours, ranked as the guide's unnumbered
    /// ones.
    ChargingLimitNotApplied,
    /// Any other fault of the EVSE that prevents charging; ours, ranked last.
    Evse,
}

/// Priority of the persistence errors in guide table 3.
const PERSISTENCE: u8 = 15;

/// How a fault is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultReport {
    pub code: StatusErrorCode,
    /// `vendorErrorCode`; empty where the guide has none.
    pub vendor_code: &'static str,
    /// `info`: what it means, in at most 50 characters.
    pub info: &'static str,
    /// The smallest is reported; those without a number in the guide come last.
    pub priority: u8,
    /// Whether the station as a whole (connector 0) reports it too.
    pub station: bool,
    /// Whether no charge can begin, which makes a connector without one `Faulted`.
    pub blocks: bool,
}

impl Fault {
    /// Whether it is reported for `connector`: all are for 1, some for the station as a whole (0).
    pub(crate) fn concerns(self, connector: usize) -> bool {
        match connector {
            0 => self.report().station,
            _ => self != Self::LocalListConflict,
        }
    }

    /// The row of guide table 3.
    pub(crate) fn report(self) -> FaultReport {
        use StatusErrorCode as Code;
        let row = |code, vendor_code, priority, station, blocks| FaultReport {
            code,
            vendor_code,
            info: self.info(),
            priority,
            station,
            blocks,
        };
        let persistence = |vendor_code| row(Code::OtherError, vendor_code, PERSISTENCE, true, true);
        match self {
            Self::Contactor => row(Code::PowerSwitchFailure, "", 1, false, true),
            Self::PlugLockMotorCapNotCharged => row(
                Code::ConnectorLockFailure,
                "PlugLockMotorCapNotCharged",
                2,
                false,
                true,
            ),
            Self::PlugLockMotorUnexpectedOpen => row(
                Code::ConnectorLockFailure,
                "PlugLockMotorUnexpectedOpen",
                3,
                false,
                true,
            ),
            Self::PlugLockMotorUnexpectedClose => row(
                Code::ConnectorLockFailure,
                "PlugLockMotorUnexpectedClose",
                4,
                false,
                true,
            ),
            Self::PlugLockCannotLock => row(
                Code::ConnectorLockFailure,
                "PlugLockCannotLock",
                5,
                false,
                true,
            ),
            Self::PlugLockCannotUnlock => row(
                Code::ConnectorLockFailure,
                "PlugLockCannotUnlock",
                6,
                false,
                true,
            ),
            Self::MeterCommunication => row(
                Code::PowerMeterFailure,
                "CommunicationError",
                7,
                false,
                true,
            ),
            Self::MeterInternal => row(Code::PowerMeterFailure, "InternalError", 8, false, true),
            Self::MeterIdle => row(Code::PowerMeterFailure, "IdleMeterError", 9, false, true),
            Self::MeterActive => row(Code::PowerMeterFailure, "ActiveMeterError", 10, false, true),
            Self::Reader => row(Code::ReaderFailure, "", 11, false, false),
            Self::SpuriousRcdError => row(Code::GroundFailure, "SpuriousRcdError", 12, false, true),
            Self::RcdTestError => row(Code::GroundFailure, "RcdTestError", 12, false, true),
            Self::RcdGroundFailure => row(Code::GroundFailure, "RcdGroundFailure", 12, false, true),
            Self::EmergencyShutdown => row(Code::OtherError, "EmergencyShutdown", 13, true, true),
            Self::RcdRecloserFailure => {
                row(Code::OtherError, "RcdRecloserFailure", 14, false, false)
            }
            Self::PersistenceOpenFailed => persistence("PersistenceOpenFailed"),
            Self::PersistenceReadOnly => persistence("PersistenceReadOnly"),
            Self::PersistenceTransactionFailed => persistence("PersistenceTransactionFailed"),
            Self::PersistenceUnlinkDenied => persistence("PersistenceUnlinkDenied"),
            Self::PersistenceInvalidType => persistence("PersistenceInvalidType"),
            Self::PersistenceClearError => persistence("PersistenceClearError"),
            Self::PersistencePrepareFailed => persistence("PersistencePrepareFailed"),
            Self::PersistenceUpdateFailed => persistence("PersistenceUpdateFailed"),
            Self::PersistenceCreateFailed => persistence("PersistenceCreateFailed"),
            Self::PersistenceInsertFailed => persistence("PersistenceInsertFailed"),
            Self::PersistenceDeleteFailed => persistence("PersistenceDeleteFailed"),
            Self::PersistenceTooManyTransactions => persistence("PersistenceTooManyTransactions"),
            Self::LocalListConflict => row(Code::LocalListConflict, "", 16, true, false),
            Self::ProximityNoCable => row(Code::OtherError, "ProximityNoCable", 17, false, true),
            Self::ProximityInvalid => row(Code::OtherError, "ProximityInvalid", 17, false, true),
            Self::ProximityChanged => row(Code::OtherError, "ProximityChanged", 17, false, false),
            Self::Ventilation => row(Code::OtherError, "VentilationUnavailable", 17, false, false),
            Self::ChargingLimitNotApplied => row(
                Code::OtherError,
                "ChargingLimitNotApplied",
                17,
                false,
                false,
            ),
            Self::Evse => row(Code::InternalError, "", 18, false, true),
        }
    }
}

impl Fault {
    /// Whether a running charge pauses while it lasts: what it uses can't be recorded (guide
    /// 3.3.4.24, 25 and 29). With the other persistence errors only a new one can't begin.
    pub(crate) fn interrupts(self) -> bool {
        matches!(
            self,
            Self::PersistencePrepareFailed
                | Self::PersistenceUpdateFailed
                | Self::PersistenceInsertFailed
        )
    }

    /// Whether a running charge goes on, and only a new one can't begin: the guide says "not
    /// possible" where it says "interrupted" of others (3.3.4.7 to 10 and 17 to 32).
    pub(crate) fn spares_a_running_charge(self) -> bool {
        let report = self.report();
        report.code == StatusErrorCode::PowerMeterFailure
            || (report.priority == PERSISTENCE && !self.interrupts())
    }

    /// The description in guide 3.3.4.
    const fn info(self) -> &'static str {
        match self {
            Self::Contactor => "contactor feedback differs from the expected state",
            Self::PlugLockMotorCapNotCharged => "motor capacitor not charged in time",
            Self::PlugLockMotorUnexpectedOpen => "feedback open while it should be closed",
            Self::PlugLockMotorUnexpectedClose => "feedback closed while it should be open",
            Self::PlugLockCannotLock => "no 'locked' feedback after driving",
            Self::PlugLockCannotUnlock => "no 'unlocked' feedback after driving",
            Self::MeterCommunication => "meter does not answer",
            Self::MeterInternal => "internal error in meter handling",
            Self::MeterIdle => "meter error while idle",
            Self::MeterActive => "meter error while active",
            Self::Reader => "RFID reader does not answer",
            Self::SpuriousRcdError => "RCD tripped outside charging and testing",
            Self::RcdTestError => "RCD self-test failed",
            Self::RcdGroundFailure => "RCD tripped during a charging session",
            Self::EmergencyShutdown => "emergency input asserted",
            Self::RcdRecloserFailure => "recloser does not answer",
            Self::PersistenceOpenFailed
            | Self::PersistenceReadOnly
            | Self::PersistenceTransactionFailed
            | Self::PersistenceUnlinkDenied
            | Self::PersistenceInvalidType
            | Self::PersistenceClearError
            | Self::PersistencePrepareFailed
            | Self::PersistenceUpdateFailed
            | Self::PersistenceCreateFailed
            | Self::PersistenceInsertFailed
            | Self::PersistenceDeleteFailed => "local database subsystem reported an error",
            Self::PersistenceTooManyTransactions => {
                "maximum number of offline transactions reached"
            }
            Self::LocalListConflict => "Authorize.conf contradicts the local list",
            Self::ProximityNoCable => "no proximity pilot",
            Self::ProximityInvalid => "proximity pilot value invalid",
            Self::ProximityChanged => "proximity pilot changed during a charge",
            Self::Ventilation => "the EV needs ventilation, and there is none",
            Self::ChargingLimitNotApplied => "the EVSE offers more than the limit",
            Self::Evse => "the EVSE is out of order",
        }
    }
}

/// The fault to report of `faults`: the one that came first among those with the smallest
/// priority number.
pub(crate) fn most_important(faults: impl IntoIterator<Item = Fault>) -> Option<FaultReport> {
    faults
        .into_iter()
        .map(Fault::report)
        .min_by_key(|report| report.priority)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Fault; 35] = [
        Fault::Contactor,
        Fault::PlugLockMotorCapNotCharged,
        Fault::PlugLockMotorUnexpectedOpen,
        Fault::PlugLockMotorUnexpectedClose,
        Fault::PlugLockCannotLock,
        Fault::PlugLockCannotUnlock,
        Fault::MeterCommunication,
        Fault::MeterInternal,
        Fault::MeterIdle,
        Fault::MeterActive,
        Fault::Reader,
        Fault::SpuriousRcdError,
        Fault::RcdTestError,
        Fault::RcdGroundFailure,
        Fault::EmergencyShutdown,
        Fault::RcdRecloserFailure,
        Fault::PersistenceOpenFailed,
        Fault::PersistenceReadOnly,
        Fault::PersistenceTransactionFailed,
        Fault::PersistenceUnlinkDenied,
        Fault::PersistenceInvalidType,
        Fault::PersistenceClearError,
        Fault::PersistencePrepareFailed,
        Fault::PersistenceUpdateFailed,
        Fault::PersistenceCreateFailed,
        Fault::PersistenceInsertFailed,
        Fault::PersistenceDeleteFailed,
        Fault::PersistenceTooManyTransactions,
        Fault::LocalListConflict,
        Fault::ProximityNoCable,
        Fault::ProximityInvalid,
        Fault::ProximityChanged,
        Fault::Ventilation,
        Fault::ChargingLimitNotApplied,
        Fault::Evse,
    ];

    // covers: OS-005
    #[test]
    fn each_row_is_that_of_the_guide() {
        use StatusErrorCode as Code;
        let rows = [
            (Fault::Contactor, Code::PowerSwitchFailure, "", 1),
            (
                Fault::PlugLockMotorCapNotCharged,
                Code::ConnectorLockFailure,
                "PlugLockMotorCapNotCharged",
                2,
            ),
            (
                Fault::PlugLockMotorUnexpectedOpen,
                Code::ConnectorLockFailure,
                "PlugLockMotorUnexpectedOpen",
                3,
            ),
            (
                Fault::PlugLockMotorUnexpectedClose,
                Code::ConnectorLockFailure,
                "PlugLockMotorUnexpectedClose",
                4,
            ),
            (
                Fault::PlugLockCannotLock,
                Code::ConnectorLockFailure,
                "PlugLockCannotLock",
                5,
            ),
            (
                Fault::PlugLockCannotUnlock,
                Code::ConnectorLockFailure,
                "PlugLockCannotUnlock",
                6,
            ),
            (
                Fault::MeterCommunication,
                Code::PowerMeterFailure,
                "CommunicationError",
                7,
            ),
            (
                Fault::MeterInternal,
                Code::PowerMeterFailure,
                "InternalError",
                8,
            ),
            (
                Fault::MeterIdle,
                Code::PowerMeterFailure,
                "IdleMeterError",
                9,
            ),
            (
                Fault::MeterActive,
                Code::PowerMeterFailure,
                "ActiveMeterError",
                10,
            ),
            (Fault::Reader, Code::ReaderFailure, "", 11),
            (
                Fault::SpuriousRcdError,
                Code::GroundFailure,
                "SpuriousRcdError",
                12,
            ),
            (Fault::RcdTestError, Code::GroundFailure, "RcdTestError", 12),
            (
                Fault::RcdGroundFailure,
                Code::GroundFailure,
                "RcdGroundFailure",
                12,
            ),
            (
                Fault::EmergencyShutdown,
                Code::OtherError,
                "EmergencyShutdown",
                13,
            ),
            (
                Fault::RcdRecloserFailure,
                Code::OtherError,
                "RcdRecloserFailure",
                14,
            ),
        ];
        for (fault, code, vendor_code, priority) in rows {
            let report = fault.report();
            assert_eq!(
                (report.code, report.vendor_code, report.priority),
                (code, vendor_code, priority)
            );
        }
        for fault in ALL {
            // The words of the guide are the names here.
            let name = format!("{fault:?}");
            if name.starts_with("Persistence") {
                let report = fault.report();
                assert_eq!((report.vendor_code, report.priority), (&*name, 15));
                assert_eq!(report.code, Code::OtherError);
                assert!(report.station && report.blocks, "{name}");
            }
        }
        // The guide gives these no number; they rank below the numbered ones.
        for (fault, vendor_code) in [
            (Fault::ProximityNoCable, "ProximityNoCable"),
            (Fault::ProximityInvalid, "ProximityInvalid"),
            (Fault::ProximityChanged, "ProximityChanged"),
            (Fault::Ventilation, "VentilationUnavailable"),
            (Fault::ChargingLimitNotApplied, "ChargingLimitNotApplied"),
        ] {
            let report = fault.report();
            assert_eq!(
                (report.code, report.vendor_code),
                (Code::OtherError, vendor_code)
            );
            assert!(report.priority > 16);
        }
    }

    #[test]
    fn a_running_charge_goes_on_where_the_guide_does_not_say_interrupted() {
        for fault in ALL {
            // The meter's and the persistence errors are told by ocppd, the others by the EVSE,
            // which then says itself that nothing is charged.
            let name = format!("{fault:?}");
            let interrupts = ["PrepareFailed", "UpdateFailed", "InsertFailed"];
            let spared = name.starts_with("Meter")
                || (name.starts_with("Persistence")
                    && !interrupts.iter().any(|end| name.ends_with(end)));
            assert_eq!(fault.spares_a_running_charge(), spared, "{name}");
        }
    }

    // covers: OS-004, OS-017
    #[test]
    fn of_each_pair_the_smaller_priority_number_is_reported() {
        for first in ALL {
            for second in ALL {
                let reported = most_important([first, second]).unwrap();
                assert_eq!(
                    reported.priority,
                    first.report().priority.min(second.report().priority)
                );
            }
            let FaultReport {
                vendor_code, info, ..
            } = first.report();
            assert!(vendor_code.chars().count() <= 50, "{vendor_code}");
            assert!((1..=50).contains(&info.chars().count()), "{info}");
        }
    }
}
