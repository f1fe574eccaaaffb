//! Which features the charge point carries out. SupportedFeatureProfiles, the list of keys and the
//! reference page follow from this one place.

/// A feature profile of OCPP 1.6, or a part of the charge point that has keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    AuthorizationCache,
    Core,
    FirmwareManagement,
    LocalAuthListManagement,
    RemoteTrigger,
    Reservation,
    /// The extension by the white paper "Improved security for OCPP 1.6-J".
    Security,
    /// Its messages about logs and firmware, and its trigger.
    SecurityTransfers,
    SmartCharging,
}

impl Feature {
    /// The feature profiles of OCPP 1.6, spelled and ordered as in its table.
    pub(crate) const PROFILES: [(Self, &'static str); 6] = [
        (Self::Core, "Core"),
        (Self::FirmwareManagement, "FirmwareManagement"),
        (Self::LocalAuthListManagement, "LocalAuthListManagement"),
        (Self::Reservation, "Reservation"),
        (Self::SmartCharging, "SmartCharging"),
        (Self::RemoteTrigger, "RemoteTrigger"),
    ];

    /// Whether every message of it does what the standard says.
    pub(crate) const fn carried_out(self) -> bool {
        match self {
            Self::AuthorizationCache => true,
            Self::Core => true,
            Self::FirmwareManagement => true,
            Self::LocalAuthListManagement => true,
            Self::RemoteTrigger => true,
            Self::Reservation => true,
            Self::Security => false,
            Self::SecurityTransfers => true,
            Self::SmartCharging => true,
        }
    }

    /// The value of SupportedFeatureProfiles.
    pub(crate) fn advertised() -> String {
        let carried_out = Self::PROFILES
            .iter()
            .filter(|(feature, _)| feature.carried_out());
        carried_out
            .map(|(_, name)| *name)
            .collect::<Vec<_>>()
            .join(",")
    }
}
